//! The screen of a run as a person sees it, and what their keys do.

use serde_json::json;

use super::*;
use crate::core::call::Instruction;
use crate::core::decide::{Decision, DecisionKind};
use crate::core::event::{Event, InstructionScope};
use crate::core::task::Kind;
use crate::core::testing::cpu_time;
use crate::core::work::{CommandWork, Work};
use crate::tui::drafts::Slot;
use crate::tui::effect::{Change, Effect, Opening, Terminal};
use crate::tui::message::Message;
use crate::tui::testing::{SIZES, Story, at, frame, key};
use crate::tui::theme::Depth;

mod actions;
mod documents;
mod failed;
mod header;
mod marks;
mod models;
mod paging;
mod tool_calls;

const STANZA: &str = "The lamps lean out across the tide\nand count the boats that come home late;\n\
the *harbour* keeps its ledger wide\nfor every name, for every weight.";

/// The poem of the drawing: one stanza stands, the second waits in its second attempt.
fn poem() -> Story {
    let item = |subject: &str| Some(json!({"subject": subject}));
    Story::new("poem", "poem · the sea", Kind::Workflow)
        .start("divide", 1, None)
        .finish("divide", 1, json!([{"subject": "The tide"}, {"subject": "The harbour at night"}]))
        .accept("divide", 1)
        .start("write[0]", 1, item("The tide"))
        .finish("write[0]", 1, json!("It comes and goes."))
        .accept("write[0]", 1)
        .start("write[1]", 1, item("The harbour at night"))
        .finish("write[1]", 1, json!("The lamps are lit."))
        .review("write[1]", 1, None)
        .then(Event::AttemptRejected {
            key: "write[1]".parse().unwrap(),
            attempt: 1,
            instruction: "make it rhyme".to_owned(),
            scope: InstructionScope::This,
            by: "ana@host".into(),
        })
        .start("write[1]", 2, item("The harbour at night"))
        .finish("write[1]", 2, json!(STANZA))
        .review("write[1]", 2, None)
}

fn open(story: Story) -> RunScreen {
    let mut screen = RunScreen::new(Arc::new(story.run), None, at(134));
    look(&mut screen, (80, 24));
    screen
}

/// Opened at a call.
fn open_at(story: Story, key: &str) -> RunScreen {
    let mut screen = open(story);
    screen.go_to(&key.parse().unwrap());
    look(&mut screen, (80, 24));
    screen
}

fn look(screen: &mut RunScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| screen.view(canvas, area));
    screen.set_last_frame(info);
    picture
}

fn press(screen: &mut RunScreen, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        effects.extend(screen.update(Message::Key(key(name))).0);
        look(screen, (80, 24));
    }
    effects
}

#[test]
fn a_run_of_a_later_version_is_shown_and_says_so() {
    let body = r#"{"type":"gate_opened","key":"write[1]","for":"tools","call":"1.0","attempt":2,"version":1}"#;
    let mut screen = open(poem().then(Event::from_json(body).unwrap()));
    for size in [(80, 24), (120, 40), (40, 12)] {
        let picture = look(&mut screen, size);
        assert!(picture.contains("newer"), "{picture}");
    }
    assert!(look(&mut screen, (80, 24)).contains("The lamps lean out"));
}

fn typed(screen: &mut RunScreen, text: &str) {
    for c in text.chars() {
        screen.update(Message::Key(crossterm::event::KeyCode::Char(c).into()));
    }
}

fn decided(effects: &[Effect]) -> Vec<&Decision> {
    effects
        .iter()
        .filter_map(
            |effect| if let Effect::Change(Change::Decide(_, decision, _)) = effect { Some(decision) } else { None },
        )
        .collect()
}

#[test]
fn a_poem_that_waits_for_its_second_stanza() {
    for size in SIZES {
        let mut screen = open(poem());
        insta::assert_snapshot!(format!("review_{}x{}", size.0, size.1), look(&mut screen, size));
    }
}

#[test]
fn the_same_in_sixteen_colours() {
    let screen = open(poem());
    let (picture, _) = frame((80, 24), Depth::Sixteen, |canvas, area| screen.view(canvas, area));
    insta::assert_snapshot!(picture);
}

