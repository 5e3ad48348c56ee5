//! Why a decision may not be made, in words for a person and a code for a program.

use super::{Decision, DecisionKind};
use crate::core::call::{Call, CallStatus};
use crate::core::code::ErrorCode;
use crate::core::gate::{Gate, GateKind};
use crate::core::run::{NEWER, Run};

/// Why a decision may not be made. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For a program.
    pub code: ErrorCode,
    /// For a person: what is refused, and what can be done instead.
    pub message: String,
}

impl Refusal {
    /// Of this kind, in these words.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The run was cancelled, and nothing can be done in it any more.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(ErrorCode::Over, "the run was cancelled; `rerun` or `fork` starts a new one from it")
    }

    /// A later version wrote the run: what is not known of it may change what a decision means.
    #[must_use]
    pub fn newer() -> Self {
        Self::new(ErrorCode::Newer, format!("the run can only be read here: {NEWER}"))
    }

    pub(super) fn because<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, Self> {
        Err(Self::new(code, message))
    }
}

pub(super) fn not_allowed(gate: &Gate, decision: &Decision) -> Refusal {
    let allowed = gate.allowed.iter().map(|answer| answer.name()).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "`{}` waits for {}: `{}` does not answer that; what does: {allowed}",
        gate.key,
        awaited(gate.kind()),
        decision.kind.name()
    );
    if gate.kind() == GateKind::Review && matches!(decision.kind, DecisionKind::Accept) {
        let problem =
            gate.review().and_then(|review| review.problem.as_deref()).unwrap_or("it does not fit its schema");
        text = format!("`{}` cannot be accepted as it is: {problem}; edit it, or have it tried again", gate.key);
    }
    Refusal::new(ErrorCode::NotAllowed, text)
}

fn awaited(kind: GateKind) -> &'static str {
    match kind {
        GateKind::Review => "a review",
        GateKind::Approval => "an approval",
        GateKind::Input => "an answer",
        GateKind::InDoubt => "someone to say what happened",
        GateKind::Stale => "a choice: run again or keep",
        GateKind::Budget => "a higher budget",
        GateKind::Secret => "a secret",
        GateKind::Tools => "a look at tools that have changed",
    }
}

pub(super) fn not_waiting(run: &Run, call: &Call) -> Refusal {
    Refusal::new(ErrorCode::NotWaiting, format!("`{}` {}; {}", call.key, stands(call), what_waits(run)))
}

/// How a call stands, for messages.
pub(super) fn stands(call: &Call) -> String {
    let gate = call.gate().map(|gate| awaited(gate.kind()));
    match (call.status, gate) {
        (_, Some(gate)) => format!("waits for {gate}"),
        (CallStatus::Pending, None) => "has not begun".to_owned(),
        (CallStatus::Running, None) => "is still running".to_owned(),
        (CallStatus::Accepted, None) => "has been accepted already".to_owned(),
        (status, None) => format!("is {}", status.name().replace('_', " ")),
    }
}

/// What waits, for messages.
#[must_use]
pub fn what_waits(run: &Run) -> String {
    let one = |gate: &Gate| match gate.call {
        Some(call) => format!("`{}` --call {call} ({})", gate.key, gate.kind()),
        None => format!("`{}` ({})", gate.name(), gate.kind()),
    };
    let keys: Vec<String> = run.waiting().map(one).take(5).collect();
    match (keys.len(), run.gates()) {
        (0, _) => "nothing waits".to_owned(),
        (shown, all) if all > shown => format!("{all} calls wait: {}, …", keys.join(", ")),
        _ => format!("waiting: {}", keys.join(", ")),
    }
}
