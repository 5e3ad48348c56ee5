//! How far an attempt has come whose model calls tools: the tools, the turns, what each turn asked for and what came of
//! that. And what such an attempt does next, which is a function of it: after a crash, a pause, or a person who took a
//! month, it is asked again and says the same.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{AttemptStatus, Call};
use crate::core::actor::Actor;
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Gate, GateKind};
use crate::core::text::shortened;
use crate::core::tool::{AskedCall, CallReturn, FinishedTurn, ToolSpec};
use crate::core::tool_call::ToolCallId;
use crate::core::work::Work;

mod fold;
mod status;
#[cfg(test)]
mod tests;

pub use status::ToolCallStatus;

/// A model that asks for the same so many times in a row comes to nothing.
const SAME: usize = 3;

/// Of the arguments of a call a message shows so many characters.
const MOST_SHOWN: usize = 200;

/// What a model reads of a call that had begun and was given up.
const MAY_HAVE_HAPPENED: &str = "it was called and its outcome is unknown: it may have taken effect";

/// What an attempt has done with tools so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolUse {
    /// The tools that its model may call; `None`: they have not been listed yet.
    pub listed: Option<Arc<[ToolSpec]>>,
    /// The turns that ended in calls, oldest first.
    pub turns: Vec<Turn>,
    /// It was stopped before its end, and goes on under its number when the call is performed the next time.
    pub resumes: bool,
    /// When something happened in it the last time.
    pub moved_at: Option<DateTime<Utc>>,
}

/// A turn that ended in calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// As the model ended it.
    pub finished: Arc<FinishedTurn>,
    /// What became of its calls, in their order.
    pub calls: Vec<ToolCall>,
}

/// A tool call of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// As the model asked for it.
    pub asked: AskedCall,
    /// The arguments, where a person changed them.
    pub changed: Option<Arc<Value>>,
    /// What has become of it.
    pub state: ToolCallState,
    /// What a person has allowed, where they have.
    pub approved: Option<Fingerprint>,
    /// What a person answered to what the tool asked in the middle of its work; `false`: they declined.
    pub answer: Option<Arc<Value>>,
    /// When it began, the last time.
    pub began_at: Option<DateTime<Utc>>,
    /// How long it took, in milliseconds. What it waited for a person is none of it.
    pub ms: u64,
    /// How long it has waited for answers of a person, in milliseconds.
    pub waited_ms: u64,
    /// A person stopped it before the tool had been reached: whether it begins after all is theirs to say.
    pub stopped: bool,
}

/// What has become of a tool call.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ToolCallState {
    /// Nothing yet; or a gate is open, and a person is asked whether it may begin.
    #[default]
    Asked,
    /// A person allowed it, or wants it again.
    Allowed,
    /// It has begun.
    Called,
    /// It has begun and may have had its effect: a person is asked.
    InDoubt,
    /// It has come to its end.
    Ended(ToolCallEnd),
}

/// How a tool call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolCallEnd {
    /// The tool returned, or it is known that it did not.
    Returned(Arc<CallReturn>),
    /// It was denied, or its time was up.
    Denied {
        /// Why.
        error: Failure,
        /// Who.
        by: Actor,
    },
    /// A person answered in the tool's place.
    Answered {
        /// What.
        value: Arc<Value>,
        /// Who.
        by: Actor,
    },
    /// It is left out.
    Skipped {
        /// Why.
        because: String,
    },
}

impl ToolCall {
    /// What the model reads of it, once it has ended. Of a call that had begun nobody says that it was not made: a model
    /// that reads so makes it again.
    #[must_use]
    pub fn returned(&self) -> Option<Arc<CallReturn>> {
        let failed = |class, message: String| Arc::new(CallReturn::Failed { error: Failure::new(class, message) });
        let unknown = |why: &str| failed(FailureClass::Tool, format!("{MAY_HAVE_HAPPENED} ({why})"));
        Some(match self.end()? {
            ToolCallEnd::Returned(returned) => Arc::clone(returned),
            ToolCallEnd::Answered { value, .. } => {
                let (output, images, notes) = (Arc::clone(value), Vec::new(), Vec::new());
                Arc::new(CallReturn::Returned { output, is_error: false, images, notes })
            }
            ToolCallEnd::Denied { error, .. } if self.has_begun() => unknown(&error.message),
            ToolCallEnd::Skipped { because } if self.has_begun() => unknown(because),
            // Only a person's refusal is read as one.
            ToolCallEnd::Denied { error, by } if *by == Actor::Deadline => {
                failed(FailureClass::Tool, format!("not called: {}", error.message))
            }
            ToolCallEnd::Denied { error, .. } => Arc::new(CallReturn::Failed { error: error.clone() }),
            ToolCallEnd::Skipped { because } => failed(FailureClass::Tool, format!("not called: {because}")),
        })
    }

