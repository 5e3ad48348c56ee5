//! A decision as it is read. What takes an attempt says so by `take`; whether it says `"decide": "take"`, `"accept"` or nothing
//! with it, it is never an acceptance of what waits.

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value};

use super::{Decision, DecisionKind};
use crate::core::document::key_of;
use crate::core::key::Key;
use crate::core::tool_call::ToolCallId;

/// The parts that name what is decided about; the rest is the decision.
#[derive(Deserialize)]
pub(super) struct Written {
    #[serde(default)]
    key: Option<Key>,
    #[serde(default)]
    document: Option<String>,
    #[serde(default)]
    call: Option<ToolCallId>,
    #[serde(default)]
    attempt: Option<u32>,
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(flatten)]
    kind: Map<String, Value>,
}

impl TryFrom<Written> for Decision {
    type Error = serde_json::Error;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { key, document, call, attempt, version, seq, mut kind } = written;
        let plain = kind.get("decide").is_none_or(|decide| decide == "accept");
        if plain && kind.contains_key("take") {
            kind.insert("decide".to_owned(), Value::from("take"));
        }
        let key = match (key, &document) {
            (Some(key), _) => key,
            (None, Some(name)) => key_of(name),
            (None, None) => return Err(serde_json::Error::missing_field("key")),
        };
        let kind = DecisionKind::deserialize(Value::Object(kind))?;
        Ok(Self { key, call, document, attempt, version, seq, kind })
    }
}
