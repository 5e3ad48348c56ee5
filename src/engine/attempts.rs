//! The attempts of a run that is driven: those that are about to begin, those under way, and what is left of others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::core::actor::Actor;
use crate::core::failure::Failure;
use crate::core::key::Key;
use crate::core::ports::{AttemptOutcome, CallOutcome};
use crate::core::step::Retry;
use crate::core::tool::ToolSpec;
use crate::core::tool_call::ToolCallId;
use crate::core::usage::Usage;
use crate::engine::attempt::Partial;
use crate::engine::orphan::Program;
use crate::engine::spending::Spending;
use crate::flow::Want;

/// The attempts of a run.
pub struct Attempts {
    /// They begin when what is staged is committed.
    pub starting: Vec<Starting>,
    /// Those that have begun.
    pub under_way: HashMap<Key, UnderWay>,
    /// Where those that have come to their end say so, and where that is heard.
    pub ended: mpsc::UnboundedSender<FinishedUnit>,
    pub endings: mpsc::UnboundedReceiver<FinishedUnit>,
    /// Ended while the store was locked: taken in once it is free.
    pub late: Vec<FinishedUnit>,
    /// Where the answers go to what those ask that are under way, or a tool call of theirs.
    pub answers: HashMap<(Key, Option<ToolCallId>), oneshot::Sender<Value>>,
    /// What is under way because of a decision that was undone, and who undid it: broken off unless it is wanted all the same.
    pub taken_back: HashMap<Key, Actor>,
    /// What was spooled: removed when what is staged, which has it, is committed.
    pub spent: Vec<String>,
    /// Programs that still run although the process that started them is gone.
    pub left: Vec<Program>,
    /// Those of them that are being ended.
    pub ending: JoinSet<()>,
    /// What they may spend.
    pub spending: Arc<Spending>,
    /// When the next one that failed is tried again.
    pub retry_at: Option<DateTime<Utc>>,
}

impl Attempts {
    /// Whether something of a call is at work, or about to be.
    pub fn is_at_work(&self, key: &Key) -> bool {
        self.under_way.contains_key(key) || self.starting.iter().any(|starting| starting.want.key == *key)
    }

    /// None yet, after a process that has left these programs.
    pub fn after(left: Vec<Program>) -> Self {
        let (ended, endings) = mpsc::unbounded_channel();
        Self {
            starting: Vec::new(),
            under_way: HashMap::new(),
            ended,
            endings,
            late: Vec::new(),
            answers: HashMap::new(),
            taken_back: HashMap::new(),
            spent: Vec::new(),
            left,
            ending: JoinSet::new(),
            spending: Arc::default(),
            retry_at: None,
        }
    }
}

/// What of an attempt is performed as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// All of it: what most attempts are.
    Whole,
    /// The listing of the tools that its model may call.
    List,
    /// One request to such a model.
    Request,
    /// One call that it asked for.
    Call(ToolCallId),
}

/// Something whose intent is staged.
pub struct Starting {
    pub want: Arc<Want>,
    pub unit: Unit,
    /// What it is expected to use.
    pub estimate: Usage,
    /// The provider at which it has taken a place.
    pub provider: Option<String>,
}

/// An attempt that is at work.
pub struct UnderWay {
    pub attempt: u32,
    pub unit: Unit,
    /// The calls of tools that are under way, of [`Unit::Call`]: since when.
    pub calls: HashMap<ToolCallId, Instant>,
    pub cancel: CancellationToken,
    pub partial: Arc<Partial>,
    pub retry: Retry,
    pub lanes: Vec<(Key, usize)>,
    pub provider: Option<String>,
    pub estimate: Usage,
    pub since: Instant,
    /// Who breaks it off, if it is.
    pub broken_off_by: Actor,
}

/// A unit of an attempt that has come to its end.
#[derive(Clone)]
pub struct FinishedUnit {
    pub key: Key,
    pub attempt: u32,
    pub outcome: UnitOutcome,
}

#[derive(Clone)]
pub enum UnitOutcome {
    Attempt(AttemptOutcome),
    /// `None`: it was stopped.
    Listed(Option<Result<Vec<ToolSpec>, Failure>>),
    Called(ToolCallId, CallOutcome),
}
