//! Asking a language model: the request, the stream, the answer. Providers implement [`super::ports::Models`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Failure;
use super::step::Timespan;
use super::text::Untrusted;
use super::tuning::Tuning;
use super::usage::{Usage, estimate_tokens};

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// The program, to the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Tools, to the model: what the calls of its last turn returned.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// Images that go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The calls that the model asks for, of [`Role::Assistant`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ModelCall>,
    /// As it came in [`Completion::opaque`], of [`Role::Assistant`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Arc<Value>>,
    /// What each call of the turn before returned, of [`Role::Tool`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ToolResult>,
}

/// A tool that a model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOffer {
    /// The name on the wire: at most 64 characters of `[A-Za-z0-9_-]`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    pub input: Value,
}

/// A call that a model asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelCall {
    /// The provider's id of it; empty where it gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The tool's name on the wire, as the model wrote it.
    pub name: String,
    /// The arguments; a text where what the model wrote is no JSON.
    pub arguments: Value,
}

/// What a call returned, for the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// As on [`ModelCall::id`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// As on [`ModelCall::name`].
    pub name: String,
    /// What it returned, as the model reads it.
    pub text: String,
    /// Pictures that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// It failed, or a person denied it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

impl Message {
    /// A message without images.
    #[must_use]
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), images: Vec::new(), calls: Vec::new(), opaque: None, results: Vec::new() }
    }

    /// About how many tokens it is, without its images.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        let calls = self.calls.iter().map(|call| estimate_tokens(&call.name) + json_tokens(&call.arguments));
        let results = self.results.iter().map(|result| estimate_tokens(&result.text));
        let opaque = self.opaque.as_ref().map_or(0, |opaque| json_tokens(opaque));
        estimate_tokens(&self.text) + opaque + calls.chain(results).sum::<u64>()
    }

    /// How many images it has, those among its results included.
    #[must_use]
    pub fn image_count(&self) -> usize {
        self.images.len() + self.results.iter().map(|result| result.images.len()).sum::<usize>()
    }
}

impl ToolOffer {
    /// About how many tokens it is.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        estimate_tokens(&self.name) + estimate_tokens(&self.description) + json_tokens(&self.input)
    }
}

/// About how many tokens a value is.
fn json_tokens(value: &Value) -> u64 {
    estimate_tokens(&value.to_string())
}

/// An image, as it was read when the run started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its file name.
    pub name: String,
    /// `image/png`, `image/jpeg`, …
    pub media_type: String,
    /// The bytes, in base64.
    pub base64: Arc<str>,
}

impl Image {
    /// The kinds that models take.
    pub const KINDS: &str = "PNG, JPEG, GIF or WebP";

    /// The media type of these bytes, by how they begin; `None`: no model takes them.
    #[must_use]
    pub fn media_type_of(bytes: &[u8]) -> Option<&'static str> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
            [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
            _ => None,
        }
    }
}

/// Which call asks, for the demo model's recordings and for logs. Never sent to a provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asker {
    /// The task's id.
    pub task: String,
    /// The step's id.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The inputs of the run, an object.
    pub inputs: Arc<Value>,
    /// The item of a fan-out.
    pub item: Option<Value>,
    /// The names that a script or program hands over, an object.
    pub vars: Option<Value>,
    /// The index of that item, or the turn of a chat.
    pub index: Option<u32>,
}

/// One request to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelRequest {
    /// A role of the config or `PROVIDER/MODEL`; then those to fall back to, in order. Empty: the role `default`.
    pub models: Vec<String>,
    /// The conversation; system messages first.
    pub messages: Vec<Message>,
    /// The JSON Schema that the answer must fit. Beside tools the answer is asked for by a tool of ours.
    pub schema: Option<Value>,
    /// The tools that it may call.
    pub tools: Vec<ToolOffer>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    pub max_tokens: Option<u32>,
    /// Sampling seed.
    pub seed: Option<i64>,
    /// What else is set of how the model answers.
    pub tuning: Tuning,
    /// A server that asks to wait longer is not waited for; `None`: [`LONGEST_WAIT`].
    pub longest_wait: Option<Timespan>,
    /// Who asks.
    pub asker: Asker,
}

impl ModelRequest {
    /// About how many tokens its messages and tools are, without images.
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        let messages = self.messages.iter().map(Message::tokens);
        messages.chain(self.tools.iter().map(ToolOffer::tokens)).sum()
    }
}

/// The longest wait that a server may ask for where the step has no `max_delay` of its own.
pub const LONGEST_WAIT: Timespan = Timespan(60_000);

