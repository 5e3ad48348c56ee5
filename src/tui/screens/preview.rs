//! What a list shows of a run beside it: where it is, then all that it has to show, laid out: its result, what failed,
//! what waits, or the newest that it made.
//!
//! What decides about a run is on the run's own screen: a failure names the key that leads there.

use std::fmt::Display;

use chrono::{DateTime, TimeZone, Utc};
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::core::call::{Call, CallStatus};
use crate::core::description::Description;
use crate::core::document::{Document as Written, RESULT};
use crate::core::gate::{Gate, GateBody};
use crate::core::id::RunId;
use crate::core::model::Role;
use crate::core::ports::RunRow;
use crate::core::run::{Run, Status};
use crate::core::task::Kind;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::documents;
use crate::tui::failure_panel;
use crate::tui::glance::Glance;
use crate::tui::markdown::Document;
use crate::tui::screens::run::content::described;
use crate::tui::screens::run::progress::Progress;
use crate::tui::screens::run_state;
use crate::tui::shown::{ContentId, Page, Subject};
use crate::tui::situation::Screen;
use crate::tui::text::fit;
use crate::tui::text::wrap::wrap_text;
use crate::tui::theme::Theme;
use crate::tui::versions::Compare;
use crate::tui::widgets::scroll::Scroll;

/// What a run has to show, laid out for reading.
#[derive(Debug)]
pub struct Preview {
    run: RunId,
    /// The newest event that it was made from.
    seq: u64,
    /// What the text is: `Result`, `It failed at …`; empty where there is none.
    what: String,
    document: Document,
    /// The document that the result is, where that is what is shown.
    written: Option<Written>,
    /// The version of it that is shown.
    version: u32,
}

impl Preview {
    /// What `run` has to show.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let (what, document) = shows(run);
        let written = run.documents.get(RESULT).filter(|_| is_result(run)).cloned();
        let version = written.as_ref().map_or(0, |written| documents::current(written).version);
        Self { run: run.id, seq: run.seq, what, document, written, version }
    }

    /// The version of the result that is shown; 0 where something else is.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether there are others of it.
    #[must_use]
    pub fn has_versions(&self) -> bool {
        self.written.as_ref().is_some_and(|written| written.count() > 1)
    }

    /// Whether another version than the one that counts is shown.
    #[must_use]
    pub fn is_earlier(&self) -> bool {
        self.written.as_ref().is_some_and(|written| documents::current(written).version != self.version)
    }

    /// Which version of how many it is; empty while there is one.
    #[must_use]
    pub fn which(&self) -> String {
        let page = Page { attempt: 0, version: self.version };
        self.written.as_ref().map(|written| documents::name(written, page)).unwrap_or_default()
    }

    /// The same where there is little room.
    #[must_use]
    pub fn which_short(&self) -> String {
        let page = Page { attempt: 0, version: self.version };
        self.written.as_ref().map(|written| documents::short_name(written, page)).unwrap_or_default()
    }

    /// Turns to an earlier or a later version of the result. False when there is none in that direction.
    pub fn turn(&mut self, by: isize) -> bool {
        let Some(written) = &self.written else { return false };
        let page = documents::step(written, Page { attempt: 0, version: self.version }, by);
        let Some(version) = written.version(page.version).filter(|_| page.version != self.version) else {
            return false;
        };
        (self.version, self.document) = (page.version, Document::new(&version.body));
        true
    }

    /// Takes over from what was `read` before of the same run which version that was, as long as there is no newer one. Gives
    /// whether it is the same text, however much of it there is now.
    pub fn continues(&mut self, read: &Self) -> bool {
        if self.run != read.run {
            return false;
        }
        match (&self.written, &read.written) {
            (Some(now), Some(before)) if now.count() == before.count() => {
                if let Some(version) = now.version(read.version).filter(|_| read.version != self.version) {
                    (self.version, self.document) = (read.version, Document::new(&version.body));
                }
                true
            }
            (None, None) => self.what == read.what,
            _ => false,
        }
    }

    /// The version that is shown compared with the one that counts, else that with the one before it.
    #[must_use]
    pub fn compare(&self) -> Option<Compare> {
        let written = self.written.as_ref()?;
        let shown = Page { attempt: 0, version: self.version };
        Compare::of_document(written, Some(shown).filter(|shown| *shown != documents::current(written)))
    }

    /// The run that it is of.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// What the text is of.
    #[must_use]
    pub fn id(&self) -> ContentId {
        ContentId { version: self.version, ..ContentId::of_run(self.run, Subject::Run, self.seq) }
    }

    /// The text, as it is copied and written.
    #[must_use]
    pub fn text(&self) -> &Untrusted {
        self.document.raw()
    }

    /// The text laid out.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What the text is, in a few words.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

