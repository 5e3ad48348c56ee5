//! The rows of Home: open runs, the last results, what can be started; and what a search finds of them.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::about::meta;
use super::{HomeRow, HomeScreen, TaskRow};
use crate::core::ports::RunRow;
use crate::core::run::Status;
use crate::core::task::Kind;
use crate::tui::text::fuzzy::Fuzzy;

/// As many results are listed, the newest first.
const RESULTS: usize = 5;

/// The runs that a person has on their desk: the open ones in their order, and the last results.
pub fn on_the_desk(runs: Vec<RunRow>) -> (Vec<RunRow>, Vec<RunRow>) {
    let (mut open, rest): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| open_order(run).is_some());
    open.sort_by_key(open_order);
    let mut results: Vec<RunRow> = rest.into_iter().filter(|run| run.status == Status::Completed).collect();
    results.sort_by_key(|run| Reverse(run.updated_at));
    results.truncate(RESULTS);
    (open, results)
}

/// The open runs' order: what waits, what failed, what runs, what is paused; newest first within each.
fn open_order(run: &RunRow) -> Option<(u8, Reverse<DateTime<Utc>>)> {
    let rank = match run.status {
        Status::Waiting => 0,
        Status::Failed => 1,
        Status::Running => 2,
        Status::Paused => 3,
        Status::Completed | Status::Cancelled => return None,
    };
    Some((rank, Reverse(run.updated_at)))
}

impl HomeScreen {
    /// Everything, section by section.
    pub(super) fn all(&self) -> Vec<HomeRow> {
        let of = |kind: Kind| {
            let shown = move |at: &usize| self.tasks[*at].kind == kind && self.variant_of(*at).is_none();
            (0..self.tasks.len()).filter(shown).map(HomeRow::Task).collect()
        };
        let mut rows = Vec::new();
        let mut section = |heading, found: Vec<HomeRow>| {
            if !found.is_empty() {
                rows.push(HomeRow::Heading(heading));
                rows.extend(found);
            }
        };
        section("Open runs", (0..self.runs.len()).map(HomeRow::Run).collect());
        section("Last results", (0..self.results.len()).map(HomeRow::Result).collect());
        if self.model.as_ref().is_some_and(|model| model.demo) {
            section("Only the demo answers", vec![HomeRow::Connect]);
        }
        section("Instruct", of(Kind::Instruct));
        section("Workflows", of(Kind::Workflow));
        rows
    }

    /// What a search finds, the best first; last what it would ask.
    pub(super) fn found(&self, wanted: &str) -> Vec<HomeRow> {
        let mut fuzzy = Fuzzy::new(wanted);
        let mut score = |text: &str| fuzzy.score(text);
        // In a sentence almost any letters stand in their order: there the words themselves are looked for.
        let words: Vec<String> = wanted.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let says = |text: &str| {
            let text = text.to_lowercase();
            words.iter().all(|word| text.contains(word.as_str())).then_some(1)
        };
        let mut found: Vec<(u32, HomeRow)> = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            found.extend(score(&run.title).map(|score| (score, HomeRow::Run(at))));
        }
        for (at, run) in self.results.iter().enumerate() {
            found.extend(score(&run.title).map(|score| (score, HomeRow::Result(at))));
        }
        let mut tasks = vec![None; self.tasks.len()];
        for (at, row) in self.tasks.iter().enumerate() {
            // A match in the name is worth more than one in what is said about it; an id that is typed out is meant.
            let name = score(&row.name).map(|score| score * 2);
            let plain = |id: &str| id.to_lowercase().replace(['_', '-'], " ");
            let id = (plain(&row.id) == plain(wanted)).then_some(u32::MAX).or_else(|| says(&plain(&row.id)));
            let about =
                row.task.as_ref().and_then(|task| says(&format!("{} {}", task.description, task.tags.join(" "))));
            tasks[at] = name.max(id).max(about);
        }
        for (at, score) in tasks.iter().enumerate() {
            let Some(score) = score else { continue };
            // What is nearly another task is listed only where it is the better find.
            let behind = self.variant_of(at).and_then(|main| tasks[main]).is_some_and(|main| main >= *score);
            if !behind {
                found.push((*score, HomeRow::Task(at)));
            }
        }
        found.sort_by_key(|(score, _)| Reverse(*score));
        let mut rows: Vec<HomeRow> = found.into_iter().map(|(_, row)| row).collect();
        rows.push(HomeRow::Ask);
        rows
    }

    /// The task of which the task at `at` says that it is another way to do the same.
    fn variant_of(&self, at: usize) -> Option<usize> {
        let main = meta(self.tasks[at].task.as_deref()?, "variant_of")?;
        self.tasks.iter().position(|task| task.id == main && task.errors.is_empty()).filter(|main| *main != at)
    }

    /// Other ways to do the same as the task at `at`.
    pub(super) fn variants(&self, at: usize) -> Vec<&TaskRow> {
        (0..self.tasks.len())
            .filter(|other| self.variant_of(*other) == Some(at))
            .map(|other| &self.tasks[other])
            .collect()
    }
}
