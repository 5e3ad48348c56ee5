//! The line interface: what happens is told in lines of plain text, and gates are asked about one after the other.
//! It works on a dumb terminal, over ssh and through a screen reader. Everything here goes to stderr.

mod ask;
pub mod calls;
mod editor;
mod form;
mod keyboard;
mod pager;
mod review;
mod signals;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

pub use self::ask::{Answered, AskContext, ask, further};
pub use self::form::fill;
pub use self::keyboard::{Asker, forget_typed, read_line};
pub use self::review::read as read_edit;
pub use self::signals::{Away, Signals};
use super::out;
use crate::core::actor::Actor;
use crate::core::event::{Event, Measured, Recorded, Started};
use crate::core::gate::Gate;
use crate::core::key::Key;
use crate::core::model::{Delta, is_demo};
use crate::core::pinned::Pinned;
use crate::core::ports::Models;
use crate::core::run::Run;
use crate::core::step_name::REPLY;
use crate::core::task::Body;
use crate::core::text::{Untrusted, output_text, shortened};
use crate::core::work::Work;

/// Tells what happens in a run.
pub struct Teller {
    titles: HashMap<String, String>,
    models: Option<Arc<dyn Models>>,
    /// Text is shown as it comes, for a person who waits for it.
    streams: bool,
    /// The attempt whose text is being shown.
    current: Option<(Key, u32)>,
    /// Some of it is on the screen: who follows another process gets no text on its way.
    printed: bool,
    /// The attempt that the last heading was about.
    headed: Option<(Key, u32)>,
    at_line_start: bool,
    /// What has been shown in full: call, attempt, version.
    shown: HashSet<(Key, u32, u32)>,
    /// The calls that were told to have failed, and why.
    failed: HashSet<Key>,
}

impl Teller {
    /// A teller of a run of that definition.
    #[must_use]
    pub fn new(pinned: Option<&Pinned>, models: Option<Arc<dyn Models>>, streams: bool) -> Self {
        let tasks = pinned.into_iter().flat_map(|pinned| std::iter::once(&pinned.task).chain(pinned.children.values()));
        let mut titles = HashMap::new();
        for task in tasks {
            match &task.body {
                Body::Workflow(workflow) => {
                    let steps = workflow.all_steps().into_iter();
                    titles.extend(steps.map(|step| (step.id.clone(), step.title().to_owned())));
                }
                // A conversation has one step.
                Body::Instruct(_) => drop(titles.insert(REPLY.to_owned(), task.name.clone())),
            }
        }
        Self {
            titles,
            models,
            streams,
            current: None,
            printed: false,
            headed: None,
            at_line_start: true,
            shown: HashSet::new(),
            failed: HashSet::new(),
        }
    }

    /// Whether it was told why this call failed.
    #[must_use]
    pub fn has_explained(&self, key: &Key) -> bool {
        self.failed.contains(key)
    }

