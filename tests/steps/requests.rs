//! HTTP requests, against a server on loopback that answers as told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use stepwell::core::failure::FailureClass;
use stepwell::core::ports::AttemptOutcome;
use stepwell::core::work::{HttpWork, Work, secret_marker};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{NONCE, StepFixture, TOKEN, done, failure, output};

/// A server that gives one answer a connection, in order, and keeps what it was asked.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// An answer that is never sent: the connection stays open, silent.
const SILENCE: &str = "";
/// An answer that never ends.
const ENDLESS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
/// The connection is closed instead of an answer.
const HANGS_UP: &str = "\0";

impl Server {
    async fn answering(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<String> = answers.into_iter().collect();
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut open = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                kept.lock().unwrap().push(request);
                if answer != HANGS_UP {
                    // A client that has seen enough hangs up.
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
                if answer == SILENCE || answer == ENDLESS {
                    open.push(stream);
                }
            }
            std::future::pending::<()>().await;
        });
        Self { base, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return text;
        }
    }
}

fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers = headers.iter().fold(String::new(), |all, header| all + header + "\r\n");
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn ok(content_type: &str, body: &str) -> String {
    answer("200 OK", &[&format!("content-type: {content_type}")], body)
}

fn get(url: &str) -> HttpWork {
    // The definition names this machine.
    let hosts = ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned).to_vec();
    HttpWork {
        method: "GET".into(),
        url: url.into(),
        hosts: stepwell::core::host::NamedHosts(hosts),
        ..HttpWork::default()
    }
}

fn post(url: &str, body: &str) -> HttpWork {
    HttpWork { method: "POST".into(), body: Some(body.into()), ..get(url) }
}

fn expecting(what: &str, work: HttpWork) -> Work {
    Work::Http(HttpWork { expect: Some(what.into()), ..work })
}

#[tokio::test]
async fn an_answer_is_read_by_its_content_type_or_as_the_step_expects() {
    let html = "<title>T</title><nav>menu</nav><p>One &amp; two</p>";
    let answers = [
        ok("application/json; charset=utf-8", r#"{"a": 1}"#),
        ok("application/problem+json", "[]"),
        ok("text/html", html),
        ok("text/plain", "[1]"),
        ok("text/plain", "[1]"),
        ok("text/html", html),
        ok("text/plain", html),
    ];
    let server = Server::answering(answers).await;
    let fixture = StepFixture::new();
    for wanted in [json!({"a": 1}), json!([]), json!("T\n\nOne & two"), json!("[1]")] {
        assert_eq!(output(fixture.perform(Work::Http(get(&server.base))).await), wanted);
    }
    assert_eq!(output(fixture.perform(expecting("json", get(&server.base))).await), json!([1]));
    assert_eq!(output(fixture.perform(expecting("text", get(&server.base))).await), json!(html));
    assert_eq!(output(fixture.perform(expecting("page", get(&server.base))).await), json!("T\n\nOne & two"));
    assert!(server.asked()[0].contains("user-agent: stepwell/"), "{}", server.asked()[0]);
}

/// The address of a server that gives these bytes once.
async fn giving(content_type: &str, body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
        std::future::pending::<()>().await;
    });
    url
}

#[tokio::test]
async fn an_encoding_is_obeyed_wherever_it_is_said_and_recognised_where_it_is_not() {
    let fixture = StepFixture::new();
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let polish = b"<p>\xa3\xf3d\xbc".to_vec();
    let german = "<p>Größe, Käse und Straße, ein paar Wörter für später.";
    let latin: Vec<u8> = german.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    for (content_type, body, wanted) in [
        ("text/plain; charset=windows-1252", b"a\xe9\x92b".to_vec(), "aé’b"),
        ("text/html; charset=iso-8859-2", polish.clone(), "Łódź"),
        ("text/html", [b"<meta charset=iso-8859-2>".as_slice(), &polish].concat(), "Łódź"),
        ("text/html", [b"<?xml version='1.0' encoding='ISO-8859-2'?>".as_slice(), &polish].concat(), "Łódź"),
        ("text/html", [b"\xff\xfe".as_slice(), &utf_16("<p>Łódź")].concat(), "Łódź"),
        ("text/html; charset=utf-16le", utf_16("<p>Łódź"), "Łódź"),
        ("text/html", b"<meta charset=iso-2022-jp><p>\x1b$B3$\x1b(B".to_vec(), "海"),
        ("text/html", b"\xef\xbb\xbf<meta charset=iso-8859-2><p>\xc5\x81".to_vec(), "Ł"),
        ("text/html", latin, german.trim_start_matches("<p>")),
    ] {
        let url = giving(content_type, body).await;
        assert_eq!(output(fixture.perform(Work::Http(get(&url))).await), json!(wanted), "{content_type}");
    }
}

