//! One model of one provider is asked: the request, the waits, the stream, and what each way of failing means.
//!
//! It promises to end within 200 ms of a cancel, to keep the text that had arrived, and to send a request again only
//! when nothing of an answer was seen: after a refusal of something optional, or after a Retry-After.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Delta, DeltaSink, LONGEST_WAIT, ModelRequest};
use crate::core::secret::{RedactedStream, Redactor, Secret};
use crate::core::step::Timespan;
use crate::core::text::Untrusted;

use super::dialect::{Cause, Dialect, ProviderError, RequestContext};
use super::frames::Frames;
use super::http::{self, Clients};
use super::limits::Ticket;
use super::offers::answer_calls;
use super::outcome::{Answered, Failed};
use super::partial_answer::{Completeness, PartialAnswer};
use super::provider::{Lookup, Provider};
use super::refusal::{self, Asked};
use super::stray;
use super::unsupported::{Lesson, UnsupportedFeatures};
use super::wait;
use super::watch::{Stop, WallClock, Watch};

/// How often a server that is loading its model is asked whether it is done: first, and at last.
const LOADING: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// After the end was said, only a report of usage can come: some servers then never close.
const AFTER_THE_END: Duration = Duration::from_secs(2);

/// The longest answer, in bytes: about a million tokens. It is kept and passed on several times over.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// More calls in one turn than any model has reason to ask for.
const MOST_CALLS: usize = 256;

/// The longest body of a refusal that is read, in bytes, and how long that may take.
const LONGEST_REFUSAL: (usize, Duration) = (64 * 1024, Duration::from_secs(5));

/// Text that arrives faster than this is passed on in larger pieces: nobody sees the difference, and every piece costs.
const BETWEEN: Duration = Duration::from_millis(5);

/// A piece is not larger than about this many bytes.
const PIECE: usize = 64 * 1024;

/// Tokens that an answer without a limit is taken to have, for limits and budgets.
pub(super) const USUAL_ANSWER: u64 = 1_000;

/// What is the same for every request.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) clients: std::sync::Arc<Clients>,
    pub(super) lookup: Lookup,
    pub(super) wall: WallClock,
}

