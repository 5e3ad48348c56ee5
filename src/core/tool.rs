//! Tools: what a model, or a step, may call. A tool belongs to a server that speaks the Model Context Protocol, or to the
//! definition itself.
//!
//! Names are `SERVER/NAME` of a server's tools and `NAME` of the author's own. What a server says of its tools (their
//! descriptions, schemas, hints) comes from outside: it is shown, checked against and given to models, and decides
//! nothing. What a call may do without asking is decided by the rules of the config, the definition and the step: of
//! several the strictest holds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::Schema;
use super::text::Untrusted;

mod declared;
mod listed;
mod read;
mod rules;
mod transcript;
mod wire;

pub use declared::{DeclaredTool, DeclaredTools, OwnTool, OwnWork, Reach, ToolServer};
pub use listed::RunTools;
pub use read::{ARGS, OwnFiles, is_server, read};
pub use rules::{Pattern, ToolApproval, ToolRules, matching};
pub use transcript::{AskedCall, CallReturn, FinishedTurn, OfferedTools};
pub use wire::WireNames;

/// How many turns a model may take in one attempt where the step does not say.
pub const MAX_TURNS: u32 = 20;

/// A tool as it was listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// `SERVER/NAME`, or the name of one of the author's own.
    pub tool: String,
    /// What it does, in the words of whoever offers it.
    #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
    pub description: Untrusted,
    /// The JSON Schema of its arguments, an object.
    pub input: Value,
    /// The JSON Schema of its structured output, where it says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// What the server says of it. It is shown.
    #[serde(default, skip_serializing_if = "ToolHints::is_empty")]
    pub hints: ToolHints,
}

impl ToolSpec {
    /// The server that it belongs to; `None`: it is the definition's own.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        server_of(&self.tool)
    }

    /// Whether it takes these arguments, as far as its schema says. One that is no schema hinders nothing: whoever offers
    /// the tool judges the arguments as well.
    ///
    /// # Errors
    /// What is wrong with them, with the tool's name.
    pub fn takes(&self, arguments: &Value) -> Result<(), String> {
        let tool = &self.tool;
        if !arguments.is_object() {
            return Err(format!("the arguments for {tool} are no JSON object"));
        }
        let Ok(schema) = Schema::compile(&self.input) else { return Ok(()) };
        schema.judge(arguments).map_err(|problem| format!("the arguments for {tool} do not fit its schema: {problem}"))
    }
}

/// The server that a tool belongs to, by its name; `None`: it is the definition's own.
#[must_use]
pub fn server_of(tool: &str) -> Option<&str> {
    tool.split_once('/').map(|(server, _)| server)
}

/// The annotations of a tool, as its server gives them. Nothing is decided by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolHints {
    /// It changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// It may destroy something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Twice is as once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// It reaches beyond the server's own world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

impl ToolHints {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
