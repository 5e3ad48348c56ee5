//! The one reader of a turn's raw text, character by character, for the finished reply and for the stream alike.
//!
//! It accepts the JSON object of the protocol (bare, fenced, wrapped in another object, cut off, with raw line breaks
//! or stray quotes inside a text, in the quotes of Python or of a typographer), tagged text (`TITLE: …`, a Markdown `# …`, `ASK: …`, `MISSING: …`) and plain text,
//! and says which part of the reply each character belongs to. It holds back no more than a line's beginning, so the
//! work for each character is bounded whatever the reply's length.

/// A part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyPart {
    /// `ask` or `deliver`.
    Kind,
    /// The document's title.
    Title,
    /// The document's body.
    Body,
    /// The question, or a remark beside a delivery.
    Text,
    /// The name of a need that is not known; one `Begin` each.
    Missing,
    /// Text outside of any structure.
    Plain,
}

impl ReplyPart {
    fn named(key: &str) -> Option<Self> {
        match key {
            "kind" => Some(Self::Kind),
            "title" => Some(Self::Title),
            "body" => Some(Self::Body),
            "text" => Some(Self::Text),
            "missing" => Some(Self::Missing),
            _ => None,
        }
    }
}

/// What the reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A part begins. A body that is a list of texts begins with each of them.
    Begin(ReplyPart),
    /// One more character of it.
    Char(ReplyPart, char),
    /// A part of the JSON object has ended.
    End(ReplyPart),
    /// The JSON object has ended; what follows it does not count.
    Done,
}

/// The most that is held back until it is clear what a line is.
const HELD: usize = 64;
/// A structure that begins after more plain text than this is a part of that text.
const EARLY: usize = 240;

/// The reader.
#[derive(Debug)]
pub(super) struct TurnParser {
    mode: Mode,
    /// Where characters outside of an object go.
    part: ReplyPart,
    /// Its characters so far, white space not counted.
    said: usize,
    line_start: bool,
    /// Set right after a tag, whose decoration is passed over.
    after_tag: bool,
    held: String,
    held_at_line_start: bool,
    object: Object,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Text,
    Object,
    Done,
}

enum Opening {
    Undecided,
    /// An object begins at this byte of what is held.
    Object(usize),
    Tag(ReplyPart),
    Text,
}

impl TurnParser {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Text,
            part: ReplyPart::Plain,
            said: 0,
            line_start: true,
            after_tag: false,
            held: String::new(),
            held_at_line_start: false,
            object: Object::default(),
        }
    }

    /// Takes one more character of the reply.
    pub(super) fn push(&mut self, c: char, out: &mut impl FnMut(Found)) {
        match self.mode {
            Mode::Done => {}
            Mode::Object => self.object(c, out),
            Mode::Text => self.text(c, out),
        }
    }

    /// The reply is over: what was held back is text after all, unless it is the beginning of an object.
    pub(super) fn finish(&mut self, out: &mut impl FnMut(Found)) {
        let held = std::mem::take(&mut self.held);
        if self.mode == Mode::Text && !held.contains('{') {
            for c in held.chars() {
                self.say(c, out);
            }
        }
    }

    fn object(&mut self, c: char, out: &mut impl FnMut(Found)) {
        if self.object.push(c, out) {
            self.mode = Mode::Done;
            out(Found::Done);
        }
    }

    fn text(&mut self, c: char, out: &mut impl FnMut(Found)) {
        if self.held.is_empty() {
            if !self.may_open(c) {
                self.say(c, out);
                return;
            }
            self.held_at_line_start = self.line_start;
        }
        self.held.push(c);
        match self.opening() {
            Opening::Undecided if self.held.len() < HELD => {}
            Opening::Object(at) => {
                self.mode = Mode::Object;
                for c in std::mem::take(&mut self.held)[at..].chars() {
                    self.object(c, out);
                }
            }
            Opening::Tag(part) => {
                self.held.clear();
                if let Some(kind) = kind_of(part).filter(|_| self.part == ReplyPart::Plain) {
                    out(Found::Begin(ReplyPart::Kind));
                    for c in kind.chars() {
                        out(Found::Char(ReplyPart::Kind, c));
                    }
                    out(Found::End(ReplyPart::Kind));
                }
                self.begin(part, out);
                self.after_tag = true;
            }
            Opening::Undecided | Opening::Text => {
                // Only the first character is known to be text: a structure may begin at a later one.
                let held = std::mem::take(&mut self.held);
                let mut chars = held.chars();
                if let Some(first) = chars.next() {
                    self.say(first, out);
                }
                for c in chars {
                    self.text(c, out);
                }
            }
        }
    }

    /// Whether a structure may begin with this character.
    fn may_open(&self, c: char) -> bool {
        (c == '{' && self.is_early())
            || (self.line_start && !self.after_tag && matches!(c.to_ascii_lowercase(), '`' | '#' | '*' | 'a'..='z'))
    }

    fn is_early(&self) -> bool {
        self.part == ReplyPart::Plain && self.said < EARLY
    }

    fn opening(&self) -> Opening {
        if self.is_early() {
            match object_at(&self.held) {
                Opening::Text => {}
                opening => return opening,
            }
        }
        if self.held_at_line_start { self.tag() } else { Opening::Text }
    }

    /// Whether the line begins with a tag that makes sense here.
    fn tag(&self) -> Opening {
        let tags: &[(&str, ReplyPart)] = match self.part {
            ReplyPart::Plain if self.said == 0 => &[
                ("title:", ReplyPart::Title),
                ("subject:", ReplyPart::Title),
                ("# ", ReplyPart::Title),
                ("ask:", ReplyPart::Text),
                ("question:", ReplyPart::Text),
            ],
            ReplyPart::Plain if self.is_early() => {
                &[("title:", ReplyPart::Title), ("subject:", ReplyPart::Title), ("# ", ReplyPart::Title)]
            }
            ReplyPart::Body if self.said == 0 => &[("body:", ReplyPart::Body)],
            ReplyPart::Text => &[("missing:", ReplyPart::Missing)],
            _ => &[],
        };
        let line: String = self.held.chars().filter(|c| *c != '*').map(|c| c.to_ascii_lowercase()).collect();
        if let Some((_, part)) = tags.iter().find(|(tag, _)| line.starts_with(tag)) {
            return Opening::Tag(*part);
        }
        if tags.iter().any(|(tag, _)| tag.starts_with(&line)) { Opening::Undecided } else { Opening::Text }
    }

    fn begin(&mut self, part: ReplyPart, out: &mut impl FnMut(Found)) {
        self.part = part;
        self.said = 0;
        out(Found::Begin(part));
    }

    /// One character outside of an object.
    fn say(&mut self, c: char, out: &mut impl FnMut(Found)) {
        self.line_start = c == '\n' || (self.line_start && c.is_whitespace());
        if self.after_tag {
            if matches!(c, '*' | ' ' | '\t') {
                return;
            }
            self.after_tag = false;
        }
        match (self.part, c) {
            (ReplyPart::Title, '\n') => {
                self.begin(ReplyPart::Body, out);
                return;
            }
            (ReplyPart::Title, '*' | '`') => return,
            _ => {}
        }
        if !c.is_whitespace() {
            self.said += 1;
        }
        out(Found::Char(self.part, c));
    }
}

