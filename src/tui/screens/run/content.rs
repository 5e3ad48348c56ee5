//! What the right side of a run shows for a row: an output, an approval's exact bytes, a failure, a question.

use std::fmt::Write as _;

use ratatui::layout::Rect;
use serde_json::Value;

use super::documents::stale;
use super::pages;
use super::rows::{OutlineRow, RowId};
use crate::core::call::{Attempt, Call, CallStatus, Ending};
use crate::core::description::Description;
use crate::core::document::Document as Written;
use crate::core::gate::{Gate, GateBody, GateKind, ToolChange, ToolsBody};
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::core::title::item_title;
use crate::core::tool::ToolSpec;
use crate::tui::canvas::Canvas;
use crate::tui::markdown::Document;
use crate::tui::shown::{ContentId, Page, ShownGate, Subject};
use crate::tui::situation::{Behind, Screen};
use crate::tui::text::{fit, width};
use crate::tui::theme::Theme;
use crate::tui::widgets::stacked::Shown;
use crate::tui::{asides, documents, failure_panel, tool_calls};

/// What is shown, and what it is of, so that it is made again only when that changed.
#[derive(Debug, Default)]
pub struct Content {
    /// What it is of.
    pub id: Option<ContentId>,
    /// What waits with it: while this is on screen, keys decide that.
    pub gate: Option<ShownGate>,
    /// Set while an earlier attempt or another version is shown: what it is instead of, and whether it may be taken.
    pub earlier: Option<Earlier>,
    /// Above the text: what it is, in short.
    pub title: String,
    /// What that is called.
    name: String,
    /// Which attempt and version of how many it is, when there are several.
    pub which: String,
    /// The same where there is little room.
    which_short: String,
    /// What there is to read.
    pub body: Body,
    /// What the attempt has beside its output: in short, and all of it.
    pub besides: Option<(String, Document)>,
}

