//! Whatever is pressed, and whatever arrives between two frames: what stands under a title is of that run, call, attempt
//! and version, and a key acts on what the last frame showed, or on nothing.
//!
//! Several runs have the same calls under the same numbers. Each text says in a mark of its own what it is of, so that
//! the painted frame can be asked.

use std::collections::VecDeque;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::core::actor::Actor;
use crate::core::decide::{DecisionKind, decide, edit_document, undo};
use crate::core::document;
use crate::core::text::Untrusted;
use crate::tui::effect::{Change, Errand, Manage, Opening, Order, Terminal};
use crate::tui::glance::Glance;
use crate::tui::message::Ready;
use crate::tui::shown::Subject;
use crate::tui::situation::Layer;

mod cases;
mod promises;

/// The runs: the last one is a conversation.
const RUNS: usize = 4;
const CHAT: usize = RUNS - 1;

/// The calls of each workflow: a text, a structure, a command.
const CALLS: [&str; 3] = ["write[0]", "write[1]", "push"];

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

/// The keys that decide, open, copy and edit, and those that move.
const KEYS: [&str; 47] = [
    "j",
    "j",
    "k",
    "Down",
    "Down",
    "Up",
    "]",
    "Tab",
    "Enter",
    "Enter",
    "Esc",
    "Esc",
    "^n",
    "^n",
    "^o",
    "^f",
    "z",
    "a",
    "a",
    "Y",
    "Y",
    "n",
    "r",
    "e",
    "s",
    "y",
    "d",
    "p",
    "g",
    "K",
    "b",
    "Space",
    "A",
    "F2",
    "^x",
    "Alt-u",
    "Left",
    "Left",
    "Left",
    "Right",
    "Left",
    "a",
    "^s",
    "Alt-Enter",
    "w",
    "/",
    "u",
];

/// A moment of a person's day.
#[derive(Clone, Debug)]
enum Moment {
    /// A key, after which a frame is drawn at once.
    Press(usize),
    /// Something happens in a run.
    Happens { run: usize, call: usize, what: u8 },
    /// The lists are read again; in another order.
    Listed(u8),
    /// What was asked of the engine is answered.
    Answered,
    /// A frame is drawn.
    Drawn,
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let moment = prop_oneof![
        8 => (0..KEYS.len()).prop_map(Moment::Press),
        6 => (0..RUNS, 0..CALLS.len(), any::<u8>()).prop_map(|(run, call, what)| Moment::Happens { run, call, what }),
        2 => any::<u8>().prop_map(Moment::Listed),
        6 => Just(Moment::Answered),
        3 => Just(Moment::Drawn),
    ];
    prop::collection::vec(moment, 60..160)
}

/// All there is: the runs as the engine has them, the interface, and what is on its way between them.
struct World {
    runs: Vec<Story>,
    interface: Interface,
    on_its_way: VecDeque<Message>,
    size: (u16, u16),
    /// The last frame, and the last one with nothing over the screen.
    frame: String,
    bare: String,
    seen: FrameInfo,
    /// How often an approval was asked for, in all.
    asked: u32,
    /// Calls were marked when nothing lay over the screen last: what is pressed then is for those.
    had_marks: bool,
}

/// What a text of a call says that it is of.
fn mark(run: usize, key: &str, attempt: u32, version: u32) -> String {
    format!("r{run}.{}.a{attempt}v{version}.", key.replace(['[', ']'], ""))
}

/// The document that the steps of a workflow write.
const NOTES: &str = "notes";

/// What a version of a document says that it is of.
fn written(run: usize, version: u32) -> Untrusted {
    Untrusted::new(format!("r{run}.doc.v{version}."))
}

/// An output of a call: a text, of the second call a structure.
fn output_of(run: usize, key: &str, attempt: u32, version: u32) -> Arc<Value> {
    let text = mark(run, key, attempt, version);
    Arc::new(if key == CALLS[1] { json!({ "text": text }) } else { Value::String(text) })
}

/// What an approval shows: which of all it is.
fn asked(run: usize, number: u32) -> String {
    format!("r{run}.push.g{number}.")
}

/// The marks in a text.
fn marks(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let is_mark = |word: &&str| word.starts_with('r') && word.ends_with('.') && word.matches('.').count() == 3;
    words.filter(is_mark).map(str::to_owned).collect()
}

