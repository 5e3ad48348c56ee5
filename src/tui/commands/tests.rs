//! The table of commands as a whole: no key is ambiguous, and what is shown is what works.

use std::collections::HashSet;

use super::*;

/// Every situation that there can be, and some that there cannot.
fn all() -> Vec<Situation> {
    use GateKind::{Approval, Budget, InDoubt, Input, Review, Secret, Stale};
    let screens =
        [Screen::Home, Screen::Form, Screen::Run, Screen::Chat, Screen::History, Screen::Inbox, Screen::Connect];
    let layers = [
        Layer::None,
        Layer::Edit,
        Layer::Fields,
        Layer::FieldValue,
        Layer::Retry,
        Layer::Others,
        Layer::Compare,
        Layer::Prompt,
        Layer::Document,
        Layer::Ask,
        Layer::Confirm,
        Layer::Found,
        Layer::Chips,
        Layer::Preview,
        Layer::Palette,
        Layer::Help,
    ];
    let mut selections = vec![
        Selected::None,
        Selected::Unread,
        Selected::Pending,
        Selected::Running,
        Selected::Accepted,
        Selected::Ended,
        Selected::Failed,
        Selected::Keyless,
        Selected::Earlier(Behind::Review),
        Selected::Earlier(Behind::Failed),
        Selected::Earlier(Behind::Accepted),
        Selected::Earlier(Behind::Document),
        Selected::Earlier(Behind::Other),
        Selected::Result,
        Selected::Document,
        Selected::Listed,
    ];
    selections.extend([Review, Approval, Input, InDoubt, Stale, Budget, Secret].map(Selected::Gate));
    let mut all = Vec::new();
    for screen in screens {
        for layer in layers {
            for selected in &selections {
                for bits in 0..2048u32 {
                    let bit = |n: u32| bits & (1 << n) != 0;
                    all.push(Situation {
                        screen,
                        layer,
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
                        alike: bit(9),
                        document: bit(10),
                        // One is of a conversation, the other of a run.
                        changes: bit(10),
                    });
                }
            }
        }
    }
    all
}

#[test]
fn no_key_means_two_things_at_once() {
    for situation in all() {
        let mut taken = HashSet::new();
        for command in TABLE.iter().filter(|command| (command.when)(&situation)) {
            for key in command.keys {
                assert!(taken.insert(*key), "{} is doubled ({:?}) in {situation:?}", key.shown(), command.id);
            }
        }
        for moved in moved::MOVED.iter().filter(|moved| (moved.when)(&situation)) {
            assert!(taken.insert(c(moved.key)), "{} moved, and yet it acts in {situation:?}", moved.key);
        }
    }
}

#[test]
fn every_command_can_be_given_somewhere() {
    let situations = all();
    for command in TABLE {
        assert!(!command.keys.is_empty(), "{:?} has no key", command.id);
        assert!(situations.iter().any(|situation| (command.when)(situation)), "{:?}", command.id);
    }
}

#[test]
fn letters_are_text_where_text_is_typed() {
    for situation in all().iter().filter(|situation| situation.takes_text()) {
        for command in TABLE.iter().filter(|command| (command.when)(situation)) {
            assert!(!command.keys.iter().any(|key| key.is_text()), "{:?} in {situation:?}", command.id);
        }
    }
}

#[test]
fn an_approval_is_never_given_by_a_key_that_accepts() {
    let situation = Situation {
        screen: Screen::Run,
        selected: Selected::Gate(GateKind::Approval),
        acceptable: true,
        ..Situation::default()
    };
    let press = |c| command(KeyEvent::from(KeyCode::Char(c)), &situation);
    assert_eq!((press('a'), press('A'), press('y')), (None, None, None));
    assert_eq!((press('Y'), press('n')), (Some(Id::Approve), Some(Id::Deny)));
}

#[test]
fn the_footer_of_a_review_begins_with_what_is_wanted_most() {
    let situation = Situation {
        screen: Screen::Run,
        selected: Selected::Gate(GateKind::Review),
        acceptable: true,
        others: true,
        output: true,
        ..Situation::default()
    };
    let keys: Vec<String> = hints(&situation).into_iter().take(4).map(|hint| hint.key).collect();
    assert_eq!(keys, ["a", "e", "r", "]"]);
}

#[test]
fn a_key_that_moved_says_where_it_went_and_does_nothing() {
    let on_run = |selected| Situation { screen: Screen::Run, selected, output: true, ..Situation::default() };
    let document =
        Situation { screen: Screen::Chat, layer: Layer::Document, several: true, output: true, ..Situation::default() };
    let earlier = Situation { acceptable: true, ..document };
    let cases = [
        ('g', on_run(Selected::Failed), "r "),
        ('g', on_run(Selected::Gate(GateKind::InDoubt)), "r "),
        ('g', on_run(Selected::Gate(GateKind::Stale)), "r "),
        ('w', on_run(Selected::Gate(GateKind::InDoubt)), "Enter "),
        ('u', on_run(Selected::Gate(GateKind::Budget)), "Enter "),
        ('a', document, "c "),
        ('b', earlier, "a "),
    ];
    for (key, situation, says) in cases {
        let event = KeyEvent::from(KeyCode::Char(key));
        assert_eq!(command(event, &situation), None, "{key} in {situation:?}");
        let said = moved(event, &situation).unwrap_or_default();
        assert!(said.starts_with(says), "{key}: {said}");
        // What it points at is there.
        let there = says.trim();
        let there = if there == "Enter" { KeyCode::Enter } else { KeyCode::Char(there.chars().next().unwrap()) };
        assert!(command(KeyEvent::from(there), &situation).is_some(), "{key}: {says} in {situation:?}");
    }
}

#[test]
fn a_key_has_one_meaning_on_every_text() {
    let texts = [
        Situation { screen: Screen::Run, selected: Selected::Accepted, ..Situation::default() },
        Situation { screen: Screen::Run, selected: Selected::Result, ..Situation::default() },
        Situation { screen: Screen::Run, selected: Selected::Gate(GateKind::Review), ..Situation::default() },
        Situation { screen: Screen::Inbox, selected: Selected::Gate(GateKind::Review), ..Situation::default() },
        Situation { screen: Screen::Run, selected: Selected::Earlier(Behind::Review), ..Situation::default() },
        Situation { screen: Screen::Run, selected: Selected::Document, ..Situation::default() },
        Situation { screen: Screen::Run, selected: Selected::Earlier(Behind::Document), ..Situation::default() },
        Situation { screen: Screen::Chat, layer: Layer::Document, ..Situation::default() },
        Situation {
            screen: Screen::History,
            layer: Layer::Preview,
            document: true,
            acceptable: true,
            ..Situation::default()
        },
    ];
    let same = [
        ('y', Id::Copy),
        ('w', Id::WriteFile),
        ('z', Id::Zoom),
        ('d', Id::Compare),
        ('g', Id::First),
        ('G', Id::Last),
        ('/', Id::Filter),
    ];
    for text in texts {
        let situation = Situation { output: true, several: true, ..text };
        for (key, id) in same {
            assert_eq!(command(KeyEvent::from(KeyCode::Char(key)), &situation), Some(id), "{key} in {situation:?}");
        }
        for (code, id) in [(KeyCode::Left, Id::Left), (KeyCode::Right, Id::Right)] {
            assert_eq!(command(KeyEvent::from(code), &situation), Some(id), "{situation:?}");
        }
    }
}