/// A page that is not the one that waits, was accepted or is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// What is shown.
    pub page: Page,
    /// What it is shown instead of.
    pub behind: Behind,
    /// Whether it may be taken.
    pub takeable: bool,
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
    /// What `row` has to show: of a call what waits in it at `gate`, or the page that the person has gone to, if they have.
    pub fn of(run: &Run, row: &OutlineRow, gate: Option<&Gate>, page: Option<Page>) -> Self {
        match &row.id {
            RowId::Call(key) => match run.call(key) {
                Some(call) => Self::of_call(run, row, call, gate, page),
                None => Self::made(run, row, key.to_string(), Body::Says(pending(run).to_owned())),
            },
            RowId::Result | RowId::Document(_) => Self::of_document_row(run, row, page),
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

    /// What a call has to show while it waits at `gate`, or at none: the page that the person has gone to, else what waits.
    pub fn of_call(run: &Run, row: &OutlineRow, call: &Call, gate: Option<&Gate>, page: Option<Page>) -> Self {
        let now = pages::current(call, gate);
        let page = page.filter(|page| *page != now && call.attempt(page.attempt).is_some());
        let earlier = page.map(|page| Earlier {
            page,
            behind: pages::behind(call, gate),
            takeable: pages::may_take(run, call, gate, page),
        });
        let title = call.key.to_string();
        let name = if call.item.is_some() { format!("\"{}\"", row.title) } else { row.title.clone() };
        let name = if name == title { String::new() } else { name };
        let subject = Subject::Call(call.key.clone());
        let tool_call = gate.and_then(|gate| gate.call);
        let Page { attempt, version } = page.unwrap_or(now);
        let id = ContentId { tool_call, attempt, version, ..ContentId::of_run(run.id, subject, call.seq) };
        let seen = gate.filter(|_| page.is_none()).map(|gate| ShownGate::of(run, gate));
        let body = match page {
            Some(page) => page_body(call, page),
            None => call_body(run, call, gate, now),
        };
        let shown = page.unwrap_or(now);
        let (which, which_short) = (pages::name(call, shown), pages::short_name(call, shown));
        let besides = call.attempt(shown.attempt).and_then(asides::of);
        Self { id: Some(id), gate: seen, earlier, title, name, which, which_short, body, besides }
    }

    /// What a failed run has to show on another screen than its own: why it failed, and what can be done there.
    pub fn of_failed(run: &Run, screen: Screen) -> Self {
        let key = run.error.as_ref().and_then(|(key, _)| key.clone());
        let title = key.as_ref().map_or_else(|| "Result".to_owned(), Key::to_string);
        let subject = key.map_or(Subject::Result, Subject::Call);
        let body = failure_panel::of_run(run, screen).map_or(Body::Empty, |panel| read(&panel.whole()));
        Self { id: Some(ContentId::of_run(run.id, subject, run.seq)), title, body, ..Self::default() }
    }

    /// A version of a document: the page that the person has gone to, else the question about it, if it waits because the
    /// person has edited it and its steps give another text, else the version that counts.
    pub fn of_document(run: &Run, row: &OutlineRow, document: &Written, page: Option<Page>) -> Self {
        let now = documents::current(document);
        let page = page.filter(|page| *page != now && document.version(page.version).is_some());
        let shown = page.unwrap_or(now);
        let version = document.version(shown.version);
        let gate = document.gate.as_ref().filter(|_| page.is_none());
        let called = version.map(|version| version.title.line().into_owned()).unwrap_or_default();
        let body = match (gate, version) {
            (Some(gate), _) => read(&Untrusted::new(stale(run, gate))),
            (None, Some(version)) => read(&version.body),
            (None, None) => Body::Empty,
        };
        // The result is known by its title; any other by its name.
        let of_result = row.id == RowId::Result && gate.is_none() && !called.is_empty();
        let (title, name) = if of_result { (called, String::new()) } else { (row.title.clone(), called) };
        let name = if name == title { String::new() } else { name };
        let mut content = Self { name, ..Self::made(run, row, title, body) };
        content.id = content.id.map(|id| ContentId { version: shown.version, seq: document.seq, ..id });
        content.gate = gate.map(|gate| ShownGate::of(run, gate));
        content.earlier = page.map(|page| Earlier { page, behind: Behind::Document, takeable: true });
        content.which = documents::name(document, shown);
        content.which_short = documents::short_name(document, shown);
        content
    }

    fn of_document_row(run: &Run, row: &OutlineRow, page: Option<Page>) -> Self {
        if let Some(document) = row.id.document().and_then(|name| run.documents.get(name)) {
            return Self::of_document(run, row, document, page);
        }
        let (title, body) = match (&run.result, failure_panel::of_result(run)) {
            (Some(result), _) => (result.title.line().into_owned(), read(&result.body)),
            (None, Some(failure)) => ("Result".to_owned(), read(&failure)),
            (None, None) => ("Result".to_owned(), Body::Says("It comes when every step is done.".to_owned())),
        };
        Self::made(run, row, title, body)
    }

    fn of_group(run: &Run, row: &OutlineRow, group: &Key) -> Self {
        let mut text = String::new();
        let within = |key: &Key| key.is_within(group) || under(key, group);
        for call in run.calls.values().filter(|call| within(&call.key)).take(500) {
            let title = call.item.as_deref().and_then(item_title).unwrap_or_else(|| call.key.to_string());
            let title = Untrusted::new(title).line().replace('*', "\\*");
            let _ = writeln!(text, "- **{title}** {}", status_words(call));
        }
        Self::made(run, row, row.title.clone(), read(&Untrusted::new(text)))
    }

    /// What is said while an earlier attempt or another version is shown, in the place of what waits, was accepted or runs.
    pub fn says_earlier(&self, call: &Call, gate: Option<&Gate>) -> Option<String> {
        let earlier = self.earlier?;
        let now = pages::current(call, gate);
        let is = match (earlier.behind, call.status) {
            (Behind::Review, _) => "waits",
            (Behind::Failed, _) => "failed",
            (Behind::Accepted, _) => "is accepted; b reopens it, then a takes this one",
            (Behind::Other | Behind::Document, CallStatus::Running) => "is running",
            (Behind::Other | Behind::Document, _) => "is the newest",
        };
        let what = if now.attempt == earlier.page.attempt && now.version > 0 {
            format!("version {} {is}", now.version)
        } else {
            format!("attempt {} {is}", now.attempt)
        };
        Some(if earlier.takeable { format!("a takes this one; {what}") } else { what })
    }

    /// The line above the text, with something to be said in any case at its end; the name is what gives way.
    pub fn heading(&self, last: &str, cells: usize) -> String {
        let short = |text: &str| if text.is_empty() { String::new() } else { format!(" · {text}") };
        let end = |which: &str| format!("{}{}", short(which), short(last));
        let whole = end(&self.which);
        let end = if width(&self.title) + width(&whole) > cells { end(&self.which_short) } else { whole };
        let room = cells.saturating_sub(width(&self.title) + width(&end) + 3);
        let name = if room < 6 { String::new() } else { short(&fit(&self.name, room)) };
        format!("{}{name}{end}", self.title)
    }

    /// The text, with what is beside it above it where that is unfolded. None while there is no text.
    pub fn texts<'a>(&'a self, unfolded: bool, theme: &Theme) -> Vec<Shown<'a>> {
        let Body::Text(text) = &self.body else { return Vec::new() };
        let besides = self.besides.as_ref().filter(|_| unfolded).map(|(_, besides)| (besides, theme.aside()));
        besides.into_iter().chain([(&**text, *theme)]).collect()
    }

    /// The line that says what is beside the text, and which key shows or folds it.
    pub fn says_besides(&self, unfolded: bool, key: Option<&str>) -> Option<String> {
        let (short, _) = self.besides.as_ref()?;
        let key = key.map(|key| format!(": {key}")).unwrap_or_default();
        Some(format!("{} {short}{key}", if unfolded { "▾" } else { "▸" }))
    }

    /// It is one of several that wait in its call, which is said where nothing else tells which it is.
    pub fn is_one_of(&mut self, at: usize, count: usize) {
        if count > 1 && self.gate.is_some() && self.which.is_empty() {
            self.which = format!("{} of {count} that wait", at + 1);
            self.which_short = format!("{}/{count}", at + 1);
        }
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
    let newest_output = call.newest().and_then(Attempt::newest);
    // What came of a call that failed is shown as its output: why it failed goes with it.
    let failure = match &call.ending {
        Some(Ending::Failed { failure, .. }) if problem.is_none() && newest_output.is_some() => {
            Some(failure.message.clone())
        }
        _ => None,
    };
    let failed = call.gate().map(Gate::failed_checks).unwrap_or_default();
    let cut = call.gate().and_then(Gate::review).is_some_and(|review| review.cut);
    let cut = cut.then(|| "the limit of tokens cut it, its end is missing: e completes it, r tries again".to_owned());
    problem
        .into_iter()
        .chain(failure)
        .chain(cut)
        .chain(failed.iter().map(|check| format!("fails a check: {check}")))
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

/// An attempt and version that the person has gone to.
fn page_body(call: &Call, page: Page) -> Body {
    let Some(attempt) = call.attempt(page.attempt) else { return Body::Empty };
    match attempt.version(page.version) {
        Some(version) => Body::Text(Box::new(Document::of_value(&version.output))),
        None => without_output(attempt),
    }
}

/// What came of an attempt that has no output.
fn without_output(attempt: &Attempt) -> Body {
    match failure_panel::of_attempt(attempt, Screen::Run) {
        Some(panel) => read(&panel.whole()),
        None if attempt.partial.is_empty() => Body::Says("It was stopped before it produced any output.".to_owned()),
        None => read(&attempt.partial),
    }
}

fn call_body(run: &Run, call: &Call, gate: Option<&Gate>, Page { attempt, version }: Page) -> Body {
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
            let seen = call.attempt(attempt).and_then(|found| found.version(version));
            let output = seen.map(|seen| &seen.output).or_else(|| call.standing.as_ref().map(|s| &s.output));
            output.map_or_else(|| ended(call), |output| Body::Text(Box::new(Document::of_value(output))))
        }
    }
}

