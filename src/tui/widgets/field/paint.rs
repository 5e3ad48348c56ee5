//! A field as it is painted: a label with its mark, the widget, and what is wrong or what helps beside or below it.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{FormField, Input};
use crate::core::form::FieldType;
use crate::tui::canvas::Canvas;
use crate::tui::text::{fit, width};

/// How many lines a text of several lines gets.
const TEXT_LINES: u16 = 5;

/// The cells of the mark that tells how many options are not shown.
const MORE: usize = 6;

impl FormField {
    /// How many lines it takes.
    #[must_use]
    pub fn height(&self) -> u16 {
        let widget = if self.takes_enter() { TEXT_LINES } else { 1 };
        1 + widget + u16::from(!self.completions.is_empty())
    }

    /// Paints it into the top of `area`.
    pub fn paint(&self, canvas: &mut Canvas<'_>, area: Rect, focused: bool) {
        let theme = *canvas.theme;
        let label_style = if focused { theme.title.patch(theme.accent) } else { theme.title };
        let mut label = vec![Span::styled(self.field.question().to_owned(), label_style)];
        if self.is_needed() {
            label.push(Span::styled(" *", theme.accent));
        }
        let used: usize = label.iter().map(|span| width(&span.content)).sum::<usize>() + 2;
        let (aside, style) = match (self.problem(), focused) {
            (Some(problem), _) => (problem.to_owned(), theme.failed),
            (None, true) => (self.hint(), theme.muted),
            (None, false) => (String::new(), theme.muted),
        };
        let aside = fit(&aside, usize::from(area.width).saturating_sub(used)).into_owned();
        label.extend([Span::raw("  "), Span::styled(aside, style)]);
        canvas.line(area, &Line::from(label));

        let bar = if focused { theme.border_focus } else { theme.border };
        let widget_lines = if self.takes_enter() { TEXT_LINES } else { 1 };
        let bottom = area.bottom();
        for y in (area.y + 1..bottom).take(widget_lines.into()) {
            canvas.text(Rect { y, height: 1, ..area }, "▏", bar);
        }
        if area.height < 2 || area.width < 4 {
            return;
        }
        let height = widget_lines.min(area.height - 1);
        let inner = Rect { x: area.x + 2, y: area.y + 1, width: area.width - 2, height };
        self.widget(canvas, inner, focused);
        let below = Rect { y: inner.bottom(), height: 1, ..inner };
        if !self.completions.is_empty() && below.y < bottom {
            canvas.text(below, &self.completions.join("  "), theme.muted);
        }
    }

    fn widget(&self, canvas: &mut Canvas<'_>, area: Rect, focused: bool) {
        let theme = *canvas.theme;
        match &self.input {
            Input::Line(line) => {
                if line.is_empty()
                    && let Some(placeholder) = &self.field.placeholder
                {
                    canvas.text(area, placeholder, theme.muted);
                }
                line.paint(canvas, area, focused, self.is_masked());
            }
            Input::Text(editor) => {
                editor.paint(canvas, area, focused);
                // Over the editor, which paints the cell under its caret.
                if editor.is_empty() {
                    let lines = self.field.placeholder.iter().flat_map(|placeholder| placeholder.lines());
                    for (y, line) in (area.y..area.bottom()).zip(lines) {
                        canvas.text(Rect { y, height: 1, ..area }, line, theme.muted);
                    }
                }
            }
            Input::Switch(on) => {
                let shown = match on {
                    Some(true) => Span::styled("[x] yes", theme.accepted),
                    Some(false) => Span::styled("[ ] no", theme.text),
                    None => Span::styled("[ ] not said", theme.muted),
                };
                canvas.line(area, &Line::from(shown));
            }
            Input::Choice(at) => {
                let marks = self.field.choices.iter().enumerate().map(|(index, _)| *at == Some(index));
                self.options(canvas, area, marks.collect(), ("(•)", "( )"), *at);
            }
            Input::Choices { picked, at } => {
                self.options(canvas, area, picked.clone(), ("[x]", "[ ]"), focused.then_some(*at));
            }
        }
    }

    /// The options in a line, as many as fit whole, the current one among them; the rest is counted.
    fn options(&self, canvas: &mut Canvas<'_>, area: Rect, on: Vec<bool>, signs: (&str, &str), current: Option<usize>) {
        let theme = *canvas.theme;
        let mut spans: Vec<(Span<'static>, usize)> = Vec::new();
        for (index, (choice, on)) in self.field.choices.iter().zip(on).enumerate() {
            let text = format!("{} {choice}", if on { signs.0 } else { signs.1 });
            let style = match (on, current == Some(index)) {
                (_, true) => theme.accent,
                (true, false) => theme.accepted,
                (false, false) => theme.text,
            };
            let cells = width(&text) + 2;
            spans.push((Span::styled(format!("{text}  "), style), cells));
        }
        let all: usize = spans.iter().map(|(_, cells)| cells).sum();
        let marks = if all > usize::from(area.width) + 2 { 2 * MORE } else { 0 };
        let room = (usize::from(area.width) + 2).saturating_sub(marks);
        let total = |from: usize, to: usize| spans[from..to].iter().map(|(_, cells)| cells).sum::<usize>();
        let current = current.unwrap_or(0);
        let first = (0..current).find(|first| total(*first, current + 1) <= room).unwrap_or(current);
        let end = (first..=spans.len()).rev().find(|end| total(first, *end) <= room).unwrap_or(first + 1);
        let end = end.max(first + 1).min(spans.len());
        let after = spans.len() - end;
        let mut shown = Vec::new();
        if first > 0 {
            shown.push(Span::styled(format!("← {first}  "), theme.muted));
        }
        shown.extend(spans.into_iter().take(end).skip(first).map(|(span, _)| span));
        if after > 0 {
            shown.push(Span::styled(format!("{after} →"), theme.muted));
        }
        canvas.line(area, &Line::from(shown));
    }

    /// What helps while the field has the focus: the keys of its widget, then what its author says.
    fn hint(&self) -> String {
        let keys = self.keys();
        match &self.field.help {
            Some(help) if keys.is_empty() => help.clone(),
            Some(help) => format!("{keys} · {help}"),
            None => keys,
        }
    }

    fn keys(&self) -> String {
        let bounds = match (self.field.min, self.field.max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => String::new(),
        };
        match self.field.kind {
            FieldType::Integer | FieldType::Number => format!("↑↓ {bounds}").trim_end().to_owned(),
            FieldType::Boolean => "Space".to_owned(),
            FieldType::Choice => "←→".to_owned(),
            FieldType::Choices => "←→ Space".to_owned(),
            FieldType::Date => "YYYY-MM-DD, ↑↓ by day".to_owned(),
            FieldType::File | FieldType::Image => "a path; → completes".to_owned(),
            FieldType::Files | FieldType::Images => "one path a line".to_owned(),
            FieldType::Secret => "env:NAME, cmd:NAME, or type it: kept for this session only".to_owned(),
            FieldType::Json => "JSON".to_owned(),
            FieldType::Text | FieldType::Multiline => String::new(),
        }
    }
}
