//! Tools of servers that speak the Model Context Protocol, behind the port [`ToolServers`].
//!
//! A server is started when it is first needed, one instance for each set of name, resolved environment and folder; it
//! ends with the process. Nothing is started, read or asked before. Whatever a server does (it dies, says rubbish, never
//! answers, sends without end, changes its tools) comes to one outcome with a message that names the server and what it
//! said last; a call that had been sent and whose end is not known is in doubt.
//!
//! The protocol is spoken here and not by a library: a large result has to be read without being in memory several times,
//! one odd tool or item may not cost the whole list or result, and a message that is too long has to fail the call that
//! waits for it. Of what a server may ask for, questions to the person are passed on; sampling, roots and tasks are not
//! offered. Logging in (OAuth) is not done: a token is a header.
//!
//! What comes from a server is [`Untrusted`](crate::core::text::Untrusted) or data, and without the values of secrets. This
//! module knows nothing of runs, rules or gates beyond the port.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::core::diagnostic::did_you_mean;
use crate::core::failure::{Failure, FailureClass};
use crate::core::ports::{
    AttemptContext, BoxFuture, CallOutcome, InspectedServer, Secrets, ServerCall, ServerTools, ToolScope, ToolServers,
};
use crate::core::step::Timespan;
use crate::core::tool::{CallReturn, DeclaredTool, DeclaredTools, ToolRules, ToolServer, server_of};

mod elicitation;
mod http;
mod incoming;
mod instance;
mod limited;
mod listing;
mod log;
mod peer;
mod resolve;
mod returned;
mod sse;
mod stdio;

use self::instance::Instance;
use self::resolve::Reached;

/// How long a server may take until it is ready: one that is fetched when it is first started needs its time.
const PATIENCE: Duration = Duration::from_mins(1);

/// The servers of the config, and of definitions.
#[derive(Clone)]
pub struct McpServers(Arc<Shared>);

struct Shared {
    configured: DeclaredTools,
    secrets: Arc<dyn Secrets>,
    environment: BTreeMap<String, String>,
    patience: Duration,
    instances: Mutex<Instances>,
}

/// The servers that were needed so far.
#[derive(Default)]
struct Instances {
    all: HashMap<(String, Reached), Arc<Instance>>,
    /// There will be no others.
    closed: bool,
}

impl McpServers {
    /// The servers of the config's `[tools]`. `environment`: all that programs get besides what a server's `env` adds.
    #[must_use]
    pub fn new(configured: DeclaredTools, secrets: Arc<dyn Secrets>, environment: BTreeMap<String, String>) -> Self {
        Self::with_patience(configured, secrets, environment, PATIENCE)
    }

    /// The same; a server that is not ready after `patience` does not answer.
    #[must_use]
    pub fn with_patience(
        configured: DeclaredTools,
        secrets: Arc<dyn Secrets>,
        environment: BTreeMap<String, String>,
        patience: Duration,
    ) -> Self {
        let instances = Mutex::default();
        Self(Arc::new(Shared { configured, secrets, environment, patience, instances }))
    }
}

impl Shared {
    /// A server, as a definition or the config declares it.
    fn server<'a>(&'a self, scope: &'a ToolScope, name: &str) -> Option<&'a ToolServer> {
        let declared = scope.declared.get(name).or_else(|| self.configured.get(name))?;
        match declared {
            DeclaredTool::Server(server) => Some(server),
            DeclaredTool::Own(_) => None,
        }
    }

