//! Who may answer: roles and providers of the config, what is found by a key or a port, and the demo.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;

use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{ModelChoice, ModelRequest};

use super::http::Clients;
use super::provider::{Lookup, Origin, Provider};
use crate::core::settings::{ProviderKind, ProviderSettings, RoleSettings, Settings};
use crate::core::tuning::ModelDefaults;

/// The model that answers when only a key of Anthropic is found.
pub const ANTHROPIC_MODEL: &str = "claude-sonnet-4-5";

/// The model that answers when only a key of `OpenAI` is found.
pub const OPENAI_MODEL: &str = "gpt-5";

/// The demo's only model.
pub const DEMO_MODEL: &str = "recorded";

/// The role that answers when nothing else is named.
const DEFAULT: &str = "default";

/// A model of a provider.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) provider: Arc<Provider>,
    pub(super) model: String,
    /// The person's own config names it.
    configured: bool,
    /// How the role that names it has it asked.
    role: ModelDefaults,
}

impl Target {
    /// How it is asked where the step does not say: as its role says, else as its provider does.
    pub(super) fn defaults(&self) -> ModelDefaults {
        self.role.over(&self.provider.settings.defaults)
    }

    /// A request as this model gets it.
    pub(super) fn asked<'a>(&self, request: &'a ModelRequest) -> Cow<'a, ModelRequest> {
        let defaults = self.defaults();
        if defaults == ModelDefaults::default() {
            return Cow::Borrowed(request);
        }
        let own = ModelDefaults {
            temperature: request.temperature,
            max_tokens: request.max_tokens,
            tuning: request.tuning.clone(),
        };
        let ModelDefaults { temperature, max_tokens, tuning } = own.over(&defaults);
        Cow::Owned(ModelRequest { temperature, max_tokens, tuning, ..request.clone() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider.name, self.model)
    }
}

pub(super) struct Roster {
    roles: BTreeMap<String, RoleSettings>,
    providers: BTreeMap<String, Arc<Provider>>,
    agreed: RwLock<BTreeSet<String>>,
    lookup: Lookup,
    /// Always there, even when the config uses its name for something else.
    demo: Arc<Provider>,
    /// The model that a local Ollama would answer with, once one was found.
    found: OnceLock<String>,
    /// An Ollama answers, and has no model that can talk.
    empty: OnceLock<()>,
}

impl Roster {
    pub(super) fn new(settings: Settings, lookup: Lookup, ollama: &str) -> Self {
        let mut providers = BTreeMap::new();
        for (kind, origin) in [
            (ProviderKind::Anthropic, Origin::Key),
            (ProviderKind::OpenAi, Origin::Key),
            (ProviderKind::Ollama, Origin::Port),
        ] {
            let base_url = (kind == ProviderKind::Ollama).then(|| ollama.to_owned());
            let settings = ProviderSettings { kind, base_url, ..ProviderSettings::default() };
            providers.insert(kind.name().to_owned(), Arc::new(Provider::new(kind.name(), settings, origin)));
        }
        for (name, mut provider) in settings.providers {
            if provider.kind == ProviderKind::Ollama {
                provider.base_url.get_or_insert_with(|| ollama.to_owned());
            }
            let provider = Provider::new(&name, provider, Origin::Config).with_secrets(&settings.secrets);
            providers.insert(name, Arc::new(provider));
        }
        let demo = ProviderSettings { kind: ProviderKind::Demo, ..ProviderSettings::default() };
        let demo = Arc::new(Provider::new(ProviderKind::Demo.name(), demo, Origin::BuiltIn));
        providers.entry(ProviderKind::Demo.name().to_owned()).or_insert_with(|| Arc::clone(&demo));
        let agreed = RwLock::new(BTreeSet::new());
        Self { roles: settings.models, providers, agreed, lookup, demo, found: OnceLock::new(), empty: OnceLock::new() }
    }

