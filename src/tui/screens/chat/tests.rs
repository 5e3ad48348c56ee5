//! A conversation as a person has it.

mod documents;
mod tool_calls;

use serde_json::json;

use super::*;
use crate::core::event::{Event, Measured};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Answer, Gate, GateBody, InputBody};
use crate::core::task::{Delivery, Instruct, Kind};
use crate::core::text::Untrusted;
use crate::tui::commands;
use crate::tui::testing::{SIZES, Story, at, frame, key, tools};
use crate::tui::theme::Depth;

fn said(story: Story, text: &str) -> Story {
    story.then(Event::MessageAdded { text: text.into(), by: "ana@host".into() })
}

fn written(story: Story, version: u32, body: &str, by: &str) -> Story {
    let (name, title) = ("result".into(), "The meeting moved".into());
    story.then(Event::DocumentWritten {
        name,
        version,
        title,
        body: body.into(),
        by: by.into(),
        proposed: false,
        action: None,
    })
}

fn asks() -> Story {
    let story =
        said(Story::new("email", "Write an email · Ana", Kind::Instruct), "tell Ana the meeting moved to Friday");
    let reply = json!({"turn": "ask", "text": "At what **time**, and in which room?", "missing": ["time", "room"]});
    story.start("reply#0", 1, None).finish("reply#0", 1, reply).accept("reply#0", 1).then(Event::GateOpened(Gate {
        call: None,
        key: "reply#0".parse().unwrap(),
        workflow: None,
        attempt: 1,
        version: 1,
        body: GateBody::Input(InputBody::Message {
            text: "At what **time**, and in which room?".into(),
            missing: vec!["time".into(), "room".into()],
            known: vec!["recipient".into()],
        }),
        allowed: vec![Answer::Answer],
    }))
}

fn delivered() -> Story {
    let story = said(asks(), "ten o'clock, room 2").start("reply#1", 1, None);
    let reply = json!({"turn": "deliver", "title": "The meeting moved", "body": "x", "text": "Here it is."});
    let story = story.finish("reply#1", 1, reply).accept("reply#1", 1);
    let story =
        written(story, 1, "Dear Ana,\n\nthe meeting moved to Friday, ten o'clock, room 2.\n\nBest\nBo", "model");
    written(story, 2, "Dear Ana,\n\nwe meet on Friday at ten, in room 2.\n\nBest\nBo", "ana@host")
}

fn open(story: Story) -> ChatScreen {
    let mut screen = ChatScreen::new(Arc::new(story.run), None);
    look(&mut screen, (80, 24));
    screen
}

/// A task that delivers a document.
fn letter() -> Arc<Task> {
    let result = Some(Delivery { title: "the subject".into(), body: "the letter".into(), ..Delivery::default() });
    let body = Body::Instruct(Instruct { result, ..Instruct::default() });
    Arc::new(Task { body, ..Task::clone(&ask()) })
}

/// A plain chat.
fn ask() -> Arc<Task> {
    Arc::new(Task {
        id: "ask".into(),
        name: "Ask".into(),
        icon: None,
        description: String::new(),
        tags: Vec::new(),
        model: None,
        inputs: Vec::new(),
        actions: Vec::new(),
        follow_ups: Vec::new(),
        tools: crate::core::tool::DeclaredTools::default(),
        meta: None,
        body: Body::Instruct(Instruct::default()),
    })
}

fn open_with(story: &Story, task: Option<Arc<Task>>) -> ChatScreen {
    let mut screen = ChatScreen::new(Arc::new(story.run.clone()), task);
    look(&mut screen, (80, 24));
    screen
}

fn look(screen: &mut ChatScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| screen.view(canvas, area));
    screen.set_last_frame(info);
    picture
}

fn press(screen: &mut ChatScreen, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        effects.extend(screen.update(Message::Key(key(name))).0);
        look(screen, (80, 24));
    }
    effects
}

#[test]
fn a_question_shows_what_is_known_and_what_is_missing() {
    insta::assert_snapshot!(look(&mut open(asks()), (80, 24)));
}

#[test]
fn a_document_stands_beside_the_conversation() {
    for size in SIZES {
        insta::assert_snapshot!(format!("document_{}x{}", size.0, size.1), look(&mut open(delivered()), size));
    }
    for size in [(1, 1), (12, 8), (300, 8), (13, 60)] {
        look(&mut open(delivered()), size);
    }
}

