//! Where in the text of a shell command a value may be put in.
//!
//! A value is handed to the shell as a parameter, and the text refers to it (`"$STEPWELL_1"`): it is never a part of the
//! text. That is enough where the shell reads words. It is not where what it expands to is read as code once more: by
//! the shell itself (`eval`, arithmetic), by another one (`sh -c`, `ssh`, `… | sh`), by an interpreter (`python3 -c`).
//! This follows the text as far as it must to know which of both is at hand, and how the reference has to be quoted: what
//! is open, the word being read, and the command that it is of. Where it cannot follow the text, it says so and accepts
//! nothing more. It does not follow values through files and variables of the script (but for what is evaluated after a
//! value was put in), nor programs that it does not know by name. It runs nothing, and it does not judge whether a command
//! is right.

mod command;
mod line;
mod misplaced;
mod programs;

pub use self::line::{Line, LinePart, file_word};
pub use self::misplaced::{Misplaced, Quotes};

use self::command::{Command, Unfollowable};

/// Whether a command's name is that of a shell, which takes a script after `-c`.
#[must_use]
pub fn is_shell(program: &str) -> bool {
    matches!(programs::program(program), programs::Program::Shell)
}

/// How far the text of a shell command has been read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shell {
    /// What is open, from the outside in. The first is the command as a whole.
    open: Vec<Open>,
    /// The beginning of something that the next character decides.
    begun: Begun,
    /// Set once the text cannot be followed any more.
    lost: Option<&'static str>,
    /// The first value that was put in.
    first: Option<usize>,
    /// A command may read what another one wrote.
    piped: bool,
    /// A value of which it turned out later that it is read as code.
    caught: Option<(usize, Misplaced)>,
}

/// Something that a later character closes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Open {
    /// Commands: the whole, or what stands between `(` and `)`.
    Code(Code),
    Double,
    Single,
    /// `$'…'`: where a backslash counts, as bash has it.
    Dollar,
    Backtick,
    /// `${…}`, inside double quotes or not.
    Brace {
        quoted: bool,
    },
    /// `$((…))`, `((…))`, with so many `(` open.
    Arithmetic(u32),
    Comment,
    /// The text of a here document, with the line as far as it was read.
    Here {
        document: Document,
        line: String,
    },
}

/// Commands, one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Code {
    /// It ends with `)`.
    closes: bool,
    /// It is no part of a word: `(…)`.
    alone: bool,
    command: Command,
    /// Here documents whose text begins with the next line.
    documents: Vec<Document>,
}

/// A here document.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Document {
    /// The line that ends it.
    end: String,
    /// Tabs before that line do not count: `<<-`.
    tabs: bool,
    /// No part of that word was quoted: a backslash counts in the text.
    expands: bool,
}

/// The beginning of something that the next character decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Begun {
    #[default]
    Nothing,
    /// `\`.
    Escape,
    /// `$`.
    Dollar,
    /// `$(`.
    DollarParen,
    /// `(`.
    Paren,
    /// `<`.
    Less,
    /// `>`.
    More,
    /// `&`.
    And,
    /// `|`.
    Bar,
    /// `<<`.
    Here,
    /// The word after `<<`; the quote that is open in it, and whether anything of it was read.
    End { document: Document, quote: Option<char>, read: bool },
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            open: vec![Open::Code(Code::default())],
            begun: Begun::Nothing,
            lost: None,
            first: None,
            piped: false,
            caught: None,
        }
    }
}

impl Shell {
    /// Reads text that the definition wrote.
    pub fn text(&mut self, text: &str) {
        for c in text.chars() {
            if self.lost.is_some() {
                return;
            }
            self.read(c);
        }
    }

    /// Gives up: nothing after this is accepted.
    pub fn lose(&mut self, why: &'static str) {
        *self = Self { lost: self.lost.or(Some(why)), ..Self::default() };
    }

