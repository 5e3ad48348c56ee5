//! Layers as a person meets them.

use super::*;
use crate::core::gate::GateKind;
use crate::core::id::RunId;
use crate::core::run::Status;
use crate::core::text::Untrusted;
use crate::tui::effect::{Change, Go, Manage, Opening};
use crate::tui::situation::{Screen, Selected};
use crate::tui::testing::{SIZES, frame, key, listed};
use crate::tui::theme::Depth;

fn look(above: &mut Above, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| above.view(canvas, area));
    above.set_last_frame(info);
    picture
}

fn press(above: &mut Above, keys: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    for name in keys {
        outcome = above.update(Message::Key(key(name)));
        look(above, (80, 24));
    }
    outcome
}

fn opened(effect: Effect) -> Above {
    let Effect::Go(Go::Above(above)) = effect else { panic!("{effect:?} opens nothing") };
    *above
}

fn review() -> Situation {
    let selected = Selected::Gate(GateKind::Review);
    Situation { screen: Screen::Run, selected, acceptable: true, output: true, prompt: true, ..Situation::default() }
}

fn home() -> Situation {
    Situation { screen: Screen::Home, ..Situation::default() }
}

fn tasks() -> Vec<crate::tui::screens::home::TaskRow> {
    [("email", "Write an email", true), ("release", "Release notes", false)]
        .map(|(id, name, trusted)| crate::tui::screens::home::TaskRow {
            task: None,
            id: id.into(),
            name: name.into(),
            kind: crate::core::task::Kind::Instruct,
            source: "shipped".into(),
            trusted,
            errors: vec![],
            learned: vec![],
            runs: vec![],
            file: None,
            hides_shipped: false,
        })
        .into()
}

#[test]
fn the_palette_lists_what_can_be_done_here() {
    for size in SIZES {
        let mut above = Above::from(Kind::Choose(picks::palette(&review(), None, &tasks())));
        insta::assert_snapshot!(format!("palette_{}x{}", size.0, size.1), look(&mut above, size));
    }
}

#[test]
fn the_palette_gives_the_screen_the_command_that_was_picked() {
    let mut above = Above::from(Kind::Choose(picks::palette(&review(), None, &tasks())));
    let outcome = press(&mut above, &["r", "e", "a", "d", " ", "p", "r", "o", "m", "Enter"]);
    assert_eq!((outcome.closes, outcome.give), (true, Some(Id::Prompt)));
}

#[test]
fn the_palette_starts_what_may_be_started() {
    let mut above = Above::from(Kind::Choose(picks::palette(&home(), None, &tasks())));
    let outcome = press(&mut above, &["e", "m", "a", "i", "l", "Enter"]);
    assert_eq!(outcome, Outcome::does(vec![Effect::Open(Opening::Task("email".into()))]));
    let mut above = Above::from(Kind::Choose(picks::palette(&home(), None, &tasks())));
    let outcome = press(&mut above, &["n", "o", "t", "e", "s", "Enter"]);
    assert_eq!(outcome, Outcome::stays(), "what is not trusted was offered");
}

#[test]
fn what_matches_nothing_picks_nothing() {
    let mut above = Above::from(Kind::Choose(picks::palette(&home(), None, &tasks())));
    assert_eq!(press(&mut above, &["ü", "ü", "ü", "Enter"]), Outcome::stays());
    assert!(look(&mut above, (80, 24)).contains("nothing like that"));
    assert_eq!(press(&mut above, &["Esc"]), Outcome::closes());
}

#[test]
fn the_help_can_be_read_on_every_screen() {
    let home = Situation { screen: Screen::Home, ..Situation::default() };
    let history = Situation { screen: Screen::History, output: true, ..Situation::default() };
    for (name, situation) in [("home", home), ("history", history), ("run", review())] {
        for size in SIZES {
            let mut above = Above::from(Kind::Help(Help::of(&situation)));
            insta::assert_snapshot!(format!("help_{name}_{}x{}", size.0, size.1), look(&mut above, size));
        }
    }
    let mut above = Above::from(Kind::Help(Help::of(&review())));
    let before = look(&mut above, (40, 12));
    above.update(Message::Key(key("Down")));
    assert_ne!(look(&mut above, (40, 12)), before);
}

