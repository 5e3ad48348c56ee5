//! The fold of what happens to documents, and what a run knows of those that wait.

use super::{DocumentVersion, RESULT};
use crate::core::actor::Actor;
use crate::core::document::{Document, Said};
use crate::core::gate::Gate;
use crate::core::run::{Run, RunResult};
use crate::core::task::Kind;

impl Run {
    /// What it has come to by now: the version of its result that counts, else what it was completed with.
    #[must_use]
    pub fn current_result(&self) -> Option<RunResult> {
        let current = self.documents.get(RESULT).and_then(Document::current);
        let written =
            current.map(|(_, version)| RunResult { title: version.title.clone(), body: version.body.clone() });
        written.or_else(|| self.result.clone())
    }

    /// The newest event about what a gate is of: the call, or the document. What happens to other tool calls of the same
    /// attempt changes nothing of what one of them is asked about.
    #[must_use]
    pub fn newest_about(&self, gate: &Gate) -> u64 {
        match gate.document() {
            Some(name) => self.documents.get(name).map_or(0, |document| document.seq),
            None => self.call(&gate.key).map_or(0, |call| {
                let opened = gate.call.and_then(|_| call.gates.opened(gate.call));
                opened.unwrap_or(call.seq)
            }),
        }
    }

    /// How many open gates are gates of calls: a document that waits keeps no call from being performed.
    #[must_use]
    pub fn gates_of_calls(&self) -> usize {
        self.open_gates - self.documents.values().filter(|document| document.gate.is_some()).count()
    }

    /// A document has one more version.
    pub(in crate::core) fn write(&mut self, name: &str, written: DocumentVersion, proposed: bool) {
        let document = self.documents.entry(name.to_owned()).or_insert_with(|| Document::new(name.to_owned()));
        // What a person had an action make is as their own: neither the steps nor the conversation gave it.
        let by_model = written.by == Actor::Model && written.action.is_none();
        if self.kind == Kind::Instruct {
            let version = document.next_version();
            self.said.push(Said::Written { name: name.to_owned(), version, by_model });
        }
        let made_by = written.action.clone();
        document.versions.push(written);
        document.seq = self.seq;
        let number = document.count();
        if !proposed {
            document.current = number;
            if by_model {
                document.made = number;
                if document.gate.take().is_some() {
                    self.open_gates -= 1;
                    self.goes_on();
                }
            }
        }
        if let Some(key) = made_by {
            self.action_written(&key, number);
        }
        self.bring_result(name);
    }

    /// Once there is a result, it is the version of its document that counts.
    fn bring_result(&mut self, name: &str) {
        if name == RESULT && self.result.is_some() {
            self.result = self.current_result();
        }
    }

    /// The person is asked which version of a document counts.
    pub(in crate::core) fn open_document_gate(&mut self, gate: &Gate) {
        let Some(document) = gate.document().and_then(|name| self.documents.get_mut(name)) else { return };
        document.seq = self.seq;
        if document.gate.replace(gate.clone()).is_none() {
            self.open_gates += 1;
        }
        self.goes_on();
    }

    /// A version of a document counts from now on.
    pub(in crate::core) fn choose_version(&mut self, name: &str, version: u32, by: &Actor) {
        let Some(document) = self.documents.get_mut(name) else { return };
        document.seq = self.seq;
        if document.version(version).is_some() {
            document.current = version;
        }
        if let Some(gate) = document.gate.take() {
            // Whichever the person chose, it is their answer to that text.
            if *by != Actor::Flow || version == gate.version {
                document.made = gate.version;
            }
            self.open_gates -= 1;
            self.goes_on();
        }
        self.bring_result(name);
    }

    /// An edit was undone: what counted before it is written once more, because none is taken away. In a conversation nothing
    /// is said of either.
    pub(in crate::core) fn take_edit_back(&mut self, name: &str, version: u32, before: u32) {
        let before = self.documents.get(name).and_then(|document| document.version(before)).cloned();
        let Some(before) = before else { return };
        self.write(name, DocumentVersion { seq: self.seq, ..before }, false);
        let again = self.documents.get(name).map_or(0, Document::count);
        let of_it = |number: u32| number == version || number == again;
        self.said
            .retain(|said| !matches!(said, Said::Written { name: of, version, .. } if of == name && of_it(*version)));
    }

    /// A choice was undone. The question is asked again by an event that follows.
    pub(in crate::core) fn take_choice_back(&mut self, name: &str, current: u32, made: u32) {
        let Some(document) = self.documents.get_mut(name) else { return };
        (document.current, document.made, document.seq) = (current, made, self.seq);
        self.bring_result(name);
    }
}
