//! `document`: what the documents of a run say, and what a person makes of them.

use super::args::{DocumentArgs, DriveArgs, Review};
use super::drive::{How, drive};
use super::files::read_text;
use super::out::Put as _;
use super::problem::{Exit, Problem};
use super::show::since;
use super::{App, consent, out, waits};
use crate::core::call::{CallStatus, Ending};
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
    let document = named(&run, args.name.as_deref().unwrap_or(RESULT))?;
    if asks {
        return act(app, &run, document, (args.action.as_deref(), args.change.as_deref()), args.json).await;
    }
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
        out::json(&since(engine, run.id, run.seq)?);
    }
    out::say(&said);
    Ok(Exit::Done)
}

/// Has an action performed, or a change in the person's own words, and waits for what comes of it.
async fn act(
    app: &App,
    run: &Run,
    document: &Document,
    (action, words): (Option<&str>, Option<&str>),
    json: bool,
) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    if !engine.is_driven(run.id) {
        consent::ensure(app, &engine.definition(run)?, run.model.as_deref()).await?;
    }
    let version = document.current().map(|(version, _)| version);
    match (action, words) {
        (Some(action), _) => engine.act(run.id, &document.name, version, action).await?,
        (None, words) => engine.act_in_words(run.id, &document.name, version, words.unwrap_or_default()).await?,
    }
    // What else waits is not asked about here.
    let quiet = DriveArgs { review: Some(Review::Stop), approve: None, json, out: None };
    let exit = drive(app, run.id, run.seq, How::of(&quiet)?).await?;
    let after = engine.load(run.id)?;
    let asked = after.actions.iter().rfind(|(key, _)| !run.actions.contains_key(*key));
    let Some((key, asked)) = asked else { return Ok(exit) };
    if let Some(version) = asked.written {
        let counts = after.documents.get(&document.name).and_then(Document::current).map(|(number, _)| number);
        if counts == Some(version) {
            out::say(&format!("version {version} of {} counts now", shown_name(document)));
        }
        if document.name != RESULT && !json {
            show_body(&after, &document.name, version);
        }
        return Ok(exit);
    }
    let failed = after.call(key).filter(|call| call.status == CallStatus::Failed);
    match failed.and_then(|call| call.ending.as_ref()) {
        Some(Ending::Failed { failure, .. }) => {
            let text =
                format!("{key} failed ({}): {}; {} is as it was", failure.class, failure.message, shown_name(document));
            out::say(&text);
            Ok(Exit::Failed)
        }
        _ => Ok(exit),
    }
}

fn show_body(run: &Run, name: &str, version: u32) {
    if let Some(version) = run.documents.get(name).and_then(|document| document.version(version)) {
        out::result(&version.body);
    }
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
