//! `review`: answers what a run waits for, from anywhere, then drives it on.

use serde_json::Value;

use super::args::{Approve, DriveArgs, ReviewArgs};
use super::drive::{How, drive, not_saved, typed};
use super::files::read_text;
use super::policy::passes;
use super::problem::{Exit, Problem};
use super::{App, begin, consent, out};
use crate::core::actor::Actor;
use crate::core::call::Call;
use crate::core::code::ErrorCode;
use crate::core::deadline;
use crate::core::decide::{Decision, DecisionKind, Refusal, decide, gate_of, message, what_waits};
use crate::core::document::key_of;
use crate::core::gate::{Gate, GateKind};
use crate::core::given::takes;
use crate::core::key::Key;
use crate::core::run::{Run, Status};
use crate::core::schema;
use crate::core::task::{Body, Kind, Task};
use crate::core::tool_call::ToolCallId;
use crate::core::work::Work;
use crate::engine::EngineError;

/// What `--approve` says in `review`.
struct ApproveWord {
    /// The approval that waits is given or refused.
    now: Option<DecisionKind>,
    /// Who answers those that follow.
    later: Option<Approve>,
    /// What stood after it was the call.
    key: Option<String>,
}

/// `review`.
///
/// # Errors
/// When a decision may not be made: then nothing has changed.
pub async fn review(app: &App, mut args: ReviewArgs) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    let id = engine.find(&args.run)?;
    let before = engine.load(id)?.seq;
    if let Some(became) = deadline::became(&engine.answer_overdue(id).await?) {
        out::say(&became);
    }
    let run = engine.load(id)?;
    if run.newer {
        return Err(Refusal::newer().into());
    }
    let mut approve = approve_word(&args)?;
    approve.now = allowed(&args, approve.now)?;
    if args.scope.is_some() && args.retry.is_none() {
        return Err(Problem::usage("--scope says how far an instruction reaches; it goes with --retry"));
    }
    if args.model.is_some() && args.retry.is_none() && !args.again {
        return Err(Problem::usage("--model says which model tries it again; it goes with --retry or --again"));
    }
    args.key = args.key.or(approve.key);
    let drive_args = DriveArgs { review: args.review, approve: approve.later, json: args.json, out: args.out.clone() };
    let mut how = How::of(&drive_args)?;
    // A secret that was typed is known to this process alone, so this one drives.
    how.apart &= !run.waiting().any(|gate| gate.kind() == GateKind::Secret);
    let decisions = match &args.decisions {
        Some(name) => {
            let decisions = read_decisions(&read_text(name)?)?;
            if decisions.is_empty() {
                let example = r#"{"key":"write[1]","decide":"accept"}"#;
                let text = format!("--decisions {name} holds none: one JSON object a line, {example}");
                return Err(Problem::refused(ErrorCode::InvalidInput, text));
            }
            rehearse(&run, &decisions)?;
            decisions
        }
        None => decisions(app, &run, &args, approve.now)?,
    };
    if decisions.is_empty() {
        let code = if run.gates() > 0 { ErrorCode::NotAllowed } else { idle(&run) };
        return Err(Problem::refused(code, format!("nothing that waits takes that answer; {}", what_waits(&run))));
    }
    let driven = engine.is_driven(run.id);
    if !driven {
        consent::ensure_to_drive(app, &run).await?;
        for model in decisions.iter().filter_map(|decision| decision.kind.model()) {
            consent::ensure_one(app, model).await?;
        }
    }
    for decision in &decisions {
        if let Some(taken) = decision.takes_from_elsewhere(&run) {
            let (key, attempt) = (&decision.key, taken.attempt);
            out::say(&format!(
                "attempt {attempt} of {key} was made for something else than is asked now; it is accepted and kept for that"
            ));
        }
    }
    let all = decisions.len();
    let answers_a_budget = decisions.iter().any(|decision| matches!(decision.kind, DecisionKind::Budget { .. }));
    for (done, decision) in decisions.into_iter().enumerate() {
        let text = typed(&decision.kind);
        let secret = asked(&run, &decision).is_some_and(|gate| gate.kind() == GateKind::Secret);
        let decided = match (&decision.kind, run.kind) {
            (DecisionKind::Answer { value }, Kind::Instruct) if says(&run, &decision) => {
                let Some(text) = value.as_str() else {
                    let text = "a message is a text, in JSON: --answer '\"your message\"'";
                    return Err(Problem::refused(ErrorCode::InvalidInput, text));
                };
                engine.message(run.id, text).await
            }
            _ => engine.decide(run.id, decision).await,
        };
        if let Err(error) = decided {
            if let (EngineError::Store(_), Some(text), false) = (&error, text, secret) {
                out::say(&not_saved(&text));
            }
            let before =
                if done > 0 { format!(" ({done} of {all} decisions were recorded before it)") } else { String::new() };
            return Err(Problem::from(error).and(&before));
        }
    }
    if let Some(budget) = begin::budget(args.budget).filter(|_| !answers_a_budget) {
        engine.set_budget(run.id, budget).await?;
    }
    drive(app, run.id, before, how).await
}

