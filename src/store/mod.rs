//! What is kept of runs: their journal, the lists and the search that follow from it, lessons, sessions, drafts.
//!
//! Two stores implement [`Storage`](crate::core::ports::Storage): [`SqliteStore`] in a file, which the program uses, and
//! [`MemoryStore`], for programs that embed the engine and for tests. What both promise: what a write returned from is
//! kept; events are only ever added, except that a person may delete a whole run; several handles may be used at once and
//! lose nothing. What neither may do: know what events mean beyond their fold, or decide anything.
//!
//! With each comes what the processes that drive runs need of each other, and what is on its way into the journal:
//! [`StateFolder`], [`MemoryState`].

mod memory;
mod nesting;
mod searchable;
mod snippet;
mod sqlite;
mod state;

pub use self::memory::{MemoryState, MemoryStore};
pub use self::sqlite::{Mode, Rebuilt, SqliteStore};
pub use self::state::StateFolder;
