//! Prompts whose model calls tools, and tools of the author's own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::fingerprint::Fingerprint;
use stepwell::core::model::{Finish, Image, ModelCall, Role};
use stepwell::core::ports::{
    AttemptContext, AttemptOutcome, BoxFuture, CallOutcome, Executor as _, InspectedServer, PastTurn, ServerCall,
    ServerTools, ToolCallRequest, ToolScope, ToolServers, Transcript,
};
use stepwell::core::step::Timespan;
use stepwell::core::tool::{
    CallReturn, DeclaredTool, DeclaredTools, FinishedTurn, OfferedTools, OwnTool, ToolApproval, ToolHints, ToolRules,
    ToolSpec,
};
use stepwell::core::work::{PromptWork, Work, secret_marker};

use crate::fixture::{NONCE, Says, StepFixture, TOKEN, failure, output};

fn spec(tool: &str) -> ToolSpec {
    let (input, hints) = (json!({ "type": "object" }), ToolHints::default());
    ToolSpec { tool: tool.to_owned(), description: format!("Does {tool}.").into(), input, output: None, hints }
}

fn call(id: &str, name: &str, arguments: Value) -> ModelCall {
    ModelCall { id: id.to_owned(), name: name.to_owned(), arguments }
}

fn transcript(turns: Vec<PastTurn>) -> Transcript {
    Transcript { tools: Arc::from([spec("files/read"), spec("price")]), turns }
}

fn prompt(schema: Option<Value>) -> Work {
    let tools = OfferedTools::of(&["files/*".to_owned(), "price".to_owned()], None, None, &DeclaredTools::default());
    let messages = vec![stepwell::core::model::Message::new(Role::User, "What does it cost?")];
    Work::Prompt(PromptWork { messages, schema, tools, ..PromptWork::default() })
}

fn returned(output: Value) -> Arc<CallReturn> {
    let (is_error, images, notes) = (false, Vec::new(), Vec::new());
    Arc::new(CallReturn::Returned { output: Arc::new(output), is_error, images, notes })
}

async fn turn(fixture: &StepFixture, work: Work) -> FinishedTurn {
    match fixture.perform(work).await {
        AttemptOutcome::Turn(turn) => turn,
        other => panic!("no turn: {other:?}"),
    }
}

