//! Before the first call to a provider that was only found, by its key or its port, a person agrees to it.

use super::line::{forget_typed, read_line};
use super::problem::Problem;
use super::{App, out};
use crate::core::code::ErrorCode;
use crate::core::failure::Failure;
use crate::core::model::ModelChoice;
use crate::core::pinned::Pinned;

/// Makes sure that every model that a run would ask may be asked. `model` stands in the place of the task's.
///
/// # Errors
/// When a model is not known, or nobody can be asked about a provider that was only found.
pub async fn ensure(app: &App, pinned: &Pinned, model: Option<&str>) -> Result<(), Problem> {
    for name in pinned.models(model) {
        ensure_one(app, name.as_deref()).await?;
    }
    Ok(())
}

/// Makes sure that the model of this name may be asked; `None` is the one that answers where none is named.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_one(app: &App, name: Option<&str>) -> Result<(), Problem> {
    let models = app.models()?;
    let mut choice = models.choice(name).map_err(unknown)?;
    if choice.demo && name.is_none() {
        models.probe().await;
        choice = models.choice(None).map_err(unknown)?;
    }
    // Who has agreed is not asked again.
    if choice.ask_first { agree(app, &choice).await } else { Ok(()) }
}

fn unknown(failure: Failure) -> Problem {
    Problem::invalid(ErrorCode::UnknownModel, failure.message)
}

fn denied(message: String) -> Problem {
    Problem::invalid(ErrorCode::Denied, message)
}

async fn agree(app: &App, choice: &ModelChoice) -> Result<(), Problem> {
    let ModelChoice { model, why, config_lines, .. } = choice;
    let provider = model.split('/').next().unwrap_or(model);
    let settles = format!("to settle it, write into {}:\n\n{config_lines}", app.paths.config_file.display());
    if !out::can_ask() {
        return Err(denied(format!(
            "{model} would answer, because {why}. It was found, not configured, and nobody can be asked here; {settles}"
        )));
    }
    out::say(&format!("{model} would answer, because {why}. What you give and what it answers goes there."));
    forget_typed();
    loop {
        match read_line("Use it? yes/no > ").await.as_deref().map(str::trim) {
            Some("yes") => break,
            Some("") => {}
            _ => {
                let demo = "for the demo, which needs no network: --model demo/recorded";
                return Err(denied(format!("nothing was sent; {settles}\n\n{demo}")));
            }
        }
    }
    app.models()?.agree(provider);
    app.dependencies.keep_agreement(provider);
    Ok(())
}