impl World {
    fn new(size: (u16, u16)) -> Self {
        let story = |at: usize| {
            let kind = if at == CHAT { TaskKind::Instruct } else { TaskKind::Workflow };
            let mut story = Story::new("tale", &format!("tale {at}"), kind);
            story.run.id = RunId::new(u64::try_from(at).unwrap() + 1, [u8::try_from(at).unwrap() + 1; 10]);
            story
        };
        let mut world = Self {
            runs: (0..RUNS).map(story).collect(),
            interface: Interface::new("/home/ana".into(), at(400), FixedOffset::east_opt(0).unwrap()),
            on_its_way: VecDeque::new(),
            size,
            frame: String::new(),
            bare: String::new(),
            seen: FrameInfo::default(),
            asked: 0,
            had_marks: false,
        };
        // In every run something waits from the beginning, under the same numbers.
        for run in 0..CHAT {
            for (call, _) in CALLS.iter().enumerate() {
                for _ in 0..if call == 2 { 1 } else { 2 } {
                    world.happens(run, call, 0);
                }
            }
        }
        world.happens(CHAT, 0, 0);
        world.listed(0);
        world.on_its_way.push_back(Message::Tasks(Vec::new()));
        world.answered();
        world.draw();
        world
    }

    fn at(&self, run: RunId) -> usize {
        self.runs.iter().position(|story| story.run.id == run).unwrap()
    }

    fn then(&mut self, run: usize, event: Event) {
        let story = Story { run: self.runs[run].run.clone() }.then(event);
        self.on_its_way.push_back(Message::Run(Arc::new(story.run.clone())));
        self.runs[run] = story;
    }

    /// An event of a decision. What a person typed says what it is of as everything does.
    fn kept(&mut self, run: usize, event: Event) {
        match event {
            Event::VersionEdited { key, attempt, version, by, .. } => {
                let output = output_of(run, &key.to_string(), attempt, version);
                self.then(run, Event::VersionEdited { key, attempt, version, output, by });
            }
            Event::DocumentWritten { name, version, title, by, proposed, action, .. } => {
                let body = written(run, version);
                self.then(run, Event::DocumentWritten { name, version, title, body, by, proposed, action });
            }
            event => self.then(run, event),
        }
    }

    /// The steps of a workflow write its document, or give another text than the person's.
    fn writes(&mut self, run: usize) {
        let now = self.runs[run].run.clone();
        let version = now.documents.get(NOTES).map_or(1, document::Document::next_version);
        let (title, body) = (Untrusted::new(format!("tale {run}")), written(run, version));
        let events = document::given(&now, NOTES, &title, &body);
        for event in events {
            self.then(run, event);
        }
    }

    fn happens(&mut self, run: usize, call: usize, what: u8) {
        let run_is = Arc::new(self.runs[run].run.clone());
        if run == CHAT {
            let version = run_is.documents.get("result").map_or(0, |written| written.versions.len()) + 1;
            let (version, title) = (u32::try_from(version).unwrap(), Untrusted::new(format!("tale {run}")));
            let body = written(run, version);
            let (name, by) = ("result".to_owned(), Actor::Model);
            return self
                .then(run, Event::DocumentWritten { name, version, title, body, by, proposed: false, action: None });
        }
        if what % 8 == 7 {
            return self.writes(run);
        }
        let key: Key = CALLS[call].parse().unwrap();
        let (known, by) = (run_is.call(&key), Actor::named("bea@host"));
        let attempt = known.map_or(0, |known| known.attempts.len());
        let attempt = u32::try_from(attempt).unwrap();
        if CALLS[call] == "push" {
            let event = match known.and_then(|known| known.gate()) {
                Some(_) if what.is_multiple_of(3) => {
                    let (call, arguments, for_run) = (None, None, false);
                    Event::CallApproved { key, call, fingerprint: fingerprint(), arguments, for_run, by }
                }
                _ => {
                    self.asked += 1;
                    let argv = vec!["git".to_owned(), asked(run, self.asked)];
                    Event::GateOpened(approval(&key, argv))
                }
            };
            return self.then(run, event);
        }
        let output = |attempt, version| output_of(run, CALLS[call], attempt, version);
        let story = Story { run: (*run_is).clone() };
        let gate = known.and_then(|known| known.gate().cloned());
        match (known.map(|known| known.status), gate) {
            (Some(crate::core::call::CallStatus::Running), _) => {
                let done = story.finish(CALLS[call], attempt, (*output(attempt, 1)).clone());
                self.runs[run] = done;
                let review = Gate::of_review(key, attempt, 1, ReviewBody::default());
                self.then(run, Event::GateOpened(review));
            }
            (_, Some(gate)) if what.is_multiple_of(4) && gate.version > 0 => {
                let (attempt, version) = (gate.attempt, gate.version + 1);
                self.then(run, Event::VersionEdited { key, attempt, version, output: output(attempt, version), by });
            }
            (_, Some(gate)) if what % 4 == 1 => {
                let (attempt, version) = (gate.attempt, gate.version);
                self.then(run, Event::CallAccepted { key, attempt, version, by, overridden: vec![] });
            }
            (_, Some(gate)) => {
                let (attempt, instruction) = (gate.attempt, "shorter".to_owned());
                let scope = crate::core::event::InstructionScope::This;
                self.then(run, Event::AttemptRejected { key, attempt, instruction, scope, by });
            }
            (Some(crate::core::call::CallStatus::Accepted), None) if what.is_multiple_of(2) => {
                self.then(run, Event::CallStaled { key: key.clone(), fingerprint: fingerprint(), because: vec![] });
                let standing = known.and_then(|known| known.standing.clone()).unwrap();
                self.then(run, Event::GateOpened(stale(&key, standing.attempt, standing.version)));
            }
            _ => {
                self.runs[run] = story.start(CALLS[call], attempt + 1, None);
                let run = Arc::new(self.runs[run].run.clone());
                self.on_its_way.push_back(Message::Run(run));
            }
        }
    }

