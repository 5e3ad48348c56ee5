//! Orders: what front ends tell a driver, and decisions on their way into the journal.

use tokio::sync::oneshot;

use crate::core::decide::{self, Decision, Refusal, What};
use crate::core::event::{Event, Measured};
use crate::core::gate::{Answer, Gate, GateFor};
use crate::core::key::Key;
use crate::core::ports::{JournalError, Writer};
use crate::core::run::{Run, Status};
use crate::core::text::Untrusted;
use crate::engine::driver::{Driver, Lost};
use crate::engine::failpoint::failpoint;
use crate::engine::{EngineError, Order, recover};

impl Driver {
    pub(super) fn obey(&mut self, order: Order) -> Result<(), Lost> {
        match order {
            Order::Decide(decision, reply) => {
                let who = self.engine.shared.ports.who.clone();
                if let Some(gate) = self.run.call(&decision.key).and_then(|call| call.gate.clone())
                    && gate.kind == GateFor::Secret
                    && let What::Answer { value } = &decision.what
                    && let Err(error) = self.engine.keep_secret(self.run.id, &gate, value)
                {
                    let _ = reply.send(Err(error));
                    return Ok(());
                }
                self.decided(move |run| decide::decide(run, &decision, &who), reply)
            }
            Order::Append(make, reply) => self.decided(make, reply),
            Order::Ask { key, attempt, fields, answer } => {
                let gate = Gate {
                    key: key.clone(),
                    kind: GateFor::Input,
                    attempt,
                    version: 0,
                    shows: serde_json::json!({ "fields": fields }),
                    allowed: vec![Answer::Answer],
                };
                self.answers.insert(key, answer);
                self.stage(Event::GateOpened(gate), true);
                Ok(())
            }
            Order::Stop(key) => {
                if let Some(attempt) = self.under_way.get(&key) {
                    attempt.cancel.cancel();
                }
                Ok(())
            }
            Order::Rest(reason) => {
                self.resting = Some(reason);
                for attempt in self.under_way.values() {
                    attempt.cancel.cancel();
                }
                Ok(())
            }
            Order::Cancel(reply) => {
                let who = self.engine.shared.ports.who.clone();
                for attempt in self.under_way.values() {
                    attempt.cancel.cancel();
                }
                self.keep_partial_texts();
                self.decided(move |run| recover::cancelled(run, &who), reply)
            }
        }
    }

    /// Commits a decision at once, before anything that follows from it.
    pub(super) fn decided(
        &mut self,
        make: impl Fn(&Run) -> Result<Vec<Event>, Refusal>,
        reply: oneshot::Sender<Result<(), EngineError>>,
    ) -> Result<(), Lost> {
        self.commit()?;
        loop {
            let events = match make(&self.run) {
                Ok(events) => events,
                // What another process wrote may be what it is about.
                Err(_) if self.catch_up()? => {
                    self.commit()?;
                    continue;
                }
                Err(refusal) => {
                    let _ = reply.send(Err(refusal.into()));
                    return Ok(());
                }
            };
            let mut batch = self.engine.batch(&self.run, Writer::Owner(self.epoch), events.clone());
            batch.after = self.committed;
            let at = batch.at;
            if events.is_empty() {
                let _ = reply.send(Ok(()));
                return Ok(());
            }
            failpoint("decision.before");
            match self.engine.shared.ports.journal.append(batch) {
                Ok(_) => {
                    failpoint("decision.after");
                    for event in events {
                        self.committed += 1;
                        self.run.apply(self.committed, at, &event);
                        self.unfed.push(event.clone());
                        self.publish(self.committed, at, event);
                    }
                    let _ = reply.send(Ok(()));
                    failpoint("decision.told");
                    self.give_answers();
                    return Ok(());
                }
                Err(JournalError::Conflict { .. }) => {
                    self.rebase()?;
                    self.commit()?;
                }
                Err(error) => {
                    let message = error.to_string();
                    let _ = reply.send(Err(error.into()));
                    return Err(Lost(message));
                }
            }
        }
    }

    /// What the policy of this drive decides of the gates that are open.
    pub(super) fn answered_by_policy(&self) -> Vec<Event> {
        if self.run.gates() == 0 || self.resting.is_some() || self.run.status == Status::Cancelled {
            return Vec::new();
        }
        let who = &self.engine.shared.ports.who;
        let decisions = self.run.waiting().filter_map(|gate| {
            let what = (self.policy)(&self.run, gate)?;
            Some(Decision { key: gate.key.clone(), attempt: Some(gate.attempt), version: Some(gate.version), what })
        });
        // What it may not decide waits for a person.
        decisions.filter_map(|decision| decide::decide(&self.run, &decision, who).ok()).flatten().collect()
    }

    /// Hands answers to the commands that asked in the middle of their work.
    pub(super) fn give_answers(&mut self) {
        let run = &self.run;
        let answered: Vec<Key> = self
            .answers
            .keys()
            .filter(|key| run.call(key).is_some_and(|call| call.answer.is_some()))
            .cloned()
            .collect();
        for key in answered {
            if let (Some(reply), Some(value)) =
                (self.answers.remove(&key), self.run.call(&key).and_then(|call| call.answer.clone()))
            {
                let _ = reply.send((*value).clone());
            }
        }
    }

    /// A run that is stopped for good keeps what its attempts had written.
    pub(super) fn keep_partial_texts(&mut self) {
        let texts: Vec<(Key, u32, Untrusted)> = self
            .under_way
            .iter()
            .map(|(key, attempt)| (key.clone(), attempt.attempt, attempt.partial.text()))
            .collect();
        for (key, attempt, partial) in texts {
            let by = self.engine.shared.ports.who.clone();
            let measured = Measured::default();
            self.stage(Event::AttemptCancelled { key, attempt, partial, again: false, by, measured }, true);
        }
    }
}
