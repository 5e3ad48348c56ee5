//! Wires the modules together: what the front ends need of modules that they may not import. The only place that knows
//! all.

mod connecting;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::catalog::SearchPaths;
use crate::cli::{self, Dependencies, Tools};
use crate::config::{Paths, SecretStore, private_folder};
use crate::core::actor::Actor;
use crate::core::ports::{JournalError, Models, Secrets};
use crate::core::settings::Settings;
use crate::embed::{self, Builder};
use crate::engine::Engine;
use crate::flow::scripted::copy::PrivateCopy;
use crate::models::{LanguageModels, Pace, Surroundings};
use crate::steps::Steps;
use crate::store::{Mode, SqliteStore, StateFolder};
use crate::tui;
use connecting::SwappableModels;

/// The modules of this process.
#[derive(Clone)]
pub struct Wiring(pub Paths);

impl Dependencies for Wiring {
    fn models(&self, settings: &Settings) -> Arc<dyn Models> {
        let pace = match std::env::var("STEPWELL_DEMO_PACE").as_deref() {
            Ok("instant") => Pace::Instant,
            _ => Pace::Natural,
        };
        let agreed = std::fs::read_to_string(self.agreements()).unwrap_or_default();
        let models = LanguageModels::new(settings.clone(), Surroundings::real(pace));
        agreed.lines().for_each(|provider| models.agree(provider));
        Arc::new(models)
    }

    fn engine(&self, settings: &Settings, models: Arc<dyn Models>) -> Result<Engine, JournalError> {
        Ok(self.engine_over(self.store(cli::say)?, settings, models))
    }

    fn tools(&self, settings: &Settings) -> Tools {
        let secrets: Arc<dyn Secrets> = Arc::new(SecretStore::new(settings.secrets.clone()));
        let servers = Arc::new(embed::servers(settings, Arc::clone(&secrets)));
        let steps = Steps::new(self.models(settings), secrets, embed::environment(&settings.pass_on));
        let executor = steps.with_hosts(settings.hosts.clone()).with_tools(servers.clone());
        let executor = Arc::new(executor.with_own_tools(settings.tools.clone()));
        Tools { servers, executor, spool: Arc::new(StateFolder::new(self.0.state.clone())) }
    }

    fn full_screen(&self, settings: &Settings, search_paths: SearchPaths) -> Result<String, String> {
        let (wiring, opened, own, connects, knows) =
            (self.clone(), settings.clone(), self.clone(), self.clone(), self.clone());
        let live = Arc::new(SwappableModels::new(self.models(settings)));
        let answers = Arc::clone(&live);
        // Nothing is printed over a screen.
        let said = Arc::new(OnceLock::new());
        let later = Arc::clone(&said);
        let state = self.0.state.clone();
        let parts = tui::Parts {
            search_paths,
            journal: self.0.store.clone(),
            state: self.0.state.clone(),
            settings: settings.clone(),
            open: Box::new(move || {
                let models: Arc<dyn Models> = answers;
                let store =
                    wiring.store(|text| drop(later.set(format!("{text}\n")))).map_err(|error| error.to_string())?;
                Ok((wiring.engine_over(store, &opened, Arc::clone(&models)), models))
            }),
            agree: Box::new(move |provider| own.keep_agreement(provider)),
            find: Box::new(|| {
                let models = LanguageModels::new(Settings::default(), Surroundings::real(Pace::Natural));
                Box::pin(async move { models.discover().await })
            }),
            list: Box::new(|connection, key| Box::pin(connecting::list(connection, key))),
            roles: Box::new(move || connecting::roles(&knows)),
            connect: Box::new(move |trial| Box::pin(connecting::connect(connects.clone(), Arc::clone(&live), trial))),
            go_on: Box::new(move |run| cli::go_on(&state, run, &[]).map_err(|error| error.to_string())),
            say: Box::new(cli::say),
        };
        let last = tui::run(parts).map_err(|error| error.to_string())?;
        Ok(said.get().cloned().unwrap_or_default() + &last)
    }

    fn look_at_store(&self) -> Result<String, String> {
        if !self.0.store.exists() {
            return Ok("none yet; the first run makes it".to_owned());
        }
        let store = self.store(cli::say).map_err(|error| error.to_string())?;
        store.check().map_err(|error| error.to_string())?;
        match store.read_only() {
            Some(why) => Err(format!("{why}. It can be read, and every page is sound")),
            None => Ok("can be read and written; every page is sound".to_owned()),
        }
    }

    fn rebuild(&self) -> Result<String, JournalError> {
        let rebuilt = self.store(cli::say)?.rebuild()?;
        let damaged =
            rebuilt.damaged.iter().map(|(run, why)| format!("\nrun {} was left as it is: {why}", run.short()));
        let runs = if rebuilt.runs == 1 { "1 run was".to_owned() } else { format!("{} runs were", rebuilt.runs) };
        Ok(format!("lists and search of {runs} rebuilt{}", damaged.collect::<Vec<_>>().concat()))
    }

    fn keep_agreement(&self, provider: &str) {
        let file = self.agreements();
        // What cannot be kept is asked again next time.
        let _ = private_folder(&self.0.state)
            .and_then(|()| std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file))
            .and_then(|mut file| writeln!(file, "{provider}"));
    }
}

impl Wiring {
    /// Opens the store. That it was copied because it is of a newer schema now, or that something in it is lost, is in the
    /// log, and told to `say` at once.
    fn store(&self, say: impl Fn(&str)) -> Result<SqliteStore, JournalError> {
        let store = SqliteStore::open(&self.0.store, Mode::Write)?;
        let copied = store.copy().map(|copy| {
            let path = self.0.store.display();
            format!("the store {path} was updated for this version; a copy from before is {}", copy.display())
        });
        let told: Vec<String> = store.damage().map(str::to_owned).into_iter().chain(copied).collect();
        if !told.is_empty() {
            let told = told.join("\n");
            cli::log::write(&self.0, &told);
            say(&told);
        }
        Ok(store)
    }

    fn engine_over(&self, store: SqliteStore, settings: &Settings, models: Arc<dyn Models>) -> Engine {
        // Whoever opens the store may be about to take up what a process that was killed has left.
        PrivateCopy::sweep();
        Builder::new()
            .settings(settings.clone())
            .models(models)
            .stored(Arc::new(store), &self.0.state)
            .own_definitions(Some(self.0.own()))
            .who(Actor::named(&who()))
            .build()
    }

    fn agreements(&self) -> PathBuf {
        self.0.state.join("agreed-providers")
    }
}

/// Who decides here.
fn who() -> String {
    let user =
        ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    let user = user.unwrap_or_else(|| match rustix::process::getuid().as_raw() {
        0 => "root".to_owned(),
        other => format!("uid{other}"),
    });
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}

/// A mistake of the program: the whole message goes to the log, one line to the person.
pub fn catch_panics(paths: Paths) {
    std::panic::set_hook(Box::new(move |panic| {
        cli::log::write(&paths, &format!("panic: {panic}\n{}", std::backtrace::Backtrace::capture()));
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(
            std::io::stderr(),
            "stepwell: this is a mistake of the program ({place}); what is saved is saved. See {}",
            cli::log::file(&paths).display()
        );
    }));
}
