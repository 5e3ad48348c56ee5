//! Flows that are written as code: a script inside the binary, or a program that speaks the NDJSON contract.
//!
//! One session owns the names of calls, the order in which results are given, and what stands; `javascript` and
//! `process` only carry. Code is run from its beginning whenever something that it was told has changed, so it must
//! do the same when it is told the same: a script cannot do otherwise, a program promises it. Nothing here performs a
//! call, and a script reaches no file, network, clock or randomness of its own.

mod convert;
pub mod copy;
mod javascript;
mod made;
mod modules;
mod own_thread;
mod pass;
mod process;
mod request;
mod session;
pub mod syntax;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use self::javascript::{JavaScript, Watch};
use self::own_thread::OwnThread;
use self::process::Process;
use self::session::ScriptedSession;
use self::transport::Transport;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::task::{Body, FlowKind};
use crate::flow::graph::Graph;
use crate::flow::{Environment, Flow, Interrupt, Session};

/// The types of a script, for editors.
pub const TYPES: &str = include_str!("assets/stepwell.d.ts");
/// The client of a Python program, one file.
pub const PYTHON: &str = include_str!("assets/stepwell.py");

/// How long a program may compute between two calls.
const DEADLINE: Duration = Duration::from_secs(30);

/// The flow of a workflow that is written as code.
pub struct Scripted {
    pinned: Arc<Pinned>,
    environment: Environment,
    deadline: Duration,
    interrupt: Interrupt,
}

impl Scripted {
    /// The flow of a pinned workflow that is a script or a program.
    #[must_use]
    pub fn new(pinned: Arc<Pinned>) -> Self {
        Self { pinned, environment: Environment::new(), deadline: DEADLINE, interrupt: Interrupt::default() }
    }

    /// The same, where a program gets these variables besides those of a clean environment.
    #[must_use]
    pub fn with_environment(self, environment: &Environment) -> Self {
        Self { environment: environment.clone(), ..self }
    }

    /// The same, where the code is not waited for any more once `interrupt` is raised.
    #[must_use]
    pub fn with_interrupt(self, interrupt: &Interrupt) -> Self {
        Self { interrupt: interrupt.clone(), ..self }
    }

    /// The same, where a program may compute for so long between two calls.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

impl Flow for Scripted {
    fn open(&self, run: &Run) -> Box<dyn Session> {
        let Body::Workflow(workflow) = &self.pinned.task.body else {
            return Graph::new(Arc::clone(&self.pinned)).open(run);
        };
        let transport: Box<dyn Transport> = match &workflow.flow {
            FlowKind::Script { entry, sources } => {
                let watch = Watch::default();
                let script = JavaScript::new(entry, sources, watch.clone());
                let origin = script.origin();
                let session = ScriptedSession::new(&self.pinned, run, Box::new(script));
                let pinned = Arc::clone(&self.pinned);
                return Box::new(OwnThread::new(pinned, session, watch, self.interrupt.clone(), origin));
            }
            FlowKind::Process { argv, .. } => {
                let process = Process::new(argv, workflow.kept_files(), &self.environment, self.deadline);
                Box::new(process.with_interrupt(&self.interrupt))
            }
            FlowKind::Graph => return Graph::new(Arc::clone(&self.pinned)).open(run),
        };
        Box::new(ScriptedSession::new(&self.pinned, run, transport))
    }
}

#[cfg(test)]
mod tests;
