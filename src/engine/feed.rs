//! Who watches a run: mailboxes that hold what is new until it is taken.
//!
//! A slow reader never holds up a run, and its mailbox stays small: text of the same attempt is joined as it comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::core::event::Recorded;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::ports::JournalError;

/// Something new in a run.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "updates live in vectors of a few, and most of them are events")]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum StopReason {
    /// A person is waited for.
    Waiting,
    /// It is over: completed, failed or cancelled.
    Over,
    /// It was paused or left.
    Paused,
    /// The other process that drove it does so no more: it came to a rest, or died.
    DriverGone,
    /// The journal cannot be written.
    JournalLost(JournalError),
}

#[derive(Default)]
struct Mailbox {
    /// The mailboxes of the run are numbered as they are opened.
    number: u64,
    kept: Mutex<Kept>,
    arrived: Notify,
}

#[derive(Default)]
struct Kept {
    updates: Vec<Update>,
    /// It has been told of a rest.
    rested: bool,
}

/// The mailboxes of one run.
#[derive(Clone, Default)]
pub struct Feed(Arc<Mutex<Readers>>);

/// The mailboxes of all runs that anybody reads, drives or watches here.
#[derive(Default)]
pub struct Feeds(Mutex<HashMap<RunId, Feed>>);

/// At most this many feeds are kept that nobody uses.
const MOST_UNUSED: usize = 64;

impl Feeds {
    /// The feed of a run: the same one for everybody, as long as anybody has it or reads it.
    pub fn of(&self, run: RunId) -> Feed {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if feeds.len() >= MOST_UNUSED && !feeds.contains_key(&run) {
            feeds.retain(|_, feed| Arc::strong_count(&feed.0) > 1 || feed.is_read());
        }
        feeds.entry(run).or_default().clone()
    }
}

#[derive(Default)]
struct Readers {
    newest: u64,
    /// Somebody looks at what other processes write.
    is_watched: bool,
    mailboxes: Vec<Weak<Mailbox>>,
}

/// One reader's mailbox.
pub struct Subscription {
    mailbox: Arc<Mailbox>,
}

impl Feed {
    /// Opens a mailbox. It holds what is published from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.newest += 1;
        let mailbox = Arc::new(Mailbox { number: readers.newest, ..Mailbox::default() });
        readers.mailboxes.push(Arc::downgrade(&mailbox));
        Subscription { mailbox }
    }

    /// Whether whoever asks is the one who looks at what other processes write, until they let go of that.
    #[must_use]
    pub fn claim_watch(&self) -> bool {
        !std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).is_watched, true)
    }

    /// Lets go of it.
    pub fn release_watch(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_watched = false;
    }

    /// The number of the mailbox that was opened last.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).newest
    }

    /// Puts something new into every mailbox. What is published together is taken together, so that nobody sees half of
    /// what was committed as one.
    pub fn publish(&self, updates: &[Update]) {
        if updates.is_empty() {
            return;
        }
        self.publish_to(updates, |_| true);
    }

    /// Tells that the run rests to the readers up to this number that were told of no rest yet: they came while it rested.
    pub fn tell_rest(&self, reason: StopReason, newest: u64) {
        self.publish_to(&[Update::Stopped(reason)], |mailbox| mailbox.number <= newest && !mailbox.kept().rested);
    }

    fn publish_to(&self, updates: &[Update], reads: impl Fn(&Mailbox) -> bool) {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.mailboxes.retain(|reader| {
            let Some(mailbox) = reader.upgrade() else { return false };
            if reads(&mailbox) {
                mailbox.put(updates);
            }
            true
        });
    }

    /// Whether anybody reads.
    #[must_use]
    pub fn is_read(&self) -> bool {
        let readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.mailboxes.iter().any(|reader| reader.strong_count() > 0)
    }
}

impl Mailbox {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, updates: &[Update]) {
        let mut kept = self.kept();
        for update in updates {
            kept.rested |= matches!(update, Update::Stopped(_));
            if let (
                Update::Delta { key, attempt, delta: Delta::Text(more) },
                Some(Update::Delta { key: last_key, attempt: last_attempt, delta: Delta::Text(text) }),
            ) = (update, kept.updates.last_mut())
                && key == last_key
                && attempt == last_attempt
            {
                text.push(more);
            } else {
                kept.updates.push(update.clone());
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
        std::mem::take(&mut self.mailbox.kept().updates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_runs_are_looked_at_only_the_feeds_that_are_used_stay() {
        let feeds = Feeds::default();
        let run = |number: u64| RunId::new(number, [1; 10]);
        let mut read = feeds.of(run(0)).subscribe();
        let driven = feeds.of(run(1));
        for number in 2..10 * MOST_UNUSED as u64 {
            drop(feeds.of(run(number)).subscribe());
        }
        assert!(feeds.0.lock().unwrap().len() <= MOST_UNUSED + 1);
        // Who reads hears of what is published by whoever asks for the feed, and so does who asks later.
        feeds.of(run(0)).publish(&[Update::Locked(true)]);
        assert_eq!(read.take(), [Update::Locked(true)]);
        let mut later = feeds.of(run(1)).subscribe();
        driven.publish(&[Update::Locked(false)]);
        assert_eq!(later.take(), [Update::Locked(false)]);
    }
}