    /// Reads a value that is put in, which `id` names. Gives the quotes that are around it.
    ///
    /// # Errors
    /// When it would be read as code: why.
    pub fn value(&mut self, id: usize) -> Result<Quotes, Misplaced> {
        self.first = self.first.or(Some(id));
        match std::mem::take(&mut self.begun) {
            Begun::Escape => return Err(Misplaced::Backslash),
            Begun::Dollar => return Err(Misplaced::Dollar),
            Begun::Here | Begun::End { .. } => {
                self.lose("the end of a here document is a value");
                return Err(Misplaced::HereDocument);
            }
            Begun::DollarParen => self.open_code(false),
            Begun::Paren => self.open_code(true),
            Begun::And => self.end_command(),
            Begun::Bar => self.piped = true,
            Begun::Nothing | Begun::Less | Begun::More => {}
        }
        if let Some(why) = self.lost {
            return Err(Misplaced::Unclear(why));
        }
        // What a command inside gives may be read once more by what is around it.
        for open in &self.open {
            match open {
                Open::Arithmetic(_) => return Err(Misplaced::Arithmetic),
                Open::Brace { .. } => return Err(Misplaced::Braces),
                Open::Code(code) => code.command.takes_value()?,
                _ => {}
            }
        }
        match self.open.last() {
            Some(Open::Dollar) => Err(Misplaced::SingleQuotes),
            Some(Open::Backtick) => Err(Misplaced::Backticks),
            Some(Open::Comment) => Err(Misplaced::Comment),
            Some(Open::Here { .. }) => Err(Misplaced::HereDocument),
            quotes => {
                let quotes = match quotes {
                    Some(Open::Double) => Quotes::Double,
                    Some(Open::Single) => Quotes::Single,
                    _ => Quotes::None,
                };
                if let Some(code) = self.code() {
                    code.command.value();
                }
                Ok(quotes)
            }
        }
    }

    /// Whether what comes next is a word, or a part of one, with no quotes around it.
    #[must_use]
    pub fn reads_words(&self) -> bool {
        let begun = matches!(self.begun, Begun::Nothing | Begun::DollarParen | Begun::Paren | Begun::And | Begun::Bar);
        begun && self.lost.is_none() && matches!(self.open.last(), Some(Open::Code(_)))
    }

    /// Gives a value of which what was read since says that it is read as code.
    pub fn caught(&mut self) -> Option<(usize, Misplaced)> {
        self.caught.take()
    }

