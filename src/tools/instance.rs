//! One instance of a server: started when it is first needed, started again when it has ended, asked what tools it has,
//! and called.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::elicitation::{Answer, Question};
use super::incoming::Reply;
use super::listing;
use super::log::ServerLog;
use super::peer::{CallEvent, Fault, Peer};
use super::resolve::Reached;
use super::{http, returned, stdio};
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::Delta;
use crate::core::ports::{AskSink, AttemptContext, BoxFuture, CallOutcome, Secrets, ServerCall, ServerTools};
use crate::core::text::Untrusted;
use crate::core::tool::CallReturn;

/// The newest version of the protocol that is spoken, and those before it.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// How often a program is started at most: once, and three times again.
const MOST_STARTS: u32 = 4;
/// How long a server that is to end is waited for.
const END: Duration = Duration::from_secs(6);
/// So many pages, and so many tools, are read of a list.
const MOST_PAGES: usize = 1_000;
const MOST_TOOLS: usize = 10_000;
/// A list is read again when the tools changed meanwhile: so often.
const MOST_LISTS: usize = 3;
/// The longest message of a server's error that is shown, in bytes.
const MAX_SAID: usize = 2_000;
/// What a server said last is put into the sentence about it if it is no longer than this, in bytes.
const SHORT: usize = 200;

/// One instance.
pub struct Instance {
    server: String,
    reached: Reached,
    secrets: Arc<dyn Secrets>,
    /// How long it may take until it is ready.
    patience: Duration,
    log: Arc<ServerLog>,
    state: tokio::sync::Mutex<State>,
    /// The connection that there is, or that is being made.
    newest: Mutex<Option<Arc<Peer>>>,
    /// How often its program was started since a call of it last returned, or somebody asked again.
    starts: AtomicU32,
    closing: CancellationToken,
}

#[derive(Default)]
struct State {
    live: Option<Arc<Live>>,
    /// Why it ended last.
    last: Option<String>,
}

/// A server that answers.
struct Live {
    peer: Arc<Peer>,
    ended: CancellationToken,
    /// It has tools.
    has_tools: bool,
    /// It says when they change.
    tells: bool,
    /// What it listed, and how often its tools had changed by then.
    listed: Mutex<Option<(u64, ServerTools)>>,
}

impl Live {
    /// Whether a change of its tools would be noticed.
    fn hears_changes(&self) -> bool {
        self.tells && self.peer.is_listening()
    }

    /// Waits for its end.
    async fn ended(&self) {
        let _ = timeout(END, self.ended.cancelled()).await;
    }
}

/// How a try at a call ended.
enum Tried {
    Ended(CallOutcome),
    /// Nothing was sent: the server had just gone.
    NotSent(String),
}

impl Instance {
    pub fn new(server: String, reached: Reached, secrets: Arc<dyn Secrets>, patience: Duration) -> Arc<Self> {
        let log = Arc::new(ServerLog::new(Arc::clone(&secrets)));
        let (state, newest, starts) = (tokio::sync::Mutex::default(), Mutex::default(), AtomicU32::new(0));
        let closing = CancellationToken::new();
        Arc::new(Self { server, reached, secrets, patience, log, state, newest, starts, closing })
    }

    /// The server, started if need be. Who does not wait for it to the end does not stop it from starting.
    async fn live(self: &Arc<Self>) -> Result<Arc<Live>, Failure> {
        let instance = Arc::clone(self);
        let starting = tokio::spawn(async move { instance.started().await });
        starting.await.unwrap_or_else(|error| Err(self.failure(&format!("could not be started ({error})"))))
    }

