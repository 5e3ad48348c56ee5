//! An engine for programs that embed Stepwell: the modules put together, with what was not said filled in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::catalog::folders::DefinitionFolders;
use crate::config::SecretStore;
use crate::core::actor::Actor;
use crate::core::ports::{
    Clock, Executor, JournalError, Models, Ownership, Secrets, Spool, Storage, Timers, ToolServers,
};
use crate::core::settings::Settings;
use crate::engine::{Engine, Environment, Ports, Sleeper};
use crate::models::{LanguageModels, Pace, Surroundings};
use crate::steps::{Steps, clean_environment};
use crate::store::{MemoryState, MemoryStore, Mode, SqliteStore, StateFolder};
use crate::tools::McpServers;

/// Builds an [`Engine`]. Without anything said, its runs are kept in memory and end with it, the settings are the usual
/// ones, and models are those that the environment names, else the demo.
pub struct Builder {
    settings: Settings,
    models: Option<Arc<dyn Models>>,
    tools: Option<Arc<dyn ToolServers>>,
    executor: Option<Arc<dyn Executor>>,
    storage: Arc<dyn Storage>,
    ownership: Arc<dyn Ownership>,
    spool: Arc<dyn Spool>,
    timers: Arc<dyn Timers>,
    own_definitions: Option<PathBuf>,
    state: PathBuf,
    who: Actor,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// An engine whose runs are kept in memory.
    #[must_use]
    pub fn new() -> Self {
        let state = Arc::new(MemoryState::new());
        Self {
            settings: Settings::default(),
            models: None,
            tools: None,
            executor: None,
            storage: Arc::new(MemoryStore::new()),
            ownership: state.clone(),
            spool: state,
            timers: Arc::new(Sleeper),
            own_definitions: None,
            state: PathBuf::new(),
            who: Actor::Person,
        }
    }

    /// Keeps runs in the store at `file`, and what is on its way into it in the folder `state`, as the program does. Several
    /// processes may have the same store open.
    ///
    /// # Errors
    /// When the store cannot be opened: it is damaged, newer, or may not be written.
    pub fn on_disk(self, file: &Path, state: &Path) -> Result<Self, JournalError> {
        let store = SqliteStore::open(file, Mode::Write)?;
        Ok(self.stored(Arc::new(store), state))
    }

    /// As [`Builder::on_disk`], in a store that is open.
    #[must_use]
    pub fn stored(self, store: Arc<dyn Storage>, state: &Path) -> Self {
        let folder = Arc::new(StateFolder::new(state.to_owned()));
        Self { storage: store, ownership: folder.clone(), spool: folder, state: state.to_owned(), ..self }
    }

    /// The config: models, secrets, hosts, what programs find in their environment.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Only the demo answers, at once: what it says is recorded, and nothing is asked of anybody.
    #[must_use]
    pub fn demo(self) -> Self {
        let nothing = Surroundings { lookup: Arc::new(|_| None), ..Surroundings::real(Pace::Instant) };
        let models = LanguageModels::new(Settings::default(), nothing);
        self.models(Arc::new(models))
    }

    /// Language models in the place of those of the config and the environment.
    #[must_use]
    pub fn models(self, models: Arc<dyn Models>) -> Self {
        Self { models: Some(models), ..self }
    }

    /// Servers of tools instead of those of the config.
    #[must_use]
    pub fn tools(self, tools: Arc<dyn ToolServers>) -> Self {
        Self { tools: Some(tools), ..self }
    }

    /// What performs attempts instead of the steps of this crate. It has models and tools of its own: those of
    /// [`Builder::models`] and [`Builder::tools`] are not used then.
    #[must_use]
    pub fn executor(self, executor: Arc<dyn Executor>) -> Self {
        Self { executor: Some(executor), ..self }
    }

    /// What wakes whoever drives a run when something in it is due.
    #[must_use]
    pub fn timers(self, timers: Arc<dyn Timers>) -> Self {
        Self { timers, ..self }
    }

    /// The folder with the person's own definitions, which are trusted.
    #[must_use]
    pub fn own_definitions(self, folder: Option<&Path>) -> Self {
        Self { own_definitions: folder.map(Path::to_owned), ..self }
    }

    /// Who decides, as it is kept with each decision.
    #[must_use]
    pub fn who(self, who: Actor) -> Self {
        Self { who, ..self }
    }

    /// The engine. Nothing is read or asked before it is needed.
    #[must_use]
    pub fn build(self) -> Engine {
        let Self { settings, models, tools, executor, storage, ownership, spool, timers, own_definitions, state, who } =
            self;
        let secrets: Arc<dyn Secrets> = Arc::new(SecretStore::new(settings.secrets.clone()));
        let environment = environment(&settings.pass_on);
        let executor = executor.unwrap_or_else(|| {
            let models = models
                .unwrap_or_else(|| Arc::new(LanguageModels::new(settings.clone(), Surroundings::real(Pace::Natural))));
            let steps = Steps::new(models, Arc::clone(&secrets), environment.clone());
            let tools = tools.unwrap_or_else(|| Arc::new(servers(&settings, Arc::clone(&secrets))));
            Arc::new(steps.with_hosts(settings.hosts.clone()).with_tools(tools).with_own_tools(settings.tools.clone()))
        });
        Engine::new(Ports {
            store: storage,
            executor,
            secrets,
            folders: Arc::new(DefinitionFolders::new(own_definitions.as_deref(), &state)),
            clock: Arc::new(SystemClock),
            environment,
            hosts: settings.hosts,
            ownership,
            spool,
            timers,
            who,
            notify: settings.notify,
        })
    }
}

/// The servers of tools of the config. None is started before it is needed.
pub(crate) fn servers(settings: &Settings, secrets: Arc<dyn Secrets>) -> McpServers {
    McpServers::new(settings.tools.clone(), secrets, clean_environment(environment(&settings.pass_on)))
}

/// The variables of this process that are passed on to what it starts; those that are not set are left out.
pub(crate) fn environment(names: &[String]) -> Environment {
    let set = names.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
    set.collect::<BTreeMap<_, _>>()
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn random(&self) -> [u8; 10] {
        // The random end of a new UUID, from its last byte on: the first two hold its version and variant. Its time is not
        // asked for: a clock before 1970 has none for it.
        let id = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0));
        let mut bytes = [0; 10];
        for (byte, random) in bytes.iter_mut().zip(id.as_bytes().iter().rev()) {
            *byte = *random;
        }
        bytes
    }
}
