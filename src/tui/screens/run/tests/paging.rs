//! Earlier attempts and versions: what is shown is what is decided.

use super::*;
use crate::core::decide::Taken;
use crate::core::event::Event;
use crate::core::gate::{Gate, GateBody, ReviewBody, StaleBody};

/// Two attempts that waited, the second with a version by the person.
fn edited() -> Story {
    poem().then(Event::VersionEdited {
        key: "write[1]".parse().unwrap(),
        attempt: 2,
        version: 2,
        output: Arc::new(json!("Mine is shorter.")),
        by: "ana@host".into(),
    })
}

fn take(attempt: u32, version: u32) -> DecisionKind {
    DecisionKind::Take { take: Taken { attempt, version: Some(version) } }
}

#[test]
fn the_arrows_page_through_attempts_and_versions_and_the_title_says_which_of_how_many() {
    let mut screen = open(edited());
    let title = |screen: &mut RunScreen| look(screen, (120, 40)).lines().nth(1).unwrap_or_default().to_owned();
    assert!(title(&mut screen).contains("attempt 2 of 2, version 2 of 2"));
    press(&mut screen, &["Left"]);
    assert!(title(&mut screen).contains("attempt 2 of 2, version 1 of 2"));
    assert!(look(&mut screen, (80, 24)).contains("The lamps lean out"));
    press(&mut screen, &["Left", "Left", "Left"]);
    assert!(title(&mut screen).contains("attempt 1 of 2, version 1"), "the first is the end");
    insta::assert_snapshot!("earlier_80x24", look(&mut screen, (80, 24)));
    press(&mut screen, &["Right", "Right", "Right"]);
    assert!(title(&mut screen).contains("attempt 2 of 2, version 2 of 2"));
    assert!(look(&mut screen, (80, 24)).contains("Mine is shorter."));
}

#[test]
fn what_is_shown_is_taken_edited_copied_compared_and_quoted() {
    let earlier = |keys: &[&str]| {
        let mut screen = open(edited());
        press(&mut screen, &["Left", "Left"]);
        let effects = press(&mut screen, keys);
        (screen, effects)
    };
    let (_, effects) = earlier(&["a"]);
    let [decision] = decided(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((decision.attempt, decision.version, &decision.kind), (Some(2), Some(2), &take(1, 1)));

    let (_, effects) = earlier(&["e", "Alt-Enter"]);
    let output = json!("The lamps are lit.");
    assert_eq!(decided(&effects)[0].kind, DecisionKind::Edit { output, accept: true });
    assert_eq!(decided(&effects)[0].attempt, Some(2), "it is a version of what waits");

    let (_, effects) = earlier(&["y"]);
    assert!(matches!(&effects[..], [Effect::Terminal(Terminal::Copy(text))] if text == "The lamps are lit."));

    let (mut screen, _) = earlier(&["d"]);
    let picture = look(&mut screen, (120, 40));
    assert!(picture.contains("attempt 1 (model) → attempt 2, version 2 (mine)"), "{picture}");

    let (mut screen, _) = earlier(&["r"]);
    assert!(look(&mut screen, (80, 24)).contains("from attempt 1"));
    typed(&mut screen, "but darker");
    let effects = press(&mut screen, &["Enter"]);
    let DecisionKind::Retry { instruction, .. } = &decided(&effects)[0].kind else { panic!("{effects:?}") };
    assert_eq!(instruction, "but darker\n\nStart from attempt 1, version 1:\n\nThe lamps are lit.");
}

#[test]
fn while_an_earlier_one_is_shown_no_key_answers_what_waits_behind_it() {
    let mut screen = open(edited());
    press(&mut screen, &["Left"]);
    assert_eq!(screen.situation().selected, Selected::Earlier(crate::tui::situation::Behind::Review));
    assert_eq!(press(&mut screen, &["s", "Y", "n", "K", "Enter"]), []);
    // What comes meanwhile does not slide under the key.
    let more = edited().decide(&Decision::new(
        "write[1]".parse().unwrap(),
        DecisionKind::Edit { output: json!("Again."), accept: false },
    ));
    screen.update(Message::Run(Arc::new(more.run)));
    assert_eq!(screen.update(Message::Key(key("a"))).0, [], "the frame shows what was");
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("The lamps lean out") && picture.contains("version 1 of 3"), "{picture}");
    assert_eq!(decided(&screen.update(Message::Key(key("a"))).0)[0].kind, take(2, 1));
}