    fn names(&self, scope: &ToolScope) -> Vec<String> {
        let all = self.configured.iter().chain(scope.declared.iter());
        let mut names: Vec<String> = Vec::new();
        for (name, declared) in all {
            if matches!(declared, DeclaredTool::Server(_)) && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    fn instances(&self) -> MutexGuard<'_, Instances> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance that a server is in a scope, and the longest wait for what its tools return.
    async fn instance(&self, scope: &ToolScope, name: &str) -> Result<(Arc<Instance>, Duration), Failure> {
        let Some(server) = self.server(scope, name) else { return Err(self.unknown(scope, name)) };
        let start = if scope.cwd == Path::new("") { Path::new(".") } else { &scope.cwd };
        let start = std::path::absolute(start).unwrap_or_else(|_| scope.cwd.clone());
        let reached = resolve::resolve(name, &server.reach, &start, &self.environment, &self.secrets).await?;
        let longest = server.timeout.unwrap_or(ToolServer::TIMEOUT).duration();
        let mut instances = self.instances();
        if instances.closed {
            return Err(Failure::new(FailureClass::Tool, format!("the server `{name}` has ended with Stepwell")));
        }
        let new = || Instance::new(name.to_owned(), reached.clone(), Arc::clone(&self.secrets), self.patience);
        let instance = instances.all.entry((name.to_owned(), reached.clone())).or_insert_with(new);
        Ok((Arc::clone(instance), longest))
    }

    fn unknown(&self, scope: &ToolScope, name: &str) -> Failure {
        let names = self.names(scope);
        let message = if names.is_empty() {
            format!("there is no server `{name}`: the config has no [tools.NAME] with a `command` or a `url`")
        } else {
            let hint = did_you_mean(name, names.iter().map(String::as_str));
            format!("there is no server `{name}`{hint}")
        };
        Failure::new(FailureClass::Definition, message)
    }

    async fn listing(&self, scope: &ToolScope, name: &str) -> Result<ServerTools, Failure> {
        let (instance, longest) = self.instance(scope, name).await?;
        instance.list(longest).await
    }

    async fn look(&self, scope: &ToolScope, server: String) -> InspectedServer {
        match self.listing(scope, &server).await {
            Ok(ServerTools { tools, notes }) => InspectedServer { server, tools: Ok(tools), notes },
            Err(failure) => InspectedServer { server, tools: Err(failure), notes: Vec::new() },
        }
    }
}

impl ToolServers for McpServers {
    fn servers(&self, scope: &ToolScope) -> Vec<String> {
        self.0.names(scope)
    }

    fn list(&self, scope: ToolScope, server: String) -> BoxFuture<'static, Result<ServerTools, Failure>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.listing(&scope, &server).await })
    }

    fn rules(&self, scope: &ToolScope, tool: &str) -> ToolRules {
        let (server, name) = tool.split_once('/').unwrap_or((tool, ""));
        self.0.server(scope, server).map(|server| server.rules(name)).unwrap_or_default()
    }

    fn call(&self, call: ServerCall, context: AttemptContext) -> BoxFuture<'static, CallOutcome> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let server = server_of(&call.tool).unwrap_or(&call.tool).to_owned();
            let reached = tokio::select! {
                biased;
                () = context.cancel.cancelled() => return CallOutcome::Cancelled { in_doubt: false },
                reached = shared.instance(&call.scope, &server) => reached,
            };
            match reached {
                Ok((instance, longest)) => {
                    let longest = call.timeout.map_or(longest, Timespan::duration);
                    instance.call(&call, longest, &context).await
                }
                Err(error) => CallOutcome::Known(CallReturn::Failed { error }),
            }
        })
    }

    fn inspect(&self, scope: ToolScope) -> BoxFuture<'static, Vec<InspectedServer>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let looks = shared.names(&scope).into_iter().map(|server| shared.look(&scope, server));
            join_all(looks).await
        })
    }

    fn inspect_one(&self, scope: ToolScope, server: String) -> BoxFuture<'static, Option<InspectedServer>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            shared.server(&scope, &server)?;
            Some(shared.look(&scope, server).await)
        })
    }

    fn ask_again(&self) {
        self.0.instances().all.values().for_each(|instance| instance.ask_again());
    }

    fn abandon(&self) {
        let mut instances = self.0.instances();
        instances.closed = true;
        instances.all.values().for_each(|instance| instance.abandon());
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let instances: Vec<Arc<Instance>> = {
                let mut instances = shared.instances();
                instances.closed = true;
                instances.all.values().cloned().collect()
            };
            join_all(instances.iter().map(|instance| instance.close())).await;
        })
    }
}
