//! The screen of a run as it is painted: header, list, output, attempts, footer; and the layers above.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::content::{Body, problems};
use super::edit::Edited;
use super::layer::Over;
use super::rows::{OutlineRow, RowId};
use super::{Note, Pane, RunScreen, badges};
use crate::core::call::{Attempt, AttemptStatus, Call, CallStatus};
use crate::core::document::Document as Written;
use crate::core::gate::GateKind;
use crate::core::model::is_demo;
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::tui::canvas::{Canvas, Extent, Hit, beside};
use crate::tui::commands::{self, Hint, Id};
use crate::tui::documents;
use crate::tui::markdown::Document;
use crate::tui::screens::{is_of_demo, model_of, named_model, status_of};
use crate::tui::situation::Situation;
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{clock, dollars, fit, thousands, width};
use crate::tui::theme::Theme;
use crate::tui::tool_calls;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::header::Fact;
use crate::tui::widgets::{footer, header, stacked, strip};

/// Below this, one pane is shown at a time.
const NARROW: u16 = 60;
const LOW: u16 = 16;

impl RunScreen {
    /// Paints the screen.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.height < 3 || area.width < 10 {
            canvas.text(area, "too small", canvas.theme.muted);
            return;
        }
        let head = Rect { height: 1, ..area };
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        if self.zoom && (self.types_below() || self.content.earlier.is_some()) {
            self.right(canvas, Rect { height: area.height - 1, ..area });
        } else if self.zoom {
            self.output(canvas, Rect { height: area.height - 1, ..area });
        } else {
            self.header(canvas, head);
            self.panes(canvas, body);
        }
        let situation = self.situation_with(canvas.frame);
        self.footer(canvas, foot, &situation);
        if let Over::Confirm { lines, .. } = &self.over {
            confirm(canvas, body, lines);
        }
    }

    /// Whether a line is typed beneath the output.
    fn types_below(&self) -> bool {
        matches!(self.over, Over::Retry(_) | Over::Ask { .. }) || self.search.as_ref().is_some_and(Find::is_typing)
    }

    fn panes(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.width < NARROW || area.height + 2 < LOW {
            // Layers belong to the output, so it is the one that is shown under them.
            if self.pane == Pane::List && matches!(self.over, Over::None | Over::Filter | Over::Confirm { .. }) {
                self.list(canvas, area);
            } else {
                self.right(canvas, area);
            }
            return;
        }
        let wide = if area.width >= 100 { (area.width / 4).clamp(25, 36) } else { 22 };
        let (left, right) = beside(area, wide);
        self.list(canvas, left);
        self.right(canvas, right);
    }

    fn header(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = canvas.theme;
        let mut facts = Vec::new();
        facts.extend(self.model(theme));
        if self.run.usage.tokens() > 0 {
            let about = if self.run.usage.estimated { "~" } else { "" };
            facts.push(Fact::new(format!("{about}{} tok", thousands(self.run.usage.tokens())), theme.muted, 2));
            facts.push(Fact::new(dollars(self.run.usage.usd), theme.muted, 4));
        }
        if let Some(progress) = self.progress {
            facts.push(Fact::new(progress.says(), theme.muted, 4).or(progress.short(), 5));
        }
        facts.push(Fact::new(clock(self.run.worked(self.now)), theme.muted, 5));
        let (status, style) = status_of(&self.run, self.locked, theme);
        let status = Fact::new(status, style, 6);
        facts.push(if self.run.newer { status.or("newer or damaged", 7) } else { status });
        header::paint(canvas, area, &Untrusted::from(self.run.title.as_str()).line(), facts);
    }

    /// The model of the attempt that is shown. Where no model is asked for that, it is the one that answered last.
    fn model(&self, theme: &Theme) -> Option<Fact> {
        let attempt = self.shown_attempt();
        let is_under_way = |attempt: &Attempt| attempt.status == AttemptStatus::Running;
        let asks = attempt.is_some_and(|it| is_under_way(it) && matches!(it.work.as_deref(), Some(Work::Prompt(_))));
        let made = attempt.and_then(|attempt| model_of(&attempt.measured, theme));
        let asked = || self.shown_model().map(|model| named_model(&model, theme));
        let newest = || self.run.calls.values().rev().find_map(|call| model_of(&call.newest()?.measured, theme));
        made.or_else(asked).or_else(|| if asks { None } else { newest() })
    }

    fn list(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let focused = self.pane == Pane::List && matches!(self.over, Over::None);
        let mut inner = canvas.pane(area, "Steps", focused || matches!(self.over, Over::Filter));
        let theme = *canvas.theme;
        if let Some(filter) = &self.filter {
            canvas.text(Rect { height: 1, ..inner }, "/", theme.accent);
            let field = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), height: 1, ..inner };
            filter.paint(canvas, field, matches!(self.over, Over::Filter), false);
            inner = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
            if self.rows.is_empty() {
                canvas.text(inner, " nothing like that", theme.muted);
            }
        }
        canvas.frame.row.clone_from(&self.content.id);
        let hidden = self
            .list
            .paint(canvas, inner, self.rows.len(), focused, |at, cells| self.row(&self.rows[at], cells, &theme));
        canvas.overflow(area, hidden);
    }

    fn row(&self, row: &OutlineRow, cells: u16, theme: &Theme) -> Line<'static> {
        let (sign, style) = sign(row, theme);
        let marked = matches!(&row.id, RowId::Call(key) if self.marked.contains_key(key));
        let indent = "  ".repeat(row.depth.min(6));
        let count = match (row.count, row.alike.len()) {
            (Some((done, all)), _) => format!(" {done}/{all}"),
            (None, 0) => String::new(),
            (None, others) => format!(" ×{}", others + 1),
        };
        let call = match &row.id {
            RowId::Call(key) if count.is_empty() => self.run.call(key),
            _ => None,
        };
        let (draft, most) = (self.has_draft(&row.id), usize::from(cells) / 2);
        let badges = match call {
            Some(call) => Some(badges::badges(call, draft, most)),
            None => row.id.document().map(|_| badges::of_document(draft, most)),
        };
        let count = badges.unwrap_or(count);
        let room = usize::from(cells).saturating_sub(indent.len() + 4 + width(&count));
        let title = fit(&row.title, room).into_owned();
        let blank = room.saturating_sub(width(&title));
        let title_style = match row.status {
            _ if row.waits => theme.text,
            None | Some(CallStatus::Pending | CallStatus::Skipped | CallStatus::Cancelled) => theme.muted,
            _ => theme.text,
        };
        Line::from(vec![
            Span::styled(if marked { "+" } else { " " }, theme.accent),
            Span::raw(indent),
            Span::styled(format!("{sign} "), style),
            Span::styled(title, title_style),
            Span::raw(" ".repeat(blank)),
            Span::styled(count, theme.muted),
        ])
    }

    /// The right side: the output with its attempts, or the layer in its place.
    fn right(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let (title, strip) = match &self.over {
            Over::Edit { edited, json, .. } => (self.editing(edited, *json), false),
            Over::Document { edited, .. } => (edited.title(), false),
            Over::Fields { edited, .. } => (self.editing(edited, false), false),
            Over::Compare(compare) => (compare.title(), false),
            Over::Prompt { .. } => ("The exact prompt".to_owned(), false),
            Over::Calls(calls) => (calls.title(), false),
            _ => (self.title(area.width, canvas.as_written), true),
        };
        let focused = self.pane == Pane::Output || !strip;
        let inner = canvas.pane(area, &title, focused);
        let most = match &self.over {
            Over::Retry(retry) => retry.height(inner.width).min(usize::from(inner.height / 2)),
            _ if area.height < 16 => 2,
            _ if area.height < 26 => 3,
            _ => 5,
        };
        let below = self.below(canvas.theme, inner.width, most);
        let (below, most) = if matches!(self.over, Over::Retry(_)) {
            (below, most)
        } else {
            // What is long takes more lines, as long as the output has the most.
            let below = strip::wrapped(below, inner.width);
            let most = below.len().min(usize::from(inner.height / 3)).max(most);
            (strip::clipped(below, most, inner.width), most)
        };
        let room = u16::try_from(below.len().min(most)).unwrap_or(u16::MAX);
        if room == 0 || inner.height < room + 4 {
            self.output(canvas, inner);
            self.more(canvas, area);
            return;
        }
        let line = inner.bottom() - room - 1;
        canvas.divide(area, line, self.below_title());
        let strip = Rect { y: line + 1, height: room, ..inner };
        canvas.lines(strip, &below);
        self.caret(canvas, strip);
        self.output(canvas, Rect { height: line - inner.y, ..inner });
        self.more(canvas, Rect { height: line - area.y + 1, ..area });
    }

    /// Above the output: a demo's is labelled wherever it is shown, at length where there is room.
    fn title(&self, cells: u16, as_written: bool) -> String {
        let of_demo = self.shown_model().is_some_and(|model| is_demo(&model));
        let result_of_demo =
            self.run.result.is_some() && self.is_on_result() && is_of_demo(&self.run) && !self.is_by_hand();
        let cells = usize::from(cells).saturating_sub(5);
        let gate = self.call().and_then(Call::gate);
        let due = gate.and_then(|gate| self.run.due(gate)).map(|due| due.words(self.now, &chrono::Local));
        let written = as_written.then(|| "as written".to_owned());
        let with = |demo: Option<&str>| {
            let last = [due.clone(), demo.map(str::to_owned), written.clone()];
            last.into_iter().flatten().collect::<Vec<_>>().join(" · ")
        };
        if !of_demo && !result_of_demo {
            return self.content.heading(&with(None), cells);
        }
        let long = self.content.heading(&with(Some("demo, not a model's answer")), usize::MAX);
        if width(&long) <= cells { long } else { self.content.heading(&with(Some("demo")), cells) }
    }

    fn editing(&self, edited: &Edited, json: bool) -> String {
        let tool = edited.tool(&self.run).map(|tool| Untrusted::from(tool).line().into_owned());
        let what = match tool {
            Some(tool) => format!("arguments of {tool}"),
            None if edited.fills() => "its output by hand".to_owned(),
            None => "editing".to_owned(),
        };
        format!("{} · {what}{}", edited.target.key(), if json { " JSON" } else { "" })
    }

    /// The marker of a text of which not all is on screen.
    fn more(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let scroll = match &self.over {
            Over::Edit { .. } | Over::Document { .. } | Over::Fields { .. } => return,
            Over::Calls(calls) => calls.scroll(),
            Over::Compare(compare) => compare.scroll,
            Over::Prompt { scroll, .. } => *scroll,
            Over::None | Over::Filter | Over::Retry(_) | Over::Ask { .. } | Over::Confirm { .. } => self.scroll,
        };
        canvas.marker(area, &scroll.hidden(canvas.frame.output), canvas.theme.accent);
    }

    /// What fills the output's place.
    fn output(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        canvas.hit(area, Hit::Output);
        self.content.is_painted(canvas, area);
        let (theme, look) = (*canvas.theme, canvas.look());
        let height = usize::from(area.height);
        match &self.over {
            Over::Edit { editor, .. } | Over::Document { editor, .. } => editor.paint(canvas, area, true),
            Over::Fields { tree, .. } => tree.paint(canvas, area, true),
            Over::Compare(compare) => {
                let (lines, _) = compare.comparison.lines(area.width, &theme);
                let lines = if compare.comparison.is_same() {
                    vec![Line::styled("They are the same.", theme.muted)]
                } else {
                    lines
                };
                canvas.frame.output = Extent { lines: lines.len(), height };
                let top = compare.scroll.top(canvas.frame.output);
                canvas.lines(area, &lines[top..]);
            }
            Over::Prompt { text, scroll } => {
                canvas.frame.output = Extent { lines: text.height(area.width, look), height };
                text.show(canvas, area, scroll.top(canvas.frame.output), look);
                self.mark_matches(canvas, area, text, scroll.top(canvas.frame.output));
            }
            Over::Calls(calls) => calls.paint(canvas, area, &self.run, self.now),
            _ => match &self.content.body {
                Body::Empty => {}
                Body::Says(text) => canvas.lines(area, &wrap_text(text, theme.muted, area.width.min(80).into())),
                Body::Live => self.streaming(canvas, area),
                Body::Text(document) => {
                    let texts = self.content.texts(self.unfolded, &theme);
                    let text = stacked::height(&texts, area.width, canvas.as_written);
                    let calls = self.tool_lines(&theme, area.width);
                    let parted = usize::from(!calls.is_empty());
                    canvas.frame.output = Extent { lines: text + parted + calls.len(), height };
                    let top = self.scroll.top(canvas.frame.output);
                    stacked::paint(canvas, area, &texts, 0, top);
                    below(canvas, area, &calls, text + parted, top);
                    self.mark_matches(canvas, area, document, top);
                }
            },
        }
    }

    fn mark_matches(&self, canvas: &mut Canvas<'_>, area: Rect, text: &Document, top: usize) {
        if let Some(find) = &self.search {
            find.mark(text, canvas, area, top);
        }
    }

    /// The tool calls of the attempt that is shown, a line each.
    fn tool_lines(&self, theme: &Theme, cells: u16) -> Vec<Line<'static>> {
        let tools = self.shown_tools();
        tools.map(|(call, used)| tool_calls::lines(call, used, self.now, cells, theme)).unwrap_or_default()
    }

    /// What is under way: the tools that were called so far, then what the model is saying.
    fn streaming(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let (theme, look) = (*canvas.theme, canvas.look());
        let height = usize::from(area.height);
        let mut calls = self.tool_lines(&theme, area.width);
        let live = self.live();
        let Some(live) = live.filter(|live| !live.text.is_empty()) else {
            let progress = live.map(|live| live.progress.line()).filter(|line| !line.is_empty());
            // While tools are at work no model is waited for.
            let at_work = self.shown_tools().is_some_and(|(_, used)| used.open().next().is_some());
            let says = progress.or_else(|| (!at_work).then(|| "waiting for the first words…".into()));
            calls.extend(says.map(|says| Line::styled(says.into_owned(), theme.muted)));
            canvas.frame.output = Extent { lines: calls.len(), height };
            let top = self.scroll.top(canvas.frame.output);
            canvas.lines(area, &calls[top..]);
            return;
        };
        if !calls.is_empty() {
            calls.push(Line::default());
        }
        let work = self.call().and_then(|call| call.newest()?.work.as_deref());
        let structured = !look.as_written && work.is_some_and(|work| work.schema().is_some());
        live.with_shown(structured, |text| {
            canvas.frame.output = Extent { lines: calls.len() + text.height(area.width, look), height };
            let top = self.scroll.top(canvas.frame.output);
            let before = u16::try_from(calls.len().saturating_sub(top)).unwrap_or(u16::MAX).min(area.height);
            canvas.lines(Rect { height: before, ..area }, &calls[top.min(calls.len())..]);
            let rest = Rect { y: area.y + before, height: area.height - before, ..area };
            text.show(canvas, rest, top.saturating_sub(calls.len()), look);
        });
    }

    fn below_title(&self) -> &'static str {
        match &self.over {
            _ if self.search.as_ref().is_some_and(Find::is_typing) => "Search the text",
            Over::Retry(_) => "What should be different?",
            Over::Ask { question, .. } => question,
            Over::Edit { .. } | Over::Fields { .. } => "Problem",
            Over::Compare(_) => "Changes",
            _ if self.is_on_document() => "Versions",
            _ => "Attempts",
        }
    }

    /// The lines beneath the output: attempts and what is wrong with them, or the line that is typed.
    fn below(&self, theme: &Theme, cells: u16, most: usize) -> Vec<Line<'static>> {
        match &self.over {
            _ if self.search.as_ref().is_some_and(Find::is_typing) => vec![Line::default()],
            Over::Retry(retry) => {
                let typed = retry.input_height(cells).min(most.saturating_sub(1));
                let typed = std::iter::repeat_n(Line::default(), typed);
                let room = most.saturating_sub(typed.len());
                typed.chain(retry.lines(theme, cells, room)).collect()
            }
            Over::Ask { problem, .. } => {
                let problem = problem.iter().map(|problem| Line::styled(format!(" {problem}"), theme.failed));
                std::iter::once(Line::default()).chain(problem).collect()
            }
            Over::Edit { problem, .. } => said(problem.as_deref(), theme),
            Over::Fields { tree, .. } => said(tree.problem().as_deref(), theme),
            Over::Compare(compare) => {
                let (added, removed) = compare.comparison.counts();
                vec![Line::styled(format!(" words: {added} added, {removed} removed"), theme.muted)]
            }
            Over::Prompt { .. } | Over::Calls(_) | Over::Document { .. } => Vec::new(),
            Over::None | Over::Filter | Over::Confirm { .. } => {
                if let Some(document) = self.document() {
                    return self.versions(document, theme, cells);
                }
                let Some(call) = self.call() else { return Vec::new() };
                let earlier = self.content.says_earlier(call, self.gate());
                let earlier = earlier.map(|says| Line::styled(format!(" {says}"), theme.waiting));
                let shown = self.content.id.as_ref().map_or(0, |id| id.attempt);
                let key = commands::key_in(Id::Thoughts, &self.situation());
                let besides = self.content.says_besides(self.unfolded, key.as_deref());
                let besides = besides.map(|says| Line::styled(format!(" {says}"), theme.muted));
                let (attempts, notes) = (attempts(call, theme, cells), notes(call, shown, theme));
                earlier.into_iter().chain(attempts).chain(besides).chain(notes).collect()
            }
        }
    }

    /// The versions of a document, and what is to be known while another is shown than the one that counts.
    fn versions(&self, document: &Written, theme: &Theme, cells: u16) -> Vec<Line<'static>> {
        let earlier = self.content.earlier.map(|_| documents::says_earlier(document));
        let earlier = earlier.map(|says| Line::styled(format!(" {says}"), theme.waiting));
        let shown = self.content.id.as_ref().map_or(0, |id| id.version);
        let unsaved = documents::unsaved_edits(&self.drafts, &document.name);
        let versions = documents::versions(document, shown, &unsaved, theme, cells);
        earlier.into_iter().chain(versions).collect()
    }

    /// The line that is typed beneath the output, over its place.
    fn caret(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), height: 1, ..area };
        if let Some(find) = self.search.as_ref().filter(|find| find.is_typing()) {
            find.paint_line(canvas, line);
            return;
        }
        match &self.over {
            Over::Retry(retry) => {
                let height = u16::try_from(retry.input_height(area.width)).unwrap_or(u16::MAX);
                let height = height.min(area.height.saturating_sub(1)).max(1);
                retry.input.paint(canvas, Rect { height, ..line }, !retry.ticks());
            }
            Over::Ask { input, .. } => input.paint(canvas, line, true, false),
            _ => {}
        }
    }

    fn footer(&self, canvas: &mut Canvas<'_>, area: Rect, situation: &Situation) {
        let others = self.gates_elsewhere();
        let note = match &self.note {
            Some(Note::Decided(text)) if others > 0 => Some(format!("{others} waiting · {text}")),
            Some(Note::Done(text) | Note::Decided(text) | Note::Failed(text)) => Some(text.clone()),
            Some(Note::Stopping(_)) => {
                Some("stopping it: then r tries again, s skips it, m picks another model".to_owned())
            }
            None if self.search.is_some() => self.search.as_ref().map(Find::says),
            None if self.scrolled_away() => Some("End follows".to_owned()),
            None => (others > 0).then(|| format!("{others} waiting")),
        };
        let help: Vec<Hint> = commands::help_hint(situation).into_iter().collect();
        footer::paint(canvas, area, &commands::hints(situation), &help, note.as_deref());
    }

    /// Whether a text that grows is not followed.
    fn scrolled_away(&self) -> bool {
        self.content.streams() && !self.scroll.follows()
    }
}

