//! Commands: what front ends tell the loop that drives a run, and decisions on their way into the journal.

use tokio::sync::oneshot;

use crate::core::actor::Actor;
use crate::core::deadline;
use crate::core::decide::{self, Decision, DecisionKind, Refusal};
use crate::core::event::{Event, Measured};
use crate::core::gate::{Answer, Gate, GateBody, GateKind, InputBody};
use crate::core::key::Key;
use crate::core::run::{Run, Status};
use crate::core::tool_call::ToolCallId;
use crate::engine::attempts::Unit;
use crate::engine::failpoint::failpoint;
use crate::engine::feed::StopReason;
use crate::engine::run_loop::{JournalLost, RunLoop};
use crate::engine::tool_loop::transcript;
use crate::engine::{EngineCommand, EngineError};

impl RunLoop {
    pub(super) fn handle(&mut self, command: EngineCommand) -> Result<(), JournalLost> {
        match command {
            EngineCommand::Decide(decision, who, reply) => {
                let call = self.run.call(&decision.key);
                if let Some(gate) = call.and_then(|call| decide::gate_of(&self.run, call, decision.call).ok()).cloned()
                    && gate.kind() == GateKind::Secret
                    && let DecisionKind::Answer { value } = &decision.kind
                    && let Err(error) = self.engine.keep_secret(self.run.id, &gate, value)
                {
                    let _ = reply.send(Err(error));
                    return Ok(());
                }
                self.decided(move |run| decide::decide(run, &decision, &who), reply)
            }
            EngineCommand::Append(make, reply) => self.decided(make, reply),
            EngineCommand::Ask { key, attempt, call, fields, answer } => {
                // What a tool asks may be declined: it hears that.
                let declines = call.map(|_| Answer::Skip);
                let gate = Gate {
                    call,
                    key: key.clone(),
                    workflow: None,
                    attempt,
                    version: 0,
                    body: GateBody::Input(InputBody::Question { fields }),
                    allowed: std::iter::once(Answer::Answer).chain(declines).collect(),
                };
                self.attempts.answers.insert((key, call), answer);
                self.stage(Event::GateOpened(gate), true);
                Ok(())
            }
            EngineCommand::Announce(newest) => {
                if self.is_idle() && self.announced == self.log.committed() {
                    self.feed.tell_rest(StopReason::Waiting, newest);
                }
                Ok(())
            }
            EngineCommand::Stop(key) => {
                self.stop_tools(&key);
                Ok(())
            }
            // It is looked at what is under way.
            EngineCommand::Leave => Ok(()),
            EngineCommand::Pause => {
                self.cancel_attempts();
                Ok(())
            }
            EngineCommand::Cancel(who, reply) => {
                self.cancel_attempts();
                let kept = self.partial_texts(&who);
                let make = move |run: &Run| Ok([kept.clone(), decide::cancel(run, &who)?].concat());
                self.decided(make, reply)?;
                if self.is_interrupted() && self.control.pausing().is_none() {
                    // It was refused, and the run goes on.
                    self.control.interrupt.lower();
                    self.session = self.flow.open(&self.run);
                    self.log.is_known();
                }
                Ok(())
            }
        }
    }

    /// Commits a decision, and with it what the flow then wants, where that is a matter of microseconds: it follows from
    /// the decision, and is asked for again should the decision not be taken. Code that somebody wrote may take its time
    /// over it, and so comes after.
    pub(super) fn decided(
        &mut self,
        make: impl Fn(&Run) -> Result<Vec<Event>, Refusal>,
        reply: oneshot::Sender<Result<(), EngineError>>,
    ) -> Result<(), JournalLost> {
        let answer = match self.decide(make) {
            Ok(answer) => answer,
            Err(JournalLost(error)) => {
                let _ = reply.send(Err(EngineError::from(error.clone())));
                return Err(JournalLost(error));
            }
        };
        let _ = reply.send(answer.map_err(EngineError::from));
        failpoint("decision.told");
        Ok(())
    }

