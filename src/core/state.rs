//! The state that runs of a session share: what the calls of a run set, and how that meets what others set meanwhile.

use serde_json::{Map, Value};

use super::call::CallStatus;
use super::key::Key;
use super::run::Run;

/// What a run leaves to its session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateLeft {
    /// The names that it sets, with what others made of them put in.
    pub values: Map<String, Value>,
    /// The names that it set once, does not set any more, and that the session did not have before.
    pub removed: Vec<String>,
    /// The names that others set meanwhile to something that does not go together with what this run set.
    pub refused: Vec<String>,
}

/// What comes of a value that was `before`, of which others have made `theirs` and a run `ours`: objects are merged name by
/// name, what both put at the end of a list is kept. `None`: both changed it, and the two do not go together.
fn merged(before: &Value, theirs: &Value, ours: &Value) -> Option<Value> {
    if theirs == before || theirs == ours {
        return Some(ours.clone());
    }
    if ours == before {
        return Some(theirs.clone());
    }
    let none = (Map::new(), Vec::new());
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let before = before.as_object().unwrap_or(&none.0);
            let names = theirs.keys().chain(ours.keys().filter(|name| !theirs.contains_key(*name)));
            let of = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
            let fields = names.map(|name| {
                let value = merged(&of(before, name), &of(theirs, name), &of(ours, name))?;
                Some((name.clone(), value))
            });
            fields.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            let before = before.as_array().unwrap_or(&none.1);
            let added = |list: &[Value]| list.strip_prefix(before.as_slice()).map(<[Value]>::to_vec);
            let (theirs, ours) = (added(theirs)?, added(ours)?);
            Some(Value::Array([before.clone(), theirs, ours].concat()))
        }
        _ => None,
    }
}

impl Run {
    /// The value of each name by the last of its writers for which `counts` holds: writers come one after another, whatever
    /// one of them has revised since. What a call set that is left out does not count.
    #[must_use]
    pub fn state_set(&self, counts: impl Fn(&Key) -> bool) -> Map<String, Value> {
        let newest = self.set_state.iter().filter_map(|(name, set)| {
            let (_, value) = set.iter().rev().find(|(key, _)| counts(key) && !self.is_left_out(key))?;
            Some((name.clone(), value.value().clone()))
        });
        newest.collect()
    }

    /// What this run leaves to its session, which has `theirs` by now; `before` is what it had when this run last looked.
    /// What others have changed since then is kept. What this run left then and does not set any more is as it was when it
    /// started.
    #[must_use]
    pub fn state_left(&self, before: &Value, theirs: &Value) -> StateLeft {
        let mut left = StateLeft::default();
        let of = |state: &Value, name: &str| state.get(name).cloned().unwrap_or_default();
        let set = self.state_set(|_| true);
        let earlier = before.as_object().into_iter().flatten();
        let dropped = earlier.filter(|(name, value)| !set.contains_key(*name) && self.state.get(*name) != Some(value));
        let dropped: Vec<(String, Value)> = dropped.map(|(name, _)| (name.clone(), of(&self.state, name))).collect();
        for (name, ours) in set.into_iter().chain(dropped) {
            match merged(&of(before, &name), &of(theirs, &name), &ours) {
                Some(Value::Null) if ours.is_null() && self.state.get(&name).is_none() => left.removed.push(name),
                Some(value) => {
                    left.values.insert(name, value);
                }
                None => left.refused.push(name),
            }
        }
        left
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_two_runs_made_of_a_value_goes_together_or_is_refused() {
        for (before, theirs, ours, expected) in [
            (json!(1), json!(1), json!(2), Some(json!(2))),
            (json!(1), json!(2), json!(1), Some(json!(2))),
            (json!(1), json!(2), json!(2), Some(json!(2))),
            (json!(1), json!(2), json!(3), None),
            (json!(null), json!("a"), json!("b"), None),
            (json!([1]), json!([1, 2]), json!([1, 3]), Some(json!([1, 2, 3]))),
            (json!(null), json!(["a"]), json!(["b"]), Some(json!(["a", "b"]))),
            (json!([1, 2]), json!([2]), json!([1, 2, 3]), None),
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), json!({ "a": 3 }), Some(json!({ "a": 3, "b": 2 }))),
            (json!({ "a": 1 }), json!({ "a": 2 }), json!({ "a": 3 }), None),
        ] {
            assert_eq!(merged(&before, &theirs, &ours), expected, "{before} {theirs} {ours}");
        }
    }
}
