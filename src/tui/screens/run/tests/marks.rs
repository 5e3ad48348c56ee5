//! Marks and the search: what keys are for while there are some.

use super::*;
use crate::core::event::Event;
use crate::core::gate::{Gate, ReviewBody};

/// Three that wait for a review, one that failed.
fn four() -> Story {
    let mut story = Story::new("judge", "judge", Kind::Workflow);
    for n in 0..3 {
        let key = format!("judge[{n}]");
        story = story.start(&key, 1, Some(json!(format!("file {n}"))));
        story = story.finish(&key, 1, json!(format!("fine {n}"))).review(&key, 1, None);
    }
    story.start("judge[3]", 1, Some(json!("file 3"))).fail("judge[3]", 1, "no")
}

fn keys(effects: &[Effect]) -> Vec<String> {
    decided(effects).iter().map(|decision| decision.key.to_string()).collect()
}

#[test]
fn accept_retry_and_skip_are_for_the_marked() {
    let marked = |with: &str| {
        let mut screen = open(four());
        press(&mut screen, &[with, with]);
        screen
    };
    for with in ["Space", "^t"] {
        let mut screen = marked(with);
        let picture = look(&mut screen, (80, 24));
        assert!(picture.contains("a accept marked") && !picture.contains("a accept  "), "{picture}");
        assert_eq!(keys(&press(&mut screen, &["a"])), ["judge[0]", "judge[1]"]);
    }
    assert_eq!(keys(&press(&mut marked("Space"), &["s"])), ["judge[0]", "judge[1]"]);
    let mut screen = marked("Space");
    press(&mut screen, &["r"]);
    typed(&mut screen, "shorter");
    assert_eq!(keys(&press(&mut screen, &["Enter"])), ["judge[0]", "judge[1]"]);
    // Without marks they are for what is on screen.
    assert_eq!(keys(&press(&mut open(four()), &["a"])), ["judge[0]"]);
}

#[test]
fn a_failed_one_that_is_marked_runs_again_or_is_skipped() {
    let mut screen = open(four());
    press(&mut screen, &["Space", "Down", "Down", "Space"]);
    assert_eq!(keys(&press(&mut screen, &["s"])), ["judge[0]", "judge[3]"]);
    let mut screen = open(four());
    press(&mut screen, &["Space", "Down", "Down", "Space", "r"]);
    let effects = press(&mut screen, &["Enter"]);
    assert_eq!(keys(&effects), ["judge[0]", "judge[3]"]);
    assert_eq!(decided(&effects)[1].kind, DecisionKind::Again { model: None });
}

#[test]
fn what_has_changed_since_it_was_marked_is_not_meant_any_more() {
    let mut screen = open(four());
    press(&mut screen, &["Space", "Space"]);
    let edit = Event::VersionEdited {
        key: "judge[0]".parse().unwrap(),
        attempt: 1,
        version: 2,
        output: Arc::new(json!("other")),
        by: "bo@host".into(),
    };
    screen.update(Message::Run(Arc::new(four().then(edit).run)));
    look(&mut screen, (80, 24));
    assert_eq!(keys(&press(&mut screen, &["a"])), ["judge[1]"]);
}

#[test]
fn marked_outputs_that_fail_a_check_are_accepted_after_it_was_said_once() {
    let review = ReviewBody { failed: vec!["short".to_owned()], ..ReviewBody::default() };
    let story = four().then(Event::GateOpened(Gate::of_review("judge[1]".parse().unwrap(), 1, 1, review)));
    let mut screen = open(story);
    press(&mut screen, &["Space", "Space"]);
    assert_eq!(press(&mut screen, &["a"]), []);
    assert!(look(&mut screen, (80, 24)).contains("1 of the marked fail a check"));
    assert_eq!(keys(&press(&mut screen, &["y"])), ["judge[0]", "judge[1]"]);
}

#[test]
fn a_slash_searches_the_text_that_has_the_focus_and_no_key_decides_until_esc() {
    let mut screen = open(poem());
    press(&mut screen, &["Tab", "/"]);
    typed(&mut screen, "FOR every");
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("Search the text") && picture.contains("1 of 2"), "{picture}");
    press(&mut screen, &["Enter", "n"]);
    assert!(look(&mut screen, (80, 24)).contains("2 of 2"));
    assert_eq!(press(&mut screen, &["a", "Y", "s", "K", "u"]), []);
    press(&mut screen, &["n"]);
    assert!(look(&mut screen, (80, 24)).contains("1 of 2"));
    press(&mut screen, &["N"]);
    assert!(look(&mut screen, (80, 24)).contains("2 of 2"));
    press(&mut screen, &["Esc"]);
    assert_eq!(decided(&press(&mut screen, &["a"])).len(), 1);
    // In the list the same key filters it.
    let mut screen = open(poem());
    press(&mut screen, &["/"]);
    assert!(matches!(screen.over, Over::Filter));
}

#[test]
fn a_match_far_below_is_scrolled_to() {
    let lines: String = (0..200).map(|n| format!("Line {n}.")).collect::<Vec<_>>().join("\n\n");
    let story = Story::new("long", "long", Kind::Workflow).start("write", 1, None);
    let mut screen = open(story.finish("write", 1, json!(lines)).review("write", 1, None));
    press(&mut screen, &["Tab", "/"]);
    typed(&mut screen, "line 150.");
    assert!(look(&mut screen, (80, 24)).contains("Line 150."));
    press(&mut screen, &["Enter", "g"]);
    assert!(look(&mut screen, (80, 24)).contains("Line 0."));
    press(&mut screen, &["G"]);
    assert!(look(&mut screen, (80, 24)).contains("Line 199."));
}