#[test]
fn enter_sends_and_a_paste_does_not() {
    let mut screen = open(asks());
    assert_eq!(screen.update(Message::Paste("at ten\n".into())).0, []);
    press(&mut screen, &["^j", "x"]);
    let run = screen.run.id;
    let forgets = Effect::Change(Change::KeepDraft { run, name: MESSAGE.to_owned(), text: None });
    assert_eq!(press(&mut screen, &["Enter"]), [Effect::Change(Change::Message(run, "at ten\n\nx".into())), forgets]);
    assert!(screen.input.is_empty());
}

#[test]
fn versions_are_browsed_and_restored() {
    let mut screen = open(delivered());
    press(&mut screen, &["Tab", "Left"]);
    assert!(look(&mut screen, (80, 24)).contains("version 1 of 2 (model)"));
    let effects = press(&mut screen, &["a"]);
    assert!(
        matches!(&effects[..], [Effect::Change(Change::EditDocument { version: 2, body, .. })] if body.contains("ten o'clock")),
        "{effects:?}"
    );
}

#[test]
fn a_version_that_comes_is_shown_although_an_earlier_one_was_looked_at() {
    let mut screen = open(delivered());
    press(&mut screen, &["Tab", "Left"]);
    assert!(look(&mut screen, (80, 24)).contains("version 1 of 2 (model)"));
    let run = written(delivered(), 3, "Dear Ana, Friday at ten.", "model").run;
    screen.update(Message::Run(Arc::new(run)));
    let shown = look(&mut screen, (80, 24));
    assert!(shown.contains("version 3 of 3") && shown.contains("Friday at ten."), "{shown}");
}

#[test]
fn an_edit_that_could_not_be_kept_comes_back_into_an_editor_that_is_open_again_already() {
    let mut screen = open(delivered());
    let run = screen.run.id;
    press(&mut screen, &["Tab", "e", "!", "^s", "e"]);
    let name = "document 2".to_owned();
    screen.update(Message::Draft { run, name: name.clone(), text: "My own words.".to_owned() });
    assert!(screen.unsaved().iter().any(|unsaved| unsaved.text.as_deref() == Some("My own words.")));
    press(&mut screen, &["?"]);
    screen.update(Message::Draft { run, name, text: "My own words.".to_owned() });
    let kept = screen.unsaved().pop().unwrap().text.unwrap();
    assert_eq!(kept, "?My own words.", "nothing replaces what is being typed");
}

#[test]
fn the_document_is_edited_in_place() {
    let mut screen = open(delivered());
    press(&mut screen, &["Tab", "e", "!"]);
    let effects = press(&mut screen, &["^s"]);
    assert!(
        matches!(&effects[..], [Effect::Change(Change::EditDocument { version: 2, body, .. }), Effect::Change(Change::KeepDraft { text: None, .. })] if body.starts_with("!Dear"))
    );
}

#[test]
fn while_it_answers_the_text_streams_esc_stops_it_and_what_is_typed_is_kept() {
    let story = said(delivered(), "shorter, please").start("reply#2", 1, None);
    let mut screen = open(story);
    let (run, key) = (screen.run.id, "reply#2".parse::<Key>().unwrap());
    let delta = Delta::Text(Untrusted::from("Of course: *shorter*"));
    screen.update(Message::Delta { run, key: key.clone(), attempt: 1, delta });
    assert!(look(&mut screen, (80, 24)).contains("Of course: shorter"));
    assert_eq!(press(&mut screen, &["o", "k", "Enter"]), []);
    assert_eq!(screen.input.text(), "ok");
    assert_eq!(press(&mut screen, &["Esc"]), [Effect::Change(Change::Stop { run, key, again: None })]);
}

#[test]
fn a_workflow_is_started_with_the_document() {
    let mut screen = open(delivered());
    screen.update(Message::Paste("/run translate".into()));
    let effects = press(&mut screen, &["Enter"]);
    assert!(
        matches!(&effects[..], [Effect::Open(Opening::RunWith { task, text, .. })] if task == "translate" && text.data().starts_with("Dear Ana"))
    );
}

/// A reply that failed, with what had arrived of it, and the run with it.
fn failed(class: FailureClass, message: &str, partial: &str) -> Story {
    let error = Failure::new(class, message);
    let story = said(delivered(), "shorter, please").start("reply#2", 1, None);
    story.then(broken("reply#2", &error, partial, None)).then(Event::RunFailed { key: "reply#2".parse().ok(), error })
}

