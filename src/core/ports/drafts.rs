//! Unsaved texts of a person.

use super::JournalError;
use crate::core::id::RunId;

/// Unsaved texts: they survive the process in which they were typed. Each call returns when it is durable.
pub trait Drafts: Send + Sync {
    /// Keeps (`Some`) or forgets (`None`) unsaved text of a person, under the run and a name of the front end's choice.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn keep_draft(&self, run: RunId, name: &str, text: Option<&str>) -> Result<(), JournalError>;

    /// The unsaved texts of a run, by name: name and text.
    ///
    /// # Errors
    /// When the store cannot be used or there is no such run.
    fn drafts(&self, run: RunId) -> Result<Vec<(String, String)>, JournalError>;

    /// Keeps (`Some`) or forgets (`None`) what a person typed into the form of a task that was not started.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn keep_form(&self, task: &str, text: Option<&str>) -> Result<(), JournalError>;

    /// What was typed into the form of a task and kept.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn form(&self, task: &str) -> Result<Option<String>, JournalError>;
}
