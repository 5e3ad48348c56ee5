//! New runs: `run`, `rerun`, `fork`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::args::{AfterArgs, DirArg, ForkArgs, RerunArgs, RunArgs};
use super::drive::{How, drive};
use super::problem::{Exit, Problem};
use super::show::first;
use super::{App, consent, detach, inputs, out};
use crate::app::start::{Source, Terms, plan};
use crate::app::successors::{Chain, Move, Next};
use crate::app::{definitions, inputs as app_inputs};
use crate::core::code::ErrorCode;
use crate::core::event::OriginKind;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::task::Task;
use crate::core::text::counted;
use crate::core::usage::Budget;
use crate::engine::Fork;
use crate::export::wire;

/// `run`.
///
/// # Errors
/// When the task, an input or the config is not valid, or the store cannot be used.
pub fn run(app: &App, args: RunArgs) -> Result<Exit, Problem> {
    let pinned = Arc::new(app.catalog(&args.dir)?.pin(&args.task)?);
    super::wait_for(app, start(app, args, pinned))
}

async fn start(app: &App, args: RunArgs, pinned: Arc<Pinned>) -> Result<Exit, Problem> {
    let how = How::of(&args.drive)?;
    let asks = out::can_ask() && !args.drive.json && !args.detach;
    let inputs = inputs::gather(app, &pinned.task, &args.inputs, Map::new(), asks).await?;
    check(&pinned.task, &inputs)?;
    consent::ensure(app, &pinned, args.model.as_deref()).await?;
    let budget = budget(args.budget.budget);
    let terms = Terms { session: args.session.clone(), model: args.model.clone(), budget };
    let start = plan(None, pinned, inputs, cwd()?, terms);
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
    let most = wanted.autoruns.map_or(0, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let mut chain = Chain::new(most);
    let mut runs = 1;
    if chain.done(engine, run)? == 0 && wanted.next && !how.json {
        out::line("nothing follows");
    }
    while let Some(next) = chain.next() {
        let next = match next {
            Move::Start(next) => next,
            Move::Offer(next) => {
                offer(&next, dir, wanted.next, how.json);
                continue;
            }
        };
        runs += 1;
        let pinned = Arc::new(app.catalog(dir)?.pin(&next.task)?);
        consent::ensure(app, &pinned, None).await?;
        let start = next.plan(Arc::new(engine.load(next.after)?), pinned, app.settings()?)?;
        let (run, session) = (engine.start(&start)?, in_session(start.session.as_deref()));
        out::say(&format!("run {} follows: {}{session}", run.short(), next.task));
        // Each run's files are its own: those of the first are where the person said.
        let out = how.out.as_ref().map(|folder| folder.join(format!("{runs}-{}", next.task)));
        let exit = drive(app, run, 0, How { out, ..how.clone() }).await?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        chain.done(engine, run)?;
    }
    Ok(Exit::Done)
}

/// Says of a run that may follow how it is started; it is a result where that was asked for.
fn offer(next: &Next, dir: &DirArg, asked: bool, json: bool) {
    let Next { after, task, inputs } = next;
    if asked && json {
        out::json(&wire::next(*after, chrono::Utc::now(), task, inputs));
        return;
    }
    let (task, inputs) = (out::quoted(task), out::quoted(&inputs.to_string()));
    let said = format!("next: printf %s {inputs} | stepwell run {task} --inputs -{}", dir.flag());
    if asked {
        out::page(&said);
    } else {
        out::say(&said);
    }
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
    let base = app_inputs::kept(&old.inputs, &pinned.task);
    let inputs = inputs::gather(app, &pinned.task, &args.inputs, base, false).await?;
    check(&pinned.task, &inputs)?;
    consent::ensure(app, &pinned, old.model.as_deref()).await?;
    let old = Arc::new(old);
    let source = Source::of(Arc::clone(&old), OriginKind::Rerun);
    let terms = Terms { budget: budget(args.budget.budget), ..Terms::default() };
    let start = plan(Some(&source), pinned, inputs, cwd()?, terms);
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
    let run = engine.fork(&Fork { run: old.id, at: at.clone(), pinned, budget: budget(args.budget.budget) })?;
    let head = engine.load(run)?;
    let reused = counted(head.calls.len(), "call");
    let session = in_session(head.session.as_deref());
    out::say(&format!("forked run {} from {} at {at}, reusing {reused}{session}", run.short(), old.id.short()));
    // What was taken over is its start; only what is new is told.
    drive(app, run, head.seq, how).await
}

/// Today's definition of a run's task, or the one that it keeps.
fn definition(app: &App, old: &Run, pinned: bool, dir: &DirArg) -> Result<Arc<Pinned>, Problem> {
    if pinned {
        return Ok(app.engine()?.definition(old)?);
    }
    today(app, old, dir).map_err(|problem| problem.and("\n(--pinned takes the definition that the run keeps)"))
}

/// Today's definition of a run's task; see [`definitions::today`].
///
/// # Errors
/// When there is none any more, it is not trusted, or something is wrong with it.
pub fn today(app: &App, old: &Run, dir: &DirArg) -> Result<Arc<Pinned>, Problem> {
    Ok(Arc::new(definitions::today(app.engine()?, &app.places(dir)?, old)?))
}

/// The session that a run shares state and history in, as the end of what is said of the run.
fn in_session(name: Option<&str>) -> String {
    name.map(|name| format!(", in session {}", out::quoted(name))).unwrap_or_default()
}

/// Every mistake in the inputs, before anybody is asked about a model.
fn check(task: &Task, inputs: &Map<String, Value>) -> Result<(), Problem> {
    app_inputs::check(task, inputs).map_err(|wrong| {
        Problem::from(wrong).and(&format!("\n(`-i NAME=VALUE` gives a value; `{}` is the task)", task.id))
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
