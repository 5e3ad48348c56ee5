//! Decisions: what a person may decide of a run as it stands, and the events that follow.
//!
//! A decision names what was seen: key, attempt, version. If that is no longer what waits, it is refused, nothing
//! changes, and the refusal says why. So the first answer wins.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actor::Actor;
use super::call::{Call, CallStatus};
use super::code::ErrorCode;
use super::event::{Event, InstructionScope};
use super::gate::{Answer, Gate, GateBody, GateKind, ReviewBody};
use super::given::{acceptable, given, takes};
use super::key::Key;
use super::run::{Run, Status};
use super::task::Kind;
use super::tool_call::ToolCallId;
use super::usage::Budget;
use super::work::Work;

mod action;
mod allow;
mod document;
mod read;
mod refusal;
mod take;
mod undo;
mod whole;

pub use action::request_action;
pub use document::edit_document;
pub use refusal::{Refusal, what_waits};
pub use take::Taken;
pub use undo::{Following, Offspring, newest_decision, undo};
pub use whole::{
    cancel, choose_model, choose_model_for_the_rest, message, retry_failed, set_budget, waiting_answer, write_document,
};

use refusal::{not_allowed, not_waiting, stands};
use whole::raised;

/// A decision about one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "read::Written")]
pub struct Decision {
    /// The call.
    pub key: Key,
    /// The tool call of its attempt; `None`: the call as a whole, or the only tool call of it that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<ToolCallId>,
    /// The document, where it is about none of the calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The attempt that was seen; `None`: whichever waits now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The version that was seen; `None`: whichever is newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The newest event about the call that was seen: the same attempt may come to ask for something else. `None`:
    /// whatever has happened since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What is decided.
    #[serde(flatten)]
    pub kind: DecisionKind,
}

impl Decision {
    /// About a call, whatever waits there now.
    #[must_use]
    pub fn new(key: Key, kind: DecisionKind) -> Self {
        Self { key, call: None, document: None, attempt: None, version: None, seq: None, kind }
    }

    /// About a gate as it was seen.
    #[must_use]
    pub fn about(gate: &Gate, kind: DecisionKind) -> Self {
        Self { attempt: Some(gate.attempt), version: Some(gate.version), ..Self::of(gate, kind) }
    }

    /// About what waits there, in whichever attempt and version it does.
    #[must_use]
    pub fn of(gate: &Gate, kind: DecisionKind) -> Self {
        Self { call: gate.call, document: gate.document().map(str::to_owned), ..Self::new(gate.key.clone(), kind) }
    }

    /// About a gate of a run as both were seen. What waits for a review is told by its attempt and version; anything
    /// else may come to ask for something else under the same numbers, so it has to be the newest that is known of the
    /// call.
    #[must_use]
    pub fn about_seen(run: &Run, gate: &Gate, kind: DecisionKind) -> Self {
        let seq = (gate.kind() != GateKind::Review).then(|| run.newest_about(gate));
        Self { seq, ..Self::about(gate, kind) }
    }
}

/// What is decided about a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decide", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DecisionKind {
    /// Take it.
    Accept,
    /// Record a version of one's own; with `accept`, take it.
    Edit {
        /// The new output.
        output: Value,
        /// Take it too.
        #[serde(default)]
        accept: bool,
    },
    /// Take an earlier attempt, or another version, instead of what waits.
    Take {
        /// Which.
        take: Taken,
    },
    /// Another attempt.
    Retry {
        /// What to do differently.
        #[serde(default)]
        instruction: String,
        /// How far that reaches.
        #[serde(default)]
        scope: InstructionScope,
        /// A role or `PROVIDER/MODEL` that makes the later attempts, as far as `scope` reaches in this run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// Go on without it.
    Skip,
    /// Allow the effect.
    Approve {
        /// Of a call of a tool: the tool is allowed for the rest of the run.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_run: bool,
        /// Of a call of a tool that a model asks for: with these arguments instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arguments: Option<Value>,
    },
    /// Refuse the effect.
    Deny {
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Give the value that is asked for; in doubt, the result that the work had.
    Answer {
        /// The value.
        value: Value,
    },
    /// Run it (again): a stale, failed or skipped call, or one in doubt.
    Again {
        /// A role or `PROVIDER/MODEL` that makes its later attempts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    /// Keep a stale result.
    Keep,
    /// Let the run spend so much in all.
    Budget {
        /// The new budget.
        budget: Budget,
    },
    /// Reopen an accepted call.
    Reopen,
}

impl DecisionKind {
    /// Allow the effect, as it is shown and this once.
    pub const APPROVE: Self = Self::Approve { for_run: false, arguments: None };

    /// The answer to a gate that it is; `None`: it is none, or not one that a gate lists.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        Some(match self {
            Self::Accept | Self::Take { .. } => Answer::Accept,
            Self::Edit { .. } => Answer::Edit,
            Self::Retry { .. } => Answer::Retry,
            Self::Skip => Answer::Skip,
            Self::Approve { .. } => Answer::Approve,
            Self::Deny { .. } => Answer::Deny,
            Self::Answer { .. } => Answer::Answer,
            Self::Again { .. } => Answer::Again,
            Self::Keep => Answer::Keep,
            Self::Budget { .. } => Answer::Budget,
            Self::Reopen => return None,
        })
    }

    /// The model that it asks for.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Retry { model, .. } | Self::Again { model } => model.as_deref(),
            _ => None,
        }
    }

    /// The word for it in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Take { .. } => "take",
            _ => self.answer().map_or("reopen", Answer::name),
        }
    }
}

