//! What is said of a step's gates and cannot come true.

use super::super::decode::Draft;
use super::tree::Tree;
use crate::core::diagnostic::Report;
use crate::core::step::{Approve, Does, OnTimeout, Review, Step};
use crate::core::toml_reader::TomlString;

/// Notes where `on_timeout = "accept"` answers nothing, and where an approval has words and is never asked for.
pub fn check(draft: &Draft, tree: &Tree<'_>, report: &Report) {
    for (node, keys) in tree.nodes.iter().zip(&draft.notes.keys) {
        let Some(key) = keys.iter().find(|key| key.value == "on_timeout") else { continue };
        if node.step.rules.on_timeout == Some(OnTimeout::Accept)
            && let Some(why) = never_accepted(node.step)
        {
            report.error(&key.span, why);
        }
    }
    for (node, keys) in tree.nodes.iter().zip(&draft.notes.keys) {
        let says = |key: &&TomlString| matches!(key.value.as_str(), "approve_title" | "approve_message");
        if never_approved(node.step)
            && let Some(key) = keys.iter().find(says)
        {
            let message = format!(
                "`{}` is for the person who allows the step, and nobody is asked; add `approve = \"always\"` if somebody is to be",
                key.value
            );
            report.error(&key.span, message);
        }
    }
}

/// Whether nobody ever allows a call of a step. Those that have no call are said elsewhere.
fn never_approved(step: &Step) -> bool {
    let asks = match &step.does {
        Does::Http(_) | Does::Command(_) | Does::Tool { .. } => true,
        Does::Prompt(_) | Does::Ask { .. } | Does::Transform(_) => false,
        Does::Workflow { .. } | Does::Switch { .. } | Does::Group { .. } => return false,
    };
    match &step.rules.approve {
        Some(Approve::Never) => true,
        Some(_) => false,
        None => !asks,
    }
}

/// Why nothing of a step can be accepted without a person.
fn never_accepted(step: &Step) -> Option<String> {
    if let Does::Ask { fields, .. } = &step.does {
        let lacks: Vec<String> =
            fields.iter().filter(|field| field.default.is_none()).map(|field| format!("`{}`", field.name)).collect();
        let why = "`on_timeout = \"accept\"` answers a form with its defaults";
        return (!lacks.is_empty())
            .then(|| format!("{why}; give {} a `default`, or write \"skip\" or \"fail\"", lacks.join(", ")));
    }
    let rules = &step.rules;
    let approved = match &rules.approve {
        Some(Approve::Never) => false,
        Some(_) => true,
        None => step.does.has_effect(),
    };
    let reviewed = match &rules.review {
        Some(Review::Never) => false,
        Some(_) => true,
        None => matches!(step.does, Does::Prompt(_)),
    };
    (approved && !reviewed).then(|| {
        "`on_timeout = \"accept\"` accepts an output, and this step waits for its approval, which only a person gives; \
         write \"skip\" or \"fail\""
            .to_owned()
    })
}
