//! What is kept beside the course of runs: lessons, unsaved texts; and runs that are removed.

use std::time::{Duration, Instant};

use crate::core::code::ErrorCode;
use crate::core::decide::Refusal;
use crate::core::id::RunId;
use crate::core::ports::{JournalError, Learned};
use crate::engine::{Engine, EngineError, locked, spooled, time};

/// So long what is under way of a run that was cancelled may take to end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

impl Engine {
    /// Removes a run and all that only it holds.
    ///
    /// # Errors
    /// When it is driven, there is no such run, or the store cannot be used.
    pub fn delete(&self, run: RunId) -> Result<(), EngineError> {
        if self.is_driven(run) {
            return Err(Refusal::new(ErrorCode::DrivenElsewhere, "the run is active; cancel it first").into());
        }
        self.patiently_here(|store| store.delete(run))?;
        self.shared.ports.spool.clear(run);
        self.shared.ports.ownership.forget(run);
        Ok(())
    }

    /// Removes a run, whatever it is doing. One that is driven, here or by another process, is cancelled first, and what
    /// is under way of it ends.
    ///
    /// # Errors
    /// When it does not end, there is no such run, or the store cannot be used.
    pub async fn stop_and_delete(&self, run: RunId) -> Result<(), EngineError> {
        if self.is_driven(run) {
            match self.cancel(run).await {
                // Over already: whoever drove it is about to let go of it.
                Ok(()) | Err(EngineError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
            let patience = Instant::now() + RELEASE_TIMEOUT;
            while self.is_driven(run) && Instant::now() < patience {
                time::pause(Duration::from_millis(5)).await;
            }
        }
        self.delete(run)
    }

    /// What was learned, for one task or all.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn learned(&self, task: Option<&str>) -> Result<Vec<Learned>, EngineError> {
        Ok(self.with_store(|store| store.learned(task))?)
    }

    /// Changes (`Some`) or removes (`None`) a lesson.
    ///
    /// # Errors
    /// When there is no such lesson or the store cannot be used.
    pub fn update_lesson(&self, id: i64, text: Option<&str>) -> Result<(), EngineError> {
        Ok(self.patiently_here(|store| store.update_lesson(id, text))?)
    }

    /// Keeps (`Some`) or forgets (`None`) unsaved text under a run: beside the store while it cannot take it.
    ///
    /// # Errors
    /// When neither can be written.
    pub fn keep_draft(&self, run: RunId, name: &str, text: Option<&str>) -> Result<(), EngineError> {
        let spool = &*self.shared.ports.spool;
        match self.with_store(|store| store.keep_draft(run, name, text)) {
            Err(error @ (JournalError::Busy(_) | JournalError::Store(_))) => {
                locked::keep_draft(spool, run, name, text).map_err(|_| error.into())
            }
            kept => {
                spool.remove(run, &spooled::draft(name));
                Ok(kept?)
            }
        }
    }

    /// The unsaved texts of a run: name and text.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn drafts(&self, run: RunId) -> Result<Vec<(String, String)>, EngineError> {
        let mut drafts = self.with_store(|store| store.drafts(run))?;
        for (name, text) in locked::drafts(&*self.shared.ports.spool, run) {
            drafts.retain(|(known, _)| *known != name);
            drafts.extend(text.map(|text| (name, text)));
        }
        Ok(drafts)
    }

    /// Ends what attempts have started and what outlives them, such as servers of tools, because the process ends.
    pub async fn end_servers(&self) {
        self.shared.ports.executor.close().await;
    }

    /// Closes the journal, because the process ends: what still runs in it may be its last holder, and is not waited for.
    pub fn close(&self) {
        self.shared.ports.store.close();
    }

    /// Keeps (`Some`) or forgets (`None`) what was typed into the form of a task that was not started.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn keep_form(&self, task: &str, text: Option<&str>) -> Result<(), EngineError> {
        Ok(self.with_store(|store| store.keep_form(task, text))?)
    }

    /// What was typed into the form of a task and kept.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn form(&self, task: &str) -> Result<Option<String>, EngineError> {
        Ok(self.with_store(|store| store.form(task))?)
    }
}