fn broken(key: &str, error: &Failure, partial: &str, retry_at: Option<i64>) -> Event {
    Event::AttemptFailed {
        key: key.parse().unwrap(),
        attempt: 1,
        error: error.clone(),
        partial: partial.into(),
        retry_at: retry_at.map(at),
        measured: Measured::default(),
    }
}

#[test]
fn a_failed_answer_says_why_shows_what_had_arrived_and_what_can_be_done() {
    let story = failed(FailureClass::Network, "box closed the connection unexpectedly", "Dear Ana, at *ten*");
    for size in SIZES {
        insta::assert_snapshot!(
            format!("failed_{}x{}", size.0, size.1),
            look(&mut open_with(&story, Some(letter())), size)
        );
    }
    // It is there again whenever the conversation is opened, and a message answers it as well.
    let mut screen = open_with(&story, Some(letter()));
    let run = screen.run.id;
    assert_eq!(press(&mut screen, &["^r"]), [Effect::Change(Change::GoOn(run))]);
    let text = look(&mut screen, (80, 24));
    assert!(text.contains("failed ✗") && !text.contains("saved"), "{text}");
    press(&mut screen, &["o", "k"]);
    assert!(
        matches!(&press(&mut screen, &["Enter"])[..], [Effect::Change(Change::Message(_, text)), _] if text == "ok")
    );
}

#[test]
fn what_is_offered_is_what_works() {
    for class in FailureClass::ALL {
        let screen = open_with(&failed(class, "no", ""), Some(letter()));
        let panel = screen.notice.as_ref().unwrap().text.raw().data().to_owned();
        let offered = |id: Id| commands::key_in(id, &screen.situation());
        for id in [Id::Again, Id::OtherModel, Id::GiveKey] {
            let key = offered(id).map(|key| format!("**{key}**"));
            let named = key.is_some_and(|key| panel.contains(&key));
            assert_eq!(named, id != Id::GiveKey || class == FailureClass::Auth, "{id:?} {class}: {panel}");
        }
    }
    let mut screen = open_with(&failed(FailureClass::Auth, "401", ""), Some(letter()));
    let asked = screen.give(Id::GiveKey);
    assert!(matches!(&asked[..], [Effect::Go(Go::Above(_))]), "{asked:?}");
}

#[test]
fn another_model_answers_what_failed_at_once_and_else_what_follows() {
    let pick = |screen: &mut ChatScreen| {
        let (run, key) = (screen.run.id, notice::newest(&screen.run).unwrap().key.clone());
        screen.update(Message::Model { run, key, model: "big/m".into() }).0
    };
    let effects = pick(&mut open_with(&failed(FailureClass::Server, "500", ""), Some(letter())));
    let again = DecisionKind::Again { model: Some("big/m".into()) };
    assert!(
        matches!(&effects[..], [Effect::Change(Change::Decide(_, decision, _))] if decision.kind == again),
        "{effects:?}"
    );
    let effects = pick(&mut open(delivered()));
    assert!(
        matches!(&effects[..], [Effect::Change(Change::ChooseModel { model, .. })] if model == "big/m"),
        "{effects:?}"
    );
}

#[test]
fn an_answer_that_is_tried_again_by_itself_says_so() {
    let error = Failure::new(FailureClass::Server, "box answered 500");
    let story = said(delivered(), "shorter, please").start("reply#2", 1, None);
    let mut screen = open(story.then(broken("reply#2", &error, "", Some(9_000))));
    let text = look(&mut screen, (120, 40));
    assert!(text.contains("failed, trying again") && text.contains("box answered 500"), "{text}");
    assert!(!text.contains("Ctrl-R"), "it needs nobody: {text}");
}

/// A delivery that the limit of tokens cut: the conversation has its title, and the notice the rest.
fn cut() -> Story {
    let story = said(Story::new("email", "Write an email", Kind::Instruct), "tell Ana").start("reply#0", 1, None);
    let reply = json!({"turn": "deliver", "title": "The meeting", "body": "Dear Ana,\n\nthe mee"});
    let text = "the limit of tokens cut the answer, and its end is missing. Say how to continue, or try again.";
    story.finish("reply#0", 1, reply).accept("reply#0", 1).then(Event::GateOpened(Gate {
        call: None,
        key: "reply#0".parse().unwrap(),
        workflow: None,
        attempt: 1,
        version: 1,
        body: GateBody::Input(InputBody::Message { text: text.into(), missing: vec![], known: vec![] }),
        allowed: vec![Answer::Answer, Answer::Again],
    }))
}

