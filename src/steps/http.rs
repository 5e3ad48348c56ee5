//! `http`: sends a request and reads the answer as JSON, as text, or as the readable text of a page.
//!
//! GET and HEAD promise to change nothing. Any other request is in doubt once it began and its answer did not come (its
//! time ran out, its connection broke, it was cancelled), or was a redirect to what then fails. At most [`MAX_REDIRECTS`] redirects are followed, and
//! what the step sends stays with the host that it names. A host that neither the definition nor the person has named, and
//! one that a server redirects to, is reached only at public addresses. The clients are made when first needed.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode, Url, redirect};
use serde_json::Value;

use super::markers::{self, Filler};
use super::{deadline, done, interrupted, page, prepared};
use crate::core::event::Measured;
use crate::core::expect::Expect;
use crate::core::failure::{Failure, FailureClass};
use crate::core::host;
use crate::core::ports::{AttemptContext, AttemptOutcome, AttemptRequest, Secrets};
use crate::core::schema::Schema;
use crate::core::secret::Redactor;
use crate::core::text::{Untrusted, encoding};
use crate::core::wait::moment;
use crate::core::work::HttpWork;

mod reach;

/// The longest answer, in bytes.
const MAX_BODY: usize = 10_000_000;
/// As many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// As much of an error's answer becomes the failure's detail, in bytes.
const MAX_DETAIL: usize = 2_000;
/// To make a connection.
const CONNECT: Duration = Duration::from_secs(30);
/// A server that says nothing for so long has gone away.
const IDLE: Duration = Duration::from_mins(2);

/// The clients, once there are any: one for hosts that somebody has named, and one that reaches no private address.
#[derive(Default)]
pub struct Client(OnceLock<Result<Clients, String>>);

struct Clients {
    any: reqwest::Client,
    public: reqwest::Client,
}

impl Client {
    fn get(&self) -> Result<&Clients, Failure> {
        let client = self.0.get_or_init(|| {
            // Another module may have installed the same provider before.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let builder = || {
                reqwest::Client::builder()
                    .user_agent(concat!("stepwell/", env!("CARGO_PKG_VERSION")))
                    .redirect(redirect::Policy::none())
                    .connect_timeout(CONNECT)
                    .read_timeout(IDLE)
                    // What is sent is what the approval shows, and what comes is kept as it came.
                    .no_gzip()
                    .no_deflate()
            };
            let any = builder().build().map_err(|error| cause(&error))?;
            let public = builder().dns_resolver(Arc::new(reach::PublicOnly)).build().map_err(|error| cause(&error))?;
            Ok(Clients { any, public })
        });
        client.as_ref().map_err(|problem| {
            Failure::new(FailureClass::Network, format!("no connection can be made from here: {problem}"))
        })
    }
}

/// Sends the request of `work`.
pub async fn perform(
    client: &Client,
    secrets: &Arc<dyn Secrets>,
    hosts: &[String],
    work: &HttpWork,
    attempt: &AttemptRequest,
    context: &AttemptContext,
) -> AttemptOutcome {
    let deadline = deadline(attempt.timeout);
    let preparing =
        async { Ok((client.get()?, read_as(work)?, Request::prepare(secrets, hosts, work, attempt).await?)) };
    let (client, expected, request) = match prepared(attempt, context, deadline, preparing).await {
        Ok(prepared) => prepared,
        Err(outcome) => return outcome,
    };
    let mut acted = false;
    let exchange = async {
        let (url, response) = request.send(client, &mut acted).await?;
        HttpAnswer::receive(url, response, &secrets.redactor()).await
    };
    let answer = tokio::select! {
        biased;
        answer = exchange => answer,
        why = interrupted(deadline, &context.cancel) => {
            return why.outcome(attempt, Untrusted::default(), !work.is_safe(), Measured::default());
        }
    };
    match answer {
        Ok(answer) => output(work, answer, expected, &secrets.redactor()),
        Err(RequestError { failure, may_have_acted }) => AttemptOutcome::Failed {
            failure,
            partial: Untrusted::default(),
            in_doubt: (may_have_acted || acted) && !work.is_safe(),
            measured: Measured::default(),
        },
    }
}