#[test]
fn another_call_is_shown_as_it_waits_however_far_the_last_one_was_paged() {
    let story = edited().start("write[2]", 1, None).finish("write[2]", 1, json!("Third.")).review("write[2]", 1, None);
    let mut screen = open(story);
    press(&mut screen, &["Left", "]"]);
    assert_eq!(screen.call().unwrap().key.to_string(), "write[2]");
    press(&mut screen, &["]"]);
    assert_eq!(screen.call().unwrap().key.to_string(), "write[1]");
    assert!(screen.content.earlier.is_none());
    assert!(look(&mut screen, (80, 24)).contains("Mine is shorter."));
}

#[test]
fn what_was_made_for_something_else_is_taken_after_it_was_said() {
    // What the call is asked to do has changed since its first attempt.
    let mut story = edited();
    let other = crate::core::fingerprint::Fingerprint::of(&"other").unwrap();
    story.run.calls.values_mut().flat_map(|call| &mut call.attempts).for_each(|attempt| {
        if attempt.number == 1 {
            attempt.fingerprint = other.clone();
        }
    });
    let mut screen = open(story);
    press(&mut screen, &["Left", "Left"]);
    assert_eq!(press(&mut screen, &["a"]), []);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("before an input of this call changed"), "{picture}");
    assert_eq!(press(&mut screen, &["n"]), []);
    assert_eq!(decided(&press(&mut screen, &["a", "y"]))[0].kind, take(1, 1));
}

#[test]
fn an_attempt_without_output_is_a_page_that_cannot_be_taken() {
    let story = Story::new("poem", "poem", Kind::Workflow)
        .start("divide", 1, None)
        .fail("divide", 1, "the server is overloaded")
        .start("divide", 2, None)
        .finish("divide", 2, json!("Two stanzas."))
        .review("divide", 2, None);
    let mut screen = open(story);
    press(&mut screen, &["Left"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("the server is overloaded") && picture.contains("attempt 1 of 2"), "{picture}");
    assert!(!picture.contains("take this"), "{picture}");
    assert_eq!(press(&mut screen, &["a"]), []);
}

#[test]
fn an_earlier_attempt_answers_what_is_stale_and_what_failed() {
    let key = || "write[1]".parse().unwrap();
    let fingerprint = crate::tui::testing::fingerprint();
    let body = StaleBody { because: vec![], had_effect: false, fingerprint: fingerprint.clone(), document: None };
    let allowed = vec![crate::core::gate::Answer::Again, crate::core::gate::Answer::Keep];
    let body = GateBody::Stale(body);
    let gate = Gate { key: key(), workflow: None, call: None, attempt: 2, version: 1, body, allowed };
    let stale = poem()
        .accept("write[1]", 2)
        .then(Event::CallStaled { key: key(), fingerprint, because: vec![] })
        .then(Event::GateOpened(gate));
    let mut screen = open(stale);
    press(&mut screen, &["Left"]);
    assert!(look(&mut screen, (80, 24)).contains("The lamps are lit."));
    assert_eq!(decided(&press(&mut screen, &["a"]))[0].kind, take(1, 1));

    let mut screen = open_at(poem().start("write[1]", 3, None).fail("write[1]", 3, "no"), "write[1]");
    assert_eq!(screen.situation().selected, Selected::Failed);
    press(&mut screen, &["Left"]);
    let effects = press(&mut screen, &["a"]);
    assert_eq!((decided(&effects)[0].attempt, &decided(&effects)[0].kind), (Some(3), &take(2, 1)));
}

#[test]
fn in_the_smallest_terminal_the_arrows_lead_to_the_text_first() {
    let mut screen = open(edited());
    let press = |screen: &mut RunScreen, name: &str| {
        screen.update(Message::Key(key(name)));
        look(screen, (40, 12))
    };
    look(&mut screen, (40, 12));
    assert!(press(&mut screen, "Left").contains("Mine is shorter."));
    let picture = press(&mut screen, "Left");
    assert!(picture.contains("The lamps lean out"), "{picture}");
    insta::assert_snapshot!("earlier_40x12", picture);
}

#[test]
fn an_output_that_fails_a_check_is_accepted_after_it_was_said_once() {
    let review = ReviewBody { failed: vec!["there are three".to_owned()], ..ReviewBody::default() };
    let story = Story::new("poem", "poem", Kind::Workflow)
        .start("divide", 1, None)
        .finish("divide", 1, json!("One stanza."))
        .then(Event::GateOpened(Gate::of_review("divide".parse().unwrap(), 1, 1, review)));
    for size in SIZES {
        let mut screen = open(Story { run: story.run.clone() });
        let mut press = |name: &str| {
            let effects = screen.update(Message::Key(key(name))).0;
            (effects, look(&mut screen, size))
        };
        let (_, picture) = press("Tab");
        assert!(picture.contains("✗ fails a check: there are three"), "{picture}");
        let (effects, picture) = press("a");
        assert_eq!(effects, []);
        let said = picture.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("It fails a check: there are"), "{picture}");
        assert_eq!(press("n").0, []);
        press("a");
        assert_eq!(decided(&press("y").0)[0].kind, DecisionKind::Accept);
    }
}

