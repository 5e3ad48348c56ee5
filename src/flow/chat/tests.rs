use std::path::PathBuf;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::decide;
use crate::core::event::{Created, InstructionScope, Measured, Started};
use crate::core::form::{Field, FieldType};
use crate::core::id::RunId;
use crate::core::model::{Finish, Message, Role};
use crate::core::task::{Action, Delivery, Kind, Need};

mod frame;
mod long;

fn field(name: &str, kind: FieldType) -> Field {
    Field { name: name.into(), kind, ..Field::default() }
}

fn email() -> Task {
    Task {
        id: "email".into(),
        name: "Write an email".into(),
        icon: None,
        description: String::new(),
        tags: Vec::new(),
        model: Some("careful".into()),
        inputs: vec![
            field("about", FieldType::Multiline),
            Field { label: "Who is it for?".into(), ..field("recipient", FieldType::Text) },
            field("tone", FieldType::Choice),
            field("thread", FieldType::File),
        ],
        actions: vec![Action {
            id: "shorter".into(),
            name: "Shorter".into(),
            instruction: " Half as long. ".into(),
            ..Action::default()
        }],
        follow_ups: Vec::new(),
        tools: crate::core::tool::DeclaredTools::default(),
        meta: None,
        body: Body::Instruct(Instruct {
            instruction: "You write emails, {{ inputs.tone }} ones.".into(),
            needs: ["recipient", "day"].map(|name| Need { name: name.into(), description: "…".into() }).into(),
            result: Some(Delivery { title: "the subject".into(), body: "the message".into(), ..Delivery::default() }),
            ..Instruct::default()
        }),
    }
}

fn plain() -> Task {
    let instruct = Instruct { instruction: "You are helpful.".into(), ..Instruct::default() };
    Task { body: Body::Instruct(instruct), ..email() }
}

/// A run and the engine's part in it, without an engine: every event goes to the fold and to a live session, and
/// after each one a session that is opened anew must want the same.
struct World {
    flow: Chat,
    run: Run,
    session: Box<dyn Session>,
    wants: Wants,
}

impl World {
    fn start(task: Task, inputs: Value) -> Self {
        let created = Created {
            task: task.id.clone(),
            kind: Kind::Instruct,
            title: "Write an email: x".into(),
            by: "ana@host".into(),
            cwd: PathBuf::from("/"),
            inputs: Arc::new(inputs),
            definition: Fingerprint::of_bytes(b"x"),
            nonce: "n".into(),
            date: None,
            session: None,
            state: Value::Null,
            earlier_runs: Vec::new(),
            learned: Vec::new(),
            model: None,
            budget: None,
            origin: None,
        };
        let run = Run::new(RunId::new(1, [0; 10]), DateTime::<Utc>::default(), &created);
        let flow = Chat::new(Arc::new(Pinned { task, children: std::collections::BTreeMap::new(), folder: None }));
        let mut session = flow.open(&run);
        let wants = session.feed(&[]);
        Self { flow, run, session, wants }
    }

    fn add(&mut self, event: Event) {
        self.run.apply(self.run.seq + 1, DateTime::<Utc>::default(), &event);
        self.wants = self.session.feed(&[event]);
        let anew = self.flow.open(&self.run).feed(&[]);
        assert_eq!(self.wants, anew, "a session that is opened again wants something else");
    }

    fn begin(&mut self) -> Key {
        let want = Arc::clone(&self.wants.calls[0]);
        self.add(Event::AttemptStarted(Started {
            key: want.key.clone(),
            workflow: None,
            step: want.step.clone(),
            attempt: self.run.call(&want.key).map_or(1, Call::next_attempt),
            fingerprint: want.fingerprint.clone(),
            by: "model".into(),
            work: Some(Arc::clone(&want.work)),
            item: None,
            depends: want.depends.clone(),
            on_crash: want.on_crash.unwrap_or(OnCrash::Ask),
        }));
        want.key.clone()
    }

    fn attempt(&self, key: &Key) -> u32 {
        self.run.call(key).unwrap().newest().unwrap().number
    }

    fn finish(&mut self, key: &Key, turn: &Turn) {
        let (attempt, output) = (self.attempt(key), Arc::new(serde_json::to_value(turn).unwrap()));
        let measured = Measured::default();
        self.add(Event::AttemptFinished { key: key.clone(), attempt, output, problem: None, measured });
    }

