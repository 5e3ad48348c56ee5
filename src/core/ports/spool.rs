//! What is kept of a run outside of its journal, until that has it: texts on their way, outcomes and unsaved texts that the
//! store cannot take now, the programs that attempts have started, outputs too large for the journal.

use std::io;

use crate::core::id::RunId;

/// Notes and texts of runs, by name. They are the machine's that wrote them: another one may see none of them.
pub trait Spool: Send + Sync {
    /// Keeps a note, whole or not at all, instead of the one of that name. It is durable when this returns.
    ///
    /// # Errors
    /// As the system says; then the one of that name is as it was.
    fn keep(&self, run: RunId, name: &str, note: &[u8]) -> io::Result<()>;

    /// A text that grows under a name, best effort. There is none before something is written to it; one that an earlier
    /// process left is written over.
    fn text(&self, run: RunId, name: &str) -> Box<dyn SpooledText>;

    /// What is kept under a name.
    fn read(&self, run: RunId, name: &str) -> Option<Vec<u8>>;

    /// The names under which something is kept of a run.
    fn names(&self, run: RunId) -> Vec<String>;

    /// Removes what is kept under a name.
    fn remove(&self, run: RunId, name: &str);

    /// Removes all that is kept of a run.
    fn clear(&self, run: RunId);
}

/// A text that grows.
pub trait SpooledText: io::Write + Send {
    /// Begins it again: what was written is given up.
    fn restart(&mut self);

    /// Where a person finds it.
    fn location(&self) -> String;
}
