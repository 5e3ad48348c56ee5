//! The choices there are: the palette, the actions of a row, what may follow a result, the models.

use super::{Above, Ask, Choose, Confirm, Entry, Kind, Pick, Then};
use crate::core::document::Document;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::RunRow;
use crate::core::run::{Run, Status};
use crate::core::task::{Action, FollowUp, Kind as TaskKind, Task};
use crate::core::text::Untrusted;
use crate::tui::commands::{Id, TABLE, hints, possible, words};
use crate::tui::effect::{Change, Effect, Errand, Go, Manage, Opening, Terminal};
use crate::tui::screens::home::{MINE, TaskRow};
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

/// Whether a command is a way to move, which only its keys give.
#[must_use]
pub fn is_a_move(id: Id) -> bool {
    MOVES.contains(&id)
}

/// Commands that belong to a box that is open: nobody looks for them where it is not.
const IN_A_BOX: [Id; 16] = [
    Id::Save,
    Id::SaveAccept,
    Id::FieldEdit,
    Id::FieldAdd,
    Id::FieldRemove,
    Id::FieldUp,
    Id::FieldDown,
    Id::FieldRaw,
    Id::Scope,
    Id::Submit,
    Id::Others,
    Id::Yes,
    Id::No,
    Id::AgainstEarlier,
    Id::AgainstLater,
    Id::Clear,
];

/// The palette: what can be done in a situation, with the run at hand, and from anywhere; then the tasks that can be
/// started. What can be done elsewhere is shown to who looks for it.
#[must_use]
pub fn palette(situation: &Situation, run: Option<&RunRow>, tasks: &[TaskRow]) -> Choose {
    let hints = hints(situation);
    let mut entries: Vec<Entry> = possible(situation)
        .into_iter()
        .filter(|(id, ..)| !MOVES.contains(id))
        .map(|(id, title, keys)| {
            let here = hints.iter().find(|hint| hint.id == id).map(|hint| words::plain(hint.short));
            let word = here.or_else(|| words::footer_words(id).next()).unwrap_or_default();
            Entry::new(title, &keys, Pick::Give(id)).found_by(&word, words::synonyms(id).iter().copied())
        })
        .collect();
    let add = |entries: &mut Vec<Entry>, entry: Entry| {
        if entries.iter().all(|known| known.word() != entry.word()) {
            entries.push(entry);
        }
    };
    // Keys and footers have the first word; what they do not offer is here all the same.
    for entry in run.map(of_run).into_iter().flat_map(Choose::into_entries).chain(anywhere()) {
        add(&mut entries, entry);
    }
    let startable = tasks.iter().filter(|task| task.trusted && task.errors.is_empty());
    entries.extend(startable.map(|task| {
        let start = Pick::Do(vec![Effect::Open(Opening::Task(task.id.clone()))]);
        Entry::new(&format!("Start: {}", task.name), &task.id, start)
    }));
    for command in TABLE.iter().filter(|command| !MOVES.contains(&command.id) && !IN_A_BOX.contains(&command.id)) {
        let word = words::footer_words(command.id).next().unwrap_or_default();
        let elsewhere = Entry::new(command.title, "not here", Pick::Elsewhere);
        add(&mut entries, elsewhere.found_by(&word, words::synonyms(command.id).iter().copied()));
    }
    Choose::new("All commands", entries)
}

/// What can be done on every screen.
fn anywhere() -> Vec<Entry> {
    let go = |title: &str, id: Id, go: Go| {
        let word = words::footer_words(id).next().unwrap_or_default();
        Entry::new(title, "", Pick::Do(vec![Effect::Go(go)])).found_by(&word, words::synonyms(id).iter().copied())
    };
    vec![
        go("All that waits", Id::Inbox, Go::Inbox),
        go("Everything ever produced", Id::History, Go::History),
        go("Models: connect or switch", Id::Models, Go::Connect),
        Entry::new("Leave Stepwell", "Ctrl-C Ctrl-C", Pick::Give(Id::Quit))
            .found_by("quit", words::synonyms(Id::Quit).iter().copied()),
    ]
}

