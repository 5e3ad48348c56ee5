//! A model server on loopback that does as it is told: it speaks chat completions, Anthropic's messages and Ollama's
//! protocol, by the path that is asked, and keeps what it was asked.
//!
//! It runs on threads of its own and needs no runtime, so that a test of the real binary can use it as well:
//!
//! ```ignore
//! let server = ModelServer::start([Reply::text("Hello."), Reply::status(500)]);
//! // base_url = server.url() for Anthropic and Ollama, format!("{}/v1", server.url()) for chat completions
//! assert_eq!(server.requests()[0].prompt(), "Say hello");
//! ```

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::patience::PATIENCE;

/// What the server got.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path, without a query.
    pub path: String,
    /// The path with its query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, `Null` when it was not JSON.
    pub body: Value,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The text of each message.
    pub fn messages(&self) -> Vec<String> {
        self.with_roles().map(|(_, text)| text).collect()
    }

    /// The text of the last message.
    pub fn prompt(&self) -> String {
        self.messages().pop().unwrap_or_default()
    }

    /// What was asked first, before an earlier answer and what was said of it.
    pub fn first_prompt(&self) -> String {
        self.with_roles().find(|(role, _)| *role == "user").map(|(_, text)| text).unwrap_or_default()
    }

    fn with_roles(&self) -> impl Iterator<Item = (&str, String)> {
        self.body["messages"].as_array().into_iter().flatten().map(|message| {
            let text = match &message["content"] {
                Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            (message["role"].as_str().unwrap_or_default(), text)
        })
    }

    fn protocol(&self) -> Protocol {
        match self.path.as_str() {
            "/v1/messages" => Protocol::Anthropic,
            "/api/chat" => Protocol::Ollama,
            _ => Protocol::OpenAi,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    OpenAi,
    Anthropic,
    Ollama,
}

/// What happens after some pieces were sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// The answer ends as it should.
    End,
    /// Nothing more comes until [`ModelServer::release`]; then the rest does.
    Hang,
    /// The connection is cut in the middle of a frame.
    Break,
    /// The body ends as if it were complete, but the protocol's end is missing.
    Stop,
}

/// One scripted reply.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    /// The pieces of the text that are streamed.
    chunks: Vec<String>,
    /// A body as it is, instead of a stream in the protocol.
    body: Option<Vec<u8>>,
    /// After how many pieces, what.
    then: (usize, Then),
    /// Between two pieces.
    drip: Duration,
    /// Before anything is sent, the status line too.
    silent: bool,
    usage: Option<(u64, u64)>,
    finish: String,
}

impl Reply {
    /// Streams a text word by word.
    pub fn text(text: &str) -> Self {
        Self::chunks(text.split_inclusive(' '))
    }

    /// Streams these pieces, one frame each.
    pub fn chunks<T: Into<String>>(chunks: impl IntoIterator<Item = T>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            chunks: chunks.into_iter().map(Into::into).collect(),
            body: None,
            then: (usize::MAX, Then::End),
            drip: Duration::ZERO,
            silent: false,
            usage: Some((11, 7)),
            finish: "stop".to_owned(),
        }
    }

    /// Streams a value as its JSON text, in pieces.
    pub fn json(value: &Value) -> Self {
        let text: Vec<char> = value.to_string().chars().collect();
        Self::chunks(text.chunks(5).map(|piece| piece.iter().collect::<String>()))
    }

    /// Answers with a status and an error in the usual form.
    pub fn status(status: u16) -> Self {
        let body = json!({"error": {"type": "scripted", "message": format!("scripted {status}")}}).to_string();
        Self { status, ..Self::raw("application/json", body) }
    }

    /// Answers 200 with these bytes as the body.
    pub fn raw(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self::chunks(Vec::<String>::new());
        reply.body = Some(body.into());
        reply.header("content-type", content_type)
    }

    /// With this status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With this body.
    pub fn body(mut self, body: &str) -> Self {
        self.body = Some(body.as_bytes().to_vec());
        self
    }

    /// With this header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Accepts the request and says nothing at all until it is released.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Hangs after so many pieces (0: after the head of the answer), until it is released. A [`Reply::raw`] one hangs
    /// after its body.
    pub fn hang_after(mut self, pieces: usize) -> Self {
        self.then = (pieces, Then::Hang);
        self
    }

    /// Cuts the connection after so many pieces.
    pub fn break_after(mut self, pieces: usize) -> Self {
        self.then = (pieces, Then::Break);
        self
    }

    /// Ends the body properly after so many pieces, without the protocol's end.
    pub fn stop_after(mut self, pieces: usize) -> Self {
        self.then = (pieces, Then::Stop);
        self
    }

    /// Waits between two pieces.
    pub fn drip(mut self, between: Duration) -> Self {
        self.drip = between;
        self
    }

    /// Says that so many tokens were used; `None`: says nothing.
    pub fn usage(mut self, usage: Option<(u64, u64)>) -> Self {
        self.usage = usage;
        self
    }

    /// Says why it ended, in the words of chat completions: `stop`, `length`, `content_filter`.
    pub fn finish(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.finish);
        self
    }
}

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    hung_up: usize,
    released: bool,
    over: bool,
}