/// How an answer is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadAs {
    Json,
    Text,
    Page,
}

fn read_as(work: &HttpWork) -> Result<Option<ReadAs>, Failure> {
    match &work.expect {
        None => Ok(None),
        Some(Expect::Json) => Ok(Some(ReadAs::Json)),
        Some(Expect::Text) => Ok(Some(ReadAs::Text)),
        Some(Expect::Page) => Ok(Some(ReadAs::Page)),
        Some(Expect::Unknown(other)) => Err(Failure::new(
            FailureClass::Definition,
            format!("the step's `expect` is `{other}`; it takes `json`, `text` or `page`"),
        )),
    }
}

/// A 2xx answer as the output that the step asks for. A request that changed something has done so, and what does not
/// fit is left to a person; an answer that only had to be read is a failure then, which costs nothing to try again.
fn output(work: &HttpWork, answer: HttpAnswer, expected: Option<ReadAs>, redactor: &Redactor) -> AttemptOutcome {
    let measured = Measured::default();
    let read_as = expected.unwrap_or_else(|| answer.read_as());
    let read = match read_as {
        _ if answer.cut => Err(format!("the answer is longer than {} MB", MAX_BODY / 1_000_000)),
        ReadAs::Json if answer.text.trim().is_empty() => Ok(Value::Null),
        ReadAs::Json => {
            crate::core::json::parse(&answer.text).map_err(|error| format!("the answer is not JSON: {error}"))
        }
        _ if let Some(kind) = answer.kind(read_as) => {
            Err(format!("this is {kind} (`{}`), which cannot be read as text", answer.content_type))
        }
        _ if answer.text.contains('\0') => Err(format!("the answer is not text but `{}`", answer.content_type)),
        ReadAs::Page => Ok(Value::String(answer.page())),
        ReadAs::Text => Ok(Value::String(answer.text.clone())),
    };
    match read {
        Ok(value) => {
            let problem = work
                .schema
                .as_ref()
                .and_then(|schema| Schema::compile(schema).and_then(|schema| schema.judge(&value)).err());
            match problem {
                None => done(value, measured),
                problem => AttemptOutcome::Done { output: value, problem, measured },
            }
        }
        Err(problem) if work.is_safe() => AttemptOutcome::Failed {
            failure: {
                let failure = Failure::new(FailureClass::BadOutput, format!("{}: {problem}", work.url));
                // The bytes of a picture say nothing.
                let said =
                    if answer.kind.is_none() { beginning(&redactor.redact(&answer.text)) } else { String::new() };
                if said.is_empty() { failure } else { failure.with_detail(said) }
            },
            partial: Untrusted::default(),
            in_doubt: false,
            measured,
        },
        Err(problem) => AttemptOutcome::Done { output: Value::String(answer.text), problem: Some(problem), measured },
    }
}

/// A request that failed.
struct RequestError {
    failure: Failure,
    /// The server may have done what was asked all the same.
    may_have_acted: bool,
}

/// What is to be sent.
struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
    /// Hosts that somebody has named: they may be private.
    hosts: Vec<String>,
}