/// What can be done with a run as a whole.
#[must_use]
pub fn of_run(run: &RunRow) -> Choose {
    let does = |title: &str, word: &str, synonyms: &[&'static str], effect: Effect| {
        Entry::new(title, "", Pick::Do(vec![effect])).found_by(word, synonyms.iter().copied())
    };
    let of = words::synonyms;
    let manage = |what| Effect::Change(Change::Manage(run.run, what));
    let mut entries = vec![does("Open", "open", of(Id::Open), Effect::Go(Go::Run(run.run)))];
    if run.status == Status::Completed {
        let follow_ups = Effect::Open(Opening::FollowUps(run.run));
        entries.push(does("Use the result in another task", "use in", of(Id::FollowUp), follow_ups));
    }
    let again = Effect::Open(Opening::RunAgain(run.run));
    entries.push(does("Run the task again, with these or other inputs", "run again", of(Id::RunAgain), again));
    let fork = "Fork it at a call: what does not depend on that is kept";
    entries.push(does(fork, "fork", of(Id::Fork), Effect::Open(Opening::ForkAt(run.run))));
    if run.status == Status::Completed {
        entries.push(does("Export the result to a file", "export", of(Id::WriteFile), export(run)));
    }
    if run.status == Status::Running {
        entries.push(does("Pause it", "pause", of(Id::Pause), Effect::Change(Change::Pause(run.run))));
    }
    entries.push(does("Rename it", "rename", of(Id::Rename), rename(run)));
    entries.push(does("All runs of this task", "runs", &["history"], Effect::Go(Go::HistoryOf(run.task.clone()))));
    if run.status != Status::Running {
        let title = "Archive it: it leaves the lists, and is kept";
        entries.push(does(title, "archive", of(Id::Archive), manage(Manage::Archive)));
    }
    if !matches!(run.status, Status::Completed | Status::Cancelled) {
        entries.push(does("Cancel it", "cancel", of(Id::Stop), cancel(run)));
    }
    entries.push(does("Delete it", "delete", &["remove", "erase", "destroy"], delete(run)));
    Choose::new(&run.title, entries)
}

/// What can be done with a task in a list. `variants` are other ways to do the same.
#[must_use]
pub fn of_task(task: &TaskRow, variants: &[&TaskRow]) -> Choose {
    let does = |effect| Pick::Do(vec![effect]);
    let mut entries = Vec::new();
    let may_start = |task: &TaskRow| task.trusted && task.errors.is_empty();
    if may_start(task) {
        entries.push(Entry::new("Start", "", does(Effect::Open(Opening::Task(task.id.clone())))));
    }
    for variant in variants.iter().filter(|variant| may_start(variant)) {
        let start = does(Effect::Open(Opening::Task(variant.id.clone())));
        entries.push(Entry::new(&format!("Start: {}", variant.name), &variant.id, start));
    }
    if task.file.is_some() {
        entries.push(Entry::new("Edit its definition", "Alt-E", does(edit_definition(task))));
    }
    if task.hides_shipped {
        let lines = vec![
            format!("Return to the \"{}\" that is shipped with Stepwell?", task.name),
            "Your copy moves to the trash folder; existing runs are not affected.".to_owned(),
        ];
        let drop = Effect::Errand(Errand::DropCopy(task.id.clone()));
        let asks = Above::effect(Kind::Confirm(Confirm::new(lines, vec![drop])));
        let entry = Entry::new("Drop your copy: the shipped one is used again", "", does(asks));
        entries.push(entry.found_by("drop", ["shipped", "original", "reset", "restore", "revert", "remove", "delete"]));
    }
    if task.source != MINE {
        let copy = Effect::Errand(Errand::CopyDefinition { id: task.id.clone(), edit: false });
        entries.push(Entry::new("Copy to mine: yours is used from then on", "", does(copy)));
    }
    entries.push(Entry::new("All its runs", "", does(Effect::Go(Go::HistoryOf(task.id.clone())))));
    entries.push(Entry::new("Copy its id", &task.id, does(Effect::Terminal(Terminal::Copy(task.id.clone())))));
    Choose::new(&task.name, entries)
}

/// What edits the definition of a task: a shipped one is copied to the person's own folder first, once they agree.
#[must_use]
pub fn edit_definition(task: &TaskRow) -> Effect {
    let id = task.id.clone();
    if task.file.is_some() {
        return Effect::Errand(Errand::OpenDefinition(id));
    }
    let lines = vec![
        format!("\"{}\" is shipped with Stepwell.", task.name),
        "Copy it to your own folder and edit it there? Yours is used from then on; without it the shipped one is back."
            .to_owned(),
    ];
    let copy = Effect::Errand(Errand::CopyDefinition { id, edit: true });
    Above::effect(Kind::Confirm(Confirm::new(lines, vec![copy])))
}

