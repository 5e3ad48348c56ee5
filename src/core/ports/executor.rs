//! Performing attempts.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::tools::{CallOutcome, ToolScope};
use super::{BoxFuture, Spool};
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::form::WrittenForm;
use crate::core::id::RunId;
use crate::core::kept_files::KeptFiles;
use crate::core::key::Key;
use crate::core::model::{Asker, DeltaSink};
use crate::core::secret::SecretRef;
use crate::core::step::Timespan;
use crate::core::text::Untrusted;
use crate::core::tool::{CallReturn, DeclaredTools, FinishedTurn, OfferedTools, OwnTool, ToolRules, ToolSpec};
use crate::core::tool_call::ToolCallId;
use crate::core::usage::Usage;
use crate::core::work::Work;

/// One attempt to be performed.
#[derive(Clone, Debug)]
pub struct AttemptRequest {
    /// The run.
    pub run: RunId,
    /// The call.
    pub key: Key,
    /// The attempt, from 1.
    pub attempt: u32,
    /// What to do; instructions are in its messages already.
    pub work: Arc<Work>,
    /// The time that it may take; `None`: no limit but the providers' own.
    pub timeout: Option<std::time::Duration>,
    /// The step's `max_delay`: a server that asks to wait longer is not waited for.
    pub longest_wait: Option<Timespan>,
    /// Who asks, for the demo model.
    pub asker: Asker,
    /// The folder in which the run was started.
    pub cwd: PathBuf,
    /// The files of the definition that declares the step, where the work names one of them.
    pub files: KeptFiles,
    /// The run's nonce, which marks its secrets.
    pub nonce: String,
    /// The secret inputs of the run: name and reference.
    pub secrets: Vec<(String, SecretRef)>,
    /// The tools that the definition declares.
    pub declared: Arc<DeclaredTools>,
    /// Of a prompt whose model calls tools.
    pub transcript: Option<Transcript>,
}

/// How far an attempt has come whose model calls tools. The next request to the model is made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// The tools that it may call, as they were listed.
    pub tools: Arc<[ToolSpec]>,
    /// The turns so far. Of each, every call has come to its end.
    pub turns: Vec<PastTurn>,
}

/// A turn, and what its calls came to.
#[derive(Clone, Debug, PartialEq)]
pub struct PastTurn {
    /// The turn.
    pub turn: Arc<FinishedTurn>,
    /// For each of its calls, in their order: what it came to, and the arguments where a person changed them.
    pub returned: Vec<(Arc<CallReturn>, Option<Arc<Value>>)>,
}

/// One call of a tool that a model asked for, and that may begin.
#[derive(Clone, Debug)]
pub struct ToolCallRequest {
    /// The run.
    pub run: RunId,
    /// The call of the flow.
    pub key: Key,
    /// Its attempt.
    pub attempt: u32,
    /// Which call of which turn.
    pub call: ToolCallId,
    /// The tool.
    pub tool: String,
    /// The arguments, as they were allowed.
    pub arguments: Arc<Value>,
    /// The tool, where it is the definition's own.
    pub own: Option<OwnTool>,
    /// From where it is called.
    pub scope: ToolScope,
    /// The files of the definition that declares it.
    pub files: KeptFiles,
    /// The longest wait; `None`: no limit.
    pub timeout: Option<Timespan>,
}

/// A form that a command or a tool asks for in the middle of its work: the fields as [`crate::core::form::Field`]s in JSON. It
/// gives the answer; `false`: the person declined; `null`: nobody answers any more.
pub type AskSink = Arc<dyn Fn(WrittenForm) -> BoxFuture<'static, Value> + Send + Sync>;

/// Whether an attempt that has used so much may send another request that is expected to use so much; if so, both are
/// reserved for it.
pub type MaySpend = Arc<dyn Fn(Usage, Usage) -> bool + Send + Sync>;

