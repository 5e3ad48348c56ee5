//! Two readings of one table: of text that is to be read, and of text that is to be decided about.
//!
//! To be read, a text keeps what shapes its letters: joiners and selectors within a character, region flags, soft
//! hyphens, direction marks among letters that need them. To be decided about (an approval, a comparison, JSON), every
//! text looks different from every other: nothing is invisible, and what looks like a mark of ours is told apart from
//! one.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use super::characters::{Class, class, is_right_to_left};

/// How many combining marks one character may carry in a text that is read; more are shown as a count.
const MOST_MARKS: usize = 8;
/// How many where each is to be seen: more lie on top of each other.
const MOST_SEEN: usize = 2;
/// The longest name of a region after a flag, with the tag that ends it.
const LONGEST_REGION: usize = 7;

/// Makes every character of `text` that could act on a terminal, or hide from a reader, visible.
///
/// With `multi_line`, `\n` and `\t` stay (and `\r\n` becomes `\n`); without it they become spaces.
#[must_use]
pub fn visible(text: &str, multi_line: bool) -> Cow<'_, str> {
    // Most text is printable ASCII with line breaks: no copy for it.
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) || (multi_line && (b == b'\n' || b == b'\t'))) {
        return Cow::Borrowed(text);
    }
    let mut reading = Reading { shown: String::with_capacity(text.len() + 16), before: None, marks: 0 };
    let mut right_to_left = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let class = class(c);
        if class != Class::Mark {
            reading.count_dropped();
        }
        match class {
            Class::Control if c == '\r' && chars.peek() == Some(&'\n') => {}
            Class::Control if c == '\n' || c == '\t' => reading.keep(if multi_line { c } else { ' ' }),
            Class::Control => reading.keep(picture(c)),
            Class::Plain | Class::Space | Class::Picture => reading.keep(c),
            Class::Mark => {
                reading.marks += 1;
                if reading.marks <= MOST_MARKS {
                    reading.shown.push(c);
                    reading.before = Some(c);
                }
            }
            Class::Joiner if reading.is_within_cluster() && chars.peek().is_some_and(|next| shapes(*next)) => {
                reading.keep(c);
            }
            Class::Selector if reading.takes_selector() => reading.keep(c),
            Class::SoftHyphen
                if reading.before.is_some_and(char::is_alphabetic)
                    && chars.peek().is_some_and(|next| next.is_alphabetic()) =>
            {
                reading.keep(c);
            }
            Class::Direction if *right_to_left.get_or_insert_with(|| text.chars().any(is_right_to_left)) => {
                reading.keep(c);
            }
            Class::Tag if reading.before == Some('\u{1f3f4}') => reading.region(c, &mut chars),
            Class::Joiner | Class::Selector | Class::SoftHyphen | Class::Direction | Class::Tag | Class::Hidden => {
                reading.number(c);
            }
        }
    }
    reading.count_dropped();
    Cow::Owned(reading.shown)
}

/// `text` so that no other text is shown as the same: for what a person decides about. Line breaks and tabs stay.
#[must_use]
pub fn exact(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) || b == b'\n' || b == b'\t') {
        return Cow::Borrowed(text);
    }
    let mut reading = Reading { shown: String::with_capacity(text.len() + 16), before: None, marks: MOST_SEEN };
    for c in text.chars() {
        match class(c) {
            Class::Control if c == '\n' || c == '\t' => {
                reading.keep(c);
                // There is nothing that a mark could belong to.
                reading.marks = MOST_SEEN;
            }
            Class::Control => reading.keep(picture(c)),
            Class::Plain => {
                reading.keep(c);
                reading.marks = if c == ' ' { MOST_SEEN } else { 0 };
            }
            Class::Mark if reading.marks < MOST_SEEN => {
                reading.marks += 1;
                reading.shown.push(c);
            }
            _ => reading.number(c),
        }
    }
    Cow::Owned(reading.shown)
}

