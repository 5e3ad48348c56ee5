//! What events make of an attempt whose model calls tools.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{ToolCall, ToolCallEnd, ToolCallState, ToolUse, Turn, sum};
use crate::core::actor::Actor;
use crate::core::call::{Attempt, AttemptStatus, Call, CallStatus};
use crate::core::event::{Event, Measured};
use crate::core::failure::FailureClass;
use crate::core::gate::GateKind;
use crate::core::text::Untrusted;
use crate::core::tool::{CallReturn, FinishedTurn, ToolSpec};
use crate::core::tool_call::ToolCallId;
use crate::core::usage::Usage;

impl Call {
    fn tools_of(&mut self, attempt: u32) -> Option<&mut ToolUse> {
        self.attempt_mut(attempt)?.tool_use.as_deref_mut()
    }

    /// Something happened in it.
    pub(in crate::core) fn moved(&mut self, at: DateTime<Utc>) {
        if let Some(used) = self.attempts.last_mut().and_then(|attempt| attempt.tool_use.as_deref_mut()) {
            used.moved_at = Some(at);
        }
    }

    fn tool_call_mut(&mut self, attempt: u32, id: ToolCallId) -> Option<&mut ToolCall> {
        let turn = self.tools_of(attempt)?.turns.iter_mut().rev().find(|turn| turn.finished.turn == id.turn)?;
        turn.calls.iter_mut().find(|call| call.asked.call == id)
    }

    pub(in crate::core) fn list_tools(&mut self, attempt: u32, tools: Arc<[ToolSpec]>) {
        if let Some(used) = self.tools_of(attempt) {
            used.listed = Some(tools);
        }
    }

    /// A turn ended in calls; the model answered, so that the request of the next one has all its tries.
    pub(in crate::core) fn finish_turn(&mut self, attempt: u32, finished: FinishedTurn) {
        self.tries = 1;
        let Some(attempt) = self.attempt_mut(attempt) else { return };
        attempt.add_measured(&finished.measured);
        let Some(used) = &mut attempt.tool_use else { return };
        let calls = finished.calls.iter().map(|asked| ToolCall {
            asked: asked.clone(),
            changed: None,
            state: ToolCallState::Asked,
            approved: None,
            answer: None,
            began_at: None,
            ms: 0,
            waited_ms: 0,
            stopped: false,
        });
        used.turns.push(Turn { calls: calls.collect(), finished: Arc::new(finished) });
    }

    pub(in crate::core) fn tool_called(&mut self, attempt: u32, id: ToolCallId, at: DateTime<Utc>) {
        if let Some(call) = self.tool_call_mut(attempt, id) {
            call.state = ToolCallState::Called;
            call.began_at = Some(at);
            call.stopped = false;
            call.waited_ms = 0;
            call.answer = None;
        }
        self.gates.close(Some(id));
        self.status = self.status_now();
    }

    pub(in crate::core) fn tool_returned(&mut self, attempt: u32, id: ToolCallId, outcome: &CallReturn, ms: u64) {
        let longest = self.tools_of(attempt).map_or(0, |used| used.longest_of_turn());
        if let Some(call) = self.tool_call_mut(attempt, id) {
            call.state = ToolCallState::Ended(ToolCallEnd::Returned(Arc::new(outcome.clone())));
            call.ms = ms;
        }
        if let Some(attempt) = self.attempt_mut(attempt) {
            // Calls of a turn run side by side.
            let more = ms.saturating_sub(longest);
            attempt.measured.ms = attempt.measured.ms.saturating_add(more);
        }
        if self.gates.close(Some(id)) {
            self.status = self.status_now();
        }
    }

