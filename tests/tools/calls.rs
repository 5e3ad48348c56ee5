//! What becomes of a call, whatever the tool does.

use serde_json::{Value, json};
use stepwell::core::failure::FailureClass;
use stepwell::core::id::RunId;
use stepwell::core::ports::{CallOutcome, Spool as _};
use stepwell::core::step::Timespan;
use stepwell::core::tool::{CallReturn, Reach};
use stepwell::store::StateFolder;

use crate::fixture::{PATIENCE, SECRET, Servers, odd, until};

#[tokio::test]
async fn a_tool_returns_text_structured_content_or_an_error_of_its_own() {
    let servers = Servers::one(odd(&[]));
    assert_eq!(servers.text("echo", json!({"text": "hi\u{1b}[31m"})).await, "hi\u{1b}[31m");
    let sum = servers.call("add", json!({"a": 1, "b": 2})).await;
    assert_eq!((sum.output, sum.is_error), (json!({"sum": 3}), false));
    let failed = servers.call("fail", json!({})).await;
    assert_eq!((failed.output, failed.is_error), (json!("the disk is full"), true));
    let (failure, in_doubt) = servers.failure("error", json!({})).await;
    assert!(failure.class == FailureClass::Tool && !in_doubt, "{failure}");
    assert_eq!(failure.message, "`odd/error` was answered with an error: no such thing (-32000)");
    let unknown = servers.call("nothing", json!({})).await;
    assert!(unknown.is_error, "{unknown:?}");
    servers.close().await;
}

#[tokio::test]
async fn content_of_every_kind_is_kept_or_said() {
    let servers = Servers::one(odd(&[]));
    let picture = servers.call("picture", json!({})).await;
    assert_eq!(picture.output, "a dot");
    assert_eq!((picture.images[0].media_type.as_str(), &*picture.images[0].base64), ("image/png", "iVBORw0KGgo="));
    let odd = servers.call("odd", json!({})).await;
    assert_eq!(odd.output, "first\nfile:///a.txt (a, text/plain)\nof b\n\u{1b}[31mlast");
    assert_eq!(odd.images.iter().map(|image| image.name.as_str()).collect::<Vec<_>>(), ["c.png"]);
    assert_eq!(
        odd.notes,
        [
            "dropped 3 bytes of data of file:///d.bin: only text and images are kept",
            "dropped 3 bytes of audio/wav: only text and images are kept",
            "content of the kind `hologram` is not understood",
        ]
    );
    servers.close().await;
}

#[tokio::test]
async fn one_odd_item_does_not_cost_the_result_of_a_tool_that_worked() {
    let servers = Servers::one(odd(&[]));
    let ok = json!({"type": "text", "text": "ok"});
    let not_understood = "an item of the content is not understood";
    for (result, output, note) in [
        (json!({"content": [ok, null]}), json!("ok"), Some(not_understood)),
        (json!({"content": [5, ok]}), json!("ok"), Some(not_understood)),
        (json!({"content": [ok, [ok]]}), json!("ok"), Some(not_understood)),
        (json!({"content": [ok, {"type": "text", "text": 5}]}), json!("ok\n5"), None),
        (
            json!({"content": [ok, {"type": "text", "text": {"a": 1}}]}),
            json!("ok"),
            Some("of the kind `text` has no text"),
        ),
        (json!({"content": [ok, {"type": "text", "text": null}]}), json!("ok"), Some("of the kind `text` has no text")),
        (
            json!({"content": [ok, {"type": "image", "data": [1, 2]}]}),
            json!("ok"),
            Some("kind `image` is not understood"),
        ),
        (json!({"content": [ok, {"type": "resource", "resource": 5}]}), json!("ok"), Some("kind `resource` is not")),
        (json!({"content": [ok, {"type": 5}]}), json!("ok"), Some("of the kind `` is not understood")),
        (json!({"content": 5}), json!(""), Some("the content is not understood")),
        (json!({"content": ok}), json!("ok"), None),
        (json!({"content": "ok"}), json!("ok"), None),
        (json!({"content": 5, "structuredContent": {"a": 1}}), json!({"a": 1}), Some("the content is not understood")),
        (json!({"toolResult": "ok"}), json!(""), Some("the result has no content")),
        (json!("ok"), json!("ok"), None),
        (json!([1, 2]), json!(""), Some("the result is not understood")),
        (json!(true), json!(""), Some("the result is not understood")),
        (json!(null), json!(""), Some("the result is not understood")),
    ] {
        let returned = servers.call("returns", json!({"result": result})).await;
        assert_eq!((&returned.output, returned.is_error), (&output, false), "{result}: {:?}", returned.notes);
        let notes = returned.notes.join("; ");
        assert!(note.map_or(notes.is_empty(), |note| notes.contains(note)), "{result}: {notes}");
    }
    // It is the same where the result is too large to be read at once.
    let text = "x".repeat(1_500_000);
    let large = json!({"result": {"content": [null, {"type": "text", "text": text}, {"type": "text", "text": 5}, 7]}});
    let returned = servers.call("returns", large).await;
    assert_eq!(returned.output.as_str().unwrap().len(), 1 << 20);
    assert_eq!(returned.notes.iter().filter(|note| **note == not_understood).count(), 2, "{:?}", returned.notes);
    servers.close().await;
}

