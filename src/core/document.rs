//! Documents: named results with versions; and the two ways in which a conversation's turn may end.
//!
//! A version that a person has edited is never replaced silently: when the steps come to give another text, that is kept
//! as a version too, *proposed*, and the person says which of the two counts from then on. Until then the document
//! reads as the person left it.

use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::call::CallStatus;
use super::event::Event;
use super::fingerprint::Fingerprint;
use super::gate::{Answer, Gate, GateBody, StaleBody};
use super::key::{Key, is_id};
use super::run::Run;
use super::text::Untrusted;

mod action;
mod fold;

pub use action::RequestedAction;

/// The name of the document that a run's result is.
pub const RESULT: &str = "result";

/// A named result and all its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// `result`, or the name that a step gave it.
    pub name: String,
    /// Oldest first; the number of each is its place, from 1.
    pub versions: Vec<DocumentVersion>,
    /// The number of the version that counts.
    pub(super) current: u32,
    /// The number of the version from the steps that this one is, or was made from; 0 when there is none.
    pub(super) made: u32,
    /// The person has edited it, and the steps give another text now.
    pub gate: Option<Gate>,
    /// The newest event about it.
    pub seq: u64,
}

impl Document {
    pub(super) fn new(name: String) -> Self {
        Self { name, versions: Vec::new(), current: 0, made: 0, gate: None, seq: 0 }
    }

    /// The version that counts, and its number; every document that has been written has one. It is the newest unless a
    /// newer one is only proposed, or was not taken.
    #[must_use]
    pub fn current(&self) -> Option<(u32, &DocumentVersion)> {
        Some((self.current, self.version(self.current)?))
    }

    /// A version by its number, from 1.
    #[must_use]
    pub fn version(&self, number: u32) -> Option<&DocumentVersion> {
        self.versions.get(number.checked_sub(1)? as usize)
    }

    /// How many versions there are: the number of the newest.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.versions.len()).unwrap_or(u32::MAX)
    }

    /// The number of the version that would come next.
    #[must_use]
    pub fn next_version(&self) -> u32 {
        self.count().saturating_add(1)
    }

    /// All that what is given of it is held against: as long as it is the same, the same text given again changes nothing.
    #[must_use]
    pub fn state(&self) -> (u32, u32, u32, Option<u32>) {
        (self.count(), self.made, self.current, self.gate.as_ref().map(|gate| gate.version))
    }

    /// Whether it reads otherwise than the steps made it.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        match (self.version(self.current), self.version(self.made)) {
            (Some(current), Some(made)) => !current.says(&made.title, &made.body),
            _ => false,
        }
    }
}

/// One version of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentVersion {
    /// The title, one line.
    pub title: Untrusted,
    /// The body, Markdown.
    pub body: Untrusted,
    /// `model`, or the person who edited it.
    pub by: Actor,
    /// The event that wrote it.
    pub seq: u64,
    /// The call of an action that made it, at a person's request.
    pub action: Option<Key>,
}

impl DocumentVersion {
    /// The id of the action that made it, if one did.
    #[must_use]
    pub fn made_by(&self) -> Option<&str> {
        self.action.as_ref().map(Key::step)
    }

    fn says(&self, title: &Untrusted, body: &Untrusted) -> bool {
        self.title == *title && self.body == *body
    }
}

/// The events by which a document comes to be what the steps give now. None when it is that already, or when that text is
/// proposed and the person has not answered.
#[must_use]
pub fn given(run: &Run, name: &str, title: &Untrusted, body: &Untrusted) -> Vec<Event> {
    let Some(document) = run.documents.get(name) else {
        return vec![written(name, 1, title, body, false)];
    };
    let same = |number| document.version(number).is_some_and(|version| version.says(title, body));
    let chosen = |version| vec![Event::DocumentChosen { name: name.to_owned(), version, by: Actor::Flow }];
    match &document.gate {
        // It is as it was when the person edited it: there is nothing to ask.
        Some(_) if same(document.made) => chosen(document.current),
        // The edit was undone meanwhile.
        Some(gate) if same(gate.version) && !document.is_edited() => chosen(gate.version),
        Some(gate) if same(gate.version) => Vec::new(),
        None if same(document.made) => Vec::new(),
        _ => given_anew(run, document, document.next_version(), title, body),
    }
}

/// How many of the first texts that are said of a document are known to be versions of it, and among how many of the first
/// versions. Neither is compared again: versions are only added.
#[derive(Clone, Copy, Debug, Default)]
pub struct Matched {
    /// Texts.
    pub texts: usize,
    versions: usize,
}

