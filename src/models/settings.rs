//! What the config says about models: roles and providers, as plain data that another room fills in.
//!
//! Reading a value never asks the environment or the network; an absent value has the default that its field names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::core::step::Span;
use crate::core::usage::Price;

/// The tables `[models]` and `[providers]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[models]`: roles by name. `default` is the one that answers when nothing else is named.
    pub models: BTreeMap<String, RoleSettings>,
    /// `[providers]`: providers by name, as the config has them. What is found by a key or a port is not in here.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Providers that were only found, and that the person agreed to use: they are not asked about again.
    #[serde(skip)]
    pub agreed: BTreeSet<String>,
}

/// A role: a model, and those that answer when it fails. Written `"PROVIDER/MODEL"` or as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSettings {
    /// `PROVIDER/MODEL`, or another role.
    pub model: String,
    /// Models or roles to fall back to, in order.
    pub fallback: Vec<String>,
}

impl From<&str> for RoleSettings {
    fn from(model: &str) -> Self {
        Self { model: model.to_owned(), fallback: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for RoleSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            model: String,
            #[serde(default)]
            fallback: Vec<String>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RoleSettings;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"PROVIDER/MODEL\" or { model = \"PROVIDER/MODEL\", fallback = [\"…\"] }")
            }
            fn visit_str<E>(self, model: &str) -> Result<RoleSettings, E> {
                Ok(RoleSettings::from(model))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RoleSettings, A::Error> {
                let Table { model, fallback } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RoleSettings { model, fallback })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Which protocol a provider speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Chat completions: `OpenAI`, and any server that speaks like it.
    #[default]
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Ollama's own protocol.
    Ollama,
    /// The built-in demo: no network.
    Demo,
}

impl Kind {
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
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSettings {
    /// The protocol.
    pub kind: Kind,
    /// Where it is asked, with its `/v1` for the `openai` kind; `None`: [`Kind::base_url`].
    pub base_url: Option<String>,
    /// The environment variable with the key; `None`: [`Kind::key_variable`], if `base_url` is the service's own, so
    /// that a key never goes to a server that it is not for.
    pub api_key_env: Option<String>,
    /// An argv that prints the key; run once per process, when the key is first needed.
    pub api_key_command: Option<Vec<String>>,
    /// Further headers of every request. Their values are treated as secrets.
    pub headers: BTreeMap<String, String>,
    /// Requests at the same time; `None`: 1 for a local Ollama, else as many as the run wants.
    pub max_concurrency: Option<usize>,
    /// Requests a minute; what is above waits.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, by estimate before and as reported after a request; what is above waits.
    pub tokens_per_minute: Option<u64>,
    /// From the request to the first token; `None`: [`FIRST_TOKEN_TIMEOUT`].
    #[serde(deserialize_with = "span")]
    pub first_token_timeout: Option<Span>,
    /// Between two pieces of the answer; `None`: [`IDLE_TIMEOUT`].
    #[serde(deserialize_with = "span")]
    pub idle_timeout: Option<Span>,
    /// US dollars per million tokens; `None`: costs nothing, as far as is known.
    pub price: Option<Price>,
}

impl ProviderSettings {
    /// The time from the request to the first token.
    #[must_use]
    pub fn first_token(&self) -> Span {
        self.first_token_timeout.unwrap_or(FIRST_TOKEN_TIMEOUT)
    }

    /// The time between two pieces of the answer.
    #[must_use]
    pub fn idle(&self) -> Span {
        self.idle_timeout.unwrap_or(IDLE_TIMEOUT)
    }
}

/// Loading a local model, or thinking before the first word, can take minutes.
pub const FIRST_TOKEN_TIMEOUT: Span = Span(300_000);

/// A server that has begun and then says nothing for so long hangs.
pub const IDLE_TIMEOUT: Span = Span(90_000);

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bad = || D::Error::custom(format!("`{text}` is not a length of time: write 500ms, 2s, 5m, 1h or 2d"));
    Span::parse(&text).map(Some).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_of_the_design_is_read() {
        let settings: Settings = toml::from_str(
            r#"
            [models]
            default = "local/qwen3:8b"
            careful = { model = "openai/gpt-5", fallback = ["local/qwen3:8b"] }
            [providers.local]
            kind = "ollama"
            base_url = "http://127.0.0.1:11434"
            api_key_command = ["pass", "show", "key"]
            headers = { "X-Team" = "a" }
            first_token_timeout = "2m"
            price = { input = 1.0, output = 2.5 }
            "#,
        )
        .unwrap();
        assert_eq!(settings.models["default"], RoleSettings::from("local/qwen3:8b"));
        assert_eq!(settings.models["careful"].fallback, ["local/qwen3:8b"]);
        let local = &settings.providers["local"];
        assert_eq!((local.kind, local.first_token_timeout), (Kind::Ollama, Some(Span(120_000))));
        assert_eq!(local.idle_timeout, None);
    }

    #[test]
    fn a_mistake_in_the_config_says_what_would_be_right() {
        for (config, says) in [
            ("[models]\ndefault = 3", "PROVIDER/MODEL"),
            ("[models]\ndefault = { modle = \"x\" }", "unknown field `modle`, expected `model` or `fallback`"),
            ("[providers.a]\nkind = \"openia\"", "unknown variant `openia`, expected one of `openai`"),
            ("[providers.a]\nidle_timeout = \"soon\"", "write 500ms, 2s"),
            ("[providers.a]\nurl = \"http://x\"", "unknown field `url`"),
        ] {
            let error = toml::from_str::<Settings>(config).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
