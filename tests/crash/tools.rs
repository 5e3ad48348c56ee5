//! A model that calls tools, and the person beside it: they allow what is asked, and of what may have happened they look
//! whether it did.

use serde_json::json;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::gate::{Gate, GateKind};
use stepwell::core::ports::AttemptRequest;
use stepwell::core::tool::ToolApproval;

use crate::harness::{Act, Harness, ToolAct, step};
use crate::person::{add_line, is_over, lines};
use crate::sandbox::Sandbox;

/// What the run ends with.
pub const RESULT: &str = "all is written";

/// Two turns: in the first it reads and writes, in the second it writes twice, once without asking.
fn model(request: &AttemptRequest) -> Act {
    let turns = request.transcript.as_ref().map_or(0, |transcript| transcript.turns.len());
    match turns {
        0 => Act::Calls(vec![("t/read", json!({ "n": 1 })), ("t/ask", json!({ "n": 1 }))]),
        1 => Act::Calls(vec![("t/ask", json!({ "n": 2 })), ("t/write", json!({ "n": 3 }))]),
        _ => Act::Say(json!(RESULT)),
    }
}

/// Does all that is left to do in a place.
pub async fn use_them(sandbox: &Sandbox) {
    let harness = Harness::within(sandbox.path(), model);
    let tools = &harness.executor.tools;
    tools.offer("t/read", "may be called again", ToolApproval::Never, true);
    tools.offer("t/ask", "is asked about", ToolApproval::Always, false);
    tools.offer("t/write", "is not", ToolApproval::Never, false);
    let effects = sandbox.file("effects");
    tools.act(move |call| {
        let what = if call.tool == "t/read" { "read" } else { "write" };
        add_line(&effects, &format!("{what} {}", call.arguments["n"]));
        ToolAct::Return(json!("done"))
    });
    let does = json!({ "kind": "prompt", "prompt": "write", "tools": ["t/*"] });
    let steps = json!([step("a", does, json!({ "review": "never" }))]);
    let run = match harness.engine.find("last") {
        Ok(run) => run,
        Err(_) => harness.start(&steps, json!({})),
    };
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    while !is_over(sandbox, &mut updates).await {
        let state = harness.engine.load(run).unwrap();
        let waiting: Vec<Gate> = state.waiting().cloned().collect();
        for gate in waiting {
            // One that comes too late is no harm.
            let _ = harness.engine.decide(run, Decision::about(&gate, decision(sandbox, &state, &gate))).await;
        }
    }
}

fn decision(sandbox: &Sandbox, state: &stepwell::core::run::Run, gate: &Gate) -> DecisionKind {
    if gate.kind() != GateKind::InDoubt {
        return DecisionKind::APPROVE;
    }
    let asked = state.call(&gate.key).and_then(|call| call.tool_use()?.call(gate.call?)).unwrap();
    let wrote = format!("write {}", asked.arguments()["n"]);
    if lines(&sandbox.file("effects")).contains(&wrote) {
        DecisionKind::Answer { value: json!("done") }
    } else {
        DecisionKind::Again { model: None }
    }
}
