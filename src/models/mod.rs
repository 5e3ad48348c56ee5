//! Language models behind the one port [`Models`]: chat completions, Anthropic's messages, Ollama, and the demo.
//!
//! It promises: an answer is always streamed, and never spliced from two; a failure has its class, says which provider
//! at which host, and what to do; a key goes to its own provider only, and is never shown; after a key was not taken
//! nothing more goes to that provider; the network is asked only when a model is, or by [`Models::probe`].
//! It may not read the config or the environment by itself: both are given ([`Settings`], [`Surroundings`]).

mod anthropic;
mod demo;
mod dialect;
mod discover;
mod exchange;
mod finish;
mod frames;
mod halves;
mod http;
mod inspect;
mod key;
mod lenient;
mod limits;
mod offers;
mod ollama;
mod ollama_host;
mod opaque;
mod openai;
mod outcome;
mod partial_answer;
mod provider;
mod refusal;
mod roster;
mod stray;
mod tool_calls;
mod tools_refused;
mod unsupported;
mod wait;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Completion, Delta, DeltaSink, Discarded, Inspected, ModelChoice, ModelFailure, ModelRequest};
use crate::core::ports::{BoxFuture, Models};
use crate::core::secret::Secret;
use crate::core::text::Untrusted;
use crate::core::usage::Usage;

pub use demo::{Pace, RECORDINGS};
pub use dialect::WRAPPER;
pub use provider::{Lookup, Origin};
pub use roster::{ANTHROPIC_MODEL, DEMO_MODEL, OPENAI_MODEL};
pub use watch::WallClock;

use crate::core::settings::{ProviderKind, Settings};
use dialect::Dialect;
use exchange::{Exchange, Shared, USUAL_ANSWER};
use outcome::{Answered, Failed};
use roster::{Roster, Target};

/// What the module needs from outside, so that tests decide it.
#[derive(Clone)]
pub struct Surroundings {
    /// Environment variables.
    pub lookup: Lookup,
    /// The time of day.
    pub wall: WallClock,
    /// How fast the demo answers.
    pub pace: Pace,
    /// Where an Ollama is looked for that no `base_url` leads to.
    pub ollama: String,
    /// How long a server on this machine may take to say that it is there.
    pub local: Duration,
}

/// On a machine that is not too busy for its servers, it takes a few milliseconds.
const LOCAL: Duration = Duration::from_millis(400);

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn real(pace: Pace) -> Self {
        Self {
            lookup: Arc::new(|name| std::env::var(name).ok()),
            wall: Arc::new(std::time::SystemTime::now),
            pace,
            ollama: std::env::var("OLLAMA_HOST")
                .ok()
                .and_then(|host| ollama_host::address(&host))
                .unwrap_or_else(|| ProviderKind::Ollama.base_url().to_owned()),
            local: LOCAL,
        }
    }
}

/// The language models of the config, those found, and the demo. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct LanguageModels(Arc<Inner>);

struct Inner {
    roster: Roster,
    shared: Shared,
    pace: Pace,
    local: Duration,
}

impl LanguageModels {
    /// Takes what the config says. Nothing is asked and nothing is built before it is needed.
    #[must_use]
    pub fn new(settings: Settings, surroundings: Surroundings) -> Self {
        let Surroundings { lookup, wall, pace, ollama, local } = surroundings;
        let shared = Shared { clients: Arc::default(), lookup: Arc::clone(&lookup), wall };
        Self(Arc::new(Inner { roster: Roster::new(settings, lookup, &ollama), shared, pace, local }))
    }
}

