//! Servers over streamable HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use stepwell::core::failure::FailureClass;
use stepwell::core::ports::{AttemptContext, CallOutcome, ToolServers as _};
use stepwell::core::tool::{CallReturn, Reach, ToolServer};

use crate::fixture::{SECRET, Servers, server, until};

/// A server of our own over HTTP; it ends when its stdin does.
pub struct Running(Child, String);

impl Running {
    pub fn new(flags: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/server.py");
        let mut command = Command::new("python3");
        command.arg(script).arg("http").args(flags).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self(child, format!("http://127.0.0.1:{}/mcp", port.trim()))
    }

    fn server(&self) -> ToolServer {
        self.with_headers(&[])
    }

    pub fn with_headers(&self, headers: &[(&str, &str)]) -> ToolServer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        server(Reach::Http { url: self.1.clone(), headers: headers.collect() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn tools_are_listed_and_called_over_events_and_over_plain_json() {
    for flags in [&[][..], &["json"]] {
        let running = Running::new(flags);
        let servers = Servers::one(running.server());
        assert!(servers.list().await.unwrap().contains(&"odd/echo".to_owned()));
        assert_eq!(servers.text("echo", json!({"text": "hi"})).await, "hi");
        assert_eq!(servers.call("add", json!({"a": 1, "b": 2})).await.output, json!({"sum": 3}));
        let (failure, in_doubt) = servers.failure("error", json!({})).await;
        assert!(failure.message.contains("no such thing") && !in_doubt);
        let big = servers.call("big", json!({"bytes": 20_000_000})).await;
        assert!(big.notes[0].contains("20000000 bytes"), "{:?}", big.notes);
        servers.close().await;
    }
}

#[tokio::test]
async fn progress_and_questions_come_in_the_stream_of_the_call() {
    let running = Running::new(&[]);
    let servers = Servers::one(running.server());
    assert_eq!(servers.text("slow", json!({})).await, "done");
    assert_eq!(servers.progress(), ["part 1 (1/3)", "part 2 (2/3)", "part 3 (3/3)"]);
    *servers.answers.lock().unwrap() = vec![json!({"action": "accept", "name": "Ada"})];
    assert_eq!(servers.text("ask", json!({})).await, r#"{"action": "accept", "content": {"name": "Ada"}}"#);
    servers.close().await;
}

#[tokio::test]
async fn what_the_server_says_unasked_is_heard_where_it_offers_that() {
    let running = Running::new(&["listens"]);
    let servers = Servers::one(running.server());
    servers.list().await.unwrap();
    let listed = async {
        while !servers.list().await.unwrap().contains(&"odd/unasked".to_owned()) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::fixture::PATIENCE, listed).await.expect("the change is heard");
    servers.close().await;
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_begun_again_and_ended_at_the_end() {
    for flags in [&[][..], &["not-found"]] {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let mark_flag = format!("mark={}", mark.display());
        let running = Running::new(&[flags, &[&mark_flag]].concat());
        let servers = Servers::one(running.server());
        servers.call("forget", json!({})).await;
        assert_eq!(servers.text("echo", json!({"text": "again"})).await, "again");
        servers.close().await;
        let marks = std::fs::read_to_string(&mark).unwrap();
        assert_eq!(marks, "deleted session-2\n", "the one that it forgot is over");
    }
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_begun_again_for_a_list_too() {
    let running = Running::new(&["silent", "not-found"]);
    let servers = Servers::one(running.server());
    servers.call("forget", json!({})).await;
    assert!(servers.list().await.unwrap().contains(&"odd/echo".to_owned()));
    servers.close().await;
}

#[tokio::test]
async fn of_the_calls_into_a_session_that_is_over_each_is_made_again_and_what_was_under_way_is_not_lost() {
    let running = Running::new(&["not-found"]);
    let servers = Servers::one(running.server());
    let under_way = servers.text("hold", json!({"waits": "the others"}));
    let others = async {
        until("the call", || !servers.progress().is_empty()).await;
        servers.call("forget", json!({})).await;
        let echo = async |text: &str| servers.text("echo", json!({"text": text})).await;
        let echoed = tokio::join!(echo("a"), echo("b"), echo("c"), echo("d"));
        servers.call("hold", json!({"opens": "the others"})).await;
        echoed
    };
    let (held, echoed) = tokio::join!(under_way, others);
    assert_eq!(held, "held");
    assert_eq!(echoed, ("a".to_owned(), "b".to_owned(), "c".to_owned(), "d".to_owned()));
    servers.close().await;
}

#[tokio::test]
async fn a_call_that_the_server_refuses_is_made_once_and_says_why() {
    let running = Running::new(&[]);
    let servers = Servers::one(running.server());
    let under_way = servers.text("hold", json!({"waits": "the refusals"}));
    let refused = async {
        until("the call", || !servers.progress().is_empty()).await;
        for (status, body) in
            [(400, "bad argument"), (404, "no such file"), (400, "no session of that name"), (422, "odd")]
        {
            let (failure, in_doubt) = servers.failure("refuse", json!({"status": status, "body": body})).await;
            assert!(failure.message.contains(body) && !in_doubt, "{failure}");
        }
        servers.call("hold", json!({"opens": "the refusals"})).await;
    };
    let (held, ()) = tokio::join!(under_way, refused);
    assert_eq!(held, "held", "what is under way in the same session is not touched");
    let heard = servers.heard().await;
    let made = heard.iter().filter(|one| one["name"] == "refuse").count();
    let sessions = heard.iter().filter(|one| one["method"] == "initialize").count();
    assert_eq!((made, sessions), (4, 1));
    servers.close().await;
}

#[tokio::test]
async fn a_list_is_read_again_where_a_change_of_it_would_not_be_heard() {
    for flags in [&[][..], &["listens-briefly"]] {
        let running = Running::new(flags);
        let servers = Servers::one(running.server());
        servers.list().await.unwrap();
        servers.call("grow_quietly", json!({})).await;
        let listed = async {
            while !servers.list().await.unwrap().contains(&"odd/grown0".to_owned()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(crate::fixture::PATIENCE, listed).await.expect("the change is seen");
        servers.close().await;
    }
}

#[tokio::test]
async fn nothing_is_asked_of_a_server_before_it_knows_that_the_session_has_begun() {
    let running = Running::new(&["insists"]);
    let servers = Servers::one(running.server());
    assert!(!servers.list().await.unwrap().is_empty());
    servers.close().await;
}

#[tokio::test]
async fn a_question_reaches_the_call_that_it_is_asked_for() {
    let running = Running::new(&[]);
    let servers = Servers::one(running.server());
    *servers.answers.lock().unwrap() = vec![json!({"action": "accept", "name": "Ada"})];
    let asks = servers.text("ask", json!({"waits": "a newer call"}));
    let newer = async {
        until("the call", || !servers.progress().is_empty()).await;
        let silent = AttemptContext { ask: Arc::new(|form| panic!("asked {form:?}")), ..servers.context() };
        let call = servers.request("odd/hold", json!({"opens": "a newer call", "waits": "the answer"}));
        servers.mcp.call(call, silent).await
    };
    let answered = async {
        let answer = asks.await;
        servers.call("hold", json!({"opens": "the answer"})).await;
        answer
    };
    let (answer, newer) = tokio::join!(answered, newer);
    assert_eq!(answer, r#"{"action": "accept", "content": {"name": "Ada"}}"#);
    assert!(matches!(newer, CallOutcome::Known(CallReturn::Returned { .. })), "{newer:?}");
    servers.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_asked_for_again() {
    let running = Running::new(&[]);
    let servers = Servers::one(running.server());
    assert_eq!(servers.text("broken", json!({})).await, "after all");
    assert_eq!(servers.text("broken", json!({"pieces": 6})).await, "after all", "as long as that gets any further");
    let (failure, in_doubt) = servers.failure("broken", json!({"lost": true})).await;
    assert!(in_doubt && failure.class == FailureClass::Tool, "{failure}");
    assert!(failure.message.contains("could not resume the response (404"), "{failure}");
    servers.close().await;
}

#[tokio::test]
async fn headers_are_sent_with_their_secrets_and_a_server_that_does_not_take_them_says_so() {
    let running = Running::new(&[&format!("token={SECRET}")]);
    let servers = Servers::one(running.with_headers(&[("Authorization", "Bearer env:TOKEN")]));
    assert_eq!(servers.text("echo", json!({"text": "in"})).await, "in");
    servers.close().await;
    let (failure, in_doubt) = Servers::one(running.server()).failure("echo", json!({})).await;
    assert_eq!((failure.class, in_doubt), (FailureClass::Auth, false));
    for says in ["401", "no token", "Bearer env:NAME", "OAuth is not supported"] {
        assert!(failure.message.contains(says), "{failure}");
    }
    let wrong = running.with_headers(&[("Authorization", "a\nb")]);
    let (failure, _) = Servers::one(wrong).failure("echo", json!({})).await;
    assert_eq!(failure.class, FailureClass::Definition);
}

#[tokio::test]
async fn a_server_that_is_not_there_fails_or_has_moved_is_named_with_what_to_do() {
    for (status, class, says) in [
        ("500", FailureClass::Tool, "failed (500 Internal Server Error: not today) before it was ready"),
        ("429", FailureClass::RateLimit, "takes no more requests"),
        ("307", FailureClass::BadRequest, "to https://example.org/mcp; set `url` to that"),
        ("405", FailureClass::BadRequest, "refused the request (405"),
    ] {
        let running = Running::new(&[&format!("status={status}")]);
        let (failure, in_doubt) = Servers::one(running.server()).failure("echo", json!({})).await;
        assert!(failure.message.contains(says) && !in_doubt, "{failure}");
        assert_eq!(failure.class, class);
    }
    let gone = server(Reach::Http { url: "http://127.0.0.1:9/mcp".into(), headers: BTreeMap::new() });
    let (failure, in_doubt) = Servers::one(gone).failure("echo", json!({})).await;
    assert_eq!((failure.class, in_doubt), (FailureClass::Network, false));
    assert!(failure.message.contains("cannot be reached at http://127.0.0.1:9/mcp"), "{failure}");
}

#[tokio::test]
async fn a_stopped_call_ends_at_once_and_the_server_is_told_over_http_too() {
    let running = Running::new(&[]);
    let servers = Servers::one(running.server());
    let stops = async {
        until("the call", || !servers.progress().is_empty()).await;
        servers.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(servers.outcome("odd/never", json!({}), None), stops);
    assert_eq!(outcome, CallOutcome::Cancelled { in_doubt: true });
    let servers = servers.not_stopped();
    let told = async {
        while !servers.heard().await.iter().any(|one| one["params"]["reason"] == "stopped") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::fixture::PATIENCE, told).await.expect("it is told");
    servers.close().await;
}
