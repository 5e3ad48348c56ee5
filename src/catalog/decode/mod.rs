//! From the text of a definition to a [`Task`]: what is written, with every mistake of form noted.
//!
//! What the parts mean to each other (names, cycles, schemas) is the business of [`super::check`]; for that the
//! [`Draft`] keeps where each template, expression, reference and schema stands.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;

use super::folder::Folder;
use crate::core::diagnostic::{Report, SourceSpan, SourceText};
use crate::core::key::is_id;
use crate::core::task::{Body, FollowUp, Kind, Task};
use crate::core::toml_reader::{self, Item, Table, TomlString, values};

mod action;
mod does;
mod field;
mod instruct;
mod rules;
mod step;
mod tools;
mod workflow;

/// A task as it was decoded, and where its parts stand.
#[derive(Debug)]
pub struct Draft {
    /// The task. Where something was wrong it holds a blank; the report says so.
    pub task: Task,
    /// Where its parts stand.
    pub notes: Notes,
}

/// Where the parts of a definition stand that have to fit each other.
#[derive(Debug, Default)]
pub struct Notes {
    /// Every template and expression.
    pub snippets: Vec<Snippet>,
    /// Every id that names another step.
    pub mentions: Vec<Mention>,
    /// The id of every step, from the outside in, as [`crate::core::task::Workflow::all_steps`] has them: a step's number
    /// is its place in here. None where it is missing or no id.
    pub steps: Vec<Option<TomlString>>,
    /// The place of each step's table.
    pub tables: Vec<SourceSpan>,
    /// The keys of each step's table.
    pub keys: Vec<Vec<TomlString>>,
    /// The `argv` of each command that a shell runs.
    pub shells: Vec<Vec<TomlString>>,
    /// The `argv` of each other command, and the number of its step.
    pub commands: Vec<(usize, Vec<TomlString>)>,
    /// Where `[result]` stands.
    pub result: Option<SourceSpan>,
    /// Every id of an action.
    pub actions: Vec<TomlString>,
    /// Every JSON Schema.
    pub schemas: Vec<Schema>,
    /// Every workflow that is named, and the inputs it is given.
    pub workflows: Vec<(TomlString, Vec<TomlString>)>,
    /// Every task that is named to follow, and the input that takes the text.
    pub follow_ups: Vec<(TomlString, Option<TomlString>)>,
    /// Every name of the state that is written, and the number of the step that writes it.
    pub writes: Vec<(usize, TomlString)>,
    /// The name of each `document`, and the number of the step that writes it.
    pub documents: Vec<(usize, TomlString)>,
    /// The expressions of `attach`, and the number of their step.
    pub attached: Vec<(usize, TomlString)>,
    /// The names of the tools that it declares.
    pub declared: Vec<TomlString>,
    /// The patterns over the names of tools that models may call.
    pub offered: Vec<TomlString>,
    /// The tool that a step calls, and the number of the step.
    pub called: Vec<(usize, TomlString)>,
    /// Where the arguments of such a step are, and the number of the step.
    pub arguments: Vec<(usize, SourceSpan)>,
}

/// A JSON Schema, and where its parts stand.
#[derive(Debug)]
pub struct Schema {
    /// The schema.
    pub value: Value,
    /// The place of each value in it, by its JSON pointer; the whole first.
    pub parts: Vec<(String, SourceSpan)>,
}

/// A template or an expression.
#[derive(Clone, Debug)]
pub struct Snippet {
    /// Its text.
    pub text: TomlString,
    /// How it is read.
    pub form: SnippetForm,
    /// The number of the step that it belongs to; none for the task's own.
    pub step: Option<usize>,
    /// What it may name.
    pub scope: TemplateScope,
    /// Whether a secret may be put in here.
    pub secrets: bool,
}

/// How a snippet is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnippetForm {
    /// Text with expressions in it.
    Template,
    /// An expression.
    Expr,
    /// An expression that is asked whether it is true.
    Condition,
}

/// What a template or expression may name, from its place in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateScope {
    /// The list of a `for_each`: the step's own `item` is not there yet.
    List,
    /// The work itself and what decides about it beforehand.
    Work,
    /// A judgement of the step's own `output`.
    Judge,
    /// A group's `output`: the steps inside are visible.
    Inside,
    /// The result and what follows it.
    Result,
    /// What an instruct task tells the model: `inputs` and `run`.
    Inputs,
    /// The schema of an output: `inputs` alone.
    Schema,
    /// What an action asks: what a result may name, and the document.
    Action,
}

/// An id that names another step.
#[derive(Clone, Debug)]
pub struct Mention {
    /// The key that holds it: `after`, `on_failure`, `to`, `default`, `history`.
    pub key: &'static str,
    /// The id.
    pub id: TomlString,
    /// The step that names it, by its number.
    pub step: usize,
}

/// The step that is being read.
#[derive(Clone, Copy)]
struct At<'s> {
    id: &'s str,
    index: usize,
}

/// What the readers share.
struct Context<'r> {
    report: &'r Report,
    folder: &'r Folder,
    /// The folder as the person would name it, ending in `/` unless empty.
    prefix: String,
    notes: RefCell<Notes>,
}

