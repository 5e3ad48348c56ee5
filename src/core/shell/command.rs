//! The command that a word of shell text is of, as far as it says whether the command reads its words as shell text.

use super::Misplaced;

/// Longer than every word that counts.
const LONGEST: usize = 64;

/// Words before a command that leave it to the next word to name it.
const BEFORE: [&str; 14] =
    ["!", "{", "if", "then", "else", "elif", "do", "while", "until", "time", "command", "builtin", "exec", "coproc"];

/// Programs that run a command which is somewhere among their words.
const RUNNERS: [&str; 16] = [
    "env", "nohup", "nice", "ionice", "sudo", "doas", "timeout", "xargs", "setsid", "stdbuf", "find", "busybox",
    "chroot", "flock", "strace", "function",
];

/// Commands that read their words as shell text, or as arithmetic, in which bash finds commands too.
const READERS: [&str; 7] = ["eval", "trap", "alias", "watch", "let", "unset", "read"];

/// Commands that set variables: what is set is no shell text, the name of what is set may be.
const SETTERS: [&str; 5] = ["export", "readonly", "declare", "typeset", "local"];

/// Programs that take a script after `-c`.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "su", "runuser"];

/// Flags of a shell after which its script, or another option, comes next.
const FLAGS: &str = "abefhkmnpruvxBCEHP";

/// A command, from its first word on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    kind: Kind,
    word: Option<Word>,
}

/// What is known of a command by its words so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Its name comes next.
    #[default]
    Unnamed,
    /// Some word names it.
    Somewhere,
    /// It takes its words as they are.
    Plain,
    /// It reads them as shell text.
    Reads,
    /// It sets variables.
    Sets,
    /// It takes a script: the next word, unless that is an option.
    Shell,
    /// It takes a script somewhere after an option.
    ShellOption,
    /// It takes a script: the next word, after `-c`.
    ShellScript,
    /// Its name is a value.
    Value,
}

/// A word being read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    /// Its text without quotes, as far as the definition wrote it.
    text: String,
    /// Whether that is all of it.
    known: Known,
    /// A part of it is quoted or not known.
    odd: bool,
    /// It began with `NAME=`.
    assigns: bool,
}

/// Whether the definition wrote all of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// It did.
    #[default]
    Text,
    /// A part of it is not known before the command runs.
    Expands,
    /// A part of it is a value.
    Value,
}

impl Command {
    /// Whether a word is being read.
    pub fn in_word(&self) -> bool {
        self.word.is_some()
    }

    /// A letter of the word.
    pub fn letter(&mut self, c: char, quoted: bool) {
        let word = self.word.get_or_insert_default();
        word.odd |= quoted;
        if c == '=' && !word.odd && is_name(&word.text) {
            word.assigns = true;
        }
        if word.text.len() < LONGEST && word.known == Known::Text {
            word.text.push(c);
        }
    }

    /// A quote opens in the word.
    pub fn quote(&mut self) {
        self.word.get_or_insert_default().odd = true;
    }

    /// Something that is not known before the command runs.
    pub fn expansion(&mut self) {
        let word = self.word.get_or_insert_default();
        (word.known, word.odd) = (word.known.max(Known::Expands), true);
    }

    /// A value.
    pub fn value(&mut self) {
        self.expansion();
        self.word.get_or_insert_default().known = Known::Value;
    }

    /// Whether a value may be put in here.
    ///
    /// # Errors
    /// When what follows from it is read as shell text.
    pub fn takes_value(&self) -> Result<(), Misplaced> {
        let word = self.word.as_ref();
        let assigns = word.is_some_and(|word| word.assigns);
        let indexes = word.is_some_and(|word| word.text.split_once('[').is_some_and(|(name, _)| is_name(name)));
        match self.kind {
            Kind::Unnamed | Kind::Sets if indexes => Err(Misplaced::Arithmetic),
            Kind::Sets if !assigns => Err(Misplaced::Evaluated),
            Kind::Reads => Err(Misplaced::Evaluated),
            Kind::Shell | Kind::ShellOption | Kind::ShellScript => Err(Misplaced::Script),
            Kind::Value => Err(Misplaced::Unnamed),
            Kind::Unnamed | Kind::Somewhere | Kind::Plain | Kind::Sets => Ok(()),
        }
    }

    /// The word ends. Gives what cannot be followed after it, if it is such a word.
    pub fn end_word(&mut self) -> Option<Unfollowable> {
        let word = self.word.take()?;
        let known = (word.known == Known::Text).then_some(word.text.as_str());
        match self.kind {
            Kind::Unnamed if word.assigns => {}
            Kind::Unnamed if word.known == Known::Value => self.kind = Kind::Value,
            Kind::Unnamed => {
                let option = known.is_some_and(|text| text.starts_with('-'));
                self.kind = match known {
                    _ if option => Kind::Unnamed,
                    Some(text) if BEFORE.contains(&text) => Kind::Unnamed,
                    Some(text) if RUNNERS.contains(&base(text)) => Kind::Somewhere,
                    Some(text) => named(text).unwrap_or(Kind::Plain),
                    None => Kind::Plain,
                };
                return match known {
                    Some("case") => Some(Unfollowable::Case),
                    Some("[[") => Some(Unfollowable::Test),
                    _ => None,
                };
            }
            Kind::Somewhere => {
                if let Some(kind) = known.and_then(named) {
                    self.kind = kind;
                }
            }
            Kind::Shell | Kind::ShellOption | Kind::ShellScript => self.kind = self.kind.after_shell(known),
            Kind::Plain | Kind::Reads | Kind::Sets | Kind::Value => {}
        }
        None
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
    /// What a word of a shell that has not got its script says of it; `None`: the word is not known.
    fn after_shell(self, word: Option<&str>) -> Self {
        let option = word.and_then(|word| word.strip_prefix('-'));
        match (self, option) {
            (_, Some(flags)) if flags.contains('c') && !flags.starts_with('-') => Self::ShellScript,
            (Self::Shell, Some(flags)) if flags.chars().all(|c| FLAGS.contains(c)) => Self::Shell,
            (Self::ShellScript, Some(_)) => Self::ShellScript,
            (Self::ShellScript, None) => Self::Plain,
            (Self::Shell, None) if word.is_some_and(|word| !word.starts_with('+')) => Self::Plain,
            // The word may belong to an option.
            _ => Self::ShellOption,
        }
    }
}

/// What a word that names a command says of it.
fn named(text: &str) -> Option<Kind> {
    let text = base(text);
    if READERS.contains(&text) {
        return Some(Kind::Reads);
    }
    if SETTERS.contains(&text) {
        return Some(Kind::Sets);
    }
    // A person's name may come first.
    let shell = if matches!(text, "su" | "runuser") { Kind::ShellOption } else { Kind::Shell };
    SHELLS.contains(&text).then_some(shell)
}

fn base(text: &str) -> &str {
    text.rsplit('/').next().filter(|base| !base.is_empty()).unwrap_or(text)
}

/// Whether a text is the name of a variable.
fn is_name(text: &str) -> bool {
    let mut letters = text.strip_suffix('+').unwrap_or(text).chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
