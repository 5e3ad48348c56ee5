//! What could be connected: services whose key is in the environment, and servers on this machine with their models.
//!
//! Nothing is sent but the question of a local server which models it has, and that only when it is asked for.

use futures_util::future::join_all;

use super::LanguageModels;
use super::inspect::{Listed, list_path};
use crate::core::known_providers::KNOWN;
use crate::core::settings::{Connection, Found, ProviderKind};

/// As many models of one server as are offered.
const MODELS: usize = 12;

impl LanguageModels {
    /// What could be connected here. It takes at most half a second.
    pub async fn discover(&self) -> Vec<Found> {
        let ollama = self.0.roster.provider(ProviderKind::Ollama.name());
        let place = |kind, usual| match ollama {
            Some(ollama) if kind == ProviderKind::Ollama => ollama.base_url(),
            _ => usual,
        };
        let local: Vec<_> = KNOWN.iter().filter(|known| known.is_local()).collect();
        let local: Vec<_> =
            local.iter().map(|known| (known.name, known.kind, place(known.kind, known.base_url))).collect();
        self.discover_at(&local).await
    }

    async fn discover_at(&self, local: &[(&str, ProviderKind, &str)]) -> Vec<Found> {
        let mut found = Vec::new();
        // One whose address is not complete cannot be asked as it is.
        for known in KNOWN.iter().filter(|known| known.has_address()) {
            let Some(variable) = known.key_env else { continue };
            if (self.0.shared.lookup)(variable).is_some_and(|key| !key.trim().is_empty()) {
                found.push(Found { connection: known.connection(known.model), why: format!("{variable} is set") });
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
