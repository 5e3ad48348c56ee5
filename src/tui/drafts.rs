//! Unsaved text: what a person has typed and not yet given. It is kept while they type, at most half a second behind, and
//! on every way out, so that however Stepwell ends it is there when they are back.
//!
//! Screens say what is unsaved on them; [`Drafts`] knows what was kept of it, and asks for the difference. Secrets are
//! never among it: a field that takes one says nothing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::effect::Change;
use super::shown::{ShownGate, Target};
use crate::app;
use crate::core::decide::DecisionKind;
use crate::core::document::RESULT;
use crate::core::gate::GateKind;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::task::Kind;

/// How often what is typed is kept.
pub const EVERY: Duration = Duration::from_millis(500);

/// Names a draft.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// A text that belongs to a run: a message, an edit, an instruction, an answer.
    Run(RunId, String),
    /// The form that starts a task, or describes a provider.
    Form(String),
}

/// A text as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// Its name.
    pub slot: Slot,
    /// The text; `None` when it is as it was offered, or empty.
    pub text: Option<String>,
}

impl Unsaved {
    /// A text of a run.
    #[must_use]
    pub fn of_run(run: RunId, name: String, text: Option<String>) -> Self {
        Self { slot: Slot::Run(run, name), text }
    }

    /// Whether it is the text of a run under that name, and nothing has been typed into it.
    #[must_use]
    pub fn is_untouched(&self, name: &str) -> bool {
        self.text.is_none() && matches!(&self.slot, Slot::Run(_, own) if own == name)
    }
}

impl From<Unsaved> for Change {
    fn from(unsaved: Unsaved) -> Self {
        let text = unsaved.text;
        match unsaved.slot {
            Slot::Run(run, name) => Self::KeepDraft { run, name, text },
            Slot::Form(task) => Self::KeepForm { task, text },
        }
    }
}

/// The draft of a document's text in a run of that kind: it belongs to the version that it was made from, 0 where there was
/// none yet.
#[must_use]
pub fn of_document(kind: Kind, name: &str, version: u32) -> String {
    match (kind, name) {
        (Kind::Workflow, RESULT) => format!("result {version}"),
        (Kind::Instruct, RESULT) => format!("document {version}"),
        (_, name) => format!("document {version} {name}"),
    }
}

/// The draft of what is to change in a document, in a person's own words.
#[must_use]
pub fn of_change(document: &str) -> String {
    format!("change {document}")
}

/// The document and the version of it that a draft is of, if it is one of a document's text.
#[must_use]
pub fn document_of(draft: &str) -> Option<(&str, u32)> {
    let (version, name) = match (draft.strip_prefix("result "), draft.strip_prefix("document ")) {
        (Some(version), _) => (version, RESULT),
        (None, Some(rest)) => rest.split_once(' ').unwrap_or((rest, RESULT)),
        (None, None) => return None,
    };
    Some((name, version.parse().ok()?))
}

/// Whether a draft is of a text about a call: an edit, an instruction, an answer.
#[must_use]
pub fn is_about(draft: &str, key: &Key) -> bool {
    const KINDS: [&str; 6] = ["edit ", "fields of edit ", "retry ", "refuse ", "worked ", "answer "];
    let name = key.to_string();
    let mut rest = KINDS.iter().filter_map(|kind| draft.strip_prefix(kind)?.strip_prefix(&name));
    rest.any(|rest| rest.is_empty() || rest.starts_with(' ')) || app::drafts::is_about(draft, key)
}

/// Whether a draft can only be opened where what it answers waits: it is the answer to a question, or is of a tool call.
#[must_use]
pub fn answers_a_gate(draft: &str) -> bool {
    let of_call = |draft: &str| draft.starts_with("edit ") && draft.contains(" call ");
    let draft = draft.strip_prefix("fields of ").unwrap_or(draft);
    ["refuse ", "worked ", "answer ", "arguments:"].iter().any(|kind| draft.starts_with(kind)) || of_call(draft)
}

/// The draft of the reason of a refusal.
#[must_use]
pub fn of_refusal(gate: &ShownGate) -> String {
    format!("refuse {}", place(gate))
}

/// The draft of a result that is typed: of what is in doubt, or in the place of a tool.
#[must_use]
pub fn of_result(gate: &ShownGate) -> String {
    format!("worked {}", place(gate))
}

/// The draft of the answer to a form.
#[must_use]
pub fn of_form(gate: &ShownGate) -> String {
    format!("answer {}", place(gate))
}

/// What a gate is of. The same number may be a tool call of each attempt.
fn place(gate: &ShownGate) -> String {
    let call = gate.call.map(|call| format!(" {} {call}", gate.attempt)).unwrap_or_default();
    format!("{}{call}", gate.key)
}

/// The draft of an edit of an output or, of a tool call, of its arguments.
#[must_use]
pub fn of_edit(target: &Target) -> String {
    let call = target.tool_call().map(|call| format!(" call {call}")).unwrap_or_default();
    format!("edit {} {}{call}", target.key(), target.attempt())
}

/// The name of what was typed for fields of an edit as a tree, and not put in.
#[must_use]
pub fn of_fields(edit: &str) -> String {
    format!("fields of {edit}")
}

/// The name under which the line interface keeps an edit.
#[must_use]
pub fn of_line(target: &Target) -> String {
    match target.tool_call() {
        Some(call) => app::drafts::arguments(target.key(), target.attempt(), call),
        None => app::drafts::edit(target.key()),
    }
}

