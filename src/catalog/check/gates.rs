//! What is said of a step's gates and cannot come true.

use super::super::decode::Draft;
use super::tree::Tree;
use crate::core::diagnostic::Report;
use crate::core::step::{Approve, Does, OnTimeout, Review, Step};

/// Notes where `on_timeout = "accept"` answers nothing.
pub fn check(draft: &Draft, tree: &Tree<'_>, report: &Report) {
    for (node, keys) in tree.nodes.iter().zip(&draft.notes.keys) {
        let Some(key) = keys.iter().find(|key| key.value == "on_timeout") else { continue };
        if node.step.rules.on_timeout == Some(OnTimeout::Accept)
            && let Some(why) = never_accepted(node.step)
        {
            report.error(&key.span, why);
        }
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
