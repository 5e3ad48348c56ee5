//! New runs: `run`, `rerun`, `fork`.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::args::{AfterArgs, DirArg, ForkArgs, InputArgs, RerunArgs, RunArgs};
use super::drive::{How, drive};
use super::problem::{Exit, Problem};
use super::show::first;
use super::{App, consent, detach, inputs, out};
use crate::core::code::ErrorCode;
use crate::core::event::{Origin, OriginKind};
use crate::core::form;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::task::Task;
use crate::core::text::counted;
use crate::core::usage::Budget;
use crate::engine::{Fork, Start};
use crate::export::wire;

/// `run`.
///
/// # Errors
/// When the task, an input or the config is not valid, or the store cannot be used.
pub fn run(app: &App, args: RunArgs) -> Result<Exit, Problem> {
    let pinned = Arc::new(app.catalog(&args.dir)?.pin(&args.task)?);
    super::wait_for(start(app, args, pinned))
}

async fn start(app: &App, args: RunArgs, pinned: Arc<Pinned>) -> Result<Exit, Problem> {
    let how = How::of(&args.drive)?;
    let asks = out::can_ask() && !args.drive.json && !args.detach;
    let inputs = inputs::gather(app, &pinned.task, &args.inputs, Map::new(), asks).await?;
    check(&pinned.task, &inputs)?;
    consent::ensure(app, &pinned, args.model.as_deref()).await?;
    let start = Start {
        pinned,
        inputs,
        cwd: cwd()?,
        session: args.session.clone(),
        model: args.model.clone(),
        budget: budget(args.budget.budget),
        origin: None,
    };
    let run = app.engine()?.start(&start)?;
    if args.detach {
        detach::start(app, run, &args)?;
        if how.json {
            out::json(&first(app.engine()?, run)?);
        } else {
            out::line(&run.to_string());
        }
        return Ok(Exit::Done);
    }
    drive_on(app, run, &args.dir, args.after, how).await
}

/// Drives a new run, and then what follows it.
///
/// # Errors
/// When the store cannot be used, or what follows cannot be started.
pub async fn drive_on(app: &App, run: RunId, dir: &DirArg, after: AfterArgs, how: How) -> Result<Exit, Problem> {
    let exit = drive(app, run, 0, how.clone()).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    follow(app, run, dir, after, how).await
}

/// What may follow a run that is done: told, or started, up to `most` runs in all, each with its own result.
async fn follow(app: &App, run: RunId, dir: &DirArg, wanted: AfterArgs, how: How) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    let after = |run: RunId| -> Result<Vec<(RunId, String, Value)>, Problem> {
        let found = engine.successors(run)?;
        Ok(found.into_iter().map(|(task, inputs)| (run, task, inputs)).collect())
    };
    let mut queue: VecDeque<(RunId, String, Value)> = after(run)?.into();
    let mut left = wanted.autoruns.unwrap_or_default();
    let mut runs = 1;
    if wanted.next && queue.is_empty() && !how.json {
        out::line("nothing follows");
    }
    while let Some((before, task, inputs)) = queue.pop_front() {
        if left == 0 {
            if wanted.next && how.json {
                out::json(&wire::next(before, chrono::Utc::now(), &task, &inputs));
                continue;
            }
            let (task, inputs) = (out::quoted(&task), out::quoted(&inputs.to_string()));
            let next = format!("next: printf %s {inputs} | stepwell run {task} --inputs -{}", dir.flag());
            if wanted.next {
                out::page(&next);
            } else {
                out::say(&next);
            }
            continue;
        }
        left -= 1;
        runs += 1;
        let pinned = Arc::new(app.catalog(dir)?.pin(&task)?);
        consent::ensure(app, &pinned, None).await?;
        let old = engine.load(before)?;
        let inputs = form::as_typed(&pinned.task.inputs, &inputs);
        let start = Start {
            pinned,
            inputs,
            cwd: old.cwd.clone(),
            session: old.session.clone(),
            model: None,
            budget: None,
            origin: Some(Origin {
                run: before,
                how: OriginKind::Successor,
                at: None,
                seq: Some(old.seq),
                handed_over: true,
            }),
        };
        let run = engine.start(&start)?;
        out::say(&format!("run {} follows: {task}{}", run.short(), in_session(old.session.as_deref())));
        // Each run's files are its own: those of the first are where the person said.
        let out = how.out.as_ref().map(|folder| folder.join(format!("{runs}-{task}")));
        let exit = drive(app, run, 0, How { out, ..how.clone() }).await?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        queue.extend(after(run)?);
    }
    Ok(Exit::Done)
}

