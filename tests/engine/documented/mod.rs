//! `docs/definitions.md` and the program say the same: each sentence of its tables of keys is quoted, word for word, by a test
//! that runs a small definition.
//!
//! A sentence here is what stands between full stops and semicolons of a cell, code and brackets aside. One test holds the
//! sentences of the document against those that are quoted, in both directions.

#![allow(clippy::needless_raw_string_hashes, reason = "the quotes are found by how they are written")]

mod governs;
mod later;
mod more;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use serde_json::Value;
use stepwell::catalog::{Catalog, SearchPaths};
use stepwell::core::call::{Call, CallStatus};
use stepwell::core::event::Event;
use stepwell::core::id::RunId;
use stepwell::core::run::Run;
use stepwell::engine::Start;

use crate::harness::{Act, Harness, shout};

const DOCUMENT: &str = include_str!("../../../docs/definitions.md");
/// The sections whose tables say what keys do, and what later steps see of it.
const SECTIONS: [&str; 3] = ["Steps: what governs them", "More control", "What later steps see"];
const TESTS: [&str; 3] = [include_str!("governs.rs"), include_str!("more.rs"), include_str!("later.rs")];

/// The last cells of the rows of a section's tables, without their heads.
fn cells(section: &str) -> Vec<String> {
    let begin = DOCUMENT.find(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section `{section}`"));
    let text = &DOCUMENT[begin + 1..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    let lines: Vec<&str> = text.lines().collect();
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|---"));
    let rows = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| line.starts_with('|') && !line.starts_with("|---") && !is_head(*at));
    let cell = |line: &str| {
        let line = line.trim_end().trim_end_matches('|').replace("\\|", "\u{0}");
        line.rsplit('|').next().unwrap_or_default().trim().replace('\u{0}', "\\|")
    };
    rows.map(|(_, line)| cell(line)).collect()
}

/// The sentences of a cell.
fn split(cell: &str) -> Vec<String> {
    let (mut sentences, mut sentence) = (Vec::new(), String::new());
    let (mut code, mut depth) = (false, 0_u32);
    let mut characters = cell.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '`' => code = !code,
            '(' if !code => depth += 1,
            ')' if !code => depth -= 1,
            _ => {}
        }
        let ends = matches!(c, '.' | ';') && !code && depth == 0 && characters.peek().is_none_or(|next| *next == ' ');
        if ends {
            sentences.push(std::mem::take(&mut sentence));
        } else {
            sentence.push(c);
        }
    }
    sentences.push(sentence);
    sentences.into_iter().map(|sentence| sentence.trim().to_owned()).filter(|sentence| !sentence.is_empty()).collect()
}

fn sentences() -> BTreeSet<String> {
    SECTIONS.iter().flat_map(|section| cells(section)).flat_map(|cell| split(&cell)).collect()
}

/// What a test proves: this sentence, as the document has it.
pub fn quotes(sentence: &str) {
    assert!(sentences().contains(sentence), "the document does not say (any more): {sentence}");
}

#[test]
fn every_sentence_of_the_tables_is_quoted_by_a_test() {
    let quoted = |text: &'static str| {
        let calls = text.split("quotes(").skip(1);
        calls
            .filter_map(|rest| rest.trim_start().strip_prefix("r#\"")?.split_once("\"#"))
            .map(|(quoted, _)| quoted.to_owned())
    };
    let quoted: BTreeSet<String> = TESTS.iter().flat_map(|text| quoted(text)).collect();
    let sentences = sentences();
    let unproved: Vec<&String> = sentences.difference(&quoted).collect();
    assert!(unproved.is_empty(), "no test quotes: {unproved:#?}");
    let gone: Vec<&String> = quoted.difference(&sentences).collect();
    assert!(gone.is_empty(), "the document does not say (any more): {gone:#?}");
    assert!(sentences.len() > 40, "the tables were found: {}", sentences.len());
}

#[test]
fn a_cell_is_split_at_full_stops_and_semicolons_outside_of_code_and_brackets() {
    assert_eq!(split("`a.b; c` (d; e. f): one; two. Three"), ["`a.b; c` (d; e. f): one", "two", "Three"]);
    assert_eq!(cells("What later steps see").len(), 6);
}

/// A run of the first of these workflows, of which the others (`child`) may be steps; each is what comes after `id` and `name`.
pub fn start_in(harness: &Harness, session: Option<&str>, workflows: &[&str], inputs: Value) -> RunId {
    let all = tempfile::tempdir().unwrap();
    for (id, text) in ["main", "child"].iter().zip(workflows) {
        let folder = all.path().join("own/workflows").join(id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("workflow.toml"), format!("id = \"{id}\"\nname = \"N\"\n{text}")).unwrap();
    }
    let paths =
        SearchPaths { own: Some(all.path().join("own")), state: all.path().join("state"), ..SearchPaths::default() };
    let pinned = Catalog::load(&paths).pin("main").unwrap_or_else(|error| panic!("{error}\n{}", workflows[0]));
    let start = Start {
        pinned: Arc::new(pinned),
        inputs,
        cwd: "/".into(),
        session: session.map(str::to_owned),
        model: None,
        budget: None,
        origin: None,
    };
    harness.engine.start(&start).unwrap()
}

/// A run of a workflow that is driven until it waits or is over, with steps that answer as told.
pub struct Play {
    pub harness: Harness,
    pub run: RunId,
    pub state: Run,
}

impl Play {
    pub async fn with(
        text: &str,
        inputs: Value,
        act: impl Fn(&stepwell::core::ports::AttemptRequest) -> Act + Send + Sync + 'static,
    ) -> Self {
        let harness = Harness::new(act);
        let run = start_in(&harness, None, &[text], inputs);
        let state = harness.drive(run).await;
        Self { harness, run, state }
    }

    /// Models answer in capitals, everything else with the name of its kind.
    pub async fn of(text: &str, inputs: Value) -> Self {
        Self::with(text, inputs, shout).await
    }

    pub async fn decide(&mut self, key: &str, kind: stepwell::core::decide::DecisionKind) {
        self.state = self.harness.decide(self.run, key, kind).await;
    }

    pub fn call(&self, key: &str) -> &Call {
        self.state.call(&key.parse().unwrap()).unwrap_or_else(|| panic!("no call {key}: {:?}", self.state.error))
    }

    pub fn status(&self, key: &str) -> CallStatus {
        self.call(key).status
    }

    pub fn events(&self) -> Vec<Event> {
        self.harness.events(self.run)
    }

    /// The calls of which an attempt was begun, in order.
    pub fn begun(&self) -> Vec<String> {
        let begun = |event: &Event| match event {
            Event::AttemptStarted(started) => Some(started.key.to_string()),
            _ => None,
        };
        self.events().iter().filter_map(begun).collect()
    }
}
