//! All that a store answers, so that two answers can be compared.

use std::fmt::Debug;

use stepwell::core::ports::{HistoryQuery, JournalError, Storage};
use stepwell::core::run::Status;

use crate::store::common::*;
use crate::store::random::KEYS;

/// The runs that are asked about: those of [`id`] from 1 to this.
pub const RUNS: u64 = 4;

/// What a store says of everything that a test may have written: one answer a line.
pub fn picture(store: &dyn Storage, words: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, answer: Result<&dyn Debug, &JournalError>| {
        lines.push(match answer {
            Ok(answer) => format!("{what}: {answer:?}"),
            Err(error) => format!("{what}: refused, {}", kind(error)),
        });
    };
    macro_rules! ask {
        ($what:expr, $answer:expr) => {{
            let answer = $answer;
            say(&$what, answer.as_ref().map(|answer| answer as &dyn Debug));
        }};
    }
    for number in 1..=RUNS {
        let run = id(number);
        ask!(format!("head {number}"), store.head(run));
        ask!(format!("epoch {number}"), store.epoch(run));
        ask!(format!("events {number}"), store.read(run, 0));
        ask!(format!("drafts {number}"), store.drafts(run));
        ask!(format!("made from {number}"), store.made_from(run));
        ask!(format!("found {number}"), store.find(Some(&run.short())));
    }
    ask!("newest", store.find(None));
    for task in ["poem", "email"] {
        ask!(format!("definition of {task}"), store.definition(&pinned(task).hash().unwrap()));
        ask!(format!("form of {task}"), store.form(task));
        ask!(format!("lessons of {task}"), store.learned(Some(task)));
    }
    ask!("lessons", store.learned(None));
    ask!("session", store.session("work", 2));
    for at in KEYS {
        for since in [0, 5] {
            ask!(format!("cached {at} since {since}"), store.cached(&fingerprint(at), time(since)));
        }
    }
    let any = HistoryQuery::default;
    ask!("list", store.history(&any()));
    ask!("archived", store.history(&HistoryQuery { archived: true, ..any() }));
    ask!("waiting", store.history(&HistoryQuery { statuses: vec![Status::Waiting], ..any() }));
    ask!("second page", store.history(&HistoryQuery { offset: 1, limit: 2, ..any() }));
    for word in words {
        ask!(format!("search {word:?}"), store.history(&looking_for(word)));
        ask!(
            format!("search {word:?}, poems"),
            store.history(&HistoryQuery { task: Some("poem".into()), ..looking_for(word) })
        );
    }
    lines
}

/// Why something was refused, without the words for a person.
pub fn kind(error: &JournalError) -> String {
    match error {
        JournalError::Conflict { head } => format!("conflict at {head}"),
        JournalError::SessionChanged => "the session changed".to_owned(),
        JournalError::Superseded => "superseded".to_owned(),
        other => other.code().name().to_owned(),
    }
}
