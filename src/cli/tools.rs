//! `tools`: what the configured servers offer, why one does not answer, and one call to try a tool, outside any run.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::args::{ToolCallArgs, ToolsArgs, ToolsCommand};
use super::files::read_text;
use super::line::{Asker, Signals, fill};
use super::out::{self, Put as _};
use super::problem::{Exit, Problem};
use super::{App, Tools};
use crate::core::code::ErrorCode;
use crate::core::diagnostic::did_you_mean;
use crate::core::failure::Failure;
use crate::core::id::RunId;
use crate::core::kept_files::KeptFiles;
use crate::core::model::Delta;
use crate::core::ports::{
    AskSink, AttemptContext, CallOutcome, InspectedServer, ServerCall, ToolCallRequest, ToolScope,
};
use crate::core::schema::Schema;
use crate::core::text::{Untrusted, counted, output_text};
use crate::core::tool::{CallReturn, DeclaredTool, OwnTool, Reach, ToolRules, ToolSpec, server_of};
use crate::core::tool_call::ToolCallId;

/// As much of a description is in a list, in characters.
const SHORT: usize = 70;
/// Under which name a large result is spooled.
const RESULT: &str = "result";

/// Looks at servers, which may be slow to start and to answer: a signal ends that, and the servers.
///
/// # Errors
/// A signal came.
pub async fn unless_interrupted<T>(app: &App, looks: impl Future<Output = T>) -> Result<T, Problem> {
    let mut signals = Signals::new()?;
    tokio::select! {
        looked = looks => Ok(looked),
        _ = signals.next() => {
            // While it still listens: a second signal is for this.
            app.end_servers().await;
            Err(Problem::interrupted(ErrorCode::Denied, "interrupted before every server of tools had answered"))
        }
    }
}

/// `tools`.
///
/// # Errors
/// When the config is not valid, there is no such server or tool, or a call is not allowed.
pub async fn tools(app: &App, args: ToolsArgs) -> Result<Exit, Problem> {
    match args.call {
        Some(ToolsCommand::Call(call)) => try_one(app, &call).await,
        None => list(app, args.name.as_deref(), args.json).await,
    }
}

/// Where tools are called from that no run calls.
pub fn here() -> ToolScope {
    ToolScope { cwd: std::env::current_dir().unwrap_or_default(), declared: Arc::default() }
}

/// How a server is reached, for a person.
pub fn reached(reach: &Reach) -> String {
    match reach {
        Reach::Program { command, .. } => command.iter().map(|word| out::quoted(word)).collect::<Vec<_>>().join(" "),
        Reach::Http { url, .. } => url.clone(),
    }
}

/// A failure in one line, and what more there is beneath it.
pub fn failed(failure: &Failure) -> String {
    let detail = failure.detail.as_deref().unwrap_or_default();
    let lines = detail.lines().map(|line| format!("\n         {line}"));
    std::iter::once(failure.message.clone()).chain(lines).collect()
}

async fn list(app: &App, name: Option<&str>, json: bool) -> Result<Exit, Problem> {
    let declared = &app.settings()?.tools;
    if let Some(name) = name.filter(|name| !declared.contains_key(*name)) {
        return Err(unknown(app, name)?);
    }
    if declared.is_empty() && !json {
        out::page(&format!(
            "no tools are configured; a server is a table of {}:\n\n  [tools.files]\n  command = [\"mcp-server-filesystem\", \".\"]\n",
            app.paths.config_file.display()
        ));
        return Ok(Exit::Done);
    }
    let tools = app.tools()?;
    let inspected = match name {
        None => unless_interrupted(app, tools.servers.inspect(here())).await?,
        Some(name) if matches!(declared[name], DeclaredTool::Server(_)) => {
            let looks = tools.servers.inspect_one(here(), name.to_owned());
            unless_interrupted(app, looks).await?.into_iter().collect()
        }
        Some(_) => Vec::new(),
    };
    let (mut text, all) = (String::new(), name.is_none());
    for InspectedServer { server, tools, notes } in &inspected {
        let Some(DeclaredTool::Server(how)) = declared.get(server) else { continue };
        let rules = |spec: &ToolSpec| how.rules(bare(&spec.tool));
        if json {
            let specs: Vec<Value> = tools.iter().flatten().map(|spec| described(spec, rules(spec))).collect();
            let error = tools.as_ref().err();
            let line = json!({ "server": server, "reach": reached(&how.reach), "error": error, "notes": notes, "tools": specs });
            out::json(&format!("{line}\n"));
            continue;
        }
        match tools {
            Ok(specs) => {
                text.put(format_args!("{server}: {}   {}\n", counted(specs.len(), "tool"), reached(&how.reach)));
                let width = widest(specs.iter().map(|spec| &spec.tool));
                for spec in specs {
                    show(&mut text, spec, rules(spec), all.then_some(width));
                }
            }
            Err(failure) => text.put(format_args!(
                "{server}: does not answer   {}\n         {}\n",
                reached(&how.reach),
                failed(failure)
            )),
        }
        for note in notes {
            text.put(format_args!("  note: {note}\n"));
        }
    }
    for (own, tool) in declared.iter().filter(|(own, _)| name.is_none_or(|name| name == *own)) {
        let DeclaredTool::Own(tool) = tool else { continue };
        let spec = tool.spec(own);
        if json {
            let line = json!({ "server": null, "reach": null, "error": null, "notes": [], "tools": [described(&spec, tool.rules())] });
            out::json(&format!("{line}\n"));
        } else {
            show(&mut text, &spec, tool.rules(), all.then_some(own.len()));
        }
    }
    out::page(&text);
    Ok(if inspected.iter().any(|server| server.tools.is_err()) { Exit::Failed } else { Exit::Done })
}

