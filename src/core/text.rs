//! Text that came from outside, and the only ways for it to reach a screen.
//!
//! Models, commands, HTTP servers and tools can send escape sequences, bidirectional overrides and invisible
//! characters. [`Untrusted`] holds such text; a sink gets it through [`Untrusted::block`] or
//! [`Untrusted::line`], which make those characters visible and so harmless. Storage, templates and models
//! get it unchanged through [`Untrusted::data`].

mod characters;
pub mod encoding;
mod readings;
mod utf8;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::readings::{exact, json, visible};
pub use self::utf8::Utf8;

/// Text from a model, a command, a server or a tool. It has no `Display`, so that it cannot be printed by chance.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

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

/// A text in one line: its words, a blank between two of them.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// A text of at most so many characters: where it is longer, its beginning and `…`.
#[must_use]
pub fn shortened(text: &str, longest: usize) -> String {
    if text.chars().nth(longest).is_none() {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", beginning.trim_end())
}

/// A number of things: `1 run`, `2 runs`.
#[must_use]
pub fn counted(number: impl fmt::Display, thing: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {thing}{plural}")
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

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn one_line_keeps_the_words_and_nothing_between_them() {
        for text in ["a b", " a\tb\n", "\r\na\u{2028}\u{a0}b\u{3000}"] {
            assert_eq!(one_line(text), "a b", "{text:?}");
        }
        assert_eq!(one_line(" \n "), "");
    }
}
