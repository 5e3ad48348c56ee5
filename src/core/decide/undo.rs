//! Undo: the newest decision of a person is taken back, by the same person and as long as nothing outside the run has come
//! of it. What goes on besides, whenever it began, has nothing to do with that.

use chrono::{DateTime, Utc};

use super::Refusal;
use crate::core::actor::Actor;
use crate::core::call::{Attempt, AttemptStatus, Call, CallStatus};
use crate::core::code::ErrorCode;
use crate::core::document::Document;
use crate::core::event::{Event, OriginKind};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::{Run, Status};
use crate::core::undo::{CallBefore, Change, PastDecision};

/// Whether a call comes after the one that this was asked of, as the steps are declared.
pub type Following = Box<dyn Fn(&Key) -> bool>;

/// A run that was made from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offspring {
    /// It.
    pub run: RunId,
    /// When.
    pub at: DateTime<Utc>,
    /// The newest event of the other then; `None`: version 0.1.0 made it and did not say.
    pub seq: Option<u64>,
    /// How.
    pub how: OriginKind,
}

/// What undo takes back: the newest decision of a person, whether it may be undone or not.
#[must_use]
pub fn newest_decision(run: &Run) -> Option<&PastDecision> {
    run.decisions.last()
}

impl PastDecision {
    /// In words: ``accept of `write[1]` ``, `rename of the run`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.change {
            Change::Call { key, what, .. } | Change::Final { what, key: Some(key) } => format!("{what} of `{key}`"),
            Change::Edit { key, .. } => format!("edit of `{key}`"),
            Change::Document { name, .. } => format!("edit of the document `{name}`"),
            Change::Action { action, document, .. } => format!("action `{action}` on the document `{document}`"),
            Change::Choice { name, what, .. } => format!("{what} of the document `{name}`"),
            Change::Title { .. } => "rename of the run".to_owned(),
            Change::Archive => "archive of the run".to_owned(),
            Change::Final { what, key: None } => (*what).to_owned(),
        }
    }

    /// The call that it was about.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match &self.change {
            Change::Call { key, .. } | Change::Edit { key, .. } | Change::Final { key: Some(key), .. } => Some(key),
            Change::Document { .. }
            | Change::Action { .. }
            | Change::Choice { .. }
            | Change::Title { .. }
            | Change::Archive
            | Change::Final { key: None, .. } => None,
        }
    }
}

