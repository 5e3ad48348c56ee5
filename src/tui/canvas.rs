//! What a view paints on, and what it tells of the frame: where the mouse finds what, where the caret is, how far a
//! pane scrolls, and which content and gate were on screen. `update` gets that back, so that a key answers only what
//! was seen.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::symbols::merge::MergeStrategy;
use ratatui::text::{Line, Span};

use super::commands::Id;
use super::markdown::Look;
use super::markdown::links::Address;
use super::shown::{ContentId, ShownGate};
use super::text::{fit, width};
use super::theme::Theme;
use super::widgets::list::Hidden;

/// Something that a click or the wheel can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A row of the screen's list.
    Row(usize),
    /// The output, a preview or a conversation: the wheel scrolls it.
    Output,
    /// The list: the wheel scrolls it.
    List,
    /// A filter of the search.
    Chip(usize),
    /// A command in the footer.
    Command(Id),
}

/// How far a pane can be scrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Lines in all.
    pub lines: usize,
    /// Lines that the pane shows.
    pub height: usize,
}

impl Extent {
    /// The greatest line that may stand at the top.
    #[must_use]
    pub fn last_top(self) -> usize {
        self.lines.saturating_sub(self.height)
    }
}

/// What the last frame showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Where the caret is.
    pub caret: Option<Position>,
    /// Places for the mouse; later ones lie above earlier ones.
    pub hits: Vec<(Rect, Hit)>,
    /// The pane with the output, the preview or the conversation.
    pub output: Extent,
    /// How wide that is, where its text is searched.
    pub preview_width: u16,
    /// The list.
    pub list: Extent,
    /// What the text in that pane is of.
    pub content: Option<ContentId>,
    /// What the selected row of the list is.
    pub row: Option<ContentId>,
    /// The gate that was shown with it.
    pub gate: Option<ShownGate>,
    /// What leads somewhere, and where.
    pub links: Vec<(Rect, Address)>,
}

impl FrameInfo {
    /// Whether something was on screen: the text of it or, where there is no room for a text, its row.
    #[must_use]
    pub fn shows(&self, id: &ContentId) -> bool {
        match &self.content {
            Some(content) => content == id,
            None => self.row.as_ref().is_some_and(|row| row.same_subject(id)),
        }
    }

    /// As [`FrameInfo::shows`], however far the same thing has changed since.
    #[must_use]
    pub fn shows_subject(&self, id: &ContentId) -> bool {
        self.content.as_ref().or(self.row.as_ref()).is_some_and(|seen| seen.same_subject(id))
    }

    /// What lies at a place.
    #[must_use]
    pub fn at(&self, place: Position) -> Option<Hit> {
        self.hits.iter().rev().find(|(area, _)| area.contains(place)).map(|(_, hit)| *hit)
    }
}

/// Divides an area between two panes, `left` cells for the first: they have the line between them in common.
#[must_use]
pub fn beside(area: Rect, left: u16) -> (Rect, Rect) {
    let from = left.saturating_sub(1);
    (Rect { width: left, ..area }, Rect { x: area.x + from, width: area.width.saturating_sub(from), ..area })
}

/// Parts the parts of a marker.
const BETWEEN: &str = " · ";

/// A part of a marker that is cut shorter than this says nothing.
const LEAST: usize = 6;

/// How many cells of the line of a frame there are for the text of a marker.
fn marker_cells(line: Rect) -> usize {
    usize::from(line.width).saturating_sub(7)
}

/// What a view paints on.
pub struct Canvas<'a> {
    /// The cells.
    pub buf: &'a mut Buffer,
    /// The palette.
    pub theme: &'a Theme,
    /// What the frame shows, to be filled in.
    pub frame: &'a mut FrameInfo,
    /// Texts are shown as they are written, with all their signs.
    pub as_written: bool,
}

impl<'a> Canvas<'a> {
    /// How texts are shown.
    #[must_use]
    pub fn look(&self) -> Look<'a> {
        Look { theme: self.theme, as_written: self.as_written }
    }
}

