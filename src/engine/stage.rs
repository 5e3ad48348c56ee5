//! Staging: what happened is folded and fed at once, and committed before anything begins or is shown because of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::core::event::{Event, Recorded};
use crate::core::ports::{JournalError, Writer};
use crate::core::run::{Run, Status};
use crate::engine::driver::{Driver, Lost, Settings};
use crate::engine::failpoint::failpoint;
use crate::engine::feed::Update;
use crate::flow::Wants;

/// So many staged events are committed even when nothing asks for it: a long chain of pure steps stays bounded.
const MOST_STAGED: usize = 4_000;

impl Driver {
    pub(super) fn stage(&mut self, event: Event, fact: bool) {
        let now = self.now();
        self.run.apply(self.run.seq + 1, now, &event);
        self.unfed.push(event.clone());
        self.staged.push((event, fact));
    }

    /// Writes what is staged. What others wrote meanwhile comes first, and the flow is asked again on top of it.
    pub(super) fn commit(&mut self) -> Result<(), Lost> {
        while !self.staged.is_empty() {
            let events: Vec<Event> = self.staged.iter().map(|(event, _)| event.clone()).collect();
            let mut batch = self.engine.batch(&self.run, Writer::Owner(self.epoch), events);
            batch.after = self.committed;
            let at = batch.at;
            failpoint("commit.before");
            match self.engine.shared.ports.journal.append(batch) {
                Ok(_) => {
                    failpoint("commit.after");
                    for (event, _) in std::mem::take(&mut self.staged) {
                        self.committed += 1;
                        self.publish(self.committed, at, event);
                    }
                    for path in std::mem::take(&mut self.spent) {
                        let _ = std::fs::remove_file(path);
                    }
                    for starting in std::mem::take(&mut self.starting) {
                        self.begin(starting);
                    }
                    self.give_answers();
                }
                Err(JournalError::Conflict { .. }) => self.rebase()?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    pub(super) fn publish(&self, seq: u64, at: DateTime<Utc>, event: Event) {
        // Before anybody hears of it: whoever does may end this process.
        if matches!(
            event,
            Event::RunWaiting {} | Event::RunCompleted { .. } | Event::RunFailed { .. } | Event::RunCancelled { .. }
        ) {
            self.notify(self.run.status);
        }
        self.feed.publish(&Update::Event(Recorded { run: self.run.id, seq, at, event }));
    }

    /// Others were faster: their events stand, facts are staged again, what was derived is derived anew.
    pub(super) fn rebase(&mut self) -> Result<(), Lost> {
        let journal = &self.engine.shared.ports.journal;
        let after = if self.staged.is_empty() { self.committed } else { 0 };
        let definition = self.run.definition.clone();
        let events = journal.read(self.run.id, after)?;
        for recorded in events.iter().filter(|recorded| recorded.seq > self.committed) {
            self.feed.publish(&Update::Event(recorded.clone()));
        }
        if after > 0 {
            for Recorded { seq, at, event, .. } in events {
                self.run.apply(seq, at, &event);
                self.unfed.push(event);
            }
            self.committed = self.run.seq;
        } else {
            self.run = Run::fold(self.run.id, &events).map_err(|error| Lost(error.to_string()))?;
            self.committed = self.run.seq;
            for starting in std::mem::take(&mut self.starting) {
                self.leave_lane(starting.provider.as_ref());
            }
            self.unfed.clear();
            self.session = self.flow.open(&self.run);
        }
        if self.run.definition != definition {
            self.take_definition()?;
        }
        if after == 0 {
            for (event, fact) in std::mem::take(&mut self.staged) {
                if fact {
                    self.stage(event, true);
                }
            }
        }
        self.give_answers();
        self.settle_derived()
    }

    /// Takes in what others wrote, if anything.
    pub(super) fn catch_up(&mut self) -> Result<bool, Lost> {
        let behind = self.engine.shared.ports.journal.head(self.run.id)? != self.committed;
        if behind {
            self.rebase()?;
        }
        Ok(behind)
    }

    /// The run goes by another definition from now on.
    fn take_definition(&mut self) -> Result<(), Lost> {
        let pinned = Arc::new(self.engine.shared.ports.journal.definition(&self.run.definition)?);
        self.flow = crate::flow::of(&pinned, &self.engine.shared.ports.environment);
        self.settings = Settings::of(&pinned, &self.run);
        self.session = self.flow.open(&self.run);
        self.unfed.clear();
        Ok(())
    }

    /// Feeds the flow. A program's answer takes its time, which is not to be that of other runs.
    fn feed(&mut self, events: &[Event]) -> Wants {
        self.session.at(self.now());
        let several = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        if self.settings.runs_code && several {
            tokio::task::block_in_place(|| self.session.feed(events))
        } else {
            self.session.feed(events)
        }
    }

    /// Feeds the flow and performs what is pure until nothing new comes of it. What is staged then is to be committed.
    pub(super) fn settle_derived(&mut self) -> Result<(), Lost> {
        if self.run.status == Status::Cancelled {
            return Ok(());
        }
        loop {
            let fed = std::mem::take(&mut self.unfed);
            self.wants = self.feed(&fed);
            let notes = std::mem::take(&mut self.wants.notes);
            let noted = !notes.is_empty();
            for note in notes {
                self.stage(note, false);
            }
            for key in std::mem::take(&mut self.wants.cancel) {
                if let Some(attempt) = self.under_way.get(&key) {
                    attempt.cancel.cancel();
                }
            }
            if !noted && !self.start_what_may() {
                return Ok(());
            }
            if self.staged.len() >= MOST_STAGED && self.starting.is_empty() {
                self.commit()?;
            }
        }
    }
}