    fn rows(&self, order: u8) -> Vec<RunRow> {
        let row = |at: usize| {
            let run = &self.runs[at].run;
            let stands = crate::core::ports::Stands::of(run);
            let mut row = listed(&run.title, Status::Waiting, u32::try_from(stands.waiting).unwrap(), 0);
            (row.run, row.kind, row.snippet) = (run.id, run.kind, Untrusted::new(format!("r{at}.run.s{}.", run.seq)));
            row.updated_at = at_seconds(u64::from(order.rotate_left(u32::try_from(at).unwrap() * 3)));
            row
        };
        let mut rows: Vec<RunRow> = (0..RUNS).map(row).collect();
        rows.rotate_left(usize::from(order) % RUNS);
        rows
    }

    fn listed(&mut self, order: u8) {
        let rows = self.rows(order);
        self.on_its_way.push_back(Message::OpenRuns(rows));
    }

    fn waiting(&self) -> Message {
        let waits = |story: &&Story| story.run.gates() > 0;
        Message::Waiting(self.runs.iter().filter(waits).map(|story| Arc::new(story.run.clone())).collect())
    }

    /// All that is on its way arrives, and no frame is drawn; but what a typed search finds is where the person has gone,
    /// and is drawn as after a key.
    fn answered(&mut self) {
        while let Some(message) = self.on_its_way.pop_front() {
            let searched = self.interface.top().is_searching();
            let (orders, _) = UiModel::update(&mut self.interface, message);
            for order in orders {
                self.perform(order);
            }
            if searched && !self.interface.top().is_searching() {
                self.draw();
            }
        }
    }

    /// Does what is wanted; what comes of it is on its way.
    fn perform(&mut self, order: Order) {
        let Order::Backend(request) = order else { return };
        match request {
            Request::Open(ticket, Opening::Run(run)) => {
                let run = Arc::new(self.runs[self.at(run)].run.clone());
                let ready = Ready::Run(Box::new(Opened { run, task: None, drafts: vec![], asks: None }));
                self.on_its_way.push_back(Message::Ready(ticket, ready));
            }
            Request::Open(ticket, opening) => {
                let request = Box::new(Request::Open(ticket, opening));
                self.on_its_way.push_back(Message::NotDone { request, why: "not here".to_owned() });
            }
            Request::Errand(Errand::ListWaiting { .. }) => self.on_its_way.push_back(self.waiting()),
            Request::Errand(Errand::Search { ticket, query }) => {
                let rows = if query.offset == 0 { self.rows(0) } else { Vec::new() };
                self.on_its_way.push_back(Message::Rows { ticket, offset: query.offset, rows });
            }
            Request::Errand(Errand::Preview(run)) => {
                let run = Arc::new(self.runs[self.at(run)].run.clone());
                self.on_its_way.push_back(Message::Preview(run));
            }
            Request::Errand(Errand::Glance(asked)) => {
                let glance = |(run, _): &(RunId, _)| (*run, Glance::of(&self.runs[self.at(*run)].run, None, 0));
                self.on_its_way.push_back(Message::Glances(asked.iter().map(glance).collect()));
            }
            Request::Change(Change::Decide(run, decision, _)) => {
                let run = self.at(run);
                match decide(&self.runs[run].run, &decision, &"ana@host".into()) {
                    Ok(events) => events.into_iter().for_each(|event| self.kept(run, event)),
                    Err(why) => {
                        let request = Change::Decide(self.runs[run].run.id, decision, None);
                        let request = Box::new(Request::Change(request));
                        self.on_its_way.push_back(Message::NotDone { request, why: why.to_string() });
                    }
                }
            }
            Request::Change(Change::EditDocument { run, name, version, title, body, draft }) => {
                let at = self.at(run);
                match edit_document(&self.runs[at].run, &name, version, &title, &body, &"ana@host".into()) {
                    Ok(events) => events.into_iter().for_each(|event| self.kept(at, event)),
                    Err(why) => {
                        let request = Change::EditDocument { run, name, version, title, body, draft };
                        let request = Box::new(Request::Change(request));
                        self.on_its_way.push_back(Message::NotDone { request, why: why.to_string() });
                    }
                }
            }
            Request::Change(Change::Undo { run, seq }) => {
                let at = self.at(run);
                match undo(&self.runs[at].run, Some(seq), &[], |_| None, &"ana@host".into()) {
                    Ok(events) => events.into_iter().for_each(|event| self.then(at, event)),
                    Err(why) => {
                        let request = Box::new(Request::Change(Change::Undo { run, seq }));
                        self.on_its_way.push_back(Message::NotDone { request, why: why.to_string() });
                    }
                }
            }
            _ => {}
        }
    }

