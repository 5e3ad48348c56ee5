//! A run as the fold of its events. Whatever a screen, a list, an export or the engine knows of a run, it knows from here.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{Attempt, AttemptStatus, Call, CallStatus, Ending, Instruction, Stale, Standing, Version};
use super::document::{Document, DocumentVersion, Said};
use super::event::{Created, Event, Lesson, Measured, Origin, PauseReason, Recorded, Scope, Started};
use super::failure::Failure;
use super::fingerprint::Fingerprint;
use super::gate::{Gate, GateFor};
use super::id::RunId;
use super::key::Key;
use super::model::Role;
use super::step::OnCrash;
use super::task::Kind;
use super::text::Untrusted;
use super::usage::{Budget, Usage};
use super::work::Work;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Something is under way.
    Running,
    /// Only a person can make it go on.
    Waiting,
    /// It stands still, for a reason of its own.
    Paused,
    /// Done.
    Completed,
    /// Something failed; it can be taken up again.
    Failed,
    /// Stopped for good by a person.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Waiting, Self::Paused, Self::Completed, Self::Failed, Self::Cancelled];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is over, unless a person takes it up again.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// One message of a conversation, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub text: Untrusted,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// Its title.
    pub title: Untrusted,
    /// Its body.
    pub body: Untrusted,
}

/// Something that the flow decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// `when`, `switch`, `until`, `first`, `stop_when`.
    pub what: String,
    /// What came out.
    pub value: Value,
    /// The expression, and the values that it saw.
    pub why: Value,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The newest event that has been folded in.
    pub seq: u64,
    /// The task's id.
    pub task: String,
    /// Its kind.
    pub kind: Kind,
    /// What the person reads.
    pub title: String,
    /// Where it stands, as the journal has it.
    pub status: Status,
    /// Why it is paused.
    pub paused: Option<PauseReason>,
    /// Who started it.
    pub by: String,
    /// Where.
    pub cwd: PathBuf,
    /// The inputs, an object.
    pub inputs: Arc<Value>,
    /// The pinned definition.
    pub definition: Fingerprint,
    /// Marks this run's secrets in rendered work.
    pub nonce: String,
    /// The session.
    pub session: Option<String>,
    /// The session's state when it started.
    pub state: Value,
    /// What calls of this run set, by name and call.
    pub set_state: IndexMap<String, IndexMap<Key, Value>>,
    /// The session's earlier runs.
    pub earlier_runs: Vec<(String, Untrusted)>,
    /// What was learned when it started.
    pub learned: Vec<Lesson>,
    /// The model in the place of the task's.
    pub model: Option<String>,
    /// What it may spend, in the place of the definition's.
    pub budget: Option<Budget>,
    /// The run that it was made from.
    pub origin: Option<Origin>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When the newest event was written.
    pub updated_at: DateTime<Utc>,
    /// The calls, in the order in which they were first heard of.
    pub calls: IndexMap<Key, Call>,
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// The conversation of an instruct run and the edits of its document, in the order in which they happened.
    pub said: Vec<Said>,
    /// The documents, by name.
    pub documents: IndexMap<String, Document>,
    /// Instructions for calls of a step that had not started, with the event that gave them.
    pub remaining: Vec<(u64, Lesson)>,
    /// What was allowed so far.
    pub approved: HashSet<Fingerprint>,
    /// What the person should know.
    pub warnings: Vec<String>,
    /// The lines of a script's or program's log.
    pub log: Vec<Untrusted>,
    /// What the flow decided, the newest for each call and kind of decision.
    pub decided: HashMap<Key, Vec<Decided>>,
    /// The result.
    pub result: Option<RunResult>,
    /// Why it failed, and at which call.
    pub error: Option<(Option<Key>, Failure)>,
    /// What it used so far.
    pub usage: Usage,
    /// How many gates are open.
    open_gates: usize,
    /// How many attempts are under way.
    under_way: usize,
}

/// A journal that does not begin with `run_created`.
#[derive(Debug, thiserror::Error)]
#[error("the journal of run {0} does not begin with its creation: the store is damaged")]
pub struct NotARun(pub RunId);

