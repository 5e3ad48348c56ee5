//! One instance of a server: started when it is first needed, started again when it has ended, asked what tools it has,
//! and called.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::elicitation::{Answer, Question};
use super::incoming::Reply;
use super::listing::{self, Listing};
use super::log::ServerLog;
use super::peer::{CallEvent, Fault, Peer};
use super::resolve::Reached;
use super::{http, returned, stdio};
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::Delta;
use crate::core::ports::{AskSink, AttemptContext, BoxFuture, CallOutcome, Secrets, ServerCall};
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
    closing: CancellationToken,
}

#[derive(Default)]
struct State {
    live: Option<Arc<Live>>,
    starts: u32,
}

/// A server that answers.
struct Live {
    peer: Arc<Peer>,
    ended: Mutex<Option<JoinHandle<()>>>,
    /// It has tools.
    has_tools: bool,
    /// It says when they change.
    tells: bool,
    /// What it listed, and how often it had said by then that its tools had changed.
    listed: Mutex<Option<(u64, Listing)>>,
}

impl Live {
    /// Waits for its end.
    async fn ended(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            let _ = timeout(END, ended).await;
        }
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
        Arc::new(Self {
            server,
            reached,
            secrets,
            patience,
            log: Arc::default(),
            state: tokio::sync::Mutex::default(),
            closing: CancellationToken::new(),
        })
    }

    /// The server, started if need be. Who does not wait for it to the end does not stop it from starting.
    async fn live(self: &Arc<Self>) -> Result<Arc<Live>, Failure> {
        let instance = Arc::clone(self);
        let starting = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = instance.closing.cancelled() => Err(instance.failure("is not started any more: Stepwell ends")),
                started = instance.started() => started,
            }
        });
        starting.await.unwrap_or_else(|error| Err(self.failure(&format!("could not be started ({error})"))))
    }

    async fn started(self: &Arc<Self>) -> Result<Arc<Live>, Failure> {
        let mut state = self.state.lock().await;
        if let Some(live) = state.live.as_ref().filter(|live| !live.peer.is_lost()) {
            return Ok(Arc::clone(live));
        }
        let restarts = matches!(self.reached, Reached::Program(_));
        if restarts && state.starts >= MOST_STARTS {
            return Err(
                self.failure(&format!("has ended {MOST_STARTS} times and is not started again until Stepwell is"))
            );
        }
        state.starts += 1;
        state.live = None;
        self.log.clear();
        let peer = Peer::new(Arc::clone(&self.log));
        let (http, ended) = match &self.reached {
            Reached::Program(program) => (None, stdio::start(&self.server, program, &peer).await?),
            Reached::Http(address) => {
                let (wire, ended) = http::connect(&self.server, address, &peer)?;
                (Some(wire), ended)
            }
        };
        // Given up in here, it ends.
        let unready = Unready(Some(&peer));
        match timeout(self.patience, self.handshake(&peer, http.as_ref())).await {
            Ok(Ok((has_tools, tells))) => {
                unready.got_ready();
                if let Some(wire) = http {
                    tokio::spawn(wire.listen());
                }
                let (ended, listed) = (Mutex::new(Some(ended)), Mutex::default());
                let live = Arc::new(Live { peer, ended, has_tools, tells, listed });
                state.live = Some(Arc::clone(&live));
                Ok(live)
            }
            failed => {
                drop(unready);
                // What it says last comes with its end.
                let _ = timeout(END, ended).await;
                Err(match failed {
                    Ok(Err(why)) => why(self),
                    _ => self.failure(&format!("does not answer: it was not ready within {:?}", self.patience)),
                })
            }
        }
    }

    /// Says who speaks, and hears what the server can.
    async fn handshake(
        &self,
        peer: &Arc<Peer>,
        http: Option<&http::HttpWire>,
    ) -> Result<(bool, bool), Box<dyn FnOnce(&Self) -> Failure + Send>> {
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
            Ok(Err(why)) => return Err(Box::new(move |of| of.failure(&format!("cannot be understood: {why}")))),
            Err(Fault::NotDone(failure)) => return Err(Box::new(move |of| of.with_log(failure))),
            Err(Fault::Rpc(error)) => {
                return Err(Box::new(move |of| of.failure(&format!("refuses to begin: {}", error.message))));
            }
            Err(Fault::Lost(why) | Fault::NotSent(why)) => {
                return Err(Box::new(move |of| of.failure(&format!("{why} before it was ready"))));
            }
        };
        let version = answer["protocolVersion"].as_str().unwrap_or_default().to_owned();
        if !VERSIONS.contains(&version.as_str()) {
            return Err(Box::new(move |of| {
                let shown: String = version.chars().take(40).collect();
                of.failure(&format!(
                    "speaks version `{shown}` of the protocol; Stepwell speaks {}",
                    VERSIONS.join(", ")
                ))
            }));
        }
        if let Some(http) = http {
            http.agreed(&version);
        }
        peer.notify("notifications/initialized", Value::Null);
        let tools = &answer["capabilities"]["tools"];
        Ok((tools.is_object(), tools["listChanged"] == true))
    }

    /// Its tools, all pages.
    ///
    /// # Errors
    /// It does not start or answer, or what it lists is no list: class `tool`, with what it said last.
    pub async fn list(self: &Arc<Self>, longest: Duration) -> Result<Listing, Failure> {
        let mut live = self.live().await?;
        let mut again = true;
        for _ in 0..MOST_LISTS {
            if !live.has_tools {
                return Ok(Listing::default());
            }
            let changes = live.peer.changes();
            let listed = live.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((_, listing)) = listed.filter(|(at, _)| live.tells && *at == changes) {
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
            let asked = live.peer.request("tools/list", |_| params, None);
            let mut waiting = asked.map_err(|fault| match fault {
                Fault::NotSent(why) => PageError::NotSent(why),
                other => PageError::Fault(other),
            })?;
            let reply = timeout(longest, waiting.reply()).await;
            let page = match reply.map_err(|_| PageError::Late(longest))?.map(Reply::value) {
                Ok(Ok(page)) => page,
                Ok(Err(why)) => return Err(PageError::NoList(why)),
                Err(fault) => return Err(PageError::Fault(fault)),
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
        self.said_before(&mut happens, context);
        questions.cancel(&live.peer);
        match reply {
            Ok(reply) => Tried::Ended(CallOutcome::Known(self.returned(reply, call, context).await)),
            Err(Fault::NotSent(why)) => Tried::NotSent(why),
            Err(fault) => {
                if live.peer.is_lost() {
                    // What it says last comes with its end.
                    live.ended().await;
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
            CallEvent::Asks { id, params } => questions.add(id, &params, peer),
        }
    }

    /// What was said before the answer came is heard before it.
    fn said_before(&self, happens: &mut UnboundedReceiver<CallEvent>, context: &AttemptContext) {
        while let Ok(event) = happens.try_recv() {
            if let CallEvent::Says(line) = event {
                let line = self.secrets.redactor().redact(&line);
                (context.deltas)(Delta::Progress(Untrusted::new(line)));
            }
        }
    }

    async fn returned(&self, reply: Reply, call: &ServerCall, context: &AttemptContext) -> CallReturn {
        let spooled = context.spool.text(call.run, &call.spool_name);
        let (tool, redactor) = (call.tool.clone(), self.secrets.redactor());
        if matches!(reply, Reply::Value(_)) {
            return returned::read(&reply, &tool, spooled, &redactor);
        }
        let reading = tokio::task::spawn_blocking(move || returned::read(&reply, &tool, spooled, &redactor));
        reading.await.unwrap_or_else(|error| CallReturn::Failed {
            error: self.failure(&format!("returned what could not be read ({error})")),
        })
    }

    /// How a call ends that has no result.
    fn faulted(&self, fault: Fault, call: &ServerCall) -> CallOutcome {
        match fault {
            Fault::Rpc(error) => {
                let message = format!("`{}` was answered with an error: {} ({})", call.tool, error.message, error.code);
                let message = self.secrets.redactor().redact(&message);
                CallOutcome::Known(CallReturn::Failed { error: Failure::new(FailureClass::Tool, message) })
            }
            Fault::NotDone(failure) => CallOutcome::Known(CallReturn::Failed { error: failure }),
            Fault::NotSent(why) => CallOutcome::Known(CallReturn::Failed { error: self.failure(&why) }),
            Fault::Lost(why) => CallOutcome::InDoubt(self.failure(&format!("{why} in the middle of `{}`", call.tool))),
        }
    }

    /// A failure of this server, with what it said last.
    fn failure(&self, what: &str) -> Failure {
        self.with_log(Failure::new(FailureClass::Tool, format!("the server `{}` {what}", self.server)))
    }

    fn with_log(&self, mut failure: Failure) -> Failure {
        let redactor = self.secrets.redactor();
        failure.message = redactor.redact(&failure.message);
        let said = redactor.redact_cut(&self.log.text());
        match said.trim() {
            "" => failure,
            line if line.len() <= SHORT && !line.contains('\n') => {
                failure.message = format!("{}: {line}", failure.message);
                failure
            }
            text => failure.with_detail(text),
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
    fn failure(self, of: &Instance) -> Failure {
        match self {
            Self::NotSent(why) | Self::Fault(Fault::NotSent(why) | Fault::Lost(why)) => {
                of.failure(&format!("{why} before it listed its tools"))
            }
            Self::Fault(Fault::NotDone(failure)) => failure,
            Self::Fault(Fault::Rpc(error)) => of.failure(&format!("does not list its tools: {}", error.message)),
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
