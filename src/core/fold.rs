//! The fold: what each event makes of a run. It never fails: an event about what is not there is passed over, and one
//! that this version does not know marks the run as newer.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::actor::Actor;
use super::call::{AttemptStatus, Call, CallStatus, Ending, Instruction, Stale, Version};
use super::document::{DocumentVersion, RequestedAction, Said};
use super::event::{Event, InstructionScope, Lesson};
use super::gate::{Gate, GateKind};
use super::key::Key;
use super::revised::Revised;
use super::run::{ChatMessage, ChosenModel, Decided, Run, RunResult, Status};
use super::task::Kind;
use super::text::Untrusted;
use super::tool::FinishedTurn;

impl Run {
    /// Folds one event in. It never fails: an event about what is not there is passed over, and one that this version
    /// does not know marks the run as newer.
    pub fn apply(&mut self, seq: u64, at: DateTime<Utc>, event: &Event) {
        self.seq = seq;
        self.updated_at = at;
        if let Event::DecisionUndone { decision: decided, key, withdraws, .. } = event {
            self.archived = false;
            return self.apply_undo(seq, *decided, key.as_ref(), withdraws);
        }
        if let Some(decision) = self.decision(seq, event) {
            self.remember_decision(seq, at, decision);
        }
        if self.archived && matches!(event, Event::RunArchived { undo: true, .. }) {
            self.brought_back();
        }
        // Any event but that one brings it back.
        self.archived = matches!(event, Event::RunArchived { undo: false, .. });
        if let Some(key) = event.key() {
            self.remember_call(key);
            let before = self.calls.get(key).map_or((0, 0), weight);
            self.apply_to_call(seq, at, key, event);
            if let Some(call) = self.calls.get_mut(key) {
                call.seq = seq;
                call.moved(at);
                if call.heard == 0 {
                    call.heard = seq;
                }
                if matches!(call.status, CallStatus::Accepted | CallStatus::Skipped | CallStatus::Failed) {
                    call.settled.get_or_insert(seq);
                }
                let after = weight(call);
                self.open_gates = self.open_gates + after.0 - before.0;
                self.under_way = self.under_way + after.1 - before.1;
            }
            // Only who drives a run begins attempts.
            self.in_hand |= event.begins_work();
            if event.moves_run() {
                self.goes_on();
            }
        } else {
            self.apply_to_run(event);
        }
    }

    /// A decision is taken back; what is open and under way is counted again, as it may be so of many calls.
    fn apply_undo(&mut self, seq: u64, decided: u64, key: Option<&Key>, withdraws: &[Key]) {
        self.undone(seq, decided, withdraws);
        for about in key.into_iter().chain(withdraws) {
            if let Some(call) = self.calls.get_mut(about) {
                call.seq = seq;
            }
        }
        if key.is_some() {
            self.goes_on();
        }
        (self.open_gates, self.under_way) =
            self.calls.values().map(weight).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        self.open_gates += self.documents.values().filter(|document| document.gate.is_some()).count();
    }

    pub(super) fn goes_on(&mut self) {
        if self.status != Status::Running && self.status != Status::Cancelled {
            self.status = Status::Running;
            self.paused = None;
        }
    }

