//! Steps as a workflow declares them: what each does, and what governs it.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expect::Expect;
use super::failure::FailureClass;
use super::form::Field;
use super::tuning::Tuning;

mod command;

pub use command::{Command, ENDS_OPTIONS, Parse, Speaks};

/// A length of time in milliseconds, written as `500ms`, `2s`, `5m`, `1h`, `2d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timespan(pub u64);

impl Timespan {
    /// Reads `500ms`, `2s`, `5m`, `1h` or `2d`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, unit) = text.split_at(split);
        let number: f64 = number.parse().ok()?;
        let factor = match unit.trim() {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a cast saturates"
        )]
        let millis = (number * factor).round() as u64;
        Some(Self(millis))
    }

    /// As the standard library's type.
    #[must_use]
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl fmt::Display for Timespan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if self.0 >= millis && self.0.is_multiple_of(millis) {
                return write!(f, "{}{unit}", self.0 / millis);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

/// When a review is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// Each attempt that ends.
    Always,
    /// None; what passes its checks is accepted.
    Never,
    /// Only an attempt that fails its checks.
    Failed,
    /// When this expression over `output` holds.
    When(String),
}

/// When an approval is asked for before an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approve {
    /// Each call.
    Always,
    /// The first call; it covers later calls with identical resolved bytes.
    Once,
    /// None.
    Never,
    /// When this expression holds.
    When(String),
}

/// What becomes of an attempt that started and has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCrash {
    /// It is tried again.
    Rerun,
    /// A person says what happened.
    Ask,
    /// It failed.
    Fail,
}

/// What a failed call does to the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing new starts, what runs finishes, then the run fails.
    #[default]
    Stop,
    /// It is recorded in the run's warnings; what depends on the step goes by its `join`.
    Continue,
    /// This step runs once per failing call, and the run goes on.
    Handler(String),
}

/// Which ends of its dependencies let a step start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Every one accepted.
    #[default]
    All,
    /// All ended, at least one accepted.
    Any,
    /// One accepted; the others are `none` for good.
    First,
    /// All ended, however.
    Ended,
}

/// How failed attempts are tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Before the second attempt.
    pub delay: Timespan,
    /// Each later wait is this many times longer.
    pub backoff: f64,
    /// The longest wait.
    pub max_delay: Timespan,
    /// The classes that are tried again.
    pub on: Vec<FailureClass>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            delay: Timespan(1_000),
            backoff: 2.0,
            max_delay: Timespan(60_000),
            on: vec![FailureClass::RateLimit, FailureClass::Server, FailureClass::Network, FailureClass::Timeout],
        }
    }
}

/// An expression over `output` that must hold, and what to say when it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The expression.
    pub expr: String,
    /// What holds when it is true.
    pub says: String,
}

/// A list to work through, one call per item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForEach {
    /// The expression that gives the list.
    pub list: String,
    /// One after another, each seeing `earlier`.
    #[serde(default)]
    pub one_by_one: bool,
    /// At most so many at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
}

/// Again and again until an expression holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Ends it when true; over the accepted `output`.
    pub until: String,
    /// Iterations at most.
    pub max: u32,
    /// At `max`: take the last (true) or fail (false).
    #[serde(default)]
    pub accept_last: bool,
}

/// What a gate whose deadline has passed is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The call is skipped.
    Skip,
    /// The call fails.
    Fail,
    /// What waits is accepted.
    Accept,
}

impl OnTimeout {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Fail, Self::Accept];

    /// The name in definitions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Fail => "fail",
            Self::Accept => "accept",
        }
    }
}

/// What comes of an answer that the limit of tokens cut. Absent: a person is asked where the step is reviewed, else it
/// fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCut {
    /// A person judges it, whatever `review` says.
    Ask,
    /// The model is asked to go on where it was cut.
    Continue,
    /// It counts as whole.
    Accept,
    /// It fails; the text stays in the attempt.
    Fail,
}

/// A declared step: what it does, and what governs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the whole file.
    pub id: String,
    /// What the person reads; the id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does.
    pub does: Does,
    /// What governs it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: Rules,
}

impl Step {
    /// What the person reads.
    #[must_use]
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.id)
    }

    /// The steps inside, if this is a group.
    #[must_use]
    pub fn inner(&self) -> &[Step] {
        match &self.does {
            Does::Group { steps, .. } => steps,
            _ => &[],
        }
    }
}

