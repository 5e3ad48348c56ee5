//! Two runs, or two versions, compared word by word over the whole screen. Of runs, one part after the other: the result,
//! then each call whose output differs. Of versions, any with any other.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::commands::Id;
use crate::tui::diff::Comparison;
use crate::tui::situation::Layer;
use crate::tui::text::{fit, width};
use crate::tui::versions::Compare;
use crate::tui::widgets::scroll::{By, Scroll};

/// A part of what is compared: what it is called, as it was, and as it is.
pub type ComparedPart = (String, Untrusted, Untrusted);

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What is compared with what or, of versions, of what they are.
    title: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Parts { parts: Arc<[ComparedPart]>, at: usize, comparison: Comparison, scroll: Scroll },
    Versions(Box<Compare>),
}

impl Compared {
    /// Compares, the first part first. The title may come from outside.
    #[must_use]
    pub fn new(title: &str, parts: Vec<ComparedPart>) -> Self {
        let (comparison, scroll) = (Comparison::default(), Scroll::at_start());
        let what = What::Parts { parts: parts.into(), at: 0, comparison, scroll };
        let mut compared = Self { title: Untrusted::from(title).line().into_owned(), what };
        compared.go(0);
        compared
    }

    /// Compares versions of what is called `name`, which may come from outside.
    #[must_use]
    pub fn of_versions(compare: Compare, name: &str) -> Self {
        Self { title: Untrusted::from(name).line().into_owned(), what: What::Versions(Box::new(compare)) }
    }

    /// Its place in the situation.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match self.what {
            What::Parts { .. } => Layer::CompareRuns,
            What::Versions(_) => Layer::Compare,
        }
    }

    /// Whether there is more than what is shown: another part, or another pair of versions.
    #[must_use]
    pub fn has_several(&self) -> bool {
        match &self.what {
            What::Parts { parts, .. } => parts.len() > 1,
            What::Versions(compare) => compare.count() > 2,
        }
    }

    /// Scrolls, or goes to another part or version. A part is compared when it is looked at, because there may be hundreds.
    pub fn give(&mut self, id: Id, extent: Extent) {
        if let Some(by) = By::of(id) {
            match &mut self.what {
                What::Parts { scroll, .. } => scroll.by(by, extent),
                What::Versions(compare) => compare.scroll.by(by, extent),
            }
            return;
        }
        match (&mut self.what, id) {
            (What::Parts { at, .. }, Id::Left) => {
                let to = at.saturating_sub(1);
                self.go(to);
            }
            (What::Parts { at, parts, .. }, Id::Right) => {
                let to = (*at + 1).min(parts.len().saturating_sub(1));
                self.go(to);
            }
            (What::Versions(compare), Id::Left) => compare.step(-1),
            (What::Versions(compare), Id::Right) => compare.step(1),
            (What::Versions(compare), Id::AgainstEarlier) => compare.against(-1),
            (What::Versions(compare), Id::AgainstLater) => compare.against(1),
            _ => {}
        }
    }

    fn go(&mut self, to: usize) {
        let What::Parts { parts, at, comparison, scroll } = &mut self.what else { return };
        (*at, *scroll) = (to, Scroll::at_start());
        if let Some((_, old, new)) = parts.get(to) {
            *comparison = Comparison::of_texts(old, new);
        }
    }

    /// Above what is compared, in that many cells.
    fn heading(&self, cells: usize) -> String {
        match &self.what {
            What::Parts { parts, at, .. } => {
                let name = parts.get(*at).map(|(name, ..)| Untrusted::from(name.as_str()).line().into_owned());
                let place = match parts.len() {
                    0 | 1 => String::new(),
                    all => format!(" · {} ({} of {all})", name.unwrap_or_default(), at + 1),
                };
                format!("{}{place}", fit(&self.title, cells.saturating_sub(width(&place))))
            }
            What::Versions(compare) => {
                let versions = compare.title();
                let room = cells.saturating_sub(width(&versions) + 3);
                if room < 6 { versions } else { format!("{versions} · {}", fit(&self.title, room)) }
            }
        }
    }

    /// Paints it over `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        canvas.clear(area);
        let theme = *canvas.theme;
        let inner = canvas.pane(area, &self.heading(usize::from(area.width).saturating_sub(5)), true);
        let (comparison, scroll) = match &self.what {
            What::Parts { comparison, scroll, .. } => (comparison, *scroll),
            What::Versions(compare) => (&compare.comparison, compare.scroll),
        };
        let (added, removed) = comparison.counts();
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        canvas.hit(inner, Hit::Output);
        let lines = if comparison.is_same() {
            vec![Line::styled("They are the same.", theme.muted)]
        } else {
            comparison.lines(inner.width, &theme).0
        };
        canvas.frame.output = Extent { lines: lines.len(), height: inner.height.into() };
        canvas.lines(inner, &lines[scroll.top(canvas.frame.output)..]);
        let words = format!("words: {added} added, {removed} removed");
        let says: Vec<String> = std::iter::once(words).chain(scroll.hidden(canvas.frame.output)).collect();
        canvas.marker(area, &says, theme.muted);
    }
}