    fn apply_to_run(&mut self, event: &Event) {
        self.in_hand = match event {
            Event::RunResumed { .. } => true,
            Event::RunWaiting {}
            | Event::RunPaused { .. }
            | Event::RunCompleted { .. }
            | Event::RunFailed { .. }
            | Event::RunCancelled { .. } => false,
            _ => self.in_hand,
        };
        match event {
            Event::RunResumed { .. } => {
                self.status = Status::Running;
                self.paused = None;
                self.error = None;
            }
            Event::RunWaiting {} => self.status = Status::Waiting,
            Event::RunPaused { reason } => {
                self.status = Status::Paused;
                self.paused = Some(*reason);
            }
            Event::RunCompleted { title, body } => {
                self.status = Status::Completed;
                self.error = None;
                self.result = Some(RunResult { title: title.clone(), body: body.clone() });
            }
            Event::RunFailed { key, error } => {
                self.status = Status::Failed;
                self.error = Some((key.clone(), error.clone()));
            }
            Event::RunCancelled { .. } => {
                self.status = Status::Cancelled;
                self.paused = None;
                for call in self.calls.values_mut() {
                    call.gates.clear();
                    // The counts below hold only if no attempt is left under way: its end may still be told after this.
                    if let Some(attempt) = call.attempts.last_mut()
                        && attempt.status == AttemptStatus::Running
                    {
                        attempt.status = AttemptStatus::Cancelled;
                    }
                    if matches!(
                        call.status,
                        CallStatus::Pending
                            | CallStatus::Approval
                            | CallStatus::Running
                            | CallStatus::Review
                            | CallStatus::Input
                            | CallStatus::Stale
                            | CallStatus::InDoubt
                    ) {
                        call.status = CallStatus::Cancelled;
                    }
                }
                self.documents.values_mut().for_each(|document| document.gate = None);
                self.open_gates = 0;
                self.under_way = 0;
            }
            Event::RunRenamed { title, .. } => self.title.clone_from(title),
            Event::RunUpdated { definition, .. } => self.definition = definition.clone(),
            Event::BudgetRaised { budget, .. } => {
                self.budget = Some(*budget);
                for call in self.calls.values_mut() {
                    let before = weight(call);
                    call.gates.close_kind(GateKind::Budget);
                    // An attempt that waited for this alone goes on.
                    let after = weight(call);
                    self.open_gates = self.open_gates + after.0 - before.0;
                    self.under_way = self.under_way + after.1 - before.1;
                }
                self.goes_on();
            }
            Event::MessageAdded { text, .. } => {
                self.messages.push(ChatMessage::by_person(Untrusted::new(text.clone())));
                self.said.push(Said::Person(text.clone()));
                self.close_inputs();
                self.goes_on();
            }
            Event::DocumentWritten { name, title, body, by, proposed, action, .. } => {
                let (title, body, by, action) = (title.clone(), body.clone(), by.clone(), action.clone());
                let by_reply = self.kind == Kind::Instruct && by == Actor::Model && action.is_none();
                self.write(name, DocumentVersion { title, body, by, seq: self.seq, action }, *proposed);
                if by_reply && let Some(document) = self.documents.get(name) {
                    self.delivered(document.count());
                }
            }
            Event::DocumentChosen { name, version, by } => self.choose_version(name, *version, by),
            Event::GateOpened(gate) => self.open_document_gate(gate),
            Event::Warned { key, message } => {
                if let Some(key) = key {
                    self.warned.insert(key.clone(), self.seq);
                }
                if !self.warnings.contains(message) {
                    self.warnings.push(message.clone());
                }
            }
            Event::Logged { text } => self.log.push(text.clone()),
            Event::Unknown(_) => self.newer = true,
            _ => {}
        }
    }

    /// A stale call that is made anew without a question: where a person answered for all that follows.
    fn answer_carried(&self, key: &Key) -> Option<u64> {
        let stale = self.calls.get(key)?.stale.as_ref()?;
        stale.because.iter().filter_map(|source| self.calls.get(source)?.standing.as_ref()?.redone).max()
    }

    /// A message of the person answers every question of the conversation.
    fn close_inputs(&mut self) {
        let mut closed = 0;
        for call in self.calls.values_mut() {
            if call.gates.own().is_some_and(|gate| gate.kind() == GateKind::Input) && call.gates.close(None) {
                closed += 1;
                if call.status == CallStatus::Input {
                    call.status = CallStatus::Pending;
                }
            }
        }
        self.open_gates -= closed;
    }