#[test]
fn deleting_asks_and_says_what_goes() {
    let run = listed("poem · the sea", Status::Waiting, 2, 0);
    for size in SIZES {
        let mut above = opened(picks::delete(&run));
        insta::assert_snapshot!(format!("delete_{}x{}", size.0, size.1), look(&mut above, size));
    }
    for no in ["n", "Esc"] {
        assert_eq!(press(&mut opened(picks::delete(&run)), &[no]), Outcome::closes());
    }
    assert_eq!(press(&mut opened(picks::delete(&run)), &["Enter"]), Outcome::stays());
    assert_eq!(
        press(&mut opened(picks::delete(&run)), &["Y"]),
        Outcome::does(vec![Effect::Change(Change::Manage(run.run, Manage::Delete))])
    );
}

#[test]
fn a_run_is_renamed_and_never_to_nothing() {
    let run = listed("poem", Status::Completed, 0, 0);
    let mut above = opened(picks::rename(&run));
    let outcome = press(&mut above, &["^u", "Enter"]);
    assert_eq!(outcome, Outcome::stays());
    insta::assert_snapshot!(look(&mut above, (40, 12)));
    let outcome = press(&mut above, &["s", "e", "a", "Enter"]);
    assert_eq!(outcome, Outcome::does(vec![Effect::Change(Change::Manage(run.run, Manage::Rename("sea".into())))]));
}

#[test]
fn an_instruction_says_how_far_it_reaches() {
    let gate = crate::tui::shown::ShownGate {
        document: None,
        run: RunId::new(1, [1; 10]),
        key: "write[1]".parse().unwrap(),
        call: None,
        kind: GateKind::Review,
        attempt: 2,
        version: 1,
        seq: 9,
    };
    let mut above = Above::from(Kind::Ask(Ask::new("What should be different?", "", Then::Retry(vec![gate], None))));
    let outcome = press(&mut above, &["x", "Tab", "Enter"]);
    let [Effect::Change(Change::Decide(_, decision, _))] = outcome.effects.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((decision.attempt, decision.version), (Some(2), Some(1)));
    let scope = crate::core::event::InstructionScope::Remaining;
    assert_eq!(decision.kind, crate::core::decide::DecisionKind::Retry { instruction: "x".into(), scope, model: None });
}

#[test]
fn a_text_of_several_lines_is_asked_for_with_all_its_keys() {
    let run = RunId::new(1, [1; 10]);
    let mut above = Above::from(Kind::Ask(Ask::new("What should be different?", "", Then::Say(run))));
    let empty = look(&mut above, (80, 24));
    assert!(empty.contains("empty: have it written again") && empty.contains("$EDITOR"), "{empty}");
    press(&mut above, &["x", "Alt-Enter", "y"]);
    assert!(!look(&mut above, (80, 24)).contains("empty:"));
    // To the editor and back, and on.
    let outcome = press(&mut above, &["^g"]);
    let open = Terminal::OpenEditor { purpose: Purpose::Above, text: "x\ny".into(), extension: "md" };
    assert_eq!(outcome, Outcome { effects: vec![Effect::Terminal(open)], ..Outcome::stays() });
    above.update(Message::Edited(Purpose::Above, Some("shorter".into())));
    let outcome = press(&mut above, &["^s"]);
    assert_eq!(outcome, Outcome::does(vec![Effect::Change(Change::Message(run, "shorter".into()))]));
}

#[test]
fn what_lies_above_the_screen_has_a_help_and_is_there_again_after_it() {
    let texts: [Untrusted; 2] = ["The lamps are lit.", "The lamps are out."].map(Untrusted::from);
    let [old, new] = texts;
    let mut above = Above::from(Kind::Compare(Compared::new("the sea", vec![("Result".to_owned(), old, new)])));
    let compared = look(&mut above, (80, 24));
    assert!(compared.contains("? help"), "{compared}");
    assert_eq!(press(&mut above, &["?"]), Outcome { give: Some(Id::Help), ..Outcome::stays() });
    let mut help = above.clone().helped();
    assert!(look(&mut help, (80, 24)).contains("What can be done here"));
    assert_eq!(press(&mut help, &["Esc"]), Outcome::closes());
    assert_eq!(look(&mut help.below().unwrap(), (80, 24)), compared);
}