/// Makes sure that all may be made, one after the other, on what is known now: else none is recorded.
fn rehearse(run: &Run, decisions: &[Decision]) -> Result<(), Problem> {
    let mut then = run.clone();
    for (at, decision) in decisions.iter().enumerate() {
        let events = match (&decision.kind, run.kind) {
            (DecisionKind::Answer { value }, Kind::Instruct) if says(run, decision) => {
                message(&then, value.as_str().unwrap_or_default(), &Actor::Person)
            }
            _ => decide(&then, decision, &Actor::Person),
        };
        let events = events.map_err(|refusal| {
            let of = format!("decision {} of {}: ", at + 1, decisions.len());
            Problem::refused(refusal.code, format!("{of}{refusal}; none was recorded"))
        })?;
        for event in &events {
            then.apply(then.seq + 1, chrono::Utc::now(), event);
        }
    }
    Ok(())
}

/// A message of a conversation goes to the run, whatever its last call was.
fn says(run: &Run, decision: &Decision) -> bool {
    let call = run.call(&decision.key).filter(|call| !call.gates.is_empty());
    let input = |call: &Call| call.gates.own().is_some_and(|gate| gate.kind() == GateKind::Input);
    decision.call.is_none() && call.is_none_or(input)
}

/// The gate that a decision is about.
fn asked<'a>(run: &'a Run, decision: &Decision) -> Option<&'a Gate> {
    gate_of(run, run.call(&decision.key)?, decision.call).ok()
}

fn approve_word(args: &ReviewArgs) -> Result<ApproveWord, Problem> {
    let alone = !(args.accept
        || args.take.is_some()
        || args.edit.is_some()
        || args.retry.is_some()
        || args.skip
        || args.deny.is_some()
        || args.give.is_some()
        || args.again
        || args.keep
        || args.decisions.is_some());
    let word = |now, later, key| Ok(ApproveWord { now, later, key });
    match args.approve_it.as_deref() {
        None => word(None, None, None),
        Some("all") => word(alone.then_some(DecisionKind::APPROVE), Some(Approve::All), None),
        Some("deny") => word(alone.then(|| DecisionKind::Deny { reason: String::new() }), Some(Approve::Deny), None),
        Some("ask") if !alone => word(None, Some(Approve::Ask), None),
        Some("ask") => Err(Problem::usage("`--approve ask` answers nothing; say --approve or --deny")),
        Some(_) if !alone => {
            Err(Problem::usage("`--approve` is given alone, or names who answers later ones: ask, all, deny"))
        }
        Some("") => word(Some(DecisionKind::APPROVE), None, None),
        Some(key) if args.key.is_none() => word(Some(DecisionKind::APPROVE), None, Some(key.to_owned())),
        Some(_) => Err(Problem::usage("`--approve` takes ask, all or deny, or nothing")),
    }
}

/// What is allowed, as more than `--approve` says it.
fn allowed(args: &ReviewArgs, approve: Option<DecisionKind>) -> Result<Option<DecisionKind>, Problem> {
    if args.for_run && approve != Some(DecisionKind::APPROVE) {
        return Err(Problem::usage(
            "--for-run says that a tool is allowed for the rest of the run; it goes with --approve",
        ));
    }
    let Some(name) = &args.arguments else {
        return Ok(approve.map(|kind| match kind {
            DecisionKind::Approve { arguments, .. } => DecisionKind::Approve { for_run: args.for_run, arguments },
            other => other,
        }));
    };
    let arguments = crate::core::json::parse(&read_text(name)?).map_err(|error| {
        let text = format!("--arguments {name} must hold a JSON object ({error})");
        Problem::refused(ErrorCode::InvalidInput, text)
    })?;
    Ok(Some(DecisionKind::Approve { for_run: args.for_run, arguments: Some(arguments) }))
}