/// What a step does. Every text is a template, except where EXPR is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Does {
    /// Asks a model.
    Prompt(Prompt),
    /// Runs a program.
    Command(Command),
    /// Sends an HTTP request.
    Http(Http),
    /// Calls a tool of an MCP server of the config.
    Tool {
        /// `server/name`.
        tool: String,
        /// Its arguments; texts inside are templates.
        args: Value,
    },
    /// Asks the person.
    Ask {
        /// What to say above the form.
        text: Option<String>,
        /// The form.
        fields: Vec<Field>,
    },
    /// Computes; pure.
    Transform(Transform),
    /// Runs another workflow as a part of this run.
    Workflow {
        /// Its id.
        workflow: String,
        /// Its inputs; texts inside are templates.
        inputs: IndexMap<String, Value>,
    },
    /// Chooses which steps run.
    Switch {
        /// The first whose EXPR holds wins.
        cases: Vec<Case>,
        /// What runs when none holds.
        default: Vec<String>,
    },
    /// Steps as one.
    Group {
        /// The steps.
        steps: Vec<Step>,
        /// EXPR for the group's output; absent: that of its last declared step.
        output: Option<String>,
    },
}

impl Does {
    /// The name of the kind in definitions.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Prompt(_) => "prompt",
            Self::Command(_) => "command",
            Self::Http(_) => "http",
            Self::Tool { .. } => "tool",
            Self::Ask { .. } => "ask",
            Self::Transform(_) => "transform",
            Self::Workflow { .. } => "workflow",
            Self::Switch { .. } => "switch",
            Self::Group { .. } => "group",
        }
    }

    /// Whether a call of this kind can change something outside the run.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        match self {
            Self::Command(_) | Self::Tool { .. } => true,
            Self::Http(http) => !http.is_safe(),
            _ => false,
        }
    }
}

/// A case of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// EXPR.
    pub when: String,
    /// The ids of the steps that it chooses.
    pub to: Vec<String>,
}

/// Asks a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prompt {
    /// What is asked.
    pub prompt: String,
    /// The system message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// A role or `PROVIDER/MODEL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What to ask when that one fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// Sampling temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Sampling seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// What else is set of how the model answers.
    #[serde(default, skip_serializing_if = "Tuning::is_default")]
    pub tuning: Box<Tuning>,
    /// EXPRs that give images (or lists of them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attach: Vec<String>,
    /// Earlier steps as conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// Condense the oldest turns of the history over so many tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summarize_over: Option<u64>,
    /// Patterns over the names of tools that the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Turns that it may take then, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
}

/// What a prompt sees as earlier conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// These steps; they become dependencies.
    Steps(Vec<String>),
    /// All ancestors in declared order.
    All,
    /// The session's last runs.
    Runs(u32),
}

/// Sends an HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to.
    pub url: String,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body; texts inside are templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// A text body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How the answer is read: `json`, `text`, or `page` (a web page as readable text); absent: by its content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// Hosts to which it goes without a question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

impl Http {
    /// Whether the method promises to change nothing.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.method.eq_ignore_ascii_case("GET") || self.method.eq_ignore_ascii_case("HEAD")
    }
}

/// Computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// EXPR.
    Expr(String),
    /// A text.
    Template(String),
    /// An object of EXPRs.
    Set(IndexMap<String, String>),
}

/// A document of its own beside the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentSpec {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its body.
    pub body: String,
}

/// What governs a step. Absent means the kind's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// The JSON Schema of the output; absent: text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// What must hold of the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// When it is reviewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// When it is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve: Option<Approve>,
    /// What an approval is headed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_title: Option<String>,
    /// What an approval says before what runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve_message: Option<String>,
    /// What a crash does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_crash: Option<OnCrash>,
    /// The time for one attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Timespan>,
    /// How it is tried again; absent: as the workflow says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Doing it twice is as doing it once.
    pub idempotent: bool,
    /// EXPR; false: skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Dependencies without data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Which ends of the dependencies let it start.
    pub join: Join,
    /// A list to work through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// Again until.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// What a failure does.
    pub on_failure: OnFailure,
    /// Higher first when a limit makes calls wait.
    pub priority: i64,
    /// EXPR; true after this call: the run completes early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_when: Option<String>,
    /// How long a gate may stay open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decide_within: Option<Timespan>,
    /// What answers it then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
    /// What comes of an answer that the limit of tokens cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_cut: Option<OnCut>,
    /// EXPRs for names of the state.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub set_state: IndexMap<String, String>,
    /// A document beside the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentSpec>,
    /// How old an accepted result of an earlier run may be to be taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Timespan>,
}

fn is_default(rules: &Rules) -> bool {
    *rules == Rules::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write() {
        for (text, millis) in [("500ms", 500), ("2s", 2_000), ("1.5s", 1_500), ("5m", 300_000), ("2d", 172_800_000)] {
            assert_eq!(Timespan::parse(text), Some(Timespan(millis)));
        }
        assert_eq!(Timespan(300_000).to_string(), "5m");
        assert_eq!(Timespan(1_500).to_string(), "1500ms");
        for text in ["", "5", "m", "5 weeks", "-1s"] {
            assert_eq!(Timespan::parse(text), None, "{text}");
        }
    }
}
