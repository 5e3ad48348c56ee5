//! What the right side of a run shows for a row: an output, an approval's exact bytes, a failure, a question.

use std::fmt::Write as _;

use ratatui::layout::Rect;

use super::result;
use super::rows::{OutlineRow, RowId};
use crate::core::call::{Call, CallStatus, Ending};
use crate::core::description::Description;
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Gate, GateBody, GateKind};
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::tui::canvas::Canvas;
use crate::tui::markdown::Document;
use crate::tui::shown::{ContentId, ShownGate, Subject};
use crate::tui::text::{fit, width};

/// What is shown, and what it is of, so that it is made again only when that changed.
#[derive(Debug, Default)]
pub struct Content {
    /// What it is of.
    pub id: Option<ContentId>,
    /// What waits with it: while this is on screen, keys decide that.
    pub gate: Option<ShownGate>,
    /// Above the text: what it is, in short.
    pub title: String,
    /// What that is called.
    name: String,
    /// Which attempt it is, when there are several.
    which: String,
    /// What there is to read.
    pub body: Body,
}

/// What there is to read.
#[derive(Debug, Default)]
pub enum Body {
    /// Nothing; a muted line says why.
    #[default]
    Empty,
    /// That line.
    Says(String),
    /// The partial text of the call, which the screen holds.
    Live,
    /// A text.
    Text(Box<Document>),
}

impl Content {
    /// What `row` has to show; of a document, this version.
    pub fn of(run: &Run, row: &OutlineRow, version: Option<u32>) -> Self {
        match &row.id {
            RowId::Call(key) => match run.call(key) {
                Some(call) => Self::of_call(run, row, call, call.gate()),
                None => Self::made(run, row, key.to_string(), Body::Says(pending(run).to_owned())),
            },
            RowId::Result if version.is_none() => Self::of_result(run, row),
            RowId::Document(_) | RowId::Result => Self::of_document(run, row, version.unwrap_or_default()),
            RowId::Group(key) => Self::of_group(run, row, key),
            RowId::Step(_) => Self::made(run, row, row.title.clone(), Body::Says(pending(run).to_owned())),
        }
    }

    fn made(run: &Run, row: &OutlineRow, title: String, body: Body) -> Self {
        let subject = match &row.id {
            RowId::Call(key) => Subject::Call(key.clone()),
            RowId::Group(key) => Subject::Group(key.clone()),
            RowId::Step(step) => Subject::Step(step.clone()),
            RowId::Document(name) => Subject::Document(name.clone()),
            RowId::Result => Subject::Result,
        };
        Self { id: Some(ContentId::of_run(run.id, subject, run.seq)), title, body, ..Self::default() }
    }

    /// What a call has to show while it waits at `gate`, or at none.
    pub fn of_call(run: &Run, row: &OutlineRow, call: &Call, gate: Option<&Gate>) -> Self {
        let (attempt, version) = which(call, gate);
        let attempts = call.attempts.len();
        let title = call.key.to_string();
        let name = if call.item.is_some() { format!("\"{}\"", row.title) } else { row.title.clone() };
        let name = if name == title { String::new() } else { name };
        let mut which = if attempts > 1 { format!("attempt {} of {attempts}", attempt.max(1)) } else { String::new() };
        if let Some(due) = gate.and_then(|gate| run.due(gate)) {
            let due = due.words(chrono::Utc::now(), &chrono::Local);
            which = if which.is_empty() { due } else { format!("{which} · {due}") };
        }
        let subject = Subject::Call(call.key.clone());
        let tool_call = gate.and_then(|gate| gate.call);
        let id = ContentId { tool_call, attempt, version, ..ContentId::of_run(run.id, subject, call.seq) };
        let seen = gate.map(|gate| ShownGate::of(run, gate));
        Self { id: Some(id), gate: seen, title, name, which, body: call_body(run, call, gate, (attempt, version)) }
    }

