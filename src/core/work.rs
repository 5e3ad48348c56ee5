//! Work: what one call does, with every template rendered. It is what fingerprints are made of, what an
//! approval shows, and what the `steps` module performs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expect::Expect;
use super::fingerprint::Fingerprint;
use super::form::Field;
use super::host::{self, NamedHosts};
use super::model::Message;
use super::step::{OnCrash, Parse, Speaks};
use super::tool::{OfferedTools, OwnTool};
use super::tuning::Tuning;

/// The resolved work of a call. Secrets stand in it as markers ([`secret_marker`]), never as values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Work {
    /// Ask a model.
    Prompt(PromptWork),
    /// Run a program.
    Command(CommandWork),
    /// Send a request.
    Http(HttpWork),
    /// Call a tool.
    Tool {
        /// `SERVER/NAME`, or the name of one of the author's own.
        tool: String,
        /// The arguments.
        args: Value,
        /// The tool, where the definition declares it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own: Option<Box<OwnTool>>,
        /// The JSON Schema that its output must fit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<Value>,
    },
    /// Ask the person.
    Ask {
        /// What to say above the form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The form.
        fields: Vec<Field>,
    },
    /// Take this value, which the flow has computed.
    Transform {
        /// The output.
        value: Value,
        /// The JSON Schema that it must fit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<Value>,
    },
}

impl Work {
    /// A call of a server's tool.
    #[must_use]
    pub fn tool(tool: impl Into<String>, args: Value) -> Self {
        Self::Tool { tool: tool.into(), args, own: None, schema: None }
    }

    /// The same call of a tool with other arguments; any other work as it is.
    #[must_use]
    pub fn with_arguments(&self, arguments: Value) -> Self {
        match self {
            Self::Tool { tool, own, schema, .. } => {
                Self::Tool { tool: tool.clone(), args: arguments, own: own.clone(), schema: schema.clone() }
            }
            other => other.clone(),
        }
    }

    /// The name of the kind in definitions.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Prompt(_) => "prompt",
            Self::Command(_) => "command",
            Self::Http(_) => "http",
            Self::Tool { .. } => "tool",
            Self::Ask { .. } => "ask",
            Self::Transform { .. } => "transform",
        }
    }

    /// The JSON Schema of its output.
    #[must_use]
    pub fn schema(&self) -> Option<&Value> {
        match self {
            Self::Prompt(prompt) => prompt.schema.as_ref().filter(|_| prompt.reply == Reply::Output),
            Self::Command(command) => command.schema.as_ref(),
            Self::Http(http) => http.schema.as_ref(),
            Self::Transform { schema, .. } | Self::Tool { schema, .. } => schema.as_ref(),
            Self::Ask { .. } => None,
        }
    }

    /// The tools that a model may call in it.
    #[must_use]
    pub fn offers(&self) -> Option<&OfferedTools> {
        match self {
            Self::Prompt(prompt) => prompt.tools.as_deref(),
            _ => None,
        }
    }

    /// Whether it says itself that it may be done again: a call of a tool of the author's own that does.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        matches!(self, Self::Tool { own: Some(own), .. } if own.idempotent)
    }

    /// What a crash does to it by its own nature; `None`: as the rules of its tool say.
    #[must_use]
    pub fn usual_on_crash(&self) -> Option<OnCrash> {
        match self {
            work if !work.has_effect() || work.is_idempotent() => Some(OnCrash::Rerun),
            Self::Tool { .. } => None,
            _ => Some(OnCrash::Ask),
        }
    }

    /// Whether it can change something outside the run.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        match self {
            Self::Command(_) | Self::Tool { .. } => true,
            Self::Http(http) => !http.is_safe(),
            Self::Prompt(_) | Self::Ask { .. } | Self::Transform { .. } => false,
        }
    }
}

/// Ask a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PromptWork {
    /// A role or `PROVIDER/MODEL`, then those to fall back to. Empty: the role `default`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The conversation: system first, the step's prompt last.
    pub messages: Vec<Message>,
    /// The JSON Schema of the answer; absent: text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// How the answer is read.
    #[serde(default, skip_serializing_if = "Reply::is_output")]
    pub reply: Reply,
    /// Sampling temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Sampling seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// An answer that the limit of tokens cut is continued.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// What else is set of how the model answers.
    #[serde(default, skip_serializing_if = "Tuning::is_default")]
    pub tuning: Tuning,
    /// The tools that the model may call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Box<OfferedTools>>,
}

/// How a model's answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// As the output of a step: text, or a value that fits the schema.
    #[default]
    Output,
    /// As a turn of a conversation that asks or delivers (see [`super::document::Turn`]); streamed as plain text.
    Turn,
}

impl Reply {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_output(&self) -> bool {
        *self == Self::Output
    }
}

