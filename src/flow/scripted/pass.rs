//! A pass: the code run from its beginning, with every call that it asked for and every result that it was told.
//!
//! Results are told one at a time, in the order in which the calls were first settled. Where an earlier one does not
//! stand any more, later ones wait. So the code asks for the same calls in the same order whenever it is run.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::made::{CallEnd, Made};
use super::request;
use super::session::{Ground, broken, is_open};
use super::transport::{CallResult, CodeState, Request, Said, Transport, Turn};
use crate::core::actor::Actor;
use crate::core::call::{AttemptStatus, Call, CallStatus};
use crate::core::event::{Event, FlowDecision};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::Gate;
use crate::core::key::{Key, Segment};
use crate::core::text::{Untrusted, counted};
use crate::flow::Want;
use crate::flow::documents::{DocumentText, KnownDocuments};
use crate::flow::evaluation::Evaluation;
use crate::flow::judge::fails_checks;
use crate::flow::memo::Dependency;
use crate::flow::plan::Plan;
use crate::flow::skip::Skip;

/// Lines of a log at most; what comes after them is left out.
const MOST_LINES: usize = 1_000;
/// The length of a line at most, in characters.
const LONGEST_LINE: usize = 4_000;
/// So many sources of a call are written down: the newest.
const MOST_SOURCES: usize = 64;

/// The code on its way.
pub struct Pass {
    /// The transport still has it.
    pub live: bool,
    /// How far the code is.
    pub state: CodeState,
    made: Vec<Made>,
    by_key: HashMap<Key, usize>,
    counts: HashMap<String, u32>,
    /// Calls that were settled once and not told yet, in the order of that.
    queue: BTreeSet<(u64, usize)>,
    /// Calls that have come to an end which the journal does not have yet: nothing is told before it has.
    unrecorded: BTreeSet<usize>,
    /// Calls with something to be noted, and calls that may want to be performed: a long run is not looked through for
    /// them after every event.
    noting: BTreeSet<usize>,
    wanting: BTreeSet<usize>,
    /// How many calls the code was told of.
    answered: usize,
    /// Answers that need no call.
    ready: VecDeque<(Value, Value)>,
    /// What was told since the last call was asked for, and what that call saw.
    told: Vec<Dependency>,
    depends: Arc<[Dependency]>,
    /// The result that was told last: what happens now is said to happen there.
    point: Key,
    times: IndexMap<Key, i64>,
    documents: Vec<DocumentText>,
    known: KnownDocuments,
    /// The places of the child workflows among what was asked for.
    children: Vec<usize>,
    lines: Vec<String>,
    recorded: Recorded,
    /// What nobody is asked about, because the code has ended and did not wait for it.
    unasked: HashMap<Key, Gate>,
    unhandled: Option<String>,
    origin: String,
}

/// How much of what the code said is known to be in the journal, which forgets nothing.
#[derive(Default)]
struct Recorded {
    times: usize,
    lines: usize,
}

impl Pass {
    /// Runs the code until it waits for the first time.
    pub fn begin(ground: &Ground, transport: &mut dyn Transport) -> Self {
        let mut pass = Self {
            live: true,
            state: CodeState::Idle,
            made: Vec::with_capacity(ground.run.calls.len()),
            by_key: HashMap::with_capacity(ground.run.calls.len()),
            counts: HashMap::new(),
            queue: BTreeSet::new(),
            unrecorded: BTreeSet::new(),
            noting: BTreeSet::new(),
            wanting: BTreeSet::new(),
            answered: 0,
            ready: VecDeque::new(),
            told: Vec::new(),
            depends: Arc::from([]),
            point: Key::plain("start"),
            times: IndexMap::new(),
            documents: Vec::new(),
            known: KnownDocuments::default(),
            children: Vec::new(),
            lines: Vec::new(),
            recorded: Recorded::default(),
            unasked: HashMap::new(),
            unhandled: None,
            origin: transport.origin(),
        };
        let turn = transport.start(&ground.opening(pass.now(ground)));
        pass.take(turn, ground);
        pass
    }

    /// Takes in what happened to documents.
    pub fn hear(&mut self, event: &Event) {
        self.known.hear(event);
    }