fn decision_kind(run: &Run, args: &ReviewArgs, approve: Option<DecisionKind>) -> Result<DecisionKind, Problem> {
    Ok(if args.edit.is_some() {
        // The output is read where the call is known.
        DecisionKind::Edit { output: Value::Null, accept: args.accept }
    } else if args.accept {
        DecisionKind::Accept
    } else if let Some(take) = args.take {
        DecisionKind::Take { take }
    } else if let Some(instruction) = &args.retry {
        DecisionKind::Retry {
            instruction: instruction.clone(),
            scope: args.scope.unwrap_or_default(),
            model: args.model.clone(),
        }
    } else if args.skip {
        DecisionKind::Skip
    } else if let Some(reason) = &args.deny {
        DecisionKind::Deny { reason: reason.clone() }
    } else if let Some(json) = &args.give {
        let value = crate::core::json::parse(json).map_err(|error| {
            let example = if run.kind == Kind::Instruct { "'\"your message\"'" } else { "'{\"field\": \"value\"}'" };
            Problem::refused(
                ErrorCode::InvalidInput,
                format!("--answer must be JSON ({error}), such as --answer {example}"),
            )
        })?;
        DecisionKind::Answer { value }
    } else if args.again {
        DecisionKind::Again { model: args.model.clone() }
    } else if args.keep {
        DecisionKind::Keep
    } else if let Some(what) = approve {
        what
    } else if let Some(budget) = begin::budget(args.budget) {
        DecisionKind::Budget { budget }
    } else {
        return Err(Problem::usage("say what you decide: --accept, --retry, --skip, …"));
    })
}

fn decisions(app: &App, run: &Run, args: &ReviewArgs, approve: Option<DecisionKind>) -> Result<Vec<Decision>, Problem> {
    let kind = decision_kind(run, args, approve)?;
    if args.all {
        let step = args.step.as_deref().map(|step| of_step(app, run, step)).transpose()?;
        let of_step = |call: &Call| step.as_ref().is_none_or(|(child, step)| call.is_of(child.as_deref(), step));
        let waits = |gate: &&Gate| match run.call(&gate.key).filter(|_| gate.document().is_none()) {
            Some(call) => takes_with_all(call, gate, &kind) && of_step(call),
            None => step.is_none() && kind.answer().is_some_and(|answer| gate.allows(answer)),
        };
        return Ok(run.waiting().filter(waits).map(|gate| Decision::about(gate, kind.clone())).collect());
    }
    if let Some(name) = &args.document {
        return Ok(vec![Decision { document: Some(name.clone()), ..Decision::new(key_of(name), kind) }]);
    }
    let key = match &args.key {
        Some(key) => key.parse::<Key>()?,
        None => match without_key(run, args.call, &kind)? {
            Chosen::One(key) => key,
            Chosen::Stale(gates) => {
                return Ok(gates.into_iter().map(|gate| Decision::of(gate, kind.clone())).collect());
            }
        },
    };
    let kind = match kind {
        DecisionKind::Edit { accept, .. } => {
            DecisionKind::Edit { output: edited(app, run, &key, args.edit.as_deref())?, accept }
        }
        other => other,
    };
    Ok(vec![Decision { call: args.call, attempt: args.attempt, ..Decision::new(key, kind) }])
}

/// The only call that failed in a run where nothing waits: what a failure is answered with is about that one.
fn failed_alone<'a>(run: &'a Run, kind: &DecisionKind) -> Option<&'a Key> {
    let answers = matches!(kind, DecisionKind::Skip | DecisionKind::Edit { .. } | DecisionKind::Take { .. });
    let mut failed = run.calls.values().filter(|call| call.failed_work().is_some());
    let only = failed.next().filter(|_| answers && run.gates() == 0)?;
    failed.next().is_none().then_some(&only.key)
}

enum Chosen<'a> {
    One(Key),
    /// All that are stale, at once.
    Stale(Vec<&'a Gate>),
}

