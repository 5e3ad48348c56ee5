//! `command`: runs a program that the definition declares as an argv, in a process group of its own.
//!
//! It gets a clean environment, the work's text on stdin, and no terminal. stdin is closed after the text, so that a
//! program may read it to its end. For a program that asks the person in the middle of its work
//! ([`crate::core::step::Speaks`]), stdin stays open, the text is one line, a line `{"ask": FORM}` on stdout
//! opens a gate, and the answer comes as one line of JSON. FORM is a text (one field named
//! `answer`), a field, or a list of fields. A line `{"progress": …}` is shown and is no output. The time that a
//! person takes does not count against the step's.
//!
//! What a command starts ends with it. When it times out or is cancelled, its whole group is told to end, and killed
//! two seconds later; when it ends by itself, what is left of its group is killed. A program that is to stay leaves the
//! group (`setsid`) and lets go of stdout and stderr.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::markers::{self, Filler};
use super::output::{Collected, Collector};
use super::{Interruption, deadline, interrupted, own_files, prepared, program};
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::form::WrittenForm;
use crate::core::ports::{AttemptContext, AttemptOutcome, AttemptRequest, BoxFuture, Secrets};
use crate::core::schema::Schema;
use crate::core::secret::RedactedStream;
use crate::core::step::Parse;
use crate::core::text::Utf8;
use crate::core::work::CommandWork;
use crate::flow::scripted::copy::PrivateCopy;
use crate::process::{self, Group};

/// Reads a script that names no other program for that.
const SHELL: &str = "/bin/sh";
/// Between the word that a group is to end and its end by force.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the pipes of a program that has ended may stay open in the hands of what it started.
const PIPES: Duration = Duration::from_millis(500);
/// A list of lines is no longer than this: each takes many times the memory of its text.
const MOST_LINES: usize = 100_000;
/// As much of stderr becomes a failure's detail, in bytes.
const MAX_DETAIL: usize = 4_000;

/// Runs the program of `work`.
pub async fn perform(
    secrets: &Arc<dyn Secrets>,
    environment: &BTreeMap<String, String>,
    work: &CommandWork,
    attempt: &AttemptRequest,
    context: &AttemptContext,
) -> AttemptOutcome {
    let deadline = deadline(attempt.timeout);
    let copy = match prepared(attempt, context, deadline, own_files::copy(work, &attempt.files)).await {
        Ok(copy) => copy,
        Err(outcome) => return outcome,
    };
    let place = copy.as_ref().map(PrivateCopy::path);
    let started = match prepared(attempt, context, deadline, start(secrets, environment, work, attempt, place)).await {
        Ok(started) => started,
        Err(outcome) => return outcome,
    };
    if let Some(id) = started.child.id() {
        (context.began)(id);
    }
    let (ask, asked) = unbounded_channel();
    let redactor = secrets.redactor();
    let name = format!("{}.{}.stdout", file_name(&attempt.key.to_string()), attempt.attempt);
    let spooled = context.spool.text(attempt.run, &name);
    let redacting = RedactedStream::new(redactor.clone());
    let collector = Collector::new(redacting, spooled, Arc::clone(&context.deltas), ask, work.speaks);
    let run = Running::new(started, collector, RedactedStream::new(redactor), work.asks);
    let name = named(work);
    let (ended, collected, stderr) = run.end(deadline, context, asked).await;
    let measured = Measured { notes: collected.note.iter().cloned().collect(), ..Measured::default() };
    match ended {
        ProcessEnd::Interrupted(why) => why.outcome(attempt, collected.text, true, measured),
        ProcessEnd::Failed(failure) => {
            AttemptOutcome::Failed { failure, partial: collected.text.into(), in_doubt: false, measured }
        }
        ProcessEnd::Exited(status) if !status.success() => {
            // Where the copy was says nothing to the reader.
            let place = place.map(|place| format!("{}/", place.display()));
            let said = place.map_or_else(|| stderr.clone(), |place| stderr.replace(&place, "@/"));
            let ended = format!("{name} ended with {}", exit_text(status));
            let failure = |message| Failure::new(FailureClass::Command, message);
            let failure = match said.trim() {
                "" => failure(ended),
                line if is_short(line) => failure(format!("{ended}: {line}")),
                text => failure(ended).with_detail(text),
            };
            AttemptOutcome::Failed { failure, partial: collected.text.into(), in_doubt: false, measured }
        }
        ProcessEnd::Exited(_) => match collected.unsaid {
            Some(line) => AttemptOutcome::Failed {
                failure: Failure::new(
                    FailureClass::Command,
                    format!(
                        "{name} wrote a line `{{\"{line}\": …}}`, and the step does not say what that is: put `speaks = \"stepwell\"` on it if the line is for Stepwell, or `env = {{ STEPWELL_ASKS = \"0\" }}` if it is output"
                    ),
                ),
                partial: collected.text.into(),
                in_doubt: false,
                measured,
            },
            None => output(work, &collected, measured),
        },
    }
}

