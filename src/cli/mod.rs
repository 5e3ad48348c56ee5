//! The command line: subcommands, the line interface, headless output as text and JSON.
//!
//! It promises: results go to stdout, words to a person to stderr; exit codes and JSON are the contract of the design;
//! what came from outside reaches a terminal only when it is harmless. It reaches runs through the [`Engine`] alone
//! and may not know how a store or a model works: what it needs of them it is given ([`Dependencies`]).

mod args;
mod begin;
mod consent;
mod definitions;
mod detach;
mod diff;
mod doctor;
mod document;
mod drive;
mod files;
mod history;
mod inputs;
mod learned;
mod line;
pub mod log;
mod out;
mod policy;
mod problem;
mod relay;
mod review;
mod runs;
mod show;
mod tools;
mod trial;
mod undo;
mod waits;

use std::future::Future;
use std::sync::{Arc, OnceLock};

use clap::{CommandFactory as _, Parser as _};
use tokio::signal::unix::{SignalKind, signal};

pub use self::args::Cli;
pub use self::detach::go_on;
pub use self::out::say;
pub use self::problem::{Exit, Problem};
pub use self::trial::answers;
use crate::catalog::{Catalog, SearchPaths};
use crate::config::{ConfigError, NoHome, Paths};
use crate::core::code::ErrorCode;
use crate::core::ports::{Executor, JournalError, Models, Spool, ToolServers};
use crate::core::settings::Settings;
use crate::engine::Engine;

/// What the modules that `cli` may not import do for it. Nothing is opened before it is asked for.
pub trait Dependencies: Send + Sync {
    /// The language models.
    fn models(&self, settings: &Settings) -> Arc<dyn Models>;

    /// The engine over the opened store.
    ///
    /// # Errors
    /// Why the store cannot be used.
    fn engine(&self, settings: &Settings, models: Arc<dyn Models>) -> Result<Engine, JournalError>;

    /// The servers of tools of the config. None is started before it is asked.
    fn tools(&self, settings: &Settings) -> Tools;

    /// Shows the full-screen interface until the person leaves. Gives what is to be said then.
    ///
    /// # Errors
    /// Why it cannot be shown.
    fn full_screen(&self, settings: &Settings, search_paths: SearchPaths) -> Result<String, String>;

    /// How the store is: `Ok` with a remark, or why it cannot be used. A store that is not there is not made.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn look_at_store(&self) -> Result<String, String>;

    /// Makes the store's lists and search anew; what was done.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn rebuild(&self) -> Result<String, JournalError>;

    /// Keeps that the person agreed to use a provider that was only found.
    fn keep_agreement(&self, provider: &str);
}

/// What tools are called with outside of any run.
pub struct Tools {
    /// The servers.
    pub servers: Arc<dyn ToolServers>,
    /// What calls the person's own tools.
    pub executor: Arc<dyn Executor>,
    /// Where large results go.
    pub spool: Arc<dyn Spool>,
}

/// What a command works with. Everything in it is made when it is first asked for: a list of tasks opens no store.
pub struct App {
    /// Where things lie.
    pub paths: Paths,
    dependencies: Box<dyn Dependencies>,
    settings: OnceLock<Result<Settings, ConfigError>>,
    models: OnceLock<Arc<dyn Models>>,
    tools: OnceLock<Tools>,
    engine: OnceLock<Engine>,
}

