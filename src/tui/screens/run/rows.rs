//! The list on the left of a run: its steps in declared order, the calls of each, and the result at the end.
//!
//! Rows are made from the calls' keys, so that any flow can be shown; the definition adds titles, order, and the steps
//! that nothing has been heard of yet.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::core::call::{Call, CallStatus};
use crate::core::document::{RESULT, RequestedAction};
use crate::core::gate::GateKind;
use crate::core::key::{Key, Segment};
use crate::core::run::Run;
use crate::core::step::{Does, Step};
use crate::core::step_name::StepName;
use crate::core::task::{Body, Task};
use crate::core::text::Untrusted;
use crate::core::title::item_title;

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowId {
    /// Several calls as one: a fan-out, a repeat, a group, an item of it.
    Group(Key),
    /// A call.
    Call(Key),
    /// A declared step of which nothing has been heard yet.
    Step(String),
    /// A document beside the result.
    Document(String),
    /// The result.
    Result,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineRow {
    /// What it is about.
    pub id: RowId,
    /// How far it is indented.
    pub depth: usize,
    /// What it is called; one line, safe to show.
    pub title: String,
    /// Where it stands; of a group, what matters most in it.
    pub status: Option<CallStatus>,
    /// Whether something in it waits for the person.
    pub waits: bool,
    /// Of a group: calls that ended well, and all.
    pub count: Option<(usize, usize)>,
    /// Of a group: whether its rows are left out.
    pub folded: bool,
    /// The calls after it that wait with the same output: they have no row of their own.
    pub alike: Vec<Key>,
}

/// So many calls of a list wait before those that are alike are folded: fewer are seen at a glance.
const MANY: usize = 6;

/// Folds the calls of a list that wait for a review with the same output into the first of them.
pub fn fold_alike(run: &Run, rows: &mut Vec<OutlineRow>) {
    let mut first: HashMap<(StepName<'_>, &Value), usize> = HashMap::new();
    let mut waiting: HashMap<StepName<'_>, usize> = HashMap::new();
    let output = |row: &OutlineRow| {
        let RowId::Call(key) = &row.id else { return None };
        let call = run.call(key)?;
        call.item.as_ref()?;
        call.gate().filter(|gate| gate.kind() == GateKind::Review)?;
        let (.., output) = call.output()?;
        Some((key.clone(), call.of(), &**output))
    };
    for (_, step, _) in rows.iter().filter_map(output) {
        *waiting.entry(step).or_default() += 1;
    }
    if waiting.values().all(|count| *count < MANY) {
        return;
    }
    let mut kept: Vec<OutlineRow> = Vec::with_capacity(rows.len());
    for row in rows.drain(..) {
        let found = output(&row).filter(|(_, step, _)| waiting.get(step).is_some_and(|count| *count >= MANY));
        let Some((key, step, value)) = found else {
            kept.push(row);
            continue;
        };
        if let Some(at) = first.get(&(step, value)) {
            kept[*at].alike.push(key);
        } else {
            first.insert((step, value), kept.len());
            kept.push(row);
        }
    }
    *rows = kept;
}

/// The rows of a run. `folded` are the groups that are shut.
#[must_use]
pub fn rows(run: &Run, task: Option<&Task>, folded: &HashSet<Key>) -> Vec<OutlineRow> {
    let mut root = Node::default();
    for call in run.flow_calls() {
        root.put(call.key.segments(), &call.key);
    }
    let titles = Titles::of(task);
    let mut rows = Vec::new();
    for id in &titles.top {
        // A step of which nothing has been heard yet has its place all the same.
        let step = root.children.entry(KeyPart::Step(id.clone())).or_default();
        // So have the items of a list that has begun.
        let list = titles.lists.get(id).filter(|_| !step.children.is_empty()).and_then(|list| items(run, list));
        for (at, item) in (0..).zip(list.into_iter().flatten()) {
            step.children.entry(KeyPart::Item(at)).or_default().item = Some(item);
        }
    }
    let mut maker = Maker { run, titles: &titles, folded, rows: &mut rows };
    maker.children(&root, None, 0);
    let others = run.documents.keys().filter(|name| *name != RESULT);
    rows.extend(others.map(|name| document(run, name)));
    rows.push(document(run, RESULT));
    rows.extend(run.actions.iter().filter_map(|(key, asked)| action(run, task, key, asked)));
    rows
}

/// The row of an action: under the result, because it makes a version of it or of another document.
fn action(run: &Run, task: Option<&Task>, key: &Key, asked: &RequestedAction) -> Option<OutlineRow> {
    let call = run.call(key)?;
    let declared = task.and_then(|task| task.action(&asked.action)).map(|action| action.name.as_str());
    let name = asked.instruction.as_deref().or(declared).unwrap_or(&asked.action);
    let of = if asked.document == RESULT { String::new() } else { format!(" of {}", asked.document) };
    let title = match asked.written {
        Some(_) if asked.taken_back => format!("{name}{of}: taken back"),
        Some(version) => format!("{name}{of}: version {version}"),
        None => format!("{name}{of}"),
    };
    Some(OutlineRow {
        id: RowId::Call(key.clone()),
        depth: 1,
        title: Untrusted::new(title).line().into_owned(),
        status: Some(call.status),
        waits: !call.gates.is_empty(),
        count: None,
        folded: false,
        alike: Vec::new(),
    })
}

/// How many steps at the top have a row, as far as the definition knows them beforehand.
#[must_use]
pub fn declared(task: Option<&Task>) -> usize {
    Titles::of(task).top.len()
}

/// The steps and calls among the rows of a run as they are counted: without groups, documents and what was made of those.
pub fn leaves<'r>(run: &'r Run, rows: &'r [OutlineRow]) -> impl Iterator<Item = &'r OutlineRow> {
    rows.iter().filter(|row| match &row.id {
        RowId::Call(key) => !run.actions.contains_key(key),
        RowId::Step(_) => true,
        RowId::Group(_) | RowId::Document(_) | RowId::Result => false,
    })
}

/// The row of a document; that of the result is there before it is written.
#[must_use]
pub fn document(run: &Run, name: &str) -> OutlineRow {
    let document = run.documents.get(name);
    let waits = document.is_some_and(|document| document.gate.is_some());
    let ended = if waits { CallStatus::Stale } else { CallStatus::Accepted };
    let is_written = if name == RESULT { run.result.is_some() } else { document.is_some() };
    let title = if name == RESULT { "Result".to_owned() } else { Untrusted::from(name).line().into_owned() };
    OutlineRow {
        id: RowId::of_document(name),
        depth: 0,
        title,
        status: is_written.then_some(ended),
        waits,
        count: None,
        folded: false,
        alike: Vec::new(),
    }
}

/// A part of a key: a step, an item of it, an iteration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum KeyPart {
    Step(String),
    Item(u32),
    Iteration(u32),
}

/// The list that a step works through, where it can be told from the expression alone: the output of a step, or an
/// input.
fn items<'a>(run: &'a Run, list: &str) -> Option<&'a Vec<Value>> {
    let named = |prefix, suffix| list.trim().strip_prefix(prefix)?.strip_suffix(suffix);
    let plain = |id: &str| id.chars().all(|c| c.is_alphanumeric() || c == '_');
    if let Some(step) = named("steps.", ".output").filter(|id| plain(id)) {
        return run.call(&Key::plain(step))?.standing.as_ref()?.output.as_array();
    }
    run.inputs.get(named("inputs.", "").filter(|id| plain(id))?)?.as_array()
}

