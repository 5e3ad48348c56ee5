//! The result and other documents: their versions, and the question about one that was edited.

use super::*;
use crate::core::document;
use crate::core::text::Untrusted;
use crate::tui::situation::Selected;

fn written(name: &str, version: u32, body: &str, by: &str, proposed: bool) -> Event {
    let (name, title, body) = (name.to_owned(), "The sea".into(), body.into());
    Event::DocumentWritten { name, version, title, body, by: by.into(), proposed }
}

/// A finished poem whose result the person has edited.
fn edited() -> Story {
    poem()
        .accept("write[1]", 2)
        .then(written("result", 1, STANZA, "model", false))
        .then(Event::RunCompleted { title: "The sea".into(), body: STANZA.into() })
        .then(written("result", 2, "My own lamps", "ana@host", false))
}

/// The same, after a step came out otherwise.
fn stale() -> Story {
    let story = edited().then(Event::CallReopened { key: "divide".parse().unwrap(), by: "ana@host".into() });
    let story = story.accept("divide", 1);
    let (title, body) = (Untrusted::from("The sea"), Untrusted::from("The lamps are out"));
    let events = document::result_given(&story.run, &title, &body);
    events.into_iter().fold(story, Story::then).then(Event::RunWaiting {})
}

fn changes(effects: &[Effect]) -> Vec<&Change> {
    effects.iter().filter_map(|effect| if let Effect::Change(change) = effect { Some(change) } else { None }).collect()
}

#[test]
fn an_edited_result_that_came_out_otherwise_waits_and_is_chosen_after_it_was_compared() {
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
    press(&mut screen, &["Esc"]);
    for (key, kind) in [("K", DecisionKind::Keep), ("g", DecisionKind::Again { model: None })] {
        let mut screen = open(stale());
        let effects = press(&mut screen, &[key]);
        let [decision] = decided(&effects)[..] else { panic!("one decision: {effects:?}") };
        assert_eq!((decision.document.as_deref(), decision.version, &decision.kind), (Some("result"), Some(3), &kind));
    }
}

#[test]
fn what_was_not_on_screen_is_not_chosen() {
    let mut screen = open(edited());
    // The question comes up while the result is looked at.
    screen.update(Message::Run(Arc::new(stale().run)));
    let effects = screen.update(Message::Key(key("K"))).0;
    assert!(decided(&effects).is_empty(), "{effects:?}");
}

#[test]
fn the_versions_of_a_result_are_paged_edited_and_restored() {
    let mut screen = open(edited());
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("My own lamps") && picture.contains("version 2 of 2 (mine)"), "{picture}");
    assert!(press(&mut screen, &["a"]).is_empty(), "it is what counts already");
    press(&mut screen, &["Left"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("The lamps lean out") && picture.contains("version 1 of 2 (model)"), "{picture}");
    let effects = press(&mut screen, &["a"]);
    let [Change::EditDocument { name, version: 2, body, .. }] = changes(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((name.as_str(), body.as_str()), ("result", STANZA));
    // The version that is shown is the one that is edited.
    press(&mut screen, &["Left", "e"]);
    typed(&mut screen, "x");
    let effects = press(&mut screen, &["^s"]);
    let [Change::EditDocument { version: 2, body, .. }, Change::KeepDraft { .. }] = changes(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(body, &format!("x{STANZA}"));
}

#[test]
fn reopening_a_step_says_before_that_the_edit_stays() {
    let mut screen = open(edited());
    press(&mut screen, &["Up", "Up", "Up", "Up", "b"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("You edited the Result") && picture.contains("Your version stays"), "{picture}");
    // Also of the last step, from which only the result was made.
    let mut screen = open(edited());
    press(&mut screen, &["Up", "b"]);
    assert!(look(&mut screen, (80, 24)).contains("Your version stays"));
}

#[test]
fn a_document_has_a_row_of_its_own_with_the_same_keys() {
    let story =
        edited().then(written("notes", 1, "Old", "model", false)).then(written("notes", 2, "Mine", "ana@host", false));
    let mut screen = open(story);
    press(&mut screen, &["Up"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("notes") && picture.contains("Mine") && picture.contains("version 2 of 2"), "{picture}");
    press(&mut screen, &["Left"]);
    let effects = press(&mut screen, &["a"]);
    assert!(
        matches!(changes(&effects)[..], [Change::EditDocument { name, version: 2, body, .. }] if name == "notes" && body == "Old")
    );
}