/// How one request went wrong.
pub(super) enum AttemptError {
    /// A wait ended; where it was for the server, with what it did not do within which time.
    Stopped(Stop, Option<(&'static str, Timespan)>),
    Provider(ProviderError),
    Refused {
        status: StatusCode,
        error: ProviderError,
        body: String,
        retry_after: Option<Duration>,
    },
}

impl From<ProviderError> for AttemptError {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

/// One exchange with one model.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Shared,
    pub(super) provider: &'a Provider,
    pub(super) dialect: &'a dyn Dialect,
    pub(super) model: &'a str,
    /// The same as `PROVIDER/MODEL`.
    pub(super) target: &'a str,
    pub(super) request: &'a ModelRequest,
    pub(super) deltas: &'a DeltaSink,
    pub(super) cancel: &'a CancellationToken,
}

impl Exchange<'_> {
    /// Asks until there is an answer or a failure.
    pub(super) async fn run(&self) -> Result<Answered, Failed> {
        if let Some(failure) = self.provider.stopped() {
            return Err(Failed::new(Failure {
                message: format!(
                    "Nothing more is sent to {} by itself before its key is put right: {}",
                    self.provider.name, failure.message
                ),
                ..failure
            }));
        }
        let mut watch = Watch::new(self.cancel.clone(), self.shared.wall.clone());
        let mut answer = PartialAnswer::default();
        let mut key = None;
        match self.converse(&mut watch, &mut answer, &mut key).await {
            Ok(first_token_ms) => {
                self.pass_on(answer.redacting.finish());
                Ok(self.answered(answer, first_token_ms, key.as_ref()))
            }
            Err(error) => {
                self.show(&mut answer);
                Err(self.failed(error, answer, key.as_ref()))
            }
        }
    }

    async fn converse(
        &self,
        watch: &mut Watch,
        answer: &mut PartialAnswer,
        key: &mut Option<Secret>,
    ) -> Result<u64, AttemptError> {
        let never = Instant::now() + Duration::from_hours(24);
        *key = watch
            .guard(never, self.provider.key(&self.shared.lookup))
            .await
            .map_err(|s| AttemptError::Stopped(s, None))??;
        let headers = watch.guard(never, self.provider.resolve_headers(&self.shared.lookup)).await;
        headers.map_err(|stop| AttemptError::Stopped(stop, None))??;
        answer.redacting = RedactedStream::new(self.provider.redactor(key.as_ref()));
        let schema = self.request.schema.as_ref();
        let mut unsupported = self.provider.unsupported(self.model, schema);
        let (mut waited, mut sent_again) = (false, false);
        let (begun, mut pause) = (Instant::now(), LOADING.0);
        loop {
            let ticket = self.book(watch).await?;
            let error = match self.once(watch, answer, key.as_ref(), unsupported).await {
                Ok(first_token_ms) => {
                    self.provider.remember(self.model, schema, unsupported);
                    self.provider.good_answer(key.as_ref());
                    self.provider.limits.settle(ticket, answer.input_tokens.saturating_add(answer.output_tokens));
                    return Ok(first_token_ms);
                }
                Err(error) => error,
            };
            let AttemptError::Refused { status, error: refusal, body, retry_after } = &error else {
                // What was kept open may be closed by now, which is seen only when something is sent.
                let reset = matches!(&error, AttemptError::Provider(error) if error.cause == Some(Cause::Reset));
                if reset && !std::mem::replace(&mut sent_again, true) {
                    self.provider.limits.settle(ticket, 0);
                    continue;
                }
                return Err(error);
            };
            // What is refused is counted as a request; it takes no tokens.
            self.provider.limits.settle(ticket, 0);
            let strict = schema.is_some_and(|schema| self.dialect.is_strict(schema));
            let lesson = Lesson { status: *status, error: refusal, body, request: self.request, strict };
            if let Some(note) = unsupported.learn(&lesson) {
                answer.notes.extend((!note.is_empty()).then(|| note.to_owned()));
                continue;
            }
            if refusal::is_loading(*status, body) {
                self.wait_for_loading(watch, begun, retry_after.unwrap_or(pause)).await?;
                pause = (pause * 2).min(LOADING.1);
                continue;
            }
            if let (FailureClass::RateLimit, Some(wait)) = (refusal.class, *retry_after)
                && wait <= self.longest_wait()
            {
                self.provider.limits.hold(Instant::now() + wait);
                if !std::mem::replace(&mut waited, true) {
                    continue;
                }
            }
            return Err(error);
        }
    }

    fn longest_wait(&self) -> Duration {
        self.request.longest_wait.unwrap_or(LONGEST_WAIT).duration()
    }

    /// Waits before a server that loads its model is asked again, within the time to the first token.
    async fn wait_for_loading(&self, watch: &mut Watch, begun: Instant, pause: Duration) -> Result<(), AttemptError> {
        let first = self.provider.settings.first_token();
        let line = format!("{} is loading the model", self.provider.name);
        (self.deltas)(Delta::Progress(Untrusted::new(line)));
        let waited = watch.guard(begun + first.duration(), tokio::time::sleep(pause.min(LOADING.1))).await;
        waited.map_err(|stop| AttemptError::Stopped(stop, Some((STILL_LOADING, first))))
    }

    /// Waits for the provider's limits.
    async fn book(&self, watch: &mut Watch) -> Result<Ticket, AttemptError> {
        let limit = self.request.max_tokens.map_or(USUAL_ANSWER, u64::from);
        let tokens = self.request.prompt_tokens().saturating_add(limit);
        loop {
            let at = match self.provider.limits.book(tokens) {
                Ok(ticket) => return Ok(ticket),
                Err(at) => at,
            };
            let wait = at.duration_since(Instant::now());
            if wait > Duration::from_secs(1) {
                let line = format!("{} takes no more requests now: waiting {} s", self.provider.name, wait.as_secs());
                (self.deltas)(Delta::Progress(Untrusted::new(line)));
            }
            let long = at + Duration::from_secs(1);
            watch.guard(long, tokio::time::sleep_until(at)).await.map_err(|s| AttemptError::Stopped(s, None))?;
        }
    }

    /// One request and its stream. Gives the milliseconds to the first token.
    async fn once(
        &self,
        watch: &mut Watch,
        answer: &mut PartialAnswer,
        key: Option<&Secret>,
        unsupported: UnsupportedFeatures,
    ) -> Result<u64, AttemptError> {
        let first = self.provider.settings.first_token();
        let context = self.context(unsupported);
        answer.answer_calls = answer_calls(self.request, unsupported);
        let url = self.provider.url(self.dialect.path())?;
        let headers = self.provider.headers(self.dialect, key)?;
        let (client, connections) = self.shared.clients.client(&url)?;
        let before = connections.made();
        let started = Instant::now();
        let sent = client.post(url).headers(headers).json(&self.dialect.body(&context)).send();
        let response = watch.guard(started + first.duration(), sent).await;
        let response = response
            .map_err(|stop| AttemptError::Stopped(stop, Some((NO_FIRST, first))))?
            .map_err(|error| http::send_error(error, connections.made() == before))?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(watch, response, &self.provider.redactor(key)).await);
        }
        let first_token = self.read(watch, answer, response, started).await?;
        check_calls(answer)?;
        self.dialect.check(&context, answer);
        Ok(u64::try_from((first_token - started).as_millis()).unwrap_or(u64::MAX))
    }

    fn context(&self, unsupported: UnsupportedFeatures) -> RequestContext<'_> {
        let (settings, official) = (&self.provider.settings, self.provider.official());
        let (model, target, request) = (self.model, self.target, self.request);
        RequestContext { model, target, request, unsupported, settings, official }
    }

    async fn refused(&self, watch: &mut Watch, mut response: Response, redactor: &Redactor) -> AttemptError {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > LONGEST_REFUSAL.0 {
                    break;
                }
            }
        };
        match watch.guard(Instant::now() + LONGEST_REFUSAL.1, read).await {
            Err(stop @ (Stop::Cancelled | Stop::Slept)) => return AttemptError::Stopped(stop, None),
            Ok(()) | Err(Stop::Late) => {}
        }
        // Before anything of it is cut: a part of a key would not be known any more.
        let text = String::from_utf8_lossy(&body);
        let cut = body.len() > LONGEST_REFUSAL.0;
        let body = if cut { redactor.redact_cut(&text) } else { redactor.redact(&text) };
        let now: DateTime<Utc> = (self.shared.wall)().into();
        let mut error = refusal::refusal(status, &headers, &body, self.asked());
        let retry_after = wait::asked(&headers, &body, error.class == FailureClass::RateLimit, now);
        if let Some(wait) = retry_after.filter(|wait| *wait > self.longest_wait())
            && let Some(at) = now.checked_add_signed(TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX))
        {
            let seconds = Timespan(wait.as_secs().saturating_mul(1_000));
            let _ = write!(error.text, " (it asks to wait {seconds}, until {})", at.format("%Y-%m-%d %H:%M UTC"));
        }
        AttemptError::Refused { status, error, body, retry_after }
    }

    /// What was asked, as far as a refusal may be about it.
    fn asked(&self) -> Asked<'_> {
        let images = self.request.messages.iter().any(|message| message.image_count() > 0);
        Asked { model: self.model, images, tools: !self.request.tools.is_empty() }
    }

    /// Reads the stream to its end. Gives the time of the first token.
    async fn read(
        &self,
        watch: &mut Watch,
        answer: &mut PartialAnswer,
        mut response: Response,
        started: Instant,
    ) -> Result<Instant, AttemptError> {
        let (first, idle) = (self.provider.settings.first_token(), self.provider.settings.idle());
        let mut frames = Frames::default();
        check_head(&response)?;
        let mut first_token = None;
        let mut shown_at = started;
        let mut stated_at = None;
        // When the model last made something. What only keeps the connection alive is no sign of it.
        let mut made = (0, started);
        loop {
            let now = Instant::now();
            if answer.length() != made.0 {
                made = (answer.length(), now);
            }
            let pause = (answer.unshown() > 0).then_some(shown_at + BETWEEN);
            let (deadline, late) = match answer.ended {
                // Whatever is sent to keep the connection alive prolongs nothing.
                Completeness::Stated => (*stated_at.get_or_insert(now) + AFTER_THE_END.min(idle.duration()), None),
                _ if answer.alive => (made.1 + idle.duration(), Some((NOT_NEXT, idle))),
                _ => (started + first.duration(), Some((NO_FIRST, first))),
            };
            let until = pause.map_or(deadline, |pause| pause.min(deadline));
            let chunk = match watch.guard(until, response.chunk()).await {
                Ok(chunk) => chunk,
                Err(Stop::Late) if pause.is_some() => {
                    self.show(answer);
                    shown_at = Instant::now();
                    continue;
                }
                // The answer is whole, whyever the rest is not waited for.
                Err(_) if answer.ended == Completeness::Stated => break,
                Err(stop) => return Err(AttemptError::Stopped(stop, late)),
            };
            // What is there already is taken together, so that a fast stream is passed on in few pieces.
            let mut next = Some(chunk);
            let mut over = false;
            while let Some(chunk) = next.take() {
                over = self.take(chunk, &mut frames, answer)?;
                if !over && answer.unshown() < PIECE {
                    next = response.chunk().now_or_never();
                }
            }
            if answer.alive && first_token.is_none() {
                first_token = Some(Instant::now());
            }
            if over || shown_at + BETWEEN <= Instant::now() || answer.unshown() >= PIECE {
                self.show(answer);
                shown_at = Instant::now();
            }
            if answer.call_count() > MOST_CALLS {
                let text = format!("asks for more than {MOST_CALLS} calls of tools in one turn");
                return Err(ProviderError::new(FailureClass::Server, text).into());
            }
            if answer.length() > LONGEST_ANSWER {
                return Err(ProviderError::new(FailureClass::TooLong, "sends an answer without end").into());
            }
            if over {
                break;
            }
        }
        if answer.ended == Completeness::No {
            return Err(ProviderError::new(
                FailureClass::Network,
                "ended the answer in the middle: the connection closed",
            )
            .into());
        }
        Ok(first_token.unwrap_or_else(Instant::now))
    }

    /// Takes a chunk of the body, `None` for its end. Gives whether the answer is over.
    fn take(
        &self,
        chunk: reqwest::Result<Option<Bytes>>,
        frames: &mut Frames,
        answer: &mut PartialAnswer,
    ) -> Result<bool, ProviderError> {
        let mut failure = None;
        let mut each = |frame: &str| match stray::take(self.dialect, frame, answer, self.asked()) {
            Ok(()) => answer.ended != Completeness::Closed,
            Err(found) => {
                failure = Some(found);
                false
            }
        };
        let mut over = false;
        match chunk {
            Ok(Some(bytes)) => {
                if frames.feed(&bytes, &mut each).is_err() {
                    failure = Some(ProviderError::new(FailureClass::Server, "sent a line that does not end"));
                }
            }
            Ok(None) => {
                frames.end(&mut each);
                over = true;
                if failure.is_none() && !answer.alive && answer.ended == Completeness::No {
                    failure = plain_words(&frames.stray(), self.asked());
                }
            }
            // All that counts has arrived.
            Err(_) if answer.ended == Completeness::Stated => over = true,
            Err(error) => failure = Some(http::client_error(error)),
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(over || answer.ended == Completeness::Closed),
        }
    }

    /// Passes on the text that has not been shown.
    fn show(&self, answer: &mut PartialAnswer) {
        if answer.unshown() > 0 {
            let new = answer.show();
            self.pass_on(answer.redacting.push(&new));
        } else if answer.alive && answer.is_silent() && !answer.announced {
            answer.announced = true;
            let calls = answer.call_count() > 0;
            let line = if calls { "The model is calling a tool." } else { "The model is thinking." };
            (self.deltas)(Delta::Progress(line.into()));
        }
    }

    fn pass_on(&self, text: String) {
        if !text.is_empty() {
            (self.deltas)(Delta::Text(text.into()));
        }
    }
}

