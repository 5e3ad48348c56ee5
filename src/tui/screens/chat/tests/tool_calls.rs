//! A conversation whose model calls tools: what is seen of the calls, and what waits for the person meanwhile.

use super::*;
use crate::core::decide::message;
use crate::tui::testing::tools::asks_for;

#[test]
fn tools_that_an_answer_calls_are_seen_and_what_waits_is_decided_in_the_inbox() {
    let mut screen = open(tools::waiting_in(Kind::Instruct));
    for size in SIZES {
        insta::assert_snapshot!(format!("tool_call_waits_{}x{}", size.0, size.1), look(&mut screen, size));
    }
    assert_eq!(press(&mut screen, &["Y"]), [], "letters are text");
    assert_eq!(press(&mut screen, &["^r"]), [Effect::Go(Go::Inbox)]);
}

#[test]
fn the_tools_that_were_called_for_an_answer_unfold_above_it() {
    let calls = [("files/read", json!({"path": "notes.md"}))];
    let story = tools::turn(tools::begun_in(Kind::Instruct), 1, "", &calls);
    let story = tools::returned(tools::called(story, "1.0", "files/read"), "1.0", json!(tools::NOTES));
    let mut screen = open(story);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("✓ files/read · path: notes.md"), "under way: {picture}");
    let story = tools::turn(tools::begun_in(Kind::Instruct), 1, "", &calls);
    let story = tools::returned(tools::called(story, "1.0", "files/read"), "1.0", json!(tools::NOTES));
    let story = story.finish("tidy", 1, json!({"turn": "ask", "text": "Two notes."})).accept("tidy", 1);
    let mut screen = open(story);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("▸ 1 tool call") && !picture.contains("buy milk"), "{picture}");
    press(&mut screen, &["Alt-t"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("buy milk") && picture.contains("Two notes."), "{picture}");
    assert!(!picture.contains("SIGNED-THOUGHTS"));
}

/// One tool call waits for the person, and nothing is under way.
fn held_up() -> Story {
    let story = tools::turn(tools::begun_in(Kind::Instruct), 1, "", &[("files/write", tools::write())]);
    asks_for(story, "1.0", "files/write", tools::write())
}

#[test]
fn a_message_is_not_sent_while_the_answer_waits_for_a_decision_and_what_was_typed_stays() {
    for story in [held_up, || tools::waiting_in(Kind::Instruct)] {
        let mut screen = open(story());
        let picture = look(&mut screen, (120, 40));
        assert!(picture.contains("Ctrl-R decide") && !picture.contains("Enter send"), "{picture}");
        screen.update(Message::Paste("hello there".into()));
        assert_eq!(press(&mut screen, &["Enter"]), []);
        let picture = look(&mut screen, (120, 40));
        assert!(picture.contains("the answer waits for your decision (Ctrl-R); your text is kept"), "{picture}");
        assert_eq!(screen.unsaved()[0].text.as_deref(), Some("hello there"));
        // Nobody else gets it in either: it would never be answered.
        let refused = message(&story().run, "hello there", &"ana@host".into()).unwrap_err();
        assert!(refused.message.contains("--call"), "{refused}");
        // Esc leads back, as its key says, and stops nothing.
        let effects = press(&mut screen, &["Esc"]);
        assert!(effects.contains(&Effect::Go(Go::Back)), "{effects:?}");
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Change(Change::Stop { .. }))), "{effects:?}");
    }
    let mut screen = open(tools::turn(tools::begun_in(Kind::Instruct), 1, "", &[("files/write", tools::write())]));
    screen.update(Message::Paste("hello there".into()));
    assert_eq!(press(&mut screen, &["Enter"]), []);
    assert!(look(&mut screen, (120, 40)).contains("still answering"), "nothing waits: the model answers");
}

#[test]
fn an_answer_that_waits_is_stopped_by_a_key_of_its_own_where_nothing_of_it_runs_or_is_in_doubt() {
    let mut screen = open(held_up());
    assert!(look(&mut screen, (120, 40)).contains("Alt-X stop"));
    let stopped = [Effect::Change(Change::Stop { run: screen.run.id, key: "tidy".parse().unwrap(), again: None })];
    assert_eq!(press(&mut screen, &["Alt-x"]), stopped);
    let asking = || {
        let story = tools::turn(tools::begun_in(Kind::Instruct), 1, "", &[("files/write", tools::write())]);
        tools::asks_back(tools::called(story, "1.0", "files/write"), "1.0")
    };
    for (what, story) in [
        ("another call runs", tools::waiting_in(Kind::Instruct)),
        ("the tool runs, and asks", asking()),
        ("another call is in doubt", tools::doubts(tools::waiting_in(Kind::Instruct), "2.1")),
    ] {
        let mut screen = open(story);
        assert!(look(&mut screen, (120, 40)).contains("Ctrl-R decide"), "{what}");
        assert!(!look(&mut screen, (120, 40)).contains("Alt-X"), "{what}");
        assert_eq!(press(&mut screen, &["Alt-x"]), [], "{what}");
    }
}

#[test]
fn what_a_tool_asks_in_the_middle_of_its_work_is_seen_and_answered_in_the_inbox() {
    let story = tools::turn(tools::begun_in(Kind::Instruct), 1, "", &[("files/write", tools::write())]);
    let story = tools::asks_back(tools::called(story, "1.0", "files/write"), "1.0");
    let mut screen = open(story);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("files/write") && picture.contains("asks you"), "{picture}");
    assert!(!picture.contains("write it anyway"), "{picture}");
    assert_eq!(press(&mut screen, &["Enter"]), []);
    assert_eq!(press(&mut screen, &["^r"]), [Effect::Go(Go::Inbox)]);
}

#[test]
fn what_the_model_said_before_it_called_tools_stays_with_its_calls() {
    let said = |story: Story| {
        let story = tools::turn(
            story,
            1,
            "I shall read both.\n\nFirst **notes**.",
            &[("files/read", json!({"path": "notes.md"}))],
        );
        let story = tools::returned(tools::called(story, "1.0", "files/read"), "1.0", json!(tools::NOTES));
        tools::turn(story, 2, "Now the other.", &[("files/read", json!({"path": "todo.md"}))])
    };
    let mut screen = open(said(tools::begun_in(Kind::Instruct)));
    let picture = look(&mut screen, (80, 24));
    let places = ["I shall read both.", "First **notes**.", "path: notes.md", "Now the other.", "path: todo.md"]
        .map(|text| picture.find(text));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{picture}");
    let story = said(tools::begun_in(Kind::Instruct));
    let story = tools::returned(tools::called(story, "2.0", "files/read"), "2.0", json!("-"));
    let mut screen = open(story.finish("tidy", 1, json!({"turn": "ask", "text": "Two notes."})).accept("tidy", 1));
    let picture = look(&mut screen, (80, 24));
    assert!(!picture.contains("I shall read both.") && picture.contains("Alt-T details"), "{picture}");
    press(&mut screen, &["Alt-t"]);
    let picture = look(&mut screen, (120, 40));
    assert!(picture.contains("I shall read both.") && picture.contains("Now the other."), "{picture}");
}