    /// Whether no text is on its way to the screen, so that something can be asked.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.current.is_none()
    }

    /// Tells of something that is in the journal; `run` has it already.
    pub fn event(&mut self, run: &Run, recorded: &Recorded) {
        match &recorded.event {
            Event::AttemptStarted(started) => self.started(run, started),
            Event::AttemptFinished { key, attempt, measured, .. } => {
                if self.finish(key, *attempt) {
                    self.shown.insert((key.clone(), *attempt, 1));
                }
                Self::notes(measured);
            }
            Event::AttemptFailed { key, attempt, error, retry_at, measured, .. } => {
                self.finish(key, *attempt);
                self.failed.insert(key.clone());
                let again = retry_at.map(|at| format!("; tried again at {}", local(at).format("%H:%M:%S")));
                let message = if again.is_some() { error.message.trim_end_matches('.') } else { &error.message };
                out::say(&format!("{key} failed ({}): {message}{}", error.class, again.unwrap_or_default()));
                if let Some(detail) = error.detail.as_deref().filter(|detail| !detail.trim().is_empty()) {
                    out::say(&indented(detail.trim_end()));
                }
                Self::notes(measured);
            }
            Event::AttemptCancelled { key, attempt, .. } => {
                if self.finish(key, *attempt) {
                    self.shown.insert((key.clone(), *attempt, 1));
                }
                out::say(&format!("{key} was stopped; what had arrived is kept"));
            }
            // A program that asks has the terminal again when it was answered.
            Event::GateOpened(gate) => drop(self.finish(&gate.key, gate.attempt)),
            Event::CallAnswered { key, attempt, call: None, .. }
                if self.headed == Some((key.clone(), *attempt)) && self.is_free() =>
            {
                self.current.clone_from(&self.headed);
            }
            Event::CallAccepted { key, by, overridden, .. } if *by != Actor::Rule && !self.streams => {
                let all_the_same = if overridden.is_empty() { "" } else { ", although it fails a check" };
                out::say(&format!("{key}: accepted by {by}{all_the_same}"));
            }
            Event::TurnFinished { key, attempt, measured, .. } => {
                self.end_line();
                if self.finish(key, *attempt) {
                    // The next turn is written under what its calls came to.
                    self.current = Some((key.clone(), *attempt));
                    self.printed = false;
                }
                Self::notes(measured);
            }
            Event::ToolCalled { key, call, tool, arguments, .. } => {
                self.end_line();
                out::say(&format!("  {key}, tool call {call}: {}", calls::asked(tool, arguments)));
            }
            Event::ToolReturned { key, call, outcome, .. } => {
                self.end_line();
                out::say(&format!("  {key}, tool call {call}: {}", calls::returned(outcome)));
            }
            // About one tool call; the attempt goes on.
            Event::CallSkipped { key, call: Some(call), because, .. } => {
                out::say(&format!("  {key}, tool call {call}: skipped, {because}"));
            }
            Event::CallFailed { key, call: Some(call), error, .. } => {
                out::say(&format!("  {key}, tool call {call}: not made: {}", error.message));
            }
            Event::CallAnswered { key, call: Some(call), by, .. } => {
                out::say(&format!("  {key}, tool call {call}: answered by {by}"));
            }
            Event::AttemptResumed { key, .. } => out::say(&format!("resuming {key}")),
            Event::CallSkipped { key, because, .. } => out::say(&format!("{key}: skipped, {because}")),
            Event::CallFailed { key, error, .. } => {
                self.failed.insert(key.clone());
                out::say(&format!("{key} failed ({}): {}", error.class, error.message));
            }
            Event::CallStaled { key, because, .. } => {
                let because: Vec<String> = because.iter().map(ToString::to_string).collect();
                out::say(&format!("{key} is stale: {} changed", because.join(", ")));
            }
            Event::CallRestored { key, .. } => out::say(&format!("{key}: the earlier result is valid again")),
            // Why was said when it failed.
            Event::Warned { key: Some(key), .. } if self.has_explained(key) => {
                out::say(&format!("warning: the run continues without {key}"));
            }
            Event::Warned { key, message } => {
                let about = key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
                out::say(&format!("warning: {about}{message}"));
            }
            Event::Logged { text } => out::say(&text.line()),
            Event::RunResumed { after: Some(reason), .. } => {
                out::say(&format!(
                    "run {} resumes (it was paused: {})",
                    run.id.short(),
                    reason.name().replace('_', " ")
                ));
            }
            _ => {}
        }
    }

    /// Shows text on its way.
    pub fn delta(&mut self, key: &Key, attempt: u32, delta: &Delta) {
        if self.current.as_ref().is_none_or(|(current, number)| current != key || *number != attempt) {
            return;
        }
        match delta {
            // The heading of its answer names the model.
            Delta::Asks(_) => {}
            Delta::Text(text) => {
                let shown = text.block();
                out::tell(&shown);
                self.at_line_start = shown.ends_with('\n');
                self.printed = true;
            }
            Delta::Restart(why) => {
                self.end_line();
                out::say(&format!("(what came so far does not count: {why})"));
            }
            Delta::Progress(line) => {
                self.end_line();
                out::say(&format!("  {}", line.line()));
            }
        }
    }

    /// Shows what a gate is about, if it was not shown as it came.
    pub fn show(&mut self, run: &Run, gate: &Gate) {
        let seen = (gate.key.clone(), gate.attempt, gate.version);
        if gate.version == 0 || !self.shown.insert(seen) {
            return;
        }
        let Some(output) = super::waits::output_of(run, gate) else { return };
        let call = run.call(&gate.key);
        let step = call.map_or("", |call| call.step.as_str());
        let attempt = call.and_then(|call| call.attempt(gate.attempt));
        let model = attempt.and_then(|attempt| attempt.measured.model.as_deref());
        self.heading(&gate.key, step, call.and_then(|call| call.item.as_deref()), gate.attempt, model);
        out::say(&output.block());
    }

    fn started(&mut self, run: &Run, started: &Started) {
        let Some(work) = &started.work else { return };
        if matches!(**work, Work::Ask { .. }) {
            return;
        }
        let model = match &**work {
            Work::Prompt(prompt) => {
                let name = prompt.models.first().map(String::as_str);
                self.models.as_ref().and_then(|models| models.choice(name).ok()).map(|choice| choice.model)
            }
            other => Some(other.kind().to_owned()),
        };
        if !self.streams {
            let title = self.title(&started.step);
            let model = model.map(|model| format!(" · {}", labelled(&model))).unwrap_or_default();
            let item = started.item.as_deref().map(|item| format!(" · {}", short(&one_line(item)))).unwrap_or_default();
            out::say(&format!("{}: {title}{item}{model}", started.key));
        } else if self.current.is_none() {
            // Of several at once, one that is shown when it is whole has its heading then.
            if work.schema().is_some() && run.under_way() > 1 {
                return;
            }
            self.heading(&started.key, &started.step, started.item.as_deref(), started.attempt, model.as_deref());
            // Structured output is shown when it is whole, in a form that can be read.
            if work.schema().is_none() {
                self.current = Some((started.key.clone(), started.attempt));
                self.printed = false;
            }
        }
    }

    fn title(&self, step: &str) -> String {
        self.titles.get(step).cloned().unwrap_or_else(|| step.to_owned())
    }

    fn heading(&mut self, key: &Key, step: &str, item: Option<&Value>, attempt: u32, model: Option<&str>) {
        self.end_line();
        // A heading that still stands right above needs no repetition.
        let about = Some((key.clone(), attempt));
        if self.headed == about {
            return;
        }
        self.headed = about;
        let mut parts = vec![format!("{} ({key})", self.title(step))];
        if attempt > 1 {
            parts.push(format!("attempt {attempt}"));
        }
        if let Some(item) = item {
            parts.push(short(&one_line(item)));
        }
        parts.extend(model.map(labelled));
        out::say(&format!("\n-- {}", parts.join(" · ")));
    }

    /// True when its text is on the screen.
    fn finish(&mut self, key: &Key, attempt: u32) -> bool {
        let was = self.current.as_ref().is_some_and(|(current, number)| current == key && *number == attempt);
        if was {
            self.end_line();
            self.current = None;
        }
        was && self.printed
    }

    fn notes(measured: &Measured) {
        for note in &measured.notes {
            out::say(&format!("note: {note}"));
        }
    }

    fn end_line(&mut self) {
        if !self.at_line_start {
            out::tell("\n");
            self.at_line_start = true;
        }
    }
}

/// A model's name; the demo's text is labelled wherever it is shown.
#[must_use]
pub fn labelled(model: &str) -> String {
    if is_demo(model) { format!("{model} (a demo, not a model's answer)") } else { model.to_owned() }
}

fn one_line(item: &Value) -> String {
    // Of an object the first text says most.
    let text = match item {
        Value::Object(fields) => fields.values().find_map(Value::as_str).map(Untrusted::from),
        _ => None,
    };
    text.unwrap_or_else(|| output_text(item)).line().into_owned()
}

fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    shortened(text, LONGEST)
}

fn local(at: chrono::DateTime<chrono::Utc>) -> chrono::DateTime<chrono::Local> {
    at.with_timezone(&chrono::Local)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
