//! The history as it is painted: search box, filters, days with their runs, the preview beside them.

use chrono::NaiveDate;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::chips::COUNT;
use super::{Focus, HistoryRow, HistoryScreen, id_of};
use crate::core::ports::RunRow;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit, beside};
use crate::tui::commands;
use crate::tui::screens::preview::{self, Preview, badges};
use crate::tui::screens::run_state;
use crate::tui::text::wrap::wrap;
use crate::tui::text::{PROSE, fit, thousands, width};
use crate::tui::theme::Theme;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::header::Fact;
use crate::tui::widgets::{footer, header};

/// Below this there is no preview.
const NARROW: u16 = 70;

impl HistoryScreen {
    /// Paints the screen.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.height < 6 || area.width < 12 {
            canvas.text(area, "too small", canvas.theme.muted);
            return;
        }
        let theme = *canvas.theme;
        let count = thousands(self.runs.len() as u64);
        let found = if self.more { format!("{count} and more") } else { count };
        let runs = if found == "1" { "run" } else { "runs" };
        let count = format!("{found} {runs}");
        let facts = vec![Fact::new(format!("{count}, last changed first"), theme.muted, 1).or(count, 2)];
        header::paint(canvas, Rect { height: 1, ..area }, "History", facts);
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let reads = self.focus == Focus::Preview;
        // Where there is no room for both, the one with the focus is there.
        if reads && (self.zoom || area.width < NARROW) {
            self.preview(canvas, body);
            self.foot(canvas, area);
            return;
        }
        let wide = if area.width < NARROW { area.width } else { area.width * 11 / 20 };
        let (left, right) = beside(body, wide);
        let inner = canvas.pane(left, "", !reads);
        self.search_box(canvas, Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), height: 1, ..inner });
        self.chips(canvas, Rect { y: inner.y + 1, height: 1, ..inner });
        canvas.divide(left, inner.y + 2, "");
        let list = Rect { y: inner.y + 3, height: inner.height.saturating_sub(3), ..inner };
        if self.rows.is_empty() && self.asked.is_none() {
            let open = self.search.is_empty() && self.chips.are_open();
            let says = if open {
                "Nothing was produced yet. Esc goes back to Home, where tasks are started."
            } else if self.search.is_empty() {
                "No run passes the filters. Tab leads to them; Backspace there takes one away."
            } else {
                "Nothing found. Fewer words find more; Tab leads to the filters."
            };
            let place = Rect { x: list.x + 1, width: list.width.saturating_sub(2), ..list };
            canvas.lines(place, &wrap(&[(says, theme.muted)], place.width.into()));
        }
        canvas.frame.row = self.selected().map(id_of);
        let focused = self.focus == Focus::Search;
        let hidden = self.list.paint(canvas, list, self.rows.len(), focused, |at, cells| match self.rows[at] {
            HistoryRow::Day(day) => Line::styled(format!(" {}", self.day(day)), theme.muted),
            HistoryRow::Run(at) => self.row(&self.runs[at], cells, &theme),
        });
        canvas.overflow(Rect { y: inner.y + 2, height: left.bottom() - inner.y - 2, ..left }, hidden);
        if wide < area.width {
            self.preview(canvas, right);
        }
        self.foot(canvas, area);
    }

    fn foot(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        let found = self.search_within.as_ref().map(Find::says);
        let note = self.note.as_deref().or(found.as_deref());
        footer::paint(canvas, foot, &commands::hints(&situation), &help, note);
    }

    fn search_box(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        canvas.text(area, "›", theme.accent);
        let field = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
        if self.search.is_empty() {
            canvas.text(field, "type to search all that was ever produced", theme.muted);
        }
        self.search.paint(canvas, field, self.focus == Focus::Search, false);
    }

    fn chips(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let (theme, filtering) = (*canvas.theme, self.focus == Focus::Filters);
        let shown: Vec<(String, bool)> = (0..COUNT).map(|at| self.chips.shown(at)).collect();
        let total = |from: usize, to: usize| shown[from..=to].iter().map(|(text, _)| width(text) + 3).sum::<usize>();
        // Where they do not fit, the one with the focus does.
        let first = (0..=self.chips.at).find(|from| total(*from, self.chips.at) < usize::from(area.width)).unwrap_or(0);
        let mut x = area.x + 1;
        for (at, (text, narrows)) in shown.iter().enumerate().skip(if filtering { first } else { 0 }) {
            let room = area.right().saturating_sub(x);
            let cells = u16::try_from(width(text)).unwrap_or(u16::MAX);
            if room < 3 || room < cells && at != self.chips.at {
                break;
            }
            let style = match (filtering && at == self.chips.at, *narrows) {
                (true, _) => theme.selection,
                (false, true) => theme.accent,
                (false, false) => theme.muted,
            };
            let place = Rect { x, width: cells.min(room), ..area };
            canvas.text(place, text, style);
            canvas.hit(place, Hit::Chip(at));
            x = x.saturating_add(cells + 3);
        }
    }

    /// A day as a person calls it.
    fn day(&self, day: NaiveDate) -> String {
        let today = self.now.with_timezone(&self.zone).date_naive();
        match (today - day).num_days() {
            0 => "Today".to_owned(),
            1 => "Yesterday".to_owned(),
            2..=6 => day.format("%A").to_string(),
            _ => day.format("%-d %B %Y").to_string(),
        }
    }

    fn row(&self, run: &RunRow, cells: u16, theme: &Theme) -> Line<'static> {
        let (sign, _, style) = run_state(run, theme);
        let time = run.updated_at.with_timezone(&self.zone).format("%H:%M").to_string();
        let mark = if self.marked.contains(&run.run) { "+" } else { " " };
        let room = usize::from(cells).saturating_sub(4 + width(&time) + 2);
        let title = fit(&Untrusted::from(self.looks.title(run)).line(), room).into_owned();
        let mut left = room.saturating_sub(width(&title));
        let mut spans = vec![
            Span::styled(mark, theme.accent),
            Span::styled(format!("{sign} "), style),
            Span::styled(title, theme.text),
        ];
        // What was found stands beside the title as far as there is room.
        if !self.search.is_empty() && left > 8 {
            spans.push(Span::raw("  "));
            left -= 2;
            for (text, hit) in around(marked(&run.snippet), left) {
                let text = fit(&text, left).into_owned();
                left -= width(&text);
                spans.push(Span::styled(text, if hit { theme.hit } else { theme.muted }));
                if left == 0 {
                    break;
                }
            }
        }
        let glance = self.looks.of(run.run).filter(|_| self.search.is_empty());
        let due = run.due.filter(|_| self.search.is_empty()).map(|due| due.short(self.now, &self.zone));
        let known: Vec<String> = due.into_iter().chain(glance.map(badges).unwrap_or_default()).collect();
        let known = known.join(" · ");
        if !known.is_empty() && left > 12 {
            let known = fit(&known, left - 2).into_owned();
            left -= width(&known) + 2;
            spans.extend([Span::raw("  "), Span::styled(known, theme.muted)]);
        }
        spans.push(Span::raw(" ".repeat(left + 1)));
        spans.push(Span::styled(time, theme.muted));
        Line::from(spans)
    }

    fn preview(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let run = self.selected();
        let title = run.map(|run| Untrusted::from(self.looks.title(run)).line().into_owned()).unwrap_or_default();
        let pane = canvas.pane(area, &title, self.focus == Focus::Preview);
        let mut inner = Rect { x: pane.x + 1, width: pane.width.saturating_sub(2), ..pane };
        if let Some(find) = &self.search_within {
            find.paint_below(canvas, area, &mut inner);
        }
        canvas.hit(inner, Hit::Output);
        let Some(run) = run else { return };
        let theme = *canvas.theme;
        canvas.frame.content = Some(id_of(run));
        canvas.frame.row = canvas.frame.row.take().or_else(|| Some(id_of(run)));
        let about = self.about(run, inner.width, &theme);
        canvas.lines(inner, &about);
        let taken = u16::try_from(about.len()).unwrap_or(inner.height).min(inner.height);
        let text = Rect { y: inner.y + taken, height: inner.height - taken, ..inner };
        canvas.frame.preview_width = text.width;
        let find = self.marked_matches();
        if let Some(shown) = &self.preview {
            canvas.frame.content = Some(shown.id());
            preview::paint(canvas, text, shown.document(), self.scroll);
            find.mark(shown.document(), canvas, text, self.scroll.top(canvas.frame.output));
        } else {
            // Until the text is there, what the list knows of it.
            let pieces = marked(&run.snippet);
            let styled = |(text, hit): &(String, bool)| (text.clone(), if *hit { theme.hit } else { theme.text });
            let pieces: Vec<(String, Style)> = pieces.iter().map(styled).collect();
            let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
            canvas.lines(text, &wrap(&pieces, text.width.min(PROSE).into()));
            canvas.frame.output = Extent { lines: 0, height: text.height.into() };
        }
        let found = self.preview.as_ref().map(|_| find.counts()).unwrap_or_default();
        let mut says = vec![self.preview.as_ref().map(Preview::which).unwrap_or_default(), found];
        says.extend(self.scroll.hidden(canvas.frame.output));
        if !Canvas::has_room(area, &says) {
            says[0] = self.preview.as_ref().map(Preview::which_short).unwrap_or_default();
        }
        canvas.marker(area, &says, theme.muted);
    }

    /// What is known of a run, above what it has to show.
    fn about(&self, run: &RunRow, cells: u16, theme: &Theme) -> Vec<Line<'static>> {
        let mut lines = preview::heading(run, self.looks.of(run.run), (self.now, &self.zone), cells, theme);
        let task = Untrusted::from(run.task.as_str()).line().into_owned();
        let at =
            |time: chrono::DateTime<chrono::Utc>| time.with_timezone(&self.zone).format("%-d %B %Y, %H:%M").to_string();
        let mut when = format!("{} · started {}", task, at(run.created_at));
        if (run.updated_at - run.created_at).num_minutes() > 0 {
            when = format!("{when}, changed {}", at(run.updated_at));
        }
        lines.extend(wrap(&[(&when, theme.muted)], cells.into()));
        let folder = Untrusted::new(run.cwd.to_string_lossy()).line().into_owned();
        lines.extend(wrap(&[(&format!("in {folder} · {}", run.run.short()), theme.muted)], cells.into()));
        lines.push(Line::styled("─".repeat(cells.into()), theme.border));
        lines
    }
}

/// As much of what stands before the first match as leaves room for it.
fn around(mut pieces: Vec<(String, bool)>, cells: usize) -> Vec<(String, bool)> {
    if let [(before, false), (hit, true), ..] = pieces.as_mut_slice() {
        let room = cells.saturating_sub(width(hit) + cells / 3);
        let mut cut = before.as_str();
        while width(cut) + 1 > room
            && let Some((_, rest)) = cut.split_once(' ')
        {
            cut = rest;
        }
        if cut.len() < before.len() {
            *before = if width(cut) + 1 > room { "…".to_owned() } else { format!("…{cut}") };
        }
    }
    pieces
}

/// A snippet in pieces that are safe to show, each with whether it is what was looked for.
fn marked(snippet: &Untrusted) -> Vec<(String, bool)> {
    let mut pieces = Vec::new();
    let mut hit = false;
    let mut rest = snippet.data();
    while !rest.is_empty() {
        let end = rest.find(['\u{2}', '\u{3}']).unwrap_or(rest.len());
        if end > 0 {
            pieces.push((Untrusted::from(&rest[..end]).line().into_owned(), hit));
        }
        hit = rest[end..].starts_with('\u{2}');
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    pieces
}