impl Request {
    async fn prepare(
        secrets: &Arc<dyn Secrets>,
        hosts: &[String],
        work: &HttpWork,
        attempt: &AttemptRequest,
    ) -> Result<Self, Failure> {
        let wrong = |message: String| Failure::new(FailureClass::Definition, message);
        markers::refuse(attempt, "an http `url`", &[&work.method, &work.url])?;
        let url: Url =
            work.url.trim().parse().map_err(|error| wrong(format!("`{}` is not a URL: {error}", work.url)))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("`{url}`: only http and https are spoken here")));
        }
        let method = work.method.to_ascii_uppercase();
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| wrong(format!("`{method}` is no http method")))?;
        let hidden: Vec<&str> = work.headers.values().chain(&work.body).map(String::as_str).collect();
        let filler = Filler::resolve(secrets, attempt, &hidden).await?;
        let mut headers = HeaderMap::new();
        // A header without a value, such as one for a key that was not given, is not sent.
        let filled = work.headers.iter().map(|(name, value)| (name, filler.fill(value)));
        for (name, value) in filled.filter(|(_, value)| !value.trim().is_empty()) {
            let header: HeaderName = name.parse().map_err(|_| wrong(format!("`{name}` is no name of a header")))?;
            // The value is not shown: it may hold a secret.
            let value = HeaderValue::from_str(value.trim()).map_err(|_| {
                wrong(format!("the value of the header `{name}` has characters that a header may not have"))
            })?;
            headers.insert(header, value);
        }
        let body = work.body.as_ref().map(|body| filler.fill(body));
        if let Some(body) = &body
            && !headers.contains_key(CONTENT_TYPE)
        {
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok();
            let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let hosts = work.hosts.0.iter().chain(hosts).cloned().collect();
        Ok(Self { method, url, headers, body, hosts })
    }

    /// Sends it, and again where the server points to. `acted`: a server took it and points to where its result is.
    async fn send(mut self, clients: &Clients, acted: &mut bool) -> Result<(Url, Response), RequestError> {
        for redirects in 0..=MAX_REDIRECTS {
            let named = host::of_url(&self.url).is_some_and(|authority| host::allows(&self.hosts, &authority));
            let client = if named { &clients.any } else { &clients.public };
            if !named && let Some(address) = reach::private_address(&self.url).await {
                return Err(refused(private(&self.url, address, redirects > 0)));
            }
            let mut request = client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
            if let Some(body) = &self.body {
                request = request.body(body.clone());
            }
            let response = request.send().await.map_err(|error| request_error(&self.url, error))?;
            let Some(next) = next(&self.url, &response) else { return Ok((self.url, response)) };
            *acted |= self.turns_to_get(response.status());
            self.follow(next?, response.status())?;
        }
        Err(refused(format!("{} redirects more than {MAX_REDIRECTS} times", shown(&self.url))))
    }

    /// Whether a redirect with this status is to the result of the request, and not to where it is to be sent.
    fn turns_to_get(&self, status: StatusCode) -> bool {
        match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        }
    }

    fn follow(&mut self, next: Url, status: StatusCode) -> Result<(), RequestError> {
        if self.turns_to_get(status) {
            self.method = Method::GET;
            self.body = None;
            self.headers.remove(CONTENT_TYPE);
        }
        if next.origin() != self.url.origin() {
            if self.body.is_some() {
                return Err(refused(format!(
                    "{} sends what the step sends on to {}; if that is right, put that URL in the step",
                    shown(&self.url),
                    shown(&next)
                )));
            }
            // Keys and cookies are for the host that the step names.
            let harmless = [ACCEPT, ACCEPT_LANGUAGE];
            let kept = harmless.into_iter().filter_map(|name| Some((name.clone(), self.headers.get(&name)?.clone())));
            self.headers = kept.collect();
        }
        self.url = next;
        Ok(())
    }
}

/// Where a redirect points to; `None` for any other answer.
fn next(url: &Url, response: &Response) -> Option<Result<Url, RequestError>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let next = location.to_str().ok().and_then(|location| url.join(location).ok());
    Some(match next.filter(|next| matches!(next.scheme(), "http" | "https")) {
        Some(next) => Ok(next),
        None => Err(refused(format!("{} redirects to what is no http address", shown(url)))),
    })
}

/// An answer that came, with a status of success.
struct HttpAnswer {
    url: Url,
    content_type: String,
    text: String,
    /// What it is, where that is no text.
    kind: Option<&'static str>,
    cut: bool,
}

