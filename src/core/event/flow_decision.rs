//! What a flow decides, as the journal names it.

use serde::{Deserialize, Serialize};

/// What a flow decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowDecision {
    /// Whether the condition of a step holds.
    When,
    /// Which case of a switch was chosen.
    Switch,
    /// Whether a repeat has come to its end.
    Until,
    /// Which dependency was accepted first.
    First,
    /// Whether the run ends early.
    StopWhen,
    /// How many items the list of a step has.
    ForEach,
    /// The time that a script or program was given.
    Now,
    /// The place of a call in the order in which a script or program was given its results.
    Settled,
    /// A decision that this version does not know.
    #[serde(untagged)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_those_of_the_first_release_and_another_is_kept() {
        for text in ["when", "switch", "until", "first", "stop_when", "for_each", "now", "settled", "raced"] {
            let what: FlowDecision = serde_json::from_value(text.into()).unwrap();
            assert_eq!(matches!(what, FlowDecision::Other(_)), text == "raced", "{text}");
            assert_eq!(serde_json::to_value(&what).unwrap(), text);
        }
    }
}