fn confirm(canvas: &mut Canvas<'_>, area: Rect, lines: &[String]) {
    let style = canvas.theme.text;
    let cells = usize::from(area.width.saturating_sub(8)).min(60);
    let lines: Vec<Line<'static>> = lines.iter().flat_map(|line| wrap_text(line, style, cells)).collect();
    let place = middle(area, cells + 4, lines.len());
    canvas.clear(place);
    let inner = canvas.pane(place, "Sure?", true);
    canvas.lines(Rect { x: inner.x + 1, ..inner }, &lines);
}

/// A place in the middle of `area` for a frame around so many lines.
fn middle(area: Rect, cells: usize, lines: usize) -> Rect {
    let width = u16::try_from(cells).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(area.height);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// Paints lines that begin `at` lines below the beginning of a text, of which the pane shows those from `top` on.
fn below(canvas: &mut Canvas<'_>, area: Rect, lines: &[Line<'static>], at: usize, top: usize) {
    let down = u16::try_from(at.saturating_sub(top)).unwrap_or(u16::MAX).min(area.height);
    let rest = Rect { y: area.y + down, height: area.height - down, ..area };
    canvas.lines(rest, &lines[top.saturating_sub(at).min(lines.len())..]);
}

fn said(problem: Option<&str>, theme: &Theme) -> Vec<Line<'static>> {
    problem.map(|problem| Line::styled(format!(" {problem}"), theme.failed)).into_iter().collect()
}