/// The call that is meant when none is named.
fn without_key<'a>(run: &'a Run, tool_call: Option<ToolCallId>, kind: &DecisionKind) -> Result<Chosen<'a>, Problem> {
    let to_conversation = matches!(kind, DecisionKind::Answer { .. } | DecisionKind::Edit { .. });
    let reviews = run.waiting().any(|gate| gate.kind() == GateKind::Review);
    if to_conversation && run.kind == Kind::Instruct && !reviews {
        // A message, or a document, goes to the conversation, whether it waits for one or not.
        let last = run
            .waiting()
            .next()
            .map(|gate| gate.key.clone())
            .or_else(|| run.flow_calls().last().map(|call| call.key.clone()));
        let none = || Problem::refused(ErrorCode::NotWaiting, "the conversation has not begun yet");
        return last.map(Chosen::One).ok_or_else(none);
    }
    let stale: Vec<&Gate> = run.waiting().filter(|gate| gate.kind() == GateKind::Stale).collect();
    if matches!(kind, DecisionKind::Again { .. } | DecisionKind::Keep) && !stale.is_empty() {
        return Ok(Chosen::Stale(stale));
    }
    if let Some(failed) = failed_alone(run, kind) {
        return Ok(Chosen::One(failed.clone()));
    }
    // Several tool calls of one call leave no doubt about the call.
    let waiting = run.waiting().filter(|gate| tool_call.is_none_or(|call| gate.call == Some(call)));
    let mut keys: Vec<&Key> = waiting.map(|gate| &gate.key).collect();
    keys.dedup();
    match (keys.as_slice(), tool_call) {
        ([only], _) => Ok(Chosen::One((*only).clone())),
        ([], Some(call)) => {
            let text = format!("no tool call {call} waits; {}", what_waits(run));
            Err(Problem::refused(ErrorCode::NotWaiting, text))
        }
        ([], None) => Err(Problem::refused(idle(run), nothing_waits(run))),
        _ => {
            let text = format!("say which call you mean; {}", what_waits(run));
            Err(Problem::refused(ErrorCode::Ambiguous, text))
        }
    }
}

/// The code where nothing waits in a run: it may wait later, or it is over.
fn idle(run: &Run) -> ErrorCode {
    match run.status {
        Status::Completed | Status::Cancelled => ErrorCode::Over,
        Status::Running | Status::Waiting | Status::Paused | Status::Failed => ErrorCode::NotWaiting,
    }
}

fn nothing_waits(run: &Run) -> String {
    let short = run.id.short();
    let hint = match run.status {
        Status::Completed => format!("it is completed; `stepwell reopen {short} KEY` takes a call up again"),
        Status::Failed => format!("it failed; `stepwell resume {short}` takes it up again"),
        Status::Cancelled => "it was cancelled".to_owned(),
        Status::Paused => format!("it is paused; `stepwell resume {short}` goes on"),
        Status::Running | Status::Waiting => "it is running".to_owned(),
    };
    format!("nothing waits in run {short}: {hint}")
}

/// Whether a gate takes an answer that is given to all.
fn takes_with_all(call: &Call, gate: &Gate, kind: &DecisionKind) -> bool {
    match kind {
        DecisionKind::Accept => gate.kind() == GateKind::Review && passes(gate),
        DecisionKind::Edit { .. } | DecisionKind::Take { .. } | DecisionKind::Reopen => false,
        _ => kind.answer().is_some_and(|answer| takes(call, gate, answer)),
    }
}

/// The step that `--step` names: the child workflow that declares it, `None` for the run's own definition, and its id. An id
/// alone is the run's own step where its definition has one of that id.
fn of_step(app: &App, run: &Run, name: &str) -> Result<(Option<String>, String), Problem> {
    if let Some((child, step)) = name.split_once('/') {
        return Ok((Some(child.to_owned()), step.to_owned()));
    }
    let pinned = app.engine()?.definition(run)?;
    let declares = |task: &Task| match &task.body {
        Body::Workflow(workflow) => workflow.all_steps().iter().any(|step| step.id == name),
        Body::Instruct(_) => false,
    };
    // Code makes steps that no definition declares.
    let own = declares(&pinned.task) || run.calls.values().any(|call| call.is_of(None, name));
    let children = pinned.workflows().filter_map(|(child, task)| child.filter(|_| declares(task)));
    let children: Vec<&str> = if own { Vec::new() } else { children.collect() };
    match children.as_slice() {
        [] => Ok((None, name.to_owned())),
        [only] => Ok((Some((*only).to_owned()), name.to_owned())),
        several => {
            let each: Vec<String> = several.iter().map(|child| format!("--step {child}/{name}")).collect();
            let text = format!("several child workflows have a step `{name}`: say which one with {}", each.join(", "));
            Err(Problem::refused(ErrorCode::Ambiguous, text))
        }
    }
}

