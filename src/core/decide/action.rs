//! What a person asks for about a document: one of the actions of its definition.

use super::refusal::Refusal;
use crate::core::actor::Actor;
use crate::core::code::ErrorCode;
use crate::core::event::Event;
use crate::core::run::{Run, Status};

/// The event of an action on a document; `version` is the one that was seen, or whichever counts now. Whether the definition
/// has that action is not known here; with an instruction it has none, and the action is what the person said.
///
/// # Errors
/// When there is no such document, another version counts now, the document waits for a choice, or an action on it is under
/// way.
pub fn request_action(
    run: &Run,
    name: &str,
    version: Option<u32>,
    (action, instruction): (&str, Option<&str>),
    by: &Actor,
) -> Result<Vec<Event>, Refusal> {
    if run.status == Status::Cancelled {
        return Err(Refusal::cancelled());
    }
    let document = run.documents.get(name);
    let Some((document, current)) = document.and_then(|document| Some((document, document.current()?.0))) else {
        return Refusal::because(ErrorCode::NotAllowed, format!("the run has no document `{name}` yet"));
    };
    if let Some(seen) = version.filter(|seen| *seen != current) {
        let text = format!("version {seen} of `{name}` was seen, but version {current} counts now");
        return Refusal::because(ErrorCode::StaleView, text);
    }
    if document.gate.is_some() {
        let text = format!("choose first which text of `{name}` counts: your own, or what the steps give now");
        return Refusal::because(ErrorCode::NotAllowed, text);
    }
    if let Some((key, _)) = run.action_under_way(name) {
        let text = format!("`{key}` is changing `{name}`; wait for it, or stop it first");
        return Refusal::because(ErrorCode::NotAllowed, text);
    }
    Ok(vec![Event::ActionRequested {
        key: run.next_action_key(action),
        action: action.to_owned(),
        document: name.to_owned(),
        version: current,
        instruction: instruction.map(str::to_owned),
        by: by.clone(),
    }])
}
