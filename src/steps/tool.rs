//! Tools: listed for a model, called for it, and called by steps of the kind `tool`.
//!
//! A tool of the author's own, which the definition or the config declares, is done here ([`own`]); a server's is handed on
//! to [`ToolServers`]. What a call came to is known, or in doubt, and never guessed; values of secrets are taken out of
//! what comes back, whoever gave it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::markers::{self, Filler};
use super::{Interruption, deadline, failed, prepared};
use crate::core::diagnostic::did_you_mean;
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::id::RunId;
use crate::core::kept_files::KeptFiles;
use crate::core::key::Key;
use crate::core::model::Image;
use crate::core::ports::{
    AttemptContext, AttemptOutcome, AttemptRequest, CallOutcome, Secrets, ServerCall, ServerTools, ToolCallRequest,
    ToolScope, ToolServers,
};
use crate::core::schema::Schema;
use crate::core::step::Timespan;
use crate::core::text::Untrusted;
use crate::core::tool::{
    CallReturn, DeclaredTool, DeclaredTools, OfferedTools, OwnTool, Pattern, ToolRules, ToolSpec, server_of,
};

mod own;

/// What calls of tools are made with.
#[derive(Clone)]
pub struct Toolbox {
    /// Servers, if there are any.
    pub servers: Option<Arc<dyn ToolServers>>,
    /// What the config declares: the person's own tools for every definition.
    pub config: Arc<DeclaredTools>,
    pub secrets: Arc<dyn Secrets>,
    /// The clean environment of what is started.
    pub environment: Arc<BTreeMap<String, String>>,
}

/// One call of a tool. Secrets are filled in.
struct ToolCall {
    run: RunId,
    key: Key,
    attempt: u32,
    tool: String,
    arguments: Value,
    scope: ToolScope,
    files: KeptFiles,
    timeout: Option<Timespan>,
    /// Under which name the whole of a large result is spooled.
    spool_name: String,
}

impl Toolbox {
    /// The author's own tool of that name: the definition's, or the config's.
    pub(super) fn own<'a>(&'a self, tool: &str, given: Option<&'a OwnTool>) -> Option<&'a OwnTool> {
        given.or_else(|| match self.config.get(tool) {
            Some(DeclaredTool::Own(own)) => Some(own),
            _ => None,
        })
    }

    /// What governs the calls of a tool.
    pub fn rules(&self, scope: &ToolScope, tool: &str, own: Option<&OwnTool>) -> ToolRules {
        match (self.own(tool, own), &self.servers) {
            (Some(own), _) => own.rules(),
            (None, Some(servers)) => servers.rules(scope, tool),
            (None, None) => ToolRules::default(),
        }
    }

    /// The tools that a prompt offers: the author's own, then those of each server.
    ///
    /// # Errors
    /// A server does not answer, or a pattern names no tool that there is.
    pub async fn list(&self, scope: ToolScope, offered: OfferedTools) -> Result<Vec<ToolSpec>, Failure> {
        let patterns: Vec<Pattern> = offered.patterns.iter().cloned().map(Pattern).collect();
        let of_config = self.config.iter().filter_map(|(name, tool)| match tool {
            DeclaredTool::Own(own) if !offered.own.contains_key(name) => Some((name, own)),
            _ => None,
        });
        let mut there: Vec<ToolSpec> = offered.own.iter().chain(of_config).map(|(name, own)| own.spec(name)).collect();
        let mut notes = Vec::new();
        if let Some(servers) = &self.servers {
            let named = servers.servers(&scope).into_iter();
            let named = named.filter(|server| patterns.iter().any(|pattern| reaches(pattern, server)));
            // Each may take its time to start.
            for listed in try_join_all(named.map(|server| servers.list(scope.clone(), server))).await? {
                there.extend(listed.tools);
                notes.extend(listed.notes);
            }
        }
        for pattern in &patterns {
            if !there.iter().any(|spec| pattern.matches(&spec.tool)) {
                return Err(self.no_tool(&scope, &pattern.0, &there, &notes));
            }
        }
        there.retain(|spec| patterns.iter().any(|pattern| pattern.matches(&spec.tool)));
        Ok(there)
    }

