//! The review of an output: accept, edit, retry, skip; compare; the exact prompt.

use serde_json::Value;

use super::ask::{Answered, AskContext};
use super::keyboard::{Asker, forget_typed};
use super::signals::Away;
use super::{Teller, editor, pager};
use crate::app::drafts;
use crate::cli::diff;
use crate::cli::out;
use crate::core::call::Call;
use crate::core::decide::DecisionKind;
use crate::core::description::Description;
use crate::core::event::InstructionScope;
use crate::core::gate::{Answer, Gate, GateBody};
use crate::core::id::RunId;
use crate::core::model::Message;
use crate::core::run::Run;
use crate::core::schema;
use crate::core::text::{self, output_text};
use crate::core::work::Work;

const WORDS: [(Answer, &str); 4] =
    [(Answer::Accept, "[a]ccept"), (Answer::Edit, "[e]dit"), (Answer::Retry, "[r]etry"), (Answer::Skip, "[s]kip")];

/// Asks about a review.
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
    teller.show(run, gate);
    for check in gate.failed_checks() {
        out::say(&format!("Check failed: {check}"));
    }
    if gate.review().is_some_and(|review| review.cut) {
        out::say("The limit of tokens cut it: its end is missing.");
    }
    if let Some(problem) = gate.review().and_then(|review| review.problem.as_deref()) {
        out::say(&format!("It cannot be accepted as it is: {problem}"));
    }
    let Some(call) = run.call(&gate.key) else { return Ok(Answered::Nothing) };
    let mut words: Vec<&str> = WORDS.iter().filter(|(answer, _)| gate.allows(*answer)).map(|(_, word)| *word).collect();
    if earlier(call, gate).is_some() {
        words.push("[d]iff");
    }
    words.extend(["[p]rompt", "[?]", "[q]uit"]);
    let prompt = format!("\n{} > ", words.join("  "));
    forget_typed();
    loop {
        let typed = asker.line(&prompt).await?;
        let allowed = |answer| gate.allows(answer);
        // What stands after `r` is the instruction itself.
        if let Some(("r" | "retry", instruction)) = typed.trim().split_once(' ')
            && allowed(Answer::Retry)
        {
            return retry(asker, instruction.trim().to_owned()).await;
        }
        match typed.trim() {
            "" => {}
            "?" | "h" | "help" => out::say(&help(call, gate)),
            "a" | "accept" if allowed(Answer::Accept) => {
                let fails = !gate.failed_checks().is_empty();
                if fails {
                    forget_typed();
                }
                if !fails || asker.yes_or_no("It fails a check. Accept it all the same? yes/no > ").await? {
                    return Ok(Answered::Decide(DecisionKind::Accept));
                }
            }
            "e" | "edit" if allowed(Answer::Edit) => {
                if let Some(output) = edit(asker, context, run, call, gate).await? {
                    return Ok(Answered::Decide(DecisionKind::Edit { output, accept: false }));
                }
            }
            "r" | "retry" if allowed(Answer::Retry) => {
                let instruction = asker.line("What is to be different? > ").await?;
                return retry(asker, instruction).await;
            }
            "s" | "skip" if allowed(Answer::Skip) => return Ok(Answered::Decide(DecisionKind::Skip)),
            "d" | "diff" if earlier(call, gate).is_some() => compare(call, gate),
            "p" | "prompt" => {
                asker.signals.lend(pager::show(&asked(run, call, gate))).await;
            }
            "q" | "quit" => return Err(Away::Quit),
            other => out::say(&format!("`{other}` is none of these; `?` says what each does.")),
        }
    }
}

/// What each word does here.
fn help(call: &Call, gate: &Gate) -> String {
    let mut lines: Vec<&str> =
        WORDS.iter().filter(|(answer, _)| gate.allows(*answer)).map(|(answer, _)| meaning(*answer)).collect();
    if earlier(call, gate).is_some() {
        lines.push("d  what changed since the version before, word by word");
    }
    lines.extend([
        "p  what the model was asked, exactly",
        "q  leave; the run waits, and `stepwell resume` or `review` continues it",
    ]);
    lines.join("\n")
}

