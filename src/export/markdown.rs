//! A run as Markdown: text from outside is made visible, and stays the Markdown that it is.

use std::fmt::Write as _;

use serde_json::Value;

use super::{DEMO, ExportError, ExportScope};
use crate::core::call::{Attempt, AttemptStatus, Call, Ending, ToolCallEnd, Turn};
use crate::core::document::Document;
use crate::core::failure::Failure;
use crate::core::model::Role;
use crate::core::run::{NEWER, Run};
use crate::core::template::fence;
use crate::core::text::{Untrusted, visible};
use crate::core::tool::CallReturn;

/// Writes a run.
pub(super) fn write(run: &Run, scope: ExportScope) -> Result<String, ExportError> {
    let mut writer = MarkdownWriter::default();
    match scope {
        ExportScope::Result => {
            let result = super::result(run)?;
            writer.heading(1, &result.title.line());
            writer.text(&result.body.block());
        }
        ExportScope::Steps => {
            writer.heading(1, &visible(&run.title, false));
            for call in run.calls.values() {
                writer.heading(2, &name(call));
                writer.standing(call);
            }
        }
        ExportScope::Log => {
            writer.heading(1, &visible(&run.title, false));
            writer.log(run);
        }
        ExportScope::Full => writer.full(run),
    }
    if run.newer {
        writer.paragraph("---");
        writer.paragraph(&format!("*{NEWER}*"));
    }
    if super::is_demo(run) {
        writer.paragraph("---");
        writer.paragraph(&format!("*{DEMO}*"));
    }
    Ok(writer.0)
}

/// The attempts of a run in the order in which they began.
pub(super) fn in_order(run: &Run) -> Vec<(&Call, &Attempt)> {
    let mut all: Vec<_> =
        run.calls.values().flat_map(|call| call.attempts.iter().map(move |attempt| (call, attempt))).collect();
    all.sort_by_key(|(_, attempt)| attempt.started_at);
    all
}

/// A value as text: a text as it is, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    }
}

fn name(call: &Call) -> String {
    format!("`{}` — {}", call.key, call.status.name().replace('_', " "))
}

/// Markdown in the making: blocks with an empty line between them.
#[derive(Default)]
struct MarkdownWriter(String);

