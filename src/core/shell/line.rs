//! The text of a shell command with its values beside it: the text refers to them, and holds nothing of them.

use std::fmt::Write as _;

use super::{Misplaced, Quotes, Shell};
use crate::core::template::Piece;
use crate::core::work::CommandWork;

/// What the text is made of.
pub enum LinePart {
    /// What a template renders to.
    Piece(Piece),
    /// A file of the definition's folder, by its path there.
    File(String),
}

impl From<Piece> for LinePart {
    fn from(piece: Piece) -> Self {
        Self::Piece(piece)
    }
}

/// A text for `sh -c`, and the values that it refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// The values; the text names them by [`CommandWork::parameter`].
    pub parameters: Vec<String>,
    /// Why it may not run: a value would be read as code all the same.
    pub misplaced: Option<String>,
}

impl Line {
    /// The line that `parts` make.
    #[must_use]
    pub fn of(parts: impl IntoIterator<Item = impl Into<LinePart>>) -> Self {
        let (mut line, mut shell) = (Self::default(), Shell::default());
        for part in parts {
            match part.into() {
                LinePart::Piece(Piece::Text(text)) => {
                    shell.text(&text);
                    line.text.push_str(&text);
                }
                LinePart::Piece(Piece::Value(value)) => line.value(&mut shell, value),
                LinePart::File(name) => line.file(&mut shell, &name),
            }
            line.look(&mut shell);
        }
        shell.end();
        line.look(&mut shell);
        line
    }

    fn value(&mut self, shell: &mut Shell, value: String) {
        let known = self.parameters.iter().position(|parameter| *parameter == value);
        let at = known.unwrap_or_else(|| {
            self.parameters.push(value);
            self.parameters.len() - 1
        });
        let name = CommandWork::parameter(at);
        let quotes = shell.value(at).unwrap_or_else(|why| {
            self.refuse(at, why);
            Quotes::None
        });
        // Writing to a String cannot fail.
        let _ = match quotes {
            Quotes::None => write!(self.text, "\"${name}\""),
            Quotes::Double => write!(self.text, "${{{name}}}"),
            Quotes::Single => write!(self.text, "'\"${name}\"'"),
        };
    }

    /// The definition's own, so it is followed as the text that it is.
    fn file(&mut self, shell: &mut Shell, name: &str) {
        if !shell.reads_words() {
            let why = format!("`@/{name}` is inside quotes, a here document or a comment of a shell command");
            self.misplaced.get_or_insert(why);
        }
        let word = file_word(name);
        shell.text(&word);
        let path = word.strip_prefix("./").unwrap_or(&word);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "\"${}\"/{path}", CommandWork::FILES);
    }

    fn look(&mut self, shell: &mut Shell) {
        if let Some((at, why)) = shell.caught() {
            self.refuse(at, why);
        }
    }

    fn refuse(&mut self, at: usize, why: Misplaced) {
        self.misplaced.get_or_insert_with(|| format!("`${}` is {}", CommandWork::parameter(at), why.place()));
    }
}

/// How a shell reads a file of the definition's folder, as far as it is followed: a path that is one word.
#[must_use]
pub fn file_word(name: &str) -> String {
    // A name with a NUL byte is no name of a file.
    format!("./{}", shlex::try_quote(name).unwrap_or_default())
}