/// What a program wrote, as the output that its step asks for. It has had its effect, so what does not fit is left to
/// a person and not thrown away.
fn output(work: &CommandWork, collected: &Collected, measured: Measured) -> AttemptOutcome {
    let schema = match work.schema.as_ref().map(Schema::compile).transpose() {
        Ok(schema) => schema,
        Err(problem) => {
            let output = Value::String(collected.text.clone());
            return AttemptOutcome::Done { output, problem: Some(format!("the step's `output`: {problem}")), measured };
        }
    };
    let text = collected.text.trim_end_matches(['\n', '\r']);
    let as_text = || Value::String(text.to_owned());
    let as_json = || crate::core::json::parse(text);
    let (output, problem) = match work.parse {
        Parse::Json if collected.cut => (as_text(), Some("stdout is too long to be read as JSON".to_owned())),
        Parse::Json => match as_json() {
            Ok(value) => (value, None),
            Err(error) => (as_text(), Some(format!("stdout is not one JSON value: {error}"))),
        },
        Parse::Lines => match text.lines().nth(MOST_LINES) {
            Some(_) => {
                let problem = format!("stdout has more than {MOST_LINES} lines, too many for a list");
                (as_text(), Some(problem))
            }
            None => (text.lines().collect(), None),
        },
        // A schema that does not take the text asks for the value. The beginning of one is none.
        Parse::Text => {
            match schema.as_ref().filter(|schema| !collected.cut && !schema.allows(&as_text())).map(|_| as_json()) {
                Some(Ok(value)) => (value, None),
                _ => (as_text(), None),
            }
        }
    };
    let problem = problem.or_else(|| schema?.judge(&output).err());
    AttemptOutcome::Done { output, problem, measured }
}

/// What a command is called in a sentence: by its program. A text for a shell is too long for that.
fn named(work: &CommandWork) -> String {
    match work.argv.first() {
        Some(program) if !work.shell => format!("`{program}`"),
        _ => "the shell command".to_owned(),
    }
}

/// Whether what a program said fits into the sentence that says how it ended.
fn is_short(said: &str) -> bool {
    said.len() <= 200 && !said.contains('\n')
}

fn exit_text(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// `text` as a part of a file name.
pub(super) fn file_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.[]#".contains(c) { c } else { '_' }).collect()
}

/// A program that was started, and what is to be written to it.
struct Started {
    child: Child,
    stdin: String,
}

async fn start(
    secrets: &Arc<dyn Secrets>,
    environment: &BTreeMap<String, String>,
    work: &CommandWork,
    attempt: &AttemptRequest,
    copy: Option<&Path>,
) -> Result<Started, Failure> {
    let command_failure = |message: String| Failure::new(FailureClass::Command, message);
    if let Some(why) = &work.misplaced {
        return Err(Failure::new(
            FailureClass::Definition,
            format!("{why}, where its contents would run: `stepwell check` shows what to write instead"),
        ));
    }
    let open = work.argv.iter().chain(&work.parameters).chain(&work.cwd).chain(work.env.keys());
    let open: Vec<&str> = open.map(String::as_str).collect();
    markers::refuse(attempt, "a command's arguments", &open)?;
    let folder = work.folder(&attempt.cwd, environment.get("HOME").map(Path::new));
    if !folder.is_dir() {
        return Err(command_failure(format!("the folder {} does not exist; see the step's `cwd`", folder.display())));
    }
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let argv = copy.map_or_else(|| work.argv.clone(), |copy| own_files::placed(work, copy));
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Failure::new(FailureClass::Definition, "the step's `argv` is empty: it names the program to run"));
    };
    let hidden: Vec<&str> = work.env.values().chain([&work.stdin]).map(String::as_str).collect();
    let filler = Filler::resolve(secrets, attempt, &hidden).await?;

    let mut variables = environment.clone();
    variables.extend(work.env.iter().map(|(name, value)| (name.clone(), filler.fill(value))));
    variables.extend(copy.map(|copy| (CommandWork::FILES.to_owned(), copy.to_string_lossy().into_owned())));
    let (name, arguments) = if work.shell {
        ("sh", vec!["-c".to_owned(), work.argv.join(" ")])
    } else {
        (program.as_str(), arguments.to_vec())
    };
    let spawn = |file: &Path, arg0: &str, before: Option<&Path>| {
        let mut command = tokio::process::Command::new(file);
        command
            .arg0(arg0)
            .args(before)
            .args(&arguments)
            .env_clear()
            .envs(&variables)
            .envs(work.parameters())
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command.spawn()
    };
    let found = program::find(name, variables.get("PATH").map(String::as_str), &folder);
    let start = || {
        let file = found.as_ref().map_err(|error| io::Error::from(error.kind()))?;
        match spawn(file, name, None) {
            // A script that does not say by its first line what reads it is the shell's.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
                spawn(Path::new(SHELL), SHELL, Some(file))
            }
            spawned => spawned,
        }
    };
    let child = process::started(start).await;
    let child =
        child.map_err(|error| command_failure(format!("the program `{name}` {}", process::not_started(&error))))?;
    Ok(Started { child, stdin: filler.fill(&work.stdin) })
}

