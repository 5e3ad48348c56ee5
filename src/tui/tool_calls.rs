//! The calls of tools of an attempt, as a person follows them: a line each, and all of what one was called with and returned.
//!
//! What the provider keeps for itself of a turn is never part of it. Everything a model or a tool wrote is made harmless.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::core::call::{Call, ToolCall, ToolCallEnd, ToolCallState, ToolUse, Turn};
use crate::core::gate::{Gate, GateKind};
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::text::{Untrusted, counted};
use crate::core::tool::CallReturn;
use crate::core::tool_call::ToolCallId;
use crate::tui::diff::printed;
use crate::tui::markdown::Document;
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{clock, fit, width};
use crate::tui::theme::Theme;

/// Of a result as much is laid out as a person scrolls through; all of it is in the export.
const MOST_BYTES: usize = 100_000;

/// Said where that was less than all.
const REST: &str = "… the rest is in the export and in `show --json`";

/// Where there is less room than this, the arguments are left out of a line.
const LEAST_ARGUMENTS: usize = 8;

/// Of arguments in short no line has use for more characters.
const MOST_ARGUMENTS: usize = 400;

/// So many cells of them are in a line of a conversation, which is wrapped.
const IN_SHORT: usize = 60;

/// What has become of a call, in a sign and a few words.
struct State {
    sign: &'static str,
    look: Look,
    says: String,
}

/// How that is painted.
#[derive(Clone, Copy)]
enum Look {
    Muted,
    Running,
    Waiting,
    Unsettled,
    Done,
    Failed,
}

impl Look {
    fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Muted => theme.muted,
            Self::Running => theme.running,
            Self::Waiting => theme.waiting,
            Self::Unsettled => theme.unsettled,
            Self::Done => theme.accepted,
            Self::Failed => theme.failed,
        }
    }
}

/// How many turns of an attempt have ended in calls of tools.
pub fn turns_of(run: &Run, key: &Key, attempt: u32) -> usize {
    let used = run.call(key).and_then(|call| call.attempt(attempt)?.tool_use.as_deref());
    used.map_or(0, |used| used.turns.len())
}

/// How many there are, in words: `3 tool calls`.
pub fn in_short(used: &ToolUse) -> Option<String> {
    let count = used.calls().count();
    (count > 0).then(|| counted(count, "tool call"))
}

/// The calls of an attempt, a line each, newest last.
pub fn lines(call: &Call, used: &ToolUse, now: DateTime<Utc>, cells: u16, theme: &Theme) -> Vec<Line<'static>> {
    used.calls().map(|each| line(call, each, now, cells, theme)).collect()
}

/// One call in a line: what has become of it, the tool, what it is called with, how long it took.
pub fn line(call: &Call, each: &ToolCall, now: DateTime<Utc>, cells: u16, theme: &Theme) -> Line<'static> {
    let State { sign, look, says } = state(call, each);
    let style = look.style(theme);
    let time = time(each, now).map(|time| format!(" {time}")).unwrap_or_default();
    let room = usize::from(cells).saturating_sub(3 + width(&time));
    let tool = fit(&named(each), room).into_owned();
    let room = room.saturating_sub(width(&tool));
    // What has become of it counts for more than what it was called with.
    let says = if says.is_empty() { says } else { format!(" · {}", fit(&says, room.saturating_sub(3))) };
    let room = room.saturating_sub(width(&says) + 1);
    let arguments = if room < LEAST_ARGUMENTS { String::new() } else { arguments(each.arguments()) };
    let arguments = if arguments.is_empty() { arguments } else { format!(" {}", fit(&arguments, room)) };
    let used = 3 + width(&tool) + width(&arguments) + width(&says) + width(&time);
    let blank = usize::from(cells).saturating_sub(used);
    Line::from(vec![
        Span::styled(format!(" {sign} "), style),
        Span::styled(tool, theme.text),
        Span::styled(arguments, theme.muted),
        Span::styled(says, style),
        Span::raw(" ".repeat(blank)),
        Span::styled(time, theme.muted),
    ])
}

