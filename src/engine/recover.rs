//! What is to be said of calls when a run is taken up, asked for again, or stopped for good.

use std::path::PathBuf;

use crate::core::actor::Actor;
use crate::core::call::{AttemptStatus, CallStatus};
use crate::core::code::ErrorCode;
use crate::core::decide::Refusal;
use crate::core::event::Event;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::StateFolder;
use crate::core::run::{Run, Status};
use crate::core::text::Untrusted;
use crate::engine::orphan::Program;
use crate::engine::{Ports, locked, outcome};

/// The outcomes of attempts that a process left without one in the journal, and the files that hold them or the partial
/// texts of these. `left` are the programs that still run.
pub fn abandoned(run: &Run, ports: &Ports, left: &[Program]) -> (Vec<Event>, Vec<PathBuf>) {
    let (mut events, mut files) = (Vec::new(), Vec::new());
    for call in run.calls.values() {
        let Some(attempt) = call.newest().filter(|attempt| attempt.status == AttemptStatus::Running) else { continue };
        let kept = locked::outcome_file(&ports.state, run.id, &call.key, attempt.number);
        let path = spool_file(&ports.state, run.id, &call.key, attempt.number);
        // It came to its end, and the store could not take it then.
        events.push(locked::kept_outcome(&kept, &call.key, attempt.number).unwrap_or_else(|| {
            let text = std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let partial = Untrusted::from(text.unwrap_or_default());
            let program = left.iter().find(|program| program.key == call.key && program.attempt == attempt.number);
            let usage = attempt.work.as_deref().map(|work| ports.executor.spent(work, &partial)).unwrap_or_default();
            outcome::abandoned(call, attempt, partial, usage, program.map(|program| program.pid))
        }));
        files.extend([path, kept]);
    }
    (events, files)
}

/// A fresh set of attempts for every call of the flow that failed. An action on a document is asked for again by itself:
/// what it would change may be another version by now.
pub fn failed_again(run: &Run, who: &Actor) -> Vec<Event> {
    run.flow_calls()
        .filter(|call| call.status == CallStatus::Failed)
        .map(|call| Event::CallRequested { call: None, key: call.key.clone(), by: who.clone() })
        .collect()
}

/// The end of a run by a person's will.
///
/// # Errors
/// When it is over already.
pub fn cancelled(run: &Run, who: &Actor) -> Result<Vec<Event>, Refusal> {
    match run.status {
        Status::Cancelled => Err(Refusal::new(ErrorCode::Over, "the run was cancelled already")),
        Status::Completed => Err(Refusal::new(ErrorCode::Over, "the run is completed; there is nothing to cancel")),
        _ => Ok(vec![Event::RunCancelled { by: who.clone() }]),
    }
}

/// The file that the partial text of an attempt is kept in.
pub fn spool_file(state: &StateFolder, run: RunId, key: &Key, attempt: u32) -> PathBuf {
    state.spool(run).join(format!("{key}.{attempt}.partial"))
}