pub(super) const NO_FIRST: &str = "did not begin to answer within the first_token_timeout";
const STILL_LOADING: &str = "was still loading the model after the first_token_timeout";
const NOT_NEXT: &str = "stopped in the middle of its answer for longer than the idle_timeout";

/// Refuses a turn that cannot be gone on from: a call that was cut, or one that never came.
fn check_calls(answer: &PartialAnswer) -> Result<(), ProviderError> {
    if let Some(name) = answer.cut_call() {
        let text = format!("reached the limit of tokens in the middle of a call of `{name}`");
        return Err(ProviderError::new(FailureClass::TooLong, text).because(Cause::CutCall));
    }
    if answer.lacks_call() {
        return Err(ProviderError::new(FailureClass::Server, "says that the model calls a tool, and sent no call"));
    }
    Ok(())
}

/// Refuses what cannot be an answer, by its head.
fn check_head(response: &Response) -> Result<(), ProviderError> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text(CONTENT_TYPE).starts_with("text/html") {
        return Err(web_page());
    }
    // What could be unpacked has lost this header by now.
    match text(CONTENT_ENCODING).trim() {
        "" | "identity" => Ok(()),
        other => Err(ProviderError::new(
            FailureClass::Server,
            format!("sends its answer packed as {other}, which was not asked for"),
        )),
    }
}

fn web_page() -> ProviderError {
    ProviderError::new(FailureClass::BadRequest, "answered with a web page").because(Cause::WebPage)
}

/// What a server says in plain text in the place of an answer, if it says anything.
fn plain_words(stray: &str, asked: Asked<'_>) -> Option<ProviderError> {
    let said = stray.trim();
    if said.starts_with('<') {
        return Some(web_page());
    }
    let error = refusal::in_answer(&said.into(), asked);
    (!said.is_empty()).then(|| ProviderError { text: format!("sent no answer, but: {}", error.text), ..error })
}