impl Models for LanguageModels {
    fn complete(
        &self,
        request: ModelRequest,
        deltas: DeltaSink,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Completion, ModelFailure>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.complete(&request, &deltas, &cancel).await })
    }

    fn choice(&self, name: Option<&str>) -> Result<ModelChoice, Failure> {
        self.0.roster.choice(name)
    }

    fn estimate(&self, models: &[String], prompt_tokens: u64, max_tokens: Option<u32>) -> Usage {
        let chain = self.0.roster.chain(models).unwrap_or_default();
        let limit = |target: &Target| max_tokens.or(target.defaults().max_tokens).map_or(USUAL_ANSWER, u64::from);
        let output_tokens = chain.iter().map(limit).max().unwrap_or(USUAL_ANSWER);
        // The dearest of those that may answer: a budget must not be passed because a fallback did.
        let usd = chain.iter().filter_map(|target| {
            let price = target.provider.settings.price_of(&target.model)?;
            Some(price.usd(prompt_tokens, limit(target)))
        });
        let usd = usd.fold(0.0, f64::max);
        Usage { input_tokens: prompt_tokens, output_tokens, usd, estimated: false }
    }

    fn spent(&self, models: &[String], prompt_tokens: u64, output_tokens: u64) -> Usage {
        let chain = self.0.roster.chain(models).unwrap_or_default();
        let price = chain.first().and_then(|target| target.provider.settings.price_of(&target.model));
        let usd = price.map(|price| price.usd(prompt_tokens, output_tokens)).unwrap_or_default();
        Usage { input_tokens: prompt_tokens, output_tokens, usd, estimated: true }
    }

    fn lane(&self, models: &[String]) -> Option<(String, usize)> {
        let chain = self.0.roster.chain(models).ok()?;
        let target = chain.iter().find(|target| target.provider.stopped().is_none()).or(chain.first())?;
        let usual = (target.provider.settings.kind == ProviderKind::Ollama).then_some(1);
        let limit = target.provider.settings.max_concurrency.or(usual)?;
        Some((target.provider.name.clone(), limit.max(1)))
    }

    fn choices(&self) -> Vec<ModelChoice> {
        self.0.roster.choices()
    }

    fn probe(&self) -> BoxFuture<'static, ()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.roster.probe(&inner.shared.clients, inner.local).await })
    }

    fn inspect(&self) -> BoxFuture<'static, Vec<Inspected>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.inspect().await })
    }

    fn ask_again(&self) {
        for provider in self.0.roster.all().filter(|provider| provider.stopped().is_some()) {
            provider.repair();
        }
    }

    fn give_key(&self, name: &str, key: Secret) -> Result<(), Failure> {
        let no = |why: String| Err(Failure::new(FailureClass::Definition, why));
        let Some(provider) = self.0.roster.provider(name) else {
            return no(format!("there is no provider `{name}`; `stepwell models` lists them"));
        };
        if provider.settings.kind == ProviderKind::Demo {
            return no("the demo needs no key".to_owned());
        }
        let key = match key::clean(key.reveal(), "what was typed") {
            Ok(key) => key,
            Err(error) => return no(format!("{name} {}", error.text)),
        };
        provider.give_key(&key);
        Ok(())
    }

    fn agree(&self, provider: &str) {
        self.0.roster.agree(provider);
    }
}

fn dialect(kind: ProviderKind) -> Option<&'static dyn Dialect> {
    match kind {
        ProviderKind::OpenAi => Some(&openai::OpenAi),
        ProviderKind::Anthropic => Some(&anthropic::Anthropic),
        ProviderKind::Ollama => Some(&ollama::Ollama),
        ProviderKind::Demo => None,
    }
}

impl Inner {
    /// Asks one model after the other until one answers.
    async fn complete(
        &self,
        request: &ModelRequest,
        deltas: &DeltaSink,
        cancel: &CancellationToken,
    ) -> Result<Completion, ModelFailure> {
        let (mut notes, mut usage, mut discarded) = (Vec::new(), Usage::default(), Vec::new());
        let chain = self.roster.chain(&request.models).map_err(ModelFailure::new)?;
        let mut at = 0;
        loop {
            let target = &chain[at];
            deltas(Delta::Asks(target.to_string()));
            let stopped = match self.ask(target, request, deltas, cancel).await {
                Ok(answered) => {
                    usage += answered.usage;
                    notes.extend(answered.notes);
                    discarded.extend(answered.discarded);
                    return Ok(Completion {
                        text: Untrusted::from(answered.text),
                        calls: answered.calls,
                        opaque: answered.opaque,
                        thinking: Untrusted::from(answered.thinking),
                        model: target.to_string(),
                        answered_by: answered.by,
                        usage,
                        finish: answered.finish,
                        first_token_ms: answered.first_token_ms,
                        notes,
                        discarded,
                    });
                }
                Err(stopped) => stopped,
            };
            usage += stopped.usage;
            notes.extend(stopped.notes);
            at += 1;
            match chain.get(at) {
                Some(next) if !stopped.last => {
                    let cause = format!("{target} failed ({}); {next} answers instead", stopped.failure);
                    notes.push(cause.clone());
                    if !stopped.partial.trim().is_empty() {
                        let text = Untrusted::from(stopped.partial);
                        discarded.push(Discarded { text, why: format!("{target} failed ({})", stopped.failure) });
                    }
                    deltas(Delta::Restart(cause));
                }
                _ => {
                    return Err(ModelFailure {
                        failure: stopped.failure,
                        partial: Untrusted::from(stopped.partial),
                        thinking: Untrusted::from(stopped.thinking),
                        model: target.to_string(),
                        answered_by: stopped.by,
                        usage,
                        notes,
                        discarded,
                    });
                }
            }
        }
    }

    async fn ask(
        &self,
        target: &Target,
        request: &ModelRequest,
        deltas: &DeltaSink,
        cancel: &CancellationToken,
    ) -> Result<Answered, Failed> {
        let Some(dialect) = dialect(target.provider.settings.kind) else {
            return demo::answer(request, self.pace, deltas, cancel).await;
        };
        // Whoever starts a run asks a person first; nothing is sent where somebody has forgotten to.
        if self.roster.must_ask(target) {
            let text = format!(
                "{target} was found, not configured, and nobody has agreed to use it: nothing was sent. Start a run with it, or \
                 choose a model in the config"
            );
            return Err(Failed::new(Failure::new(FailureClass::Denied, text)));
        }
        let request = &*target.asked(request);
        let (shared, provider, model) = (&self.shared, &*target.provider, target.model.as_str());
        let target = &*target.to_string();
        Exchange { shared, provider, dialect, model, target, request, deltas, cancel }.run().await
    }
}
