//! The steps of a workflow with who is inside whom, and who sees whom.

use std::collections::HashMap;

use crate::catalog::decode::Notes;
use crate::core::diagnostic::SourceSpan;
use crate::core::step::{OnFailure, Step};

/// A step and the group that it is in.
pub(super) struct Node<'t> {
    /// The step.
    pub step: &'t Step,
    /// Its group's number.
    pub parent: Option<usize>,
    /// Where its id stands, or its table.
    pub span: &'t SourceSpan,
}

/// All steps, by their number.
pub(super) struct Tree<'t> {
    pub nodes: Vec<Node<'t>>,
    /// The first step of that id in each group, and on top.
    by_id: HashMap<(Option<usize>, &'t str), usize>,
    /// The steps of each group.
    inside: HashMap<usize, Vec<usize>>,
    /// The steps whose failures a step handles.
    handled: HashMap<usize, Vec<usize>>,
}

impl<'t> Tree<'t> {
    pub fn new(steps: &'t [Step], notes: &'t Notes) -> Self {
        fn walk<'t>(steps: &'t [Step], parent: Option<usize>, notes: &'t Notes, nodes: &mut Vec<Node<'t>>) {
            for step in steps {
                let index = nodes.len();
                let id = notes.steps.get(index).and_then(Option::as_ref).map(|id| &id.span);
                let Some(place) = id.or(notes.tables.get(index)) else { return };
                nodes.push(Node { step, parent, span: place });
                walk(step.inner(), Some(index), notes, nodes);
            }
        }
        let mut nodes = Vec::new();
        walk(steps, None, notes, &mut nodes);
        let (mut by_id, mut inside, mut handled) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (at, node) in nodes.iter().enumerate() {
            by_id.entry((node.parent, node.step.id.as_str())).or_insert(at);
            if let Some(group) = node.parent {
                inside.entry(group).or_insert_with(Vec::new).push(at);
            }
        }
        for (at, node) in nodes.iter().enumerate() {
            if let OnFailure::Handler(id) = &node.step.rules.on_failure
                && let Some(&handler) = by_id.get(&(node.parent, id.as_str()))
            {
                handled.entry(handler).or_insert_with(Vec::new).push(at);
            }
        }
        Self { nodes, by_id, inside, handled }
    }

    /// The step itself, then the groups that it is in, from the inside out.
    pub fn upwards(&self, from: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(from), |at| self.nodes[*at].parent)
    }

    fn beside(&self, step: usize) -> impl Iterator<Item = usize> {
        let parent = self.nodes[step].parent;
        (0..self.nodes.len()).filter(move |other| self.nodes[*other].parent == parent)
    }

    pub fn are_siblings(&self, one: usize, other: usize) -> bool {
        self.nodes[one].parent == self.nodes[other].parent
    }

    /// The steps inside a group.
    pub fn inside(&self, group: usize) -> impl Iterator<Item = usize> {
        self.inside.get(&group).into_iter().flatten().copied()
    }

    /// The steps at the top.
    pub fn top(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|step| self.nodes[*step].parent.is_none())
    }

    /// The step that `id` means to step `from`: one beside it, or beside a group that it is in.
    ///
    /// # Errors
    /// A message when there is such a step that cannot be seen from here, `None` when there is none.
    pub fn visible(&self, from: usize, id: &str) -> Result<usize, Option<String>> {
        let found = self.upwards(from).find_map(|at| self.by_id.get(&(self.nodes[at].parent, id)).copied());
        found.ok_or_else(|| self.hidden(id))
    }

    /// As [`Tree::visible`], for the result and what follows.
    ///
    /// # Errors
    /// As [`Tree::visible`].
    pub fn visible_on_top(&self, id: &str) -> Result<usize, Option<String>> {
        self.by_id.get(&(None, id)).copied().ok_or_else(|| self.hidden(id))
    }

    /// As [`Tree::visible`], for a group's `output`.
    ///
    /// # Errors
    /// As [`Tree::visible`].
    pub fn visible_inside(&self, group: usize, id: &str) -> Result<usize, Option<String>> {
        match self.by_id.get(&(Some(group), id)) {
            Some(step) => Ok(*step),
            None => self.visible(group, id),
        }
    }

    fn hidden(&self, id: &str) -> Option<String> {
        let step = self.nodes.iter().find(|node| node.step.id == id)?;
        let group = &self.nodes[step.parent?].step.id;
        Some(format!("`{id}` is inside the group `{group}`; from outside only `{group}` is visible"))
    }

    /// Every id of another step that step `from` sees.
    pub fn ids_visible(&self, from: usize) -> Vec<&'t str> {
        let others = self.upwards(from).flat_map(|at| self.beside(at).filter(move |other| *other != at));
        others.map(|step| self.nodes[step].step.id.as_str()).collect()
    }

    /// The step beside `other` (or `other` itself) that `step` is or lies in.
    pub fn lifted_beside(&self, step: usize, other: usize) -> Option<usize> {
        self.upwards(step).find(|at| self.are_siblings(*at, other))
    }

    /// The steps whose failures `handler` handles.
    pub fn handled_by(&self, handler: usize) -> impl Iterator<Item = usize> {
        self.handled.get(&handler).into_iter().flatten().copied()
    }
}
