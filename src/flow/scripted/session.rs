//! The session of code: fed events, it runs the code as far as the journal allows and says what it asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::pass::Pass;
use super::transport::{CodeState, Opening, Transport};
use crate::core::call::CallStatus;
use crate::core::event::Event;
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::form::{Field, FieldType};
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::task::{Body, FlowKind};
use crate::core::template::{References, to_json};
use crate::core::text::Untrusted;
use crate::flow::evaluation::{CallIndex, Evaluation, in_order_of_ends, prompts_under_way};
use crate::flow::names::{Names, of_calls};
use crate::flow::plan::Plan;
use crate::flow::work::hosts::written_in;
use crate::flow::{End, Session, Wants, limit};

/// What a pass stands on: the definition and the journal.
pub struct Ground {
    /// The definition.
    pub pinned: Arc<Pinned>,
    /// Its steps made ready.
    pub plan: Plan,
    /// Its form.
    pub inputs: Vec<Field>,
    /// What every step sees.
    pub names: Names,
    /// The journal as it stands.
    pub run: Run,
    /// What stands in it; only the lists of child workflows, whose items may move, look there.
    pub index: CallIndex,
    /// What time it is.
    pub clock: DateTime<Utc>,
    /// Calls at most.
    pub max_calls: usize,
}

impl Ground {
    /// A look at the journal.
    pub fn look(&self) -> Evaluation<'_> {
        Evaluation::new(&self.run, &self.inputs, &self.index)
    }

    /// Whether the form takes secrets.
    pub fn has_secrets(&self) -> bool {
        self.inputs.iter().any(|field| field.kind == FieldType::Secret)
    }

    /// What the code is started with.
    pub fn opening(&self, now: i64) -> Opening {
        let run = &self.run;
        Opening {
            inputs: to_json(self.names.inputs()).unwrap_or_default(),
            run: serde_json::json!({
                "id": run.id.to_string(),
                "task": run.task,
                "title": run.first_title,
                "by": run.by,
                "date": run.date,
            }),
            state: if run.state.is_object() { run.state.clone() } else { Value::Object(Map::new()) },
            seed: Fingerprint::of_bytes(format!("{}\n{}", run.nonce, run.id).as_bytes()).to_string(),
            now,
        }
    }
}

/// What sets the state where code does: its end.
const STATE: &str = "state";

/// A live cache of what code makes of a run.
pub struct ScriptedSession {
    ground: Ground,
    transport: Box<dyn Transport>,
    pass: Option<Pass>,
    /// Asked, and not answered.
    asked: Vec<Event>,
}

impl ScriptedSession {
    /// A session on a run as it stands.
    #[must_use]
    pub fn new(pinned: &Arc<Pinned>, run: &Run, transport: Box<dyn Transport>) -> Self {
        let max_calls = match &pinned.task.body {
            Body::Workflow(workflow) => workflow.max_calls as usize,
            Body::Instruct(_) => 0,
        };
        let inputs = pinned.task.inputs.clone();
        let ground = Ground {
            plan: Plan::of(pinned, run.model.as_deref()).unwrap_or_else(Plan::empty),
            names: Names::of(run, &inputs).of_code(code_hosts(pinned)),
            inputs,
            run: run.clone(),
            index: if pinned.children.is_empty() { CallIndex::default() } else { CallIndex::of(run) },
            clock: run.updated_at,
            max_calls,
            pinned: Arc::clone(pinned),
        };
        Self { ground, transport, pass: None, asked: Vec::new() }
    }
}

impl Session for ScriptedSession {
    fn feed(&mut self, events: &[Event]) -> Wants {
        let ground = &mut self.ground;
        for event in events {
            ground.run.apply(ground.run.seq + 1, ground.clock, event);
            if let Some(key) = event.key().filter(|_| !ground.pinned.children.is_empty()) {
                ground.index.learn(&ground.run, key);
            }
            if let Some(pass) = &mut self.pass {
                pass.hear(event);
            }
        }
        // It reaches further than the call that was decided about: all that has begun because of it.
        let undone = events.iter().any(|event| matches!(event, Event::DecisionUndone { .. }));
        if undone {
            ground.index = CallIndex::of(&ground.run);
        }
        let ground = &self.ground;
        let known = self.pass.take().filter(|_| !undone).and_then(|mut pass| {
            let holds = pass.touch(events.iter().filter_map(Event::key), ground);
            holds.then_some(pass)
        });
        let mut pass = known.unwrap_or_else(|| Pass::begin(ground, self.transport.as_mut()));
        while !pass.advance(ground, self.transport.as_mut()) {
            pass = Pass::begin(ground, self.transport.as_mut());
        }
        let wants = wants(&mut pass, ground);
        if only_a_person(&wants, &ground.run) && self.transport.rest() {
            pass.live = false;
        }
        self.pass = Some(pass);
        wants
    }

    /// A program takes its time.
    fn ask(&mut self, events: &[Event]) -> Option<Wants> {
        self.asked.extend_from_slice(events);
        None
    }

