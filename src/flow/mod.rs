//! What comes next: a flow says which calls a run wants now, and does no I/O of its own.
//!
//! A [`Session`] is fed the run's events and answers with [`Wants`]. It is only a cache: dropped and opened again
//! from the folded run it must want the same, because after a crash that is what happens. The engine performs what
//! is wanted and does not stand, and knows nothing of graphs, scripts or conversations.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::core::decide::Following;
use crate::core::event::Event;
use crate::core::failure::Failure;
use crate::core::fingerprint::Fingerprint;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::step::{OnCrash, Retry, Timespan};
use crate::core::step_name::StepName;
use crate::core::task::{Body, FlowKind};
use crate::core::template::References;
use crate::core::text::Untrusted;
use crate::core::work::Work;

pub mod action;
pub mod chat;
mod documents;
mod effort;
mod evaluation;
mod feedback;
pub mod graph;
mod interrupt;
mod judge;
mod limit;
mod material;
mod memo;
mod mistake;
mod moved;
mod names;
mod plan;
pub mod scripted;
mod skip;
#[cfg(test)]
mod testing;
mod work;

pub use self::interrupt::Interrupt;

/// Decides which calls come next.
pub trait Flow: Send + Sync {
    /// Opens a session on a run as it stands. The session has seen every event up to `run.seq`.
    fn open(&self, run: &Run) -> Box<dyn Session>;

    /// Which calls come after a call; `None`: nothing but code says so.
    fn following(&self, _key: &Key) -> Option<Following> {
        None
    }
}

/// Variables that a person has configured for what is started: they go into its clean environment.
pub type Environment = BTreeMap<String, String>;

/// The flow of a pinned definition. `environment` is for a definition that is a program.
#[must_use]
pub fn of(pinned: &Arc<Pinned>, environment: &Environment) -> Box<dyn Flow> {
    interruptible(pinned, environment, &Interrupt::default())
}

/// The same; once `interrupt` is raised, its sessions come back from the code that somebody wrote within moments, and what
/// they give then counts for nothing.
#[must_use]
pub fn interruptible(pinned: &Arc<Pinned>, environment: &Environment, interrupt: &Interrupt) -> Box<dyn Flow> {
    match &pinned.task.body {
        Body::Instruct(_) => Box::new(chat::Chat::new(Arc::clone(pinned))),
        Body::Workflow(workflow) => match workflow.flow {
            FlowKind::Graph => Box::new(graph::Graph::new(Arc::clone(pinned))),
            FlowKind::Script { .. } | FlowKind::Process { .. } => {
                let scripted = scripted::Scripted::new(Arc::clone(pinned));
                Box::new(scripted.with_environment(environment).with_interrupt(interrupt))
            }
        },
    }
}

/// A live cache of what a flow makes of a run.
pub trait Session: Send {
    /// Takes the events that came since the last call, in order (none at first), and says what is wanted now.
    ///
    /// Called again with the notes that it gave, once they are in the journal. It may take as long as a program's
    /// answer takes.
    fn feed(&mut self, events: &[Event]) -> Wants;

    /// As [`Session::feed`], if the answer comes within moments. `None`: it takes longer, or may, and is to be waited for
    /// where blocking is allowed, by [`Session::answer`].
    fn ask(&mut self, events: &[Event]) -> Option<Wants> {
        Some(self.feed(events))
    }

    /// Waits for what [`Session::ask`] did not give.
    fn answer(&mut self) -> Wants {
        self.feed(&[])
    }

    /// What is seen of the run by what is asked about its documents: the names of its result, as far as it has come, without
    /// the steps that are not `named`. `run` is what it was fed.
    fn names(&self, run: &Run, named: &References) -> minijinja::Value;

    /// Says what time it is, before events are fed. A flow that tells its author the time has it journaled.
    fn at(&mut self, _now: DateTime<Utc>) {}
}

/// What a run wants now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wants {
    /// What the flow decided and the journal does not have yet: skipped, staled, restored, moved and accepted calls,
    /// opened reviews, decisions with their reasons, documents, warnings. To be appended in this order, then fed back.
    pub notes: Vec<Event>,
    /// The calls to perform, in the order of their priority and then of their declaration. Those that run already
    /// are among them.
    pub calls: Vec<Arc<Want>>,
    /// Calls that are under way and that nothing needs any more: losers of a `first`, prompts after a `stop_when`.
    pub cancel: Vec<Key>,
    /// How the run ends, once nothing runs; `None` while calls are wanted or a person is waited for.
    pub end: Option<End>,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// It is done.
    Completed {
        /// The result's title.
        title: Untrusted,
        /// The result's body.
        body: Untrusted,
    },
    /// Something failed.
    Failed {
        /// The call.
        key: Option<Key>,
        /// Why.
        failure: Failure,
    },
}

/// A call that a run wants performed.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    /// Its name.
    pub key: Key,
    /// The child workflow that declares its step; `None`: the run's own definition does.
    pub workflow: Option<String>,
    /// Its step.
    pub step: String,
    /// What it is asked to do.
    pub fingerprint: Fingerprint,
    /// That, with every template rendered.
    pub work: Arc<Work>,
    /// The item of a fan-out.
    pub item: Option<Arc<Value>>,
    /// The names that code hands over, an object.
    pub vars: Option<minijinja::Value>,
    /// The calls whose outputs it uses.
    pub depends: Vec<Key>,
    /// Whether a person has to allow it first.
    pub approval: Approval,
    /// What the definition says to that person.
    pub approval_text: ApprovalText,
    /// How it is tried again.
    pub retry: Retry,
    /// The time for one attempt.
    pub timeout: Option<Timespan>,
    /// What a crash does; `None`: as the rules of its tool say.
    pub on_crash: Option<OnCrash>,
    /// Higher first when a limit makes calls wait.
    pub priority: i64,
    /// Limits of their own, of its step and of the groups around it: each a key, and how many of the calls that have it
    /// run at a time.
    pub lanes: Vec<(Key, usize)>,
    /// An accepted result of an earlier run within that age may stand in for an attempt.
    pub cache: Option<Timespan>,
}

impl Want {
    /// Its step, named across all definitions of the run.
    #[must_use]
    pub fn of(&self) -> StepName<'_> {
        StepName { workflow: self.workflow.as_deref(), step: &self.step }
    }
}

/// What a definition says to the person who allows a call: `approve_title` and `approve_message`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalText {
    /// One line.
    pub title: Option<Untrusted>,
    /// More.
    pub message: Option<Untrusted>,
}

/// Whether a person has to allow a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// No.
    #[default]
    None,
    /// Yes.
    Each,
    /// Yes, but one leave covers all calls with identical work.
    Once,
    /// As the rules of the tool that it calls say.
    Tool,
    /// Yes, because nobody has named the host that it asks, unless the config does.
    Host {
        /// The host and its port.
        host: String,
        /// One answer is for every request of the run to that host.
        once: bool,
    },
}
