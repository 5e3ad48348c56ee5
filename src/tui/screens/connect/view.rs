//! The screen of the models as it is painted: what there is, and beneath it what the selected row is.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{ConnectScreen, Doing, ModelRow};
use crate::config::connection_lines;
use crate::core::known_providers::{KNOWN, KnownProvider};
use crate::core::settings::DEFAULT_ROLE;
use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;
use crate::tui::commands;
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{fit, width};
use crate::tui::widgets::header::Fact;
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
        let looks =
            if self.found.is_none() { vec![Fact::new("looking for more…", theme.muted, 1)] } else { Vec::new() };
        header::paint(canvas, Rect { height: 1, ..area }, "Models", looks);
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let inner = canvas.pane(body, "", true);
        let below = BELOW.min(inner.height / 2);
        let line = inner.bottom() - below;
        let list = Rect { height: line - inner.y, ..inner };
        canvas.frame.row = self.selected().and_then(|row| self.id_of(row));
        let hidden = self.list.paint(canvas, list, self.rows.len(), true, |at, cells| {
            let (label, aside) = match self.rows[at] {
                ModelRow::Heading(text) => return Line::styled(format!(" {text}"), theme.muted),
                row => self.row(row),
            };
            let cells = usize::from(cells).saturating_sub(4);
            let label = fit(&Untrusted::new(label).line(), cells).into_owned();
            let aside = fit(&Untrusted::new(aside).line(), cells.saturating_sub(width(&label) + 2)).into_owned();
            let blank = " ".repeat(cells.saturating_sub(width(&label) + width(&aside)) + 1);
            Line::from(vec![
                Span::raw("  "),
                Span::styled(label, theme.text),
                Span::raw(blank),
                Span::styled(aside, theme.muted),
            ])
        });
        let (title, text, style) = self.about(canvas.theme.text, canvas);
        canvas.divide(body, line, &title);
        canvas.overflow(Rect { height: line - body.y + 1, ..body }, hidden);
        let place =
            Rect { x: inner.x + 1, y: line + 1, width: inner.width.saturating_sub(2), height: below.saturating_sub(1) };
        canvas.lines(place, &wrap_text(&text.block(), style, place.width.into()));
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        footer::paint(canvas, foot, &commands::hints(&situation), &help, None);
    }

    /// What a row is called, and a word about it.
    fn row(&self, row: ModelRow) -> (String, String) {
        match row {
            ModelRow::Heading(text) => (text.to_owned(), String::new()),
            ModelRow::Role(at) => {
                self.roles.get(at).map(|(role, connection)| (role.clone(), connection.name())).unwrap_or_default()
            }
            ModelRow::Found(at) => {
                self.offers().get(at).map(|found| (found.connection.name(), found.why.clone())).unwrap_or_default()
            }
            ModelRow::Known(at) => (KNOWN[at].label.to_owned(), self.state(&KNOWN[at])),
            ModelRow::Other => ("Another server…".to_owned(), String::new()),
        }
    }

    /// How a provider that is known by name stands here.
    fn state(&self, known: &KnownProvider) -> String {
        if self.roles.iter().any(|(_, connection)| connection.provider == known.name) {
            return "in the config".to_owned();
        }
        if let Some(found) = self.offers().iter().find(|found| found.connection.provider == known.name) {
            return found.why.clone();
        }
        match known.key_env {
            Some(variable) => format!("needs a key: {variable}"),
            None => format!("at {}", known.base_url.trim_start_matches("http://")),
        }
    }

    /// What stands beneath the list: its title, the text, its style.
    fn about(&self, text: Style, canvas: &Canvas<'_>) -> (String, Untrusted, Style) {
        let theme = canvas.theme;
        let says = |title: &str, text: String, style| (title.to_owned(), Untrusted::new(text), style);
        if let Some(problem) = &self.problem {
            return says("It did not answer", problem.clone(), theme.failed);
        }
        match &self.doing {
            Some(Doing::Lists(connection, _)) => {
                return says("", format!("Asking {} which models it has…", connection.provider), theme.running);
            }
            Some(Doing::Tries(trial)) => {
                return says("", format!("Asking {} for one token…", trial.connection.name()), theme.running);
            }
            None => {}
        }
        match self.selected() {
            Some(ModelRow::Role(at)) => {
                let role = self.roles.get(at).map(|(role, _)| role.as_str()).unwrap_or_default();
                let what = if role == DEFAULT_ROLE { "It answers wherever a task or step names no other role." } else { "It answers where a task or step names this role." };
                says(role, format!("{what} Enter shows which models could answer instead."), text)
            }
            Some(ModelRow::Found(at)) => {
                let lines = self.offers().get(at).map(|found| connection_lines(DEFAULT_ROLE, &found.connection));
                says("What the config will say", lines.unwrap_or_default(), theme.code)
            }
            Some(ModelRow::Known(at)) => {
                let known = KNOWN[at];
                says(known.label, format!("{}\n{}", known.base_url, known.hint), text)
            }
            Some(ModelRow::Other) => says(
                "Another server",
                "Anything that speaks chat completions, Anthropic's messages or Ollama's protocol: a form asks for its \
                 address, the model, and the name of the variable with its key. A key is never written down."
                    .to_owned(),
                theme.muted,
            ),
            Some(ModelRow::Heading(_)) | None => says("", String::new(), text),
        }
    }
}
