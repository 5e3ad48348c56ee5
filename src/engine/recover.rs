//! What a process that died has left of a run: attempts without an outcome, which are settled before anything else is done.

use crate::core::call::{Attempt, AttemptStatus, Call, NextUnit, ToolCallState, ToolUse};
use crate::core::event::Event;
use crate::core::run::Run;
use crate::core::text::Untrusted;
use crate::core::usage::Usage;
use crate::engine::orphan::Program;
use crate::engine::run_loop::RunConfig;
use crate::engine::{Ports, locked, outcome, permission, spooled, tool_loop};

/// The outcomes of attempts that a process left without one in the journal, and the names under which these or the partial
/// texts of them are spooled. `left` are the programs that still run. An attempt whose model calls tools has no outcome: it
/// goes on, and what of it is in doubt is asked about.
pub fn abandoned(run: &Run, ports: &Ports, config: &RunConfig, left: &[Program]) -> (Vec<Event>, Vec<String>) {
    let mut found = Found { run, ports, config, left, events: Vec::new(), names: Vec::new() };
    for call in run.calls.values() {
        let Some(attempt) = call.newest().filter(|attempt| attempt.status == AttemptStatus::Running) else { continue };
        match &attempt.tool_use {
            Some(used) => found.resume(call, attempt, used),
            None => found.settle(call, attempt),
        }
    }
    (found.events, found.names)
}

struct Found<'a> {
    run: &'a Run,
    ports: &'a Ports,
    config: &'a RunConfig,
    left: &'a [Program],
    events: Vec<Event>,
    names: Vec<String>,
}

impl Found<'_> {
    fn partial(&mut self, call: &Call, attempt: &Attempt) -> Untrusted {
        let name = spooled::partial(&call.key, attempt.number);
        let text = self.ports.spool.read(self.run.id, &name).unwrap_or_default();
        self.names.extend([name, spooled::outcome(&call.key, attempt.number, None)]);
        Untrusted::from(String::from_utf8_lossy(&text).into_owned())
    }

    fn spent(&self, attempt: &Attempt, partial: &Untrusted) -> Usage {
        let so_far = attempt.tool_use.as_deref().and_then(tool_loop::transcript);
        let work = attempt.work.as_deref();
        work.map(|work| self.ports.executor.spent(work, so_far.as_ref(), partial)).unwrap_or_default()
    }

    fn settle(&mut self, call: &Call, attempt: &Attempt) {
        let partial = self.partial(call, attempt);
        // It came to its end, and the store could not take it then.
        let kept = locked::kept_outcome(&*self.ports.spool, self.run.id, &call.key, attempt.number, None);
        let event = kept.unwrap_or_else(|| {
            let left = |program: &&Program| program.key == call.key && program.attempt == attempt.number;
            let program = self.left.iter().find(left).map(|program| program.pid);
            let usage = self.spent(attempt, &partial);
            outcome::abandoned(call, attempt, partial, usage, program)
        });
        self.events.push(event);
    }

    /// What had begun and has not returned is in doubt, unless it may be done twice; a request is sent again. One that only
    /// waits for a person waits on.
    fn resume(&mut self, call: &Call, attempt: &Attempt, used: &ToolUse) {
        if !call.is_under_way() {
            return;
        }
        let (key, number) = (&call.key, attempt.number);
        for asked in used.open().filter(|asked| asked.state == ToolCallState::Called) {
            let id = asked.asked.call;
            let kept = locked::kept_outcome(&*self.ports.spool, self.run.id, key, number, Some(id));
            self.names.push(spooled::outcome(key, number, Some(id)));
            if let Some(kept) = kept {
                self.events.push(kept);
            } else if !permission::may_repeat(self.ports, self.run, self.config, (call, attempt), &asked.asked.tool) {
                let left =
                    |program: &&Program| program.key == *key && program.attempt == number && program.call == Some(id);
                let program = self.left.iter().find(left).map(|program| program.pid);
                let why = outcome::abandoned_because(program);
                self.events.push(Event::GateOpened(outcome::call_in_doubt(call, number, id, &why)));
            }
        }
        let mut usage = Usage::default();
        // What is left of an earlier request is removed whatever comes next.
        let partial = self.partial(call, attempt);
        if call.next_unit() == NextUnit::Request {
            let kept = locked::kept_outcome(&*self.ports.spool, self.run.id, key, number, None);
            // A turn that the journal has already may be there still.
            let is_new = |event: &Event| match event {
                Event::TurnFinished { turn, .. } => *turn as usize == used.turns.len() + 1,
                _ => true,
            };
            if let Some(kept) = kept.filter(is_new) {
                let goes_on = matches!(kept, Event::TurnFinished { .. });
                self.events.push(kept);
                if !goes_on {
                    return;
                }
            } else {
                usage = self.spent(attempt, &partial);
            }
        }
        self.events.push(Event::AttemptResumed { key: key.clone(), attempt: number, usage });
    }
}