#[test]
fn what_was_typed_under_another_layer_is_kept_and_is_there_again() {
    let run = RunId::new(1, [1; 10]);
    let mut above = Above::from(Kind::Ask(Ask::new("What should be different?", "", Then::Say(run))));
    press(&mut above, &["x", "y"]);
    let typed = above.unsaved();
    assert_eq!(typed.len(), 1);
    let mut help = above.clone().helped();
    assert_eq!((help.unsaved(), help.own_unsaved()), (typed.clone(), Vec::new()));
    assert_eq!(help.asks_about(), Some(run));
    press(&mut help, &["Esc"]);
    assert_eq!(help.below(), Some(above));
    // A draft that is found meanwhile is taken below.
    let empty = Above::from(Kind::Ask(Ask::new("What should be different?", "", Then::Say(run))));
    let Slot::Run(_, name) = &typed[0].slot else { panic!("{typed:?}") };
    let mut help = empty.helped();
    help.offer(run, name, "shorter");
    assert_eq!(help.unsaved()[0].text.as_deref(), Some("shorter"));
}

#[test]
fn two_results_are_compared_word_by_word() {
    let texts: [Untrusted; 2] = ["The lamps are lit.", "The lamps are \u{1b}[2Jout."].map(Untrusted::from);
    for size in SIZES {
        let [old, new] = texts.clone();
        let parts = vec![("Result".to_owned(), old.clone(), new.clone()), ("write[0]".to_owned(), new, old)];
        let compared = Compared::new("the sea → the moor", parts);
        let mut above = Above::from(Kind::Compare(compared));
        insta::assert_snapshot!(format!("compared_{}x{}", size.0, size.1), look(&mut above, size));
    }
}

#[test]
fn a_layer_takes_the_mouse_from_what_lies_below() {
    let mut above = Above::from(Kind::Help(Help::of(&review())));
    look(&mut above, (80, 24));
    assert!(above.last_frame.hits.iter().all(|(_, hit)| !matches!(hit, Hit::Row(_))));
    for size in [(1, 1), (10, 3), (12, 4), (300, 5)] {
        look(&mut Above::from(Kind::Help(Help::of(&review()))), size);
        look(&mut Above::from(Kind::Choose(picks::palette(&review(), None, &tasks()))), size);
        look(&mut opened(picks::delete(&listed("x", Status::Failed, 0, 0))), size);
        look(&mut opened(picks::rename(&listed("x", Status::Failed, 0, 0))), size);
    }
}

/// Every situation in which the palette can be opened, as far as it makes a difference to what can be done.
fn situations() -> Vec<Situation> {
    use Selected::{Accepted, Ended, Keyless, Listed, Pending, Result, Running, Unread};
    let screens =
        [Screen::Home, Screen::Form, Screen::Run, Screen::Chat, Screen::History, Screen::Inbox, Screen::Connect];
    let gates = [
        GateKind::Review,
        GateKind::Approval,
        GateKind::Input,
        GateKind::InDoubt,
        GateKind::Stale,
        GateKind::Budget,
        GateKind::Secret,
    ];
    let mut selections = vec![Selected::None, Unread, Pending, Running, Accepted, Ended, Keyless, Result, Listed];
    selections.extend(gates.map(Selected::Gate));
    let mut seen = std::collections::HashSet::new();
    let mut all = Vec::new();
    for screen in screens {
        for selected in &selections {
            for bits in 0..512u32 {
                let bit = |n: u32| bits & (1 << n) != 0;
                let situation = Situation {
                    screen,
                    selected: *selected,
                    acceptable: bit(0),
                    output: bit(1),
                    several: bit(2),
                    prompt: bit(3),
                    marked: bit(4),
                    going: bit(5),
                    others: bit(6),
                    rests: bit(7),
                    asks: bit(8),
                    ..Situation::default()
                };
                let can: Vec<String> =
                    hints(&situation).iter().map(|hint| format!("{:?}{}", hint.id, hint.short)).collect();
                if seen.insert((screen, can)) {
                    all.push(situation);
                }
            }
        }
    }
    all
}