#[test]
fn in_the_smallest_terminal_tab_shows_the_other_pane() {
    let mut screen = open(poem());
    press(&mut screen, &["Tab"]);
    insta::assert_snapshot!(look(&mut screen, (40, 12)));
    for size in [(10, 3), (1, 1), (9, 2), (200, 3), (12, 60)] {
        look(&mut screen, size);
    }
}

#[test]
fn accepting_names_what_was_seen() {
    let mut screen = open(poem());
    let effects = press(&mut screen, &["a"]);
    let [decision] = decided(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(
        (decision.key.to_string(), decision.attempt, decision.version),
        ("write[1]".to_owned(), Some(2), Some(1))
    );
    assert_eq!(decision.kind, DecisionKind::Accept);
}

#[test]
fn a_key_answers_what_was_on_screen_or_nothing_if_more_arrived_since() {
    let mut screen = open(poem());
    // The run went on, but no frame has shown it yet.
    let newer = poem().then(Event::VersionEdited {
        key: "write[1]".parse().unwrap(),
        attempt: 2,
        version: 2,
        output: Arc::new(json!("other")),
        by: "bo@host".into(),
    });
    screen.update(Message::Run(Arc::new(newer.run)));
    assert_eq!(screen.update(Message::Key(key("a"))).0, []);
    assert!(look(&mut screen, (120, 40)).contains("look again"));
    // Then it is on screen.
    let effects = screen.update(Message::Key(key("a"))).0;
    assert_eq!(decided(&effects)[0].version, Some(2));
}

#[test]
fn a_retry_takes_an_instruction_and_a_scope() {
    let mut screen = open(poem());
    press(&mut screen, &["r"]);
    typed(&mut screen, "quieter, q");
    press(&mut screen, &["Tab"]);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    let effects = press(&mut screen, &["Enter"]);
    let what =
        DecisionKind::Retry { instruction: "quieter, q".to_owned(), scope: InstructionScope::Remaining, model: None };
    assert_eq!(decided(&effects)[0].kind, what);
}

#[test]
fn an_instruction_is_for_the_ticked_calls_too_under_way_or_under_review() {
    let story = poem()
        .start("write[2]", 1, None)
        .finish("write[2]", 1, json!("Third."))
        .review("write[2]", 1, None)
        .start("write[3]", 1, None);
    let mut screen = open(story);
    press(&mut screen, &["r"]);
    typed(&mut screen, "rhyme");
    press(&mut screen, &["Down", "Space", "Down", "Space"]);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    let effects = press(&mut screen, &["Enter"]);
    let keys: Vec<String> = decided(&effects).iter().map(|decision| decision.key.to_string()).collect();
    assert_eq!(keys, ["write[1]", "write[2]"]);
    let again =
        crate::tui::effect::Again { instruction: "rhyme".to_owned(), scope: InstructionScope::This, model: None };
    let stop =
        Effect::Change(Change::Stop { run: screen.run().id, key: "write[3]".parse().unwrap(), again: Some(again) });
    assert!(effects.contains(&stop), "{effects:?}");
}

#[test]
fn another_model_makes_the_next_attempt_with_or_without_an_instruction() {
    let mut screen = open(poem());
    let effects = press(&mut screen, &["m"]);
    let key: crate::core::key::Key = "write[1]".parse().unwrap();
    assert_eq!(effects, [Effect::Open(Opening::Models(screen.run().id, key.clone()))]);
    let run = screen.run().id;
    screen.update(Message::Model { run, key, model: "careful".to_owned() });
    assert!(look(&mut screen, (80, 24)).contains("by careful"));
    let effects = press(&mut screen, &["^s"]);
    let model = Some("careful".to_owned());
    assert_eq!(
        decided(&effects)[0].kind,
        DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model }
    );
}

#[test]
fn an_instruction_half_typed_is_kept_as_a_draft() {
    let mut screen = open(poem());
    press(&mut screen, &["r"]);
    typed(&mut screen, "quieter");
    let effects = press(&mut screen, &["Esc"]);
    assert!(matches!(&effects[..], [Effect::Change(Change::KeepDraft { text: Some(text), .. })] if text == "quieter"));
    press(&mut screen, &["r"]);
    assert!(look(&mut screen, (80, 24)).contains("quieter▮"));
}

