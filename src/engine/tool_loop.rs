//! The loop of an attempt whose model calls tools, one unit at a time.
//!
//! ```text
//! list the tools → ask the model → call what it asks for → ask the model → … → it answers
//! ```
//!
//! What comes next is said by the folded attempt ([`Call::next_unit`]) and by nothing else, so that an attempt goes on in
//! any process as it would have in this one. [`RunLoop::advance`] is the loop's one turn: it is asked whenever the flow is,
//! and lets begin what may. What is promised:
//!
//! - a turn is committed before the first of its calls begins, a call before it is made, and what it returned after that;
//! - a call begins once the rules or a person allow it, whatever the others of its turn wait for;
//! - an attempt that only waits for a person is not at work: it has no place, no request, no time that runs out;
//! - what may have had its effect is never made again unasked, unless the rules say that twice is as once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::core::actor::Actor;
use crate::core::call::{AttemptStatus, Call, NextUnit, ToolCallState, ToolUse};
use crate::core::event::{Event, Measured};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Answer, Gate, GateBody, GateKind};
use crate::core::kept_files::KeptFiles;
use crate::core::key::Key;
use crate::core::model::{Delta, DeltaSink};
use crate::core::ports::{AttemptContext, CallOutcome, PastTurn, ToolCallRequest, Transcript};
use crate::core::run::Status;
use crate::core::text::Untrusted;
use crate::core::tool::{CallReturn, OwnWork, ToolApproval, ToolSpec};
use crate::core::tool_call::ToolCallId;
use crate::core::usage::Usage;
use crate::core::work::Work;
use crate::engine::attempt::Partial;
use crate::engine::attempts::{FinishedUnit, Starting, UnderWay, Unit, UnitOutcome};
use crate::engine::dispatch::{ask_sink, program_sink};
use crate::engine::failpoint::failpoint;
use crate::engine::feed::{Feed, Update};
use crate::engine::orphan::Program;
use crate::engine::permission::Permission;
use crate::engine::ready::{self, Limits, Taken};
use crate::engine::run_loop::RunLoop;
use crate::engine::{outcome, spooled};
use crate::flow::Want;

impl RunLoop {
    /// An attempt begins, or goes on under its number from where it was stopped.
    pub(super) fn stage_tool_attempt(&mut self, want: &Want, work: &Arc<Work>) {
        let call = self.run.call(&want.key);
        // Of one that is asked for something else now, what may have happened is settled first.
        let doubt = call.is_some_and(Call::is_in_doubt);
        let stopped = call.and_then(Call::newest).filter(|attempt| {
            let same = attempt.fingerprint == want.fingerprint || doubt;
            same && attempt.tool_use.as_ref().is_some_and(|used| used.resumes)
        });
        match stopped.map(|attempt| attempt.number) {
            Some(attempt) => {
                // How its last request ended is in the journal; it is not to be read as the end of the next one.
                for name in [spooled::partial(&want.key, attempt), spooled::outcome(&want.key, attempt, None)] {
                    self.engine.shared.ports.spool.remove(self.run.id, &name);
                }
                let (key, usage) = (want.key.clone(), Usage::default());
                self.stage(Event::AttemptResumed { key, attempt, usage }, false);
            }
            None => {
                self.stage_start(want, work, Actor::Model);
            }
        }
    }

    /// Lets begin what of an attempt may.
    pub(super) fn advance(&mut self, want: &Arc<Want>, taken: &mut Taken) {
        let Some(call) = self.run.call(&want.key) else { return };
        let Some(attempt) = call.newest() else { return };
        let (number, next) = (attempt.number, call.next_unit());
        let at_work = self.attempts.is_at_work(&want.key);
        if attempt.fingerprint != want.fingerprint {
            // It is asked for something else now. What runs comes to its end, and what may have happened is settled first.
            if !at_work && !call.is_in_doubt() {
                self.stage_stop(want.key.clone(), number, true, Actor::Flow);
            }
            return;
        }
        if self.attempts.under_way.get(&want.key).is_some_and(|under_way| under_way.attempt != number) {
            return;
        }
        match next {
            NextUnit::Calls(calls) => calls.into_iter().for_each(|id| self.start_call(want, id, taken)),
            NextUnit::List if !at_work => {
                if self.has_place(want, taken) {
                    self.start_unit(want, Unit::List, (Usage::default(), None), taken);
                }
            }
            NextUnit::Request if !at_work => self.start_request(want, taken),
            NextUnit::GiveUp(error) => {
                let (partial, measured) = (Untrusted::default(), Measured::default());
                let key = want.key.clone();
                self.stage(
                    Event::AttemptFailed { key, attempt: number, error, partial, retry_at: None, measured },
                    false,
                );
            }
            NextUnit::List | NextUnit::Request | NextUnit::Wait | NextUnit::Nothing => {}
        }
    }