fn bare(tool: &str) -> &str {
    tool.split_once('/').map_or(tool, |(_, name)| name)
}

fn described(spec: &ToolSpec, rules: ToolRules) -> Value {
    json!({
        "tool": spec.tool, "description": spec.description.data(), "input": spec.input, "output": spec.output,
        "hints": spec.hints, "approve": rules.approve.name(), "idempotent": rules.idempotent,
        "timeout_ms": rules.timeout.map(|timeout| timeout.0),
    })
}

/// The widest of these names, in characters.
fn widest<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or_default()
}

/// A tool in a line, its name so wide; `None`: with its arguments.
fn show(text: &mut String, spec: &ToolSpec, rules: ToolRules, width: Option<usize>) {
    let description = spec.description.line();
    if let Some(width) = width {
        let mut short: String = description.chars().take(SHORT).collect();
        if short.len() < description.len() {
            short.push('…');
        }
        text.put(format_args!("  {:<width$} {:<7} {short}\n", spec.tool, rules.approve.name()));
        return;
    }
    text.put(format_args!("\n{}   approve {}\n", spec.tool, rules.approve.name()));
    for line in spec.description.block().lines() {
        text.put(format_args!("  {line}\n"));
    }
    let required: Vec<&str> =
        spec.input["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in spec.input["properties"].as_object().into_iter().flatten() {
        let kind = property["type"].as_str().unwrap_or("any");
        let required = if required.contains(&name.as_str()) { ", required" } else { "" };
        let about = property["description"].as_str().map(|about| format!("   {about}")).unwrap_or_default();
        text.put(format_args!("    {name} ({kind}{required}){about}\n"));
    }
}

/// There is no such server or tool of one's own.
fn unknown(app: &App, name: &str) -> Result<Problem, Problem> {
    let declared = &app.settings()?.tools;
    let names: Vec<&str> = declared.keys().map(String::as_str).collect();
    let hint = did_you_mean(name, names.iter().copied());
    let there =
        if names.is_empty() { "none is configured".to_owned() } else { format!("there is {}", names.join(", ")) };
    Ok(Problem::refused(ErrorCode::UnknownTool, format!("there is no [tools.{name}]{hint}; {there}")))
}

async fn try_one(app: &App, args: &ToolCallArgs) -> Result<Exit, Problem> {
    let declared = app.settings()?.tools.clone();
    let table = server_of(&args.tool).unwrap_or(&args.tool);
    let (spec, own, how) = match declared.get(table) {
        None => return Err(unknown(app, table)?),
        Some(DeclaredTool::Own(_)) if server_of(&args.tool).is_some() => {
            let text = format!("`{table}` is a tool of your own and no server: `stepwell tools call {table}`");
            return Err(Problem::refused(ErrorCode::UnknownTool, text));
        }
        Some(DeclaredTool::Own(own)) => {
            let how = "a tool of your own".to_owned();
            (own.spec(table), Some(own.clone()), how)
        }
        Some(DeclaredTool::Server(server)) => (listed(app, table, &args.tool).await?, None, reached(&server.reach)),
    };
    let arguments = arguments(&spec, &args.arguments)?;
    let shown = serde_json::to_string_pretty(&arguments).unwrap_or_default();
    if !args.yes {
        if !out::can_ask() {
            let text =
                format!("calling `{}` needs your approval, and there is no terminal to ask on: add --yes", args.tool);
            return Err(Problem::refused(ErrorCode::Denied, text));
        }
        out::say(&format!("call {} ({how}) with\n{shown}", spec.tool));
        let mut signals = Signals::new()?;
        let allowed = Asker { signals: &mut signals }.yes_or_no("approve this call? yes/no > ").await;
        if !matches!(allowed, Ok(true)) {
            return Err(Problem::refused(ErrorCode::Denied, format!("`{}` was not called", args.tool)));
        }
    }
    let outcome = call(app.tools()?, &spec, own, arguments).await?;
    Ok(tell(&spec.tool, &outcome, args.json))
}