/// What an attempt is performed with.
#[derive(Clone)]
pub struct AttemptContext {
    /// Where partial text and progress go.
    pub deltas: DeltaSink,
    /// Cancelled when the attempt is to be broken off; it must then end within 200 ms (a command within 2.2 s).
    pub cancel: CancellationToken,
    /// Asks the person in the middle of the work.
    pub ask: AskSink,
    /// Where the full text of a large output may be put.
    pub spool: Arc<dyn Spool>,
    /// Asked before every request of a model but the first.
    pub may_spend: MaySpend,
    /// Told the id of a process that leads a group of its own and has been started for the attempt.
    pub began: Arc<dyn Fn(u32) + Send + Sync>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptOutcome {
    /// It has an output.
    Done {
        /// The output.
        output: Value,
        /// What the schema does not allow of it; then a person decides.
        problem: Option<String>,
        /// What it took (`ms` is the engine's to fill in).
        measured: Measured,
    },
    /// The model calls tools: the attempt goes on once each of them has returned.
    Turn(FinishedTurn),
    /// It has none.
    Failed {
        /// Why.
        failure: Failure,
        /// The text that had arrived.
        partial: Untrusted,
        /// It may have had its effect all the same: it began, and its end is not known.
        in_doubt: bool,
        /// What it took.
        measured: Measured,
    },
    /// It was broken off as asked.
    Cancelled {
        /// The text that had arrived.
        partial: Untrusted,
        /// It may have had its effect all the same.
        in_doubt: bool,
        /// What it took.
        measured: Measured,
    },
}

/// Performs attempts: the `steps` module.
pub trait Executor: Send + Sync {
    /// Performs one attempt to its end. It never panics and always answers.
    fn execute(&self, request: AttemptRequest, context: AttemptContext) -> BoxFuture<'static, AttemptOutcome>;

    /// The tools that a prompt offers to its model, in the order in which they are offered.
    ///
    /// # Errors
    /// A server does not answer, or a pattern names no tool that there is: which, and what there is.
    fn list_tools(
        &self,
        _scope: ToolScope,
        _offered: OfferedTools,
    ) -> BoxFuture<'static, Result<Vec<ToolSpec>, Failure>> {
        Box::pin(std::future::ready(Err(no_tools())))
    }

    /// What governs the calls of a tool, without what its step says.
    fn tool_rules(&self, _scope: &ToolScope, _tool: &str, own: Option<&OwnTool>) -> ToolRules {
        own.map(OwnTool::rules).unwrap_or_default()
    }

    /// The author's own tool of that name that no definition declares, but whoever performs attempts.
    fn own_tool(&self, _scope: &ToolScope, _tool: &str) -> Option<OwnTool> {
        None
    }

    /// Calls a tool that a model asked for, to its end. It never panics and always answers.
    fn call_tool(&self, _call: ToolCallRequest, _context: AttemptContext) -> BoxFuture<'static, CallOutcome> {
        Box::pin(std::future::ready(CallOutcome::Known(CallReturn::Failed { error: no_tools() })))
    }

    /// What performing this work is expected to use, to be reserved from a budget; zero where nothing is known. `so_far` is
    /// what a model that calls tools is sent along with it.
    fn estimate(&self, work: &Work, so_far: Option<&Transcript>) -> Usage;

    /// What a request for this work used whose outcome is lost, as far as can be told from what had arrived of it: an
    /// estimate, marked as one.
    fn spent(&self, _work: &Work, _so_far: Option<&Transcript>, _partial: &Untrusted) -> Usage {
        Usage::default()
    }

    /// The provider whose limit of parallel requests this work counts against, and that limit.
    fn lane(&self, work: &Work) -> Option<(String, usize)>;

    /// A person asks for something again: what was not even tried because the same had been refused before is tried.
    fn ask_again(&self) {}

    /// The process ends: ends what was started and outlives attempts, such as servers of tools.
    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// The process ends now: what [`Self::close`] would end in good order is ended by force, and nothing is waited for.
    fn abandon(&self) {}

    /// Whether a model of that name can be asked at all.
    ///
    /// # Errors
    /// When no such role or provider is configured: what was asked for and what there is.
    fn knows_model(&self, _name: &str) -> Result<(), Failure> {
        Ok(())
    }
}

fn no_tools() -> Failure {
    Failure::new(FailureClass::Tool, "no tools can be called here")
}
