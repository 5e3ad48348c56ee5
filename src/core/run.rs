//! A run as the fold of its events. Whatever a screen, a list, an export or the engine knows of a run, it knows from here.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::actor::Actor;
use super::call::{Call, CallStatus};
use super::deadline::Deadlines;
use super::document::{Document, RequestedAction, Said};
use super::event::{Created, Event, FlowDecision, Lesson, Origin, PauseReason, Recorded};
use super::failure::Failure;
use super::fingerprint::Fingerprint;
use super::gate::Gate;
use super::id::RunId;
use super::key::Key;
use super::pinned::Pinned;
use super::revised::Revised;
use super::step_name::StepName;
use super::task::Kind;
use super::text::Untrusted;
use super::title::is_telling;
use super::tool::RunTools;
use super::undo::PastDecision;
use super::usage::{Budget, Usage};

mod message;
mod status;

pub use self::message::ChatMessage;
pub use self::status::{Facts, Status};

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// Its title.
    pub title: Untrusted,
    /// Its body.
    pub body: Untrusted,
}

/// Something that the flow decided, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// What.
    pub what: FlowDecision,
    /// What came out.
    pub value: Value,
    /// The expression, and the values that it saw.
    pub why: Value,
}

/// A model that a person chose for the calls of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenModel {
    /// The call, or the step, of which it was said.
    pub key: Key,
    /// The child workflow that declares the step; `None`: the run's own definition does.
    pub workflow: Option<String>,
    /// The step.
    pub step: String,
    /// A role or `PROVIDER/MODEL`.
    pub model: String,
}

impl ChosenModel {
    fn of(&self) -> StepName<'_> {
        StepName { workflow: self.workflow.as_deref(), step: &self.step }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The newest event that has been folded in.
    pub seq: u64,
    /// The task's id.
    pub task: String,
    /// Its kind.
    pub kind: Kind,
    /// What the person reads.
    pub title: String,
    /// What it was called when it started: what its templates see, whatever it is called since.
    pub first_title: String,
    /// Where it stands, as the journal has it.
    pub status: Status,
    /// Why it is paused.
    pub paused: Option<PauseReason>,
    /// Who started it.
    pub by: Actor,
    /// Where.
    pub cwd: PathBuf,
    /// The inputs, an object.
    pub inputs: Arc<Value>,
    /// The pinned definition.
    pub definition: Fingerprint,
    /// Marks this run's secrets in rendered work.
    pub nonce: String,
    /// The session.
    pub session: Option<String>,
    /// The session's state when it started.
    pub state: Value,
    /// What calls of this run set, by name and call; the calls of a name in the order in which they first set it.
    pub set_state: IndexMap<String, IndexMap<Key, Revised<Value>>>,
    /// The session's earlier runs.
    pub earlier_runs: Vec<(String, Untrusted)>,
    /// What was learned when it started.
    pub learned: Vec<Lesson>,
    /// The model in the place of the task's.
    pub model: Option<String>,
    /// What it may spend, in the place of the definition's.
    pub budget: Option<Budget>,
    /// The run that it was made from.
    pub origin: Option<Origin>,
    /// The day on which it was started, where the person is: what templates see.
    pub date: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When the newest event was written.
    pub updated_at: DateTime<Utc>,
    /// The calls, in the order in which they were first heard of.
    pub calls: IndexMap<Key, Call>,
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// The conversation of an instruct run and the edits of its document, in the order in which they happened.
    pub said: Vec<Said>,
    /// The documents, by name.
    pub documents: IndexMap<String, Document>,
    /// The actions on documents that a person asked for, by the call that performs each, in the order in which they were.
    pub actions: IndexMap<Key, RequestedAction>,
    /// Instructions for calls of a step that had not started, with the call of which they were said.
    pub remaining: Vec<(Key, Lesson)>,
    /// The models that a person chose for the calls of a step.
    pub models: Vec<ChosenModel>,
    /// The model that a person chose for all that was left, whatever its step is.
    pub model_for_the_rest: Option<String>,
    /// What was allowed so far.
    pub approved: HashSet<Fingerprint>,
    /// The tools that its models may call, as they were first listed, and those that a person allowed for the rest of it.
    pub tools: RunTools,
    /// What the person should know.
    pub warnings: Vec<String>,
    /// The event with which the newest warning about a call was written.
    pub warned: HashMap<Key, u64>,
    /// The lines of a script's or program's log.
    pub log: Vec<Untrusted>,
    /// What the flow decided, for each call and kind of decision.
    pub decided: HashMap<Key, Vec<Revised<Decided>>>,
    /// The result.
    pub result: Option<RunResult>,
    /// Why it failed, and at which call.
    pub error: Option<(Option<Key>, Failure)>,
    /// What it used so far.
    pub usage: Usage,
    /// A person put it away, and nothing has happened in it since.
    pub archived: bool,
    /// The decisions of persons that can be undone, oldest first, with the last that cannot.
    pub decisions: Vec<PastDecision>,
    /// A later version wrote of it what this one does not know: it may stand otherwise than is said here.
    pub newer: bool,
    /// How long its gates may stay open; see [`Run::learn`].
    pub deadlines: Arc<Deadlines>,
    /// How many gates are open.
    pub(super) open_gates: usize,
    /// How many attempts are under way.
    pub(super) under_way: usize,
    /// A process took it and has not said that it came to rest.
    pub(super) in_hand: bool,
}

