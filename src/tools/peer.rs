//! JSON-RPC with one server, whatever carries it: which answer is for which request, what the server says meanwhile,
//! and what it asks for.
//!
//! Of what a server may ask of a client only `ping` and `elicitation/create` are answered; everything else (sampling,
//! roots, tasks) is not offered and refused as unknown.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::incoming::{Message, Raw, Reply, RpcError};
use super::log::ServerLog;
use crate::core::failure::Failure;

/// "Method not found", as JSON-RPC has it.
const NO_METHOD: i64 = -32601;

/// What carries messages to a server. What comes back is handed to the [`Peer`].
pub trait Wire: Send + Sync {
    /// Sends a message. It never waits; `id`: it is a request, whose failure is the peer's to hear.
    fn send(&self, message: String, id: Option<u64>);

    /// Nobody waits for this request any more.
    fn forget(&self, _id: u64) {}

    /// Nothing more will be sent.
    fn close(&self);

    /// What answers ends now, if it is a program.
    fn kill(&self) {}
}

/// Why a request has no result.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The server answered with an error.
    Rpc(RpcError),
    /// It was not sent, or refused before anything was done.
    NotDone(Failure),
    /// The connection to the server was gone before the request was sent.
    NotSent(String),
    /// It was sent, and no answer can come any more: why.
    Lost(String),
}

/// What a server does while a call is under way.
pub enum CallEvent {
    /// Progress, or a line of its log.
    Says(String),
    /// It asks the person.
    Asks { id: Value, params: Value },
}

/// A request under way. When it is dropped before its answer has come, the server is told that nobody waits for it.
pub struct Waiting {
    id: u64,
    peer: Arc<Peer>,
    reply: oneshot::Receiver<Result<Reply, Fault>>,
    /// Why nobody does.
    pub reason: &'static str,
}

impl Waiting {
    /// What comes of it. To be awaited once.
    pub async fn reply(&mut self) -> Result<Reply, Fault> {
        let gone = || Err(Fault::Lost("is gone".to_owned()));
        (&mut self.reply).await.unwrap_or_else(|_| gone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.peer.give_up(self.id, self.reason);
    }
}

struct Pending {
    reply: oneshot::Sender<Result<Reply, Fault>>,
    events: Option<UnboundedSender<CallEvent>>,
}

#[derive(Default)]
struct State {
    last: u64,
    pending: BTreeMap<u64, Pending>,
    lost: Option<String>,
}

/// One connection to a server.
pub struct Peer {
    wire: OnceLock<Box<dyn Wire>>,
    state: Mutex<State>,
    changes: AtomicU64,
    listening: AtomicBool,
    pub log: Arc<ServerLog>,
}

impl Peer {
    pub fn new(log: Arc<ServerLog>) -> Arc<Self> {
        let (changes, listening) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { wire: OnceLock::new(), state: Mutex::default(), changes, listening, log })
    }

