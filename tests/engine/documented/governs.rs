//! What governs a step.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use stepwell::core::call::CallStatus;
use stepwell::core::decide::DecisionKind;
use stepwell::core::description::Description;
use stepwell::core::event::Event;
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::{GateBody, GateKind};
use stepwell::core::ports::AttemptOutcome;
use stepwell::core::run::Status;
use stepwell::core::task::Body;
use stepwell::core::text::Untrusted;
use stepwell::core::work::{HttpWork, Work};

use self::fixture::StepFixture;
use super::{Play, quotes};
use crate::harness::{Act, body, shout, waiting};

#[path = "../../steps/fixture.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod fixture;

fn transform(id: &str, expr: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nkind = \"transform\"\nexpr = \"{expr}\"\n{more}\n")
}

fn prompt(id: &str, text: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nprompt = \"{text}\"\n{more}\n")
}

fn command(id: &str, argument: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nkind = \"command\"\nargv = [\"do\", \"{argument}\"]\n{more}\n")
}

fn get(id: &str, url: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nkind = \"http\"\nurl = \"{url}\"\n{more}\n")
}

fn says(text: &str) -> String {
    format!("[result]\ntitle = \"t\"\nbody = \"{text}\"\n")
}

fn fails(class: FailureClass) -> Act {
    Act::Fail(Failure::new(class, "no such luck"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn title() {
    quotes(r#"what the person reads instead of the id"#);
    let steps = [transform("a", "1", "title = \"Add it up\""), transform("b", "2", "")].concat();
    let play = Play::of(&steps, json!({})).await;
    let pinned = play.harness.engine.definition(&play.state).unwrap();
    let Body::Workflow(workflow) = &pinned.task.body else { panic!("a workflow") };
    assert_eq!(workflow.steps.iter().map(stepwell::core::step::Step::title).collect::<Vec<_>>(), ["Add it up", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output() {
    quotes(r#"a JSON Schema for the output"#);
    let step = |expr: &str| transform("a", expr, "output = { type = \"integer\" }");
    assert_eq!(body(&Play::of(&step("7"), json!({})).await.state), "7");
    let misfit = Play::of(&step("'seven'"), json!({})).await;
    assert_eq!(misfit.state.error.unwrap().1.class, FailureClass::BadOutput);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_absent() {
    quotes(r#"absent: text (of a transform: anything)"#);
    let steps = [prompt("said", "hello", "review = \"never\""), transform("list", "[1, {'a': 2}]", "")].concat();
    let play = Play::of(&steps, json!({})).await;
    assert_eq!(*play.call("said").output().unwrap().2.as_ref(), json!("HELLO"));
    assert_eq!(*play.call("list").output().unwrap().2.as_ref(), json!([1, { "a": 2 }]));
    let requests = play.harness.executor.requests.lock().unwrap();
    assert!(matches!(&*requests[0].work, Work::Prompt(prompt) if prompt.schema.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_templates() {
    quotes(r#"Its texts may be templates over `inputs`: `minItems = "{{ inputs.stanzas }}"`"#);
    let text = format!(
        "inputs = [{{ name = \"stanzas\", type = \"integer\" }}]\n{}",
        transform("a", "[1, 2]", "output = { type = \"array\", minItems = \"{{ inputs.stanzas }}\" }")
    );
    assert_eq!(Play::of(&text, json!({ "stanzas": 2 })).await.state.status, Status::Completed);
    assert_eq!(Play::of(&text, json!({ "stanzas": 3 })).await.state.status, Status::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks() {
    quotes(r#"what must hold of it: `[{ expr = "EXPR", says = "what holds then" }]`"#);
    let step = |expr: &str| {
        transform("a", expr, "review = \"failed\"\nchecks = [{ expr = \"output > 3\", says = \"more than three\" }]")
    };
    assert_eq!(body(&Play::of(&step("4"), json!({})).await.state), "4");
    let play = Play::of(&step("3"), json!({})).await;
    assert_eq!(play.call("a").gate().unwrap().failed_checks(), ["more than three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn review() {
    quotes(
        r#"`"always"` (prompts, when absent), `"never"` (everything else, when absent), `"failed"` (only what fails its checks), or an expression over `output`"#,
    );
    let checked = "checks = [{ expr = \"output != 'HELLO'\" }]";
    for (step, waits) in [
        (prompt("a", "hello", ""), true),
        (prompt("a", "hello", "review = \"never\""), false),
        (transform("a", "1", ""), false),
        (transform("a", "1", "review = \"always\""), true),
        (command("a", "x", "approve = \"never\""), false),
        (get("a", "https://example.org/", ""), false),
        (prompt("a", "hello", &format!("review = \"failed\"\n{checked}")), true),
        (prompt("a", "other", &format!("review = \"failed\"\n{checked}")), false),
        (prompt("a", "hello", "review = \"output | length > 3\""), true),
        (prompt("a", "hi", "review = \"output | length > 3\""), false),
    ] {
        let play = Play::of(&step, json!({})).await;
        assert_eq!(!waiting(&play.state, GateKind::Review).is_empty(), waits, "{step}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approve() {
    quotes(
        r#"whether a person allows it before it runs: `"always"` (when absent: commands, http that is not GET or HEAD, and any to [a host that is not named](#hosts)), `"once"` (for identical bytes; a GET or HEAD to a host that is not named: for that host), `"never"`, or an expression"#,
    );
    let named = "https://example.org/a";
    let unnamed = "{{ steps.found.output }}";
    let found = transform("found", "'https://example.com/page'", "");
    for (step, waits) in [
        (command("a", "x", ""), true),
        (command("a", "x", "approve = \"never\""), false),
        (command("a", "x", "approve = \"1 > 2\""), false),
        (command("a", "x", "approve = \"steps.found.output | length > 2\""), true),
        (get("a", named, ""), false),
        (get("a", named, "approve = \"always\""), true),
        (get("a", named, "method = \"HEAD\""), false),
        (get("a", named, "method = \"POST\""), true),
        (get("a", unnamed, ""), true),
        (get("a", unnamed, "approve = \"never\""), false),
        (prompt("a", "x", "review = \"never\""), false),
        (prompt("a", "x", "approve = \"always\""), true),
    ] {
        let play = Play::of(&format!("{found}{step}"), json!({})).await;
        assert_eq!(!waiting(&play.state, GateKind::Approval).is_empty(), waits, "{step}");
    }
    // Once: one answer for what is the same to the byte, and for each host.
    let once = "approve = \"once\"\nafter = [\"a\"]";
    let fed = |more: &str| format!("stdin = \"s\"\n{more}");
    let bytes =
        [command("a", "x", &fed("approve = \"once\"")), command("b", "x", &fed(once)), command("c", "y", &fed(once))];
    let mut play = Play::of(&bytes.concat(), json!({})).await;
    play.decide("a", DecisionKind::APPROVE).await;
    assert_eq!(
        (play.status("b"), waiting(&play.state, GateKind::Approval)),
        (CallStatus::Accepted, vec!["c".to_owned()])
    );
    let more = transform("other", "'https://example.net/'", "");
    let host = |id: &str, from: &str| get(id, &format!("{{{{ steps.{from}.output }}}}?{id}"), once);
    let hosts = [found.clone(), more, get("a", unnamed, "approve = \"once\""), host("b", "found"), host("c", "other")];
    let mut play = Play::of(&hosts.concat(), json!({})).await;
    play.decide("a", DecisionKind::APPROVE).await;
    assert_eq!(
        (play.status("b"), waiting(&play.state, GateKind::Approval)),
        (CallStatus::Accepted, vec!["c".to_owned()])
    );
}

/// What the person who is asked to allow something reads.
fn shown(play: &Play) -> String {
    let gate = play.state.waiting().next().expect("an approval");
    let GateBody::Approval(approval) = &gate.body else { panic!("{gate:?}") };
    Description::of_approval(approval, &play.state).text().data().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approve_words() {
    quotes(r#"templates: what the person who allows it reads first"#);
    quotes(r#"Exactly what runs is always shown beneath"#);
    let words = "approve_title = \"Tell {{ inputs.who }}\"\napprove_message = \"At once.\"";
    let text = format!("inputs = [{{ name = \"who\" }}]\n{}", command("a", "{{ inputs.who }}", words));
    let shown = shown(&Play::of(&text, json!({ "who": "Ana" })).await);
    let (first, beneath) = shown.split_once("run:").expect("what runs");
    assert!(first.contains("Tell Ana") && first.contains("At once."), "{shown}");
    assert!(beneath.starts_with("\n    do\n    Ana\n"), "{shown}");

    quotes(r#"A step that only they name is waited for, as any that is named"#);
    quotes(r#"a command's default `stdin` does not have it"#);
    let said = "approve_title = \"Tell {{ steps.p.output }}\"";
    let steps = [prompt("p", "them", "review = \"never\""), command("a", "x", said)].concat();
    let play = Play::of(&steps, json!({})).await;
    let gate = play.state.waiting().next().expect("an approval");
    let GateBody::Approval(approval) = &gate.body else { panic!("{gate:?}") };
    assert_eq!(approval.title.as_ref().map(Untrusted::data), Some("Tell THEM"));
    let Work::Command(work) = &*approval.work else { panic!("{approval:?}") };
    assert!(work.stdin.ends_with("\"steps\":{}}"), "{}", work.stdin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeout() {
    quotes(r#"for one attempt"#);
    let step = prompt("a", "x", "timeout = \"90s\"\nretry = { attempts = 2, delay = \"1ms\", on = [\"timeout\"] }");
    let play = Play::with(&step, json!({}), |_| fails(FailureClass::Timeout)).await;
    let limits: Vec<_> = play.harness.executor.requests.lock().unwrap().iter().map(|r| r.timeout).collect();
    assert_eq!(limits, [Some(std::time::Duration::from_secs(90)); 2], "the second has as long as the first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry() {
    quotes(r#"as `[retry]` of the workflow, for this step"#);
    let steps = [
        "[retry]\nattempts = 2\ndelay = \"1ms\"\non = [\"server\"]\n".to_owned(),
        prompt("a", "x", "on_failure = \"continue\""),
        prompt("b", "x", "on_failure = \"continue\"\nretry = { attempts = 3 }"),
        prompt("c", "x", "on_failure = \"continue\"\nretry = { on = [\"network\"] }"),
        says("done"),
    ];
    let play = Play::with(&steps.concat(), json!({}), |_| fails(FailureClass::Server)).await;
    let tried = |key| play.call(key).attempts.len();
    assert_eq!((tried("a"), tried("b"), tried("c")), (2, 3, 1));
}

/// A server that answers one request with this status.
fn server(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request);
        let _ = stream
            .write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_crash() {
    quotes(
        r#"what becomes of an attempt whose end is not known (http: also after 500, 502 and 504): `"rerun"` (prompt, transform, GET, HEAD), `"ask"` (commands and other http, when absent), `"fail"`"#,
    );
    let post =
        |more: &str| get("a", "https://example.org/", &format!("method = \"POST\"\napprove = \"never\"\n{more}"));
    let effect = |more: &str| command("a", "x", &format!("approve = \"never\"\n{more}"));
    for (step, comes) in [
        (prompt("a", "x", "review = \"never\""), "again"),
        (get("a", "https://example.org/", ""), "again"),
        (get("a", "https://example.org/", "method = \"HEAD\""), "again"),
        (effect(""), "asked"),
        (post(""), "asked"),
        (prompt("a", "x", "on_crash = \"ask\""), "asked"),
        (effect("on_crash = \"rerun\""), "again"),
        (effect("on_crash = \"fail\""), "failed"),
        (post("on_crash = \"fail\""), "failed"),
    ] {
        let tried = AtomicUsize::new(0);
        let retried = format!("[retry]\ndelay = \"1ms\"\n{step}");
        let act =
            move |_: &_| if tried.fetch_add(1, Ordering::SeqCst) == 0 { Act::Doubt } else { Act::Say(json!("x")) };
        let play = Play::with(&retried, json!({}), act).await;
        let came = match play.status("a") {
            CallStatus::InDoubt => "asked",
            CallStatus::Failed => "failed",
            CallStatus::Accepted => "again",
            other => panic!("{other:?}"),
        };
        assert_eq!(came, comes, "{step}");
    }
    for (status, unknown) in [(500, true), (502, true), (504, true), (503, false), (404, false)] {
        let address = server(status);
        let (url, method) = (format!("http://{address}/"), "POST".to_owned());
        let hosts = stepwell::core::host::NamedHosts(vec![address]);
        let work = Work::Http(HttpWork { method, url, hosts, ..HttpWork::default() });
        match StepFixture::new().perform(work).await {
            AttemptOutcome::Failed { in_doubt, .. } => assert_eq!(in_doubt, unknown, "{status}"),
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotent() {
    quotes(r#"`true`: doing it twice is as doing it once, so it is run again without asking"#);
    let tried = AtomicUsize::new(0);
    let step = command("a", "x", "approve = \"never\"\nidempotent = true\nretry = { attempts = 2, delay = \"1ms\" }");
    let act = move |_: &_| if tried.fetch_add(1, Ordering::SeqCst) == 0 { Act::Doubt } else { Act::Say(json!("x")) };
    let play = Play::with(&step, json!({}), act).await;
    assert_eq!((play.call("a").attempts.len(), body(&play.state)), (2, "x"));
    assert!(!play.events().iter().any(|event| matches!(event, Event::GateOpened(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when() {
    quotes(r#"false: the step is skipped, and so is what depends on it"#);
    let steps = [
        transform("a", "1", "when = \"1 > 2\""),
        transform("b", "steps.a.output", ""),
        transform("c", "steps.b.output", ""),
        transform("free", "4", ""),
        says("{{ steps.a.status }} {{ steps.b.status }} {{ steps.c.status }} {{ steps.free.output }}"),
    ];
    assert_eq!(body(&Play::of(&steps.concat(), json!({})).await.state), "skipped skipped skipped 4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after() {
    quotes(r#"waits for these steps"#);
    let steps = [transform("late", "1", "after = [\"a\", \"b\"]"), prompt("a", "x", ""), transform("b", "2", "")];
    let mut play = Play::of(&steps.concat(), json!({})).await;
    assert_eq!(play.begun(), ["b", "a"]);
    play.decide("a", DecisionKind::Accept).await;
    assert_eq!(play.begun(), ["b", "a", "late"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn join() {
    quotes(
        r#"which ends of its dependencies let it start: `"all"` (accepted, when absent), `"any"` (all ended, one accepted), `"first"` (as soon as one is accepted; the others are `none` for it), `"ended"` (all ended, however)"#,
    );
    let joined = |join: &str| {
        let join = if join.is_empty() { String::new() } else { format!("join = \"{join}\"") };
        transform("end", "[steps.a.output, steps.b.output, steps.c.output]", &join)
    };
    let result = says("{{ steps.end.status }} {{ steps.end.output | tojson }}");
    let skipped = |id: &str| transform(id, "0", "when = \"false\"");
    // Of three, one is accepted; then none is.
    for (join, one, none) in [
        ("", "skipped null", "skipped null"),
        ("all", "skipped null", "skipped null"),
        ("any", "accepted [1, null, null]", "skipped null"),
        ("first", "accepted [1, null, null]", "skipped null"),
        ("ended", "accepted [1, null, null]", "accepted [null, null, null]"),
    ] {
        let rest = [skipped("b"), skipped("c"), joined(join), result.clone()].concat();
        let some = Play::of(&format!("{}{rest}", transform("a", "1", "")), json!({})).await;
        assert_eq!(body(&some.state), one, "{join}");
        let nothing = Play::of(&format!("{}{rest}", skipped("a")), json!({})).await;
        assert_eq!(body(&nothing.state), none, "{join}");
    }
    // While others have not ended: only the first does not wait for them.
    for (join, begun) in [("", false), ("any", false), ("first", true), ("ended", false)] {
        let steps = [transform("a", "1", ""), prompt("b", "x", ""), prompt("c", "y", ""), joined(join)].concat();
        let mut play = Play::of(&steps, json!({})).await;
        assert_eq!(play.begun().contains(&"end".to_owned()), begun, "{join}");
        if begun {
            assert_eq!(*play.call("end").output().unwrap().2.as_ref(), json!([1, null, null]));
            continue;
        }
        play.decide("b", DecisionKind::Accept).await;
        play.decide("c", DecisionKind::Accept).await;
        assert_eq!(*play.call("end").output().unwrap().2.as_ref(), json!([1, "X", "Y"]), "{join}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_failure_stop() {
    quotes(r#"`"stop"` (when absent): nothing new starts and the run fails"#);
    quotes(r#"it can be taken up again"#);
    for key in ["", "on_failure = \"stop\""] {
        let down = std::sync::Arc::new(AtomicUsize::new(1));
        let is_down = std::sync::Arc::clone(&down);
        let act = move |request: &stepwell::core::ports::AttemptRequest| match request.key.step() {
            "a" if is_down.load(Ordering::SeqCst) == 1 => fails(FailureClass::Command),
            _ => shout(request),
        };
        let steps = [
            "max_concurrency = 1\n".to_owned(),
            prompt("a", "x", &format!("review = \"never\"\n{key}")),
            prompt("b", "y", "review = \"never\""),
            says("{{ steps.a.output }}{{ steps.b.output }}"),
        ];
        let play = Play::with(&steps.concat(), json!({}), act).await;
        assert_eq!((play.state.status, play.begun()), (Status::Failed, vec!["a".to_owned()]), "{key}");
        down.store(0, Ordering::SeqCst);
        play.harness.engine.retry_failed(play.run).await.unwrap();
        assert_eq!(body(&play.harness.drive(play.run).await), "XY", "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_failure_continue() {
    quotes(r#"`"continue"`: the failure becomes a warning and what depends on the step goes by its `join`"#);
    let steps = [
        prompt("a", "x", "on_failure = \"continue\""),
        transform("all", "steps.a.output", ""),
        transform("ended", "steps.a.error", "join = \"ended\""),
        says("{{ steps.all.status }} {{ steps.ended.status }}"),
    ];
    let play = Play::with(&steps.concat(), json!({}), |_| fails(FailureClass::Command)).await;
    assert_eq!(body(&play.state), "skipped accepted");
    let [warning] = play.state.warnings.as_slice() else { panic!("{:?}", play.state.warnings) };
    assert!(warning.contains("no such luck"), "{warning}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_failure_handler() {
    quotes(r#"`"STEP"`: that step [handles](#more-control) it, and the run goes on"#);
    let steps = |good: bool| {
        let work =
            if good { transform("a", "1", "on_failure = \"fix\"") } else { prompt("a", "x", "on_failure = \"fix\"") };
        let result = says("{{ steps.a.status }} {{ steps.fix.status }} {{ steps.fix.output }}");
        [work, transform("fix", "failure.key ~ '/' ~ failure.class ~ '/' ~ failure.message", ""), result].concat()
    };
    let play = Play::with(&steps(false), json!({}), |_| fails(FailureClass::Command)).await;
    assert_eq!(body(&play.state), "failed accepted a/command/no such luck");
    assert_eq!(body(&Play::of(&steps(true), json!({})).await.state), "accepted skipped ");
}

/// The order in which three prompts begin, of which one at a time may run.
async fn order(priorities: [&str; 3]) -> Vec<String> {
    let step = |(id, priority): (&str, &str)| {
        let priority = if priority.is_empty() { String::new() } else { format!("priority = {priority}") };
        prompt(id, "x", &format!("review = \"never\"\n{priority}"))
    };
    let steps: String = ["a", "b", "c"].into_iter().zip(priorities).map(step).collect();
    let inputs: Value = json!({});
    Play::of(&format!("max_concurrency = 1\n{steps}"), inputs).await.begun()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn priority() {
    quotes(r#"0"#);
    quotes(r#"higher goes first when a limit makes calls wait"#);
    assert_eq!(order(["", "0", ""]).await, ["a", "b", "c"], "absent is 0");
    assert_eq!(order(["-1", "", "1"]).await, ["c", "b", "a"]);
}