/// What is said of a run that a later version wrote.
pub const NEWER: &str =
    "it was written by a newer version, or is damaged: this version cannot read all of it; update stepwell";

/// A journal that is not folded.
#[derive(Debug, thiserror::Error)]
pub enum NotARun {
    /// It does not begin with `run_created`.
    #[error("the journal of run {0} does not begin with its creation: the store is damaged")]
    Damaged(RunId),
    /// A later version created it.
    #[error("run {}: {NEWER}", .0.short())]
    Newer(RunId),
}

impl Run {
    /// A run that has just been created.
    #[must_use]
    pub fn new(id: RunId, at: DateTime<Utc>, created: &Created) -> Self {
        let created = created.clone();
        let messages = match created.kind {
            Kind::Instruct => request(&created.inputs).into_iter().collect(),
            Kind::Workflow => Vec::new(),
        };
        Self {
            id,
            seq: 1,
            task: created.task,
            kind: created.kind,
            first_title: created.title.clone(),
            title: created.title,
            status: Status::Running,
            paused: None,
            by: created.by,
            cwd: created.cwd,
            inputs: created.inputs,
            definition: created.definition,
            nonce: created.nonce,
            session: created.session,
            state: created.state,
            set_state: IndexMap::new(),
            earlier_runs: created.earlier_runs,
            learned: created.learned,
            model: created.model,
            budget: created.budget,
            origin: created.origin,
            date: created.date.unwrap_or_else(|| at.format("%Y-%m-%d").to_string()),
            created_at: at,
            updated_at: at,
            calls: IndexMap::new(),
            messages,
            said: Vec::new(),
            documents: IndexMap::new(),
            actions: IndexMap::new(),
            remaining: Vec::new(),
            models: Vec::new(),
            model_for_the_rest: None,
            approved: HashSet::new(),
            tools: RunTools::default(),
            warnings: Vec::new(),
            warned: HashMap::new(),
            log: Vec::new(),
            decided: HashMap::new(),
            result: None,
            error: None,
            usage: Usage::default(),
            archived: false,
            decisions: Vec::new(),
            newer: false,
            deadlines: Arc::default(),
            open_gates: 0,
            under_way: 0,
            in_hand: false,
        }
    }

    /// What lists call it: the title of its result, once there is one that says something, unless a person has renamed
    /// the run.
    #[must_use]
    pub fn shown_title(&self) -> String {
        let written = self.documents.get("result").and_then(Document::current);
        let title = written.map(|(_, version)| &version.title).or(self.result.as_ref().map(|result| &result.title));
        let title = title.filter(|_| self.title == self.first_title);
        let line = title.map(|title| title.line().trim().to_owned()).filter(|line| is_telling(line));
        line.unwrap_or_else(|| self.title.clone())
    }

