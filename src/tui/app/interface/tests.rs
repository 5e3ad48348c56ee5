//! The whole interface, without a terminal: every screen and layer in worlds of its own, looked at and pressed.

mod ahead;
mod as_written;
mod drafts;
mod keys;
mod opening;
mod quiet;
mod shown;

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::*;
use crate::core::event::{Event, Measured};
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::form::Field;
use crate::core::gate::{
    Answer, ApprovalBody, BudgetBody, Gate, GateBody, GateKind, InDoubtBody, InputBody, ReviewBody, SecretBody,
    StaleBody, ToolsBody,
};
use crate::core::key::Key;
use crate::core::ports::RunRow;
use crate::core::settings::{Connection, Found};
use crate::core::task::{Body, Instruct, Kind as TaskKind, Task};
use crate::core::usage::{Budget, Usage};
use crate::core::work::{CommandWork, Work};
use crate::tui::commands::possible;
use crate::tui::effect::{Opening, Request};
use crate::tui::layers::Kind as Layered;
use crate::tui::message::{FormOf, Opened, Ready};
use crate::tui::screens::home::TaskRow;
use crate::tui::testing::{Story, at, frame, key, listed, tools};
use crate::tui::theme::Depth;

const SIZE: (u16, u16) = (100, 20);

fn look(interface: &mut Interface) -> String {
    let (picture, info) = frame(SIZE, Depth::Sixteen, |canvas, area| interface.view(canvas, area));
    interface.set_last_frame(info);
    picture
}

/// Takes a message as the runtime would, and draws.
fn tell(interface: &mut Interface, message: Message) -> Vec<Order> {
    let (orders, _) = UiModel::update(interface, message);
    look(interface);
    orders
}

/// What takes the screen does so, as if it had been asked for.
fn show(interface: &mut Interface, ready: Ready) {
    interface.open(Opening::Chat(String::new()), &mut Vec::new());
    let ticket = interface.ticket;
    tell(interface, Message::Ready(ticket, ready));
}

fn press(interface: &mut Interface, keys: &[&str]) {
    for name in keys {
        tell(interface, Message::Key(key(name)));
    }
}

fn task() -> Arc<Task> {
    let field = |name: &str| Field { name: name.into(), label: name.into(), ..Field::default() };
    Arc::new(Task {
        id: "poem".into(),
        name: "Write a poem".into(),
        icon: None,
        description: lines("Stanza"),
        tags: vec![],
        model: None,
        inputs: vec![field("topic"), field("mood")],
        actions: vec![],
        follow_ups: vec![],
        tools: crate::core::tool::DeclaredTools::default(),
        meta: None,
        body: Body::Instruct(Instruct::default()),
    })
}

fn home() -> Interface {
    let mut interface = Interface::new("/home/ana".into(), at(400), FixedOffset::east_opt(0).unwrap());
    look(&mut interface);
    let row = TaskRow {
        task: Some(task()),
        id: "poem".into(),
        name: "Write a poem".into(),
        kind: TaskKind::Workflow,
        source: "shipped".into(),
        trusted: true,
        errors: vec![],
        learned: vec![],
        runs: vec![],
        file: None,
        hides_shipped: false,
    };
    tell(&mut interface, Message::Tasks(vec![row]));
    tell(&mut interface, Message::OpenRuns(rows(2)));
    interface
}

fn rows(count: i64) -> Vec<RunRow> {
    let row = |n: i64| listed(&format!("run {n}"), Status::Waiting, 1, -n * 60);
    (0..count).map(row).collect()
}

/// Home with the selection in the middle and something to scroll.
fn home_in_the_middle() -> Interface {
    let mut interface = home();
    press(&mut interface, &["Down", "Down", "PgDn"]);
    interface
}

fn on(story: Story) -> Interface {
    let mut interface = home();
    let opened = Opened { run: Arc::new(story.run), task: None, drafts: vec![], asks: None };
    show(&mut interface, Ready::Run(Box::new(opened)));
    interface
}

/// A long text of which every screenful is different.
fn lines(text: &str) -> String {
    let lines: Vec<String> = (0..60).map(|n| format!("{text} {n}\n\n")).collect();
    lines.concat()
}

fn long() -> serde_json::Value {
    json!(lines("The lamps"))
}

fn poem() -> Story {
    Story::new("poem", "poem · the sea", TaskKind::Workflow)
        .start("divide", 1, None)
        .finish("divide", 1, json!([{"subject": "The tide", "lines": 4}, {"subject": "The storm", "lines": 6}]))
        .accept("divide", 1)
}

