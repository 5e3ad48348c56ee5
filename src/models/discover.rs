//! What could be connected: services whose key is in the environment, and servers on this machine with their models.
//!
//! Nothing is sent but the question of a local server which models it has, and that only when it is asked for.

use futures_util::future::join_all;

use super::LanguageModels;
use super::inspect::{Listed, list_path};
use super::roster::{ANTHROPIC_MODEL, OPENAI_MODEL};
use crate::core::settings::{Connection, Found, ProviderKind};

/// As many models of one server as are offered.
const MODELS: usize = 12;

/// Services: name, variable with the key, address (`None`: the kind's own), a model to begin with.
const SERVICES: [(&str, ProviderKind, &str, Option<&str>, &str); 6] = [
    ("anthropic", ProviderKind::Anthropic, "ANTHROPIC_API_KEY", None, ANTHROPIC_MODEL),
    ("openai", ProviderKind::OpenAi, "OPENAI_API_KEY", None, OPENAI_MODEL),
    ("openrouter", ProviderKind::OpenAi, "OPENROUTER_API_KEY", Some("https://openrouter.ai/api/v1"), "openrouter/auto"),
    ("groq", ProviderKind::OpenAi, "GROQ_API_KEY", Some("https://api.groq.com/openai/v1"), "llama-3.3-70b-versatile"),
    ("mistral", ProviderKind::OpenAi, "MISTRAL_API_KEY", Some("https://api.mistral.ai/v1"), "mistral-small-latest"),
    ("deepseek", ProviderKind::OpenAi, "DEEPSEEK_API_KEY", Some("https://api.deepseek.com/v1"), "deepseek-chat"),
];

/// Servers that are usual on a person's own machine: name, kind, address.
const LOCAL: [(&str, ProviderKind, &str); 4] = [
    ("ollama", ProviderKind::Ollama, "http://127.0.0.1:11434"),
    ("lmstudio", ProviderKind::OpenAi, "http://127.0.0.1:1234/v1"),
    ("llamacpp", ProviderKind::OpenAi, "http://127.0.0.1:8080/v1"),
    ("vllm", ProviderKind::OpenAi, "http://127.0.0.1:8000/v1"),
];

impl LanguageModels {
    /// What could be connected here. It takes at most half a second.
    pub async fn discover(&self) -> Vec<Found> {
        let ollama = self.0.roster.provider(ProviderKind::Ollama.name());
        let place = |kind, usual| match ollama {
            Some(ollama) if kind == ProviderKind::Ollama => ollama.base_url(),
            _ => usual,
        };
        self.discover_at(&LOCAL.map(|(name, kind, usual)| (name, kind, place(kind, usual)))).await
    }

    async fn discover_at(&self, local: &[(&str, ProviderKind, &str)]) -> Vec<Found> {
        let mut found = Vec::new();
        for (provider, kind, variable, base_url, model) in SERVICES {
            if (self.0.shared.lookup)(variable).is_some_and(|key| !key.trim().is_empty()) {
                let connection = Connection {
                    provider: provider.to_owned(),
                    kind,
                    base_url: base_url.map(str::to_owned),
                    api_key_env: Some(variable.to_owned()),
                    model: model.to_owned(),
                };
                found.push(Found { connection, why: format!("{variable} is set") });
            }
        }
        let asked = local.iter().map(|(provider, kind, base_url)| async move {
            let models = self.listed(*kind, base_url).await.unwrap_or_default();
            models.into_iter().map(move |model| Found {
                connection: Connection {
                    provider: (*provider).to_owned(),
                    kind: *kind,
                    base_url: Some((*base_url).to_owned()),
                    api_key_env: None,
                    model,
                },
                why: format!("it answers at {base_url}"),
            })
        });
        found.extend(join_all(asked).await.into_iter().flatten());
        found
    }

    async fn listed(&self, kind: ProviderKind, base_url: &str) -> Option<Vec<String>> {
        let url: reqwest::Url = format!("{base_url}{}", list_path(kind)).parse().ok()?;
        let asked = async {
            let response = self.0.shared.clients.client(&url).ok()?.0.get(url.clone()).send().await.ok()?;
            response.error_for_status().ok()?.json::<Listed>().await.ok()
        };
        let listed = tokio::time::timeout(self.0.local, asked).await.ok()??;
        // A model for embeddings cannot talk.
        Some(listed.names().into_iter().filter(|name| !name.contains("embed")).take(MODELS).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::{Pace, Surroundings};
    use super::*;
    use crate::core::settings::Settings;

    #[tokio::test]
    async fn keys_in_the_environment_and_models_of_local_servers_are_offered() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).await.unwrap();
            let body = r#"{"object":"list","data":[{"id":"qwen3-8b","name":"Qwen"},{"id":"nomic-embed-text"}],"models":[{"name":"qwen3-8b"}]}"#;
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..read]).lines().next().unwrap_or_default().to_owned()
        });
        let mut surroundings = Surroundings::real(Pace::Instant);
        surroundings.lookup = Arc::new(|name| (name == "GROQ_API_KEY").then(|| "secret".to_owned()));
        surroundings.local = std::time::Duration::from_mins(1);
        let models = LanguageModels::new(Settings::default(), surroundings);
        let nobody = "http://127.0.0.1:9/v1";
        let found = models
            .discover_at(&[("lmstudio", ProviderKind::OpenAi, &base_url), ("vllm", ProviderKind::OpenAi, nobody)])
            .await;
        let names: Vec<String> = found.iter().map(|found| found.connection.name()).collect();
        assert_eq!(names, ["groq/llama-3.3-70b-versatile", "lmstudio/qwen3-8b"]);
        assert!(!format!("{found:?}").contains("secret"));
        assert_eq!(server.await.unwrap(), "GET /v1/models HTTP/1.1");
    }
}