#[test]
fn what_could_not_be_decided_comes_back_into_a_box_that_is_open_again_already() {
    let mut screen = open(poem());
    let run = screen.run().id;
    let back = |name: &str, text: &str| Message::Draft { run, name: name.to_owned(), text: text.to_owned() };
    press(&mut screen, &["r"]);
    typed(&mut screen, "quieter");
    press(&mut screen, &["Enter", "r"]);
    screen.update(back("retry write[1]", "quieter"));
    assert!(look(&mut screen, (80, 24)).contains("quieter▮"));
    typed(&mut screen, " now");
    screen.update(back("retry write[1]", "quieter"));
    assert!(look(&mut screen, (80, 24)).contains("quieter now▮"), "nothing replaces what is being typed");
    press(&mut screen, &["Esc", "e"]);
    let Slot::Run(_, name) = screen.unsaved().remove(0).slot else { panic!("it belongs to the run") };
    screen.update(back(&name, "My own lamps"));
    assert!(look(&mut screen, (80, 24)).contains("own lamps"));
}

#[test]
fn editing_in_place_saves_a_version_and_accepts_it() {
    let mut screen = open(poem());
    press(&mut screen, &["e"]);
    typed(&mut screen, "Oh! ");
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    let effects = press(&mut screen, &["Alt-Enter"]);
    let DecisionKind::Edit { output, accept: true } = &decided(&effects)[0].kind else { panic!("{effects:?}") };
    assert!(output.as_str().unwrap().starts_with("Oh! The lamps"));
}

#[test]
fn what_waits_next_is_gone_to_although_something_else_is_heard_before_the_edit_is_kept() {
    let item = Some(json!({"subject": "The calm"}));
    let two = || poem().start("write[2]", 1, item.clone()).finish("write[2]", 1, json!("All is still."));
    let two = || two().review("write[2]", 1, None);
    let mut screen = open(two());
    press(&mut screen, &["e"]);
    typed(&mut screen, "Oh! ");
    press(&mut screen, &["Alt-Enter"]);
    // As it was: the decision is still under way.
    screen.update(Message::Run(Arc::new(two().run)));
    let edited = Event::VersionEdited {
        key: "write[1]".parse().unwrap(),
        attempt: 2,
        version: 2,
        output: Arc::new(json!("Oh! The lamps")),
        by: "ana@host".into(),
    };
    screen.update(Message::Run(Arc::new(two().then(edited).accept("write[1]", 2).run)));
    assert!(look(&mut screen, (80, 24)).contains("All is still."));
}

#[test]
fn an_edit_that_changes_nothing_makes_no_version() {
    let mut screen = open(poem());
    press(&mut screen, &["e"]);
    let effects = press(&mut screen, &["^s"]);
    assert!(decided(&effects).is_empty(), "{effects:?}");
    assert!(look(&mut screen, (80, 24)).contains("nothing was changed"));
}

#[test]
fn structured_output_is_edited_as_a_tree() {
    let story = Story::new("poem", "poem · the sea", Kind::Workflow)
        .start("divide", 1, None)
        .finish("divide", 1, json!([{"subject": "The tide", "lines": 4}, {"subject": "The storm", "lines": 6}]))
        .review("divide", 1, None);
    let mut screen = open(story);
    insta::assert_snapshot!("structured_review", look(&mut screen, (80, 24)));
    press(&mut screen, &["e", "J", "Down", "Enter", "^u"]);
    typed(&mut screen, "The calm");
    insta::assert_snapshot!("structured_edit", look(&mut screen, (80, 24)));
    let effects = press(&mut screen, &["Enter", "^s"]);
    let DecisionKind::Edit { output, accept: false } = &decided(&effects)[0].kind else { panic!("{effects:?}") };
    assert_eq!(*output, json!([{"subject": "The storm", "lines": 6}, {"subject": "The calm", "lines": 4}]));
}