    /// The attempt goes on under its number: what had begun and is not in doubt may begin again.
    pub(in crate::core) fn resume(&mut self, number: u32, usage: &Usage) {
        let Some(attempt) = self.attempt_mut(number) else { return };
        attempt.add_measured(&Measured { usage: *usage, ..Measured::default() });
        attempt.partial = Untrusted::default();
        attempt.error = None;
        let was_stopped = std::mem::replace(&mut attempt.status, AttemptStatus::Running) != AttemptStatus::Running;
        if was_stopped {
            self.tries += 1;
        }
        self.stopped_calls_may_begin(number);
        if let Some(used) = self.tools_of(number) {
            used.resumes = false;
        }
        self.gates.close(None);
        self.stale = None;
        self.ending = None;
        self.again = false;
        self.withdrawn = false;
        self.retry_at = None;
        self.status = self.status_now();
    }

    /// Of an attempt that was stopped: it goes on under its number, unless a person wants it made again.
    pub(in crate::core) fn stop_attempt(&mut self, number: u32, resumes: bool) {
        if resumes {
            self.stopped_calls_may_begin(number);
        }
        if let Some(used) = self.tools_of(number) {
            used.resumes = resumes;
        }
        // What waited is asked again when it goes on; what may have happened stays a person's to settle.
        self.gates.retain(|gate| resumes && gate.kind() == GateKind::InDoubt && gate.call.is_some());
        if !self.gates.is_empty() {
            self.status = self.status_now();
        }
    }

    /// What was called and is not in doubt is called again. Whoever it had asked is not waited for.
    fn stopped_calls_may_begin(&mut self, number: u32) {
        let Some(used) = self.attempt_mut(number).and_then(|attempt| attempt.tool_use.as_deref_mut()) else { return };
        let calls = used.turns.last_mut().into_iter().flat_map(|turn| &mut turn.calls);
        let stopped = calls.filter(|call| call.state == ToolCallState::Called).map(|call| {
            call.state = ToolCallState::Allowed;
            call.asked.call
        });
        for id in stopped.collect::<Vec<_>>() {
            self.gates.close(Some(id));
        }
    }

    /// A person wants it performed again: an attempt whose requests failed goes on from where it is; anything else is made
    /// again from its beginning.
    pub(in crate::core) fn ask_again(&mut self) {
        let Some(attempt) = self.attempts.last_mut() else { return };
        let by_request = |class: FailureClass| {
            use FailureClass::{Auth, Network, RateLimit, Server, Timeout};
            matches!(class, Auth | RateLimit | Server | Network | Timeout)
        };
        let failed = attempt.status == AttemptStatus::Failed
            && attempt.versions.is_empty()
            && attempt.error.as_ref().is_some_and(|error| by_request(error.class));
        if let Some(used) = &mut attempt.tool_use {
            used.resumes = failed && !used.turns.is_empty();
        }
    }

    /// An attempt that only waited for a person is not waited for any more.
    pub(in crate::core) fn give_up_tools(&mut self) {
        self.begins_again();
        if let Some(attempt) = self.attempts.last_mut()
            && attempt.tool_use.is_some()
            && attempt.status == AttemptStatus::Running
        {
            attempt.status = AttemptStatus::Cancelled;
        }
    }

    /// An attempt that was stopped does not continue: what is performed next, if anything, is a new one.
    pub(in crate::core) fn begins_again(&mut self) {
        if let Some(used) = self.attempts.last_mut().and_then(|attempt| attempt.tool_use.as_deref_mut()) {
            used.resumes = false;
        }
    }

