//! What a person allowed of one tool reaches no other tool of the same name: a tool is the definition that calls it and what
//! that declares.

use stepwell::core::pinned::Pinned;
use stepwell::core::task::Task;
use stepwell::core::tool::OwnTool;
use stepwell::engine::Start;

use super::*;
use crate::harness::pinned;

fn program(argv: &str) -> Value {
    json!({ "own": { "description": "prices", "does": { "program": { "argv": [argv] } }, "approve": "always" } })
}

fn server(command: &str, approve: &str) -> Value {
    json!({ "server": { "reach": { "program": { "command": [command] } }, "approve": [["*", approve]] } })
}

/// A run of a definition whose step `a` calls a tool, and of a child of it whose step does the same; each declares what is
/// behind the name.
fn family(harness: &Harness, tool: &str, name: &str, own: &Value, child: &Value) -> RunId {
    let calls = |id: &str| step(id, json!({ "kind": "prompt", "prompt": "look", "tools": [tool] }), never());
    let task = |steps: &Value, declares: &Value| pinned(steps, &json!({ "tools": { name: declares } }));
    let of_child = Task { id: "kid".to_owned(), ..task(&json!([calls("a")]), child).task };
    let kid = step("kid", json!({ "kind": "workflow", "workflow": "kid", "inputs": {} }), json!({ "after": ["a"] }));
    let pinned =
        Pinned { children: BTreeMap::from([("kid".to_owned(), of_child)]), ..task(&json!([calls("a"), kid]), own) };
    let (pinned, inputs, cwd) = (Arc::new(pinned), json!({}), "/".into());
    harness
        .engine
        .start(&Start { pinned, inputs, cwd, session: None, model: None, budget: None, origin: None })
        .unwrap()
}

#[tokio::test]
async fn a_tool_that_was_allowed_for_the_run_is_not_the_tool_of_that_name_of_another_definition() {
    for (tool, name, own, child) in [
        ("price", "price", program("mine"), program("theirs")),
        ("files/wipe", "files", server("mine", "always"), server("theirs", "always")),
    ] {
        let harness = Harness::new(model(vec![vec![(tool, json!({ "n": 1 }))], vec![(tool, json!({ "n": 2 }))]]));
        harness.executor.tools.offer(tool, "does", ToolApproval::Always, false);
        let run = family(&harness, tool, name, &own, &child);
        let waits = harness.drive(run).await;
        assert_eq!(waiting(&waits, GateKind::Approval), ["a"]);
        let for_run = || DecisionKind::Approve { for_run: true, arguments: None };
        let waits = decide(&harness, run, about(1, 0, for_run())).await;
        // Both calls of the parent, and none of the child.
        assert_eq!(
            (waiting(&waits, GateKind::Approval), harness.executor.tools.called().len()),
            (vec!["kid.a".to_owned()], 2)
        );
        let done = decide(&harness, run, Decision::about(gate(&waits), for_run())).await;
        assert_eq!((done.status, harness.executor.tools.called().len()), (Status::Completed, 4), "{:?}", done.error);
    }
}

#[tokio::test]
async fn what_was_allowed_once_is_not_allowed_of_another_server_of_that_name() {
    let calls = || vec![vec![("files/wipe", json!({ "n": 1 }))], vec![("files/wipe", json!({ "n": 1 }))]];
    let harness = Harness::new(model(calls()));
    harness.executor.tools.offer("files/wipe", "does", ToolApproval::Once, false);
    let run = family(&harness, "files/wipe", "files", &server("mine", "once"), &server("theirs", "once"));
    assert_eq!(waiting(&harness.drive(run).await, GateKind::Approval), ["a"]);
    let waits = decide(&harness, run, about(1, 0, DecisionKind::APPROVE)).await;
    assert_eq!(
        (waiting(&waits, GateKind::Approval), harness.executor.tools.called().len()),
        (vec!["kid.a".to_owned()], 2)
    );
    // Other arguments that a person gave count for that tool as well, and for the same arguments.
    let given = DecisionKind::Approve { for_run: false, arguments: Some(json!({ "n": 1 })) };
    let done =
        decide(&harness, run, Decision { kind: given, ..Decision::of(gate(&waits), DecisionKind::APPROVE) }).await;
    assert_eq!((done.status, harness.executor.tools.called().len()), (Status::Completed, 4), "{:?}", done.error);
}

#[tokio::test]
async fn a_step_that_calls_a_tool_is_in_doubt_unless_twice_is_as_once_or_the_step_says_otherwise() {
    for (idempotent, says, in_doubt) in
        [(false, None, true), (true, None, false), (true, Some("ask"), true), (false, Some("rerun"), false)]
    {
        let harness = Harness::new(|_| Act::Doubt);
        harness.executor.tools.offer("t/send", "sends", ToolApproval::Never, idempotent);
        let mut rules = json!({ "approve": "never" });
        if let Some(says) = says {
            rules["on_crash"] = json!(says);
        }
        let send = step("a", json!({ "kind": "tool", "tool": "t/send", "args": {} }), rules);
        let run = harness.start(&json!([send]), json!({}));
        let ended = harness.drive(run).await;
        let gates = waiting(&ended, GateKind::InDoubt).len();
        assert_eq!(gates == 1, in_doubt, "idempotent: {idempotent}, on_crash: {says:?}");
    }
}

fn of_config(program: &str) -> OwnTool {
    let own = json!({ "description": "prices", "does": { "program": { "argv": [program] } }, "approve": "always" });
    serde_json::from_value(own).unwrap()
}

/// The program of a tool that the config declares is shown, and another one that is there when the call begins is not what
/// was allowed.
#[tokio::test]
async fn a_tool_of_the_config_is_allowed_with_its_program_and_asked_about_again_once_that_is_another() {
    let by_model = step("a", json!({ "kind": "prompt", "prompt": "look", "tools": ["price"] }), never());
    let of_a_step = step("a", json!({ "kind": "tool", "tool": "price", "args": { "of": "tea" } }), never());
    for step in [by_model, of_a_step] {
        let harness = Harness::new(model(vec![vec![("price", json!({ "of": "tea" }))]]));
        let tools = Arc::clone(&harness.executor.tools);
        tools.offer("price", "prices", ToolApproval::Always, false);
        let declares =
            |program: &str| drop(tools.of_config.lock().unwrap().insert("price".to_owned(), of_config(program)));
        let shown = |run: &Run| match &gate(run).body {
            GateBody::Approval(approval) => match &*approval.work {
                Work::Tool { own: Some(own), .. } => {
                    serde_json::to_value(&own.does).unwrap()["program"]["argv"][0].clone()
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        declares("mine");
        let run = harness.start(&json!([step]), json!({}));
        let waits = harness.drive(run).await;
        assert_eq!(shown(&waits), "mine");
        declares("theirs");
        let waits = decide(&harness, run, Decision::of(gate(&waits), DecisionKind::APPROVE)).await;
        assert_eq!(
            (shown(&waits), tools.called().len(), harness.attempts().len()),
            (json!("theirs"), 0, waits.call(&Key::plain("a")).unwrap().attempts.len())
        );
        let done = decide(&harness, run, Decision::of(gate(&waits), DecisionKind::APPROVE)).await;
        assert_eq!(done.status, Status::Completed, "{:?}", done.error);
    }
}