    #[expect(clippy::too_many_lines, reason = "one arm per event: the fold reads best in one place")]
    fn apply_to_call(&mut self, seq: u64, at: DateTime<Utc>, key: &Key, event: &Event) {
        if let Event::FlowDecided { key, what, value, why } = event {
            let decided = self.decided.entry(key.clone()).or_default();
            let new = Decided { what: what.clone(), value: value.clone(), why: why.clone() };
            match decided.iter_mut().find(|decided| decided.what == *what) {
                Some(known) => known.revise(seq, new),
                None => decided.push(Revised::new(seq, new)),
            }
            return;
        }
        if let Event::StateSet { name, value, .. } = event {
            let set = self.set_state.entry(name.clone()).or_default();
            match set.get_mut(key) {
                Some(known) => known.revise(seq, value.clone()),
                None => drop(set.insert(key.clone(), Revised::new(seq, value.clone()))),
            }
            return;
        }
        if let Event::ModelChosen { model, rest: true, .. } = event {
            self.model_for_the_rest = Some(model.clone());
            return;
        }
        if let Event::ModelChosen { workflow, step, model, scope, .. } = event {
            // A call that has not been heard of does not come into being by this.
            if let Some(call) = self.calls.get_mut(key) {
                call.model = Some(model.clone());
            }
            if *scope != InstructionScope::This {
                let (key, workflow, step) = (key.clone(), workflow.clone(), step.clone());
                self.models.push(ChosenModel { key, workflow, step, model: model.clone() });
            }
            return;
        }
        if let Event::CallMoved { from, attempt, version, fingerprint, .. } = event {
            let Some(origin) = self.calls.get(from) else { return };
            let made = origin.attempt(*attempt).and_then(|made| made.versions.get(version.saturating_sub(1) as usize));
            let Some(output) = made.map(|made| Arc::clone(&made.output)) else { return };
            let work = origin.attempt(*attempt).and_then(|made| made.work.clone());
            let (workflow, step) = (origin.workflow.clone(), origin.step.clone());
            let call = self.calls.entry(key.clone()).or_insert_with(|| Call::new(key.clone(), step));
            call.workflow = workflow;
            call.take_over(seq, at, Actor::Moved, fingerprint, &output);
            // What an edit of it must fit, when it is taken up again.
            if let Some(attempt) = call.attempts.last_mut() {
                attempt.work = work;
            }
            return;
        }
        if let Event::ActionRequested { action, document, version, instruction, .. } = event {
            let (action, document, instruction) = (action.clone(), document.clone(), instruction.clone());
            let (written, taken_back) = (None, false);
            let asked = RequestedAction { action, document, version: *version, instruction, written, taken_back };
            self.request_action(key, asked);
        }
        // What is said in a conversation are its replies, not what was made of its document.
        let speaks = self.kind == Kind::Instruct && !self.actions.contains_key(key);
        let taken_back = self.actions.get(key).is_some_and(|asked| asked.taken_back);
        let answered = match event {
            Event::CallRequested { by, .. } if *by == Actor::Flow => self.answer_carried(key),
            _ => Some(seq),
        };
        let step = event.step().unwrap_or_else(|| key.step());
        let call = self.calls.entry(key.clone()).or_insert_with(|| Call::new(key.clone(), step.to_owned()));
        if let Some(workflow) = event.workflow() {
            call.workflow = Some(workflow.to_owned());
        }
        if let Some(tool_call) = event.tool_call() {
            if let Event::CallApproved { fingerprint, for_run, .. } = event {
                self.approved.insert(fingerprint.clone());
                let allowed = call.gates.of(Some(tool_call)).filter(|_| *for_run).and_then(Gate::behind);
                self.tools.allowed.extend(allowed.cloned());
            }
            call.tool_call_answered(tool_call, at, event);
            return;
        }
        match event {
            Event::AttemptStarted(started) => call.start(seq, at, started),
            Event::ToolsListed { attempt, tools, .. } => {
                let offered = call.attempt(*attempt).and_then(|attempt| attempt.work.as_deref()?.offers());
                let tools = offered.map(|offered| self.tools.list(offered, tools));
                if let Some(tools) = tools {
                    call.list_tools(*attempt, tools);
                }
            }
            Event::TurnFinished { attempt, turn, text, calls, opaque, measured, .. } => {
                self.usage += measured.usage;
                let (turn, text, calls) = (*turn, text.clone(), calls.clone());
                let (opaque, measured) = (opaque.clone(), measured.clone());
                call.finish_turn(*attempt, FinishedTurn { turn, text, calls, opaque, measured });
            }
            Event::ToolCalled { attempt, call: tool_call, .. } => call.tool_called(*attempt, *tool_call, at),
            Event::ToolReturned { attempt, call: tool_call, outcome, ms, .. } => {
                call.tool_returned(*attempt, *tool_call, outcome, *ms);
            }
            Event::AttemptResumed { attempt, usage, .. } => {
                self.usage += *usage;
                call.resume(*attempt, usage);
            }
            Event::AttemptFinished { attempt, output, problem, measured, .. } => {
                self.usage += measured.usage;
                call.gates.clear();
                let by_model = if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.status = AttemptStatus::Review;
                    attempt.add_measured(measured);
                    attempt.problem.clone_from(problem);
                    attempt.versions.push(Version::new(attempt.by.clone(), Arc::clone(output)));
                    attempt.by == Actor::Model
                } else {
                    false
                };
                call.status = if taken_back { CallStatus::Cancelled } else { CallStatus::Pending };
                // A turn of a conversation speaks as soon as it has ended; there is no review of it.
                if by_model
                    && speaks
                    && let Some(text) = turn_text(output)
                {
                    self.messages.push(ChatMessage::by_model(key, *attempt, text));
                }
            }
            Event::AttemptFailed { attempt, error, partial, retry_at, measured, .. } => {
                self.usage += measured.usage;
                call.stop_attempt(*attempt, retry_at.is_some());
                let fingerprint = call.fail_attempt(*attempt, error, partial, measured);
                call.retry_at = retry_at.filter(|_| !taken_back);
                if taken_back {
                    call.status = CallStatus::Cancelled;
                } else if retry_at.is_some() {
                    call.status = CallStatus::Pending;
                } else {
                    call.status = CallStatus::Failed;
                    call.again = false;
                    if let Some(fingerprint) = fingerprint {
                        let work = call.attempt(*attempt).and_then(|attempt| attempt.work.clone());
                        call.ending = Some(Ending::Failed { fingerprint, failure: error.clone(), work });
                    }
                }
            }
            Event::AttemptCancelled { attempt, partial, again, measured, .. } => {
                self.usage += measured.usage;
                call.status = CallStatus::Cancelled;
                if *again && !taken_back {
                    call.status = CallStatus::Pending;
                    call.tries = call.tries.saturating_sub(1);
                }
                if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.status = AttemptStatus::Cancelled;
                    attempt.partial = partial.clone();
                    attempt.add_measured(measured);
                    if !partial.is_empty() && !*again {
                        let output = Arc::new(Value::String(partial.data().to_owned()));
                        attempt.versions.push(Version::new(attempt.by.clone(), output));
                    }
                }
                call.stop_attempt(*attempt, *again && !taken_back);
                if speaks && !*again {
                    let version = u32::from(!partial.is_empty());
                    self.said.push(Said::Model { key: key.clone(), attempt: *attempt, version });
                    if !partial.is_empty() {
                        self.messages.push(ChatMessage::by_model(key, *attempt, partial.clone()));
                    }
                }
            }
            Event::AttemptRejected { attempt, instruction, scope, .. } => {
                call.gates.clear();
                call.status = CallStatus::Pending;
                call.again = true;
                call.tries = 0;
                call.retry_at = None;
                call.begins_again();
                if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.status = AttemptStatus::Rejected;
                    attempt.instruction = Some(Instruction { text: instruction.clone(), scope: *scope });
                }
                if *scope != InstructionScope::This && !instruction.is_empty() {
                    let (workflow, step) = (call.workflow.clone(), call.step.clone());
                    self.remaining.push((key.clone(), Lesson { workflow, step, text: instruction.clone() }));
                }
            }
            Event::VersionEdited { attempt, version, output, by, .. } => {
                if call.attempt(*attempt).is_none() && *attempt == call.next_attempt() {
                    call.fill(seq, at, by);
                }
                if let Some(attempt) = call.attempt_mut(*attempt) {
                    attempt.versions.push(Version::new(by.clone(), Arc::clone(output)));
                }
                if let Some(gate) = call.gates.own_mut() {
                    gate.edited(*version);
                }
            }
            Event::GateOpened(gate) => {
                call.answer = None;
                call.wait(seq, at, gate);
            }
            Event::CallAccepted { attempt, version, .. } => {
                call.accept(seq, *attempt, *version);
                call.pass_over(*attempt);
                if speaks {
                    self.said.push(Said::Model { key: key.clone(), attempt: *attempt, version: *version });
                }
            }
            Event::CallApproved { fingerprint, for_run, .. } => {
                let allowed = call.gates.own().filter(|_| *for_run).and_then(Gate::behind);
                self.tools.allowed.extend(allowed.cloned());
                call.gates.close(None);
                call.status = call.status_after_approval();
                call.approved = Some(fingerprint.clone());
                self.approved.insert(fingerprint.clone());
            }
            Event::CallAnswered { attempt, value, by, .. } => call.answered((seq, at), *attempt, value, by),
            Event::CallSkipped { because, cause, by, .. } => {
                call.give_up_tools();
                call.gates.clear();
                call.stale = None;
                call.again = false;
                call.retry_at = None;
                call.status = CallStatus::Skipped;
                let by_person = *by != Actor::Flow;
                if by_person {
                    // What the person left out is not what later calls see.
                    call.stood.extend(call.standing.take());
                }
                let (because, cause) = (because.clone(), cause.clone());
                call.ending = Some(Ending::Skipped { because, cause, by_person });
            }
            Event::CallFailed { fingerprint, error, failed, .. } => {
                let work = call.work_of(fingerprint);
                call.gates.clear();
                call.stale = None;
                call.again = false;
                call.status = CallStatus::Failed;
                call.give_up_attempt(error, failed);
                call.give_up_tools();
                let (fingerprint, failure) = (fingerprint.clone(), error.clone());
                call.ending = Some(Ending::Failed { fingerprint, failure, work });
            }
            Event::CallStaled { fingerprint, because, .. } => {
                call.status = CallStatus::Stale;
                call.gates.clear();
                call.stale = Some(Stale { fingerprint: fingerprint.clone(), because: because.clone() });
            }
            Event::CallKept { fingerprint, .. } => call.keep(seq, fingerprint),
            Event::CallRestored { fingerprint, .. } => call.restore(fingerprint),
            Event::CallAdopted { fingerprint, output, work, .. } => {
                call.take_over(seq, at, Actor::Adopted, fingerprint, output);
                if let Some(attempt) = call.attempts.last_mut() {
                    attempt.work.clone_from(work);
                }
                if let Some(standing) = call.standing.as_ref().filter(|_| speaks) {
                    let (attempt, version) = (standing.attempt, standing.version);
                    self.said.push(Said::Model { key: key.clone(), attempt, version });
                    if let Some(text) = turn_text(output) {
                        self.messages.push(ChatMessage::by_model(key, attempt, text));
                    }
                }
            }
            Event::CallReopened { .. } => {
                call.status = CallStatus::Review;
                call.ending = None;
            }
            Event::CallRequested { .. } => {
                if call.status == CallStatus::Stale {
                    call.redone = answered;
                }
                call.ask_again();
                call.gates.clear();
                call.stale = None;
                call.ending = None;
                call.again = true;
                call.tries = 0;
                call.retry_at = None;
                call.status = CallStatus::Pending;
                if let Some(attempt) = call.attempts.last_mut()
                    && attempt.status == AttemptStatus::InDoubt
                {
                    attempt.status = AttemptStatus::Cancelled;
                }
            }
            Event::CallCancelled { .. } => {
                call.give_up_tools();
                call.gates.clear();
                call.stale = None;
                call.again = false;
                call.status = CallStatus::Cancelled;
            }
            _ => {}
        }
    }
}

