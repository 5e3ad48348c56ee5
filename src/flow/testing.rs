//! A run in memory for the tests of flows: what is wanted is performed at once, and every session is held against one
//! opened anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use crate::core::actor::Actor;
use crate::core::call::CallStatus;
use crate::core::decide::{Decision, DecisionKind, decide};
use crate::core::event::{Created, Event, Measured, Started};
use crate::core::failure::Failure;
use crate::core::gate::{Answer, ApprovalBody, Gate, GateBody, GateKind, InputBody};
use crate::core::id::RunId;
use crate::core::model::Finish;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::step::OnCrash;
use crate::core::task::{Kind, Task};
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::flow::{Approval, End, Flow, Session, Want, Wants};

type Perform = dyn Fn(&Want, u32) -> Result<Value, Failure>;

/// A run in memory, with steps that answer as told.
pub struct Sim {
    pub pinned: Arc<Pinned>,
    pub flow: Box<dyn Flow>,
    pub session: Box<dyn Session>,
    pub run: Run,
    pub journal: Vec<Event>,
    pub perform: Box<Perform>,
    pub performed: Vec<String>,
    /// Whose answers the limit of tokens cuts.
    pub cuts: fn(&Want) -> bool,
    /// Which attempts end with the process that performs them.
    pub crashes: fn(&Want, u32) -> bool,
    pub end: Option<End>,
    /// Forms and approvals are asked of the person, as the engine does; else they are performed as anything else.
    pub asks: bool,
}

pub fn workflow(steps: &Value) -> Task {
    workflow_with(steps, &json!({}))
}

pub fn workflow_with(steps: &Value, more: &Value) -> Task {
    let mut workflow = json!({
        "version": 1, "flow": "graph", "max_concurrency": 4, "max_calls": 500,
        "retry": { "attempts": 1, "delay": 0, "backoff": 1.0, "max_delay": 0, "on": [] },
        "steps": steps,
    });
    for (name, value) in more.as_object().unwrap() {
        workflow[name] = value.clone();
    }
    serde_json::from_value(json!({ "id": "test", "name": "Test", "body": { "workflow": workflow } })).unwrap()
}

/// A transform step.
pub fn step(id: &str, expr: &str, rules: &Value) -> Value {
    json!({ "id": id, "does": { "kind": "transform", "expr": expr }, "rules": rules })
}

/// A prompt step.
pub fn prompt(id: &str, prompt: &str, rules: &Value) -> Value {
    json!({ "id": id, "does": { "kind": "prompt", "prompt": prompt }, "rules": rules })
}

/// What a fake model says: the prompt in capitals.
#[expect(clippy::unnecessary_wraps, reason = "it has the shape of steps that may fail")]
pub fn shout(want: &Want, _: u32) -> Result<Value, Failure> {
    match &*want.work {
        Work::Prompt(prompt) => Ok(json!(prompt.messages.last().unwrap().text.to_uppercase())),
        Work::Transform { value, .. } => Ok(value.clone()),
        other => Ok(json!(other.kind())),
    }
}

impl Sim {
    pub fn new(task: Task, inputs: Value) -> Self {
        Self::performing(task, inputs, shout)
    }

    pub fn performing(
        task: Task,
        inputs: Value,
        perform: impl Fn(&Want, u32) -> Result<Value, Failure> + 'static,
    ) -> Self {
        let pinned = Arc::new(Pinned { task, children: std::collections::BTreeMap::new(), folder: None });
        Self::of(&pinned, inputs, perform)
    }

    /// A run of a pinned definition.
    pub fn of(
        pinned: &Arc<Pinned>,
        inputs: Value,
        perform: impl Fn(&Want, u32) -> Result<Value, Failure> + 'static,
    ) -> Self {
        let mut sim = Self::unsettled(pinned, inputs, perform);
        sim.settle(&[]);
        sim
    }

    /// A run in which a person fills in the forms and allows the effects.
    pub fn asking(
        pinned: &Arc<Pinned>,
        inputs: Value,
        perform: impl Fn(&Want, u32) -> Result<Value, Failure> + 'static,
    ) -> Self {
        let mut sim = Self { asks: true, ..Self::unsettled(pinned, inputs, perform) };
        sim.settle(&[]);
        sim
    }