/// What a call was made with and what came of it, in full.
pub fn unfolded(each: &ToolCall, cells: u16, theme: &Theme) -> Vec<Line<'static>> {
    let room = usize::from(cells).saturating_sub(7).max(1);
    let mut lines = Vec::new();
    for (name, text) in parts(each) {
        lines.push(Line::styled(format!("     {name}"), theme.muted));
        let (start, cut) = beginning(&text);
        for line in start.block().lines().flat_map(|line| wrap_text(line, theme.text, room)) {
            lines.push(Line::from([vec![Span::raw("       ")], line.spans].concat()));
        }
        lines.extend(cut.then(|| Line::styled(format!("     {REST}"), theme.muted)));
    }
    lines
}

/// The turns of an attempt as a text: what the model said in each, and its calls; in full with what each was called with and
/// returned. Nothing in them can leave its block: indented text has no end that could be written in it.
pub fn document(call: &Call, used: &ToolUse, in_full: bool) -> Document {
    let mut all = String::new();
    for turn in &used.turns {
        let said = turn.finished.text.data().trim();
        if !said.is_empty() {
            let parted = if all.is_empty() { "" } else { "\n" };
            all.push_str(parted);
            all.extend(said.lines().map(|line| format!("    {line}\n")));
        }
        calls(call, turn, in_full, &mut all);
    }
    Document::new(&Untrusted::new(all))
}

fn calls(call: &Call, turn: &Turn, in_full: bool, all: &mut String) {
    for each in &turn.calls {
        let State { sign, says, .. } = state(call, each);
        let arguments = if in_full { String::new() } else { fit(&arguments(each.arguments()), IN_SHORT).into_owned() };
        let words = [named(each), arguments, says].into_iter().filter(|word| !word.is_empty());
        let _ = writeln!(all, "    {sign} {}", words.collect::<Vec<_>>().join(" · "));
        for (name, text) in parts(each).into_iter().filter(|_| in_full) {
            let (start, cut) = beginning(&text);
            let _ = writeln!(all, "      {name}");
            all.extend(start.data().lines().map(|line| format!("        {line}\n")));
            all.extend(cut.then(|| format!("      {REST}\n")));
        }
    }
}

/// The tool whose call waits at a gate, as it is shown.
pub fn tool_of(call: &Call, gate: &Gate) -> Option<String> {
    let asked = gate.call.and_then(|id| Some(call.tool_use()?.call(id)?.asked.tool.as_str()));
    let tool = Untrusted::from(asked.or_else(|| gate.tool())?).line().replace('`', "'");
    Some(tool)
}

/// What tells the tool call that waits there from the others of its call that do: its tool; of several calls of one tool
/// also what it is called with, from where that differs.
pub fn told_apart(call: &Call, id: Option<ToolCallId>) -> Option<String> {
    let gate = call.gates.of(id)?;
    let tool = tool_of(call, gate)?;
    let alike = |other: &&Gate| other.call != id && tool_of(call, other).as_ref() == Some(&tool);
    let in_short = |gate: &Gate| gate.arguments().map(arguments);
    let others: Vec<String> = call.gates.iter().filter(alike).filter_map(in_short).collect();
    let Some(own) = in_short(gate).filter(|_| !others.is_empty()) else { return Some(tool) };
    let same = |other: &String| -> usize {
        own.chars().zip(other.chars()).take_while(|(own, other)| own == other).map(|(c, _)| c.len_utf8()).sum()
    };
    let same = others.iter().map(same).max().unwrap_or(0);
    // A word or a name of a file is shown from its beginning.
    let from = own[..same].rfind([' ', '/']).map_or(0, |at| at + 1);
    Some(format!("{tool} {}{}", if from == 0 { "" } else { "…" }, &own[from..]))
}

/// What the model said before the calls of a turn.
pub fn said(turn: &Turn, cells: u16, theme: &Theme) -> Vec<Line<'static>> {
    let text = turn.finished.text.block();
    let lines = text.trim().lines();
    lines.flat_map(|line| wrap_text(line, theme.text, usize::from(cells).max(1))).collect()
}

/// As much of a text as is laid out, and whether that is not all.
fn beginning(text: &Untrusted) -> (Untrusted, bool) {
    let data = text.data();
    match data.char_indices().find(|(at, _)| *at >= MOST_BYTES) {
        Some((end, _)) => (Untrusted::from(&data[..end]), true),
        None => (text.clone(), false),
    }
}

