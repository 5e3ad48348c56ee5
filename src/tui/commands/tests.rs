//! The table of commands as a whole: no key is ambiguous, and what is shown is what works.

use super::*;

const SCREENS: [Screen; 7] =
    [Screen::Home, Screen::Form, Screen::Run, Screen::Chat, Screen::History, Screen::Inbox, Screen::Connect];

const LAYERS: [Layer; 19] = [
    Layer::None,
    Layer::Edit,
    Layer::Fields,
    Layer::FieldValue,
    Layer::Retry,
    Layer::Others,
    Layer::Compare,
    Layer::CompareRuns,
    Layer::Prompt,
    Layer::Calls,
    Layer::Document,
    Layer::Ask,
    Layer::Text,
    Layer::Confirm,
    Layer::Found,
    Layer::Chips,
    Layer::Preview,
    Layer::Palette,
    Layer::Help,
];

const SELECTIONS: [Selected; 24] = [
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
    Selected::Gate(GateKind::Review),
    Selected::Gate(GateKind::Approval),
    Selected::Gate(GateKind::Input),
    Selected::Gate(GateKind::InDoubt),
    Selected::Gate(GateKind::Stale),
    Selected::Gate(GateKind::Budget),
    Selected::Gate(GateKind::Secret),
    Selected::Gate(GateKind::Tools),
];

/// Every situation that there can be, and some that there cannot: five millions, so none of them is kept.
fn all() -> impl Iterator<Item = Situation> {
    let places = SCREENS.into_iter().flat_map(|screen| LAYERS.into_iter().map(move |layer| (screen, layer)));
    let selected = places.flat_map(|place| SELECTIONS.into_iter().map(move |selected| (place, selected)));
    selected.flat_map(|((screen, layer), selected)| {
        (0..2048u32).map(move |bits| {
            let bit = |n: u32| bits & (1 << n) != 0;
            Situation {
                screen,
                layer,
                selected,
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
                // One is of a conversation, one of a run's result, and one of an approval.
                changes: bit(10),
                tool: bit(10),
                // Only a call of a tool is asked for by a model; what are alike are reviews.
                by_model: bit(10) && bit(9),
                stops: bit(9),
                // No condition reads these together with those of the same bits.
                calls: bit(8),
                forks: bit(7),
            }
        })
    })
}

/// A bit for each of these keys; the same key has the same bit in every set.
fn set_of(keys: &[Chord], known: &mut Vec<Chord>) -> u128 {
    let mut set = 0;
    for key in keys {
        let at = known.iter().position(|other| other == key).unwrap_or(known.len());
        if at == known.len() {
            known.push(*key);
        }
        set |= 1u128.checked_shl(at.try_into().unwrap()).unwrap();
    }
    set
}

#[test]
fn no_key_means_two_things_at_once() {
    let mut known = Vec::new();
    let rows = TABLE.iter().map(|row| (format!("{:?}", row.id), row.when, row.keys.to_vec()));
    let moved = moved::MOVED.iter().map(|key| (format!("{}, which moved,", key.key), key.when, vec![c(key.key)]));
    let all_meanings: Vec<_> =
        rows.chain(moved).map(|(name, when, keys)| (name, when, set_of(&keys, &mut known))).collect();
    for situation in all() {
        let mut taken = 0;
        for (name, when, keys) in &all_meanings {
            if when(&situation) {
                assert_eq!(taken & keys, 0, "a key of {name} has two meanings in {situation:?}");
                taken |= keys;
            }
        }
    }
}

#[test]
fn every_command_can_be_given_somewhere() {
    let mut never: Vec<&CommandEntry> = TABLE.iter().collect();
    for situation in all() {
        never.retain(|command| !(command.when)(&situation));
        if never.is_empty() {
            break;
        }
    }
    assert!(never.is_empty(), "{:?}", never.iter().map(|command| command.id).collect::<Vec<_>>());
    assert!(TABLE.iter().all(|command| !command.keys.is_empty()), "a command has no key");
}

#[test]
fn letters_are_text_where_text_is_typed() {
    let of_text: Vec<&CommandEntry> = TABLE.iter().filter(|row| row.keys.iter().any(|key| key.is_text())).collect();
    for situation in all().filter(Situation::takes_text) {
        for command in &of_text {
            assert!(!(command.when)(&situation), "{:?} in {situation:?}", command.id);
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
