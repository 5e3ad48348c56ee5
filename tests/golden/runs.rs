//! Typical runs, made by the engine as a person would: each golden journal was written by one of these.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{InstructionScope, PauseReason};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::id::RunId;
use stepwell::core::pinned::Pinned;
use stepwell::core::ports::AttemptRequest;
use stepwell::core::run::Run;
use stepwell::core::usage::Budget;
use stepwell::engine::{Fork, Start, Update};

use crate::harness::{Act, Harness, Updates, command, expr, prompt, shout, step, until, until_stopped};

type Made = Pin<Box<dyn Future<Output = (Harness, RunId)>>>;

type Make = fn() -> Made;

/// The runs by the name of their files.
pub const RUNS: [(&str, Make); 12] = [
    ("poem_with_edit_and_retry", || Box::pin(poem())),
    ("email_chat", || Box::pin(email())),
    ("parallel_with_failure_and_resume", || Box::pin(parallel())),
    ("approval_denied", || Box::pin(denied())),
    ("in_doubt", || Box::pin(in_doubt())),
    ("stale_kept_and_restored", || Box::pin(stale())),
    ("items_that_moved", || Box::pin(moved())),
    ("decided_by_the_flow", || Box::pin(decided())),
    ("paused_stopped_and_cancelled", || Box::pin(cancelled())),
    ("waiting_at_every_gate", || Box::pin(waiting())),
    ("changed_by_actions", || Box::pin(changed())),
    ("forked", || Box::pin(forked())),
];

fn each(list: &str, more: Value) -> Value {
    let mut rules = more;
    rules["for_each"] = json!({ "list": list, "one_by_one": false });
    rules
}

fn edit(output: Value, accept: bool) -> DecisionKind {
    DecisionKind::Edit { output, accept }
}

fn retry(instruction: &str, scope: InstructionScope) -> DecisionKind {
    DecisionKind::Retry { instruction: instruction.to_owned(), scope, model: None }
}

async fn poem() -> (Harness, RunId) {
    let harness = Harness::new(|request| match request.key.step() {
        "divide" => Act::Say(json!([{ "subject": "tide" }, { "subject": "gulls" }, { "subject": "night" }])),
        _ => shout(request),
    });
    let divide = json!({
        "kind": "prompt", "prompt": "Divide a poem about {{ inputs.topic }}.", "system": "You are a poet.",
        "output": { "type": "array", "items": { "type": "object", "required": ["subject"] } },
    });
    let write = "Write about {{ item.subject }}. So far: {{ earlier | join(' / ') }}";
    let rules = json!({ "for_each": { "list": "steps.divide.output", "one_by_one": true } });
    let more = json!({
        "result": { "title": "{{ inputs.topic }}", "body": "{{ steps.write.outputs | join('\n\n') }}" },
    });
    let steps = json!([step("divide", divide, json!({})), prompt("write", write, rules)]);
    let topic = json!([{ "name": "topic", "type": "text", "required": true }]);
    let run = start(&harness, &steps, &more, &topic, json!({ "topic": "the sea" }));
    harness.engine.rename(run, "A poem of the sea").await.unwrap();
    harness.drive(run).await;
    let two = json!([{ "subject": "tide" }, { "subject": "gulls, but kind" }]);
    harness.decide(run, "divide", edit(two, true)).await;
    harness.decide(run, "write[0]", DecisionKind::Accept).await;
    harness.decide(run, "write[1]", retry("make it rhyme", InstructionScope::Remaining)).await;
    harness.decide(run, "write[1]", edit(json!("Gulls, \u{2028} \u{1b}[31mgulls"), true)).await;
    (harness, run)
}