    /// A run of which nothing has been asked yet.
    pub fn unsettled(
        pinned: &Arc<Pinned>,
        inputs: Value,
        perform: impl Fn(&Want, u32) -> Result<Value, Failure> + 'static,
    ) -> Self {
        let created = Created {
            task: "test".into(),
            kind: Kind::Workflow,
            title: "Test".into(),
            by: "ana@here".into(),
            cwd: "/".into(),
            inputs: Arc::new(inputs),
            definition: pinned.hash().unwrap(),
            nonce: "n".into(),
            date: None,
            session: None,
            state: Value::Null,
            earlier_runs: Vec::new(),
            learned: Vec::new(),
            model: None,
            budget: None,
            origin: None,
        };
        let run = Run::new(RunId::new(1, [0; 10]), DateTime::UNIX_EPOCH, &created);
        let flow = crate::flow::of(pinned, &crate::flow::Environment::new());
        let session = flow.open(&run);
        let journal = vec![Event::RunCreated(created)];
        Self {
            pinned: Arc::clone(pinned),
            flow,
            session,
            run,
            journal,
            perform: Box::new(perform),
            performed: Vec::new(),
            cuts: |_| false,
            crashes: |_, _| false,
            end: None,
            asks: false,
        }
    }

    /// What a run wants first, of which nothing has been performed.
    pub fn first_wants(task: Task, inputs: Value) -> Wants {
        let pinned = Arc::new(Pinned { task, children: BTreeMap::new(), folder: None });
        let mut sim = Self::unsettled(&pinned, inputs, shout);
        sim.session.feed(&[])
    }

    pub fn apply(&mut self, event: Event) {
        self.run.apply(self.run.seq + 1, DateTime::UNIX_EPOCH, &event);
        self.journal.push(event);
    }

    /// Feeds, performs and feeds again until only a person can make it go on.
    pub fn settle(&mut self, fed: &[Event]) {
        let mut unfed = fed.to_vec();
        for _ in 0..1_000 {
            self.session.at(self.run.updated_at);
            let wants = self.session.feed(&unfed);
            let anew = self.flow.open(&self.run).feed(&[]);
            assert_eq!(wants.notes, anew.notes, "a session that was opened again notes something else");
            // As in the engine, nothing begins while there is something to note.
            if wants.notes.is_empty() {
                assert_eq!(wants, anew, "a session that was opened again wants something else");
            }
            unfed.clear();
            for note in &wants.notes {
                self.apply(note.clone());
                unfed.push(note.clone());
            }
            self.end = wants.end;
            if wants.notes.is_empty() && self.end.is_none() {
                for want in &wants.calls {
                    for event in self.perform(want) {
                        self.apply(event.clone());
                        unfed.push(event);
                    }
                }
            }
            if unfed.is_empty() {
                return;
            }
        }
        panic!("the graph does not come to rest");
    }

    /// What the person is asked for before a call is performed, or to perform it; `None` when they are asked for nothing.
    fn asked(&self, want: &Want) -> Option<Vec<Event>> {
        let call = self.run.call(&want.key);
        let gate = call.and_then(|call| call.gates.own());
        let attempt = call.map_or(1, crate::core::call::Call::next_attempt);
        let open = |attempt, body, allowed| {
            let gate = Gate {
                call: None,
                key: want.key.clone(),
                workflow: want.workflow.clone(),
                attempt,
                version: 0,
                body,
                allowed,
            };
            Event::GateOpened(gate)
        };
        if want.approval != Approval::None && call.and_then(|call| call.approved.as_ref()) != Some(&want.fingerprint) {
            let fingerprint = want.fingerprint.clone();
            let (step, work, bytes) = (want.step.clone(), Arc::clone(&want.work), fingerprint.clone());
            let body = GateBody::Approval(ApprovalBody {
                step,
                work,
                bytes,
                behind: None,
                fingerprint,
                title: None,
                message: None,
            });
            let same = gate.is_some_and(|gate| gate.body == body);
            let allowed = vec![Answer::Approve, Answer::Deny, Answer::Skip];
            return Some(if same { Vec::new() } else { vec![open(attempt, body, allowed)] });
        }
        let Work::Ask { text, fields } = &*want.work else { return None };
        if call.is_some_and(|call| call.status == CallStatus::Input) {
            return Some(Vec::new());
        }
        let body = GateBody::Input(InputBody::Form { text: text.clone(), fields: fields.clone() });
        Some(vec![Self::started(want, attempt, Actor::Person), open(attempt, body, vec![Answer::Answer, Answer::Skip])])
    }