/// The calls as a tree of parts.
#[derive(Default)]
struct Node<'a> {
    children: BTreeMap<KeyPart, Node<'a>>,
    /// The order in which the children were first heard of.
    heard: Vec<KeyPart>,
    call: Option<Key>,
    /// The item, as far as the list tells it.
    item: Option<&'a Value>,
}

impl<'n> Node<'n> {
    fn put(&mut self, segments: &[Segment], key: &Key) {
        let mut node = self;
        for segment in segments {
            node = node.child(KeyPart::Step(segment.id.clone()));
            if let Some(item) = segment.item {
                node = node.child(KeyPart::Item(item));
            }
            if let Some(iteration) = segment.iteration {
                node = node.child(KeyPart::Iteration(iteration));
            }
        }
        node.call = Some(key.clone());
    }

    fn child(&mut self, part: KeyPart) -> &mut Node<'n> {
        if !self.children.contains_key(&part) {
            self.heard.push(part.clone());
        }
        self.children.entry(part).or_default()
    }

    /// The calls in and below this node. One that has others below it is no piece of work: it was left out as a whole once,
    /// before there was anything to be done.
    fn keys<'a>(&'a self, into: &mut Vec<&'a Key>) {
        if self.children.is_empty() {
            into.extend(&self.call);
        }
        self.children.values().for_each(|child| child.keys(into));
    }

    /// How many items in and below this node have not begun.
    fn silent(&self) -> usize {
        match self.children.len() {
            0 => usize::from(self.call.is_none()),
            _ => self.children.values().map(Node::silent).sum(),
        }
    }
}

/// What the definition says of its steps.
#[derive(Default)]
struct Titles {
    /// The steps at the top, in declared order.
    top: Vec<String>,
    /// Each step's place and title.
    steps: HashMap<String, (usize, String)>,
    /// The expression of the list that a step at the top works through.
    lists: HashMap<String, String>,
}

impl Titles {
    fn of(task: Option<&Task>) -> Self {
        let Some(Task { body: Body::Workflow(workflow), .. }) = task else { return Self::default() };
        let all = workflow.all_steps();
        let steps = all.iter().enumerate().map(|(at, step)| (step.id.clone(), (at, step.title().to_owned()))).collect();
        let has_row = |step: &&Step| !matches!(step.does, Does::Transform(_) | Does::Switch { .. });
        let each = |step: &Step| Some((step.id.clone(), step.rules.for_each.as_ref()?.list.clone()));
        Self {
            top: workflow.steps.iter().filter(has_row).map(|step| step.id.clone()).collect(),
            steps,
            lists: workflow.steps.iter().filter_map(each).collect(),
        }
    }