    /// From now on messages go over `wire`.
    pub fn connect(&self, wire: Box<dyn Wire>) {
        let _ = self.wire.set(wire);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in there is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request. `params` is given its id; `events` hears what the server does meanwhile.
    ///
    /// # Errors
    /// The connection is gone: why.
    pub fn request(
        self: &Arc<Self>,
        method: &str,
        params: impl FnOnce(u64) -> Value,
        events: Option<UnboundedSender<CallEvent>>,
    ) -> Result<Waiting, Fault> {
        let (reply, answered) = oneshot::channel();
        let id = {
            let mut state = self.state();
            if let Some(why) = &state.lost {
                return Err(Fault::NotSent(why.clone()));
            }
            state.last += 1;
            let id = state.last;
            state.pending.insert(id, Pending { reply, events });
            id
        };
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params(id) });
        self.send(&message, Some(id));
        Ok(Waiting { id, peer: Arc::clone(self), reply: answered, reason: "no longer needed" })
    }

    /// Tells the server something.
    pub fn notify(&self, method: &str, params: Value) {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        if !params.is_null() {
            message["params"] = params;
        }
        self.send(&message, None);
    }

    /// Answers a request of the server's.
    pub fn answer(&self, id: &Value, result: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result }), None);
    }

    fn send(&self, message: &Value, id: Option<u64>) {
        if let Some(wire) = self.wire.get() {
            wire.send(message.to_string(), id);
        }
    }

    /// Nobody waits for the answer to a request any more; the server is told why.
    fn give_up(&self, id: u64, reason: &str) {
        if self.state().pending.remove(&id).is_some() {
            self.notify("notifications/cancelled", json!({ "requestId": id, "reason": reason }));
            if let Some(wire) = self.wire.get() {
                wire.forget(id);
            }
            self.settled();
        }
    }

    /// A request will not be answered.
    pub fn fail(&self, id: u64, fault: Fault) {
        let pending = self.state().pending.remove(&id);
        if let Some(pending) = pending {
            // It may have been given up in this moment.
            let _ = pending.reply.send(Err(fault));
            self.settled();
        }
    }

    /// Whether the answer to a request has not come yet.
    pub fn waits_for(&self, id: u64) -> bool {
        self.state().pending.contains_key(&id)
    }

    /// The connection is gone: nothing under way will be answered. The first reason counts.
    pub fn lose(&self, why: &str) {
        let pending = {
            let mut state = self.state();
            state.lost.get_or_insert_with(|| why.to_owned());
            std::mem::take(&mut state.pending)
        };
        for pending in pending.into_values() {
            let _ = pending.reply.send(Err(Fault::Lost(why.to_owned())));
        }
        if let Some(wire) = self.wire.get() {
            wire.close();
        }
    }

    /// No more requests are sent, and `unsent` was not taken. The others that are under way hear their own answers.
    pub fn retire(&self, why: &str, unsent: Option<u64>) {
        self.state().lost.get_or_insert_with(|| why.to_owned());
        match unsent {
            Some(id) => self.fail(id, Fault::NotSent(why.to_owned())),
            None => self.settled(),
        }
    }

    /// A connection that takes no more requests is closed when the last one has ended.
    fn settled(&self) {
        let is_over = {
            let state = self.state();
            state.lost.is_some() && state.pending.is_empty()
        };
        if let Some(wire) = self.wire.get().filter(|_| is_over) {
            wire.close();
        }
    }

    /// Ends the program that answers, without waiting for anything.
    pub fn kill(&self) {
        if let Some(wire) = self.wire.get() {
            wire.kill();
        }
    }

    pub fn is_lost(&self) -> bool {
        self.state().lost.is_some()
    }

    /// Why it is lost.
    pub fn lost(&self) -> Option<String> {
        self.state().lost.clone()
    }

    /// Whether the server can be heard from now on. What it said before that is not known: its tools may have changed.
    pub fn listens(&self, listening: bool) {
        if listening {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
        self.listening.store(listening, Ordering::SeqCst);
    }

    /// Whether the server would be heard if it said that its tools have changed.
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::SeqCst)
    }

    /// How often the tools may have changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Takes what the server sent; `of`: in the stream of which request, where each has one.
    pub async fn receive(&self, raw: Raw, of: Option<u64>) {
        let messages = if raw.is_large() {
            tokio::task::spawn_blocking(move || raw.read()).await.unwrap_or_default()
        } else {
            raw.read()
        };
        for message in messages {
            match message {
                Message::Response { id, reply } => {
                    let pending = self.state().pending.remove(&id);
                    // An answer to what was given up is dropped.
                    if let Some(pending) = pending {
                        let _ = pending.reply.send(reply.map_err(Fault::Rpc));
                        self.settled();
                    }
                }
                Message::Request { id, method, params } => self.asked(&id, &method, params, of),
                Message::Notification { method, params } => self.hears(&method, &params, of),
                Message::Rubbish(text) => self.log.odd(&text),
            }
        }
    }

    fn asked(&self, id: &Value, method: &str, params: Value, of: Option<u64>) {
        match method {
            "ping" => self.answer(id, &json!({})),
            "elicitation/create" => {
                let asks = self.asking(of);
                let cancel = || self.answer(id, &json!({ "action": "cancel" }));
                match asks {
                    Some(events) if events.send(CallEvent::Asks { id: id.clone(), params }).is_ok() => {}
                    _ => cancel(),
                }
            }
            other => {
                let error = json!({ "code": NO_METHOD, "message": format!("{other} is not offered") });
                self.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error }), None);
            }
        }
    }

    /// For which call a question is: the one in whose stream it came. Where it does not say, the newest one is the best
    /// guess; what came for a call that has ended is for none.
    fn asking(&self, of: Option<u64>) -> Option<UnboundedSender<CallEvent>> {
        let state = self.state();
        let newest = || state.pending.values().rev().find_map(|pending| pending.events.clone());
        match of {
            Some(id) => state.pending.get(&id).and_then(|pending| pending.events.clone().or_else(newest)),
            None => newest(),
        }
    }

    fn hears(&self, method: &str, params: &Value, of: Option<u64>) {
        match method {
            "notifications/progress" => {
                let token = &params["progressToken"];
                let id = token.as_u64().or_else(|| token.as_str()?.parse().ok());
                let state = self.state();
                if let Some(events) = id.and_then(|id| state.pending.get(&id)?.events.as_ref()) {
                    let _ = events.send(CallEvent::Says(progress(params)));
                }
            }
            "notifications/message" if params["level"] != "debug" => {
                let line = log_line(params);
                let state = self.state();
                let of = of.filter(|id| state.pending.get(id).is_some_and(|pending| pending.events.is_some()));
                for (_, pending) in state.pending.iter().filter(|(id, _)| of.is_none_or(|of| of == **id)) {
                    if let Some(events) = &pending.events {
                        let _ = events.send(CallEvent::Says(line.clone()));
                    }
                }
            }
            "notifications/tools/list_changed" => drop(self.changes.fetch_add(1, Ordering::SeqCst)),
            // Others are about what is not used here.
            _ => {}
        }
    }
}

fn progress(params: &Value) -> String {
    let of = match (&params["progress"], &params["total"]) {
        (Value::Null, _) => String::new(),
        (done, Value::Null) => done.to_string(),
        (done, total) => format!("{done}/{total}"),
    };
    match params["message"].as_str() {
        Some(message) if of.is_empty() => message.to_owned(),
        Some(message) => format!("{message} ({of})"),
        None => of,
    }
}

fn log_line(params: &Value) -> String {
    let data = &params["data"];
    let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
    match params["level"].as_str() {
        Some(level @ ("warning" | "error" | "critical" | "alert" | "emergency")) => format!("{level}: {text}"),
        _ => text,
    }
}