/// What is wrong with what waits, then the attempts in a line.
fn attempts(call: &Call, theme: &Theme, cells: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    lines.extend(problems(call).into_iter().map(|problem| Line::styled(format!(" ✗ {problem}"), theme.failed)));
    if !call.attempts.is_empty() {
        let room = usize::from(cells).saturating_sub(2);
        let total = |each: &[Vec<Span<'_>>]| {
            each.iter().flatten().map(|span| width(&span.content)).sum::<usize>().saturating_sub(BETWEEN.len())
        };
        let all = |quote| call.attempts.iter().map(|attempt| one(call, attempt, quote, theme)).collect::<Vec<_>>();
        // What was said is cut first; then the oldest go, because the newest are the ones to be seen.
        let mut each =
            QUOTES.iter().map(|quote| all(*quote)).find(|each| total(each) <= room).unwrap_or_else(|| all(0));
        let count = each.len();
        while each.len() > 1 && total(&each) + 2 * usize::from(each.len() < count) > room {
            each.remove(0);
        }
        // Nothing comes after the last.
        each.last_mut().and_then(Vec::pop);
        let before = Span::styled(if each.len() < count { " … " } else { " " }, theme.muted);
        lines.push(Line::from([vec![before], each.concat()].concat()));
    }
    lines
}

