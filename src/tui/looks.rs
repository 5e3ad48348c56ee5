//! What a list of runs knows beyond its rows, and keeps while they are there: each run at a glance, what was asked for,
//! and the last change that can be taken back. Home and the history have one each.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::core::id::RunId;
use crate::core::ports::RunRow;
use crate::tui::effect::{Change, Effect, Errand, Manage};
use crate::tui::glance::Glance;
use crate::tui::message::RunChange;

/// What is said where nothing can be taken back.
pub const NOTHING_TO_UNDO: &str = "there is nothing to take back here";

/// The model.
#[derive(Debug, Default)]
pub struct Looks {
    glances: HashMap<RunId, Glance>,
    /// As of when a look at a run was asked for.
    asked: HashMap<RunId, DateTime<Utc>>,
    /// The run whose text was asked for last, and as of when.
    reads: Option<(RunId, DateTime<Utc>)>,
    /// The last change that can be taken back: the run, and the event.
    undo: Option<(RunId, u64)>,
}

impl Looks {
    /// A run at a glance.
    #[must_use]
    pub fn of(&self, run: RunId) -> Option<&Glance> {
        self.glances.get(&run)
    }

    /// Takes what was looked at.
    pub fn take(&mut self, glances: Vec<(RunId, Glance)>) {
        self.glances.extend(glances);
    }

    /// What is to be asked for: a look at each of `rows` that has changed since the last, and the text of the selected.
    pub fn asks<'a>(&mut self, rows: impl Iterator<Item = &'a RunRow>, selected: Option<&RunRow>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut due = Vec::new();
        for row in rows {
            if self.asked.insert(row.run, row.updated_at) != Some(row.updated_at) {
                due.push((row.run, row.updated_at));
            }
        }
        if !due.is_empty() {
            effects.push(Effect::Errand(Errand::Glance(due)));
        }
        let reads = selected.map(|row| (row.run, row.updated_at));
        if reads != self.reads {
            self.reads = reads;
            effects.extend(reads.map(|(run, _)| Effect::Errand(Errand::Preview(run))));
        }
        effects
    }

    /// Takes the change of a run that was made in a list. Gives what is to be said: how it is taken back, too.
    pub fn changed(&mut self, change: &RunChange) -> String {
        self.undo = change.undo.map(|seq| (change.run, seq));
        let hint = if self.undo.is_some() { " · Alt-U takes it back" } else { "" };
        format!("{}{hint}", change.said)
    }

    /// What takes the last change back, once.
    pub fn undo(&mut self) -> Option<Effect> {
        self.undo.take().map(|(run, seq)| Effect::Change(Change::Manage(run, Manage::TakeBack(seq))))
    }
}