/// `json`, where every character that could act or hide is written as its escape: the same value, and harmless.
#[must_use]
pub fn json(json: &str) -> Cow<'_, str> {
    // Outside of texts there is only ASCII, and control characters are escaped already.
    if json.bytes().all(|b| b < 0x7f) {
        return Cow::Borrowed(json);
    }
    let mut written = String::with_capacity(json.len() + 16);
    let mut marks = 0;
    for c in json.chars() {
        let class = class(c);
        marks = if class == Class::Mark { marks + 1 } else { 0 };
        let escaped = match class {
            Class::Plain | Class::Picture => false,
            Class::Control => c == '\u{7f}',
            Class::Mark => marks > MOST_SEEN,
            _ => true,
        };
        if escaped {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(written, "\\u{unit:04x}");
            }
        } else {
            written.push(c);
        }
    }
    Cow::Owned(written)
}

/// A text on its way.
struct Reading {
    shown: String,
    before: Option<char>,
    /// Marks since the last character that they belong to.
    marks: usize,
}

impl Reading {
    fn keep(&mut self, c: char) {
        self.shown.push(c);
        self.before = Some(c);
        self.marks = 0;
    }

    fn number(&mut self, c: char) {
        let _ = write!(self.shown, "⟨U+{:04X}⟩", u32::from(c));
        self.before = None;
        self.marks = MOST_SEEN;
    }

    /// Says how many marks were left out.
    fn count_dropped(&mut self) {
        if self.marks > MOST_MARKS {
            let _ = write!(self.shown, "⟨+{} marks⟩", self.marks - MOST_MARKS);
        }
        self.marks = 0;
    }

    /// Joiners shape emoji and several scripts: after a character of those they do their work.
    fn is_within_cluster(&self) -> bool {
        self.before.is_some_and(shapes)
    }

    /// One selector a character: a row of them spells something that nobody sees.
    fn takes_selector(&self) -> bool {
        self.before.is_some_and(|before| {
            shapes(before) && class(before) != Class::Selector || before.is_ascii_digit() || "#*".contains(before)
        })
    }

    /// What begins with the tag `first` after a flag: the name of a region, or numbers.
    fn region(&mut self, first: char, chars: &mut Peekable<Chars<'_>>) {
        let rest: String = chars.clone().take(LONGEST_REGION).take_while(|c| class(*c) == Class::Tag).collect();
        let name = format!("{first}{rest}");
        let is_letter = |c: char| matches!(u32::from(c), 0xe0030..=0xe0039 | 0xe0061..=0xe007a);
        match name.find('\u{e007f}') {
            Some(end) if end > 0 && name[..end].chars().all(is_letter) => {
                let name = &name[..end + '\u{e007f}'.len_utf8()];
                self.shown.push_str(name);
                for _ in name.chars().skip(1) {
                    chars.next();
                }
                self.before = Some('\u{e007f}');
            }
            _ => self.number(first),
        }
    }
}

/// Whether joiners and selectors may belong to it.
fn shapes(c: char) -> bool {
    !c.is_ascii() && matches!(class(c), Class::Plain | Class::Mark | Class::Selector)
}