    fn has_place(&self, want: &Want, taken: &Taken) -> bool {
        let hosts = &self.engine.shared.ports.hosts;
        Limits { concurrency: self.config.concurrency, budget: self.budget(), taken, hosts }.has_place(want)
    }

    fn start_unit(
        &mut self,
        want: &Arc<Want>,
        unit: Unit,
        (estimate, provider): (Usage, Option<String>),
        taken: &mut Taken,
    ) {
        if !self.attempts.is_at_work(&want.key) {
            taken.add(&want.lanes, estimate);
        }
        self.attempts.starting.push(Starting { want: Arc::clone(want), unit, estimate, provider });
    }

    /// The model is asked for its next turn, if the budget and the provider allow it.
    fn start_request(&mut self, want: &Arc<Want>, taken: &mut Taken) {
        if !self.has_place(want, taken) {
            return;
        }
        let Some(attempt) = self.run.call(&want.key).and_then(Call::newest) else { return };
        let Some(work) = attempt.work.clone() else { return };
        let so_far = attempt.tool_use.as_deref().and_then(transcript);
        let estimate = self.engine.shared.ports.executor.estimate(&work, so_far.as_ref());
        if !self.budget().allows(self.run.usage, taken.with(estimate)) {
            if !self.run.waiting().any(|gate| gate.kind() == GateKind::Budget) {
                let gate = ready::budget(&self.run, want, self.budget(), estimate);
                self.stage(Event::GateOpened(gate), false);
            }
            return;
        }
        let Ok(provider) = self.enter_lane(&work) else { return };
        if self.run.status == Status::Waiting {
            // It has waited for that place, and not for the person whom the run waits for.
            let (key, attempt, usage) = (want.key.clone(), attempt.number, Usage::default());
            self.stage(Event::AttemptResumed { key, attempt, usage }, false);
        }
        self.start_unit(want, Unit::Request, (estimate, provider), taken);
    }

    /// A call that the model asked for begins, or a person is asked whether it may.
    fn start_call(&mut self, want: &Arc<Want>, id: ToolCallId, taken: &mut Taken) {
        let Some(call) = self.run.call(&want.key) else { return };
        let Some(attempt) = call.newest() else { return };
        let (number, used) = (attempt.number, attempt.tool_use.as_deref());
        let Some((used, asked)) = used.and_then(|used| Some((used, used.call(id)?))) else { return };
        let (key, tool, arguments) = (want.key.clone(), asked.asked.tool.clone(), Arc::clone(asked.arguments()));
        let has_place = self.attempts.is_at_work(&key) || self.has_place(want, taken);
        let never_asked = || self.rules_of(want.workflow.as_deref(), &want.work, &tool).approve == ToolApproval::Never;
        if !has_place && never_asked() {
            return;
        }
        if asked.state == ToolCallState::Asked || self.is_another(call, attempt, asked) {
            match self.permission(want, used, asked) {
                Permission::Given => {}
                Permission::Asks(gate) => return self.stage(Event::GateOpened(*gate), false),
                Permission::Refused(error) => {
                    let outcome = CallReturn::Failed { error };
                    let returned = Event::ToolReturned { key, attempt: number, call: id, outcome, ms: 0 };
                    return self.stage(returned, false);
                }
            }
        }
        if !has_place {
            return;
        }
        self.stage(Event::ToolCalled { key, attempt: number, call: id, tool, arguments }, false);
        self.start_unit(want, Unit::Call(id), (Usage::default(), None), taken);
    }

