//! What a list of runs knows beyond its rows, and keeps while they are there: each run at a glance, what was asked for,
//! and the changes that can be taken back. Home and the history have one each.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::core::id::RunId;
use crate::core::ports::RunRow;
use crate::core::run::Status;
use crate::tui::effect::{Change, Effect, Errand, Manage, Opening};
use crate::tui::glance::Glance;
use crate::tui::message::RunChange;

/// The model.
#[derive(Debug, Default)]
pub struct Looks {
    glances: HashMap<RunId, Glance>,
    /// As of when a look at a run was asked for.
    asked: HashMap<RunId, DateTime<Utc>>,
    /// The run whose text was asked for last, and as of when.
    reads: Option<(RunId, DateTime<Utc>)>,
    /// The changes that were made here and can be taken back, oldest first: the run, and the event.
    changes: Vec<(RunId, u64)>,
}

impl Looks {
    /// A run at a glance.
    #[must_use]
    pub fn of(&self, run: RunId) -> Option<&Glance> {
        self.glances.get(&run)
    }

    /// What a run in a list is called, as far as is known of it.
    #[must_use]
    pub fn title<'a>(&'a self, row: &'a RunRow) -> &'a str {
        self.of(row.run).map_or(&row.title, |glance| &glance.title)
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
        if change.gone {
            self.changes.retain(|(run, _)| *run != change.run);
        }
        self.changes.extend(change.undo.map(|seq| (change.run, seq)));
        let hint = if change.undo.is_some() { " · Alt-U takes it back" } else { "" };
        format!("{}{hint}", change.said)
    }

    /// Takes back the last change that was made here, then the one before it. Once there is none, the newest decision in the
    /// selected run, which is asked about first: the list does not show it. `note` says where there is nothing at all.
    pub fn undo(&mut self, selected: Option<&RunRow>, note: &mut Option<String>) -> Vec<Effect> {
        if let Some((run, seq)) = self.changes.pop() {
            return vec![Effect::Change(Change::Undo { run, seq })];
        }
        if selected.is_none() {
            *note = Some("there is nothing to take back here".to_owned());
        }
        selected.map(|row| Effect::Open(Opening::TakeBack(row.run))).into_iter().collect()
    }
}

/// Archives a run of a list; `note` says why not, while it is at work: whatever happens in it would bring it back.
pub fn archive(run: Option<&RunRow>, note: &mut Option<String>) -> Vec<Effect> {
    match run {
        Some(run) if run.status == Status::Running => {
            *note = Some("it is running: pause or cancel it first".to_owned());
            Vec::new()
        }
        Some(run) => vec![Effect::Change(Change::Manage(run.run, Manage::Archive))],
        None => Vec::new(),
    }
}
