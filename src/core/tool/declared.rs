//! Tools as a config or a definition declares them, in `[tools.NAME]`: a server, or one tool of the author's own.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rules::{Pattern, ToolApproval, ToolRules, matching};
use super::{ToolHints, ToolSpec};
use crate::core::fingerprint::Fingerprint;
use crate::core::step::Timespan;

/// What `[tools.NAME]` declares, by name, in the order in which it is written.
pub type DeclaredTools = IndexMap<String, DeclaredTool>;

/// One `[tools.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredTool {
    /// A server: its tools are `NAME/…`.
    Server(ToolServer),
    /// One tool of the author's own, `NAME`.
    Own(OwnTool),
}

/// How an MCP server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// A program that is started, and spoken to over its stdin and stdout.
    Program {
        /// The program and its arguments.
        command: Vec<String>,
        /// What is added to its clean environment. Values may be references to secrets, `env:NAME` or `cmd:NAME`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// Where it runs; relative to the folder in which the run was started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
    },
    /// A server that runs already, spoken to over streamable HTTP.
    Http {
        /// Where.
        url: String,
        /// Headers. Values may be references to secrets, as in `env`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
}

/// An MCP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolServer {
    /// How it is reached.
    pub reach: Reach,
    /// When a person is asked before its tools are called, by patterns over their names; what none matches is asked about
    /// before each call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<(Pattern, ToolApproval)>,
    /// The tools that may be called again after a crash without asking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idempotent: Vec<Pattern>,
    /// The longest wait for what a tool returns; `None`: a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timespan>,
    /// It may ask a model, through us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sampling: bool,
}

impl ToolServer {
    /// The usual longest wait for what a tool returns.
    pub const TIMEOUT: Timespan = Timespan(60_000);

    /// What governs a tool of it, by the tool's name without the server's.
    #[must_use]
    pub fn rules(&self, name: &str) -> ToolRules {
        ToolRules {
            approve: matching(&self.approve, name).copied().unwrap_or_default(),
            idempotent: self.idempotent.iter().any(|pattern| pattern.matches(name)),
            timeout: Some(self.timeout.unwrap_or(Self::TIMEOUT)),
        }
    }
}

/// A tool of the author's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnTool {
    /// What it does, for whoever may call it.
    pub description: String,
    /// The JSON Schema of its arguments, an object; absent: it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// How it does it.
    pub does: OwnWork,
    /// When a person is asked first.
    #[serde(default)]
    pub approve: ToolApproval,
    /// It may be called again after a crash without asking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// The longest wait for what it returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timespan>,
}

/// How a tool of the author's own does its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnWork {
    /// A program: the arguments as JSON on its stdin, text or one JSON value on its stdout, as a command step's.
    Program {
        /// The program and its arguments; an element that begins with `@/` is a file of the definition's folder.
        argv: Vec<String>,
        /// What is added to its clean environment. Values may be references to secrets, `env:NAME` or `cmd:NAME`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// Where it runs; relative to the folder in which the run was started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
        /// The hash of each file of the definition's folder that `argv` names. It is written by pinning.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        files: BTreeMap<String, Fingerprint>,
    },
    /// EXPR over `args`.
    Expr(String),
}

impl OwnTool {
    /// It as a model is offered it.
    #[must_use]
    pub fn spec(&self, name: &str) -> ToolSpec {
        let nothing = || json!({ "type": "object", "properties": {}, "additionalProperties": false });
        ToolSpec {
            tool: name.to_owned(),
            description: self.description.as_str().into(),
            input: self.input.clone().unwrap_or_else(nothing),
            output: None,
            hints: ToolHints::default(),
        }
    }

    /// What governs its calls.
    #[must_use]
    pub fn rules(&self) -> ToolRules {
        ToolRules { approve: self.approve, idempotent: self.idempotent, timeout: self.timeout }
    }
}
