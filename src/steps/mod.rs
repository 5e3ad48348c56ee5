//! How each kind of step does its work: one file a kind, behind the port [`Executor`].
//!
//! An attempt always ends with an answer: an output (perhaps with what its schema does not allow), a failure of one of
//! the design's classes, or the word that it was broken off; and each says whether its effect may have happened all
//! the same. Secrets are put in at the attempt and taken out of everything that comes back. This module knows nothing
//! of runs, retries or gates, and reaches the models through a port.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::ports::{
    AttemptContext, AttemptOutcome, AttemptRequest, BoxFuture, CallOutcome, Executor, Models, Secrets, ToolCallRequest,
    ToolScope, ToolServers, Transcript,
};
use crate::core::text::Untrusted;
use crate::core::tool::{DeclaredTools, OfferedTools, OwnTool, ToolRules, ToolSpec};
use crate::core::usage::{Usage, estimate_tokens};
use crate::core::work::Work;

mod command;
mod http;
mod json_repair;
mod markers;
mod output;
mod own_files;
mod page;
mod program;
mod prompt;
mod reading;
mod thoughts;
mod tool;

use self::markers::RedactedDeltas;
use self::tool::Toolbox;

/// The environment that a command gets from the one that Stepwell runs in.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// Performs attempts of every kind.
pub struct Steps {
    models: Arc<dyn Models>,
    secrets: Arc<dyn Secrets>,
    environment: Arc<BTreeMap<String, String>>,
    http: Arc<http::Client>,
    hosts: Arc<[String]>,
    tools: Toolbox,
}

impl Steps {
    /// Performs with these models and secrets. `configured` is what the config adds to the environment of commands,
    /// beside PATH, HOME, LANG and TMPDIR.
    #[must_use]
    pub fn new(models: Arc<dyn Models>, secrets: Arc<dyn Secrets>, configured: BTreeMap<String, String>) -> Self {
        let environment = Arc::new(clean_environment(configured));
        let tools = Toolbox {
            servers: None,
            config: Arc::default(),
            secrets: Arc::clone(&secrets),
            environment: Arc::clone(&environment),
        };
        Self { models, secrets, environment, http: Arc::default(), hosts: Arc::from([]), tools }
    }

    /// The same, with hosts that the config names: they may be private.
    #[must_use]
    pub fn with_hosts(self, hosts: Vec<String>) -> Self {
        Self { hosts: hosts.into(), ..self }
    }

    /// The same, with the servers whose tools may be called.
    #[must_use]
    pub fn with_tools(self, tools: Arc<dyn ToolServers>) -> Self {
        let tools = Toolbox { servers: Some(tools), ..self.tools };
        Self { tools, ..self }
    }

    /// The same, with the tools that the config declares: those of the person's own among them are for every definition.
    #[must_use]
    pub fn with_own_tools(self, declared: DeclaredTools) -> Self {
        let tools = Toolbox { config: Arc::new(declared), ..self.tools };
        Self { tools, ..self }
    }
}

/// The environment of the programs that Stepwell starts: PATH, HOME, LANG and TMPDIR as they are here, and what is
/// `configured`.
#[must_use]
pub fn clean_environment(configured: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let passed_on = PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    passed_on.chain(configured).collect()
}