impl Run {
    /// A run that has just been created.
    #[must_use]
    pub fn new(id: RunId, at: DateTime<Utc>, created: &Created) -> Self {
        let created = created.clone();
        Self {
            id,
            seq: 1,
            task: created.task,
            kind: created.kind,
            title: created.title,
            status: Status::Running,
            paused: None,
            by: created.by,
            cwd: created.cwd,
            inputs: created.inputs,
            definition: created.definition,
            nonce: created.nonce,
            session: created.session,
            state: created.state,
            set_state: IndexMap::new(),
            earlier_runs: created.earlier_runs,
            learned: created.learned,
            model: created.model,
            budget: created.budget,
            origin: created.origin,
            created_at: at,
            updated_at: at,
            calls: IndexMap::new(),
            messages: Vec::new(),
            said: Vec::new(),
            documents: IndexMap::new(),
            remaining: Vec::new(),
            approved: HashSet::new(),
            warnings: Vec::new(),
            log: Vec::new(),
            decided: HashMap::new(),
            result: None,
            error: None,
            usage: Usage::default(),
            open_gates: 0,
            under_way: 0,
        }
    }

    /// Folds a whole journal.
    ///
    /// # Errors
    /// When the first event is not `run_created`.
    pub fn fold(id: RunId, journal: &[Recorded]) -> Result<Self, NotARun> {
        let Some(Recorded { event: Event::RunCreated(created), at, .. }) = journal.first() else {
            return Err(NotARun(id));
        };
        let mut run = Self::new(id, *at, created);
        for recorded in &journal[1..] {
            run.apply(recorded.seq, recorded.at, &recorded.event);
        }
        Ok(run)
    }

    /// A call.
    #[must_use]
    pub fn call(&self, key: &Key) -> Option<&Call> {
        self.calls.get(key)
    }

    /// What waits for a person, in the order in which the calls were first heard of.
    pub fn waiting(&self) -> impl Iterator<Item = &Gate> {
        self.calls.values().filter_map(|call| call.gate.as_ref())
    }

    /// The calls that used the output of `key`, or of one that did: what an edit of it may make stale.
    #[must_use]
    pub fn dependents(&self, key: &Key) -> Vec<Key> {
        let mut found: Vec<Key> = Vec::new();
        let mut sources = vec![key.clone()];
        while let Some(source) = sources.pop() {
            for call in self.calls.values() {
                let uses = call.depends.iter().any(|named| names(named, &source));
                if uses && call.key != *key && !found.contains(&call.key) {
                    found.push(call.key.clone());
                    sources.push(call.key.clone());
                }
            }
        }
        found
    }

    /// How many gates are open.
    #[must_use]
    pub fn gates(&self) -> usize {
        self.open_gates
    }

    /// How many attempts are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Folds one event in. It never fails: what does not fit is passed over, so that a journal written by a later
    /// minor version can still be read.
    pub fn apply(&mut self, seq: u64, at: DateTime<Utc>, event: &Event) {
        self.seq = seq;
        self.updated_at = at;
        if let Some(key) = event.key() {
            let before = self.calls.get(key).map_or((false, false), weight);
            self.apply_to_call(seq, at, key, event);
            if let Some(call) = self.calls.get_mut(key) {
                call.seq = seq;
                let after = weight(call);
                self.open_gates = self.open_gates + usize::from(after.0) - usize::from(before.0);
                self.under_way = self.under_way + usize::from(after.1) - usize::from(before.1);
            }
            if event.moves_run() {
                self.goes_on();
            }
        } else {
            self.apply_to_run(event);
        }
    }

    fn goes_on(&mut self) {
        if self.status != Status::Running && self.status != Status::Cancelled {
            self.status = Status::Running;
            self.paused = None;
        }
    }

