//! Actions of the definition that a person asked for on a document: what each is made from, and how far it has come.
//!
//! An action is performed by a call of its own, so that it is journaled, paid, stopped and taken up after a crash as any
//! other. The flow of the run does not know that call: its output is a version of the document and nothing else.

use super::Document;
use crate::core::call::{Call, CallStatus};
use crate::core::key::{Key, Segment};
use crate::core::run::Run;

/// An action that a person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedAction {
    /// Its id in the definition.
    pub action: String,
    /// The document.
    pub document: String,
    /// The version that it is made from.
    pub version: u32,
    /// What is to change, where the person said it themselves.
    pub instruction: Option<String>,
    /// The version that came of it.
    pub written: Option<u32>,
    /// The person took it back.
    pub taken_back: bool,
}

impl Run {
    /// The key of the next call of an action: `shorter#0`, `shorter#1`, …
    #[must_use]
    pub fn next_action_key(&self, action: &str) -> Key {
        let key = |n| Key::root(Segment { id: action.to_owned(), item: None, iteration: Some(n) });
        (0..u32::MAX).map(key).find(|key| !self.calls.contains_key(key)).unwrap_or_else(|| key(u32::MAX))
    }

    /// The calls that the run's flow has asked for, without those of actions, in the order in which they were first heard of.
    #[must_use]
    pub fn flow_calls(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.values().filter(|call| !self.actions.contains_key(&call.key))
    }

    /// The call that makes a version of a document just now, or has yet to begin.
    #[must_use]
    pub fn action_under_way(&self, document: &str) -> Option<(&Key, &RequestedAction)> {
        let open = |key: &Key| {
            let status = self.call(key).map(|call| call.status);
            !matches!(status, Some(CallStatus::Failed | CallStatus::Cancelled | CallStatus::Skipped))
        };
        self.actions.iter().find(|(key, asked)| asked.document == document && asked.is_open() && open(key))
    }

    pub(in crate::core) fn request_action(&mut self, key: &Key, asked: RequestedAction) {
        self.actions.insert(key.clone(), asked);
    }

    /// The version of a document that an action has made.
    pub(super) fn action_written(&mut self, key: &Key, version: u32) {
        if let Some(asked) = self.actions.get_mut(key) {
            asked.written = Some(version);
        }
    }

    /// A person took back what they had asked for. What came of it counts no more, and what has not come yet is not waited
    /// for.
    pub(in crate::core) fn take_action_back(&mut self, key: &Key, before: u32) {
        let Some(asked) = self.actions.get_mut(key) else { return };
        asked.taken_back = true;
        let (document, written) = (asked.document.clone(), asked.written);
        if let Some(call) = self.calls.get_mut(key)
            && call.status == CallStatus::Pending
        {
            call.give_up();
        }
        if let Some(written) = written
            && self.documents.get(&document).is_some_and(|document| document.current == written)
        {
            self.take_edit_back(&document, written, before);
        }
    }
}

impl RequestedAction {
    /// Whether its version has yet to come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.written.is_none() && !self.taken_back
    }

    /// Whether its version may replace the one that counts: it is still the one that it was made from.
    #[must_use]
    pub fn is_current(&self, document: &Document) -> bool {
        document.current().is_some_and(|(number, _)| number == self.version)
    }
}