    async fn started(self: &Arc<Self>) -> Result<Arc<Live>, Failure> {
        let mut state = self.state.lock().await;
        if let Some(live) = state.live.as_ref().filter(|live| !live.peer.is_lost()) {
            return Ok(Arc::clone(live));
        }
        if let Some(old) = state.live.take() {
            state.last = old.peer.lost();
            // Two of one program at once may be in each other's way: they have a lock, or a port.
            if self.is_program() {
                old.ended().await;
            }
        }
        if self.is_program() && self.starts.load(Ordering::SeqCst) >= MOST_STARTS {
            let last = state.last.as_deref().unwrap_or("ended");
            return Err(
                self.failure(&format!("{last}, the last of {MOST_STARTS} times in a row; retry to start it again"))
            );
        }
        if self.closing.is_cancelled() {
            return Err(self.failure("was not started: Stepwell is shutting down"));
        }
        self.log.clear();
        let peer = Peer::new(Arc::clone(&self.log));
        *self.newest() = Some(Arc::clone(&peer));
        let (http, ended) = match &self.reached {
            Reached::Program(program) => (None, stdio::start(&self.server, program, &peer).await?),
            Reached::Http(address) => {
                let (wire, ended) = http::connect(&self.server, address, &self.secrets, &peer)?;
                (Some(wire), ended)
            }
        };
        self.starts.fetch_add(1, Ordering::SeqCst);
        // Given up in here, it ends.
        let unready = Unready(Some(&peer));
        let ready = tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(self.plain("was not started: Stepwell is shutting down")),
            ready = timeout(self.patience, self.handshake(&peer, http.as_ref())) => ready.unwrap_or_else(|_| {
                Err(self.plain(&format!("does not answer: it was not ready within {:?}", self.patience)))
            }),
        };
        match ready {
            Ok((has_tools, tells)) => {
                unready.got_ready();
                if let Some(wire) = http {
                    tokio::spawn(wire.listen());
                }
                let live = Arc::new(Live { peer, ended, has_tools, tells, listed: Mutex::default() });
                state.live = Some(Arc::clone(&live));
                Ok(live)
            }
            Err(failure) => {
                drop(unready);
                // What it says last comes with its end.
                let _ = timeout(END, ended.cancelled()).await;
                state.last = peer.lost();
                Err(self.with_log(failure))
            }
        }
    }

    fn is_program(&self) -> bool {
        matches!(self.reached, Reached::Program(_))
    }

    /// Somebody asks again for what failed: a program that ended too often is started again.
    pub fn ask_again(&self) {
        self.starts.store(0, Ordering::SeqCst);
    }

    /// Says who speaks, and hears what the server can: whether it has tools, and says when they change.
    async fn handshake(&self, peer: &Arc<Peer>, http: Option<&http::HttpWire>) -> Result<(bool, bool), Failure> {
        let hello = json!({
            "protocolVersion": VERSIONS[0],
            "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "stepwell", "title": "Stepwell", "version": env!("CARGO_PKG_VERSION") },
        });
        let reply = match peer.request("initialize", |_| hello, None) {
            Ok(mut waiting) => waiting.reply().await,
            Err(fault) => Err(fault),
        };
        let answer = match reply.map(Reply::value) {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Err(self.plain(&format!("cannot be understood: {why}"))),
            Err(Fault::NotDone(failure)) => return Err(failure),
            Err(Fault::Rpc(error)) => {
                return Err(self.plain(&format!("rejected `initialize`: {}", self.said(&error.message))));
            }
            Err(Fault::Lost(why) | Fault::NotSent(why)) => {
                return Err(self.plain(&format!("{why} before it was ready")));
            }
        };
        let version = answer["protocolVersion"].as_str().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            let shown = self.secrets.redactor().redact_to(version, 40);
            let ours = VERSIONS.join(", ");
            return Err(self.plain(&format!("speaks version `{shown}` of the protocol; Stepwell speaks {ours}")));
        }
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        match http {
            Some(http) => {
                http.agreed(version);
                http.announce(initialized.to_string()).await;
            }
            None => peer.notify("notifications/initialized", Value::Null),
        }
        let tools = &answer["capabilities"]["tools"];
        Ok((tools.is_object(), tools["listChanged"] == true))
    }

    /// Its tools, all pages.
    ///
    /// # Errors
    /// It does not start or answer, or what it lists is no list: class `tool`, with what it said last.
    pub async fn list(self: &Arc<Self>, longest: Duration) -> Result<ServerTools, Failure> {
        let mut live = self.live().await?;
        let mut again = true;
        for _ in 0..MOST_LISTS {
            if !live.has_tools {
                return Ok(ServerTools::default());
            }
            let changes = live.peer.changes();
            let listed = live.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((_, listing)) = listed.filter(|(at, _)| live.hears_changes() && *at == changes) {
                return Ok(listing);
            }
            let pages = match self.pages(&live, longest).await {
                // It had ended, which nobody had seen.
                Err(PageError::NotSent(_)) if std::mem::take(&mut again) => {
                    live = self.live().await?;
                    continue;
                }
                pages => pages.map_err(|error| error.failure(self))?,
            };
            let redactor = self.secrets.redactor();
            let pages = pages.into_iter().map(|tool| redactor.redact_json(tool)).collect();
            let listing = listing::read(&self.server, pages);
            *live.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some((changes, listing.clone()));
            if live.peer.changes() == changes {
                return Ok(listing);
            }
        }
        // It changes its tools faster than they can be read: the newest of what was read.
        let listed = live.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(listed.map(|(_, listing)| listing).unwrap_or_default())
    }

    async fn pages(&self, live: &Live, longest: Duration) -> Result<Vec<Value>, PageError> {
        let (mut tools, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
            let mut waiting = live.peer.request("tools/list", |_| params, None).map_err(PageError::of)?;
            let reply = timeout(longest, waiting.reply()).await;
            let page = match reply.map_err(|_| PageError::Late(longest))?.map(Reply::value) {
                Ok(Ok(page)) => page,
                Ok(Err(why)) => return Err(PageError::NoList(why)),
                Err(fault) => return Err(PageError::of(fault)),
            };
            let Value::Array(listed) = &page["tools"] else {
                return Err(PageError::NoList("its answer has no `tools`".to_owned()));
            };
            tools.extend(listed.iter().cloned());
            pages += 1;
            match &page["nextCursor"] {
                Value::Null => return Ok(tools),
                next if *next == cursor || pages >= MOST_PAGES || tools.len() > MOST_TOOLS => {
                    return Err(PageError::NoList("its list has no end".to_owned()));
                }
                next => cursor = next.clone(),
            }
        }
    }

    /// Calls one of its tools.
    pub async fn call(self: &Arc<Self>, call: &ServerCall, longest: Duration, context: &AttemptContext) -> CallOutcome {
        let mut tries = 0;
        loop {
            tries += 1;
            let live = tokio::select! {
                biased;
                () = context.cancel.cancelled() => return CallOutcome::Cancelled { in_doubt: false },
                live = self.live() => live,
            };
            let live = match live {
                Ok(live) => live,
                Err(error) => return CallOutcome::Known(CallReturn::Failed { error }),
            };
            match self.tried(&live, call, longest, context).await {
                Tried::Ended(outcome) => return outcome,
                Tried::NotSent(_) if tries == 1 => {}
                Tried::NotSent(why) => {
                    return CallOutcome::Known(CallReturn::Failed { error: self.failure(&why) });
                }
            }
        }
    }

    async fn tried(&self, live: &Live, call: &ServerCall, longest: Duration, context: &AttemptContext) -> Tried {
        let name = call.tool.split_once('/').map_or(call.tool.as_str(), |(_, name)| name);
        let params = |id: u64| json!({ "name": name, "arguments": call.arguments, "_meta": { "progressToken": id } });
        let (events, mut happens) = unbounded_channel();
        let mut waiting = match live.peer.request("tools/call", params, Some(events)) {
            Ok(waiting) => waiting,
            Err(Fault::NotSent(why)) => return Tried::NotSent(why),
            Err(fault) => return Tried::Ended(self.faulted(fault, call)),
        };
        let mut deadline = Instant::now() + longest;
        let mut questions = Questions::new(self.server.clone(), Arc::clone(&context.ask));
        let reply = loop {
            let asked = questions.under_way.is_some();
            tokio::select! {
                biased;
                () = context.cancel.cancelled() => {
                    waiting.reason = "stopped";
                    questions.cancel(&live.peer);
                    return Tried::Ended(CallOutcome::Cancelled { in_doubt: true });
                }
                reply = waiting.reply() => break reply,
                Some(event) = happens.recv() => self.happened(event, &mut questions, &live.peer, context),
                taken = questions.answered(&live.peer), if asked => deadline += taken,
                () = sleep_until(deadline), if !asked => {
                    waiting.reason = "it took too long";
                    let message = format!(
                        "`{}` took longer than {longest:?}; raise `timeout` of [tools.{}] if it needs more",
                        call.tool, self.server
                    );
                    return Tried::Ended(CallOutcome::InDoubt(Failure::new(FailureClass::Timeout, message)));
                }
            }
        };
        // What was said before the answer came is heard before it; what was asked before it is cancelled.
        while let Ok(event) = happens.try_recv() {
            self.happened(event, &mut questions, &live.peer, context);
        }
        questions.cancel(&live.peer);
        match reply {
            Ok(reply) => {
                self.starts.store(0, Ordering::SeqCst);
                Tried::Ended(self.returned(reply, call, context).await)
            }
            Err(Fault::NotSent(why)) => Tried::NotSent(why),
            Err(fault) => {
                if self.is_program() && live.peer.is_lost() {
                    // What it says last comes with its end.
                    tokio::select! {
                        () = context.cancel.cancelled() => {}
                        () = live.ended() => {}
                    }
                }
                Tried::Ended(self.faulted(fault, call))
            }
        }
    }

    fn happened(&self, event: CallEvent, questions: &mut Questions, peer: &Peer, context: &AttemptContext) {
        match event {
            CallEvent::Says(line) => {
                let line = self.secrets.redactor().redact(&line);
                (context.deltas)(Delta::Progress(Untrusted::new(line)));
            }
            CallEvent::Asks { id, params } => questions.add(id, &self.secrets.redactor().redact_json(params), peer),
        }
    }

    async fn returned(&self, reply: Reply, call: &ServerCall, context: &AttemptContext) -> CallOutcome {
        let spooled = context.spool.text(call.run, &call.spool_name);
        let redactor = self.secrets.redactor();
        let read = if matches!(reply, Reply::Value(_)) {
            returned::read(&reply, spooled, &redactor)
        } else {
            let reading = tokio::task::spawn_blocking(move || returned::read(&reply, spooled, &redactor));
            reading.await.unwrap_or_else(|error| Err(error.to_string()))
        };
        match read {
            Ok(returned) => CallOutcome::Known(returned),
            Err(why) => {
                let what = format!("answered `{}`, and that cannot be read any more ({why})", call.tool);
                CallOutcome::InDoubt(self.failure(&what))
            }
        }
    }

    /// How a call ends that has no result.
    fn faulted(&self, fault: Fault, call: &ServerCall) -> CallOutcome {
        match fault {
            Fault::Rpc(error) => {
                let said = self.said(&error.message);
                let message = format!("`{}` was answered with an error: {said} ({})", call.tool, error.code);
                CallOutcome::Known(CallReturn::Failed { error: Failure::new(FailureClass::Tool, message) })
            }
            Fault::NotDone(failure) => CallOutcome::Known(CallReturn::Failed { error: self.with_log(failure) }),
            Fault::NotSent(why) => CallOutcome::Known(CallReturn::Failed { error: self.failure(&why) }),
            Fault::Lost(why) => CallOutcome::InDoubt(self.failure(&format!("{why} in the middle of `{}`", call.tool))),
        }
    }

    /// The beginning of what it said, without the values of secrets.
    fn said(&self, message: &str) -> String {
        self.secrets.redactor().redact_to(message, MAX_SAID)
    }

    fn plain(&self, what: &str) -> Failure {
        Failure::new(FailureClass::Tool, format!("the server `{}` {what}", self.server))
    }

    /// A failure of this server, with what it said last.
    fn failure(&self, what: &str) -> Failure {
        self.with_log(self.plain(what))
    }

    fn with_log(&self, mut failure: Failure) -> Failure {
        let redactor = self.secrets.redactor();
        failure.message = redactor.redact(&failure.message);
        let said = redactor.redact(&self.log.text());
        match said.trim() {
            "" => failure,
            line if line.len() <= SHORT && !line.contains('\n') => {
                failure.message = format!("{}: {line}", failure.message);
                failure
            }
            text => failure.with_detail(text),
        }
    }

    fn newest(&self) -> MutexGuard<'_, Option<Arc<Peer>>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it without waiting for anything.
    pub fn abandon(&self) {
        self.closing.cancel();
        if let Some(peer) = &*self.newest() {
            peer.kill();
        }
    }

    /// Ends it, for good.
    pub async fn close(&self) {
        self.closing.cancel();
        let live = self.state.lock().await.live.take();
        if let Some(live) = live {
            live.peer.lose("ended with Stepwell");
            live.ended().await;
        }
    }
}

