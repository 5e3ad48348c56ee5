//! Characters that arrive in two halves.
//!
//! JSON writes a character beyond the basic plane as two `\u` escapes, and some servers cut a stream between the two: the
//! frame then holds half a character, which no JSON reader takes. [`mark_halves`] makes such a frame readable, and
//! [`JoinedText`] puts the halves together where they meet; one that stays alone is U+FFFD.

use std::borrow::Cow;

/// In a frame, a lone half is written as the character this far beyond it: in a private plane, where each of the 2,048
/// halves has a character of its own and no text has any.
const MARK: u32 = 0x10_f800 - 0xd800;
const FIRST_MARK: char = '\u{10f800}';

/// `frame` with every half of a character that lacks its other half in it marked.
pub(super) fn mark_halves(frame: &str) -> Cow<'_, str> {
    let bytes = frame.as_bytes();
    let mut marked: Option<String> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        let Some(unit) = half_at(bytes, at) else {
            // An escape is of two characters at least: `\\ud83d` is a backslash and letters.
            at += 2;
            if at >= bytes.len() {
                break;
            }
            continue;
        };
        let is_pair = unit < 0xdc00 && half_at(bytes, at + 6).is_some_and(|low| low >= 0xdc00);
        if is_pair {
            at += 12;
            continue;
        }
        let text = marked.get_or_insert_with(String::new);
        text.push_str(&frame[copied..at]);
        text.extend(char::from_u32(unit + MARK));
        at += 6;
        copied = at;
    }
    match marked {
        Some(text) => Cow::Owned(text + &frame[copied..]),
        None => Cow::Borrowed(frame),
    }
}

/// The half that the escape at this byte writes.
fn half_at(bytes: &[u8], at: usize) -> Option<u32> {
    let escape = bytes.get(at..at + 6).filter(|escape| escape.starts_with(b"\\u"))?;
    let digits = std::str::from_utf8(&escape[2..]).ok()?;
    let unit = u32::from_str_radix(digits, 16).ok()?;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}

/// Text that arrives in pieces, whole again.
#[derive(Debug, Default)]
pub(super) struct JoinedText {
    text: String,
    /// The first half of a character whose second has not arrived.
    half: Option<u32>,
}

impl JoinedText {
    /// Takes more of it, from a frame whose halves were marked.
    pub(super) fn push(&mut self, more: &str) {
        if more.is_empty() {
            return;
        }
        if self.half.is_none() && !more.contains(|c| c >= FIRST_MARK) {
            self.text.push_str(more);
            return;
        }
        for c in more.chars() {
            if c < FIRST_MARK {
                self.give_up_half();
                self.text.push(c);
                continue;
            }
            let unit = u32::from(c) - MARK;
            match (self.half.take(), unit) {
                (Some(high), 0xdc00..) => {
                    let whole = 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
                    self.text.push(char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                (lone, 0xd800..0xdc00) => {
                    if lone.is_some() {
                        self.text.push(char::REPLACEMENT_CHARACTER);
                    }
                    self.half = Some(unit);
                }
                _ => self.text.push(char::REPLACEMENT_CHARACTER),
            }
        }
    }

    /// Nothing more comes that could complete a half.
    pub(super) fn give_up_half(&mut self) {
        if self.half.take().is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    /// As far as it has arrived.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, which is over.
    pub(super) fn into_string(mut self) -> String {
        self.give_up_half();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(frames: &[&str]) -> String {
        let mut joined = JoinedText::default();
        for frame in frames {
            joined.push(&serde_json::from_str::<String>(&mark_halves(frame)).unwrap());
        }
        joined.into_string()
    }

    #[test]
    fn halves_that_meet_are_a_character_and_one_alone_is_replaced() {
        for (frames, text) in [
            ([r#""a \ud83d""#, r#""\ude00 b""#].as_slice(), "a 😀 b"),
            (&[r#""\uD83D""#, r#""""#, r#""\uDE00""#], "😀"),
            (&[r#""\ud83d\ude00""#], "😀"),
            (&[r#""a\ud83d""#, r#""b""#], "a\u{fffd}b"),
            (&[r#""\ud83d\ud83d""#, r#""\ude00""#], "\u{fffd}😀"),
            (&[r#""\ude00x""#], "\u{fffd}x"),
            (&[r#""x\ud83d""#], "x\u{fffd}"),
            (&[r#""\\ud83d \\\ud83d""#, r#""\ude00""#], "\\ud83d \\😀"),
            (&[r#""\\\\ud83d\"""#], "\\\\ud83d\""),
        ] {
            assert_eq!(joined(frames), text, "{frames:?}");
        }
    }

    #[test]
    fn a_frame_without_halves_is_not_copied() {
        for frame in [r#"{"a":"\u00e9\n\\ud83d"}"#, r#""\ud83d\ude00""#, "\\", "x\\", "\\u12", ""] {
            assert!(matches!(mark_halves(frame), Cow::Borrowed(_)), "{frame}");
        }
    }

    proptest! {
        #[test]
        fn any_text_cut_anywhere_is_whole_again(text in "[a-z\\\\\"😀é🚀]{0,12}", cut in 0usize..30) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let written = |units: &[u16]| {
                let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{}\"", escapes.concat())
            };
            let cut = cut.min(units.len());
            prop_assert_eq!(joined(&[&written(&units[..cut]), &written(&units[cut..])]), text);
        }

        #[test]
        fn no_frame_makes_it_fail(frame in any::<String>(), more in r#"(\\|u|d83d|de00|"|é){0,20}"#) {
            let _ = mark_halves(&frame);
            let _ = mark_halves(&more);
        }
    }
}