/// The tool of a server, as that lists it.
async fn listed(app: &App, server: &str, tool: &str) -> Result<ToolSpec, Problem> {
    let tools = app.tools()?;
    let inspected = unless_interrupted(app, tools.servers.inspect_one(here(), server.to_owned())).await?;
    let Some(InspectedServer { tools, notes, .. }) = inspected else { return Err(unknown(app, server)?) };
    let tools = tools.map_err(|failure| Problem {
        exit: Exit::Failed,
        code: ErrorCode::UnknownTool,
        message: failed(&failure),
    })?;
    if let Some(spec) = tools.iter().find(|spec| spec.tool == tool) {
        return Ok(spec.clone());
    }
    let names = || tools.iter().map(|spec| spec.tool.as_str());
    let left_out = notes.iter().find(|note| note.contains(&format!("`{tool}`")));
    let why = if let Some(note) = left_out {
        note.clone()
    } else {
        let there = if tools.is_empty() { "it has none".to_owned() } else { names().collect::<Vec<_>>().join(", ") };
        format!("the server `{server}` has no tool `{}`{}; it has: {there}", bare(tool), did_you_mean(tool, names()))
    };
    Err(Problem::refused(ErrorCode::UnknownTool, why))
}

/// What was typed, as the tool's schema expects it.
fn arguments(spec: &ToolSpec, typed: &[String]) -> Result<Value, Problem> {
    let mut arguments = Map::new();
    for pair in typed {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Problem::usage(format!("-a {pair}: write -a NAME=VALUE, NAME=@FILE or NAME=@-")));
        };
        let value = value.strip_prefix('@').map_or_else(|| Ok(value.to_owned()), read_text)?;
        let value = value_of(&spec.input["properties"][name], value);
        if arguments.insert(name.to_owned(), value).is_some() {
            return Err(Problem::usage(format!("-a {name}=… is given more than once; give it once")));
        }
    }
    let arguments = Value::Object(arguments);
    let judged = Schema::compile(&spec.input).and_then(|schema| schema.judge(&arguments));
    let known = spec.input["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    judged.map_err(|why| {
        let known: Vec<&str> = known.collect();
        let takes = if known.is_empty() { String::new() } else { format!("; it takes {}", known.join(", ")) };
        Problem::invalid(ErrorCode::InvalidInput, format!("the arguments do not fit `{}`: {why}{takes}", spec.tool))
    })?;
    Ok(arguments)
}

/// A text stays one where one is expected; elsewhere it is JSON, if it is that.
fn value_of(property: &Value, typed: String) -> Value {
    let takes = |kind: &str| match &property["type"] {
        Value::String(only) => only == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => false,
    };
    if takes("string") {
        return Value::String(typed);
    }
    serde_json::from_str(&typed).unwrap_or(Value::String(typed))
}

/// Calls a tool; Ctrl-C stops it.
async fn call(tools: &Tools, spec: &ToolSpec, own: Option<OwnTool>, arguments: Value) -> Result<CallOutcome, Problem> {
    let cancel = CancellationToken::new();
    let context = AttemptContext {
        deltas: Arc::new(|delta| {
            if let Delta::Progress(line) = delta {
                out::say(&line.line());
            }
        }),
        cancel: cancel.clone(),
        ask: asks(),
        spool: Arc::clone(&tools.spool),
        may_spend: Arc::new(|_, _| false),
        began: Arc::new(|_| {}),
    };
    let run = no_run();
    let mut calling = match own {
        None => tools.servers.call(
            ServerCall {
                scope: here(),
                tool: spec.tool.clone(),
                arguments,
                timeout: None,
                run,
                spool_name: RESULT.to_owned(),
            },
            context,
        ),
        Some(own) => {
            let timeout = own.timeout;
            let key = RESULT.parse().map_err(|error: crate::core::key::BadKey| Problem::usage(error.to_string()))?;
            let request = ToolCallRequest {
                run,
                key,
                attempt: 1,
                call: ToolCallId { turn: 1, index: 0 },
                tool: spec.tool.clone(),
                arguments: Arc::new(arguments),
                own: Some(own),
                scope: here(),
                files: KeptFiles::default(),
                timeout,
            };
            tools.executor.call_tool(request, context)
        }
    };
    let mut signals = Signals::new()?;
    tokio::select! {
        outcome = &mut calling => return Ok(outcome),
        _ = signals.next() => cancel.cancel(),
    }
    Ok(calling.await)
}