enum ProcessEnd {
    Exited(ExitStatus),
    Interrupted(Interruption),
    Failed(Failure),
}

struct Running {
    child: Child,
    group: Group,
    /// Lines to write; dropped, stdin closes.
    stdin: Option<UnboundedSender<String>>,
    writer: JoinHandle<()>,
    stdout: JoinHandle<Collected>,
    stderr: JoinHandle<String>,
    /// Dropped, the readers stop where they are.
    stop: DropGuard,
}

impl Running {
    fn new(started: Started, collector: Collector, errors: RedactedStream, asks: bool) -> Self {
        let Started { mut child, stdin: mut text } = started;
        let group = Group::of(child.id());
        if asks && !text.ends_with('\n') {
            text.push('\n');
        }
        let (stdin, lines) = unbounded_channel();
        let _ = stdin.send(text);
        let writer = tokio::spawn(write(child.stdin.take(), lines));
        let stop = CancellationToken::new();
        let stdout = tokio::spawn(collect(child.stdout.take(), stop.clone(), collector));
        let stderr = tokio::spawn(tail(child.stderr.take(), stop.clone(), errors));
        Self { child, group, stdin: asks.then_some(stdin), writer, stdout, stderr, stop: stop.drop_guard() }
    }

    async fn end(
        mut self,
        deadline: Option<Instant>,
        context: &AttemptContext,
        mut asked: UnboundedReceiver<Value>,
    ) -> (ProcessEnd, Collected, String) {
        let mut ended = self.wait(deadline, context, &mut asked).await;
        let asks = self.stdin.take().is_some();
        self.writer.abort();
        let until = if matches!(ended, ProcessEnd::Exited(_)) {
            Instant::now() + PIPES
        } else {
            self.group.signal(Signal::TERM);
            Instant::now() + PATIENCE
        };
        let mut reading = Box::pin(async { tokio::join!(self.stdout, self.stderr) });
        let _ = timeout_at(until, self.child.wait()).await;
        let mut read = timeout_at(until, &mut reading).await;
        self.group.signal(Signal::KILL);
        if read.is_err() {
            read = timeout(PIPES, &mut reading).await;
        }
        // A process that has left the group may hold the pipes for ever.
        drop(self.stop);
        let (stdout, stderr) = match read {
            Ok(read) => read,
            Err(_) => reading.await,
        };
        if !asks && matches!(ended, ProcessEnd::Exited(_)) && asked.try_recv().is_ok() {
            ended = ProcessEnd::Failed(closed_stdin());
        }
        (ended, stdout.unwrap_or_default(), stderr.unwrap_or_default())
    }

