//! What a person decides about a document: an edit of it, and which version counts when the steps give another text than
//! the one that was edited.

use super::refusal::{Refusal, not_allowed, what_waits};
use super::{Decision, DecisionKind, check_current};
use crate::core::actor::Actor;
use crate::core::code::ErrorCode;
use crate::core::document::Document;
use crate::core::event::Event;
use crate::core::run::Run;
use crate::core::text::Untrusted;

impl Decision {
    /// The document that it is about: the one that it names, or the one that waits under its key where no call has that.
    #[must_use]
    pub fn of_document<'a>(&'a self, run: &'a Run) -> Option<&'a str> {
        if let Some(name) = &self.document {
            return Some(name);
        }
        if run.call(&self.key).is_some() {
            return None;
        }
        let waits = |document: &&Document| document.gate.as_ref().is_some_and(|gate| gate.key == self.key);
        run.documents.values().find(waits).map(|document| document.name.as_str())
    }
}

/// The events of a choice between a person's edit of a document and the text that the steps give now.
pub(super) fn choose(run: &Run, name: &str, decision: &Decision, by: &Actor) -> Result<Vec<Event>, Refusal> {
    let document = run.documents.get(name);
    let Some((document, gate)) = document.and_then(|document| Some((document, document.gate.as_ref()?))) else {
        let text = match document {
            Some(_) => format!("the document `{name}` waits for nothing; {}", what_waits(run)),
            None => format!("the run has no document `{name}`; {}", what_waits(run)),
        };
        return Refusal::because(ErrorCode::NotWaiting, text);
    };
    check_current(run, gate, decision)?;
    let version = match &decision.kind {
        DecisionKind::Keep => document.current,
        DecisionKind::Again { model: None } => gate.version,
        DecisionKind::Again { model: Some(_) } => {
            let text = format!("the document `{name}` is put together from outputs: no model writes it");
            return Refusal::because(ErrorCode::NotAllowed, text);
        }
        _ => return Err(not_allowed(gate, decision)),
    };
    Ok(vec![Event::DocumentChosen { name: name.to_owned(), version, by: by.clone() }])
}

/// The events of a person's edit of a document; `version` is the one that was seen.
///
/// # Errors
/// When there is no such document, or another version counts now.
pub fn edit_document(
    run: &Run,
    name: &str,
    version: u32,
    title: &str,
    body: &str,
    by: &Actor,
) -> Result<Vec<Event>, Refusal> {
    let document = run.documents.get(name);
    let Some((document, current)) = document.and_then(|document| Some((document, document.current()?.0))) else {
        return Refusal::because(ErrorCode::Usage, format!("the run has no document `{name}`"));
    };
    if current != version {
        return Refusal::because(
            ErrorCode::StaleView,
            format!("version {version} of `{name}` was seen, but version {current} counts now"),
        );
    }
    Ok(vec![Event::DocumentWritten {
        name: name.to_owned(),
        version: document.next_version(),
        title: Untrusted::from(title),
        body: Untrusted::from(body),
        by: by.clone(),
        proposed: false,
        action: None,
    }])
}
