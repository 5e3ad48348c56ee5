//! Providers that are known by name: what they speak, where they are asked, which variable holds their key.
//!
//! Facts about services that others run: when one moves, this table is what changes. A model's name is only where to
//! begin; which there are, the service is asked.

use super::settings::{Connection, ProviderKind};

/// A provider that is known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProvider {
    /// Its name under `[providers]`.
    pub name: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where it is asked.
    pub base_url: &'static str,
    /// The variable that its key is usually in; `None`: it needs none.
    pub key_env: Option<&'static str>,
    /// A model to begin with; empty where only the server knows.
    pub model: &'static str,
    /// What has to be done before it answers.
    pub hint: &'static str,
}

const fn service(
    name: &'static str,
    label: &'static str,
    base_url: &'static str,
    key_env: &'static str,
    model: &'static str,
    hint: &'static str,
) -> KnownProvider {
    KnownProvider { name, label, kind: ProviderKind::OpenAi, base_url, key_env: Some(key_env), model, hint }
}

const fn local(
    name: &'static str,
    label: &'static str,
    kind: ProviderKind,
    base_url: &'static str,
    hint: &'static str,
) -> KnownProvider {
    KnownProvider { name, label, kind, base_url, key_env: None, model: "", hint }
}

/// Every provider that is known by name: services, then servers on a person's own machine.
pub const KNOWN: [KnownProvider; 12] = [
    service(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        "gpt-5",
        "Keys: platform.openai.com/api-keys",
    ),
    KnownProvider {
        kind: ProviderKind::Anthropic,
        ..service(
            "anthropic",
            "Anthropic",
            "https://api.anthropic.com",
            "ANTHROPIC_API_KEY",
            "claude-sonnet-4-5",
            "Keys: console.anthropic.com/settings/keys",
        )
    },
    service(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        "openrouter/auto",
        "Many models behind one key: openrouter.ai/keys",
    ),
    service(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        "llama-3.3-70b-versatile",
        "Keys: console.groq.com/keys",
    ),
    service(
        "gemini",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "GEMINI_API_KEY",
        "gemini-2.5-flash",
        "By its OpenAI door. Keys: aistudio.google.com/apikey",
    ),
    service(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        "mistral-small-latest",
        "Keys: console.mistral.ai/api-keys",
    ),
    service(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        "deepseek-chat",
        "Keys: platform.deepseek.com/api_keys",
    ),
    service(
        "azure",
        "Azure OpenAI",
        "https://RESOURCE.openai.azure.com/openai/v1",
        "AZURE_OPENAI_API_KEY",
        "",
        "Put the name of your resource into the address; the model is the name of your deployment.",
    ),
    local(
        "ollama",
        "Ollama",
        ProviderKind::Ollama,
        "http://127.0.0.1:11434",
        "It has to run (ollama serve) and to have a model: ollama pull qwen3:8b",
    ),
    local(
        "lmstudio",
        "LM Studio",
        ProviderKind::OpenAi,
        "http://127.0.0.1:1234/v1",
        "Load a model there and start its server (Developer, Status: Running).",
    ),
    local(
        "llamacpp",
        "llama.cpp",
        ProviderKind::OpenAi,
        "http://127.0.0.1:8080/v1",
        "Start it with a model: llama-server -m MODEL.gguf",
    ),
    local("vllm", "vLLM", ProviderKind::OpenAi, "http://127.0.0.1:8000/v1", "Start it with a model: vllm serve MODEL"),
];

/// The name that stands in an address for what only the person knows.
const PLACEHOLDER: &str = "RESOURCE";

impl KnownProvider {
    /// Whether it runs on a person's own machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.key_env.is_none()
    }

    /// Whether its address is complete: nothing in it is the person's own.
    #[must_use]
    pub fn has_address(&self) -> bool {
        !self.base_url.contains(PLACEHOLDER)
    }

    /// How a model of it is reached. What is the kind's own anyway is left out.
    #[must_use]
    pub fn connection(&self, model: &str) -> Connection {
        let own = self.base_url == self.kind.base_url();
        Connection {
            provider: self.name.to_owned(),
            kind: self.kind,
            base_url: (!own || self.is_local()).then(|| self.base_url.to_owned()),
            api_key_env: self.key_env.map(str::to_owned),
            model: model.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_and_every_address_is_one() {
        for (at, known) in KNOWN.iter().enumerate() {
            assert!(KNOWN[..at].iter().all(|other| other.name != known.name), "{}", known.name);
            assert!(known.base_url.starts_with("http"), "{}", known.name);
            assert!(!known.base_url.ends_with('/') && !known.hint.is_empty(), "{}", known.name);
            // A key goes over the network only where nobody can read it on the way.
            assert_eq!(known.is_local(), known.base_url.starts_with("http://127.0.0.1:"), "{}", known.name);
            let openai = known.kind == ProviderKind::OpenAi && known.has_address();
            assert!(!openai || known.base_url.ends_with("/v1") || known.name == "gemini", "{}", known.name);
        }
    }

    #[test]
    fn a_service_at_its_own_address_needs_no_base_url_in_the_config() {
        let find = |name: &str| KNOWN.iter().find(|known| known.name == name).unwrap();
        assert_eq!(find("openai").connection("m").base_url, None);
        assert_eq!(find("groq").connection("m").base_url.as_deref(), Some("https://api.groq.com/openai/v1"));
        assert_eq!(find("ollama").connection("m").base_url.as_deref(), Some("http://127.0.0.1:11434"));
        assert!(!find("azure").has_address());
    }
}