    fn apply_to_run(&mut self, event: &Event) {
        match event {
            Event::RunResumed { .. } => {
                self.status = Status::Running;
                self.paused = None;
                self.error = None;
            }
            Event::RunWaiting {} => self.status = Status::Waiting,
            Event::RunPaused { reason } => {
                self.status = Status::Paused;
                self.paused = Some(*reason);
            }
            Event::RunCompleted { title, body } => {
                self.status = Status::Completed;
                self.error = None;
                self.result = Some(RunResult { title: title.clone(), body: body.clone() });
            }
            Event::RunFailed { key, error } => {
                self.status = Status::Failed;
                self.error = Some((key.clone(), error.clone()));
            }
            Event::RunCancelled { .. } => {
                self.status = Status::Cancelled;
                self.paused = None;
                for call in self.calls.values_mut() {
                    call.gate = None;
                    // The counts below hold only if no attempt is left under way: its end may still be told after this.
                    if let Some(attempt) = call.attempts.last_mut()
                        && attempt.status == AttemptStatus::Running
                    {
                        attempt.status = AttemptStatus::Cancelled;
                    }
                    if matches!(
                        call.status,
                        CallStatus::Pending
                            | CallStatus::Approval
                            | CallStatus::Running
                            | CallStatus::Review
                            | CallStatus::Input
                            | CallStatus::Stale
                            | CallStatus::InDoubt
                    ) {
                        call.status = CallStatus::Cancelled;
                    }
                }
                self.open_gates = 0;
                self.under_way = 0;
            }
            Event::RunRenamed { title, .. } => self.title.clone_from(title),
            Event::RunUpdated { definition, .. } => self.definition = definition.clone(),
            Event::BudgetRaised { budget, .. } => {
                self.budget = Some(*budget);
                let mut closed = 0;
                for call in self.calls.values_mut() {
                    if call.gate.as_ref().is_some_and(|gate| gate.kind == GateFor::Budget) {
                        call.gate = None;
                        closed += 1;
                    }
                }
                self.open_gates -= closed;
                self.goes_on();
            }
            Event::MessageAdded { text, .. } => {
                self.messages.push(ChatMessage { role: Role::User, text: Untrusted::new(text.clone()) });
                self.said.push(Said::Person(text.clone()));
                self.close_inputs();
                self.goes_on();
            }
            Event::DocumentWritten { name, title, body, by, .. } => {
                let document = self
                    .documents
                    .entry(name.clone())
                    .or_insert_with(|| Document { name: name.clone(), versions: Vec::new() });
                document.versions.push(DocumentVersion { title: title.clone(), body: body.clone(), by: by.clone() });
                if self.kind == Kind::Instruct {
                    let version = u32::try_from(document.versions.len()).unwrap_or(u32::MAX);
                    self.said.push(Said::Written { name: name.clone(), version, by_model: by == "model" });
                }
                if name == "result" && self.status == Status::Completed {
                    self.result = Some(RunResult { title: title.clone(), body: body.clone() });
                }
            }
            Event::Warned { message, .. } => self.warnings.push(message.clone()),
            Event::Logged { text } => self.log.push(text.clone()),
            _ => {}
        }
    }

    /// A message of the person answers every question of the conversation.
    fn close_inputs(&mut self) {
        let mut closed = 0;
        for call in self.calls.values_mut() {
            if call.gate.as_ref().is_some_and(|gate| gate.kind == GateFor::Input) {
                call.gate = None;
                closed += 1;
                if call.status == CallStatus::Input {
                    call.status = CallStatus::Pending;
                }
            }
        }
        self.open_gates -= closed;
    }