/// What is shown above the text of a run: its state, how far it is, until when it has to be decided, what it is at, what a
/// person should know of it.
#[must_use]
pub fn heading<Z: TimeZone<Offset: Display>>(
    row: &RunRow,
    glance: Option<&Glance>,
    (now, zone): (DateTime<Utc>, &Z),
    cells: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let (sign, word, style) = run_state(row, theme);
    let mut first = vec![Span::styled(format!("{sign} {word}"), style)];
    let progress = glance.and_then(|glance| glance.progress);
    if let Some(progress) = progress.filter(|_| row.status != Status::Completed) {
        first.push(Span::raw("  "));
        first.extend(bar(progress, style, theme));
    }
    let mut lines = vec![Line::from(first)];
    let cells = usize::from(cells);
    if let Some(due) = row.due {
        let style = if due.has_passed(now) { theme.unsettled } else { theme.waiting };
        lines.extend(wrap_text(&due.words(now, zone), style, cells));
    }
    if let Some(at) = glance.and_then(|glance| glance.at.as_deref()).filter(|_| !row.status.is_over()) {
        lines.push(Line::styled(fit(&format!("at: {at}"), cells).into_owned(), theme.text));
    }
    let told = glance.map(badges).unwrap_or_default();
    if !told.is_empty() {
        lines.push(Line::styled(fit(&told.join(" · "), cells).into_owned(), theme.muted));
    }
    lines
}

/// How far a run is: `step 2 of 4`, with a bar of as many cells as there are steps where they are few.
#[must_use]
pub fn bar(progress: Progress, style: Style, theme: &Theme) -> Vec<Span<'static>> {
    const FEW: usize = 12;
    let Progress { done, of, .. } = progress;
    let mut spans = Vec::new();
    if (1..=FEW).contains(&of) {
        spans.push(Span::styled("▰".repeat(done), style));
        spans.push(Span::styled("▱".repeat(of - done), theme.muted));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::styled(progress.says(), theme.muted));
    spans
}

/// What a person should know of a run before they read it, a word or two each.
#[must_use]
pub fn badges(glance: &Glance) -> Vec<String> {
    let mut badges = Vec::new();
    badges.extend(glance.failed_check.then(|| "a check failed".to_owned()));
    badges.extend(glance.edited.then(|| "edited by hand".to_owned()));
    badges.extend(glance.draft.then(|| "draft".to_owned()));
    badges.extend((glance.worked_ms > 0).then(|| format!("{} of work", worked(glance.worked_ms))));
    badges
}

/// A time of work: `0.4 s`, `12 s`, `3 min`.
#[must_use]
pub fn worked(millis: u64) -> String {
    match millis {
        ..10_000 => format!("{}.{} s", millis / 1_000, millis / 100 % 10),
        10_000..60_000 => format!("{} s", millis / 1_000),
        60_000..3_600_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h {} min", millis / 3_600_000, millis / 60_000 % 60),
    }
}