/// The draft of an instruction.
#[must_use]
pub fn of_instruction(key: &Key) -> String {
    format!("retry {key}")
}

/// The draft of the text in a decision; `None` where it has none, or one that is kept nowhere: a secret.
#[must_use]
pub fn of_decision(target: &Target, kind: &DecisionKind) -> Option<String> {
    let gate = match target {
        Target::Gate(gate) => Some(gate),
        Target::Call(_) => None,
    };
    match kind {
        DecisionKind::Edit { .. } | DecisionKind::Approve { arguments: Some(_), .. } => Some(of_edit(target)),
        DecisionKind::Retry { .. } => Some(of_instruction(target.key())),
        DecisionKind::Deny { .. } => gate.map(of_refusal),
        DecisionKind::Answer { .. } => gate.and_then(|gate| match gate.kind {
            GateKind::Secret => None,
            GateKind::Approval | GateKind::InDoubt => Some(of_result(gate)),
            _ => Some(of_form(gate)),
        }),
        _ => None,
    }
}

/// The draft of the description of a provider.
#[must_use]
pub fn of_provider(provider: &str) -> Slot {
    // No task has such an id.
    Slot::Form(format!(":models {provider}"))
}

/// What was kept.
#[derive(Debug, Default)]
pub struct Drafts {
    kept: HashMap<Slot, u64>,
    /// Something was typed since.
    behind: bool,
}

impl Drafts {
    /// Something was typed.
    pub fn touch(&mut self) {
        self.behind = true;
    }

    /// Whether something was typed that may not be kept yet.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// A draft was read from where it is kept.
    pub fn found(&mut self, slot: Slot, text: &str) {
        self.kept.insert(slot, digest(text));
    }

    /// A change is on its way: it may be one of a draft.
    pub fn note(&mut self, change: &Change) {
        let (slot, text) = match change {
            Change::KeepDraft { run, name, text } => (Slot::Run(*run, name.clone()), text),
            Change::KeepForm { task, text } => (Slot::Form(task.clone()), text),
            _ => return,
        };
        match text {
            Some(text) => drop(self.kept.insert(slot, digest(text))),
            None => drop(self.kept.remove(&slot)),
        }
    }

    /// What has to be done so that all that is unsaved is kept as it is now.
    pub fn catch_up(&mut self, unsaved: impl IntoIterator<Item = Unsaved>) -> Vec<Change> {
        self.behind = false;
        self.keep(unsaved)
    }

    /// What has to be done so that these are kept as they are now.
    pub fn keep(&mut self, unsaved: impl IntoIterator<Item = Unsaved>) -> Vec<Change> {
        let differs = |unsaved: &Unsaved| self.kept.get(&unsaved.slot).copied() != unsaved.text.as_deref().map(digest);
        let changes: Vec<Change> = unsaved.into_iter().filter(differs).map(Change::from).collect();
        for change in &changes {
            self.note(change);
        }
        changes
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_draft_is_of_is_read_from_its_name() {
        for (kind, name, version) in [
            (Kind::Workflow, RESULT, 2),
            (Kind::Instruct, RESULT, 0),
            (Kind::Workflow, "notes", 11),
            (Kind::Workflow, "the 2 notes", 1),
        ] {
            assert_eq!(document_of(&of_document(kind, name, version)), Some((name, version)));
        }
        for other in ["message", "edit result 2", "document x", "results 2", "retry document"] {
            assert_eq!(document_of(other), None, "{other}");
        }
        let key: Key = "write[1]".parse().unwrap();
        for own in ["edit write[1] 2", "edit write[1] 2 from 1.1", "fields of edit write[1] 2", "edit:write[1]"] {
            assert!(is_about(own, &key), "{own}");
        }
        for own in [
            "retry write[1]",
            "answer write[1]",
            "refuse write[1]",
            "worked write[1] 2 1.0",
            "arguments:write[1]:2:1.0",
        ] {
            assert!(is_about(own, &key), "{own}");
        }
        let write: Key = "write".parse().unwrap();
        for other in [
            "retry write[1]",
            "edit write[1] 2",
            "edit:write[1]",
            "arguments:write[1]:2:1.0",
            "document 2 write",
            "message",
        ] {
            assert!(!is_about(other, &write), "{other}");
        }
    }

    #[test]
    fn a_text_is_kept_once_as_it_is_and_forgotten_once() {
        let form =
            |text: Option<&str>| vec![Unsaved { slot: Slot::Form("poem".into()), text: text.map(str::to_owned) }];
        let mut drafts = Drafts::default();
        assert_eq!(drafts.catch_up(form(None)), [], "nothing was ever kept");
        let keeps = Change::KeepForm { task: "poem".into(), text: Some("the sea".into()) };
        assert_eq!(drafts.catch_up(form(Some("the sea"))), [keeps]);
        assert_eq!(drafts.catch_up(form(Some("the sea"))), []);
        let forgets = Change::KeepForm { task: "poem".into(), text: None };
        assert_eq!(drafts.catch_up(form(None)), [forgets]);
        assert_eq!(drafts.catch_up(form(None)), []);
        drafts.found(Slot::Form("poem".into()), "the tide");
        assert_eq!(drafts.catch_up(form(Some("the tide"))), []);
    }
}
