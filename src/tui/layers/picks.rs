//! The choices there are: the palette, the actions of a row, what may follow a result, the models.

use super::{Above, Ask, Choose, Confirm, Entry, Kind, Pick, Then};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::RunRow;
use crate::core::run::Status;
use crate::core::task::FollowUp;
use crate::core::text::Untrusted;
use crate::tui::commands::{Id, possible};
use crate::tui::effect::{Change, Effect, Go, Opening, Terminal};
use crate::tui::screens::home::TaskRow;
use crate::tui::situation::Situation;

/// Commands that only their keys give: nobody looks for them by name.
const MOVES: [Id; 11] = [
    Id::Up,
    Id::Down,
    Id::First,
    Id::Last,
    Id::PageUp,
    Id::PageDown,
    Id::Left,
    Id::Right,
    Id::NewLine,
    Id::Palette,
    Id::Back,
];

/// The palette: what can be done in a situation, then the tasks that can be started.
#[must_use]
pub fn palette(situation: &Situation, tasks: &[TaskRow]) -> Choose {
    let commands = possible(situation)
        .into_iter()
        .filter(|(id, ..)| !MOVES.contains(id))
        .map(|(id, title, keys)| Entry::new(title, &keys, Pick::Give(id)));
    let startable = tasks.iter().filter(|task| task.trusted && task.errors.is_empty());
    let tasks = startable.map(|task| {
        let start = Pick::Do(vec![Effect::Open(Opening::Task(task.id.clone()))]);
        Entry::new(&format!("Start: {}", task.name), &task.id, start)
    });
    Choose::new("All commands", commands.chain(tasks).collect())
}

/// What can be done with a run in a list.
#[must_use]
pub fn of_run(run: &RunRow) -> Choose {
    let does = |effect| Pick::Do(vec![effect]);
    let mut entries = vec![Entry::new("Open", "", does(Effect::Go(Go::Run(run.run))))];
    if run.status == Status::Completed {
        entries.push(Entry::new("Go on with the result", "", does(Effect::Open(Opening::FollowUps(run.run)))));
    }
    entries.push(Entry::new(
        "Run the task again, with these or other inputs",
        "",
        does(Effect::Open(Opening::RunAgain(run.run))),
    ));
    if matches!(run.status, Status::Completed) {
        entries.push(Entry::new("Export the result to a file", "", does(export(run))));
    }
    if run.status == Status::Running {
        entries.push(Entry::new("Pause it", "", does(Effect::Change(Change::Pause(run.run)))));
    }
    entries.push(Entry::new("Rename it", "", does(rename(run))));
    entries.push(Entry::new("All runs of this task", "", does(Effect::Go(Go::HistoryOf(run.task.clone())))));
    entries.push(Entry::new("Delete it", "", does(delete(run))));
    Choose::new(&run.title, entries)
}

/// What can be done with a task in a list.
#[must_use]
pub fn of_task(task: &TaskRow) -> Choose {
    let does = |effect| Pick::Do(vec![effect]);
    let mut entries = Vec::new();
    if task.trusted && task.errors.is_empty() {
        entries.push(Entry::new("Start", "", does(Effect::Open(Opening::Task(task.id.clone())))));
    }
    entries.push(Entry::new("All its runs", "", does(Effect::Go(Go::HistoryOf(task.id.clone())))));
    entries.push(Entry::new("Copy its id", &task.id, does(Effect::Terminal(Terminal::Copy(task.id.clone())))));
    Choose::new(&task.name, entries)
}

/// Asks for the title of a run.
#[must_use]
pub fn rename(run: &RunRow) -> Effect {
    Above::effect(Kind::Ask(Ask::new("What is it to be called?", &run.title, Then::Rename(run.run))))
}

/// Asks where to export a run to.
#[must_use]
pub fn export(run: &RunRow) -> Effect {
    let name = format!("{}-{}.md", run.task, run.run.short());
    let question = "Export the result to (.md, .html, .json or .csv)";
    Above::effect(Kind::Ask(Ask::new(question, &name, Then::Export(run.run))))
}

/// Asks before a run is deleted, and says what goes.
#[must_use]
pub fn delete(run: &RunRow) -> Effect {
    let mut lines = vec![
        format!("Delete \"{}\" for good?", run.title),
        "Its outputs, versions, messages, documents and drafts go, and the search finds them no more.".to_owned(),
        "What was learned stays, and so do files that it wrote elsewhere.".to_owned(),
    ];
    if run.waiting > 0 {
        lines.insert(1, format!("{} of its calls wait for you.", run.waiting));
    }
    Above::effect(Kind::Confirm(Confirm::new(lines, vec![Effect::Change(Change::Delete(run.run))])))
}

/// Asks for the key of the provider that a call asks.
#[must_use]
pub fn give_key(run: RunId, key: &Key) -> Effect {
    Above::effect(Kind::Ask(Ask::new("A key, for this session only", "", Then::Key(run, key.clone()))))
}

/// The models that could make a call: the config's roles and what was found, then any other by its name.
#[must_use]
pub fn models(run: RunId, key: &Key, models: &[(String, String)]) -> Choose {
    let mut entries: Vec<Entry> = models
        .iter()
        .map(|(name, why)| {
            let pick = Effect::Open(Opening::PickModel { run, key: key.clone(), model: name.clone() });
            Entry::new(name, why, Pick::Do(vec![pick]))
        })
        .collect();
    let other = Ask::new("The model, as PROVIDER/MODEL", "", Then::Model(run, key.clone()));
    entries.push(Entry::new("Another, by its name…", "", Pick::Do(vec![Above::effect(Kind::Ask(other))])));
    Choose::new(&format!("Which model is to do {key}?"), entries)
}

/// What may follow a result: the tasks that take it along, then what a workflow names as its successors.
///
/// `successors` are task ids with what the person reads; the engine has worked out which of them hold and their inputs.
#[must_use]
pub fn follow_ups(
    run: RunId,
    (title, body): (&str, &Untrusted),
    follow_ups: &[FollowUp],
    successors: Vec<Entry>,
) -> Choose {
    let tasks = follow_ups.iter().map(|follow_up| {
        let (task, input, text) = (follow_up.task.clone(), follow_up.input.clone(), body.clone());
        let effect = Effect::Open(Opening::FollowUp { task, input, text, from: run });
        Entry::new(&follow_up.label, &follow_up.task, Pick::Do(vec![effect]))
    });
    Choose::new(title, tasks.chain(successors).collect())
}
