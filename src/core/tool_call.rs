//! The name of a tool call inside an attempt.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A tool call of an attempt: the turn in which the model asked for it, and its place among the calls of that turn.
/// Written `TURN.INDEX`, such as `2.0`; the order is that in which they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ToolCallId {
    /// The turn.
    pub turn: u32,
    /// The place among the calls of the turn.
    pub index: u32,
}

/// A text that names no tool call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no tool call; it looks like `2.0`: the turn, a full stop, and the place in that turn")]
pub struct NotAToolCall(String);

impl fmt::Display for ToolCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.turn, self.index)
    }
}

impl From<ToolCallId> for String {
    fn from(id: ToolCallId) -> Self {
        id.to_string()
    }
}

impl FromStr for ToolCallId {
    type Err = NotAToolCall;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // As it is written: no sign, no leading zero, so that one tool call has one name.
        let number = |digits: &str| digits.parse::<u32>().ok().filter(|number| number.to_string() == digits);
        let parts = text.split_once('.').and_then(|(turn, index)| Some((number(turn)?, number(index)?)));
        let (turn, index) = parts.ok_or_else(|| NotAToolCall(text.to_owned()))?;
        Ok(Self { turn, index })
    }
}

impl TryFrom<String> for ToolCallId {
    type Error = NotAToolCall;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_call_is_named_by_its_turn_and_its_place_in_it() {
        let id: ToolCallId = serde_json::from_str("\"2.10\"").unwrap();
        assert_eq!(id, ToolCallId { turn: 2, index: 10 });
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"2.10\"");
        for wrong in ["", "2", "2.", ".0", "2.0.1", "+2.0", "02.0", "2.x", "4294967296.0"] {
            assert!(wrong.parse::<ToolCallId>().is_err(), "{wrong}");
        }
    }
}
