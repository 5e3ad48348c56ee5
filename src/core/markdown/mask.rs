//! The text as the parser gets it: of the same length, byte for byte, with what shall not be taken for markup covered
//! by letters that mean nothing to it. What is shown is always cut out of the text itself.
//!
//! Every line is looked at with the two above it and nothing else, so that the end of a text that still grows, cut at an
//! empty line, is covered as it would be within the whole.

use std::borrow::Cow;

use super::Definition;
use super::line::{content, definition, is_item, unquoted};

/// Covers what is no markup. Gives the definitions of links too, all of which are covered: they are shown as they are
/// written.
pub(super) fn mask(text: &str) -> (Cow<'_, str>, Vec<Definition>) {
    let mut mask = Mask { text, covered: None };
    let mut definitions = Vec::new();
    let mut above = ["", ""];
    let mut start = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.trim_end_matches(['\n', '\r']);
        mask.rule(start, line, above);
        mask.closing_hashes(start, line);
        if let Some(found) = definition(line, start) {
            mask.cover(found.start, 1, b'x');
            definitions.extend(Some(found).filter(|found| !found.url.is_empty()));
        }
        mask.backslashes(start, line);
        mask.wide_letters(start, line);
        above = [above[1], line];
        start += whole.len();
    }
    (mask.finish(), definitions)
}

struct Mask<'t> {
    text: &'t str,
    covered: Option<Vec<u8>>,
}

impl<'t> Mask<'t> {
    fn cover(&mut self, at: usize, bytes: usize, with: u8) {
        let covered = self.covered.get_or_insert_with(|| self.text.as_bytes().to_vec());
        if let Some(place) = covered.get_mut(at..at + bytes) {
            place.fill(with);
        }
    }

    fn finish(self) -> Cow<'t, str> {
        // Letters were replaced by such of the same length, so that it is text again.
        match self.covered.map(String::from_utf8) {
            Some(Ok(covered)) => Cow::Owned(covered),
            Some(Err(_)) | None => Cow::Borrowed(self.text),
        }
    }

    /// Lines of `-`, `=` or `#` alone. Beneath a text, dashes are a rule and never make a heading of it; one or two are
    /// what they are, as the `--` above the signature of a letter.
    fn rule(&mut self, start: usize, line: &str, above: [&str; 2]) {
        let quoted = unquoted(line);
        let sign = quoted.trim_end();
        let at = start + line.len() - quoted.len();
        let [second, first] = above.map(|line| unquoted(line).is_empty());
        let Some(kind) = sign.bytes().next().filter(|kind| sign.bytes().all(|other| other == *kind)) else { return };
        match kind {
            b'-' if sign.len() > 2 => self.cover(at, sign.len(), b'*'),
            b'-' if sign.len() == 2 || !first && !is_item(above[1]) => self.cover(at, sign.len(), b'x'),
            // The sum beneath a column of figures is no heading.
            b'=' if sign.len() < 3 || first || !second => self.cover(at, sign.len(), b'x'),
            b'#' if sign.len() <= 6 => self.cover(at, sign.len(), b'x'),
            _ => {}
        }
    }

    /// `# Learn C ##`: what ends a heading belongs to it, unless it closes what began it.
    fn closing_hashes(&mut self, start: usize, line: &str) {
        let line = line.trim_end();
        let closing = line.len() - line.trim_end_matches('#').len();
        if closing > 0 {
            let opened = content(line);
            let opening = opened.len() - opened.trim_start_matches('#').len();
            if opening != closing || opened.len() == opening {
                self.cover(start + line.len() - closing, closing, b'x');
            }
        }
    }

    fn backslashes(&mut self, start: usize, line: &str) {
        if !line.contains('\\') {
            return;
        }
        let line = Line::of(line);
        let mut at = 0;
        for word in line.text.split([' ', '\t']) {
            if word.contains('\\') {
                self.backslashes_of_word(start, &line, at, word);
            }
            at += word.len() + 1;
        }
    }

    /// A word in which one backslash is a sign like others, as in a path or a pattern, has no others. In an address they
    /// stay what they are, for it to be the address.
    fn backslashes_of_word(&mut self, start: usize, line: &Line<'_>, at: usize, word: &str) {
        let bytes = word.as_bytes();
        let mut found = Vec::new();
        let mut literal = word.starts_with(".\\") || word.starts_with("..\\");
        let mut next = 0;
        while let Some(here) = bytes[next..].iter().position(|byte| *byte == b'\\').map(|ahead| next + ahead) {
            let after = bytes.get(here + 1).copied();
            let escapes = after.is_some_and(|after| line.escapes(after, at + here)) && !is_path(bytes, here);
            // At the end of a line it breaks the line, which is broken in any case. A shell's has a space before it.
            let breaks = after.is_none() && here > 0;
            if !is_address(&word[..here]) {
                literal |= !escapes && !breaks;
                found.push((here, after));
            }
            next = here + 1 + usize::from(after.is_some_and(|after| after.is_ascii_punctuation()));
        }
        if !literal {
            return;
        }
        for (here, after) in found {
            let at = start + at + here;
            match after {
                // In code a backslash is nothing, and what comes after it may be what ends the code.
                Some(b'`') | None => self.cover(at, 1, b'x'),
                Some(after) if after.is_ascii_punctuation() => self.cover(at, 2, b'x'),
                Some(_) => {}
            }
        }
    }

    /// `**重要（注意）**内容` is bold: a writing without spaces has letters where the rules of Markdown look for one.
    fn wide_letters(&mut self, start: usize, line: &str) {
        if line.is_ascii() {
            return;
        }
        let mut at = 0;
        while let Some(run) = line[at..].find(['*', '~']).map(|ahead| at + ahead) {
            let sign = line[run..].chars().next().unwrap_or('*');
            let end = line.len() - line[run..].trim_start_matches(sign).len();
            let (before, after) = (line[..run].chars().next_back(), line[end..].chars().next());
            if let (Some(before), Some(after)) = (before, after) {
                if is_wide(before) && is_sign(after) {
                    self.cover_letter(start + run - before.len_utf8(), before);
                } else if is_sign(before) && is_wide(after) {
                    self.cover_letter(start + end, after);
                }
            }
            at = end;
        }
    }

    /// Covers a letter by a sign of the same length.
    fn cover_letter(&mut self, at: usize, letter: char) {
        let sign = match letter.len_utf8() {
            2 => "\u{b7}",
            3 => "\u{3001}",
            _ => "\u{10100}",
        };
        for (ahead, byte) in sign.bytes().enumerate() {
            self.cover(at + ahead, 1, byte);
        }
    }
}