async fn email() -> (Harness, RunId) {
    let turns = AtomicUsize::new(0);
    let harness = Harness::new(move |_| {
        Act::Say(match turns.fetch_add(1, Ordering::SeqCst) {
            0 => json!({ "turn": "ask", "text": "Who is it for?", "missing": ["recipient"] }),
            1 => json!({ "turn": "deliver", "title": "Friday", "body": "Dear Ana,\nFriday.", "text": "Short." }),
            _ => json!({ "turn": "deliver", "title": "Friday", "body": "Ana: Friday." }),
        })
    });
    let task = json!({
        "id": "email", "name": "Write an email",
        "inputs": [{ "name": "about", "type": "text", "required": true }],
        "body": { "instruct": {
            "instruction": "You write emails about {{ inputs.about }}.",
            "needs": [{ "name": "recipient", "description": "who it is for" }],
            "result": { "title": "the subject", "body": "the message", "kind": "email" },
        } },
    });
    let pinned = Pinned { task: serde_json::from_value(task).unwrap(), children: [].into(), folder: None };
    let start = Start {
        pinned: Arc::new(pinned),
        inputs: json!({ "about": "the meeting" }),
        cwd: "/".into(),
        session: None,
        model: Some("careful".into()),
        budget: None,
        origin: None,
    };
    let run = harness.engine.start(&start).unwrap();
    harness.drive(run).await;
    say(&harness, run, "Ana").await;
    harness.engine.edit_document(run, "result", 1, "Friday!", "Dear Ana,\nsee you on Friday.").await.unwrap();
    say(&harness, run, "Shorter, please.").await;
    (harness, run)
}

async fn say(harness: &Harness, run: RunId, text: &str) {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.message(run, text).await.unwrap();
    if !harness.engine.is_driven(run) {
        harness.engine.drive(run).unwrap();
    }
    until_stopped(&mut updates).await;
}