    /// Reads the end of the text.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.begun) == Begun::Bar {
            self.piped = true;
        }
        self.end_command();
    }

    /// The commands in which the text is, quotes aside.
    fn code(&mut self) -> Option<&mut Code> {
        self.open.iter_mut().rev().find_map(|open| match open {
            Open::Code(code) => Some(code),
            _ => None,
        })
    }

    /// `<(` or `>(`.
    fn open_substitution(&mut self) {
        if let Some(code) = self.code() {
            code.command.redirects_not();
        }
        self.expands();
        self.open_code(false);
    }

    fn redirect(&mut self) {
        if let Some(code) = self.code() {
            code.command.redirect();
        }
    }

    fn open_code(&mut self, alone: bool) {
        self.open.push(Open::Code(Code { closes: true, alone, ..Code::default() }));
    }

    /// Something that is not known before the command runs becomes a part of the word.
    fn expands(&mut self) {
        let evaluated = |open: &Open| matches!(open, Open::Code(code) if code.command.evaluates());
        if self.open.iter().any(evaluated) {
            self.catch(Misplaced::Later);
        }
        if let Some(code) = self.code() {
            code.command.expansion();
        }
    }

    fn many(&mut self) {
        if let Some(code) = self.code() {
            code.command.many();
        }
    }

    fn letter(&mut self, c: char, quoted: bool) {
        if let Some(code) = self.code() {
            code.command.letter(c, quoted);
        }
    }

    fn end_word(&mut self) {
        let inside = self.open.len() > 1;
        let Some(code) = self.code() else { return };
        match code.command.end_word() {
            Some(Unfollowable::Case) if inside => self.lose("a `case` inside `(…)`"),
            Some(Unfollowable::Test) => self.lose("`[[ … ]]`; write `[ … ]`"),
            Some(Unfollowable::Case) | None => {}
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let Some(code) = self.code() else { return };
        if std::mem::take(&mut code.command).reads_stdin() && self.piped {
            self.catch(Misplaced::Piped);
        }
    }

    /// Notes that what came before is read as code here.
    fn catch(&mut self, why: Misplaced) {
        if let Some(first) = self.first {
            self.caught.get_or_insert((first, why));
        }
    }

    fn read(&mut self, c: char) {
        match std::mem::take(&mut self.begun) {
            Begun::Nothing => self.plain(c),
            Begun::Escape => self.escaped(c),
            Begun::Dollar => self.after_dollar(c),
            Begun::DollarParen | Begun::Paren if c == '(' => self.open.push(Open::Arithmetic(2)),
            begun @ (Begun::DollarParen | Begun::Paren) => {
                self.open_code(begun == Begun::Paren);
                self.plain(c);
            }
            Begun::Less => match c {
                '<' => self.begun = Begun::Here,
                '(' => self.open_substitution(),
                '&' | '>' => {}
                _ => self.plain(c),
            },
            Begun::More => match c {
                '(' => {
                    // What is written goes to the command inside.
                    self.piped = true;
                    self.open_substitution();
                }
                '>' | '&' | '|' => {}
                _ => self.plain(c),
            },
            // `&>` is a redirection where bash reads it.
            Begun::And if c == '>' => {
                self.redirect();
                self.begun = Begun::More;
            }
            Begun::And => {
                self.end_command();
                self.plain(c);
            }
            Begun::Bar if c == '|' => {}
            Begun::Bar => {
                self.piped = true;
                if c != '&' {
                    self.plain(c);
                }
            }
            // `<<<` is followed by a word like any other.
            Begun::Here if c == '<' => {}
            Begun::Here => {
                let document = Document { tabs: c == '-', expands: true, ..Document::default() };
                self.begun = Begun::End { document, quote: None, read: false };
                if c != '-' {
                    self.read(c);
                }
            }
            Begun::End { document, quote, read } => self.end_of_document(c, document, quote, read),
        }
    }

    fn escaped(&mut self, c: char) {
        match self.open.last() {
            // dash has no such quotes, and ends them here.
            Some(Open::Dollar) if c == '\'' => self.lose("a quote inside `$'…'`"),
            Some(Open::Code(_)) if c != '\n' => self.letter(c, true),
            Some(Open::Double) => self.letter(c, true),
            _ => {}
        }
    }

    fn after_dollar(&mut self, c: char) {
        let quoted = matches!(self.open.last(), Some(Open::Double));
        self.expands();
        match c {
            '(' => self.begun = Begun::DollarParen,
            '{' => self
                .open
                .push(Open::Brace { quoted: quoted || matches!(self.open.last(), Some(Open::Brace { quoted: true })) }),
            '[' => self.lose("`$[…]`"),
            '@' => {
                self.many();
                self.plain(c);
            }
            '\'' if !quoted => self.open.push(Open::Dollar),
            _ => self.plain(c),
        }
    }

    fn end_of_document(&mut self, c: char, mut document: Document, quote: Option<char>, read: bool) {
        let mut then = quote;
        match (quote, c) {
            (Some(open), _) if c == open => then = None,
            (Some(_), '\n') | (None, '\\' | '$' | '`') => {
                return self.lose("the end of a here document that is no plain word");
            }
            (None, ' ' | '\t') if !read => {}
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => {
                if !read {
                    return self.lose("a here document without an end");
                }
                if let Some(code) = self.code() {
                    code.command.redirects_not();
                    code.documents.push(document);
                }
                return self.plain(c);
            }
            (None, '\'' | '"') => {
                then = Some(c);
                document.expands = false;
            }
            _ => document.end.push(c),
        }
        let read = read || !matches!((quote, c), (None, ' ' | '\t'));
        self.begun = Begun::End { document, quote: then, read };
    }

    fn plain(&mut self, c: char) {
        match self.open.last_mut() {
            Some(Open::Code(_)) | None => self.in_code(c),
            Some(Open::Double) => match c {
                '"' => drop(self.open.pop()),
                '\\' => self.begun = Begun::Escape,
                '$' => self.begun = Begun::Dollar,
                '`' => self.backtick(),
                _ => self.letter(c, true),
            },
            Some(Open::Single) => match c {
                '\'' => drop(self.open.pop()),
                _ => self.letter(c, true),
            },
            Some(Open::Dollar) => match c {
                '\'' => drop(self.open.pop()),
                '\\' => self.begun = Begun::Escape,
                _ => {}
            },
            Some(Open::Backtick) => match c {
                '`' => drop(self.open.pop()),
                '\\' => self.begun = Begun::Escape,
                _ => {}
            },
            Some(Open::Brace { quoted }) => match c {
                '}' => drop(self.open.pop()),
                '\\' => self.begun = Begun::Escape,
                '$' => self.begun = Begun::Dollar,
                '`' => self.backtick(),
                '@' => self.many(),
                // Shells differ in what such a quote means.
                '"' | '\'' if *quoted => self.lose("a quote inside `\"${…}\"`"),
                '"' => self.open.push(Open::Double),
                '\'' => self.open.push(Open::Single),
                _ => {}
            },
            Some(Open::Arithmetic(depth)) => match c {
                '(' => *depth += 1,
                ')' if *depth > 1 => *depth -= 1,
                ')' => drop(self.open.pop()),
                '$' => self.begun = Begun::Dollar,
                // It may as well be a command in two pairs of parentheses.
                '"' | '\'' | '`' | '#' | '\\' => self.lose("quotes inside `((…))`"),
                _ => {}
            },
            Some(Open::Comment) if c == '\n' => {
                self.open.pop();
                self.in_code(c);
            }
            Some(Open::Comment) => {}
            Some(Open::Here { document, line }) => {
                if c != '\n' {
                    line.push(c);
                    return;
                }
                let read = if document.tabs { line.trim_start_matches('\t') } else { line.as_str() };
                if read == document.end {
                    self.open.pop();
                    self.next_document();
                } else if document.expands && line.ends_with('\\') {
                    self.lose("a line of a here document that ends with a backslash");
                } else {
                    line.clear();
                }
            }
        }
    }

    fn backtick(&mut self) {
        self.expands();
        self.open.push(Open::Backtick);
    }

    fn in_code(&mut self, c: char) {
        let in_word = self.code().is_some_and(|code| code.command.in_word());
        match c {
            '\\' => self.begun = Begun::Escape,
            '\'' => self.quote(Open::Single),
            '"' => self.quote(Open::Double),
            '`' => self.backtick(),
            '$' => self.begun = Begun::Dollar,
            '#' if !in_word => self.open.push(Open::Comment),
            '\n' => {
                self.end_command();
                let waits = |open: &Open| matches!(open, Open::Code(code) if !code.documents.is_empty());
                if self.open.iter().rev().skip(1).any(waits) {
                    self.lose("a line break inside `(…)` in the line of a here document");
                } else {
                    self.next_document();
                }
            }
            ';' => self.end_command(),
            '|' => {
                self.end_command();
                self.begun = Begun::Bar;
            }
            '&' => self.begun = Begun::And,
            '<' | '>' => {
                self.redirect();
                self.begun = if c == '<' { Begun::Less } else { Begun::More };
            }
            '(' => {
                self.end_word();
                self.begun = Begun::Paren;
            }
            ')' => self.close_code(),
            ' ' | '\t' => self.end_word(),
            _ => self.letter(c, false),
        }
    }

    fn quote(&mut self, open: Open) {
        if let Some(code) = self.code() {
            code.command.quote();
        }
        self.open.push(open);
    }

    fn close_code(&mut self) {
        self.end_command();
        match self.open.last() {
            Some(Open::Code(code)) if code.closes && !code.documents.is_empty() => {
                self.lose("a here document without its text before `)`");
            }
            Some(Open::Code(code)) if code.closes => {
                let alone = code.alone;
                self.open.pop();
                // What comes after `(…)` is no word of a command before it: after `f()` it is the command.
                if alone && let Some(code) = self.code() {
                    code.command = Command::default();
                }
            }
            // A pattern of a `case`.
            _ => {}
        }
    }

    fn next_document(&mut self) {
        let Some(code) = self.code() else { return };
        if !code.documents.is_empty() {
            let document = code.documents.remove(0);
            self.open.push(Open::Here { document, line: String::new() });
        }
    }
}

#[cfg(test)]
mod tests;
