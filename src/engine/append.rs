//! Appending to a run's journal what somebody decided, whoever drives it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::core::deadline;
use crate::core::decide::Refusal;
use crate::core::event::Event;
use crate::core::id::RunId;
use crate::core::ports::{Append, JournalError, Stands, Writer};
use crate::core::run::Run;
use crate::engine::failpoint::failpoint;
use crate::engine::{Engine, EngineCommand, EngineError, outcome};

impl Engine {
    /// Answers the gates of a run whose time is up, if there are any and no process drives it: who does answers them
    /// itself. Gives the answers.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be used.
    pub async fn answer_overdue(&self, run: RunId) -> Result<Vec<Event>, EngineError> {
        if self.is_driven(run) {
            return Ok(Vec::new());
        }
        self.append_after(run, true, |_| Ok(Vec::new())).await
    }

    /// Appends what `make` makes of the run as it is, as often as another process was faster.
    pub(super) async fn append(
        &self,
        run: RunId,
        make: impl Fn(&Run) -> Result<Vec<Event>, Refusal> + Send + Sync + 'static,
    ) -> Result<(), EngineError> {
        self.append_after(run, false, make).await.map(|_| ())
    }

    /// As [`Engine::append`], after the answers to the gates whose time is up: they are appended even when what is decided is
    /// refused because of them.
    pub(super) async fn append_decision(
        &self,
        run: RunId,
        make: impl Fn(&Run) -> Result<Vec<Event>, Refusal> + Send + Sync + 'static,
    ) -> Result<(), EngineError> {
        self.append_after(run, true, make).await.map(|_| ())
    }

    /// Gives the answers to what was overdue.
    async fn append_after(
        &self,
        run: RunId,
        overdue: bool,
        make: impl Fn(&Run) -> Result<Vec<Event>, Refusal> + Send + Sync + 'static,
    ) -> Result<Vec<Event>, EngineError> {
        let make = Arc::new(make);
        if let Some(drive) = self.drive_of(run) {
            let (reply, answer) = oneshot::channel();
            let made = Arc::clone(&make);
            if drive.send(EngineCommand::Append(Box::new(move |run| made(run)), reply))
                && let Ok(answer) = answer.await
            {
                return answer.map(|()| Vec::new());
            }
        }
        loop {
            let mut folded = self.fold(run)?;
            if folded.newer {
                self.remember(folded);
                return Err(Refusal::newer().into());
            }
            // As for whoever drives it, time does not run backwards.
            let (after, at) = (folded.seq, self.shared.ports.clock.now().max(folded.updated_at));
            let late = if overdue { folded.overdue(at) } else { Vec::new() };
            fold_in(&mut folded, at, &late);
            let (events, refused) = match make(&folded) {
                Ok(made) => {
                    fold_in(&mut folded, at, &made);
                    if made.iter().any(|event| matches!(event, Event::RunUpdated { .. })) {
                        self.learn(&mut folded);
                    }
                    ([late.clone(), made].concat(), Ok(late))
                }
                Err(refusal) => {
                    let refusal = deadline::refused(refusal, &late);
                    (late, Err(EngineError::from(refusal)))
                }
            };
            if events.is_empty() {
                self.remember(folded);
                return refused;
            }
            failpoint("append.before");
            let asks_again = events.iter().any(Event::asks_again);
            let batch = batch(&folded, after, Writer::Decider, at, events);
            match self.patiently(move |store| store.append(&batch)).await {
                Ok(_) => {
                    failpoint("append.after");
                    if asks_again {
                        self.shared.ports.executor.ask_again();
                    }
                    self.remember(folded);
                    self.shared.ports.ownership.wake(run);
                    return refused;
                }
                Err(JournalError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn fold_in(run: &mut Run, at: DateTime<Utc>, events: &[Event]) {
    for event in events {
        run.apply(run.seq + 1, at, event);
    }
}

/// Events to be appended after event `after`; `run` has them folded in already.
pub(super) fn batch(run: &Run, after: u64, writer: Writer, at: DateTime<Utc>, events: Vec<Event>) -> Append {
    let learn = outcome::lessons(run, &events);
    Append { run: run.id, after, writer, at, events, learn, state: None, stands: Stands::of(run) }
}