impl App {
    /// Over these paths and dependencies.
    #[must_use]
    pub fn new(paths: Paths, dependencies: Box<dyn Dependencies>) -> Self {
        let (settings, models, tools, engine) = (OnceLock::new(), OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { paths, dependencies, settings, models, tools, engine }
    }

    fn settings(&self) -> Result<&Settings, Problem> {
        self.settings.get_or_init(|| crate::config::load(&self.paths)).as_ref().map_err(Problem::from)
    }

    fn models(&self) -> Result<&Arc<dyn Models>, Problem> {
        let settings = self.settings()?;
        Ok(self.models.get_or_init(|| self.dependencies.models(settings)))
    }

    fn tools(&self) -> Result<&Tools, Problem> {
        let settings = self.settings()?;
        Ok(self.tools.get_or_init(|| {
            let tools = self.dependencies.tools(settings);
            let servers = Arc::clone(&tools.servers);
            line::Signals::end_with(move || servers.abandon());
            tools
        }))
    }

    /// Ends the servers that were started: in good order, which may take seconds, or by force at a signal.
    async fn end_servers(&self) {
        let (tools, engine) = (self.tools.get(), self.engine.get());
        if tools.is_none() && engine.is_none() {
            return;
        }
        let end = async {
            if let Some(tools) = tools {
                tools.servers.close().await;
            }
            if let Some(engine) = engine {
                engine.end_servers().await;
            }
        };
        let signal = async {
            match line::Signals::new() {
                Ok(mut signals) => drop(signals.next().await),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = end => {}
            () = signal => {
                if let Some(tools) = tools {
                    tools.servers.abandon();
                }
                if let Some(engine) = engine {
                    engine.abandon();
                }
            }
        }
    }

    fn engine(&self) -> Result<&Engine, Problem> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let models = Arc::clone(self.models()?);
        self.open(self.settings()?, models)
    }

    /// The engine for what looks at runs or ends one, and asks no model: a config with mistakes is told, and hinders
    /// nothing of that.
    fn records(&self) -> Result<&Engine, Problem> {
        if let Err(wrong) = self.settings() {
            out::say(&format!("warning: {wrong}"));
            let settings = Settings::default();
            let models = self.models.get_or_init(|| self.dependencies.models(&settings));
            return self.open(&settings, Arc::clone(models));
        }
        self.engine()
    }

    fn open(&self, settings: &Settings, models: Arc<dyn Models>) -> Result<&Engine, Problem> {
        let engine = self.dependencies.engine(settings, models)?;
        engine.on_locked(|locked| {
            out::say(if locked {
                "the store is locked by another process: waiting for it, to save this (Ctrl-C stops waiting)"
            } else {
                "the store is free again: it is saved"
            });
        });
        Ok(self.engine.get_or_init(|| engine))
    }

    fn search_paths(&self, dir: &args::DirArg) -> SearchPaths {
        let here = std::env::current_dir().ok().map(|folder| folder.join(".stepwell"));
        SearchPaths {
            own: Some(self.paths.own().to_owned()),
            project: here.filter(|folder| folder.is_dir()),
            dir: dir.dir.clone(),
            state: self.paths.state.clone(),
            // What is wrong with the config is said by what needs it.
            tools: self.settings().ok().map(|settings| Arc::new(settings.tools.clone())),
        }
    }

    /// Where definitions are looked for, with the folder that the person names.
    fn places(&self, dir: &args::DirArg) -> Result<SearchPaths, Problem> {
        if let Some(dir) = dir.dir.as_ref().filter(|dir| !dir.is_dir()) {
            let text = format!("--dir {}: there is no such folder", dir.display());
            return Err(Problem::refused(ErrorCode::PathRefused, text));
        }
        Ok(self.search_paths(dir))
    }

    fn catalog(&self, dir: &args::DirArg) -> Result<Catalog, Problem> {
        Ok(Catalog::load(&self.places(dir)?))
    }
}

/// Reads the command line and does what it says. The answer is the exit code.
#[must_use]
pub fn main(app: &App) -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout and is no mistake; clap knows which is which.
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Done as u8;
            }
            // It repeats what was typed, or what a script took from elsewhere.
            let text = error.to_string();
            out::say(&text);
            if json_is_asked_for() {
                out::json(&Problem::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end()).line());
            }
            return Exit::Usage as u8;
        }
    };
    let json = cli.command.as_ref().is_some_and(args::CliCommand::is_json);
    let done = match cli.command {
        Some(command) => perform(app, command),
        None if !cli.plain && out::is_full_screen() => full_screen(app),
        None => Ok(alone(cli.plain)),
    };
    if let Some(engine) = app.engine.get() {
        engine.close();
    }
    match done {
        Ok(exit) => exit as u8,
        Err(problem) => {
            if problem.exit == Exit::Store {
                log::write(&app.paths, &problem.message);
            }
            tell(&problem, json)
        }
    }
}

/// What is left to do where nothing can be kept: to say so. The answer is the exit code.
#[must_use]
pub fn homeless(error: NoHome) -> u8 {
    tell(&Problem::from(error), json_is_asked_for())
}

/// Says why a command was not done: to the person in words, to a program as the last line of stdout.
fn tell(problem: &Problem, json: bool) -> u8 {
    out::say(&format!("stepwell: {problem}"));
    if json {
        out::json(&problem.line());
    }
    problem.exit as u8
}