/// A server that is not ready: when this is dropped, it ends.
struct Unready<'p>(Option<&'p Arc<Peer>>);

impl Unready<'_> {
    fn got_ready(mut self) {
        self.0 = None;
    }
}

impl Drop for Unready<'_> {
    fn drop(&mut self) {
        if let Some(peer) = self.0 {
            peer.lose("was not ready");
        }
    }
}

/// Why there is no list.
enum PageError {
    NotSent(String),
    Fault(Fault),
    Late(Duration),
    NoList(String),
}

impl PageError {
    fn of(fault: Fault) -> Self {
        match fault {
            Fault::NotSent(why) => Self::NotSent(why),
            other => Self::Fault(other),
        }
    }

    fn failure(self, of: &Instance) -> Failure {
        match self {
            Self::NotSent(why) | Self::Fault(Fault::NotSent(why) | Fault::Lost(why)) => {
                of.failure(&format!("{why} before it listed its tools"))
            }
            Self::Fault(Fault::NotDone(failure)) => of.with_log(failure),
            Self::Fault(Fault::Rpc(error)) => {
                of.failure(&format!("does not list its tools: {}", of.said(&error.message)))
            }
            Self::Late(longest) => {
                of.failure(&format!("does not answer: it did not list its tools within {longest:?}"))
            }
            Self::NoList(why) => of.failure(&format!("does not list its tools: {why}")),
        }
    }
}