/// How many gates of a call are open, and how many of its attempts are under way.
fn weight(call: &Call) -> (usize, usize) {
    (call.gates.len(), usize::from(call.is_under_way()))
}

/// What a turn of a conversation says to the person.
fn turn_text(output: &Value) -> Option<Untrusted> {
    let text = output.get("text").and_then(Value::as_str).unwrap_or_default();
    let text = if text.is_empty() { output.get("title").and_then(Value::as_str).unwrap_or_default() } else { text };
    (!text.is_empty()).then(|| Untrusted::from(text))
}

impl Event {
    /// Whether only who drives the run writes it: work begins, or went on.
    fn begins_work(&self) -> bool {
        matches!(
            self,
            Self::AttemptStarted(_)
                | Self::AttemptResumed { .. }
                | Self::ToolsListed { .. }
                | Self::TurnFinished { .. }
                | Self::ToolCalled { .. }
        )
    }

    /// Whether a run that stood still goes on with this event: a decision, or work that begins.
    fn moves_run(&self) -> bool {
        matches!(
            self,
            Self::AttemptStarted(_)
                | Self::AttemptResumed { .. }
                | Self::ToolCalled { .. }
                | Self::AttemptRejected { .. }
                | Self::CallAccepted { .. }
                | Self::CallApproved { .. }
                | Self::CallAnswered { .. }
                | Self::CallSkipped { .. }
                | Self::CallFailed { .. }
                | Self::CallKept { .. }
                | Self::CallReopened { .. }
                | Self::CallRequested { .. }
                | Self::ActionRequested { .. }
        )
    }
}
