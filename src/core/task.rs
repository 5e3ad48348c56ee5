//! Tasks: what a person can start.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bytes::Bytes;
use super::form::Field;
use super::kept_files::KeptFiles;
use super::step::{OnCut, Retry, Step};
use super::template::{self, TemplateError};
use super::tool::DeclaredTools;
use super::tuning::ModelSettings;
use super::usage::Budget;

/// The two kinds of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A short conversation that ends in a document.
    Instruct,
    /// Code that runs step after step.
    Workflow,
}

impl Kind {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Instruct => "instruct",
            Self::Workflow => "workflow",
        }
    }
}

/// A definition as it was written, with its files put in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Names the task on the command line.
    pub id: String,
    /// What the person reads in the menu.
    pub name: String,
    /// One character or emoji before the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// A sentence about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A role or `PROVIDER/MODEL`; absent: the role `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The form to start it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Field>,
    /// One-key edits of a document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// Tasks that take the result along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_ups: Vec<FollowUp>,
    /// Tools that it declares, besides those of the config.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub tools: DeclaredTools,
    /// Whatever else the author wants to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Value>,
    /// What it does.
    pub body: Body,
}

impl Task {
    /// An action by its id.
    #[must_use]
    pub fn action(&self, id: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.id == id)
    }

    /// The message that an action is in this task's conversation; `None` where it has a prompt of its own, or the task is no
    /// conversation.
    ///
    /// # Errors
    /// When its instruction, a template over the inputs, cannot be rendered.
    pub fn message_of(&self, action: &Action, inputs: &Value) -> Result<Option<String>, TemplateError> {
        if self.kind() != Kind::Instruct || action.prompt.is_some() {
            return Ok(None);
        }
        let names = minijinja::context! { inputs => template::from_json(inputs) };
        template::render(&action.instruction, &names).map(|message| Some(message.trim().to_owned()))
    }

    /// Instruct or workflow.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.body {
            Body::Instruct(_) => Kind::Instruct,
            Body::Workflow(_) => Kind::Workflow,
        }
    }
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A short conversation that ends in a document.
    Instruct(Instruct),
    /// Step after step.
    Workflow(Workflow),
}

/// A one-key edit of a document: its output is the next version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Unique in the task.
    pub id: String,
    /// What the person reads.
    pub name: String,
    /// What is to be changed, in a sentence: a message of the person in a conversation; in a workflow the document and the
    /// inputs are put to it. Empty where there is a prompt.
    #[serde(default)]
    pub instruction: String,
    /// What the model is asked: a template that names the document, the inputs and the outputs of steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The system text; absent: one that fits every document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// A role or `PROVIDER/MODEL`; absent: the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What comes of an answer that the limit of tokens cut; absent: the action fails, and the document stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_cut: Option<OnCut>,
    /// How the model is asked to answer.
    #[serde(default, skip_serializing_if = "ModelSettings::is_default")]
    pub settings: Box<ModelSettings>,
}

/// A task that takes the result along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUp {
    /// The task's id.
    pub task: String,
    /// What the person reads.
    pub label: String,
    /// The input that the document's body goes into.
    pub input: String,
}

/// A short conversation that ends in a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instruct {
    /// What the model is told; a template over `inputs`.
    pub instruction: String,
    /// The first message of the conversation; a template over `inputs`. Absent: it is made of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How it asks.
    #[serde(default, skip_serializing_if = "Asks::is_at_once")]
    pub asks: Asks,
    /// What is asked for until known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// What is delivered; absent, with no needs: a plain chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Delivery>,
    /// What comes of an answer that the limit of tokens cut; absent: the person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_cut: Option<OnCut>,
    /// Patterns over the names of tools that the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Turns that it may take for one answer then, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// How the model is asked to answer.
    #[serde(default, skip_serializing_if = "ModelSettings::is_default")]
    pub settings: Box<ModelSettings>,
}

impl Instruct {
    /// Whether it is a plain chat: nothing to ask for and nothing to deliver.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.needs.is_empty() && self.result.is_none()
    }
}

/// How a conversation asks for what is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// For all of it in one message.
    #[default]
    AtOnce,
    /// One question after another, each of them made from the answers so far.
    OneByOne,
}

impl Asks {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_at_once(&self) -> bool {
        *self == Self::AtOnce
    }
}

/// Something that the model must know before it writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Its name, as on the checklist.
    pub name: String,
    /// What it is.
    pub description: String,
}

/// What an instruct task delivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// What the title is.
    pub title: String,
    /// What the body is.
    pub body: String,
    /// How many parts the first delivery has, a template over the inputs; absent: the body is one text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<String>,
    /// `email`, `minutes`, …: what kind of document it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Code that runs step after step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// The author's count of changes.
    pub version: u32,
    /// What decides which calls come next.
    pub flow: FlowKind,
    /// Calls under way at the same time, at most.
    pub max_concurrency: u32,
    /// Calls in a run, at most.
    pub max_calls: u32,
    /// What a run may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Hosts to which its requests go without a question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// How failed attempts are tried again.
    #[serde(default)]
    pub retry: Retry,
    /// The steps, in declared order.
    pub steps: Vec<Step>,
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultSpec>,
    /// What may follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Successor>,
    /// The files of its folder, where a command names one of them: it is started with a copy of them all. Those of a program
    /// are with its flow.
    #[serde(default, skip_serializing_if = "KeptFiles::is_empty")]
    pub files: KeptFiles,
}

impl Workflow {
    /// Every step, groups' inner ones too, from the outside in.
    #[must_use]
    pub fn all_steps(&self) -> Vec<&Step> {
        fn walk<'a>(steps: &'a [Step], into: &mut Vec<&'a Step>) {
            for step in steps {
                into.push(step);
                walk(step.inner(), into);
            }
        }
        let mut all = Vec::new();
        walk(&self.steps, &mut all);
        all
    }

    /// Every file that a run keeps of its folder for what is started.
    #[must_use]
    pub fn kept_files(&self) -> KeptFiles {
        match &self.flow {
            FlowKind::Process { sources, binary, .. } => KeptFiles { texts: sources.clone(), binary: binary.clone() },
            FlowKind::Graph | FlowKind::Script { .. } => self.files.clone(),
        }
    }
}

/// What decides which calls come next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// The steps and what they depend on.
    #[default]
    Graph,
    /// A script in the definition's folder.
    Script {
        /// Its path in that folder.
        entry: String,
        /// Every module in that folder, by its path.
        sources: BTreeMap<String, String>,
    },
    /// A program that speaks the NDJSON contract.
    Process {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Every file in that folder that is text, by its path.
        sources: BTreeMap<String, String>,
        /// Every other file in it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        binary: BTreeMap<String, Bytes>,
        /// These are all files of the folder. Version 0.1.0 kept only some, and started the program in the folder.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        whole: bool,
    },
}

/// The result of a workflow; both are templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultSpec {
    /// Its title.
    pub title: String,
    /// Its body; absent: the output of the last declared step, of a child workflow what that reads as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// EXPR: what a parent sees as the output of the step that runs this; absent: `{title, body}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A workflow that may follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Successor {
    /// Its id.
    pub workflow: String,
    /// Its inputs; texts inside are templates.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub inputs: IndexMap<String, Value>,
    /// EXPR; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}
