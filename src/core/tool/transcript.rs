//! What happens inside an attempt whose model calls tools: turns, the calls that each asks for, and what they return.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MAX_TURNS;
use super::declared::{DeclaredTool, DeclaredTools, OwnTool};
use super::rules::{Pattern, ToolApproval, ToolRules};
use crate::core::event::Measured;
use crate::core::failure::Failure;
use crate::core::model::Image;
use crate::core::text::Untrusted;
use crate::core::tool_call::ToolCallId;

/// The tools that a prompt offers: part of what the work is. A server's schemas are not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferedTools {
    /// Patterns over names, `files/*`, `price`, as the step has them.
    pub patterns: Vec<String>,
    /// Turns that the model may take, at most.
    pub max_turns: u32,
    /// When a person is asked before a call, as the step has it. Rules of the tool itself may be stricter.
    #[serde(default = "ToolApproval::never", skip_serializing_if = "ToolApproval::is_never")]
    pub approve: ToolApproval,
    /// Those of the definition's own tools that the patterns name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub own: IndexMap<String, OwnTool>,
}

impl OfferedTools {
    /// What a step offers with these patterns, of a definition that declares these tools. `None`: it names none.
    #[must_use]
    pub fn of(
        patterns: &[String],
        max_turns: Option<u32>,
        approve: Option<ToolApproval>,
        declared: &DeclaredTools,
    ) -> Option<Box<Self>> {
        let own = declared.iter().filter_map(|(name, tool)| match tool {
            DeclaredTool::Own(tool) => Some((name, tool)),
            DeclaredTool::Server(_) => None,
        });
        let named = own.filter(|(name, _)| patterns.iter().any(|pattern| Pattern(pattern.clone()).matches(name)));
        let offered = || Self {
            patterns: patterns.to_vec(),
            max_turns: max_turns.unwrap_or(MAX_TURNS),
            approve: approve.unwrap_or(ToolApproval::Never),
            own: named.map(|(name, tool)| (name.clone(), tool.clone())).collect(),
        };
        (!patterns.is_empty()).then(|| Box::new(offered()))
    }

    /// What governs the calls of a tool here: of its own rules and the step's the stricter.
    #[must_use]
    pub fn rules(&self, of_tool: ToolRules) -> ToolRules {
        ToolRules { approve: self.approve.max(of_tool.approve), ..of_tool }
    }
}

/// A call that a model asked for in a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedCall {
    /// Its name in the attempt.
    pub call: ToolCallId,
    /// The tool; where the model named none that there is, what it wrote.
    pub tool: String,
    /// The arguments; where what the model wrote is no JSON, a text of that.
    pub arguments: Arc<Value>,
}

/// A turn that ended in calls.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedTurn {
    /// From 1.
    pub turn: u32,
    /// What the model said beside them.
    pub text: Untrusted,
    /// In the order in which they were asked for.
    pub calls: Vec<AskedCall>,
    /// What the provider has to be sent back with the turn. It is never shown, and never an input of anything else.
    pub opaque: Option<Arc<Value>>,
    /// What it took.
    pub measured: Measured,
}

/// What a tool call came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CallReturn {
    /// The tool returned.
    Returned {
        /// The structured content where there is one, else the text.
        output: Arc<Value>,
        /// The tool says that this is an error.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        /// Pictures that came with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        images: Vec<Image>,
        /// Where the rest of a large output lies, and the like.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// It could not be called, or did not return; nothing is in doubt.
    Failed {
        /// Why.
        error: Failure,
    },
}