#[test]
fn an_earlier_attempt_of_an_accepted_call_is_taken_after_that_is_reopened() {
    let story = || poem().accept("write[1]", 2);
    let mut screen = open(story());
    screen.go_to(&"write[1]".parse().unwrap());
    look(&mut screen, (80, 24));
    press(&mut screen, &["Left"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("attempt 2 is accepted; b reopens it"), "{picture}");
    let effects = press(&mut screen, &["b"]);
    let reopened = story().decide(decided(&effects)[0]);
    screen.update(Message::Run(Arc::new(reopened.run)));
    assert!(look(&mut screen, (80, 24)).contains("attempt 1 of 2"), "it is still what is looked at");
    assert_eq!(decided(&press(&mut screen, &["a"]))[0].kind, take(1, 1));
}

#[test]
fn the_line_of_attempts_names_the_version_that_counts() {
    let line = |story: Story| {
        let picture = look(&mut open(story), (120, 40));
        picture.lines().find(|line| line.contains("waiting for you")).unwrap_or_default().to_owned()
    };
    assert!(line(edited()).contains("version 2"));
    assert!(line(edited().undo()).contains("version 1"), "the edit was taken back");
}

#[test]
fn what_is_wrong_is_read_to_its_end_however_narrow_the_pane_is() {
    let problem = "the whole value: expected at least 3 items, found 0; and something else that takes more of a line";
    let failing = || {
        let review = ReviewBody { failed: vec![problem.to_owned()], ..ReviewBody::default() };
        let story = Story::new("poem", "poem", Kind::Workflow).start("divide", 1, None);
        let story = story.finish("divide", 1, json!("Two stanzas."));
        story.then(Event::GateOpened(Gate::of_review("divide".parse().unwrap(), 1, 1, review)))
    };
    for size in [(80, 24), (120, 40), (60, 20)] {
        let picture = look(&mut open(failing()), size);
        let words: String = picture.replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("takes more") && words.contains("a line"), "{picture}");
        assert!(picture.contains("waiting for you"), "the attempts are there too: {picture}");
    }
    // Where there is no room, it is said that there is more.
    let mut screen = open(failing());
    press(&mut screen, &["Tab"]);
    let picture = look(&mut screen, (40, 12));
    assert!(picture.contains('…') && !picture.contains("found 0; a│"), "{picture}");
}