async fn parallel() -> (Harness, RunId) {
    let tries = AtomicUsize::new(0);
    let harness = Harness::new(move |request| match (request.key.to_string().as_str(), request.attempt) {
        ("read[0]", 1) => {
            Act::Fail(Failure { retry_after_ms: Some(1), ..Failure::new(FailureClass::Server, "overloaded") })
        }
        ("read[1]", _) if tries.fetch_add(1, Ordering::SeqCst) == 0 => {
            Act::Fail(Failure::new(FailureClass::Auth, "who are you"))
        }
        _ => shout(request),
    });
    let rules = each("['a', 'b', 'c']", json!({ "review": "never" }));
    let steps =
        json!([prompt("read", "Read {{ item }}.", rules), expr("all", "steps.read.outputs | join(' ')", json!({}))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.engine.retry_failed(run).await.unwrap();
    harness.drive(run).await;
    (harness, run)
}

async fn denied() -> (Harness, RunId) {
    let harness = Harness::new(shout);
    let steps = json!([command("first", json!({})), command("second", json!({ "after": ["first"] }))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "first", DecisionKind::APPROVE).await;
    harness.decide(run, "second", DecisionKind::Deny { reason: "not on a Friday".into() }).await;
    (harness, run)
}

async fn in_doubt() -> (Harness, RunId) {
    let tries = AtomicUsize::new(0);
    let harness =
        Harness::new(move |request| if tries.fetch_add(1, Ordering::SeqCst) < 2 { Act::Doubt } else { shout(request) });
    let rules = json!({ "approve": "never" });
    let steps =
        json!([command("pay", rules.clone()), command("tell", rules), prompt("thank", "Thank them.", json!({}))]);
    let run = harness.start_with(&steps, &json!({ "max_concurrency": 1 }), json!({}));
    harness.drive(run).await;
    harness.decide(run, "pay", DecisionKind::Answer { value: json!("paid") }).await;
    harness.decide(run, "tell", DecisionKind::Again { model: None }).await;
    (harness, run)
}

/// Three calls depend on `plan`: after its edit one runs again, one is kept, and after the edit is taken back the last
/// one stands again at no cost.
async fn stale() -> (Harness, RunId) {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("plan", "plan", json!({})),
        prompt("write", "{{ item }}: {{ steps.plan.output }}", each("['x', 'y', 'z']", json!({ "review": "never" }))),
        prompt("last", "{{ steps.write.outputs | join(' ') }}", json!({})),
    ]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "plan", DecisionKind::Accept).await;
    harness.decide(run, "last", DecisionKind::Accept).await;
    reopened(&harness, run, "plan", edit(json!("another plan"), true)).await;
    decide_all(&harness, run, &[("write[0]", DecisionKind::Again { model: None }), ("write[1]", DecisionKind::Keep)])
        .await;
    reopened(&harness, run, "plan", edit(json!("PLAN"), true)).await;
    (harness, run)
}

async fn reopened(harness: &Harness, run: RunId, key: &str, kind: DecisionKind) {
    decide_all(harness, run, &[(key, DecisionKind::Reopen), (key, kind)]).await;
}

/// Decides while nobody drives the run, then drives it until it rests.
async fn decide_all(harness: &Harness, run: RunId, decisions: &[(&str, DecisionKind)]) {
    leave(harness, run).await;
    for (key, what) in decisions {
        harness.engine.decide(run, crate::harness::decision(key, what.clone())).await.unwrap();
    }
    harness.drive(run).await;
}

async fn leave(harness: &Harness, run: RunId) {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.pause(run, PauseReason::Left);
    if harness.engine.is_driven(run) {
        until_stopped(&mut updates).await;
    }
}

async fn moved() -> (Harness, RunId) {
    let harness = Harness::new(|request| match request.key.step() {
        "list" => Act::Say(json!(["a", "b", "c"])),
        _ => shout(request),
    });
    let steps = json!([
        step("list", json!({ "kind": "prompt", "prompt": "list", "output": { "type": "array" } }), json!({})),
        prompt("write", "Write {{ item }}.", each("steps.list.output", json!({ "review": "never" }))),
    ]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "list", DecisionKind::Accept).await;
    reopened(&harness, run, "list", edit(json!(["c", "a", "new"]), true)).await;
    (harness, run)
}

async fn decided() -> (Harness, RunId) {
    let harness = Harness::new(shout);
    let steps = json!([
        step(
            "route",
            json!({ "kind": "switch", "cases": [{ "when": "inputs.n > 1", "to": ["many"] }], "default": ["one"] }),
            json!({})
        ),
        expr("one", "1", json!({})),
        expr("many", "inputs.n", json!({ "set_state": { "count": "output" } })),
        expr("again", "iteration", json!({ "repeat": { "until": "output >= 2", "max": 5, "accept_last": false } })),
        expr("never", "1", json!({ "when": "inputs.n > 100" })),
        step(
            "group",
            json!({ "kind": "group", "steps": [expr("inner", "item * 2", json!({}))] }),
            each("range(2)", json!({}))
        ),
        expr("fastest", "steps.many.output or steps.one.output", json!({ "join": "first" })),
        expr(
            "enough",
            "steps.group.outputs",
            json!({
                "stop_when": "output | length > 1", "after": ["again", "many"],
                "document": { "name": "count", "title": "Count", "body": "{{ output | length }}" },
            })
        ),
        prompt("unneeded", "{{ steps.enough.output }}", json!({})),
    ]);
    let n = json!([{ "name": "n", "type": "integer", "required": true }]);
    let run = start(&harness, &steps, &json!({ "result": { "title": "t", "body": "b" } }), &n, json!({ "n": 3 }));
    harness.drive(run).await;
    (harness, run)
}

async fn cancelled() -> (Harness, RunId) {
    let harness = Harness::new(|request: &AttemptRequest| match (request.key.step(), request.attempt) {
        ("a", 1 | 2) | ("b", _) => Act::Hang("so far"),
        _ => shout(request),
    });
    let steps = json!([prompt("a", "hello", json!({})), prompt("b", "{{ steps.a.output }}", json!({}))]);
    let run = harness.start(&steps, json!({}));
    let mut updates = hangs(&harness, run).await;
    harness.engine.pause(run, PauseReason::ByYou);
    until_stopped(&mut updates).await;
    let mut updates = hangs(&harness, run).await;
    // Stopped, not left: what had arrived is reviewed.
    harness.engine.stop(run, &"a".parse().unwrap());
    until_stopped(&mut updates).await;
    harness.engine.decide(run, crate::harness::decision("a", DecisionKind::Accept)).await.unwrap();
    streaming(&mut updates).await;
    harness.engine.cancel(run).await.unwrap();
    until_stopped(&mut updates).await;
    (harness, run)
}

async fn hangs(harness: &Harness, run: RunId) -> Updates {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    streaming(&mut updates).await;
    updates
}

async fn streaming(updates: &mut Updates) {
    until(updates, |update| matches!(update, Update::Delta { .. }).then_some(())).await;
}

async fn waiting() -> (Harness, RunId) {
    let harness = Harness::new(shout);
    let secret = json!([{ "name": "key", "type": "secret", "required": true }]);
    let post = json!({
        "kind": "command", "argv": ["post"], "env": { "KEY": "{{ inputs.key }}" }, "parse": "text",
    });
    let steps = json!([
        prompt("cheap", "hello", json!({ "review": "never" })),
        prompt(
            "dear",
            "{{ steps.cheap.output }}",
            json!({ "checks": [{ "expr": "output == 'no'", "says": "it says no" }] })
        ),
        prompt("left_out", "{{ steps.cheap.output }}", json!({})),
        step(
            "form",
            json!({ "kind": "ask", "fields": [{ "name": "n", "type": "integer", "required": true }] }),
            json!({})
        ),
        command("act", json!({})),
        step("post", post, json!({ "approve": "never" })),
        prompt("beyond", "{{ steps.dear.output }}", json!({})),
    ]);
    let more = json!({ "budget": { "usd": 0.25 }, "max_concurrency": 1 });
    let run = start(&harness, &steps, &more, &secret, json!({ "key": "typed" }));
    harness.drive(run).await;
    let budget = Budget { usd: Some(0.35), tokens: None };
    let state: Run = harness.engine.load(run).unwrap();
    let asked =
        state.waiting().find(|gate| gate.kind() == stepwell::core::gate::GateKind::Budget).unwrap().key.to_string();
    harness.decide(run, &asked, DecisionKind::Budget { budget }).await;
    decide_all(&harness, run, &[("left_out", DecisionKind::Skip)]).await;
    (harness, run)
}

/// A result that was changed by an action, by hand, by an order in the person's own words, which failed at first, and by an
/// action that was taken back.
async fn changed() -> (Harness, RunId) {
    let tries = AtomicUsize::new(0);
    let harness = Harness::new(move |request| match request.key.to_string().as_str() {
        "change#0" if tries.fetch_add(1, Ordering::SeqCst) == 0 => Act::Fail(Failure::new(FailureClass::Refused, "no")),
        _ => shout(request),
    });
    let more = json!({
        "result": { "title": "{{ inputs.topic }}", "body": "The {{ steps.a.output }}" },
        "actions": [
            { "id": "detail", "name": "More detail", "prompt": "{{ document.body }} of {{ inputs.topic }}, {{ steps.a.output }}" },
            { "id": "shorter", "name": "Shorter", "instruction": "Make it half as long." },
        ],
    });
    let topic = json!([{ "name": "topic", "type": "text", "required": true }]);
    let steps = json!([prompt("a", "sea", json!({ "review": "never" }))]);
    let run = start(&harness, &steps, &more, &topic, json!({ "topic": "tides" }));
    harness.drive(run).await;
    harness.engine.act(run, "result", Some(1), "detail").await.unwrap();
    harness.drive(run).await;
    harness.engine.edit_document(run, "result", 2, "Tides", "The sea comes and goes.").await.unwrap();
    harness.engine.act_in_words(run, "result", None, "like a pirate").await.unwrap();
    harness.drive(run).await;
    decide_all(&harness, run, &[("change#0", DecisionKind::Again { model: None })]).await;
    harness.engine.act(run, "result", None, "shorter").await.unwrap();
    harness.drive(run).await;
    harness.engine.undo(run, None).await.unwrap();
    harness.drive(run).await;
    (harness, run)
}

fn start(harness: &Harness, steps: &Value, more: &Value, fields: &Value, inputs: Value) -> RunId {
    let mut pinned = crate::harness::pinned(steps, more);
    pinned.task.inputs = serde_json::from_value(fields.clone()).unwrap();
    let start = Start {
        pinned: Arc::new(pinned),
        inputs,
        cwd: "/".into(),
        session: None,
        model: None,
        budget: None,
        origin: None,
    };
    harness.engine.start(&start).unwrap()
}

async fn forked() -> (Harness, RunId) {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("a", "hello", json!({ "review": "never" })),
        command("act", json!({ "approve": "never", "after": ["a"] })),
        prompt("b", "{{ steps.a.output }}", json!({ "review": "never" })),
    ]);
    let run = harness.start(&steps, json!({}));
    let state = harness.drive(run).await;
    let pinned = harness.engine.definition(&state).unwrap();
    let fork = harness.engine.fork(&Fork { run, at: "b".parse().unwrap(), pinned, budget: None }).unwrap();
    harness.drive(fork).await;
    (harness, fork)
}
