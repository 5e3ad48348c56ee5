//! Two runs, or two versions, compared word by word over the whole screen, one part after the other: the result, then
//! each call whose output differs.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::commands::Id;
use crate::tui::diff::Comparison;
use crate::tui::text::{fit, width};
use crate::tui::widgets::scroll::{By, Scroll};

/// A part of what is compared: what it is called, as it was, and as it is.
pub type ComparedPart = (String, Untrusted, Untrusted);

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What is compared with what.
    title: String,
    parts: Arc<[ComparedPart]>,
    at: usize,
    comparison: Comparison,
    scroll: Scroll,
}

impl Compared {
    /// Compares, the first part first. The title may come from outside.
    #[must_use]
    pub fn new(title: &str, parts: Vec<ComparedPart>) -> Self {
        let title = Untrusted::from(title).line().into_owned();
        let (at, comparison, scroll) = (0, Comparison::default(), Scroll::at_start());
        let mut compared = Self { title, parts: parts.into(), at, comparison, scroll };
        compared.go(0);
        compared
    }

    /// Whether there is more than one part.
    #[must_use]
    pub fn has_several(&self) -> bool {
        self.parts.len() > 1
    }

    /// Scrolls, or goes to another part. A part is compared when it is looked at, because there may be hundreds.
    pub fn give(&mut self, id: Id, extent: Extent) {
        match (id, By::of(id)) {
            (Id::Left, _) => self.go(self.at.saturating_sub(1)),
            (Id::Right, _) => self.go((self.at + 1).min(self.parts.len().saturating_sub(1))),
            (_, Some(by)) => self.scroll.by(by, extent),
            _ => {}
        }
    }

    fn go(&mut self, at: usize) {
        self.at = at;
        self.scroll = Scroll::at_start();
        if let Some((_, old, new)) = self.parts.get(at) {
            self.comparison = Comparison::of_texts(old, new);
        }
    }

    /// Paints it over `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        canvas.clear(area);
        let theme = *canvas.theme;
        let name = self.parts.get(self.at).map(|(name, ..)| Untrusted::from(name.as_str()).line().into_owned());
        let place = if self.has_several() {
            format!(" · {} ({} of {})", name.unwrap_or_default(), self.at + 1, self.parts.len())
        } else {
            String::new()
        };
        let room = usize::from(area.width).saturating_sub(5 + width(&place));
        let inner = canvas.pane(area, &format!("{}{place}", fit(&self.title, room)), true);
        let (added, removed) = self.comparison.counts();
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        canvas.hit(inner, Hit::Output);
        let lines = if self.comparison.is_same() {
            vec![Line::styled("They are the same.", theme.muted)]
        } else {
            self.comparison.lines(inner.width, &theme).0
        };
        canvas.frame.output = Extent { lines: lines.len(), height: inner.height.into() };
        canvas.lines(inner, &lines[self.scroll.top(canvas.frame.output)..]);
        let words = format!("words: {added} added, {removed} removed");
        let says: Vec<String> = std::iter::once(words).chain(self.scroll.hidden(canvas.frame.output)).collect();
        canvas.marker(area, &says, theme.muted);
    }
}