#[tokio::test]
async fn a_picture_is_what_its_bytes_are_and_what_no_model_takes_is_no_picture() {
    let servers = Servers::one(odd(&[]));
    let picture = async |data: &str, says: &str| {
        let item = json!({"type": "image", "data": data, "mimeType": says});
        servers.call("returns", json!({"result": {"content": [item]}})).await
    };
    for (data, kind) in [
        ("iVBORw0KGgo=", "image/png"),
        ("iVBORw0KGgo", "image/png"),
        ("iVBO\nRw0KGgo=\n", "image/png"),
        ("data:image/jpeg;base64,/9j/4A==", "image/jpeg"),
        ("R0lGODlhLi4=", "image/gif"),
        ("UklGRi4uLi5XRUJQVlA4IA==", "image/webp"),
    ] {
        let returned = picture(data, "image/x-odd").await;
        assert_eq!(returned.images.len(), 1, "{data}: {:?}", returned.notes);
        assert_eq!(returned.images[0].media_type, kind);
        assert!(!returned.images[0].base64.contains([',', '\n']), "{}", returned.images[0].base64);
        assert!(returned.images[0].name.ends_with(kind.rsplit('/').next().unwrap()), "{}", returned.images[0].name);
    }
    for (data, says, note) in [
        (
            "PHN2Zz48L3N2Zz4=",
            "image/svg+xml",
            "a picture of the kind image/svg+xml is not kept: models take PNG, JPEG, GIF or WebP",
        ),
        ("not base64", "image/png", "a picture of the kind image/png is not kept: its data is not base64"),
    ] {
        let returned = picture(data, says).await;
        assert_eq!((returned.images.len(), &returned.notes), (0, &vec![note.to_owned()]));
    }
    servers.close().await;
}

#[tokio::test]
async fn progress_and_lines_of_the_log_are_the_calls_progress() {
    let servers = Servers::one(odd(&[]));
    assert_eq!(servers.text("slow", json!({})).await, "done");
    assert_eq!(servers.progress(), ["part 1 (1/3)", "part 2 (2/3)", "part 3 (3/3)"]);
    assert_eq!(servers.text("log", json!({})).await, "done");
    assert_eq!(servers.progress()[3..], ["opened", "error: {\"code\":5}"]);
    servers.close().await;
}

#[tokio::test]
async fn a_large_result_is_kept_at_its_beginning_and_spooled_as_a_whole() {
    let servers = Servers::one(odd(&[]));
    let spooled = |servers: &Servers| {
        StateFolder::new(servers.folder.path().to_owned()).read(RunId::new(0, [1; 10]), "call").unwrap()
    };
    let big = servers.call("big", json!({"bytes": 50_000_000})).await;
    assert_eq!(big.output.as_str().unwrap(), "0123456789abcde\n".repeat((1 << 20) / 16));
    assert!(big.notes[0].contains("50000000 bytes") && big.notes[0].contains("call"), "{:?}", big.notes);
    assert_eq!(spooled(&servers).len(), 50_000_000);
    let json_only = servers.call("bigjson", json!({"bytes": 3_000_000})).await;
    assert!(json_only.output.as_str().unwrap().contains("\"structuredContent\""), "{:?}", json_only.notes);
    assert!(
        json_only.notes[0].contains("all of it is in") && json_only.notes[1].contains("too large"),
        "{json_only:?}"
    );
    let whole: Value = serde_json::from_slice(&spooled(&servers)).unwrap();
    assert_eq!(whole["result"]["structuredContent"]["items"].as_array().unwrap().len(), 30_000);
    let picture = servers.call("bigpicture", json!({"bytes": 2_000_000})).await;
    assert_eq!(picture.images[0].base64.len(), 2_000_000);
    let picture = servers.call("bigpicture", json!({"bytes": 9_000_000})).await;
    assert!(picture.images.is_empty() && picture.notes[0].contains("too large to be kept"), "{:?}", picture.notes);
    assert_eq!(servers.text("echo", json!({"text": "still there"})).await, "still there");
    servers.close().await;
}

