//! Home as it is painted: the search box, the list, the preview beside it where there is room.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{HomeRow, HomeScreen, TaskRow};
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::commands;
use crate::tui::screens::run_state;
use crate::tui::text::{ago, fit, width};
use crate::tui::theme::Theme;
use crate::tui::widgets::header::Fact;
use crate::tui::widgets::{footer, header};

/// Where tasks come from that nobody here has written.
const SHIPPED: &str = "shipped";

/// Below this there is no preview.
const NARROW: u16 = 70;

impl HomeScreen {
    /// Paints the screen.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.height < 5 || area.width < 12 {
            canvas.text(area, "too small", canvas.theme.muted);
            return;
        }
        let theme = *canvas.theme;
        self.header(canvas, Rect { height: 1, ..area });
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let wide = if area.width < NARROW { area.width } else { area.width * 11 / 20 };
        let left = Rect { width: wide, ..body };
        let inner = canvas.pane(left, "", true);
        self.search_box(canvas, Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), height: 1, ..inner });
        canvas.divide(left, inner.y + 1, "");
        let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        canvas.frame.row = self.rows.get(self.list.selected).and_then(|row| self.id_of(*row));
        self.list.paint(canvas, list, self.rows.len(), true, |at, cells| self.row(self.rows[at], cells, &theme));
        if wide < area.width {
            self.preview(canvas, Rect { x: body.x + wide, width: body.width - wide, ..body });
        }
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        footer::paint(canvas, foot, &commands::hints(&situation), &help, self.note.as_deref());
    }

    fn header(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = canvas.theme;
        let facts = match &self.model {
            None => vec![Fact::new("looking for a model…", theme.muted, 1)],
            Some(choice) => {
                let style = if choice.demo { theme.waiting } else { theme.accepted };
                let model = Untrusted::from(choice.model.as_str()).line().into_owned();
                let short = model.rsplit('/').next().unwrap_or(&model).to_owned();
                vec![
                    Fact::new(model, style, 2).or(short, 3),
                    Fact::new(Untrusted::from(choice.why.as_str()).line(), theme.muted, 1),
                ]
            }
        };
        header::paint(canvas, area, "Stepwell", facts);
    }

    fn search_box(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        canvas.text(area, "›", theme.accent);
        let field = Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area };
        if self.search.is_empty() {
            canvas.text(field, "type to find a task, or to ask", theme.muted);
        }
        self.search.paint(canvas, field, true, false);
    }

    fn row(&self, row: HomeRow, cells: u16, theme: &Theme) -> Line<'static> {
        match row {
            HomeRow::Heading(text) => Line::styled(format!(" {text}"), theme.muted),
            HomeRow::Run(at) => {
                let run = &self.runs[at];
                let (sign, word, style) = run_state(run, theme);
                let when = ago((self.now - run.updated_at).num_seconds());
                let title = Untrusted::from(run.title.as_str()).line().into_owned();
                let mut line = spread(sign, style, &title, theme.text, &format!("{word} · {when}"), style, cells);
                // Its last line, as far as there is room for something of it.
                if let Some(blank) = line.spans.get_mut(2) {
                    let room = width(&blank.content).saturating_sub(4);
                    let last = Untrusted::new(run.snippet.data().replace(['\u{2}', '\u{3}'], ""));
                    if room >= 12 {
                        let text = format!("  {}", fit(&last.line(), room));
                        *blank = Span::styled(crate::tui::text::pad(&text, room + 4), theme.muted);
                    }
                }
                line
            }
            HomeRow::Task(at) => {
                let task = &self.tasks[at];
                let (aside, style) = task_state(task, theme);
                let icon = task.task.as_ref().and_then(|task| task.icon.clone());
                let icon = icon.map_or(" ".to_owned(), |icon| Untrusted::new(icon).line().into_owned());
                let name = Untrusted::from(task.name.as_str()).line().into_owned();
                spread(&icon, theme.accent, &name, theme.text, &aside, style, cells)
            }
            HomeRow::Connect => spread("+", theme.accent, "Connect a model", theme.text, "", theme.muted, cells),
            HomeRow::Ask => {
                let asked = Untrusted::new(self.search.value());
                spread("?", theme.accent, &format!("Ask: {}", asked.line()), theme.accent, "", theme.muted, cells)
            }
        }
    }

    fn preview(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let title = match self.rows.get(self.list.selected) {
            Some(HomeRow::Run(at)) => self.runs[*at].title.clone(),
            Some(HomeRow::Task(at)) => self.tasks[*at].name.clone(),
            Some(HomeRow::Ask) => "Ask".to_owned(),
            Some(HomeRow::Connect) => "Connect a model".to_owned(),
            Some(HomeRow::Heading(_)) | None => String::new(),
        };
        let inner = canvas.pane(area, &Untrusted::new(title).line(), false);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        canvas.hit(inner, Hit::Output);
        canvas.frame.content.clone_from(&canvas.frame.row);
        let theme = *canvas.theme;
        let lines = self.preview.height(inner.width, &theme);
        canvas.frame.output = Extent { lines, height: inner.height.into() };
        self.preview.paint(inner, canvas.buf, self.scroll.top(canvas.frame.output), &theme);
        let below = self.scroll.below(canvas.frame.output);
        if below > 0 {
            canvas.marker(area, &format!(" {below} more ↓ "), theme.muted);
        }
    }
}

fn task_state(task: &TaskRow, theme: &Theme) -> (String, Style) {
    if !task.errors.is_empty() {
        ("has errors".to_owned(), theme.failed)
    } else if task.trusted && task.source == SHIPPED {
        // Most are: the preview says it.
        (String::new(), theme.muted)
    } else if task.trusted {
        (Untrusted::from(task.source.as_str()).line().into_owned(), theme.muted)
    } else {
        ("not trusted".to_owned(), theme.unsettled)
    }
}

/// A sign, a title, and something at the right end; the title gives way.
fn spread(
    sign: &str,
    sign_style: Style,
    title: &str,
    style: Style,
    aside: &str,
    aside_style: Style,
    cells: u16,
) -> Line<'static> {
    let sign_width = 2.max(width(sign));
    let sign = format!(" {sign}{} ", " ".repeat(sign_width - width(sign)));
    let room = usize::from(cells).saturating_sub(sign_width + 2 + width(aside) + 2);
    let title = fit(title, room).into_owned();
    let blank = room.saturating_sub(width(&title)) + 1;
    Line::from(vec![
        Span::styled(sign, sign_style),
        Span::styled(title, style),
        Span::raw(" ".repeat(blank)),
        Span::styled(aside.to_owned(), aside_style),
    ])
}
