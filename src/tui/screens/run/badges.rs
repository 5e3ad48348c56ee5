//! The badges of a call's row, beyond its state: that a check fails, that it was edited by hand or is being edited, which
//! verdict its output gives, how long it worked.

use serde_json::Value;

use crate::core::call::{Attempt, Call, CallStatus, Version};
use crate::core::gate::Gate;
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::tui::screens::preview::worked;
use crate::tui::text::width;

/// The version of a call that counts: what was accepted, else the newest.
fn counts(call: &Call) -> Option<&Version> {
    match call.standing.as_ref().filter(|_| call.status == CallStatus::Accepted) {
        Some(stands) => call.attempt(stands.attempt)?.version(stands.version),
        None => call.newest()?.newest().map(|(_, version)| version),
    }
}

/// Whether what waits, or was accepted, fails a check.
pub fn fails_a_check(call: &Call) -> bool {
    let waits = call.gate().is_some_and(|gate: &Gate| !gate.failed_checks().is_empty());
    waits || call.status == CallStatus::Accepted && counts(call).is_some_and(|version| !version.failed.is_empty())
}

/// Whether a person has edited what counts. What a person answers is not an edit of what a model made.
pub fn is_edited(call: &Call) -> bool {
    let edited = call.attempts.iter().any(|attempt| attempt.versions.len() > 1);
    edited && counts(call).is_some_and(|version| version.by.is_person())
}

/// Of a structure with one field that takes one of a few values, that value: `approve`, `request changes`.
fn verdict(call: &Call) -> Option<String> {
    let output = counts(call)?.output.as_object()?;
    let schema = call.newest()?.work.as_deref().and_then(Work::schema)?;
    let one_of = |field: &Value| field.get("enum").is_some_and(Value::is_array);
    let mut fields = schema.get("properties")?.as_object()?.iter().filter(|(_, field)| one_of(field));
    let (name, _) = fields.next()?;
    let value = output.get(name).filter(|_| fields.next().is_none())?.as_str()?;
    Some(Untrusted::from(value).line().replace('_', " "))
}

/// What the row tells, the most important first, as much as `cells` have room for.
pub fn badges(call: &Call, has_draft: bool, cells: usize) -> String {
    let millis = call.attempts.iter().map(|attempt: &Attempt| attempt.measured.ms).sum();
    let all = [
        fails_a_check(call).then(|| "check failed".to_owned()),
        has_draft.then(|| "draft".to_owned()),
        verdict(call),
        is_edited(call).then(|| "edited".to_owned()),
        (millis >= 1_000).then(|| worked(millis)),
    ];
    joined(all.into_iter().flatten(), cells)
}

/// What the row of a document tells: that an edit of any of its versions was not saved.
pub fn of_document(has_draft: bool, cells: usize) -> String {
    joined(has_draft.then(|| "draft".to_owned()).into_iter(), cells)
}

fn joined(badges: impl Iterator<Item = String>, cells: usize) -> String {
    let mut joined = String::new();
    for badge in badges {
        let gap = if joined.is_empty() { " " } else { " · " };
        if width(&joined) + width(gap) + width(&badge) <= cells {
            joined.push_str(gap);
            joined.push_str(&badge);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::event::Event;
    use crate::core::task::Kind;
    use crate::core::work::PromptWork;
    use crate::tui::testing::Story;

    fn call(story: &Story, key: &str) -> Call {
        story.run.call(&key.parse().unwrap()).unwrap().clone()
    }

    #[test]
    fn a_row_tells_the_verdict_the_edit_the_draft_and_the_seconds_as_far_as_there_is_room() {
        let schema = json!({"type": "object", "properties": {
            "verdict": {"type": "string", "enum": ["approve", "request_changes"]}, "summary": {"type": "string"} }});
        let work = Work::Prompt(PromptWork { schema: Some(schema), ..PromptWork::default() });
        let story = Story::new("review", "review", Kind::Workflow).started("inspect[0]", 1, Some(json!("a.rs")), work);
        let story = story.finish("inspect[0]", 1, json!({"verdict": "request_changes", "summary": "no"}));
        assert_eq!(badges(&call(&story, "inspect[0]"), false, 40), " request changes · 3.0 s");
        let edit = Event::VersionEdited {
            key: "inspect[0]".parse().unwrap(),
            attempt: 1,
            version: 2,
            output: json!({"verdict": "approve"}).into(),
            by: "ana@host".into(),
        };
        let story = story.review("inspect[0]", 1, None).then(edit);
        let edited = call(&story, "inspect[0]");
        assert_eq!(badges(&edited, true, 40), " draft · approve · edited · 3.0 s");
        assert_eq!(badges(&edited, true, 18), " draft · approve");
        assert_eq!(badges(&edited, true, 3), "");
    }

    #[test]
    fn a_failed_check_comes_first() {
        let story = Story::new("poem", "poem", Kind::Workflow).start("write", 1, None).finish("write", 1, json!("x"));
        let review = crate::core::gate::ReviewBody { failed: vec!["four lines".to_owned()], ..Default::default() };
        let story = story.then(Event::GateOpened(Gate::of_review("write".parse().unwrap(), 1, 1, review)));
        let call = call(&story, "write");
        assert!(fails_a_check(&call) && !is_edited(&call));
        assert_eq!(badges(&call, false, 30), " check failed · 3.0 s");
    }
}