    /// The arguments that it is made with.
    #[must_use]
    pub fn arguments(&self) -> &Arc<Value> {
        self.changed.as_ref().unwrap_or(&self.asked.arguments)
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<&ToolCallEnd> {
        match &self.state {
            ToolCallState::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Whether the tool was called, whatever came of it.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.began_at.is_some()
    }
}

impl ToolUse {
    /// Whether one of its calls has begun and not come to its end.
    #[must_use]
    pub fn is_calling(&self) -> bool {
        self.open().any(|call| call.state == ToolCallState::Called)
    }

    /// A call of it.
    #[must_use]
    pub fn call(&self, id: ToolCallId) -> Option<&ToolCall> {
        let turn = self.turns.iter().rev().find(|turn| turn.finished.turn == id.turn)?;
        turn.calls.iter().find(|call| call.asked.call == id)
    }

    /// All calls, in the order in which they were asked for.
    #[must_use]
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &ToolCall> {
        self.turns.iter().flat_map(|turn| &turn.calls)
    }

    /// Those of the newest turn that have not come to their end.
    pub fn open(&self) -> impl Iterator<Item = &ToolCall> {
        self.turns.last().into_iter().flat_map(|turn| &turn.calls).filter(|call| call.end().is_none())
    }

    /// How long the longest of the calls took that have returned in the newest turn, in milliseconds.
    #[must_use]
    pub fn longest_of_turn(&self) -> u64 {
        self.turns.last().into_iter().flat_map(|turn| &turn.calls).map(|call| call.ms).max().unwrap_or(0)
    }

    /// A tool of those that were listed.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&ToolSpec> {
        self.listed.as_ref()?.iter().find(|spec| spec.tool == name)
    }

    /// Whether there is such a tool and it takes such arguments: looked at before anybody is asked.
    ///
    /// # Errors
    /// What is wrong with the call.
    pub fn takes(&self, name: &str, arguments: &Value) -> Result<(), String> {
        if let Some(spec) = self.tool(name) {
            return spec.takes(arguments);
        }
        let all: Vec<&str> = self.listed.iter().flat_map(|tools| tools.iter()).map(|spec| &*spec.tool).collect();
        Err(format!("there is no tool `{name}`; there are: {}", all.join(", ")))
    }

    /// Why its model is not asked again: it has taken all its turns, or asks for the same again and again. Known as soon as
    /// a turn has ended, before any call of it begins.
    fn failure_of_loop(&self, max_turns: u32) -> Option<Failure> {
        let newest = self.turns.last()?;
        let last: Vec<&AskedCall> = self.calls().rev().take(SAME).map(|call| &call.asked).collect();
        let same = |a: &AskedCall, b: &AskedCall| a.tool == b.tool && a.arguments == b.arguments;
        if last.len() == SAME && last.iter().all(|call| same(call, last[0])) {
            let (tool, arguments) = (&last[0].tool, shortened(&last[0].arguments.to_string(), MOST_SHOWN));
            let text = format!("the model asked for the same {SAME} times in a row: {tool} {arguments}");
            return Some(Failure::new(FailureClass::Turns, text));
        }
        let taken = newest.finished.turn;
        (taken >= max_turns).then(|| {
            let text = format!("no answer after {taken} turns (raise `max_turns`)");
            Failure::new(FailureClass::Turns, text)
        })
    }
}

/// What an attempt does next whose model calls tools.
#[derive(Clone, Debug, PartialEq)]
pub enum NextUnit {
    /// Its tools are listed.
    List,
    /// The model is asked for its next turn.
    Request,
    /// These calls begin, each once it is allowed.
    Calls(Vec<ToolCallId>),
    /// Nothing, until what is under way ends or a person answers.
    Wait,
    /// It comes to nothing.
    GiveUp(Failure),
    /// It is over, was stopped, or its model calls no tools.
    Nothing,
}

impl Call {
    /// Its newest attempt, if its model calls tools.
    #[must_use]
    pub fn tool_use(&self) -> Option<&ToolUse> {
        self.newest()?.tool_use.as_deref()
    }