/// Two reviews, the first in its second attempt.
fn review() -> Story {
    poem()
        .start("write[0]", 1, None)
        .finish("write[0]", 1, json!("No."))
        .review("write[0]", 1, None)
        .then(Event::AttemptRejected {
            key: "write[0]".parse().unwrap(),
            attempt: 1,
            instruction: "rhyme".into(),
            scope: crate::core::event::InstructionScope::This,
            by: "ana@host".into(),
        })
        .start("write[0]", 2, None)
        .finish("write[0]", 2, long())
        .review("write[0]", 2, None)
        .start("write[1]", 1, None)
        .finish("write[1]", 1, json!("Second."))
        .review("write[1]", 1, None)
}

/// A review of an output that fails a check.
fn failing() -> Story {
    let review = ReviewBody { failed: vec!["there are three".to_owned()], ..ReviewBody::default() };
    let story = Story::new("poem", "poem", TaskKind::Workflow).start("divide", 1, None);
    let story = story.finish("divide", 1, json!("Two stanzas."));
    story.then(Event::GateOpened(Gate::of_review("divide".parse().unwrap(), 1, 1, review)))
}

/// A review in its third attempt, made from a long prompt.
fn many() -> Story {
    let mut story = Story::new("poem", "poem", TaskKind::Workflow);
    for attempt in 1..=3 {
        let text = json!(lines(&format!("Attempt {attempt}")));
        let message = crate::core::model::Message::new(crate::core::model::Role::User, lines("Write"));
        let prompt = crate::core::work::PromptWork { messages: vec![message], ..Default::default() };
        story = story
            .started("write", attempt, None, Work::Prompt(prompt))
            .finish("write", attempt, text)
            .review("write", attempt, None);
        if attempt < 3 {
            story = story.then(Event::AttemptRejected {
                key: "write".parse().unwrap(),
                attempt,
                instruction: "again".into(),
                scope: crate::core::event::InstructionScope::This,
                by: "ana@host".into(),
            });
        }
    }
    story
}

/// A poem whose first stanza failed.
fn failed(class: FailureClass) -> Story {
    let error = Failure::new(class, "openai did not answer");
    let key: Key = "write[0]".parse().unwrap();
    poem()
        .start("write[0]", 1, None)
        .then(Event::AttemptFailed {
            key: key.clone(),
            attempt: 1,
            error: error.clone(),
            partial: Untrusted::default(),
            retry_at: None,
            measured: crate::core::event::Measured::default(),
        })
        .then(Event::CallFailed {
            call: None,
            key: key.clone(),
            step: "write".into(),
            fingerprint: crate::tui::testing::fingerprint(),
            error: error.clone(),
            failed: Vec::new(),
            by: "engine".into(),
        })
        .then(Event::RunFailed { key: Some(key), error })
}

/// Seven reviews with the same output.
fn alike() -> Story {
    (0..7).fold(Story::new("check", "check", TaskKind::Workflow), |story, n| {
        let key = format!("look[{n}]");
        story.start(&key, 1, Some(json!(format!("file {n}")))).finish(&key, 1, json!("Nothing.")).review(&key, 1, None)
    })
}

fn structured() -> Story {
    let value = json!([{"subject": "The tide", "lines": 4}, {"subject": "The storm", "lines": 6}]);
    Story::new("poem", "p", TaskKind::Workflow)
        .start("divide", 1, None)
        .finish("divide", 1, value)
        .review("divide", 1, None)
}

fn gate(kind: GateKind, allowed: Vec<Answer>) -> Story {
    let fingerprint = Fingerprint::of_bytes(b"push");
    let body = match kind {
        GateKind::Review => GateBody::Review(ReviewBody::default()),
        GateKind::Approval => {
            let command = CommandWork { argv: vec!["git".into(), "push".into()], ..CommandWork::default() };
            let (step, work) = ("push".to_owned(), Work::Command(command).into());
            GateBody::Approval(ApprovalBody {
                step,
                work,
                bytes: fingerprint.clone(),
                fingerprint,
                behind: None,
                title: None,
                message: None,
            })
        }
        GateKind::Input => {
            let room = Field { name: "room".to_owned(), label: "Room".to_owned(), ..Field::default() };
            GateBody::Input(InputBody::Form { text: None, fields: vec![room] })
        }
        GateKind::InDoubt => {
            let why = "It began, and its end is not known.".to_owned();
            GateBody::InDoubt(InDoubtBody { why, partial: "".into() })
        }
        GateKind::Stale => {
            GateBody::Stale(StaleBody { because: Vec::new(), had_effect: false, fingerprint, document: None })
        }
        GateKind::Budget => {
            let (spent, budget, next) = (Usage::default(), Budget::default(), Usage::default());
            GateBody::Budget(BudgetBody { spent, budget, next, fingerprint: None })
        }
        GateKind::Tools => GateBody::Tools(ToolsBody { before: Vec::new(), after: Vec::new(), fingerprint }),
        GateKind::Secret => GateBody::Secret(SecretBody { name: "token".to_owned(), fingerprint: None }),
    };
    let gate = Gate { call: None, key: "push".parse().unwrap(), workflow: None, attempt: 1, version: 0, body, allowed };
    poem().start("push", 1, None).then(Event::GateOpened(gate))
}

