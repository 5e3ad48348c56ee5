//! What each configured server says when it is asked which models it has. Nothing else is sent, and no model is asked.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tokio::time::timeout;

use crate::core::failure::FailureClass;
use crate::core::model::Inspected;
use crate::core::secret::Secret;
use crate::core::settings::ProviderKind;

use super::dialect::ProviderError;
use super::http::{self, Clients};
use super::provider::{Lookup, Origin, Provider};
use super::refusal::{self, Asked};
use super::{Inner, LanguageModels, dialect};

/// As long as a person waits for a server that may have to wake up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest list that is read, in bytes.
const LONGEST_LIST: usize = 4_000_000;

/// The models that a server has, as Ollama or a server of chat completions lists them; some list them in both ways.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Listed {
    data: Option<Vec<Named>>,
    models: Option<Vec<Named>>,
}

/// A model in such a list. Some servers give it both an id and a name; it is asked by the id.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    id: Option<String>,
    name: Option<String>,
    model: Option<String>,
}

impl Listed {
    /// The names by which the models are asked, each once.
    pub(super) fn names(self) -> Vec<String> {
        let all = self.data.into_iter().chain(self.models).flatten();
        let mut names: Vec<String> = Vec::new();
        for name in all.filter_map(|named| named.id.or(named.name).or(named.model)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// The path of the list, after the base URL.
pub(super) fn list_path(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Ollama => "/api/tags",
        ProviderKind::Anthropic => "/v1/models",
        ProviderKind::OpenAi | ProviderKind::Demo => "/models",
    }
}

impl Inner {
    /// Asks every configured provider.
    pub(super) async fn inspect(&self) -> Vec<Inspected> {
        let configured = self.roster.all().filter(|provider| provider.origin == Origin::Config);
        let asked =
            configured.filter(|provider| provider.settings.kind != ProviderKind::Demo).map(|provider| async move {
                let wanted = self.roster.named_models(&provider.name);
                let found = inspected(provider, &self.shared.clients, &self.shared.lookup, &wanted).await;
                let (answers, says) = match found {
                    Ok(says) => (true, says),
                    Err(failure) => (false, failure),
                };
                Inspected { provider: provider.name.clone(), answers, says }
            });
        join_all(asked).await
    }
}

impl LanguageModels {
    /// The models that a provider's server has; empty when it answers and keeps no such list.
    ///
    /// # Errors
    /// Why there are none, in words for a person: what is wrong, and what to do.
    pub async fn models_of(&self, name: &str) -> Result<Vec<String>, String> {
        let inner = &self.0;
        let provider = inner.roster.provider(name).ok_or_else(|| format!("there is no provider `{name}`"))?;
        let names = names(provider, &inner.shared.clients, &inner.shared.lookup, "").await?.unwrap_or_default();
        // A model for embeddings cannot talk.
        Ok(names.into_iter().filter(|name| !name.contains("embed")).collect())
    }
}

/// The models of a server, asked as a person waits for it; `None` when it keeps no such list. What is wrong, and that there
/// are none, as an error in words for a person; `model` is the one that is missing then.
async fn names(
    provider: &Provider,
    clients: &Clients,
    lookup: &Lookup,
    model: &str,
) -> Result<Option<Vec<String>>, String> {
    let mut key = None;
    let asked = async {
        key = provider.key(lookup).await?;
        provider.resolve_headers(lookup).await?;
        listed(provider, clients, key.as_ref()).await
    };
    let listed = match timeout(PATIENCE, asked).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => return Err(provider.failure(&error, model, key.as_ref()).message),
        Err(_) => return Err(format!("{} ({}) said nothing for ten seconds.", provider.name, provider.host())),
    };
    match listed {
        Some(names) if names.is_empty() => {
            let get = if model.is_empty() { "qwen3:8b" } else { model };
            let pull = provider.settings.kind == ProviderKind::Ollama;
            let todo = if pull { format!(": ollama pull {get}") } else { String::new() };
            Err(format!("{} answers, and has no model yet{todo}", provider.host()))
        }
        listed => Ok(listed),
    }
}

/// What one provider says, in words for a person; what is wrong as an error.
async fn inspected(
    provider: &Provider,
    clients: &Clients,
    lookup: &Lookup,
    wanted: &[String],
) -> Result<String, String> {
    let model = wanted.first().map_or("", String::as_str);
    let Some(names) = names(provider, clients, lookup, model).await? else {
        return Ok(format!("{} answers, and lists no models", provider.host()));
    };
    let has = |model: &String| names.iter().any(|name| name == model || name.strip_suffix(":latest") == Some(model));
    let missing: Vec<&str> = wanted.iter().filter(|model| !has(model)).map(String::as_str).collect();
    let count = if names.len() == 1 { "1 model".to_owned() } else { format!("{} models", names.len()) };
    if missing.is_empty() {
        return Ok(format!("{} answers, and has {count}", provider.host()));
    }
    let some = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let todo = if provider.settings.kind == ProviderKind::Ollama {
        format!(": ollama pull {}", missing.join(", ollama pull "))
    } else {
        format!("; it has {some}{}", if names.len() > 5 { ", …" } else { "" })
    };
    Err(format!("{} answers with {count}, and does not list {}{todo}", provider.host(), missing.join(", ")))
}

/// The names of its models; `None` when it has no such list.
async fn listed(
    provider: &Provider,
    clients: &Clients,
    key: Option<&Secret>,
) -> Result<Option<Vec<String>>, ProviderError> {
    let kind = provider.settings.kind;
    let Some(dialect) = dialect(kind) else { return Ok(None) };
    let url: Url = provider.url(list_path(kind))?;
    let (client, _) = clients.client(&url)?;
    let mut response =
        client.get(url).headers(provider.headers(dialect, key)?).send().await.map_err(http::client_error)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(http::client_error)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_LIST {
            return Err(ProviderError::new(FailureClass::Server, "sends a list of models without end"));
        }
    }
    let body = String::from_utf8_lossy(&body);
    // Only the models are missing where only the list is: a wrong address says so on the list of a local server, too.
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) && kind == ProviderKind::OpenAi {
        return Ok(None);
    }
    if status != StatusCode::OK {
        return Err(refusal::refusal(status, &headers, &body, Asked::default()));
    }
    Ok(serde_json::from_str::<Listed>(&body).ok().map(Listed::names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_listed_twice_is_one_model() {
        for (body, names) in [
            (
                r#"{"data":[{"id":"a","name":"The A"}],"models":[{"name":"a","model":"a"},{"name":"b"}]}"#,
                &["a", "b"][..],
            ),
            (r#"{"models":[{"name":"a:latest","model":"a:latest"}]}"#, &["a:latest"]),
            (r#"{"data":null,"models":[]}"#, &[]),
        ] {
            assert_eq!(serde_json::from_str::<Listed>(body).unwrap().names(), names, "{body}");
        }
    }
}
