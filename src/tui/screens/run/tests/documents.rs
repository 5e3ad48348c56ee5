//! The result and other documents: their versions, and the question about one that was edited.

use super::*;
use crate::core::document;
use crate::core::text::Untrusted;
use crate::tui::situation::{Behind, Selected};

fn written(name: &str, version: u32, body: &str, by: &str, proposed: bool) -> Event {
    let (name, title, body) = (name.to_owned(), "The sea".into(), body.into());
    Event::DocumentWritten { name, version, title, body, by: by.into(), proposed, action: None }
}

/// A finished poem whose result the person has edited.
fn edited() -> Story {
    poem()
        .accept("write[1]", 2)
        .then(written("result", 1, STANZA, "model", false))
        .then(Event::RunCompleted { title: "The sea".into(), body: STANZA.into() })
        .then(written("result", 2, "My own lamps", "ana@host", false))
}

/// The same, after a step gave another text.
fn stale() -> Story {
    let story = edited().then(Event::CallReopened { key: "divide".parse().unwrap(), by: "ana@host".into() });
    let story = story.accept("divide", 1);
    let (title, body) = (Untrusted::from("The sea"), Untrusted::from("The lamps are out"));
    let events = document::given(&story.run, "result", &title, &body);
    events.into_iter().fold(story, Story::then).then(Event::RunWaiting {})
}

/// Notes beside the result, edited by the person.
fn with_notes() -> Story {
    edited().then(written("notes", 1, "Old", "model", false)).then(written("notes", 2, "Mine", "ana@host", false))
}

fn changes(effects: &[Effect]) -> Vec<&Change> {
    effects.iter().filter_map(|effect| if let Effect::Change(change) = effect { Some(change) } else { None }).collect()
}

fn edit_of(effects: &[Effect]) -> (&str, u32, &str) {
    match changes(effects)[..] {
        [Change::EditDocument { name, version, body, .. }, ..] => (name, *version, body),
        _ => panic!("no edit of a document: {effects:?}"),
    }
}

#[test]
fn an_edited_result_whose_steps_give_another_text_waits_and_is_chosen_after_it_was_compared() {
    for size in SIZES {
        let mut screen = open(stale());
        let picture = look(&mut screen, size);
        if size.0 > 60 {
            assert!(picture.contains("Its steps give another text now (divide changed)"), "{picture}");
        }
        insta::assert_snapshot!(format!("stale_result_{}x{}", size.0, size.1), picture);
    }
    let mut screen = open(stale());
    assert_eq!(screen.situation().selected, Selected::Gate(crate::core::gate::GateKind::Stale));
    press(&mut screen, &["d"]);
    let compared = look(&mut screen, (80, 24));
    assert!(compared.contains("version 2 (mine) → version 3 (model)"), "{compared}");
    for (key, kind) in [("K", DecisionKind::Keep), ("r", DecisionKind::Again { model: None })] {
        let mut screen = open(stale());
        let effects = press(&mut screen, &[key]);
        let [decision] = decided(&effects)[..] else { panic!("one decision: {effects:?}") };
        assert_eq!((decision.document.as_deref(), decision.version, &decision.kind), (Some("result"), Some(3), &kind));
    }
}

#[test]
fn what_the_steps_give_is_read_before_it_is_taken_and_taking_it_is_the_answer() {
    let mut screen = open(stale());
    press(&mut screen, &["Right"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("The lamps are out") && picture.contains("version 3 of 3 (model)"), "{picture}");
    assert!(picture.contains("version 2 is yours"), "{picture}");
    assert_eq!(screen.situation().selected, Selected::Earlier(Behind::Document));
    assert_eq!(press(&mut screen, &["K", "r", "s", "Y"]), [], "the question is not on screen");
    let effects = press(&mut screen, &["a"]);
    let [decision] = decided(&effects)[..] else { panic!("one decision: {effects:?}") };
    assert_eq!((decision.version, &decision.kind), (Some(3), &DecisionKind::Again { model: None }));
}

#[test]
fn a_question_that_was_not_on_screen_is_not_answered() {
    let mut screen = open(edited());
    // It is asked while the result is looked at.
    screen.update(Message::Run(Arc::new(stale().run)));
    let effects = screen.update(Message::Key(key("K"))).0;
    assert!(decided(&effects).is_empty(), "{effects:?}");
}

#[test]
fn the_versions_of_a_result_are_paged_compared_copied_edited_and_taken() {
    let mut screen = open(edited());
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("My own lamps") && picture.contains("version 2 of 2 (mine)"), "{picture}");
    assert!(picture.contains("1  model") && picture.contains("2  mine, current"), "{picture}");
    assert_eq!(press(&mut screen, &["a"]), [], "it is what counts already");
    press(&mut screen, &["Left", "Left"]);
    for size in SIZES {
        insta::assert_snapshot!(format!("earlier_result_{}x{}", size.0, size.1), look(&mut screen, size));
    }
    look(&mut screen, (80, 24));
    let copied = press(&mut screen, &["y"]);
    assert!(matches!(&copied[..], [Effect::Terminal(Terminal::Copy(text))] if text == STANZA), "{copied:?}");
    press(&mut screen, &["d"]);
    let compared = look(&mut screen, (80, 24));
    assert!(compared.contains("version 1 (model) → version 2 (mine)"), "{compared}");
    press(&mut screen, &["Esc"]);
    assert_eq!(edit_of(&press(&mut screen, &["a"])), ("result", 2, STANZA));
    // What is shown is what is edited, and it is a version of what counts.
    press(&mut screen, &["Left", "e"]);
    assert!(look(&mut screen, (80, 24)).contains("Result · editing from version 1"));
    typed(&mut screen, "x");
    let effects = press(&mut screen, &["^s"]);
    assert_eq!(edit_of(&effects), ("result", 2, format!("x{STANZA}").as_str()));
    assert!(matches!(changes(&effects)[1], Change::KeepDraft { name, text: None, .. } if name == "result 1"));
}