#[tokio::test]
async fn what_is_no_page_says_what_it_is() {
    let fixture = StepFixture::new();
    for (content_type, body, what) in [
        ("application/pdf", b"%PDF-1.7\n%\xe2\xe3".as_slice(), "this is a PDF document"),
        ("text/html", b"%PDF-1.7\n".as_slice(), "this is a PDF document"),
        ("image/jpeg", b"\xff\xd8\xff\xe0", "this is an image"),
        ("application/octet-stream", b"PK\x03\x04\0\0", "this is an archive"),
        ("application/octet-stream", b"a\0b", "not text but `application/octet-stream`"),
    ] {
        let url = giving(content_type, body.to_vec()).await;
        let (failed, _, in_doubt) = failure(fixture.perform(expecting("page", get(&url))).await);
        assert_eq!((failed.class, in_doubt), (FailureClass::BadOutput, false));
        assert!(failed.message.contains(what), "{failed}");
    }
    let url = giving("text/plain; charset=utf-8", b"1 < 2\n  and so on".to_vec()).await;
    assert_eq!(output(fixture.perform(expecting("page", get(&url))).await), json!("1 < 2\n  and so on"));
    let url = giving("text/html", "<p>A sentence of it. ".repeat(50_000).into_bytes()).await;
    let read = output(fixture.perform(expecting("page", get(&url))).await);
    assert!(read.as_str().unwrap().ends_with(" %.]") && read.as_str().unwrap().len() < 101_000);
}

