//! One provider at work: its address, its key, what it refused, and how its failures are told.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;

use crate::core::failure::{Failure, FailureClass};
use crate::core::secret::{Redactor, Secret};
use crate::core::text::visible;

use super::dialect::{Cause, Dialect, ProviderError, UnsupportedFeatures};
use super::limits::Limits;
use crate::core::settings::{ProviderKind, ProviderSettings};

/// Looks up an environment variable.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A key command that asks a person (a password manager) may take its time, one that hangs may not.
const KEY_COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

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
    /// The key that the person typed in this process.
    typed: Mutex<Option<Secret>>,
    unsupported: Mutex<HashMap<String, UnsupportedFeatures>>,
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
            typed: Mutex::default(),
            unsupported: Mutex::default(),
        }
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

    pub(super) fn unsupported(&self, model: &str) -> UnsupportedFeatures {
        let unsupported = self.unsupported.lock().unwrap_or_else(PoisonError::into_inner);
        unsupported.get(model).copied().unwrap_or_default()
    }

    pub(super) fn remember(&self, model: &str, learned: UnsupportedFeatures) {
        self.unsupported.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned(), learned);
    }

    /// Why nothing goes to it, after a key was not taken.
    pub(super) fn stopped(&self) -> Option<Failure> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nothing more goes to it until [`Provider::repair`].
    pub(super) fn stop(&self, cause: &Failure) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.clone());
    }

    /// The person says that the key is right now: it is looked up anew.
    pub(super) fn repair(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Ok(mut printed) = self.printed.try_lock() {
            *printed = None;
        }
    }

    /// Takes a key that the person typed, for as long as this process lives.
    pub(super) fn give_key(&self, key: &Secret) {
        *self.typed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Secret::new(key.reveal().trim()));
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
                *printed = Some(run_key_command(argv).await?);
            }
            return Ok(printed.clone());
        }
        let Some(name) = self.key_variable() else { return Ok(None) };
        match lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()) {
            Some(value) => Ok(Some(Secret::new(value))),
            None => Err(ProviderError::new(
                FailureClass::Auth,
                format!("has no key: the environment variable {name} is not set"),
            )),
        }
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
        let fixed = dialect.headers().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let configured = self.settings.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
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
        key.into_iter().for_each(|key| redactor.learn(key));
        // Other headers have ordinary words that an answer may need.
        for (_, value) in self.settings.headers.iter().filter(|(name, _)| is_confidential(name)) {
            redactor.learn(&Secret::new(value.as_str()));
            // Without the scheme before it: `Bearer …`.
            redactor.learn(&Secret::new(value.split_whitespace().next_back().unwrap_or_default()));
        }
        redactor
    }

    /// The failure as a person reads it: which provider, where, what happened, what to do; without any secret.
    pub(super) fn failure(&self, error: &ProviderError, model: &str, key: Option<&Secret>) -> Failure {
        let mut redactor = self.redactor(key);
        self.settings.headers.values().for_each(|value| redactor.learn(&Secret::new(value.as_str())));
        let text = redactor.redact(&error.text);
        let line = visible(&text, false);
        let mut cut: String = line.chars().take(LONGEST_MESSAGE).collect();
        let longer = line.chars().nth(LONGEST_MESSAGE).is_some();
        if longer {
            cut.push('…');
        }
        let (name, host) = (&self.name, self.host());
        let todo = self.what_to_do(error, model);
        let failure = Failure::new(error.class, format!("{name} ({host}) {cut}. {todo}"));
        if longer { failure.with_detail(visible(&text, true)) } else { failure }
    }

    fn what_to_do(&self, error: &ProviderError, model: &str) -> String {
        let name = &self.name;
        let local = self.settings.kind == ProviderKind::Ollama;
        match (error.class, error.cause) {
            (FailureClass::Auth, _) if self.typed().is_some() => {
                "It is the key that was typed: type another.".to_owned()
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

async fn run_key_command(argv: &[String]) -> Result<Secret, ProviderError> {
    let auth = |text: String| ProviderError::new(FailureClass::Auth, text);
    let Some((program, arguments)) = argv.split_first() else {
        return Err(auth("has an empty api_key_command".to_owned()));
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(KEY_COMMAND_TIMEOUT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            return Err(auth(format!("has no key: api_key_command `{program}` could not be started ({error})")));
        }
        Err(_) => return Err(auth(format!("has no key: api_key_command `{program}` took longer than a minute"))),
    };
    if !output.status.success() {
        return Err(auth(format!("has no key: api_key_command `{program}` ended with {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Password managers print the password first, and then what else they know.
    match text.lines().next().unwrap_or_default().trim() {
        "" => Err(auth(format!("has no key: api_key_command `{program}` printed nothing"))),
        key => Ok(Secret::new(key)),
    }
}