    /// Folds a whole journal.
    ///
    /// # Errors
    /// When the first event is not `run_created`, or one of a later version.
    pub fn fold(id: RunId, journal: &[Recorded]) -> Result<Self, NotARun> {
        let (created, at) = match journal.first() {
            Some(Recorded { event: Event::RunCreated(created), at, .. }) => (created, at),
            Some(Recorded { event: Event::Unknown(_), .. }) => return Err(NotARun::Newer(id)),
            _ => return Err(NotARun::Damaged(id)),
        };
        let mut run = Self::new(id, *at, created);
        for recorded in &journal[1..] {
            run.apply(recorded.seq, recorded.at, &recorded.event);
        }
        Ok(run)
    }

    /// A call.
    #[must_use]
    pub fn call(&self, key: &Key) -> Option<&Call> {
        self.calls.get(key)
    }

    /// The model that a person chose for later attempts of a call, in the place of the definition's.
    #[must_use]
    pub fn chosen_model(&self, key: &Key, of: StepName<'_>) -> Option<&str> {
        let own = self.call(key).and_then(|call| call.model.as_deref());
        let of_step = || self.models.iter().rev().find(|chosen| chosen.of() == of).map(|chosen| chosen.model.as_str());
        own.or_else(of_step).or(self.model_for_the_rest.as_deref())
    }

    /// Whether something that may belong to a child workflow does not say so: it may be from version 0.1.0, whatever
    /// has been written of the same call since.
    #[must_use]
    pub fn may_lack_workflows(&self) -> bool {
        let lacks = |key: &Key, workflow: &Option<String>| workflow.is_none() && key.segments().len() > 1;
        self.calls.values().any(|call| lacks(&call.key, &call.workflow))
            || self.remaining.iter().any(|(key, lesson)| lacks(key, &lesson.workflow))
            || self.models.iter().any(|chosen| lacks(&chosen.key, &chosen.workflow))
    }

    /// Says of what belongs to a child workflow whose step it is, where the journal does not: version 0.1.0 did not
    /// write it.
    pub fn name_workflows(&mut self, pinned: &Pinned) {
        let missing = |key: &Key, workflow: &Option<String>| {
            if workflow.is_some() || key.segments().len() < 2 {
                return None;
            }
            pinned.workflow_of(key).map(str::to_owned)
        };
        for call in self.calls.values_mut() {
            if let found @ Some(_) = missing(&call.key, &call.workflow) {
                call.workflow = found;
            }
        }
        for (key, lesson) in &mut self.remaining {
            if let found @ Some(_) = missing(key, &lesson.workflow) {
                lesson.workflow = found;
            }
        }
        for chosen in &mut self.models {
            if let found @ Some(_) = missing(&chosen.key, &chosen.workflow) {
                chosen.workflow = found;
            }
        }
    }

    /// What waits for a person: calls in the order in which they were first heard of, then documents.
    pub fn waiting(&self) -> impl Iterator<Item = &Gate> {
        let of_documents = self.documents.values().filter_map(|document| document.gate.as_ref());
        self.calls.values().flat_map(|call| call.gates.iter()).chain(of_documents)
    }

    /// The calls that used the output of `key`, or of one that did: what an edit of it may make stale. In the order in which
    /// they were first heard of.
    #[must_use]
    pub fn dependents(&self, key: &Key) -> IndexSet<Key> {
        let mut users: HashMap<&Key, Vec<&Key>> = HashMap::new();
        for call in self.calls.values() {
            call.depends.iter().for_each(|named| users.entry(named).or_default().push(&call.key));
        }
        let mut found: HashSet<&Key> = HashSet::new();
        let mut sources = vec![key];
        while let Some(source) = sources.pop() {
            // Whoever uses it by that name is found now, and need not be found again.
            let of_it = named_by(source).filter_map(|name| users.remove(&name)).flatten();
            sources.extend(of_it.filter(|user| *user != key && found.insert(user)).collect::<Vec<_>>());
        }
        self.calls.keys().filter(|key| found.contains(key)).cloned().collect()
    }

