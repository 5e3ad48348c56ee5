//! Before the first call to a provider that was only found, by its key or its port, a person agrees to it.

use super::line::{forget_typed, read_line};
use super::problem::Problem;
use super::{App, out};
use crate::app::consent;
use crate::core::code::ErrorCode;
use crate::core::model::ModelChoice;
use crate::core::pinned::Pinned;
use crate::core::run::Run;

/// Makes sure that every model that a run would ask may be asked. `model` is asked instead of the task's.
///
/// # Errors
/// When a model is not known, or nobody can be asked about a provider that was only found.
pub async fn ensure(app: &App, pinned: &Pinned, model: Option<&str>) -> Result<(), Problem> {
    for choice in consent::needed(&**app.models()?, pinned, model).await? {
        agree(app, &choice).await?;
    }
    Ok(())
}

/// Makes sure that every model may be asked that a run would ask which this process drives further.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_to_drive(app: &App, run: &Run) -> Result<(), Problem> {
    for choice in consent::needed_to_drive(app.engine()?, &**app.models()?, run).await? {
        agree(app, &choice).await?;
    }
    Ok(())
}

/// Makes sure that the model of this name may be asked.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_one(app: &App, name: &str) -> Result<(), Problem> {
    match consent::needed_for(&**app.models()?, Some(name)).await? {
        Some(choice) => agree(app, &choice).await,
        None => Ok(()),
    }
}

fn denied(message: String) -> Problem {
    Problem::invalid(ErrorCode::Denied, message)
}

async fn agree(app: &App, choice: &ModelChoice) -> Result<(), Problem> {
    let ModelChoice { model, why, config_lines, .. } = choice;
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
    app.models()?.agree(choice.provider());
    app.dependencies.keep_agreement(choice.provider());
    Ok(())
}
