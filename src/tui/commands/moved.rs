//! Keys that meant something else in the release before this one. For one release they say where that went instead of
//! doing what they mean now: nobody is surprised by a habit.

use crossterm::event::{KeyCode, KeyEvent};

use super::conditions::{gate, runs_again};
use crate::core::gate::GateKind;
use crate::tui::keys::Chord;
use crate::tui::situation::{Layer, Situation};

/// A key that moved.
pub(super) struct MovedKey {
    pub(super) key: char,
    /// Where it meant something else.
    pub(super) when: fn(&Situation) -> bool,
    says: &'static str,
}

/// Every key that moved.
pub(super) static MOVED: &[MovedKey] = &[
    MovedKey { key: 'g', when: runs_again, says: "r tries it again now" },
    MovedKey { key: 'w', when: |s| gate(s, GateKind::InDoubt), says: "Enter gives the result that it had now" },
    MovedKey { key: 'u', when: |s| gate(s, GateKind::Budget), says: "Enter raises the budget now" },
    MovedKey {
        key: 'a',
        when: |s| s.layer == Layer::Document && !(s.several && s.acceptable),
        says: "c changes the document now; a takes an earlier version that is shown",
    },
    MovedKey { key: 'b', when: |s| s.layer == Layer::Document && s.several, says: "a takes the shown version now" },
];

/// What is said of a key that moved, where it meant something else.
#[must_use]
pub fn moved(key: KeyEvent, situation: &Situation) -> Option<&'static str> {
    let chord = Chord::of(key);
    let is = |moved: &&MovedKey| chord == Chord::key(KeyCode::Char(moved.key)) && (moved.when)(situation);
    MOVED.iter().find(is).map(|moved| moved.says)
}
