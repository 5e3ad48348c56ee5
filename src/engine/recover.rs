//! What a process that died has left of a run: attempts without an outcome, which are settled before anything else is done.

use crate::core::call::AttemptStatus;
use crate::core::event::Event;
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::engine::orphan::Program;
use crate::engine::{Ports, locked, outcome, spooled};

/// The outcomes of attempts that a process left without one in the journal, and the names under which these or the partial
/// texts of them are spooled. `left` are the programs that still run.
pub fn abandoned(run: &Run, ports: &Ports, left: &[Program]) -> (Vec<Event>, Vec<String>) {
    let (mut events, mut names) = (Vec::new(), Vec::new());
    for call in run.calls.values() {
        let Some(attempt) = call.newest().filter(|attempt| attempt.status == AttemptStatus::Running) else { continue };
        let partial = spooled::partial(&call.key, attempt.number);
        // It came to its end, and the store could not take it then.
        let kept = locked::kept_outcome(&*ports.spool, run.id, &call.key, attempt.number);
        events.push(kept.unwrap_or_else(|| {
            let text = ports.spool.read(run.id, &partial).unwrap_or_default();
            let partial = Untrusted::from(String::from_utf8_lossy(&text).into_owned());
            let program = left.iter().find(|program| program.key == call.key && program.attempt == attempt.number);
            let usage = attempt.work.as_deref().map(|work| ports.executor.spent(work, &partial)).unwrap_or_default();
            outcome::abandoned(call, attempt, partial, usage, program.map(|program| program.pid))
        }));
        names.extend([partial, spooled::outcome(&call.key, attempt.number)]);
    }
    (events, names)
}