#[tokio::test]
async fn a_stopped_call_ends_at_once_and_the_server_is_told() {
    let servers = Servers::one(odd(&[]));
    let cancel = servers.cancel.clone();
    let stops = async {
        until("the call", || !servers.progress().is_empty()).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(servers.outcome("odd/never", json!({}), None), stops);
    assert_eq!(outcome, CallOutcome::Cancelled { in_doubt: true });
    let servers = servers.not_stopped();
    let heard = servers.heard().await;
    let cancelled = heard.iter().find(|one| one["method"] == "notifications/cancelled").expect("it was told");
    assert_eq!(cancelled["params"], json!({"requestId": 2, "reason": "stopped"}));
    servers.cancel.cancel();
    let outcome = servers.outcome("odd/echo", json!({"text": "x"}), None).await;
    assert_eq!(outcome, CallOutcome::Cancelled { in_doubt: false }, "it had not begun");
    servers.close().await;
}

#[tokio::test]
async fn a_call_that_never_returns_is_in_doubt_after_its_time() {
    let servers = Servers::one(odd(&[]));
    let CallOutcome::InDoubt(failure) = servers.outcome("odd/never", json!({}), Some(Timespan(300))).await else {
        panic!("it returned");
    };
    assert_eq!(failure.class, FailureClass::Timeout);
    assert!(failure.message.contains("`odd/never` took longer than 300ms") && failure.message.contains("[tools.odd]"));
    assert!(servers.heard().await.iter().any(|one| one["params"]["reason"] == "it took too long"));
    servers.close().await;
}

#[tokio::test]
async fn calls_run_at_the_same_time() {
    let servers = Servers::one(odd(&[]));
    let never = servers.outcome("odd/never", json!({}), Some(Timespan(60_000)));
    let others = async {
        for number in 0..20 {
            let text = format!("number {number}");
            assert_eq!(servers.text("echo", json!({"text": text})).await, text);
        }
        servers.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(never, others);
    assert_eq!(outcome, CallOutcome::Cancelled { in_doubt: true });
}

#[tokio::test]
async fn a_server_asks_the_person_and_hears_what_they_decide() {
    let servers = Servers::one(odd(&[]));
    let heard = async |answers: Value| {
        *servers.answers.lock().unwrap() = answers.as_array().unwrap().clone();
        servers.text("ask", json!({})).await
    };
    let said = heard(json!([{"action": "accept", "name": "Ada"}])).await;
    assert_eq!(said, r#"{"action": "accept", "content": {"name": "Ada"}}"#);
    assert_eq!(heard(json!([{"action": "decline"}])).await, r#"{"action": "decline"}"#);
    assert_eq!(heard(json!([{"action": "cancel"}])).await, r#"{"action": "cancel"}"#);
    assert_eq!(heard(json!([null])).await, r#"{"action": "cancel"}"#);
    let before = servers.forms().len();
    let said = heard(json!([{"action": "accept"}, {"action": "accept", "name": "Bea"}])).await;
    assert_eq!(said, r#"{"action": "accept", "content": {"name": "Bea"}}"#, "what does not fit is asked again");
    let labels: Vec<String> = servers.forms()[before..].iter().map(|form| form[0]["label"].to_string()).collect();
    assert!(labels[0].contains("`odd` asks: Who are you?") && labels[1].contains("does not fit"), "{labels:?}");
    assert_eq!(servers.text("url", json!({})).await, r#"{"action": "decline"}"#, "a page is not opened");
    servers.close().await;
}

#[tokio::test]
async fn the_time_that_a_person_takes_does_not_count() {
    let servers = Servers::one(odd(&[]));
    let answers = async {
        until("the question", || !servers.forms().is_empty()).await;
        tokio::time::pause();
        tokio::time::advance(10 * PATIENCE).await;
        tokio::time::resume();
        servers.answers.lock().unwrap().push(json!({"action": "decline"}));
    };
    // Until it asks, and after that, it has a minute.
    let (text, ()) = tokio::join!(servers.text("ask", json!({})), answers);
    assert_eq!(text, r#"{"action": "decline"}"#);
    servers.close().await;
}

#[tokio::test]
async fn a_question_of_a_call_that_is_stopped_is_cancelled() {
    let servers = Servers::one(odd(&[]));
    let stops = async {
        until("the question", || !servers.forms().is_empty()).await;
        servers.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(servers.outcome("odd/ask", json!({}), None), stops);
    assert_eq!(outcome, CallOutcome::Cancelled { in_doubt: true });
    let servers = servers.not_stopped();
    let answered = servers.heard().await.into_iter().find(|one| one["method"].is_null()).expect("it is answered");
    assert_eq!(answered["result"], json!({"action": "cancel"}));
    servers.close().await;
}

#[tokio::test]
async fn a_question_that_a_server_does_not_wait_for_is_cancelled_and_the_person_does_not_see_it() {
    let servers = Servers::one(odd(&[]));
    assert_eq!(servers.text("ask_and_go", json!({})).await, "gone on");
    let heard = async {
        loop {
            if let Some(answered) = servers.heard().await.into_iter().find(|one| one["method"].is_null()) {
                return answered;
            }
        }
    };
    let answered = tokio::time::timeout(PATIENCE, heard).await.expect("it is answered");
    assert_eq!((answered["result"].clone(), servers.forms()), (json!({"action": "cancel"}), Vec::new()));
    servers.close().await;
}

#[tokio::test]
async fn what_is_not_offered_is_refused() {
    let servers = Servers::one(odd(&[]));
    let said = servers.text("sample", json!({})).await;
    assert!(said.contains("sampling/createMessage is not offered"), "{said}");
    let hello = &servers.heard().await[0]["params"];
    assert_eq!(hello["capabilities"], json!({"elicitation": {}}));
    servers.close().await;
}

#[tokio::test]
async fn a_server_gets_a_clean_environment_with_what_it_is_given_and_secrets_do_not_come_back() {
    let mut server = odd(&[]);
    let Reach::Program { env, cwd, .. } = &mut server.reach else { unreachable!() };
    env.extend([("TOKEN", "cmd:vault"), ("PLAIN", "a word")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    *cwd = Some("sub".to_owned());
    let servers = Servers::one(server);
    std::fs::create_dir(servers.path("sub")).unwrap();
    let env = servers.call("env", json!({})).await.output;
    assert_eq!((&env["PLAIN"], &env["TOKEN"]), (&json!("a word"), &json!("[redacted]")));
    assert!(env.get("CARGO_MANIFEST_DIR").is_none() && env.get("PATH").is_some(), "{env}");
    assert_eq!(servers.text("echo", json!({"text": SECRET})).await, "[redacted]");
    servers.close().await;
}

#[tokio::test]
async fn a_server_whose_secret_is_not_there_is_not_started() {
    let mut server = odd(&["mark=mark"]);
    let Reach::Program { env, .. } = &mut server.reach else { unreachable!() };
    env.insert("TOKEN".into(), "env:NONE".into());
    let servers = Servers::one(server);
    let (failure, in_doubt) = servers.failure("echo", json!({"text": "x"})).await;
    assert_eq!((failure.class, in_doubt), (FailureClass::Auth, false));
    assert!(failure.message.contains("`odd`") && failure.message.contains("$NONE, which is not set"), "{failure}");
    assert!(!servers.path("mark").exists());
    let unknown = servers.outcome("od/echo", json!({}), None).await;
    let CallOutcome::Known(CallReturn::Failed { error }) = unknown else { panic!("{unknown:?}") };
    assert_eq!(error.message, "there is no server `od`; did you mean `odd`?");
    let far = servers.outcome("zzzzzz/echo", json!({}), None).await;
    let CallOutcome::Known(CallReturn::Failed { error }) = far else { panic!("{far:?}") };
    assert_eq!(error.message, "there is no server `zzzzzz`; there is `odd`");
}