#[test]
fn a_cut_answer_asks_how_to_continue_and_shows_as_far_as_it_came() {
    let mut screen = open_with(&cut(), Some(letter()));
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    let effects = press(&mut screen, &["^r"]);
    let [Effect::Change(Change::Decide(_, decision, _))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((&decision.kind, decision.attempt), (&DecisionKind::Again { model: None }, Some(1)));
}

#[test]
fn the_person_writes_the_document_before_there_is_one_from_what_had_arrived() {
    let mut screen = open_with(&cut(), Some(letter()));
    press(&mut screen, &["Tab"]);
    assert!(look(&mut screen, (120, 40)).contains("e writes it yourself"));
    press(&mut screen, &["e"]);
    assert!(look(&mut screen, (80, 24)).contains("the mee"));
    let effects = press(&mut screen, &["!", "Alt-Enter"]);
    let [Effect::Change(Change::WriteDocument(_, decision)), Effect::Change(Change::KeepDraft { text: None, .. })] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    let DecisionKind::Edit { output, accept } = &decision.kind else { panic!("{decision:?}") };
    assert!(*accept && output.as_str().unwrap().starts_with("!Dear Ana"), "{output}");
    // Ctrl-S keeps it and leaves the question open; what failed is left out by it in any case.
    let accepts = |story: &Story| {
        let mut screen = open_with(story, Some(letter()));
        let effects = press(&mut screen, &["Tab", "e", "x", "^s"]);
        match &effects[..] {
            [Effect::Change(Change::WriteDocument(_, Decision { kind: DecisionKind::Edit { accept, .. }, .. })), _] => {
                *accept
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(!accepts(&asks()));
    let error = Failure::new(FailureClass::Auth, "401");
    let story = said(Story::new("email", "Write an email", Kind::Instruct), "tell Ana").start("reply#0", 1, None);
    let story =
        story.then(broken("reply#0", &error, "", None)).then(Event::RunFailed { key: "reply#0".parse().ok(), error });
    assert!(accepts(&story));
    // A plain chat has no document to write.
    let mut plain = open_with(&story, Some(ask()));
    press(&mut plain, &["Tab", "e"]);
    assert_eq!(plain.input.text().trim(), "e");
}

#[test]
fn thoughts_are_folded_until_a_key_shows_them() {
    let thinking = "Hm, **let** me see.";
    let story = said(Story::new("ask", "Ask", Kind::Instruct), "why?").start("reply#0", 1, None);
    let measured = Measured { thinking: thinking.into(), ..Measured::default() };
    let output = Arc::new(json!({"turn": "say", "text": "Because."}));
    let key: Key = "reply#0".parse().unwrap();
    let story = story.then(Event::AttemptFinished { key, attempt: 1, output, problem: None, measured });
    let mut screen = open_with(&story, Some(ask()));
    let folded = look(&mut screen, (80, 24));
    assert!(folded.contains("▸ its thoughts (4 words): Alt-T") && !folded.contains("let"), "{folded}");
    screen.give(Id::Thoughts);
    let shown = look(&mut screen, (80, 24));
    assert!(
        shown.contains("▾ its thoughts") && shown.contains("Hm, **let** me see.") && shown.contains("Because."),
        "{shown}"
    );
    assert!(!holds(Id::Thoughts, &open(delivered()).situation()), "where there are none, no key shows them");
}

#[test]
fn up_brings_back_what_was_said_and_down_leads_out_again() {
    let mut screen = open(said(delivered(), "shorter, please"));
    press(&mut screen, &["Up"]);
    assert_eq!(screen.input.text(), "shorter, please");
    press(&mut screen, &["Up", "Up", "Up"]);
    assert_eq!(screen.input.text(), "the sea", "the first is what the conversation began with");
    press(&mut screen, &["Down", "Down", "Down", "Down"]);
    assert!(screen.input.is_empty());
    // What was begun stays, and so does what was changed.
    press(&mut screen, &["x", "Up"]);
    assert_eq!(screen.input.text(), "x");
    press(&mut screen, &["Backspace", "Up", "!", "Up"]);
    assert_eq!(screen.input.text(), "shorter, please!");
}

#[test]
fn the_message_is_taken_to_the_editor_and_comes_back() {
    let mut screen = open(asks());
    press(&mut screen, &["h", "i"]);
    let effects = press(&mut screen, &["^g"]);
    assert!(
        matches!(&effects[..], [Effect::Terminal(Terminal::OpenEditor { purpose: Purpose::Layer, text, .. })] if text == "hi"),
        "{effects:?}"
    );
    screen.update(Message::Edited(Purpose::Layer, Some("hi there\n".into())));
    assert_eq!(screen.input.text(), "hi there\n");
}

#[test]
fn an_earlier_version_is_edited_compared_and_written_as_it_is_shown() {
    let mut screen = open(delivered());
    let effects = press(&mut screen, &["Tab", "Left", "e", "!", "^s"]);
    let [Effect::Change(Change::EditDocument { version, body, .. }), _] = &effects[..] else { panic!("{effects:?}") };
    assert!(body.starts_with("!Dear Ana,\n\nthe meeting moved"), "{body}");
    assert_eq!(*version, 2, "it comes after the version that counts");
    let mut screen = open(delivered());
    for (keys, title) in
        [(["Tab", "d"], "version 1 (model) → version 2 (mine)"), (["Left", "d"], "version 1 (model) → ")]
    {
        let effects = press(&mut screen, &keys);
        let [Effect::Go(Go::Above(above))] = &effects[..] else { panic!("{effects:?}") };
        let (picture, _) = frame((100, 24), Depth::None, |canvas, area| above.view(canvas, area));
        assert!(picture.contains(title), "{picture}");
    }
    let effects = press(&mut screen, &["w"]);
    let [Effect::Go(Go::Above(above))] = &effects[..] else { panic!("{effects:?}") };
    let written = above.as_ref().clone().update(Message::Key(key("Enter"))).effects;
    let [Effect::Errand(crate::tui::effect::Errand::WriteFile { path, text })] = &written[..] else {
        panic!("{written:?}")
    };
    assert!(path == "email.md" && text.data().contains("ten o'clock"), "{path}: {text:?}");
}

#[test]
fn a_document_is_searched_and_has_the_whole_screen() {
    let mut screen = open(delivered());
    press(&mut screen, &["Tab", "/", "f", "r", "i", "d", "a", "y"]);
    assert!(look(&mut screen, (80, 24)).contains("Search the text"));
    press(&mut screen, &["Enter"]);
    assert!(look(&mut screen, (80, 24)).contains("1 of 1"));
    assert_eq!(press(&mut screen, &["n", "a", "c"]), [], "no key decides while matches have the keys");
    press(&mut screen, &["Esc"]);
    assert_eq!(screen.situation().layer, Layer::Document);
    press(&mut screen, &["z"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("we meet on Friday") && !picture.contains("Conversation"), "{picture}");
    press(&mut screen, &["Esc"]);
    assert!(look(&mut screen, (80, 24)).contains("Conversation"));
    assert_eq!(screen.situation().layer, Layer::Document);
}

#[test]
fn an_answer_is_named_with_the_model_that_gave_it() {
    let reply = |n: u32| json!({"turn": "ask", "text": format!("Answer {n}.")});
    let mut story = Story::new("ask", "Ask", Kind::Instruct);
    for (n, model) in [(0, "demo/recorded"), (1, "server/fake-1"), (2, "server/qwen3:8b")] {
        let key = format!("reply#{n}");
        story = said(story, "And?").start(&key, 1, None).finish_by(&key, 1, reply(n), model).accept(&key, 1);
    }
    let mut screen = open(story);
    let picture = look(&mut screen, (120, 40));
    let speaks_above = |answer: &str| {
        let lines: Vec<&str> = picture.lines().collect();
        let at = lines.iter().position(|line| line.contains(answer)).unwrap();
        lines[at - 1].to_owned()
    };
    assert!(speaks_above("Answer 0.").contains("demo"), "{picture}");
    assert!(speaks_above("Answer 1.").contains("fake-1"), "{picture}");
    assert!(speaks_above("Answer 2.").contains("qwen3:8b"), "{picture}");
    // While an answer is under way, the model that is asked for it.
    let story = said(Story { run: screen.run.as_ref().clone() }, "And?").start("reply#3", 1, None);
    let mut screen = open(story);
    let (run, key) = (screen.run.id, "reply#3".parse().unwrap());
    screen.update(Message::Delta { run, key, attempt: 1, delta: Delta::Asks("server/smollm2".into()) });
    let picture = look(&mut screen, (120, 40));
    assert!(picture.lines().next().unwrap().contains("server/smollm2"), "{picture}");
}

#[test]
fn an_answer_that_is_a_document_and_nothing_else_leaves_a_turn() {
    let story = said(delivered(), "shorter").start("reply#2", 1, None);
    let reply = json!({"turn": "deliver", "title": "", "body": "Friday, ten."});
    let mut screen = open(story.finish("reply#2", 1, reply.clone()).accept("reply#2", 1));
    let story = said(delivered(), "shorter").start("reply#2", 1, None).finish("reply#2", 1, reply);
    let story = written(story.accept("reply#2", 1), 3, "Friday, ten.", "model");
    screen.update(Message::Run(Arc::new(story.run)));
    let picture = look(&mut screen, (120, 40));
    assert!(picture.contains("gpt-5-mini · wrote version 3"), "{picture}");
    // One that also says something says both, also when the version came a moment later.
    assert!(picture.contains("gpt-5-mini · wrote version 1") && picture.contains("Here it is."), "{picture}");
    // A version by hand is nobody's answer.
    assert!(!picture.contains("wrote version 2"), "{picture}");
}

#[test]
fn an_answer_that_was_stopped_says_so_wherever_it_is_in_the_conversation() {
    let story = said(Story::new("ask", "Ask", Kind::Instruct), "why?").start("reply#0", 1, None);
    let story = story.then(Event::AttemptCancelled {
        key: "reply#0".parse().unwrap(),
        attempt: 1,
        partial: "Because".into(),
        again: false,
        by: "ana@host".into(),
        measured: Measured::default(),
    });
    let picture = look(&mut open_with(&said(story, "go on"), Some(ask())), (80, 24));
    assert!(picture.contains("model · stopped"), "{picture}");
}

#[test]
fn while_a_slow_model_reads_its_name_a_clock_and_a_sign_of_life_are_shown() {
    let story = said(Story::new("ask", "Ask", Kind::Instruct), "why?").start("reply#0", 1, None);
    let began = story.run.updated_at;
    let mut screen = open_with(&story, Some(ask()));
    screen.answers("box/slow:135m");
    assert!(screen.ticks(), "the clock goes on");
    for (seconds, shown) in [(0, "answering… 0:00"), (12, "answering… 0:12"), (75, "answering… 1:15")] {
        screen.update(Message::Tick(began + chrono::TimeDelta::seconds(seconds)));
        let picture = look(&mut screen, (80, 24));
        assert!(picture.contains(shown) && picture.contains("waiting for the first words…"), "{picture}");
        assert!(picture.contains("box/slow:135m"), "{picture}");
    }
    let (run, key) = (screen.run.id, "reply#0".parse::<Key>().unwrap());
    screen.update(Message::Delta { run, key, attempt: 1, delta: Delta::Text("Because".into()) });
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("Because") && !picture.contains("waiting for the first"), "{picture}");
    assert!(picture.contains("box/slow:135m") && picture.contains("answering…"), "{picture}");
    // One that is asked by name is named, and what an earlier answer has used stays.
    let more = said(delivered(), "shorter").start("reply#2", 1, None);
    let picture = look(&mut open(more), (120, 40));
    assert!(picture.contains("344 tok"), "{picture}");
    let done = story.finish("reply#0", 1, json!({"turn": "say", "text": "Because."})).accept("reply#0", 1);
    assert!(!open_with(&done, Some(ask())).ticks(), "nothing is drawn while nothing happens");
}

#[test]
fn the_way_to_the_document_is_offered_once_there_is_one() {
    let offers = |screen: &ChatScreen| commands::hints(&screen.situation()).iter().any(|hint| hint.id == Id::Document);
    let mut screen = open_with(&asks(), Some(letter()));
    assert!(!offers(&screen));
    press(&mut screen, &["Tab"]);
    assert_eq!(screen.situation().layer, Layer::Document, "who wants to write it gets there all the same");
    assert!(offers(&open_with(&delivered(), Some(letter()))));
}