/// The same, of all that the accepted results and the code say of a document, in that order: each is a version, and the
/// last is what the document is. What was given once and is given again, after another text was taken back, is a version once
/// more, if it `may_return`: not while more is to come that was there before.
#[must_use]
pub fn given_in_order(
    run: &Run,
    name: &str,
    texts: &[(&Untrusted, &Untrusted)],
    matched: &mut Matched,
    may_return: impl Fn() -> bool,
) -> Vec<Event> {
    let Some(&(title, body)) = texts.last() else { return Vec::new() };
    let document = run.documents.get(name);
    let versions = document.map_or(&[][..], |document| &document.versions);
    let mut kept = versions.iter().enumerate().skip(matched.versions);
    let mut new: Vec<(&Untrusted, &Untrusted)> = Vec::new();
    for (at, &text) in texts.iter().enumerate().skip(matched.texts) {
        let is_repeated = at > 0 && texts[at - 1] == text;
        if !is_repeated {
            match kept.by_ref().filter(|_| new.is_empty()).find(|(_, version)| version.says(text.0, text.1)) {
                Some((version, _)) => matched.versions = version + 1,
                None => new.push(text),
            }
        }
        if new.is_empty() {
            matched.texts = at + 1;
        }
    }
    if new.is_empty() {
        // Each was a version before: is the last of them what the steps gave last?
        let last = document.map_or([None, None], |document| {
            let proposed = document.gate.as_ref().map(|gate| gate.version);
            [Some(document.made), proposed].map(|number| document.version(number?))
        });
        if last.into_iter().flatten().any(|version| version.says(title, body)) {
            return given(run, name, title, body);
        }
        if !may_return() {
            return Vec::new();
        }
        new.push((title, body));
    }
    let numbered = new.into_iter().zip(document.map_or(1, Document::next_version)..);
    let of = |((title, body), version): ((&Untrusted, &Untrusted), u32)| match document {
        Some(document) => given_anew(run, document, version, title, body),
        None => vec![written(name, version, title, body, false)],
    };
    numbered.flat_map(of).collect()
}

/// The events of a text that is new to a document, as its version of that number: a person's edit is not replaced by it.
fn given_anew(run: &Run, document: &Document, version: u32, title: &Untrusted, body: &Untrusted) -> Vec<Event> {
    let name = &document.name;
    // What the person has made of it says the same: there is nothing to choose between.
    let counts = document.version(document.current).is_some_and(|current| current.says(title, body));
    if counts || !document.is_edited() {
        return vec![written(name, version, title, body, false)];
    }
    vec![written(name, version, title, body, true), Event::GateOpened(gate(run, document, version, title, body))]
}

/// The event of a version from the steps.
fn written(name: &str, version: u32, title: &Untrusted, body: &Untrusted, proposed: bool) -> Event {
    let (name, title, body) = (name.to_owned(), title.clone(), body.clone());
    Event::DocumentWritten { name, version, title, body, by: Actor::Model, proposed, action: None }
}

fn gate(run: &Run, document: &Document, version: u32, title: &Untrusted, body: &Untrusted) -> Gate {
    let edited = document.version(document.current).map_or(0, |current| current.seq);
    let since = |call: &&super::call::Call| match &call.standing {
        Some(standing) => standing.seq > edited,
        None => call.status == CallStatus::Skipped && call.seq > edited,
    };
    let because = run.calls.values().filter(since).map(|call| call.key.clone()).collect();
    let fingerprint = Fingerprint::of_bytes(format!("{}\n{}", title.data(), body.data()).as_bytes());
    let stale = StaleBody { because, had_effect: false, fingerprint, document: Some(document.name.clone()) };
    let (body, allowed) = (GateBody::Stale(stale), vec![Answer::Keep, Answer::Again]);
    Gate { key: key_of(&document.name), workflow: None, call: None, attempt: 0, version, body, allowed }
}

/// The key under which a document waits. It names the document as far as it can: names are any text, keys are not.
#[must_use]
pub fn key_of(name: &str) -> Key {
    Key::plain(if is_id(name) { name } else { "document" })
}

/// What a turn of an instruct task's conversation says, as the model's reply was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "turn", rename_all = "snake_case")]
pub enum Turn {
    /// Plain talk, in a task without needs and result.
    Say {
        /// What is said.
        text: Untrusted,
    },
    /// Something is missing.
    Ask {
        /// The question.
        text: Untrusted,
        /// The names of the needs that are not known yet.
        #[serde(default)]
        missing: Vec<String>,
    },
    /// The document.
    Deliver {
        /// Its title.
        title: Untrusted,
        /// Its body.
        body: Untrusted,
        /// A remark that goes with it, for the conversation; may be empty.
        #[serde(default, skip_serializing_if = "Untrusted::is_empty")]
        text: Untrusted,
    },
}

/// One thing that happened in the conversation of an instruct run, so that its order is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The person said something.
    Person(String),
    /// This version of the model's reply counts; an attempt that was stopped counts with what had arrived, if anything.
    Model {
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// The version; 0 when nothing had arrived.
        version: u32,
    },
    /// A version of a document was written.
    Written {
        /// The document.
        name: String,
        /// Its number.
        version: u32,
        /// By the model; else a person edited it.
        by_model: bool,
    },
}
