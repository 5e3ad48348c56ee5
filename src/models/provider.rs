//! One provider at work: its address, its key, what it refused, and how its failures are told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use serde_json::Value;

use crate::core::failure::{Failure, FailureClass};
use crate::core::secret::{Redactor, Secret};
use crate::core::text::visible;

use super::dialect::{Cause, Dialect, ProviderError};
use super::key;
use super::limits::Limits;
use super::unsupported::{SchemaMode, UnsupportedFeatures};
use crate::core::settings::{ProviderKind, ProviderSettings};

/// Looks up an environment variable.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A server's words in a message for a person are cut after so many characters.
const LONGEST_MESSAGE: usize = 400;

/// How a provider came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The config has it.
    Config,
    /// The key of its service may be in the environment.
    Key,
    /// A local server may answer at its port.
    Port,
    /// It is in the binary.
    BuiltIn,
}

pub(super) struct Provider {
    pub(super) name: String,
    pub(super) settings: ProviderSettings,
    pub(super) origin: Origin,
    pub(super) limits: Limits,
    /// Why nothing more goes to it.
    stopped: Mutex<Option<Failure>>,
    /// What the key command printed.
    printed: tokio::sync::Mutex<Option<Secret>>,
    /// The commands of the secrets that its headers may name.
    commands: BTreeMap<String, Vec<String>>,
    /// The values of headers that are given by reference, as they were last seen.
    resolved: Mutex<BTreeMap<String, Secret>>,
    /// The key that the person typed in this process.
    typed: Mutex<Option<Secret>>,
    /// The key that had a good answer in this process; empty: there was one without a key.
    good: Mutex<Option<Secret>>,
    gaps: Mutex<HashMap<String, Gaps>>,
}

/// What a model turned out not to take.
#[derive(Default)]
struct Gaps {
    always: UnsupportedFeatures,
    /// Schemas, as text, that are not asked for as the protocol has it.
    schemas: HashMap<String, SchemaMode>,
}

impl Provider {
    pub(super) fn new(name: &str, settings: ProviderSettings, origin: Origin) -> Self {
        Self {
            name: name.to_owned(),
            limits: Limits::new(settings.requests_per_minute, settings.tokens_per_minute),
            settings,
            origin,
            stopped: Mutex::default(),
            printed: tokio::sync::Mutex::default(),
            commands: BTreeMap::new(),
            resolved: Mutex::default(),
            typed: Mutex::default(),
            good: Mutex::default(),
            gaps: Mutex::default(),
        }
    }

    /// With the commands of the config's secrets, of which its headers may name some.
    pub(super) fn with_secrets(self, commands: &BTreeMap<String, Vec<String>>) -> Self {
        let named = self.settings.headers.values().filter_map(|value| value.strip_prefix("cmd:"));
        let commands = named.filter_map(|name| Some((name.to_owned(), commands.get(name)?.clone()))).collect();
        Self { commands, ..self }
    }

    pub(super) fn base_url(&self) -> &str {
        self.settings.base_url.as_deref().unwrap_or(self.settings.kind.base_url())
    }

    /// Whether it is the service that its protocol is named after.
    pub(super) fn official(&self) -> bool {
        self.base_url().trim_end_matches('/') == self.settings.kind.base_url()
    }

