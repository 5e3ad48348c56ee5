//! Odd bodies: what servers, and proxies before them, really send with the status 200.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;

fn config_of(kind: ProviderKind, url: &str) -> Settings {
    let path = if kind == ProviderKind::OpenAi { "/v1" } else { "" };
    let settings = ProviderSettings { kind, base_url: Some(format!("{url}{path}")), ..ProviderSettings::default() };
    config(vec![("p", settings)])
}

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";
const WHOLE_OPENAI: &str =
    "{\n  \"choices\": [{\"message\": {\"content\": \"Hello.\"}, \"finish_reason\": \"stop\"}]\n}";
const WHOLE_ANTHROPIC: &str = r#"{"type":"message","content":[{"type":"text","text":"Hello."}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;

#[tokio::test]
async fn an_answer_is_read_whatever_it_is_said_to_be() {
    use ProviderKind::{Anthropic, Ollama, OpenAi};
    let delta = r#"{"choices":[{"delta":{"content":"Hello."},"finish_reason":"stop"}]}"#;
    for (kind, content_type, body) in [
        (OpenAi, JSON, format!("data: {delta}\n\ndata: [DONE]\n\n")),
        (OpenAi, SSE, WHOLE_OPENAI.to_owned()),
        (OpenAi, SSE, format!("{WHOLE_OPENAI}\ndata: [DONE]\n\n")),
        (OpenAi, SSE, format!("data: {}\n\n", WHOLE_OPENAI.replace('\n', ""))),
        (OpenAi, SSE, r#"{"choices":[{"message":{"content":"Hello."}}]}"#.to_owned()),
        (OpenAi, "", format!("{delta}\n[DONE]\n")),
        (OpenAi, SSE, format!("data: [PING]\n\n: keep-alive\n\ndata: ping\n\ndata: {delta}\n\n[DONE]\n")),
        (OpenAi, SSE, format!("data: {}\n\n", delta.replacen('{', r#"{"error":"","#, 1))),
        (OpenAi, SSE, format!("data: {}\n\n", delta.replacen('{', r#"{"error":false,"#, 1))),
        (OpenAi, SSE, format!("data: {}\n\n", delta.replacen('{', r#"{"error":{},"#, 1))),
        (OpenAi, SSE, format!("data: {}\n\n", delta.replacen('{', r#"{"error":{"message":null},"#, 1))),
        (Anthropic, JSON, WHOLE_ANTHROPIC.to_owned()),
        (Anthropic, SSE, format!("{WHOLE_ANTHROPIC}\n[DONE]\n")),
        (Anthropic, SSE, format!("event: message\ndata: {WHOLE_ANTHROPIC}\n\ndata: [DONE]\n\n")),
        (Ollama, JSON, r#"{"message":{"content":"Hello."},"error":"","done":true}"#.to_owned()),
        (Ollama, SSE, "data: {\"message\":{\"content\":\"Hello.\"},\"error\":{},\"done\":true}\n\n".to_owned()),
        (Ollama, JSON, "{\n\"response\": \"Hello.\",\n\"done\": true\n}".to_owned()),
    ] {
        let server = ModelServer::start([Reply::raw(content_type, body.clone())]);
        let done = ask(&models(config_of(kind, &server.url())), request("x")).await;
        assert_eq!(done.as_ref().map(|done| done.text.data()), Ok("Hello."), "{kind:?} {content_type} {body}");
    }
}

#[tokio::test]
async fn a_schema_is_answered_by_a_whole_message_too() {
    let body = r#"{"type":"message","content":[{"type":"tool_use","name":"answer","input":{"answer":["a"]}}],"stop_reason":"tool_use"}"#;
    let server = ModelServer::start([Reply::raw(JSON, body)]);
    let asked = ModelRequest { schema: Some(json!({"type": "array"})), ..request("x") };
    let done = ask(&models(config_of(ProviderKind::Anthropic, &server.url())), asked).await.unwrap();
    assert_eq!(done.text.data(), r#"["a"]"#);
}

#[tokio::test]
async fn an_error_in_the_place_of_an_answer_gives_the_servers_words() {
    for (body, class) in [
        (r#"{"error":{"message":"no luck today"}}"#, FailureClass::Server),
        (r#"{"error":"no luck today"}"#, FailureClass::Server),
        (r#"{"error":{"code":429,"message":"no luck today"}}"#, FailureClass::RateLimit),
        (r#"[{"error":{"code":503,"message":"no luck today"}}]"#, FailureClass::Server),
        (r#"{"detail":"no luck today"}"#, FailureClass::Server),
        (r#"{"detail":[{"loc":["body","x"],"msg":"no luck today"}]}"#, FailureClass::Server),
        (r#"{"object":"error","message":"no luck today","code":401}"#, FailureClass::Auth),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"no luck today"}}"#, FailureClass::Server),
        (r#"{"errors":[{"message":"no luck today"}]}"#, FailureClass::Server),
        (r#"{"success":false,"msg":"no luck today"}"#, FailureClass::Server),
        (r#"{"code":1302,"msg":"no luck today"}"#, FailureClass::Server),
        (r#"{"message":"no luck today: maximum context length is 8 tokens"}"#, FailureClass::TooLong),
        ("upstream: no luck today", FailureClass::Server),
    ] {
        for kind in KINDS {
            for (content_type, framed) in [(JSON, body.to_owned()), (SSE, format!("data: {body}\n\n"))] {
                if content_type == SSE && !body.starts_with(['{', '[']) {
                    continue;
                }
                let server = ModelServer::start([Reply::raw(content_type, framed.clone())]);
                let failed = fails(config_of(kind, &server.url())).await.failure;
                assert_eq!(failed.class, class, "{kind:?} {framed}: {}", failed.message);
                assert!(failed.message.contains("no luck today"), "{kind:?} {framed}: {}", failed.message);
            }
        }
    }
}

/// Packed by gzip.
fn packed(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn a_packed_answer_is_unpacked_and_a_packed_refusal_too() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello.\"},\"finish_reason\":\"stop\"}]}\n\n";
    let server = ModelServer::start([
        Reply::raw(SSE, packed(stream)).header("content-encoding", "gzip"),
        Reply::raw(JSON, packed(r#"{"error":{"message":"no luck today"}}"#))
            .with_status(400)
            .header("content-encoding", "gzip"),
        Reply::raw(SSE, "?").header("content-encoding", "br"),
    ]);
    let models = models(config_of(ProviderKind::OpenAi, &server.url()));
    assert_eq!(ask(&models, request("x")).await.unwrap().text.data(), "Hello.");
    for words in ["no luck today", "packed as br"] {
        let failed = ask(&models, request("x")).await.unwrap_err().failure;
        assert!(failed.message.contains(words), "{}", failed.message);
    }
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
}

/// Reads a request to its end; gives whether there was one.
fn read_request(stream: &TcpStream) -> bool {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            return reader.read_exact(&mut vec![0; length]).is_ok();
        }
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_again_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let answer = |mut stream: &TcpStream| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{WHOLE_OPENAI}", WHOLE_OPENAI.len());
        };
        let (first, _) = listener.accept().unwrap();
        assert!(read_request(&first));
        answer(&first);
        // The second request comes over the connection that was kept, and finds it closed.
        let kept = read_request(&first);
        drop(first);
        let (second, _) = listener.accept().unwrap();
        assert!(read_request(&second));
        answer(&second);
        // What is refused on a connection of its own is not sent again.
        drop(second);
        let (third, _) = listener.accept().unwrap();
        read_request(&third);
        drop(third);
        (kept, listener.set_nonblocking(true).is_ok() && listener.accept().is_err())
    });
    let models = models(config_of(ProviderKind::OpenAi, &url));
    for _ in 0..2 {
        assert_eq!(ask(&models, request("x")).await.unwrap().text.data(), "Hello.");
    }
    let fresh = self::models(config_of(ProviderKind::OpenAi, &url));
    assert_eq!(ask(&fresh, request("x")).await.unwrap_err().failure.class, FailureClass::Network);
    assert_eq!(server.join().unwrap(), (true, true));
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_at_4_mb_and_what_came_is_kept() {
    let text = "x".repeat(64 * 1024);
    for (kind, piece) in [
        (ProviderKind::OpenAi, format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")),
        (
            ProviderKind::Anthropic,
            format!(
                "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
            ),
        ),
        (ProviderKind::Ollama, format!("{{\"message\":{{\"content\":\"{text}\"}},\"done\":false}}\n")),
    ] {
        let content_type = if kind == ProviderKind::Ollama { "application/x-ndjson" } else { SSE };
        let server = ModelServer::start([Reply::raw(content_type, piece.repeat(80))]);
        let failed = ask(&models(config_of(kind, &server.url())), request("x")).await.unwrap_err();
        assert_eq!(failed.failure.class, FailureClass::TooLong, "{kind:?}: {failed:?}");
        assert!(failed.failure.message.contains("an answer without end"), "{kind:?}: {}", failed.failure.message);
        let kept = failed.partial.data().len();
        assert!((4 << 20..5 << 20).contains(&kept), "{kind:?}: {kept} bytes of {}", 80 * text.len());
        assert_eq!(server.requests().len(), 1, "{kind:?}: it is not asked for, and paid, again");
    }
}
