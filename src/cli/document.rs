//! `document`: what the documents of a run say, and what a person makes of them.

use serde_json::json;

use super::args::DocumentArgs;
use super::files::read_text;
use super::out::Put as _;
use super::problem::{Exit, Problem};
use super::{App, journal, out, waits};
use crate::core::code::ErrorCode;
use crate::core::document::{Document, DocumentVersion, RESULT};
use crate::core::run::Run;
use crate::core::text::visible;

/// `document`.
///
/// # Errors
/// When there is no such run, document or version, or the store cannot be used.
pub async fn document(app: &App, args: DocumentArgs) -> Result<Exit, Problem> {
    let engine = if args.edit.is_some() || args.restore.is_some() { app.engine()? } else { app.records()? };
    let run = engine.load(engine.find(&args.run)?)?;
    let document = named(&run, args.name.as_deref().unwrap_or(RESULT))?;
    let Some((current, counts)) = document.current() else { return Err(no_version(&run, document, 0)) };
    let change = match (&args.edit, args.restore) {
        (Some(file), _) => {
            let text = read_text(file)?;
            if text.trim().is_empty() {
                let text = format!("--edit {file} is empty, so that nothing was changed");
                return Err(Problem::refused(ErrorCode::InvalidInput, text));
            }
            Some((counts.title.data().to_owned(), text.trim_end().to_owned()))
        }
        (None, Some(number)) => {
            let version = document.version(number).ok_or_else(|| no_version(&run, document, number))?;
            Some((version.title.data().to_owned(), version.body.data().to_owned()))
        }
        (None, None) => None,
    };
    let Some((title, body)) = change else {
        show(&run, document, &args, (current, counts));
        return Ok(Exit::Done);
    };
    engine.edit_document(run.id, &document.name, current, &title, &body).await?;
    let said = format!("version {} of {} counts now", document.next_version(), shown_name(document));
    if args.json {
        out::json(&journal::since(engine, run.id, run.seq)?);
    }
    out::say(&said);
    Ok(Exit::Done)
}

fn named<'a>(run: &'a Run, name: &str) -> Result<&'a Document, Problem> {
    run.documents.get(name).ok_or_else(|| {
        let names: Vec<&str> = run.documents.keys().map(String::as_str).collect();
        let has = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
        let text = format!("run {} has no document `{name}`; it has {has}", run.id.short());
        Problem::refused(ErrorCode::InvalidInput, text)
    })
}

fn no_version(run: &Run, document: &Document, number: u32) -> Problem {
    let (name, all) = (&document.name, document.count());
    let text = format!("run {}: there is no version {number} of `{name}`; it has {all}", run.id.short());
    Problem::refused(ErrorCode::InvalidInput, text)
}

fn shown_name(document: &Document) -> String {
    if document.name == RESULT { "the result".to_owned() } else { format!("document `{}`", document.name) }
}

fn show(run: &Run, document: &Document, args: &DocumentArgs, (current, counts): (u32, &DocumentVersion)) {
    let numbered = || (1u32..).zip(&document.versions);
    let object = |number: u32, version: &DocumentVersion| {
        json!({
            "name": document.name, "version": number, "current": number == current,
            "title": version.title, "body": version.body, "by": version.by,
        })
    };
    match (args.json, args.versions) {
        (true, true) => {
            for (number, version) in numbered() {
                out::json(&format!("{}\n", object(number, version)));
            }
        }
        (true, false) => out::json(&format!("{}\n", object(current, counts))),
        (false, true) => {
            let mut text = String::new();
            for (number, version) in numbered() {
                let mark = if number == current { "*" } else { " " };
                let proposed = document.gate.as_ref().is_some_and(|gate| gate.version == number);
                let proposed = if proposed { "  (proposed)" } else { "" };
                let words = version.body.data().split_whitespace().count();
                let (by, title) = (visible(version.by.as_str(), false), version.title.line());
                text.put(format_args!("{mark} {number:>3}  {by:<18} {words:>6} words  {title}{proposed}\n"));
            }
            out::page(&text);
        }
        (false, false) => out::result(&counts.body),
    }
    if let (Some(gate), false) = (&document.gate, args.json) {
        out::say(&format!("{} {}", waits::about(run, gate), waits::compared(run, gate)));
    }
}
