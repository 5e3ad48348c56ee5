//! What a run waits for, in words, each with the exact command that answers it, quoted for a shell.

use super::out::Put as _;
use serde_json::{Map, Value, json};

use super::out::quoted;
use crate::core::description::Description;
use crate::core::document::Document;
use crate::core::failure::FailureClass;
use crate::core::form::{Bound, Field, FieldType};
use crate::core::gate::{Answer, BudgetBody, Gate, GateBody, ToolChange};
use crate::core::run::Run;
use crate::core::task::Kind;
use crate::core::text::{Untrusted, visible};
use crate::core::tool::ToolSpec;
use crate::core::work::Work;

/// Everything that a run waits for. Harmless on a terminal.
#[must_use]
pub fn render(run: &Run) -> String {
    let mut text = format!("run {} waits: {}\n", run.id.short(), visible(&run.title, false));
    for gate in run.waiting() {
        text.put(format_args!("\n  {}: {}\n", gate.name(), visible(&about(run, gate), true).replace('\n', "\n  ")));
        if gate.document().is_some() {
            text.put(format_args!("    {}\n", compared(run, gate)));
        }
        if let Some(due) = due(run, gate) {
            text.put(format_args!("    {due}\n"));
        }
        let (first, others) = commands(run, gate);
        text.put(format_args!("    {first}\n"));
        if !others.is_empty() {
            text.put(format_args!("    (or instead: {})\n", others.join(", ")));
        }
    }
    text.put(format_args!("\n  to see all of it: stepwell show {}\n", run.id.short()));
    text
}

/// Until when a gate waits, and what will be done then.
#[must_use]
pub fn due(run: &Run, gate: &Gate) -> Option<String> {
    run.due(gate).map(|due| due.words(chrono::Utc::now(), &chrono::Local))
}

