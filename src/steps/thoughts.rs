//! Tells a model's thoughts from its answer, in text that arrives in pieces.
//!
//! Many models write their reasoning into the answer: in `<think>…</think>` and tags like it, before a closing tag whose
//! opening one was a part of the prompt, or in the `analysis` channel of the Harmony format. What is inside goes apart.
//! A tag counts where a model would mean it, because a text may speak of such tags: never inside a JSON string; in prose
//! never in code, an opening one only where a line begins, and a closing one without it not among the words of a line.
//! Thoughts that begin the text and do not end are all of it.
//!
//! One reader serves the finished text ([`split`]) and the stream ([`ThoughtSplitter`]). Pure; the work for each
//! character is bounded.

/// Tags around thoughts. The letters of an opening one count in either case, but for those in brackets, which could
/// begin a list.
const TAGS: [(&str, &str); 8] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel>thought", "<channel|>"),
];

/// The Harmony format: a message is `<|start|>assistant<|channel|>NAME<|message|>TEXT<|end|>`.
const CHANNEL: &str = "<|channel|>";
const START: &str = "<|start|>";
const MESSAGE: &str = "<|message|>";
const ENDS: [&str; 3] = ["<|end|>", "<|return|>", "<|call|>"];

/// What a text is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerForm {
    /// Text for a person: it may speak of tags.
    Prose,
    /// A value for a schema: around it, nothing counts.
    Json,
}

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Of the answer.
    Answer(String),
    /// Of the thoughts.
    Thought(String),
    /// What was taken for the answer so far were thoughts.
    AllWasThought,
}

/// A text without its thoughts, and those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The answer.
    pub answer: String,
    /// The thoughts.
    pub thinking: String,
}

impl Split {
    /// Takes the next piece.
    pub fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Answer(text) => self.answer.push_str(&text),
            Piece::Thought(text) => self.thinking.push_str(&text),
            Piece::AllWasThought => {
                let answer = std::mem::take(&mut self.answer);
                if !self.thinking.is_empty() && !answer.is_empty() {
                    self.thinking.push_str(BETWEEN);
                }
                self.thinking.push_str(&answer);
            }
        }
    }
}

/// Between two thoughts.
const BETWEEN: &str = "\n\n";

/// Splits a whole text.
#[must_use]
pub fn split(text: &str, form: AnswerForm) -> Split {
    let mut splitter = ThoughtSplitter::new(form);
    let mut split = Split::default();
    let pieces = splitter.push(text);
    pieces.into_iter().chain(splitter.finish()).for_each(|piece| split.take(piece));
    split.thinking = split.thinking.trim().to_owned();
    split
}

/// The reader of a stream.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of the text so far")]
pub struct ThoughtSplitter {
    form: AnswerForm,
    state: State,
    /// Characters of which it is not clear yet whether they begin a tag.
    held: String,
    /// The answer has begun: something but white space was said.
    begun: bool,
    /// Only white space was said since the line began.
    line_start: bool,
    /// What was said since the line began.
    line: String,
    /// The text is in the Harmony format.
    is_harmony: bool,
    /// A thought has been given out.
    has_thought: bool,
    json: JsonStrings,
    code: CodeSpans,
    out: Vec<Piece>,
}

#[derive(Debug)]
enum State {
    Answer,
    /// Inside of thoughts.
    Thought {
        /// The tag that opened them.
        open: &'static str,
        /// The tag that ends them; empty for a channel of the Harmony format.
        close: &'static str,
        /// In the middle of prose they are thoughts only once they have ended: so far they are kept back.
        kept: Option<String>,
    },
    /// Between two messages of the Harmony format.
    Between,
    /// In the name of a channel.
    Channel(String),
}

