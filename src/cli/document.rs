//! `document`: what the documents of a run say, and what a person makes of them.

use super::args::{DocumentArgs, DriveArgs, Review};
use super::drive::{How, drive};
use super::files::read_text;
use super::out::Put as _;
use super::problem::{Exit, Problem};
use super::show::since;
use super::{App, consent, out, waits};
use crate::app::documents::{self, Acted, Wish};
use crate::core::code::ErrorCode;
use crate::core::document::{Document, DocumentVersion, RESULT};
use crate::core::run::Run;
use crate::core::text::visible;
use crate::export::wire;

/// `document`.
///
/// # Errors
/// When there is no such run, document or version, or the store cannot be used.
pub async fn document(app: &App, args: DocumentArgs) -> Result<Exit, Problem> {
    let asks = args.action.is_some() || args.change.is_some();
    let changes = args.edit.is_some() || args.restore.is_some() || asks;
    let engine = if changes { app.engine()? } else { app.records()? };
    let run = engine.load(engine.find(&args.run)?)?;
    let document = documents::named(&run, args.name.as_deref().unwrap_or(RESULT))?;
    let wish = match (args.action.as_deref(), args.change.as_deref()) {
        (Some(action), _) => Some(Wish::Action(action)),
        (None, words) => words.map(Wish::Words),
    };
    if let Some(wish) = wish {
        return act(app, &run, document, wish, args.json).await;
    }
    let current = documents::current(&run, document)?;
    let version = match (&args.edit, args.restore) {
        (Some(file), _) => {
            let text = read_text(file)?;
            if text.trim().is_empty() {
                let text = format!("--edit {file} is empty, so that nothing was changed");
                return Err(Problem::refused(ErrorCode::InvalidInput, text));
            }
            documents::edit(engine, &run, document, text.trim_end()).await?
        }
        (None, Some(number)) => documents::restore(engine, &run, document, number).await?,
        (None, None) => {
            show(&run, document, &args, current);
            return Ok(Exit::Done);
        }
    };
    if args.json {
        out::json(&since(engine, run.id, run.seq)?);
    }
    out::say(&format!("version {version} of {} counts now", shown_name(document)));
    Ok(Exit::Done)
}

/// Has an action performed, or a change in the person's own words, and waits for what comes of it.
async fn act(app: &App, run: &Run, document: &Document, wish: Wish<'_>, json: bool) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    consent::ensure_to_drive(app, run).await?;
    documents::act(engine, run, document, wish).await?;
    // What else waits is not asked about here.
    let quiet = DriveArgs { review: Some(Review::Stop), approve: None, json, out: None };
    let exit = drive(app, run.id, run.seq, How::of(&quiet)?).await?;
    let after = engine.load(run.id)?;
    match documents::acted(run, &after, &document.name) {
        Acted::Open => {}
        Acted::Written { version, counts } => {
            if counts {
                out::say(&format!("version {version} of {} counts now", shown_name(document)));
            }
            if document.name != RESULT && !json {
                show_body(&after, &document.name, version);
            }
        }
        Acted::Failed { key, failure } => {
            let (class, message) = (&failure.class, &failure.message);
            out::say(&format!("{key} failed ({class}): {message}; {} is as it was", shown_name(document)));
            return Ok(Exit::Failed);
        }
    }
    Ok(exit)
}

fn show_body(run: &Run, name: &str, version: u32) {
    if let Some(version) = run.documents.get(name).and_then(|document| document.version(version)) {
        out::result(&version.body);
    }
}

fn shown_name(document: &Document) -> String {
    if document.name == RESULT { "the result".to_owned() } else { format!("document `{}`", document.name) }
}

fn show(run: &Run, document: &Document, args: &DocumentArgs, (current, counts): (u32, &DocumentVersion)) {
    let numbered = || (1u32..).zip(&document.versions);
    match (args.json, args.versions) {
        (true, true) => {
            for (number, _) in numbered() {
                out::json(&wire::document(document, number));
            }
        }
        (true, false) => out::json(&wire::document(document, current)),
        (false, true) => {
            let mut text = String::new();
            for (number, version) in numbered() {
                let mark = if number == current { "*" } else { " " };
                let proposed = document.gate.as_ref().is_some_and(|gate| gate.version == number);
                let proposed = if proposed { "  (proposed)" } else { "" };
                let words = version.body.data().split_whitespace().count();
                let by = version.made_by().unwrap_or(version.by.as_str());
                let (by, title) = (visible(by, false), version.title.line());
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