    /// Notes that an attempt is at work, unless it is already, and gives the token that stops it.
    fn at_work(&mut self, starting: &Starting, attempt: u32) -> CancellationToken {
        let want = &starting.want;
        if let Some(under_way) = self.attempts.under_way.get(&want.key) {
            return under_way.cancel.clone();
        }
        let cancel = CancellationToken::new();
        self.control.begins(&want.key, &cancel, false);
        let partial = spooled::partial(&want.key, attempt);
        let under_way = UnderWay {
            attempt,
            unit: starting.unit,
            calls: HashMap::new(),
            cancel: cancel.clone(),
            partial: Partial::new(self.engine.shared.ports.spool.text(self.run.id, &partial)),
            retry: want.retry.clone(),
            lanes: want.lanes.clone(),
            provider: None,
            estimate: starting.estimate,
            since: Instant::now(),
            broken_off_by: Actor::Person,
        };
        self.attempts.under_way.insert(want.key.clone(), under_way);
        cancel
    }

    pub(super) fn begin_listing(&mut self, starting: &Starting) {
        let want = &starting.want;
        let newest = self.run.call(&want.key).and_then(Call::newest);
        let Some((attempt, offered)) = newest.and_then(|a| Some((a.number, a.work.as_ref()?.offers()?.clone()))) else {
            return;
        };
        let cancel = self.at_work(starting, attempt);
        let (ended, key) = (self.attempts.ended.clone(), want.key.clone());
        let listing = self.engine.shared.ports.executor.list_tools(self.tool_scope(want.workflow.as_deref()), offered);
        let listing = tokio::spawn(listing);
        tokio::spawn(async move {
            let broke_down =
                |error| Err(Failure::new(FailureClass::Tool, format!("the tools cannot be listed: {error}")));
            let stop = listing.abort_handle();
            let listed = tokio::select! {
                () = cancel.cancelled() => {
                    stop.abort();
                    None
                }
                listed = listing => Some(listed.unwrap_or_else(broke_down)),
            };
            let _ = ended.send(FinishedUnit { key, attempt, outcome: UnitOutcome::Listed(listed) });
        });
    }

    /// Makes a call whose intent is committed.
    pub(super) fn begin_call(&mut self, starting: &Starting, id: ToolCallId) {
        let want = &starting.want;
        let Some(call) = self.run.call(&want.key) else { return };
        let Some((attempt, asked)) = call.newest().zip(call.tool_use().and_then(|used| used.call(id))) else { return };
        let (attempt, tool) = (attempt.number, asked.asked.tool.clone());
        let workflow = want.workflow.as_deref();
        let own = call.newest().and_then(|attempt| self.own_tool(workflow, attempt.work.as_deref()?, &tool));
        let files = match own.as_ref().map(|own| &own.does) {
            Some(OwnWork::Program { .. }) => self.config.files_of(want),
            _ => KeptFiles::default(),
        };
        let request = ToolCallRequest {
            run: self.run.id,
            key: want.key.clone(),
            attempt,
            call: id,
            arguments: Arc::clone(asked.arguments()),
            timeout: self.rules_of(workflow, &want.work, &tool).timeout,
            tool,
            own,
            scope: self.tool_scope(workflow),
            files,
        };
        let cancel = self.at_work(starting, attempt).child_token();
        if let Some(under_way) = self.attempts.under_way.get_mut(&want.key) {
            under_way.calls.insert(id, Instant::now());
        }
        let ports = &self.engine.shared.ports;
        let (key, run) = (want.key.clone(), self.run.id);
        let context = AttemptContext {
            deltas: progress_sink(self.feed.clone(), key.clone(), attempt),
            cancel,
            ask: ask_sink(self.control.clone(), key.clone(), attempt, Some(id)),
            may_spend: self.attempts.spending.asks(key.clone()),
            began: program_sink(Arc::clone(&ports.spool), run, key.clone(), attempt, Some(id)),
            spool: Arc::clone(&ports.spool),
        };
        let of_it =
            |program: &mut Program| program.key == key && program.call == Some(id) && program.attempt == attempt;
        let left = self.attempts.left.extract_if(.., of_it).collect::<Vec<_>>();
        let (executor, spool, ended) =
            (Arc::clone(&ports.executor), Arc::clone(&ports.spool), self.attempts.ended.clone());
        failpoint("call.before");
        let guarded = tokio::spawn(async move {
            for program in left {
                program.end(&*spool, run).await;
            }
            executor.call_tool(request, context).await
        });
        failpoint("call.after");
        tokio::spawn(async move {
            let outcome = guarded.await.unwrap_or_else(|error| {
                CallOutcome::InDoubt(Failure::new(FailureClass::Tool, format!("the tool crashed: {error}")))
            });
            let _ = ended.send(FinishedUnit { key, attempt, outcome: UnitOutcome::Called(id, outcome) });
        });
    }

