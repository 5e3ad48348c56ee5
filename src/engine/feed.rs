//! Who watches a run: mailboxes that hold what is new until it is taken.
//!
//! A slow reader never holds up a run, and its mailbox stays small: text of the same attempt is joined as it comes.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use crate::core::event::Recorded;
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::ports::JournalError;

/// Something new in a run.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "updates live in vectors of a few, and most of them are events")]
pub enum Update {
    /// It is in the journal.
    Event(Recorded),
    /// It is on its way.
    Delta {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// What came.
        delta: Delta,
    },
    /// Another process holds the store locked: what came is kept and waits to be written; or, with `false`, waits no more.
    Locked(bool),
    /// Nothing more comes from this process's drive of the run: it waits, has ended, or was given up.
    Stopped(StopReason),
}

/// Why a drive came to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A person is waited for.
    Waiting,
    /// It is over: completed, failed or cancelled.
    Over,
    /// It was paused or left.
    Paused,
    /// The journal cannot be written.
    JournalLost(JournalError),
}

#[derive(Default)]
struct Mailbox {
    updates: Mutex<Vec<Update>>,
    arrived: Notify,
}

/// The mailboxes of one run.
#[derive(Clone, Default)]
pub struct Feed(Arc<Mutex<Vec<Weak<Mailbox>>>>);

/// One reader's mailbox.
pub struct Subscription {
    mailbox: Arc<Mailbox>,
}

impl Feed {
    /// Opens a mailbox. It holds what is published from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let mailbox = Arc::new(Mailbox::default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&mailbox));
        Subscription { mailbox }
    }

    /// Puts something new into every mailbox. What is published together is taken together, so that nobody sees half of
    /// what was committed as one.
    pub fn publish(&self, updates: &[Update]) {
        if updates.is_empty() {
            return;
        }
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| {
            reader.upgrade().is_some_and(|mailbox| {
                mailbox.put(updates);
                true
            })
        });
    }

    /// Whether anybody reads.
    #[must_use]
    pub fn is_read(&self) -> bool {
        let readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.iter().any(|reader| reader.strong_count() > 0)
    }
}

impl Mailbox {
    fn put(&self, updates: &[Update]) {
        let mut kept = self.updates.lock().unwrap_or_else(PoisonError::into_inner);
        for update in updates {
            if let (
                Update::Delta { key, attempt, delta: Delta::Text(more) },
                Some(Update::Delta { key: last_key, attempt: last_attempt, delta: Delta::Text(text) }),
            ) = (update, kept.last_mut())
                && key == last_key
                && attempt == last_attempt
            {
                text.push(more);
            } else {
                kept.push(update.clone());
            }
        }
        drop(kept);
        self.arrived.notify_one();
    }
}

impl Subscription {
    /// Waits until there is something new, and takes all of it.
    pub async fn next(&mut self) -> Vec<Update> {
        loop {
            let mailbox = Arc::clone(&self.mailbox);
            let arrived = mailbox.arrived.notified();
            let updates = self.take();
            if !updates.is_empty() {
                return updates;
            }
            arrived.await;
        }
    }

    /// Takes what is new without waiting.
    #[must_use]
    pub fn take(&mut self) -> Vec<Update> {
        std::mem::take(&mut *self.mailbox.updates.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