/// What is to be known of the attempt that is shown.
fn notes(call: &Call, shown: u32, theme: &Theme) -> Vec<Line<'static>> {
    let shown = call.attempt(shown).or_else(|| call.newest());
    let notes = shown.map(|attempt| attempt.measured.notes.as_slice()).unwrap_or_default();
    notes.iter().map(|note| Line::styled(format!(" {}", Untrusted::from(note.as_str()).line()), theme.muted)).collect()
}

/// Stands between two attempts.
const BETWEEN: &str = "    ";

/// How much of an instruction is shown beside its attempt, the most first.
const QUOTES: [usize; 4] = [40, 24, 14, 0];

/// The version of an attempt that counts: the one that was accepted, else the newest whose edit was not undone.
fn counts_of(call: &Call, attempt: &Attempt) -> Option<u32> {
    let accepted = call.standing.as_ref().filter(|stands| stands.attempt == attempt.number);
    let accepted = accepted.filter(|_| call.status == CallStatus::Accepted);
    accepted.map(|stands| stands.version).or_else(|| attempt.newest().map(|(version, _)| version))
}

fn one(call: &Call, attempt: &Attempt, quote: usize, theme: &Theme) -> Vec<Span<'static>> {
    let newest = call.newest().is_some_and(|newest| newest.number == attempt.number);
    let (word, style) = match (attempt.status, call.gate()) {
        (_, Some(gate)) if newest && gate.kind() != GateKind::Stale => ("waiting for you", theme.waiting),
        (AttemptStatus::Running, _) => ("running", theme.running),
        (AttemptStatus::Review | AttemptStatus::Input, _) => ("done", theme.text),
        (AttemptStatus::Accepted, _) => ("accepted", theme.accepted),
        (AttemptStatus::Rejected, _) => ("rejected", theme.muted),
        (AttemptStatus::PassedOver, _) => ("passed over", theme.muted),
        (AttemptStatus::Failed, _) => ("failed", theme.failed),
        (AttemptStatus::Cancelled, _) => ("stopped", theme.muted),
        (AttemptStatus::InDoubt, _) => ("in doubt", theme.unsettled),
    };
    let mut spans = vec![Span::styled(format!("{}  ", attempt.number), theme.muted), Span::styled(word, style)];
    if attempt.versions.len() > 1
        && let Some(counts) = counts_of(call, attempt)
    {
        spans.push(Span::styled(format!(", version {counts}"), theme.muted));
    }
    let said = attempt.instruction.as_ref().filter(|instruction| quote > 0 && !instruction.text.is_empty());
    if let Some(instruction) = said {
        let text = Untrusted::from(instruction.text.as_str()).line().into_owned();
        spans.push(Span::styled(format!(" \"{}\"", fit(&text, quote)), theme.muted));
    }
    spans.push(Span::raw(BETWEEN));
    spans
}

/// How a row's state is shown: a sign that works without colour, and its colour.
fn sign(row: &OutlineRow, theme: &Theme) -> (&'static str, Style) {
    if row.count.is_some() {
        let style = if row.waits { theme.waiting } else { theme.muted };
        return (if row.folded { "▸" } else { "▾" }, style);
    }
    match row.status {
        _ if row.waits => ("●", theme.waiting),
        None | Some(CallStatus::Pending) => ("·", theme.muted),
        Some(CallStatus::Running) => ("◐", theme.running),
        Some(CallStatus::Accepted) => ("✓", theme.accepted),
        Some(CallStatus::Skipped) => ("–", theme.muted),
        Some(CallStatus::Failed) => ("✗", theme.failed),
        Some(CallStatus::InDoubt) => ("?", theme.unsettled),
        Some(CallStatus::Stale) => ("↻", theme.unsettled),
        Some(CallStatus::Cancelled) => ("⊘", theme.muted),
        Some(CallStatus::Approval | CallStatus::Review | CallStatus::Input) => ("●", theme.waiting),
    }
}