/// The kind of reply that a tag tells.
fn kind_of(part: ReplyPart) -> Option<&'static str> {
    match part {
        ReplyPart::Title => Some("deliver"),
        ReplyPart::Text => Some("ask"),
        _ => None,
    }
}

/// The quote that ends a text which `open` begins.
fn closing_quote(open: char) -> Option<char> {
    match open {
        '"' | '\'' => Some(open),
        '“' => Some('”'),
        _ => None,
    }
}

/// Whether `held` is an object's beginning, `{ "`, perhaps behind a fence.
fn object_at(held: &str) -> Opening {
    let fence = "```";
    let rest = match held.strip_prefix(fence) {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).trim_start(),
        None if fence.starts_with(held) => return Opening::Undecided,
        None => held,
    };
    match rest.strip_prefix('{').map(str::trim_start) {
        Some("") => Opening::Undecided,
        Some(inside) if inside.starts_with(|c| closing_quote(c).is_some()) => Opening::Object(held.len() - rest.len()),
        None if rest.is_empty() => Opening::Undecided,
        _ => Opening::Text,
    }
}

/// The lenient reader of one JSON object. Only its shape and the texts under known keys matter, at any depth.
#[derive(Debug, Default)]
struct Object {
    /// One for each open bracket: whether it is an object whose next text is a key.
    open: Vec<Bracket>,
    key: String,
    /// The part under the newest key.
    part: Option<ReplyPart>,
    /// The parts that have been read; a second one of the same name does not count.
    seen: Vec<ReplyPart>,
    string: Option<StringState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    Key,
    Value,
    List,
}

/// A text that is being read.
#[derive(Debug, Default)]
struct StringState {
    is_key: bool,
    /// The quote that ends it.
    quote: char,
    escape: Escape,
    /// The first half of a character that JSON writes in two.
    high: Option<u32>,
    /// After a quote: the white space that follows it, until it is clear whether it ended the text. An apostrophe before
    /// a comma is clear only behind that.
    closing: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Begun,
    Unicode {
        value: u32,
        digits: u8,
    },
}

/// No reply of the protocol is nested deeper than this.
const DEPTH: usize = 32;