/// A conversation with a model that thinks.
fn thoughts() -> Story {
    let key: Key = "reply#0".parse().unwrap();
    let measured = Measured { thinking: "Hm.".into(), ..Measured::default() };
    let output = Arc::new(json!({"turn": "say", "text": "Because."}));
    Story::new("ask", "Ask", TaskKind::Instruct)
        .start("reply#0", 1, None)
        .then(Event::AttemptFinished { key, attempt: 1, output, problem: None, measured })
        .accept("reply#0", 1)
}

/// The same, with a second answer that failed.
fn failed_chat() -> Interface {
    let error = Failure::new(FailureClass::Auth, "box answered 401");
    let failed = Event::AttemptFailed {
        key: "reply#1".parse().unwrap(),
        attempt: 1,
        error: error.clone(),
        partial: lines("As far as").into(),
        retry_at: None,
        measured: Measured::default(),
    };
    let story = thoughts()
        .then(Event::MessageAdded { text: "and?".into(), by: "ana@host".into() })
        .start("reply#1", 1, None)
        .then(failed)
        .then(Event::RunFailed { key: "reply#1".parse().ok(), error });
    on(story)
}

fn chat(documents: u32) -> Interface {
    let mut story = Story::new("email", "Write an email", TaskKind::Instruct)
        .then(Event::MessageAdded { text: lines("hello"), by: "ana@host".into() })
        .start("reply#0", 1, None)
        .finish("reply#0", 1, json!({"turn": "ask", "text": "When?", "missing": ["time"]}))
        .accept("reply#0", 1)
        .then(Event::GateOpened(Gate {
            call: None,
            key: "reply#0".parse().unwrap(),
            workflow: None,
            attempt: 1,
            version: 1,
            body: GateBody::Input(InputBody::Message {
                text: "When?".into(),
                missing: vec!["time".into()],
                known: Vec::new(),
            }),
            allowed: vec![Answer::Answer],
        }));
    for version in 1..=documents {
        story = story.then(Event::DocumentWritten {
            name: "result".into(),
            version,
            title: "T".into(),
            body: lines(&format!("version {version}")).into(),
            by: "model".into(),
            proposed: false,
            action: None,
        });
    }
    on(story)
}

fn done() -> Story {
    let completed = Event::RunCompleted { title: "The sea".into(), body: lines("The lamps").into() };
    poem().then(completed)
}

/// The same, with a version of the result by the person.
fn edited_result() -> Story {
    let written = |version, body: &str, by: &str| {
        let (name, title, body) = ("result".to_owned(), "The sea".into(), lines(body).into());
        Event::DocumentWritten { name, version, title, body, by: by.into(), proposed: false, action: None }
    };
    done().then(written(1, "The lamps", "model")).then(written(2, "My lamps", "ana@host"))
}

fn history() -> Interface {
    let mut interface = home();
    let orders = tell(&mut interface, Message::Key(key("^f")));
    let ticket = orders.iter().find_map(|order| match order {
        Order::Backend(Request::Errand(Errand::Search { ticket, .. })) => Some(*ticket),
        _ => None,
    });
    tell(&mut interface, Message::Rows { ticket: ticket.unwrap(), offset: 0, rows: rows(60) });
    press(&mut interface, &["Down", "^t", "Down", "PgDn"]);
    interface
}

/// The preview of the history, in the middle of what it shows.
fn preview_of_the_history() -> Interface {
    let mut interface = history();
    let orders = tell(&mut interface, Message::Key(key("l")));
    ahead::found(&mut interface, &orders, rows(60));
    look(&mut interface);
    let selected = interface.top().listed().unwrap().run;
    let mut shown = done().run;
    shown.id = selected;
    tell(&mut interface, Message::Preview(Arc::new(shown)));
    press(&mut interface, &["Tab", "Tab", "n", "n", "PgDn"]);
    interface
}