fn meaning(answer: Answer) -> &'static str {
    match answer {
        Answer::Accept => "a  accept it; the run continues",
        Answer::Edit => "e  change it in your editor; it comes back for review as a version of yours",
        Answer::Retry => "r  have it tried again; `r shorter, please` says at once what is to be different",
        _ => "s  skip it",
    }
}

async fn retry(asker: &mut Asker<'_>, instruction: String) -> Result<Answered, Away> {
    let scope = loop {
        if instruction.trim().is_empty() {
            break InstructionScope::This;
        }
        let typed =
            asker.line("For [t]his one, the [r]emaining ones of this step too, or [l]ater runs always? (t) > ").await?;
        match typed.trim() {
            "" | "t" | "this" => break InstructionScope::This,
            "r" | "remaining" => break InstructionScope::Remaining,
            "l" | "a" | "always" => break InstructionScope::Always,
            other => out::say(&format!("`{other}` is none of these.")),
        }
    };
    Ok(Answered::Decide(DecisionKind::Retry { instruction, scope, model: None }))
}

/// Takes the output through the editor until it is valid. `None`: the person leaves it as it was.
async fn edit(
    asker: &mut Asker<'_>,
    context: &AskContext<'_>,
    run: &Run,
    call: &Call,
    gate: &Gate,
) -> Result<Option<Value>, Away> {
    let attempt = call.attempt(gate.attempt);
    let wanted = gate.schema();
    let output = attempt.and_then(|attempt| attempt.version(gate.version)).map(|version| &*version.output);
    let before = match (output, attempt) {
        (Some(output), _) => output_text(output).data().to_owned(),
        (None, Some(attempt)) => attempt.partial.data().to_owned(),
        (None, None) => String::new(),
    };
    let of_text = wanted.is_some_and(schema::is_of_text);
    let structured = (wanted.is_some() && !of_text) || output.is_some_and(|output| !output.is_string());
    let (draft, name) = (drafts::edit(&gate.key), format!("{}.{}", gate.key, if structured { "json" } else { "md" }));
    let edited = until_valid(asker, context, run.id, (&draft, &name), &before, |text| read(text, structured, wanted));
    let Some((value, note)) = edited.await? else { return Ok(None) };
    note.into_iter().for_each(out::say);
    Ok(Some(value))
}

/// Takes the arguments of a tool call through the editor until the tool takes them. `None`: the person leaves them as they
/// were.
///
/// # Errors
/// When the person went away.
pub async fn edit_arguments(
    asker: &mut Asker<'_>,
    context: &AskContext<'_>,
    run: &Run,
    gate: &Gate,
) -> Result<Option<Value>, Away> {
    let GateBody::Approval(approval) = &gate.body else { return Ok(None) };
    let Work::Tool { tool, args, .. } = &*approval.work else { return Ok(None) };
    let used = run.call(&gate.key).and_then(Call::tool_use);
    let wanted = used.and_then(|used| used.tool(tool)).map(|spec| &spec.input);
    let Some(call) = gate.call else { return Ok(None) };
    let (draft, name) = (drafts::arguments(&gate.key, gate.attempt, call), format!("{}.{call}.json", gate.key));
    // What an editor would not show is there as its escape: the same value.
    let before = text::json(&serde_json::to_string_pretty(args).unwrap_or_default()).into_owned();
    let edited = until_valid(asker, context, run.id, (&draft, &name), &before, |text| read(text, true, wanted));
    Ok(edited.await?.map(|(arguments, _)| arguments))
}