    /// A version of a document, and what waits with the one that counts.
    pub fn of_document(run: &Run, row: &OutlineRow, number: u32) -> Self {
        let document = row.id.document().and_then(|name| run.documents.get(name));
        let found = document.and_then(|document| Some((document, document.version(number)?)));
        let Some((document, version)) = found else {
            return Self::made(run, row, row.title.clone(), Body::Says("It has not been written yet.".to_owned()));
        };
        let body = match &document.gate {
            Some(gate) => {
                let because = match &gate.body {
                    GateBody::Stale(stale) => stale.because.iter().map(|key| format!("`{key}`")).collect(),
                    _ => Vec::new(),
                };
                read(&Untrusted::new(result::stale(document, gate, &because)))
            }
            None => read(&version.body),
        };
        let mut content = Self::made(run, row, version.title.line().into_owned(), body);
        let all = document.count();
        if all > 1 {
            let by = if version.by.is_person() { "mine" } else { version.by.as_str() };
            content.which = format!("version {number} of {all} ({by})");
        }
        if let Some(id) = &mut content.id {
            id.version = number;
        }
        content.gate = document.gate.as_ref().map(|gate| ShownGate::of(run, gate));
        content
    }

    fn of_result(run: &Run, row: &OutlineRow) -> Self {
        let (title, body) = match (&run.result, &run.error) {
            (Some(result), _) => (result.title.line().into_owned(), read(&result.body)),
            (None, Some((key, failure))) => {
                let place = key.as_ref().map(|key| format!(" at `{key}`")).unwrap_or_default();
                let what = format!("The run failed{place}.");
                ("Result".to_owned(), failed(&what, failure, "", &Untrusted::default()))
            }
            (None, None) => ("Result".to_owned(), Body::Says("It comes when every step is done.".to_owned())),
        };
        Self::made(run, row, title, body)
    }

    fn of_group(run: &Run, row: &OutlineRow, group: &Key) -> Self {
        let mut text = String::new();
        let within = |key: &Key| key.is_within(group) || under(key, group);
        for call in run.calls.values().filter(|call| within(&call.key)).take(500) {
            let title = call.item.as_deref().and_then(super::rows::item_title).unwrap_or_else(|| call.key.to_string());
            let title = Untrusted::new(title).line().replace('*', "\\*");
            let _ = writeln!(text, "- **{title}** {}", status_words(call));
        }
        Self::made(run, row, row.title.clone(), read(&Untrusted::new(text)))
    }

    /// The line above the text, with something to be said in any case at its end; the name is what gives way.
    pub fn heading(&self, last: &str, cells: usize) -> String {
        let short = |text: &str| if text.is_empty() { String::new() } else { format!(" · {text}") };
        let end = format!("{}{}", short(&self.which), short(last));
        let room = cells.saturating_sub(width(&self.title) + width(&end) + 3);
        let name = if room < 6 { String::new() } else { short(&fit(&self.name, room)) };
        format!("{}{name}{end}", self.title)
    }

    /// Whether both are of the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Whether this is the same attempt as `before` was, only further on. What is asked about an effect, or of the
    /// person, is read from its beginning.
    pub fn continues(&self, before: &Self) -> bool {
        let asks = self.gate.as_ref().is_some_and(|gate| gate.kind != GateKind::Review);
        match (&self.id, &before.id) {
            (Some(now), Some(before)) => {
                !asks && now.same_subject(before) && now.attempt.max(before.attempt) == now.attempt.max(1)
            }
            _ => false,
        }
    }

    /// Reports it as what the frame shows in `area`, if anything of it can be seen there.
    pub fn is_painted(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if !area.is_empty() {
            canvas.frame.content.clone_from(&self.id);
            canvas.frame.gate.clone_from(&self.gate);
        }
    }

    /// Whether it is the partial text of something under way.
    pub fn streams(&self) -> bool {
        matches!(self.body, Body::Live)
    }

    /// Whether there is nothing to copy.
    pub fn is_empty(&self) -> bool {
        !matches!(&self.body, Body::Text(document) if !document.is_empty())
    }
}

