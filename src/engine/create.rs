//! New runs: from a task, from another run, from a point in another run.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::core::call::{AttemptStatus, Call};
use crate::core::code::ErrorCode;
use crate::core::decide::Refusal;
use crate::core::document::Said;
use crate::core::event::{Created, Event, Lesson, Measured, Origin, OriginKind, Started};
use crate::core::fingerprint::Fingerprint;
use crate::core::form;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::{Run, Status};
use crate::core::task::{Body, FlowKind, Kind, Workflow};
use crate::core::text::Untrusted;
use crate::core::title;
use crate::core::usage::Budget;
use crate::engine::failpoint::failpoint;
use crate::engine::{Engine, EngineError};
use crate::flow::graph::Graph;

/// A run to be started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The definition, children included.
    pub pinned: Arc<Pinned>,
    /// What was given for its inputs, an object; files are read already.
    pub inputs: Value,
    /// The folder in which it is started.
    pub cwd: PathBuf,
    /// The session that it shares state and history with.
    pub session: Option<String>,
    /// The model in the place of the task's.
    pub model: Option<String>,
    /// What it may spend, in the place of the definition's budget.
    pub budget: Option<Budget>,
    /// The run that it is made from.
    pub origin: Option<Origin>,
}

/// A point in a run at which a new one is forked from it.
#[derive(Clone, Debug)]
pub struct Fork {
    /// That run.
    pub run: RunId,
    /// Neither this call nor what depends on it is taken over.
    pub at: Key,
    /// The definition of the new run.
    pub pinned: Arc<Pinned>,
    /// What it may spend; `None`: as much as that run.
    pub budget: Option<Budget>,
}

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its inputs are not valid: one message each.
    #[error("{}", .0.join("\n"))]
    Inputs(Vec<String>),
    /// This version cannot run its definition.
    #[error("{0}")]
    Definition(String),
    /// The engine's own trouble.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl StartError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Inputs(_) => ErrorCode::InvalidInput,
            Self::Definition(_) => ErrorCode::InvalidDefinition,
            Self::Engine(error) => error.code(),
        }
    }
}

/// How many earlier runs of a session a new one remembers.
const SESSION_RUNS: usize = 10;

impl Engine {
    /// Creates a run. It is committed when this returns; [`Engine::drive`] makes it go on.
    ///
    /// # Errors
    /// When the inputs are not valid, the definition cannot be run, or the store cannot be used.
    pub fn start(&self, start: &Start) -> Result<RunId, StartError> {
        self.create(start, &[])
    }

    /// Creates a run that adopts every standing call of another that does not depend on one call. Effects that
    /// happened there are not performed again.
    ///
    /// # Errors
    /// As [`Engine::start`], and when there is no such run or call.
    pub fn fork(&self, fork: &Fork) -> Result<RunId, StartError> {
        let old = self.load(fork.run)?;
        if old.newer {
            return Err(EngineError::from(Refusal::newer()).into());
        }
        if old.call(&fork.at).is_none() {
            let text = format!("run {} has no call `{}`", old.id.short(), fork.at);
            return Err(EngineError::from(Refusal::new(ErrorCode::NoCall, text)).into());
        }
        if old.actions.contains_key(&fork.at) {
            let text = format!("`{}` is an action on a document; fork at a call of the run", fork.at);
            return Err(EngineError::from(Refusal::new(ErrorCode::NotAllowed, text)).into());
        }
        let adopted = match old.kind {
            Kind::Workflow => standing_besides(&old, fork),
            Kind::Instruct => said_before(&old, &fork.at),
        };
        let start = Start {
            pinned: Arc::clone(&fork.pinned),
            inputs: (*old.inputs).clone(),
            cwd: old.cwd.clone(),
            session: old.session.clone(),
            model: old.model.clone(),
            budget: fork.budget.or(old.budget),
            origin: Some(Origin {
                run: old.id,
                how: OriginKind::Fork,
                at: Some(fork.at.clone()),
                seq: Some(old.seq),
                handed_over: old.origin.as_ref().is_some_and(Origin::hands_over),
            }),
        };
        self.create(&start, &adopted)
    }

    /// What may follow a completed run: the ids of workflows, and the inputs of each.
    ///
    /// # Errors
    /// When an expression of `[[then]]` does not work out, or the store cannot be used.
    pub fn successors(&self, run: RunId) -> Result<Vec<(String, Value)>, StartError> {
        let run = self.load(run)?;
        if run.status != Status::Completed {
            return Ok(Vec::new());
        }
        let pinned = self.definition(&run)?;
        Graph::new(pinned).successors(&run).map_err(|failure| StartError::Definition(failure.message))
    }

    fn create(&self, start: &Start, more: &[Event]) -> Result<RunId, StartError> {
        let ports = &self.shared.ports;
        let task = &start.pinned.task;
        let inputs = form::fill(&task.inputs, &start.inputs).map_err(StartError::Inputs)?;
        let now = ports.clock.now();
        let run = RunId::new(u64::try_from(now.timestamp_millis()).unwrap_or(0), ports.clock.random());
        let definition = start.pinned.hash().map_err(|error| StartError::Definition(error.to_string()))?;
        let (state, earlier_runs) = match &start.session {
            Some(name) => self.session(name)?,
            None => (Value::Null, Vec::new()),
        };
        let learned = self.learned_for(&start.pinned)?;
        let nonce = Fingerprint::of_bytes(&ports.clock.random()).as_str()[..20].to_owned();
        let created = Created {
            task: task.id.clone(),
            kind: task.kind(),
            title: title::of_run(&start.pinned.task, &inputs),
            by: self.who.clone(),
            cwd: start.cwd.clone(),
            inputs: Arc::new(inputs),
            definition,
            date: Some(now.with_timezone(&chrono::Local).format("%Y-%m-%d").to_string()),
            nonce,
            session: start.session.clone(),
            state,
            earlier_runs,
            learned,
            model: start.model.clone(),
            budget: start.budget.map(|budget| budget.over(start.pinned.budget())),
            origin: start.origin.clone(),
        };
        failpoint("create.before");
        let made = self.patiently_here(|store| store.create(run, now, &created, more, &start.pinned));
        made.map_err(EngineError::from)?;
        failpoint("create.after");
        Ok(run)
    }