/// What a server asks is asked on the terminal; where there is none, nobody answers.
fn asks() -> AskSink {
    Arc::new(|form| {
        Box::pin(async move {
            let (true, Ok(mut signals)) = (out::can_ask(), Signals::new()) else { return Value::Null };
            let mut asker = Asker { signals: &mut signals };
            fill(&mut asker, form.fields()).await.map_or(Value::Null, Value::Object)
        })
    })
}

/// An id for what a call outside of any run leaves behind.
fn no_run() -> RunId {
    let id = uuid::Uuid::now_v7();
    let mut random = [0; 10];
    random.copy_from_slice(&id.as_bytes()[6..]);
    let millis = id.get_timestamp().map_or(0, |at| at.to_unix().0 * 1_000 + u64::from(at.to_unix().1) / 1_000_000);
    RunId::new(millis, random)
}

/// Says what came of it.
fn tell(tool: &str, outcome: &CallOutcome, json: bool) -> Exit {
    let (result, failure, notes) = match outcome {
        CallOutcome::Known(CallReturn::Returned { output, is_error, images, notes }) => {
            let images: Vec<Value> = images
                .iter()
                .map(|image| json!({ "name": image.name, "media_type": image.media_type, "base64": &*image.base64 }))
                .collect();
            (json!({ "output": **output, "is_error": is_error, "images": images }), None, notes.clone())
        }
        CallOutcome::Known(CallReturn::Failed { error }) => {
            (json!({ "in_doubt": false }), Some(error.clone()), Vec::new())
        }
        CallOutcome::InDoubt(error) => (json!({ "in_doubt": true }), Some(error.clone()), Vec::new()),
        CallOutcome::Cancelled { in_doubt } => {
            let text =
                if *in_doubt { "it was stopped; it may have taken effect" } else { "it was stopped before it began" };
            let error = Failure::new(crate::core::failure::FailureClass::Tool, text);
            (json!({ "in_doubt": in_doubt }), Some(error), Vec::new())
        }
    };
    let exit = match &outcome {
        CallOutcome::Cancelled { .. } => Exit::Interrupted,
        CallOutcome::Known(CallReturn::Returned { is_error: false, .. }) => Exit::Done,
        _ => Exit::Failed,
    };
    if json {
        let mut line = json!({ "v": 1, "tool": tool });
        if let (Value::Object(line), Value::Object(result)) = (&mut line, result) {
            line.extend(result);
            line.insert("error".to_owned(), json!(failure));
            line.insert("notes".to_owned(), json!(notes));
        }
        out::json(&format!("{line}\n"));
        return exit;
    }
    if let CallOutcome::Known(CallReturn::Returned { output, images, is_error, .. }) = &outcome {
        let text = output_text(output);
        if *is_error {
            out::say(&format!("stepwell: `{tool}` failed: {}", text.block()));
        } else {
            out::result(&text);
        }
        for image in images {
            let size = counted(image.base64.len() / 4 * 3, "byte");
            out::say(&format!(
                "picture {} ({}, {size}); --json has it",
                Untrusted::from(image.name.as_str()).line(),
                image.media_type
            ));
        }
    }
    if let Some(failure) = failure {
        let doubt = if matches!(outcome, CallOutcome::InDoubt(_)) { ". It may have had its effect" } else { "" };
        out::say(&format!("stepwell: {}{doubt}", failed(&failure)));
    }
    for note in notes {
        out::say(&format!("note: {note}"));
    }
    exit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tool::ToolHints;

    fn spec(input: Value) -> ToolSpec {
        ToolSpec { tool: "s/t".into(), description: "".into(), input, output: None, hints: ToolHints::default() }
    }

    #[test]
    fn what_is_typed_becomes_what_the_schema_expects() {
        let spec = spec(json!({"type": "object", "additionalProperties": false, "required": ["path"], "properties": {
            "path": {"type": "string"}, "lines": {"type": "integer"}, "deep": {"type": "boolean"}, "filter": {}}}));
        let typed = |pairs: &[&str]| arguments(&spec, &pairs.iter().map(|pair| (*pair).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            typed(&["path=5", "lines=5", "deep=true", "filter={\"a\": [1]}"]).unwrap(),
            json!({"path": "5", "lines": 5, "deep": true, "filter": {"a": [1]}})
        );
        assert_eq!(
            typed(&["path=a=b", "filter=plain words"]).unwrap(),
            json!({"path": "a=b", "filter": "plain words"})
        );
        for (pairs, says) in [
            (&["path"][..], "NAME=VALUE"),
            (&["path=a", "path=b"], "more than once"),
            (&["lines=5"], "path"),
            (&["path=a", "lines=five"], "it takes path, lines, deep, filter"),
            (&["path=a", "other=1"], "do not fit `s/t`"),
        ] {
            let problem = typed(pairs).unwrap_err();
            assert!(problem.message.contains(says), "{}", problem.message);
        }
    }
}