    fn draw(&mut self) {
        let interface = &self.interface;
        let (frame, seen) = frame(self.size, Depth::None, |canvas, area| interface.view(canvas, area));
        self.interface.set_last_frame(seen.clone());
        (self.frame, self.seen) = (frame, seen);
        // The document of a conversation is no box over it.
        if matches!(self.interface.situation().layer, Layer::None | Layer::Document) {
            self.bare = self.frame.clone();
            self.had_marks = self.interface.situation().marked;
            self.agrees();
        }
    }

    /// Presses a key and holds that what comes of it is about what was shown.
    fn press(&mut self, name: &str) {
        let before = self.seen.clone();
        let layered = self.interface.situation().layer != Layer::None;
        let (orders, _) = UiModel::update(&mut self.interface, Message::Key(key(name)));
        for order in &orders {
            self.is_about_what_was_shown(name, order, &before, layered);
        }
        for order in orders {
            self.perform(order);
        }
        self.draw();
    }
}

fn at_seconds(seconds: u64) -> chrono::DateTime<chrono::Utc> {
    at(i64::try_from(seconds).unwrap())
}

fn fingerprint() -> crate::core::fingerprint::Fingerprint {
    crate::tui::testing::fingerprint()
}

fn approval(key: &Key, argv: Vec<String>) -> Gate {
    let work = Arc::new(Work::Command(CommandWork { argv, ..CommandWork::default() }));
    let (bytes, fingerprint) = (fingerprint(), fingerprint());
    let body = GateBody::Approval(ApprovalBody {
        step: "push".to_owned(),
        work,
        bytes,
        fingerprint,
        behind: None,
        title: None,
        message: None,
    });
    Gate {
        workflow: None,
        call: None,
        key: key.clone(),
        attempt: 1,
        version: 0,
        body,
        allowed: vec![Answer::Approve, Answer::Deny],
    }
}

fn stale(key: &Key, attempt: u32, version: u32) -> Gate {
    let body =
        GateBody::Stale(StaleBody { because: vec![], had_effect: false, fingerprint: fingerprint(), document: None });
    Gate {
        workflow: None,
        call: None,
        key: key.clone(),
        attempt,
        version,
        body,
        allowed: vec![Answer::Again, Answer::Keep],
    }
}

/// Which of all approvals a gate is.
fn number(gate: &Gate) -> u32 {
    let shown = serde_json::to_string(gate).unwrap();
    let mark = marks(&shown).into_iter().find(|mark| mark.contains(".push.g")).unwrap();
    mark.rsplit('g').next().unwrap().trim_end_matches('.').parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_key_acts_on_what_is_on_screen_or_on_nothing(size in 0..SIZES.len(), moments in moments()) {
        let mut world = World::new(SIZES[size]);
        for moment in moments {
            match moment {
                Moment::Press(key) => world.press(KEYS[key]),
                Moment::Happens { run, call, what } => world.happens(run, call, what),
                Moment::Listed(order) => {
                    world.listed(order);
                    let waiting = world.waiting();
                    world.on_its_way.push_back(waiting);
                }
                Moment::Answered => world.answered(),
                Moment::Drawn => world.draw(),
            }
        }
    }
}
