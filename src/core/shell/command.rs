//! The command that a word of shell text is of, as far as it says whether the command reads its words as code.

use super::Misplaced;
use super::programs::{After, Follows, INTERPRETERS, Program, RUNNERS, Reader, follows, is_stdin, program};

/// Longer than every word that counts.
const LONGEST: usize = 64;

/// Flags of a shell after which its script, or another option, comes next.
const FLAGS: &str = "abefhkmnpruvxBCEHP";

/// A command, from its first word on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    kind: Kind,
    word: Option<Word>,
    /// The next word is the target of a redirection.
    redirects: bool,
}

/// What is known of a command by its words so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Its name comes next.
    #[default]
    Unnamed,
    /// The name comes after the words of a program that runs it.
    Runs(Running),
    /// Some word names it; set: the next one does.
    Somewhere(bool),
    /// It takes its words as they are; the last may name a program that is given code by an option.
    Plain(Hint),
    /// It reads them as code.
    Reads(Reader),
    /// It sets variables.
    Sets,
    /// It takes a script: the next word, unless that is an option.
    Shell,
    /// It takes a script somewhere after an option.
    ShellOption,
    /// It takes a script: the next word, after `-c`.
    ShellScript,
    /// It takes code of another language.
    Interprets(Interpreting),
    /// `printf`; set: the name of a variable comes next.
    Prints(bool),
    /// `[`; set: the name of a variable comes next, or may.
    Tests(bool),
    /// Its name is a value.
    Value,
    /// Its name is not known before it runs.
    Unknown,
}

/// A program that runs a command, and what was read of its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Running {
    /// An index of [`RUNNERS`].
    which: u8,
    operands: u8,
    argument: bool,
    /// What comes over its stdin is put into the words of the command.
    replaces: bool,
}

/// An interpreter, and what was read of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Interpreting {
    /// An index of [`INTERPRETERS`].
    which: u8,
    operands: u8,
    next: Next,
    /// It has its code.
    given: bool,
}

/// What the next word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Any,
    Argument,
    File,
    Code,
}

/// A program that the last word may have named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hint {
    Nothing,
    Shell,
    Interpreter(u8),
}

/// A word being read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    /// Its text without quotes, as far as the definition wrote it.
    text: String,
    /// What the definition wrote after the last `/` behind something that is not known.
    tail: Option<String>,
    /// Whether `text` is all of it.
    known: Known,
    /// It began with `NAME=`.
    assigns: bool,
    /// A part of it is quoted.
    quoted: bool,
    /// It has a sign that is part of no variable's name, so that something of it is there in any case.
    sure: bool,
}

/// Whether the definition wrote all of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// It did.
    #[default]
    Text,
    /// A part of it is not known before the command runs.
    Expands,
    /// And it is as many words as there are parameters, or elements, also in quotes.
    Many,
    /// A part of it is a value.
    Value,
}

impl Word {
    fn known(&self) -> Option<&str> {
        (self.known == Known::Text).then_some(self.text.as_str())
    }

    /// Whether it is what the definition wrote, with no quotes in it.
    fn is_plain(&self) -> bool {
        self.known == Known::Text && !self.quoted
    }

    /// Whether it may be no word at all: nothing but what expands, to nothing. The next word is in its place then.
    fn may_vanish(&self) -> bool {
        let vanishes = match self.known {
            Known::Many => true,
            Known::Expands => !self.quoted,
            Known::Text | Known::Value => false,
        };
        vanishes && self.text.is_empty() && !self.sure
    }
}

impl Command {
    /// Whether a word is being read.
    pub fn in_word(&self) -> bool {
        self.word.is_some()
    }

    /// A letter of the word.
    pub fn letter(&mut self, c: char, quoted: bool) {
        let word = self.word.get_or_insert_default();
        word.quoted |= quoted;
        // What comes right behind a `$` is the name of a variable.
        word.sure |= !(c.is_ascii_alphanumeric() || c == '_' || c == '@');
        if c == '=' && word.is_plain() && is_name(&word.text) {
            word.assigns = true;
        }
        if word.known == Known::Text && word.text.len() < LONGEST {
            word.text.push(c);
        }
        if word.known != Known::Text {
            match &mut word.tail {
                tail if c == '/' => *tail = Some(String::new()),
                Some(tail) if tail.len() < LONGEST => tail.push(c),
                _ => {}
            }
        }
    }

    /// A quote opens in the word.
    pub fn quote(&mut self) {
        self.word.get_or_insert_default().quoted = true;
    }

    /// What expands in it gives any number of words: `$@`, `${list[@]}`.
    pub fn many(&mut self) {
        let word = self.word.get_or_insert_default();
        word.known = word.known.max(Known::Many);
    }

