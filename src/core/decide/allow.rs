//! Approvals: a person allows an effect, the calls of a tool, or tools that have changed, or refuses it.

use std::sync::Arc;

use serde_json::Value;

use super::Refusal;
use crate::core::actor::Actor;
use crate::core::call::Call;
use crate::core::code::ErrorCode;
use crate::core::event::Event;
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{ApprovalBody, Gate, GateBody};
use crate::core::run::Run;
use crate::core::work::Work;

/// The event of allowing what a gate asks about.
pub(super) fn approved(
    call: &Call,
    gate: &Gate,
    for_run: bool,
    arguments: Option<&Value>,
    by: Actor,
) -> Result<Event, Refusal> {
    let approval = match &gate.body {
        GateBody::Approval(approval) => Some(approval),
        _ => None,
    };
    let tool = gate.tool();
    let not = |what: &str| {
        let text = format!("`{}` waits for {}: {what}", gate.name(), gate.kind());
        Refusal::new(ErrorCode::NotAllowed, text)
    };
    if for_run && tool.is_none() {
        return Err(not("only a tool is allowed for the rest of the run"));
    }
    let fingerprint = match (approval, arguments) {
        (_, Some(arguments)) => {
            let Some(tool) = tool.filter(|_| gate.call.is_some()) else {
                return Err(not("only a call that a model asks for takes other arguments"));
            };
            // They are held to what the tool takes, as the model's are.
            if let Some(Err(problem)) = call.tool_use().and_then(|used| used.tool(tool)).map(|it| it.takes(arguments)) {
                return Err(Refusal::new(ErrorCode::InvalidInput, format!("{}: {problem}", gate.name())));
            }
            let shown = approval.map(|approval| approval.work.with_arguments(arguments.clone()));
            let work = shown.unwrap_or_else(|| Work::tool(tool, arguments.clone()));
            let bytes =
                Fingerprint::of(&work).map_err(|error| Refusal::new(ErrorCode::InvalidInput, error.to_string()))?;
            gate.behind().map_or(bytes.clone(), |behind| bytes.of_its(behind))
        }
        (Some(approval), None) => approval.bytes.clone(),
        (None, None) => match &gate.body {
            GateBody::Tools(tools) => tools.fingerprint.clone(),
            _ => return Err(not("there is nothing to allow")),
        },
    };
    let arguments = arguments.cloned().map(Arc::new);
    Ok(Event::CallApproved { key: gate.key.clone(), call: gate.call, fingerprint, arguments, for_run, by })
}

/// Where a tool is allowed for the rest of the run: the events of allowing its calls that are asked about already.
pub(super) fn of_the_same_tool(run: &Run, allowed: &Gate, by: &Actor) -> Vec<Event> {
    let waits = |gate: &&Gate| {
        gate.behind().is_some_and(|behind| allowed.behind() == Some(behind))
            && (&gate.key, gate.call) != (&allowed.key, allowed.call)
    };
    let approved = |gate: &Gate| approved(run.call(&gate.key)?, gate, false, None, by.clone()).ok();
    let stopped = |gate: &&Gate| run.call(&gate.key).is_some_and(|call| call.was_stopped(gate));
    run.waiting().filter(waits).filter(|gate| !stopped(gate)).filter_map(approved).collect()
}

/// The event of refusing what a gate asks about.
pub(super) fn denied(call: &Call, gate: &Gate, reason: &str, by: Actor) -> Result<Event, Refusal> {
    let fingerprint = match &gate.body {
        GateBody::Approval(ApprovalBody { fingerprint, .. }) => Some(fingerprint),
        GateBody::Tools(_) => call.newest().map(|attempt| &attempt.fingerprint),
        _ => None,
    };
    let Some(fingerprint) = fingerprint.cloned() else {
        let text = format!("`{}` waits for {}: there is nothing to deny", gate.name(), gate.kind());
        return Err(Refusal::new(ErrorCode::NotAllowed, text));
    };
    let reason = if reason.trim().is_empty() { format!("denied by {by}") } else { reason.trim().to_owned() };
    let (error, step) = (Failure::new(FailureClass::Denied, reason), call.step.clone());
    Ok(Event::CallFailed { key: gate.key.clone(), call: gate.call, step, fingerprint, error, failed: Vec::new(), by })
}