    fn take_notes(&mut self) {
        while !self.wants.notes.is_empty() {
            for note in self.wants.notes.clone() {
                self.run.apply(self.run.seq + 1, DateTime::<Utc>::default(), &note);
                self.wants = self.session.feed(&[note]);
            }
        }
    }

    /// A whole reply: asked for, given, its consequences kept.
    fn answers(&mut self, turn: &Turn) -> Key {
        let key = self.begin();
        self.finish(&key, turn);
        self.take_notes();
        key
    }

    fn says(&mut self, text: &str) {
        for event in decide::message(&self.run, text, &"ana@host".into()).unwrap() {
            self.add(event);
        }
    }

    fn edits(&mut self, body: &str) {
        let (version, title) = self.run.documents[RESULT].current().map(|(n, v)| (n, v.title.clone())).unwrap();
        for event in decide::edit_document(&self.run, RESULT, version, title.data(), body, &"ana@host".into()).unwrap()
        {
            self.add(event);
        }
    }

    fn stops(&mut self, key: &Key, partial: &str, again: bool) {
        self.add(Event::AttemptCancelled {
            key: key.clone(),
            attempt: self.attempt(key),
            partial: partial.into(),
            again,
            by: "ana@host".into(),
            measured: Measured::default(),
        });
    }

    fn completes(&mut self) -> (String, String) {
        let Some(End::Completed { title, body, .. }) = self.wants.end.clone() else { panic!("{:?}", self.wants) };
        let texts = (title.data().to_owned(), body.data().to_owned());
        self.add(Event::RunCompleted { title, body });
        texts
    }

