//! A server that runs already, spoken to over streamable HTTP: each message is a POST, and what comes back is one
//! message or a stream of events. What the server says unasked comes over a GET that stays open, where it offers one.
//!
//! No redirect is followed: neither headers nor arguments go where no config sent them. Logging in (OAuth) is not done
//! here: a token is a header.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde_json::json;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::incoming::{Arriving, TooMuch};
use super::peer::{Fault, Peer, Wire};
use super::sse::Events;
use crate::core::failure::{Failure, FailureClass, with_causes};
use crate::core::ports::Secrets;

/// A host that does not answer a connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the end of a session may take to be told.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a server may take to say whether a session is over.
const PING: Duration = Duration::from_secs(10);
/// How often a stream that broke off is asked for again, without getting any further.
const MOST_RESUMES: u32 = 3;
/// Between two of these where the server does not say, and the least and the most that it may say. A server may close a
/// stream on purpose and have it asked for now and then.
const RESUME: Duration = Duration::from_millis(500);
const MAY_SAY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_mins(5));
/// Between two streams of what the server says unasked.
const LISTEN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// As much of an error's text is read, and shown, in bytes.
const MAX_BODY: usize = 1 << 20;
const MAX_ERROR: usize = 2_000;

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";

/// Where a server is, and what goes with every request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    pub url: String,
    /// Values are filled in.
    pub headers: Vec<(String, String)>,
}

struct Connection {
    server: String,
    client: Client,
    url: Url,
    headers: HeaderMap,
    secrets: Arc<dyn Secrets>,
    peer: Arc<Peer>,
    session: Mutex<Session>,
    /// Cancelled when nothing more is to be sent.
    closed: CancellationToken,
}

#[derive(Default)]
struct Session {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// The server knows it no more: nothing is sent in it.
    over: bool,
    requests: HashMap<u64, AbortHandle>,
}

/// The session of one connection.
#[derive(Clone)]
pub struct HttpWire(Arc<Connection>);

/// Speaks to a server through `peer`. Nothing is sent yet. The token is cancelled when the session has ended.
///
/// # Errors
/// The address or a header cannot be used.
pub fn connect(
    server: &str,
    address: &Address,
    secrets: &Arc<dyn Secrets>,
    peer: &Arc<Peer>,
) -> Result<(HttpWire, CancellationToken), Failure> {
    let failure = |class, what: String| Failure::new(class, format!("the server `{server}` {what}"));
    let wrong = |what: String| failure(FailureClass::Definition, what);
    let url = Url::parse(&address.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| wrong("has a `url` that does not begin with http:// or https://".to_owned()))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &address.headers {
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.trim()))
        else {
            return Err(wrong(format!("has a header `{name}` that cannot be sent")));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let client = client(&url).map_err(|error| {
        failure(FailureClass::Network, format!("cannot be asked: no HTTP client could be made ({error})"))
    })?;
    let closed = CancellationToken::new();
    let session = Mutex::default();
    let (server, secrets, peer_of) = (server.to_owned(), Arc::clone(secrets), Arc::clone(peer));
    let connection = Connection { server, client, url, headers, secrets, peer: peer_of, session, closed };
    let wire = HttpWire(Arc::new(connection));
    peer.connect(Box::new(wire.clone()));
    let ending = wire.clone();
    let ended = CancellationToken::new();
    let ends = ended.clone().drop_guard();
    tokio::spawn(async move {
        let _ends = ends;
        ending.0.closed.cancelled().await;
        ending.farewell().await;
    });
    Ok((wire, ended))
}

/// The clients of this process, for addresses of this machine and for others. Building one reads the system's
/// certificates, which takes its time.
fn client(url: &Url) -> Result<Client, reqwest::Error> {
    static CLIENTS: [OnceLock<Client>; 2] = [const { OnceLock::new() }; 2];
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    let kept = &CLIENTS[usize::from(local)];
    if let Some(client) = kept.get() {
        return Ok(client.clone());
    }
    // An error means that one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("stepwell/", env!("CARGO_PKG_VERSION")));
    if local {
        // A proxy of the environment is for the world, not for this machine.
        builder = builder.no_proxy();
    }
    let client = builder.build()?;
    Ok(kept.get_or_init(|| client).clone())
}