    /// Takes in what events have changed. False when the code was told something that does not hold any more.
    pub fn touch<'a>(&mut self, keys: impl Iterator<Item = &'a Key>, ground: &Ground) -> bool {
        let mut touched = BTreeSet::new();
        for key in keys {
            for at in self.around(key) {
                self.made[at].touch(key, ground);
                if self.made[at].is_child(&ground.plan) {
                    self.known.stir();
                }
                touched.insert(at);
            }
        }
        touched.into_iter().all(|at| {
            self.look(at, ground);
            let made = &self.made[at];
            made.told.is_none() || made.told == made.tells(ground)
        })
    }

    /// The calls that `key` is or lies inside of, from the outside in.
    fn around(&self, key: &Key) -> Vec<usize> {
        let mut found = Vec::new();
        let mut outer: Option<Key> = None;
        for segment in key.segments().iter().rev().skip(1).rev() {
            let longer = match &outer {
                Some(outer) => outer.child(segment.clone()),
                None => Key::root(segment.clone()),
            };
            found.extend(self.by_key.get(&longer));
            outer = Some(longer);
        }
        found.extend(self.by_key.get(key));
        found
    }

    /// The outermost call that a call of the journal, the one with number `at`, is or lies inside of.
    fn outermost(&self, key: &Key, at: usize) -> Option<&Made> {
        // The journal mostly has the calls in the order in which the code asks for them.
        let same = self.made.get(at).filter(|made| made.key == *key);
        same.or_else(|| self.around(key).first().map(|&at| &self.made[at]))
    }

    /// Tells results as far as the journal has them. False when the code must be run from its beginning for that.
    pub fn advance(&mut self, ground: &Ground, transport: &mut dyn Transport) -> bool {
        while matches!(self.state, CodeState::Idle) {
            if let Some((ticket, value)) = self.ready.pop_front() {
                let turn = transport.settle(&ticket, &CallResult::Output(&value), self.now(ground));
                self.take(turn, ground);
                continue;
            }
            if !self.unrecorded.is_empty() {
                break;
            }
            let Some(&(seq, at)) = self.queue.first() else { break };
            let Some(told) = self.made[at].tells(ground) else { break };
            if !self.live {
                return false;
            }
            self.queue.remove(&(seq, at));
            self.point.clone_from(&self.made[at].key);
            let now = self.now(ground);
            let turn = transport.settle(&self.made[at].ticket, &told.answer(&self.point), now);
            self.made[at].told = Some(told);
            self.answered += 1;
            self.told.push(self.made[at].source());
            self.take(turn, ground);
        }
        true
    }

    /// The time that the code sees now: what the journal has, or what time it is.
    fn now(&self, ground: &Ground) -> i64 {
        let known = ground.look().decided(&self.point, &FlowDecision::Now).and_then(Value::as_i64);
        known.or_else(|| self.times.get(&self.point).copied()).unwrap_or_else(|| ground.clock.timestamp_millis())
    }

    fn take(&mut self, turn: Turn, ground: &Ground) {
        self.state = turn.state;
        self.unhandled = turn.unhandled;
        if turn.saw_clock {
            self.saw_clock(ground);
        }
        for said in turn.said {
            match said {
                Said::Log(line) => self.log(line),
                Said::Call(request) => {
                    if let Err(wrong) = self.call(&request, ground) {
                        self.state = CodeState::Failed(request::failure(&request, &wrong));
                        return;
                    }
                }
            }
        }
    }

    fn saw_clock(&mut self, ground: &Ground) {
        let now = self.now(ground);
        self.times.entry(self.point.clone()).or_insert(now);
    }

    fn log(&mut self, line: String) {
        match self.lines.len() {
            MOST_LINES.. => {}
            MOST_LINES_BUT_ONE => self.lines.push(format!("(more than {MOST_LINES} lines: the rest is left out)")),
            _ if line.chars().count() > LONGEST_LINE => {
                self.lines.push(line.chars().take(LONGEST_LINE).chain("…".chars()).collect());
            }
            _ => self.lines.push(line),
        }
    }

    fn call(&mut self, request: &Request, ground: &Ground) -> Result<(), String> {
        match request.kind.as_str() {
            "now" => {
                self.ready.push_back((request.ticket.clone(), json!(self.now(ground))));
                self.saw_clock(ground);
                return Ok(());
            }
            "document" => {
                let text = |name: &str| request.with.get(name).and_then(Value::as_str).map(str::to_owned);
                let (Some(title), Some(body)) = (text("title"), text("body")) else {
                    return Err("run.document: a document is { title, body }, both text".to_owned());
                };
                let (name, title, body) = (request.name.clone(), Untrusted::new(title), Untrusted::new(body));
                self.documents.push(DocumentText::new(name, title, body));
                self.known.stir();
                return Ok(());
            }
            _ => {}
        }
        if self.made.len() >= ground.max_calls {
            return Err(format!(
                "the run asks for more than {}, as many as `max_calls` allows",
                counted(ground.max_calls, "call")
            ));
        }
        let key = self.key(request)?;
        if let Some(&twin) = self.by_key.get(&key) {
            let before = &self.made[twin].place;
            let at = if before.is_empty() { String::new() } else { format!(" (first at {before})") };
            return Err(format!("two calls have the key `{key}`{at}; a key names one call"));
        }
        if !self.told.is_empty() {
            let newest = self.told.len().saturating_sub(MOST_SOURCES);
            self.depends = self.told.drain(..).skip(newest).collect();
        }
        let at = self.made.len();
        self.made.push(Made::of(request, key.clone(), at, Arc::clone(&self.depends), ground)?);
        if self.made[at].is_child(&ground.plan) {
            self.children.push(at);
        }
        self.by_key.insert(key, at);
        self.look(at, ground);
        Ok(())
    }

    fn key(&mut self, request: &Request) -> Result<Key, String> {
        let id = request::id(request)?;
        match request.options.get("key") {
            None | Some(Value::Null) => {
                let count = self.counts.entry(id.to_owned()).or_insert(0);
                let item = *count;
                *count = count.saturating_add(1);
                Ok(Key::root(Segment { id: id.to_owned(), item: Some(item), iteration: None }))
            }
            Some(Value::String(key)) => {
                key.parse().map_err(|error: crate::core::key::BadKey| format!("run.{}: {error}", request.kind))
            }
            Some(other) => Err(format!("run.{}: `key` must be text, not {other}", request.kind)),
        }
    }

    fn look(&mut self, at: usize, ground: &Ground) {
        let made = &mut self.made[at];
        made.look(ground);
        let keep = |set: &mut BTreeSet<usize>, holds: bool| if holds { set.insert(at) } else { set.remove(&at) };
        keep(&mut self.noting, !made.notes.is_empty());
        keep(&mut self.wanting, made.may_want(ground));
        if made.told.is_some() {
            return;
        }
        let end = made.end(ground);
        keep(&mut self.unrecorded, matches!(end, CallEnd::Unrecorded));
        if let CallEnd::At(seq) = end {
            self.queue.insert((seq, at));
        }
    }

    /// Notes what the journal does not have yet, in an order that does not depend on how the pass came about.
    pub fn tell(&mut self, plan: &Plan, evaluation: &mut Evaluation<'_>) {
        let before = evaluation.notes.len();
        for (point, now) in self.times.iter().skip(self.recorded.times) {
            evaluation.decide(point.clone(), FlowDecision::Now, json!(now), || Value::Null);
        }
        if evaluation.notes.len() == before {
            self.recorded.times = self.times.len();
        }
        let done = matches!(self.state, CodeState::Done { .. });
        for at in std::mem::take(&mut self.noting) {
            let made = &mut self.made[at];
            let notes = std::mem::take(&mut made.notes);
            // What the code did not wait for does not go on once it has ended; what it came to by then is kept.
            let goes_on = !done || made.told.is_some();
            for note in notes {
                match note {
                    note if goes_on || is_verdict(&note) => evaluation.notes.push(note),
                    Event::GateOpened(gate) => drop(self.unasked.insert(gate.key.clone(), gate)),
                    _ => {}
                }
            }
        }
        if !self.known.is_quiet() {
            self.tell_documents(plan, evaluation);
        }
        self.tell_lines(evaluation);
    }

    fn tell_documents(&mut self, plan: &Plan, evaluation: &mut Evaluation<'_>) {
        let mut texts = Vec::new();
        self.children.iter().for_each(|&at| self.made[at].documents(plan, &mut texts));
        texts.sort_by_key(|(seq, _)| *seq);
        let texts = texts.into_iter().map(|(_, text)| text).chain(&self.documents);
        // What comes after a result that is to be accepted again is said again then.
        let run = evaluation.run;
        let is_redone =
            |made: &Made| made.told.is_none() && run.call(&made.key).is_some_and(|call| call.standing.is_some());
        self.known.write(texts, evaluation, || !self.made.iter().any(is_redone));
    }

    fn tell_lines(&mut self, evaluation: &mut Evaluation<'_>) {
        if self.recorded.lines == self.lines.len() {
            return;
        }
        let before = evaluation.notes.len();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for line in &evaluation.run.log {
            *known.entry(line.data()).or_default() += 1;
        }
        for line in &self.lines {
            match known.get_mut(line.as_str()) {
                Some(count) if *count > 0 => *count -= 1,
                _ => evaluation.notes.push(Event::Logged { text: Untrusted::new(line.clone()) }),
            }
        }
        if evaluation.notes.len() == before {
            self.recorded.lines = self.lines.len();
        }
    }

    /// Takes back what is open of calls that the ended code did not wait for, or does not ask for any more.
    pub fn leave(&self, ground: &Ground, evaluation: &mut Evaluation<'_>) {
        let judged: HashSet<Key> =
            evaluation.notes.iter().filter(|note| is_verdict(note)).filter_map(Event::key).cloned().collect();
        let of_flow = |call: &Call| !judged.contains(&call.key) && !ground.run.actions.contains_key(&call.key);
        for (at, call) in ground.run.calls.values().enumerate().filter(|(_, call)| of_flow(call)) {
            let asked = self.outermost(&call.key, at);
            let gate = call.gates.own().or_else(|| self.unasked.get(&call.key));
            if let (Some(Made { told: None, .. }), Some(kept)) = (asked, performed(call, gate)) {
                evaluation.note(kept);
                continue;
            }
            let because = match asked {
                Some(Made { told: Some(_), .. }) => continue,
                Some(_) if is_open(call.status) => Skip::code_ended(),
                None if is_open(call.status) || call.status == CallStatus::Accepted => Skip::unwanted(),
                _ => continue,
            };
            evaluation.skip(call.key.clone(), &call.step, because);
        }
    }

    /// Why the code can never go on.
    pub fn stuck(&self) -> Option<Failure> {
        if self.answered < self.made.len() || !self.ready.is_empty() {
            return None;
        }
        if let Some(said) = &self.unhandled {
            return Some(broken(said));
        }
        let last = self.made.iter().rev().find(|made| !made.place.is_empty());
        let (at, after) = match last {
            Some(made) => (&made.place, format!("; its last call was `{}`, here", made.key)),
            None => (&self.origin, String::new()),
        };
        Some(broken(format!("{at}: the code waits for something that never comes, and no call is under way{after}")))
    }

    /// The calls to perform, in the order in which they were asked for.
    pub fn wants(&self, into: &mut Vec<Arc<Want>>) {
        let done = matches!(self.state, CodeState::Done { .. });
        let wanting = self.wanting.iter().map(|&at| &self.made[at]);
        wanting.filter(|made| !done || made.told.is_some()).for_each(|made| made.wants(into));
    }
}