/// The edited output: JSON where the output is structured, else the text as it is.
fn edited(app: &App, run: &Run, key: &Key, name: Option<&str>) -> Result<Value, Problem> {
    let name = name.unwrap_or("-");
    let text = read_text(name)?;
    if text.trim().is_empty() {
        let text = format!("--edit {name} is empty, so that nothing was changed; --skip continues without this output");
        return Err(Problem::refused(ErrorCode::InvalidInput, text));
    }
    let call = run.call(key);
    if run.kind == Kind::Instruct
        && call.is_none_or(|call| call.gates.own().is_none_or(|gate| gate.kind() == GateKind::Input))
    {
        // The document of a conversation, as it was written.
        return Ok(Value::String(text));
    }
    let gate = call.and_then(Call::gate).and_then(Gate::schema).cloned();
    let failed = call.and_then(Call::failed_work);
    let declared = || {
        let pinned = app.engine().ok()?.definition(run).ok()?;
        pinned.step(call?.of())?.rules.output.as_ref().map(schema::without_templates)
    };
    let wanted = match failed {
        Some(Some(work)) => work.schema().cloned(),
        Some(None) => declared(),
        None => gate,
    };
    let form = matches!(failed, Some(Some(Work::Ask { .. })));
    let output = call.and_then(Call::output);
    let structured = form || wanted.is_some() || output.is_some_and(|(_, _, output)| !output.is_string());
    let read = super::line::read_edit(&text, structured, wanted.as_ref());
    let (output, note) = read.map_err(|why| {
        Problem::refused(ErrorCode::InvalidInput, format!("the edit of `{key}` cannot be taken: {why}"))
    })?;
    note.into_iter().for_each(out::say);
    Ok(output)
}

fn read_decisions(text: &str) -> Result<Vec<Decision>, Problem> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| {
                let example = r#"{"key":"write[1]","decide":"accept"}"#;
                let text = format!("decisions, line {}: {error}; a decision looks like {example}", at + 1);
                Problem::refused(ErrorCode::InvalidInput, text)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::gate::{Answer, GateBody, SecretBody};

    #[test]
    fn decisions_are_read_line_by_line() {
        let read = read_decisions("{\"key\":\"a[1]\",\"decide\":\"accept\"}\n\n{\"key\":\"b\",\"decide\":\"skip\"}\n")
            .unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].kind, DecisionKind::Accept);
        let wrong = read_decisions("{\"key\":\"a[\",\"decide\":\"accept\"}").unwrap_err();
        assert_eq!(wrong.code, ErrorCode::InvalidInput);
    }

    #[test]
    fn several_tool_calls_of_one_call_leave_no_doubt_about_the_call() {
        let mut run = crate::cli::policy::tests::a_run();
        for (key, call) in [("write", "2.0"), ("write", "2.1"), ("read", "0.0")] {
            let body = GateBody::Secret(SecretBody { name: "token".to_owned(), fingerprint: None });
            let (key, call) = (Key::plain(key), Some(call.parse().unwrap()));
            let gate = Gate { key, workflow: None, call, attempt: 1, version: 0, body, allowed: vec![Answer::Answer] };
            run.apply(run.seq + 1, run.created_at, &Event::GateOpened(gate));
        }
        let what = DecisionKind::Answer { value: Value::from("x") };
        let named = |call: &str| without_key(&run, Some(call.parse().unwrap()), &what);
        assert!(matches!(named("2.1"), Ok(Chosen::One(key)) if key == Key::plain("write")));
        assert!(matches!(named("0.0"), Ok(Chosen::One(key)) if key == Key::plain("read")));
        assert!(named("3.0").is_err_and(|problem| problem.message.contains("no tool call 3.0 waits")));
        assert!(
            without_key(&run, None, &what).is_err_and(|problem| problem.message.contains("say which call you mean"))
        );
    }
}
