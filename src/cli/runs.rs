//! What is done with a run as a whole: resume, cancel, reopen.

use super::out::Put as _;

use super::args::{DriveArgs, ResumeArgs, Review};
use super::begin::{budget, today};
use super::drive::{How, drive};
use super::problem::{Exit, Problem};
use super::show::since;
use super::{App, consent, out};
use crate::core::decide::{Decision, DecisionKind, Refusal};
use crate::core::document::RESULT;
use crate::core::key::Key;
use crate::core::run::Status;
use crate::core::task::Kind;

/// `resume`.
///
/// # Errors
/// When there is no such run, it cannot go on, or the store cannot be used.
pub async fn resume(app: &App, args: ResumeArgs) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    let run = engine.load(engine.find(&args.run)?)?;
    if run.newer {
        return Err(Refusal::newer().into());
    }
    if run.status == Status::Cancelled {
        return Err(Refusal::cancelled().into());
    }
    let mut how = How::of(&args.drive)?;
    how.changed = args.update;
    if args.update {
        let pinned = today(app, &run, &args.dir)?;
        consent::ensure(app, &pinned, run.model.as_deref()).await?;
        let preview = engine.preview(&run, &pinned);
        engine.update(&run, &pinned).await?;
        for (what, keys) in [("stands", &preview.stand), ("runs again", &preview.again), ("vanishes", &preview.vanish)]
        {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            out::say(&format!("{what}: {}", if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") }));
        }
    } else if !engine.is_driven(run.id) && !matches!(run.status, Status::Completed) {
        match &args.model {
            Some(model) => consent::ensure_one(app, model).await?,
            None => consent::ensure_to_drive(app, &run).await?,
        }
    }
    if let Some(budget) = budget(args.budget.budget) {
        engine.set_budget(run.id, budget).await?;
    }
    if let Some(model) = &args.model {
        engine.choose_model_for_the_rest(run.id, model).await?;
    }
    engine.retry_failed(run.id).await?;
    drive(app, run.id, run.seq, how).await
}

/// `cancel`.
///
/// # Errors
/// When there is no such run or it is over.
pub async fn cancel(app: &App, name: &str, json: bool) -> Result<Exit, Problem> {
    let engine = app.records()?;
    let run = engine.find(name)?;
    let before = engine.load(run)?.seq;
    engine.cancel(run).await?;
    if json {
        out::json(&since(engine, run, before)?);
    }
    out::say(&format!("run {} is cancelled; what it has is kept: stepwell show {}", run.short(), run.short()));
    Ok(Exit::Done)
}

/// `reopen`.
///
/// # Errors
/// When there is no such run or call, or it cannot be taken up again.
pub async fn reopen(app: &App, name: &str, key: &str, json: bool) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    let key: Key = key.parse()?;
    let run = engine.find(name)?;
    let stands = engine.load(run)?;
    consent::ensure_to_drive(app, &stands).await?;
    let before = stands.seq;
    engine.decide(run, Decision::new(key.clone(), DecisionKind::Reopen)).await?;
    let run = engine.load(run)?;
    let dependents = run.dependents(&key);
    let told = |keys: &[&Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut said = format!("{key} is open again; its accepted version counts until you accept another\n");
    if dependents.is_empty() {
        said.push_str("nothing was made from it\n");
    } else {
        said.put(format_args!(
            "made from it, and stale if it changes: {}\n",
            told(&dependents.iter().collect::<Vec<_>>())
        ));
    }
    let effects = dependents.iter().filter(|key| run.call(key).is_some_and(crate::core::call::Call::had_effect));
    let effects: Vec<&Key> = effects.collect();
    if !effects.is_empty() {
        said.put(format_args!("had an effect outside already, which is not undone: {}\n", told(&effects)));
    }
    for document in run.documents.values().filter(|document| run.kind == Kind::Workflow && document.is_edited()) {
        let what = if document.name == RESULT { "the result" } else { document.name.as_str() };
        said.put(format_args!(
            "you edited {what}: your version stays, and you are asked if its steps give another text\n"
        ));
    }
    if json {
        out::say(&said);
    } else {
        out::page(&said);
    }
    // It is driven to where it waits again; nobody is asked here.
    let stop = DriveArgs { review: Some(Review::Stop), json, ..DriveArgs::default() };
    drive(app, run.id, if json { before } else { run.seq }, How::of(&stop)?).await
}
