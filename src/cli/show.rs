//! `show` and `export`: a run as it stands.

use super::out::Put as _;
use std::path::Path;

use super::line::{calls, labelled};
use super::problem::{Exit, Problem};
use super::{App, files, out, waits};
use crate::core::aside::{Aside, AsideKind};
use crate::core::call::ToolUse;
use crate::core::id::RunId;
use crate::core::run::{NEWER, Run, Status};
use crate::core::text::{counted, output_text, visible};
use crate::engine::Engine;
use crate::export::{self, ExportScope, Format, wire};

/// `show`.
///
/// # Errors
/// When there is no such run.
pub fn show(app: &App, name: &str, json: bool, events: bool) -> Result<Exit, Problem> {
    let engine = app.records()?;
    let id = engine.find(name)?;
    if events {
        out::json(&since(engine, id, 0)?);
    } else if json {
        out::json(&format!("{:#}\n", export::json::show(&engine.load(id)?)));
    } else {
        out::page(&render(&engine.load(id)?));
    }
    Ok(Exit::Done)
}

/// The lines of what has happened in a run after event `after`.
///
/// # Errors
/// When there is no such run or the store cannot be used.
pub fn since(engine: &Engine, run: RunId, after: u64) -> Result<String, Problem> {
    Ok(wire::events_after(run, &engine.events(run, 0)?, after)?)
}

/// The line of a run's first event.
///
/// # Errors
/// As [`since`].
pub fn first(engine: &Engine, run: RunId) -> Result<String, Problem> {
    let mut events = engine.events(run, 0)?;
    events.truncate(1);
    Ok(wire::events_after(run, &events, 0)?)
}

fn render(run: &Run) -> String {
    let mut text = format!("{} ({})\n", visible(&run.title, false), run.task);
    let paused = if run.seen_status() == Status::Paused { "" } else { "paused: " };
    let reason = run.paused.map(|reason| format!(", {paused}{}", reason.name().replace('_', " "))).unwrap_or_default();
    let at = run.created_at.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M");
    text.put(format_args!("run {}: {}{reason}; begun {at} by {}\n", run.id.short(), run.seen_status().name(), run.by));
    if run.newer {
        text.put(format_args!("{NEWER}\n"));
    }
    if run.usage.tokens() > 0 {
        text.put(format_args!("{}\n", run.usage));
    }
    if export::is_demo(run) {
        text.put(format_args!("({})\n", export::DEMO));
    }
    for warning in &run.warnings {
        text.put(format_args!("warning: {warning}\n"));
    }
    for message in run.messages.iter().filter(|_| run.kind == crate::core::task::Kind::Instruct) {
        let remark = message.remark(run).map(|remark| format!(", {remark}")).unwrap_or_default();
        text.put(format_args!("\n[{:?}{remark}]\n{}\n", message.role, message.text.block()));
    }
    for call in run.calls.values() {
        let attempts =
            if call.attempts.len() > 1 { format!(", attempt {}", call.attempts.len()) } else { String::new() };
        let model = call.shown_attempt().and_then(|attempt| attempt.measured.model_in_full());
        let model = model.map(|model| format!(" · {}", labelled(&model))).unwrap_or_default();
        text.put(format_args!("\n-- {} ({}{attempts}){model}\n", call.key, call.status.name().replace('_', " ")));
        for attempt in &call.attempts {
            for made in attempt.tool_use.as_deref().into_iter().flat_map(ToolUse::calls) {
                let (call, asked) = (made.asked.call, calls::asked(&made.asked.tool, made.arguments()));
                text.put(format_args!("  tool call {call}: {asked}: {}\n", calls::state(attempt, made)));
            }
        }
        for attempt in &call.attempts {
            if let Some(instruction) = &attempt.instruction {
                text.put(format_args!("attempt {} was rejected: {}\n", attempt.number, instruction.text));
            }
            for aside in attempt.asides() {
                text.put(format_args!("{}\n", beside(attempt.number, &aside)));
            }
        }
        if let Some(error) = call.newest().and_then(|attempt| attempt.error.as_ref()) {
            text.put(format_args!("{error}\n"));
        }
        if run.kind == crate::core::task::Kind::Workflow
            && let Some((_, _, output)) = call.output()
        {
            text.put(format_args!("{}\n", output_text(output).block().trim_end()));
        }
    }
    if let Some(result) = &run.result {
        text.put(format_args!("\n== {}\n\n{}\n", result.title.line(), result.body.block().trim_end()));
    }
    if let Some((_, error)) = &run.error {
        text.put(format_args!("\nit failed ({}): {}\n", error.class, error.message));
    }
    match run.status {
        _ if run.gates() > 0 => {
            text.put(format_args!("\n{}", waits::render(run)));
            if run.status == Status::Paused {
                text.put(format_args!("  to run the rest: stepwell resume {}\n", run.id.short()));
            }
        }
        Status::Failed => text.put(format_args!("\n{}", waits::after_failure(run))),
        Status::Paused => text.put(format_args!("\nto resume: stepwell resume {}\n", run.id.short())),
        _ => {}
    }
    text
}

/// What an attempt has beside its output. Thoughts are many words that few want to read: here they are only counted.
fn beside(attempt: u32, aside: &Aside<'_>) -> String {
    let heading = aside.heading();
    let heading = heading.line();
    if aside.kind == AsideKind::Thoughts {
        let words = counted(aside.words(), "word");
        return format!("attempt {attempt}: {heading} are {words} (--json shows them)");
    }
    let shown = aside.text.block();
    let lines: Vec<String> = shown.trim_end().lines().map(|line| format!("    {line}")).collect();
    format!("attempt {attempt}: {heading}\n{}", lines.join("\n"))
}

/// The format that a file's name ends with.
fn named_format(out: Option<&Path>) -> Result<Format, Problem> {
    let Some(out) = out.filter(|out| *out != Path::new("-")) else { return Ok(Format::Md) };
    let ending = out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let format = ending.as_deref().and_then(|ending| match ending {
        "markdown" => Some(Format::Md),
        "htm" => Some(Format::Html),
        name => Format::from_name(name),
    });
    format.ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
        Problem::usage(format!(
            "`{}` does not name a format by its ending: add --format {}",
            out.display(),
            names.join("|")
        ))
    })
}

/// `export`.
///
/// # Errors
/// When there is no such run or nothing to write, or the file cannot be written.
pub fn export(
    app: &App,
    name: &str,
    (format, scope): (Option<Format>, ExportScope),
    out: Option<&Path>,
    json: bool,
) -> Result<Exit, Problem> {
    let format = format.map_or_else(|| named_format(out), Ok)?;
    let engine = app.records()?;
    let run = engine.load(engine.find(name)?)?;
    let bytes = export::export(&run, format, scope)?;
    match (out.filter(|path| *path != Path::new("-")), format) {
        (Some(path), _) => {
            files::write(path, &bytes)?;
            if json {
                out::json(&wire::done("exported", &serde_json::json!({ "path": path })));
            }
            out::say(&format!("written: {}", path.display()));
        }
        (None, Format::Pdf) if out::to_terminal() => {
            return Err(Problem::usage("a PDF is no text for a terminal; -o FILE writes it there"));
        }
        (None, Format::Pdf) => out::bytes(&bytes),
        (None, _) => out::page(&String::from_utf8_lossy(&bytes)),
    }
    Ok(Exit::Done)
}