/// Decodes a definition. `None` when it is not TOML at all.
pub fn decode(source: &Arc<SourceText>, kind: Kind, folder: &Folder, report: &Report) -> Option<Draft> {
    let prefix = source.name.rfind('/').map_or(String::new(), |at| source.name[..=at].to_owned());
    let context = Context { report, folder, prefix, notes: RefCell::default() };
    let task = toml_reader::read(source, report, |root| context.task(root, kind))?;
    Some(Draft { task, notes: context.notes.into_inner() })
}

impl Context<'_> {
    fn task(&self, root: &Table<'_>, kind: Kind) -> Task {
        let id = root.required("id", "`id = \"my_task\"`").and_then(|item| self.id(&item));
        let name = root.required("name", "`name = \"What the menu shows\"`").and_then(|item| item.filled());
        let name = name.map(|text| text.value).unwrap_or_default();
        let mut task = Task {
            id: id.map(|text| text.value).unwrap_or_default(),
            icon: root.text("icon"),
            description: root.text("description").unwrap_or_default(),
            tags: values(root.texts("tags")),
            model: root.text("model"),
            inputs: self.fields(root, "inputs"),
            actions: root.tables("actions").iter().map(|table| self.action(table, kind)).collect(),
            follow_ups: root.tables("follow_ups").iter().map(|table| self.follow_up(table)).collect(),
            tools: self.declared(root, kind),
            meta: root.get("meta").and_then(Item::table).and_then(|table| table.json()),
            body: match kind {
                Kind::Instruct => Body::Instruct(self.instruct(root)),
                Kind::Workflow => Body::Workflow(self.workflow(root, &name)),
            },
            name: String::new(),
        };
        task.name = name;
        root.done_with(|key| {
            let (other, keys): (_, &[&str]) = match kind {
                Kind::Instruct => (
                    "a workflow (`workflows/ID/workflow.toml`)",
                    &["steps", "flow", "version", "max_concurrency", "max_calls", "budget", "retry", "then"],
                ),
                Kind::Workflow => (
                    "an instruct task (`tasks/ID.toml`)",
                    &["instruction", "needs", "request", "asks", "may_call", "max_turns"],
                ),
            };
            keys.contains(&key).then(|| format!("`{key}` belongs to {other}"))
        });
        task
    }

    fn follow_up(&self, table: &Table<'_>) -> FollowUp {
        let task = table.required("task", "`task = \"translate\"`").and_then(|item| item.text());
        let input = table.required("input", "`input = \"text\"`, the input that takes the result");
        let input = input.and_then(|item| item.text());
        if let Some(task) = &task {
            self.notes.borrow_mut().follow_ups.push((task.clone(), input.clone()));
        }
        let task = task.map(|text| text.value).unwrap_or_default();
        let label = table.text("label").unwrap_or_else(|| task.clone());
        table.done();
        FollowUp { task, label, input: input.map(|text| text.value).unwrap_or_default() }
    }

    /// A text that may name something.
    fn id(&self, item: &Item<'_>) -> Option<TomlString> {
        let text = item.text()?;
        if is_id(&text.value) {
            return Some(text);
        }
        let message = format!(
            "`{}` is no id; an id is a letter or `_`, then letters, digits, `_` or `-`",
            text.value.escape_debug()
        );
        self.report.error(&text.span, message);
        None
    }

    /// Notes a template and gives its text.
    fn template(&self, item: &Item<'_>, step: Option<At<'_>>, scope: TemplateScope, secrets: bool) -> Option<String> {
        item.text().map(|text| self.note(text, SnippetForm::Template, step, scope, secrets))
    }

    /// Notes an expression and gives its text.
    fn expr(&self, item: &Item<'_>, step: At<'_>, scope: TemplateScope) -> Option<String> {
        item.filled().map(|text| self.note(text, SnippetForm::Expr, Some(step), scope, false))
    }

    /// Notes a condition and gives its text.
    fn condition(&self, item: &Item<'_>, step: At<'_>, scope: TemplateScope) -> Option<String> {
        item.filled().map(|text| self.note(text, SnippetForm::Condition, Some(step), scope, false))
    }

    /// Notes every text inside a value as a template and gives the value.
    fn templates(&self, item: &Item<'_>, step: Option<At<'_>>, scope: TemplateScope, secrets: bool) -> Option<Value> {
        for text in item.inner_texts() {
            self.note(text, SnippetForm::Template, step, scope, secrets);
        }
        item.json()
    }

    fn note(
        &self,
        text: TomlString,
        form: SnippetForm,
        step: Option<At<'_>>,
        scope: TemplateScope,
        secrets: bool,
    ) -> String {
        let value = text.value.clone();
        let step = step.map(|step| step.index);
        self.notes.borrow_mut().snippets.push(Snippet { text, form, step, scope, secrets });
        value
    }

    /// The text of a file that the definition names.
    fn file(&self, item: &Item<'_>) -> Option<TomlString> {
        let name = item.text()?;
        match self.folder.read(&name.value) {
            Ok(text) => {
                Some(TomlString::of_file(Arc::new(SourceText { name: format!("{}{}", self.prefix, name.value), text })))
            }
            Err(problem) => {
                item.error(problem.to_string());
                None
            }
        }
    }
}