#[test]
fn a_version_that_was_not_on_screen_is_not_taken() {
    let mut screen = open(edited());
    press(&mut screen, &["Left"]);
    let more = edited().then(written("result", 3, "Yet another", "ana@host", false));
    screen.update(Message::Run(Arc::new(more.run)));
    assert_eq!(screen.update(Message::Key(key("a"))).0, [], "the frame shows what was");
    look(&mut screen, (80, 24));
    assert_eq!(edit_of(&press(&mut screen, &["a"])), ("result", 3, STANZA));
}

#[test]
fn a_document_has_a_row_of_its_own_with_the_same_keys() {
    let mut screen = open(with_notes());
    let all = screen.rows.len();
    assert_eq!(screen.rows[all - 2].title, "notes");
    press(&mut screen, &["Up"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("notes · The sea") && picture.contains("Mine"), "{picture}");
    assert!(picture.contains("version 2 of 2 (mine)"), "{picture}");
    assert_eq!(press(&mut screen, &["R", "f"]), [], "these go on with the result alone");
    press(&mut screen, &["Left"]);
    assert_eq!(edit_of(&press(&mut screen, &["a"])), ("notes", 2, "Old"));
    // From there to the result, which is shown as it counts.
    press(&mut screen, &["Left", "Down"]);
    assert!(screen.content.earlier.is_none());
    press(&mut screen, &["Up", "e"]);
    typed(&mut screen, "x");
    let effects = press(&mut screen, &["Esc"]);
    let draft = "document 2 notes";
    assert!(
        matches!(changes(&effects)[..], [Change::KeepDraft { name, text: Some(text), .. }] if name == draft && text == "xMine"),
        "{effects:?}"
    );
    press(&mut screen, &["e"]);
    assert!(look(&mut screen, (80, 24)).contains("▮Mine"), "the caret is on the x");
}

#[test]
fn a_document_that_waits_under_the_key_of_a_call_is_found_and_decided() {
    // The step and its document have one name.
    let story = with_notes()
        .start("notes", 1, None)
        .finish("notes", 1, json!("New"))
        .accept("notes", 1)
        .start("title", 1, None)
        .finish("title", 1, json!("The sea"))
        .review("title", 1, None);
    let events = document::given(&story.run, "notes", &"The sea".into(), &"Newer".into());
    let story = events.into_iter().fold(story, Story::then).then(Event::RunWaiting {});
    let mut screen = open(story);
    screen.go_to(&"notes".parse().unwrap());
    look(&mut screen, (80, 24));
    assert_eq!(screen.document().map(|document| document.name.as_str()), Some("notes"));
    let effects = press(&mut screen, &["K"]);
    assert_eq!(decided(&effects)[0].document.as_deref(), Some("notes"));
    // It is decided, and what waits next is looked at.
    screen.update(Message::Run(Arc::new(screen.run().clone())));
    assert_eq!(screen.call().map(|call| call.key.to_string()).as_deref(), Some("title"));
}

#[test]
fn reopening_a_step_says_before_that_the_edit_stays() {
    let mut screen = open_at(edited(), "divide");
    press(&mut screen, &["b"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("You edited the Result") && picture.contains("Your version stays"), "{picture}");
}

#[test]
fn an_unsaved_edit_of_a_result_is_offered_when_the_person_is_back() {
    let mut screen = open(edited());
    let (run, name, text) = (screen.run().id, "result 2".to_owned(), "half an edit".to_owned());
    screen.update(Message::Draft { run, name, text });
    assert!(look(&mut screen, (80, 24)).contains("your unsaved edit is here: e opens it"));
    press(&mut screen, &["e"]);
    assert!(look(&mut screen, (80, 24)).contains("▮alf an edit"));
}

#[test]
fn an_unsaved_edit_of_an_earlier_version_or_another_document_is_said_and_its_row_says_draft() {
    let mut screen = open(with_notes());
    let run = screen.run().id;
    let found = |screen: &mut RunScreen, name: &str| {
        screen.update(Message::Draft { run, name: name.to_owned(), text: "half an edit".to_owned() });
        look(screen, (80, 24))
    };
    let picture = found(&mut screen, "result 1");
    assert!(picture.contains("your unsaved edit of version 1 is here: ← to it, then e"), "{picture}");
    assert!(picture.contains("1  model, draft"), "{picture}");
    let row = picture.lines().find(|line| line.contains("✓ The sea") || line.contains("✓ Result")).unwrap().to_owned();
    assert!(row.contains("draft"), "{picture}");
    press(&mut screen, &["Left", "e"]);
    assert!(look(&mut screen, (80, 24)).contains("▮alf an edit"));
    press(&mut screen, &["^s"]);
    assert!(!look(&mut screen, (80, 24)).contains("draft"), "it is done with");
    let picture = found(&mut screen, "document 2 notes");
    assert!(picture.contains("your unsaved edit of notes is here: go to its row, then e"), "{picture}");
    let row = picture.lines().find(|line| line.contains("notes") && line.contains('│')).unwrap().to_owned();
    assert!(row.contains("draft"), "{picture}");
}
