//! A run as the JSON object of `show --json`: its fields and their order are a contract.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{ExportError, ExportScope};
use crate::core::call::{Attempt, Call, ToolCall, ToolCallEnd, Turn, Version};
use crate::core::deadline::Due;
use crate::core::document::Document;
use crate::core::event::Measured;
use crate::core::failure::Failure;
use crate::core::gate::{Answer, Gate};
use crate::core::key::Key;
use crate::core::model::Finish;
use crate::core::run::{ChatMessage, Run};
use crate::core::text::Untrusted;
use crate::core::tool::CallReturn;

/// The object of `show --json`.
#[must_use]
pub fn show(run: &Run) -> Value {
    let mut shown = json!({
        "v": 1,
        "run": run.id,
        "task": run.task,
        "kind": run.kind,
        "title": run.title,
        "status": run.seen_status(),
        "by": run.by,
        "cwd": run.cwd.to_string_lossy(),
        "created_at": run.created_at,
        "inputs": *run.inputs,
        "definition": run.definition,
        "calls": run.calls.values().map(call).collect::<Vec<_>>(),
        "waiting": waiting(run),
        "messages": run.messages.iter().map(|said| message(run, said)).collect::<Vec<_>>(),
        "warnings": run.warnings,
        "result": run.result.as_ref().map(|result| json!({"title": result.title, "body": result.body})),
        "documents": run.documents.values().flat_map(document).collect::<Vec<_>>(),
        "error": run.error.as_ref().map(run_failed),
        "usage": run.usage,
        "newer": run.newer,
        "archived": run.archived,
    });
    // Added since the first release, and there only where there is something to tell.
    for (name, value) in [
        ("session", run.session.as_ref().map(|name| json!(name))),
        ("origin", run.origin.as_ref().map(|origin| json!(origin))),
    ] {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}

/// What waits for a person, as in `show --json` and in the last line of `--json`.
#[must_use]
pub fn waiting(run: &Run) -> Value {
    run.waiting().map(|waits| gate(run, waits)).collect()
}

/// The part of a run that a scope names.
pub(super) fn scoped(run: &Run, scope: ExportScope) -> Result<Value, ExportError> {
    Ok(match scope {
        ExportScope::Full => show(run),
        ExportScope::Result => {
            let result = super::result(run)?;
            json!({"v": 1, "run": run.id, "title": result.title, "body": result.body})
        }
        ExportScope::Steps => json!({
            "v": 1,
            "run": run.id,
            "calls": run.calls.values().map(|call| json!({
                "key": call.key,
                "step": call.step,
                "status": call.status,
                "standing": standing(call),
            })).collect::<Vec<_>>(),
        }),
        ExportScope::Log => json!({
            "v": 1,
            "run": run.id,
            "attempts": super::markdown::in_order(run).into_iter().map(|(call, tried)| {
                let Measured { model, answered_by, usage, first_token_ms, ms, .. } = &tried.measured;
                let mut row = json!({
                    "started_at": tried.started_at,
                    "key": call.key,
                    "attempt": tried.number,
                    "status": tried.status,
                    "by": tried.by,
                    "model": model,
                    "instruction": instruction(tried),
                    "error": tried.error.as_ref().map(failed),
                    "first_token_ms": first_token_ms,
                    "ms": ms,
                    "usage": usage,
                });
                if let Some(other) = answered_by {
                    row["answered_by"] = json!(other);
                }
                row
            }).collect::<Vec<_>>(),
            "warnings": run.warnings,
            "log": run.log,
        }),
    })
}

fn call(call: &Call) -> Value {
    let output = call.output();
    let newest = call.newest().map_or(0, |attempt| attempt.number);
    let mut shown = json!({
        "key": call.key,
        "step": call.step,
        "status": call.status,
        "attempt": newest,
        "output": output.map(|(_, _, output)| &**output),
        "standing": standing(call),
        "attempts": call.attempts.iter().map(attempt).collect::<Vec<_>>(),
    });
    // Where the two could be taken for one another.
    if let Some((attempt, version, _)) = output.filter(|(attempt, ..)| *attempt != newest) {
        shown["output_of"] = json!({"attempt": attempt, "version": version});
    }
    shown
}

fn standing(call: &Call) -> Value {
    call.standing.as_ref().map_or(
        Value::Null,
        |stands| json!({"attempt": stands.attempt, "version": stands.version, "output": *stands.output}),
    )
}

fn attempt(attempt: &Attempt) -> Value {
    let Measured { model, usage, first_token_ms, ms, .. } = &attempt.measured;
    let mut shown = json!({
        "attempt": attempt.number,
        "status": attempt.status,
        "by": attempt.by,
        "model": model,
        "output": attempt.newest().map(|(_, version)| &*version.output),
        "versions": (1u32..).zip(&attempt.versions).map(version).collect::<Vec<_>>(),
        "instruction": instruction(attempt),
        "error": attempt.error.as_ref().map(failed),
        "started_at": attempt.started_at,
        "first_token_ms": first_token_ms,
        "ms": ms,
        "usage": usage,
    });
    // Added since the first release, and there only where there is something to tell.
    let Measured { answered_by, finish, thinking, discarded, .. } = &attempt.measured;
    for (name, value) in [
        ("answered_by", answered_by.as_ref().map(|model| json!(model))),
        ("finish", finish.filter(|finish| *finish != Finish::Stop).map(|finish| json!(finish))),
        ("problem", attempt.problem.as_ref().map(|problem| json!(problem))),
        ("partial", text(&attempt.partial).filter(|_| attempt.versions.is_empty())),
        ("thinking", text(thinking)),
        ("discarded", (!discarded.is_empty()).then(|| json!(discarded))),
        ("tools", attempt.tool_use.as_ref().and_then(|used| used.listed.as_ref()).map(|tools| json!(tools))),
        ("turns", attempt.tool_use.as_ref().map(|used| used.turns.iter().map(|it| turn(attempt, it)).collect())),
    ] {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}

/// A turn that ended in calls, with what became of them. What its provider has to get back is nobody's to read.
fn turn(attempt: &Attempt, turn: &Turn) -> Value {
    let Measured { model, usage, ms, thinking, .. } = &turn.finished.measured;
    let mut shown = json!({
        "turn": turn.finished.turn,
        "text": turn.finished.text,
        "calls": turn.calls.iter().map(|call| tool_call(attempt, call)).collect::<Vec<_>>(),
        "model": model,
        "ms": ms,
        "usage": usage,
    });
    if let Some(thinking) = text(thinking) {
        shown["thinking"] = thinking;
    }
    shown
}

fn tool_call(attempt: &Attempt, call: &ToolCall) -> Value {
    let mut shown = json!({
        "call": call.asked.call,
        "tool": call.asked.tool,
        "arguments": *call.asked.arguments,
        "status": attempt.status_of(call).name(),
        "ms": call.ms,
    });
    if let Some(changed) = &call.changed {
        shown["changed"] = json!(**changed);
    }
    if let Some(began) = call.began_at {
        shown["began_at"] = json!(began);
    }
    if let Some(ToolCallEnd::Denied { by, .. } | ToolCallEnd::Answered { by, .. }) = call.end() {
        shown["by"] = json!(by);
    }
    match call.returned().as_deref() {
        Some(CallReturn::Returned { output, is_error, images, notes }) => {
            shown["output"] = json!(**output);
            if *is_error {
                shown["is_error"] = json!(true);
            }
            if !images.is_empty() {
                shown["images"] = json!(images);
            }
            if !notes.is_empty() {
                shown["notes"] = json!(notes);
            }
        }
        Some(CallReturn::Failed { error }) => shown["error"] = failed(error),
        None => {}
    }
    shown
}

fn text(text: &Untrusted) -> Option<Value> {
    (!text.is_empty()).then(|| json!(text))
}

fn instruction(attempt: &Attempt) -> Option<&str> {
    attempt.instruction.as_ref().map(|said| said.text.as_str())
}

fn version((number, version): (u32, &Version)) -> Value {
    let mut shown = json!({"version": number, "by": version.by, "output": *version.output});
    if version.withdrawn {
        shown["withdrawn"] = json!(true);
    }
    shown
}

fn failed(error: &Failure) -> Value {
    json!({"class": error.class, "message": error.message, "detail": error.detail})
}

/// Why a run failed, and at which call.
fn run_failed((key, error): &(Option<Key>, Failure)) -> Value {
    json!({"key": key, "class": error.class, "message": error.message, "detail": error.detail})
}

fn gate(run: &Run, gate: &Gate) -> Value {
    let mut waits = json!({
        "key": gate.key,
        "for": gate.kind().name(),
        "attempt": gate.attempt,
        "version": gate.version,
        "allowed": gate.allowed.iter().map(|answer: &Answer| answer.name()).collect::<Vec<_>>(),
    });
    if let Some(call) = gate.call {
        waits["call"] = json!(call);
    }
    if let Some(document) = gate.document() {
        waits["document"] = json!(document);
    }
    if let Some(due) = run.due(gate) {
        waits["deadline"] = deadline(due, Utc::now());
    }
    waits
}

/// Until when something waits, what is done then, and whether that is overdue at `now`.
pub(super) fn deadline(due: Due, now: DateTime<Utc>) -> Value {
    json!({"at": due.at, "then": due.then.name(), "passed": due.has_passed(now)})
}

fn message(run: &Run, message: &ChatMessage) -> Value {
    let mut shown = json!({"role": message.role, "text": message.text});
    if let Some(version) = message.wrote {
        shown["wrote"] = json!(version);
    }
    if message.is_stopped(run) {
        shown["stopped"] = json!(true);
    }
    // Who reads the texts alone is not left with none.
    if let Some(remark) = message.remark(run).filter(|_| message.text.is_empty()) {
        shown["text"] = json!(remark);
    }
    shown
}

/// Every version of a document, oldest first. Which of them counts is said where it is not the newest.
fn document(document: &Document) -> Vec<Value> {
    let versions = (1u32..).zip(&document.versions);
    let current = document.current().map(|(number, _)| number);
    versions
        .map(|(number, version)| {
            let mut shown = json!({
                "name": document.name,
                "version": number,
                "title": version.title,
                "body": version.body,
                "by": version.by,
            });
            if let Some(action) = version.made_by() {
                shown["action"] = json!(action);
            }
            if current != Some(document.count()) {
                shown["current"] = json!(current == Some(number));
            }
            shown
        })
        .collect()
}