    #[expect(clippy::too_many_lines, reason = "one arm per event: the fold reads best in one place")]
    fn apply_to_call(&mut self, seq: u64, at: DateTime<Utc>, key: &Key, event: &Event) {
        if let Event::FlowDecided { key, what, value, why } = event {
            let decided = self.decided.entry(key.clone()).or_default();
            decided.retain(|d| d.what != *what);
            decided.push(Decided { what: what.clone(), value: value.clone(), why: why.clone() });
            return;
        }
        if let Event::StateSet { name, value, .. } = event {
            self.set_state.entry(name.clone()).or_default().insert(key.clone(), value.clone());
            return;
        }
        if let Event::CallMoved { from, attempt, version, fingerprint, .. } = event {
            let Some(origin) = self.calls.get(from) else { return };
            let made = origin.attempt(*attempt).and_then(|made| made.versions.get(version.saturating_sub(1) as usize));
            let Some(output) = made.map(|made| Arc::clone(&made.output)) else { return };
            let step = origin.step.clone();
            let call = self.calls.entry(key.clone()).or_insert_with(|| Call::new(key.clone(), step));
            call.take_over(seq, at, "moved", fingerprint, &output);
            return;
        }
        let step = event.step().unwrap_or_else(|| key.step());
        let call = self.calls.entry(key.clone()).or_insert_with(|| Call::new(key.clone(), step.to_owned()));
        match event {
            Event::AttemptStarted(started) => call.start(at, started),
            Event::AttemptFinished { attempt, output, problem, measured, .. } => {
                self.usage += measured.usage;
                call.under_way_ended();
                let program = if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.status = AttemptStatus::Review;
                    attempt.measured = measured.clone();
                    attempt.problem.clone_from(problem);
                    attempt.versions.push(Version { by: attempt.by.clone(), output: Arc::clone(output) });
                    attempt.by.clone()
                } else {
                    String::new()
                };
                call.status = CallStatus::Pending;
                // A turn of a conversation speaks as soon as it has ended; there is no review of it.
                if program == "model"
                    && self.kind == Kind::Instruct
                    && let Some(text) = turn_text(output)
                {
                    self.messages.push(ChatMessage { role: Role::Assistant, text });
                }
            }
            Event::AttemptFailed { attempt, error, partial, retry_at, measured, .. } => {
                self.usage += measured.usage;
                call.under_way_ended();
                let fingerprint = call.fail_attempt(*attempt, error, partial, measured);
                call.retry_at = *retry_at;
                if retry_at.is_some() {
                    call.status = CallStatus::Pending;
                } else {
                    call.status = CallStatus::Failed;
                    call.again = false;
                    if let Some(fingerprint) = fingerprint {
                        call.ending = Some(Ending::Failed { fingerprint, failure: error.clone() });
                    }
                }
            }
            Event::AttemptCancelled { attempt, partial, again, measured, .. } => {
                self.usage += measured.usage;
                call.under_way_ended();
                call.status = CallStatus::Cancelled;
                if *again {
                    call.status = CallStatus::Pending;
                    call.tries = call.tries.saturating_sub(1);
                }
                if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.status = AttemptStatus::Cancelled;
                    attempt.partial = partial.clone();
                    attempt.measured = measured.clone();
                    if !partial.is_empty() && !*again {
                        let output = Arc::new(Value::String(partial.data().to_owned()));
                        attempt.versions.push(Version { by: attempt.by.clone(), output });
                    }
                }
                if self.kind == Kind::Instruct && !*again {
                    let version = u32::from(!partial.is_empty());
                    self.said.push(Said::Model { key: key.clone(), attempt: *attempt, version });
                    if !partial.is_empty() {
                        self.messages.push(ChatMessage { role: Role::Assistant, text: partial.clone() });
                    }
                }
            }
            Event::AttemptRejected { attempt, instruction, scope, .. } => {
                call.gate = None;
                call.status = CallStatus::Pending;
                call.again = true;
                call.tries = 0;
                call.retry_at = None;
                if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.status = AttemptStatus::Rejected;
                    attempt.instruction = Some(Instruction { text: instruction.clone(), scope: *scope });
                }
                if *scope != Scope::This && !instruction.is_empty() {
                    let lesson = Lesson { step: call.step.clone(), text: instruction.clone() };
                    self.remaining.push((seq, lesson));
                }
            }
            Event::VersionEdited { attempt, version, output, by, .. } => {
                if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.problem = None;
                    attempt.versions.push(Version { by: by.clone(), output: Arc::clone(output) });
                }
                if let Some(gate) = &mut call.gate {
                    gate.version = *version;
                    // An edit is only taken when it fits the schema.
                    gate.allowed = super::decide::review_answers(true);
                }
            }
            Event::GateOpened(gate) => {
                call.answer = None;
                call.wait(gate);
            }
            Event::CallAccepted { attempt, version, .. } => {
                call.accept(seq, *attempt, *version);
                if self.kind == Kind::Instruct {
                    self.said.push(Said::Model { key: key.clone(), attempt: *attempt, version: *version });
                }
            }
            Event::CallApproved { fingerprint, .. } => {
                call.gate = None;
                call.status = CallStatus::Pending;
                call.approved = Some(fingerprint.clone());
                self.approved.insert(fingerprint.clone());
            }
            Event::CallAnswered { attempt, value, by, .. } => call.answered(seq, *attempt, value, by),
            Event::CallSkipped { because, by, .. } => {
                call.gate = None;
                call.stale = None;
                call.again = false;
                call.retry_at = None;
                call.status = CallStatus::Skipped;
                let by_person = by != "flow";
                if by_person {
                    // What the person left out is not what later calls see.
                    call.standing = None;
                }
                call.ending = Some(Ending::Skipped { because: because.clone(), by_person });
            }
            Event::CallFailed { fingerprint, error, .. } => {
                call.gate = None;
                call.stale = None;
                call.again = false;
                call.status = CallStatus::Failed;
                call.ending = Some(Ending::Failed { fingerprint: fingerprint.clone(), failure: error.clone() });
            }
            Event::CallStaled { fingerprint, because, .. } => {
                call.status = CallStatus::Stale;
                call.gate = None;
                call.stale = Some(Stale { fingerprint: fingerprint.clone(), because: because.clone() });
            }
            Event::CallKept { fingerprint, .. } => call.keep(seq, fingerprint),
            Event::CallRestored { fingerprint, .. } => call.restore(fingerprint),
            Event::CallAdopted { fingerprint, output, .. } => {
                call.take_over(seq, at, "adopted", fingerprint, output);
                if let Some(standing) = call.standing.as_ref().filter(|_| self.kind == Kind::Instruct) {
                    let (attempt, version) = (standing.attempt, standing.version);
                    self.said.push(Said::Model { key: key.clone(), attempt, version });
                }
            }
            Event::CallReopened { .. } => {
                call.status = CallStatus::Review;
                call.ending = None;
            }
            Event::CallRequested { .. } => {
                call.gate = None;
                call.stale = None;
                call.ending = None;
                call.again = true;
                call.tries = 0;
                call.retry_at = None;
                call.status = CallStatus::Pending;
                if let Some(attempt) = call.attempts.last_mut()
                    && attempt.status == AttemptStatus::InDoubt
                {
                    attempt.status = AttemptStatus::Cancelled;
                }
            }
            Event::CallCancelled { .. } => {
                call.gate = None;
                call.stale = None;
                call.again = false;
                call.status = CallStatus::Cancelled;
            }
            Event::Warned { message, .. } => self.warnings.push(message.clone()),
            _ => {}
        }
    }
}