/// What a gate shows in the place of an output.
fn gate_body(run: &Run, call: &Call, gate: &Gate) -> Option<Body> {
    let says = |text: &str| Some(read(&Untrusted::new(text)));
    // What an approval shows names its tool itself.
    let of_tool = || tool_calls::tool_of(call, gate).map(|tool| format!("`{tool}`: ")).unwrap_or_default();
    match &gate.body {
        GateBody::Review(_) => None,
        GateBody::Approval(approval) => {
            let text = described(&Description::of_approval(approval, run));
            let what = if gate.call.is_some() {
                "The model wants to call a tool, exactly as shown"
            } else {
                "This will run, exactly as shown here"
            };
            says(&format!("{what}:\n\n{text}\n\n{}", answers_to(gate)))
        }
        GateBody::Input(input) => {
            let asks = if gate.call.is_some() { "the tool asks you." } else { "This step asks you." };
            let text = if input.text().is_empty() { asks } else { input.text() };
            let fields = input.fields().unwrap_or_default();
            let list = fields.iter().map(|field| format!("- {}", field.question())).collect::<Vec<_>>().join("\n");
            says(&format!("{}{text}\n\n{list}\n**Enter** opens the form.", of_tool()))
        }
        GateBody::InDoubt(doubt) => {
            let why = &doubt.why;
            says(&format!(
                "{}{why}\n\nIt may have had its effect.\n\n\
                 - **r** runs it again\n- **Enter** marks it as succeeded: you give its result\n- **s** skips it",
                of_tool()
            ))
        }
        GateBody::Stale(_) => {
            let because: Vec<String> =
                call.stale.iter().flat_map(|stale| &stale.because).map(|key| format!("`{key}`")).collect();
            let standing = call.standing.as_ref().map(|s| crate::tui::diff::printed(&s.output).data().to_owned());
            says(&format!(
                "What this was made from has changed: {}.\n\n**r** runs it again, **K** keeps this:\n\n{}",
                because.join(", "),
                standing.unwrap_or_default()
            ))
        }
        GateBody::Budget(_) => says(&format!(
            "The next call could pass the budget. So far: {} tokens, {}.\n\n**Enter** raises it.",
            crate::tui::text::thousands(run.usage.tokens()),
            crate::tui::text::dollars(run.usage.usd)
        )),
        GateBody::Tools(tools) => says(&format!(
            "The server's tools changed since this run last used them.\n\n\
             **Y** approves the new versions, **n** denies, **s** skips the step.\n\n{}",
            changed_tools(tools)
        )),
        GateBody::Secret(_) => says("It needs a secret that is not known in this session.\n\n**Enter** asks for it."),
    }
}