/// What arrives while an attempt is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delta {
    /// This model, `PROVIDER/MODEL`, is asked from now on: the first of an attempt, or one that it falls back to.
    Asks(String),
    /// More text.
    Text(Untrusted),
    /// What arrived so far does not count (a fallback begins anew, an invalid answer is asked for again), and why.
    Restart(String),
    /// A line about what is going on: a retry, progress of a command.
    Progress(Untrusted),
}

/// Where an attempt's deltas go. Called often; it never blocks.
pub type DeltaSink = Arc<dyn Fn(Delta) + Send + Sync>;

/// Why the model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// It was done.
    #[default]
    Stop,
    /// The limit of tokens cut it.
    Length,
    /// It declined.
    Refused,
    /// It waits for what the tools return that it calls.
    Calls,
}

/// What a model wrote that is no part of the answer, and why. It was paid for, so it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// The text as it came.
    pub text: Untrusted,
    /// Why it is not the answer.
    pub why: String,
}

/// A complete answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    /// The text; when it came as a call of a tool that a schema was wrapped in, the arguments.
    pub text: Untrusted,
    /// The tools that it calls, in the order in which it asked; empty: `text` is its answer.
    pub calls: Vec<ModelCall>,
    /// What the provider has to be sent back with a turn that calls tools (signed thoughts, for one), whatever that is to it.
    /// It names its provider: another one passes it over.
    pub opaque: Option<Arc<Value>>,
    /// What the server marked as the model's reasoning. A model may also write some of it into `text`.
    pub thinking: Untrusted,
    /// The model that was asked, `PROVIDER/MODEL`.
    pub model: String,
    /// The model that answered, in the server's words, where that is another one.
    pub answered_by: Option<String>,
    /// Tokens and cost. Zero tokens where the server does not say.
    pub usage: Usage,
    /// Why it stopped.
    pub finish: Finish,
    /// From the request to the first token, in milliseconds.
    pub first_token_ms: u64,
    /// What the person should know: a fallback and its cause, a prompt that a local server cut.
    pub notes: Vec<String>,
    /// What models wrote that failed before another one answered.
    pub discarded: Vec<Discarded>,
}

/// A request that failed, with what had arrived before.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFailure {
    /// The class and the message.
    pub failure: Failure,
    /// The text that had arrived.
    pub partial: Untrusted,
    /// As on [`Completion::thinking`].
    pub thinking: Untrusted,
    /// The model that failed, `PROVIDER/MODEL`; empty when none was reached.
    pub model: String,
    /// As on [`Completion::answered_by`].
    pub answered_by: Option<String>,
    /// What was used before it failed: as the server reported it, else an estimate.
    pub usage: Usage,
    /// As on [`Completion::notes`].
    pub notes: Vec<String>,
    /// As on [`Completion::discarded`].
    pub discarded: Vec<Discarded>,
}

impl ModelFailure {
    /// A failure before anything was asked or had arrived.
    #[must_use]
    pub fn new(failure: Failure) -> Self {
        let (partial, thinking) = (Untrusted::default(), Untrusted::default());
        let (usage, notes, discarded) = (Usage::default(), Vec::new(), Vec::new());
        Self { failure, partial, thinking, model: String::new(), answered_by: None, usage, notes, discarded }
    }
}

/// What a configured provider said when it was asked which models it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Its name in the config.
    pub provider: String,
    /// It answers, and has what the config names.
    pub answers: bool,
    /// What it said, or what is wrong and what to do.
    pub says: String,
}

/// A model that may answer: what `models`, `doctor` and the header of every screen show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelChoice {
    /// `PROVIDER/MODEL`.
    pub model: String,
    /// Why this one: `the config's role "default"`, `ANTHROPIC_API_KEY is set`, …
    pub why: String,
    /// Whether it is the demo, whose text must be labelled wherever it is shown.
    pub demo: bool,
    /// Whether a person must agree before the first call: it was found by its key or port, not by the config.
    pub ask_first: bool,
    /// The lines of config that would settle it, when `ask_first`.
    pub config_lines: String,
}

impl ModelChoice {
    /// The provider's name.
    #[must_use]
    pub fn provider(&self) -> &str {
        provider_of(&self.model)
    }
}

/// The provider of a model, `PROVIDER/MODEL`.
#[must_use]
pub fn provider_of(model: &str) -> &str {
    model.split('/').next().unwrap_or(model)
}

/// Whether a model, `PROVIDER/MODEL`, is the demo: what it answers is recorded.
#[must_use]
pub fn is_demo(model: &str) -> bool {
    provider_of(model) == "demo"
}
