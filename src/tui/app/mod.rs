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

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
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
    let said = tokio::select! {
        said = leave(&backend, leaving.unwrap_or(Leaving::Pause(PauseReason::HungUp))) => said,
        _ = interrupt.recv() => {
            if let Some(engine) = backend.engine() {
                engine.abandon();
            }
            String::new()
        }
    };
    if let Some(engine) = backend.engine() {
        engine.close();
    }
    ended?;
    Ok(said)
}

/// Gives up the runs that are driven here, and says how to come back to them.
async fn leave(backend: &Backend, leaving: Leaving) -> String {
    let Some(engine) = backend.engine() else { return String::new() };
    // What was decided or typed last is kept before anything else.
    let _ = tokio::time::timeout(PAUSE_TIMEOUT, backend.settle()).await;
    let driven = engine.driven();
    let going: Vec<RunId> = driven.iter().copied().filter(|run| backend.is_under_way(*run)).collect();
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
        if !going.contains(&run) {
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