    /// The calls whose output is not what `call` was made from, as far as it depends on them: `depends` are what it
    /// would be made from now. Where something changed, what that was made from in turn is not named.
    #[must_use]
    pub fn changed(&self, call: &Call, depends: &[Key]) -> Vec<Key> {
        let made = call.standing.as_ref().map_or_else(|| call.newest(), |standing| call.attempt(standing.attempt));
        let made = made.map_or(call.seq, |attempt| attempt.seq);
        let mut changed = Vec::new();
        let mut seen: HashSet<&Key> = HashSet::new();
        let mut queue: Vec<&Key> = depends.iter().collect();
        while let Some(named) = queue.pop() {
            if !seen.insert(named) {
                continue;
            }
            for source in self.calls.values().filter(|source| source.key != call.key && names(named, &source.key)) {
                let before = source.stood_at(made).map(|standing| &standing.output);
                let gone = matches!(source.status, CallStatus::Skipped | CallStatus::Failed);
                let now = source.standing.as_ref().filter(|_| !gone).map(|standing| &standing.output);
                if before == now {
                    queue.extend(&source.depends);
                } else if !changed.contains(&source.key) {
                    changed.push(source.key.clone());
                }
            }
        }
        changed.sort();
        changed
    }

    /// How many items the list of a step has that works through one; `step` is its key without an item. `None` before
    /// the list is made.
    #[must_use]
    pub fn items(&self, step: &Key) -> Option<usize> {
        let decided = self.decided.get(step)?.iter().find(|decided| decided.what == FlowDecision::ForEach)?;
        usize::try_from(decided.value.as_u64()?).ok()
    }

    /// How many gates are open.
    #[must_use]
    pub fn gates(&self) -> usize {
        self.open_gates
    }

    /// Whether a process was in the middle of driving it: if none does now, that one crashed.
    #[must_use]
    pub fn in_hand(&self) -> bool {
        self.in_hand
    }

    /// How many attempts are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Whether something is under way, and all of it is programs that wait for an answer to what they asked: nothing
    /// goes on by itself, although the run is being driven.
    #[must_use]
    pub fn only_asks(&self) -> bool {
        let runs = |call: &&Call| call.is_under_way();
        self.open_gates > 0 && self.under_way > 0 && self.calls.values().filter(runs).all(Call::only_asks)
    }

    /// The status as a person sees it; one that says `running` is driven.
    #[must_use]
    pub fn seen_status(&self) -> Status {
        self.status.shown(Facts { gates: self.open_gates, only_asks: self.only_asks(), driven: true })
    }
}

/// The first thing that a person said in a conversation: its first input.
fn request(inputs: &Value) -> Option<ChatMessage> {
    let first = inputs.as_object()?.values().next()?;
    let text = first.as_str().or_else(|| first.get("name")?.as_str()).filter(|text| !text.trim().is_empty())?;
    Some(ChatMessage::by_person(Untrusted::from(text)))
}

/// Whether a dependency on `named` is one on `source`: a step's name without an item stands for all its calls.
fn names(named: &Key, source: &Key) -> bool {
    let (named, source) = (named.segments(), source.segments());
    let Some((last, outer)) = named.split_last() else { return false };
    source.len() >= named.len()
        && source[..outer.len()] == *outer
        && source[outer.len()].id == last.id
        && (last.item.is_none() || last.item == source[outer.len()].item)
        && (last.iteration.is_none() || last.iteration == source[outer.len()].iteration)
}