impl HttpAnswer {
    async fn receive(url: Url, mut response: Response, redactor: &Redactor) -> Result<Self, RequestError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let content_type =
            headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase());
        let most = if status.is_success() { MAX_BODY } else { MAX_DETAIL * 10 };
        let mut bytes = Vec::new();
        let mut cut = false;
        while let Some(piece) = match response.chunk().await {
            Ok(piece) => piece,
            // The status of an error says enough without its text.
            Err(_) if !status.is_success() => None,
            Err(error) => return Err(request_error(&url, error)),
        } {
            let room = most - bytes.len();
            bytes.extend_from_slice(&piece[..room.min(piece.len())]);
            cut = piece.len() > room;
            if cut {
                break;
            }
        }
        let content_type = content_type.unwrap_or_default();
        let mut text = encoding::of_bytes(&bytes, page::charset::named(&bytes, &content_type)).into_owned();
        let kind = page::kind::of(&bytes, &content_type);
        // JSON is read first: a value may be a number of it.
        if cut || !status.is_success() {
            text = if cut { redactor.redact_cut(&text) } else { redactor.redact(&text) };
        }
        let answer = Self { url, content_type, text, kind, cut };
        if status.is_success() { Ok(answer) } else { Err(answer.refusal(status, &headers)) }
    }

    fn read_as(&self) -> ReadAs {
        let kind = self.content_type.split(';').next().unwrap_or_default().trim();
        match kind {
            "application/json" => ReadAs::Json,
            "text/html" | "application/xhtml+xml" => ReadAs::Page,
            kind if kind.ends_with("+json") => ReadAs::Json,
            _ => ReadAs::Text,
        }
    }

    /// What it is that is no text. What is asked for as text is taken at its word where it may be text.
    fn kind(&self, read_as: ReadAs) -> Option<&'static str> {
        self.kind.filter(|_| read_as == ReadAs::Page || self.text.contains(['\0', char::REPLACEMENT_CHARACTER]))
    }

    /// Its readable text.
    fn page(&self) -> String {
        let is_markup = self.read_as() == ReadAs::Page || self.text.trim_start().starts_with('<');
        page::beginning(if is_markup { page::text(&self.text, Some(&self.url)) } else { self.text.clone() })
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap) -> RequestError {
        let (class, advice) = match status.as_u16() {
            401 | 403 => (FailureClass::Auth, "check the key or the rights that it needs"),
            429 => (FailureClass::RateLimit, "it asks for fewer requests"),
            500.. => (FailureClass::Server, "the trouble is on its side"),
            _ => (FailureClass::BadRequest, "check the step's `url`, `method` and what it sends"),
        };
        let mut failure = Failure::new(class, format!("{} answered {status}; {advice}", shown(&self.url)));
        let said = if self.read_as() == ReadAs::Page { page::text(&self.text, None) } else { self.text.clone() };
        if !said.trim().is_empty() && self.kind.is_none() {
            failure = failure.with_detail(beginning(said.trim()));
        }
        failure.retry_after_ms = retry_after(headers);
        // A gateway that lost its server does not know what became of the request, and a server that broke down over it
        // may have acted before.
        RequestError { failure, may_have_acted: matches!(status.as_u16(), 500 | 502 | 504) }
    }
}

/// How long the server asks to wait, in milliseconds; a date counts by the server's own clock.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = text(DATE).and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let now = date.map_or_else(|| SystemTime::now().into(), |date| date.to_utc());
    u64::try_from(moment(text(RETRY_AFTER)?, now)?.as_millis()).ok()
}

fn request_error(url: &Url, error: reqwest::Error) -> RequestError {
    let error = error.without_url();
    let (class, what) = match (error.is_timeout(), error.is_connect()) {
        (true, _) => (FailureClass::Timeout, "did not answer in time"),
        (_, true) => (FailureClass::Network, "could not be reached"),
        _ => (FailureClass::Network, "broke the connection"),
    };
    let failure = Failure::new(class, format!("{} {what}: {}", shown(url), cause(&error)));
    RequestError { failure, may_have_acted: !error.is_connect() }
}

fn refused(message: String) -> RequestError {
    RequestError { failure: Failure::new(FailureClass::BadRequest, message), may_have_acted: false }
}

fn private(url: &Url, address: IpAddr, redirected: bool) -> String {
    let host = host::of_url(url).unwrap_or_default();
    let from =
        if redirected { "a server has redirected to it" } else { "neither the definition nor you have named it" };
    format!(
        "{host} is {address}, which is not public, and {from}; if that is right, put `hosts = [\"{host}\"]` into the step, the workflow, or [http] of the config"
    )
}

/// The innermost cause: what the layers above it say is how they failed, not why.
fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}

/// A URL without its query, which may be long, and without a password.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn beginning(text: &str) -> String {
    match text.floor_char_boundary(MAX_DETAIL) {
        end if end < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}