/// Whether a dependency on `named` is one on `source`: a step's name without an item stands for all its calls.
fn names(named: &Key, source: &Key) -> bool {
    let (named, source) = (named.segments(), source.segments());
    let Some((last, outer)) = named.split_last() else { return false };
    source.len() >= named.len()
        && source[..outer.len()] == *outer
        && source[outer.len()].id == last.id
        && (last.item.is_none() || last.item == source[outer.len()].item)
        && (last.iteration.is_none() || last.iteration == source[outer.len()].iteration)
}

/// Whether a call has an open gate, and whether it has an attempt under way.
fn weight(call: &Call) -> (bool, bool) {
    (call.gate.is_some(), call.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running))
}

/// What a turn of a conversation says to the person.
fn turn_text(output: &Value) -> Option<Untrusted> {
    let text = output.get("text").and_then(Value::as_str).unwrap_or_default();
    let text = if text.is_empty() { output.get("title").and_then(Value::as_str).unwrap_or_default() } else { text };
    (!text.is_empty()).then(|| Untrusted::from(text))
}

impl Call {
    fn start(&mut self, at: DateTime<Utc>, started: &Started) {
        self.step.clone_from(&started.step);
        self.status = CallStatus::Running;
        self.gate = None;
        self.stale = None;
        self.ending = None;
        self.approved = None;
        self.again = false;
        self.retry_at = None;
        self.tries += 1;
        self.item.clone_from(&started.item);
        self.depends.clone_from(&started.depends);
        for earlier in &mut self.attempts {
            // A form that was asked anew, an effect that a person had run again: nobody waits for the old one.
            if matches!(earlier.status, AttemptStatus::Input | AttemptStatus::InDoubt) {
                earlier.status = AttemptStatus::Cancelled;
            }
        }
        self.attempts.push(Attempt {
            number: started.attempt,
            status: AttemptStatus::Running,
            by: started.by.clone(),
            fingerprint: started.fingerprint.clone(),
            work: started.work.clone(),
            versions: Vec::new(),
            instruction: None,
            error: None,
            problem: None,
            partial: Untrusted::default(),
            started_at: at,
            measured: Measured::default(),
            on_crash: started.on_crash,
        });
    }

