//! The state that runs of a session share: what the calls of a run set, and how that meets what others set meanwhile.

use serde_json::{Map, Value};

use super::call::CallStatus;
use super::key::Key;
use super::run::Run;

impl Run {
    /// The newest value of each name that a call set for which `counts` holds. What a call set that is left out does not
    /// count.
    #[must_use]
    pub fn state_set(&self, counts: impl Fn(&Key) -> bool) -> Map<String, Value> {
        let newest = self.set_state.iter().filter_map(|(name, set)| {
            let (_, value) = set.iter().rev().find(|(key, _)| counts(key) && !self.is_left_out(key))?;
            Some((name.clone(), value.clone()))
        });
        newest.collect()
    }

    /// Whether a call, or everything inside the item or iteration of that name, was accepted once and is left out now.
    #[must_use]
    pub fn is_left_out(&self, key: &Key) -> bool {
        if let Some(call) = self.call(key) {
            return call.status == CallStatus::Skipped;
        }
        let mut inside = self.calls.values().filter(|call| call.key.is_within(key)).peekable();
        inside.peek().is_some() && inside.all(|call| call.status == CallStatus::Skipped)
    }
}
