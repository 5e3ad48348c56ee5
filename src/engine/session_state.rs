//! What a completed run leaves to its session, although others may have changed that meanwhile: it goes together, or what
//! the others set is kept and the run says so.

use serde_json::Value;

use crate::core::event::Event;
use crate::core::ports::{Append, JournalError};
use crate::core::run::Run;
use crate::core::state::StateLeft;
use crate::engine::run_loop::RunLoop;

impl RunLoop {
    /// What the run leaves to its session as it is now; `None` when it has none or sets nothing.
    fn state_left(&self) -> Result<Option<StateLeft>, JournalError> {
        let Some(session) = self.run.session.as_ref().filter(|_| !self.run.set_state.is_empty()) else {
            return Ok(None);
        };
        let (theirs, _) = self.engine.shared.ports.journal.session(session, 0)?;
        let before = self.state_left_before()?;
        Ok(Some(self.run.state_left(before.as_ref().unwrap_or(&self.run.state), &theirs)))
    }

    /// What the session had when this run last left something to it.
    fn state_left_before(&self) -> Result<Option<Value>, JournalError> {
        let run = &self.run;
        if run.result.is_none() {
            return Ok(None);
        }
        let events = self.engine.shared.ports.journal.read(run.id, 0)?;
        let completed = events.iter().rposition(|recorded| matches!(recorded.event, Event::RunCompleted { .. }));
        let Some(completed) = completed else { return Ok(None) };
        let left = Run::fold(run.id, &events[..=completed])?.state_set(|_| true);
        let mut before = run.state.as_object().cloned().unwrap_or_default();
        before.extend(left);
        Ok(Some(Value::Object(before)))
    }

    /// Says of which names the session keeps what others set.
    pub(super) fn warn_of_refused_state(&mut self) -> Result<(), JournalError> {
        let (Some(left), Some(session)) = (self.state_left()?, self.run.session.clone()) else { return Ok(()) };
        for name in left.refused {
            let message = format!(
                "`state.{name}` of the session `{session}` keeps the value that another run gave it after this one started; \
                 run this one again to build on that"
            );
            self.stage(Event::Warned { key: None, message }, false);
        }
        Ok(())
    }

    /// Puts what the run leaves to its session beside the events with which it completes.
    pub(super) fn leave_state(&self, batch: &mut Append) -> Result<(), JournalError> {
        if batch.events.iter().any(|event| matches!(event, Event::RunCompleted { .. }))
            && let Some(left) = self.state_left()?.filter(|left| !left.values.is_empty())
        {
            batch.state = Value::Object(left.values);
        }
        Ok(())
    }
}