    /// What is said of a tool, or a pattern over tools, that there is not. `notes`: why servers have left some out.
    fn no_tool(&self, scope: &ToolScope, named: &str, there: &[ToolSpec], notes: &[String]) -> Failure {
        if let Some(left_out) = notes.iter().find(|note| note.contains(&format!("`{named}`"))) {
            return Failure::new(FailureClass::Tool, left_out.as_str());
        }
        let servers = self.servers.as_ref().map(|servers| servers.servers(scope)).unwrap_or_default();
        let message = match server_of(named) {
            Some(server) if !server.contains('*') && !servers.iter().any(|known| known == server) => {
                let hint = did_you_mean(server, servers.iter().map(String::as_str));
                format!(
                    "there is no server `{server}` for the tool `{named}`{hint}; declare it in the config, `[tools.{server}]`"
                )
            }
            _ => {
                let hint = did_you_mean(named, there.iter().map(|spec| spec.tool.as_str()));
                format!("`{named}` names no tool{hint}")
            }
        };
        Failure::new(FailureClass::Tool, message)
    }

    /// Calls a tool that a model asked for, to its end.
    pub async fn call_for_model(&self, request: ToolCallRequest, context: AttemptContext) -> CallOutcome {
        let spool_name = format!(
            "{}.{}.{}.tool",
            super::command::file_name(&request.key.to_string()),
            request.attempt,
            request.call
        );
        let call = ToolCall {
            run: request.run,
            key: request.key,
            attempt: request.attempt,
            arguments: (*request.arguments).clone(),
            scope: request.scope,
            files: request.files,
            timeout: request.timeout,
            tool: request.tool,
            spool_name,
        };
        self.call(call, request.own.as_ref(), &context).await
    }

    async fn call(&self, call: ToolCall, own: Option<&OwnTool>, context: &AttemptContext) -> CallOutcome {
        if context.cancel.is_cancelled() {
            return CallOutcome::Cancelled { in_doubt: false };
        }
        let outcome = match (self.own(&call.tool, own), &self.servers) {
            (Some(own), _) => own::call(self, own, &call, context).await,
            (None, Some(servers)) if server_of(&call.tool).is_some() => {
                let ToolCall { run, tool, arguments, scope, timeout, spool_name, .. } = call;
                let call = ServerCall { scope, tool, arguments, timeout, run, spool_name };
                servers.call(call, context.clone()).await
            }
            (None, _) => {
                CallOutcome::Known(CallReturn::Failed { error: self.no_tool(&call.scope, &call.tool, &[], &[]) })
            }
        };
        markers::redacted_call(outcome, &self.secrets.redactor())
    }