/// Takes a text through the editor until it can be read. `None`: the person leaves it as it was. It is kept as a draft
/// meanwhile.
async fn until_valid<T>(
    asker: &mut Asker<'_>,
    context: &AskContext<'_>,
    run: RunId,
    (draft, name): (&str, &str),
    before: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Away> {
    let kept = context.engine.drafts(run).unwrap_or_default().into_iter().find(|(name, _)| *name == draft);
    let mut text = kept.map_or_else(|| before.to_owned(), |(_, text)| text);
    loop {
        let folder = context.state.join("edit");
        let edited = asker.signals.lend(editor::edit(&folder, name, &text)).await;
        let edited = match edited {
            Ok(edited) => edited,
            Err(why) => {
                out::say(&why);
                return Ok(None);
            }
        };
        if let Some(remark) = &edited.remark {
            out::say(&format!("({remark})"));
        }
        let Some(edited) = edited.text else { return Ok(None) };
        if edited == before || edited.trim().is_empty() {
            let _ = context.engine.keep_draft(run, draft, None);
            let why = if edited == before { "" } else { "It was saved empty, so the edit is dropped. " };
            out::say(&format!("{why}Nothing was changed."));
            return Ok(None);
        }
        match read(&edited) {
            Ok(value) => {
                let _ = context.engine.keep_draft(run, draft, None);
                return Ok(Some(value));
            }
            Err(why) => {
                text = edited;
                // What was typed is not lost, whatever happens now.
                let _ = context.engine.keep_draft(run, draft, Some(&text));
                out::say(&format!("It cannot be taken: {why}"));
                if !asker.yes_or_no("Open it again? yes/no > ").await? {
                    out::say("It is kept; `e` opens it again as you left it.");
                    return Ok(None);
                }
            }
        }
    }
}

/// An edited text as an output: JSON where the output is structured, else the text as it is. What is to be said of how it was
/// read comes with it.
///
/// # Errors
/// Why it is not valid.
pub fn read(text: &str, structured: bool, wanted: Option<&Value>) -> Result<(Value, Option<&'static str>), String> {
    let as_text = || Value::from(text.strip_suffix('\n').unwrap_or(text));
    let fits = |value: &Value| wanted.map_or(Ok(()), |wanted| schema::validate(wanted, value));
    if wanted.is_some_and(schema::is_of_text) {
        if let Ok(quoted @ Value::String(_)) = crate::core::json::parse(text)
            && fits(&quoted).is_ok()
        {
            return Ok((quoted, Some("The edit is a JSON string, and was read as the text in it.")));
        }
        let value = as_text();
        return fits(&value).map(|()| (value, None));
    }
    if !structured {
        return Ok((as_text(), None));
    }
    let value: Value = crate::core::json::parse(text).map_err(|error| format!("it is not JSON: {error}"))?;
    fits(&value).map(|()| (value, None))
}

/// The version before the one that waits.
fn earlier(call: &Call, gate: &Gate) -> Option<String> {
    let of = |attempt: u32, version: usize| {
        let version = call.attempt(attempt)?.versions.get(version)?;
        Some(output_text(&version.output).data().to_owned())
    };
    let version = gate.version as usize;
    if version > 1 {
        return of(gate.attempt, version - 2);
    }
    let mut before = call.attempts.iter().rev().filter(|attempt| attempt.number < gate.attempt);
    let (version, number) = before.find_map(|attempt| Some((attempt.newest()?.0, attempt.number)))?;
    of(number, version as usize - 1)
}

fn compare(call: &Call, gate: &Gate) {
    let now = call.attempt(gate.attempt).and_then(|attempt| attempt.version(gate.version));
    if let (Some(before), Some(now)) = (earlier(call, gate), now) {
        out::say(&diff::words(&before, output_text(&now.output).data()));
    }
}

/// What was asked, exactly.
fn asked(run: &Run, call: &Call, gate: &Gate) -> String {
    let work = call.attempt(gate.attempt).and_then(|attempt| attempt.work.as_deref());
    match work {
        Some(Work::Prompt(prompt)) => {
            let role = |message: &Message| format!("{:?}", message.role).to_lowercase();
            let told = |message: &Message| format!("\n[{}]\n{}", role(message), message.text);
            prompt.messages.iter().map(told).collect::<Vec<_>>().join("\n")
        }
        Some(other) => Description::of(other, run).text().data().to_owned(),
        None => "There was no work to be done: the value was computed.".to_owned(),
    }
}
