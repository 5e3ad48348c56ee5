//! A definition as a run keeps it: the task, its child workflows, and where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use super::step::Does;
use super::task::{Body, Task};
use super::usage::Budget;

/// All that a run needs of its definition, whatever becomes of the files. Its content hash names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pinned {
    /// The task.
    pub task: Task,
    /// The workflows that it starts as children, theirs included, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub children: BTreeMap<String, Task>,
    /// The definition's folder, where programs are started; absent for a definition from the binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

impl Pinned {
    /// The content hash: of everything that can run, not of the place where it lay.
    ///
    /// # Errors
    /// Never for a definition that was parsed; the type follows serde.
    pub fn hash(&self) -> Result<Fingerprint, serde_json::Error> {
        Fingerprint::of(&(&self.task, &self.children))
    }

    /// The folder that holds the `tasks` or `workflows` that it came from; `None` for one from the binary.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        let folder = self.folder.as_deref()?;
        match self.task.body {
            Body::Instruct(_) => folder.parent(),
            Body::Workflow(_) => folder.parent()?.parent(),
        }
    }

    /// What a run of it may spend, as it says itself.
    #[must_use]
    pub fn budget(&self) -> Budget {
        match &self.task.body {
            Body::Workflow(workflow) => workflow.budget.unwrap_or_default(),
            Body::Instruct(_) => Budget::default(),
        }
    }

    /// The models that a run of it would ask; `None` is the usual one. `model` stands in the place of the task's.
    #[must_use]
    pub fn models(&self, model: Option<&str>) -> BTreeSet<Option<String>> {
        let mut names = BTreeSet::new();
        for task in std::iter::once(&self.task).chain(self.children.values()) {
            let usual = model.map(str::to_owned).or_else(|| task.model.clone()).or_else(|| self.task.model.clone());
            match &task.body {
                Body::Instruct(_) => drop(names.insert(usual)),
                Body::Workflow(workflow) => {
                    names.extend(workflow.all_steps().into_iter().filter_map(|step| match &step.does {
                        Does::Prompt(prompt) => Some(prompt.model.clone().or_else(|| usual.clone())),
                        _ => None,
                    }));
                }
            }
        }
        names
    }
}