    pub(super) fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.get(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// The models of a provider that roles name, each once.
    pub(super) fn named_models(&self, provider: &str) -> Vec<String> {
        let named = self.roles.values().flat_map(|role| std::iter::once(&role.model).chain(&role.fallback));
        let of_it = named.filter_map(|name| name.split_once('/').filter(|(named, _)| *named == provider));
        of_it.map(|(_, model)| model.to_owned()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn agree(&self, provider: &str) {
        self.agreed.write().unwrap_or_else(PoisonError::into_inner).insert(provider.to_owned());
    }

    /// The models to ask, in order, each once: roles are replaced by what they stand for.
    pub(super) fn chain(&self, names: &[String]) -> Result<Vec<Target>, Failure> {
        let mut chain = Vec::new();
        let usual = [DEFAULT.to_owned()];
        for name in if names.is_empty() { &usual } else { names } {
            self.expand(name, None, &mut BTreeSet::new(), &mut chain)?;
        }
        let mut seen = BTreeSet::new();
        chain.retain(|target| seen.insert(target.to_string()));
        Ok(chain)
    }

    fn expand<'a>(
        &'a self,
        name: &'a str,
        role: Option<&ModelDefaults>,
        within: &mut BTreeSet<&'a str>,
        chain: &mut Vec<Target>,
    ) -> Result<(), Failure> {
        if let Some(RoleSettings { model, fallback, defaults }) = self.roles.get(name) {
            if !within.insert(name) {
                return Err(definition(format!(
                    "The role `{name}` of the config leads back to itself: name a model as PROVIDER/MODEL."
                )));
            }
            // Of a role that leads to another the outer one is nearer.
            let defaults = role.map_or_else(|| defaults.clone(), |outer| outer.over(defaults));
            for model in std::iter::once(model).chain(fallback) {
                self.expand(model, Some(&defaults), within, chain)?;
            }
            within.remove(name);
            return Ok(());
        }
        let target = match name.split_once('/') {
            Some((provider, model)) if !model.is_empty() => {
                self.provider(provider).map(|provider| (provider, model.to_owned()))
            }
            Some(_) => None,
            None if name == DEFAULT => Some(self.found()),
            None => self.provider(name).and_then(|provider| Some((provider, self.usual_model(provider)?))),
        };
        let Some((provider, model)) = target else { return Err(self.unknown(name)) };
        let (configured, role) = (role.is_some(), role.cloned().unwrap_or_default());
        chain.push(Target { provider: Arc::clone(provider), model, configured, role });
        Ok(())
    }

    /// Who answers when no role says so: by a key, by a port, else the demo.
    fn found(&self) -> (&Arc<Provider>, String) {
        let built_in = |kind: ProviderKind| {
            let provider = self.usable(kind)?;
            Some((provider, self.usual_model(provider)?))
        };
        let order = [ProviderKind::Anthropic, ProviderKind::OpenAi, ProviderKind::Ollama];
        order.into_iter().find_map(built_in).unwrap_or_else(|| (&self.demo, DEMO_MODEL.to_owned()))
    }

    /// The provider that has the name of its kind, if it could answer as far as is known.
    fn usable(&self, kind: ProviderKind) -> Option<&Arc<Provider>> {
        let provider = self.provider(kind.name()).filter(|provider| provider.settings.kind == kind)?;
        let by_variable = || provider.key_variable().and_then(|name| (self.lookup)(name));
        let usable = match kind {
            ProviderKind::Anthropic | ProviderKind::OpenAi => {
                provider.settings.api_key_command.is_some() || by_variable().is_some_and(|key| !key.trim().is_empty())
            }
            ProviderKind::Ollama => self.found.get().is_some(),
            ProviderKind::Demo => true,
        };
        usable.then_some(provider)
    }

    /// The model of a provider that is named alone.
    fn usual_model(&self, provider: &Provider) -> Option<String> {
        match provider.settings.kind {
            ProviderKind::Anthropic if provider.official() => Some(ANTHROPIC_MODEL.to_owned()),
            ProviderKind::OpenAi if provider.official() => Some(OPENAI_MODEL.to_owned()),
            ProviderKind::Ollama if provider.origin == Origin::Port => self.found.get().cloned(),
            ProviderKind::Demo => Some(DEMO_MODEL.to_owned()),
            _ => None,
        }
    }
}

impl Roster {
    /// Whether a person has to agree before anything is sent to it: its provider was only found, and nobody has yet.
    pub(super) fn must_ask(&self, target: &Target) -> bool {
        let found = !target.configured && matches!(target.provider.origin, Origin::Key | Origin::Port);
        let agreed = || self.agreed.read().unwrap_or_else(PoisonError::into_inner).contains(&target.provider.name);
        found && !agreed()
    }

    /// Which model would answer for a name, and why.
    pub(super) fn choice(&self, name: Option<&str>) -> Result<ModelChoice, Failure> {
        let name = name.unwrap_or(DEFAULT);
        let chain = self.chain(&[name.to_owned()])?;
        let Some(target) = chain.first() else { return Err(self.unknown(name)) };
        let provider = &target.provider;
        let usual = name == DEFAULT && !self.roles.contains_key(name);
        let why = if self.roles.contains_key(name) {
            format!("the config's role \"{name}\"")
        } else if !usual {
            format!("it is named as \"{name}\"")
        } else {
            match (provider.settings.kind, provider.key_variable()) {
                (ProviderKind::Demo, _) if self.empty.get().is_some() => {
                    "no model is configured, and the Ollama that answers has none yet: `ollama pull qwen3:8b` gets one"
                        .to_owned()
                }
                (ProviderKind::Demo, _) => {
                    "no model is configured, and neither a key nor a local Ollama was found".to_owned()
                }
                (ProviderKind::Ollama, _) => format!("an Ollama answers at {}", provider.host()),
                (_, Some(variable)) => format!("{variable} is set"),
                (_, None) => format!("the config has a key for {}", provider.name),
            }
        };
        let ask_first = self.must_ask(target);
        let config_lines = match (ask_first, usual) {
            (false, _) => String::new(),
            (true, true) => format!("[models]\ndefault = \"{target}\""),
            (true, false) => format!("[providers.{}]\nkind = \"{}\"", provider.name, provider.settings.kind.name()),
        };
        let demo = provider.settings.kind == ProviderKind::Demo;
        Ok(ModelChoice { model: target.to_string(), why, demo, ask_first, config_lines })
    }

    /// The default, then every other role, then what else was found, and the demo.
    pub(super) fn choices(&self) -> Vec<ModelChoice> {
        let roles = self.roles.keys().filter(|role| *role != DEFAULT).cloned();
        let built_in = [ProviderKind::Anthropic, ProviderKind::OpenAi, ProviderKind::Ollama, ProviderKind::Demo];
        let usable =
            built_in.into_iter().filter(|kind| self.usable(*kind).is_some()).map(|kind| kind.name().to_owned());
        let mut choices: Vec<ModelChoice> = Vec::new();
        let names = std::iter::once(DEFAULT.to_owned()).chain(roles).chain(usable);
        for name in names {
            match self.choice(Some(&name)) {
                Ok(choice) if !choices.iter().any(|c| c.model == choice.model && c.why == choice.why) => {
                    choices.push(choice);
                }
                _ => {}
            }
        }
        choices
    }

    /// Asks the usual port whether an Ollama is there, if nothing better is known.
    pub(super) async fn probe(&self, clients: &Clients, patience: Duration) {
        if self.roles.contains_key(DEFAULT) || self.found().0.settings.kind != ProviderKind::Demo {
            return;
        }
        let Some(provider) = self.provider(ProviderKind::Ollama.name()).filter(|p| p.origin == Origin::Port) else {
            return;
        };
        let asked = async {
            let url = provider.url("/api/tags").ok()?;
            let response = clients.client(&url).ok()?.0.get(url).send().await.ok()?;
            response.json::<Tags>().await.ok()
        };
        if let Ok(Some(tags)) = tokio::time::timeout(patience, asked).await {
            // Newest first; a model for embeddings cannot talk.
            match tags.models.into_iter().find(|tag| !tag.name.contains("embed")) {
                Some(tag) => drop(self.found.set(tag.name)),
                None => drop(self.empty.set(())),
            }
        }
    }

    fn unknown(&self, name: &str) -> Failure {
        let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let roles = list(self.roles.keys().map(String::as_str).collect());
        let providers = list(self.providers.keys().map(String::as_str).collect());
        definition(match name.split_once('/') {
            Some((provider, _)) if !self.providers.contains_key(provider) => format!(
                "No provider `{provider}` for the model `{name}`. There are: {providers}. \
                 Add [providers.{provider}] to the config, or name another."
            ),
            _ => format!(
                "`{name}` is neither a role of the config (there are: {roles}) nor PROVIDER/MODEL (providers: {providers}). \
                 Add `{name} = \"PROVIDER/MODEL\"` under [models] in the config, or name another."
            ),
        })
    }
}

/// What an Ollama has.
#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

fn definition(message: String) -> Failure {
    Failure::new(FailureClass::Definition, message)
}