    /// A step that calls a tool.
    pub async fn perform(
        &self,
        (tool, args, own, schema): (&str, &Value, Option<&OwnTool>, Option<&Value>),
        attempt: &AttemptRequest,
        context: &AttemptContext,
    ) -> AttemptOutcome {
        let scope = ToolScope { cwd: attempt.cwd.clone(), declared: Arc::clone(&attempt.declared) };
        let preparing = async {
            let text = args.to_string();
            let filler = Filler::resolve(&self.secrets, attempt, &[&text]).await?;
            let arguments = filler.fill_json(args.clone());
            let spec = self.spec(&scope, tool, own).await?;
            fits(&spec, &arguments)?;
            Ok(arguments)
        };
        let deadline = deadline(attempt.timeout);
        let arguments = match prepared(attempt, context, deadline, preparing).await {
            Ok(arguments) => arguments,
            Err(outcome) => return outcome,
        };
        let millis = |left: Duration| Timespan(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        // What preparing took is a part of the step's time.
        let of_step = deadline.map(|deadline| millis(deadline.saturating_duration_since(Instant::now())));
        let of_tool = self.rules(&scope, tool, own).timeout;
        let timeout = of_step.into_iter().chain(of_tool).min_by_key(|span| span.0);
        let step_is_over = of_step.is_some_and(|of_step| Some(of_step) == timeout);
        let call = ToolCall {
            run: attempt.run,
            key: attempt.key.clone(),
            attempt: attempt.attempt,
            tool: tool.to_owned(),
            arguments,
            scope,
            files: attempt.files.clone(),
            timeout,
            spool_name: format!("{}.{}.tool", super::command::file_name(&attempt.key.to_string()), attempt.attempt),
        };
        match self.call(call, own, context).await {
            CallOutcome::Known(CallReturn::Returned { output, is_error: true, notes, .. }) => {
                let measured = Measured { notes, ..Measured::default() };
                let (failure, partial) = (says_failed(tool, &output), Untrusted::default());
                AttemptOutcome::Failed { failure, partial, in_doubt: false, measured }
            }
            CallOutcome::Known(CallReturn::Returned { output, images, notes, .. }) => {
                let output = with_pictures((*output).clone(), &images);
                // It has had its effect, so what does not fit is left to a person.
                let judge = |schema: &Value| match Schema::compile(schema) {
                    Ok(schema) => schema.judge(&output).err(),
                    Err(problem) => Some(format!("the step's `output`: {problem}")),
                };
                let problem = schema.and_then(judge);
                AttemptOutcome::Done { output, problem, measured: Measured { notes, ..Measured::default() } }
            }
            CallOutcome::Known(CallReturn::Failed { error }) => failed(error),
            CallOutcome::InDoubt(failure) if failure.class == FailureClass::Timeout && step_is_over => {
                Interruption::TimedOut.outcome(attempt, Untrusted::default(), true, Measured::default())
            }
            CallOutcome::InDoubt(failure) => {
                let (partial, measured) = (Untrusted::default(), Measured::default());
                AttemptOutcome::Failed { failure, partial, in_doubt: true, measured }
            }
            CallOutcome::Cancelled { in_doubt } => {
                let (partial, measured) = (Untrusted::default(), Measured::default());
                AttemptOutcome::Cancelled { partial, in_doubt, measured }
            }
        }
    }

    /// A tool as it is offered now.
    async fn spec(&self, scope: &ToolScope, tool: &str, own: Option<&OwnTool>) -> Result<ToolSpec, Failure> {
        if let Some(own) = self.own(tool, own) {
            return Ok(own.spec(tool));
        }
        let (Some(servers), Some(server)) = (&self.servers, server_of(tool)) else {
            return Err(self.no_tool(scope, tool, &[], &[]));
        };
        let ServerTools { tools, notes } = servers.list(scope.clone(), server.to_owned()).await?;
        let found = tools.iter().find(|spec| spec.tool == tool).cloned();
        found.ok_or_else(|| self.no_tool(scope, tool, &tools, &notes))
    }
}

/// Whether a pattern may name a tool of a server.
fn reaches(pattern: &Pattern, server: &str) -> bool {
    match pattern.0.split_once('/') {
        Some((of_server, _)) => Pattern(of_server.to_owned()).matches(server),
        // A star reaches over the name of a server.
        None => pattern.0.split_once('*').is_some_and(|(before, _)| format!("{server}/").starts_with(before)),
    }
}

fn fits(spec: &ToolSpec, arguments: &Value) -> Result<(), Failure> {
    Schema::compile(&spec.input).and_then(|schema| schema.judge(arguments)).map_err(|problem| {
        let message = format!("the arguments do not fit what the tool `{}` takes: {problem}", spec.tool);
        Failure::new(FailureClass::Tool, message)
    })
}

/// The failure that a tool itself speaks of.
fn says_failed(tool: &str, output: &Value) -> Failure {
    let said = match output {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let said = said.trim();
    let failed = |message| Failure::new(FailureClass::Tool, message);
    match said {
        "" => failed(format!("the tool `{tool}` failed without a message")),
        line if line.len() <= 200 && !line.contains('\n') => failed(format!("the tool `{tool}` failed: {line}")),
        text => failed(format!("the tool `{tool}` failed")).with_detail(text),
    }
}

/// The output of a step, with the pictures that came along: where there are some it is an object.
fn with_pictures(output: Value, images: &[Image]) -> Value {
    if images.is_empty() {
        return output;
    }
    let images = json!(images);
    match output {
        Value::Object(mut fields) if !fields.contains_key("images") => {
            fields.insert("images".to_owned(), images);
            Value::Object(fields)
        }
        Value::String(text) => json!({ "text": text, "images": images }),
        value => Value::Object(Map::from_iter([("value".to_owned(), value), ("images".to_owned(), images)])),
    }
}
