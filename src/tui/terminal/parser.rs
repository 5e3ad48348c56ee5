//! Reads what a terminal sends: keys, pastes, the mouse, the focus. Pure, and told nothing of time: whoever reads says
//! when nothing more has come ([`InputParser::give_up`]).
//!
//! What a terminal answers to somebody's question (OSC, DCS, APC, reports) is passed over, wherever it is cut, and never
//! becomes a key. A control character ends an answer: Ctrl-C counts also in the middle of one.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::sequences::{key, mouse_of_old, sequence, ss3};

/// No sequence that means something is longer.
const LONGEST: usize = 128;

const ESC: u8 = 0x1b;
const BELL: u8 = 0x07;
const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// What the parser is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A key, or the key Escape.
    Key,
    /// A longer sequence.
    Report,
    /// An answer of the terminal's.
    Answer,
    /// A paste.
    Paste,
}

impl Unfinished {
    /// How long its rest is waited for.
    #[must_use]
    pub fn patience(self) -> Duration {
        match self {
            // Longer than a sequence is under way over a network, and too short to be noticed.
            Self::Key => Duration::from_millis(50),
            Self::Report => Duration::from_secs(1),
            Self::Answer => Duration::from_secs(3),
            Self::Paste => Duration::from_secs(5),
        }
    }
}

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Keys,
    /// Within a paste; what has come of it.
    Paste(Vec<u8>),
    /// Within an answer, of which nothing is kept.
    Answer,
}

/// What the bytes begin with.
#[derive(Debug, PartialEq)]
enum Front {
    /// So many of them, and what they mean.
    Takes(usize, Option<Event>),
    /// A paste begins after so many.
    Paste(usize),
    /// An answer begins after so many.
    Answer(usize),
    /// The beginning of this.
    Waits(Unfinished),
}

/// The parser.
#[derive(Debug, Default)]
pub struct InputParser {
    /// What means nothing yet.
    pending: Vec<u8>,
    mode: Mode,
    /// What `pending` is the beginning of.
    waits: Option<Unfinished>,
    /// Escape was taken for the key just now, and could have been the beginning of an answer.
    escaped: bool,
}

impl InputParser {
    /// Takes what was read, and gives what it means.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        if std::mem::take(&mut self.escaped) && begins_headless_answer(bytes) {
            self.mode = Mode::Answer;
        }
        let mut bytes = [std::mem::take(&mut self.pending).as_slice(), bytes].concat();
        let mut events = Vec::new();
        let mut at = 0;
        self.waits = None;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let taken = match &mut self.mode {
                Mode::Keys => self.take_key(rest, &mut events),
                Mode::Paste(text) => {
                    let end = memchr::memmem::find(rest, PASTE_ENDS);
                    // The end itself may be cut.
                    let length = end.unwrap_or(rest.len().saturating_sub(PASTE_ENDS.len() - 1));
                    text.extend_from_slice(&rest[..length]);
                    end.map(|end| {
                        events.extend(self.end_paste());
                        end + PASTE_ENDS.len()
                    })
                    .ok_or(length)
                }
                Mode::Answer => self.pass_over(rest),
            };
            match taken {
                Ok(taken) => at += taken,
                Err(taken) => {
                    at += taken;
                    break;
                }
            }
        }
        self.pending = bytes.split_off(at);
        events
    }

    /// Takes what the bytes begin with. The error means: more has to come, beyond so many bytes.
    fn take_key(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<usize, usize> {
        match front(bytes) {
            Front::Takes(length, event) => {
                events.extend(event);
                Ok(length)
            }
            Front::Paste(length) => {
                self.mode = Mode::Paste(Vec::new());
                Ok(length)
            }
            Front::Answer(length) => {
                self.mode = Mode::Answer;
                Ok(length)
            }
            Front::Waits(for_what) => {
                self.waits = Some(for_what);
                Err(0)
            }
        }
    }

    /// Passes over an answer: to its end, or to what cannot be part of one.
    fn pass_over(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let Some(at) = bytes.iter().position(u8::is_ascii_control) else { return Err(bytes.len()) };
        let length = match bytes[at..] {
            [ESC] => return Err(at),
            [ESC, b'\\', ..] => at + 2,
            [BELL, ..] => at + 1,
            _ => at,
        };
        self.mode = Mode::Keys;
        Ok(length)
    }

    fn end_paste(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.mode) {
            Mode::Paste(text) => Some(Event::Paste(String::from_utf8_lossy(&text).into_owned())),
            Mode::Keys | Mode::Answer => None,
        }
    }

    /// What is unfinished.
    #[must_use]
    pub fn unfinished(&self) -> Option<Unfinished> {
        match self.mode {
            Mode::Keys => self.waits,
            Mode::Paste(_) => Some(Unfinished::Paste),
            Mode::Answer => Some(Unfinished::Answer),
        }
    }

    /// Nothing more came of what is unfinished: gives what it means as it is.
    pub fn give_up(&mut self) -> Option<Event> {
        let pending = std::mem::take(&mut self.pending);
        self.waits = None;
        if let Mode::Paste(text) = &mut self.mode {
            text.extend(pending);
            return self.end_paste();
        }
        self.mode = Mode::Keys;
        match pending[..] {
            [ESC] => {
                self.escaped = true;
                Some(key(KeyCode::Esc, KeyModifiers::NONE))
            }
            [ESC, letter] if letter.is_ascii_graphic() => Some(typed(letter.into(), KeyModifiers::ALT)),
            _ => None,
        }
    }
}

