//! Diagnostics: a mistake in a file that a person wrote, with its place and what would be right.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A mistake. Written as `file:line:column: what is wrong; what would be right`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file, as the person would name it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Diagnostic {
    /// A mistake of a file as a whole: it cannot be read, it has the wrong name.
    #[must_use]
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 1, column: 1, message: message.into() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// The text of a file under the name that a person knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The file, as the person would name it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

impl SourceText {
    /// Line and column (both from 1, the column in characters) of a byte offset. Past the end is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A stretch of a file: what a diagnostic points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpan {
    /// The file.
    pub source: Arc<SourceText>,
    /// The bytes.
    pub range: Range<usize>,
}

/// Collects the mistakes of one definition or config, and what may be one.
#[derive(Debug, Default)]
pub struct Report {
    mistakes: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
}

impl Report {
    /// Notes a mistake at the beginning of `place`.
    pub fn error(&self, span: &SourceSpan, message: impl Into<String>) {
        self.error_at(&span.source, span.range.start, message);
    }

    /// Notes a mistake at a byte offset of a file.
    pub fn error_at(&self, source: &SourceText, offset: usize, message: impl Into<String>) {
        let (line, column) = source.position(offset);
        self.push(Diagnostic { file: source.name.clone(), line, column, message: message.into() });
    }

    /// Notes what may be a mistake: it hinders nothing.
    pub fn warn(&self, span: &SourceSpan, message: impl Into<String>) {
        let (line, column) = span.source.position(span.range.start);
        let warning = Diagnostic { file: span.source.name.clone(), line, column, message: message.into() };
        self.warnings.borrow_mut().push(warning);
    }

    /// Notes a mistake.
    pub fn push(&self, diagnostic: Diagnostic) {
        self.mistakes.borrow_mut().push(diagnostic);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mistakes.borrow().is_empty()
    }

    /// The mistakes, each once, by file and place.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        sorted(self.mistakes.into_inner())
    }

    /// As [`Report::into_sorted`], of one that others hold.
    #[must_use]
    pub fn take_mistakes(&self) -> Vec<Diagnostic> {
        sorted(self.mistakes.take())
    }

    /// What may be a mistake, each once, by file and place.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<Diagnostic> {
        sorted(self.warnings.take())
    }
}

fn sorted(mut all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    all.sort();
    all.dedup();
    all
}

/// The candidate that `name` is most likely a misspelling of.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(name);
    // Long names are cut: the distance takes the product of both lengths.
    if wanted.len() > 100 {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty() && candidate.len() <= 100)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| {
            *distance <= candidate.chars().count().max(2) / 3 + 1
                && *distance < candidate.chars().count().max(wanted.chars().count())
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to add to `unknown NAME`: `; did you mean …?`, or which names there are, or nothing when there are none.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    /// More than so many names are no help.
    const LISTED: usize = 12;
    let mut seen = HashSet::new();
    // A name that is still missing is none to propose, and whoever asked for one twice knows it once.
    let candidates: Vec<&str> = candidates.into_iter().filter(|name| !name.is_empty() && seen.insert(*name)).collect();
    match nearest(name, candidates.iter().copied()) {
        Some(candidate) => format!("; did you mean `{candidate}`?"),
        None if candidates.is_empty() => String::new(),
        None => {
            let mut listed: Vec<String> = candidates.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
            if candidates.len() > LISTED {
                listed.push("…".to_owned());
            }
            format!("; there is {}", listed.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_that_there_is_is_listed_once() {
        assert_eq!(did_you_mean("title", ["inputs", "steps", "inputs", ""]), "; there is `inputs`, `steps`");
    }

    #[test]
    fn a_place_is_a_line_and_a_column_in_characters() {
        let source = SourceText { name: "f".into(), text: "ä = 1\nöü = 2\n".into() };
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position("ä = 1\nöü".len()), (2, 3));
        assert_eq!(source.position(3_000), (3, 1));
        assert_eq!(source.position(1), (1, 1), "inside a character is its beginning");
    }

    #[test]
    fn a_misspelling_is_recognised_and_a_stranger_is_not() {
        let keys = ["prompt", "prompt_file", "timeout", "for_each", "id"];
        for (typed, meant) in
            [("promt", "prompt"), ("Prompt", "prompt"), ("for-each", "for_each"), ("tiemout", "timeout"), ("ids", "id")]
        {
            assert_eq!(nearest(typed, keys), Some(meant), "{typed}");
        }
        for typed in ["xyz", "colour", "", "q"] {
            assert_eq!(nearest(typed, keys), None, "{typed}");
        }
        assert_eq!(did_you_mean("zzz", ["a", "b"]), "; there is `a`, `b`");
        assert_eq!(did_you_mean("zzz", []), "");
    }

    #[test]
    fn mistakes_come_in_the_order_of_the_file_and_once() {
        let source = SourceText { name: "f".into(), text: "one\ntwo\n".into() };
        let report = Report::default();
        report.error_at(&source, 4, "later");
        report.error_at(&source, 0, "sooner");
        report.error_at(&source, 4, "later");
        let lines: Vec<String> = report.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["f:1:1: sooner", "f:2:1: later"]);
    }
}
