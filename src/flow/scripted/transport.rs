//! What a scripted session needs of the thing that runs an author's code, and what passes between them.
//!
//! A transport runs code from its beginning, hands results over one at a time, and says after each what the code did
//! until it could only wait again. It knows nothing of keys, of the journal or of order: those are the session's.

use serde_json::{Map, Value};

use crate::core::failure::Failure;

/// Runs an author's code.
pub trait Transport: Send {
    /// Starts the code from its beginning; an execution that is under way is given up.
    fn start(&mut self, opening: &Opening) -> Turn;

    /// Hands over what a call came to.
    fn settle(&mut self, ticket: &Value, settled: &CallResult<'_>, now: i64) -> Turn;

    /// Nothing goes on before a person answers: what is costly to keep may be let go. The session starts anew after it.
    ///
    /// True when it was let go.
    fn rest(&mut self) -> bool;

    /// Where the code begins, for messages.
    fn origin(&self) -> String;
}

/// What the code is started with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The inputs.
    pub inputs: Value,
    /// About the run: id, task, title, by, date.
    pub run: Value,
    /// The session's state.
    pub state: Value,
    /// What its randomness is made from.
    pub seed: String,
    /// Milliseconds since 1970.
    pub now: i64,
}

/// What a call came to.
pub enum CallResult<'a> {
    /// Its output.
    Output(&'a Value),
    /// It failed.
    Failed {
        /// Its name.
        key: String,
        /// Why.
        failure: &'a Failure,
    },
}

/// What the code did until it could only wait.
#[derive(Debug)]
pub struct Turn {
    /// In this order.
    pub said: Vec<Said>,
    /// How far it is.
    pub state: CodeState,
    /// It looked at the clock.
    pub saw_clock: bool,
    /// What a rejected promise says that nobody has handled so far.
    pub unhandled: Option<String>,
}

impl Turn {
    /// It cannot go on.
    #[must_use]
    pub fn failed(failure: Failure) -> Self {
        Self { said: Vec::new(), state: CodeState::Failed(failure), saw_clock: false, unhandled: None }
    }
}

/// Something that the code said.
#[derive(Debug)]
pub enum Said {
    /// It asks for a call.
    Call(Box<Request>),
    /// A line of its log.
    Log(String),
}

/// How far the code is.
#[derive(Debug)]
pub enum CodeState {
    /// It waits for results.
    Idle,
    /// It returned.
    Done {
        /// What.
        value: Value,
        /// The state that it leaves; `None`: as it was.
        state: Option<Map<String, Value>>,
    },
    /// It threw, crashed or broke a limit.
    Failed(Failure),
    /// A call failed, and the code leaves it at that: so fails the run.
    Uncaught {
        /// The call's name.
        key: String,
        /// Why it failed.
        failure: Failure,
    },
}

/// A call as the code asks for it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What the transport knows it by.
    pub ticket: Value,
    /// `step`, `prompt`, `command`, `http`, `tool`, `ask`, `review`, `workflow`, `document`, `now`.
    pub kind: String,
    /// The step, tool, workflow or document that it names.
    pub name: String,
    /// What it works on: names for a step, a prompt, an argv, …
    pub with: Value,
    /// `key`, and what else governs it.
    pub options: Map<String, Value>,
    /// Where in the code, `main.js:3:20`; empty when that is not known.
    pub place: String,
}
