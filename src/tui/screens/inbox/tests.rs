//! The inbox as a person goes through it.

use serde_json::json;

use super::*;
use crate::core::decide::Decision;
use crate::core::event::{Event, Measured};
use crate::core::failure::{Failure, FailureClass};
use crate::core::id::RunId;
use crate::core::task::Kind as TaskKind;
use crate::core::work::{CommandWork, Work};
use crate::tui::testing::{SIZES, Story, frame, key};
use crate::tui::theme::Depth;

/// Two reviews in one run, a review and an approval in another.
fn runs() -> Vec<Arc<Run>> {
    let item = |subject: &str| Some(json!({"subject": subject}));
    let mut poem = Story::new("poem", "poem · the sea", TaskKind::Workflow)
        .start("write[0]", 1, item("The tide"))
        .start("write[1]", 1, item("The harbour at night"))
        .finish("write[0]", 1, json!("It comes and goes,\nand goes *again*."))
        .review("write[0]", 1, None)
        .finish("write[1]", 1, json!("The lamps are lit."))
        .review("write[1]", 1, None)
        .run;
    poem.id = RunId::new(1, [1; 10]);
    let command = CommandWork { argv: vec!["git".into(), "push".into(), "--force".into()], ..CommandWork::default() };
    let release = Story::new("release", "release · 1.2", TaskKind::Workflow)
        .start("notes", 1, None)
        .finish("notes", 1, json!("## 1.2\n\n- faster"))
        .review("notes", 1, None)
        .approval("push", Work::Command(command));
    let mut release = release.run;
    release.id = RunId::new(2, [2; 10]);
    vec![Arc::new(poem), Arc::new(release)]
}

fn inbox() -> InboxScreen {
    let mut screen = InboxScreen::default();
    look(&mut screen, (80, 24));
    screen.update(Message::Waiting(runs()));
    look(&mut screen, (80, 24));
    screen
}

fn look(screen: &mut InboxScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| screen.view(canvas, area));
    screen.set_last_frame(info);
    picture
}

fn press(screen: &mut InboxScreen, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        effects.extend(screen.update(Message::Key(key(name))).0);
        look(screen, (80, 24));
    }
    effects
}

