//! Keys: how they are named in the table of commands, compared with what the terminal sends, and shown to a person.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers. A capital letter is a key of its own; Shift is not named with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Chord {
    /// A character.
    #[must_use]
    pub const fn char(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::NONE }
    }

    /// A character with Ctrl.
    #[must_use]
    pub const fn ctrl(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
    }

    /// A key that is no character.
    #[must_use]
    pub const fn key(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    /// A key with Alt.
    #[must_use]
    pub const fn alt(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::ALT }
    }

    /// A key with Shift. Only of Enter is it another key.
    #[must_use]
    pub const fn shift(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::SHIFT }
    }

    /// What the terminal sent.
    #[must_use]
    pub fn of(event: KeyEvent) -> Self {
        let shift = KeyModifiers::SHIFT;
        match event.code {
            // Terminals disagree on whether a capital comes with Shift.
            KeyCode::Char(c) => Self { code: KeyCode::Char(c), modifiers: event.modifiers - shift },
            KeyCode::BackTab => Self { code: KeyCode::BackTab, modifiers: event.modifiers - shift },
            KeyCode::Tab if event.modifiers.contains(shift) => {
                Self { code: KeyCode::BackTab, modifiers: event.modifiers - shift }
            }
            // Where Enter sends, Shift makes it a new line.
            KeyCode::Enter if event.modifiers & (shift | KeyModifiers::CONTROL | KeyModifiers::ALT) == shift => {
                Self::shift(KeyCode::Enter)
            }
            code => Self { code, modifiers: event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT) },
        }
    }

    /// Whether it would be text in a place that takes text.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && self.modifiers.is_empty()
    }

    /// As a person reads it: `a`, `Ctrl-S`, `Alt-Enter`, `Shift-Enter`, `F1`, `Esc`.
    #[must_use]
    pub fn shown(self) -> String {
        let mut shown = String::new();
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            shown.push_str("Ctrl-");
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            shown.push_str("Alt-");
        }
        if self.modifiers.contains(KeyModifiers::SHIFT) {
            shown.push_str("Shift-");
        }
        match self.code {
            KeyCode::Char(' ') => shown.push_str("Space"),
            KeyCode::Char(c) if self.modifiers.is_empty() => shown.push(c),
            KeyCode::Char(c) => shown.extend(c.to_uppercase()),
            KeyCode::F(n) => {
                shown.push('F');
                shown.push_str(&n.to_string());
            }
            KeyCode::Up => shown.push('↑'),
            KeyCode::Down => shown.push('↓'),
            KeyCode::Left => shown.push('←'),
            KeyCode::Right => shown.push('→'),
            KeyCode::PageUp => shown.push_str("PgUp"),
            KeyCode::PageDown => shown.push_str("PgDn"),
            KeyCode::BackTab => shown.push_str("Shift-Tab"),
            code => shown.push_str(&code.to_string()),
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capital_is_the_same_with_and_without_shift() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            assert_eq!(Chord::of(KeyEvent::new(KeyCode::Char('A'), modifiers)), Chord::char('A'));
        }
        assert_eq!(Chord::of(KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT)), Chord::key(KeyCode::BackTab));
    }

    #[test]
    fn keys_are_named_as_on_the_keyboard() {
        let shown: Vec<String> = [
            Chord::char('A'),
            Chord::ctrl('s'),
            Chord::alt(KeyCode::Enter),
            Chord::key(KeyCode::F(1)),
            Chord::key(KeyCode::Esc),
            Chord::char(' '),
        ]
        .into_iter()
        .map(Chord::shown)
        .collect();
        assert_eq!(shown, ["A", "Ctrl-S", "Alt-Enter", "F1", "Esc", "Space"]);
    }
}
