//! The join of screens and engine: [`Interface`] holds the screens and is pure, [`TerminalHost`] shows them and has the
//! terminal, [`Backend`] does on tasks of its own what they want of the engine and posts what came of it.
//!
//! The first frame waits for nothing: what is to be opened and read is so beside it. Whatever takes time happens on the
//! backend, on threads of its own, so that no key waits for it; the screens have this thread for themselves.

mod any_screen;
mod as_written;
mod backend;
mod definitions;
mod expense;
mod forking;
mod interface;
mod listing;
mod managing;
mod models;
mod notices;
mod results;
mod starting;
mod terminal_host;
mod waiting;
mod watching;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::backend::Backend;
use self::interface::Interface;
use self::terminal_host::TerminalHost;
use super::effect::{Leaving, Request};
use super::runtime;
use super::terminal::{self, TerminalError};
use super::theme::{Depth, Ground, Theme};
use crate::catalog::SearchPaths;
use crate::core::event::PauseReason;
use crate::core::id::RunId;
use crate::core::ports::{BoxFuture, Models};
use crate::core::run::Status;
use crate::core::secret::Secret;
use crate::core::settings::{self, Connection, Found, Settings, Trial};
use crate::engine::Engine;

/// So many messages may wait before those who post them wait.
const MAILBOX: usize = 1024;

/// So long a run may take to be given up when the person leaves.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Opens what is slow to open; called once, on a thread of its own.
pub type Open = Box<dyn FnOnce() -> Result<(Engine, Arc<dyn Models>), String> + Send>;

/// Looks for models that could be connected.
pub type Find = Box<dyn Fn() -> BoxFuture<'static, Vec<Found>> + Send + Sync>;

/// Asks a server which models it has; with its key, when one was typed.
pub type ListServer =
    Box<dyn Fn(Connection, Option<Secret>) -> BoxFuture<'static, Result<Vec<String>, String>> + Send + Sync>;

/// Connects a model.
pub type Connect = Box<dyn Fn(Trial) -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// What the interface is made of.
pub struct Parts {
    /// Where definitions are looked for.
    pub search_paths: SearchPaths,
    /// The file of the journal, of which only changes are looked at here.
    pub journal: std::path::PathBuf,
    /// The folder for drafts that go to `$EDITOR`.
    pub state: std::path::PathBuf,
    /// The settings.
    pub settings: Settings,
    /// Opens the engine and the models.
    pub open: Open,
    /// Keeps that the person agreed to a provider that was only found.
    pub agree: Box<dyn Fn(&str) + Send + Sync>,
    /// Looks for models that could be connected.
    pub find: Find,
    /// Asks a server which models it has.
    pub list: ListServer,
    /// What each role stands for, as the config says now: the default first.
    pub roles: Box<dyn Fn() -> Vec<(String, Connection)> + Send + Sync>,
    /// Tries a model, writes the config, and has the model answer from then on; gives what is to be said.
    pub connect: Connect,
    /// Has a process of its own go on with a run.
    pub go_on: Box<dyn Fn(RunId) -> Result<(), String> + Send + Sync>,
    /// Says something on the terminal once that is the person's again.
    pub say: Box<dyn Fn(&str) + Send + Sync>,
}

/// Why the interface could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// The terminal.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// The system.
    #[error("the system gives no threads: {0}")]
    Threads(std::io::Error),
}

/// Shows the interface until the person leaves. Gives what is to be said then: how to come back.
///
/// # Errors
/// When the terminal cannot be used.
pub fn run(parts: Parts) -> Result<String, TuiError> {
    terminal::restore_on_panic();
    let threads = || -> std::io::Result<_> {
        let backend = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok((backend, tokio::runtime::Builder::new_current_thread().enable_all().build()?))
    };
    let (backend, host) = threads().map_err(TuiError::Threads)?;
    let said = host.block_on(show(parts, backend.handle().clone()));
    // What still blocks (a password manager that asks) must not hold up the end.
    backend.shutdown_background();
    said
}

async fn show(parts: Parts, threads: Handle) -> Result<String, TuiError> {
    let theme = theme(&parts.settings.ui, |name| std::env::var(name).ok());
    let mouse = parts.settings.ui.mouse;
    let state = parts.state.clone();
    let (post, mailbox) = mpsc::channel(MAILBOX);
    let backend = Backend::new(parts, post, threads);
    let mut interface = Interface::new(backend.cwd.clone(), chrono::Utc::now(), *chrono::Local::now().offset());
    let mut host = TerminalHost::enter(backend.clone(), &theme, mouse, state)?;
    backend.begin();
    let ended = runtime::run(&mut interface, &mut host, mailbox).await;
    let leaving = interface.leaving().filter(|_| ended.is_ok());
    for change in interface.unsaved() {
        backend.perform(Request::Change(change));
    }
    // The terminal is the person's again before anything is waited for, and Ctrl-C ends the wait.
    drop(host);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(TerminalError::from)?;
    let leaving = leaving.unwrap_or(Leaving::Pause(PauseReason::HungUp));
    let finished = if leaving == Leaving::GoOn { finish_answers(&backend, &mut interrupt).await } else { Vec::new() };
    let said = tokio::select! {
        said = async {
            let said = leave(&backend, leaving, &finished).await;
            if let Some(engine) = backend.engine() {
                engine.end_servers().await;
            }
            said
        } => said,
        _ = interrupt.recv() => {
            if let Some(engine) = backend.engine() {
                engine.abandon();
            }
            String::new()
        }
    };
    if let Some(engine) = backend.engine() {
        engine.end_servers().await;
        engine.close();
    }
    ended?;
    Ok(said)
}

