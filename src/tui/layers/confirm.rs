//! Something to be confirmed: what will happen is said first, and only `Y` does it.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Outcome, middle};
use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;
use crate::tui::commands::Id;
use crate::tui::effect::Effect;
use crate::tui::text::wrap::wrap_text;

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    /// The question and what goes with it, a paragraph each.
    lines: Vec<String>,
    yes: Vec<Effect>,
}

impl Confirm {
    /// Asks; `yes` is what is done then. What the lines name may come from outside.
    #[must_use]
    pub fn new(lines: Vec<String>, yes: Vec<Effect>) -> Self {
        let lines = lines.into_iter().map(|line| Untrusted::new(line).line().into_owned()).collect();
        Self { lines, yes }
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Outcome {
        match id {
            Id::Yes => Outcome::does(std::mem::take(&mut self.yes)),
            Id::No => Outcome::closes(),
            _ => Outcome::stays(),
        }
    }

    /// Paints it in the middle of `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let style = canvas.theme.text;
        let cells = usize::from(area.width.saturating_sub(4)).min(60);
        let lines: Vec<Line<'static>> = self.lines.iter().flat_map(|line| wrap_text(line, style, cells)).collect();
        let place = middle(area, cells + 4, lines.len());
        canvas.clear(place);
        let inner = canvas.pane(place, "Sure?", true);
        canvas.lines(Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner }, &lines);
    }
}
