//! The inbox as it is painted: what waits on the left, what the selected gate shows on the right.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{InboxRow, InboxScreen, Sort, title_of};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::task::Kind;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit, beside};
use crate::tui::commands::{self, Id};
use crate::tui::documents;
use crate::tui::screens::run::content::{Body, problems};
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{fit, width};
use crate::tui::theme::Theme;
use crate::tui::tool_calls;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::header::Fact;
use crate::tui::widgets::{footer, header, stacked, strip};

fn talks(run: Option<&Arc<Run>>) -> bool {
    run.is_some_and(|run| run.kind == Kind::Instruct)
}

/// Below this, one pane is shown at a time.
const NARROW: u16 = 60;
const LOW: u16 = 16;

impl InboxScreen {
    /// Paints the screen.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.height < 5 || area.width < 12 {
            canvas.text(area, "too small", canvas.theme.muted);
            return;
        }
        let theme = *canvas.theme;
        let count = self.count();
        let failed = self.rows.iter().filter(|row| matches!(row, InboxRow::Failed(_))).count();
        let (fact, style) = match (count - failed, failed) {
            (0, 0) => ("nothing waits".to_owned(), theme.muted),
            (0, failed) => (format!("{failed} failed"), theme.failed),
            (waiting, 0) => (format!("{waiting} waiting"), theme.waiting),
            (waiting, failed) => (format!("{waiting} waiting, {failed} failed"), theme.waiting),
        };
        header::paint(canvas, Rect { height: 1, ..area }, "Inbox", vec![Fact::new(fact, style, 1)]);
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let one = area.width < NARROW || area.height < LOW;
        if self.zoom || one && self.reading {
            self.output(canvas, body);
        } else if one {
            self.list(canvas, body);
        } else {
            let wide = (area.width * 2 / 5).clamp(26, 46);
            let (left, right) = beside(body, wide);
            self.list(canvas, left);
            self.output(canvas, right);
        }
        let situation = self.situation_with(canvas.frame);
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        let found = self.search.as_ref().map(Find::says);
        let note = self.note.as_deref().or(found.as_deref());
        footer::paint(canvas, foot, &commands::hints(&situation), &help, note);
    }

    fn list(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let inner = canvas.pane(area, "", !self.reading);
        let theme = *canvas.theme;
        if self.rows.is_empty() {
            let says = if self.known { "Nothing waits for you." } else { "looking…" };
            canvas.text(Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner }, says, theme.muted);
        }
        let hidden = self
            .list
            .paint(canvas, inner, self.rows.len(), !self.reading, |at, cells| self.row(&self.rows[at], cells, &theme));
        canvas.overflow(area, hidden);
    }

    fn row(&self, row: &InboxRow, cells: u16, theme: &Theme) -> Line<'static> {
        let of_run = |id: &RunId| self.runs.iter().find(|run| run.id == *id);
        let named = |run: &Run| Untrusted::from(run.title.as_str()).line().into_owned();
        let marked = matches!(row, InboxRow::Gate(gate) if self.marked.contains(gate));
        let (sign, style, title, of) = match row {
            InboxRow::Heading(sort, count) => return Line::styled(format!(" {} · {count}", sort.name()), theme.muted),
            InboxRow::Failed(run) => {
                let run = of_run(run);
                let at = run.and_then(|run| run.error.as_ref()?.0.as_ref()).filter(|_| !talks(run));
                let of = at
                    .map_or_else(|| if talks(run) { "conversation".to_owned() } else { String::new() }, Key::to_string);
                ("✗", theme.failed, run.map(|run| named(run)).unwrap_or_default(), of)
            }
            InboxRow::Gate(gate) => {
                let run = of_run(&gate.run);
                let call = run.and_then(|run| run.call(&gate.key));
                let title = call.map_or_else(|| gate.key.to_string(), title_of);
                let of = run.map(|run| named(run)).unwrap_or_default();
                // What a conversation asks is its next message: its calls have no names that tell anything.
                let (title, of) = if talks(run) { (of, "conversation".to_owned()) } else { (title, of) };
                let tool =
                    call.filter(|_| gate.call.is_some()).and_then(|call| tool_calls::told_apart(call, gate.call));
                let title = match tool {
                    Some(tool) if talks(run) => format!("{tool} · {title}"),
                    Some(tool) => format!("{title} · {tool}"),
                    None => title,
                };
                ("●", theme.waiting, title, of)
            }
        };
        let room = usize::from(cells).saturating_sub(4);
        let title = fit(&title, room).into_owned();
        let left = room.saturating_sub(width(&title) + 2);
        let of = fit(&of, left).into_owned();
        let blank = " ".repeat(room.saturating_sub(width(&title) + width(&of)));
        Line::from(vec![
            Span::styled(if marked { "+" } else { " " }, theme.accent),
            Span::styled(format!("{sign} "), style),
            Span::styled(title, theme.text),
            Span::raw(blank),
            Span::styled(of, theme.muted),
        ])
    }

    fn output(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        let run = self.run().map(|run| Untrusted::from(run.title.as_str()).line().into_owned());
        let due = self.run().zip(self.open_gate()).and_then(|(run, gate)| run.due(gate));
        let due = due.map(|due| format!(" · {}", due.words(chrono::Utc::now(), &chrono::Local))).unwrap_or_default();
        let which = if self.content.which.is_empty() { String::new() } else { format!(" · {}", self.content.which) };
        let written = if canvas.as_written { " · as written" } else { "" };
        let title = run.map(|run| format!("{}{due}{written} · {run}{which}", self.content.title)).unwrap_or_default();
        let pane = canvas.pane(area, &title, self.reading);
        let mut inner = Rect { x: pane.x + 1, width: pane.width.saturating_sub(2), ..pane };
        let typing = self.search.as_ref().filter(|find| find.is_typing());
        let (title, lines) = self.below(typing.is_some(), &theme);
        let lines = strip::clipped(strip::wrapped(lines, inner.width), usize::from(inner.height / 3), inner.width);
        let room = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let mut frame = area;
        if room > 0 {
            let line = inner.bottom() - room - 1;
            canvas.divide(area, line, title);
            let strip = Rect { y: line + 1, height: room, ..inner };
            canvas.lines(strip, &lines);
            if let Some(find) = typing {
                find.paint_line(canvas, Rect { height: 1, ..strip });
            }
            inner.height = line - inner.y;
            frame.height = line - area.y + 1;
        }
        canvas.hit(inner, Hit::Output);
        self.content.is_painted(canvas, inner);
        match &self.content.body {
            Body::Text(document) => {
                // What is searched is the text alone.
                let texts = self.content.texts(self.unfolded && self.search.is_none(), &theme);
                let lines = stacked::height(&texts, inner.width, canvas.as_written);
                canvas.frame.output = Extent { lines, height: inner.height.into() };
                let top = self.scroll.top(canvas.frame.output);
                stacked::paint(canvas, inner, &texts, 0, top);
                if let Some(find) = &self.search {
                    find.mark(document, canvas, inner, top);
                }
                canvas.marker(frame, &self.scroll.hidden(canvas.frame.output), theme.accent);
            }
            Body::Says(text) => canvas.lines(inner, &wrap_text(text, theme.muted, inner.width.min(80).into())),
            Body::Live | Body::Empty => self.rest(canvas, inner),
        }
    }

    /// What stands beneath the output: the line that is typed, else what there is to know of what is shown.
    fn below(&self, typing: bool, theme: &Theme) -> (&'static str, Vec<Line<'static>>) {
        if typing {
            return ("Search the text", vec![Line::default()]);
        }
        if let Some(document) = self.document().filter(|_| self.content.earlier.is_some()) {
            return ("Versions", vec![Line::styled(documents::says_earlier(document), theme.waiting)]);
        }
        let Some(call) = self.call() else { return ("", Vec::new()) };
        if let Some(says) = self.content.says_earlier(call, self.open_gate()) {
            return ("Attempts", vec![Line::styled(says, theme.waiting)]);
        }
        let wrong = |problem| Line::styled(format!("✗ {problem}"), theme.failed);
        let wrong: Vec<Line<'static>> = problems(call).into_iter().map(wrong).collect();
        let key = commands::key_in(Id::Thoughts, &self.situation());
        let besides = self.content.says_besides(self.unfolded, key.as_deref());
        let title = if wrong.is_empty() { "Also" } else { "What is wrong with it" };
        let besides = besides.map(|says| Line::styled(says, theme.muted));
        (title, wrong.into_iter().chain(besides).collect())
    }

    /// What is said while the selection rests on a heading.
    fn rest(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let says = match self.rows.get(self.list.selected) {
            Some(InboxRow::Heading(sort, count)) => {
                let done = match (sort, self.rows.first()) {
                    (Sort::Approvals, Some(InboxRow::Heading(Sort::Approvals, _))) => "No review waits any more. ",
                    _ => "",
                };
                format!("{done}{}: {count}. `]` continues with what waits.", sort.name())
            }
            _ => String::new(),
        };
        let style = canvas.theme.muted;
        canvas.lines(area, &wrap_text(&says, style, area.width.min(80).into()));
    }
}
