//! Staging: what happened is folded and fed at once, and committed before anything begins or is shown because of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::core::call::Call;
use crate::core::decide::Refusal;
use crate::core::event::{Event, Recorded};
use crate::core::key::Key;
use crate::core::ports::JournalError;
use crate::core::run::{Run, Status};
use crate::engine::batch;
use crate::engine::failpoint::failpoint;
use crate::engine::feed::Update;
use crate::engine::run_loop::{JournalLost, RunConfig, RunLoop};
use crate::flow::Wants;

/// So many staged events are committed even when nothing asks for it: a long chain of pure steps stays bounded.
const MOST_STAGED: usize = 4_000;

/// Whether it says what came of work that was done: that is so whatever was decided meanwhile.
fn is_measured(event: &Event) -> bool {
    matches!(
        event,
        Event::AttemptFinished { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptCancelled { .. }
            | Event::TurnFinished { .. }
            | Event::ToolReturned { .. }
    )
}

impl RunLoop {
    pub(super) fn stage(&mut self, event: Event, fact: bool) {
        let now = self.now();
        self.run.apply(self.run.seq + 1, now, &event);
        self.apply_decision(&event);
        self.log.stage(event, fact);
    }

    /// Does what a person's event means for more than the run's state, whoever committed it.
    fn apply_decision(&mut self, event: &Event) {
        match event {
            Event::DecisionUndone { withdraws, by, .. } => {
                let runs = |key: &Key| self.run.call(key).is_some_and(Call::runs_tools);
                let under_way = withdraws.iter().filter(|key| self.attempts.under_way.contains_key(*key) || runs(key));
                self.attempts.taken_back.extend(under_way.map(|key| (key.clone(), by.clone())).collect::<Vec<_>>());
            }
            event if event.asks_again() => self.engine.shared.ports.executor.ask_again(),
            _ => {}
        }
    }

    /// Breaks off what is under way because of a decision that was undone. Effects are not: nothing is undone after one.
    fn break_off_what_was_taken_back(&mut self) {
        let wants = &self.wants.calls;
        self.attempts.taken_back.retain(|key, _| !wants.iter().any(|want| want.key == *key));
        self.give_up_tools_taken_back();
        for (key, who) in &self.attempts.taken_back {
            if let Some(attempt) = self.attempts.under_way.get_mut(key) {
                attempt.broken_off_by = who.clone();
                attempt.cancel.cancel();
            }
        }
    }

    /// Writes what is staged. What others wrote meanwhile comes first, and the flow is asked again on top of it.
    pub(super) fn commit(&mut self) -> Result<(), JournalLost> {
        while !self.log.staged().is_empty() {
            let at = self.now();
            let mut batch = batch(&self.run, self.log.committed(), self.owner.writer(), at, self.log.take());
            self.leave_state(&mut batch);
            failpoint("commit.before");
            match self.patiently(Some(&batch.events), |store| store.append(&batch)) {
                Ok(_) => {
                    failpoint("commit.after");
                    self.owner.has_committed();
                    self.publish(at, batch.events);
                    for name in std::mem::take(&mut self.attempts.spent) {
                        self.engine.shared.ports.spool.remove(self.run.id, &name);
                    }
                    self.begin_what_starts();
                    self.give_answers();
                }
                // What was left to the session is made again of what it has now, as is all that is derived.
                Err(JournalError::Conflict { .. } | JournalError::SessionChanged) => {
                    self.log.gives_back(batch.events);
                    self.rebase()?;
                }
                Err(error) => {
                    self.keep_outcomes(Some(&batch.events));
                    return Err(error.into());
                }
            }
        }
        // A request whose turn is its intent needs no commit of its own.
        self.begin_what_starts();
        Ok(())
    }

    /// Tells what was committed, all of it at once.
    fn publish(&mut self, at: DateTime<Utc>, events: Vec<Event>) {
        // Before anybody hears of it: whoever does may end this process.
        for event in &events {
            self.notify_of(event);
        }
        let run = self.run.id;
        let before = self.log.committed();
        self.log.commits(&events);
        let numbered = events.into_iter().zip(before + 1..);
        let updates: Vec<Update> =
            numbered.map(|(event, seq)| Update::Event(Recorded { run, seq, at, event })).collect();
        self.feed.publish(&updates);
    }

    fn notify_of(&self, event: &Event) {
        if matches!(
            event,
            Event::RunWaiting {} | Event::RunCompleted { .. } | Event::RunFailed { .. } | Event::RunCancelled { .. }
        ) {
            self.notify(self.run.status);
        }
        // A program that asks while it runs waits as well, although the run's status says that it is under way.
        if matches!(event, Event::GateOpened(gate) if self.attempts.answers.contains_key(&(gate.key.clone(), gate.call)))
        {
            self.notify(Status::Waiting);
        }
    }

    /// Others were faster: their events stand, facts are staged again, what was derived is derived anew.
    pub(super) fn rebase(&mut self) -> Result<(), JournalLost> {
        self.log.falls_behind();
        let after = if self.log.staged().is_empty() { self.log.committed() } else { 0 };
        let (run, definition, status) = (self.run.id, self.run.definition.clone(), self.run.status);
        let events = self.patiently(None, |store| store.read(run, after))?;
        let new: Vec<Recorded> =
            events.iter().filter(|recorded| recorded.seq > self.log.committed()).cloned().collect();
        for recorded in &new {
            self.apply_decision(&recorded.event);
        }
        self.feed.publish(&new.into_iter().map(Update::Event).collect::<Vec<_>>());
        if after > 0 {
            for Recorded { seq, at, event, .. } in events {
                self.run.apply(seq, at, &event);
                self.log.takes_in(event);
            }
        } else {
            self.run = Run::fold(self.run.id, &events).map_err(JournalError::from)?;
            self.run.learn(&self.config.pinned);
            for starting in std::mem::take(&mut self.attempts.starting) {
                self.leave_lane(starting.provider.as_ref());
            }
            self.session = self.flow.open(&self.run);
            self.log.begins_again(self.run.seq);
        }
        if self.run.newer {
            return Err(JournalError::Newer(Refusal::newer().message).into());
        }
        if self.run.definition != definition {
            self.take_definition()?;
        }
        if after == 0 {
            let staged = self.log.unstage();
            // Of a run that was cancelled meanwhile only what was measured counts: nothing of it begins or waits.
            let over = self.run.status == Status::Cancelled;
            let counts = |event: &Event, fact: bool| fact && (!over || is_measured(event));
            for (event, _) in staged.filter(|(event, fact)| counts(event, *fact)) {
                self.stage(event, true);
            }
        }
        if self.run.status == Status::Cancelled && status != Status::Cancelled {
            for text in self.partial_texts(&self.engine.who) {
                self.stage(text, true);
            }
            self.cancel_attempts();
        }
        self.give_answers();
        self.settle_derived()
    }

    /// Takes in what others wrote, if anything.
    pub(super) fn catch_up(&mut self) -> Result<bool, JournalLost> {
        let run = self.run.id;
        let behind = self.patiently(None, |store| store.head(run))? != self.log.committed();
        if behind {
            self.rebase()?;
        }
        Ok(behind)
    }

    /// The run goes by another definition from now on.
    fn take_definition(&mut self) -> Result<(), JournalLost> {
        let definition = self.run.definition.clone();
        let pinned = Arc::new(self.patiently(None, |store| store.definition(&definition))?);
        let environment = &self.engine.shared.ports.environment;
        self.flow = crate::flow::interruptible(&pinned, environment, &self.control.interrupt);
        self.run.learn(&pinned);
        self.config = RunConfig::of(&pinned, &self.run);
        self.session = self.flow.open(&self.run);
        self.log.is_known();
        Ok(())
    }

    /// Feeds the flow. A program's answer takes its time, which is not to be that of other runs.
    fn feed(&mut self) -> Wants {
        self.session.at(self.now());
        let several = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        let session = &mut self.session;
        self.log.feed(|events| match session.ask(events) {
            Some(wants) => wants,
            None if several() => tokio::task::block_in_place(|| session.answer()),
            None => session.answer(),
        })
    }

    /// Feeds the flow and performs what is pure until nothing new comes of it. What is staged then is to be committed.
    pub(super) fn settle_derived(&mut self) -> Result<(), JournalLost> {
        if self.run.status == Status::Cancelled {
            return Ok(());
        }
        loop {
            self.wants = self.feed();
            if self.is_interrupted() {
                self.wants = Wants::default();
                return Ok(());
            }
            // What the flow notes may change a document: actions look at it once that is folded in.
            if self.wants.notes.is_empty() {
                crate::flow::action::add(&*self.session, &self.config.pinned.task, &self.run, &mut self.wants);
            }
            let (notes, before) = (std::mem::take(&mut self.wants.notes), self.log.staged().len());
            for note in notes {
                self.stage(note, false);
            }
            self.break_off_what_was_taken_back();
            for key in std::mem::take(&mut self.wants.cancel) {
                self.break_off(&key);
            }
            let changed = self.log.staged().len() > before;
            if !changed && !self.start_what_may() {
                return Ok(());
            }
            if self.log.staged().len() >= MOST_STAGED && self.attempts.starting.is_empty() {
                self.commit()?;
            }
        }
    }
}