/// What the server asks during a call: one question after the other.
struct Questions {
    server: String,
    ask: AskSink,
    waiting: VecDeque<(Value, Question)>,
    under_way: Option<UnderWay>,
}

/// A question that the person has before them.
struct UnderWay {
    id: Value,
    since: Instant,
    answer: BoxFuture<'static, Value>,
}

impl Questions {
    fn new(server: String, ask: AskSink) -> Self {
        Self { server, ask, waiting: VecDeque::new(), under_way: None }
    }

    fn add(&mut self, id: Value, params: &Value, peer: &Peer) {
        match Question::read(&self.server, params) {
            Ok(question) => self.waiting.push_back((id, question)),
            Err(no) => peer.answer(&id, &no),
        }
        self.next();
    }

    fn next(&mut self) {
        if self.under_way.is_none()
            && let Some((id, question)) = self.waiting.pop_front()
        {
            let answer = Box::pin(answer(question, Arc::clone(&self.ask)));
            self.under_way = Some(UnderWay { id, since: Instant::now(), answer });
        }
    }

    /// Waits for the person, and hands on what they say. Gives how long it took.
    async fn answered(&mut self, peer: &Peer) -> Duration {
        let Some(under_way) = &mut self.under_way else { return std::future::pending().await };
        let answer = (&mut under_way.answer).await;
        peer.answer(&under_way.id, &answer);
        let taken = under_way.since.elapsed();
        self.under_way = None;
        self.next();
        taken
    }

    /// Nobody answers any more.
    fn cancel(&mut self, peer: &Peer) {
        let open = self.under_way.take().map(|under_way| under_way.id);
        for id in open.into_iter().chain(self.waiting.drain(..).map(|(id, _)| id)) {
            peer.answer(&id, &json!({ "action": "cancel" }));
        }
    }
}

/// Asks until the answer fits.
async fn answer(question: Question, ask: AskSink) -> Value {
    let mut wrong = None;
    loop {
        let Ok(form) = question.form(wrong.as_deref()) else { return json!({ "action": "decline" }) };
        match question.answer(&ask(form).await) {
            Answer::Send(answer) => return answer,
            Answer::Again(why) => wrong = Some(why),
        }
    }
}