#[test]
fn a_structure_that_could_not_be_kept_comes_back_into_a_tree_that_is_open_again_already() {
    let story = Story::new("poem", "poem · the sea", Kind::Workflow)
        .start("divide", 1, None)
        .finish("divide", 1, json!([{"subject": "The tide"}]))
        .review("divide", 1, None);
    let mut screen = open(story);
    let run = screen.run().id;
    press(&mut screen, &["e"]);
    let Slot::Run(_, name) = screen.unsaved().remove(0).slot else { panic!("it belongs to the run") };
    screen.update(Message::Draft { run, name, text: json!([{"subject": "The calm"}]).to_string() });
    assert!(look(&mut screen, (80, 24)).contains("The calm"));
}

#[test]
fn a_comparison_opens_on_model_against_mine() {
    let story = poem().then(Event::VersionEdited {
        key: "write[1]".parse().unwrap(),
        attempt: 2,
        version: 2,
        output: Arc::new(json!(STANZA.replace("lean", "reach"))),
        by: "ana@host".into(),
    });
    let mut screen = open(story);
    press(&mut screen, &["d"]);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    press(&mut screen, &["Left"]);
    assert!(look(&mut screen, (80, 24)).contains("attempt 1 (model) → attempt 2 (model)"));
}

#[test]
fn an_approval_shows_the_exact_bytes_and_takes_only_its_own_keys() {
    let work = Work::Command(CommandWork {
        argv: vec!["git".to_owned(), "push".to_owned(), "\u{1b}[2J--force".to_owned()],
        env: [("TOKEN".to_owned(), "x".to_owned())].into(),
        stdin: "# not a heading\n```\nescape".to_owned(),
        ..CommandWork::default()
    });
    let story = Story::new("release", "release · 1.2", Kind::Workflow).approval("push", work);
    let mut screen = open(story);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    assert_eq!(press(&mut screen, &["a", "Enter"]), []);
    assert_eq!(decided(&press(&mut screen, &["Y"]))[0].kind, DecisionKind::APPROVE);
    press(&mut screen, &["n"]);
    typed(&mut screen, "not yet");
    let effects = press(&mut screen, &["Enter"]);
    assert_eq!(decided(&effects)[0].kind, DecisionKind::Deny { reason: "not yet".to_owned() });
}

#[test]
fn text_streams_in_and_is_followed_until_scrolled_away() {
    let story = poem().accept("write[1]", 2).start("write[2]", 1, Some(json!({"subject": "The storm"})));
    let run = Arc::new(story.run);
    let mut screen = RunScreen::new(Arc::clone(&run), None, at(134));
    for n in 0..60 {
        let delta = crate::core::model::Delta::Text(Untrusted::new(format!("Line {n}.\n\n")));
        let key = "write[2]".parse().unwrap();
        screen.update(Message::Delta { run: run.id, key, attempt: 1, delta });
    }
    assert!(look(&mut screen, (80, 24)).contains("Line 59."));
    press(&mut screen, &["PgUp"]);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
}

#[test]
fn a_text_that_came_while_only_the_list_was_on_screen_is_read_from_its_beginning() {
    let text = (0..60).map(|n| format!("Line {n}.\n\n")).collect::<Vec<_>>().concat();
    let story = || Story::new("poem", "poem", Kind::Workflow).start("write", 1, None);
    for (size, first) in [((40, 12), "Line 0."), ((80, 24), "Line 59.")] {
        let run = Arc::new(story().run);
        let mut screen = RunScreen::new(Arc::clone(&run), None, at(1));
        look(&mut screen, size);
        let delta = crate::core::model::Delta::Text(Untrusted::from(text.as_str()));
        screen.update(Message::Delta { run: run.id, key: "write".parse().unwrap(), attempt: 1, delta });
        look(&mut screen, size);
        let done = story().finish("write", 1, json!(text)).review("write", 1, None);
        screen.update(Message::Run(Arc::new(done.run)));
        look(&mut screen, size);
        screen.update(Message::Key(key("Tab")));
        assert!(look(&mut screen, size).contains(first), "{}", look(&mut screen, size));
    }
}

