//! A server that is a program: started in a process group of its own with a clean environment, one message a line on its
//! stdin and stdout, its stderr a log.
//!
//! It ends when its stdin closes; one that does not is told to (TERM) and then made to (KILL), its whole group. Nothing
//! it started outlives it, or this process's hold on it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::incoming::Arriving;
use super::peer::{Peer, Wire};
use crate::core::failure::{Failure, FailureClass};
use crate::process::{self, Group};

/// How long a server that is to end may take, before it is told to, and again before it is made to.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the pipes of a server that has ended may stay open in the hands of what it started.
const PIPES: Duration = Duration::from_millis(500);
/// As much is read at once, in bytes.
const READ: usize = 1 << 16;

/// How a program is started.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// All of its environment.
    pub environment: BTreeMap<String, String>,
    pub folder: PathBuf,
}

/// Its process group, until it has ended.
#[derive(Clone)]
struct Running(Arc<Mutex<Option<Group>>>);

impl Running {
    fn group(&self) -> MutexGuard<'_, Option<Group>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn terminate(&self) {
        if let Some(group) = &*self.group() {
            group.signal(Signal::TERM);
        }
    }

    /// Ends what is left of it.
    fn kill(&self) {
        self.group().take();
    }
}

/// Its stdin.
struct Stdin {
    lines: Mutex<Option<UnboundedSender<String>>>,
    closed: CancellationToken,
    running: Running,
}

impl Wire for Stdin {
    fn send(&self, mut message: String, _id: Option<u64>) {
        message.push('\n');
        if let Some(lines) = &*self.lines.lock().unwrap_or_else(PoisonError::into_inner) {
            // A server that reads no more has ended, which the peer hears.
            let _ = lines.send(message);
        }
    }

    fn close(&self) {
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.closed.cancel();
    }

    fn kill(&self) {
        self.running.kill();
    }
}

/// Starts a program, and speaks to it through `peer`. Gives what is cancelled when the program and all its pipes have ended;
/// the program ends when the peer is lost.
///
/// # Errors
/// Class `tool` when it cannot be started: why.
pub async fn start(server: &str, program: &Program, peer: &Arc<Peer>) -> Result<CancellationToken, Failure> {
    let failure = |message: String| Failure::new(FailureClass::Tool, format!("the server `{server}` {message}"));
    if !program.folder.is_dir() {
        let folder = program.folder.display();
        return Err(failure(format!("cannot be started: the folder {folder} does not exist; see its `cwd`")));
    }
    let Some(name) = program.command.first() else {
        return Err(failure("names no program in its `command`".to_owned()));
    };
    let child = process::started(|| spawn(program, name)).await;
    let mut child = child.map_err(|error| {
        failure(format!("cannot be started: the program `{name}` {}", process::not_started(&error)))
    })?;
    let running = Running(Arc::new(Mutex::new(Some(Group::of(child.id())))));
    let (lines, to_write) = unbounded_channel();
    if let Some(stdin) = child.stdin.take() {
        tokio::spawn(write(stdin, to_write, Arc::clone(peer)));
    }
    let closed = CancellationToken::new();
    peer.connect(Box::new(Stdin { lines: Mutex::new(Some(lines)), closed: closed.clone(), running: running.clone() }));
    peer.listens(true);
    let reading = tokio::spawn(read(child.stdout.take(), Arc::clone(peer)));
    let stderr = tokio::spawn(log(child.stderr.take(), Arc::clone(peer)));
    let (ended, peer) = (CancellationToken::new(), Arc::clone(peer));
    let ends = ended.clone().drop_guard();
    tokio::spawn(async move {
        let _ends = ends;
        let _all_of_it = KilledWhenDropped(running.clone());
        watch(child, running, closed, reading, stderr, peer).await;
    });
    Ok(ended)
}

fn spawn(program: &Program, name: &str) -> io::Result<Child> {
    Command::new(name)
        .args(&program.command[1..])
        .env_clear()
        .envs(&program.environment)
        .current_dir(&program.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Waits until the program has ended, or is to end.
async fn watch(
    mut child: Child,
    running: Running,
    closed: CancellationToken,
    mut reading: JoinHandle<()>,
    stderr: JoinHandle<()>,
    peer: Arc<Peer>,
) {
    let mut reading_ended = false;
    let mut status = tokio::select! {
        status = child.wait() => status.ok(),
        () = closed.cancelled() => None,
        _ = &mut reading => {
            reading_ended = true;
            let status = timeout(PIPES, child.wait()).await.ok().and_then(Result::ok);
            if status.is_none() {
                // Nothing can be heard of it any more, although it lives.
                peer.lose("closed its stdout");
            }
            status
        }
    };
    if status.is_none() {
        status = timeout(PATIENCE, child.wait()).await.ok().and_then(Result::ok);
    }
    if status.is_none() {
        running.terminate();
        status = timeout(PATIENCE, child.wait()).await.ok().and_then(Result::ok);
    }
    // What it wrote before its end is read to its end, unless something that it started keeps the pipes.
    let (reading_stop, stderr_stop) = (reading.abort_handle(), stderr.abort_handle());
    let all_read = async {
        if !reading_ended {
            let _ = reading.await;
        }
        let _ = stderr.await;
    };
    let read = timeout(PIPES, all_read).await;
    running.kill();
    if read.is_err() {
        reading_stop.abort();
        stderr_stop.abort();
    }
    if status.is_none() {
        status = child.wait().await.ok();
    }
    peer.lose(&ended(status));
}

/// Nothing of a program outlives the task that watches it.
struct KilledWhenDropped(Running);

impl Drop for KilledWhenDropped {
    fn drop(&mut self) {
        self.0.kill();
    }
}

fn ended(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("ended with exit code {code}"),
        Some((None, Some(signal))) => format!("was ended by signal {signal}"),
        _ => "ended".to_owned(),
    }
}

async fn write(mut stdin: ChildStdin, mut lines: UnboundedReceiver<String>, peer: Arc<Peer>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            // If it has ended, how it did says more.
            sleep(PIPES).await;
            peer.lose("closed its stdin");
            return;
        }
    }
}

async fn read(stdout: Option<ChildStdout>, peer: Arc<Peer>) {
    let Some(mut stdout) = stdout else { return };
    let (mut bytes, mut message) = (vec![0; READ], Arriving::default());
    while let Ok(count @ 1..) = stdout.read(&mut bytes).await {
        let mut rest = &bytes[..count];
        loop {
            let end = memchr::memchr(b'\n', rest);
            if let Err(too_much) = message.push(&rest[..end.unwrap_or(rest.len())]) {
                // What follows cannot be told apart any more.
                peer.lose(&too_much.text());
                return;
            }
            let Some(end) = end else { break };
            peer.receive(message.take(), None).await;
            rest = &rest[end + 1..];
        }
    }
    if !message.is_empty() {
        peer.receive(message.take(), None).await;
    }
}

async fn log(stderr: Option<impl AsyncRead + Unpin>, peer: Arc<Peer>) {
    let Some(mut stderr) = stderr else { return };
    let mut bytes = vec![0; READ];
    while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
        peer.log.stderr(&bytes[..count]);
    }
    peer.log.stderr_ended();
}