/// Run a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandWork {
    /// The program and its arguments; with `shell` the text that is run, alone.
    pub argv: Vec<String>,
    /// The values that this text refers to, by [`CommandWork::parameter`]. They are no part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Where one of them would be read as code all the same, so that it is not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misplaced: Option<String>,
    /// Where; relative to the folder in which the run was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What is added to its clean environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What it reads.
    pub stdin: String,
    /// How its stdout is read.
    #[serde(default)]
    pub parse: Parse,
    /// Run through `sh -c`.
    #[serde(default)]
    pub shell: bool,
    /// It may ask the person while it works, so its stdin stays open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// Whether it speaks the contract of lines; absent: as version 0.1.0 took every command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks: Option<Speaks>,
    /// The JSON Schema of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The elements of `argv` that are files of the definition's folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<OwnFile>,
    /// Values that begin with a dash, and stand where the program may read them as options. They are shown, and no part of
    /// what the work is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// An element of an `argv` that is a file of the definition's folder. What runs has its path in a private copy there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnFile {
    /// Which element, from 0, as the definition has them.
    pub element: usize,
    /// The file, by its path in the folder.
    pub name: String,
    /// The hash of its bytes.
    pub hash: Fingerprint,
}

impl CommandWork {
    /// The variable in which a shell finds the folder of those files.
    pub const FILES: &'static str = "STEPWELL_FILES";

    /// Where it runs, of a run that was started in `start`. `~` is the home folder, as a shell has it; where that is not
    /// known it is left as it is.
    #[must_use]
    pub fn folder(&self, start: &Path, home: Option<&Path>) -> PathBuf {
        let Some(cwd) = &self.cwd else { return start.to_owned() };
        let below = cwd.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (below, home) {
            (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
            (Some(_), None) => PathBuf::from(cwd),
            (None, _) => start.join(cwd),
        }
    }

    /// The variable in which the shell finds the value of that index.
    #[must_use]
    pub fn parameter(index: usize) -> String {
        format!("STEPWELL_{}", index + 1)
    }

    /// The values that a shell is given, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (String, &String)> {
        self.parameters.iter().enumerate().map(|(at, value)| (Self::parameter(at), value))
    }
}

/// Send an HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HttpWork {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to.
    pub url: String,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How the answer is read: `json`, `text`, `page`; absent: by its content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// The hosts that the definition or the person has named for it: any other is asked about, and may not be private.
    #[serde(default, skip_serializing_if = "NamedHosts::is_empty")]
    pub hosts: NamedHosts,
    /// The JSON Schema of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

impl HttpWork {
    /// The host that neither the definition nor the person has named, with its port.
    #[must_use]
    pub fn unnamed_host(&self) -> Option<String> {
        // What is no URL fails before anything is sent.
        host::authority(&self.url).filter(|authority| !host::allows(&self.hosts.0, authority))
    }

    /// Whether the method promises to change nothing.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.method.eq_ignore_ascii_case("GET") || self.method.eq_ignore_ascii_case("HEAD")
    }
}

/// What stands for the secret input `name` in rendered work, where the definition puts that secret, until the attempt fills
/// the value in.
///
/// It is made of the `nonce`, which is the run's own and random, and is in nothing that a model, a command or a server
/// gets: no text from outside can name a secret into place.
#[must_use]
pub fn secret_marker(nonce: &str, name: &str) -> String {
    format!("{}{name}⟧", secret_mark(nonce))
}

/// What begins whatever stands for a secret, of any run.
pub const SECRET_MARK: &str = "⟦secret:";

/// What begins the marker of every secret of a run.
#[must_use]
pub fn secret_mark(nonce: &str) -> String {
    let nonce = Fingerprint::of_bytes(format!("secret {nonce}").as_bytes());
    format!("{SECRET_MARK}{}:", &nonce.as_str()[..20])
}

/// What names a secret input inside a flow: in the inputs that code gets, and in what fingerprints are made of. Version
/// 0.1.0 filled it wherever it was, and models may have seen it, so it is filled nowhere.
#[must_use]
pub fn secret_name(nonce: &str, name: &str) -> String {
    format!("{}{name}⟧", secret_name_mark(nonce))
}

/// What begins the name of every secret of a run.
#[must_use]
pub fn secret_name_mark(nonce: &str) -> String {
    format!("{SECRET_MARK}{nonce}:")
}

/// `text` with words for a person in the place of markers and names of a run's secrets, which nothing fills.
#[must_use]
pub fn without_secrets(text: &str, nonce: &str) -> String {
    [secret_mark(nonce), secret_name_mark(nonce)]
        .iter()
        .fold(text.to_owned(), |text, mark| text.replace(mark, "⟦secret "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_runs_where_it_is_said_and_a_tilde_is_the_home_folder() {
        let (start, home) = (Path::new("/start"), Path::new("/home/ana"));
        for (cwd, folder, unknown) in [
            (None, "/start", "/start"),
            (Some("sub"), "/start/sub", "/start/sub"),
            (Some("/else"), "/else", "/else"),
            (Some("~"), "/home/ana", "~"),
            (Some("~/repo"), "/home/ana/repo", "~/repo"),
            (Some("~ana"), "/start/~ana", "/start/~ana"),
        ] {
            let work = CommandWork { cwd: cwd.map(str::to_owned), ..CommandWork::default() };
            assert_eq!(work.folder(start, Some(home)), Path::new(folder));
            assert_eq!(work.folder(start, None), Path::new(unknown));
        }
    }
}
