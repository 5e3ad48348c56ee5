//! What reaches a loop that drives a run from outside, also while it is busy: an end is obeyed at once, and not when what
//! the loop does now is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::core::event::PauseReason;
use crate::core::key::Key;
use crate::engine::EngineCommand;
use crate::flow::Interrupt;

/// The handle of a loop, shared by the loop and the engine. Cheap to clone.
#[derive(Clone)]
pub struct DriveControl {
    commands: mpsc::UnboundedSender<EngineCommand>,
    /// Raised, the flow's code is not waited for.
    pub interrupt: Interrupt,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    pausing: Option<PauseReason>,
    leaving: Option<PauseReason>,
    /// What is under way.
    attempts: HashMap<Key, Cancellable>,
}

/// An attempt that can be cancelled.
struct Cancellable {
    cancel: CancellationToken,
    /// It is the answer of a model: begun again, it would be waited for and paid once more.
    answers: bool,
}

impl DriveControl {
    /// A handle, and where the commands come out.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<EngineCommand>) {
        let (commands, inbox) = mpsc::unbounded_channel();
        (Self { commands, interrupt: Interrupt::default(), state: Arc::default() }, inbox)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a command to the loop; false when it has ended.
    pub fn send(&self, command: EngineCommand) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Whether the loop has ended.
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// The run is given up here, for this reason: what is under way is cancelled, and nothing begins any more.
    pub fn pause(&self, reason: PauseReason) {
        let mut state = self.state();
        state.pausing.get_or_insert(reason);
        state.attempts.values().for_each(|attempt| attempt.cancel.cancel());
        drop(state);
        self.interrupt.raise();
        self.send(EngineCommand::Pause);
    }

    /// The run is given up here once the answers of models that are under way have come, for this reason. All else that is
    /// under way is cancelled, and nothing begins any more.
    pub fn leave(&self, reason: PauseReason) {
        let mut state = self.state();
        state.leaving.get_or_insert(reason);
        state.attempts.values().filter(|attempt| !attempt.answers).for_each(|attempt| attempt.cancel.cancel());
        drop(state);
        self.send(EngineCommand::Leave);
    }

    /// Why the run is given up here once its answers have come, if it is.
    pub fn leaving(&self) -> Option<PauseReason> {
        self.state().leaving
    }

    /// Whether nothing more begins here.
    pub fn is_given_up(&self) -> bool {
        let state = self.state();
        state.pausing.is_some() || state.leaving.is_some()
    }

    /// Whether the answer of a model is under way.
    pub fn is_answering(&self) -> bool {
        self.state().attempts.values().any(|attempt| attempt.answers)
    }

    /// Why the run is given up here, if it is.
    pub fn pausing(&self) -> Option<PauseReason> {
        self.state().pausing
    }

    /// Cancels what is under way of one call. An attempt whose model calls tools and of which nothing is at work just now is
    /// for the loop to stop.
    pub fn stop(&self, key: &Key) {
        if let Some(attempt) = self.state().attempts.get(key) {
            attempt.cancel.cancel();
            return;
        }
        self.send(EngineCommand::Stop(key.clone()));
    }

    /// An attempt begins; `cancel` ends it. `answers`: a model is asked.
    pub fn begins(&self, key: &Key, cancel: &CancellationToken, answers: bool) {
        let mut state = self.state();
        if state.pausing.is_some() || state.leaving.is_some() && !answers {
            cancel.cancel();
        }
        state.attempts.insert(key.clone(), Cancellable { cancel: cancel.clone(), answers });
    }

    /// The attempt of a call has ended.
    pub fn ended(&self, key: &Key) {
        self.state().attempts.remove(key);
    }
}
