//! What the handles of a store share. Every change is checked first and then made whole: what fails changes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::words::Wanted;
use crate::core::decide::Offspring;
use crate::core::event::{Created, Event, Lesson, Origin, Recorded};
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::ports::{Append, HistoryQuery, JournalError, Learned, RunRow, SessionUpdate, Stands, Writer};
use crate::core::run::{NotARun, Run, Status};
use crate::core::text::Untrusted;
use crate::store::{nesting, searchable, snippet};

/// So many of the newest events of a run that is not over are looked at, for one that a later version wrote.
const LOOKED_AT: usize = 8;

/// Earlier runs that tried the same work and are looked at for the cache.
const TRIED: usize = 8;

/// Unsaved texts by their names.
pub(super) type Texts = BTreeMap<String, String>;

/// All that is kept.
#[derive(Default)]
pub(super) struct Data {
    /// By the order of their creation.
    runs: BTreeMap<u64, StoredRun>,
    numbers: HashMap<RunId, u64>,
    /// The number of the newest run.
    newest: u64,
    definitions: HashMap<Fingerprint, Definition>,
    lessons: Vec<Learned>,
    newest_lesson: i64,
    sessions: HashMap<String, Map<String, Value>>,
    /// What was typed into forms, by task.
    pub(super) forms: Texts,
    /// How often something was written.
    pub(super) revision: u64,
}

struct Definition {
    json: String,
    /// The task's name, by which its runs are found.
    name: String,
}

/// A run.
pub(super) struct StoredRun {
    /// As a list shows it.
    row: RunRow,
    /// How many owners it has had.
    pub(super) epoch: u64,
    session: Option<String>,
    origin: Option<Origin>,
    events: Vec<StoredEvent>,
    /// The definitions that it goes by and has gone by, the one that it was created with first.
    uses: Vec<Fingerprint>,
    /// The work that it tried whose result another run may use, and when.
    tried: Vec<(Fingerprint, DateTime<Utc>)>,
    pub(super) drafts: Texts,
}

struct StoredEvent {
    at: DateTime<Utc>,
    json: String,
    /// A later version wrote it.
    is_unknown: bool,
    /// It puts the run away.
    archives: bool,
}

impl StoredEvent {
    fn of(at: DateTime<Utc>, event: &Event) -> Result<Self, JournalError> {
        let json = serde_json::to_string(event).map_err(|error| failed(&error))?;
        nesting::check(&json).map_err(|why| JournalError::TooLarge(format!("the store in memory: {why}")))?;
        let (is_unknown, archives) =
            (matches!(event, Event::Unknown(_)), matches!(event, Event::RunArchived { undo: false, .. }));
        Ok(Self { at, json, is_unknown, archives })
    }

    fn event(&self) -> Result<Event, JournalError> {
        Event::from_json(&self.json).map_err(|error| failed(&error))
    }
}

fn failed(error: &serde_json::Error) -> JournalError {
    JournalError::Store(format!("the store in memory contains something that cannot be read or written: {error}"))
}