#[test]
fn after_a_decision_the_selection_goes_to_what_waits_next_unless_moved() {
    let two = || poem().start("write[2]", 1, Some(json!({"subject": "The storm"})));
    let mut screen = open(two());
    press(&mut screen, &["a"]);
    // Nothing waits yet: it goes to what runs, and from there to what waits.
    screen.update(Message::Run(Arc::new(two().accept("write[1]", 2).run)));
    assert_eq!(screen.call().unwrap().key.to_string(), "write[2]");
    press(&mut screen, &["Up"]);
    let done = two().accept("write[1]", 2).finish("write[2]", 1, json!("x")).review("write[2]", 1, None);
    screen.update(Message::Run(Arc::new(done.run)));
    assert_eq!(screen.call().unwrap().key.to_string(), "write[1]", "the person moved, so it stays");
}

#[test]
fn what_can_be_taken_back_is_done_at_once_and_says_so() {
    let mut screen = open(poem());
    let effects = press(&mut screen, &["s"]);
    assert_eq!(decided(&effects)[0].kind, DecisionKind::Skip);
    let skipped = poem().decide(decided(&effects)[0]);
    screen.update(Message::Run(Arc::new(skipped.run.clone())));
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("write[1] skipped · u undoes"), "{picture}");
    // It is taken back as it was seen, and what waits again is looked at.
    let seq = skipped.run.seq;
    assert_eq!(press(&mut screen, &["u"]), [Effect::Change(Change::Undo { run: skipped.run.id, seq })]);
    let back = skipped.undo();
    screen.update(Message::Run(Arc::new(back.run)));
    look(&mut screen, (80, 24));
    assert_eq!(screen.situation().selected, Selected::Gate(crate::core::gate::GateKind::Review));
    assert_eq!(screen.call().unwrap().key.to_string(), "write[1]");
}

#[test]
fn where_nothing_was_decided_undo_says_so() {
    let story = Story::new("poem", "poem", Kind::Workflow).start("divide", 1, None);
    let mut screen = open(story.finish("divide", 1, json!("x")).review("divide", 1, None));
    screen.update(Message::Key(key("u")));
    assert!(look(&mut screen, (80, 24)).contains("nothing has been decided"));
}

#[test]
fn the_exact_prompt_marks_what_was_learned() {
    let mut story = poem();
    story.run.learned =
        vec![crate::core::event::Lesson { workflow: None, step: "write".to_owned(), text: "No rhymes".to_owned() }];
    let mut screen = open(story);
    press(&mut screen, &["p"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("★ No rhymes, please."), "{picture}");
}

#[test]
fn a_finished_run_opens_on_its_result() {
    let story = poem().accept("write[1]", 2).then(Event::RunCompleted { title: "The sea".into(), body: STANZA.into() });
    let mut screen = open(story);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    assert!(matches!(&press(&mut screen, &["y"])[..], [Effect::Terminal(Terminal::Copy(text))] if text == STANZA));
}

#[test]
fn a_key_is_on_the_screen_within_the_budget() {
    let mut story = Story::new("big", "big", Kind::Workflow);
    for n in 0..1_000 {
        story = story.start(&format!("write[{n}]"), 1, Some(json!(format!("item {n}"))));
    }
    let megabyte = "The lamps lean out across the tide. ".repeat(30_000);
    let story = story.finish("write[999]", 1, json!(megabyte)).review("write[999]", 1, None);
    let mut screen = open(story);
    look(&mut screen, (120, 40));
    let all = cpu_time(|| {
        for _ in 0..50 {
            screen.update(Message::Key(crossterm::event::KeyCode::PageDown.into()));
            look(&mut screen, (120, 40));
        }
    });
    let each = all / 50;
    eprintln!("a page of a 1 MB text: {each:?}");
    // Unoptimised, and the picture is made text: far from 100 ms is what tells a layout of all from one of a page.
    assert!(each < std::time::Duration::from_millis(60), "{each:?}");
}

#[test]
fn the_instruction_of_a_rejected_attempt_stays_visible() {
    let screen = open(poem());
    let call = screen.call().unwrap();
    assert_eq!(
        call.attempts[0].instruction,
        Some(Instruction { text: "make it rhyme".to_owned(), scope: InstructionScope::This })
    );
    let (picture, _) = frame((80, 24), Depth::None, |canvas, area| screen.view(canvas, area));
    assert!(picture.contains("rejected \"make it rhyme\""));
}

#[test]
fn outputs_that_are_the_same_are_one_row_that_is_marked_as_a_whole_and_can_be_taken_apart() {
    let mut story = Story::new("check", "check", Kind::Workflow);
    for n in 0..9 {
        let key = format!("look[{n}]");
        let says = if n == 4 { "A leak." } else { "Nothing." };
        let item = Some(json!(format!("file {n}")));
        story = story.start(&key, 1, item).finish(&key, 1, json!(says)).review(&key, 1, None);
    }
    let mut screen = open(story);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("file 0") && picture.contains("×8") && picture.contains("file 4"), "{picture}");
    assert!(!picture.contains("file 1"), "{picture}");
    let effects = press(&mut screen, &["Space", "A"]);
    assert_eq!(decided(&effects).len(), 8);
    assert!(decided(&effects).iter().all(|decision| decision.key.to_string() != "look[4]"));
    press(&mut screen, &["="]);
    assert!(look(&mut screen, (80, 24)).contains("file 1"));
}