fn preview_with_versions() -> Interface {
    let mut interface = history();
    let selected = interface.top().listed().unwrap().run;
    let mut shown = edited_result().run;
    shown.id = selected;
    tell(&mut interface, Message::Preview(Arc::new(shown)));
    press(&mut interface, &["Tab", "Tab", "Left"]);
    interface
}

fn inbox(story: Story) -> Interface {
    let mut interface = home();
    press(&mut interface, &["^n"]);
    tell(&mut interface, Message::Waiting(vec![Arc::new(story.run)]));
    interface
}

fn form() -> Interface {
    let mut interface = home();
    let last = Some(json!({"topic": "the sea"}));
    let form = FormOf { task: task(), given: json!({}), last, cost: None, draft: None, from: None };
    show(&mut interface, Ready::Form(Box::new(form)));
    press(&mut interface, &["x", "Tab", "y"]);
    interface
}

fn connect() -> Interface {
    let mut interface = home();
    show(&mut interface, Ready::Above(Box::new(Kind::Choose(Choose::new("x", vec![])).into())));
    press(&mut interface, &["Esc"]);
    let mut out = Vec::new();
    interface.follow(Effect::Go(Go::Connect), &mut out);
    let found = |model: &str| Found {
        connection: Connection { provider: "ollama".into(), model: model.into(), ..Connection::default() },
        why: "it answers".into(),
    };
    tell(&mut interface, Message::Found((0..40).map(|n| found(&format!("m{n}"))).collect()));
    press(&mut interface, &["PgDn"]);
    interface
}

/// After some keys.
fn then(mut interface: Interface, keys: &[&str]) -> Interface {
    press(&mut interface, keys);
    interface
}