/// Waits for the answers of models that are under way in runs that another process is to go on with: begun again there, each
/// would be waited for and paid once more. A signal ends the wait. Gives those runs, which are given up here then.
async fn finish_answers(backend: &Backend, interrupt: &mut Signal) -> Vec<RunId> {
    let Some(engine) = backend.engine() else { return Vec::new() };
    // What was decided or typed last may begin one.
    let _ = tokio::time::timeout(PAUSE_TIMEOUT, backend.settle()).await;
    let answering: Vec<RunId> = engine.driven().into_iter().filter(|run| engine.is_answering(*run)).collect();
    if answering.is_empty() {
        return answering;
    }
    let titles: Vec<String> = answering.iter().map(|run| backend.title(*run)).collect();
    backend.say(&format!(
        "{}: the answer under way is finished first, then the run continues in the background. Ctrl-C does not wait: the \
         request is sent again there.",
        titles.join(", ")
    ));
    for run in &answering {
        engine.leave(*run, PauseReason::Left);
    }
    // An answer that has come is taken in before the run ends, waits or is given up.
    let is_taken_in =
        |run: RunId| !engine.driven().contains(&run) || engine.load(run).is_ok_and(|run| run.status != Status::Running);
    let come = async {
        while answering.iter().any(|run| engine.is_answering(*run) || !is_taken_in(*run)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = come => {}
        _ = interrupt.recv() => {}
        () = ended() => {}
    }
    answering
}

/// Until the terminal is closed or the process is told to end.
async fn ended() {
    let signals = (signal(SignalKind::hangup()), signal(SignalKind::terminate()));
    let (Ok(mut hang_up), Ok(mut terminate)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = hang_up.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// How a run rests whose answer has come; `None` where it has more to do.
fn rests(engine: &Engine, run: RunId, title: &str) -> Option<String> {
    let short = run.short();
    match engine.load(run).ok()?.status {
        Status::Completed => Some(format!("{title} is done: stepwell show {short}")),
        Status::Failed => Some(format!("{title} failed: stepwell show {short}")),
        Status::Waiting => Some(format!("{title} waits for you: stepwell resume {short}")),
        Status::Cancelled => Some(format!("{title} was cancelled")),
        Status::Running | Status::Paused => None,
    }
}

/// Gives up the runs that are driven here, and says how to come back to them. `finished` are given up already, as soon as
/// their answers have come.
async fn leave(backend: &Backend, leaving: Leaving, finished: &[RunId]) -> String {
    let Some(engine) = backend.engine() else { return String::new() };
    // What was decided or typed last is kept before anything else.
    let _ = tokio::time::timeout(PAUSE_TIMEOUT, backend.settle()).await;
    // What waits or has ended with its answer stays as it is.
    let rest = |run: &RunId| Some((*run, rests(&engine, *run, &backend.title(*run))?));
    let resting: HashMap<RunId, String> = finished.iter().filter_map(rest).collect();
    let others = engine.driven().into_iter().filter(|run| !finished.contains(run));
    let driven: Vec<RunId> = others.chain(finished.iter().copied()).collect();
    let goes = |run: &RunId| !resting.contains_key(run) && (finished.contains(run) || backend.is_under_way(*run));
    let going: Vec<RunId> = driven.iter().copied().filter(goes).collect();
    let reason = match leaving {
        Leaving::Pause(reason) => reason,
        Leaving::GoOn => PauseReason::Left,
    };
    for run in &going {
        engine.pause(*run, reason);
    }
    let patience = Instant::now() + PAUSE_TIMEOUT;
    while Instant::now() < patience && engine.driven().iter().any(|run| going.contains(run)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut lines = Vec::new();
    let mut handed = Vec::new();
    for run in driven {
        if let Some(rests) = resting.get(&run) {
            lines.push(rests.clone());
        } else if !going.contains(&run) {
            if backend.waits(run) {
                lines.push(format!("{} waits for you: stepwell resume {}", backend.title(run), run.short()));
            }
        } else if leaving == Leaving::GoOn {
            match backend.go_on_without(run) {
                Ok(()) => {
                    lines.push(format!(
                        "{} keeps running; to watch it: stepwell resume {}",
                        backend.title(run),
                        run.short()
                    ));
                    handed.push(run);
                }
                Err(why) => {
                    lines.push(format!("{} is paused, {why}: stepwell resume {}", backend.title(run), run.short()));
                }
            }
        } else {
            lines.push(format!("{} is paused; to resume: stepwell resume {}", backend.title(run), run.short()));
        }
    }
    // Not before the others hold them: the end of this process could take theirs along until they stand alone.
    let patience = Instant::now() + PAUSE_TIMEOUT;
    while Instant::now() < patience && handed.iter().any(|run| !engine.is_driven(*run)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lines.join("\n")
}

fn theme(ui: &settings::UiSettings, var: impl Fn(&str) -> Option<String> + Copy) -> Theme {
    match ui.theme {
        settings::Theme::Auto => Theme::new(Ground::detect(var), Depth::detect(var)),
        settings::Theme::Light => Theme::new(Ground::Light, Depth::detect(var)),
        settings::Theme::Dark => Theme::new(Ground::Dark, Depth::detect(var)),
        settings::Theme::None => Theme::new(Ground::Dark, Depth::None),
    }
}
