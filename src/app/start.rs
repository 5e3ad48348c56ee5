//! New runs: of a task, and made from another run. Who inherits session, model, budget and folder, and what the new run
//! knows of the other, is decided here.
//!
//! May not: gather inputs or ask for consent, which comes before ([`super::inputs`], [`super::consent`]).

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::core::event::{Origin, OriginKind};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::usage::Budget;
use crate::engine::{Engine, Fork, Start, StartError};

/// What a person says about a new run besides its task and inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// The session that it shares state and history with.
    pub session: Option<String>,
    /// The model instead of the task's.
    pub model: Option<String>,
    /// What it may spend, instead of the definition's budget.
    pub budget: Option<Budget>,
}

/// The run that a new one is made from.
#[derive(Clone, Debug)]
pub struct Source {
    run: RunId,
    how: OriginKind,
    /// It may have been deleted: that the new one came from it is known all the same.
    old: Option<Arc<Run>>,
}

impl Source {
    /// A run as it is now, or what is known of one that was deleted meanwhile.
    #[must_use]
    pub fn find(engine: &Engine, run: RunId, how: OriginKind) -> Self {
        Self { run, how, old: engine.load(run).ok().map(Arc::new) }
    }

    /// A run as it was seen.
    #[must_use]
    pub fn of(old: Arc<Run>, how: OriginKind) -> Self {
        Self { run: old.id, how, old: Some(old) }
    }

    /// That run, unless it was deleted.
    #[must_use]
    pub fn old(&self) -> Option<&Run> {
        self.old.as_deref()
    }

    /// What the new run keeps of where it came from. What another run gave stays that, also when a person has edited it; of
    /// a run that is started again only what it was given itself.
    fn origin(&self) -> Origin {
        let handed_over = match self.how {
            OriginKind::Rerun => self.old().and_then(|old| old.origin.as_ref()).is_some_and(Origin::hands_over),
            _ => true,
        };
        Origin { run: self.run, how: self.how.clone(), at: None, seq: self.old().map(|old| old.seq), handed_over }
    }
}

/// A new run of `pinned` with these inputs, files read, in the folder `cwd`.
///
/// Made from another run it is of the same session, unless `terms` name one. Started again it asks the same model and may
/// spend as much, unless `terms` say otherwise; a successor is started in the folder of the run that it follows.
#[must_use]
pub fn plan(
    source: Option<&Source>,
    pinned: Arc<Pinned>,
    inputs: Map<String, Value>,
    cwd: PathBuf,
    terms: Terms,
) -> Start {
    let old = source.and_then(Source::old);
    let with = |how: &OriginKind| old.filter(|_| source.is_some_and(|source| source.how == *how));
    let again = with(&OriginKind::Rerun);
    Start {
        pinned,
        inputs: Value::Object(inputs),
        cwd: with(&OriginKind::Successor).map_or(cwd, |before| before.cwd.clone()),
        session: terms.session.or_else(|| old?.session.clone()),
        model: terms.model.or_else(|| again?.model.clone()),
        budget: terms.budget.or_else(|| again?.budget),
        origin: source.map(Source::origin),
    }
}