    fn title<'a>(&'a self, id: &'a str) -> &'a str {
        self.steps.get(id).map_or(id, |(_, title)| title)
    }

    fn place(&self, part: &KeyPart) -> usize {
        match part {
            KeyPart::Step(id) => self.steps.get(id).map_or(usize::MAX, |(at, _)| *at),
            _ => 0,
        }
    }
}

struct Maker<'a> {
    run: &'a Run,
    titles: &'a Titles,
    folded: &'a HashSet<Key>,
    rows: &'a mut Vec<OutlineRow>,
}

impl Maker<'_> {
    fn children(&mut self, node: &Node<'_>, within: Option<&Key>, depth: usize) {
        let mut parts: Vec<&KeyPart> = node.children.keys().collect();
        let heard = |part: &KeyPart| node.heard.iter().position(|p| p == part);
        if parts.iter().all(|part| matches!(part, KeyPart::Step(_))) && node.heard.len() < 1_000 {
            // Declared steps in declared order; a script's in the order in which it called them.
            parts.sort_by_key(|part| (self.titles.place(part), heard(part)));
        }
        for part in parts {
            let child = &node.children[part];
            let key = extended(within, part);
            self.node(child, part, &key, depth);
        }
    }

    fn node(&mut self, node: &Node<'_>, part: &KeyPart, key: &Key, depth: usize) {
        let title = self.title(node, part);
        if node.children.is_empty() {
            let call = node.call.as_ref().and_then(|key| self.run.call(key));
            let id = match (&node.call, part) {
                (Some(key), _) => RowId::Call(key.clone()),
                (None, KeyPart::Step(id)) => RowId::Step(id.clone()),
                (None, _) => RowId::Call(key.clone()),
            };
            let status = call.map(|call| call.status);
            let waits = call.is_some_and(|call| !call.gates.is_empty());
            self.rows.push(OutlineRow {
                id,
                depth,
                title,
                status,
                waits,
                count: None,
                folded: false,
                alike: Vec::new(),
            });
            return;
        }
        let mut keys = Vec::new();
        node.keys(&mut keys);
        let calls: Vec<&Call> = keys.iter().filter_map(|key| self.run.call(key)).collect();
        let done =
            calls.iter().filter(|call| matches!(call.status, CallStatus::Accepted | CallStatus::Skipped)).count();
        let folded = self.folded.contains(key);
        self.rows.push(OutlineRow {
            id: RowId::Group(key.clone()),
            depth,
            title,
            status: calls.iter().map(|call| call.status).max_by_key(|status| urgency(*status)),
            waits: calls.iter().any(|call| !call.gates.is_empty()),
            count: Some((done, calls.len() + node.silent())),
            folded,
            alike: Vec::new(),
        });
        if !folded {
            self.children(node, Some(key), depth + 1);
        }
    }

    fn title(&self, node: &Node<'_>, part: &KeyPart) -> String {
        let title = match part {
            KeyPart::Step(id) => self.titles.title(id).to_owned(),
            KeyPart::Iteration(n) => format!("round {}", n + 1),
            KeyPart::Item(n) => {
                let mut keys = Vec::new();
                node.keys(&mut keys);
                let item = keys.first().and_then(|key| self.run.call(key)).and_then(|call| call.item.as_deref());
                item.or(node.item).and_then(item_title).unwrap_or_else(|| format!("item {}", n + 1))
            }
        };
        Untrusted::new(title).line().into_owned()
    }
}

/// The key of a part within a group.
fn extended(within: Option<&Key>, part: &KeyPart) -> Key {
    match (within, part) {
        (None, KeyPart::Step(id)) => Key::plain(id.clone()),
        (Some(key), KeyPart::Step(id)) => key.child(Segment::plain(id.clone())),
        (Some(key), KeyPart::Item(item)) => with_last(key, |last| last.item = Some(*item)),
        (Some(key), KeyPart::Iteration(iteration)) => with_last(key, |last| last.iteration = Some(*iteration)),
        // The first part of a key is always a step.
        (None, KeyPart::Item(n) | KeyPart::Iteration(n)) => Key::plain(format!("_{n}")),
    }
}

fn with_last(key: &Key, change: impl FnOnce(&mut Segment)) -> Key {
    let mut segments = key.segments().to_vec();
    if let Some(last) = segments.last_mut() {
        change(last);
    }
    let mut segments = segments.into_iter();
    let first = segments.next().unwrap_or_else(|| Segment::plain("_"));
    segments.fold(Key::root(first), |key, segment| key.child(segment))
}

/// What matters most in a group stands for it.
fn urgency(status: CallStatus) -> u8 {
    match status {
        CallStatus::Accepted => 0,
        CallStatus::Skipped => 1,
        CallStatus::Cancelled => 2,
        CallStatus::Pending => 3,
        CallStatus::Running => 4,
        CallStatus::Stale => 5,
        CallStatus::Failed => 6,
        CallStatus::Review | CallStatus::Input | CallStatus::Approval | CallStatus::InDoubt => 7,
    }
}