/// Whether what comes before a backslash is the beginning of an address.
fn is_address(before: &str) -> bool {
    before.rsplit_once("](").is_some_and(|(_, address)| !address.contains(')'))
}

/// Whether a backslash follows a drive, `C:\`, or comes before a pattern of files, `dir\*.txt`.
fn is_path(word: &[u8], at: usize) -> bool {
    let is_drive = match word[..at] {
        [.., before, letter, b':'] => letter.is_ascii_alphabetic() && !before.is_ascii_alphanumeric(),
        [letter, b':'] => letter.is_ascii_alphabetic(),
        _ => false,
    };
    let named = at > 0 && word[at - 1].is_ascii_alphanumeric();
    is_drive || named && matches!(word[at + 1..], [b'*', b'.', next, ..] if next.is_ascii_alphanumeric())
}

fn is_wide(letter: char) -> bool {
    !letter.is_ascii() && letter.is_alphanumeric()
}

fn is_sign(letter: char) -> bool {
    !letter.is_alphanumeric() && !letter.is_whitespace()
}

/// A line in which backslashes are looked at.
struct Line<'t> {
    text: &'t str,
    /// Its text begins there: what is before makes it part of a list or a quotation.
    begins: usize,
    /// It is a row of a table.
    is_row: bool,
}

impl<'t> Line<'t> {
    fn of(text: &'t str) -> Self {
        let bars = |(at, byte): (usize, u8)| byte == b'|' && (at == 0 || text.as_bytes()[at - 1] != b'\\');
        Self { text, begins: text.len() - content(text).len(), is_row: text.bytes().enumerate().any(bars) }
    }

    /// Whether a backslash at `at` keeps the sign after it from being markup. Any other is there to be read: `\(`, `\\`.
    fn escapes(&self, sign: u8, at: usize) -> bool {
        let after = self.text.as_bytes().get(at + 2).copied();
        let spaced = after.is_none_or(|after| matches!(after, b' ' | b'\t'));
        match sign {
            b'*' | b'_' | b'`' | b'<' | b'>' | b'~' | b'#' => true,
            b'!' => after == Some(b'['),
            b'|' => self.is_row,
            // What would begin a list.
            b'.' | b')' => {
                let before = self.text.get(self.begins..at).unwrap_or_default();
                spaced && !before.is_empty() && before.bytes().all(|byte| byte.is_ascii_digit())
            }
            b'-' | b'+' => at == self.begins && (spaced || after == Some(sign)),
            _ => false,
        }
    }
}
