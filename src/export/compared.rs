//! Two runs compared, as `diff --json` has them: what of their inputs, calls and results differs. The fields are a contract.
//!
//! Values are compared by structure: the order of an object's fields is no difference.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::core::call::Call;
use crate::core::run::Run;

/// What differs between two runs. Inputs and calls that are alike are left out; where one run does not have something that
/// the other has, it is null there.
#[must_use]
pub fn runs(before: &Run, after: &Run) -> Value {
    let inputs = |run: &Run| run.inputs.as_object().cloned().unwrap_or_default();
    let (old, new) = (inputs(before), inputs(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let inputs = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let inputs = inputs.map(|name| json!({ "name": name, "before": old.get(name), "after": new.get(name) }));
    let keys = before.calls.keys().chain(after.calls.keys().filter(|key| !before.calls.contains_key(*key)));
    let calls = keys.filter_map(|key| {
        let [old, new] = [before, after].map(|run| run.call(key).map(came_to));
        (old != new).then(|| json!({ "key": key, "before": old, "after": new }))
    });
    json!({
        "before": before.id,
        "after": after.id,
        "same_definition": before.definition == after.definition,
        "status": [before.seen_status(), after.seen_status()],
        "inputs": inputs.collect::<Vec<_>>(),
        "calls": calls.collect::<Vec<_>>(),
        "usage": [before.usage, after.usage],
    })
}

fn came_to(call: &Call) -> Value {
    json!({ "status": call.status, "output": call.output().map(|(_, _, output)| output) })
}