    /// Something that is not known before the command runs.
    pub fn expansion(&mut self) {
        let word = self.word.get_or_insert_default();
        (word.known, word.tail) = (word.known.max(Known::Expands), None);
    }

    /// A value.
    pub fn value(&mut self) {
        self.expansion();
        self.word.get_or_insert_default().known = Known::Value;
    }

    /// `<` or `>`: the next word is what it redirects to; a number right before it was the descriptor.
    pub fn redirect(&mut self) {
        let digits = |word: &Word| word.known().is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        if self.word.as_ref().is_some_and(|word| word.is_plain() && digits(word)) {
            self.word = None;
        }
        self.end_word();
        self.redirects = true;
    }

    /// What follows `<` or `>` is a list of commands, and the whole is a word like any other.
    pub fn redirects_not(&mut self) {
        self.redirects = false;
    }

    /// Whether a value may be put in here.
    ///
    /// # Errors
    /// When what follows from it is read as code.
    pub fn takes_value(&self) -> Result<(), Misplaced> {
        let word = self.word.as_ref();
        let assigns = word.is_some_and(|word| word.assigns);
        let indexes = word.is_some_and(|word| word.text.split_once('[').is_some_and(|(name, _)| is_name(name)));
        match self.kind {
            Kind::Shell | Kind::ShellOption | Kind::ShellScript => Err(Misplaced::Script),
            Kind::Interprets(at) if !at.takes_value(word, self.redirects) => Err(Misplaced::Code),
            Kind::Reads(Reader::Elsewhere) => Err(Misplaced::Elsewhere),
            Kind::Reads(_) => Err(Misplaced::Evaluated),
            Kind::Runs(at) if at.is_script(word) => Err(Misplaced::Script),
            _ if self.redirects => Ok(()),
            Kind::Unnamed | Kind::Sets if indexes => Err(Misplaced::Arithmetic),
            Kind::Sets if !assigns => Err(Misplaced::Evaluated),
            Kind::Prints(true) | Kind::Tests(true) => Err(Misplaced::Evaluated),
            Kind::Prints(false) if word.is_some_and(|word| word.text.starts_with("-v")) => Err(Misplaced::Evaluated),
            Kind::Value | Kind::Unknown | Kind::Somewhere(true) => Err(Misplaced::Unnamed),
            _ => Ok(()),
        }
    }

    /// Whether what is here is read as code once more: not as the name of a file that has it.
    pub fn evaluates(&self) -> bool {
        match self.kind {
            Kind::Reads(Reader::Here | Reader::Elsewhere) | Kind::ShellScript => true,
            Kind::Interprets(at) => at.next == Next::Code,
            _ => false,
        }
    }

    /// Whether it takes what comes over its stdin as code.
    pub fn reads_stdin(&self) -> bool {
        match self.kind {
            Kind::Shell | Kind::ShellOption | Kind::ShellScript | Kind::Reads(Reader::Elsewhere | Reader::Source) => {
                true
            }
            Kind::Interprets(at) => !at.given && INTERPRETERS[usize::from(at.which)].text != Some(0),
            _ => false,
        }
    }

    /// The word ends. Gives what cannot be followed after it, if it is such a word.
    pub fn end_word(&mut self) -> Option<Unfollowable> {
        let word = self.word.take()?;
        if std::mem::take(&mut self.redirects) {
            return None;
        }
        let known = word.known();
        match self.kind {
            Kind::Unnamed if word.assigns => {}
            Kind::Unnamed => {
                self.name(&word);
                return match known {
                    Some("case") => Some(Unfollowable::Case),
                    Some("[[") => Some(Unfollowable::Test),
                    _ => None,
                };
            }
            Kind::Runs(at) => self.after_runner(at, &word),
            Kind::Somewhere(named) => {
                let found = known.map_or(Program::Plain, program);
                match found {
                    // `find .` names a folder, `docker exec` no command; every word is looked at.
                    Program::Plain
                    | Program::Before
                    | Program::Runs(_)
                    | Program::Sets
                    | Program::Prints
                    | Program::Tests
                    | Program::Reads(Reader::Source)
                        if !named =>
                    {
                        let runs = ["-exec", "-execdir", "-ok", "-okdir"];
                        self.kind = Kind::Somewhere(known.is_some_and(|text| runs.contains(&text)));
                    }
                    found => self.kind = Kind::of(found),
                }
            }
            // The next word may be the script, the code or the name.
            Kind::ShellScript | Kind::Prints(true) if word.may_vanish() => {}
            Kind::Interprets(at) if word.may_vanish() && at.awaits_code() => {}
            Kind::Shell | Kind::ShellOption | Kind::ShellScript => self.kind = self.kind.after_shell(known),
            Kind::Interprets(at) => self.kind = at.after(&word),
            Kind::Plain(hint) => self.kind = plain(hint, known),
            Kind::Prints(_) => self.kind = Kind::Prints(known == Some("-v")),
            Kind::Tests(_) => self.kind = Kind::Tests(matches!(known, None | Some("-v" | "-R"))),
            Kind::Reads(_) | Kind::Sets | Kind::Value | Kind::Unknown => {}
        }
        None
    }

