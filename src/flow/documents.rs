//! What the results of calls, and code, say of the documents other than the result.
//!
//! Promises: a text is held against the versions of its document once, however many events there are beside it; where
//! nothing was said and nothing happened to a document since the last look, nothing is compared at all.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use indexmap::IndexMap;

use crate::core::document::{self, Matched};
use crate::core::event::Event;
use crate::core::text::Untrusted;
use crate::flow::effort;
use crate::flow::evaluation::Evaluation;

/// A text of a document, as an accepted result or the code says it.
#[derive(Clone, Debug)]
pub struct DocumentText {
    name: String,
    title: Untrusted,
    body: Untrusted,
    /// Differs where the text does.
    stamp: u64,
}

impl DocumentText {
    /// What is said of the document `name`.
    #[must_use]
    pub fn new(name: String, title: Untrusted, body: Untrusted) -> Self {
        let mut hasher = DefaultHasher::new();
        (title.data(), body.data()).hash(&mut hasher);
        Self { name, title, body, stamp: hasher.finish() }
    }

    /// Differs where what is said does, or of which document.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.name, self.stamp).hash(&mut hasher);
        hasher.finish()
    }
}

/// What earlier looks have found of the documents of a run.
#[derive(Default)]
pub struct KnownDocuments {
    known: HashMap<String, Known>,
    /// Nothing was to be noted at the last look, and nothing has happened since.
    quiet: bool,
}

#[derive(Default)]
struct Known {
    /// The stamps of what is said, in order.
    texts: Vec<u64>,
    matched: Matched,
    /// How the document was when nothing was to be noted of those texts.
    settled: Option<DocumentState>,
}

/// See [`document::Document::state`].
type DocumentState = (u32, u32, u32, Option<u32>);

impl KnownDocuments {
    /// Whether a look would find what the last one has found.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Something else may be said of a document, or was made of it.
    pub fn stir(&mut self) {
        self.quiet = false;
    }

    /// Takes in what happened in the run.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::DocumentWritten { .. } | Event::DocumentChosen { .. } => self.stir(),
            Event::GateOpened(gate) if gate.document().is_some() => self.stir(),
            // It reaches further than what was decided about.
            Event::DecisionUndone { .. } => *self = Self::default(),
            _ => {}
        }
    }

    /// Notes what the documents come to: `texts` are all that is said of them now, in order. A document goes back to an
    /// earlier text only if it `may_return`.
    pub fn write<'t>(
        &mut self,
        texts: impl Iterator<Item = &'t DocumentText>,
        evaluation: &mut Evaluation<'_>,
        may_return: impl Fn() -> bool,
    ) {
        let mut by_name: IndexMap<&str, Vec<&DocumentText>> = IndexMap::new();
        for text in texts {
            by_name.entry(&text.name).or_default().push(text);
        }
        let (before, asked) = (evaluation.notes.len(), Cell::new(false));
        let may_return = || {
            asked.set(true);
            may_return()
        };
        for (name, texts) in by_name {
            let stamps: Vec<u64> = texts.iter().map(|text| text.stamp).collect();
            let state = evaluation.run.documents.get(name).map(document::Document::state);
            let known = self.known.entry(name.to_owned()).or_default();
            if state.is_some() && known.settled == state && known.texts == stamps {
                continue;
            }
            if !stamps.starts_with(&known.texts[..known.matched.texts]) {
                known.matched = Matched::default();
            }
            let texts: Vec<_> = texts.iter().map(|text| (&text.title, &text.body)).collect();
            effort::spend(1 + texts.len() - known.matched.texts);
            let had_asked = asked.replace(false);
            let given = document::given_in_order(evaluation.run, name, &texts, &mut known.matched, &may_return);
            known.settled = state.filter(|_| given.is_empty() && !asked.get());
            known.texts = stamps;
            asked.set(had_asked || asked.get());
            evaluation.notes.extend(given);
        }
        self.quiet = evaluation.notes.len() == before && !asked.get();
    }
}