/// `rerun`: the same task with the inputs overlaid, nothing taken over.
///
/// # Errors
/// As [`run`], and when there is no such run.
pub async fn rerun(app: &App, args: RerunArgs) -> Result<Exit, Problem> {
    let how = How::of(&args.drive)?;
    let engine = app.engine()?;
    let old = engine.load(engine.find(&args.run)?)?;
    let pinned = definition(app, &old, args.pinned, &args.dir)?;
    let base = kept(&old, &pinned.task);
    let inputs = overlay(app, &pinned.task, &args.inputs, base).await?;
    check(&pinned.task, &inputs)?;
    consent::ensure(app, &pinned, old.model.as_deref()).await?;
    let start = Start {
        pinned,
        inputs,
        cwd: cwd()?,
        session: old.session.clone(),
        model: old.model.clone(),
        budget: budget(args.budget.budget).or(old.budget),
        origin: Some(Origin {
            run: old.id,
            how: OriginKind::Rerun,
            at: None,
            seq: Some(old.seq),
            handed_over: old.origin.as_ref().is_some_and(Origin::hands_over),
        }),
    };
    let run = engine.start(&start)?;
    let session = in_session(old.session.as_deref());
    out::say(&format!("run {} starts again as {}{session}", old.id.short(), run.short()));
    drive(app, run, 0, how).await
}

/// `fork`: what does not depend on a call is taken over.
///
/// # Errors
/// As [`run`], and when there is no such run or call.
pub async fn fork(app: &App, args: ForkArgs) -> Result<Exit, Problem> {
    let how = How::of(&args.drive)?;
    let engine = app.engine()?;
    let at: Key = args.at.parse()?;
    let old = engine.load(engine.find(&args.run)?)?;
    let pinned = definition(app, &old, args.pinned, &args.dir)?;
    consent::ensure(app, &pinned, old.model.as_deref()).await?;
    let run = engine.fork(&Fork { run: old.id, at: at.clone(), pinned })?;
    if let Some(budget) = budget(args.budget.budget) {
        engine.set_budget(run, budget).await?;
    }
    let head = engine.load(run)?;
    let reused = counted(head.calls.len(), "call");
    let session = in_session(head.session.as_deref());
    out::say(&format!("forked run {} from {} at {at}, reusing {reused}{session}", run.short(), old.id.short()));
    // What was taken over is its start; only what is new is told.
    drive(app, run, head.seq, how).await
}

async fn overlay(app: &App, task: &Task, args: &InputArgs, base: Map<String, Value>) -> Result<Value, Problem> {
    inputs::gather(app, task, args, base, false).await
}

/// Today's definition of a run's task, or the one that it keeps.
fn definition(app: &App, old: &Run, pinned: bool, dir: &DirArg) -> Result<Arc<Pinned>, Problem> {
    if pinned {
        return Ok(app.engine()?.definition(old)?);
    }
    today(app, old, dir).map_err(|problem| problem.and("\n(--pinned takes the definition that the run keeps)"))
}

/// Today's definition of a run's task: of the place that the person names, else of where the run's came from, so that a
/// run that was begun with `--dir` needs it no second time.
///
/// # Errors
/// When there is none any more, it is not trusted, or something is wrong with it.
pub fn today(app: &App, old: &Run, dir: &DirArg) -> Result<Arc<Pinned>, Problem> {
    let mut place = dir.clone();
    if place.dir.is_none() {
        let kept = app.engine()?.definition(old)?;
        place.dir = kept.root().filter(|root| *root != app.paths.own() && root.is_dir()).map(Path::to_owned);
    }
    Ok(Arc::new(app.catalog(&place)?.pin(&old.task)?))
}

/// The inputs of the old run that the task still has; one that was left empty was not given.
fn kept(old: &Run, task: &Task) -> Map<String, Value> {
    let inputs = old.inputs.as_object().cloned().unwrap_or_default();
    let known = |name: &String| task.inputs.iter().any(|field| field.name == *name);
    inputs.into_iter().filter(|(name, value)| known(name) && !value.is_null()).collect()
}

/// The session that a run shares state and history in, as the end of what is said of the run.
fn in_session(name: Option<&str>) -> String {
    name.map(|name| format!(", in session {}", out::quoted(name))).unwrap_or_default()
}

/// Every mistake in the inputs, before anybody is asked about a model.
fn check(task: &Task, inputs: &Value) -> Result<(), Problem> {
    let filled = crate::core::form::fill(&task.inputs, inputs);
    filled.map(|_| ()).map_err(|wrong| {
        let text = format!("{}\n(`-i NAME=VALUE` gives a value; `{}` is the task)", wrong.join("\n"), task.id);
        Problem::invalid(ErrorCode::InvalidInput, text)
    })
}

/// A budget in US dollars.
#[must_use]
pub fn budget(usd: Option<f64>) -> Option<Budget> {
    usd.map(|usd| Budget { usd: Some(usd), tokens: None })
}

fn cwd() -> Result<std::path::PathBuf, Problem> {
    std::env::current_dir().map_err(|error| {
        Problem::refused(ErrorCode::PathRefused, format!("cannot determine the current directory: {error}"))
    })
}