impl Wire for HttpWire {
    fn send(&self, message: String, id: Option<u64>) {
        let wire = self.clone();
        // Registered under the lock, so that one that ends at once is not put down after its end.
        let mut session = self.session();
        let sending = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = wire.0.closed.cancelled() => {}
                () = wire.post(message, id) => {}
            }
            if let Some(id) = id {
                wire.session().requests.remove(&id);
            }
        });
        if let Some(id) = id {
            session.requests.insert(id, sending.abort_handle());
        }
    }

    fn forget(&self, id: u64) {
        if let Some(sending) = self.session().requests.remove(&id) {
            sending.abort();
        }
    }

    fn close(&self) {
        self.0.closed.cancel();
    }
}

impl HttpWire {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that was agreed on; it goes with every request from now on.
    pub fn agreed(&self, version: &str) {
        self.session().version = HeaderValue::try_from(version).ok();
    }

    fn request(&self, method: Method) -> RequestBuilder {
        let connection = &*self.0;
        let mut request = connection.client.request(method, connection.url.clone()).headers(connection.headers.clone());
        let session = self.session();
        for (name, value) in [(SESSION, &session.id), (VERSION, &session.version)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request
    }

    fn message(&self, message: String) -> RequestBuilder {
        self.request(Method::POST)
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(message)
    }

    /// Sends a message, and reads what comes of it.
    async fn post(&self, message: String, id: Option<u64>) {
        let (in_session, over) = {
            let session = self.session();
            (session.id.is_some(), session.over)
        };
        if over {
            if let Some(id) = id {
                self.0.peer.fail(id, Fault::NotSent("ended the session".to_owned()));
            }
            return;
        }
        let fault = match self.message(message).send().await {
            Ok(response) if response.status().is_success() => self.answer(response, id).await.err(),
            Ok(response) => self.refused(response, in_session, id).await,
            Err(error) if error.is_connect() => {
                let why = format!("cannot be reached at {}: {}", self.shown_url(), why(error));
                Some(Fault::NotDone(self.failure(FailureClass::Network, &why)))
            }
            Err(error) => Some(Fault::Lost(format!("closed the connection ({})", why(error)))),
        };
        if let (Some(id), Some(fault)) = (id, fault) {
            self.0.peer.fail(id, fault);
        }
    }

    /// What a server means that does not take a message.
    async fn refused(&self, response: Response, in_session: bool, id: Option<u64>) -> Option<Fault> {
        let status = response.status();
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = beginning(response).await;
        let redactor = self.0.secrets.redactor();
        let said = match redactor.redact_to(body.trim(), MAX_ERROR) {
            nothing if nothing.is_empty() => nothing,
            said => format!(": {said}"),
        };
        let may_be_over = in_session && matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST);
        if may_be_over && self.session_is_over().await {
            // The next request begins another one. This one was not taken, if that is why it was refused: 404 has no
            // other meaning, 400 has. What else is under way in the session is answered or refused by itself.
            self.session().over = true;
            let taken = status == StatusCode::BAD_REQUEST && !body.to_ascii_lowercase().contains("session");
            self.0.peer.retire(&format!("ended the session ({status}{said})"), id.filter(|_| !taken));
            if !taken {
                return None;
            }
        }
        // Some say what is wrong as an answer.
        if let Some(id) = id
            && let Some(message) = answer_in(&body, id)
        {
            let mut arriving = Arriving::default();
            if arriving.push(message.as_bytes()).is_ok() {
                self.0.peer.receive(arriving.take(), Some(id)).await;
                return None;
            }
        }
        let failed = |class, what: &str| Fault::NotDone(self.failure(class, what));
        Some(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => failed(
                FailureClass::Auth,
                &format!(
                    "requires authentication ({status}{said}); give it a token: `headers = {{ Authorization = \"Bearer env:NAME\" }}`. Logging in by OAuth is not supported"
                ),
            ),
            StatusCode::TOO_MANY_REQUESTS => {
                failed(FailureClass::RateLimit, &format!("takes no more requests now ({status}{said})"))
            }
            status if status.is_redirection() => {
                let to = location.unwrap_or_default();
                failed(
                    FailureClass::BadRequest,
                    &format!("redirects from {} to {to}; set `url` to that", self.shown_url()),
                )
            }
            status if status.is_server_error() => Fault::Lost(format!("failed ({status}{said})")),
            status => failed(FailureClass::BadRequest, &format!("refused the request ({status}{said})")),
        })
    }

    /// Sends a notification, and waits until the server has it: on another connection what is sent next would overtake it.
    pub async fn announce(&self, message: String) {
        if let Ok(response) = self.message(message).send().await {
            // There is nothing to be said to it; should there be, it is heard in the end.
            let wire = self.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = wire.0.closed.cancelled() => {}
                    _ = wire.answer(response, None) => {}
                }
            });
        }
    }

    /// Whether a request was refused because of its session. A refusal alone does not say: the tool may have refused, and
    /// whoever sends such a call again does twice what was wanted once. Where the session is over, a ping is refused too.
    async fn session_is_over(&self) -> bool {
        if self.session().over {
            return true;
        }
        let ping = self.message(json!({ "jsonrpc": "2.0", "id": "ping", "method": "ping" }).to_string());
        let answered = timeout(PING, ping.send()).await.ok().and_then(Result::ok);
        let refused = |status| matches!(status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST);
        answered.is_some_and(|response| refused(response.status()))
    }

    /// Reads what answers a message.
    async fn answer(&self, response: Response, id: Option<u64>) -> Result<(), Fault> {
        if let Some(session) = response.headers().get(SESSION) {
            self.session().id = Some(session.clone());
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            return self.stream(response, id).await;
        }
        let mut message = Arriving::default();
        let mut body = response.bytes_stream();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| Fault::Lost(format!("closed the connection ({})", why(error))))?;
            message.push(&bytes).map_err(|too_much| Fault::Lost(too_much.text()))?;
        }
        self.0.peer.receive(message.take(), id).await;
        self.is_answered(id)
    }

    /// Reads a stream of events until the request is answered. One that breaks off, or that the server closes to have it
    /// asked for later, is asked for again as long as that gets any further.
    async fn stream(&self, response: Response, id: Option<u64>) -> Result<(), Fault> {
        let mut events = Events::default();
        let too_much = |too_much: TooMuch| Fault::Lost(too_much.text());
        let mut broken = self.events(response, &mut events, id).await.map_err(too_much)?;
        let mut in_vain = 0;
        while in_vain < MOST_RESUMES {
            let Some(last) = events.last_id.clone().filter(|_| id.is_some_and(|id| self.0.peer.waits_for(id))) else {
                break;
            };
            in_vain += 1;
            let wait = events.retry.map_or(RESUME, |asked| Duration::from_millis(asked).clamp(MAY_SAY.0, MAY_SAY.1));
            sleep(wait).await;
            let again = self.request(Method::GET).header(ACCEPT, "text/event-stream").header("last-event-id", &last);
            match again.send().await {
                Ok(response) if response.status().is_success() => {
                    let mut next = Events::after(Some(last), events.retry);
                    broken = self.events(response, &mut next, id).await.map_err(too_much)?;
                    if next.last_id != events.last_id {
                        in_vain = 0;
                    }
                    events = next;
                }
                Ok(response) => broken = format!("could not resume the response ({})", response.status()),
                Err(error) => broken = format!("closed the connection ({})", why(error)),
            }
        }
        match id.filter(|id| self.0.peer.waits_for(*id)) {
            Some(_) => Err(Fault::Lost(broken)),
            None => Ok(()),
        }
    }

    /// Reads a stream to its end; `of`: the request that it answers. Gives how it ended.
    async fn events(&self, response: Response, events: &mut Events, of: Option<u64>) -> Result<String, TooMuch> {
        let mut body = response.bytes_stream();
        let ended = loop {
            match body.next().await {
                Some(Ok(bytes)) => {
                    for message in events.feed(&bytes)? {
                        self.0.peer.receive(message, of).await;
                    }
                }
                Some(Err(error)) => break format!("closed the connection ({})", why(error)),
                None => break "ended the response without a result".to_owned(),
            }
        };
        if let Some(message) = events.end() {
            self.0.peer.receive(message, of).await;
        }
        Ok(ended)
    }

    fn is_answered(&self, id: Option<u64>) -> Result<(), Fault> {
        match id.filter(|id| self.0.peer.waits_for(*id)) {
            Some(_) => Err(Fault::Lost("answered with something else".to_owned())),
            None => Ok(()),
        }
    }

    /// Listens to what the server says unasked, as long as the connection is there. Most servers offer nothing of that.
    /// The peer knows at any time whether somebody listens.
    pub async fn listen(self) {
        let listening = async {
            let mut last = None;
            loop {
                let mut request = self.request(Method::GET).header(ACCEPT, "text/event-stream");
                if let Some(last) = &last {
                    request = request.header("last-event-id", last);
                }
                let mut wait = LISTEN.1;
                match request.send().await.map(|response| (Answers::of(&response), response)) {
                    Ok((Answers::Events, response)) => {
                        let mut events = Events::after(last, None);
                        self.0.peer.listens(true);
                        let ended = self.events(response, &mut events, None).await;
                        self.0.peer.listens(false);
                        wait = events.retry.map_or(wait, Duration::from_millis).clamp(LISTEN.0, LISTEN.1);
                        // After a message that is too long there is no way to go on in this stream.
                        last = events.last_id.filter(|_| ended.is_ok());
                    }
                    // What it had to say until now is not kept there.
                    Ok((Answers::Never, _)) if last.is_some() => last = None,
                    Ok((Answers::Never, _)) => return,
                    Ok((Answers::NotNow, _)) | Err(_) => {}
                }
                sleep(wait).await;
            }
        };
        tokio::select! {
            () = self.0.closed.cancelled() => {}
            () = listening => {}
        }
    }

    /// Ends the session, where there is one.
    async fn farewell(&self) {
        let (known, over) = {
            let session = self.session();
            (session.id.is_some(), session.over)
        };
        if known && !over {
            // A server need not take it.
            let _ = timeout(FAREWELL, self.request(Method::DELETE).send()).await;
        }
    }

    fn failure(&self, class: FailureClass, what: &str) -> Failure {
        let message = format!("the server `{}` {what}", self.0.server);
        Failure::new(class, self.0.secrets.redactor().redact(&message))
    }

    /// The address without what may be secret in it.
    fn shown_url(&self) -> String {
        let mut url = self.0.url.clone();
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.set_query(None);
        url.to_string()
    }
}

/// What a server answers to a GET for what it says unasked.
enum Answers {
    Events,
    NotNow,
    /// It offers nothing of that.
    Never,
}

impl Answers {
    fn of(response: &Response) -> Self {
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match status {
            _ if status.is_success() && kind.starts_with("text/event-stream") => Self::Events,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Self::NotNow,
            _ if status.is_server_error() => Self::NotNow,
            _ => Self::Never,
        }
    }
}

/// The beginning of a body.
async fn beginning(response: Response) -> String {
    let mut text = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(Ok(bytes)) = body.next().await {
        text.extend_from_slice(&bytes[..bytes.len().min(MAX_BODY - text.len())]);
        if text.len() >= MAX_BODY {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The message in a body that is the answer to a request.
fn answer_in(body: &str, id: u64) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    (value["id"] == id && value["error"].is_object()).then(|| body.to_owned())
}

/// What went wrong, without the address.
fn why(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}
