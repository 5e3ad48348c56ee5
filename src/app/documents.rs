//! The documents of a run: what counts now, an edit, an earlier version that counts again, an action of the
//! definition.
//!
//! Promises: a change names the version that was seen, so that what a newer one says is not lost. May not: have a run driven;
//! an action is performed by whoever drives it on.

use crate::core::call::{CallStatus, Ending};
use crate::core::code::ErrorCode;
use crate::core::document::{Document, DocumentVersion};
use crate::core::failure::Failure;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::engine::{Engine, EngineError};

/// Why a document was not found or changed. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The run has no document of that name.
    #[error("run {run} has no document `{name}`; it has {}", if .has.is_empty() { "none yet".to_owned() } else { .has.join(", ") })]
    NoDocument {
        /// The run, as it is shown.
        run: String,
        /// What was asked for.
        name: String,
        /// What it has.
        has: Vec<String>,
    },
    /// The document has no version of that number.
    #[error("run {run}: there is no version {version} of `{name}`; it has {count}")]
    NoVersion {
        /// The run, as it is shown.
        run: String,
        /// The document.
        name: String,
        /// What was asked for.
        version: u32,
        /// How many there are.
        count: u32,
    },
    /// The engine's own trouble.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl DocumentError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NoDocument { .. } | Self::NoVersion { .. } => ErrorCode::InvalidInput,
            Self::Engine(error) => error.code(),
        }
    }
}

/// A document of a run.
///
/// # Errors
/// When there is none of that name.
pub fn named<'a>(run: &'a Run, name: &str) -> Result<&'a Document, DocumentError> {
    run.documents.get(name).ok_or_else(|| DocumentError::NoDocument {
        run: run.id.short(),
        name: name.to_owned(),
        has: run.documents.keys().cloned().collect(),
    })
}

/// The version of a document that counts, with its number.
///
/// # Errors
/// When it has none yet.
pub fn current<'a>(run: &Run, document: &'a Document) -> Result<(u32, &'a DocumentVersion), DocumentError> {
    document.current().ok_or_else(|| no_version(run, document, 0))
}

fn no_version(run: &Run, document: &Document, version: u32) -> DocumentError {
    DocumentError::NoVersion { run: run.id.short(), name: document.name.clone(), version, count: document.count() }
}

/// A text of a person's counts from now on, under the title that the document has. The number of its version.
///
/// # Errors
/// When another version counts by now, or the store cannot be used.
pub async fn edit(engine: &Engine, run: &Run, document: &Document, body: &str) -> Result<u32, DocumentError> {
    let (seen, counts) = current(run, document)?;
    engine.edit_document(run.id, &document.name, seen, counts.title.data(), body).await?;
    Ok(document.next_version())
}

/// An earlier version counts again, as a new one. The number of that.
///
/// # Errors
/// When there is no such version, another one counts by now than was seen, or the store cannot be used.
pub async fn restore(engine: &Engine, run: &Run, document: &Document, version: u32) -> Result<u32, DocumentError> {
    let (seen, _) = current(run, document)?;
    let earlier = document.version(version).ok_or_else(|| no_version(run, document, version))?;
    let (title, body) = (earlier.title.data(), earlier.body.data());
    engine.edit_document(run.id, &document.name, seen, title, body).await?;
    Ok(document.next_version())
}

/// What is to become of a document, as a person asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// An action of the definition, by its id.
    Action(&'a str),
    /// In their own words.
    Words(&'a str),
}

/// Something is asked for on the version that counts, if there is one. Whoever drives the run performs it.
///
/// # Errors
/// When there is no such action, it may not be performed now, or the store cannot be used.
pub async fn act(engine: &Engine, run: &Run, document: &Document, wish: Wish<'_>) -> Result<(), EngineError> {
    let seen = document.current().map(|(version, _)| version);
    match wish {
        Wish::Action(action) => engine.act(run.id, &document.name, seen, action).await,
        Wish::Words(words) => engine.act_in_words(run.id, &document.name, seen, words).await,
    }
}

/// What has come of an action.
#[derive(Debug, PartialEq)]
pub enum Acted<'a> {
    /// Nothing yet: it is under way, or waits for a person.
    Open,
    /// It wrote this version; `counts` says whether that is the one that counts.
    Written {
        /// The number.
        version: u32,
        /// Whether it counts.
        counts: bool,
    },
    /// It failed; the document is as it was.
    Failed {
        /// The call.
        key: &'a Key,
        /// Why.
        failure: &'a Failure,
    },
}

/// What has come of the newest action that was asked for after `before` was seen.
#[must_use]
pub fn acted<'a>(before: &Run, now: &'a Run, name: &str) -> Acted<'a> {
    let Some((key, asked)) = now.actions.iter().rfind(|(key, _)| !before.actions.contains_key(*key)) else {
        return Acted::Open;
    };
    if let Some(version) = asked.written {
        let counts = now.documents.get(name).and_then(Document::current).is_some_and(|(number, _)| number == version);
        return Acted::Written { version, counts };
    }
    let failed = now.call(key).filter(|call| call.status == CallStatus::Failed);
    match failed.and_then(|call| call.ending.as_ref()) {
        Some(Ending::Failed { failure, .. }) => Acted::Failed { key, failure },
        _ => Acted::Open,
    }
}