#[tokio::test]
async fn a_header_without_a_value_is_not_sent() {
    let server = Server::answering([ok("text/plain", "x")]).await;
    let headers = [("X-Key", ""), ("X-Blank", "  "), ("X-Team", "sea")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    output(StepFixture::new().perform(Work::Http(HttpWork { headers, ..get(&server.base) })).await);
    let asked = &server.asked()[0];
    assert!(asked.contains("x-team: sea") && !asked.contains("x-key") && !asked.contains("x-blank"), "{asked}");
}

#[tokio::test]
async fn what_is_sent_is_what_the_step_says_with_the_secrets_in_their_place() {
    let server = Server::answering([ok("application/json", r#"{"token": "tok\"en-value"}"#)]).await;
    let marker = secret_marker(NONCE, "token");
    let headers = BTreeMap::from([("X-Key".to_owned(), marker.clone())]);
    let work = HttpWork { headers, ..post(&format!("{}/v1?q=1", server.base), &json!({"k": marker}).to_string()) };
    let fixture = StepFixture::new();
    assert_eq!(output(fixture.perform(Work::Http(work)).await), json!({"token": "[redacted]"}));
    let asked = &server.asked()[0];
    assert!(asked.starts_with("POST /v1?q=1 HTTP/1.1\r\n"), "{asked}");
    assert!(
        asked.contains("x-key: tok\"en-value\r\n") && asked.contains("content-type: application/json\r\n"),
        "{asked}"
    );
    assert!(asked.ends_with(r#"{"k":"tok\"en-value"}"#), "{asked}");
}

#[tokio::test]
async fn a_status_is_a_failure_of_its_class_with_what_the_server_said() {
    let date = "date: Wed, 21 Oct 2015 07:28:00 GMT";
    let cases = [
        ("401 Unauthorized", vec![], FailureClass::Auth, None),
        ("403 Forbidden", vec![], FailureClass::Auth, None),
        ("404 Not Found", vec![], FailureClass::BadRequest, None),
        ("429 Too Many Requests", vec!["retry-after: 7"], FailureClass::RateLimit, Some(7_000)),
        (
            "429 Too Many",
            vec![date, "retry-after: Wed, 21 Oct 2015 07:28:30 GMT"],
            FailureClass::RateLimit,
            Some(30_000),
        ),
        ("429 Too Many", vec!["retry-after: 2s"], FailureClass::RateLimit, Some(2_000)),
        ("503 Later", vec![date, "retry-after: 2015-10-21T07:29:00Z"], FailureClass::Server, Some(60_000)),
        ("500 Oh", vec!["retry-after: soon"], FailureClass::Server, None),
        ("304 Not Modified", vec![], FailureClass::BadRequest, None),
    ];
    let server =
        Server::answering(cases.iter().map(|(status, headers, ..)| answer(status, headers, "the reason"))).await;
    let fixture = StepFixture::new();
    for (status, _, class, wait) in cases {
        let (failed, _, in_doubt) =
            failure(fixture.perform(Work::Http(get(&format!("{}/x?key=1", server.base)))).await);
        assert_eq!((failed.class, failed.retry_after_ms, in_doubt), (class, wait, false), "{status}");
        assert!(failed.message.contains(&status[..3]) && failed.message.contains("/x"), "{failed}");
        if !status.starts_with("304") {
            assert_eq!(failed.detail.as_deref(), Some("the reason"));
        }
    }
}

#[tokio::test]
async fn only_a_request_that_may_have_acted_is_in_doubt() {
    let broken = [HANGS_UP, ENDLESS].map(str::to_owned);
    for (method, doubted) in [("GET", false), ("head", false), ("POST", true), ("DELETE", true)] {
        let answers = broken.iter().cloned().chain([
            answer("504 Gateway Timeout", &[], ""),
            answer("500 Oh", &[], ""),
            answer("400 No", &[], ""),
        ]);
        let server = Server::answering(answers).await;
        let mut fixture = StepFixture::new();
        let work = || Work::Http(HttpWork { method: method.into(), ..get(&server.base) });
        let (hung_up, _, in_doubt) = failure(fixture.perform(work()).await);
        assert_eq!((hung_up.class, in_doubt), (FailureClass::Network, doubted), "{method}: {hung_up}");
        if method != "head" {
            fixture.timeout = Some(Duration::from_secs(1));
            let (half, _, in_doubt) = failure(fixture.perform(work()).await);
            fixture.timeout = None;
            assert_eq!((half.class, in_doubt), (FailureClass::Timeout, doubted), "{method}: {half}");
            assert_eq!(failure(fixture.perform(work()).await).2, doubted, "a gateway does not know");
            assert_eq!(failure(fixture.perform(work()).await).2, doubted, "a server that broke down does not either");
            assert!(!failure(fixture.perform(work()).await).2, "a server that says no does");
        }
    }
    let (refused, _, in_doubt) =
        failure(StepFixture::new().perform(Work::Http(post("http://127.0.0.1:1/", "x"))).await);
    assert_eq!((refused.class, in_doubt), (FailureClass::Network, false), "{refused}");
    assert!(refused.message.contains("127.0.0.1:1"), "{refused}");
}

#[tokio::test]
async fn a_cancel_is_heard_at_once() {
    let server = Server::answering([SILENCE.to_owned()]).await;
    let fixture = StepFixture::new();
    let performing = tokio::spawn(fixture.begin(Work::Http(post(&server.base, "x"))));
    fixture.until(|_| !server.asked().is_empty()).await;
    // Nothing is ever answered: it ends because it hears of the cancel.
    fixture.cancel.cancel();
    let performed = performing.await.unwrap();
    assert!(matches!(performed, AttemptOutcome::Cancelled { in_doubt: true, .. }), "{performed:?}");
}

#[tokio::test]
async fn what_a_server_has_taken_is_in_doubt_when_its_redirect_leads_nowhere() {
    let to = |status: &str, place: &str| answer(status, &[&format!("location: {place}")], "");
    for (first, then, doubted) in [
        ("303 See Other", "/order/1", true),
        ("302 Found", "/order/1", true),
        ("303 See Other", "http://10.0.0.5/order/1", true),
        ("303 See Other", "file:///order/1", true),
        // Nothing is taken yet: it is to be sent elsewhere.
        ("307 Temporary Redirect", "http://10.0.0.5/order/1", false),
        ("308 Permanent Redirect", "/order/1", false),
    ] {
        let answers = [to(first, then), answer("404 Not Found", &[], "")];
        for (work, in_doubt) in [(post as fn(&str, &str) -> HttpWork, doubted), (|base, _| get(base), false)] {
            let server = Server::answering(answers.clone()).await;
            let performed = StepFixture::new().perform(Work::Http(work(&server.base, "x"))).await;
            assert_eq!(failure(performed).2, in_doubt, "{first} to {then}");
        }
    }
}

#[tokio::test]
async fn redirects_are_followed_five_times_and_not_out_of_http() {
    let to = |place: &str| answer("302 Found", &[&format!("location: {place}")], "");
    let fixture = StepFixture::new();
    let server = Server::answering((0..5).map(|n| to(&format!("/{n}"))).chain([ok("text/plain", "there")])).await;
    assert_eq!(output(fixture.perform(Work::Http(post(&server.base, "x"))).await), json!("there"));
    let asked = server.asked();
    assert!(asked[5].starts_with("GET /4 ") && !asked[5].contains("content-type"), "{}", asked[5]);

    let server = Server::answering((0..6).map(|n| to(&format!("/{n}")))).await;
    let (failed, ..) = failure(fixture.perform(Work::Http(get(&server.base))).await);
    assert!(failed.class == FailureClass::BadRequest && failed.message.contains('5'), "{failed}");
    let server = Server::answering([to("file:///etc/hostname")]).await;
    let (failed, ..) = failure(fixture.perform(Work::Http(get(&server.base))).await);
    assert_eq!(failed.class, FailureClass::BadRequest, "{failed}");
}

#[tokio::test]
async fn keys_stay_with_the_host_that_the_step_names() {
    let other = Server::answering([ok("text/plain", "there")]).await;
    let moved = |status: &str| answer(status, &[&format!("location: {}/x", other.base)], "");
    let server = Server::answering([moved("301 Moved"), moved("307 Moved")]).await;
    let headers =
        BTreeMap::from([("X-Key".to_owned(), secret_marker(NONCE, "token")), ("Accept".into(), "a/b".into())]);
    let fixture = StepFixture::new();
    let work = HttpWork { headers, ..get(&server.base) };
    assert_eq!(output(fixture.perform(Work::Http(work)).await), json!("there"));
    assert!(server.asked()[0].contains("x-key") && !other.asked()[0].contains("x-key"), "{:?}", other.asked());
    assert!(other.asked()[0].contains("accept: a/b"));
    let (failed, ..) = failure(fixture.perform(Work::Http(post(&server.base, "x"))).await);
    assert!(failed.class == FailureClass::BadRequest && failed.message.contains(&other.base), "{failed}");
    assert_eq!(other.asked().len(), 1, "the body was sent on");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_fails_a_reading_and_is_kept_of_an_act() {
    let page = "<p>Not JSON</p>";
    let large = "x".repeat(10_000_001);
    let answers = [
        ok("text/html", page),
        ok("text/html", page),
        ok("image/png", "\u{1}PNG\0"),
        ok("text/plain", &large),
        ok("text/plain", &large),
        ok("application/json", "[true]"),
        answer("204 No Content", &[], ""),
    ];
    let server = Server::answering(answers).await;
    let fixture = StepFixture::new();
    let (failed, _, in_doubt) = failure(fixture.perform(expecting("json", get(&server.base))).await);
    assert_eq!((failed.class, in_doubt, failed.detail.as_deref()), (FailureClass::BadOutput, false, Some(page)));
    let (value, problem, _) = done(fixture.perform(expecting("json", post(&server.base, "{}"))).await);
    assert!(value == json!(page) && problem.is_some());
    let (failed, ..) = failure(fixture.perform(Work::Http(get(&server.base))).await);
    assert!(failed.message.contains("`image/png`"), "{failed}");
    let (failed, ..) = failure(fixture.perform(Work::Http(get(&server.base))).await);
    assert!(failed.message.contains("10 MB") && failed.detail.unwrap().len() < 3_000, "{}", failed.message);
    let (value, problem, _) = done(fixture.perform(Work::Http(post(&server.base, ""))).await);
    assert!(value.as_str().unwrap().len() == 10_000_000 && problem.is_some());
    let schema = Some(json!({"type": "array", "items": {"type": "integer"}}));
    let (value, problem, _) = done(fixture.perform(Work::Http(HttpWork { schema, ..get(&server.base) })).await);
    assert_eq!((value, problem.as_deref()), (json!([true]), Some("`[0]`: expected integer, found a boolean")));
    assert_eq!(output(fixture.perform(expecting("json", post(&server.base, "{}"))).await), json!(null));
}

#[tokio::test]
async fn a_request_that_cannot_be_right_is_not_sent() {
    let fixture = StepFixture::new();
    let marker = secret_marker(NONCE, "token");
    let header = |name: &str, value: &str| HttpWork {
        headers: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..get("http://127.0.0.1:1/")
    };
    for (work, names) in [
        (get("ftp://127.0.0.1/"), "ftp"),
        (get("not a url"), "not a url"),
        (get(&format!("http://127.0.0.1:1/?key={marker}")), "`token`"),
        (header("a b", "c"), "a b"),
        (header("a", "b\r\nc: d"), "`a`"),
        (HttpWork { method: "GET IT".into(), ..get("http://127.0.0.1:1/") }, "GET IT"),
        (HttpWork { expect: Some("xml".into()), ..get("http://127.0.0.1:1/") }, "`json`, `text`"),
    ] {
        let (failed, _, in_doubt) = failure(fixture.perform(Work::Http(work)).await);
        assert!(failed.class == FailureClass::Definition && failed.message.contains(names) && !in_doubt, "{failed}");
    }
    let (failed, ..) = failure(fixture.perform(Work::Http(header("k", &secret_marker(NONCE, "typed")))).await);
    assert_eq!(failed.class, FailureClass::Auth);
}

#[tokio::test]
async fn no_part_of_a_secret_is_left_where_an_answer_is_cut() {
    let marker = secret_marker(NONCE, "token");
    let value = TOKEN.replace('"', "\\\"");
    for before in [1_990, 1_999, 19_988, 19_992, 19_999] {
        let body = format!("{}{value}{}", "x".repeat(before), "y".repeat(40_000));
        let server = Server::answering([answer("400 Bad Request", &[], &body)]).await;
        let fixture = StepFixture::new();
        let headers = [("authorization".to_owned(), marker.clone())].into();
        let work = HttpWork { headers, ..get(&format!("{}/x", server.base)) };
        let (failed, ..) = failure(fixture.perform(Work::Http(work)).await);
        assert!(!failed.detail.unwrap_or_default().contains("tok"), "{before}");
    }
}

#[tokio::test]
async fn a_number_that_is_a_secret_leaves_the_answer_json() {
    let server = Server::answering([ok("application/json", "{\"pin\": 4711, \"text\": \"4711\"}")]).await;
    let fixture = StepFixture::new().with_token("4711\n");
    let headers = [("x-pin".to_owned(), secret_marker(NONCE, "token"))].into();
    let work = HttpWork { headers, ..get(&server.base) };
    assert_eq!(output(fixture.perform(Work::Http(work)).await), json!({"pin": "[redacted]", "text": "[redacted]"}));
}
