//! What a completed run leaves to its session, although others may have changed that meanwhile: it goes together, or what
//! the others set is kept and the run says so.
//!
//! It is made of what the session has when the end of the run is staged, and the store takes it only as long as the session has
//! that still. If another run was faster, the end is not committed, and what is left is made again.

use serde_json::Value;

use crate::core::event::Event;
use crate::core::ports::{Append, JournalError, SessionUpdate};
use crate::core::run::Run;
use crate::core::state::StateLeft;
use crate::engine::run_loop::RunLoop;

impl RunLoop {
    /// What the run leaves to its session as that is now, and what that has; `None` when it has none.
    fn state_left(&self) -> Result<Option<(StateLeft, Value)>, JournalError> {
        let run = &self.run;
        // One that has been completed may have left what it does not set any more.
        let leaves = !run.set_state.is_empty() || run.result.is_some();
        let Some(session) = run.session.as_ref().filter(|_| leaves) else { return Ok(None) };
        let (theirs, _) = self.engine.with_store(|store| store.session(session, 0))?;
        let before = self.state_left_before()?;
        let left = run.state_left(before.as_ref().unwrap_or(&run.state), &theirs);
        Ok(Some((left, theirs)))
    }

    /// What the session had when this run last left something to it.
    fn state_left_before(&self) -> Result<Option<Value>, JournalError> {
        let run = &self.run;
        if run.result.is_none() {
            return Ok(None);
        }
        let events = self.engine.with_store(|store| store.read(run.id, 0))?;
        let completed = events.iter().rposition(|recorded| matches!(recorded.event, Event::RunCompleted { .. }));
        let Some(completed) = completed else { return Ok(None) };
        let left = Run::fold(run.id, &events[..=completed])?.state_set(|_| true);
        let mut before = run.state.as_object().cloned().unwrap_or_default();
        before.extend(left);
        Ok(Some(Value::Object(before)))
    }

    /// Makes what the run leaves to its session, and says of which names that keeps what others set.
    pub(super) fn settle_state(&mut self) -> Result<(), JournalError> {
        self.leaves = None;
        let (Some((left, theirs)), Some(session)) = (self.state_left()?, self.run.session.clone()) else {
            return Ok(());
        };
        let StateLeft { values, removed, refused } = left;
        let mut leaves = SessionUpdate { values, removed, ..SessionUpdate::default() };
        let seen = leaves.names().filter_map(|name| Some((name.clone(), theirs.get(name)?.clone())));
        leaves.seen = seen.collect();
        self.leaves = Some(leaves).filter(|leaves| leaves.names().next().is_some());
        for name in refused {
            let message = format!(
                "`state.{name}` of the session `{session}` keeps the value that another run gave it after this one started; \
                 run this one again to build on that"
            );
            self.stage(Event::Warned { key: None, message }, false);
        }
        Ok(())
    }

    /// Puts what the run leaves to its session with the events of its end.
    pub(super) fn leave_state(&self, batch: &mut Append) {
        if batch.events.iter().any(|event| matches!(event, Event::RunCompleted { .. })) {
            batch.state.clone_from(&self.leaves);
        }
    }
}