fn decided(effects: &[Effect]) -> Vec<(String, DecisionKind)> {
    let of = |effect: &Effect| match effect {
        Effect::Change(Change::Decide(_, Decision { key, kind: what, .. }, _)) => Some((key.to_string(), what.clone())),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

#[test]
fn reviews_come_first_and_approvals_after() {
    for size in SIZES {
        let mut screen = inbox();
        insta::assert_snapshot!(format!("inbox_{}x{}", size.0, size.1), look(&mut screen, size));
    }
    for size in [(1, 1), (12, 5), (300, 6)] {
        look(&mut inbox(), size);
    }
    let mut empty = InboxScreen::default();
    empty.update(Message::Waiting(vec![]));
    assert!(look(&mut empty, (80, 24)).contains("Nothing waits for you."));
}

#[test]
fn accepting_one_review_after_another_never_slides_into_an_approval() {
    let mut screen = inbox();
    let effects = press(&mut screen, &["a", "a", "a", "a", "Y", "y", "Enter", "a"]);
    let accepted: Vec<String> = decided(&effects).into_iter().map(|(key, _)| key).collect();
    assert_eq!(accepted, ["write[0]", "write[1]", "notes"]);
    assert_eq!(effects.len(), 3);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    // Going on is a key of its own.
    let effects = press(&mut screen, &["]", "a", "Y"]);
    assert_eq!(decided(&effects), [("push".to_owned(), DecisionKind::APPROVE)]);
    assert!(look(&mut screen, (80, 24)).contains("Nothing waits for you."));
}

#[test]
fn an_approval_shows_the_exact_bytes() {
    let mut screen = inbox();
    press(&mut screen, &["Down", "Down", "Down", "Down"]);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    let effects = press(&mut screen, &["n"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(above.situation().layer, crate::tui::situation::Layer::Ask);
}

#[test]
fn what_is_not_on_screen_is_not_decided() {
    let mut screen = inbox();
    look(&mut screen, (40, 12));
    assert_eq!(screen.update(Message::Key(key("a"))).0, []);
    // Enter reads it first.
    screen.update(Message::Key(key("Enter")));
    insta::assert_snapshot!("read_40x12", look(&mut screen, (40, 12)));
    assert_eq!(decided(&screen.update(Message::Key(key("a"))).0).len(), 1);
}

#[test]
fn what_is_decided_elsewhere_leaves_no_other_under_the_key() {
    let mut screen = inbox();
    let mut runs = runs();
    let run = Story { run: (*runs[0]).clone() }.accept("write[0]", 1).run;
    runs[0] = Arc::new(run);
    screen.update(Message::Run(Arc::clone(&runs[0])));
    look(&mut screen, (80, 24));
    assert_eq!(press(&mut screen, &["a"]), []);
    assert_eq!(screen.situation().selected, Selected::None);
}

#[test]
fn a_decision_that_was_refused_waits_again() {
    let mut screen = inbox();
    let Effect::Change(change) = press(&mut screen, &["a"]).remove(0) else { panic!("no decision") };
    assert_eq!(screen.count(), 3);
    let request = Box::new(Request::Change(change));
    screen.update(Message::NotDone { request, why: "another attempt waits".into() });
    assert_eq!(screen.count(), 4);
    assert!(look(&mut screen, (120, 40)).contains("another attempt waits"));
}

#[test]
fn a_retry_asks_for_an_instruction_and_then_goes_on() {
    let mut screen = inbox();
    let effects = press(&mut screen, &["r"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(above.situation().layer, crate::tui::situation::Layer::Retry);
    let mut runs = runs();
    let rejected = Event::AttemptRejected {
        key: "write[0]".parse().unwrap(),
        attempt: 1,
        instruction: "shorter".into(),
        scope: crate::core::event::InstructionScope::This,
        by: "ana@host".into(),
    };
    runs[0] = Arc::new(Story { run: (*runs[0]).clone() }.then(rejected).run);
    screen.update(Message::Run(Arc::clone(&runs[0])));
    assert_eq!(screen.gate().map(|gate| gate.key.to_string()).as_deref(), Some("write[1]"));
}

#[test]
fn enter_opens_the_run_at_the_call() {
    let mut screen = inbox();
    let effects = press(&mut screen, &["Down", "Enter"]);
    assert_eq!(effects, [Effect::Go(Go::Call(RunId::new(1, [1; 10]), "write[1]".parse().unwrap()))]);
}

#[test]
fn what_can_be_taken_back_is_done_at_once() {
    let mut screen = inbox();
    let effects = press(&mut screen, &["s"]);
    assert_eq!(decided(&effects), [("write[0]".to_owned(), DecisionKind::Skip)]);
    let skip = Decision::new("write[0]".parse().unwrap(), DecisionKind::Skip);
    let run = Story { run: (*runs()[0]).clone() }.decide(&skip).run;
    screen.update(Message::Run(Arc::new(run.clone())));
    assert!(look(&mut screen, (80, 24)).contains("write[0] skipped · u undoes"));
    let undo = Effect::Change(Change::Undo { run: run.id, seq: run.seq });
    assert_eq!(press(&mut screen, &["u"]), [undo]);
    press(&mut screen, &["u"]);
    assert!(look(&mut screen, (80, 24)).contains("nothing has been decided here"));
}

#[test]
fn a_skipped_tool_call_does_not_come_back_so_that_is_asked_about() {
    let tool = Work::tool("files/read", json!({}));
    let run = Story::new("notes", "notes", TaskKind::Workflow).start("write", 1, None);
    let run = run.approval_of("write", Some("2.0"), tool).run;
    let mut screen = InboxScreen::default();
    screen.update(Message::Waiting(vec![Arc::new(run)]));
    look(&mut screen, (80, 24));
    let effects = press(&mut screen, &["s"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    let (picture, _) = frame((80, 24), Depth::None, |canvas, area| above.view(canvas, area));
    assert!(picture.contains("Skip this call of `files/read`?") && !picture.contains("without"), "{picture}");
    let outcome = above.clone().give(Id::Yes);
    assert_eq!(decided(&outcome.effects), [("write".to_owned(), DecisionKind::Skip)]);
}

#[test]
fn the_marked_of_several_runs_are_accepted_together() {
    let mut screen = inbox();
    press(&mut screen, &["Space", "Down", "Space"]);
    assert!(look(&mut screen, (80, 24)).contains("a accept marked"));
    let effects = press(&mut screen, &["a"]);
    let keys: Vec<String> = decided(&effects).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["write[0]", "notes"]);
    let mut screen = inbox();
    press(&mut screen, &["Space", "Space"]);
    let effects = press(&mut screen, &["r"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    let outcome = above.clone().give(Id::Submit);
    let keys: Vec<String> = decided(&outcome.effects).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["write[0]", "write[1]"]);
}

#[test]
fn an_output_that_fails_a_check_is_accepted_after_it_was_said_once() {
    let review = crate::core::gate::ReviewBody { failed: vec!["there are three".to_owned()], ..Default::default() };
    let run = Story::new("poem", "poem", TaskKind::Workflow).start("divide", 1, None).finish("divide", 1, json!("x"));
    let run = run.then(Event::GateOpened(Gate::of_review("divide".parse().unwrap(), 1, 1, review)));
    let mut screen = InboxScreen::default();
    screen.update(Message::Waiting(vec![Arc::new(run.run)]));
    look(&mut screen, (80, 24));
    let effects = press(&mut screen, &["a"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    let picture = frame((80, 24), Depth::None, |canvas, area| above.view(canvas, area)).0;
    assert!(picture.contains("It fails a check: there are three."), "{picture}");
    assert_eq!(decided(&above.clone().give(Id::Yes).effects), [("divide".to_owned(), DecisionKind::Accept)]);
}

#[test]
fn the_text_of_what_waits_is_searched() {
    let mut screen = inbox();
    press(&mut screen, &["/"]);
    for c in "AGAIN".chars() {
        screen.update(Message::Key(crossterm::event::KeyCode::Char(c).into()));
    }
    assert!(look(&mut screen, (80, 24)).contains("1 of 1"));
    assert_eq!(press(&mut screen, &["Enter", "a", "n"]), []);
    assert_eq!(decided(&press(&mut screen, &["Esc", "a"])).len(), 1);
}

#[test]
fn each_tool_call_that_waits_is_a_row_of_its_own_with_its_own_work() {
    let tool = |tool: &str| Work::tool(tool, json!({}));
    let mut run = Story::new("notes", "notes", TaskKind::Workflow)
        .start("write", 1, None)
        .approval_of("write", Some("2.0"), tool("files/read"))
        .approval_of("write", Some("2.1"), tool("files/delete"));
    run.run.id = RunId::new(3, [3; 10]);
    let mut screen = InboxScreen::default();
    look(&mut screen, (80, 24));
    screen.update(Message::Waiting(vec![Arc::new(run.run)]));
    let first = look(&mut screen, (80, 24));
    assert!(first.contains("write · files/read") && first.contains("write · files/delete"), "{first}");
    press(&mut screen, &["Down"]);
    let second = look(&mut screen, (80, 24));
    assert!(second.contains("call: files/delete") && !second.contains("call: files/read"), "{second}");
    let effects = press(&mut screen, &["Y"]);
    let called = |effect: &Effect| match effect {
        Effect::Change(Change::Decide(_, decision, _)) => decision.call.map(|call| call.to_string()),
        _ => None,
    };
    assert_eq!(effects.iter().find_map(called).as_deref(), Some("2.1"), "{effects:?}");
}

/// A poem that failed at its first step.
fn failed() -> Arc<Run> {
    let error = Failure::new(FailureClass::Server, "box answered 500");
    let key: Key = "divide".parse().unwrap();
    let story = Story::new("poem", "poem · the moor", TaskKind::Workflow).start("divide", 1, None);
    let ended = Event::AttemptFailed {
        key: key.clone(),
        attempt: 1,
        error: error.clone(),
        partial: "Three stan".into(),
        retry_at: None,
        measured: Measured::default(),
    };
    let mut run = story.then(ended).then(Event::RunFailed { key: Some(key), error }).run;
    run.id = RunId::new(3, [3; 10]);
    Arc::new(run)
}

#[test]
fn a_failed_run_is_listed_with_why_and_taken_up_from_here() {
    let mut screen = inbox();
    let mut all = runs();
    all.push(failed());
    screen.update(Message::Waiting(all));
    assert!(look(&mut screen, (80, 24)).contains("4 waiting, 1 failed"));
    press(&mut screen, &["]", "]", "]", "]"]);
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    let run = failed().id;
    let again = command_key(&screen, Id::Again);
    assert_eq!(press(&mut screen, &[&again]), [Effect::Change(Change::GoOn(run))]);
    let text = look(&mut screen, (80, 24));
    assert!(!text.contains("the moor"), "it is under way: {text}");
    // It was not done: it is there again.
    let request = Box::new(Request::Change(Change::GoOn(run)));
    screen.update(Message::NotDone { request, why: "the disk is full".into() });
    assert!(look(&mut screen, (80, 24)).contains("the moor"));
    // It fails again: it is listed as it failed now.
    let mut run = Run::clone(&failed());
    run.seq += 9;
    screen.update(Message::Run(Arc::new(run)));
    assert!(look(&mut screen, (80, 24)).contains("the moor"));
}

#[test]
fn a_failed_run_alone_is_no_reason_to_say_that_nothing_waits() {
    let mut screen = InboxScreen::default();
    look(&mut screen, (80, 24));
    screen.update(Message::Waiting(vec![failed()]));
    let text = look(&mut screen, (80, 24));
    assert!(text.contains("1 failed") && text.contains("box answered 500") && text.contains("Three stan"), "{text}");
    assert_eq!(press(&mut screen, &["Enter"]), [Effect::Go(Go::Run(failed().id))]);
    // Where there is no room for the text, its row alone decides nothing.
    look(&mut screen, (40, 12));
    assert_eq!(screen.situation().selected, Selected::Unread);
}

fn command_key(screen: &InboxScreen, id: Id) -> String {
    crate::tui::commands::key_in(id, &screen.situation()).unwrap()
}

#[test]
fn thoughts_unfold_in_the_inbox_too() {
    let measured = Measured { thinking: "Hm.".into(), ..Measured::default() };
    let (key, output) = ("write".parse().unwrap(), Arc::new(json!("It roars.")));
    let story = Story::new("poem", "poem", TaskKind::Workflow).start("write", 1, None);
    let story = story.then(Event::AttemptFinished { key, attempt: 1, output, problem: None, measured });
    let mut screen = InboxScreen::default();
    screen.update(Message::Waiting(vec![Arc::new(story.review("write", 1, None).run)]));
    let folded = look(&mut screen, (80, 24));
    assert!(folded.contains("▸ its thoughts (1 word): Alt-T") && !folded.contains("Hm."), "{folded}");
    press(&mut screen, &["Alt-t"]);
    assert!(look(&mut screen, (80, 24)).contains("Hm."));
}

#[test]
fn a_document_that_waits_is_paged_compared_and_taken_here() {
    use crate::core::document;
    let written = |version, body: &str, by: &str| Event::DocumentWritten {
        name: "notes".into(),
        version,
        title: "Notes".into(),
        body: body.into(),
        by: by.into(),
        proposed: false,
        action: None,
    };
    let story = Story::new("poem", "poem", TaskKind::Workflow).start("write", 1, None);
    let story = story.then(written(1, "Old", "model")).then(written(2, "Mine", "ana@host"));
    let events = document::given(&story.run, "notes", &"Notes".into(), &"Theirs".into());
    let story = events.into_iter().fold(story, Story::then);
    let mut screen = InboxScreen::default();
    screen.update(Message::Waiting(vec![Arc::new(story.run)]));
    let picture = look(&mut screen, (100, 24));
    assert!(picture.contains("K keeps yours, version 2"), "{picture}");
    let compared = press(&mut screen, &["d"]);
    let [Effect::Go(Go::Above(above))] = &compared[..] else { panic!("{compared:?}") };
    let (picture, _) = frame((100, 24), Depth::None, |canvas, area| above.view(canvas, area));
    assert!(picture.contains("version 2 (mine) → version 3 (model)"), "{picture}");
    press(&mut screen, &["Right"]);
    assert!(look(&mut screen, (100, 24)).contains("Theirs"));
    assert_eq!(press(&mut screen, &["K", "r"]), [], "the question is not on screen");
    let copied = press(&mut screen, &["y"]);
    assert!(matches!(&copied[..], [Effect::Terminal(Terminal::Copy(text))] if text == "Theirs"), "{copied:?}");
    let taken = press(&mut screen, &["a"]);
    let [Effect::Change(Change::Decide(_, decision, _))] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!((decision.document.as_deref(), decision.version), (Some("notes"), Some(3)));
    assert_eq!(decision.kind, DecisionKind::Again { model: None });
}

#[test]
fn opened_from_a_run_it_shows_what_waits_there() {
    let here = Arc::new(crate::tui::testing::tools::waiting().run);
    let mut elsewhere = Run::clone(&here);
    elsewhere.id = RunId::new(2, [9; 10]);
    let elsewhere = Arc::new(elsewhere);
    for (from, first) in [(Some(here.id), here.id), (None, elsewhere.id)] {
        let mut screen = InboxScreen::opened_from(from);
        screen.update(Message::Waiting(vec![Arc::clone(&elsewhere), Arc::clone(&here)]));
        assert_eq!(screen.gate().map(|gate| gate.run), Some(first));
    }
}

#[test]
fn the_form_that_a_tool_asks_for_opens_in_a_conversation_too() {
    use crate::tui::testing::tools;
    for kind in [TaskKind::Instruct, TaskKind::Workflow] {
        let story = tools::turn(tools::begun_in(kind), 1, "", &[("files/write", tools::write())]);
        let story = tools::asks_back(tools::called(story, "1.0", "files/write"), "1.0");
        let mut screen = InboxScreen::default();
        screen.update(Message::Waiting(vec![Arc::new(story.run)]));
        look(&mut screen, (80, 24));
        assert_eq!(press(&mut screen, &["Enter"]), [Effect::Go(Go::Answer)], "{kind:?}");
        assert!(screen.answer_form(Utc::now()).is_some());
    }
}

#[test]
fn two_tool_calls_of_one_answer_are_told_apart_by_their_tools_or_by_what_they_are_called_with() {
    let row = |of: TaskKind, second: &str| {
        let story = Story::new("notes", "TWO please", of).start("reply", 1, None);
        let story =
            story.approval_of("reply", Some("2.0"), Work::tool("files/write", json!({"path": "/tmp/files/a.txt"})));
        let story = story.approval_of("reply", Some("2.1"), Work::tool(second, json!({"path": "/tmp/files/b.txt"})));
        let mut screen = InboxScreen::default();
        screen.update(Message::Waiting(vec![Arc::new(story.run)]));
        look(&mut screen, (120, 40))
    };
    let chat = row(TaskKind::Instruct, "files/read");
    assert!(chat.contains("● files/write · TWO please") && chat.contains("● files/read · TWO please"), "{chat}");
    let same = row(TaskKind::Workflow, "files/write");
    assert!(same.contains("● reply · files/write …a.txt") && same.contains("● reply · files/write …b.txt"), "{same}");
}

#[test]
fn a_tool_call_is_not_marked_here_either() {
    let story = Story::new("notes", "notes", TaskKind::Workflow).start("write", 1, None);
    let story = story.approval_of("write", Some("2.0"), Work::tool("files/read", json!({})));
    let mut screen = InboxScreen::default();
    screen.update(Message::Waiting(vec![Arc::new(story.run)]));
    look(&mut screen, (80, 24));
    press(&mut screen, &["Space"]);
    let picture = look(&mut screen, (120, 40));
    assert!(picture.contains("a tool call is decided by itself") && !picture.contains("accept marked"), "{picture}");
}

#[test]
fn the_arguments_of_a_call_in_a_conversation_are_edited_as_fields_over_the_inbox() {
    use crate::tui::situation::Layer;
    use crate::tui::testing::tools;
    let edits = || {
        let mut screen = InboxScreen::default();
        screen.update(Message::Waiting(vec![Arc::new(tools::waiting_in(TaskKind::Instruct).run)]));
        look(&mut screen, (80, 24));
        let effects = press(&mut screen, &["e"]);
        let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
        Above::clone(above)
    };
    let shown = |above: &mut Above, size| {
        let (picture, info) = frame(size, Depth::None, |canvas, area| above.view(canvas, area));
        above.set_last_frame(info);
        picture
    };
    let press = |above: &mut Above, keys: &[&str]| {
        let mut outcome = crate::tui::layers::Outcome::default();
        for name in keys {
            outcome = above.update(Message::Key(key(name)));
            shown(above, (80, 24));
        }
        outcome
    };
    for size in SIZES {
        insta::assert_snapshot!(format!("arguments_{}x{}", size.0, size.1), shown(&mut edits(), size));
    }
    // Unchanged it is allowed as it was asked for.
    let outcome = press(&mut edits(), &["^s"]);
    assert_eq!(decided(&outcome.effects), [("tidy".to_owned(), DecisionKind::APPROVE)]);
    let mut above = edits();
    assert_eq!(above.situation().layer, Layer::Fields);
    let outcome = press(&mut above, &["Enter", "x", "Enter", "^s"]);
    let arguments = Some(json!({"path": "notes.mdx", "text": tools::write()["text"]}));
    let approves = DecisionKind::Approve { for_run: false, arguments };
    assert_eq!(decided(&outcome.effects), [("tidy".to_owned(), approves)]);
    // What does not fit stays, and says why.
    let mut above = edits();
    assert!(!press(&mut above, &["-", "^s"]).closes);
    assert!(shown(&mut above, (80, 24)).contains("path"), "what is missing is named");
    // As JSON too; a field that is left keeps what was typed, and so does the whole.
    let mut above = edits();
    press(&mut above, &["R"]);
    assert_eq!(above.situation().layer, Layer::Edit);
    assert!(!press(&mut above, &["x", "^s"]).closes && shown(&mut above, (80, 24)).contains("not JSON"));
    let mut above = edits();
    assert!(!press(&mut above, &["Enter", "x", "Esc"]).closes, "out of the field first");
    let names: Vec<(String, bool)> = above
        .unsaved()
        .into_iter()
        .map(|unsaved| match unsaved.slot {
            crate::tui::drafts::Slot::Run(_, name) => (name, unsaved.text.is_some()),
            crate::tui::drafts::Slot::Form(name) => (name, false),
        })
        .collect();
    assert_eq!(
        names,
        [("edit tidy 1 call 2.0".to_owned(), false), ("fields of edit tidy 1 call 2.0".to_owned(), true)]
    );
    let outcome = press(&mut above, &["Esc"]);
    assert!(outcome.closes && matches!(outcome.effects.as_slice(), [Effect::Change(Change::KeepDraft { .. })]));
    let run = tools::waiting_in(TaskKind::Instruct).run.id;
    let mut again = edits();
    again.offer(run, "fields of edit tidy 1 call 2.0", r#"[{"at":["text"],"typed":"half a text"}]"#);
    again.offer(run, "edit tidy 1 call 2.0", r#"{"path":"other.md","text":"x"}"#);
    let picture = shown(&mut again, (80, 24));
    assert!(picture.contains("other.md") && picture.contains("not put in: half a text"), "{picture}");
}
