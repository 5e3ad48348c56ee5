//! Where in the text of a shell command a value is.

/// Why a value may not be put in at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misplaced {
    /// Between `"` and `"`.
    DoubleQuotes,
    /// Between `'` and `'`, or `$'` and `'`.
    SingleQuotes,
    /// Between `` ` `` and `` ` ``.
    Backticks,
    /// In the text of a here document, or in the word that ends it.
    HereDocument,
    /// After `#`.
    Comment,
    /// Right after a backslash.
    Backslash,
    /// Right after `$`.
    Dollar,
    /// In `${…}`.
    Braces,
    /// In `$((…))`, `((…))` or an index.
    Arithmetic,
    /// In the words of a command that reads them as shell text: `eval`, `trap`.
    Evaluated,
    /// In the words of a program that hands them to another shell: `ssh`.
    Elsewhere,
    /// As the script of `sh -c`.
    Script,
    /// As code of another language: `python3 -c`, `awk`.
    Code,
    /// Before a pipe to a program that takes its stdin as code: `… | sh`.
    Piped,
    /// Before something that is not known until the command runs, in a place where it is read as code: `eval "$x"`.
    Later,
    /// In a command whose name is a value itself, or is not known before it runs.
    Unnamed,
    /// What is before it cannot be followed: this.
    Unclear(&'static str),
}

impl Misplaced {
    /// Where the value is, as words for a person.
    #[must_use]
    pub fn place(self) -> &'static str {
        match self {
            Self::DoubleQuotes => "inside double quotes of a shell command",
            Self::SingleQuotes => "inside single quotes of a shell command",
            Self::Backticks => "inside backticks of a shell command",
            Self::HereDocument => "in a here document of a shell command",
            Self::Comment => "in a comment of a shell command",
            Self::Backslash => "right after a backslash in a shell command",
            Self::Dollar => "right after `$` in a shell command",
            Self::Braces => "inside `${…}` in a shell command",
            Self::Arithmetic => "inside arithmetic of a shell command",
            Self::Evaluated => {
                "in a command that reads its words as shell text once more (`eval`, `trap` and the like)"
            }
            Self::Elsewhere => "in a command that hands its words to another shell (`ssh` and the like)",
            Self::Script => "in the script that a shell is given",
            Self::Code => "in the code that an interpreter is given (`python3 -c`, `awk` and the like)",
            Self::Piped => "in what a pipe hands to a shell as its script",
            Self::Later => "in front of shell text that is only known when it runs",
            Self::Unnamed => "in a command whose name is a value itself, or only known when it runs",
            Self::Unclear(_) => "in a part of a shell command that cannot be followed",
        }
    }
}

/// The quotes around a value that may be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// None: the shell reads words.
    None,
    /// `"` and `"`.
    Double,
    /// `'` and `'`.
    Single,
}
