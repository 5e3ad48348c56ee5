//! Gates, asked about one after the other.

use std::path::Path;

use serde_json::{Value, json};

use super::keyboard::{Asker, forget_typed};
use super::signals::Away;
use super::{Teller, form, pager, review};
use crate::cli::{diff, out, waits};
use crate::core::decide::DecisionKind;
use crate::core::document::Document;
use crate::core::gate::{Gate, GateBody, GateKind, InputBody};
use crate::core::run::Run;
use crate::core::task::Kind;
use crate::core::usage::Budget;
use crate::engine::Engine;

/// What a question is asked with.
pub struct AskContext<'a> {
    /// The runs.
    pub engine: &'a Engine,
    /// Where texts are put for an editor.
    pub state: &'a Path,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// A decision about the gate.
    Decide(DecisionKind),
    /// The same decision about every stale call.
    DecideStale(DecisionKind),
    /// The gate is not there any more.
    Nothing,
}

/// Asks about a gate.
///
/// # Errors
/// When the person went away.
pub async fn ask(
    asker: &mut Asker<'_>,
    context: &AskContext<'_>,
    teller: &mut Teller,
    run: &Run,
    gate: &Gate,
) -> Result<Answered, Away> {
    if let Some(due) = waits::due(run, gate) {
        out::say(&format!("({} waits for you; {due})", gate.name()));
    }
    if gate.kind() == GateKind::Review {
        return review::ask(asker, context, teller, run, gate).await;
    }
    // What a conversation asks has been shown as it came.
    let talks = run.kind == Kind::Instruct;
    if !(talks && gate.kind() == GateKind::Input) {
        let text = format!("\n-- {}: {}", gate.name(), waits::about(run, gate));
        asker.signals.lend(pager::show(&text)).await;
    }
    if let GateBody::Input(input) = &gate.body
        && talks
    {
        missing(input);
    }
    forget_typed();
    match &gate.body {
        GateBody::Approval(_) if gate.call.is_some() => tool_call(asker, context, run, gate).await,
        GateBody::Approval(_) | GateBody::Tools(_) => approval(asker).await,
        GateBody::Input(_) if talks => {
            Ok(Answered::Decide(DecisionKind::Answer { value: json!(not_empty(asker, "\nyou > ").await?) }))
        }
        GateBody::Input(input) => {
            let value = Value::Object(form::fill(asker, input.fields().unwrap_or_default()).await?);
            Ok(Answered::Decide(DecisionKind::Answer { value }))
        }
        GateBody::InDoubt(_) => in_doubt(asker).await,
        GateBody::Stale(_) if gate.document().is_some() => stale_document(asker, run, gate).await,
        GateBody::Stale(_) => stale(asker, run).await,
        GateBody::Budget(_) => budget(asker).await,
        GateBody::Secret(_) => {
            let typed = asker.hidden("(it is not shown) > ").await?;
            Ok(Answered::Decide(DecisionKind::Answer { value: json!(typed) }))
        }
        GateBody::Review(_) => Ok(Answered::Nothing),
    }
}

/// A further message in a conversation that has its document. `None`: the person is content.
///
/// # Errors
/// When the person went away.
pub async fn further(asker: &mut Asker<'_>) -> Result<Option<String>, Away> {
    forget_typed();
    match asker.line("\nanything to change? (an empty line ends) > ").await {
        Ok(line) if line.trim().is_empty() => Ok(None),
        Ok(line) => Ok(Some(line)),
        Err(Away::Quit) => Ok(None),
        Err(away) => Err(away),
    }
}

fn missing(input: &InputBody) {
    if let InputBody::Message { missing, known, .. } = input
        && !missing.is_empty()
    {
        let known = if known.is_empty() { "nothing yet".to_owned() } else { known.join(", ") };
        out::say(&format!("(known: {known}; missing: {}; `write it anyway` will do, too)", missing.join(", ")));
    }
}

async fn approval(asker: &mut Asker<'_>) -> Result<Answered, Away> {
    if asker.yes_or_no("Allow it? yes/no > ").await? {
        return Ok(Answered::Decide(DecisionKind::APPROVE));
    }
    let reason = asker.line("Why not? (may stay empty) > ").await?;
    Ok(Answered::Decide(DecisionKind::Deny { reason }))
}

