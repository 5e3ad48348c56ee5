//! Tools of the author's own: a program, which is run as a command is, and an expression over the arguments.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{ToolCall, Toolbox};
use crate::core::failure::{Failure, FailureClass};
use crate::core::key::Segment;
use crate::core::model::Asker;
use crate::core::ports::{AttemptContext, AttemptOutcome, AttemptRequest, CallOutcome};
use crate::core::secret::SecretRef;
use crate::core::step::{Command, Parse, Speaks, Timespan};
use crate::core::template::{Expr, from_json};
use crate::core::tool::{ARGS, CallReturn, OwnTool, OwnWork};
use crate::core::work::{CommandWork, OwnFile, Work, secret_marker};
use crate::steps::command;

pub(super) async fn call(tools: &Toolbox, own: &OwnTool, call: &ToolCall, context: &AttemptContext) -> CallOutcome {
    match &own.does {
        OwnWork::Program { .. } => program(tools, &own.does, call, context).await,
        OwnWork::Expr(expr) => {
            let (expr, tool, arguments) = (expr.clone(), call.tool.clone(), call.arguments.clone());
            let computed = tokio::task::spawn_blocking(move || {
                let names = minijinja::Value::from_pairs([(ARGS, from_json(&arguments))]);
                Expr::parse(&expr).and_then(|expr| expr.eval_json(&names)).map_err(|error| error.message)
            });
            let computed = computed.await.unwrap_or_else(|error| Err(error.to_string()));
            CallOutcome::Known(match computed {
                Ok(output) => returned(output, Vec::new()),
                Err(why) => CallReturn::Failed {
                    error: Failure::new(FailureClass::Tool, format!("the tool `{tool}` failed to evaluate: {why}")),
                },
            })
        }
    }
}

fn returned(output: Value, notes: Vec<String>) -> CallReturn {
    CallReturn::Returned { output: Arc::new(output), is_error: false, images: Vec::new(), notes }
}

/// Runs a program with the arguments as JSON on its stdin. Nothing that a model wrote can name a secret: they are marked by
/// a word that is made up for this call.
async fn program(tools: &Toolbox, does: &OwnWork, call: &ToolCall, context: &AttemptContext) -> CallOutcome {
    let nonce = Uuid::now_v7().simple().to_string();
    let (work, secrets) = command(does, &call.arguments, &nonce);
    let part: String = call.spool_name.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let request = AttemptRequest {
        run: call.run,
        // Calls of one attempt run at the same time, and each spools what it writes.
        key: call.key.child(Segment::plain(format!("tool_{}", part.replace('.', "_")))),
        attempt: call.attempt,
        work: Arc::new(Work::Command(work.clone())),
        timeout: call.timeout.map(Timespan::duration),
        longest_wait: None,
        asker: Asker::default(),
        cwd: call.scope.cwd.clone(),
        files: call.files.clone(),
        nonce,
        secrets,
        declared: Arc::clone(&call.scope.declared),
        transcript: None,
    };
    match command::perform(&tools.secrets, &tools.environment, &work, &request, context).await {
        AttemptOutcome::Done { output, measured, .. } => CallOutcome::Known(returned(output, measured.notes)),
        AttemptOutcome::Failed { failure, in_doubt: true, .. } => CallOutcome::InDoubt(of_tool(failure, call)),
        AttemptOutcome::Failed { failure, partial, .. } => {
            let mut error = of_tool(failure, call);
            if error.detail.is_none() && !partial.data().trim().is_empty() {
                error.detail = Some(partial.data().trim().to_owned());
            }
            CallOutcome::Known(CallReturn::Failed { error })
        }
        AttemptOutcome::Cancelled { in_doubt, .. } => CallOutcome::Cancelled { in_doubt },
        AttemptOutcome::Turn(_) => {
            let error = Failure::new(FailureClass::Tool, "a program calls no tools");
            CallOutcome::Known(CallReturn::Failed { error })
        }
    }
}

/// The command that a program is, and the secrets that its environment refers to.
fn command(does: &OwnWork, arguments: &Value, nonce: &str) -> (CommandWork, Vec<(String, SecretRef)>) {
    let OwnWork::Program { argv, env, cwd, files } = does else { return (CommandWork::default(), Vec::new()) };
    let own_file = |(element, arg): (usize, &String)| {
        let name = Command::file(arg)?;
        Some(OwnFile { element, name: name.to_owned(), hash: files.get(name)?.clone() })
    };
    let mut secrets = Vec::new();
    let mut value = |name: &String, value: &String| match value.parse::<SecretRef>() {
        Ok(reference @ (SecretRef::Env(_) | SecretRef::Command(_))) => {
            secrets.push((name.clone(), reference));
            secret_marker(nonce, name)
        }
        _ => value.clone(),
    };
    let asks = env.get(Command::ASKS).is_some_and(|said| said != "0");
    let work = CommandWork {
        argv: argv.clone(),
        cwd: cwd.clone(),
        env: env.iter().map(|(name, given)| (name.clone(), value(name, given))).collect(),
        stdin: arguments.to_string(),
        parse: Parse::Text,
        // One JSON value counts as that, anything else as the text that it is: what this schema does not take is no mistake.
        schema: Some(json!({ "not": { "type": "string" } })),
        asks,
        speaks: Some(if asks { Speaks::Stepwell } else { Speaks::Nothing }),
        files: argv.iter().enumerate().filter_map(own_file).collect(),
        ..CommandWork::default()
    };
    (work, secrets)
}

/// A failure in the words of a tool: there is no step to look at.
fn of_tool(mut failure: Failure, call: &ToolCall) -> Failure {
    let tool = &call.tool;
    match failure.class {
        FailureClass::Timeout => {
            let limit = call.timeout.unwrap_or_default().duration();
            failure.message = format!("the tool `{tool}` took longer than {limit:?}; its `timeout` may be raised");
        }
        FailureClass::Command => {
            failure.class = FailureClass::Tool;
            failure.message = format!("the tool `{tool}`: {}", failure.message);
        }
        _ => failure.message = format!("the tool `{tool}`: {}", failure.message),
    }
    failure
}