/// Whether a note says what the end of an attempt comes to, without a person.
fn is_verdict(note: &Event) -> bool {
    matches!(note, Event::CallAccepted { .. } | Event::CallFailed { .. })
}

/// An effect that has happened is not left out, although nobody waits for the judgement of its output: it is judged as where
/// no person is asked. `gate` is what a person would have been shown.
fn performed(call: &Call, gate: Option<&Gate>) -> Option<Event> {
    let attempt = call.newest().filter(|attempt| is_open(call.status) && attempt.status == AttemptStatus::Review)?;
    let (key, by) = (call.key.clone(), Actor::Flow);
    if !attempt.work.as_ref().is_some_and(|work| work.has_effect()) {
        return None;
    }
    let failed = gate.map(|gate| gate.failed_checks().to_vec()).unwrap_or_default();
    let unfit = attempt.newest_unfit().map(|problem| Failure::new(FailureClass::BadOutput, problem));
    let fails = || (!failed.is_empty()).then(|| fails_checks(&failed));
    if let Some(error) = unfit.or_else(fails) {
        let (step, fingerprint) = (call.step.clone(), attempt.fingerprint.clone());
        return Some(Event::CallFailed { call: None, key, step, fingerprint, error, failed, by });
    }
    let (attempt, version) = (attempt.number, attempt.newest().map_or(1, |(version, _)| version));
    Some(Event::CallAccepted { key, attempt, version, by, overridden: Vec::new() })
}

const MOST_LINES_BUT_ONE: usize = MOST_LINES - 1;
