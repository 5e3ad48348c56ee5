//! `learned`: what later runs are told, as it is kept.

use super::out::Put as _;
use super::problem::{Exit, Problem};
use super::{App, out};
use crate::core::code::ErrorCode;

/// `learned`.
///
/// # Errors
/// When there is no such lesson or the store cannot be used.
pub fn learned(app: &App, task: Option<&str>, edit: Option<&[String]>, remove: Option<i64>) -> Result<Exit, Problem> {
    let engine = app.records()?;
    let known = |id: i64| -> Result<(), Problem> {
        if engine.learned(None)?.iter().any(|lesson| lesson.id == id) {
            return Ok(());
        }
        Err(Problem::usage(format!("there is no lesson {id}; `stepwell learned` lists them with their numbers")))
    };
    if let Some(id) = remove {
        known(id)?;
        engine.update_lesson(id, None)?;
        out::say(&format!("lesson {id} is forgotten; runs that began with it keep it"));
        return Ok(Exit::Done);
    }
    if let Some([id, text]) = edit {
        let id = id.parse().map_err(|_| Problem::usage(format!("--edit {id}: expected the lesson's number")))?;
        known(id)?;
        if text.trim().is_empty() {
            return Err(Problem::refused(ErrorCode::InvalidInput, "the lesson would be empty; --remove forgets it"));
        }
        engine.update_lesson(id, Some(text.trim()))?;
        out::say(&format!("lesson {id} is changed; runs that began before keep it as it was"));
        return Ok(Exit::Done);
    }
    let lessons = engine.learned(task)?;
    if lessons.is_empty() {
        out::say("nothing was learned yet; `stepwell review … --retry \"…\" --scope always` teaches");
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for lesson in lessons {
        text.put(format_args!("{:>4}  {} / {}: {}\n", lesson.id, lesson.task, lesson.lesson.step, lesson.lesson.text));
    }
    out::page(&text);
    Ok(Exit::Done)
}
