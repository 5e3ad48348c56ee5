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
    /// What is under way.
    attempts: HashMap<Key, CancellationToken>,
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
        state.attempts.values().for_each(CancellationToken::cancel);
        drop(state);
        self.interrupt.raise();
        self.send(EngineCommand::Pause);
    }

    /// Why the run is given up here, if it is.
    pub fn pausing(&self) -> Option<PauseReason> {
        self.state().pausing
    }

    /// Cancels what is under way of one call.
    pub fn stop(&self, key: &Key) {
        if let Some(attempt) = self.state().attempts.get(key) {
            attempt.cancel();
        }
    }

    /// An attempt begins; `cancel` ends it.
    pub fn begins(&self, key: &Key, cancel: &CancellationToken) {
        let mut state = self.state();
        if state.pausing.is_some() {
            cancel.cancel();
        }
        state.attempts.insert(key.clone(), cancel.clone());
    }

    /// The attempt of a call has ended.
    pub fn ended(&self, key: &Key) {
        self.state().attempts.remove(key);
    }
}
