//! A call that failed, mended by hand; an approval that is skipped.

use super::*;
use crate::core::failure::{Failure, FailureClass};
use crate::core::work::PromptWork;

fn failed() -> Story {
    Story::new("poem", "poem", Kind::Workflow)
        .start("write[0]", 1, Some(json!("The tide")))
        .finish("write[0]", 1, json!("It comes."))
        .accept("write[0]", 1)
        .start("write[1]", 1, Some(json!("The storm")))
        .fail("write[1]", 1, "the server is overloaded")
}

#[test]
fn a_failed_item_is_skipped_as_it_was_seen() {
    let mut screen = open_at(failed(), "write[1]");
    assert_eq!(screen.situation().selected, Selected::Failed);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("s skip") && picture.contains("r try again"), "{picture}");
    let seq = screen.call().unwrap().seq;
    let effects = press(&mut screen, &["s"]);
    let [decision] = decided(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((&decision.kind, decision.attempt, decision.seq), (&DecisionKind::Skip, Some(1), Some(seq)));
    assert!(crate::core::decide::decide(&failed().run, decision, &"ana@host".into()).is_ok());
}

#[test]
fn the_output_of_a_failed_item_is_given_by_hand_and_saving_accepts_it() {
    let mut screen = open_at(failed(), "write[1]");
    press(&mut screen, &["e"]);
    assert!(look(&mut screen, (80, 24)).contains("its output by hand"));
    typed(&mut screen, "It roars.");
    let effects = press(&mut screen, &["^s"]);
    let [decision] = decided(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(decision.kind, DecisionKind::Edit { output: json!("It roars."), accept: true });
    let filled = failed().decide(decision);
    assert_eq!(filled.run.call(&decision.key).unwrap().status, CallStatus::Accepted);
}

#[test]
fn what_is_given_by_hand_has_the_fields_that_its_schema_asks_for() {
    let schema = json!({"type": "object", "properties": {"title": {"type": "string"}, "lines": {"type": "integer"}},
        "required": ["title", "lines"]});
    let prompt = PromptWork { schema: Some(schema), ..PromptWork::default() };
    let story = Story::new("poem", "poem", Kind::Workflow).started("divide", 1, None, Work::Prompt(prompt)).fail(
        "divide",
        1,
        "no answer",
    );
    let mut screen = open_at(story, "divide");
    press(&mut screen, &["e"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("title") && picture.contains("lines"), "{picture}");
    press(&mut screen, &["Down", "Enter", "^u"]);
    typed(&mut screen, "four");
    press(&mut screen, &["Enter"]);
    assert_eq!(decided(&press(&mut screen, &["^s"])), Vec::<&Decision>::new(), "it does not fit");
}

#[test]
fn what_has_changed_since_is_neither_skipped_nor_given() {
    let mut screen = open_at(failed(), "write[1]");
    let again = failed().start("write[1]", 2, Some(json!("The storm"))).fail("write[1]", 2, "no");
    screen.update(Message::Run(Arc::new(again.run)));
    assert_eq!(screen.update(Message::Key(key("s"))).0, []);
    assert!(look(&mut screen, (120, 40)).contains("look again"));
    assert_eq!(decided(&screen.update(Message::Key(key("s"))).0)[0].attempt, Some(2));
}

#[test]
fn an_approval_that_waits_is_skipped() {
    let work = Work::Command(CommandWork { argv: vec!["git".to_owned()], ..CommandWork::default() });
    let mut screen = open(Story::new("release", "release", Kind::Workflow).approval("push", work));
    let effects = press(&mut screen, &["s"]);
    assert_eq!(decided(&effects)[0].kind, DecisionKind::Skip);
}

#[test]
fn r_tries_again_what_failed() {
    let mut screen = open_at(failed(), "write[1]");
    assert_eq!(decided(&press(&mut screen, &["r"]))[0].kind, DecisionKind::Again { model: None });
}

#[test]
fn a_failed_model_names_the_key_that_opens_the_models_wherever_it_is_shown() {
    let models = "F3 opens the models";
    let failure = Failure::new(FailureClass::Auth, "box answered 401");
    let over = || failed().then(Event::RunFailed { key: "write[1]".parse().ok(), error: failure.clone() });
    let mut screen = open_at(over(), "write[1]");
    assert!(look(&mut screen, (120, 40)).contains(models), "the call");
    assert!(crate::tui::commands::holds(crate::tui::commands::Id::Models, &screen.situation()));
    press(&mut screen, &["Down"]);
    assert!(look(&mut screen, (120, 40)).contains(models), "the result, which is missing");
    // An earlier attempt, after one that waits.
    let story = failed().start("write[1]", 2, Some(json!("The storm"))).finish("write[1]", 2, json!("It roars."));
    let mut screen = open_at(story.review("write[1]", 2, None), "write[1]");
    press(&mut screen, &["Left"]);
    assert!(look(&mut screen, (120, 40)).contains(models), "an earlier attempt");
    let preview = crate::tui::screens::preview::Preview::of(&over().run);
    assert!(preview.text().data().contains("**F3** opens the models"), "a preview");
    // Nothing of that belongs to a command.
    let work = Work::Command(CommandWork { argv: vec!["git".to_owned()], ..CommandWork::default() });
    let story = Story::new("release", "release", Kind::Workflow).started("push", 1, None, work).fail("push", 1, "no");
    assert!(!look(&mut open_at(story, "push"), (120, 40)).contains("F3"));
}

#[test]
fn thoughts_unfold_above_the_text_and_fold_again() {
    let thinking = "Hm, **let** me see.";
    let measured = crate::core::event::Measured { thinking: thinking.into(), ..Default::default() };
    let output = Arc::new(json!("It roars."));
    let key: crate::core::key::Key = "write".parse().unwrap();
    let story = Story::new("poem", "poem", Kind::Workflow).start("write", 1, None);
    let story = story.then(Event::AttemptFinished { key, attempt: 1, output, problem: None, measured });
    let mut screen = open_at(story.review("write", 1, None), "write");
    let folded = look(&mut screen, (80, 24));
    assert!(folded.contains("▸ its thoughts (4 words): Alt-T") && !folded.contains("let"), "{folded}");
    press(&mut screen, &["Alt-t"]);
    let shown = look(&mut screen, (80, 24));
    let line = |text: &str| shown.lines().position(|line| line.contains(text));
    assert!(shown.contains("▾ its thoughts") && line(thinking) < line("It roars."), "{shown}");
    assert!(line(thinking).is_some());
    // What is copied and searched is the text alone.
    let copied = press(&mut screen, &["y"]);
    assert!(matches!(&copied[..], [Effect::Terminal(Terminal::Copy(text))] if text == "It roars."), "{copied:?}");
    press(&mut screen, &["Alt-t"]);
    assert_eq!(look(&mut screen, (80, 24)), folded);
    let mut screen = open_at(failed(), "write[0]");
    press(&mut screen, &["Alt-t"]);
    assert!(look(&mut screen, (80, 24)).contains("this attempt has no thoughts"));
}
