//! `workflows/ID/workflow.toml`: what stands outside the steps.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::does::hosts;
use super::{At, Context, SnippetForm, TemplateScope, values};
use crate::catalog::folder::{SCRIPT_FILES, ends_as};
use crate::core::failure::FailureClass;
use crate::core::kept_files::KeptFiles;
use crate::core::step::{Does, Retry, Step};
use crate::core::task::{FlowKind, ResultSpec, Successor, Workflow};
use crate::core::toml_reader::{Item, Table, TomlString};
use crate::core::usage::Budget;

/// Endings of files that a program's argv may name in the definition's folder.
const PROGRAM_FILES: [&str; 8] = ["py", "js", "mjs", "ts", "rb", "sh", "pl", "lua"];

/// Whether what a step gives is what a child workflow does.
fn ends_in_child(step: &Step) -> bool {
    match &step.does {
        Does::Workflow { .. } => true,
        Does::Group { steps, output: None } => steps.last().is_some_and(ends_in_child),
        _ => false,
    }
}

impl Context<'_> {
    /// The keys of a workflow that an instruct task does not have.
    pub(super) fn workflow(&self, root: &Table<'_>, name: &str) -> Workflow {
        let flow = root.get("flow").and_then(|item| self.flow(&item)).unwrap_or_default();
        let retry = root.get("retry").and_then(Item::table).map(|table| overlay(&table, &Retry::default(), true));
        let retry = retry.unwrap_or_default();
        let steps = root.tables("steps").iter().map(|table| self.step(table, &retry)).collect::<Vec<_>>();
        // Where something else is wrong, steps may be missing because of that.
        if steps.is_empty() && flow == FlowKind::Graph && self.report.is_empty() {
            root.error("the workflow has no steps; add a `[[steps]]` with an `id`");
        }
        Workflow {
            version: root.count("version", 0).unwrap_or(1),
            flow,
            max_concurrency: root.count("max_concurrency", 1).unwrap_or(4),
            max_calls: root.count("max_calls", 1).unwrap_or(500),
            budget: root.get("budget").and_then(Item::table).map(|table| budget(&table)),
            result: root.get("result").and_then(Item::table).map(|table| self.result(&table, name, &steps)),
            hosts: hosts(root),
            retry,
            steps,
            then: root.tables("then").iter().filter_map(|table| self.successor(table)).collect(),
            // As the folder has them, once a run keeps them.
            files: KeptFiles::default(),
        }
    }

    fn flow(&self, item: &Item<'_>) -> Option<FlowKind> {
        if item.is_list() {
            let argv = item.texts()?;
            if argv.is_empty() {
                item.error("`flow` names no program; write `flow = [\"python3\", \"main.py\"]`");
            }
            for argument in &argv {
                let names_file = ends_as(&argument.value, &PROGRAM_FILES);
                if names_file && !argument.value.starts_with(['/', '-', '~']) {
                    self.must_hold(argument.value.as_str(), |why| self.report.error(&argument.span, why));
                }
            }
            return Some(FlowKind::Process {
                argv: values(argv),
                sources: BTreeMap::new(),
                binary: BTreeMap::new(),
                whole: false,
            });
        }
        let text = item.filled()?;
        match text.value.as_str() {
            "graph" => Some(FlowKind::Graph),
            entry if ends_as(entry, &SCRIPT_FILES) => {
                self.must_hold(entry, |why| item.error(why));
                Some(FlowKind::Script { entry: text.value, sources: BTreeMap::new() })
            }
            other => {
                item.error(format!(
                    "`flow` is \"graph\", a script such as \"main.js\", or a program such as [\"python3\", \"main.py\"], not \"{other}\""
                ));
                None
            }
        }
    }

    pub(super) fn must_hold(&self, name: &str, complain: impl Fn(String)) {
        match self.folder.holds(name) {
            Ok(true) => {}
            Ok(false) => complain(format!("there is no file `{name}` in the definition's folder")),
            Err(problem) => complain(problem.to_string()),
        }
    }

    fn result(&self, table: &Table<'_>, name: &str, steps: &[Step]) -> ResultSpec {
        self.notes.borrow_mut().result = Some(table.span());
        let text =
            |key| table.get(key).and_then(|item: Item<'_>| self.template(&item, None, TemplateScope::Result, false));
        let result = ResultSpec {
            title: text("title").unwrap_or_else(|| name.to_owned()),
            body: text("body").or_else(|| match steps.last() {
                // What a child workflow gives is known only then.
                Some(step) if ends_in_child(step) => None,
                Some(step) if step.rules.for_each.is_some() => {
                    Some(format!("{{{{ steps['{}'].outputs | join('\n\n') }}}}", step.id))
                }
                Some(step) => Some(format!("{{{{ steps['{}'].output }}}}", step.id)),
                None => Some(String::new()),
            }),
            output: table
                .get("output")
                .and_then(|item| item.filled())
                .map(|text| self.note(text, SnippetForm::Expr, None, TemplateScope::Result, false)),
        };
        table.done();
        result
    }

    fn successor(&self, table: &Table<'_>) -> Option<Successor> {
        let workflow = table.required("workflow", "`workflow = \"ID\"`").and_then(|item| item.filled());
        let inputs = table.get("inputs");
        let when = table.get("when").and_then(|item| item.filled());
        let inputs = self.child_inputs(inputs, None, workflow.as_ref());
        table.done();
        Some(Successor {
            workflow: workflow?.value,
            inputs,
            when: when.map(|text| self.note(text, SnippetForm::Condition, None, TemplateScope::Result, false)),
        })
    }

    /// The inputs that another workflow is given, and a note to look whether it takes them.
    pub(super) fn child_inputs(
        &self,
        inputs: Option<Item<'_>>,
        step: Option<At<'_>>,
        workflow: Option<&TomlString>,
    ) -> IndexMap<String, Value> {
        let scope = if step.is_some() { TemplateScope::Work } else { TemplateScope::Result };
        let mut given = IndexMap::new();
        let mut names = Vec::new();
        for item in inputs.and_then(Item::table).map(|table| table.entries()).unwrap_or_default() {
            // A secret is handed on as its reference.
            if let Some(value) = self.templates(&item, step, scope, true) {
                given.insert(item.name().to_owned(), value);
            }
            names.push(TomlString { value: item.name().to_owned(), span: item.name_span(), quoted: false });
        }
        if let Some(workflow) = workflow {
            self.notes.borrow_mut().workflows.push((workflow.clone(), names));
        }
        given
    }
}