    fn under_way_ended(&mut self) {
        self.gate = None;
    }

    fn fail_attempt(
        &mut self,
        number: u32,
        error: &Failure,
        partial: &Untrusted,
        measured: &Measured,
    ) -> Option<Fingerprint> {
        let attempt = self.attempt_mut(number)?;
        attempt.status = AttemptStatus::Failed;
        attempt.error = Some(error.clone());
        attempt.partial = partial.clone();
        attempt.measured = measured.clone();
        Some(attempt.fingerprint.clone())
    }

    fn wait(&mut self, gate: &Gate) {
        self.status = match gate.kind {
            GateFor::Review => CallStatus::Review,
            GateFor::Approval => CallStatus::Approval,
            // A conversation asks for the next message after a turn that stands.
            GateFor::Input if self.status == CallStatus::Accepted => CallStatus::Accepted,
            GateFor::Input => CallStatus::Input,
            GateFor::InDoubt => CallStatus::InDoubt,
            GateFor::Stale => CallStatus::Stale,
            GateFor::Budget | GateFor::Secret => CallStatus::Pending,
        };
        if let Some(attempt) = self.attempt_mut(gate.attempt) {
            match gate.kind {
                GateFor::InDoubt => attempt.status = AttemptStatus::InDoubt,
                GateFor::Input if attempt.by == "person" => attempt.status = AttemptStatus::Input,
                _ => {}
            }
        }
        self.gate = Some(gate.clone());
    }

    fn accept(&mut self, seq: u64, number: u32, version: u32) {
        let Some(attempt) = self.attempt_mut(number) else { return };
        let Some(output) = attempt.versions.get(version.saturating_sub(1) as usize).map(|v| Arc::clone(&v.output))
        else {
            return;
        };
        attempt.status = AttemptStatus::Accepted;
        let fingerprint = attempt.fingerprint.clone();
        self.stand(Standing { attempt: number, version, fingerprint, output, seq });
    }

    fn stand(&mut self, standing: Standing) {
        self.status = CallStatus::Accepted;
        self.gate = None;
        self.stale = None;
        self.ending = None;
        self.again = false;
        self.retry_at = None;
        self.standing = Some(standing);
    }

    /// A result that was made elsewhere stands here, as an attempt of its own.
    fn take_over(&mut self, seq: u64, at: DateTime<Utc>, by: &str, fingerprint: &Fingerprint, output: &Arc<Value>) {
        let number = self.next_attempt();
        self.attempts.push(Attempt {
            number,
            status: AttemptStatus::Accepted,
            by: by.to_owned(),
            fingerprint: fingerprint.clone(),
            work: None,
            versions: vec![Version { by: by.to_owned(), output: Arc::clone(output) }],
            instruction: None,
            error: None,
            problem: None,
            partial: Untrusted::default(),
            started_at: at,
            measured: Measured::default(),
            on_crash: OnCrash::Rerun,
        });
        self.accept(seq, number, 1);
    }