/// What the schema and the checks have against what waits; each a line, safe to show.
pub fn problems(call: &Call) -> Vec<String> {
    let problem = call.newest().and_then(|attempt| attempt.newest_unfit().map(str::to_owned));
    let failed = call.gate().map(Gate::failed_checks).unwrap_or_default();
    let cut = call.gate().and_then(Gate::review).is_some_and(|review| review.cut);
    let cut = cut.then(|| "the limit of tokens cut it: its end is missing".to_owned());
    problem
        .into_iter()
        .chain(cut)
        .chain(failed.iter().cloned())
        .map(|text| Untrusted::new(text).line().into_owned())
        .collect()
}

/// `write[1]` lies under the group `write`.
fn under(key: &Key, group: &Key) -> bool {
    let (segments, group) = (key.segments(), group.segments());
    let Some((last, outer)) = group.split_last() else { return false };
    let Some(here) = segments.get(outer.len()) else { return false };
    segments[..outer.len()] == *outer
        && here.id == last.id
        && (last.item.is_none() || here.item == last.item)
        && (last.iteration.is_none() || here.iteration == last.iteration)
}

/// The attempt and version of a call that are shown: those that wait, those that stand, else the newest. An attempt that
/// has no output yet, or came to none, is version 0.
fn which(call: &Call, gate: Option<&Gate>) -> (u32, u32) {
    let newest = || call.newest().map(|attempt| (attempt.number, attempt.newest().map_or(0, |(version, _)| version)));
    let output = || call.output().map(|(attempt, version, _)| (attempt, version));
    let shown = match (gate, call.status) {
        (Some(gate), _) => Some((gate.attempt, gate.version)),
        // Of what was left out, only that is shown.
        (None, CallStatus::Running | CallStatus::Skipped) => call.newest().map(|attempt| (attempt.number, 0)),
        (None, CallStatus::Failed | CallStatus::Cancelled | CallStatus::Pending) => newest().or_else(output),
        (None, _) => call.standing.as_ref().map(|stands| (stands.attempt, stands.version)).or_else(output),
    };
    shown.unwrap_or_default()
}

fn call_body(run: &Run, call: &Call, gate: Option<&Gate>, (attempt, version): (u32, u32)) -> Body {
    if let Some(gate) = gate
        && let Some(body) = gate_body(run, call, gate)
    {
        return body;
    }
    match call.status {
        CallStatus::Running => Body::Live,
        CallStatus::Failed | CallStatus::Cancelled | CallStatus::Pending if version == 0 => ended(call),
        CallStatus::Skipped => match &call.ending {
            Some(Ending::Skipped { because, .. }) => Body::Says(format!("Left out: {because}.")),
            _ => Body::Says("Left out.".to_owned()),
        },
        _ => {
            let seen = call.attempt(attempt).and_then(|found| found.versions.get(version.saturating_sub(1) as usize));
            let output = seen.map(|seen| &seen.output).or_else(|| call.standing.as_ref().map(|s| &s.output));
            output.map_or_else(|| ended(call), |output| Body::Text(Box::new(Document::of_value(output))))
        }
    }
}