fn found_first(choose: Choose, word: &str) -> Option<choose::Entry> {
    let mut choose = choose;
    choose.paste(word);
    choose.selected().cloned()
}

#[test]
fn every_word_of_the_footer_finds_its_command_first() {
    let run = listed("poem · the sea", Status::Waiting, 1, 0);
    let situations = situations();
    assert!(situations.len() > 50, "{}", situations.len());
    for situation in situations {
        let run = (situation.screen != Screen::Form).then_some(&run);
        for hint in hints(&situation) {
            let word = crate::tui::commands::words::plain(hint.short);
            // Ways to move are keys, not commands that are looked for; a box has no palette.
            if picks::is_a_move(hint.id) {
                continue;
            }
            let found = found_first(picks::palette(&situation, run, &tasks()), &word);
            let found = found.unwrap_or_else(|| panic!("`{word}` finds nothing in {situation:?}"));
            assert_eq!(found.picks(), &Pick::Give(hint.id), "`{word}` finds {:?} in {situation:?}", found.label());
        }
    }
}

#[test]
fn what_a_person_would_call_it_finds_it_on_every_screen() {
    let run = listed("poem · the sea", Status::Waiting, 1, 0);
    for screen in [Screen::Home, Screen::Run, Screen::Chat, Screen::History] {
        let situation = Situation { screen, selected: Selected::Listed, output: true, ..Situation::default() };
        for (word, label) in [
            ("inbox", "All that waits"),
            ("history", "Everything ever produced"),
            ("connect", "Models"),
            ("ollama", "Models"),
            ("delete", "Delete it"),
            ("archive", "Archive"),
            ("dismiss", "Archive"),
            ("cancel", "Cancel it"),
            ("rename", "Rename"),
            ("quit", "Leave"),
            ("exit", "Leave"),
        ] {
            let found = found_first(picks::palette(&situation, Some(&run), &tasks()), word);
            let label_of = found.map(|entry| entry.label().to_owned()).unwrap_or_default();
            assert!(label_of.starts_with(label), "`{word}` finds `{label_of}` on {screen:?}");
        }
    }
    let review = review();
    for (word, id) in [("retry", Id::Retry), ("skip", Id::Skip), ("zoom", Id::Zoom), ("again", Id::Retry)] {
        let found = found_first(picks::palette(&review, Some(&run), &tasks()), word);
        assert_eq!(found.map(|entry| entry.picks().clone()), Some(Pick::Give(id)), "{word}");
    }
    let done = listed("poem · the sea", Status::Completed, 0, 0);
    let found = found_first(picks::palette(&home(), Some(&done), &tasks()), "export");
    assert_eq!(found.map(|entry| entry.label().to_owned()).as_deref(), Some("Export the result to a file"));
}

#[test]
fn what_can_only_be_done_elsewhere_says_so_and_is_not_listed_unasked() {
    let mut above = Above::from(Kind::Choose(picks::palette(&home(), None, &tasks())));
    assert!(!look(&mut above, (80, 24)).contains("not here"));
    assert_eq!(press(&mut above, &["z", "o", "o", "m", "Enter"]), Outcome::stays());
    assert!(look(&mut above, (80, 24)).contains("not here"));
}

#[test]
fn a_run_that_waits_can_be_cancelled_and_deleted_once_that_is_confirmed() {
    let run = listed("poem · the sea", Status::Waiting, 2, 0);
    for (word, done) in [("cancel", Manage::Cancel), ("delete", Manage::Delete)] {
        let mut above = Above::from(Kind::Choose(picks::of_run(&run)));
        above.update(Message::Paste(word.to_owned()));
        let mut effects = press(&mut above, &["Enter"]).effects;
        let mut asks = opened(effects.remove(0));
        assert_eq!(press(&mut asks, &["n"]), Outcome::closes());
        assert_eq!(press(&mut asks, &["Y"]), Outcome::does(vec![Effect::Change(Change::Manage(run.run, done))]));
    }
}