    fn started(want: &Want, attempt: u32, by: Actor) -> Event {
        Event::AttemptStarted(Started {
            key: want.key.clone(),
            workflow: want.workflow.clone(),
            step: want.step.clone(),
            attempt,
            fingerprint: want.fingerprint.clone(),
            by,
            work: Some(Arc::clone(&want.work)),
            item: want.item.clone(),
            depends: want.depends.clone(),
            on_crash: want.on_crash.unwrap_or(OnCrash::Ask),
        })
    }

    pub fn perform(&mut self, want: &Want) -> Vec<Event> {
        if let Some(asked) = self.asks.then(|| self.asked(want)).flatten() {
            return asked;
        }
        let call = self.run.call(&want.key);
        if call.is_some_and(|call| matches!(call.status, CallStatus::Input | CallStatus::Approval)) {
            return Vec::new();
        }
        let attempt = call.map_or(1, crate::core::call::Call::next_attempt);
        self.performed.push(want.key.to_string());
        let started = Self::started(want, attempt, Actor::Model);
        let finish = (self.cuts)(want).then_some(Finish::Length);
        let (key, measured) = (want.key.clone(), Measured { finish, ..Measured::default() });
        let ended = match (self.perform)(want, attempt) {
            _ if (self.crashes)(want, attempt) => {
                let (partial, by) = (Untrusted::default(), Actor::Crash);
                Event::AttemptCancelled { key, attempt, partial, again: true, by, measured }
            }
            Ok(output) => Event::AttemptFinished { key, attempt, output: Arc::new(output), problem: None, measured },
            Err(error) => {
                // One that says when is tried again by itself.
                let retry_at = error.retry_after_ms.map(|_| DateTime::UNIX_EPOCH);
                Event::AttemptFailed { key, attempt, error, partial: Untrusted::default(), retry_at, measured }
            }
        };
        vec![started, ended]
    }

    pub fn decide(&mut self, key: &str, kind: DecisionKind) {
        let decision = Decision::new(key.parse().unwrap(), kind);
        let events = decide(&self.run, &decision, &"ana@here".into()).unwrap();
        for event in &events {
            self.apply(event.clone());
        }
        self.settle(&events);
    }

    pub fn accept_all(&mut self) {
        while let Some(key) = self.waiting(GateKind::Review).first().cloned() {
            self.decide(&key, DecisionKind::Accept);
        }
    }

    pub fn waiting(&self, kind: GateKind) -> Vec<String> {
        self.run.waiting().filter(|gate| gate.kind() == kind).map(|gate| gate.key.to_string()).collect()
    }

    pub fn output(&self, key: &str) -> Value {
        let call = self.run.call(&key.parse().unwrap()).unwrap_or_else(|| panic!("no call {key}"));
        call.standing.as_ref().map_or(Value::Null, |standing| (*standing.output).clone())
    }

    pub fn status(&self, key: &str) -> CallStatus {
        self.run.call(&key.parse().unwrap()).unwrap_or_else(|| panic!("no call {key}")).status
    }

    pub fn body(&self) -> String {
        match &self.end {
            Some(End::Completed { body, .. }) => body.data().to_owned(),
            other => panic!("not completed but {other:?}; {:?}", self.run.calls),
        }
    }

    pub fn failure(&self) -> (String, Failure) {
        match &self.end {
            Some(End::Failed { key, failure }) => (key.as_ref().unwrap().to_string(), failure.clone()),
            other => panic!("not failed but {other:?}"),
        }
    }
}
