//! What a run waits for, in words, each with the exact command that answers it, quoted for a shell.

use super::out::Put as _;
use serde_json::{Map, Value, json};

use super::out::quoted;
use super::policy::fields;
use crate::core::form::{Field, FieldType};
use crate::core::gate::{Answer, Gate, GateFor};
use crate::core::run::Run;
use crate::core::task::Kind;
use crate::core::text::{Untrusted, visible};
use crate::core::usage::{Budget, Usage};

/// The checks that the output of a review fails.
#[must_use]
pub fn failed(gate: &Gate) -> Vec<String> {
    let checks = gate.shows.get("failed").and_then(Value::as_array);
    checks.map(|all| all.iter().filter_map(|check| check.as_str().map(str::to_owned)).collect()).unwrap_or_default()
}

/// Everything that a run waits for. Harmless on a terminal.
#[must_use]
pub fn told(run: &Run) -> String {
    let mut text = format!("run {} waits: {}\n", run.id.short(), visible(&run.title, false));
    for gate in run.waiting() {
        text.put(format_args!("\n  {}: {}\n", gate.key, visible(&about(run, gate), true).replace('\n', "\n  ")));
        let (first, others) = commands(run, gate);
        text.put(format_args!("    {first}\n"));
        if !others.is_empty() {
            text.put(format_args!("    (or instead: {})\n", others.join(", ")));
        }
    }
    text.put(format_args!("\n  to see all of it: stepwell show {}\n", run.id.short()));
    text
}