    /// What a listing comes to: the tools of the attempt, or a question to the person whether they are to be what they are
    /// now.
    pub(super) fn listed(&self, call: &Call, attempt: u32, tools: &[ToolSpec]) -> Event {
        let key = call.key.clone();
        let offered = call.attempt(attempt).and_then(|attempt| attempt.work.as_deref()?.offers());
        let changes = offered.and_then(|offered| self.run.tools.changes(offered, tools));
        match changes.filter(|changes| !self.run.approved.contains(&changes.fingerprint)) {
            Some(changes) => {
                let (body, allowed) = (GateBody::Tools(changes), vec![Answer::Approve, Answer::Deny, Answer::Skip]);
                let workflow = call.workflow.clone();
                Event::GateOpened(Gate { key, workflow, call: None, attempt, version: 0, body, allowed })
            }
            None => Event::ToolsListed { key, attempt, tools: tools.to_vec() },
        }
    }

    /// The events of a tool call's end.
    pub(super) fn end_of_call(
        &self,
        under_way: &UnderWay,
        call: &Call,
        id: ToolCallId,
        outcome: &CallOutcome,
    ) -> Vec<Event> {
        let Some(attempt) = call.attempt(under_way.attempt) else { return Vec::new() };
        let known = attempt.tool_use.as_ref().and_then(|used| used.call(id));
        let Some(asked) = known.filter(|call| call.state == ToolCallState::Called) else { return Vec::new() };
        let since = under_way.calls.get(&id);
        let ms = since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        let ms = ms.saturating_sub(asked.waited_ms);
        let (key, number) = (call.key.clone(), attempt.number);
        let returned = |outcome: CallReturn| {
            vec![Event::ToolReturned { key: key.clone(), attempt: number, call: id, outcome, ms }]
        };
        let doubt = |why: &str| vec![Event::GateOpened(outcome::call_in_doubt(call, number, id, why))];
        let runs = attempt.status == AttemptStatus::Running;
        let given_up = self.control.is_given_up();
        match outcome {
            CallOutcome::Known(known) => returned(known.clone()),
            // Nobody waits for it any more, and yet it is kept that it may have had its effect.
            CallOutcome::InDoubt(failure) if !runs => returned(CallReturn::Failed { error: failure.clone() }),
            CallOutcome::Cancelled { in_doubt } if !runs => {
                let text = if *in_doubt { outcome::STOPPED } else { outcome::NOT_BEGUN };
                returned(CallReturn::Failed { error: Failure::new(FailureClass::Tool, text) })
            }
            CallOutcome::InDoubt(failure) if self.may_repeat(call, attempt, &asked.asked.tool) => {
                returned(CallReturn::Failed { error: failure.clone() })
            }
            CallOutcome::InDoubt(failure) => doubt(&failure.message),
            // It begins again when the run is taken up.
            CallOutcome::Cancelled { in_doubt: false } if given_up => Vec::new(),
            CallOutcome::Cancelled { .. } if given_up && self.may_repeat(call, attempt, &asked.asked.tool) => {
                Vec::new()
            }
            CallOutcome::Cancelled { in_doubt: true } => doubt(outcome::STOPPED),
            // A person stopped it before the tool had been reached: they say whether it is to begin after all.
            CallOutcome::Cancelled { in_doubt: false } => match self.asks_about(call, attempt, asked) {
                Some(gate) => vec![Event::GateOpened(gate)],
                None => doubt(outcome::NOT_BEGUN),
            },
        }
    }

    fn stage_stop(&mut self, key: Key, attempt: u32, again: bool, by: Actor) {
        let (partial, measured) = (Untrusted::default(), Measured::default());
        self.stage(Event::AttemptCancelled { key, attempt, partial, again, by, measured }, false);
    }