impl StoredRun {
    pub(super) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// The events after `after`.
    pub(super) fn read(&self, after: u64) -> Result<Vec<Recorded>, JournalError> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let numbered = self.events.iter().zip(1..).skip(after);
        numbered.map(|(kept, seq)| Ok(Recorded { run: self.row.run, seq, at: kept.at, event: kept.event()? })).collect()
    }

    /// Takes in events that were written, and how the run is after them.
    fn extend(&mut self, at: DateTime<Utc>, kept: Vec<StoredEvent>, events: &[Event], stands: &Stands) {
        for event in events {
            if let Some(fingerprint) = searchable::cacheable(event) {
                self.tried.push((fingerprint.clone(), at));
            }
            if let Event::RunUpdated { definition, .. } = event {
                self.uses.push(definition.clone());
            }
        }
        if let Some(text) = events.iter().rev().find_map(searchable::snippet) {
            self.row.snippet = Untrusted::new(text);
        }
        self.row.title.clone_from(&stands.title);
        (self.row.status, self.row.updated_at) = (stands.status, at);
        self.row.waiting = u32::try_from(stands.waiting).unwrap_or(u32::MAX);
        self.row.due = stands.due.filter(|_| stands.waiting > 0);
        self.events.extend(kept);
        let is_over = matches!(stands.status, Status::Completed | Status::Cancelled);
        self.row.newer = !is_over && self.events.iter().rev().take(LOOKED_AT).any(|event| event.is_unknown);
    }

    fn is_archived(&self) -> bool {
        self.events.last().is_some_and(|event| event.archives)
    }

    fn passes(&self, query: &HistoryQuery) -> bool {
        let row = &self.row;
        query.task.as_ref().is_none_or(|task| row.task == *task)
            && query.kind.is_none_or(|kind| row.kind == kind)
            && (query.statuses.is_empty() || query.statuses.contains(&row.status))
            && query.since.is_none_or(|since| row.updated_at >= since)
            && query.cwd.as_ref().is_none_or(|cwd| row.cwd == *cwd)
            && self.is_archived() == query.archived
    }
}