/// What can be done about an effect that waits to be allowed.
fn answers_to(gate: &Gate) -> String {
    let Some(tool) = gate.tool() else { return "**Y** allows it, **n** refuses it, **s** skips it.".to_owned() };
    let tool = Untrusted::from(tool).line().replace('`', "'");
    let for_run = format!("- **Y** allows it once, **T** allows `{tool}` for the rest of the run");
    if gate.call.is_none() {
        return format!("{for_run}\n- **n** refuses it, **s** skips it");
    }
    format!(
        "{for_run}\n- **e** edits the arguments, and then allows it\n- **i** answers in place of the tool (it is not called)\n\
         - **n** refuses it, with a reason that the model reads; **s** skips it"
    )
}

/// What has become of each tool: of one that changed, the lines that did.
fn changed_tools(tools: &ToolsBody) -> String {
    let lines = |specs: &[ToolSpec], name: &str| {
        let spec = specs.iter().find(|spec| spec.tool == name);
        spec.map(written).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let changes = tools.changes().map(|(name, change)| {
        let (before, after) = (lines(&tools.before, name), lines(&tools.after, name));
        let name = Untrusted::from(name).line().replace('*', "\\*");
        let what = match change {
            ToolChange::New => "is new",
            ToolChange::Changed => "changed",
            ToolChange::Gone => "is gone",
        };
        format!("**{name} {what}**\n\n{}\n", changed_lines(&before, &after))
    });
    changes.collect()
}

/// All that a tool is, as its server says it.
fn written(spec: &ToolSpec) -> String {
    let part =
        |title: &str, value: &Value| if value.is_null() { String::new() } else { format!("\n{title}: {value:#}") };
    let hints = serde_json::to_value(spec.hints).unwrap_or_default();
    let hints = if hints.as_object().is_some_and(serde_json::Map::is_empty) { Value::Null } else { hints };
    let output = spec.output.as_ref().unwrap_or(&Value::Null);
    let (input, output, hints) = (part("input", &spec.input), part("output", output), part("hints", &hints));
    format!("{}{input}{output}{hints}", spec.description.data())
}

/// The lines between the first and the last that differ, in a block that nothing in them can leave.
fn changed_lines(before: &[String], after: &[String]) -> String {
    let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let (before, after) = (&before[same..], &after[same..]);
    let end = before.iter().rev().zip(after.iter().rev()).take_while(|(before, after)| before == after).count();
    let (gone, new) = (&before[..before.len() - end], &after[..after.len() - end]);
    let marked = |mark: &str, lines: &[String]| {
        lines.iter().flat_map(|line| ["    ", mark, " ", line, "\n"]).collect::<String>()
    };
    let elided = |count: usize| if count > 0 { "      …\n" } else { "" };
    format!("{}{}{}{}", elided(same), marked("-", gone), marked("+", new), elided(end))
}

/// What work would do, in a block that nothing in it can leave: indented code has no end that could stand in it.
pub fn described(description: &Description) -> String {
    let lines = description.lines();
    lines.iter().flat_map(|line| line.data().split('\n')).flat_map(|line| ["    ", line, "\n"]).collect()
}

fn ended(call: &Call) -> Body {
    match (failure_panel::of_call(call, Screen::Run), call.status) {
        (Some(panel), _) => read(&panel.whole()),
        (None, CallStatus::Cancelled) => Body::Says("Stopped.".to_owned()),
        (None, _) => Body::Says("It has not begun.".to_owned()),
    }
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
        CallStatus::Cancelled => "stopped",
        CallStatus::Stale => "stale",
        CallStatus::Approval | CallStatus::Review | CallStatus::Input | CallStatus::InDoubt => "waits for you",
    }
}