    /// A person answered about one tool call; what else waits goes on waiting.
    pub(in crate::core) fn tool_call_answered(&mut self, id: ToolCallId, at: DateTime<Utc>, event: &Event) {
        let gate = self.gates.of(Some(id));
        let asked = gate.is_some_and(|gate| gate.kind() == GateKind::Input);
        let newest = || self.newest().map_or(0, |attempt| attempt.number);
        let number = gate.map_or_else(newest, |gate| gate.attempt);
        if let Some(call) = self.tool_call_mut(number, id)
            && call.end().is_none()
        {
            let end = match event {
                // What the tool asked in the middle of its work.
                Event::CallAnswered { value, .. } if asked => {
                    return self.tool_asked(number, id, at, Arc::clone(value));
                }
                Event::CallSkipped { .. } | Event::CallFailed { .. } if asked => {
                    return self.tool_asked(number, id, at, Arc::new(Value::Bool(false)));
                }
                Event::CallAnswered { value, by, .. } => {
                    Some(ToolCallEnd::Answered { value: Arc::clone(value), by: by.clone() })
                }
                Event::CallSkipped { because, .. } => Some(ToolCallEnd::Skipped { because: because.clone() }),
                Event::CallFailed { error, by, .. } => {
                    Some(ToolCallEnd::Denied { error: error.clone(), by: by.clone() })
                }
                Event::CallApproved { arguments, fingerprint, .. } => {
                    call.approved = Some(fingerprint.clone());
                    call.changed = arguments.clone().or(call.changed.take());
                    None
                }
                _ => None,
            };
            call.state = end.map_or(ToolCallState::Allowed, ToolCallState::Ended);
        }
        if self.gates.close(Some(id)) {
            self.status = self.status_now();
        }
    }

    fn tool_asked(&mut self, attempt: u32, id: ToolCallId, at: DateTime<Utc>, answer: Arc<Value>) {
        let waited = self.gates.open_for(Some(id), at);
        if let Some(call) = self.tool_call_mut(attempt, id) {
            call.answer = Some(answer);
            call.waited_ms = call.waited_ms.saturating_add(waited);
        }
        self.gates.close(Some(id));
        self.status = self.status_now();
    }

    /// It was stopped before the tool had been reached, and a person is asked whether it is to begin.
    pub(in crate::core) fn tool_not_reached(&mut self, attempt: u32, id: ToolCallId) {
        if let Some(call) = self.tool_call_mut(attempt, id)
            && call.state == ToolCallState::Called
        {
            call.state = ToolCallState::Asked;
            call.stopped = true;
            call.began_at = None;
        }
    }

    /// A tool asks in the middle of its work: what was answered before was another question's answer.
    pub(in crate::core) fn tool_asks(&mut self, attempt: u32, id: ToolCallId) {
        if let Some(call) = self.tool_call_mut(attempt, id) {
            call.answer = None;
        }
    }

    pub(in crate::core) fn tool_in_doubt(&mut self, attempt: u32, id: ToolCallId) {
        if let Some(call) = self.tool_call_mut(attempt, id) {
            call.state = ToolCallState::InDoubt;
        }
    }

    /// A person allowed it to begin, or its attempt to use the tools as they are now.
    pub(in crate::core) fn status_after_approval(&self) -> CallStatus {
        if self.runs_tools() || self.resumes_tools() { self.status_now() } else { CallStatus::Pending }
    }

    /// How it stands by what waits in it, and by whether its attempt is at work.
    pub(in crate::core) fn status_now(&self) -> CallStatus {
        // What may have happened is never passed over for what only waits.
        let doubt = self.gates.iter().find(|gate| gate.kind() == GateKind::InDoubt);
        doubt.or(self.gates.first()).map_or_else(|| self.status_of_attempt(), |gate| self.status_of(gate))
    }
}

impl Attempt {
    /// Adds what a part of it took.
    pub(in crate::core) fn add_measured(&mut self, measured: &Measured) {
        self.measured = sum(&self.measured, measured);
    }

    /// Whether something outside has, or may have, changed because of it. Which tools were called where its result was
    /// made is not known here: those that could be count.
    #[must_use]
    pub fn had_effect(&self) -> bool {
        let called = self.tool_use.as_ref().is_some_and(|used| used.calls().any(ToolCall::has_begun));
        let made_elsewhere = matches!(self.by, Actor::Adopted | Actor::Moved | Actor::Cache);
        called || self.work.as_ref().is_some_and(|work| work.has_effect() || made_elsewhere && work.offers().is_some())
    }
}