/// What there is to read of a call, each with what it is.
fn parts(each: &ToolCall) -> Vec<(String, Untrusted)> {
    let mut parts = Vec::new();
    let mut part = |name: &str, text: Untrusted| parts.push((name.to_owned(), text));
    if each.changed.is_some() {
        part("the model's arguments", printed(&each.asked.arguments));
        part("arguments, as they were allowed", printed(each.arguments()));
    } else {
        part("arguments", printed(&each.asked.arguments));
    }
    match each.end() {
        Some(ToolCallEnd::Returned(returned)) => match &**returned {
            CallReturn::Returned { output, is_error, images, notes } => {
                part(if *is_error { "error" } else { "result" }, printed(output));
                for image in images {
                    part("picture", Untrusted::new(format!("{}, {}", image.name, image.media_type)));
                }
                for note in notes {
                    part("note", Untrusted::from(note.as_str()));
                }
            }
            CallReturn::Failed { error } => {
                part("error", Untrusted::from(error.message.as_str()));
                if let Some(detail) = &error.detail {
                    part("detail", Untrusted::from(detail.as_str()));
                }
            }
        },
        Some(ToolCallEnd::Answered { value, by }) => part(&format!("answered by {by}"), printed(value)),
        Some(ToolCallEnd::Denied { error, by }) => {
            part(&format!("denied by {by}; the model reads"), Untrusted::from(error.message.as_str()));
        }
        Some(ToolCallEnd::Skipped { because }) => part("skipped", Untrusted::from(because.as_str())),
        None => {}
    }
    parts
}

fn state(call: &Call, each: &ToolCall) -> State {
    let of = |sign, look, says: &str| State { sign, look, says: says.to_owned() };
    if let Some(kind) = call.gates.of(Some(each.asked.call)).map(Gate::kind) {
        let says = match kind {
            GateKind::InDoubt => "in doubt: it may have had its effect",
            GateKind::Input => "asks you",
            _ => "waiting for you",
        };
        return of("●", Look::Waiting, says);
    }
    let edited = if each.changed.is_some() { "edited" } else { "" };
    match &each.state {
        ToolCallState::Asked => of("·", Look::Muted, ""),
        ToolCallState::Allowed => of("·", Look::Muted, "allowed"),
        ToolCallState::Called => of("◐", Look::Running, edited),
        ToolCallState::InDoubt => of("?", Look::Unsettled, "in doubt"),
        ToolCallState::Ended(end) => match end {
            ToolCallEnd::Returned(returned) => match &**returned {
                CallReturn::Returned { is_error: false, .. } => of("✓", Look::Done, edited),
                CallReturn::Returned { .. } => of("✗", Look::Failed, "error"),
                CallReturn::Failed { error } => of("✗", Look::Failed, &Untrusted::from(error.message.as_str()).line()),
            },
            ToolCallEnd::Denied { error, .. } => {
                of("⊘", Look::Muted, &Untrusted::new(format!("denied: {}", error.message)).line())
            }
            ToolCallEnd::Answered { .. } => of("✓", Look::Done, "answered by hand"),
            ToolCallEnd::Skipped { .. } => of("–", Look::Muted, "skipped"),
        },
    }
}

/// How long it took; of one under way, so far.
fn time(each: &ToolCall, now: DateTime<Utc>) -> Option<String> {
    if matches!(each.state, ToolCallState::Called) {
        let so_far = each.began_at.map(|began| now - began)?;
        return Some(clock(u64::try_from(so_far.num_milliseconds()).unwrap_or(0)));
    }
    match each.ms {
        0 => None,
        ms if ms < 10_000 => {
            let tenths = ((ms + 50) / 100).max(1);
            Some(format!("{}.{} s", tenths / 10, tenths % 10))
        }
        ms => Some(clock(ms)),
    }
}

fn named(each: &ToolCall) -> String {
    Untrusted::from(each.asked.tool.as_str()).line().into_owned()
}

/// Arguments in short: `path: notes.md, head: 20`.
fn arguments(arguments: &Value) -> String {
    let short = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = match arguments {
        Value::Object(fields) => {
            let each: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", short(value))).collect();
            each.join(", ")
        }
        other => short(other),
    };
    let start: String = text.chars().take(MOST_ARGUMENTS).collect();
    Untrusted::new(start).line().into_owned()
}