impl MarkdownWriter {
    fn paragraph(&mut self, text: &str) {
        let text = text.trim_matches('\n');
        if text.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn heading(&mut self, level: usize, text: &str) {
        self.paragraph(&format!("{} {}", "#".repeat(level), text.trim()));
    }

    /// Markdown from outside. A fence that it leaves open is closed, so that it does not take in what follows.
    fn text(&mut self, text: &str) {
        let mut open: Option<&str> = None;
        for line in text.lines().map(str::trim_start) {
            let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'));
            let length = mark.map_or(0, |mark| line.chars().take_while(|c| *c == mark).count());
            let (fence, rest) = line.split_at(length);
            open = match open {
                Some(begun) if fence.starts_with(begun) && rest.trim().is_empty() => None,
                None if length >= 3 => Some(fence),
                unchanged => unchanged,
            };
        }
        match open {
            Some(fence) => self.paragraph(&format!("{}\n{fence}", text.trim_end_matches('\n'))),
            None => self.paragraph(text),
        }
    }

    /// A text between fences that it cannot close.
    fn fenced(&mut self, language: &str, text: &str) {
        let fence = fence(text);
        self.paragraph(&format!("{fence}{language}\n{}\n{fence}", text.trim_end_matches('\n')));
    }

    fn value(&mut self, value: &Value) {
        let text = plain(value);
        let shown = visible(&text, true);
        if value.is_string() { self.text(&shown) } else { self.fenced("json", &shown) }
    }

    fn standing(&mut self, call: &Call) {
        if let Some(standing) = &call.standing {
            self.value(&standing.output);
        } else if let Some(ending) = &call.ending {
            self.ending(ending);
        }
    }

    fn ending(&mut self, ending: &Ending) {
        match ending {
            Ending::Failed { failure, .. } => self.failure(failure),
            Ending::Skipped { because, .. } => self.paragraph(&format!("Skipped: {}", visible(because, false))),
        }
    }

    fn failure(&mut self, failure: &Failure) {
        self.paragraph(&format!("Failed ({}): {}", failure.class, visible(&failure.message, false)));
        if let Some(detail) = &failure.detail {
            self.fenced("", &visible(detail, true));
        }
    }

    fn full(&mut self, run: &Run) {
        self.heading(1, &visible(&run.title, false));
        let created = run.created_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        self.paragraph(&format!(
            "Task `{}`, run `{}`, {}, started {created} by {} in `{}`. {} tokens, {:.4} USD.",
            run.task,
            run.id,
            run.seen_status().name(),
            visible(run.by.as_str(), false),
            visible(&run.cwd.to_string_lossy(), false),
            run.usage.tokens(),
            run.usage.usd,
        ));
        if let Some((_, failure)) = &run.error {
            self.failure(failure);
        }
        self.list("Warnings", &run.warnings);
        self.heading(2, "Inputs");
        self.fenced("json", &visible(&format!("{:#}", run.inputs), true));
        if !run.messages.is_empty() {
            self.heading(2, "Conversation");
            for message in &run.messages {
                let who = match message.role {
                    Role::System => "System",
                    Role::User => "You",
                    Role::Assistant => "Model",
                    Role::Tool => "Tools",
                };
                let remark = message.remark(run).map(|remark| format!(" ({remark})")).unwrap_or_default();
                self.paragraph(&format!("**{who}{remark}:**"));
                self.text(&message.text.block());
            }
        }
        if !run.calls.is_empty() {
            self.heading(2, "Calls");
            for call in run.calls.values() {
                self.call(call);
            }
        }
        for document in run.documents.values() {
            self.document(document);
        }
        if let Ok(result) = super::result(run) {
            self.heading(2, "Result");
            self.heading(3, &result.title.line());
            self.text(&result.body.block());
        }
    }

    fn call(&mut self, call: &Call) {
        self.heading(3, &name(call));
        for attempt in &call.attempts {
            let model = attempt.measured.model_in_full().unwrap_or_else(|| attempt.by.to_string());
            let stands = call.standing.as_ref().filter(|standing| standing.attempt == attempt.number);
            self.heading(4, &format!("Attempt {}, {}: {}", attempt.number, visible(&model, false), how(attempt)));
            for turn in attempt.tool_use.iter().flat_map(|used| &used.turns) {
                self.turn(attempt, turn);
            }
            for (number, version) in (1u32..).zip(&attempt.versions) {
                let mark = if stands.is_some_and(|standing| standing.version == number) { ", accepted" } else { "" };
                if attempt.versions.len() > 1 {
                    self.paragraph(&format!("*Version {number} by {}{mark}*", visible(version.by.as_str(), false)));
                }
                self.value(&version.output);
            }
            for aside in attempt.asides() {
                self.paragraph(&format!("*{}:*", cell(aside.heading().data())));
                self.text(&aside.text.block());
            }
            if let Some(problem) = attempt.newest_unfit() {
                self.paragraph(&format!("Problem: {}", visible(problem, false)));
            }
            if let Some(error) = &attempt.error {
                self.failure(error);
            }
            if let Some(instruction) = attempt.instruction.as_ref().filter(|said| !said.text.is_empty()) {
                self.quoted("Instruction", &instruction.text);
            }
        }
        if let Some(Ending::Skipped { .. }) = &call.ending {
            self.standing(call);
        }
    }

    /// A turn that ended in calls of tools: what the model said beside them, and each with all that came of it.
    fn turn(&mut self, attempt: &Attempt, turn: &Turn) {
        self.heading(5, &format!("Turn {}", turn.finished.turn));
        self.text(&turn.finished.text.block());
        for call in &turn.calls {
            let how = match call.end() {
                None => attempt.status_of(call).text().to_owned(),
                Some(ToolCallEnd::Returned(_)) => format!("returned after {} ms", call.ms),
                Some(ToolCallEnd::Denied { by, .. }) => format!("denied by {by}"),
                Some(ToolCallEnd::Answered { by, .. }) => format!("answered by {by}"),
                Some(ToolCallEnd::Skipped { .. }) => "skipped".to_owned(),
            };
            let tool = visible(&call.asked.tool, false);
            self.paragraph(&format!("**Tool call {}: `{tool}`**, {}", call.asked.call, visible(&how, false)));
            self.fenced("json", &visible(&format!("{:#}", call.asked.arguments), true));
            if let Some(changed) = &call.changed {
                self.paragraph("*Arguments changed to:*");
                self.fenced("json", &visible(&format!("{changed:#}"), true));
            }
            match call.returned().as_deref() {
                Some(CallReturn::Returned { output, is_error, .. }) => {
                    if *is_error {
                        self.paragraph("*It says that this is an error:*");
                    }
                    self.value(output);
                }
                Some(CallReturn::Failed { error }) => self.failure(error),
                None => {}
            }
        }
    }

    fn quoted(&mut self, what: &str, text: &str) {
        let text = visible(text, true).replace('\n', "\n> ");
        self.paragraph(&format!("> **{what}:** {text}"));
    }

    fn document(&mut self, document: &Document) {
        self.heading(2, &format!("Document `{}`", visible(&document.name, false)));
        for (number, version) in (1u32..).zip(&document.versions) {
            let by = visible(version.by.as_str(), false);
            self.heading(3, &format!("Version {number} by {by}: {}", version.title.line()));
            self.text(&version.body.block());
        }
    }

    fn list(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.heading(2, title);
        self.paragraph(&lines.iter().map(|line| format!("- {}", visible(line, false))).collect::<Vec<_>>().join("\n"));
    }

    fn log(&mut self, run: &Run) {
        let mut table =
            "| started | call | attempt | by | ended | ms | tokens | USD |\n|---|---|---|---|---|---|---|---|"
                .to_owned();
        for (call, attempt) in in_order(run) {
            let measured = &attempt.measured;
            // Writing to a String cannot fail.
            let _ = write!(
                table,
                "\n| {} | `{}` | {} | {} | {} | {} | {} | {} |",
                attempt.started_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                call.key,
                attempt.number,
                cell(&measured.model_in_full().unwrap_or_else(|| attempt.by.to_string())),
                cell(&how(attempt)),
                measured.ms,
                measured.usage.tokens(),
                measured.usage.usd,
            );
        }
        self.paragraph(&table);
        self.list("Warnings", &run.warnings);
        if !run.log.is_empty() {
            self.heading(2, "Log");
            let lines: Vec<_> = run.log.iter().map(Untrusted::block).collect();
            self.fenced("", &lines.join("\n"));
        }
    }
}

/// How an attempt ended, on one line.
fn how(attempt: &Attempt) -> String {
    match (&attempt.status, &attempt.error) {
        (AttemptStatus::Running, _) => "under way".to_owned(),
        (AttemptStatus::Review, _) => "in review".to_owned(),
        (AttemptStatus::Input, _) => "waits for an answer".to_owned(),
        (AttemptStatus::Accepted, _) => "accepted".to_owned(),
        (AttemptStatus::Rejected, _) => "rejected".to_owned(),
        (AttemptStatus::PassedOver, _) => "passed over".to_owned(),
        (AttemptStatus::Failed, Some(error)) => format!("failed ({})", error.class),
        (AttemptStatus::Failed, None) => "failed".to_owned(),
        (AttemptStatus::Cancelled, _) => "cancelled".to_owned(),
        (AttemptStatus::InDoubt, _) => "in doubt".to_owned(),
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    visible(text, false).replace('|', "\\|")
}