/// Paints the text in `area`, and says in `frame` how far it goes.
pub fn paint(canvas: &mut Canvas<'_>, area: Rect, document: &Document, scroll: Scroll) {
    let theme = *canvas.theme;
    canvas.hit(area, Hit::Output);
    canvas.frame.output = Extent { lines: document.height(area.width, &theme), height: area.height.into() };
    document.show(canvas, area, scroll.top(canvas.frame.output), &theme);
}

/// The text of a run's result.
fn result(run: &Run) -> Option<&Untrusted> {
    let written = run.documents.get(RESULT).and_then(Written::current).map(|(_, version)| &version.body);
    written.or(run.result.as_ref().map(|result| &result.body))
}

/// Whether the result is what is to be shown of a run.
fn is_result(run: &Run) -> bool {
    run.error.is_none() && result(run).is_some_and(|body| !body.is_empty())
}

/// What a run has to show, and what that is.
fn shows(run: &Run) -> (String, Document) {
    let text = |what: &str, text: &Untrusted| (what.to_owned(), Document::new(text));
    if let Some(body) = result(run).filter(|_| is_result(run)) {
        return text("Result", body);
    }
    if let Some(panel) = failure_panel::of_run(run, Screen::History) {
        return (String::new(), Document::new(&panel.whole()));
    }
    if run.kind == Kind::Instruct {
        return conversation(run);
    }
    if let Some((call, gate)) = run.calls.values().find_map(|call| Some((call, call.gate()?))) {
        return (format!("{} waits", call.key), waits(run, call, gate));
    }
    if let Some((call, panel)) = run.calls.values().rev().find_map(|call| Some((call, failure(call)?))) {
        return (format!("{} failed", call.key), panel);
    }
    match run.calls.values().rev().find_map(|call| Some((call, call.output()?))) {
        Some((call, (.., output))) => (call.key.to_string(), Document::of_value(output)),
        None => text("", &Untrusted::from("*It has made nothing yet.*")),
    }
}

fn conversation(run: &Run) -> (String, Document) {
    if let Some(panel) = run.calls.values().next_back().and_then(failure) {
        return (String::new(), panel);
    }
    let newest = run.messages.iter().rfind(|message| !message.text.is_empty());
    let who = match newest.map(|message| message.role) {
        Some(Role::User) => "You said",
        Some(_) => "It says",
        None => "",
    };
    (who.to_owned(), Document::new(&newest.map(|message| message.text.clone()).unwrap_or_default()))
}

/// What waits, as it is to be read.
fn waits(run: &Run, call: &Call, gate: &Gate) -> Document {
    let says = |text: String| Document::new(&Untrusted::new(text));
    match &gate.body {
        GateBody::Approval(approval) => {
            says(format!("It asks to run this:\n\n{}", described(&Description::of_approval(approval, run))))
        }
        GateBody::Input(input) => {
            let text = if input.text().is_empty() { "It asks you:" } else { input.text() };
            let fields = input.fields().unwrap_or_default();
            let fields: Vec<String> = fields.iter().map(|field| format!("- {}", field.question())).collect();
            says(format!("{text}\n\n{}", fields.join("\n")))
        }
        GateBody::InDoubt(doubt) => says(format!("{}\n\nIt may have had its effect.", doubt.why)),
        GateBody::Budget(_) => says("The next call may exceed the budget.".to_owned()),
        GateBody::Tools(_) => says("The tools that it may call are not those that they were.".to_owned()),
        GateBody::Secret(_) => says("It needs a secret that is not known in this session.".to_owned()),
        GateBody::Review(_) | GateBody::Stale(_) => match call.output() {
            Some((.., output)) => Document::of_value(output),
            None => Document::new(&partial(call)),
        },
    }
}

fn partial(call: &Call) -> Untrusted {
    call.newest().map(|attempt| attempt.partial.clone()).unwrap_or_default()
}

/// Why a call failed, if it did.
fn failure(call: &Call) -> Option<Document> {
    let panel = Some(call).filter(|call| call.status == CallStatus::Failed);
    panel.and_then(|call| failure_panel::of_call(call, Screen::History)).map(|panel| Document::new(&panel.whole()))
}
