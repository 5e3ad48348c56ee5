//! Single days of the same world, each with what came of it.

use super::*;

/// Three poems wait with the same call in the same attempt.
fn three_poems() -> World {
    let mut world = World::new((80, 24));
    world.press("^n");
    world.answered();
    world.draw();
    world
}

#[test]
fn the_next_poem_is_read_before_it_is_accepted() {
    let mut world = three_poems();
    assert!(marks(&world.frame).contains(&mark(0, "write[0]", 1, 1)), "{}", world.frame);
    world.press("j");
    world.press("j");
    assert!(marks(&world.frame).contains(&mark(1, "write[0]", 1, 1)), "{}", world.frame);
    world.press("a");
    world.answered();
    assert_eq!(world.runs[1].run.call(&"write[0]".parse().unwrap()).unwrap().gate(), None);
}

#[test]
fn a_question_is_about_the_run_that_stands_beneath_it() {
    for (asks, down) in [("r", 2), ("n", 8)] {
        let mut world = three_poems();
        for _ in 0..down {
            world.press("j");
        }
        let shown = world.seen.gate.clone().unwrap();
        world.press(asks);
        let (effects, _) = UiModel::update(&mut world.interface, Message::Key(key("Enter")));
        let [Order::Backend(Request::Change(Change::Decide(run, decision, _)))] = effects.as_slice() else {
            panic!("{asks}: {effects:?}")
        };
        assert_eq!((*run, &decision.key), (shown.run, &shown.key));
    }
}

#[test]
fn what_runs_is_what_stood_on_the_screen_when_it_was_allowed() {
    let mut world = three_poems();
    // Down to the approval of the second run, which is then asked for with other bytes.
    for _ in 0..8 {
        world.press("j");
    }
    assert!(world.frame.contains(".push.g"), "{}", world.frame);
    world.happens(1, 2, 1);
    world.answered();
    let (effects, _) = UiModel::update(&mut world.interface, Message::Key(key("Y")));
    assert_eq!(effects, [], "it would run what was never shown");
    world.draw();
    let (effects, _) = UiModel::update(&mut world.interface, Message::Key(key("Y")));
    assert!(
        matches!(effects.as_slice(), [Order::Backend(Request::Change(Change::Decide(_, decision, _)))] if decision.kind == DecisionKind::APPROVE),
        "{effects:?}"
    );
}

#[test]
fn what_is_typed_while_an_editor_opens_belongs_to_the_editor() {
    let mut world = three_poems();
    for name in ["e", "a", "x", "s", "Y"] {
        world.press(name);
    }
    world.answered();
    world.draw();
    assert!(world.frame.contains("axsY"), "{}", world.frame);
    assert!(world.runs.iter().take(CHAT).all(|story| story.run.gates() == 3), "something was decided");
    // What the editor was opened for has changed: nothing is edited, and nothing that was typed is a command.
    let mut world = three_poems();
    world.happens(0, 0, 2);
    world.press("e");
    world.press("a");
    world.answered();
    world.draw();
    assert!(!world.frame.contains("editing"), "{}", world.frame);
    assert!(world.runs.iter().skip(1).take(CHAT - 1).all(|story| story.run.gates() == 3), "something was decided");
    // Whoever thinks better of it is where they were.
    let mut world = three_poems();
    world.press("e");
    world.press("Esc");
    world.press("j");
    assert!(world.frame.contains("Inbox"), "{}", world.frame);
}

#[test]
fn what_the_inbox_offers_it_does() {
    let mut world = three_poems();
    world.happens(0, 0, 0);
    world.answered();
    world.draw();
    world.press("p");
    assert!(world.frame.contains("Write write[0]."), "{}", world.frame);
    world.press("Esc");
    world.press("d");
    assert!(world.frame.contains("attempt 1, version 2"), "{}", world.frame);
    world.press("Esc");
    assert!(world.frame.contains("Inbox"), "{}", world.frame);
}

#[test]
fn an_earlier_attempt_is_taken_in_the_inbox_as_it_was_shown() {
    let mut world = three_poems();
    // The first poem is tried again, and its second attempt waits.
    world.happens(0, 0, 2);
    world.happens(0, 0, 0);
    world.happens(0, 0, 0);
    world.answered();
    world.draw();
    for _ in 0..4 {
        if marks(&world.frame).contains(&mark(0, "write[0]", 2, 1)) {
            break;
        }
        world.press("j");
    }
    assert!(marks(&world.frame).contains(&mark(0, "write[0]", 2, 1)), "{}", world.frame);
    world.press("Left");
    assert!(marks(&world.frame).contains(&mark(0, "write[0]", 1, 1)), "{}", world.frame);
    assert!(world.frame.contains("attempt 1 of 2"), "{}", world.frame);
    world.press("a");
    world.answered();
    let stands = world.runs[0].run.call(&"write[0]".parse().unwrap()).unwrap().standing.clone().unwrap();
    assert_eq!((stands.attempt, stands.version), (1, 1));
    world.draw();
    assert!(world.frame.contains("write[0] accepted · u undoes"), "{}", world.frame);
    world.press("u");
    world.answered();
    assert!(world.runs[0].run.call(&"write[0]".parse().unwrap()).unwrap().gate().is_some());
}

#[test]
fn a_key_that_moved_is_answered_where_it_was_pressed() {
    let mut world = three_poems();
    world.press("Esc");
    let failed = Story { run: world.runs[0].run.clone() };
    let failed = failed.start("write[0]", 2, None).fail("write[0]", 2, "no");
    world.runs[0] = failed;
    world.press("^n");
    world.answered();
    world.draw();
    world.press("Enter");
    world.answered();
    world.draw();
    for _ in 0..5 {
        if world.frame.contains("It failed.") {
            break;
        }
        world.press("Up");
    }
    assert!(world.frame.contains("It failed."), "{}", world.frame);
    world.press("g");
    assert!(world.frame.contains("r tries it again now"), "{}", world.frame);
}
