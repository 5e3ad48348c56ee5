//! A program that speaks the NDJSON contract of `docs/programs.md` over its stdin and stdout.
//!
//! It is started in a private copy of the definition's files with a clean environment and a process group of its own, and ended with
//! all its children when it is not needed: what it was told is in the journal, so nothing is lost. Whatever it does,
//! the session gets a turn within the deadline.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::PYTHON;
use super::copy::PrivateCopy;
use super::transport::{CallResult, CodeState, Opening, Request, Said, Transport, Turn};
use crate::core::failure::{Failure, FailureClass};
use crate::core::kept_files::KeptFiles;
use crate::core::text::shortened;
use crate::flow::{Environment, Interrupt};
use crate::process::{self, Group};

/// A line of the contract is no longer than this, in bytes.
const LONGEST_LINE: usize = 16 << 20;
/// So many bytes of the end of its stderr are kept.
const TAIL: usize = 4_000;
/// What a program logs is read so far between two results; the rest is passed over.
const MOST_LOGGED: usize = 1_001;
/// The variables of a clean environment.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];
/// So that Python writes no caches, which nobody would read.
const NO_CACHES: (&str, &str) = ("PYTHONDONTWRITEBYTECODE", "1");
/// Between the end of its stdin and the word that its group is to end.
const GRACE: Duration = Duration::from_millis(200);
/// How often it is looked whether it is still waited for.
const LOOK: Duration = Duration::from_millis(20);
/// Between that word and its end by force.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs a program.
pub struct Process {
    argv: Vec<String>,
    files: KeptFiles,
    environment: Environment,
    deadline: Duration,
    interrupt: Interrupt,
    running: Option<Running>,
}

/// A program under way.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    errors: Arc<Mutex<Errors>>,
    errors_end: Option<JoinHandle<()>>,
    state: Option<Map<String, Value>>,
    /// Where it runs; removed once it has ended.
    copy: PrivateCopy,
}

/// What came over stdout.
enum Line {
    Text(String),
    TooLong,
    /// It ended without a line break.
    Half(String),
}

#[derive(Default)]
struct Errors {
    tail: VecDeque<u8>,
    lines: Vec<String>,
}

/// A line of the contract.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Message {
    Call(Call),
    Log(String),
    State(Map<String, Value>),
    Idle(serde::de::IgnoredAny),
    Done(Value),
    Failed(CallError),
}

/// The failure of a call, as a result told it.
#[derive(Deserialize)]
struct CallError {
    class: String,
    key: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    #[serde(default)]
    id: Value,
    #[serde(default = "step")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    with: Value,
    #[serde(default)]
    options: Map<String, Value>,
}

fn step() -> String {
    "step".to_owned()
}

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Command, message)
}

impl Process {
    /// The program `argv` with the files that the run keeps; `environment` is what is configured besides a clean one.
    #[must_use]
    pub fn new(argv: &[String], files: KeptFiles, environment: &Environment, deadline: Duration) -> Self {
        let (argv, environment, interrupt) = (argv.to_vec(), environment.clone(), Interrupt::default());
        Self { argv, files, environment, deadline, interrupt, running: None }
    }

    /// The same, which is not waited for any more once `interrupt` is raised.
    #[must_use]
    pub fn with_interrupt(mut self, interrupt: &Interrupt) -> Self {
        self.interrupt = interrupt.clone();
        self
    }

    fn copy(&self) -> std::io::Result<PrivateCopy> {
        let mut files = self.files.bytes();
        files.entry("stepwell.py").or_insert(PYTHON.as_bytes());
        PrivateCopy::of(&files)
    }

    fn spawn(&self) -> Result<Running, Failure> {
        let copy = self.copy().map_err(|error| failed(format!("the program's files cannot be written: {error}")))?;
        let folder = copy.path();
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(failed("the definition names no program: `flow` is an empty list"));
        };
        // A program beside the definition is meant when there is one of that name.
        let beside = folder.join(program);
        let program_path = if beside.is_file() { beside.as_path() } else { Path::new(program) };
        let mut command = Command::new(program_path);
        command.args(arguments).current_dir(folder).env_clear().process_group(0);
        command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs([NO_CACHES]).envs(&self.environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(&mut command).map_err(|error| {
            failed(format!("`{program}` cannot be started: {error}; is it installed, and in PATH?"))
        })?;
        let (sender, lines) = sync_channel(64);
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || read_lines(stdout, &sender));
        }
        let errors = Arc::new(Mutex::new(Errors::default()));
        let errors_end = child.stderr.take().map(|stderr| {
            let errors = Arc::clone(&errors);
            // A copy's own place says nothing to the reader.
            let place = format!("{}/", folder.display());
            std::thread::spawn(move || read_errors(stderr, &errors, &place))
        });
        let stdin = child.stdin.take();
        Ok(Running { child, stdin, lines, errors, errors_end, state: None, copy })
    }

    fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.end(GRACE);
        }
    }

    /// Sends a line and reads what the program does until it can only wait.
    fn turn(&mut self, line: &Value) -> Turn {
        let deadline = self.deadline;
        let Some(running) = &mut self.running else { return Turn::failed(failed("the program is not under way")) };
        let (mut said, result) = running.turn(line, deadline, &self.interrupt);
        if matches!(result, Err(Why::Left)) {
            if let Some(running) = self.running.take() {
                running.end(Duration::ZERO);
            }
            return Turn::failed(failed("the program was stopped"));
        }
        let name = self.argv.join(" ");
        let state = result.unwrap_or_else(|why| CodeState::Failed(running.failure(&name, &why)));
        if !matches!(state, CodeState::Idle) {
            // What it wrote to stderr is only known to be whole, and so the same each time, once it has ended.
            said.extend(running.errors().lines.drain(..).map(Said::Log));
            self.end();
        }
        Turn { said, state, saw_clock: false, unhandled: None }
    }
}