impl Data {
    pub(super) fn run(&self, id: RunId) -> Result<&StoredRun, JournalError> {
        self.numbers.get(&id).and_then(|n| self.runs.get(n)).ok_or_else(|| no_run(id))
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> Result<&mut StoredRun, JournalError> {
        self.numbers.get(&id).and_then(|n| self.runs.get_mut(n)).ok_or_else(|| no_run(id))
    }

    pub(super) fn create(
        &mut self,
        id: RunId,
        at: DateTime<Utc>,
        created: &Created,
        more: &[Event],
        pinned: &Pinned,
    ) -> Result<(), JournalError> {
        if self.numbers.contains_key(&id) {
            return Err(JournalError::Store(format!("the store in memory has a run {} already", id.short())));
        }
        let first = Event::RunCreated(created.clone());
        let kept = std::iter::once(&first).chain(more).map(|event| StoredEvent::of(at, event));
        let kept = kept.collect::<Result<Vec<_>, _>>()?;
        self.pin(pinned)?;
        let mut run = Run::new(id, at, created);
        for event in more {
            run.apply(run.seq + 1, at, event);
        }
        run.learn(pinned);
        let mut stored = StoredRun {
            row: RunRow::of(&run),
            epoch: 0,
            session: created.session.clone(),
            origin: created.origin.clone(),
            events: Vec::new(),
            uses: vec![created.definition.clone()],
            tried: Vec::new(),
            drafts: Texts::new(),
        };
        stored.extend(at, kept, more, &Stands::of(&run));
        self.newest += 1;
        self.runs.insert(self.newest, stored);
        self.numbers.insert(id, self.newest);
        Ok(())
    }

    pub(super) fn append(&mut self, batch: &Append) -> Result<u64, JournalError> {
        let run = self.run(batch.run)?;
        // Whoever lost the run learns that, rather than that it continued.
        if matches!(batch.writer, Writer::Owner(held) | Writer::TakingOver(held) if held != run.epoch) {
            return Err(JournalError::Superseded);
        }
        let head = run.head();
        if head != batch.after {
            return Err(JournalError::Conflict { head });
        }
        let kept = batch.events.iter().map(|event| StoredEvent::of(batch.at, event)).collect::<Result<Vec<_>, _>>()?;
        let state = match (&run.session, &batch.state) {
            (Some(session), Some(left)) => Some((session.clone(), self.state_after(session, left)?)),
            _ => None,
        };
        let run = self.run_mut(batch.run)?;
        if matches!(batch.writer, Writer::TakingOver(_)) {
            run.epoch += 1;
        }
        if !kept.is_empty() {
            run.extend(batch.at, kept, &batch.events, &batch.stands);
        }
        let (head, task) = (run.head(), run.row.task.clone());
        self.learn(&task, batch.at, &batch.learn);
        self.sessions.extend(state);
        Ok(head)
    }

    pub(super) fn delete(&mut self, id: RunId) -> Result<(), JournalError> {
        self.run(id)?;
        let Some(gone) = self.numbers.remove(&id).and_then(|n| self.runs.remove(&n)) else { return Err(no_run(id)) };
        let used: HashSet<&Fingerprint> = self.runs.values().flat_map(|run| &run.uses).collect();
        let unused = gone.uses.iter().filter(|hash| !used.contains(hash));
        for hash in unused {
            self.definitions.remove(hash);
        }
        Ok(())
    }

    pub(super) fn pin(&mut self, pinned: &Pinned) -> Result<Fingerprint, JournalError> {
        let hash = pinned.hash().map_err(|error| failed(&error))?;
        let json = serde_json::to_string(pinned).map_err(|error| failed(&error))?;
        self.definitions.insert(hash.clone(), Definition { json, name: pinned.task.name.clone() });
        Ok(hash)
    }

    pub(super) fn definition(&self, hash: &Fingerprint) -> Result<Pinned, JournalError> {
        let Some(definition) = self.definitions.get(hash) else {
            let text =
                format!("the store in memory does not contain the definition {hash} that a run was started with");
            return Err(JournalError::Store(text));
        };
        serde_json::from_str(&definition.json).map_err(|error| failed(&error))
    }

    pub(super) fn find(&self, fragment: Option<&str>) -> Vec<RunId> {
        let ids = self.runs.values().rev().map(|run| run.row.run);
        match fragment {
            None => ids.take(1).collect(),
            Some(fragment) => {
                let named = |id: &RunId| {
                    let id = id.to_string();
                    id.starts_with(fragment) || id.ends_with(fragment)
                };
                ids.filter(named).take(2).collect()
            }
        }
    }

    pub(super) fn history(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, JournalError> {
        let mut rows: Vec<(u64, RunRow)> = if query.text.trim().is_empty() {
            let passing = self.runs.iter().filter(|(_, run)| run.passes(query));
            passing.map(|(n, run)| (*n, run.row.clone())).collect()
        } else {
            self.search(query)?
        };
        rows.sort_by_key(|(n, row)| std::cmp::Reverse((row.updated_at, *n)));
        let limit = if query.limit == 0 { 50 } else { query.limit };
        Ok(rows.into_iter().map(|(_, row)| row).skip(query.offset).take(limit).collect())
    }

    /// The runs that pass and match, each with what is around the newest match.
    fn search(&self, query: &HistoryQuery) -> Result<Vec<(u64, RunRow)>, JournalError> {
        let text = snippet::looked_for(&query.text);
        let wanted = Wanted::of(&text);
        let mut said = Vec::new();
        for (n, run) in &self.runs {
            let name = run.uses.first().and_then(|hash| self.definitions.get(hash)).map(|found| found.name.as_str());
            let texts = run.events.iter().rev().map(|kept| Ok(searchable::said(&kept.event()?, name)));
            said.push((*n, run, texts.collect::<Result<Vec<String>, JournalError>>()?));
        }
        let matches = wanted.matching(said.iter().flat_map(|(.., texts)| texts));
        let found = said.iter().filter(|(_, run, _)| run.passes(query)).filter_map(|(n, run, texts)| {
            let (snippet, _) = snippet::snippet(texts.iter().find(|text| matches(text))?, wanted.pieces());
            Some((*n, RunRow { snippet: Untrusted::new(snippet), ..run.row.clone() }))
        });
        Ok(found.collect())
    }

    pub(super) fn made_from(&self, id: RunId) -> Result<Vec<Offspring>, JournalError> {
        let n = *self.numbers.get(&id).ok_or_else(|| no_run(id))?;
        let made = self.runs.range(n + 1..).filter_map(|(_, run)| {
            let origin = run.origin.as_ref().filter(|origin| origin.run == id)?;
            Some(Offspring { run: run.row.run, at: run.row.created_at, seq: origin.seq, how: origin.how.clone() })
        });
        Ok(made.collect())
    }

    /// Keeps lessons of a run of `task`, each once, with the definition that declares the step: the task, or a child of it.
    fn learn(&mut self, task: &str, at: DateTime<Utc>, lessons: &[Lesson]) {
        for lesson in lessons {
            let task = lesson.workflow.as_deref().unwrap_or(task);
            let same = |known: &Learned| {
                (&*known.task, &known.lesson.step, &known.lesson.text) == (task, &lesson.step, &lesson.text)
            };
            if self.lessons.iter().any(same) {
                continue;
            }
            self.newest_lesson += 1;
            let lesson = Lesson { workflow: None, ..lesson.clone() };
            self.lessons.push(Learned { id: self.newest_lesson, task: task.to_owned(), lesson, at });
        }
    }

    pub(super) fn learned(&self, task: Option<&str>) -> Vec<Learned> {
        let of_task = self.lessons.iter().filter(|known| task.is_none_or(|task| known.task == task));
        let mut learned: Vec<Learned> = of_task.cloned().collect();
        learned.sort_by(|a, b| (&a.task, &a.lesson.step, a.id).cmp(&(&b.task, &b.lesson.step, b.id)));
        learned
    }

    pub(super) fn update_lesson(&mut self, id: i64, text: Option<&str>) -> Result<(), JournalError> {
        let Some(at) = self.lessons.iter().position(|known| known.id == id) else {
            return Err(JournalError::NoLesson(format!("there is no lesson {id}; `stepwell learned` lists them")));
        };
        match text {
            Some(text) => text.clone_into(&mut self.lessons[at].lesson.text),
            None => drop(self.lessons.remove(at)),
        }
        Ok(())
    }

    pub(super) fn session(&self, name: &str, runs: usize) -> (Value, Vec<RunId>) {
        let of_session = self.runs.values().rev().filter(|run| run.session.as_deref() == Some(name));
        let completed = of_session.filter(|run| run.row.status == Status::Completed);
        let mut ids: Vec<RunId> = completed.take(runs).map(|run| run.row.run).collect();
        ids.reverse();
        (Value::Object(self.sessions.get(name).cloned().unwrap_or_default()), ids)
    }

    /// The state of a session with what is left to it.
    fn state_after(&self, session: &str, left: &SessionUpdate) -> Result<Map<String, Value>, JournalError> {
        let mut state = self.sessions.get(session).cloned().unwrap_or_default();
        if left.names().any(|name| state.get(name) != left.seen.get(name)) {
            return Err(JournalError::SessionChanged);
        }
        state.extend(left.values.clone());
        state.retain(|name, _| !left.removed.contains(name));
        Ok(state)
    }

    pub(super) fn cached(
        &self,
        fingerprint: &Fingerprint,
        since: DateTime<Utc>,
    ) -> Result<Option<(RunId, Value)>, JournalError> {
        let tried = self.runs.values().rev().filter(|run| {
            let mut tried = run.tried.iter();
            tried.any(|(tried, at)| tried == fingerprint && *at >= since)
        });
        for stored in tried.take(TRIED) {
            let run = match Run::fold(stored.row.run, &stored.read(0)?) {
                Ok(run) if !run.newer => run,
                // What a later version decided about its results is not known.
                Ok(_) | Err(NotARun::Newer(_)) => continue,
                Err(damaged) => return Err(damaged.into()),
            };
            if let Some(standing) = run.calls.values().find_map(|call| call.stands_for(fingerprint)) {
                return Ok(Some((run.id, (*standing.output).clone())));
            }
        }
        Ok(None)
    }
}

fn no_run(id: RunId) -> JournalError {
    JournalError::NoRun(format!("there is no run {}", id.short()))
}