fn front(bytes: &[u8]) -> Front {
    match bytes {
        [ESC] | [ESC, b'O' | b']' | b'P' | b'_'] => Front::Waits(Unfinished::Key),
        [ESC, ESC, ..] => Front::Takes(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [ESC, b'[', rest @ ..] => csi(bytes, rest),
        [ESC, b'O', letter, ..] if ss3(*letter).is_some() => Front::Takes(3, ss3(*letter)),
        [ESC, opening @ (b']' | b'P' | b'_'), first, ..] if begins_answer(*opening, *first) => Front::Answer(2),
        [ESC, rest @ ..] => match character(rest, KeyModifiers::ALT) {
            Front::Takes(length, event) => Front::Takes(length + 1, event),
            other => other,
        },
        _ => character(bytes, KeyModifiers::NONE),
    }
}

/// Whether what follows such an opening is an answer rather than the keys that Alt and this letter begin with.
fn begins_answer(opening: u8, first: u8) -> bool {
    match opening {
        b']' => first.is_ascii_digit() || matches!(first, b'L' | b'l' | b'I'),
        b'P' => first.is_ascii_digit() || b">=?!$+|{".contains(&first),
        _ => first.is_ascii_graphic(),
    }
}

/// Whether this is an answer without its first byte: nobody types this much within one read.
fn begins_headless_answer(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match bytes {
        [b']', rest @ ..] => digits(rest) > 0 && rest.get(digits(rest)) == Some(&b';'),
        [b'P', rest @ ..] => {
            matches!(rest.get(digits(rest)..), Some([b'>' | b'$' | b'+' | b'!', b'|' | b'r' | b'~', ..]))
        }
        [b'_', b'G', ..] => true,
        _ => false,
    }
}

fn csi(bytes: &[u8], rest: &[u8]) -> Front {
    match rest {
        // The console of Linux.
        [b'[', letter @ b'A'..=b'E', ..] => {
            Front::Takes(4, Some(key(KeyCode::F(letter - b'A' + 1), KeyModifiers::NONE)))
        }
        [b'M', button, column, row, ..] => Front::Takes(6, mouse_of_old(*button, *column, *row)),
        [] | [b'['] | [b'M', ..] => Front::Waits(Unfinished::Key),
        _ => {
            let end = rest.iter().position(|byte| !matches!(byte, 0x20..=0x3f));
            let Some(end) = end else {
                let waits = rest.len() < LONGEST;
                return if waits { Front::Waits(Unfinished::Report) } else { Front::Takes(bytes.len(), None) };
            };
            match rest[end] {
                _ if bytes.starts_with(PASTE_BEGINS) => Front::Paste(PASTE_BEGINS.len()),
                last @ 0x40..=0x7e => Front::Takes(end + 3, sequence(&rest[..end], last)),
                // It is cut short by something else.
                _ => Front::Takes(end + 2, None),
            }
        }
    }
}

/// A character, or a key that sends a control character.
fn character(bytes: &[u8], modifiers: KeyModifiers) -> Front {
    let control =
        |letter: u8| Event::Key(KeyEvent::new(KeyCode::Char(letter.into()), modifiers | KeyModifiers::CONTROL));
    let event = match bytes[0] {
        b'\r' => key(KeyCode::Enter, modifiers),
        b'\t' => key(KeyCode::Tab, modifiers),
        0x7f => key(KeyCode::Backspace, modifiers),
        0 => control(b' '),
        byte @ 0x01..=0x1a => control(byte - 1 + b'a'),
        byte @ 0x1b..=0x1f => control(byte - 0x1c + b'4'),
        byte @ 0x20..=0x7e => typed(byte.into(), modifiers),
        first => {
            let length = match first {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return Front::Takes(1, None),
            };
            let whole = bytes.get(..length);
            return match whole.map(std::str::from_utf8) {
                Some(Ok(text)) => Front::Takes(length, text.chars().next().map(|c| typed(c, modifiers))),
                // As far as it has come it may be a character.
                None if bytes[1..].iter().all(|byte| matches!(byte, 0x80..=0xbf)) => Front::Waits(Unfinished::Key),
                Some(Err(_)) | None => Front::Takes(1, None),
            };
        }
    };
    Front::Takes(1, Some(event))
}

/// A key that types a character, as a terminal of the old sort sends it.
fn typed(c: char, modifiers: KeyModifiers) -> Event {
    let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    super::sequences::typed(c, None, None, modifiers | shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(events: &[Event]) -> Vec<String> {
        let name = |event: &Event| match event {
            Event::Key(key) => crate::tui::keys::Chord::of(*key).shown(),
            Event::Paste(text) => format!("paste {text}"),
            other => format!("{other:?}"),
        };
        events.iter().map(name).collect()
    }

    /// What comes of pieces that are read one after the other.
    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = InputParser::default();
        let mut events: Vec<Event> = pieces.iter().flat_map(|piece| parser.feed(piece)).collect();
        while parser.unfinished().is_some() {
            events.extend(parser.give_up());
        }
        shown(&events)
    }

    #[test]
    fn ctrl_c_leaves_on_every_layout() {
        for sent in [
            "\x03",
            "\x1b[99;5u",
            "\x1b[99;69u",
            "\x1b[1089;5u",
            "\x1b[1089;69u",
            "\x1b[1057;69u",
            "\x1b[1089::99;5u",
            "\x1b[1089:1057:99;69u",
            "\x1b[1089;5:2u",
            "\x1b[27;5;1089~",
            "\x1b[968;5u",
            "\x1b[1489;5u",
            "\x1b[12618;5u",
            // Another layout of the same alphabet: the terminal knows better than a table.
            "\x1b[1094::99;5u",
        ] {
            assert_eq!(read(&[sent.as_bytes()]), ["Ctrl-C"], "{sent:?}");
        }
        // What a Latin layout types is its own, wherever it lies.
        assert_eq!(read(&[b"\x1b[99::105;5u"]), ["Ctrl-C"]);
    }

    #[test]
    fn alt_and_a_letter_of_another_alphabet_is_the_key_that_lies_there() {
        for sent in ["\x1bm", "\x1b[109;3u", "\x1b[1100;3u", "\x1b[1100::109;3u", "\x1bь", "\x1bЬ"] {
            assert_eq!(read(&[sent.as_bytes()]), ["Alt-M"], "{sent:?}");
        }
        // Without them it is text.
        assert_eq!(read(&["сЬ".as_bytes()]), ["с", "Ь"]);
    }

    #[test]
    fn shift_and_enter_is_a_key_of_its_own() {
        for sent in ["\x1b[13;2u", "\x1b[27;2;13~", "\x1b[13;66u"] {
            assert_eq!(read(&[sent.as_bytes()]), ["Shift-Enter"], "{sent:?}");
        }
        assert_eq!(read(&[b"\x1b\r", b"\x1b[13;3u", b"\r"]), ["Alt-Enter", "Alt-Enter", "Enter"]);
        assert_eq!(read(&[b"\x1b[57414u"]), ["Enter"], "the key of the number pad");
    }

    #[test]
    fn the_keys_of_old_terminals_are_read() {
        let keys: &[&[u8]] =
            &[b"\x1b[A", b"\x1bOB", b"\x1b[1;5C", b"\x1b[D", b"\x1b[3~", b"\x1b[5~", b"\x1bOP", b"\x1b[Z"];
        assert_eq!(read(keys), ["↑", "↓", "Ctrl-→", "←", "Del", "PgUp", "F1", "Shift-Tab"]);
        assert_eq!(read(&[b"\x1b[[B\x1b[13~\x1b[24~\x7f\x1b\x7f"]), ["F2", "F3", "F12", "Backspace", "Alt-Backspace"]);
        assert_eq!(read(&["é海\x1bx".as_bytes()]), ["é", "海", "Alt-X"]);
    }

    #[test]
    fn escape_alone_is_a_key_and_before_another_escape_too() {
        assert_eq!(read(&[b"\x1b"]), ["Esc"]);
        assert_eq!(read(&[b"\x1b\x1b[A"]), ["Esc", "↑"]);
        assert_eq!(read(&[b"\x1b[27u"]), ["Esc"]);
        assert_eq!(read(&[b"\x1b]"]), ["Alt-]"]);
    }

    const ANSWERS: &[&str] = &[
        "\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\",
        "\x1b]10;rgb:ffff/ffff/ffff\x07",
        "\x1b]4;1;rgb:cccc/0000/0000\x07",
        "\x1b]52;c;Z3LDvMOf\x1b\\",
        "\x1b]lthe window\x1b\\",
        "\x1bP>|tmux 3.4\x1b\\",
        "\x1bP1$r0m\x1b\\",
        "\x1bP1+r524742=38\x1b\\",
        "\x1bP!|00000000\x1b\\",
        "\x1b_Gi=31;OK\x1b\\",
        "\x1b[?62;22c",
        "\x1b[>1;4000;29c",
        "\x1b[24;80R",
        "\x1b[?5u",
        "\x1b[0n",
        "\x1b[?2026;2$y",
        "\x1b[8;24;80t",
        "\x1b[?997;1n",
    ];

    #[test]
    fn an_answer_of_the_terminal_is_never_typed_wherever_it_is_cut() {
        for answer in ANSWERS {
            let whole = format!("a{answer}b");
            for cut in 0..=whole.len() {
                let (first, second) = whole.as_bytes().split_at(cut);
                assert_eq!(read(&[first, second]), ["a", "b"], "{answer:?} cut at {cut}");
            }
            let bytes: Vec<&[u8]> = whole.as_bytes().chunks(1).collect();
            assert_eq!(read(&bytes), ["a", "b"], "{answer:?} byte by byte");
        }
    }

    #[test]
    fn what_comes_after_escape_was_taken_for_a_key_is_still_an_answer() {
        for answer in ANSWERS.iter().filter(|answer| !answer.starts_with("\x1b[") && !answer.contains('l')) {
            let mut parser = InputParser::default();
            assert!(parser.feed(b"\x1b").is_empty());
            assert_eq!(shown(&parser.give_up().into_iter().collect::<Vec<_>>()), ["Esc"]);
            assert_eq!(shown(&parser.feed(format!("{}b", &answer[1..]).as_bytes())), ["b"], "{answer:?}");
        }
        // What a person types is text.
        let mut parser = InputParser::default();
        parser.feed(b"\x1b");
        parser.give_up();
        assert_eq!(shown(&parser.feed(b"]1")), ["]", "1"]);
    }

    #[test]
    fn ctrl_c_counts_in_the_middle_of_an_answer() {
        assert_eq!(read(&[b"\x1b]11;rgb:1e", b"\x03"]), ["Ctrl-C"]);
        assert_eq!(read(&[b"\x1b[?62", b"\x03"]), ["Ctrl-C"]);
        assert_eq!(read(&[b"\x1b]11;rgb:1e", b"\x1b[A"]), ["↑"]);
    }

    #[test]
    fn a_paste_is_one_whatever_is_in_it_and_wherever_it_is_cut() {
        let whole = "\x1b[200~a\r\n\x1b]11;b\x03 \x1b[201 é\x1b[201~c".as_bytes();
        for cut in 0..=whole.len() {
            let (first, second) = whole.split_at(cut);
            assert_eq!(read(&[first, second]), ["paste a\r\n\x1b]11;b\x03 \x1b[201 é", "c"], "cut at {cut}");
        }
    }

    #[test]
    fn the_mouse_and_the_focus_are_read() {
        let events = InputParser::default().feed(b"\x1b[<0;10;5M\x1b[<65;1;1M\x1b[M !!\x1b[I\x1b[O");
        let told = shown(&events).join("\n");
        assert!(told.contains("kind: Down(Left), column: 9, row: 4"), "{told}");
        assert!(told.contains("ScrollDown") && told.contains("FocusGained") && told.contains("FocusLost"), "{told}");
        assert_eq!(events.len(), 5);
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read_the_same_in_one_piece_and_in_two(
            bytes in prop::collection::vec(prop_oneof![Just(ESC), Just(b'['), Just(b']'), Just(b';'), Just(b'1'), any::<u8>()], 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let cut = if bytes.is_empty() { 0 } else { cut.index(bytes.len()) };
            prop_assert_eq!(read(&[&bytes]), read(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