    fn messages(&self) -> Vec<Message> {
        match self.wants.calls[0].work.as_ref() {
            Work::Prompt(prompt) => prompt.messages.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn ask(missing: &[&str]) -> Turn {
    Turn::Ask { text: "What else?".into(), missing: missing.iter().map(|name| (*name).to_owned()).collect() }
}

fn deliver(body: &str) -> Turn {
    Turn::Deliver { title: "Subject".into(), body: body.into(), text: "".into() }
}

#[test]
fn it_asks_for_what_is_missing_then_delivers_and_then_takes_further_turns() {
    let mut world = World::start(email(), json!({ "about": "The meeting moved.", "tone": "kind" }));
    let first = world.answers(&ask(&["day"]));
    assert_eq!(first.to_string(), "reply#0");
    let gate = world.run.waiting().next().unwrap().clone();
    let (text, missing, known) = ("What else?".into(), vec!["day".into()], vec!["recipient".into()]);
    assert_eq!(gate.body, GateBody::Input(InputBody::Message { text, missing, known }));
    assert_eq!(world.wants, Wants::default());

    world.says("Friday");
    assert_eq!(world.run.gates(), 0);
    assert_eq!(world.answers(&deliver("See you Friday.")).to_string(), "reply#1");
    assert_eq!(world.completes(), ("Subject".into(), "See you Friday.".into()));

    world.edits("See you on Friday!");
    assert_eq!(world.run.result.as_ref().unwrap().body.data(), "See you on Friday!");
    let task = email();
    world.says(&task.message_of(&task.actions[0], &world.run.inputs).unwrap().unwrap());
    let said = world.messages();
    let roles: Vec<Role> = said.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User, Role::Assistant, Role::User]);
    assert_eq!(said[1].text, "The meeting moved.");
    assert!(said[2].text.contains("\"kind\":\"ask\""), "{}", said[2].text);
    assert!(said[5].text.contains("See you on Friday!") && said[5].text.ends_with("Half as long."), "{}", said[5].text);
    world.answers(&deliver("Friday."));
    assert_eq!(world.completes().1, "Friday.");
    let bodies: Vec<_> = world.run.documents[RESULT].versions.iter().map(|v| (v.by.as_str(), v.body.data())).collect();
    assert_eq!(bodies, [("model", "See you Friday."), ("ana@host", "See you on Friday!"), ("model", "Friday.")]);
}

#[test]
fn the_model_is_told_nothing_of_an_edit_that_was_taken_back() {
    let mut world = World::start(email(), json!({ "about": "The meeting moved.", "tone": "kind" }));
    world.answers(&deliver("See you Friday."));
    world.completes();
    world.edits("Not on Friday");
    for event in decide::undo(&world.run, None, &[], |_| None, &"ana@host".into()).unwrap() {
        world.add(event);
    }
    assert_eq!(world.run.result.as_ref().unwrap().body.data(), "See you Friday.");
    world.says("shorter");
    let said: String = world.messages().into_iter().map(|message| message.text).collect();
    assert!(said.contains("See you Friday.") && !said.contains("Not on Friday"), "{said}");
}

#[test]
fn the_request_says_every_input_once_and_quotes_files_whole() {
    let thread = json!({ "path": "/t.md", "name": "t.md", "text": "```\ncode\n```\n" });
    let inputs = json!({ "about": "Say no.", "recipient": "Ana", "tone": "kind", "thread": thread });
    let world = World::start(email(), inputs);
    let said = world.messages();
    assert!(said[0].text.starts_with("You write emails, kind ones.\n\n"), "{}", said[0].text);
    assert!(said[0].text.contains("- day: …"));
    assert_eq!(said[1].text, "Say no.\n\nWho is it for? Ana\n\nthread: t.md\n\n````\n```\ncode\n```\n````");
    let Work::Prompt(prompt) = world.wants.calls[0].work.as_ref() else { panic!() };
    assert_eq!((prompt.models.as_slice(), prompt.reply), (["careful".to_owned()].as_slice(), Reply::Turn));
    assert_eq!(prompt.schema, Some(turn::schema_of(&needs(), false, None)));
}

fn needs() -> Vec<Need> {
    ["recipient", "day"].map(|name| Need { name: name.into(), description: "…".into() }).into()
}

fn schema(world: &World) -> Option<Value> {
    let Work::Prompt(prompt) = world.wants.calls[0].work.as_ref() else { panic!() };
    prompt.schema.clone()
}

#[test]
fn who_has_it_written_anyway_is_not_asked_again() {
    let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
    world.answers(&ask(&["day"]));
    world.says("Friday");
    assert_eq!(schema(&world), Some(turn::schema_of(&needs(), false, None)));
    world.answers(&ask(&["recipient"]));
    world.says(turn::WRITE_IT_ANYWAY);
    assert_eq!(schema(&world), Some(turn::schema_of(&needs(), true, None)));
    world.answers(&deliver("Dear all"));
    world.completes();
    world.says("shorter");
    assert_eq!(schema(&world), Some(turn::schema_of(&needs(), false, None)), "it was said of that reply");
}

#[test]
fn a_person_writes_the_document_before_the_model_does() {
    let by = "ana@host".into();
    let text = json!("# Moved\n\nSee you Friday.");
    // The model asked, failed, or was stopped.
    for course in 0..3 {
        let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
        let key = if course == 0 { world.answers(&ask(&["day"])) } else { world.begin() };
        match course {
            0 => {}
            1 => {
                let (partial, measured) = ("".into(), Measured::default());
                let error = Failure::new(FailureClass::Auth, "no key");
                world.add(Event::AttemptFailed {
                    key: key.clone(),
                    attempt: 1,
                    error,
                    partial,
                    retry_at: None,
                    measured,
                });
            }
            _ => {
                world.stops(&key, "Dear", false);
                world.take_notes();
            }
        }
        let decision =
            |accept| decide::Decision::new(key.clone(), decide::DecisionKind::Edit { output: text.clone(), accept });
        let mut waits = World {
            session: world.flow.open(&world.run),
            run: world.run.clone(),
            wants: world.wants.clone(),
            flow: world.flow.clone(),
        };
        for event in decide::decide(&waits.run, &decision(false), &by).unwrap() {
            waits.add(event);
        }
        assert_eq!(waits.run.documents[RESULT].versions.len(), 1, "{course}");
        assert_eq!(waits.run.gates(), world.run.gates(), "what waited waits: {course}");
        for event in decide::decide(&world.run, &decision(true), &by).unwrap() {
            world.add(event);
        }
        world.take_notes();
        assert_eq!(world.completes(), ("Moved".into(), "See you Friday.".into()), "{course}");
        world.says("shorter");
        assert!(world.messages().last().unwrap().text.contains("I wrote the document by hand"), "{course}");
        world.answers(&deliver("Friday."));
        assert_eq!(world.completes().1, "Friday.");
    }
}

#[test]
fn a_document_that_replaces_an_answer_needs_no_other() {
    let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
    world.answers(&ask(&["day"]));
    world.says("Friday");
    let key = world.begin();
    let (partial, measured) = ("".into(), Measured::default());
    let error = Failure::new(FailureClass::Server, "broken");
    world.add(Event::AttemptFailed { key: key.clone(), attempt: 1, error, partial, retry_at: None, measured });
    for event in decide::write_document(&world.run, &json!({"body": "Mine."}), true, &"ana@host".into()).unwrap() {
        world.add(event);
    }
    assert_eq!(world.completes(), ("Write an email: x".into(), "Mine.".into()));
}

#[test]
fn a_plain_chat_has_no_document_to_write() {
    let mut world = World::start(plain(), json!({ "about": "x", "tone": "" }));
    world.answers(&Turn::Say { text: "y".into() });
    world.completes();
    for text in [json!("Mine."), json!(" "), json!({"title": "x"})] {
        assert!(decide::write_document(&world.run, &text, true, &"ana@host".into()).is_err(), "{text}");
    }
}

#[test]
fn a_plain_chat_is_done_after_each_answer_and_goes_on_with_the_next_message() {
    let mut world = World::start(plain(), json!({ "about": "Why is the sky blue?", "tone": "" }));
    let Work::Prompt(prompt) = world.wants.calls[0].work.as_ref() else { panic!() };
    assert_eq!((prompt.schema.clone(), prompt.messages[0].text.as_str()), (None, "You are helpful."));
    world.answers(&Turn::Say { text: "Rayleigh.".into() });
    assert_eq!(world.completes(), ("Write an email: x".into(), "Rayleigh.".into()));
    world.says("And red at dusk?");
    assert_eq!(world.messages().last().unwrap().text, "And red at dusk?");
    world.answers(&Turn::Say { text: "A longer way.".into() });
    assert_eq!(world.completes().1, "A longer way.");
    assert!(world.run.documents.is_empty());
}

#[test]
fn a_stopped_reply_waits_and_the_model_is_told_how_far_it_came() {
    let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
    let key = world.begin();
    world.stops(&key, "Dear An", false);
    world.take_notes();
    let gate = world.run.waiting().next().unwrap();
    assert_eq!(gate.allowed, [Answer::Answer, Answer::Again]);

    let mut again = World { session: world.flow.open(&world.run), ..world };
    again.says("In French, please");
    let said = again.messages();
    assert!(said[2].text.starts_with("Dear An"), "{}", said[2].text);
    assert_eq!(said[3].text, "In French, please");
    assert_eq!(again.answers(&deliver("Chère Ana")).to_string(), "reply#0");
    assert_eq!(again.completes().1, "Chère Ana");
}

#[test]
fn a_stopped_reply_can_be_asked_for_again_as_it_was() {
    let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
    let before = world.wants.clone();
    let key = world.begin();
    world.stops(&key, "Dear An", false);
    world.take_notes();
    world.add(Event::CallRequested { call: None, key, by: "ana@host".into() });
    assert_eq!(world.wants, before);
}

#[test]
fn a_failed_reply_fails_the_run_until_it_is_asked_for_again() {
    let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
    let key = world.begin();
    let error = Failure::new(FailureClass::Auth, "no key");
    let partial = crate::core::text::Untrusted::default();
    let measured = Measured::default();
    let failed =
        Event::AttemptFailed { key: key.clone(), attempt: 1, error: error.clone(), partial, retry_at: None, measured };
    world.add(failed);
    assert_eq!(world.wants, fails(Some(key.clone()), error.clone()));
    world.add(Event::RunFailed { key: Some(key.clone()), error });
    world.add(Event::CallRequested { call: None, key, by: "ana@host".into() });
    assert_eq!(world.wants.calls.len(), 1);
}

#[test]
fn an_instruction_that_names_nothing_known_fails_before_any_call() {
    let mut task = email();
    task.body = Body::Instruct(Instruct { instruction: "Hi {{ inputs.nobody }}".into(), ..Instruct::default() });
    let world = World::start(task, json!({}));
    let Some(End::Failed { failure, .. }) = &world.wants.end else { panic!("{:?}", world.wants) };
    assert_eq!(failure.class, FailureClass::Definition);
    assert!(failure.message.contains("line 1"), "{failure}");
}

#[test]
fn a_reply_that_is_taken_up_again_is_asked_for_where_it_stood_and_writes_a_version() {
    let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
    let first = world.answers(&deliver("one"));
    world.completes();
    world.says("and?");
    world.answers(&deliver("two"));
    world.completes();
    for event in decide::decide(
        &world.run,
        &decide::Decision::new(first.clone(), decide::DecisionKind::Reopen),
        &"ana@host".into(),
    )
    .unwrap()
    {
        world.add(event);
    }
    let (attempt, scope, by) = (1, InstructionScope::This, "ana@host".into());
    world.add(Event::AttemptRejected { key: first.clone(), attempt, instruction: "kinder".into(), scope, by });
    assert_eq!(world.messages().len(), 2, "{:?}", world.messages());
    assert_eq!(world.answers(&deliver("one, kinder")), first);
    assert_eq!(world.completes().1, "one, kinder");
    assert_eq!(world.run.documents[RESULT].versions.len(), 3);
}

proptest! {
    /// Whatever happens in a conversation, and wherever the process dies, a session that is opened again wants the
    /// same (checked in `World::add`), and the conversation is never stuck.
    #[test]
    fn no_course_of_events_gets_a_conversation_stuck(is_plain in any::<bool>(), moves in prop::collection::vec((0u8..12, any::<bool>()), 1..40)) {
        let task = if is_plain { plain() } else { email() };
        let mut world = World::start(task, json!({ "about": "x", "tone": "" }));
        for (step, (what, coin)) in moves.into_iter().enumerate() {
            if let Some(note) = world.wants.notes.first().cloned() {
                // The process may die between two notes, so each is fed alone.
                world.add(note);
                continue;
            }
            let running = world.run.calls.values().find(|call| call.status == CallStatus::Running).map(|call| call.key.clone());
            let key = world.run.calls.keys().nth(usize::from(what) % world.run.calls.len().max(1)).cloned();
            if let Some(key) = running {
                match what {
                    0 if !is_plain => world.finish(&key, &ask(&["day"])),
                    1 => world.stops(&key, if coin { "so far" } else { "" }, false),
                    2 => world.stops(&key, "", true),
                    3 => {
                        let retry_at = coin.then(DateTime::<Utc>::default);
                        let attempt = world.attempt(&key);
                        let error = Failure::new(FailureClass::Server, "broken");
                        let (partial, measured) = ("".into(), Measured::default());
                        world.add(Event::AttemptFailed { key, attempt, error, partial, retry_at, measured });
                    }
                    4 if !is_plain && world.run.documents.contains_key(RESULT) => world.edits(&format!("edit {step}")),
                    _ if is_plain => world.finish(&key, &Turn::Say { text: format!("say {step}").into() }),
                    _ => world.finish(&key, &deliver(&format!("body {step}"))),
                }
                continue;
            }
            match (what, key) {
                (0..=2, _) => world.says(&format!("message {step}")),
                (3, _) if !is_plain && world.run.documents.contains_key(RESULT) => world.edits(&format!("edit {step}")),
                (4, Some(key)) => {
                    let what = if coin { decide::DecisionKind::Again { model: None } } else { decide::DecisionKind::Reopen };
                    let decision = decide::Decision::new(key, what);
                    for event in decide::decide(&world.run, &decision, &"ana@host".into()).unwrap_or_default() {
                        world.add(event);
                    }
                }
                (5, Some(key)) => {
                    let what = if coin { decide::DecisionKind::Skip } else { decide::DecisionKind::Accept };
                    let decision = decide::Decision::new(key, what);
                    for event in decide::decide(&world.run, &decision, &"ana@host".into()).unwrap_or_default() {
                        world.add(event);
                    }
                }
                _ if !world.wants.calls.is_empty() => {
                    prop_assert_eq!(world.messages().last().unwrap().role, Role::User);
                    world.begin();
                }
                _ => match world.wants.end.clone() {
                    Some(End::Completed { title, body, .. }) => world.add(Event::RunCompleted { title, body }),
                    Some(End::Failed { key, failure }) => world.add(Event::RunFailed { key, error: failure }),
                    None => {}
                },
            }
            let wants = &world.wants;
            let goes_on = !wants.notes.is_empty() || !wants.calls.is_empty() || wants.end.is_some() || world.run.gates() > 0;
            prop_assert!(goes_on, "stuck: {:?}\n{:?}", world.run.said, world.run.calls);
        }
    }

    /// Every delivery that counts is a version of the document, once.
    #[test]
    fn every_delivery_becomes_one_version(turns in prop::collection::vec(any::<bool>(), 1..12)) {
        let mut world = World::start(email(), json!({ "about": "x", "tone": "" }));
        let mut deliveries = Vec::new();
        for (at, delivers) in turns.into_iter().enumerate() {
            if delivers {
                deliveries.push(format!("body {at}"));
                world.answers(&deliver(&format!("body {at}")));
                world.completes();
            } else {
                world.answers(&ask(&[]));
            }
            world.says("go on");
        }
        let written = world.run.documents.get(RESULT).map_or(Vec::new(), |document| {
            document.versions.iter().map(|version| version.body.data().to_owned()).collect()
        });
        prop_assert_eq!(written, deliveries);
    }
}

/// A reply that the limit of tokens cut, or that came to nothing.
fn finish_badly(world: &mut World, turn: &Turn, finish: Finish, problem: Option<&str>) -> Key {
    let key = world.begin();
    let (attempt, output) = (world.attempt(&key), Arc::new(serde_json::to_value(turn).unwrap()));
    let measured = Measured { finish: Some(finish), ..Measured::default() };
    let problem = problem.map(str::to_owned);
    world.add(Event::AttemptFinished { key: key.clone(), attempt, output, problem, measured });
    world.take_notes();
    key
}

fn delivered(body: &str) -> Turn {
    Turn::Deliver { title: "Hello".into(), body: body.into(), text: "".into() }
}

#[test]
fn a_cut_or_empty_answer_is_no_finished_document_and_the_person_says_how_to_continue() {
    for (finish, problem) in [(Finish::Length, None), (Finish::Stop, Some("the model answered with nothing"))] {
        let mut world = World::start(email(), json!({ "about": "x", "tone": "kind" }));
        finish_badly(&mut world, &delivered("Dear A"), finish, problem);
        assert!(world.wants.end.is_none() && world.run.documents.is_empty(), "{:?}", world.run.documents);
        let gate = world.run.waiting().next().unwrap().clone();
        assert!(gate.allows(Answer::Again) && gate.allows(Answer::Answer));
        world.says("go on");
        world.answers(&delivered("Dear Ana, all of it"));
        assert_eq!(world.run.documents["result"].current().unwrap().1.body.data(), "Dear Ana, all of it");
        assert!(world.wants.end.is_some());
    }
}

#[test]
fn what_comes_of_a_cut_answer_is_the_definition_s_to_say() {
    let task = |on_cut| {
        let Body::Instruct(instruct) = email().body else { panic!("an instruct task") };
        Task { body: Body::Instruct(Instruct { on_cut: Some(on_cut), ..instruct }), ..email() }
    };
    let mut world = World::start(task(OnCut::Accept), json!({ "about": "x", "tone": "kind" }));
    finish_badly(&mut world, &delivered("Dear A"), Finish::Length, None);
    assert!(matches!(world.wants.end, Some(End::Completed { .. })), "{:?}", world.wants);
    let mut world = World::start(task(OnCut::Fail), json!({ "about": "x", "tone": "kind" }));
    let key = finish_badly(&mut world, &delivered("Dear A"), Finish::Length, None);
    let Some(End::Failed { failure, .. }) = &world.wants.end else { panic!("{:?}", world.wants) };
    assert_eq!(failure.class, FailureClass::TooLong);
    assert_eq!(world.run.call(&key).unwrap().newest().unwrap().versions.len(), 1, "its text is kept");
    let world = World::start(task(OnCut::Continue), json!({ "about": "x", "tone": "kind" }));
    assert!(matches!(&*world.wants.calls[0].work, Work::Prompt(prompt) if prompt.continues));
}

#[test]
fn an_instruction_sees_the_day_on_which_the_run_was_started() {
    let instruct = Instruct { instruction: "Today is {{ run.date }}.".into(), ..Instruct::default() };
    let world =
        World::start(Task { body: Body::Instruct(instruct), ..email() }, json!({ "about": "x", "tone": "kind" }));
    let Work::Prompt(prompt) = &*world.wants.calls[0].work else { panic!("a prompt") };
    assert!(prompt.messages[0].text.starts_with("Today is 1970-01-01."), "{}", prompt.messages[0].text);
}
