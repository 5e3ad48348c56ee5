//! What a person who writes definitions sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::check;
use super::decode::{Draft, decode};
use super::folder::Folder;
use crate::core::diagnostic::{Report, SourceText};
use crate::core::task::Kind;
use crate::core::tool::DeclaredTools;

mod actions;
mod asked;
mod children;
mod decoded;
mod flows;
mod found;
mod mistakes;
mod operations;
mod own_files;
mod scaffolded;
mod tools;

/// Decodes a definition and gives it with its mistakes, one a line.
fn read(kind: Kind, text: &str, files: &[(&str, &str)]) -> (Option<Draft>, Vec<String>) {
    let source = Arc::new(SourceText { name: "w.toml".into(), text: text.into() });
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    let report = Report::default();
    let draft = decode(&source, kind, &Folder::Snapshot(files), &report);
    (draft, report.into_sorted().iter().map(ToString::to_string).collect())
}

/// Every mistake of a definition, one a line.
fn mistakes(kind: Kind, text: &str, files: &[(&str, &str)]) -> Vec<String> {
    said_of(kind, text, files).0
}

/// The mistakes of a definition, and what may be one.
fn said_of(kind: Kind, text: &str, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    said_with(kind, text, files, None)
}

/// The same, where the config declares these tools.
fn said_with(
    kind: Kind,
    text: &str,
    files: &[(&str, &str)],
    config: Option<&DeclaredTools>,
) -> (Vec<String>, Vec<String>) {
    let source = Arc::new(SourceText { name: "w.toml".into(), text: text.into() });
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    let report = Report::default();
    if let Some(draft) = decode(&source, kind, &Folder::Snapshot(files), &report) {
        check(&draft, &|_| None, config, &report);
    }
    let warnings = report.take_warnings().iter().map(ToString::to_string).collect();
    (report.into_sorted().iter().map(ToString::to_string).collect(), warnings)
}