    /// Until the program ends or is to be ended; asks the person what it asks.
    async fn wait(
        &mut self,
        mut deadline: Option<Instant>,
        context: &AttemptContext,
        asked: &mut UnboundedReceiver<Value>,
    ) -> ProcessEnd {
        let mut answering: Option<(Instant, BoxFuture<'static, Value>)> = None;
        loop {
            let waits = answering.is_some();
            let answer = async {
                match &mut answering {
                    Some((since, answer)) => (*since, answer.await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                why = interrupted(deadline.filter(|_| !waits), &context.cancel) => return ProcessEnd::Interrupted(why),
                (since, answer) = answer => {
                    answering = None;
                    deadline = deadline.map(|deadline| deadline + since.elapsed());
                    if let Some(stdin) = &self.stdin {
                        // A program that has closed its stdin does not want to know.
                        let _ = stdin.send(format!("{answer}\n"));
                    }
                }
                Some(form) = asked.recv(), if !waits => {
                    if self.stdin.is_none() {
                        return ProcessEnd::Failed(closed_stdin());
                    }
                    match fields(form) {
                        Ok(fields) => answering = Some((Instant::now(), (context.ask)(fields))),
                        Err(problem) => return ProcessEnd::Failed(Failure::new(FailureClass::Command, problem)),
                    }
                }
                status = self.child.wait() => return match status {
                    Ok(status) => ProcessEnd::Exited(status),
                    Err(error) => ProcessEnd::Failed(Failure::new(
                        FailureClass::Command,
                        format!("the program's end could not be waited for: {error}"),
                    )),
                },
            }
        }
    }
}

fn closed_stdin() -> Failure {
    Failure::new(
        FailureClass::Command,
        "the program asked for input, but its stdin is closed: put `speaks = \"stepwell\"` (or, as before, \
         `env = { STEPWELL_ASKS = \"1\" }`) on the step, and let the program read its stdin by lines",
    )
}

/// What a program asks, as the fields of a form.
fn fields(form: Value) -> Result<WrittenForm, String> {
    let mut fields = match form {
        Value::String(question) => json!([{ "name": "answer", "label": question }]),
        Value::Array(fields) => Value::Array(fields),
        field => json!([field]),
    };
    // As in a definition: what has no default is required, unless it says otherwise.
    for field in fields.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let required = field.get("default").is_none_or(Value::is_null);
        field.entry("required").or_insert(required.into());
    }
    match WrittenForm::try_from(fields) {
        Ok(form) if !form.fields().is_empty() => match form.fields().iter().find_map(|field| field.usable().err()) {
            None => Ok(form),
            Some(why) => Err(format!("the program asked with a form that nobody could answer: {why}")),
        },
        Ok(_) => Err("the program asked with a form that has no fields".to_owned()),
        Err(error) => Err(format!(
            "what the program asked is not a form ({error}); it takes a text, a field such as {{\"name\": \"x\", \"type\": \"text\"}}, or a list of fields"
        )),
    }
}

async fn write(stdin: Option<ChildStdin>, mut lines: UnboundedReceiver<String>) {
    let Some(mut stdin) = stdin else { return };
    while let Some(line) = lines.recv().await {
        // A program need not read what it is given.
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn collect(
    stdout: Option<impl AsyncRead + Unpin>,
    stop: CancellationToken,
    mut collector: Collector,
) -> Collected {
    each_piece(stdout, &stop, |bytes| collector.push(bytes)).await;
    collector.finish()
}

/// The end of stderr, without the values of secrets.
async fn tail(
    stderr: Option<impl AsyncRead + Unpin>,
    stop: CancellationToken,
    mut redacting: RedactedStream,
) -> String {
    let (mut decoder, mut kept, mut cut) = (Utf8::default(), String::new(), false);
    // What is cut off is cut after the values are out: the rest of one would not be known any more.
    each_piece(stderr, &stop, |bytes| {
        kept.push_str(&redacting.push(&decoder.push(bytes)));
        if kept.len() > 4 * MAX_DETAIL {
            cut = true;
            kept.drain(..kept.ceil_char_boundary(kept.len() - MAX_DETAIL));
        }
    })
    .await;
    kept.push_str(&redacting.push(decoder.finish()));
    kept.push_str(&redacting.finish());
    cut |= kept.len() > MAX_DETAIL;
    if cut {
        kept.drain(..kept.ceil_char_boundary(kept.len().saturating_sub(MAX_DETAIL)));
        kept.insert_str(0, "… ");
    }
    kept
}

async fn each_piece(source: Option<impl AsyncRead + Unpin>, stop: &CancellationToken, mut take: impl FnMut(&[u8])) {
    let Some(mut source) = source else { return };
    let mut piece = vec![0; 1 << 16];
    // A pipe that cannot be read has ended.
    while let Some(Ok(length @ 1..)) = stop.run_until_cancelled(source.read(&mut piece)).await {
        take(&piece[..length]);
    }
}