impl Object {
    /// Takes one character; `true` when the object has ended.
    fn push(&mut self, c: char, out: &mut impl FnMut(Found)) -> bool {
        if let Some(mut text) = self.string.take()
            && !self.in_text(&mut text, c, out)
        {
            self.string = Some(text);
            return false;
        }
        if let Some(quote) = closing_quote(c) {
            self.begin_text(quote, out);
        }
        match c {
            '{' => self.open.push(Bracket::Key),
            '[' => self.open.push(Bracket::List),
            '}' | ']' => {
                let closed = self.open.pop();
                if let (Some(Bracket::List), Some(part)) = (closed, self.part.take_if(|part| *part == ReplyPart::Body))
                {
                    self.seen.push(part);
                }
                return self.open.is_empty();
            }
            ':' => self.expect(Bracket::Value),
            ',' => self.expect(Bracket::Key),
            _ => {}
        }
        self.open.len() > DEPTH
    }

    fn expect(&mut self, next: Bracket) {
        if let Some(bracket) = self.open.last_mut()
            && *bracket != Bracket::List
        {
            *bracket = next;
        }
    }

    fn begin_text(&mut self, quote: char, out: &mut impl FnMut(Found)) {
        let is_key = self.open.last() == Some(&Bracket::Key);
        self.string = Some(StringState { is_key, quote, ..StringState::default() });
        if is_key {
            self.key.clear();
            self.part = None;
        } else if let Some(part) = self.part {
            out(Found::Begin(part));
        }
    }

    /// One character in or behind a text; `true` when the text has ended before it.
    fn in_text(&mut self, text: &mut StringState, c: char, out: &mut impl FnMut(Found)) -> bool {
        if let Some(mut space) = text.closing.take() {
            let is_apostrophe = text.quote == '\'' && !text.is_key;
            let after_comma = space.contains(',');
            let ends = match c {
                ':' => text.is_key,
                ',' => !text.is_key && !is_apostrophe,
                '}' | ']' => !text.is_key,
                c => after_comma && closing_quote(c).is_some(),
            };
            if ends {
                self.end_text(text, out);
                if after_comma {
                    self.expect(Bracket::Key);
                }
                return true;
            }
            if c.is_whitespace() || (c == ',' && is_apostrophe && !after_comma) {
                space.push(c);
                text.closing = Some(space);
                return false;
            }
            // A quote that the model forgot to escape, or an apostrophe.
            self.take(text.quote, text, out);
            for c in space.chars() {
                self.take(c, text, out);
            }
        }
        match text.escape {
            Escape::None => match c {
                '\\' => text.escape = Escape::Begun,
                c if c == text.quote => text.closing = Some(String::new()),
                c => self.take(c, text, out),
            },
            Escape::Begun => {
                text.escape = Escape::None;
                match c {
                    'n' => self.take('\n', text, out),
                    't' => self.take('\t', text, out),
                    'r' => self.take('\r', text, out),
                    'b' | 'f' => {}
                    'u' => text.escape = Escape::Unicode { value: 0, digits: 0 },
                    c => self.take(c, text, out),
                }
            }
            Escape::Unicode { value, digits } => match c.to_digit(16) {
                Some(digit) if digits == 3 => {
                    text.escape = Escape::None;
                    self.take_unit(value * 16 + digit, text, out);
                }
                Some(digit) => text.escape = Escape::Unicode { value: value * 16 + digit, digits: digits + 1 },
                None => {
                    text.escape = Escape::None;
                    self.take(char::REPLACEMENT_CHARACTER, text, out);
                    return self.in_text(text, c, out);
                }
            },
        }
        false
    }

    /// One `\uXXXX`, which may be half of a character.
    fn take_unit(&mut self, unit: u32, text: &mut StringState, out: &mut impl FnMut(Found)) {
        match (text.high.take(), unit) {
            (None, 0xd800..=0xdbff) => text.high = Some(unit),
            (Some(high), 0xdc00..=0xdfff) => {
                let whole = 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
                self.take(char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER), text, out);
            }
            (Some(_), unit) => {
                self.take(char::REPLACEMENT_CHARACTER, text, out);
                self.take_unit(unit, text, out);
            }
            (None, unit) => self.take(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), text, out),
        }
    }

    fn take(&mut self, c: char, text: &mut StringState, out: &mut impl FnMut(Found)) {
        if text.high.take().is_some() {
            self.take(char::REPLACEMENT_CHARACTER, text, out);
        }
        if text.is_key {
            // Long enough for any key of the protocol, too short to grow on rubbish.
            if self.key.len() < HELD {
                self.key.push(c);
            }
        } else if let Some(part) = self.part {
            out(Found::Char(part, c));
        }
    }

    fn end_text(&mut self, text: &mut StringState, out: &mut impl FnMut(Found)) {
        if let (Some(_), Some(part), false) = (text.high.take(), self.part, text.is_key) {
            out(Found::Char(part, char::REPLACEMENT_CHARACTER));
        }
        if text.is_key {
            self.part = ReplyPart::named(&self.key).filter(|part| !self.seen.contains(part));
        } else if let Some(part) = self.part {
            out(Found::End(part));
            let in_list = self.open.last() == Some(&Bracket::List);
            if part != ReplyPart::Missing && !(part == ReplyPart::Body && in_list) {
                self.seen.push(part);
                self.part = None;
            }
        }
    }
}
