//! Language models, asked over a real connection: what a person gets from each protocol, and from each way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may fail loudly")]

mod answers;
mod bodies;
mod choice;
mod failures;
mod refusals;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod tools;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use stepwell::core::failure::FailureClass;
use stepwell::core::model::{Completion, Delta, DeltaSink, Finish, Image, Message, ModelFailure, ModelRequest, Role};
use stepwell::core::ports::Models as _;
use stepwell::core::secret::Secret;
use stepwell::core::settings::{ProviderKind, ProviderSettings, RoleSettings, Settings};
use stepwell::core::step::Timespan;
use stepwell::core::usage::Price;
use stepwell::models::{LanguageModels, Pace, Surroundings};
use support::model_server::{ModelServer, Reply};
use support::patience::PATIENCE;
use tokio_util::sync::CancellationToken;

const KINDS: [ProviderKind; 3] = [ProviderKind::OpenAi, ProviderKind::Anthropic, ProviderKind::Ollama];

fn surroundings(environment: &'static [(&'static str, &'static str)]) -> Surroundings {
    Surroundings {
        lookup: Arc::new(|name| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())),
        wall: Arc::new(SystemTime::now),
        pace: Pace::Instant,
        // A port that nothing listens on.
        ollama: "http://127.0.0.1:1".to_owned(),
        local: PATIENCE,
    }
}

fn provider(kind: ProviderKind, server: &ModelServer) -> ProviderSettings {
    let path = if kind == ProviderKind::OpenAi { "/v1" } else { "" };
    ProviderSettings { kind, base_url: Some(format!("{}{path}", server.url())), ..ProviderSettings::default() }
}

/// A config with these providers, where the role `default` asks the first and falls back to the others.
fn config(providers: Vec<(&str, ProviderSettings)>) -> Settings {
    let mut names = providers.iter().map(|(name, _)| format!("{name}/m"));
    let role = RoleSettings { model: names.next().unwrap(), fallback: names.collect(), ..RoleSettings::default() };
    let providers = providers.into_iter().map(|(name, provider)| (name.to_owned(), provider)).collect();
    Settings { models: BTreeMap::from([("default".to_owned(), role)]), providers, ..Settings::default() }
}

fn models(settings: Settings) -> LanguageModels {
    LanguageModels::new(settings, surroundings(&[("TEST_KEY", "sk-very-secret")]))
}

fn request(prompt: &str) -> ModelRequest {
    ModelRequest {
        models: Vec::new(),
        messages: vec![Message::new(Role::System, "Be brief."), Message::new(Role::User, prompt)],
        ..ModelRequest::default()
    }
}

/// Collects what a person would see; apart from that, which models are asked.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<Delta>>>, Arc<Mutex<Vec<String>>>);

impl Screen {
    fn sink(&self) -> DeltaSink {
        let (seen, asked) = (Arc::clone(&self.0), Arc::clone(&self.1));
        Arc::new(move |delta| match delta {
            Delta::Asks(model) => asked.lock().unwrap().push(model),
            delta => seen.lock().unwrap().push(delta),
        })
    }

    /// The text that stands: a restart clears it.
    fn text(&self) -> String {
        self.0.lock().unwrap().iter().fold(String::new(), |text, delta| match delta {
            Delta::Text(more) => text + more.data(),
            Delta::Restart(_) => String::new(),
            _ => text,
        })
    }

    fn restarts(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter().filter_map(|d| if let Delta::Restart(cause) = d { Some(cause.clone()) } else { None }).collect()
    }
}

async fn ask(models: &LanguageModels, request: ModelRequest) -> Result<Completion, ModelFailure> {
    models.complete(request, Screen::default().sink(), CancellationToken::new()).await
}

async fn fails(settings: Settings) -> ModelFailure {
    ask(&models(settings), request("Say hello")).await.expect_err("it should fail")
}

/// Which time a provider is hasty about. The other has its default, which no machine is too slow for.
#[derive(Clone, Copy)]
enum Hasty {
    /// The time to the first token.
    First,
    /// The time to the next.
    Next,
}

impl Hasty {
    fn with(self, settings: ProviderSettings) -> ProviderSettings {
        let soon = Some(Timespan(60));
        match self {
            Self::First => ProviderSettings { first_token_timeout: soon, ..settings },
            Self::Next => ProviderSettings { idle_timeout: soon, ..settings },
        }
    }
}