fn picture(c: char) -> char {
    if c == '\x7f' { '␡' } else { char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_act_or_hide_is_shown() {
        for (raw, shown) in [
            ("plain\ntext\tok", "plain\ntext\tok"),
            ("\x1b[2Jboo", "␛[2Jboo"),
            ("a\r\nb\rc", "a\nb␍c"),
            ("\u{9b}31m", "⟨U+009B⟩31m"),
            ("user\u{202e}txt.exe", "user⟨U+202E⟩txt.exe"),
            ("a\u{200b}b", "a⟨U+200B⟩b"),
            ("a\u{200d}b \u{200d}", "a⟨U+200D⟩b ⟨U+200D⟩"),
            ("x\u{e0041}", "x⟨U+E0041⟩"),
            ("m\u{180f}\u{1bca0}\u{1d173}\u{fff0}\u{fffe}", "m⟨U+180F⟩⟨U+1BCA0⟩⟨U+1D173⟩⟨U+FFF0⟩⟨U+FFFE⟩"),
            ("a\u{fe00}b", "a⟨U+FE00⟩b"),
            ("❤\u{fe0f}\u{fe0f}\u{e0101}", "❤\u{fe0f}⟨U+FE0F⟩⟨U+E0101⟩"),
            ("🏴\u{e0067}\u{e0068}", "🏴⟨U+E0067⟩⟨U+E0068⟩"),
            ("in\u{ad} \u{ad}visible", "in⟨U+00AD⟩ ⟨U+00AD⟩visible"),
            ("left\u{200f}right", "left⟨U+200F⟩right"),
        ] {
            assert_eq!(visible(raw, true), shown);
        }
        assert_eq!(visible("a\nb\tc", false), "a b c");
    }

    #[test]
    fn what_shapes_letters_is_left_alone_in_a_text_that_is_read() {
        for text in [
            "👩\u{200d}🚀 mañana",
            "👩\u{1f3fd}\u{200d}❤\u{fe0f}\u{200d}👨",
            "1\u{fe0f}\u{20e3} #\u{fe0f}\u{20e3} ❤\u{fe0f} 葛\u{e0100}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} 🇩🇪",
            "می\u{200c}خواهم क\u{94d}\u{200d}ष",
            "Donau\u{ad}dampf\u{ad}schiff",
            "שָׁלוֹם\u{200f}! العَرَبِيَّة\u{200e}",
            "e\u{301} ệ ม\u{e49} ᠠ\u{180b}",
            "10\u{a0}000\u{202f}€ 全\u{3000}角",
        ] {
            assert_eq!(visible(text, true), text);
        }
    }

    #[test]
    fn ten_thousand_combining_marks_become_a_count() {
        let flood = format!("e{}x", "\u{301}".repeat(10_000));
        let shown = visible(&flood, true);
        assert!(shown.chars().count() < 40, "{shown}");
        assert!(shown.contains("⟨+9992 marks⟩"));
    }

    #[test]
    fn nothing_is_alike_where_it_is_decided_about() {
        for (raw, shown) in [
            ("a\tb\nc", "a\tb\nc"),
            ("10\u{a0}000", "10⟨U+00A0⟩000"),
            ("❤\u{fe0f}", "❤⟨U+FE0F⟩"),
            ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟨U+27E9⟩"),
            ("␛[0m ⟦secret token⟧", "⟨U+241B⟩[0m ⟨U+27E6⟩secret token⟨U+27E7⟩"),
            ("e\u{301}\u{301}\u{301}", "e\u{301}\u{301}⟨U+0301⟩"),
            ("\u{301}a \u{301}", "⟨U+0301⟩a ⟨U+0301⟩"),
            ("a\r\n", "a␍\n"),
            ("mañana 海 👩🚀", "mañana 海 👩🚀"),
        ] {
            assert_eq!(exact(raw), shown);
            // A sink that reads it once more changes nothing.
            assert_eq!(visible(&exact(raw), true), shown);
        }
    }

    #[test]
    fn json_is_the_same_value_and_harmless() {
        let value =
            serde_json::json!({ "k\u{9b}": "\x1b]0;x\x07 \u{202e} \u{e0041} \u{7f} ❤\u{fe0f} mañana 🚀 \u{a0}" });
        let written = serde_json::to_string(&value).unwrap();
        let safe = json(&written);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        assert!(safe.contains("\\u009b") && safe.contains("\\u202e") && safe.contains("\\udb40\\udc41"), "{safe}");
        assert!(safe.contains("mañana 🚀"), "{safe}");
        assert_eq!(visible(&safe, false), safe);
    }

    proptest! {
        #[test]
        fn nothing_shown_controls_a_terminal(text in any::<String>()) {
            for c in visible(&text, true).chars().chain(exact(&text).chars()) {
                prop_assert!(c == '\n' || c == '\t' || !c.is_control(), "{:?}", c);
                let bidi = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                prop_assert!(!bidi);
            }
            prop_assert!(!visible(&text, false).contains('\n'));
        }

        #[test]
        fn different_texts_are_shown_differently(
            a in "[a \u{301}\u{200d}⟨⟩U+0-3␛\x1b\u{a0}]{0,8}", b in "[a \u{301}\u{200d}⟨⟩U+0-3␛\x1b\u{a0}]{0,8}",
        ) {
            prop_assert_eq!(a == b, exact(&a) == exact(&b));
        }
    }
}