/// The events of a decision.
///
/// # Errors
/// When it may not be made: why.
pub fn decide(run: &Run, decision: &Decision, by: &Actor) -> Result<Vec<Event>, Refusal> {
    if run.status == Status::Cancelled {
        return Err(Refusal::cancelled());
    }
    if let Some(name) = decision.of_document(run) {
        return document::choose(run, name, decision, by);
    }
    let key = &decision.key;
    let Some(call) = run.call(key) else {
        return Refusal::because(
            ErrorCode::NoCall,
            format!("there is no call `{key}` in this run; {}", what_waits(run)),
        );
    };
    match &decision.kind {
        DecisionKind::Reopen => return reopen(run, call, by),
        DecisionKind::Take { take } => return take::take(run, call, *take, decision, by.clone()),
        // A failed call waits for nothing, and yet a person may say how the run goes on from it.
        DecisionKind::Skip if run.kind == Kind::Workflow && call.failed_work().is_some() && decision.call.is_none() => {
            take::check_failed(call, decision)?;
            return Ok(vec![skipped(call, None, by.clone())]);
        }
        DecisionKind::Edit { output, accept }
            if run.kind == Kind::Workflow && call.failed_work().is_some() && decision.call.is_none() =>
        {
            take::check_failed(call, decision)?;
            return take::fill(call, output, *accept, by.clone());
        }
        DecisionKind::Again { model } if call.gates.is_empty() && decision.call.is_none() => {
            let chosen = chosen(run, key, model.as_deref(), InstructionScope::This, by)?;
            return Ok(chosen.into_iter().chain(again(run, call, by)?).collect());
        }
        DecisionKind::Edit { output, accept }
            if run.kind == Kind::Instruct && decision.call.is_none() && call.gates.own().is_none_or(is_message) =>
        {
            if let Some(gate) = call.gates.own() {
                check_current(run, gate, decision)?;
            }
            return write_document(run, output, *accept, by);
        }
        _ => {}
    }
    let gate = gate_of(run, call, decision.call)?;
    check_current(run, gate, decision)?;
    let answer = decision.kind.answer();
    let of_the_call = matches!(answer, Some(Answer::Accept | Answer::Edit | Answer::Retry | Answer::Keep));
    if !answer.is_some_and(|answer| takes(call, gate, answer)) || (gate.call.is_some() && of_the_call) {
        return Err(not_allowed(gate, decision));
    }
    let by = by.clone();
    let key = key.clone();
    let (tool_call, attempt, version) = (gate.call, gate.attempt, gate.version);
    Ok(match &decision.kind {
        DecisionKind::Accept => {
            if let Err(problem) = acceptable(call, gate) {
                let why = format!("the output of `{key}` {problem}; answer it again");
                return Refusal::because(ErrorCode::InvalidInput, why);
            }
            vec![Event::CallAccepted { key, attempt, version, by, overridden: gate.failed_checks().to_vec() }]
        }
        DecisionKind::Edit { output, accept } => edit(call, gate, output, *accept, by)?,
        DecisionKind::Retry { instruction, scope, model } => {
            let instruction = instruction.trim().to_owned();
            let chosen = chosen(run, &key, model.as_deref(), *scope, &by)?;
            let rejected = Event::AttemptRejected { key, attempt, instruction, scope: *scope, by };
            chosen.into_iter().chain([rejected]).collect()
        }
        DecisionKind::Skip => vec![skipped(call, tool_call, by)],
        DecisionKind::Approve { for_run, arguments } => {
            let others = if *for_run { allow::of_the_same_tool(run, gate, &by) } else { Vec::new() };
            let allowed = allow::approved(call, gate, *for_run, arguments.as_ref(), by)?;
            std::iter::once(allowed).chain(others).collect()
        }
        DecisionKind::Deny { reason } => vec![allow::denied(call, gate, reason, by)?],
        DecisionKind::Answer { value } if run.kind == Kind::Instruct && is_message(gate) => {
            let Some(text) = value.as_str() else {
                return Refusal::because(
                    ErrorCode::InvalidInput,
                    "the answer in a conversation is a text, in JSON: `\"…\"`",
                );
            };
            message(run, text, &by)?
        }
        DecisionKind::Answer { value } => answer_gate(call, gate, value, by)?,
        DecisionKind::Again { model } => {
            let chosen = chosen(run, &key, model.as_deref(), InstructionScope::This, &by)?;
            chosen.into_iter().chain([Event::CallRequested { call: tool_call, key, by }]).collect()
        }
        DecisionKind::Keep => {
            let Some(stale) = &call.stale else { return Err(not_waiting(run, call)) };
            vec![Event::CallKept { key, fingerprint: stale.fingerprint.clone(), by }]
        }
        DecisionKind::Budget { budget } => {
            let GateBody::Budget(asked) = &gate.body else { return Err(not_allowed(gate, decision)) };
            vec![Event::BudgetRaised { budget: raised(asked, *budget), by }]
        }
        DecisionKind::Reopen | DecisionKind::Take { .. } => Vec::new(),
    })
}

