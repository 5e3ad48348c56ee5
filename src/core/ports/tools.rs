//! Tools of servers that speak the Model Context Protocol.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::{AttemptContext, BoxFuture};
use crate::core::failure::Failure;
use crate::core::id::RunId;
use crate::core::step::Timespan;
use crate::core::tool::{CallReturn, DeclaredTools, ToolRules, ToolSpec};

/// Where tools are looked up and called from.
#[derive(Clone, Debug, Default)]
pub struct ToolScope {
    /// The folder in which the run was started; that of the process where there is no run.
    pub cwd: PathBuf,
    /// What the definition declares besides the config.
    pub declared: Arc<DeclaredTools>,
}

/// One call of a server's tool.
#[derive(Clone, Debug)]
pub struct ServerCall {
    /// From where.
    pub scope: ToolScope,
    /// `SERVER/NAME`.
    pub tool: String,
    /// The arguments, an object. Secrets are filled in.
    pub arguments: Value,
    /// The longest wait; `None`: as the server's rules say. The time that a person takes to answer does not count.
    pub timeout: Option<Timespan>,
    /// The run that calls; a new id where there is none.
    pub run: RunId,
    /// Under which name the full text of a large result is spooled.
    pub spool_name: String,
}

/// How a call of a tool ended.
#[derive(Clone, Debug, PartialEq)]
pub enum CallOutcome {
    /// It is known how.
    Known(CallReturn),
    /// It began, and its end is not known: why.
    InDoubt(Failure),
    /// It was broken off as asked; whether it had begun.
    Cancelled {
        /// It may have had its effect all the same.
        in_doubt: bool,
    },
}

/// What is known of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectedServer {
    /// Its name in the config or the definition.
    pub server: String,
    /// Its tools, or why it does not answer: what is wrong and what to do.
    pub tools: Result<Vec<ToolSpec>, Failure>,
    /// What is odd about what it listed: tools that are left out, and why.
    pub notes: Vec<String>,
}

/// What a server lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerTools {
    /// Those that can be called, in the server's order.
    pub tools: Vec<ToolSpec>,
    /// Which are left out, and why.
    pub notes: Vec<String>,
}

/// MCP servers: the `tools` module. A server is started when it is first needed, one for each set of name, resolved
/// environment and folder, and ends with the process.
pub trait ToolServers: Send + Sync {
    /// The names of the servers that there are, in the order in which they are declared. Asks nobody.
    fn servers(&self, scope: &ToolScope) -> Vec<String>;

    /// The tools of one server, all pages, in the server's order.
    ///
    /// # Errors
    /// There is no such server, it does not start or answer, or what it lists is no list of tools: class `tool`, with its
    /// stderr as detail.
    fn list(&self, scope: ToolScope, server: String) -> BoxFuture<'static, Result<ServerTools, Failure>>;

    /// What governs the calls of a tool, `SERVER/NAME`.
    fn rules(&self, scope: &ToolScope, tool: &str) -> ToolRules;

    /// Calls a tool, to its end: it never panics and always answers. Of the context it uses the deltas (progress and log
    /// lines), `cancel`, `ask` (elicitation), and the spool for what is too large.
    fn call(&self, call: ServerCall, context: AttemptContext) -> BoxFuture<'static, CallOutcome>;

    /// Looks at every server: for `stepwell tools` and `doctor`.
    fn inspect(&self, scope: ToolScope) -> BoxFuture<'static, Vec<InspectedServer>>;

    /// Looks at one server; `None`: there is none of that name.
    fn inspect_one(&self, scope: ToolScope, server: String) -> BoxFuture<'static, Option<InspectedServer>>;

    /// A person asks for something again: a server that ended too often to be started again is started.
    fn ask_again(&self) {}

    /// The process ends now: what [`Self::close`] would end in good order is ended by force, and nothing is waited for.
    fn abandon(&self) {}

    /// Ends every server that was started.
    fn close(&self) -> BoxFuture<'static, ()>;
}