/// The calls at which a run can be forked, each with what it is called.
#[must_use]
pub fn fork(run: RunId, title: &str, calls: Vec<(Key, String)>) -> Choose {
    let entries = calls.into_iter().map(|(key, label)| {
        let fork = Effect::Open(Opening::Fork { run, at: key.clone() });
        Entry::new(&label, &key.to_string(), Pick::Do(vec![fork]))
    });
    Choose::new(&format!("Fork \"{title}\": which call is done again?"), entries.collect())
}

/// Asks before a run is stopped for good.
#[must_use]
pub fn cancel(run: &RunRow) -> Effect {
    let lines = vec![
        format!("Cancel \"{}\"?", run.title),
        "It stops for good and cannot be resumed. What it has is kept and can be read, exported and run again."
            .to_owned(),
    ];
    Above::effect(Kind::Confirm(Confirm::new(lines, vec![Effect::Change(Change::Manage(run.run, Manage::Cancel))])))
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

/// Asks for the file that a text of a run is written to.
#[must_use]
pub fn write(run: &RunRow, text: &Untrusted) -> Effect {
    Above::effect(Kind::Ask(Ask::write(&run.task, text)))
}

/// Asks before a run is deleted, and says what goes.
#[must_use]
pub fn delete(run: &RunRow) -> Effect {
    let mut lines = vec![
        format!("Delete \"{}\" for good?", run.title),
        "Its outputs, versions, messages, documents and drafts go, and the search finds them no more.".to_owned(),
        "What was learned stays, and so do files that it wrote elsewhere.".to_owned(),
    ];
    match run.waiting {
        0 => {}
        1 => lines.insert(1, "One of its calls waits for you.".to_owned()),
        many => lines.insert(1, format!("{many} of its calls wait for you.")),
    }
    if run.status == Status::Running {
        lines.insert(1, "It is at work: it is stopped first.".to_owned());
    }
    let delete = Effect::Change(Change::Manage(run.run, Manage::Delete));
    Above::effect(Kind::Confirm(Confirm::new(lines, vec![delete])))
}

/// Asks for the key of the provider that a call asks.
#[must_use]
pub fn give_key(run: RunId, key: &Key) -> Effect {
    Above::effect(Kind::Ask(Ask::new("A key, for this session only", "", Then::Key(run, key.clone()))))
}

/// The models that could make a call: the config's roles and what was found, then any other by its name. `kind` is that of
/// the run: in a conversation a model answers.
#[must_use]
pub fn models(run: RunId, kind: TaskKind, key: &Key, models: &[(String, String)]) -> Choose {
    let mut entries: Vec<Entry> = models
        .iter()
        .map(|(name, why)| {
            let pick = Effect::Open(Opening::PickModel { run, key: key.clone(), model: name.clone(), typed: false });
            Entry::new(name, why, Pick::Do(vec![pick]))
        })
        .collect();
    let other = named_model(run, key, "");
    entries.push(Entry::new("Another, by its name…", "", Pick::Do(vec![Above::effect(Kind::Ask(other))])));
    let question = match kind {
        TaskKind::Instruct => "Which model should answer?".to_owned(),
        TaskKind::Workflow => format!("Which model should do {key}?"),
    };
    Choose::new(&question, entries)
}

/// Asks for a model by its name.
#[must_use]
pub fn named_model(run: RunId, key: &Key, typed: &str) -> Ask {
    Ask::new("The model, as PROVIDER/MODEL", typed, Then::Model(run, key.clone()))
}

/// The actions that a task has for its document, made from the version that counts.
#[must_use]
pub fn actions(task: &Task, run: &Run, document: &str) -> Vec<Entry> {
    let current = run.documents.get(document).and_then(Document::current).map(|(version, _)| version);
    let entry = |(action, version): (&Action, u32)| {
        let (document, action, name) = (document.to_owned(), action.id.clone(), &action.name);
        let act = Effect::Change(Change::Act { run: run.id, document, version, action });
        Entry::new(name, "a new version", Pick::Do(vec![act]))
    };
    task.actions.iter().filter_map(|action| Some((action, current?))).map(entry).collect()
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
