//! Connects a model while the interface runs: tries it, writes the config, and has it answer from then on.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use super::Wiring;
use crate::cli::{Dependencies as _, answers};
use crate::config;
use crate::core::failure::Failure;
use crate::core::model::{Completion, DeltaSink, ModelChoice, ModelFailure, ModelRequest};
use crate::core::ports::{BoxFuture, Models};
use crate::core::secret::Secret;
use crate::core::settings::{Connection, DEFAULT_ROLE, Settings, Trial};
use crate::core::usage::Usage;
use crate::export;
use crate::models::{LanguageModels, Pace, Surroundings};

/// The models that answer now; others may take their place.
pub struct SwappableModels(RwLock<Arc<dyn Models>>);

impl SwappableModels {
    pub fn new(models: Arc<dyn Models>) -> Self {
        Self(RwLock::new(models))
    }

    fn now(&self) -> Arc<dyn Models> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, models: Arc<dyn Models>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = models;
    }
}

impl Models for SwappableModels {
    fn complete(
        &self,
        request: ModelRequest,
        deltas: DeltaSink,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Completion, ModelFailure>> {
        self.now().complete(request, deltas, cancel)
    }

    fn choice(&self, name: Option<&str>) -> Result<ModelChoice, Failure> {
        self.now().choice(name)
    }

    fn estimate(&self, models: &[String], prompt_tokens: u64, max_tokens: Option<u32>) -> Usage {
        self.now().estimate(models, prompt_tokens, max_tokens)
    }

    fn spent(&self, models: &[String], prompt_tokens: u64, output_tokens: u64) -> Usage {
        self.now().spent(models, prompt_tokens, output_tokens)
    }

    fn lane(&self, models: &[String]) -> Option<(String, usize)> {
        self.now().lane(models)
    }

    fn choices(&self) -> Vec<ModelChoice> {
        self.now().choices()
    }

    fn probe(&self) -> BoxFuture<'static, ()> {
        self.now().probe()
    }

    fn ask_again(&self) {
        self.now().ask_again();
    }

    fn give_key(&self, provider: &str, key: Secret) -> Result<(), Failure> {
        self.now().give_key(provider, key)
    }

    fn agree(&self, provider: &str) {
        self.now().agree(provider);
    }
}

/// Asks a model for a token; when it answers, changes the config so that it answers for its role, and has it answer in
/// `live`. Gives what is to be said. A key that was typed is used in this process and written nowhere.
///
/// # Errors
/// What went wrong; the config is as it was.
pub async fn connect(wiring: Wiring, live: Arc<SwappableModels>, trial: Trial) -> Result<String, String> {
    let Trial { connection, role, key } = trial;
    let file = wiring.0.config_file.clone();
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("the config {} cannot be read: {error}", file.display())),
    };
    let changed = config::connect(&before, &role, &connection).map_err(|error| error.to_string())?;
    let settings = config::parse("config.toml", &changed)
        .map_err(|mistakes| mistakes.first().map(ToString::to_string).unwrap_or_default())?;
    let give = |models: &dyn Models| match &key {
        Some(key) => models.give_key(&connection.provider, key.clone()).map_err(|failure| failure.message),
        None => Ok(()),
    };
    let models = wiring.models(&settings);
    give(&*models)?;
    answers(&*models, &connection.name()).await?;
    if changed != before {
        write(&file, &changed)
            .map_err(|error| format!("it answers, but {} was not written: {error}", file.display()))?;
    }
    let settings = config::load(&wiring.0).map_err(|error| error.to_string())?;
    let models = wiring.models(&settings);
    give(&*models)?;
    live.replace(models);
    let kept = match (&key, &connection.api_key_env) {
        (Some(_), Some(name)) => format!(". Its key is known until you leave: put it into {name} to keep it"),
        _ => String::new(),
    };
    Ok(format!("{} answered: it is `{role}` now, in {}{kept}", connection.name(), file.display()))
}

/// The models that a server has, asked as the config would have it asked.
///
/// # Errors
/// Why there are none, and what to do.
pub async fn list(connection: Connection, key: Option<Secret>) -> Result<Vec<String>, String> {
    let name = connection.provider.clone();
    let settings = Settings { providers: [(name.clone(), connection.settings())].into(), ..Settings::default() };
    let models = LanguageModels::new(settings, Surroundings::real(Pace::Natural));
    if let Some(key) = key {
        models.give_key(&name, key).map_err(|failure| failure.message)?;
    }
    models.models_of(&name).await
}

