//! How the steps of a plan hang together: who waits for whom, who sees what of whom, and in which order they come.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Doing, Node};
use crate::core::step::{Join, OnFailure};

/// Switches and failure handlers make dependencies of their own.
pub(super) fn route(nodes: &mut [Node], by_id: &HashMap<String, usize>) {
    for at in 0..nodes.len() {
        let chosen: Vec<usize> = match &nodes[at].does {
            Doing::Switch(cases, default) => {
                cases.iter().flat_map(|(_, to)| to).chain(default).filter_map(|id| by_id.get(id).copied()).collect()
            }
            _ => Vec::new(),
        };
        for target in chosen {
            if target != at && !nodes[target].routed_by.contains(&at) {
                nodes[target].routed_by.push(at);
            }
        }
        if let OnFailure::Handler(id) = &nodes[at].step.rules.on_failure
            && let Some(&handler) = by_id.get(id)
            && handler != at
        {
            nodes[handler].handles = Some(at);
            if !nodes[handler].deps.contains(&at) {
                nodes[handler].deps.push(at);
            }
        }
    }
}

/// Every step that one depends on, directly or not, in declared order.
#[must_use]
pub fn ancestors(nodes: &[Node], at: usize) -> Vec<usize> {
    let mut seen = vec![false; nodes.len()];
    let mut queue: Vec<usize> = nodes[at].deps.iter().chain(&nodes[at].routed_by).copied().collect();
    while let Some(dep) = queue.pop() {
        if !std::mem::replace(&mut seen[dep], true) {
            queue.extend(nodes[dep].deps.iter().chain(&nodes[dep].routed_by));
        }
    }
    (0..nodes.len()).filter(|&dep| seen[dep]).collect()
}

/// For each step, those that depend on it.
pub(super) fn dependents(nodes: &[Node]) -> Vec<Vec<usize>> {
    let mut dependents = vec![Vec::new(); nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        for &dep in node.deps.iter().chain(&node.routed_by) {
            dependents[dep].push(at);
        }
    }
    dependents
}

/// For each step, those that depend on it, and those that see it although others stand between: by their history, or by
/// the state that it sets.
pub(super) fn watchers(nodes: &[Node], dependents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut watchers = dependents.to_vec();
    for (at, node) in nodes.iter().enumerate() {
        let reads_state = node.named.uses("state") || matches!(node.does, Doing::Child(..));
        let far = if reads_state { ancestors(nodes, at) } else { node.before.clone() };
        for other in far {
            if (node.before.contains(&other) || sets_state(&nodes[other])) && !watchers[other].contains(&at) {
                watchers[other].push(at);
            }
        }
    }
    watchers
}

/// For each step, whether only steps that take whichever comes first need it.
pub(super) fn spare(nodes: &[Node], dependents: &[Vec<usize>]) -> Vec<bool> {
    let spare = |(node, takers): (&Node, &Vec<usize>)| {
        let brings = sets_state(node) || node.document.is_some() || node.stop_when.is_some();
        let first = |&taker: &usize| nodes[taker].join() == Join::First;
        !brings && !matches!(node.does, Doing::Switch(..)) && !takers.is_empty() && takers.iter().all(first)
    };
    nodes.iter().zip(dependents).map(spare).collect()
}

/// Finds the names through which the steps inside a step see what that depends on: `steps.ID`, and the items of a list
/// that is made of it.
pub(super) fn through(nodes: &mut [Node]) {
    for at in 0..nodes.len() {
        let node = &nodes[at];
        let list = node.list.as_ref().and_then(|list| list.as_ref().ok());
        let list = list.map(crate::core::template::Expr::references);
        let shown = |&dep: &usize| -> Arc<[String]> {
            let id = &nodes[dep].step.id;
            let mut names = vec![format!("steps.{id}")];
            if list.is_some_and(|list| list.steps().any(|step| step == id)) {
                names.extend(["item".to_owned(), "index".to_owned()]);
            }
            names.into()
        };
        nodes[at].through = node.deps.iter().map(shown).collect();
    }
}

/// Whether a step, or something inside it, may set names of the state.
pub(super) fn sets_state(node: &Node) -> bool {
    !node.set_state.is_empty()
        || match &node.does {
            Doing::Group(plan, _) => plan.nodes.iter().any(sets_state),
            Doing::Child(child, _) => child.as_ref().is_ok_and(|child| child.0.nodes.iter().any(sets_state)),
            _ => false,
        }
}

/// Depth first, in declared order, so that equal steps keep it. What lies on a cycle comes last.
pub(super) fn order(nodes: &[Node]) -> Vec<usize> {
    fn visit(at: usize, nodes: &[Node], seen: &mut [bool], order: &mut Vec<usize>) {
        if std::mem::replace(&mut seen[at], true) {
            return;
        }
        for &dep in nodes[at].deps.iter().chain(&nodes[at].routed_by) {
            visit(dep, nodes, seen, order);
        }
        order.push(at);
    }
    let mut seen = vec![false; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    for at in 0..nodes.len() {
        visit(at, nodes, &mut seen, &mut order);
    }
    order
}