/// Creates a run that takes over from another what does not depend on the call `at`: session, model, inputs and folder with
/// it. It may spend as much, unless there is another `budget`.
///
/// # Errors
/// When there is no such call, it cannot be forked there, or the store cannot be used.
pub async fn fork(
    engine: &Engine,
    run: RunId,
    at: Key,
    pinned: Arc<Pinned>,
    budget: Option<Budget>,
) -> Result<RunId, StartError> {
    let forked = engine.fork(&Fork { run, at, pinned })?;
    if let Some(budget) = budget {
        engine.set_budget(forked, budget).await.map_err(StartError::Engine)?;
    }
    Ok(forked)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::event::Created;
    use crate::core::fingerprint::Fingerprint;
    use crate::core::task::Kind;

    fn usd(usd: f64) -> Budget {
        Budget { usd: Some(usd), tokens: None }
    }

    /// A run in a session, with a model and a budget of its own, of these origins.
    fn old(origin: Option<Origin>) -> Arc<Run> {
        let created = Created {
            task: "poem".into(),
            kind: Kind::Workflow,
            title: "The sea".into(),
            by: "ana@host".into(),
            cwd: "/old".into(),
            inputs: Arc::new(json!({})),
            definition: Fingerprint::of_bytes(b"poem"),
            nonce: "n".into(),
            date: None,
            session: Some("sea".into()),
            state: Value::Null,
            earlier_runs: Vec::new(),
            learned: Vec::new(),
            model: Some("cloud/big".into()),
            budget: Some(usd(2.0)),
            origin,
        };
        Arc::new(Run::new(RunId::new(1, [1; 10]), chrono::DateTime::UNIX_EPOCH, &created))
    }

    fn started(source: Option<&Source>, terms: Terms) -> Start {
        let task = json!({"id": "poem", "name": "Poem", "body": {"instruct": {"instruction": "x"}}});
        let pinned = serde_json::from_value(json!({ "task": task })).unwrap();
        plan(source, Arc::new(pinned), Map::new(), "/here".into(), terms)
    }

    /// Folder, session, model, budget.
    fn inherited(start: &Start) -> (&str, Option<&str>, Option<&str>, Option<Budget>) {
        (start.cwd.to_str().unwrap(), start.session.as_deref(), start.model.as_deref(), start.budget)
    }

    #[test]
    fn who_inherits_what_depends_on_how_a_run_was_made() {
        let of = |how| started(Some(&Source::of(old(None), how)), Terms::default());
        let (again, next, with) = (of(OriginKind::Rerun), of(OriginKind::Successor), of(OriginKind::FollowUp));
        assert_eq!(inherited(&again), ("/here", Some("sea"), Some("cloud/big"), Some(usd(2.0))));
        assert_eq!(inherited(&next), ("/old", Some("sea"), None, None));
        assert_eq!(inherited(&with), ("/here", Some("sea"), None, None));
        assert_eq!(inherited(&started(None, Terms::default())), ("/here", None, None, None));
        assert_eq!(started(None, Terms::default()).origin, None);
        for (start, handed_over) in [(&again, false), (&next, true), (&with, true)] {
            let origin = start.origin.as_ref().unwrap();
            assert_eq!((origin.seq, origin.handed_over), (Some(1), handed_over), "{:?}", origin.how);
        }
    }

    #[test]
    fn what_a_person_says_goes_before_what_is_inherited() {
        let terms = Terms { session: Some("sky".into()), model: Some("cloud/small".into()), budget: Some(usd(1.0)) };
        let again = started(Some(&Source::of(old(None), OriginKind::Rerun)), terms);
        assert_eq!(inherited(&again), ("/here", Some("sky"), Some("cloud/small"), Some(usd(1.0))));
    }

    #[test]
    fn what_another_run_gave_stays_that_however_often_it_is_started_again() {
        let next = started(Some(&Source::of(old(None), OriginKind::Successor)), Terms::default());
        let again = started(Some(&Source::of(old(next.origin), OriginKind::Rerun)), Terms::default());
        let origin = again.origin.unwrap();
        assert_eq!((&origin.how, origin.handed_over), (&OriginKind::Rerun, true));
        let third = started(Some(&Source::of(old(Some(origin)), OriginKind::Rerun)), Terms::default());
        assert!(third.origin.unwrap().handed_over);
    }

    #[test]
    fn a_run_that_was_deleted_is_still_where_the_new_one_came_from() {
        let gone = Source { run: RunId::new(7, [7; 10]), how: OriginKind::FollowUp, old: None };
        let start = started(Some(&gone), Terms::default());
        assert_eq!(inherited(&start), ("/here", None, None, None));
        let origin = start.origin.unwrap();
        assert_eq!((origin.run, origin.seq, origin.handed_over), (gone.run, None, true));
    }
}