impl Canvas<'_> {
    /// Paints a line; what does not fit is cut.
    pub fn line(&mut self, area: Rect, line: &Line<'_>) {
        if area.height > 0 {
            self.buf.set_line(area.x, area.y, line, area.width);
        }
    }

    /// Paints a text in one style, cut with an ellipsis.
    pub fn text(&mut self, area: Rect, text: &str, style: Style) {
        self.line(area, &Line::styled(fit(text, area.width.into()), style));
    }

    /// Paints lines from the top of `area`.
    pub fn lines(&mut self, area: Rect, lines: &[Line<'_>]) {
        for (y, line) in (area.y..area.bottom()).zip(lines) {
            self.buf.set_line(area.x, y, line, area.width);
        }
    }

    /// Paints a frame with a title and gives the area inside. Where it lies on the frame of another pane, both have that
    /// line ([`beside`]).
    pub fn pane(&mut self, area: Rect, title: &str, focused: bool) -> Rect {
        if area.width < 4 || area.height < 2 {
            return area;
        }
        let (last, right) = (area.bottom() - 1, area.right() - 1);
        for (y, [begins, ends]) in [(area.y, ["┌", "┐"]), (last, ["└", "┘"])] {
            self.rule(area, y, [begins, ends], focused);
        }
        for y in area.y + 1..last {
            self.border(area.x, y, "│", focused);
            self.border(right, y, "│", focused);
        }
        self.title(area, title, focused);
        Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
    }

    /// Paints a line across a frame at `y`, with a title: a pane within a pane.
    pub fn divide(&mut self, area: Rect, y: u16, title: &str) {
        if area.width < 4 || y >= area.bottom() {
            return;
        }
        self.rule(area, y, ["├", "┤"], false);
        self.title(Rect { y, height: 1, ..area }, title, false);
    }

    /// A line across an area, with what it begins and ends with.
    fn rule(&mut self, area: Rect, y: u16, [begins, ends]: [&str; 2], focused: bool) {
        let right = area.right() - 1;
        self.border(area.x, y, begins, focused);
        for x in area.x + 1..right {
            self.border(x, y, "─", focused);
        }
        self.border(right, y, ends, focused);
    }

    /// A part of a frame, joined to what is there of another. The line of the pane with the focus keeps its colour.
    fn border(&mut self, x: u16, y: u16, symbol: &str, focused: bool) {
        let (border, focus) = (self.theme.border, self.theme.border_focus);
        let Some(cell) = self.buf.cell_mut((x, y)) else { return };
        let there = cell.symbol().starts_with(|c| ('\u{2500}'..='\u{257f}').contains(&c)).then(|| cell.clone());
        let has_focus = |there: &Cell| {
            let mut with_focus = Cell::default();
            with_focus.set_symbol(there.symbol()).set_style(focus);
            *there == with_focus
        };
        let style = if focused || there.as_ref().is_some_and(has_focus) { focus } else { border };
        cell.reset();
        cell.set_style(style);
        match there {
            Some(there) => cell.set_symbol(MergeStrategy::Exact.merge(there.symbol(), symbol)),
            None => cell.set_symbol(symbol),
        };
    }

    fn title(&mut self, area: Rect, title: &str, focused: bool) {
        if title.is_empty() || area.width < 6 {
            return;
        }
        let plain = Style::reset().patch(self.theme.title);
        let style = if focused { plain.patch(self.theme.border_focus) } else { plain };
        let title = fit(title, usize::from(area.width) - 5).into_owned();
        let spans = vec![Span::raw(" "), Span::styled(title, style), Span::raw(" ")];
        self.buf.set_line(area.x + 1, area.y, &Line::from(spans), area.width - 2);
    }

    /// Paints a marker at the right end of the last line of a frame, over the frame: of its parts, from the first on, as
    /// many as there is room for. The first is cut rather than left out.
    pub fn marker(&mut self, area: Rect, parts: &[impl AsRef<str>], style: Style) {
        if area.height > 1 {
            self.marker_at(Rect { y: area.bottom() - 1, ..area }, parts, style);
        }
    }

    /// Whether a marker on that frame has room for all of these parts.
    #[must_use]
    pub fn has_room(area: Rect, parts: &[impl AsRef<str>]) -> bool {
        let parts = parts.iter().map(AsRef::as_ref).filter(|part| !part.is_empty());
        parts.map(|part| width(part) + width(BETWEEN)).sum::<usize>() <= marker_cells(area) + width(BETWEEN)
    }

    fn marker_at(&mut self, line: Rect, parts: &[impl AsRef<str>], style: Style) {
        let room = marker_cells(line);
        let mut parts = parts.iter().map(AsRef::as_ref).filter(|part| !part.is_empty());
        let Some(first) = parts.next().filter(|first| room >= width(first).min(LEAST)) else { return };
        let mut text = fit(first, room).into_owned();
        for part in parts {
            if width(&text) + width(BETWEEN) + width(part) > room {
                break;
            }
            text = format!("{text}{BETWEEN}{part}");
        }
        let cells = u16::try_from(width(&text) + 2).unwrap_or(u16::MAX);
        self.buf.set_string(line.right().saturating_sub(2 + cells), line.y, format!(" {text} "), style);
    }

    /// Says on a frame what of its list there is no room for: on its first line what lies above, on its last what lies
    /// below.
    pub fn overflow(&mut self, area: Rect, hidden: Hidden) {
        let style = self.theme.muted;
        if hidden.above > 0 && area.height > 1 {
            self.marker_at(area, &[format!("{} more ↑", hidden.above)], style);
        }
        if hidden.below > 0 {
            self.marker(area, &[format!("{} more ↓", hidden.below)], style);
        }
    }

    /// Takes away what was painted in `area`: for a layer above.
    pub fn clear(&mut self, area: Rect) {
        self.frame.links.retain(|(link, _)| link.intersection(area).is_empty());
        for position in area.positions() {
            if let Some(cell) = self.buf.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// Notes that what is in `area` is a link.
    pub fn link(&mut self, area: Rect, address: Address) {
        if !area.is_empty() {
            self.frame.links.push((area, address));
        }
    }

    /// Notes that a click at `area` means `hit`.
    pub fn hit(&mut self, area: Rect, hit: Hit) {
        self.frame.hits.push((area, hit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::frame;
    use crate::tui::theme::{Depth, Ground};

    #[test]
    fn two_panes_beside_each_other_have_one_line_between_them() {
        let (picture, _) = frame((14, 5), Depth::None, |canvas, area| {
            let (left, right) = beside(area, 6);
            canvas.pane(left, "", false);
            canvas.divide(left, 2, "");
            canvas.pane(right, "", true);
            canvas.divide(right, 3, "");
        });
        assert_eq!(picture, "┌────┬───────┐\n│    │       │\n├────┤       │\n│    ├───────┤\n└────┴───────┘\n");
    }

    #[test]
    fn the_line_between_two_panes_is_of_the_one_with_the_focus_whichever_is_painted_first() {
        let theme = Theme::new(Ground::Dark, Depth::Sixteen);
        for focus in [true, false] {
            let mut buf = Buffer::empty(Rect::new(0, 0, 14, 5));
            let mut info = FrameInfo::default();
            let mut canvas = Canvas { buf: &mut buf, theme: &theme, frame: &mut info, as_written: false };
            let (left, right) = beside(canvas.buf.area, 6);
            canvas.pane(left, "", focus);
            canvas.pane(right, "", !focus);
            let between = buf[(5, 2)].fg;
            assert_eq!(Some(between), theme.border_focus.fg);
            let other = if focus { 13 } else { 0 };
            assert_ne!(buf[(other, 2)].fg, between, "one pane has the focus");
        }
    }

    #[test]
    fn a_box_over_panes_is_not_joined_to_them() {
        let (picture, _) = frame((14, 5), Depth::None, |canvas, area| {
            canvas.pane(area, "", false);
            let place = Rect { x: 0, y: 1, width: 6, height: 3 };
            canvas.clear(place);
            canvas.pane(place, "", true);
        });
        assert_eq!(picture.lines().nth(1), Some("┌────┐       │"), "{picture}");
    }
}