    /// An answer is the output of a form; in the middle of a command it only lets that go on.
    fn answered(&mut self, seq: u64, number: u32, value: &Arc<Value>, by: &str) {
        let Some(attempt) = self.attempt_mut(number) else { return };
        if attempt.by == "program" && attempt.status == AttemptStatus::Running {
            self.gate = None;
            self.status = CallStatus::Running;
            self.answer = Some(Arc::clone(value));
            return;
        }
        attempt.versions.push(Version { by: by.to_owned(), output: Arc::clone(value) });
        let version = u32::try_from(attempt.versions.len()).unwrap_or(u32::MAX);
        self.accept(seq, number, version);
    }

    fn keep(&mut self, seq: u64, fingerprint: &Fingerprint) {
        self.stale = None;
        self.gate = None;
        if let Some(standing) = &mut self.standing {
            standing.fingerprint = fingerprint.clone();
            standing.seq = seq;
            self.status = CallStatus::Accepted;
        } else if let Some(attempt) = self.attempts.last_mut() {
            attempt.fingerprint = fingerprint.clone();
            self.status = CallStatus::Pending;
        }
    }

    fn restore(&mut self, fingerprint: &Fingerprint) {
        self.stale = None;
        self.gate = None;
        self.status = match &self.standing {
            Some(standing) if standing.fingerprint == *fingerprint => CallStatus::Accepted,
            _ => CallStatus::Pending,
        };
    }
}

impl Event {
    /// The call that this event is about.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::AttemptStarted(started) => Some(&started.key),
            Self::GateOpened(gate) => Some(&gate.key),
            Self::AttemptFinished { key, .. }
            | Self::AttemptFailed { key, .. }
            | Self::AttemptCancelled { key, .. }
            | Self::AttemptRejected { key, .. }
            | Self::VersionEdited { key, .. }
            | Self::CallAccepted { key, .. }
            | Self::CallApproved { key, .. }
            | Self::CallAnswered { key, .. }
            | Self::CallSkipped { key, .. }
            | Self::CallFailed { key, .. }
            | Self::CallStaled { key, .. }
            | Self::CallKept { key, .. }
            | Self::CallRestored { key, .. }
            | Self::CallMoved { key, .. }
            | Self::CallAdopted { key, .. }
            | Self::CallReopened { key, .. }
            | Self::CallRequested { key, .. }
            | Self::CallCancelled { key, .. }
            | Self::FlowDecided { key, .. }
            | Self::StateSet { key, .. } => Some(key),
            Self::Warned { .. }
            | Self::RunCreated(_)
            | Self::RunResumed { .. }
            | Self::RunWaiting {}
            | Self::RunPaused { .. }
            | Self::RunCompleted { .. }
            | Self::RunFailed { .. }
            | Self::RunCancelled { .. }
            | Self::RunRenamed { .. }
            | Self::RunUpdated { .. }
            | Self::BudgetRaised { .. }
            | Self::MessageAdded { .. }
            | Self::DocumentWritten { .. }
            | Self::Logged { .. } => None,
        }
    }

    /// The step's id, where the event names it.
    fn step(&self) -> Option<&str> {
        match self {
            Self::AttemptStarted(started) => Some(&started.step),
            Self::CallSkipped { step, .. } | Self::CallFailed { step, .. } | Self::CallAdopted { step, .. } => {
                Some(step)
            }
            _ => None,
        }
    }

    /// Whether a run that stood still goes on with this event: a decision, or work that begins.
    fn moves_run(&self) -> bool {
        matches!(
            self,
            Self::AttemptStarted(_)
                | Self::AttemptRejected { .. }
                | Self::CallAccepted { .. }
                | Self::CallApproved { .. }
                | Self::CallAnswered { .. }
                | Self::CallKept { .. }
                | Self::CallReopened { .. }
                | Self::CallRequested { .. }
        )
    }

    /// The work, where the event holds it.
    #[must_use]
    pub fn work(&self) -> Option<&Arc<Work>> {
        match self {
            Self::AttemptStarted(started) => started.work.as_ref(),
            _ => None,
        }
    }
}
