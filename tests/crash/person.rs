//! The person: takes up the newest run or starts one, answers whatever waits by a fixed policy, writes down what was
//! shown as saved, then forks the run and brings that to its end too.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::{Event, InstructionScope};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::{Gate, GateKind};
use stepwell::core::id::RunId;
use stepwell::core::ports::AttemptRequest;
use stepwell::core::run::{Run, Status};
use stepwell::core::work::Work;
use stepwell::engine::{EngineError, Fork, StopReason, Update};

use crate::harness::{Act, Harness, Updates, command, expr, prompt, step};
use crate::sandbox::Sandbox;

pub const PLAN: &str = "my plan";
pub const STANZA: &str = "my stanza";
pub const RHYME: &str = "make it rhyme";
pub const TITLE: &str = "A title of my own";

/// As much text as is put on the disk at once.
pub const STREAMED: &str = include_str!("main.rs");

/// What both runs end with.
pub const RESULT: &str = "stanza 0 of my plan/rhymed 1 of my plan/my stanza; pay[0],pay[1]; send; Ana; steady";

/// Where the run is forked.
pub const FORK_AT: &str = "write[1]";

fn steps() -> Value {
    let each = |count: u32| json!({ "list": format!("range({count})"), "one_by_one": false });
    let name = json!({ "name": "name", "type": "text", "required": true });
    json!([
        prompt("plan", "plan", json!({})),
        prompt("write", "stanza {{ item }} of {{ steps.plan.output }}", json!({ "for_each": each(3) })),
        prompt("shaky", "steady", json!({ "review": "never" })),
        command("pay", json!({ "for_each": each(2), "approve": "never" })),
        step("form", json!({ "kind": "ask", "fields": [name] }), json!({ "after": ["plan"] })),
        command("send", json!({ "after": ["write", "form"] })),
        expr(
            "last",
            "(steps.write.outputs | join('/')) ~ '; ' ~ (steps.pay.outputs | join(',')) ~ '; ' ~ steps.send.output \
             ~ '; ' ~ steps.form.output.name ~ '; ' ~ steps.shaky.output",
            json!({})
        ),
    ])
}

/// What the steps do. An effect is a line in a file: the run and the call.
fn perform(effects: &Path, request: &AttemptRequest) -> Act {
    let Work::Prompt(prompt) = &*request.work else {
        add_line(effects, &format!("{} {}", request.run, request.key));
        return Act::Say(json!(request.key.to_string()));
    };
    if request.key.step() == "shaky" && request.attempt == 1 {
        return Act::Fail(Failure::new(FailureClass::Server, "down"));
    }
    let asked = &prompt.messages[0].text;
    let rhymes = prompt.messages.last().unwrap().text.contains(RHYME);
    Act::Say(json!(if rhymes { asked.replace("stanza", "rhymed") } else { asked.clone() }))
}

/// Waits for what happens next in a run that is driven, and writes down what was heard of it. True: the run is over.
pub async fn is_over(sandbox: &Sandbox, updates: &mut Updates) -> bool {
    let mut over = false;
    for update in updates.next().await {
        match update {
            Update::Event(recorded) => add_line(&sandbox.file("seen"), &serde_json::to_string(&recorded).unwrap()),
            Update::Stopped(StopReason::JournalLost(why)) => panic!("{why}"),
            Update::Stopped(StopReason::Over) => over = true,
            _ => {}
        }
    }
    over
}

pub fn add_line(file: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

pub fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Does all that is left to do in a place.
pub fn work(sandbox: &Sandbox) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if std::env::var_os("CRASH_UNDO").is_some() {
            return decide_otherwise(sandbox).await;
        }
        if std::env::var_os("CRASH_TOOLS").is_some() {
            return crate::tools::use_them(sandbox).await;
        }
        if std::env::var_os("CRASH_ACTION").is_some() {
            return crate::action::change_a_document(sandbox).await;
        }
        if let Ok(stream) = std::env::var("CRASH_STREAM") {
            return stream_to_the_end(sandbox, stream == "1").await;
        }
        let effects = sandbox.file("effects");
        let harness = Harness::within(sandbox.path(), move |request| perform(&effects, request));
        let run = match harness.engine.find("last") {
            Ok(run) => run,
            Err(EngineError::NoRun(_)) => harness.start(&steps(), json!({})),
            Err(error) => panic!("{error}"),
        };
        let state = finish(sandbox, &harness, run).await;
        if state.origin.is_none() {
            let pinned = harness.engine.definition(&state).unwrap();
            let fork = harness.engine.fork(&Fork { run, at: FORK_AT.parse().unwrap(), pinned, budget: None }).unwrap();
            finish(sandbox, &harness, fork).await;
        }
    });
}