    /// A person stops an attempt: they say next what is to become of the call. Where something of it has begun since they
    /// said so, that is cancelled instead; what may have happened is said first.
    pub(super) fn stop_tools(&mut self, key: &Key) {
        if let Some(under_way) = self.attempts.under_way.get(key) {
            return under_way.cancel.cancel();
        }
        let Some(call) = self.run.call(key).filter(|call| call.runs_tools() && !call.is_in_doubt()) else { return };
        if let Some(attempt) = call.newest().map(|attempt| attempt.number) {
            self.stage_stop(key.clone(), attempt, false, Actor::Person);
        }
    }

    /// The drive of the run ends: attempts that would continue by themselves continue when it is resumed.
    pub(super) fn pause_tool_attempts(&mut self, by: &Actor) {
        let continues = |call: &&Call| call.tool_use().is_some() && call.is_under_way();
        let paused: Vec<(Key, u32)> = self.run.calls.values().filter(continues).filter_map(key_and_attempt).collect();
        for (key, attempt) in paused {
            self.stage_stop(key, attempt, true, by.clone());
        }
    }

    /// Of what began because of a decision that was undone: attempts that are not at work just now.
    pub(super) fn give_up_tools_taken_back(&mut self) {
        let rests = |key: &&Key| !self.attempts.is_at_work(key);
        let taken_back: Vec<Key> = self.attempts.taken_back.keys().filter(rests).cloned().collect();
        for key in taken_back {
            let Some(by) = self.attempts.taken_back.remove(&key) else { continue };
            let call = self.run.call(&key).filter(|call| call.tool_use().is_some());
            let runs = call.and_then(Call::newest).filter(|attempt| attempt.status == AttemptStatus::Running);
            if let Some(attempt) = runs.map(|attempt| attempt.number) {
                self.stage_stop(key, attempt, true, by);
            }
        }
    }

    /// Breaks off an attempt that the flow does not want any more; false where it is for others to do.
    pub(super) fn break_off_tools(&mut self, key: &Key) -> bool {
        let Some(call) = self.run.call(key).filter(|call| call.tool_use().is_some()) else { return false };
        let Some(attempt) = call.newest().filter(|attempt| attempt.status == AttemptStatus::Running) else {
            return false;
        };
        let number = attempt.number;
        match self.attempts.under_way.get_mut(key) {
            // They come to their end, and nothing follows.
            Some(under_way) if matches!(under_way.unit, Unit::Call(_)) => return true,
            Some(under_way) => {
                under_way.broken_off_by = Actor::Flow;
                under_way.cancel.cancel();
                return true;
            }
            None => {}
        }
        let starting = std::mem::take(&mut self.attempts.starting);
        let (mine, others): (Vec<_>, Vec<_>) = starting.into_iter().partition(|starting| starting.want.key == *key);
        self.attempts.starting = others;
        for starting in mine {
            self.leave_lane(starting.provider.as_ref());
            if let Unit::Call(call) = starting.unit {
                let error = Failure::new(FailureClass::Tool, outcome::NOT_BEGUN);
                let outcome = CallReturn::Failed { error };
                let returned = Event::ToolReturned { key: key.clone(), attempt: number, call, outcome, ms: 0 };
                self.stage(returned, false);
            }
        }
        self.stage_stop(key.clone(), number, false, Actor::Flow);
        true
    }
}

fn key_and_attempt(call: &Call) -> Option<(Key, u32)> {
    Some((call.key.clone(), call.newest()?.number))
}

/// How far an attempt has come, for its next request.
pub(super) fn transcript(used: &ToolUse) -> Option<Transcript> {
    let turns = used.turns.iter().map(|turn| PastTurn {
        turn: Arc::clone(&turn.finished),
        returned: turn.calls.iter().filter_map(|call| Some((call.returned()?, call.changed.clone()))).collect(),
    });
    Some(Transcript { tools: Arc::clone(used.listed.as_ref()?), turns: turns.collect() })
}

/// Tells whoever watches what a tool says of its progress. Its output is no text of the attempt.
fn progress_sink(feed: Feed, key: Key, attempt: u32) -> DeltaSink {
    Arc::new(move |delta| {
        if matches!(delta, Delta::Progress(_)) {
            feed.publish(&[Update::Delta { key: key.clone(), attempt, delta }]);
        }
    })
}