    /// What was learned of the steps of a definition, its children's included. A lesson is kept with the definition that
    /// declares its step, whichever run it was taught in.
    fn learned_for(&self, pinned: &Pinned) -> Result<Vec<Lesson>, EngineError> {
        let mut lessons = Vec::new();
        for (workflow, task) in pinned.workflows() {
            let workflow = workflow.map(str::to_owned);
            let learned = self.with_store(|store| store.learned(Some(&task.id)))?;
            lessons.extend(learned.into_iter().map(|l| Lesson { workflow: workflow.clone(), ..l.lesson }));
        }
        Ok(lessons)
    }

    /// The state of a session, and what its last runs were asked and gave.
    fn session(&self, name: &str) -> Result<(Value, Vec<(String, Untrusted)>), EngineError> {
        let (state, runs) = self.with_store(|store| store.session(name, SESSION_RUNS))?;
        let mut earlier = Vec::with_capacity(runs.len());
        for run in runs {
            let run: Run = self.load(run)?;
            if let Some(result) = run.result {
                earlier.push((run.title, result.body));
            }
        }
        Ok((state, earlier))
    }
}

/// Every standing call that does not depend on one.
fn standing_besides(old: &Run, fork: &Fork) -> Vec<Event> {
    let at = &fork.at;
    let dependents = old.dependents(at);
    // Code has made everything after a call from everything before it.
    let graph = matches!(&fork.pinned.task.body, Body::Workflow(Workflow { flow: FlowKind::Graph, .. }));
    let before = old.calls.values().filter(|call| call.key.is_within(at)).map(|call| call.heard).min();
    let others = old.flow_calls().filter(|call| !call.key.is_within(at) && !dependents.contains(&call.key));
    let mut adopted: Vec<&Call> = others.filter(|call| graph || call.settled < before).collect();
    // It is told results in the order in which they were settled.
    adopted.sort_by_key(|call| call.settled);
    adopted.into_iter().filter_map(|call| adopt(old, call)).collect()
}

/// A conversation up to one of its replies.
fn said_before(old: &Run, at: &Key) -> Vec<Event> {
    let before = old.said.iter().take_while(|said| !matches!(said, Said::Model { key, .. } if key == at));
    before
        .flat_map(|said| match said {
            Said::Person(text) => vec![Event::MessageAdded { text: text.clone(), by: old.by.clone() }],
            Said::Model { key, attempt, version } => replied(old, key, *attempt, *version),
            Said::Written { name, version, .. } => written(old, name, *version).into_iter().collect(),
        })
        .collect()
}

/// A reply of the old conversation: the one that was accepted is taken over. One that the person stopped was said as well,
/// with as much of it as had arrived.
fn replied(old: &Run, key: &Key, attempt: u32, version: u32) -> Vec<Event> {
    let Some(call) = old.call(key) else { return Vec::new() };
    if call.standing.as_ref().is_some_and(|stands| (stands.attempt, stands.version) == (attempt, version)) {
        return adopt(old, call).into_iter().collect();
    }
    let Some(stopped) = call.attempt(attempt).filter(|attempt| attempt.status == AttemptStatus::Cancelled) else {
        return Vec::new();
    };
    let started = Started {
        key: key.clone(),
        workflow: None,
        step: call.step.clone(),
        attempt,
        fingerprint: stopped.fingerprint.clone(),
        by: stopped.by.clone(),
        work: None,
        item: None,
        depends: Vec::new(),
        on_crash: stopped.on_crash,
    };
    let partial = stopped.partial.clone();
    let (key, by, measured) = (key.clone(), old.by.clone(), Measured::default());
    vec![Event::AttemptStarted(started), Event::AttemptCancelled { key, attempt, partial, again: false, by, measured }]
}

fn written(old: &Run, name: &str, version: u32) -> Option<Event> {
    let written = old.documents.get(name)?.versions.get(version.checked_sub(1)? as usize)?;
    Some(Event::DocumentWritten {
        name: name.to_owned(),
        version,
        title: written.title.clone(),
        body: written.body.clone(),
        // The call of an action is not taken over; the person who asked for its text wanted it.
        by: if written.action.is_some() { old.by.clone() } else { written.by.clone() },
        proposed: false,
        action: None,
    })
}

fn adopt(old: &Run, call: &Call) -> Option<Event> {
    let standing = call.standing.as_ref()?;
    let work = call.attempt(standing.attempt).and_then(|attempt| attempt.work.clone());
    Some(Event::CallAdopted {
        key: call.key.clone(),
        workflow: call.workflow.clone(),
        step: call.step.clone(),
        fingerprint: standing.fingerprint.clone(),
        output: Arc::clone(&standing.output),
        work: work.filter(|_| old.kind == Kind::Workflow),
        from: old.id,
    })
}