/// What a gate is about. It may hold words from outside.
#[must_use]
pub fn about(run: &Run, gate: &Gate) -> String {
    let shows = |name: &str| gate.shows.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match gate.kind {
        GateFor::Review => {
            let mut text =
                format!("its output waits for a review (attempt {}, version {})", gate.attempt, gate.version);
            if gate.version == 0 {
                text = format!("attempt {} was broken off before it had an output", gate.attempt);
            } else if gate.shows.get("cancelled").is_some() {
                text.push_str("; it was broken off");
            }
            for check in failed(gate) {
                text.put(format_args!("\n  does not hold: {check}"));
            }
            if gate.shows.get("problem").is_some() {
                text.put(format_args!("\n  it cannot be accepted as it is: {}", shows("problem")));
            }
            text
        }
        GateFor::Approval => {
            let work = gate.shows.get("work").unwrap_or(&Value::Null);
            format!("may it do this?\n{}", indented(&super::line::work_told(work, &run.cwd)))
        }
        GateFor::Input if run.kind == Kind::Instruct => {
            let asked = shows("text");
            if asked.is_empty() { "the next message".to_owned() } else { format!("it asks\n{}", indented(&asked)) }
        }
        GateFor::Input => {
            let wanted = fields(gate);
            let names: Vec<&str> = wanted.iter().map(Field::question).collect();
            let above = shows("text");
            let above = if above.is_empty() { above } else { format!("\n{}", indented(&above)) };
            format!("a form to fill in: {}{above}", names.join(", "))
        }
        GateFor::InDoubt => {
            let mut text = format!("nobody knows whether it had its effect: {}", shows("why"));
            let written = shows("partial");
            if !written.is_empty() {
                text.put(format_args!("\nbefore that it had written\n{}", indented(&last_lines(&written))));
            }
            text
        }
        GateFor::Stale => {
            let because = run.call(&gate.key).and_then(|call| call.stale.as_ref());
            let because =
                because.map(|stale| stale.because.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
            format!("it was made from something that changed ({})", because.unwrap_or_default())
        }
        GateFor::Budget => over_budget(gate),
        GateFor::Secret => format!("the secret `{}` has to be typed; it is kept in this process only", shows("name")),
    }
}

/// Which limit the next call could pass, and what has been used of it.
fn over_budget(gate: &Gate) -> String {
    let shown = |name: &str| gate.shows.get(name).cloned().unwrap_or_default();
    let usage = |name| serde_json::from_value::<Usage>(shown(name)).unwrap_or_default();
    let budget: Budget = serde_json::from_value(shown("budget")).unwrap_or_default();
    let (spent, mut wanted) = (usage("spent"), usage("next"));
    wanted += spent;
    let kept = budget.kept_by(wanted);
    let money = budget.usd.map(|limit| format!("${limit:.2} (spent so far: ${:.2})", spent.usd));
    let tokens = budget.tokens.map(|limit| {
        format!("{limit} tokens (used so far: {}; --budget USD sets a limit of money in its place)", spent.tokens())
    });
    // Calls under way may be what holds it up: then the next one alone would pass neither.
    let limit = match (kept.usd.is_none(), kept.tokens.is_none()) {
        (false, true) => tokens.or(money),
        _ => money.or(tokens),
    };
    format!("the next call could pass the budget of {}", limit.unwrap_or_default())
}

/// The last few lines.
fn last_lines(text: &str) -> String {
    const LINES: usize = 10;
    let lines: Vec<&str> = text.lines().collect();
    match lines.len().checked_sub(LINES) {
        Some(hidden @ 1..) => format!("…\n{}", lines[hidden..].join("\n")),
        _ => lines.join("\n"),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The command that answers a gate, and the flags of the other answers.
fn commands(run: &Run, gate: &Gate) -> (String, Vec<String>) {
    let review = format!("stepwell review {} {}", run.id.short(), quoted(&gate.key.to_string()));
    let flag = |answer: Answer| match answer {
        Answer::Accept | Answer::Skip | Answer::Approve | Answer::Again | Answer::Keep => {
            format!("--{}", answer.name())
        }
        Answer::Edit => "--edit FILE".to_owned(),
        Answer::Retry => "--retry 'what to change'".to_owned(),
        Answer::Deny => "--deny 'why'".to_owned(),
        Answer::Answer => format!("--answer {}", quoted(&example(run, gate).to_string())),
        Answer::Budget => format!("--budget {:.2}", next_budget(gate)),
    };
    let mut flags = gate.allowed.iter().map(|answer| (*answer, flag(*answer))).collect::<Vec<_>>();
    // What a person has to bring along cannot be the command that works as it stands.
    let first = flags.iter().position(|(answer, _)| !matches!(answer, Answer::Edit)).unwrap_or_default();
    if flags.is_empty() {
        return (review, Vec::new());
    }
    let (_, chosen) = flags.remove(first);
    (format!("{review} {chosen}"), flags.into_iter().map(|(_, flag)| flag).collect())
}

/// An answer of the right shape, with the defaults put in.
fn example(run: &Run, gate: &Gate) -> Value {
    if run.kind == Kind::Instruct && gate.kind == GateFor::Input {
        return json!("what you want to say");
    }
    if gate.kind == GateFor::Secret {
        return json!("the secret");
    }
    let fields = fields(gate);
    if fields.is_empty() {
        return json!("the result");
    }
    Value::Object(fields.iter().map(|field| (field.name.clone(), value_for(field))).collect::<Map<_, _>>())
}

fn value_for(field: &Field) -> Value {
    if let Some(default) = &field.default {
        return default.clone();
    }
    if !field.required {
        return Value::Null;
    }
    match field.kind {
        FieldType::Integer | FieldType::Number => field.min.map_or(json!(1), |min| {
            if min.fract() == 0.0 { serde_json::from_str(&format!("{min:.0}")).unwrap_or(json!(1)) } else { json!(min) }
        }),
        FieldType::Boolean => json!(true),
        FieldType::Choice => json!(field.choices.first()),
        FieldType::Choices => json!([field.choices.first()]),
        FieldType::Date => json!("2026-12-31"),
        FieldType::Secret => json!("env:NAME"),
        _ => json!(field.placeholder.as_deref().unwrap_or("…")),
    }
}

fn next_budget(gate: &Gate) -> f64 {
    let usd = |name: &str| gate.shows.get(name).and_then(|part| part.get("usd")).and_then(Value::as_f64).unwrap_or(0.0);
    (usd("budget").max(usd("spent") + usd("next")) * 2.0).max(1.0)
}

/// A line about the newest output of what waits, for the end of a `review` that stops again.
#[must_use]
pub fn output_of(run: &Run, gate: &Gate) -> Option<Untrusted> {
    let version = gate.version.checked_sub(1)? as usize;
    let attempt = run.call(&gate.key)?.attempt(gate.attempt)?;
    Some(crate::core::text::output_text(&attempt.versions.get(version)?.output))
}
