//! Scripts that were given up still compute: a process has no more than two of them. In a test binary of its own, because
//! they compute until it ends.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::sync::Arc;

use serde_json::Value;
use stepwell::core::event::Recorded;
use stepwell::core::pinned::Pinned;
use stepwell::core::run::Run;
use stepwell::flow::{self, End, Environment};

/// A script with this body, and a run of it that has begun.
fn script(body: &str) -> (Arc<Pinned>, Run) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/released/caught_by_a_script");
    let text = std::fs::read_to_string(format!("{folder}.json")).unwrap();
    let mut definition = serde_json::from_str::<Value>(&text).unwrap()["definition"].take();
    let source = definition.pointer_mut("/task/body/workflow/flow/script/sources/main.js").unwrap();
    *source = format!("export default async function () {{\n{body}\n}}\n").into();
    let journal = std::fs::read_to_string(format!("{folder}.jsonl")).unwrap();
    let first: Recorded = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    (Arc::new(serde_json::from_value(definition).unwrap()), Run::fold(first.run, &[first]).unwrap())
}

fn why(body: &str) -> String {
    let (pinned, run) = script(body);
    match flow::of(&pinned, &Environment::new()).open(&run).feed(&[]).end {
        Some(End::Failed { failure, .. }) => failure.message,
        other => format!("{other:?}"),
    }
}

#[test]
fn no_more_than_two_scripts_are_left_to_their_work() {
    let endless = "[].copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);";
    for _ in 0..2 {
        assert!(why(endless).contains("was given up"), "{}", why(endless));
    }
    for body in [endless, "return \"x\";"] {
        assert!(why(body).contains("2 scripts that were given up still compute in this process"), "{}", why(body));
    }
}