/// What a gate is about. It may hold words from outside.
#[must_use]
pub fn about(run: &Run, gate: &Gate) -> String {
    match &gate.body {
        GateBody::Review(review) => {
            let mut text =
                format!("its output waits for a review (attempt {}, version {})", gate.attempt, gate.version);
            if gate.version == 0 {
                text = format!("attempt {} was stopped before it produced any output", gate.attempt);
            } else if review.cancelled {
                text.push_str("; it was stopped");
            }
            if review.cut {
                text.push_str("; the limit of tokens cut it");
            }
            for check in &review.failed {
                text.put(format_args!("\n  check failed: {check}"));
            }
            if let Some(problem) = &review.problem {
                text.put(format_args!("\n  it cannot be accepted as it is: {problem}"));
            }
            text
        }
        GateBody::Approval(approval) if gate.call.is_some() => {
            let what = Description::of_approval(approval, run);
            format!("its model asks to call a tool; approve this call?\n{}", indented(what.text().data()))
        }
        GateBody::Approval(approval) => {
            format!("approve this action?\n{}", indented(Description::of_approval(approval, run).text().data()))
        }
        GateBody::Input(input) if run.kind == Kind::Instruct => {
            let asked = input.text();
            if asked.is_empty() { "the next message".to_owned() } else { format!("it asks\n{}", indented(asked)) }
        }
        GateBody::Input(input) => {
            let names: Vec<&str> = input.fields().unwrap_or_default().iter().map(Field::question).collect();
            let above = input.text();
            let above = if above.is_empty() { String::new() } else { format!("\n{}", indented(above)) };
            format!("a form to fill in: {}{above}", names.join(", "))
        }
        GateBody::InDoubt(doubt) => {
            let mut text = format!("outcome unknown, it may have taken effect: {}", doubt.why);
            if !doubt.partial.is_empty() {
                let written = last_lines(doubt.partial.data());
                text.put(format_args!("\nbefore that it had written\n{}", indented(&written)));
            }
            text
        }
        GateBody::Stale(stale) if gate.document().is_some() => {
            let changed: Vec<String> = stale.because.iter().map(ToString::to_string).collect();
            let changed = if changed.is_empty() { String::new() } else { format!(" ({} changed)", changed.join(", ")) };
            let (mine, theirs) = (mine(run, gate), gate.version);
            format!("you edited it (version {mine}), and its steps give another text now{changed}: version {theirs}")
        }
        GateBody::Stale(_) => {
            let because = run.call(&gate.key).and_then(|call| call.stale.as_ref());
            let because =
                because.map(|stale| stale.because.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
            format!("it was made from something that changed ({})", because.unwrap_or_default())
        }
        GateBody::Budget(budget) => over_budget(budget),
        GateBody::Tools(tools) => {
            let changes = tools.changes().map(|(tool, change)| match change {
                ToolChange::New => format!("{tool} is new"),
                ToolChange::Changed => format!("{tool} changed"),
                ToolChange::Gone => format!("{tool} is gone"),
            });
            let changes: Vec<String> = changes.collect();
            let said = |tool: &ToolSpec| serde_json::to_string_pretty(tool).unwrap_or_default();
            let each = |what: &str, tools: &[ToolSpec]| {
                let all = tools.iter().flat_map(|tool| ["\n".to_owned(), indented(&said(tool))]).collect::<String>();
                if all.is_empty() { all } else { format!("\n{what}{all}") }
            };
            format!(
                "the server's tools changed since this run last used them: {}{}{}",
                changes.join(", "),
                each("before:", &tools.before),
                each("now:", &tools.after)
            )
        }
        GateBody::Secret(secret) => {
            format!("the secret `{}` has to be typed; it is kept in this process only", secret.name)
        }
    }
}

/// The version of a document that a person has edited and that counts while another is proposed.
fn mine(run: &Run, gate: &Gate) -> u32 {
    let document = gate.document().and_then(|name| run.documents.get(name));
    document.and_then(Document::current).map_or(0, |(number, _)| number)
}

/// The command that compares a person's edit of a document with what is proposed.
#[must_use]
pub fn compared(run: &Run, gate: &Gate) -> String {
    let (short, name) = (run.id.short(), gate.document().unwrap_or_default());
    let named = |version: u32| quoted(&format!("{short}:{name}#{version}"));
    format!("(to compare them: stepwell diff {} {})", named(mine(run, gate)), named(gate.version))
}

/// Which limit the next call could pass, and what has been used of it.
fn over_budget(asked: &BudgetBody) -> String {
    let BudgetBody { spent, budget, .. } = asked;
    let kept = budget.kept_by(asked.needed());
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

/// What can be done about a run that failed, a command a line.
#[must_use]
pub fn after_failure(run: &Run) -> String {
    let short = run.id.short();
    let mut text = format!("take it up again: stepwell resume {short}\n");
    let Some((Some(key), error)) = &run.error else { return text };
    let Some(call) = run.call(key) else { return text };
    let review = format!("stepwell review {short} {}", quoted(&key.to_string()));
    let asked = call.newest().and_then(|attempt| attempt.work.as_deref());
    if matches!(asked, Some(Work::Prompt(_))) && error.class != FailureClass::Definition {
        text.put(format_args!("by another model: {review} --again --model PROVIDER/MODEL\n"));
        text.put(format_args!("the rest by another model, too: stepwell resume {short} --model PROVIDER/MODEL\n"));
    }
    if call.failed_work().is_some() {
        text.put(format_args!("without it: {review} --skip\n"));
        text.put(format_args!("with an output of your own: {review} --edit FILE --accept\n"));
    }
    text
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
    let call = gate.call.map(|call| format!(" --call {call}")).unwrap_or_default();
    let what = match gate.document() {
        Some(name) if gate.key.to_string() != name || run.call(&gate.key).is_some() => {
            format!("--document={}", quoted(name))
        }
        _ => quoted(&gate.key.to_string()),
    };
    let review = format!("stepwell review {} {what}{call}", run.id.short());
    let flag = |answer: Answer| match answer {
        Answer::Accept | Answer::Skip | Answer::Approve | Answer::Again | Answer::Keep => {
            format!("--{}", answer.name())
        }
        Answer::Edit => "--edit FILE".to_owned(),
        Answer::Retry => "--retry 'what to change'".to_owned(),
        Answer::Deny => "--deny 'why'".to_owned(),
        Answer::Answer => format!("--answer {}", quoted(&example(run, gate).to_string())),
        Answer::Budget => match &gate.body {
            GateBody::Budget(asked) => format!("--budget {:.2}", next_budget(asked)),
            _ => "--budget USD".to_owned(),
        },
    };
    let mut flags = gate.allowed.iter().map(|answer| (*answer, flag(*answer))).collect::<Vec<_>>();
    // What a person has to bring along cannot be the command that works as it stands.
    let first = flags.iter().position(|(answer, _)| !matches!(answer, Answer::Edit)).unwrap_or_default();
    if flags.is_empty() {
        return (review, Vec::new());
    }
    let (_, chosen) = flags.remove(first);
    // What more may be said of a call of a tool; other arguments only where a model asks for it.
    let for_run = gate.tool().map(|_| "--approve --for-run");
    let arguments = gate.tool().and(gate.call).map(|_| "--arguments FILE");
    let more = for_run.into_iter().chain(arguments).map(str::to_owned);
    (format!("{review} {chosen}"), more.chain(flags.into_iter().map(|(_, flag)| flag)).collect())
}

/// An answer of the right shape, with the defaults put in.
fn example(run: &Run, gate: &Gate) -> Value {
    let fields = match &gate.body {
        GateBody::Input(_) if run.kind == Kind::Instruct => return json!("what you want to say"),
        GateBody::Secret(_) => return json!("the secret"),
        _ => gate.fields().unwrap_or_default(),
    };
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
        FieldType::Integer | FieldType::Number => field.min.map_or(json!(1), Bound::value),
        FieldType::Boolean => json!(true),
        FieldType::Choice => json!(field.choices.first()),
        FieldType::Choices => json!([field.choices.first()]),
        FieldType::Date => json!("2026-12-31"),
        FieldType::Secret => json!("env:NAME"),
        _ => json!(field.placeholder.as_deref().unwrap_or("…")),
    }
}

fn next_budget(asked: &BudgetBody) -> f64 {
    (asked.budget.usd.unwrap_or(0.0).max(asked.needed().usd) * 2.0).max(1.0)
}

/// A line about the newest output of what waits, for the end of a `review` that stops again.
#[must_use]
pub fn output_of(run: &Run, gate: &Gate) -> Option<Untrusted> {
    let version = gate.version.checked_sub(1)? as usize;
    let attempt = run.call(&gate.key)?.attempt(gate.attempt)?;
    Some(crate::core::text::output_text(&attempt.versions.get(version)?.output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::policy::tests::a_run;
    use crate::core::event::Event;
    use crate::core::gate::SecretBody;

    #[test]
    fn each_tool_call_that_waits_is_listed_with_the_command_that_answers_it() {
        let mut run = a_run();
        for call in ["2.0", "2.1"] {
            let body = GateBody::Secret(SecretBody { name: "token".to_owned(), fingerprint: None });
            let (key, call) = ("write[1]".parse().unwrap(), Some(call.parse().unwrap()));
            let gate = Gate { key, workflow: None, call, attempt: 1, version: 0, body, allowed: vec![Answer::Answer] };
            run.apply(run.seq + 1, run.created_at, &Event::GateOpened(gate));
        }
        let told = render(&run);
        let review = |call| format!("stepwell review {} 'write[1]' --call {call} --answer", run.id.short());
        assert!(told.contains("write[1], tool call 2.0: ") && told.contains(&review("2.0")), "{told}");
        assert!(told.contains(&review("2.1")), "{told}");
    }
}