    fn answer(&mut self) -> Wants {
        let asked = std::mem::take(&mut self.asked);
        self.feed(&asked)
    }

    fn names(&self, run: &Run, named: &References) -> minijinja::Value {
        of_calls(&self.ground.pinned.task, run, named)
    }

    fn at(&mut self, now: DateTime<Utc>) {
        self.ground.clock = now;
    }
}

/// Whether nothing is to be done before a person answers.
fn only_a_person(wants: &Wants, run: &Run) -> bool {
    let asked = |key: &Key| run.call(key).is_some_and(|call| !call.gates.is_empty());
    wants.end.is_none()
        && wants.notes.is_empty()
        && run.gates() > 0
        && run.under_way() == 0
        && wants.calls.iter().all(|want| asked(&want.key))
}

fn wants(pass: &mut Pass, ground: &Ground) -> Wants {
    let mut evaluation = ground.look();
    pass.tell(&ground.plan, &mut evaluation);
    let mut wants = Wants::default();
    match &pass.state {
        CodeState::Failed(failure) => wants.end = Some(End::Failed { key: None, failure: failure.clone() }),
        CodeState::Uncaught { key, failure } => {
            wants.end = Some(End::Failed { key: key.parse().ok(), failure: failure.clone() });
        }
        CodeState::Done { value, state } => {
            pass.leave(ground, &mut evaluation);
            for (name, value) in left(&ground.run, state.as_ref()) {
                evaluation.set_state(&Key::plain(STATE), &name, value);
            }
            pass.wants(&mut wants.calls);
            // A reopened call leaves its output standing, and yet a person or another attempt is waited for.
            if evaluation.notes.is_empty() && ground.run.gates_of_calls() == 0 && wants.calls.is_empty() {
                let (title, body) = result(value, &ground.pinned.task.name);
                wants.end = Some(End::Completed { title, body });
                wants.cancel = prompts_under_way(&ground.run);
            }
        }
        CodeState::Idle => {
            if let Some(failure) = pass.stuck() {
                wants.end = Some(End::Failed { key: None, failure });
            } else {
                pass.wants(&mut wants.calls);
                // Stable: equal priorities stay in the order in which they were asked for.
                wants.calls.sort_by_key(|want| std::cmp::Reverse(want.priority));
                limit::hold(&ground.run, ground.max_calls, &mut wants);
            }
        }
    }
    wants.notes = evaluation.notes;
    in_order_of_ends(&ground.run, &mut wants.notes);
    wants
}

/// What the code leaves: what it has changed, and what it had changed at an earlier end and does not any more.
fn left(run: &Run, after: Option<&Map<String, Value>>) -> Vec<(String, Value)> {
    let Some(after) = after else { return Vec::new() };
    let mut left = changed(&run.state, after);
    let set = run.set_state.iter().filter(|(_, set)| set.contains_key(&Key::plain(STATE))).map(|(name, _)| name);
    let dropped: Vec<&String> = set.filter(|name| !left.iter().any(|(changed, _)| changed == *name)).collect();
    left.extend(dropped.into_iter().map(|name| (name.clone(), run.state.get(name).cloned().unwrap_or_default())));
    left
}

/// The names of the state that the code has left with another value; those that it removed are `null`.
fn changed(before: &Value, after: &Map<String, Value>) -> Vec<(String, Value)> {
    let was = |name: &str| before.get(name).unwrap_or(&Value::Null);
    let mut changed: Vec<(String, Value)> = after
        .iter()
        .filter(|(name, value)| was(name) != *value)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let removed = before
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !after.contains_key(name.as_str()) && !value.is_null());
    changed.extend(removed.map(|(name, _)| (name.clone(), Value::Null)));
    changed
}

/// The result: `{title, body}`, or anything else as the body.
fn result(value: &Value, name: &str) -> (Untrusted, Untrusted) {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    let (title, body) = match value {
        Value::Object(fields) if fields.contains_key("body") => {
            let title = fields.get("title").map_or_else(|| name.to_owned(), text);
            (title, text(&fields["body"]))
        }
        other => (name.to_owned(), text(other)),
    };
    (Untrusted::from(title), Untrusted::from(body))
}

/// A failure of the definition's code.
pub fn broken(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Definition, message)
}

/// Whether a call still waits for something when the code has come to its end.
pub fn is_open(status: CallStatus) -> bool {
    matches!(
        status,
        CallStatus::Pending | CallStatus::Approval | CallStatus::Review | CallStatus::Input | CallStatus::Stale
    )
}

/// The hosts that the files of a definition that is code write.
fn code_hosts(pinned: &Pinned) -> Arc<[String]> {
    let sources = match &pinned.task.body {
        Body::Workflow(workflow) => match &workflow.flow {
            FlowKind::Script { sources, .. } | FlowKind::Process { sources, .. } => Some(sources),
            FlowKind::Graph => None,
        },
        Body::Instruct(_) => None,
    };
    let hosts = sources.into_iter().flatten().flat_map(|(_, text)| written_in(text));
    hosts.collect::<BTreeSet<String>>().into_iter().collect()
}