fn skipped(call: &Call, tool_call: Option<ToolCallId>, by: Actor) -> Event {
    let because = format!("left out by {by}");
    Event::CallSkipped { call: tool_call, key: call.key.clone(), step: call.step.clone(), because, cause: None, by }
}

fn chosen(
    run: &Run,
    key: &Key,
    model: Option<&str>,
    scope: InstructionScope,
    by: &Actor,
) -> Result<Vec<Event>, Refusal> {
    model.map_or(Ok(Vec::new()), |model| choose_model(run, key, None, model, scope, by))
}

/// The gate that is decided about.
///
/// # Errors
/// When nothing of the call waits, not that tool call, or several tool calls do and none is named.
pub fn gate_of<'a>(run: &Run, call: &'a Call, tool_call: Option<ToolCallId>) -> Result<&'a Gate, Refusal> {
    if let Some(gate) = call.gates.of(tool_call) {
        return Ok(gate);
    }
    let key = &call.key;
    match (tool_call, call.gates.len()) {
        (_, 0) => Err(not_waiting(run, call)),
        (Some(tool_call), _) => {
            let text = format!("tool call {tool_call} of `{key}` does not wait; {}", what_waits(run));
            Refusal::because(ErrorCode::NotWaiting, text)
        }
        (None, 1) => call.gate().ok_or_else(|| not_waiting(run, call)),
        (None, _) => {
            let each = |gate: &Gate| Some(format!("--call {} ({})", gate.call?, gate.kind()));
            let several = call.gates.iter().filter_map(each).collect::<Vec<_>>().join(", ");
            let text = format!("several tool calls of `{key}` wait: say which one with {several}");
            Refusal::because(ErrorCode::Ambiguous, text)
        }
    }
}

/// Whether an answer to a gate of a conversation is the person's next message.
fn is_message(gate: &Gate) -> bool {
    gate.call.is_none() && gate.kind() == GateKind::Input
}

/// Whether what was seen is what waits.
fn check_current(run: &Run, gate: &Gate, decision: &Decision) -> Result<(), Refusal> {
    if let Some(attempt) = decision.attempt
        && attempt != gate.attempt
    {
        return Refusal::because(
            ErrorCode::StaleView,
            format!("attempt {attempt} of `{}` was seen, but attempt {} waits now", gate.key, gate.attempt),
        );
    }
    if let Some(version) = decision.version
        && version != gate.version
    {
        return Refusal::because(
            ErrorCode::StaleView,
            format!("version {version} of `{}` was seen, but version {} waits now", gate.key, gate.version),
        );
    }
    if decision.seq.is_some_and(|seq| seq != run.newest_about(gate)) {
        let message = format!("`{}` has changed since it was seen: look again", gate.key);
        return Refusal::because(ErrorCode::StaleView, message);
    }
    Ok(())
}

