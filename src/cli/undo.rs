//! `undo` and `archive`: what was decided is taken back, and runs are put away.

use super::args::{DriveArgs, Review};
use super::drive::{How, drive};
use super::problem::{Exit, Problem};
use super::show::since;
use super::{App, consent, out};
use crate::core::decide::newest_decision;
use crate::core::id::RunId;

/// `undo`: takes back the newest decision, and drives the run to where it waits again.
///
/// # Errors
/// When there is no such run, or the decision cannot be undone: then nothing has changed.
pub async fn undo(app: &App, name: &str, json: bool) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    let before = engine.load(engine.find(name)?)?;
    let newest = newest_decision(&before);
    // What was done to the run as a whole has no part in what it does.
    if newest.is_some_and(|newest| newest.key().is_some()) {
        consent::ensure_to_drive(app, &before).await?;
    }
    engine.undo(before.id, newest.map(|newest| newest.seq)).await?;
    let Some(undone) = newest else { return Ok(Exit::Done) };
    out::say(&format!("taken back: {}", undone.name()));
    // The question about a document waits again; a name, say, moves nothing.
    let moved = engine.load(before.id)?.status != before.status;
    if undone.key().is_none() && !moved {
        if json {
            out::json(&since(engine, before.id, before.seq)?);
        }
        return Ok(Exit::Done);
    }
    // Nobody is asked here.
    let stop = DriveArgs { review: Some(Review::Stop), json, ..DriveArgs::default() };
    drive(app, before.id, before.seq, How::of(&stop)?).await
}

/// `archive`: puts runs away, all that are named or none.
///
/// # Errors
/// When one of them is no run, or the store cannot be used.
pub async fn archive(app: &App, names: &[String], undo: bool, json: bool) -> Result<Exit, Problem> {
    let engine = app.records()?;
    let runs = names.iter().map(|name| engine.find(name)).collect::<Result<Vec<RunId>, _>>()?;
    for run in runs {
        let before = engine.load(run)?;
        engine.archive(run, undo).await?;
        let short = run.short();
        out::say(&match (undo, before.archived) {
            (false, false) => format!("run {short} is archived; to bring it back: stepwell archive {short} --undo"),
            (false, true) => format!("run {short} is archived already"),
            (true, true) => format!("run {short} is back in the lists"),
            (true, false) => format!("run {short} is not archived"),
        });
        if json {
            out::json(&since(engine, run, before.seq)?);
        }
    }
    Ok(Exit::Done)
}
