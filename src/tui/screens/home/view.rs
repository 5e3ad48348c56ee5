//! Home as it is painted: the search box, the list, the preview beside it where there is room.

use chrono::Local;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{HomeRow, HomeScreen, TaskRow};
use crate::core::ports::RunRow;
use crate::core::run::Status;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, beside};
use crate::tui::commands::{self, Id};
use crate::tui::screens::preview::{self, badges};
use crate::tui::screens::run_state;
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{ago, fit, width};
use crate::tui::theme::Theme;
use crate::tui::widgets::header::Fact;
use crate::tui::widgets::{footer, header};

/// Where tasks come from that nobody here has written.
const SHIPPED: &str = "shipped";

/// Below this there is no preview.
const NARROW: u16 = 70;

/// A list of so many cells has room for the word that its signs stand for.
const ROOMY: u16 = 56;

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
        let (left, right) = beside(body, wide);
        let inner = canvas.pane(left, "", true);
        self.search_box(canvas, Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), height: 1, ..inner });
        canvas.divide(left, inner.y + 1, "");
        let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        canvas.frame.row = self.rows.get(self.list.selected).and_then(|row| self.id_of(*row));
        let hidden =
            self.list.paint(canvas, list, self.rows.len(), true, |at, cells| self.row(self.rows[at], cells, &theme));
        canvas.overflow(Rect { y: inner.y + 1, height: left.bottom() - inner.y - 1, ..left }, hidden);
        if wide < area.width {
            self.preview(canvas, right);
        }
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        footer::paint(canvas, foot, &commands::hints(&situation), &help, self.note.as_deref());
    }

    fn header(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = canvas.theme;
        let facts = match &self.model {
            None => vec![Fact::new("looking for a model…", theme.muted, 1).leads_to(Id::Models)],
            Some(choice) => {
                let style = if choice.demo { theme.waiting } else { theme.accepted };
                let model = Untrusted::from(choice.model.as_str()).line().into_owned();
                let short = model.rsplit('/').next().unwrap_or(&model).to_owned();
                vec![
                    Fact::new(model, style, 2).or(short, 3).leads_to(Id::Models),
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
            HomeRow::Run(_) | HomeRow::Result(_) => {
                self.run_of(row).map(|run| self.run_row(run, cells, theme)).unwrap_or_default()
            }
            HomeRow::Task(at) => {
                let task = &self.tasks[at];
                let (mut aside, style) = task_state(task, theme);
                let ways = self.variants(at).len() + 1;
                if aside.is_empty() && ways > 1 {
                    aside = format!("{ways} ways");
                }
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

    /// A run: how far it is and when, and between title and that what there is room for: what a person should know of it,
    /// or its newest words.
    fn run_row(&self, run: &RunRow, cells: u16, theme: &Theme) -> Line<'static> {
        let (sign, word, style) = run_state(run, theme);
        let glance = self.looks.of(run.run);
        let progress = glance.and_then(|glance| glance.progress).filter(|_| run.status != Status::Completed);
        // Of what has to be decided in time it matters more until when than since when.
        let when = match run.due {
            Some(due) => due.short(self.now, &Local),
            None => ago((self.now - run.updated_at).num_seconds()),
        };
        let said = match progress {
            // Where there is little room the time says that it waits.
            _ if run.due.is_some() && cells < ROOMY => String::new(),
            // The sign says the rest.
            Some(progress) if cells < ROOMY && !run.newer => progress.says(),
            Some(progress) => format!("{} · {word}", progress.says()),
            None if run.status == Status::Completed => String::new(),
            None => word,
        };
        let aside = if said.is_empty() { when } else { format!("{said} · {when}") };
        let title = Untrusted::from(self.looks.title(run)).line().into_owned();
        let mut line = spread(sign, style, &title, theme.text, &aside, style, cells);
        if let Some(blank) = line.spans.get_mut(2) {
            let room = width(&blank.content).saturating_sub(4);
            let marks = glance.map(badges).unwrap_or_default().join(" · ");
            let last = Untrusted::new(run.snippet.data().replace(['\u{2}', '\u{3}'], ""));
            let text = if marks.is_empty() { last.line().into_owned() } else { marks };
            if room >= 12 {
                let text = format!("  {}", fit(&text, room));
                *blank = Span::styled(crate::tui::text::pad(&text, room + 4), theme.muted);
            }
        }
        line
    }

    fn preview(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let run = self.rows.get(self.list.selected).and_then(|row| self.run_of(*row));
        let title = match self.rows.get(self.list.selected) {
            Some(HomeRow::Run(_) | HomeRow::Result(_)) => {
                run.map(|run| self.looks.title(run).to_owned()).unwrap_or_default()
            }
            Some(HomeRow::Task(at)) => self.tasks[*at].name.clone(),
            Some(HomeRow::Ask) => "Ask".to_owned(),
            Some(HomeRow::Connect) => "Connect a model".to_owned(),
            Some(HomeRow::Heading(_)) | None => String::new(),
        };
        let inner = canvas.pane(area, &Untrusted::new(title).line(), false);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        canvas.frame.content.clone_from(&canvas.frame.row);
        let theme = *canvas.theme;
        let text = run.map_or(inner, |run| self.about_run(canvas, inner, run, &theme));
        let document = match &self.shown_run {
            Some(shown) if run.is_some() => shown.document(),
            _ => &self.preview,
        };
        preview::paint(canvas, text, document, self.scroll);
        canvas.marker(area, &self.scroll.hidden(canvas.frame.output), theme.muted);
    }

    /// What is known of a run, over what it has to show. Gives where that goes.
    fn about_run(&self, canvas: &mut Canvas<'_>, area: Rect, run: &RunRow, theme: &Theme) -> Rect {
        let mut lines = preview::heading(run, self.looks.of(run.run), (self.now, &Local), area.width, theme);
        let task = self.tasks.iter().find(|task| task.id == run.task).map_or(&run.task, |task| &task.name);
        let begun = ago((self.now - run.created_at).num_seconds());
        let begun = if begun == "now" { "just now".to_owned() } else { format!("{begun} ago") };
        let about = Untrusted::new(format!("{task}, started {begun}"));
        lines.extend(wrap_text(&about.line(), theme.muted, area.width.into()));
        if run.newer {
            lines.push(Line::styled("written by a newer version, or damaged: it can be read", theme.unsettled));
        }
        lines.push(Line::styled("─".repeat(area.width.into()), theme.border));
        canvas.lines(area, &lines);
        let taken = u16::try_from(lines.len()).unwrap_or(area.height).min(area.height);
        Rect { y: area.y + taken, height: area.height - taken, ..area }
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
