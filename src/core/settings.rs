//! Settings: what a person's config file says, as plain data.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::form::Field;
use super::secret::Secret;
use super::step::Timespan;
use super::tool::DeclaredTools;
use super::tuning::ModelDefaults;
use super::usage::Price;

/// Everything that the config file may say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `[models]`: what each role stands for. `default` is the role of a step that names none.
    pub models: BTreeMap<String, RoleSettings>,
    /// `[providers.NAME]`.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// `[tools.NAME]`: MCP servers, and tools of the person's own.
    pub tools: DeclaredTools,
    /// `[secrets] NAME = [argv]`: the command that prints the secret `cmd:NAME`.
    pub secrets: BTreeMap<String, Vec<String>>,
    /// `[defaults.TASK] INPUT = …`: defaults for a task's inputs in place of its own.
    pub defaults: BTreeMap<String, Map<String, Value>>,
    /// `[process] env`: variables that commands and programs get besides those of a clean environment.
    pub pass_on: Vec<String>,
    /// `[http] hosts`: hosts to which requests of every workflow go without a question.
    pub hosts: Vec<String>,
    /// `[notify] command`: run when a run waits, fails or is done; empty for none.
    pub notify: Vec<String>,
    /// `[ui]`.
    pub ui: UiSettings,
}

impl Settings {
    /// A task's inputs with the defaults that the person has set for it. A name that the task does not have is left
    /// alone: the config may be older than the task.
    ///
    /// # Errors
    /// For each default that does not fit its input: what is wrong.
    pub fn overlay(&self, task: &str, inputs: &[Field]) -> Result<Vec<Field>, Vec<String>> {
        let Some(defaults) = self.defaults.get(task) else { return Ok(inputs.to_vec()) };
        let mut wrong = Vec::new();
        let mut laid = inputs.to_vec();
        for field in &mut laid {
            let Some(value) = defaults.get(&field.name) else { continue };
            // A path: what is there is seen when a run starts.
            let checked = if field.kind.is_read() { Ok(value.clone()) } else { field.validate(value) };
            match checked {
                Ok(value) => (field.default, field.required) = (Some(value), false),
                Err(why) => wrong.push(format!("[defaults.{task}] {}: {why}", field.name)),
            }
        }
        if wrong.is_empty() { Ok(laid) } else { Err(wrong) }
    }
}

/// What a role stands for: a model, and what to ask when it fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleSettings {
    /// `PROVIDER/MODEL`.
    pub model: String,
    /// Roles or `PROVIDER/MODEL`, in order.
    pub fallback: Vec<String>,
    /// How they are asked, where a step does not say.
    pub defaults: ModelDefaults,
}

impl From<&str> for RoleSettings {
    fn from(model: &str) -> Self {
        Self { model: model.to_owned(), ..Self::default() }
    }
}

/// What a provider speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProviderKind {
    /// Chat completions, as `OpenAI` and most servers speak them.
    #[default]
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Ollama's own protocol.
    Ollama,
    /// The demo that is always there.
    Demo,
}

impl ProviderKind {
    /// The name in the config.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
            Self::Demo => "demo",
        }
    }

    /// Where it is asked when the config does not say; empty for the demo.
    #[must_use]
    pub fn base_url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Ollama => "http://127.0.0.1:11434",
            Self::Demo => "",
        }
    }

    /// The environment variable that holds the key of its own service.
    #[must_use]
    pub fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Ollama | Self::Demo => None,
        }
    }
}

