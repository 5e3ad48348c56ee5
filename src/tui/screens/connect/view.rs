//! The screen that connects a model as it is painted.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::ConnectScreen;
use crate::config::connection_lines;
use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;
use crate::tui::commands;
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{fit, width};
use crate::tui::widgets::{footer, header};

/// So many lines are kept for what is said beneath the list.
const BELOW: u16 = 9;

impl ConnectScreen {
    /// Paints the screen.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.height < 5 || area.width < 12 {
            canvas.text(area, "too small", canvas.theme.muted);
            return;
        }
        let theme = *canvas.theme;
        header::paint(canvas, Rect { height: 1, ..area }, "Connect a model", Vec::new());
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let inner = canvas.pane(body, "", true);
        let below = BELOW.min(inner.height / 2);
        let line = inner.bottom() - below;
        let list = Rect { height: line - inner.y, ..inner };
        canvas.frame.row = Some(Self::id_of(self.selected()));
        self.list.paint(canvas, list, self.count(), true, |at, cells| {
            let (label, why) = match self.offers().get(at) {
                Some(found) => (found.connection.name(), found.why.clone()),
                None if self.found.is_none() => ("Another server…".to_owned(), "looking for more…".to_owned()),
                None if self.offers().is_empty() => {
                    ("Another server…".to_owned(), "neither a key nor a server was found here".to_owned())
                }
                None => ("Another server…".to_owned(), String::new()),
            };
            let cells = usize::from(cells).saturating_sub(3);
            let label = fit(&Untrusted::new(label).line(), cells).into_owned();
            let why = fit(&Untrusted::new(why).line(), cells.saturating_sub(width(&label) + 2)).into_owned();
            let blank = " ".repeat(cells.saturating_sub(width(&label) + width(&why)) + 1);
            Line::from(vec![
                Span::raw(" "),
                Span::styled(label, theme.text),
                Span::raw(blank),
                Span::styled(why, theme.muted),
            ])
        });
        let title = match (&self.problem, self.selected()) {
            (Some(_), _) => "It did not answer",
            (None, Some(_)) => "What the config will say",
            (None, None) => "Another server",
        };
        canvas.divide(body, line, title);
        let place =
            Rect { x: inner.x + 1, y: line + 1, width: inner.width.saturating_sub(2), height: below.saturating_sub(1) };
        let (text, style) = match (&self.problem, &self.trying, self.selected()) {
            (Some(problem), ..) => (Untrusted::from(problem.as_str()), theme.failed),
            (None, Some(connection), _) => {
                (Untrusted::new(format!("Asking {} for one token…", connection.name())), theme.running)
            }
            (None, None, Some(found)) => (Untrusted::new(connection_lines(&found.connection)), theme.code),
            (None, None, None) => (
                Untrusted::from(
                    "Offered above is whatever has its key in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY, …) or \
                     answers on this machine (Ollama, LM Studio, llama.cpp, vLLM). For anything else a form asks for the \
                     address, the model, and the name of the variable with the key. A key is never written down.",
                ),
                theme.muted,
            ),
        };
        canvas.lines(place, &wrap_text(&text.block(), style, place.width.into()));
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        footer::paint(canvas, foot, &commands::hints(&situation), &help, None);
    }
}
