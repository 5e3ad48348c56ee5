//! Settings: what a person's config file says, as plain data.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::form::Field;
use super::step::Span;
use super::usage::Price;

/// Everything that the config file may say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `[models]`: what each role stands for. `default` is the role of a step that names none.
    pub models: BTreeMap<String, RoleSettings>,
    /// `[providers.NAME]`.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// `[tools.NAME]`: MCP servers.
    pub tools: BTreeMap<String, ToolSettings>,
    /// `[secrets] NAME = [argv]`: the command that prints the secret `cmd:NAME`.
    pub secrets: BTreeMap<String, Vec<String>>,
    /// `[defaults.TASK] INPUT = …`: defaults for a task's inputs in place of its own.
    pub defaults: BTreeMap<String, Map<String, Value>>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSettings {
    /// `PROVIDER/MODEL`.
    pub model: String,
    /// Roles or `PROVIDER/MODEL`, in order.
    pub fallback: Vec<String>,
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

/// A provider of models. Absent limits do not bind; absent times are the program's defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderSettings {
    /// What it speaks.
    pub kind: ProviderKind,
    /// Where it listens; the kind's own address when absent.
    pub base_url: Option<String>,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// The command that prints the key.
    pub api_key_command: Option<Vec<String>>,
    /// Headers for every request.
    pub headers: BTreeMap<String, String>,
    /// Requests at the same time.
    pub max_concurrency: Option<usize>,
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute.
    pub tokens_per_minute: Option<u64>,
    /// The longest wait for the first token.
    pub first_token_timeout: Option<Span>,
    /// The longest silence after it.
    pub idle_timeout: Option<Span>,
    /// US dollars per million tokens, for every model of the provider.
    pub price: Option<Price>,
}

/// An MCP server that is started as a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolSettings {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What is added to its clean environment. Values may be references to secrets, `env:NAME` or `cmd:NAME`.
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub cwd: Option<String>,
    /// The longest wait for an answer.
    pub timeout: Option<Span>,
}

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