    /// A word names the command.
    fn name(&mut self, word: &Word) {
        self.kind = match (word.known, &word.tail) {
            (Known::Value, _) => Kind::Value,
            (Known::Expands | Known::Many, Some(tail)) if !tail.is_empty() => Kind::of(program(tail)),
            (Known::Expands | Known::Many, _) => Kind::Unknown,
            (Known::Text, _) if word.text.starts_with('-') => Kind::Unnamed,
            (Known::Text, _) => Kind::of(program(&word.text)),
        };
    }

    fn after_runner(&mut self, mut at: Running, word: &Word) {
        let runner = &RUNNERS[usize::from(at.which)];
        if std::mem::take(&mut at.argument) {
            self.kind = Kind::Runs(at);
            return;
        }
        if word.text.starts_with("--") && word.text.len() > 2 {
            at.replaces |= word.text.starts_with("--replace");
            // An argument of its own may follow, or the command.
            let whole = word.text.contains('=') || word.known != Known::Text;
            self.kind = if whole || at.replaces { Kind::Runs(at) } else { Kind::Somewhere(false) };
        } else if word.text.starts_with('-') {
            let (found, inside) = follows(&word.text, |letter| runner.option(letter));
            at.replaces |= runner.takes_words_from_stdin() && word.text.contains(['I', 'i']);
            at.argument = found == Follows::Argument && !inside && word.known == Known::Text;
            let script = found == Follows::Code && !inside;
            self.kind = if script { Kind::ShellScript } else { Kind::Runs(at) };
        } else if word.assigns {
            self.kind = Kind::Runs(at);
        } else if at.operands < runner.operands {
            at.operands += 1;
            self.kind = Kind::Runs(at);
        } else {
            self.name(word);
            if at.replaces && matches!(self.kind, Kind::Shell | Kind::ShellOption | Kind::Interprets(_)) {
                self.kind = Kind::Reads(Reader::Elsewhere);
            }
        }
    }
}

impl Running {
    /// Whether a value here would be the script of one of its own options.
    fn is_script(self, word: Option<&Word>) -> bool {
        let runner = &RUNNERS[usize::from(self.which)];
        word.is_some_and(|word| {
            !self.argument
                && word.text.starts_with('-')
                && !word.text.starts_with("--")
                && follows(&word.text, |letter| runner.option(letter)).0 == Follows::Code
        })
    }
}

impl Interpreting {
    fn takes_value(self, word: Option<&Word>, redirects: bool) -> bool {
        let program = &INTERPRETERS[usize::from(self.which)];
        if redirects {
            // As its stdin, it is code where none is given.
            return self.given || program.text == Some(0);
        }
        match self.next {
            Next::Code => return false,
            Next::Argument => return true,
            // The file may be any.
            Next::File => return program.text.is_some(),
            Next::Any => {}
        }
        if let Some(word) = word
            && word.text.starts_with('-')
            && word.text.len() > 1
        {
            let long = word.text.strip_prefix("--");
            return match long {
                Some(long) => !program.is_code(long.trim_end_matches('=')) && long.contains('='),
                None => matches!(follows(&word.text, |letter| program.option(letter)).0, Follows::Argument),
            };
        }
        match program.text {
            Some(code) => self.given || self.operands != code,
            None => program.after == After::Anything,
        }
    }

    /// Whether the next word that is no option is its code.
    fn awaits_code(self) -> bool {
        let text = INTERPRETERS[usize::from(self.which)].text;
        self.next == Next::Code || self.next == Next::Any && !self.given && text == Some(self.operands)
    }

