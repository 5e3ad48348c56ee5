//! What a person said of a command's earlier output, on its way to the next attempt.
//!
//! A command that reads the JSON which it gets where its definition does not say what it reads finds `instruction` and
//! `rejected` in it. They are shown for approval with the rest and are in no fingerprint: an instruction belongs to an
//! attempt, and makes nothing stale.

use serde_json::Value;

use crate::core::call::{Attempt, AttemptStatus, Call};
use crate::core::work::{CommandWork, Work};
use crate::flow::plan::{Doing, Node};
use crate::flow::work::Resolved;

/// The attempt that a person rejected last.
pub fn rejected(call: Option<&Call>) -> Option<&Attempt> {
    call?.attempts.iter().rev().find(|attempt| attempt.status == AttemptStatus::Rejected)
}

/// The work with what was said of the rejected attempt, where it is a command that reads it.
pub fn told(resolved: Resolved, node: &Node, rejected: Option<&Attempt>) -> Resolved {
    let default_stdin = matches!(&node.does, Doing::Command(plan) if plan.stdin.is_none());
    let (Work::Command(command), Some(rejected), true) = (&resolved.work, rejected, default_stdin) else {
        return resolved;
    };
    let Ok(Value::Object(mut stdin)) = serde_json::from_str(&command.stdin) else { return resolved };
    let said = rejected.instruction.as_ref().map(|instruction| instruction.text.as_str()).unwrap_or_default();
    let output = rejected.newest().map_or(Value::Null, |(_, version)| (*version.output).clone());
    stdin.extend([("instruction".to_owned(), Value::from(said)), ("rejected".to_owned(), output)]);
    let work = Work::Command(CommandWork { stdin: Value::Object(stdin).to_string(), ..command.clone() });
    Resolved { work, identity: Some(resolved.identity.unwrap_or(resolved.work)) }
}
