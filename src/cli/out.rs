//! Where words go: results to stdout, everything said to a person to stderr. A closed pipe is a quiet end, not an
//! error: what was asked for goes on, and nobody reads it.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use crate::core::text::{self, Untrusted, visible};

/// Whether results are read by a person on a terminal.
#[must_use]
pub fn to_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a person can be asked: what is typed and what is said both belong to a terminal.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether a full screen can be shown: the terminal is one at both ends, and not a dumb one.
pub fn is_full_screen() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

/// Writes to stdout as it is.
pub fn raw(text: &str) {
    bytes(text.as_bytes());
}

/// Writes JSON to stdout: the same values everywhere, harmless on a terminal.
pub fn json(text: &str) {
    raw(&text::json(text));
}

/// Writes what is no text to stdout.
pub fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    // Nobody reads any more: a quiet end.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes a line of our own words to stdout.
pub fn line(text: &str) {
    raw(&format!("{text}\n"));
}

/// Writes a result to stdout: as it came into a pipe or a file, harmless on a terminal. It ends with a line break.
pub fn result(text: &Untrusted) {
    let shown = if to_terminal() { text.block() } else { text.data().into() };
    raw(&ended(&shown));
}

/// Writes a text that may hold words from outside to stdout; see [`result`].
pub fn page(text: &str) {
    result(&Untrusted::from(text));
}

/// Says a line to the person. What it holds from outside is harmless: control characters are made visible.
pub fn say(text: &str) {
    tell(&ended(&visible(text, true)));
}

/// Says more of a text to the person, without a line break of its own.
pub fn tell(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// Text that grows by formatted pieces.
pub trait Put {
    /// Adds a piece.
    fn put(&mut self, piece: fmt::Arguments<'_>);
}

impl Put for String {
    fn put(&mut self, piece: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(self, piece);
    }
}

/// A word for a shell, quoted if it needs it.
#[must_use]
pub fn quoted(word: &str) -> String {
    // Only a NUL cannot be quoted, and no argument has one.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_brackets_survives_a_shell() {
        assert_eq!(quoted("write[1]"), "'write[1]'");
        assert_eq!(quoted("divide"), "divide");
    }

    #[test]
    fn a_line_ends_once() {
        assert_eq!((ended("a"), ended("a\n"), ended("")), ("a\n".to_owned(), "a\n".to_owned(), String::new()));
    }
}
