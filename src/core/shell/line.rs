//! The text of a shell command with its values beside it: the text refers to them, and holds nothing of them.

use std::fmt::Write as _;

use super::{Misplaced, Quotes, Shell};
use crate::core::template::Piece;
use crate::core::work::CommandWork;

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
    /// The line that `pieces` make.
    #[must_use]
    pub fn of(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let (mut line, mut shell) = (Self::default(), Shell::default());
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    shell.text(&text);
                    line.text.push_str(&text);
                }
                Piece::Value(value) => line.value(&mut shell, value),
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

    fn look(&mut self, shell: &mut Shell) {
        if let Some((at, why)) = shell.caught() {
            self.refuse(at, why);
        }
    }

    fn refuse(&mut self, at: usize, why: Misplaced) {
        self.misplaced.get_or_insert_with(|| format!("`${}` is {}", CommandWork::parameter(at), why.place()));
    }
}