/// What each role stands for, as the config says now: the default first.
pub fn roles(wiring: &Wiring) -> Vec<(String, Connection)> {
    let Ok(settings) = config::load(&wiring.0) else { return Vec::new() };
    let connection = |name: &str| {
        let (provider, model) = name.split_once('/')?;
        let known = settings.providers.get(provider)?;
        Some(Connection {
            provider: provider.to_owned(),
            kind: known.kind,
            base_url: known.base_url.clone(),
            api_key_env: known.api_key_env.clone(),
            model: model.to_owned(),
        })
    };
    let mut roles: Vec<(String, Connection)> =
        settings.models.iter().filter_map(|(role, set)| Some((role.clone(), connection(&set.model)?))).collect();
    roles.sort_by_key(|(role, _)| role != DEFAULT_ROLE);
    roles
}

/// Writes the config, where a link leads to; its folder is made when it is not there.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = export::file::target(file)?.parent() {
        crate::config::private_folder(folder)?;
    }
    export::file::write_private(file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Paths;
    use crate::core::failure::FailureClass;
    use crate::core::model::Delta;
    use crate::core::settings::ProviderKind;

    fn demo() -> Connection {
        Connection { provider: "demo".into(), kind: ProviderKind::Demo, model: "demo".into(), ..Connection::default() }
    }

    fn as_default(connection: Connection) -> Trial {
        Trial { connection, role: DEFAULT_ROLE.to_owned(), key: None }
    }

    fn wiring(folder: &Path) -> Wiring {
        Wiring(Paths {
            config_file: folder.join("config.toml"),
            tasks: folder.join("tasks"),
            workflows: folder.join("workflows"),
            store: folder.join("stepwell.db"),
            state: folder.join("state"),
        })
    }

    #[tokio::test]
    async fn a_model_that_answers_is_written_into_the_config_and_answers_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let wiring = wiring(folder.path());
        std::fs::write(&wiring.0.config_file, "# mine\n[ui]\nmouse = false\n").unwrap();
        let live = Arc::new(SwappableModels::new(wiring.models(&crate::core::settings::Settings::default())));
        let said = connect(wiring.clone(), Arc::clone(&live), as_default(demo())).await.unwrap();
        assert!(said.starts_with("demo/demo answered"), "{said}");
        let text = std::fs::read_to_string(&wiring.0.config_file).unwrap();
        assert!(text.starts_with("# mine\n[ui]\nmouse = false\n\n[models]\ndefault = \"demo/demo\"\n"), "{text}");
        assert!(live.choice(None).unwrap().why.contains("config"));
        assert_eq!(roles(&wiring), [(DEFAULT_ROLE.to_owned(), demo())]);
    }

    /// Refuses a short answer, then speaks without end until it is stopped.
    struct Wordy;

    impl Models for Wordy {
        fn complete(
            &self,
            request: ModelRequest,
            deltas: DeltaSink,
            cancel: CancellationToken,
        ) -> BoxFuture<'static, Result<Completion, ModelFailure>> {
            Box::pin(async move {
                let failed = |class, partial| ModelFailure {
                    partial,
                    ..ModelFailure::new(Failure::new(class, "more tokens are wanted"))
                };
                if request.max_tokens.is_some() {
                    return Err(failed(FailureClass::BadRequest, crate::core::text::Untrusted::default()));
                }
                deltas(Delta::Text("yes".into()));
                cancel.cancelled().await;
                Err(failed(FailureClass::Server, "yes".into()))
            })
        }

        fn choice(&self, _name: Option<&str>) -> Result<ModelChoice, Failure> {
            Err(Failure::new(FailureClass::Definition, "none"))
        }

        fn estimate(&self, _models: &[String], _prompt_tokens: u64, _max_tokens: Option<u32>) -> Usage {
            Usage::default()
        }

        fn lane(&self, _models: &[String]) -> Option<(String, usize)> {
            None
        }
    }

    #[tokio::test]
    async fn a_trial_ends_with_the_first_token_even_where_a_short_answer_is_refused() {
        answers(&Wordy, "wordy/x").await.unwrap();
    }

    #[tokio::test]
    async fn a_model_that_does_not_answer_leaves_the_config_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let wiring = wiring(folder.path());
        let live = Arc::new(SwappableModels::new(wiring.models(&crate::core::settings::Settings::default())));
        let nobody = Connection {
            provider: "box".into(),
            kind: ProviderKind::Ollama,
            base_url: Some("http://127.0.0.1:9".into()),
            ..demo()
        };
        connect(wiring.clone(), live, as_default(nobody)).await.unwrap_err();
        assert!(!wiring.0.config_file.exists());
    }
}
