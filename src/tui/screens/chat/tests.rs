//! A conversation as a person has it.

use serde_json::json;

use super::*;
use crate::core::event::Event;
use crate::core::gate::{Answer, Gate, GateBody, InputBody};
use crate::core::task::Kind;
use crate::core::text::Untrusted;
use crate::tui::testing::{SIZES, Story, frame, key};
use crate::tui::theme::Depth;

fn said(story: Story, text: &str) -> Story {
    story.then(Event::MessageAdded { text: text.into(), by: "ana@host".into() })
}

fn written(story: Story, version: u32, body: &str, by: &str) -> Story {
    let (name, title) = ("result".into(), "The meeting moved".into());
    story.then(Event::DocumentWritten { name, version, title, body: body.into(), by: by.into() })
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
        matches!(&effects[..], [Effect::Open(Opening::RunWith { task, text })] if task == "translate" && text.data().starts_with("Dear Ana"))
    );
}