type World = (&'static str, Box<dyn Fn() -> Interface>);

fn worlds() -> Vec<World> {
    use Answer::{Again, Approve, Budget, Deny, Keep, Skip};
    let world = |name, make: fn() -> Interface| -> World { (name, Box::new(make)) };
    vec![
        world("home", home),
        world("home in the middle", home_in_the_middle),
        world("home that searches", || then(home(), &["p", "o"])),
        world("form", form),
        world("review", || on(review())),
        world("review scrolled", || then(on(review()), &["Tab", "PgDn", "PgDn"])),
        world("marked", || then(on(review()), &["Space", "Up", "Up"])),
        world("review edited", || then(on(review()), &["e", "x"])),
        world("fields", || then(on(structured()), &["e", "Down", "Down"])),
        world("fields, second item", || then(on(structured()), &["e", "Down", "Down", "Down", "Down"])),
        world("field value", || then(on(structured()), &["e", "Down", "Down", "Enter", "x"])),
        world("retry", || then(on(review()), &["r", "x"])),
        world("retry of others", || then(on(review().start("write[2]", 1, None)), &["r", "x", "Down"])),
        world("retry of others, ticked", || then(on(review()), &["r", "x", "Down", "Space", "Up"])),
        world("failed", || on(failed(FailureClass::Server))),
        world("failed for lack of a key", || on(failed(FailureClass::Auth))),
        world("a key is asked for", || then(on(failed(FailureClass::Auth)), &["i", "k"])),
        world("another model", || {
            let mut interface = on(review());
            let known = [("careful".to_owned(), "openai/gpt-5".to_owned())];
            let choose = crate::tui::layers::picks::models(
                review().run.id,
                TaskKind::Workflow,
                &"write[0]".parse().unwrap(),
                &known,
            );
            show(&mut interface, Ready::Above(Box::new(Layered::Choose(choose).into())));
            interface
        }),
        world("alike", || on(alike())),
        world("compare", || then(on(many()), &["d", "PgDn"])),
        world("compare the first", || then(on(many()), &["d", "Left"])),
        world("compared with the first", || then(on(many()), &["d", "["])),
        world("prompt from its beginning", || then(on(many()), &["p"])),
        world("prompt", || then(on(many()), &["p", "PgDn"])),
        world("inbox, long", || then(inbox(many()), &["PgDn"])),
        world("chat scrolled", || then(chat(0), &["PgUp", "PgUp"])),
        world("reopened", || then(on(done()), &["Up"])),
        world("filter", || then(on(review()), &["/", "w"])),
        world("running", || on(poem().start("write[0]", 1, None))),
        world("accepted", || then(on(review()), &["Up"])),
        world("paused", || on(review().then(Event::RunPaused { reason: PauseReason::ByYou }))),
        world("done", || on(done())),
        world("write to", || then(on(done()), &["w"])),
        world("approval", || on(gate(GateKind::Approval, vec![Approve, Deny]))),
        world("tool calls", || on(tools::waiting())),
        world("tool calls, gone through", || {
            then(on(tools::waiting()), &["c", "Enter", "Up", "Enter", "Up", "Enter", "Up", "Enter", "Down"])
        }),
        world("arguments", || then(on(tools::waiting()), &["e", "Down"])),
        world("inbox, tool call", || inbox(tools::waiting())),
        world("input", || on(gate(GateKind::Input, vec![Answer::Answer]))),
        world("secret", || on(gate(GateKind::Secret, vec![Answer::Answer]))),
        world("in doubt", || on(gate(GateKind::InDoubt, vec![Again, Answer::Answer, Skip]))),
        world("stale", || on(gate(GateKind::Stale, vec![Again, Keep]))),
        world("budget", || on(gate(GateKind::Budget, vec![Budget]))),
        world("confirm", || then(on(failing()), &["a"])),
        world("matches", || then(on(review()), &["Tab", "/", "l", "a", "m", "p", "s", "Enter", "PgDn", "PgDn"])),
        world("an earlier attempt", || then(on(review()), &["Left"])),
        world("an earlier version of the result", || then(on(edited_result()), &["Left"])),
        world("the prompt over the inbox", || then(inbox(many()), &["p", "PgDn"])),
        world("chat", || chat(0)),
        world("chat with thoughts", || on(thoughts())),
        world("chat that failed", failed_chat),
        world("chat with a document", || then(chat(3), &["h", "i"])),
        world("document", || then(chat(3), &["Tab", "Left", "PgDn"])),
        world("document, as it counts", || then(chat(3), &["Tab"])),
        world("document that is searched", || then(chat(3), &["Tab", "/", "v", "e", "r", "Enter", "PgDn"])),
        world("history", history),
        world("filters of the history", || then(history(), &["Tab", "Right", "Down"])),
        world("filters of the history, the first turned", || then(history(), &["Tab", "Right", "Down", "Right"])),
        world("preview of the history", preview_of_the_history),
        world("preview with versions", preview_with_versions),
        world("home on a run", || then(home(), &["Up"])),
        world("inbox", || inbox(review())),
        world("inbox, approval", || inbox(gate(GateKind::Approval, vec![Approve, Deny]))),
        world("inbox, in doubt", || inbox(gate(GateKind::InDoubt, vec![Again, Answer::Answer, Skip]))),
        world("inbox, stale", || inbox(gate(GateKind::Stale, vec![Again, Keep]))),
        world("inbox, budget", || inbox(gate(GateKind::Budget, vec![Budget]))),
        world("inbox, input", || inbox(gate(GateKind::Input, vec![Answer::Answer]))),
        world("inbox read", || then(inbox(review()), &["Down", "Tab", "PgDn"])),
        world("connect", connect),
        world("palette", || then(home_in_the_middle(), &["F2", "Down"])),
        world("help", || then(on(review()), &["?", "Down"])),
        world("rename", || then(history(), &["^r"])),
    ]
}

/// The worlds that are worth a look at every size: each screen and each layer.
const LOOKED_AT: [&str; 41] = [
    "home in the middle",
    "home that searches",
    "form",
    "review",
    "marked",
    "alike",
    "review edited",
    "fields",
    "tool calls, gone through",
    "inbox, tool call",
    "field value",
    "retry of others, ticked",
    "compare",
    "prompt",
    "filter",
    "running",
    "paused",
    "done",
    "write to",
    "approval",
    "input",
    "secret",
    "in doubt",
    "stale",
    "budget",
    "confirm",
    "matches",
    "an earlier attempt",
    "failed for lack of a key",
    "a key is asked for",
    "another model",
    "chat with a document",
    "document",
    "history",
    "filters of the history",
    "preview of the history",
    "inbox",
    "connect",
    "palette",
    "help",
    "rename",
];

#[test]
fn every_screen_and_layer_at_three_sizes_coloured_and_not() {
    let worlds: BTreeMap<&str, _> = worlds().into_iter().collect();
    for name in LOOKED_AT {
        let mut pictures = Vec::new();
        for (size, depth) in [((120, 40), Depth::None), ((80, 24), Depth::Sixteen), ((40, 12), Depth::None)] {
            let mut interface = worlds[name]();
            tell(&mut interface, Message::Resize(size.0, size.1));
            let (picture, _) = frame(size, depth, |canvas, area| interface.view(canvas, area));
            pictures.push(picture);
        }
        let file = name.replace([' ', ','], "_");
        insta::assert_snapshot!(file, pictures.join("\n\n"));
    }
}
