//! What an earlier version said must still be said: values may be added, never lost or changed.

use serde_json::Value;

/// What of `old` is missing or different in `new`; more may be there.
pub fn lost(old: &Value, new: &Value, at: &str) -> Option<String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old.iter().find_map(|(name, old)| match new.get(name) {
            Some(new) => lost(old, new, &format!("{at}/{name}")),
            None => Some(format!("{at}/{name} is gone; it was {old}")),
        }),
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            old.iter().zip(new).enumerate().find_map(|(index, (old, new))| lost(old, new, &format!("{at}/{index}")))
        }
        _ => (old != new).then(|| format!("{at} is {new}; it was {old}")),
    }
}
