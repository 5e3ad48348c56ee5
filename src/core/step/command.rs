//! A step that runs a program, and whether that program speaks the contract of lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::fingerprint::Fingerprint;

/// How a command's stdout becomes an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parse {
    /// Text, or the value of the small contract when there is one.
    #[default]
    Text,
    /// One JSON value.
    Json,
    /// A list of lines.
    Lines,
}

/// What ends the options of a program: what comes after it is none.
pub const ENDS_OPTIONS: [&str; 2] = ["--", "--end-of-options"];

/// Runs a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments, one element each.
    pub argv: Vec<String>,
    /// Where it runs; the folder in which the run was started when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What is added to its clean environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What it reads; absent: the small contract's JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// How its stdout is read.
    #[serde(default)]
    pub parse: Parse,
    /// Run `argv` joined by a shell, with everything interpolated quoted.
    #[serde(default)]
    pub shell: bool,
    /// It may ask the person while it works, so its stdin stays open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// Whether it speaks the contract of lines; absent in what version 0.1.0 pinned, where every command did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks: Option<Speaks>,
    /// The files of the definition's folder that `argv` names ([`Command::file`]), with their hashes, once they are pinned.
    /// In what version 0.1.0 pinned there are none: such an element is a text there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Fingerprint>,
}

/// Whether a command speaks the contract of lines: `{"progress": …}` and `{"ask": …}` on its stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// It does.
    Stepwell,
    /// It does not, as its definition says: such lines are output.
    Nothing,
    /// Its definition does not say: such lines are an error.
    Unsaid,
}

impl Command {
    /// What says in a command's `env` that it asks (or, as `0`, that it does not), where its text does not tell.
    pub const ASKS: &'static str = "STEPWELL_ASKS";

    /// The file of the definition's folder that an element of `argv` names, as it is written: `@/FILE`. What a value puts in
    /// names none.
    #[must_use]
    pub fn file(arg: &str) -> Option<&str> {
        arg.strip_prefix("@/")
    }

    /// What its definition says of the contract of lines: `speaks`, or its `env`.
    #[must_use]
    pub fn said(&self) -> Speaks {
        match (self.speaks, self.env.get(Self::ASKS)) {
            (Some(Speaks::Stepwell), _) => Speaks::Stepwell,
            (_, Some(said)) if said == "0" => Speaks::Nothing,
            (_, Some(_)) => Speaks::Stepwell,
            _ => Speaks::Unsaid,
        }
    }

    /// Whether its arguments or `files`, the texts of those that are files, write lines of the contract.
    #[must_use]
    pub fn writes_lines(&self, files: impl FnOnce() -> Vec<String>) -> bool {
        self.argv.iter().any(|text| writes_line(text)) || files().iter().any(|text| writes_line(text))
    }
}

/// Whether a text has what begins a line of the contract, `{"ask":` or `{"progress":`, as programs write it.
fn writes_line(text: &str) -> bool {
    let quotes = ['"', '\'', '\\'];
    text.match_indices('{').any(|(at, _)| {
        let inside = text[at + 1..].trim_start();
        let word = inside.trim_start_matches(quotes);
        let after = ["ask", "progress"].iter().find_map(|name| word.strip_prefix(name));
        after.is_some_and(|after| {
            word.len() < inside.len()
                && after.starts_with(quotes)
                && after.trim_start_matches(quotes).trim_start().starts_with(':')
        })
    })
}
