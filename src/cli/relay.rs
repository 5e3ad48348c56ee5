//! Runs whose programs may ask while they work. A program lives only as long as the process that drives it, but a
//! command that nobody can be asked in has to come back when its run waits. So a process of its own drives such a run:
//! it speaks through this one's stdout and stderr, and this one ends as it does. When all that is under way waits for
//! an answer, it says so, lets this one go with exit code 3, and stays with its programs until somebody answered.
//!
//! If this one dies, that one leaves the run as it would have; it hears so from the socket between them.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, Interest};

use super::App;
use super::detach::{log_of, policy_flags};
use super::drive::How;
use super::line::{Away, Signals};
use super::problem::{Exit, Problem};
use crate::core::code::ErrorCode;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::step::{self, Does};
use crate::core::task::{Body, FlowKind};

/// Whether a run of it may have a program that asks while it works.
#[must_use]
pub fn may_ask(pinned: &Pinned) -> bool {
    std::iter::once(&pinned.task).chain(pinned.children.values()).any(|task| {
        let Body::Workflow(workflow) = &task.body else { return false };
        let named = match &workflow.flow {
            FlowKind::Graph => false,
            // Such a flow makes up its steps as it goes.
            FlowKind::Script { sources, .. } | FlowKind::Process { sources, .. } => {
                sources.values().any(|source| source.contains(step::Command::ASKS) || source.contains("speaks"))
            }
        };
        let asks = |does: &Does| matches!(does, Does::Command(command) if command.asks);
        named || workflow.all_steps().into_iter().any(|step| asks(&step.does))
    })
}

/// Has a process of its own drive a run, and ends as that does, or as it says.
///
/// # Errors
/// When it cannot be started, or is killed.
pub async fn drive(run: RunId, after: u64, how: &How) -> Result<Exit, Problem> {
    let cannot =
        |error: io::Error| Problem::refused(ErrorCode::Store, format!("run {} is not driven: {error}", run.short()));
    let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
    let mut signals = Signals::new()?;
    let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
    command.arg("drive-detached").arg(run.to_string()).arg(format!("--relayed={after}"));
    command.args(policy_flags(how.policy.review, how.policy.approve)).args(how.json.then_some("--json"));
    command.args(how.out.as_ref().map(|folder| format!("--out={}", folder.display())));
    let mut child = command.stdin(Stdio::from(OwnedFd::from(theirs))).spawn().map_err(cannot)?;
    // This one's end of their socket goes with the command.
    drop(command);
    ours.set_nonblocking(true).map_err(cannot)?;
    let mut said = tokio::net::UnixStream::from_std(ours).map_err(cannot)?;
    loop {
        tokio::select! {
            said = said.read_u8() => match said {
                Ok(code) => return Ok(Exit::from_code(i32::from(code))),
                Err(_) => break,
            },
            away = signals.next() => {
                let signal = if away == Away::Interrupt { Signal::INT } else { Signal::TERM };
                if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                    // It may be gone by now.
                    let _ = kill_process(id, signal);
                }
            }
        }
    }
    let status = child.wait().map_err(cannot)?;
    status.code().map(Exit::from_code).ok_or_else(|| {
        let short = run.short();
        Problem::interrupted(ErrorCode::Store, format!("what drove run {short} was killed; stepwell resume {short}"))
    })
}

/// The socket to the process that passes this one's words on.
#[derive(Debug)]
pub struct Relayed(tokio::net::UnixStream);

impl Relayed {
    /// From stdin, which is that socket.
    ///
    /// # Errors
    /// When it is none.
    pub fn new() -> Result<Self, Problem> {
        let open = || {
            let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
            stream.set_nonblocking(true)?;
            tokio::net::UnixStream::from_std(stream)
        };
        open()
            .map(Self)
            .map_err(|error| Problem::refused(ErrorCode::Store, format!("nobody started this to drive a run: {error}")))
    }

    /// Comes back when that process is gone. It never says anything.
    pub async fn gone(&self) {
        loop {
            if self.0.ready(Interest::READABLE).await.is_err() {
                return;
            }
            match self.0.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    }

    /// Lets that process end as it should for a run that waits; from here on, words go to the run's log.
    ///
    /// # Errors
    /// When there is no log.
    pub fn let_go(self, app: &App, run: RunId) -> io::Result<()> {
        let log = log_of(&app.paths.state, run)?;
        rustix::stdio::dup2_stdout(&log)?;
        rustix::stdio::dup2_stderr(&log)?;
        rustix::stdio::dup2_stdin(OpenOptions::new().read(true).mode(0o600).open("/dev/null")?)?;
        // Neither Ctrl-C nor the end of the terminal is meant for this one any more.
        let _ = rustix::process::setsid();
        self.0.try_write(&[Exit::Waiting as u8]).map(|_| ())
    }
}
