//! What waits for what: cycles, steps that nothing can reach, writers of one name in no order.

use std::collections::{BTreeMap, BTreeSet};

use super::snippets::has_handler;
use super::tree::Tree;
use super::{Workflows, child};
use crate::catalog::decode::Draft;
use crate::core::diagnostic::{Report, SourceSpan};
use crate::core::step::{Does, Join};

/// Who waits for whom: for each step, the steps beside it.
type Waits = Vec<BTreeSet<usize>>;

/// Checks the order of a graph. `mentions` are ids under keys, `named` those in templates and expressions.
pub(super) fn check(
    draft: &Draft,
    tree: &Tree<'_>,
    mentions: &[(usize, &'static str, usize)],
    named: &[(usize, usize)],
    workflows: &Workflows<'_>,
    report: &Report,
) {
    let mut waits: Waits = vec![BTreeSet::new(); tree.nodes.len()];
    let mut add = |step: usize, other: usize| {
        // A step inside a group makes the group wait for what is beside the group.
        if let Some(step) = tree.lifted_beside(step, other) {
            waits[step].insert(other);
        }
    };
    for (step, other) in named {
        add(*step, *other);
    }
    for (step, key, other) in mentions {
        match *key {
            "after" | "history" => add(*step, *other),
            // The chosen wait for the switch, the handler for what it handles.
            _ => add(*other, *step),
        }
    }
    if cycles(tree, &waits, report) {
        return;
    }
    let allowed = Allowed::new(tree, &waits);
    unreachable(tree, &waits, &allowed, report);
    writers(draft, tree, &waits, &allowed, workflows, report);
    documents(draft, tree, &allowed, report);
}

/// Notes documents of one name that two steps of one run write.
fn documents(draft: &Draft, tree: &Tree<'_>, allowed: &Allowed, report: &Report) {
    let written = &draft.notes.documents;
    for (at, (step, name)) in written.iter().enumerate() {
        let rival = written[..at].iter().find(|(other, earlier)| {
            earlier.value == name.value && !name.value.contains("{{") && allowed.together(&[*step, *other])
        });
        if let Some((other, _)) = rival {
            let (own, other) = (&tree.nodes[*step].step.id, &tree.nodes[*other].step.id);
            let message = format!(
                "`{other}` writes a document `{}` too, and one would hide the other; give the one of `{own}` another name",
                name.value
            );
            report.error(&name.span, message);
        }
    }
}

/// Notes every cycle once, at the step of it that comes first in the file.
fn cycles(tree: &Tree<'_>, waits: &Waits, report: &Report) -> bool {
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut found = false;
    for start in knotted(waits) {
        if seen.contains(&start) {
            continue;
        }
        if let Some(path) = path_back(waits, start) {
            let ids: Vec<String> = path.iter().map(|step| format!("`{}`", tree.nodes[*step].step.id)).collect();
            let message = match ids.as_slice() {
                [own] => format!("{own} waits for itself, so it can never start"),
                [first, rest @ ..] => {
                    format!(
                        "{first} waits for {}, which waits for {first}: none can ever start",
                        rest.join(", which waits for ")
                    )
                }
                [] => continue,
            };
            report.error(tree.nodes[start].span, message);
            seen.extend(path);
            found = true;
        }
    }
    found
}

/// The steps that lie on a cycle or wait for one, in the order of the file.
fn knotted(waits: &Waits) -> Vec<usize> {
    let mut takers: Vec<Vec<usize>> = vec![Vec::new(); waits.len()];
    for (step, waited) in waits.iter().enumerate() {
        for other in waited {
            takers[*other].push(step);
        }
    }
    let mut open: Vec<usize> = waits.iter().map(BTreeSet::len).collect();
    let mut free: Vec<usize> = (0..waits.len()).filter(|step| open[*step] == 0).collect();
    while let Some(step) = free.pop() {
        for taker in &takers[step] {
            open[*taker] -= 1;
            if open[*taker] == 0 {
                free.push(*taker);
            }
        }
    }
    (0..waits.len()).filter(|step| open[*step] > 0).collect()
}

/// The shortest way from a step through what it waits for back to itself, without the end.
fn path_back(waits: &Waits, start: usize) -> Option<Vec<usize>> {
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(step) = queue.pop_front() {
        for next in &waits[step] {
            if *next == start {
                let mut path = vec![step];
                while let Some(before) = came_from.get(&path[path.len() - 1]) {
                    path.push(*before);
                }
                path.reverse();
                return Some(path);
            }
            if !came_from.contains_key(next) {
                came_from.insert(*next, step);
                queue.push_back(*next);
            }
        }
    }
    None
}

/// Something that goes one way or another in each run: which case a switch takes, whether a handled step fails.
struct Fork {
    /// The step that decides it.
    decider: usize,
    /// How many ways there are.
    ways: usize,
    /// Which ways let a step run, for the steps that the fork decides about.
    decides: BTreeMap<usize, BTreeSet<usize>>,
}

/// For each fork, the ways on which each step can end accepted, as far as that follows from the form alone.
struct Allowed {
    forks: Vec<(Fork, Vec<BTreeSet<usize>>)>,
}

impl Allowed {
    fn new(tree: &Tree<'_>, waits: &Waits) -> Self {
        let order = in_order(tree, waits);
        let mut forks = Vec::new();
        for (index, node) in tree.nodes.iter().enumerate() {
            if let Does::Switch { cases, default } = &node.step.does {
                let mut decides: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
                for (way, ids) in cases.iter().map(|case| &case.to).chain([default]).enumerate() {
                    for step in ids.iter().filter_map(|id| tree.visible(index, id).ok()) {
                        decides.entry(step).or_default().insert(way);
                    }
                }
                forks.push(Fork { decider: index, ways: cases.len() + 1, decides });
            }
            // Of a fan-out some items may fail and others not.
            let in_fan_out = tree.upwards(index).any(|step| tree.nodes[step].step.rules.for_each.is_some());
            if has_handler(&node.step.rules.on_failure) && !in_fan_out {
                let mut decides = BTreeMap::from([(index, BTreeSet::from([0]))]);
                for (handler, _) in tree.nodes.iter().enumerate() {
                    let mut handled = tree.handled_by(handler);
                    // A handler of several steps runs when any of them fails.
                    if handled.next() == Some(index) && handled.next().is_none() {
                        decides.insert(handler, BTreeSet::from([1]));
                    }
                }
                forks.push(Fork { decider: index, ways: 2, decides });
            }
        }
        let forks = forks.into_iter().map(|fork| {
            let ways = ways(tree, waits, &order, &fork);
            (fork, ways)
        });
        Self { forks: forks.collect() }
    }

    /// Whether there is a way on which all of `steps` end accepted.
    fn together(&self, steps: &[usize]) -> bool {
        self.forks
            .iter()
            .all(|(fork, ways)| (0..fork.ways).any(|way| steps.iter().all(|step| ways[*step].contains(&way))))
    }
}

fn ways(tree: &Tree<'_>, waits: &Waits, order: &[usize], fork: &Fork) -> Vec<BTreeSet<usize>> {
    let all: BTreeSet<usize> = (0..fork.ways).collect();
    let mut ways = vec![all.clone(); tree.nodes.len()];
    for step in order {
        let node = &tree.nodes[*step];
        let mut own = fork.decides.get(step).cloned().unwrap_or_else(|| all.clone());
        if let Some(group) = node.parent {
            own = &own & &ways[group];
        }
        // A handler waits for what it handles to fail, not to be accepted.
        let handled: BTreeSet<usize> = tree.handled_by(*step).collect();
        let mut waited = waits[*step].iter().filter(|other| !handled.contains(other)).peekable();
        let joined = match node.step.rules.join {
            _ if waited.peek().is_none() => all.clone(),
            Join::All => waited.fold(all.clone(), |joined, other| &joined & &ways[*other]),
            Join::Any | Join::First => waited.fold(BTreeSet::new(), |joined, other| &joined | &ways[*other]),
            Join::Ended => all.clone(),
        };
        ways[*step] = &own & &joined;
    }
    ways
}

/// The steps so that each comes after its group and after what it waits for. There are no cycles.
fn in_order(tree: &Tree<'_>, waits: &Waits) -> Vec<usize> {
    let mut done = vec![false; tree.nodes.len()];
    let mut order = Vec::with_capacity(done.len());
    for step in 0..tree.nodes.len() {
        let mut open = vec![step];
        while let Some(&step) = open.last() {
            let before = tree.nodes[step].parent.iter().chain(&waits[step]);
            let missing: Vec<usize> = before.copied().filter(|before| !done[*before]).collect();
            if missing.is_empty() {
                open.pop();
                if !std::mem::replace(&mut done[step], true) {
                    order.push(step);
                }
            } else {
                open.extend(missing);
            }
        }
    }
    order
}

/// Notes steps that cannot run whatever is chosen, unless it follows from another that was noted.
fn unreachable(tree: &Tree<'_>, waits: &Waits, allowed: &Allowed, report: &Report) {
    let mut dead: BTreeSet<usize> = BTreeSet::new();
    for step in in_order(tree, waits) {
        let Some((fork, _)) = allowed.forks.iter().find(|(_, ways)| ways[step].is_empty()) else { continue };
        let follows = waits[step].iter().chain(&tree.nodes[step].parent).any(|other| dead.contains(other));
        dead.insert(step);
        if !follows {
            let decider = &tree.nodes[fork.decider].step;
            let why = match decider.does {
                Does::Switch { .. } => {
                    format!("it waits for steps of which the switch `{}` never chooses all", decider.id)
                }
                _ => format!("it waits for `{0}` and for what runs only when `{0}` fails", decider.id),
            };
            let message = format!(
                "nothing can reach step `{}`: {why}; `join = \"any\"` takes the one that ran",
                tree.nodes[step].step.id
            );
            report.error(tree.nodes[step].span, message);
        }
    }
}

/// What is wrong with a step that sets a name of the state for several items of a list at the same time.
fn parallel(tree: &Tree<'_>, step: usize, name: &str) -> Option<String> {
    let each = |step: &usize| tree.nodes[*step].step.rules.for_each.as_ref();
    let own = &tree.nodes[step].step.id;
    if let Some(list) = tree.upwards(step).find(|step| each(step).is_some_and(|each| !each.one_by_one)) {
        let list = &tree.nodes[list].step.id;
        return Some(format!(
            "the items of `{list}` run at the same time and each writes `state.{name}`, so all but one would be lost; add \
             `one_by_one = true` to `{list}`, or set it once in a step after it, from `steps.{list}.outputs`"
        ));
    }
    let list = tree.upwards(step).flat_map(|step| tree.handled_by(step)).find(|step| each(step).is_some())?;
    let list = &tree.nodes[list].step.id;
    Some(format!(
        "`{own}` handles the items of `{list}` at the same time and each writes `state.{name}`, so all but one would be lost; set \
         it once in a step after it, from `steps.{own}.outputs`"
    ))
}

/// Notes names of the state that two steps write in no order. What the steps of a child workflow write, the step writes that
/// runs it.
fn writers(
    draft: &Draft,
    tree: &Tree<'_>,
    waits: &Waits,
    allowed: &Allowed,
    workflows: &Workflows<'_>,
    report: &Report,
) {
    // Only few steps write, so who comes before each is found when it is asked.
    let waits_for = |later: usize, earlier: usize| {
        let (mut seen, mut queue) = (BTreeSet::new(), vec![later]);
        while let Some(step) = queue.pop() {
            if waits[step].contains(&earlier) {
                return true;
            }
            queue.extend(waits[step].iter().filter(|step| seen.insert(**step)));
        }
        false
    };
    let comes_after = |later: usize, earlier: usize| {
        tree.upwards(later).any(|step| tree.upwards(earlier).any(|other| waits_for(step, other)))
    };
    let own = draft.notes.writes.iter().map(|(step, name)| (*step, name.value.clone(), &name.span));
    let by_children = tree.nodes.iter().enumerate().flat_map(|(step, node)| {
        let Does::Workflow { workflow, .. } = &node.step.does else { return Vec::new() };
        child::writes(workflow, workflows).into_iter().map(|name| (step, name, node.span)).collect()
    });
    let writes: Vec<(usize, String, &SourceSpan)> = own.chain(by_children).collect();
    for (step, name, span) in &writes {
        if let Some(message) = parallel(tree, *step, name) {
            report.error(span, message);
        }
    }
    let through = |step: usize| match &tree.nodes[step].step.does {
        Does::Workflow { workflow, .. } => format!(" (in its workflow `{workflow}`)"),
        _ => String::new(),
    };
    for (at, (step, name, span)) in writes.iter().enumerate() {
        let rival = writes[..at].iter().find(|(other, earlier, _)| {
            earlier == name
                && other != step
                && !comes_after(*step, *other)
                && !comes_after(*other, *step)
                && allowed.together(&[*step, *other])
        });
        if let Some((other, ..)) = rival {
            let (theirs, ours) = (through(*other), through(*step));
            let (own, other) = (&tree.nodes[*step].step.id, &tree.nodes[*other].step.id);
            let also = if ours.is_empty() { String::new() } else { format!(", as `{own}` does{ours}") };
            let message = format!(
                "`{other}`{theirs} writes `state.{name}` too{also}, and neither waits for the other; add `after = [\"{other}\"]` to `{own}`"
            );
            report.error(span, message);
        }
    }
}