/// One provider: `[providers.NAME]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderSettings {
    /// The protocol.
    pub kind: ProviderKind,
    /// Where it is asked, with its `/v1` for the `openai` kind; `None`: [`ProviderKind::base_url`].
    pub base_url: Option<String>,
    /// The environment variable with the key; `None`: [`ProviderKind::key_variable`], if `base_url` is the service's own, so
    /// that a key never goes to a server that it is not for.
    pub api_key_env: Option<String>,
    /// An argv that prints the key; run once per process, when the key is first needed.
    pub api_key_command: Option<Vec<String>>,
    /// Further headers of every request: their values, or references to them (`env:NAME`, `cmd:NAME`). Treated as secrets.
    pub headers: BTreeMap<String, String>,
    /// Requests at the same time; `None`: 1 for a local Ollama, else as many as the run wants.
    pub max_concurrency: Option<usize>,
    /// Requests a minute; what is above waits.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, by estimate before and as reported after a request; what is above waits.
    pub tokens_per_minute: Option<u64>,
    /// From the request to the first token; `None`: [`FIRST_TOKEN_TIMEOUT`].
    pub first_token_timeout: Option<Timespan>,
    /// Between two pieces of the answer; `None`: [`IDLE_TIMEOUT`].
    pub idle_timeout: Option<Timespan>,
    /// US dollars per million tokens; `None`: costs nothing, as far as is known.
    pub price: Option<Price>,
    /// Those of single models, which count before `price`.
    pub prices: BTreeMap<String, Price>,
    /// How its models are asked, where neither a step nor a role says.
    pub defaults: ModelDefaults,
    /// Ollama: the longest context that is asked for, in tokens.
    pub num_ctx: Option<u64>,
    /// Ollama: how long a model stays loaded, `"10m"` or a number of seconds.
    pub keep_alive: Option<Value>,
    /// Anthropic: the system text, and the conversation so far, are kept by the service for the next request.
    pub prompt_caching: bool,
}

impl ProviderSettings {
    /// The price of a model, if it is known.
    #[must_use]
    pub fn price_of(&self, model: &str) -> Option<Price> {
        self.prices.get(model).copied().or(self.price)
    }

    /// The time from the request to the first token.
    #[must_use]
    pub fn first_token(&self) -> Timespan {
        self.first_token_timeout.unwrap_or(FIRST_TOKEN_TIMEOUT)
    }

    /// The time between two pieces of the answer.
    #[must_use]
    pub fn idle(&self) -> Timespan {
        self.idle_timeout.unwrap_or(IDLE_TIMEOUT)
    }
}

/// A model, and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The name under `[providers]`.
    pub provider: String,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where it is asked; `None`: the kind's own address.
    pub base_url: Option<String>,
    /// The variable with its key; `None`: the kind's own, or none.
    pub api_key_env: Option<String>,
    /// The model's name, without the provider.
    pub model: String,
}

impl Connection {
    /// The model as the config names it, `PROVIDER/MODEL`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// The provider's settings.
    #[must_use]
    pub fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            kind: self.kind,
            base_url: self.base_url.clone(),
            api_key_env: self.api_key_env.clone(),
            ..ProviderSettings::default()
        }
    }
}

/// A model that is to answer for a role from now on, once it has answered a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// How it is reached.
    pub connection: Connection,
    /// The role.
    pub role: String,
    /// Its key, for this session only.
    pub key: Option<Secret>,
}

/// The role of a step that names none.
pub const DEFAULT_ROLE: &str = "default";

/// A model that could be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How.
    pub connection: Connection,
    /// Why it is known: `GROQ_API_KEY is set`, `it answers on port 1234`.
    pub why: String,
}

/// Loading a local model, or thinking before the first word, can take minutes.
pub const FIRST_TOKEN_TIMEOUT: Timespan = Timespan(300_000);

/// A server that has begun and then says nothing for so long hangs.
pub const IDLE_TIMEOUT: Timespan = Timespan(90_000);

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the terminal says.
    #[default]
    Auto,
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
    /// No colour at all.
    None,
}

/// How the full-screen interface looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiSettings {
    /// Light or dark.
    pub theme: Theme,
    /// Whether the mouse is taken.
    pub mouse: bool,
}

impl Default for UiSettings {
    fn default() -> Self {
        Self { theme: Theme::Auto, mouse: true }
    }
}