#[test]
fn thirty_items_are_filtered_marked_and_accepted_together() {
    let mut story = Story::new("review", "review · 30 files", Kind::Workflow);
    for n in 0..30 {
        let (key, name) = (format!("judge[{n}]"), format!("src/{}{n}.rs", if n % 10 == 3 { "core/" } else { "" }));
        story =
            story.start(&key, 1, Some(json!(name))).finish(&key, 1, json!(format!("fine {n}"))).review(&key, 1, None);
    }
    let mut screen = open(story);
    press(&mut screen, &["/"]);
    typed(&mut screen, "core");
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    press(&mut screen, &["Enter"]);
    assert_eq!(decided(&press(&mut screen, &["A"])).len(), 3, "only what the filter shows");
    press(&mut screen, &["Space", "Space"]);
    let effects = press(&mut screen, &["A"]);
    let keys: Vec<String> = decided(&effects).iter().map(|decision| decision.key.to_string()).collect();
    assert_eq!(keys, ["judge[3]", "judge[13]"]);
    press(&mut screen, &["Esc"]);
    assert_eq!(screen.rows.len(), 32, "a group, thirty items, the result");
}

#[test]
fn tool_calls_that_wait_are_decided_one_after_the_other() {
    let tool = |tool: &str| Work::tool(tool, json!({}));
    let story = Story::new("notes", "notes", Kind::Workflow)
        .start("write", 1, None)
        .approval_of("write", Some("2.0"), tool("files/read"))
        .approval_of("write", Some("2.1"), tool("files/delete"));
    let mut screen = open(story);
    let shown = look(&mut screen, (80, 24));
    assert!(shown.contains("wants to call a tool") && shown.contains("files/read"), "{shown}");
    assert_eq!(decided(&press(&mut screen, &["Y"]))[0].call, Some("2.0".parse().unwrap()));
}

#[test]
fn a_run_is_forked_at_any_call_that_has_begun() {
    let forks = |story: Story, at: &str| {
        let mut screen = open_at(story, at);
        let run = screen.run().id;
        assert_eq!(press(&mut screen, &["F"]), [Effect::Open(Opening::Fork { run, at: at.parse().unwrap() })], "{at}");
    };
    // Accepted, under review, failed.
    forks(poem(), "divide");
    forks(poem(), "write[1]");
    forks(Story::new("poem", "poem", Kind::Workflow).start("write", 1, None).fail("write", 1, "it is gone"), "write");
}

#[test]
fn that_a_call_is_being_stopped_is_said_until_it_is() {
    let story = || Story::new("poem", "poem", Kind::Workflow).start("write", 1, None);
    let mut screen = open(story());
    press(&mut screen, &["x"]);
    assert!(look(&mut screen, (120, 40)).contains("stopping it"));
    let stopped = Event::AttemptCancelled {
        key: "write".parse().unwrap(),
        attempt: 1,
        partial: "so far".into(),
        again: false,
        by: "ana@host".into(),
        measured: crate::core::event::Measured::default(),
    };
    let run = story().then(stopped).finish("write", 1, json!("so far")).review("write", 1, None).run;
    screen.update(Message::Run(Arc::new(run)));
    assert!(!look(&mut screen, (120, 40)).contains("stopping it"));
}
