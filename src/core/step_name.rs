//! Which step of which workflow: what a person says of a step, and what its definition says of it, is kept by this name.
//!
//! A run may hold several definitions: its own and its children's. Ids are unique in one definition only, so an id
//! alone would give a deadline, an instruction or a model of a child's `draft` to its parent's.

use super::key::Key;
use super::pinned::Pinned;
use super::step::{Does, Step};
use super::task::{Body, Task};

/// The id of the one step of a conversation: each of its calls is an answer.
pub const REPLY: &str = "reply";

/// A step, named across all the definitions that a run keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StepName<'a> {
    /// The child workflow that declares it; `None`: the run's own definition does.
    pub workflow: Option<&'a str>,
    /// Its id there.
    pub step: &'a str,
}

impl Pinned {
    /// The workflows of this definition, each with the name that its steps have in [`StepName::workflow`].
    pub fn workflows(&self) -> impl Iterator<Item = (Option<&str>, &Task)> {
        // A workflow that starts itself as a child is one definition.
        let children = self.children.iter().filter(|(id, _)| **id != self.task.id);
        std::iter::once((None, &self.task)).chain(children.map(|(id, task)| (Some(id.as_str()), task)))
    }

    /// The step of that name.
    #[must_use]
    pub fn step(&self, of: StepName<'_>) -> Option<&Step> {
        let (_, task) = self.workflows().find(|(workflow, _)| *workflow == of.workflow)?;
        let Body::Workflow(workflow) = &task.body else { return None };
        workflow.all_steps().into_iter().find(|step| step.id == of.step)
    }

    /// The child workflow whose step a key names, as far as the declared steps tell; `None`: the run's own definition.
    ///
    /// A flow says it of each call that it makes. This is for what no flow has said: journals of version 0.1.0, and
    /// steps that have not begun.
    #[must_use]
    pub fn workflow_of(&self, key: &Key) -> Option<&str> {
        let (_, around) = key.segments().split_last()?;
        let mut workflow = None;
        let mut steps = steps_of(&self.task);
        for segment in around {
            let child = match steps.iter().find(|step| step.id == segment.id).map(|step| &step.does) {
                Some(Does::Group { steps: inner, .. }) => {
                    steps = inner;
                    continue;
                }
                Some(Does::Workflow { workflow, .. }) => workflow,
                Some(_) => return workflow,
                // Code starts a child under its id.
                None => &segment.id,
            };
            let Some((id, task)) = self.children.get_key_value(child) else { return workflow };
            workflow = (*id != self.task.id).then_some(id.as_str());
            steps = steps_of(task);
        }
        workflow
    }
}

fn steps_of(task: &Task) -> &[Step] {
    match &task.body {
        Body::Workflow(workflow) => &workflow.steps,
        Body::Instruct(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(id: &str, steps: &serde_json::Value) -> serde_json::Value {
        json!({ "id": id, "name": id, "body": { "workflow": { "version": 1, "flow": "graph", "max_concurrency": 4,
            "max_calls": 100, "retry": { "attempts": 1, "delay": 1, "backoff": 1.0, "max_delay": 5, "on": [] },
            "steps": steps } } })
    }

    fn does(id: &str, does: &serde_json::Value) -> serde_json::Value {
        json!({ "id": id, "does": does, "rules": {} })
    }

    #[test]
    fn a_key_names_the_definition_whose_step_it_is() {
        let draft = does("draft", &json!({ "kind": "prompt", "prompt": "x" }));
        let child = |id: &str, of: &str| does(id, &json!({ "kind": "workflow", "workflow": of, "inputs": {} }));
        let group = |id: &str, steps: serde_json::Value| does(id, &json!({ "kind": "group", "steps": steps }));
        let own =
            json!([draft, child("k", "kid"), group("g", json!([draft, child("inner", "kid")])), child("s", "own")]);
        let kid = json!([draft, group("part", json!([draft])), child("deep", "grandkid")]);
        let pinned: Pinned = serde_json::from_value(json!({
            "task": task("own", &own),
            "children": { "kid": task("kid", &kid), "grandkid": task("grandkid", &json!([draft])),
                          "own": task("own", &own) },
        }))
        .unwrap();
        for (key, of) in [
            ("draft", None),
            ("draft[2]#1", None),
            ("k", None),
            ("k.draft", Some("kid")),
            ("k[3].draft", Some("kid")),
            ("k.draft.summary", Some("kid")),
            ("k.part.draft", Some("kid")),
            ("k.deep.draft", Some("grandkid")),
            ("g.draft", None),
            ("g[1].inner.draft", Some("kid")),
            // As code starts it.
            ("kid[0].draft", Some("kid")),
            // It starts itself: the same definition.
            ("s.draft", None),
            ("s.k.draft", Some("kid")),
            ("nobody.draft", None),
        ] {
            assert_eq!(pinned.workflow_of(&key.parse().unwrap()), of, "{key}");
        }
    }
}