/// What is held back.
enum Held {
    Undecided,
    Opens(&'static str, &'static str),
    Closes(&'static str),
    Harmony(&'static str),
    Text,
}

impl ThoughtSplitter {
    /// The beginning of a text.
    #[must_use]
    pub fn new(form: AnswerForm) -> Self {
        Self {
            form,
            state: State::Answer,
            held: String::new(),
            begun: false,
            line_start: true,
            line: String::new(),
            is_harmony: false,
            has_thought: false,
            json: JsonStrings::default(),
            code: CodeSpans::default(),
            out: Vec::new(),
        }
    }

    /// Takes more of the text.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        for c in text.chars() {
            self.take(c);
        }
        std::mem::take(&mut self.out)
    }

    /// The text is over: what was held back is what it looks like.
    pub fn finish(&mut self) -> Vec<Piece> {
        for c in std::mem::take(&mut self.held).chars() {
            match &self.state {
                State::Answer => self.say(c),
                _ => self.think(c),
            }
        }
        if let State::Thought { open, kept: Some(kept), .. } = &mut self.state {
            // It had no end: the text spoke of the tag.
            let text = format!("{open}{kept}");
            self.state = State::Answer;
            text.chars().for_each(|c| self.say(c));
        }
        std::mem::take(&mut self.out)
    }

    fn take(&mut self, c: char) {
        if self.held.is_empty() && !self.may_begin(c) {
            return self.pass(c);
        }
        self.held.push(c);
        match self.held() {
            Held::Undecided => {}
            Held::Opens(open, close) => {
                self.held.clear();
                let is_aside = self.form == AnswerForm::Prose && self.begun;
                self.begin_thought(open, close, is_aside);
            }
            Held::Closes(close) => {
                let held = std::mem::take(&mut self.held);
                self.closed();
                held[close.len()..].chars().for_each(|c| self.take(c));
            }
            Held::Harmony(token) => {
                self.held.clear();
                self.harmony(token);
            }
            Held::Text => {
                // Only the first character is known to be no tag: one may begin at a later one.
                let held = std::mem::take(&mut self.held);
                let mut chars = held.chars();
                chars.next().into_iter().for_each(|first| self.pass(first));
                chars.for_each(|c| self.take(c));
            }
        }
    }

    /// Whether a tag that counts here may begin with this character.
    fn may_begin(&mut self, c: char) -> bool {
        if !matches!(c, '<' | '[' | '◁') {
            return false;
        }
        match self.state {
            State::Answer => !(self.json.protects() || (self.form == AnswerForm::Prose && self.code.protects())),
            _ => true,
        }
    }

    fn held(&self) -> Held {
        let held = self.held.to_lowercase();
        let is_begun =
            |tag: &str| if tag.starts_with('[') { tag.starts_with(&self.held) } else { tag.starts_with(&held) };
        let is_whole = |tag: &str| is_begun(tag) && tag.len() == self.held.len();
        let mut undecided = false;
        let mut harmony = |tokens: &[&'static str]| {
            undecided |= tokens.iter().any(|token| is_begun(token));
            tokens.iter().copied().find(|token| is_whole(token))
        };
        let found = match &self.state {
            State::Answer if self.is_harmony => harmony(&[CHANNEL, START, MESSAGE, ENDS[0], ENDS[1], ENDS[2]]),
            State::Answer if !self.begun => harmony(&[CHANNEL, START]),
            State::Thought { close: "", .. } => harmony(&[CHANNEL, START, ENDS[0], ENDS[1], ENDS[2]]),
            State::Between => harmony(&[CHANNEL, MESSAGE]),
            State::Channel(_) => harmony(&[MESSAGE]),
            State::Thought { close, .. } => {
                return match () {
                    () if is_whole(close) => Held::Closes(close),
                    () if is_begun(close) => Held::Undecided,
                    () => Held::Text,
                };
            }
            State::Answer => None,
        };
        if let Some(token) = found {
            return Held::Harmony(token);
        }
        if matches!(self.state, State::Answer) {
            let opens = self.form == AnswerForm::Json || !self.begun || self.line_start;
            for (open, close) in TAGS {
                if opens && is_whole(open) {
                    return Held::Opens(open, close);
                }
                let follows =
                    if close.starts_with('[') { self.held.strip_prefix(close) } else { held.strip_prefix(close) };
                match follows.map(|follows| self.counts_alone(follows.chars().next())) {
                    Some(Some(true)) => return Held::Closes(close),
                    Some(Some(false)) => return Held::Text,
                    Some(None) => return Held::Undecided,
                    None => {}
                }
                undecided |= (opens && is_begun(open)) || is_begun(close);
            }
        }
        if undecided { Held::Undecided } else { Held::Text }
    }