fn edit(call: &Call, gate: &Gate, output: &Value, accept: bool, by: Actor) -> Result<Vec<Event>, Refusal> {
    let refused =
        |problem| Refusal::new(ErrorCode::InvalidInput, format!("the edited output of `{}` {problem}", gate.key));
    let output = given(call, gate, output).map_err(refused)?;
    let versions = call.attempt(gate.attempt).map_or(0, |attempt| attempt.versions.len());
    let version = u32::try_from(versions).unwrap_or(u32::MAX).saturating_add(1);
    let (key, attempt) = (gate.key.clone(), gate.attempt);
    let mut events =
        vec![Event::VersionEdited { key: key.clone(), attempt, version, output: Arc::new(output), by: by.clone() }];
    if accept {
        events.push(Event::CallAccepted { key, attempt, version, by, overridden: Vec::new() });
    }
    Ok(events)
}

fn answer_gate(asked: &Call, gate: &Gate, value: &Value, by: Actor) -> Result<Vec<Event>, Refusal> {
    let (key, call, attempt) = (gate.key.clone(), gate.call, gate.attempt);
    let refused = |problem: String| Refusal::new(ErrorCode::InvalidInput, problem);
    let value = match gate.kind() {
        // The value itself goes to the process that drives the run, never to the journal.
        GateKind::Secret => return Ok(vec![Event::CallRequested { call, key, by }]),
        // A form that was taken up again.
        GateKind::Review => return edit(asked, gate, value, true, by),
        // The output that the work had.
        GateKind::InDoubt => {
            given(asked, gate, value).map_err(|problem| refused(format!("the answer to `{key}` {problem}")))?
        }
        _ => match gate.fields() {
            Some(fields) => super::form::fill(fields, value).map_err(|wrong| refused(wrong.join("; ")))?,
            None => value.clone(),
        },
    };
    Ok(vec![Event::CallAnswered { call, key, attempt, value: Arc::new(value), by }])
}

/// Whether the call, if it is an action on a document, may be performed once more.
fn action_may_run(run: &Run, key: &Key) -> Result<(), Refusal> {
    let Some(asked) = run.actions.get(key) else { return Ok(()) };
    let text = if asked.written.is_some() {
        format!("`{key}` has made its version of `{}`; ask for the action again", asked.document)
    } else if asked.taken_back {
        format!("`{key}` was taken back; ask for the action again")
    } else if let Some((other, _)) = run.action_under_way(&asked.document).filter(|(other, _)| *other != key) {
        format!("`{other}` is changing `{}` just now; wait for it, or stop it first", asked.document)
    } else {
        return Ok(());
    };
    Refusal::because(ErrorCode::NotAllowed, text)
}

fn again(run: &Run, call: &Call, by: &Actor) -> Result<Vec<Event>, Refusal> {
    action_may_run(run, &call.key)?;
    match call.status {
        CallStatus::Failed | CallStatus::Skipped | CallStatus::Cancelled => {
            Ok(vec![Event::CallRequested { call: None, key: call.key.clone(), by: by.clone() }])
        }
        _ => {
            let now = stands(call);
            Refusal::because(
                ErrorCode::NotWaiting,
                format!("`{}` {now}; only what ended or is stale runs again", call.key),
            )
        }
    }
}

fn reopen(run: &Run, call: &Call, by: &Actor) -> Result<Vec<Event>, Refusal> {
    let key = call.key.clone();
    let by = by.clone();
    action_may_run(run, &key)?;
    if call.status != CallStatus::Accepted {
        if matches!(call.status, CallStatus::Skipped | CallStatus::Failed) {
            return Ok(vec![Event::CallRequested { call: None, key, by }]);
        }
        let now = stands(call);
        return Refusal::because(
            ErrorCode::NotAllowed,
            format!("`{key}` {now}; only an accepted call can be reopened"),
        );
    }
    let Some(standing) = &call.standing else {
        return Refusal::because(ErrorCode::NotAllowed, format!("`{key}` has no output to go back to"));
    };
    let work = call.attempt(standing.attempt).and_then(|attempt| attempt.work.as_deref());
    let schema = work.and_then(|work| work.schema()).cloned();
    let fields = match work {
        Some(Work::Ask { fields, .. }) => Some(fields.clone()),
        _ => None,
    };
    let cut = call.attempt(standing.attempt).is_some_and(|attempt| attempt.is_cut(standing.version));
    let review = ReviewBody { schema, fields, cut, ..ReviewBody::default() };
    let gate = Gate::of_review(key.clone(), standing.attempt, standing.version, review);
    Ok(vec![Event::CallReopened { key, by }, Event::GateOpened(gate)])
}