    /// Host and port, for messages: the rest of an address may hold what nobody should read.
    pub(super) fn host(&self) -> String {
        match Url::parse(self.base_url()) {
            Ok(url) => match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                (None, _) => "no host".to_owned(),
            },
            Err(_) => "no host".to_owned(),
        }
    }

    /// Where requests go.
    pub(super) fn url(&self, path: &str) -> Result<Url, ProviderError> {
        match Url::parse(self.base_url()) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                // A query, such as a version that some services want, stays.
                url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
                Ok(url)
            }
            _ => {
                Err(ProviderError::new(FailureClass::BadRequest, "its base_url is not an http:// or https:// address"))
            }
        }
    }

    /// What a model does not take, as far as requests with this schema have shown.
    pub(super) fn unsupported(&self, model: &str, schema: Option<&Value>) -> UnsupportedFeatures {
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(gaps) = gaps.get(model) else { return UnsupportedFeatures::default() };
        let known =
            schema.filter(|_| !gaps.schemas.is_empty()).and_then(|schema| gaps.schemas.get(&schema.to_string()));
        known.map_or(gaps.always, |mode| gaps.always.of_schema(*mode))
    }

    /// Keeps what a request that was answered in the end has shown.
    pub(super) fn remember(&self, model: &str, schema: Option<&Value>, learned: UnsupportedFeatures) {
        let of_the_model = learned.of_the_model();
        let of_the_schema = schema.and_then(|schema| Some((schema, learned.of_the_schema()?)));
        if of_the_model == UnsupportedFeatures::default() && of_the_schema.is_none() {
            return;
        }
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let gaps = gaps.entry(model.to_owned()).or_default();
        gaps.always = gaps.always.and(of_the_model);
        if let Some((schema, mode)) = of_the_schema {
            gaps.schemas.insert(schema.to_string(), mode);
        }
    }

    /// A request with this key was answered: whatever is refused now is refused for a reason of its own.
    pub(super) fn good_answer(&self, key: Option<&Secret>) {
        let key = key.cloned().unwrap_or_else(|| Secret::new(""));
        *self.good.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether a failure means that nothing more can go to it: it has no key, or does not take the one it has.
    pub(super) fn is_stopped_by(&self, error: &ProviderError, key: Option<&Secret>) -> bool {
        match error.cause {
            Some(Cause::NoKey) => true,
            Some(Cause::Key) => {
                let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
                good.as_ref().is_none_or(|good| good.reveal() != key.map_or("", Secret::reveal))
            }
            _ => false,
        }
    }

    /// Why nothing goes to it, after a key was not taken.
    pub(super) fn stopped(&self) -> Option<Failure> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nothing more goes to it until [`Provider::repair`].
    pub(super) fn stop(&self, cause: &Failure) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.clone());
    }

    /// The key may be right now: it is looked up again.
    pub(super) fn repair(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Ok(mut printed) = self.printed.try_lock() {
            *printed = None;
        }
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes a key that the person typed, for as long as this process lives.
    pub(super) fn give_key(&self, key: &Secret) {
        *self.typed.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        self.repair();
    }

    fn typed(&self) -> Option<Secret> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The environment variable that its key is in, if it is in one.
    pub(super) fn key_variable(&self) -> Option<&str> {
        match &self.settings.api_key_env {
            Some(name) => Some(name),
            None if self.official() => self.settings.kind.key_variable(),
            None => None,
        }
    }

    /// Its key; `None` for a server that needs none.
    pub(super) async fn key(&self, lookup: &Lookup) -> Result<Option<Secret>, ProviderError> {
        if let Some(typed) = self.typed() {
            return Ok(Some(typed));
        }
        if let Some(argv) = &self.settings.api_key_command {
            let mut printed = self.printed.lock().await;
            if printed.is_none() {
                *printed = Some(key::printed(argv, "api_key_command").await?);
            }
            return Ok(printed.clone());
        }
        let Some(name) = self.key_variable() else { return Ok(None) };
        match lookup(name).filter(|value| !value.trim().is_empty()) {
            Some(value) => key::clean(&value, &format!("the environment variable {name}")).map(Some),
            None => Err(key::missing(format!("has no key: the environment variable {name} is not set"))),
        }
    }

    /// Looks up the values of the headers that are given by reference.
    pub(super) async fn resolve_headers(&self, lookup: &Lookup) -> Result<(), ProviderError> {
        for (header, value) in &self.settings.headers {
            let known = || self.resolved.lock().unwrap_or_else(PoisonError::into_inner).contains_key(header);
            let secret = if let Some(name) = value.strip_prefix("env:") {
                let from = format!("the environment variable {name}, for the header `{header}`,");
                match lookup(name).filter(|value| !value.trim().is_empty()) {
                    Some(value) => key::clean(&value, &from)?,
                    None => return Err(key::missing(format!("was not asked: {from} is not set"))),
                }
            } else if let Some(name) = value.strip_prefix("cmd:") {
                if known() {
                    continue;
                }
                let Some(argv) = self.commands.get(name) else {
                    return Err(key::missing(format!(
                        "was not asked: the header `{header}` names `cmd:{name}`, and [secrets] of the config has no `{name}`"
                    )));
                };
                key::printed(argv, &format!("the command of `cmd:{name}`")).await?
            } else {
                continue;
            };
            self.resolved.lock().unwrap_or_else(PoisonError::into_inner).insert(header.clone(), secret);
        }
        Ok(())
    }

    /// The configured headers with their values.
    fn header_values(&self) -> Vec<(String, Secret)> {
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let value =
            |name: &String, value: &String| resolved.get(name).cloned().unwrap_or_else(|| Secret::new(value.as_str()));
        self.settings.headers.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
    }

    /// The headers of a request to it.
    pub(super) fn headers(
        &self,
        dialect: &dyn Dialect,
        key: Option<&Secret>,
    ) -> Result<reqwest::header::HeaderMap, ProviderError> {
        use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
        let mut headers = HeaderMap::new();
        let key = key.map(|key| dialect.key_header(key.reveal()));
        let own = key.into_iter().map(|(name, value)| (name.to_owned(), value));
        // A stream that is compressed arrives in lumps. What is compressed all the same is read.
        headers.insert(reqwest::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let fixed = dialect.headers().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let configured = self.header_values().into_iter().map(|(name, value)| (name, value.reveal().to_owned()));
        for (name, value) in own.chain(fixed).chain(configured) {
            let bad = |what| {
                ProviderError::new(FailureClass::BadRequest, format!("cannot be sent the header `{name}`: {what}"))
            };
            let header = HeaderName::try_from(name.as_str()).map_err(|_| bad("that is no name of a header"))?;
            let mut value =
                HeaderValue::try_from(value).map_err(|_| bad("its value has characters that no header may have"))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }

    /// Knows what of a request to it nobody may read, should the server repeat it in an answer.
    pub(super) fn redactor(&self, key: Option<&Secret>) -> Redactor {
        let mut redactor = Redactor::default();
        if let Some(key) = key {
            redactor.learn(key);
        }
        // Other headers have ordinary words that an answer may need.
        for (name, value) in self.header_values() {
            let by_reference = self.settings.headers.get(&name).is_some_and(|text| text != value.reveal());
            if by_reference || is_confidential(&name) {
                redactor.learn(&value);
                // Without the scheme before it: `Bearer …`.
                redactor.learn(&Secret::new(value.reveal().split_whitespace().next_back().unwrap_or_default()));
            }
        }
        redactor
    }

    /// The failure as a person reads it: which provider, where, what happened, what to do; without any secret.
    pub(super) fn failure(&self, error: &ProviderError, model: &str, key: Option<&Secret>) -> Failure {
        let mut redactor = self.redactor(key);
        for (_, value) in self.header_values() {
            redactor.learn(&value);
        }
        // The words may be the beginning of longer ones.
        let text = redactor.redact_cut(&error.text);
        let line = visible(&text, false);
        let mut cut: String = line.chars().take(LONGEST_MESSAGE).collect();
        let longer = line.chars().nth(LONGEST_MESSAGE).is_some();
        if longer {
            cut.push('…');
        }
        // The server's words may have ended their sentence.
        let cut = cut.trim_end_matches('.');
        let (name, host) = (&self.name, self.host());
        let todo = self.what_to_do(error, model);
        let failure = Failure::new(error.class, format!("{name} ({host}) {cut}. {todo}"));
        if longer { failure.with_detail(visible(&text, true)) } else { failure }
    }

    /// What is wrong with the end of the address, if something is: each protocol adds its own path.
    fn misplaced(&self) -> Option<String> {
        let url = Url::parse(self.base_url()).ok()?;
        let path = url.path().trim_end_matches('/').to_owned();
        let own =
            ["/chat/completions", "/completions", "/responses", "/messages", "/api/chat", "/api/generate", "/api"];
        let mut end = own.iter().find_map(|own| path.strip_suffix(own)).unwrap_or(&path);
        if self.settings.kind != ProviderKind::OpenAi {
            end = end.strip_suffix("/v1").unwrap_or(end);
        }
        // What else an address may hold, nobody should read.
        let mut right = url.clone();
        right.set_path(end);
        right.set_query(None);
        let _ = (right.set_username(""), right.set_password(None));
        let right = right.as_str().trim_end_matches('/');
        let (name, kind) = (&self.name, self.settings.kind.name());
        (end != path)
            .then(|| format!("The base_url of [providers.{name}] goes too far for the kind {kind}: set it to {right}."))
    }

    fn what_to_do(&self, error: &ProviderError, model: &str) -> String {
        let name = &self.name;
        let local = self.settings.kind == ProviderKind::Ollama;
        match (error.class, error.cause) {
            (FailureClass::Auth, Some(Cause::Spent)) => {
                format!(
                    "Add credit there or raise the limit of the key, lower max_tokens, or take another model than `{model}`."
                )
            }
            (FailureClass::Auth, Some(Cause::NoAccess)) => {
                format!("Ask there for access to `{model}` with this key, or take another model.")
            }
            (FailureClass::Refused, _) => "Change the prompt, or take another model.".to_owned(),
            (FailureClass::BadRequest, Some(Cause::Pictures)) => {
                "Take a model that sees pictures, or leave out what brings them: `attach`, or the tool that returns them."
                    .to_owned()
            }
            (FailureClass::BadRequest, Some(Cause::Tools)) => {
                format!("Take a model that calls tools instead of `{model}`, or leave `tools` out of the step.")
            }
            (FailureClass::BadRequest, Some(Cause::ToolSchema)) => {
                "Leave that tool out of `tools`, or take another model.".to_owned()
            }
            (FailureClass::TooLong, Some(Cause::CutCall)) => "Raise max_tokens of the step.".to_owned(),
            (FailureClass::BadRequest, Some(Cause::NotFound | Cause::WebPage)) if self.misplaced().is_some() => {
                self.misplaced().unwrap_or_default()
            }
            (FailureClass::Auth, _) if self.typed().is_some() => {
                "It is the key that was typed: type another.".to_owned()
            }
            (FailureClass::Auth, Some(Cause::NoKey))
                if self.key_variable().is_none() && !self.settings.headers.is_empty() =>
            {
                format!("Check the headers of [providers.{name}].")
            }
            (FailureClass::Auth, _) => match (self.key_variable(), &self.settings.api_key_command) {
                (_, Some(argv)) => {
                    let program = argv.first().map_or("", String::as_str);
                    format!("Check the key that `{program}` prints (api_key_command of [providers.{name}]).")
                }
                (Some(variable), None) => format!("Set {variable} to a key that is valid there, then start again."),
                (None, None) => format!("Set api_key_env or api_key_command under [providers.{name}]."),
            },
            (FailureClass::RateLimit, _) => {
                "Wait, lower requests_per_minute or max_concurrency, or name a fallback.".to_owned()
            }
            (FailureClass::Network, Some(Cause::Unreachable)) if local => {
                "Is Ollama running? Start it with `ollama serve`.".to_owned()
            }
            (FailureClass::Network, Some(Cause::Proxy(variable))) => {
                let host = self.host();
                format!("It is asked through the proxy in {variable}: check that, or add {host} to NO_PROXY.")
            }
            (FailureClass::Network, _) => format!("Check the connection and the base_url of [providers.{name}]."),
            (FailureClass::Timeout, _) => {
                format!("Try again, or raise first_token_timeout or idle_timeout under [providers.{name}].")
            }
            (FailureClass::TooLong, _) => "Shorten the prompt, or take a model with a longer context.".to_owned(),
            (FailureClass::BadRequest, Some(Cause::NotFound)) if local => {
                format!("Get the model with `ollama pull {model}`.")
            }
            (FailureClass::BadRequest, Some(Cause::Redirected)) => {
                format!("Set base_url of [providers.{name}] to the final address.")
            }
            (FailureClass::BadRequest, Some(Cause::NotFound)) if self.settings.kind == ProviderKind::OpenAi => {
                format!(
                    "Check the model `{model}`, and that the base_url of [providers.{name}] ends in /v1 if it should."
                )
            }
            (FailureClass::BadRequest, _) => {
                format!("Check the model `{model}` and the settings of [providers.{name}].")
            }
            _ => "Try again, or name a fallback.".to_owned(),
        }
    }
}

/// Whether a header says who asks.
fn is_confidential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "key", "token", "secret", "cookie", "password", "credential"].iter().any(|word| name.contains(word))
}