/// Whether `--json` is among arguments that could not be read as a command.
fn json_is_asked_for() -> bool {
    std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// `stepwell` alone on a terminal.
fn full_screen(app: &App) -> Result<Exit, Problem> {
    let search_paths = app.search_paths(&args::DirArg::default());
    let said = app.dependencies.full_screen(app.settings()?, search_paths);
    let said = said.map_err(|why| Problem::refused(ErrorCode::Store, why))?;
    if !said.is_empty() {
        out::say(&said);
    }
    Ok(Exit::Done)
}

/// `stepwell` alone where there is no full screen.
fn alone(plain: bool) -> Exit {
    let what = if plain { "With --plain there is no full-screen interface." } else { "Say what to do." };
    out::say(&format!(
        "{what}\n\n  stepwell tasks                         what can be started\n  \
         stepwell run poem -i topic=\"the sea\"   start a task\n  \
         stepwell history                       earlier runs\n  \
         stepwell show last                     the newest of them\n  \
         stepwell review last --accept          answer what it waits for\n  \
         stepwell doctor                        which model answers, and what is missing\n  \
         stepwell help, stepwell run --help     everything else"
    ));
    Exit::Usage
}

fn perform(app: &App, command: args::CliCommand) -> Result<Exit, Problem> {
    use args::CliCommand;
    match command {
        CliCommand::Run(run) => begin::run(app, run),
        CliCommand::Review(review) => wait_for(app, review::review(app, review)),
        CliCommand::Resume(resume) => wait_for(app, runs::resume(app, resume)),
        CliCommand::Cancel { run, json } => wait_for(app, runs::cancel(app, &run, json.json)),
        CliCommand::Undo { run, json } => wait_for(app, undo::undo(app, &run, json.json)),
        CliCommand::Archive { runs, undo, json } => wait_for(app, undo::archive(app, &runs, undo, json.json)),
        CliCommand::Rerun(rerun) => wait_for(app, begin::rerun(app, rerun)),
        CliCommand::Fork(fork) => wait_for(app, begin::fork(app, fork)),
        CliCommand::Reopen { run, key, json } => wait_for(app, runs::reopen(app, &run, &key, json.json)),
        CliCommand::Show { run, json, events } => show::show(app, &run, json, events),
        CliCommand::History(query) => history::history(app, query),
        CliCommand::Document(args) => wait_for(app, document::document(app, args)),
        CliCommand::Diff { a, b, json } => diff::diff(app, &a, &b, json.json),
        CliCommand::Learned { task, edit, remove } => learned::learned(app, task.as_deref(), edit.as_deref(), remove),
        CliCommand::Export { run, format, scope, out, json } => {
            show::export(app, &run, (format, scope), out.as_deref(), json.json)
        }
        CliCommand::Tasks { json, dir: place } => definitions::tasks(app, json, &place),
        CliCommand::Tools(args) => wait_for(app, tools::tools(app, args)),
        CliCommand::Check { paths, dir: place } => definitions::check(app, &paths, &place),
        CliCommand::Trust { path, json } => definitions::trust(app, &path, json.json),
        CliCommand::New { kind, id, from, dir: place } => definitions::begin(app, kind, &id, from.as_deref(), &place),
        CliCommand::Models => wait_for(app, doctor::models(app)),
        CliCommand::Doctor { rebuild, r#try } => wait_for(app, doctor::doctor(app, rebuild, r#try)),
        CliCommand::Paths => Ok(doctor::paths(app)),
        CliCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "stepwell", &mut script);
            out::raw(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
        CliCommand::DriveDetached { run, dir: place, after, relayed, drive } => {
            wait_for(app, detach::child(app, &run, &place, after, &drive, relayed))
        }
    }
}

/// Runs what has to wait for something; the threads for that are only made here.
fn wait_for<T>(app: &App, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime =
        runtime.map_err(|error| Problem::refused(ErrorCode::Store, format!("the system gives no threads: {error}")))?;
    let done = runtime.block_on(async {
        // A file that may not grow is a write that fails and is told, not the end of the program.
        let _too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
        let done = work.await;
        app.end_servers().await;
        line::Signals::all_ended();
        done
    });
    // What still blocks (a password manager that asks) must not hold up the end.
    runtime.shutdown_background();
    done
}