struct Shared {
    script: Box<Script>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// The server. It ends when it is dropped.
pub struct ModelServer {
    port: u16,
    shared: Arc<Shared>,
}

impl ModelServer {
    /// Gives these replies, one a request; after the last, that one again.
    pub fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        assert!(!replies.is_empty(), "a server needs a reply");
        Self::answering(move |nth, _| replies[nth.min(replies.len() - 1)].clone())
    }

    /// Gives what `script` says to the n-th request (from 0).
    pub fn answering(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared { script: Box::new(script), seen: Mutex::default(), changed: Condvar::new() });
        let server = Self { port, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.seen.lock().unwrap().over {
                    break;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(&shared, &stream));
            }
        });
        server
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().requests.clone()
    }

    /// The prompts that a model was asked, of those in which `with` occurs.
    pub fn prompts(&self, with: &str) -> Vec<String> {
        let asked = self.requests().into_iter().filter(|request| request.body["messages"].is_array());
        asked.map(|request| request.prompt()).filter(|prompt| prompt.contains(with)).collect()
    }

    /// Waits until so many requests arrived.
    pub fn wait_for_requests(&self, count: usize) {
        self.wait("requests", |seen| seen.requests.len() >= count);
    }

    /// Waits until clients have closed the connection in the middle of so many replies.
    pub fn wait_for_hang_ups(&self, count: usize) {
        self.wait("closed connections", |seen| seen.hung_up >= count);
    }

    /// Lets every reply that hangs go on, now and later.
    pub fn release(&self) {
        self.shared.seen.lock().unwrap().released = true;
        self.shared.changed.notify_all();
    }

    fn wait(&self, what: &str, until: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.shared.seen.lock().unwrap();
        while !until(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited too long for {what}");
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        if let Ok(mut seen) = self.shared.seen.lock() {
            seen.over = true;
        }
        self.shared.changed.notify_all();
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(shared: &Shared, stream: &TcpStream) {
    let Some(request) = read_request(stream) else { return };
    let nth = {
        let mut seen = shared.seen.lock().unwrap();
        seen.requests.push(request.clone());
        seen.requests.len() - 1
    };
    shared.changed.notify_all();
    let reply = (shared.script)(nth, &request);
    if answer(shared, stream, &request, &reply).is_err() {
        shared.seen.lock().unwrap().hung_up += 1;
        shared.changed.notify_all();
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split_whitespace().nth(1)?.to_owned();
    let path = target.split('?').next()?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, n)| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, target, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}

fn answer(shared: &Shared, mut stream: &TcpStream, request: &Request, reply: &Reply) -> std::io::Result<()> {
    if reply.silent && !hang(shared, stream)? {
        return Ok(());
    }
    let protocol = request.protocol();
    let kind = if protocol == Protocol::Ollama { "application/x-ndjson" } else { "text/event-stream" };
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", reply.status).into_bytes();
    if !reply.headers.iter().any(|(name, _)| name == "content-type") {
        write!(head, "content-type: {kind}\r\n")?;
    }
    for (name, value) in &reply.headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    if let Some(body) = &reply.body {
        // One that hangs owes a byte.
        let hangs = reply.then.1 == Then::Hang;
        write!(head, "content-length: {}\r\n\r\n", body.len() + usize::from(hangs))?;
        stream.write_all(&head)?;
        stream.write_all(body)?;
        if hangs {
            hang(shared, stream)?;
        }
        return Ok(());
    }
    head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    stream.write_all(&head)?;
    let send = |frame: &str| {
        let mut out = stream;
        out.write_all(format!("{:x}\r\n{frame}\r\n", frame.len()).as_bytes())
    };
    if protocol == Protocol::Anthropic {
        let (input, _) = reply.usage.unwrap_or_default();
        send(&sse(
            &json!({"type": "message_start", "message": {"usage": {"input_tokens": input, "output_tokens": 1}}}),
        ))?;
        send(&sse(&json!({"type": "ping"})))?;
    }
    for nth in 0..=reply.chunks.len() {
        if reply.then == (nth, Then::Hang) && !hang(shared, stream)? {
            return Ok(());
        }
        if reply.then == (nth, Then::Break) {
            return stream.write_all(b"ff\r\ndata: {\"choi");
        }
        if reply.then == (nth, Then::Stop) {
            return stream.write_all(b"0\r\n\r\n");
        }
        if let Some(chunk) = reply.chunks.get(nth) {
            if nth > 0 {
                thread::sleep(reply.drip);
            }
            send(&piece(protocol, request, chunk))?;
        }
    }
    send(&last(protocol, reply))?;
    stream.write_all(b"0\r\n\r\n")
}

fn sse(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or("message"))
}

fn piece(protocol: Protocol, request: &Request, text: &str) -> String {
    match protocol {
        Protocol::OpenAi => format!(
            "data: {}\n\n",
            json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
        ),
        Protocol::Ollama => format!("{}\n", json!({"message": {"role": "assistant", "content": text}, "done": false})),
        Protocol::Anthropic if request.body["tool_choice"]["type"] == "tool" => {
            sse(&json!({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": text}}))
        }
        Protocol::Anthropic => {
            sse(&json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}))
        }
    }
}

fn last(protocol: Protocol, reply: &Reply) -> String {
    let (input, output) = reply.usage.unwrap_or_default();
    match protocol {
        Protocol::OpenAi => {
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reply.finish}]});
            let usage = json!({"choices": [], "usage": reply.usage.map(|_| json!({"prompt_tokens": input, "completion_tokens": output}))});
            format!("data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
        }
        Protocol::Ollama => {
            let mut end = json!({"message": {"content": ""}, "done": true, "done_reason": reply.finish});
            if reply.usage.is_some() {
                end["prompt_eval_count"] = json!(input);
                end["eval_count"] = json!(output);
            }
            format!("{end}\n")
        }
        Protocol::Anthropic => {
            let reason = match reply.finish.as_str() {
                "length" => "max_tokens",
                "content_filter" => "refusal",
                _ => "end_turn",
            };
            let end =
                json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": output}});
            sse(&end) + &sse(&json!({"type": "message_stop"}))
        }
    }
}

/// Waits until the reply is released (`true`) or the test is over (`false`); an error when the client hangs up.
fn hang(shared: &Shared, stream: &TcpStream) -> std::io::Result<bool> {
    let mut byte = [0];
    stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    loop {
        {
            let seen = shared.seen.lock().unwrap();
            if seen.released || seen.over {
                return Ok(seen.released);
            }
        }
        match stream.peek(&mut byte) {
            Ok(0) => return Err(std::io::ErrorKind::BrokenPipe.into()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}