    /// What it is after a word.
    fn after(mut self, word: &Word) -> Kind {
        let program = &INTERPRETERS[usize::from(self.which)];
        match std::mem::replace(&mut self.next, Next::Any) {
            Next::Code | Next::File => {
                self.given = true;
                let data = program.after == After::Data;
                return if data { Kind::Plain(Hint::Nothing) } else { Kind::Interprets(self) };
            }
            Next::Argument => return Kind::Interprets(self),
            Next::Any => {}
        }
        if is_stdin(&word.text) && word.known == Known::Text {
            return Kind::Interprets(self);
        }
        if word.text == "--" && word.known == Known::Text {
            let data = self.given && program.after != After::Anything;
            return if data { Kind::Plain(Hint::Nothing) } else { Kind::Interprets(self) };
        }
        if let Some(long) = word.text.strip_prefix("--") {
            let (name, inside) = long.split_once('=').map_or((long, false), |(name, _)| (name, true));
            let is_code = program.is_code(name);
            self.given |= is_code && inside;
            self.next = if is_code && !inside { Next::Code } else { Next::Any };
            return Kind::Interprets(self);
        }
        if word.text.starts_with('-') && word.text.len() > 1 {
            let (found, inside) = follows(&word.text, |letter| program.option(letter));
            let inside = inside || word.known != Known::Text;
            self.given |= inside && matches!(found, Follows::Code | Follows::File);
            self.next = match found {
                _ if inside => Next::Any,
                Follows::Nothing => Next::Any,
                Follows::Argument => Next::Argument,
                Follows::File => Next::File,
                Follows::Code => Next::Code,
            };
            let ends = self.given && program.after == After::Data;
            return if ends { Kind::Plain(Hint::Nothing) } else { Kind::Interprets(self) };
        }
        match program.text {
            // `deno eval CODE`
            None if word.known().is_some_and(|text| program.is_code(text)) => self.next = Next::Code,
            None if program.after != After::Anything => return Kind::Plain(Hint::Nothing),
            None => {}
            Some(code) => {
                self.given |= self.operands >= code;
                self.operands = self.operands.saturating_add(1);
            }
        }
        Kind::Interprets(self)
    }
}

/// What a command that takes its words as they are is after another word.
fn plain(hint: Hint, word: Option<&str>) -> Kind {
    let option = word.and_then(|word| word.strip_prefix('-')).filter(|flags| !flags.is_empty());
    match (hint, option) {
        (Hint::Shell, Some(flags)) if !flags.starts_with('-') && flags.contains('c') => Kind::ShellScript,
        (Hint::Shell, Some(_)) => Kind::Plain(hint),
        (Hint::Interpreter(which), Some(_)) => {
            let at = Interpreting { which, operands: 0, next: Next::Any, given: false };
            let word = Word { text: word.unwrap_or_default().to_owned(), ..Word::default() };
            match at.after(&word) {
                Kind::Interprets(at) if at.next == Next::Code || at.given => Kind::Interprets(at),
                _ => Kind::Plain(hint),
            }
        }
        _ => match word.map(program) {
            Some(Program::Shell) => Kind::Plain(Hint::Shell),
            Some(Program::Interprets(which)) => Kind::Plain(Hint::Interpreter(which)),
            Some(Program::Reads(Reader::Elsewhere)) if word == Some("ssh") => Kind::Reads(Reader::Elsewhere),
            _ => Kind::Plain(Hint::Nothing),
        },
    }
}

/// A word after which the text cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfollowable {
    /// `case`: its `a)` looks like the end of what is around it.
    Case,
    /// `[[`: bash reads what is in it by rules of its own.
    Test,
}

impl Kind {
    fn of(program: Program) -> Self {
        match program {
            Program::Plain => Self::Plain(Hint::Nothing),
            Program::Before => Self::Unnamed,
            Program::Runs(which) => Self::Runs(Running { which, operands: 0, argument: false, replaces: false }),
            Program::Somewhere => Self::Somewhere(false),
            Program::Reads(reader) => Self::Reads(reader),
            Program::Sets => Self::Sets,
            Program::Shell => Self::Shell,
            Program::ShellOption => Self::ShellOption,
            Program::Interprets(which) => {
                Self::Interprets(Interpreting { which, operands: 0, next: Next::Any, given: false })
            }
            Program::Prints => Self::Prints(false),
            Program::Tests => Self::Tests(false),
        }
    }

    /// What a word of a shell that has not got its script says of it; `None`: the word is not known.
    fn after_shell(self, word: Option<&str>) -> Self {
        let option = word.and_then(|word| word.strip_prefix('-'));
        match (self, option) {
            (_, Some(flags)) if flags.contains('c') && !flags.starts_with('-') => Self::ShellScript,
            (Self::Shell, Some(flags)) if flags.chars().all(|c| FLAGS.contains(c)) => Self::Shell,
            (Self::ShellScript, Some(_)) => Self::ShellScript,
            (Self::ShellScript, None) => Self::Plain(Hint::Nothing),
            (Self::Shell, None) if word.is_some_and(is_stdin) => Self::Shell,
            (Self::Shell, None) if word.is_some_and(|word| !word.starts_with('+')) => Self::Plain(Hint::Nothing),
            // The word may belong to an option.
            _ => Self::ShellOption,
        }
    }
}

/// Whether a text is the name of a variable.
fn is_name(text: &str) -> bool {
    let mut letters = text.strip_suffix('+').unwrap_or(text).chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