impl Transport for Process {
    fn start(&mut self, opening: &Opening) -> Turn {
        self.end();
        match self.spawn() {
            Ok(running) => self.running = Some(running),
            Err(failure) => return Turn::failed(failure),
        }
        self.turn(&json!({ "start": {
            "v": 1,
            "inputs": opening.inputs,
            "run": opening.run,
            "state": opening.state,
            "seed": opening.seed,
        }}))
    }

    fn settle(&mut self, ticket: &Value, settled: &CallResult<'_>, _: i64) -> Turn {
        self.turn(&match settled {
            CallResult::Output(output) => json!({ "result": { "id": ticket, "output": output } }),
            CallResult::Failed { key, failure } => json!({ "result": { "id": ticket, "error": {
                "class": failure.class.name(), "key": key, "message": failure.message,
            }}}),
        })
    }

    fn rest(&mut self) -> bool {
        self.end();
        true
    }

    fn origin(&self) -> String {
        self.argv.join(" ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Why a program is given up.
enum Why {
    Ended,
    /// Nobody waits for it any more.
    Left,
    Silent(Duration),
    Said(String),
}

impl Running {
    fn turn(&mut self, line: &Value, deadline: Duration, interrupt: &Interrupt) -> (Vec<Said>, Result<CodeState, Why>) {
        let mut said = Vec::new();
        let written = self.write(line, deadline);
        // A program that cannot be written to has ended; what it said before tells why.
        let until = Instant::now() + if written { deadline } else { Duration::from_millis(500) };
        let mut logged = 0;
        let mut log = |said: &mut Vec<Said>, text: String| {
            logged += 1;
            if logged <= MOST_LOGGED {
                said.push(Said::Log(text));
            }
        };
        let result = loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left.min(LOOK)) {
                Ok(Line::Text(line)) => line,
                Ok(Line::TooLong) => {
                    break Err(Why::Said(format!("it wrote a line longer than {} MB", LONGEST_LINE >> 20)));
                }
                Ok(Line::Half(line)) => {
                    break Err(Why::Said(format!("it ended in the middle of a line: {}", shorten(&line))));
                }
                Err(RecvTimeoutError::Timeout) if interrupt.is_raised() => break Err(Why::Left),
                Err(RecvTimeoutError::Timeout) if left > LOOK => continue,
                Err(RecvTimeoutError::Timeout) => break Err(Why::Silent(deadline)),
                Err(RecvTimeoutError::Disconnected) => break Err(Why::Ended),
            };
            if !line.trim_start().starts_with('{') {
                log(&mut said, line);
                continue;
            }
            if let Some((at, number)) = crate::core::json::too_large(&line) {
                let what = format!("the integer {} at column {} does not fit 64 bits", shorten(number), at + 1);
                break Err(Why::Said(format!("it wrote {what}; write it as a string")));
            }
            match serde_json::from_str(&line) {
                Ok(Message::Call(call)) => said.push(Said::Call(Box::new(Request {
                    ticket: call.id,
                    kind: call.kind,
                    name: call.name,
                    with: if call.with.is_null() { json!({}) } else { call.with },
                    options: call.options,
                    place: String::new(),
                }))),
                Ok(Message::Log(text)) => log(&mut said, text),
                Ok(Message::State(state)) => self.state = Some(state),
                Ok(Message::Idle(_)) => break Ok(CodeState::Idle),
                Ok(Message::Done(value)) => {
                    let state = |state| CodeState::Done { value, state };
                    break self.done(until, interrupt).map(state);
                }
                Ok(Message::Failed(CallError { class, key, message })) => {
                    let Some(class) = FailureClass::from_name(&class) else {
                        break Err(Why::Said(format!("it failed with a class that there is not: {}", shorten(&class))));
                    };
                    let failure = Failure::new(class, message);
                    break self.done(until, interrupt).map(|_| CodeState::Uncaught { key, failure });
                }
                Err(error) => {
                    let line = shorten(&line);
                    break Err(Why::Said(format!("it wrote a line that is not of the contract ({error}): {line}")));
                }
            }
        };
        (said, result)
    }

    /// A program that is done ends, and with exit code 0. Gives the state that it leaves.
    fn done(&mut self, until: Instant, interrupt: &Interrupt) -> Result<Option<Map<String, Value>>, Why> {
        self.stdin = None;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => break,
                Ok(Some(_)) | Err(_) => return Err(Why::Ended),
                Ok(None) if interrupt.is_raised() => return Err(Why::Left),
                Ok(None) if Instant::now() > until => {
                    return Err(Why::Said("it was done and did not end".to_owned()));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        self.drain();
        Ok(self.state.take())
    }

    fn errors(&self) -> MutexGuard<'_, Errors> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the rest of its stderr, unless a child of its own holds that open.
    fn drain(&mut self) {
        let until = Instant::now() + Duration::from_millis(200);
        while let Some(thread) = &self.errors_end
            && !thread.is_finished()
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Writes from a thread of its own, since a program that does not read would hold us up. False when it has ended.
    fn write(&mut self, line: &Value, deadline: Duration) -> bool {
        let Some(mut stdin) = self.stdin.take() else { return false };
        let text = format!("{line}\n");
        // What fits a pipe is written at once.
        if text.len() <= 4_096 {
            let written = stdin.write_all(text.as_bytes()).is_ok();
            self.stdin = Some(stdin);
            return written;
        }
        let (sender, written) = sync_channel(1);
        std::thread::spawn(move || {
            let result = stdin.write_all(text.as_bytes()).is_ok();
            let _ = sender.send((stdin, result));
        });
        match written.recv_timeout(deadline) {
            Ok((stdin, result)) => {
                self.stdin = Some(stdin);
                result
            }
            Err(_) => false,
        }
    }

    fn failure(&mut self, name: &str, why: &Why) -> Failure {
        let message = match why {
            Why::Said(why) => format!("the program `{name}`: {why}"),
            Why::Left => return failed("the program was stopped"),
            Why::Silent(deadline) => format!(
                "the program `{name}` said nothing for {} s; after each result it must say {{\"idle\": true}}",
                deadline.as_secs_f32()
            ),
            Why::Ended => {
                let until = Instant::now() + Duration::from_millis(500);
                let status = loop {
                    match self.child.try_wait() {
                        Ok(Some(status)) => break Some(status),
                        Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
                        _ => break None,
                    }
                };
                match status.map(|status| (status.code(), status.signal())) {
                    Some((Some(0), _)) => format!("the program `{name}` ended without saying that it is done"),
                    Some((Some(code), _)) => format!("the program `{name}` ended with exit code {code}"),
                    Some((None, Some(signal))) => format!("the program `{name}` was ended by signal {signal}"),
                    _ => format!("the program `{name}` closed its output"),
                }
            }
        };
        self.drain();
        let errors = self.errors();
        let tail: Vec<u8> = errors.tail.iter().copied().collect();
        let tail = String::from_utf8_lossy(&tail).trim().to_owned();
        match tail.lines().last() {
            Some(last) => failed(format!("{message}: {}", shorten(last))).with_detail(tail),
            None => failed(message),
        }
    }

    /// Ends it and everything that it started: by the end of its stdin, by the word to end, by force.
    ///
    /// It is waited for, so that nothing is left behind should this process end next. The end of its stdin is given so
    /// much time to be heard.
    fn end(mut self, grace: Duration) {
        self.stdin = None;
        let group = Group::of(Some(self.child.id()));
        self.gone_within(grace, &group);
        for signal in [Signal::TERM, Signal::KILL] {
            if group.signal(signal) {
                self.gone_within(PATIENCE, &group);
            }
        }
        drop(group);
        let _ = self.child.wait();
        drop(self.copy);
    }

    /// Waits until the whole group has ended, so long at most.
    fn gone_within(&mut self, time: Duration, group: &Group) {
        let until = Instant::now() + time;
        loop {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if (ended && group.is_gone()) || Instant::now() >= until {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn read_lines(stdout: impl Read, lines: &SyncSender<Line>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let limit = LONGEST_LINE as u64 + 1;
        let Ok(read) = reader.by_ref().take(limit).read_until(b'\n', &mut line) else { return };
        if read == 0 {
            return;
        }
        let whole = line.last() == Some(&b'\n');
        let too_long = !whole && line.len() > LONGEST_LINE;
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        let line = if too_long {
            Line::TooLong
        } else if whole {
            Line::Text(text)
        } else {
            Line::Half(text)
        };
        if lines.send(line).is_err() || too_long || !whole {
            return;
        }
    }
}

fn read_errors(stderr: impl Read, errors: &Mutex<Errors>, place: &str) {
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(64 << 10).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).replace(place, "");
        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.tail.extend(text.as_bytes());
        let over = errors.tail.len().saturating_sub(TAIL);
        errors.tail.drain(..over);
        if errors.lines.len() < MOST_LOGGED {
            errors.lines.push(text.trim_end().to_owned());
        }
    }
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 200;
    shortened(text.trim(), LONGEST)
}
