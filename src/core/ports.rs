//! Ports: what the engine and the steps need from modules that they may not import, one file a subject.
//!
//! A port takes data and gives data: none speaks of how its module does it. What is kept of runs is four ports, which one
//! object implements over the same data: [`Journal`], [`Runs`], [`Memory`] and [`Drafts`], together [`Storage`]. SQLite
//! and the store in memory do; `tests/store/contract` says what they promise, and any other one has to pass it.

mod clock;
mod drafts;
mod executor;
mod folders;
mod journal;
mod memory;
mod models;
mod ownership;
mod runs;
mod secrets;
mod spool;
mod timers;
mod tools;

use std::future::Future;
use std::pin::Pin;

pub use self::clock::Clock;
pub use self::drafts::Drafts;
pub use self::executor::{
    AskSink, AttemptContext, AttemptOutcome, AttemptRequest, Executor, MaySpend, PastTurn, ToolCallRequest, Transcript,
};
pub use self::folders::Folders;
pub use self::journal::{Append, Journal, JournalError, Stands, Writer};
pub use self::memory::{Learned, Memory, SessionUpdate};
pub use self::models::Models;
pub use self::ownership::{Lease, Ownership};
pub use self::runs::{HistoryQuery, Revision, RunRow, Runs};
pub use self::secrets::Secrets;
pub use self::spool::{Spool, SpooledText};
pub use self::timers::Timers;
pub use self::tools::{CallOutcome, InspectedServer, ServerCall, ServerTools, ToolScope, ToolServers};

/// A future that may be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// All that is kept of runs, over the same data: what one port wrote the others know of.
pub trait Storage: Journal + Runs + Memory + Drafts {}

impl<T: Journal + Runs + Memory + Drafts + ?Sized> Storage for T {}
