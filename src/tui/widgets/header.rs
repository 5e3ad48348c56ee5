//! The line at the top of a screen: a title on the left, facts on the right. What does not fit is left out, the least
//! important fact first; the title is cut only when it stands alone.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::canvas::{Canvas, Hit};
use crate::tui::commands::Id;
use crate::tui::text::{fit, width};

/// A fact on the right of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its forms, the fullest first, each with its weight: the form of least weight gives way to the next, the last to
    /// nothing.
    forms: Vec<(String, u8)>,
    style: Style,
    /// What a click on it does.
    command: Option<Id>,
}

impl Fact {
    /// A fact with one form.
    #[must_use]
    pub fn new(text: impl Into<String>, style: Style, weight: u8) -> Self {
        Self { forms: vec![(text.into(), weight)], style, command: None }
    }

    /// This fact, which leads somewhere when it is clicked.
    #[must_use]
    pub fn leads_to(mut self, command: Id) -> Self {
        self.command = Some(command);
        self
    }

    /// This fact with a shorter form to fall back to.
    #[must_use]
    pub fn or(mut self, shorter: impl Into<String>, weight: u8) -> Self {
        self.forms.push((shorter.into(), weight));
        self
    }

    fn text(&self) -> &str {
        self.forms.first().map_or("", |(text, _)| text)
    }
}

const GAP: u16 = 3;

/// Paints the header.
pub fn paint(canvas: &mut Canvas<'_>, area: Rect, title: &str, mut facts: Vec<Fact>) {
    let room = usize::from(area.width).saturating_sub(2);
    let title_room = width(title).min(room / 2);
    while facts_width(&facts) + title_room > room {
        let Some(least) = facts.iter_mut().min_by_key(|fact| fact.forms.first().map(|(_, weight)| *weight)) else {
            break;
        };
        least.forms.remove(0);
        facts.retain(|fact| !fact.forms.is_empty());
    }
    let taken = facts_width(&facts);
    let title = fit(title, room.saturating_sub(taken)).into_owned();
    let blank = room.saturating_sub(taken + width(&title));
    let mut x = area.x + 1 + u16::try_from(width(&title) + blank).unwrap_or(u16::MAX);
    let mut spans = vec![Span::raw(" "), Span::styled(title, canvas.theme.title), Span::raw(" ".repeat(blank))];
    for fact in &facts {
        let cells = u16::try_from(width(fact.text())).unwrap_or(u16::MAX);
        x = x.saturating_add(GAP);
        if let Some(command) = fact.command {
            canvas.hit(Rect { x, width: cells, height: 1, ..area }, Hit::Command(command));
        }
        x = x.saturating_add(cells);
        spans.push(Span::raw(" ".repeat(GAP.into())));
        spans.push(Span::styled(fact.text().to_owned(), fact.style));
    }
    canvas.line(area, &Line::from(spans));
}

fn facts_width(facts: &[Fact]) -> usize {
    facts.iter().map(|fact| width(fact.text()) + usize::from(GAP)).sum()
}