/// What a gate shows in the place of an output.
fn gate_body(run: &Run, call: &Call, gate: &Gate) -> Option<Body> {
    let tool_call = gate.call.map(|call| format!("Tool call {call}. ")).unwrap_or_default();
    let says = |text: &str| Some(read(&Untrusted::new(format!("{tool_call}{text}"))));
    match &gate.body {
        GateBody::Review(_) => None,
        GateBody::Approval(approval) => {
            let text = described(&Description::of(&approval.work, run));
            says(&format!("This will run, exactly as it stands here:\n\n{text}\n\n**Y** allows it, **n** refuses it."))
        }
        GateBody::Input(input) => {
            let text = if input.text().is_empty() { "This step asks you." } else { input.text() };
            let fields = input.fields().unwrap_or_default();
            let list = fields.iter().map(|field| format!("- {}", field.question())).collect::<Vec<_>>().join("\n");
            says(&format!("{text}\n\n{list}\n**Enter** opens the form."))
        }
        GateBody::InDoubt(doubt) => {
            let why = &doubt.why;
            says(&format!(
                "{why}\n\nIt may have had its effect.\n\n\
                 - **g** runs it again\n- **w** says that it worked, with its result\n- **s** goes on without it",
            ))
        }
        GateBody::Stale(_) => {
            let because: Vec<String> =
                call.stale.iter().flat_map(|stale| &stale.because).map(|key| format!("`{key}`")).collect();
            let standing = call.standing.as_ref().map(|s| crate::tui::diff::printed(&s.output).data().to_owned());
            says(&format!(
                "What this was made from has changed: {}.\n\n**g** runs it again, **K** keeps this:\n\n{}",
                because.join(", "),
                standing.unwrap_or_default()
            ))
        }
        GateBody::Budget(_) => says(&format!(
            "The next call could pass the budget. So far: {} tokens, {}.\n\n**u** raises it.",
            crate::tui::text::thousands(run.usage.tokens()),
            crate::tui::text::dollars(run.usage.usd)
        )),
        GateBody::Secret(_) => says("It needs a secret that is not known in this session.\n\n**Enter** asks for it."),
    }
}

/// What work would do, in a block that nothing in it can leave: indented code has no end that could stand in it.
pub fn described(description: &Description) -> String {
    let lines = description.lines();
    lines.iter().flat_map(|line| line.data().split('\n')).flat_map(|line| ["    ", line, "\n"]).collect()
}

fn ended(call: &Call) -> Body {
    let partial = call.newest().map(|attempt| attempt.partial.clone()).unwrap_or_default();
    let error = match &call.ending {
        Some(Ending::Failed { failure, .. }) => Some(failure.clone()),
        _ => call.newest().and_then(|attempt| attempt.error.clone()),
    };
    match (error, call.status) {
        (Some(failure), CallStatus::Pending) => failed("It will be tried again.", &failure, "", &partial),
        (Some(failure), _) => failed("It failed.", &failure, &ways_on(call, &failure), &partial),
        (None, CallStatus::Cancelled) => Body::Says("It was broken off.".to_owned()),
        (None, _) => Body::Says("It has not begun.".to_owned()),
    }
}

/// What can be done about a failed call.
fn ways_on(call: &Call, failure: &Failure) -> String {
    let mut ways = "\n- **g** runs it again".to_owned();
    if call.newest().is_some_and(|attempt| matches!(attempt.work.as_deref(), Some(Work::Prompt(_)))) {
        ways.push_str("\n- **m** has another model do it");
    }
    if failure.class == FailureClass::Auth {
        ways.push_str("\n- **i** takes a key, for this session only");
    }
    ways
}

fn failed(what: &str, failure: &Failure, ways: &str, partial: &Untrusted) -> Body {
    let mut text = format!("**{what}** {}\n\nclass: `{}`\n{ways}\n", failure.message, failure.class);
    if let Some(detail) = &failure.detail {
        text.push_str("\n\n");
        text.extend(detail.lines().map(|line| format!("    {line}\n")));
    }
    if !partial.is_empty() {
        text.push_str("\n---\n\nWhat had arrived:\n\n");
        text.push_str(partial.data());
    }
    read(&Untrusted::new(text))
}

fn read(text: &Untrusted) -> Body {
    Body::Text(Box::new(Document::new(text)))
}

fn pending(run: &Run) -> &'static str {
    if run.status.is_over() { "It was not needed." } else { "It has not begun: it comes when what it needs is done." }
}

fn status_words(call: &Call) -> &'static str {
    if !call.gates.is_empty() {
        return "waits for you";
    }
    match call.status {
        CallStatus::Pending => "not begun",
        CallStatus::Running => "running",
        CallStatus::Accepted => "accepted",
        CallStatus::Skipped => "left out",
        CallStatus::Failed => "failed",
        CallStatus::Cancelled => "broken off",
        CallStatus::Stale => "stale",
        CallStatus::Approval | CallStatus::Review | CallStatus::Input | CallStatus::InDoubt => "waits for you",
    }
}