#[tokio::test]
async fn a_model_that_calls_tools_ends_a_turn_and_is_asked_again_with_what_they_returned() {
    let mut fixture = StepFixture::new().says([
        Says::Calls(
            "Let me look. ",
            vec![
                call("c1", "files__read", json!({ "path": "a" })),
                call("c2", "price", json!({})),
                call("c3", "nowhere!", json!("{")),
            ],
        ),
        Says::Text("It costs 3.", Finish::Stop),
    ]);
    fixture.transcript = Some(transcript(Vec::new()));
    let first = turn(&fixture, prompt(None)).await;
    assert_eq!((first.turn, first.text.data(), first.measured.finish), (1, "Let me look. ", Some(Finish::Calls)));
    let calls: Vec<(String, &str)> = first.calls.iter().map(|call| (call.call.to_string(), &*call.tool)).collect();
    assert_eq!(calls, [("1.0".to_owned(), "files/read"), ("1.1".to_owned(), "price"), ("1.2".to_owned(), "nowhere!")]);
    assert_eq!(fixture.shown(), "Let me look. ", "what is said beside calls streams");
    assert_eq!(first.measured.usage.input_tokens, 10);

    let denied = CallReturn::Failed { error: Failure::new(FailureClass::Denied, "too dear") };
    let image = Image { name: "p.png".into(), media_type: "image/png".into(), base64: "AA==".into() };
    let shown = CallReturn::Returned {
        output: Arc::new(json!({ "text": 1 })),
        is_error: true,
        images: vec![image],
        notes: vec!["more is in FILE".into()],
    };
    let ends = vec![
        (returned(json!("text of a")), Some(Arc::new(json!({ "path": "b" })))),
        (Arc::new(denied), None),
        (Arc::new(shown), None),
    ];
    fixture.transcript = Some(transcript(vec![PastTurn { turn: Arc::new(first), returned: ends }]));
    let AttemptOutcome::Done { output, .. } = fixture.perform(prompt(None)).await else { panic!() };
    assert_eq!(output, "It costs 3.");
    let asked = fixture.asked();
    assert_eq!(asked[0].tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["files__read", "price"]);
    let [_, said, results] = &asked[1].messages[..] else { panic!("{:?}", asked[1].messages) };
    assert_eq!(
        (said.role, said.text.as_str(), said.opaque.as_deref()),
        (Role::Assistant, "Let me look. ", Some(&json!({ "signed": "thoughts" })))
    );
    assert_eq!(said.calls[0], call("c1", "files__read", json!({ "path": "a" })));
    assert_eq!(
        (said.calls[2].id.as_str(), said.calls[2].name.as_str()),
        ("c3", "nowhere_"),
        "a name that providers take"
    );
    assert_eq!(results.role, Role::Tool);
    let read: Vec<(&str, &str, bool)> =
        results.results.iter().map(|result| (&*result.id, &*result.text, result.is_error)).collect();
    assert_eq!(
        read,
        [
            ("c1", "(A person changed the arguments to {\"path\":\"b\"} before it was called.)\ntext of a", false),
            ("c2", "A person did not allow this call: too dear", true),
            ("c3", "{\"text\":1}\n(more is in FILE)", true),
        ]
    );
    assert_eq!(results.results[2].images.len(), 1);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_once_more_with_all_that_the_tools_returned() {
    let schema =
        Some(json!({ "type": "object", "properties": { "price": { "type": "integer" } }, "required": ["price"] }));
    let mut fixture = StepFixture::new().says([
        Says::Calls("", vec![call("", "price", json!({}))]),
        Says::Text("{\"cost\": 3}", Finish::Stop),
        Says::Text("{\"price\": 3}", Finish::Stop),
    ]);
    fixture.transcript = Some(transcript(Vec::new()));
    let first = turn(&fixture, prompt(schema.clone())).await;
    assert_eq!(first.opaque.as_deref(), Some(&json!({ "provider": { "signed": "thoughts" } })), "no ids, none kept");
    fixture.transcript =
        Some(transcript(vec![PastTurn { turn: Arc::new(first), returned: vec![(returned(json!(3)), None)] }]));
    let AttemptOutcome::Done { output, problem, .. } = fixture.perform(prompt(schema)).await else { panic!() };
    assert_eq!((output, problem), (json!({ "price": 3 }), None));
    let repair = &fixture.asked()[2];
    assert_eq!(repair.messages.len(), 5, "the prompt, the turn, what it returned, the answer, what was wrong with it");
    assert_eq!(repair.messages[2].results[0].text, "3");
    assert_eq!(repair.tools.len(), 2);
}

#[tokio::test]
async fn a_model_that_looks_again_before_it_answers_once_more_is_let() {
    let schema = Some(json!({ "type": "object", "required": ["price"] }));
    let mut fixture = StepFixture::new()
        .says([Says::Text("no idea", Finish::Stop), Says::Calls("", vec![call("c", "price", json!({}))])]);
    fixture.transcript = Some(transcript(Vec::new()));
    let first = turn(&fixture, prompt(schema)).await;
    assert_eq!((first.turn, first.calls.len(), first.measured.usage.input_tokens), (1, 1, 20));
    assert_eq!(first.measured.discarded[0].text.data(), "no idea");
}

#[tokio::test]
async fn what_was_not_offered_cannot_be_called() {
    let fixture = StepFixture::new().says([Says::Calls("An answer.", vec![call("c", "price", json!({}))])]);
    let AttemptOutcome::Done { output, .. } = fixture.perform(prompt(None)).await else { panic!() };
    assert_eq!(output, "An answer.");
}

/// A server `files` that does what it is told to, and remembers its calls.
#[derive(Default)]
struct FakeServers {
    answers: Mutex<VecDeque<CallOutcome>>,
    calls: Mutex<Vec<ServerCall>>,
    /// How long it takes to list its tools.
    starts_within: Mutex<Duration>,
}

impl ToolServers for FakeServers {
    fn servers(&self, _scope: &ToolScope) -> Vec<String> {
        vec!["files".to_owned(), "broken".to_owned()]
    }

    fn list(&self, _scope: ToolScope, server: String) -> BoxFuture<'static, Result<ServerTools, Failure>> {
        let starts_within = *self.starts_within.lock().unwrap();
        Box::pin(async move {
            tokio::time::sleep(starts_within).await;
            if server == "broken" {
                return Err(Failure::new(FailureClass::Tool, "broken does not start"));
            }
            let path =
                json!({ "type": "object", "properties": { "path": { "type": "string" } }, "required": ["path"] });
            let tools = vec![ToolSpec { input: path, ..spec("files/read") }, spec("files/write")];
            Ok(ServerTools { tools, notes: vec!["`files/odd` is left out: it has no schema".to_owned()] })
        })
    }

    fn rules(&self, _scope: &ToolScope, tool: &str) -> ToolRules {
        let approve = if tool == "files/read" { ToolApproval::Never } else { ToolApproval::Always };
        ToolRules { approve, ..ToolRules::default() }
    }

    fn call(&self, call: ServerCall, _context: AttemptContext) -> BoxFuture<'static, CallOutcome> {
        self.calls.lock().unwrap().push(call);
        let answer = self.answers.lock().unwrap().pop_front().expect("called more often than expected");
        Box::pin(std::future::ready(answer))
    }

    fn inspect(&self, _scope: ToolScope) -> BoxFuture<'static, Vec<InspectedServer>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn inspect_one(&self, _: ToolScope, _: String) -> BoxFuture<'static, Option<InspectedServer>> {
        Box::pin(std::future::ready(None))
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A fixture whose server answers so.
fn serving(answers: impl IntoIterator<Item = CallOutcome>) -> (StepFixture, Arc<FakeServers>) {
    let servers = Arc::new(FakeServers::default());
    servers.answers.lock().unwrap().extend(answers);
    let fixture = StepFixture::new();
    (fixture.with(|steps| steps.with_tools(servers.clone())), servers)
}

fn known(output: Value) -> CallOutcome {
    CallOutcome::Known((*returned(output)).clone())
}

fn own(does: &Value) -> OwnTool {
    let input = json!({ "type": "object", "properties": { "of": { "type": "string" } } });
    serde_json::from_value(json!({ "description": "Own.", "input": input, "does": does, "approve": "never" })).unwrap()
}

/// A program in the shell.
fn shell(script: &str) -> OwnTool {
    own(&json!({ "program": { "argv": ["sh", "-c", script] } }))
}

async fn call_own(fixture: &StepFixture, own: OwnTool, arguments: Value) -> CallOutcome {
    let timeout = own.timeout;
    let call = ToolCallRequest {
        run: StepFixture::run(),
        key: "step[1]".parse().unwrap(),
        attempt: 1,
        call: "2.0".parse().unwrap(),
        tool: "mine".to_owned(),
        arguments: Arc::new(arguments),
        own: Some(own),
        scope: ToolScope { cwd: fixture.folder.path().to_owned(), ..ToolScope::default() },
        files: fixture.files.clone(),
        timeout,
    };
    fixture.steps.call_tool(call, fixture.context()).await
}

fn offered(patterns: &[&str], own: &[(&str, OwnTool)]) -> OfferedTools {
    let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let declared: DeclaredTools =
        own.iter().map(|(name, own)| ((*name).to_owned(), DeclaredTool::Own(own.clone()))).collect();
    *OfferedTools::of(&patterns, None, None, &declared).unwrap()
}

#[tokio::test]
async fn a_prompt_offers_the_tools_that_its_patterns_name_and_says_which_name_none() {
    let (fixture, _) = serving([]);
    let config = DeclaredTools::from_iter([("now".to_owned(), DeclaredTool::Own(shell("date")))]);
    let fixture = fixture.with(|steps| steps.with_own_tools(config));
    let price = [("price", shell("echo 3"))];
    let list = async |patterns: &[&str]| {
        let listed = fixture.steps.list_tools(ToolScope::default(), offered(patterns, &price)).await;
        listed.map(|listed| listed.into_iter().map(|spec| spec.tool).collect::<Vec<_>>()).map_err(|error| error.message)
    };
    assert_eq!(list(&["files/*", "price", "now"]).await.unwrap(), ["price", "now", "files/read", "files/write"]);
    assert_eq!(list(&["price"]).await.unwrap(), ["price"], "no server is asked that no pattern names");
    assert_eq!(list(&["files/re*"]).await.unwrap(), ["files/read"]);
    assert_eq!(list(&["fil*"]).await.unwrap(), ["files/read", "files/write"], "a star reaches over the server's name");
    assert_eq!(list(&["files/raed"]).await.unwrap_err(), "`files/raed` names no tool; did you mean `files/read`?");
    let none = list(&["fils/read"]).await.unwrap_err();
    assert!(none.starts_with("there is no server `fils` for the tool `fils/read`; did you mean `files`?"), "{none}");
    assert_eq!(list(&["files/odd"]).await.unwrap_err(), "`files/odd` is left out: it has no schema");
    assert_eq!(list(&["broken/*"]).await.unwrap_err(), "broken does not start");
}

#[tokio::test]
async fn a_program_of_one_s_own_reads_its_arguments_as_json_and_gives_text_or_a_value() {
    let fixture = StepFixture::new();
    assert_eq!(
        call_own(&fixture, shell("cat"), json!({ "of": "⟦secret:x:token⟧" })).await,
        known(json!({ "of": "⟦secret:x:token⟧" }))
    );
    assert_eq!(call_own(&fixture, shell("echo a price of 3"), json!({})).await, known(json!("a price of 3")));
    assert_eq!(call_own(&fixture, shell("echo 12.5"), json!({})).await, known(json!(12.5)));
    assert_eq!(
        call_own(&fixture, shell("echo \"$HOME/$SECRET$CONFIGURED\" | grep -c yes"), json!({})).await,
        known(json!(1))
    );
}

#[tokio::test]
async fn a_secret_reaches_a_program_s_environment_and_comes_back_from_nowhere() {
    let fixture = StepFixture::new().with_token("hunter2hunter2");
    let tool = |script: &str| {
        own(&json!({ "program": { "argv": ["sh", "-c", script], "env": { "KEY": "env:TOKEN", "PLAIN": "x" } } }))
    };
    let length = call_own(&fixture, tool("printf %s \"$KEY$PLAIN\" | wc -c"), json!({})).await;
    assert_eq!(length, known(json!(15)), "the program has the value");
    let shown = call_own(&fixture, tool("echo it is $KEY"), json!({})).await;
    assert_eq!(shown, known(json!("it is [redacted]")));
    let failed = call_own(&fixture, tool("echo no $KEY >&2; exit 3"), json!({})).await;
    assert!(!format!("{failed:?}").contains("hunter2"), "{failed:?}");
}

#[tokio::test]
async fn a_program_that_fails_says_so_and_one_that_takes_too_long_is_in_doubt() {
    let fixture = StepFixture::new();
    let CallOutcome::Known(CallReturn::Failed { error }) =
        call_own(&fixture, shell("echo gone >&2; exit 3"), json!({})).await
    else {
        panic!()
    };
    assert_eq!(
        (error.class, error.message.as_str()),
        (FailureClass::Tool, "the tool `mine`: `sh` ended with exit code 3: gone")
    );
    let slow = OwnTool { timeout: Some(Timespan(50)), ..shell("sleep 600") };
    let CallOutcome::InDoubt(error) = call_own(&fixture, slow, json!({})).await else { panic!() };
    assert_eq!(
        (error.class, error.message.as_str()),
        (FailureClass::Timeout, "the tool `mine` took longer than 50ms; its `timeout` may be raised")
    );
    let nowhere = own(&json!({ "program": { "argv": ["no-such-program"] } }));
    let CallOutcome::Known(CallReturn::Failed { error }) = call_own(&fixture, nowhere, json!({})).await else {
        panic!()
    };
    assert!(error.message.contains("the program `no-such-program` was not found"), "{error}");
}

#[tokio::test]
async fn a_large_output_is_spooled_and_what_is_stopped_is_over() {
    let fixture = StepFixture::new();
    let large = call_own(&fixture, shell("head -c 3000000 /dev/zero | tr '\\\\0' a"), json!({})).await;
    let CallOutcome::Known(CallReturn::Returned { output, notes, .. }) = large else { panic!() };
    assert_eq!(output.as_str().unwrap().len(), 1 << 20);
    assert!(notes[0].starts_with("the output has 3000000 bytes; all of it is in "), "{notes:?}");
    // The beginning of a text is no value, whatever it looks like.
    let began =
        call_own(&fixture, shell("echo 12; head -c 3000000 /dev/zero | tr '\\\\0' ' '; echo and more"), json!({}));
    let CallOutcome::Known(CallReturn::Returned { output, .. }) = began.await else { panic!() };
    assert!(output.as_str().is_some_and(|text| text.starts_with("12\n")), "{output}");
    fixture.cancel.cancel();
    assert_eq!(call_own(&fixture, shell("true"), json!({})).await, CallOutcome::Cancelled { in_doubt: false });
}

#[tokio::test]
async fn a_program_of_the_definition_s_folder_runs_with_the_bytes_that_were_pinned() {
    let mut fixture = StepFixture::new();
    let text = b"#!/bin/sh\necho pinned";
    fixture.files = [("tool.sh".to_owned(), text.to_vec())].into_iter().collect();
    let tool = |hash: &[u8]| {
        let files = json!({ "tool.sh": Fingerprint::of_bytes(hash) });
        own(&json!({ "program": { "argv": ["sh", "@/tool.sh"], "files": files } }))
    };
    assert_eq!(call_own(&fixture, tool(text), json!({})).await, known(json!("pinned")));
    let CallOutcome::Known(CallReturn::Failed { error }) = call_own(&fixture, tool(b"other"), json!({})).await else {
        panic!()
    };
    assert!(error.message.contains("is not the file that was pinned"), "{error}");
}

#[tokio::test]
async fn an_expression_computes_over_its_arguments() {
    let fixture = StepFixture::new();
    let sum = own(&json!({ "expr": "{'sum': args.a + args.b, 'said': args.of | upper}" }));
    let outcome = call_own(&fixture, sum, json!({ "a": 1, "b": 2, "of": "x" })).await;
    assert_eq!(outcome, known(json!({ "sum": 3, "said": "X" })));
    let CallOutcome::Known(CallReturn::Failed { error }) =
        call_own(&fixture, own(&json!({ "expr": "args.nothing" })), json!({})).await
    else {
        panic!()
    };
    assert!(error.message.starts_with("the tool `mine` failed to evaluate: "), "{error}");
}

#[tokio::test]
async fn a_step_calls_a_server_s_tool_and_takes_what_it_returns() {
    let is_error =
        CallReturn::Returned { output: Arc::new(json!("no such file")), is_error: true, images: vec![], notes: vec![] };
    let image = Image { name: "p.png".into(), media_type: "image/png".into(), base64: "AA==".into() };
    let picture =
        CallReturn::Returned { output: Arc::new(json!("seen")), is_error: false, images: vec![image], notes: vec![] };
    let lost = Failure::new(FailureClass::Network, "the server is gone");
    let (fixture, servers) = serving([
        known(json!({ "lines": 3 })),
        CallOutcome::Known(is_error),
        CallOutcome::Known(picture),
        CallOutcome::InDoubt(lost),
    ]);
    let marked = secret_marker(NONCE, "token");
    let step = |path: &str| Work::tool("files/read", json!({ "path": path }));
    assert_eq!(output(fixture.perform(step(&marked)).await), json!({ "lines": 3 }));
    assert_eq!(
        servers.calls.lock().unwrap()[0].arguments,
        json!({ "path": TOKEN }),
        "the secret is filled in for the server"
    );
    let (failed, _, in_doubt) = failure(fixture.perform(step("a")).await);
    assert_eq!(
        (failed.class, failed.message.as_str(), in_doubt),
        (FailureClass::Tool, "the tool `files/read` failed: no such file", false)
    );
    let seen = output(fixture.perform(step("a")).await);
    assert_eq!((&seen["text"], &seen["images"][0]["media_type"]), (&json!("seen"), &json!("image/png")));
    assert!(failure(fixture.perform(step("a")).await).2, "whether it had its effect is not known");
}

#[tokio::test]
async fn a_step_whose_arguments_do_not_fit_or_whose_tool_there_is_not_calls_nothing() {
    let (fixture, servers) = serving([]);
    let failed = async |tool: &str, args: Value| failure(fixture.perform(Work::tool(tool, args)).await).0.message;
    let message = failed("files/read", json!({ "path": 3 })).await;
    assert!(message.starts_with("the arguments do not fit what the tool `files/read` takes: "), "{message}");
    assert_eq!(failed("files/raed", json!({})).await, "`files/raed` names no tool; did you mean `files/read`?");
    assert_eq!(failed("files/odd", json!({})).await, "`files/odd` is left out: it has no schema");
    assert!(failed("price", json!({})).await.starts_with("`price` names no tool"));
    assert!(servers.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_step_calls_a_tool_of_one_s_own_and_its_output_is_held_to_the_step_s_schema() {
    let fixture = StepFixture::new();
    let step = |schema: Value| Work::Tool {
        tool: "mine".to_owned(),
        args: json!({ "of": secret_marker(NONCE, "token") }),
        own: Some(Box::new(shell("cat >/dev/null; echo 12"))),
        schema: Some(schema),
    };
    assert_eq!(output(fixture.perform(step(json!({ "type": "integer" }))).await), json!(12));
    let AttemptOutcome::Done { problem, .. } = fixture.perform(step(json!({ "type": "object" }))).await else {
        panic!()
    };
    assert!(problem.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_a_server_takes_to_start_is_a_part_of_the_step_s_time() {
    let late = Failure::new(FailureClass::Timeout, "took longer than the server's own time");
    let (mut fixture, servers) = serving([known(json!("done")), CallOutcome::InDoubt(late)]);
    *servers.starts_within.lock().unwrap() = Duration::from_secs(9);
    fixture.timeout = Some(Duration::from_secs(10));
    assert_eq!(output(fixture.perform(Work::tool("files/read", json!({ "path": "a" }))).await), "done");
    let left = servers.calls.lock().unwrap()[0].timeout.unwrap();
    assert!(left <= Timespan(1_000), "{left:?}");
    let (failed, _, in_doubt) = failure(fixture.perform(Work::tool("files/read", json!({ "path": "a" }))).await);
    assert!(in_doubt && failed.message.contains("took longer than 10s; raise the step's `timeout`"), "{failed}");
}
