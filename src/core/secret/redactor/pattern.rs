//! One form of one value, and whether it begins at a place of a text.
//!
//! A form is a row of characters, each of which a text may write in several ways; all ways are followed at once, so that
//! a look takes time in proportion to the length of the value, whatever the text says.

use std::iter::Sum;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// So many backslashes in a row are one escape: JSON within JSON within JSON.
const MOST_BACKSLASHES: usize = 8;
/// What follows a value in the same piece of base64: what the last of its bits share, and a line break or two.
const MOST_AFTER: usize = 3;
/// An encoding shorter than this is found in ordinary text.
const SHORTEST_ENCODED: usize = 4;

/// One form of a value.
#[derive(Clone)]
pub struct Pattern {
    form: Form,
    characters: Vec<char>,
    /// The bytes that a text may begin it with.
    begins: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The characters of the value.
    Text,
    /// Those of its encoding that depend on nothing else. With `shares`, the one before them has bits of it too.
    Base64 {
        shares: bool,
    },
    Hex,
}

/// What a place of a text may be.
#[derive(Clone, Copy, Default)]
pub struct Found {
    /// A value ends here.
    pub end: Option<usize>,
    /// The text ends before it can be said.
    pub open: bool,
    /// The character of base64 before it has bits of the value, too.
    pub shares: bool,
}

/// The longest of what begins at one place.
impl Sum for Found {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, found| Self {
            open: sum.open || found.open,
            ..if found.end > sum.end { found } else { sum }
        })
    }
}

impl Pattern {
    /// The forms of a value.
    pub fn of(value: &str) -> Vec<Self> {
        let mut patterns = vec![Self::new(Form::Text, value.chars().collect())];
        let mut encoded = |form: Form, characters: Vec<char>| {
            if characters.len() >= SHORTEST_ENCODED {
                patterns.push(Self::new(form, characters));
            }
        };
        let digits = value.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
        encoded(Form::Hex, digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect());
        for offset in 0..3 {
            // Where in the text that was encoded the value stands decides how its bits are spread.
            let text = [&b"\0\0"[..offset], value.as_bytes()].concat();
            let whole = (text.len() * 8) / 6;
            let alone = (offset * 8).div_ceil(6);
            let characters = STANDARD_NO_PAD.encode(&text).chars().take(whole).skip(alone).collect();
            encoded(Form::Base64 { shares: offset > 0 }, characters);
        }
        patterns
    }

    fn new(form: Form, characters: Vec<char>) -> Self {
        let first = characters.first().copied().unwrap_or_default();
        let mut begins = vec![first.encode_utf8(&mut [0; 4]).as_bytes()[0]];
        match form {
            Form::Text => begins.extend(b"\\%&+"),
            Form::Base64 { .. } => {
                if let Some(twin) = twin(first) {
                    begins.extend([b'\\', b'%', twin]);
                }
            }
            Form::Hex => begins.push(begins[0].to_ascii_uppercase()),
        }
        Self { form, characters, begins }
    }

    /// The bytes that it may begin with.
    pub fn begins(&self) -> &[u8] {
        &self.begins
    }

    /// What begins at `at`.
    pub fn at(&self, text: &[u8], at: usize) -> Found {
        let mut open = false;
        if !text.get(at).is_some_and(|byte| self.begins.contains(byte)) {
            return Found::default();
        }
        let (mut places, mut next) = (vec![at], Vec::new());
        for (index, character) in self.characters.iter().enumerate() {
            for place in places.drain(..) {
                open |= self.character(*character, text, place, &mut next);
                for separator in if index == 0 { &[][..] } else { self.separators(index) } {
                    match text[place..].strip_prefix(separator.as_bytes()) {
                        Some(_) => open |= self.character(*character, text, place + separator.len(), &mut next),
                        None => open |= separator.as_bytes().starts_with(&text[place..]),
                    }
                }
            }
            next.sort_unstable();
            next.dedup();
            std::mem::swap(&mut places, &mut next);
            if places.is_empty() {
                return Found { end: None, open, shares: false };
            }
        }
        let end = places.last().copied();
        let (end, unfinished) = match (self.form, end) {
            (Form::Base64 { .. }, Some(end)) => after(text, end),
            _ => (end.unwrap_or(at), false),
        };
        let shares = matches!(self.form, Form::Base64 { shares: true });
        Found { end: Some(end), open: open || unfinished, shares }
    }