/// A call that a model asks for: it is allowed as it is, with other arguments or for the rest of the run, answered in the
/// tool's place, or denied.
async fn tool_call(asker: &mut Asker<'_>, context: &AskContext<'_>, run: &Run, gate: &Gate) -> Result<Answered, Away> {
    const CHOICES: &str =
        "Allow it? yes/no  for the rest of the [r]un  [e]dit the arguments  [a]nswer instead  [q]uit > ";
    loop {
        match not_empty(asker, CHOICES).await?.to_lowercase().as_str() {
            "yes" => return Ok(Answered::Decide(DecisionKind::APPROVE)),
            "no" => {
                let reason = asker.line("Why not? The model reads it (may stay empty) > ").await?;
                return Ok(Answered::Decide(DecisionKind::Deny { reason }));
            }
            "r" | "run" => {
                return Ok(Answered::Decide(DecisionKind::Approve { for_run: true, arguments: None }));
            }
            "e" | "edit" => {
                if let Some(arguments) = review::edit_arguments(asker, context, run, gate).await? {
                    let arguments = Some(arguments);
                    return Ok(Answered::Decide(DecisionKind::Approve { for_run: false, arguments }));
                }
            }
            "a" | "answer" => {
                let typed = asker.line("Its result, as text or JSON > ").await?;
                let value = crate::core::json::parse(&typed).unwrap_or_else(|_| json!(typed));
                return Ok(Answered::Decide(DecisionKind::Answer { value }));
            }
            "q" | "quit" => return Err(Away::Quit),
            "y" | "n" => out::say("Answer `yes` or `no` in full."),
            other => out::say(&format!("`{other}` is none of these.")),
        }
    }
}

async fn in_doubt(asker: &mut Asker<'_>) -> Result<Answered, Away> {
    loop {
        match not_empty(asker, "[a]gain  it [w]orked, here is the result  [s]kip  [q]uit > ").await?.as_str() {
            "a" | "again" => return Ok(Answered::Decide(DecisionKind::Again { model: None })),
            "w" | "worked" => {
                let typed = asker.line("Its result, as text or JSON > ").await?;
                let value = crate::core::json::parse(&typed).unwrap_or_else(|_| json!(typed));
                return Ok(Answered::Decide(DecisionKind::Answer { value }));
            }
            "s" | "skip" => return Ok(Answered::Decide(DecisionKind::Skip)),
            "q" | "quit" => return Err(Away::Quit),
            other => out::say(&format!("`{other}` is none of these.")),
        }
    }
}

/// One question for all stale calls.
async fn stale(asker: &mut Asker<'_>, run: &Run) -> Result<Answered, Away> {
    let of_call = |gate: &&Gate| gate.kind() == GateKind::Stale && gate.document().is_none();
    let stale: Vec<&Gate> = run.waiting().filter(of_call).collect();
    let keys: Vec<String> = stale.iter().map(|gate| gate.key.to_string()).collect();
    if stale.len() > 1 {
        out::say(&format!("The same is true of: {}", keys.join(", ")));
    }
    for gate in stale.iter().filter(|gate| run.call(&gate.key).is_some_and(crate::core::call::Call::had_effect)) {
        out::say(&format!("{} has had an effect outside; run again, it happens again.", gate.key));
    }
    loop {
        match not_empty(asker, "run them [a]gain  [k]eep them as they are  [q]uit > ").await?.as_str() {
            "a" | "again" => return Ok(Answered::DecideStale(DecisionKind::Again { model: None })),
            "k" | "keep" => return Ok(Answered::DecideStale(DecisionKind::Keep)),
            "q" | "quit" => return Err(Away::Quit),
            other => out::say(&format!("`{other}` is none of these.")),
        }
    }
}

/// Whether a person's own text of a document counts, or the one that the steps give now.
async fn stale_document(asker: &mut Asker<'_>, run: &Run, gate: &Gate) -> Result<Answered, Away> {
    loop {
        match not_empty(asker, "[k]eep yours  [r]ebuild it  [d]iff  [q]uit > ").await?.as_str() {
            "k" | "keep" => return Ok(Answered::Decide(DecisionKind::Keep)),
            "r" | "rebuild" | "a" | "again" => return Ok(Answered::Decide(DecisionKind::Again { model: None })),
            "d" | "diff" => {
                let document = gate.document().and_then(|name| run.documents.get(name));
                let mine = document.and_then(Document::current).map(|(_, version)| version.body.data());
                let new = document.and_then(|document| document.version(gate.version));
                let new = new.map(|version| version.body.data());
                asker.signals.lend(pager::show(&diff::words(mine.unwrap_or_default(), new.unwrap_or_default()))).await;
            }
            "q" | "quit" => return Err(Away::Quit),
            other => out::say(&format!("`{other}` is none of these.")),
        }
    }
}

async fn budget(asker: &mut Asker<'_>) -> Result<Answered, Away> {
    loop {
        let typed = not_empty(asker, "What may the run spend in all, in US dollars? (q leaves) > ").await?;
        match typed.trim_start_matches('$').parse::<f64>() {
            _ if typed == "q" || typed == "quit" => return Err(Away::Quit),
            Ok(usd) if usd.is_finite() && usd >= 0.0 => {
                return Ok(Answered::Decide(DecisionKind::Budget { budget: Budget { usd: Some(usd), tokens: None } }));
            }
            _ => out::say("Enter a number, such as 2.50."),
        }
    }
}

/// A line with something in it: Enter alone does nothing.
async fn not_empty(asker: &mut Asker<'_>, prompt: &str) -> Result<String, Away> {
    loop {
        let typed = asker.line(prompt).await?;
        if !typed.trim().is_empty() {
            return Ok(typed.trim().to_owned());
        }
    }
}