/// Every name by which something may depend on `source`: its own, those of what it lies in, and of each the name that stands
/// for all its items or iterations. See [`names`].
fn named_by(source: &Key) -> impl Iterator<Item = Key> {
    (0..source.segments().len()).flat_map(|at| {
        let name = source.up_to(at);
        let (items, iterations) = (name.with_item(None), name.with_iteration(None));
        let mut names = vec![items.with_iteration(None), iterations, items, name];
        names.dedup();
        names
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created() -> Run {
        let created = serde_json::json!({
            "task": "t", "kind": "workflow", "title": "t", "by": "ana@host", "cwd": "/", "inputs": {},
            "definition": Fingerprint::of(&"x").unwrap(), "nonce": "n",
        });
        Run::new(RunId::new(1, [1; 10]), DateTime::UNIX_EPOCH, &serde_json::from_value(created).unwrap())
    }

    /// Version 0.1.0 did not write whose step it is: that is asked as long as anything of the run lacks it.
    #[test]
    fn whatever_does_not_say_whose_step_it_is_has_the_definition_asked() {
        let run = created();
        let (own, childs): (Key, Key) = ("draft".parse().unwrap(), "k.draft".parse().unwrap());
        let lesson = |workflow: Option<&str>| {
            let workflow = workflow.map(str::to_owned);
            Lesson { workflow, step: "draft".to_owned(), text: "in prose".to_owned() }
        };
        let chosen = |key: &Key, workflow: Option<&str>| {
            let workflow = workflow.map(str::to_owned);
            ChosenModel { key: key.clone(), workflow, step: "draft".to_owned(), model: "big/model".to_owned() }
        };
        for (workflow, lacks) in [(None, true), (Some("kid"), false)] {
            let mut of_lesson = run.clone();
            of_lesson.remaining = vec![(own.clone(), lesson(None)), (childs.clone(), lesson(workflow))];
            let mut of_model = run.clone();
            of_model.models = vec![chosen(&own, None), chosen(&childs, workflow)];
            let mut of_call = run.clone();
            of_call.calls.insert(
                childs.clone(),
                Call { workflow: workflow.map(str::to_owned), ..Call::new(childs.clone(), "draft".to_owned()) },
            );
            for run in [of_lesson, of_model, of_call] {
                assert_eq!(run.may_lack_workflows(), lacks, "{workflow:?}");
            }
        }
        assert!(!run.may_lack_workflows());
    }

    proptest::proptest! {
        #[test]
        fn whoever_used_an_output_is_found_by_any_of_its_names(
            depends in proptest::collection::vec(proptest::collection::vec((0..12usize, 0..4usize), 0..3), 12),
        ) {
            let keys: Vec<Key> = ["a", "b[0]", "b[1]", "b[1]#0", "b[1]#1", "c#0", "c#1", "g[0].d", "g[1].d", "g[0].e[2]", "k.l", "k.m#3"]
                .iter().map(|key| key.parse().unwrap()).collect();
            let mut run = created();
            for (key, of) in keys.iter().zip(&depends) {
                let mut call = Call::new(key.clone(), key.step().to_owned());
                call.depends = of.iter().map(|&(source, form)| named_by(&keys[source]).collect::<Vec<_>>().into_iter().cycle().nth(form).unwrap()).collect();
                run.calls.insert(key.clone(), call);
            }
            for key in &keys {
                let mut found: HashSet<&Key> = HashSet::new();
                let mut sources = vec![key];
                while let Some(source) = sources.pop() {
                    let uses = |call: &&Call| call.depends.iter().any(|named| names(named, source));
                    let users = run.calls.values().filter(uses).map(|call| &call.key);
                    sources.extend(users.filter(|user| *user != key && found.insert(user)).collect::<Vec<_>>());
                }
                let dependents = run.dependents(key);
                proptest::prop_assert_eq!(dependents.iter().collect::<HashSet<_>>(), found);
            }
        }
    }

    #[test]
    fn what_a_person_has_to_do_comes_first() {
        use Status::{Cancelled, Completed, Failed, Paused, Running, Waiting};
        // In the journal; then, of a run with no gate and with two: driven, nobody drives it.
        let table = [
            (Running, [Running, Paused], [Running, Waiting]),
            (Waiting, [Waiting, Waiting], [Waiting, Waiting]),
            (Paused, [Paused, Paused], [Waiting, Waiting]),
            (Completed, [Completed, Completed], [Completed, Completed]),
            (Failed, [Failed, Failed], [Failed, Failed]),
            (Cancelled, [Cancelled, Cancelled], [Cancelled, Cancelled]),
        ];
        assert_eq!(table.map(|(kept, ..)| kept), Status::ALL);
        for (kept, none, two) in table {
            for (gates, shown) in [(0, none), (2, two)] {
                for (driven, shown) in [(true, shown[0]), (false, shown[1])] {
                    let facts = Facts { gates, driven, only_asks: false };
                    assert_eq!(kept.shown(facts), shown, "{kept:?} {facts:?}");
                    // What is shown is shown again as it is, whoever looks at it.
                    assert_eq!(shown.shown(facts), if shown == Running && !driven { Paused } else { shown });
                    assert!(Status::kept_as(&[shown]).contains(&kept), "{kept:?} is not looked for as {shown:?}");
                }
            }
        }
        // Programs that all wait for an answer are driven, and wait.
        assert_eq!(Running.shown(Facts { gates: 1, driven: true, only_asks: true }), Waiting);
        assert_eq!(Status::kept_as(&[Completed]), [Completed]);
        assert_eq!(Status::kept_as(&[Running]), [Running]);
    }
}