    /// What may separate a character from the one before it: encodings are wrapped, and spaced.
    fn separators(&self, index: usize) -> &'static [&'static str] {
        match self.form {
            Form::Base64 { .. } => &["\n", "\r\n", "\\n", "\\r\\n"],
            Form::Hex if index.is_multiple_of(2) => &[" ", ":", "-", "\n", " \n", "\r\n", "\\n"],
            Form::Text | Form::Hex => &[],
        }
    }

    /// Adds to `ends` where `character` ends that is written at `at`; true when the text ends before it can be said.
    fn character(&self, character: char, text: &[u8], at: usize, ends: &mut Vec<usize>) -> bool {
        let mut ways = Ways { text: &text[at..], at, ends, open: false };
        if ways.text.is_empty() {
            return true;
        }
        match self.form {
            Form::Text => ways.text_character(character),
            Form::Base64 { .. } => {
                ways.exactly(character.encode_utf8(&mut [0; 4]).as_bytes());
                if let Some(twin) = twin(character) {
                    ways.exactly(&[twin]);
                    ways.percent(character);
                    ways.backslash(character);
                }
            }
            Form::Hex => ways.way(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        ways.open
    }
}

/// The same character in the alphabet for addresses.
fn twin(character: char) -> Option<u8> {
    match character {
        '+' => Some(b'-'),
        '/' => Some(b'_'),
        _ => None,
    }
}

/// The letter that follows the backslash of an escaped character.
fn short(character: char) -> Option<u8> {
    match character {
        '\n' => Some(b'n'),
        '\r' => Some(b'r'),
        '\t' => Some(b't'),
        '\u{8}' => Some(b'b'),
        '\u{c}' => Some(b'f'),
        other if other.is_ascii_punctuation() || other == ' ' => u8::try_from(other).ok(),
        _ => None,
    }
}

/// Whether it is a character of base64, in either alphabet.
pub fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// Where the piece of base64 ends whose part that belongs to a value alone ends at `end`, and whether the text ends first.
fn after(text: &[u8], end: usize) -> (usize, bool) {
    let more = text[end..].iter().take(MOST_AFTER).take_while(|byte| is_base64(**byte)).count();
    let padding = text[end + more..].iter().take(2).take_while(|byte| **byte == b'=').count();
    let reached = end + more + padding;
    (reached, reached == text.len() && padding < 2)
}

/// The ways of writing a character, tried at one place.
struct Ways<'a> {
    text: &'a [u8],
    at: usize,
    ends: &'a mut Vec<usize>,
    open: bool,
}

impl Ways<'_> {
    /// One way; its letters may be large or small.
    fn way(&mut self, written: &[u8]) {
        let shared = written.len().min(self.text.len());
        if !self.text[..shared].eq_ignore_ascii_case(&written[..shared]) {
            return;
        }
        if shared == written.len() {
            self.ends.push(self.at + shared);
        } else {
            self.open = true;
        }
    }

    /// One way, its letters as they are.
    fn exactly(&mut self, written: &[u8]) {
        let shared = written.len().min(self.text.len());
        if self.text[..shared] == written[..shared] {
            self.way(written);
        }
    }

    fn text_character(&mut self, character: char) {
        self.exactly(character.encode_utf8(&mut [0; 4]).as_bytes());
        match self.text[0] {
            b'\\' => self.backslash(character),
            b'%' => self.percent(character),
            b'&' => self.entity(character),
            b'+' if character == ' ' => self.way(b"+"),
            _ => {}
        }
        if character == '\n' {
            self.way(b"\r\n");
        }
    }

    /// As JSON, JavaScript, Python and shells escape it, within texts that may be escaped themselves.
    fn backslash(&mut self, character: char) {
        let backslashes = self.text.iter().take(MOST_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
        if backslashes == 0 {
            return;
        }
        if backslashes == self.text.len() {
            self.open = true;
        }
        if character == '\\' {
            self.ends.extend([2, 4, 8].iter().filter(|count| **count <= backslashes).map(|count| self.at + count));
        }
        let slashes = "\\".repeat(backslashes);
        match self.text.get(backslashes) {
            Some(b'u' | b'U') => {
                let mut raw = [0; 2];
                let units = character.encode_utf16(&mut raw).iter().map(|unit| format!("{slashes}u{unit:04x}"));
                self.way(units.collect::<Vec<_>>().concat().as_bytes());
                self.way(format!("{slashes}u{{{:x}}}", u32::from(character)).as_bytes());
            }
            Some(b'x' | b'X') => {
                let mut raw = [0; 4];
                let bytes = character.encode_utf8(&mut raw).bytes().map(|byte| format!("{slashes}x{byte:02x}"));
                self.way(bytes.collect::<Vec<_>>().concat().as_bytes());
            }
            Some(letter) if short(character) == Some(*letter) => {
                self.ends.push(self.at + backslashes + 1);
            }
            Some(b'r') if character == '\n' => self.way(format!("{slashes}r{slashes}n").as_bytes()),
            _ => {}
        }
    }

    fn percent(&mut self, character: char) {
        let mut raw = [0; 4];
        let bytes = character.encode_utf8(&mut raw).as_bytes();
        for percent in ["%", "%25"] {
            let written = bytes.iter().map(|byte| format!("{percent}{byte:02x}"));
            self.way(written.collect::<Vec<_>>().concat().as_bytes());
        }
        if character == '\n' {
            self.way(b"%0d%0a");
        }
    }

    fn entity(&mut self, character: char) {
        let name = match character {
            '"' => "&quot;",
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\'' => "&apos;",
            _ => "",
        };
        if !name.is_empty() {
            self.way(name.as_bytes());
        }
        let code = u32::from(character);
        for written in [format!("&#{code};"), format!("&#x{code:x};"), format!("&#0{code};"), format!("&#x0{code:x};")]
        {
            self.way(written.as_bytes());
        }
    }
}