impl Executor for Steps {
    fn execute(&self, attempt: AttemptRequest, context: AttemptContext) -> BoxFuture<'static, AttemptOutcome> {
        let (models, secrets) = (Arc::clone(&self.models), Arc::clone(&self.secrets));
        let (environment, http) = (Arc::clone(&self.environment), Arc::clone(&self.http));
        let (hosts, tools) = (Arc::clone(&self.hosts), self.tools.clone());
        Box::pin(async move {
            if context.cancel.is_cancelled() {
                let partial = Untrusted::default();
                return AttemptOutcome::Cancelled { partial, in_doubt: false, measured: Measured::default() };
            }
            let work = Arc::clone(&attempt.work);
            let outcome = match &*work {
                Work::Transform { value, .. } => return done(value.clone(), Measured::default()),
                Work::Prompt(work) => {
                    let redacted = RedactedDeltas::new(&context.deltas, secrets.redactor());
                    let context = AttemptContext { deltas: redacted.sink(), ..context };
                    let outcome = prompt::perform(&*models, work, &attempt, &context).await;
                    redacted.finish();
                    outcome
                }
                Work::Command(work) => command::perform(&secrets, &environment, work, &attempt, &context).await,
                Work::Http(work) => http::perform(&http, &secrets, &hosts, work, &attempt, &context).await,
                Work::Ask { .. } => failed(Failure::new(
                    FailureClass::Definition,
                    "a form is answered by a person at its gate; there is nothing to perform",
                )),
                Work::Tool { tool, args, own, schema } => {
                    tools.perform((tool, args, own.as_deref(), schema.as_ref()), &attempt, &context).await
                }
            };
            markers::redacted(outcome, &secrets.redactor())
        })
    }

    fn tool_rules(&self, scope: &ToolScope, tool: &str, own: Option<&OwnTool>) -> ToolRules {
        self.tools.rules(scope, tool, own)
    }

    fn list_tools(
        &self,
        scope: ToolScope,
        offered: OfferedTools,
    ) -> BoxFuture<'static, Result<Vec<ToolSpec>, Failure>> {
        let tools = self.tools.clone();
        Box::pin(async move { tools.list(scope, offered).await })
    }

    fn own_tool(&self, _: &ToolScope, tool: &str) -> Option<OwnTool> {
        self.tools.own(tool, None).cloned()
    }

    fn call_tool(&self, call: ToolCallRequest, context: AttemptContext) -> BoxFuture<'static, CallOutcome> {
        let tools = self.tools.clone();
        Box::pin(async move { tools.call_for_model(call, context).await })
    }

    fn estimate(&self, work: &Work, so_far: Option<&Transcript>) -> Usage {
        let Work::Prompt(work) = work else { return Usage::default() };
        self.models.estimate(&work.models, prompt::tokens_of(work, so_far), work.max_tokens)
    }

    fn spent(&self, work: &Work, so_far: Option<&Transcript>, partial: &Untrusted) -> Usage {
        let Work::Prompt(work) = work else { return Usage::default() };
        // A turn that ends in calls has no text: where a model may call tools, that none has arrived says nothing.
        if so_far.is_none() && partial.is_empty() {
            return Usage::default();
        }
        self.models.spent(&work.models, prompt::tokens_of(work, so_far), estimate_tokens(partial.data()))
    }

    fn lane(&self, work: &Work) -> Option<(String, usize)> {
        match work {
            Work::Prompt(work) => self.models.lane(&work.models),
            _ => None,
        }
    }

    fn ask_again(&self) {
        self.models.ask_again();
        if let Some(servers) = &self.tools.servers {
            servers.ask_again();
        }
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.tools
            .servers
            .as_ref()
            .map_or_else(|| Box::pin(std::future::ready(())) as BoxFuture<'_, ()>, |tools| tools.close())
    }

    fn abandon(&self) {
        if let Some(servers) = &self.tools.servers {
            servers.abandon();
        }
    }

    fn knows_model(&self, name: &str) -> Result<(), Failure> {
        self.models.choice(Some(name)).map(|_| ())
    }
}

/// Why an attempt was broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    Cancelled,
    /// The step's time is over.
    TimedOut,
}

impl Interruption {
    /// How the attempt ends then.
    fn outcome(
        self,
        attempt: &AttemptRequest,
        partial: impl Into<Untrusted>,
        in_doubt: bool,
        measured: Measured,
    ) -> AttemptOutcome {
        let partial = partial.into();
        match self {
            Self::Cancelled => AttemptOutcome::Cancelled { partial, in_doubt, measured },
            Self::TimedOut => {
                let limit = attempt.timeout.unwrap_or_default();
                let message = format!(
                    "the {} took longer than {limit:?}; raise the step's `timeout` if it needs more",
                    attempt.work.kind()
                );
                AttemptOutcome::Failed {
                    failure: Failure::new(FailureClass::Timeout, message),
                    partial,
                    in_doubt,
                    measured,
                }
            }
        }
    }
}

/// Waits until the attempt is to be broken off.
async fn interrupted(deadline: Option<Instant>, cancel: &CancellationToken) -> Interruption {
    let over = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Interruption::Cancelled,
        () = over => Interruption::TimedOut,
    }
}

/// Prepares an attempt that has not begun: broken off here, it has had no effect.
async fn prepared<T>(
    attempt: &AttemptRequest,
    context: &AttemptContext,
    deadline: Option<Instant>,
    preparing: impl Future<Output = Result<T, Failure>>,
) -> Result<T, AttemptOutcome> {
    tokio::select! {
        biased;
        why = interrupted(deadline, &context.cancel) => {
            Err(why.outcome(attempt, Untrusted::default(), false, Measured::default()))
        }
        prepared = preparing => prepared.map_err(failed),
    }
}

fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

fn done(output: serde_json::Value, measured: Measured) -> AttemptOutcome {
    AttemptOutcome::Done { output, problem: None, measured }
}

/// A failure before anything began.
fn failed(failure: Failure) -> AttemptOutcome {
    AttemptOutcome::Failed { failure, partial: Untrusted::default(), in_doubt: false, measured: Measured::default() }
}
