//! A run as a file: Markdown, JSON, HTML, PDF or CSV.
//!
//! Promises: pure functions of the folded run; JSON is the raw data and the same object as `show --json`; in every other
//! format text from outside is made visible first and can neither run, nor load, nor calculate anything where the file
//! is opened. What programs read line by line has its form here, too ([`wire`]). May not: read files, the journal or the
//! configuration. What is written lands by [`mod@file`] alone.

pub mod compared;
mod csv;
pub mod file;
mod html;
pub mod json;
mod markdown;
mod pdf;
pub mod wire;

use crate::core::code::ErrorCode;
use crate::core::model;
use crate::core::run::Run;
use crate::core::text::{self, visible};

/// Said wherever a text of the demo model is shown.
pub const DEMO: &str =
    "Written by the demo model, which replays recorded answers: it does not think about what you gave it.";

/// Whether a text of the demo model is among what a run holds.
#[must_use]
pub fn is_demo(run: &Run) -> bool {
    let mut attempts = run.calls.values().flat_map(|call| &call.attempts);
    attempts.any(|attempt| attempt.measured.model.as_deref().is_some_and(model::is_demo))
}

/// What an export is written as. The names are those of `export --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Markdown.
    Md,
    /// One JSON object; for [`ExportScope::Full`] that of `show --json`.
    Json,
    /// One self-contained page without scripts.
    Html,
    /// Plain pages to print, of what western letters can say.
    Pdf,
    /// One row a call, whatever the scope.
    Csv,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Md, Self::Json, Self::Html, Self::Pdf, Self::Csv];

    /// The name on the command line, which is also the file's extension.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md => "md",
            Self::Json => "json",
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Csv => "csv",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// How much of a run is exported. The names are those of `export --scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportScope {
    /// Its result alone.
    #[default]
    Result,
    /// All of it: inputs, every attempt and version, conversation, documents, result.
    Full,
    /// What stands for each call.
    Steps,
    /// What was tried when, by whom, at what cost, and how it ended.
    Log,
}

impl ExportScope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Result, Self::Full, Self::Steps, Self::Log];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Full => "full",
            Self::Steps => "steps",
            Self::Log => "log",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Why there is nothing to write.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The run has no result.
    #[error(
        "run {run} has no result yet, it is {status}: go on with `stepwell resume {run}`, \
         or export what there is with `--scope steps` or `--scope full`"
    )]
    NoResult {
        /// The run, as it is shown.
        run: String,
        /// Where it stands.
        status: &'static str,
    },
    /// The fonts of a PDF lack a letter.
    #[error(
        "a PDF has western letters only, and this text has `{0}` (U+{code:04X}): export with `--format html`, which \
         has all of it, and print that from a browser", code = u32::from(*.0)
    )]
    Letter(char),
}

impl ExportError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NoResult { .. } | Self::Letter(_) => ErrorCode::NotAllowed,
        }
    }
}

/// Writes a run: as text in UTF-8 that ends with a line break, or as the bytes of a PDF.
///
/// # Errors
/// When the run has no result and that is what was asked for, and when a PDF cannot show a letter.
pub fn export(run: &Run, format: Format, scope: ExportScope) -> Result<Vec<u8>, ExportError> {
    Ok(match format {
        Format::Md => markdown::write(run, scope)?.into_bytes(),
        Format::Html => html::page(&run.title, &markdown::write(run, scope)?).into_bytes(),
        Format::Json => text::json(&format!("{:#}\n", json::scoped(run, scope)?)).into_owned().into_bytes(),
        Format::Csv => csv::calls(run).into_bytes(),
        Format::Pdf => pdf::file(&visible(&run.title, false), &markdown::write(run, scope)?)?,
    })
}

/// The result of a run, as it is by now.
fn result(run: &Run) -> Result<crate::core::run::RunResult, ExportError> {
    let none = || ExportError::NoResult { run: run.id.short(), status: run.seen_status().name() };
    run.current_result().ok_or_else(none)
}

#[cfg(test)]
mod tests;