/// The events that take back the newest decision. `seq` is the one that was seen to be that; `None`: whichever is. `offspring`
/// are the runs that were made from this one; `following` says which calls come after one, where that is known.
///
/// # Errors
/// When there is none, it cannot be undone, somebody else made it, or something has come of it that cannot be taken back.
pub fn undo(
    run: &Run,
    seq: Option<u64>,
    offspring: &[Offspring],
    following: impl Fn(&Key) -> Option<Following>,
    by: &Actor,
) -> Result<Vec<Event>, Refusal> {
    let Some(newest) = newest_decision(run) else {
        return Refusal::because(ErrorCode::NotAllowed, "there is no decision in this run that could be undone");
    };
    if seq.is_some_and(|seq| seq != newest.seq) {
        let text = format!("the newest decision is another one now: {} by {}", newest.name(), newest.by);
        return Refusal::because(ErrorCode::StaleView, text);
    }
    let not = |why: String| Refusal::new(ErrorCode::NotAllowed, format!("{}: {why}", newest.name()));
    if newest.by != *by {
        return Err(not(format!("{} decided that, and only they can undo it", newest.by)));
    }
    let mut withdraws = Vec::new();
    let mut gates = Vec::new();
    match &newest.change {
        Change::Final { what: "cancel", .. } => return Err(Refusal::cancelled()),
        Change::Final { .. } => return Err(not("this cannot be undone".to_owned())),
        Change::Title { .. } | Change::Archive => {}
        _ if run.status == Status::Cancelled => return Err(Refusal::cancelled()),
        Change::Document { name, version, .. } => {
            // An edit before it counts again as a copy, once a later one was undone.
            let document = run.documents.get(name);
            let counts = document.and_then(Document::current).map(|(_, counts)| (&counts.title, &counts.body));
            let edit = document.and_then(|document| document.version(*version)).map(|edit| (&edit.title, &edit.body));
            if counts != edit {
                return Err(not("the document has been written again since".to_owned()));
            }
        }
        Change::Action { key, document, before, .. } => {
            let asked = run.actions.get(key);
            let made = asked.and_then(|asked| asked.written).unwrap_or(*before);
            let counts = run.documents.get(document).and_then(Document::current).map(|(number, _)| number);
            // One that came too late to count has replaced nothing.
            if asked.is_none() || ![Some(made), Some(*before)].contains(&counts) {
                return Err(not("the document has been written again since".to_owned()));
            }
            let runs = run.call(key).and_then(Call::newest).is_some_and(|it| it.status == AttemptStatus::Running);
            withdraws.extend(runs.then(|| key.clone()));
        }
        Change::Choice { name, gate, .. } => {
            // Which text counts decides about no call.
            came_of_it(std::iter::empty(), newest, offspring).map_or(Ok(()), |why| Err(not(why)))?;
            if run.documents.get(name).is_none_or(|document| document.gate.is_some()) {
                return Err(not("it has changed since".to_owned()));
            }
            gates.push((**gate).clone());
        }
        Change::Edit { key, attempt, version, gate } => {
            let call = run.call(key);
            let open = call.and_then(|call| call.gates.own());
            let waits = open.is_some_and(|gate| (gate.attempt, gate.version) == (*attempt, *version));
            let failed = gate.is_none() && call.is_some_and(|call| call.status == CallStatus::Failed);
            if !waits && !failed {
                return Err(not(format!("`{key}` has been decided since")));
            }
            gates.extend(gate.iter().map(|gate| (**gate).clone()));
        }
        Change::Call { key, before, .. } => {
            let call = run.call(key);
            let because = because_of(run, key, newest.seq, following(key));
            came_of_it(call.into_iter().chain(because.iter().copied()), newest, offspring)
                .map_or(Ok(()), |why| Err(not(why)))?;
            if call.is_none_or(|call| has_moved_on(call, newest, before)) {
                return Err(not(format!("`{key}` has changed since")));
            }
            withdraws = because.iter().map(|call| call.key.clone()).collect();
            gates.extend(before.gates.iter().cloned());
        }
    }
    let undone = Event::DecisionUndone { decision: newest.seq, key: newest.key().cloned(), withdraws, by: by.clone() };
    Ok(std::iter::once(undone).chain(gates.into_iter().map(Event::GateOpened)).collect())
}

/// What has come of a decision outside the run's own journal; `calls` are those that it is about and those that have moved
/// because of it.
fn came_of_it<'a>(
    mut calls: impl Iterator<Item = &'a Call>,
    decision: &PastDecision,
    offspring: &[Offspring],
) -> Option<String> {
    // A result that was made before, and moved or came from another run or a person, is no effect.
    let performed = |by: &Actor| !by.is_person() && !matches!(by, Actor::Moved | Actor::Adopted | Actor::Cache);
    let acted = |attempt: &&Attempt| attempt.seq > decision.seq && performed(&attempt.by);
    if let Some(call) = calls.find(|call| call.attempts.iter().filter(acted).any(Attempt::had_effect)) {
        return Some(format!("`{}` has begun since, and what it does outside is not undone", call.key));
    }
    let since = |made: &&Offspring| match made.seq {
        Some(seq) => seq >= decision.seq,
        None => made.at >= decision.at,
    };
    let made = offspring.iter().filter(since).find(|made| made.how != OriginKind::Rerun)?;
    Some(format!("run {} was made from it since", made.run.short()))
}

/// Whether a call is not any more as the decision left it.
fn has_moved_on(call: &Call, decision: &PastDecision, before: &CallBefore) -> bool {
    let tried = call.newest().is_some_and(|attempt| attempt.seq > decision.seq && attempt.number > before.attempts());
    let as_left =
        matches!(call.status, CallStatus::Accepted | CallStatus::Skipped | CallStatus::Review | CallStatus::Cancelled);
    tried || !as_left
}

/// The calls that have moved because of a decision about `key`: those that come after it. Where that is not declared, those
/// that were made from it, and those that were not heard of before.
fn because_of<'a>(run: &'a Run, key: &Key, decided: u64, following: Option<Following>) -> Vec<&'a Call> {
    let moved = run.calls.values().filter(|call| call.key != *key && call.seq > decided);
    if let Some(follows) = following {
        return moved.filter(|call| follows(&call.key)).collect();
    }
    let dependents = run.dependents(key);
    moved.filter(|call| call.heard > decided || dependents.contains(&call.key)).collect()
}
