//! Text that came from outside, and the only ways for it to reach a screen.
//!
//! Models, commands, HTTP servers and tools can send escape sequences, bidirectional overrides and invisible
//! characters. [`Untrusted`] holds such text; a sink gets it through [`Untrusted::block`] or
//! [`Untrusted::line`], which make those characters visible and so harmless. Storage, templates and models
//! get it unchanged through [`Untrusted::data`].

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// Text from a model, a command, a server or a tool. It has no `Display`, so that it cannot be printed by chance.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

/// How many combining marks one character may carry on a screen; more are shown as a count.
const MAX_COMBINING: usize = 8;

impl Untrusted {
    /// Marks `text` as coming from outside.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it came: for storage, templates and models, never for a sink.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.0
    }

    /// Appends more of the same stream.
    pub fn push(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text for a block on a screen: line breaks and tabs stay, everything that could act is made visible.
    #[must_use]
    pub fn block(&self) -> Cow<'_, str> {
        visible(&self.0, true)
    }

    /// The text for one line on a screen or in a title: line breaks and tabs become a space.
    #[must_use]
    pub fn line(&self) -> Cow<'_, str> {
        visible(&self.0, false)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// An output as text: texts as they are, everything else as indented JSON.
#[must_use]
pub fn output_text(output: &serde_json::Value) -> Untrusted {
    match output {
        serde_json::Value::String(text) => Untrusted::new(text.clone()),
        serde_json::Value::Null => Untrusted::default(),
        other => Untrusted::new(serde_json::to_string_pretty(other).unwrap_or_default()),
    }
}

/// Makes every character of `text` that could act on a terminal, or hide from a reader, visible.
///
/// With `multi_line`, `\n` and `\t` stay (and `\r\n` becomes `\n`); without it they become spaces.
#[must_use]
pub fn visible(text: &str, multi_line: bool) -> Cow<'_, str> {
    // Most text is printable ASCII with line breaks: no copy for it.
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) || (multi_line && (b == b'\n' || b == b'\t'))) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut combining = 0usize;
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_combining(c) {
            combining += 1;
            if combining > MAX_COMBINING {
                continue;
            }
        } else {
            note_dropped(&mut shown, combining);
            combining = 0;
        }
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' if multi_line => shown.push(c),
            '\n' | '\t' => shown.push(' '),
            '\0'..='\x1f' => shown.push(control_picture(c)),
            '\x7f' => shown.push('␡'),
            // Joiners shape emoji and several scripts: between two non-ASCII characters they do their work.
            '\u{200c}' | '\u{200d}'
                if before.is_some_and(|b: char| !b.is_ascii()) && chars.peek().is_some_and(|n| !n.is_ascii()) =>
            {
                shown.push(c);
            }
            c if hides(c) => {
                let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => shown.push(c),
        }
        before = Some(c);
    }
    note_dropped(&mut shown, combining);
    Cow::Owned(shown)
}

fn note_dropped(shown: &mut String, combining: usize) {
    if combining > MAX_COMBINING {
        let _ = write!(shown, "⟨+{} marks⟩", combining - MAX_COMBINING);
    }
}

fn control_picture(c: char) -> char {
    char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')
}

/// C1 controls, bidirectional controls, invisible characters, tags and characters that only programs read.
fn hides(c: char) -> bool {
    matches!(u32::from(c),
        0x80..=0x9f
        | 0xad
        | 0x34f
        | 0x61c
        | 0x115f..=0x1160
        | 0x17b4..=0x17b5
        | 0x180b..=0x180e
        | 0x200b..=0x200f
        | 0x2028..=0x202e
        | 0x2060..=0x206f
        | 0x3164
        | 0xfeff
        | 0xffa0
        | 0xfff9..=0xfffb
        | 0xe0000..=0xe0fff)
}

fn is_combining(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x483..=0x489 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_act_or_hide_is_shown() {
        for (raw, shown) in [
            ("plain\ntext\tok", "plain\ntext\tok"),
            ("\x1b[2Jboo", "␛[2Jboo"),
            ("a\r\nb\rc", "a\nb␍c"),
            ("\u{9b}31m", "⟨U+009B⟩31m"),
            ("user\u{202e}txt.exe", "user⟨U+202E⟩txt.exe"),
            ("a\u{200b}b", "a⟨U+200B⟩b"),
            ("👩\u{200d}🚀 mañana", "👩\u{200d}🚀 mañana"),
            ("x\u{e0041}", "x⟨U+E0041⟩"),
        ] {
            assert_eq!(Untrusted::from(raw).block(), shown);
        }
        assert_eq!(Untrusted::from("a\nb\tc").line(), "a b c");
    }

    #[test]
    fn ten_thousand_combining_marks_become_a_count() {
        let flood = format!("e{}x", "\u{301}".repeat(10_000));
        let text = Untrusted::from(flood);
        let shown = text.block();
        assert!(shown.chars().count() < 40, "{shown}");
        assert!(shown.contains("⟨+9992 marks⟩"));
    }

    proptest! {
        #[test]
        fn nothing_shown_controls_a_terminal(text in any::<String>()) {
            for c in visible(&text, true).chars() {
                prop_assert!(c == '\n' || c == '\t' || !c.is_control(), "{:?}", c);
                let bidi = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                prop_assert!(!bidi);
            }
            prop_assert!(!visible(&text, false).contains('\n'));
        }
    }
}