    /// What its newest attempt does next, if its model calls tools.
    #[must_use]
    pub fn next_unit(&self) -> NextUnit {
        let Some(attempt) = self.newest().filter(|attempt| attempt.status == AttemptStatus::Running) else {
            return NextUnit::Nothing;
        };
        let Some(tools) = &attempt.tool_use else { return NextUnit::Nothing };
        if tools.listed.is_none() {
            let asks = self.gates.own().is_some_and(|gate| gate.kind() == GateKind::Tools);
            return if asks { NextUnit::Wait } else { NextUnit::List };
        }
        let max_turns = match attempt.work.as_deref() {
            Some(Work::Prompt(prompt)) => prompt.tools.as_ref().map_or(u32::MAX, |tools| tools.max_turns),
            _ => u32::MAX,
        };
        if let Some(failure) = tools.failure_of_loop(max_turns) {
            return NextUnit::GiveUp(failure);
        }
        if tools.open().next().is_none() {
            return NextUnit::Request;
        }
        let may_begin = |call: &&ToolCall| {
            matches!(call.state, ToolCallState::Asked | ToolCallState::Allowed)
                && self.gates.of(Some(call.asked.call)).is_none()
        };
        let calls: Vec<ToolCallId> = tools.open().filter(may_begin).map(|call| call.asked.call).collect();
        if calls.is_empty() { NextUnit::Wait } else { NextUnit::Calls(calls) }
    }

    /// Whether an attempt of it is at work. One whose model calls tools is not while it only waits for a person: nothing
    /// of it runs then, in any process.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running) && !self.waits_only_for_person()
    }

    /// Whether its attempt, whose model calls tools, only waits for a person.
    fn waits_only_for_person(&self) -> bool {
        let Some(tools) = self.tool_use() else { return false };
        if self.gates.own().is_some() {
            return true;
        }
        let waits = |call: &ToolCall| {
            !matches!(call.state, ToolCallState::Called) && self.gates.of(Some(call.asked.call)).is_some()
        };
        tools.open().next().is_some() && tools.open().all(waits)
    }

    /// Whether all that is at work in it are tools that wait for a person's answer to what they asked.
    #[must_use]
    pub fn only_asks(&self) -> bool {
        let Some(tools) = self.tool_use() else {
            return self.gates.own().is_some_and(|gate| gate.kind() == GateKind::Input);
        };
        let waits = |call: &ToolCall| self.gates.of(Some(call.asked.call)).is_some();
        tools.open().next().is_some() && tools.open().all(waits)
    }

    /// Whether its newest attempt calls tools and has begun, whatever of it waits for a person.
    #[must_use]
    pub fn runs_tools(&self) -> bool {
        self.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running && attempt.tool_use.is_some())
    }

    /// Whether its attempt, whose model calls tools, can be stopped while it waits for a person: nothing of it is at work that
    /// would be cancelled, and nothing of it is in doubt, which would be asked first.
    #[must_use]
    pub fn stops_as_it_waits(&self) -> bool {
        self.runs_tools() && self.waits_only_for_person() && !self.is_in_doubt()
    }

    /// Whether what a gate asks about is a tool call that a person stopped: no rule and no policy begins it again.
    #[must_use]
    pub fn was_stopped(&self, gate: &Gate) -> bool {
        let stopped = |id| self.tool_use()?.call(id).map(|call| call.stopped);
        gate.call.and_then(stopped).unwrap_or(false)
    }

    /// Whether a person is asked whether one of its tool calls, or the whole of it, has happened.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.gates.iter().any(|gate| gate.kind() == GateKind::InDoubt)
    }

    /// Whether its newest attempt calls tools, was stopped before its end, and continues under its number.
    #[must_use]
    pub fn resumes_tools(&self) -> bool {
        self.tool_use().is_some_and(|tools| tools.resumes)
    }
}

/// What an attempt took, with what it took before: of several requests, or after it was stopped.
pub(super) fn sum(before: &Measured, more: &Measured) -> Measured {
    let mut sum = more.clone();
    sum.usage += before.usage;
    sum.ms = sum.ms.saturating_add(before.ms);
    sum.model = sum.model.or_else(|| before.model.clone());
    if before.first_token_ms > 0 {
        sum.first_token_ms = before.first_token_ms;
    }
    let notes = before.notes.iter().chain(more.notes.iter().filter(|note| !before.notes.contains(note)));
    sum.notes = notes.cloned().collect();
    sum.discarded = before.discarded.iter().chain(&more.discarded).cloned().collect();
    sum
}