    fn decide(
        &mut self,
        make: impl Fn(&Run) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Result<(), Refusal>, JournalLost> {
        self.commit()?;
        let late = self.overdue();
        for event in late.clone() {
            self.stage(event, false);
        }
        self.commit()?;
        loop {
            let rebased = self.log.rebased();
            match make(&self.run) {
                Ok(events) => events.into_iter().for_each(|event| self.stage(event, false)),
                // What another process wrote may be what it is about.
                Err(_) if self.catch_up()? => {
                    self.commit()?;
                    continue;
                }
                Err(refusal) => return Ok(Err(deadline::refused(refusal, &late))),
            }
            if !self.config.runs_code {
                self.settle_derived()?;
            }
            failpoint("decision.before");
            self.commit()?;
            failpoint("decision.after");
            // When others were faster it was let go, and is looked at again on top of what they wrote.
            if self.log.rebased() == rebased {
                return Ok(Ok(()));
            }
        }
    }

    /// The answers to gates whose time is up. A run that is given up here leaves them to whoever drives it next.
    pub(super) fn overdue(&self) -> Vec<Event> {
        if self.control.pausing().is_some() { Vec::new() } else { self.run.overdue(self.now()) }
    }

    /// What the policy of this drive decides of the gates that are open.
    pub(super) fn answered_by_policy(&self) -> Vec<Event> {
        if self.run.gates() == 0 || self.control.pausing().is_some() || self.run.status == Status::Cancelled {
            return Vec::new();
        }
        let who = &self.engine.who;
        let stopped = |gate: &&Gate| self.run.call(&gate.key).is_some_and(|call| call.was_stopped(gate));
        let decisions = self.run.waiting().filter(|gate| !stopped(gate)).filter_map(|gate| {
            let what = (self.policy)(&self.run, gate)?;
            Some(Decision::about(gate, what))
        });
        // What it may not decide waits for a person.
        decisions.filter_map(|decision| decide::decide(&self.run, &decision, who).ok()).flatten().collect()
    }

    /// Hands answers to the commands that asked in the middle of their work.
    pub(super) fn give_answers(&mut self) {
        let answer = |(key, tool_call): &(Key, Option<ToolCallId>)| {
            let call = self.run.call(key)?;
            match tool_call {
                Some(id) => call.tool_use()?.call(*id)?.answer.clone(),
                None => call.answer.clone(),
            }
        };
        let answered: Vec<_> =
            self.attempts.answers.keys().filter_map(|asked| Some((asked.clone(), answer(asked)?))).collect();
        for (asked, value) in answered {
            if let Some(reply) = self.attempts.answers.remove(&asked) {
                let _ = reply.send((*value).clone());
            }
        }
    }

    /// Breaks off what is under way.
    pub(super) fn cancel_attempts(&self) {
        for attempt in self.attempts.under_way.values() {
            attempt.cancel.cancel();
        }
    }

    /// A run that is stopped for good, by that person, keeps what its attempts had written.
    pub(super) fn partial_texts(&self, by: &Actor) -> Vec<Event> {
        let cancelled = self.attempts.under_way.iter().map(|(key, under_way)| {
            let (key, attempt, partial) = (key.clone(), under_way.attempt, under_way.partial.text());
            let asks = matches!(under_way.unit, Unit::Whole | Unit::Request);
            let made = self.run.call(&key).filter(|_| asks).and_then(|call| call.attempt(attempt));
            let used = made.and_then(|made| {
                let so_far = made.tool_use.as_deref().and_then(transcript);
                Some(self.engine.shared.ports.executor.spent(made.work.as_deref()?, so_far.as_ref(), &partial))
            });
            let usage = used.unwrap_or_default();
            let measured = Measured { usage, ..Measured::default() };
            Event::AttemptCancelled { key, attempt, partial, again: false, by: by.clone(), measured }
        });
        cancelled.collect()
    }
}