/// What comes of the decision that was made otherwise.
pub const OTHERWISE: &str = "three two my plan";

/// Accepts the first step, takes that back when the last one waits, and accepts a text of their own instead.
async fn decide_otherwise(sandbox: &Sandbox) {
    let say = |request: &AttemptRequest| match &*request.work {
        Work::Prompt(prompt) => Act::Say(json!(prompt.messages[0].text)),
        other => panic!("nobody asks for {}", other.kind()),
    };
    let harness = Harness::within(sandbox.path(), say);
    let steps = json!([
        prompt("a", "one", json!({})),
        prompt("b", "two {{ steps.a.output }}", json!({ "review": "never" })),
        prompt("c", "three {{ steps.b.output }}", json!({})),
    ]);
    let run = match harness.engine.find("last") {
        Ok(run) => run,
        Err(_) => harness.start(&steps, json!({})),
    };
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    while !is_over(sandbox, &mut updates).await {
        let undone = harness.events(run).iter().any(|event| matches!(event, Event::DecisionUndone { .. }));
        let state = harness.engine.load(run).unwrap();
        let Some(gate) = state.waiting().find(|gate| gate.kind() == GateKind::Review) else { continue };
        let kind = match (gate.key.step(), undone) {
            ("c", false) => match harness.engine.undo(run, None).await {
                Ok(()) | Err(EngineError::Refused(_)) => continue,
                Err(error) => panic!("{error}"),
            },
            ("a", true) => DecisionKind::Edit { output: json!(PLAN), accept: true },
            _ => DecisionKind::Accept,
        };
        match harness.engine.decide(run, Decision::about(gate, kind)).await {
            // What was looked at may have been decided meanwhile.
            Ok(()) | Err(EngineError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A single prompt that streams and, at first, never ends.
async fn stream_to_the_end(sandbox: &Sandbox, hangs: bool) {
    let harness =
        Harness::within(sandbox.path(), move |_| if hangs { Act::Hang(STREAMED) } else { Act::Say(json!("done")) });
    let run = match harness.engine.find("last") {
        Ok(run) => run,
        Err(_) => harness.start(&json!([prompt("a", "a", json!({ "review": "never" }))]), json!({})),
    };
    harness.drive(run).await;
}

/// Brings a run to its end.
async fn finish(sandbox: &Sandbox, harness: &Harness, run: RunId) -> Run {
    let (mut state, mut updates) = harness.subscribe(run);
    // Before anybody drives it: what a person decides is recorded all the same.
    if state.title != TITLE {
        harness.engine.rename(run, TITLE).await.unwrap();
    }
    answer(sandbox, harness, &state).await;
    harness.engine.drive(run).unwrap();
    while !is_over(sandbox, &mut updates).await {
        state = harness.engine.load(run).unwrap();
        assert_ne!(state.status, Status::Failed, "{:?}", state.error);
        answer(sandbox, harness, &state).await;
    }
    harness.engine.load(run).unwrap()
}

/// Answers what waits. A decision that comes too late is no harm: the first one won.
async fn answer(sandbox: &Sandbox, harness: &Harness, state: &Run) {
    for gate in state.waiting() {
        let what = decide(sandbox, state, gate);
        let decision = Decision::about(gate, what);
        match harness.engine.decide(state.id, decision.clone()).await {
            Ok(()) => {
                let told = json!({ "run": state.id, "decision": decision });
                add_line(&sandbox.file("told"), &told.to_string());
            }
            Err(EngineError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn decide(sandbox: &Sandbox, state: &Run, gate: &Gate) -> DecisionKind {
    let key = gate.key.to_string();
    let call = state.call(&gate.key).unwrap();
    let shown = call.output().map_or(Value::Null, |(_, _, output)| (**output).clone());
    match gate.kind() {
        GateKind::Review => match (key.as_str(), gate.version) {
            ("plan", _) => DecisionKind::Edit { output: json!(PLAN), accept: true },
            ("write[2]", 1) => DecisionKind::Edit { output: json!(STANZA), accept: false },
            ("write[1]", _) if !shown.to_string().contains("rhymed") => {
                DecisionKind::Retry { instruction: RHYME.to_owned(), scope: InstructionScope::This, model: None }
            }
            _ => DecisionKind::Accept,
        },
        GateKind::Approval => DecisionKind::APPROVE,
        GateKind::Input => DecisionKind::Answer { value: json!({ "name": "Ana" }) },
        // Only a look at the world tells whether it happened.
        GateKind::InDoubt if lines(&sandbox.file("effects")).contains(&format!("{} {key}", state.id)) => {
            DecisionKind::Answer { value: json!(key) }
        }
        GateKind::InDoubt => DecisionKind::Again { model: None },
        other => panic!("nobody should be asked for {other} of {key}"),
    }
}