    /// Whether a closing tag counts that nothing has opened and that `next` follows. `None`: what follows decides.
    fn counts_alone(&self, next: Option<char>) -> Option<bool> {
        if self.form == AnswerForm::Json || !self.begun || self.line_start {
            return Some(true);
        }
        let line = self.line.to_lowercase();
        if TAGS.iter().any(|(open, _)| line.contains(&open.to_lowercase())) {
            return Some(false);
        }
        let is_word = |c: char| !c.is_whitespace() && !matches!(c, '(' | '"' | '\'' | '“' | '‘' | '«');
        if self.line.ends_with(is_word) {
            return Some(true);
        }
        match next? {
            '\n' | '\r' => Some(true),
            c => Some(!c.is_whitespace() && !c.is_ascii_punctuation() && !matches!(c, '”' | '’' | '»' | '…')),
        }
    }

    fn begin_thought(&mut self, open: &'static str, close: &'static str, is_aside: bool) {
        let kept = is_aside.then(String::new);
        self.state = State::Thought { open, close, kept };
        if self.has_thought && !is_aside {
            self.think_all(BETWEEN);
        }
    }

    /// A closing tag.
    fn closed(&mut self) {
        match std::mem::replace(&mut self.state, State::Answer) {
            State::Thought { kept: Some(kept), .. } => {
                let between = if self.has_thought { BETWEEN } else { "" };
                self.think_all(&format!("{between}{kept}"));
                self.line_start = true;
            }
            State::Thought { .. } => self.line_start = true,
            // Its opening tag was a part of the prompt.
            _ => {
                self.out.push(Piece::AllWasThought);
                self.has_thought |= self.begun;
                self.restart();
            }
        }
    }

    /// The answer begins here.
    fn restart(&mut self) {
        (self.begun, self.line_start) = (false, true);
        self.line.clear();
        (self.json, self.code) = (JsonStrings::default(), CodeSpans::default());
    }

    fn harmony(&mut self, token: &'static str) {
        self.is_harmony = true;
        self.state = match token {
            CHANNEL => State::Channel(String::new()),
            MESSAGE => match std::mem::replace(&mut self.state, State::Between) {
                State::Channel(name) => return self.channel(&name),
                _ => State::Answer,
            },
            _ => State::Between,
        };
    }

    /// A channel's text begins.
    fn channel(&mut self, name: &str) {
        let name = name.trim().to_ascii_lowercase();
        if name.starts_with("final") {
            self.state = State::Answer;
        } else {
            self.begin_thought(CHANNEL, "", false);
        }
    }

    /// A character that begins no tag.
    fn pass(&mut self, c: char) {
        match &mut self.state {
            State::Answer => self.say(c),
            State::Thought { .. } => self.think(c),
            State::Between => {}
            State::Channel(name) if c == '\n' => {
                let name = std::mem::take(name);
                self.channel(&name);
            }
            State::Channel(name) => name.push(c),
        }
    }

    fn say(&mut self, c: char) {
        if !self.begun && c.is_whitespace() && (self.has_thought || self.is_harmony) {
            return;
        }
        self.json.push(c);
        if self.form == AnswerForm::Prose {
            self.code.push(c);
        }
        self.begun |= !c.is_whitespace();
        self.line_start = c == '\n' || (self.line_start && c.is_whitespace());
        if c == '\n' {
            self.line.clear();
        } else {
            self.line.push(c);
        }
        match self.out.last_mut() {
            Some(Piece::Answer(text)) => text.push(c),
            _ => self.out.push(Piece::Answer(c.into())),
        }
    }