fn budget(table: &Table<'_>) -> Budget {
    let usd = table.get("usd").and_then(|item| {
        let usd = item.number()?;
        if usd < 0.0 {
            item.error("a budget is not below 0");
        }
        Some(usd)
    });
    let tokens = table.get("tokens").and_then(|item| {
        let tokens = item.integer()?;
        if tokens < 0 {
            item.error("a budget is not below 0");
        }
        u64::try_from(tokens).ok()
    });
    table.done();
    Budget { usd, tokens }
}

/// Classes of failures that no attempt can end with a second time otherwise, and why.
const NEVER_RETRIED: [(FailureClass, &str); 3] = [
    (FailureClass::Denied, "a person said no"),
    (FailureClass::Definition, "the definition would say the same again"),
    (FailureClass::Turns, "a person looks at what its model did, and has it begin again"),
];

/// `base` with what the table says laid over it. `requests`: it may be about http, whose answer may be unfit.
pub(super) fn overlay(table: &Table<'_>, base: &Retry, requests: bool) -> Retry {
    for item in table.get("on").filter(Item::is_list).and_then(|item| item.list()).unwrap_or_default() {
        let class = item.is_text().then(|| item.text()).flatten().map(|text| text.value).unwrap_or_default();
        if let Some((class, why)) = NEVER_RETRIED.iter().find(|(each, _)| each.name() == class) {
            item.error(format!("`{}` is never tried again: {why}; leave it out", class.name()));
        } else if class == FailureClass::BadOutput.name() && !requests {
            item.error(
                "`bad_output` is never tried again by itself: an answer that does not fit is asked for once more, then a person decides; leave it out, or use `repeat = { until = \"EXPR\" }`",
            );
        }
    }
    let classes = FailureClass::ALL.map(|class| (class.name(), class));
    let retry = Retry {
        attempts: table.count("attempts", 1).unwrap_or(base.attempts),
        delay: table.time("delay").unwrap_or(base.delay),
        backoff: table
            .get("backoff")
            .and_then(|item| {
                let backoff = item.number()?;
                if backoff < 1.0 {
                    item.error("`backoff` is at least 1: each wait is that many times the one before");
                }
                Some(backoff)
            })
            .unwrap_or(base.backoff),
        max_delay: table.time("max_delay").unwrap_or(base.max_delay),
        on: table
            .get("on")
            .and_then(|item| item.list())
            .map_or_else(|| base.on.clone(), |items| items.iter().filter_map(|item| item.one_of(&classes)).collect()),
    };
    table.done();
    retry
}