    fn think(&mut self, c: char) {
        match &mut self.state {
            State::Thought { kept: Some(kept), .. } => kept.push(c),
            State::Thought { .. } => self.think_all(c.encode_utf8(&mut [0; 4])),
            _ => {}
        }
    }

    fn think_all(&mut self, text: &str) {
        self.has_thought |= !text.trim().is_empty();
        match self.out.last_mut() {
            Some(Piece::Thought(thought)) => thought.push_str(text),
            _ => self.out.push(Piece::Thought(text.to_owned())),
        }
    }
}

/// Where the strings of JSON in a text are.
#[derive(Debug, Default)]
struct JsonStrings {
    /// A bracket that begins a value if what follows it can be its beginning.
    bracket: Option<char>,
    depth: u32,
    quote: Option<char>,
    escaped: bool,
    /// After a quote, until what follows tells whether it ended the string.
    closing: bool,
    /// The last character outside of strings that was not white space.
    before: char,
}

impl JsonStrings {
    /// Whether what comes here is inside a string.
    fn protects(&self) -> bool {
        self.quote.is_some()
    }

    fn push(&mut self, c: char) {
        if let Some(quote) = self.quote {
            self.in_string(quote, c);
            return;
        }
        if c.is_whitespace() {
            return;
        }
        if let Some(bracket) = self.bracket.take() {
            let begins = match bracket {
                '{' => matches!(c, '"' | '\'' | '}'),
                _ => matches!(c, '{' | '[' | '"' | '\'' | ']' | '-' | '0'..='9' | 't' | 'f' | 'n'),
            };
            self.depth = u32::from(begins);
            self.before = bracket;
        }
        match c {
            '{' | '[' if self.depth == 0 => self.bracket = Some(c),
            '{' | '[' => self.depth += 1,
            '}' | ']' => self.depth = self.depth.saturating_sub(1),
            '"' | '\'' if self.depth > 0 && matches!(self.before, '{' | '[' | ',' | ':') => self.quote = Some(c),
            _ => {}
        }
        self.before = c;
    }

    fn in_string(&mut self, quote: char, c: char) {
        if self.closing {
            if c.is_whitespace() {
                return;
            }
            self.closing = false;
            if matches!(c, ',' | ':' | '}' | ']') {
                self.quote = None;
                self.before = quote;
                self.push(c);
                return;
            }
            // A quote that was not escaped.
        }
        match c {
            _ if self.escaped => self.escaped = false,
            '\\' => self.escaped = true,
            c if c == quote => self.closing = true,
            _ => {}
        }
    }
}

/// Where the code of Markdown in a text is: between runs of as many backticks.
#[derive(Debug, Default)]
struct CodeSpans {
    open: Option<usize>,
    run: usize,
    blank: bool,
}

impl CodeSpans {
    /// Whether what comes here is code.
    fn protects(&mut self) -> bool {
        self.run_over();
        self.open.is_some()
    }

    fn push(&mut self, c: char) {
        if c == '`' {
            self.run += 1;
            self.blank = false;
            return;
        }
        self.run_over();
        match c {
            // What is in a line ends with its paragraph, whatever was forgotten.
            '\n' if self.blank && self.open.is_some_and(|run| run < 3) => self.open = None,
            '\n' => self.blank = true,
            c if !c.is_whitespace() => self.blank = false,
            _ => {}
        }
    }

    fn run_over(&mut self) {
        let run = std::mem::take(&mut self.run);
        match self.open {
            _ if run == 0 => {}
            None => self.open = Some(run),
            Some(open) if open == run || (open >= 3 && run >= open) => self.open = None,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
