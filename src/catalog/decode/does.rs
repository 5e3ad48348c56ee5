//! What each kind of step does.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::tools::max_turns;
use super::{At, Context, Mention, SnippetForm, TemplateScope, values};
use crate::core::expect::Expect;
use crate::core::host;
use crate::core::step::{Case, Command, Does, History, Http, Parse, Prompt, Retry, Speaks, Transform};
use crate::core::task::Kind;
use crate::core::toml_reader::{Item, Table, TomlString};
use crate::core::tuning::ModelSettings;

const METHODS: [(&str, &str); 7] = [
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
    ("OPTIONS", "OPTIONS"),
];
const PARSES: [(&str, Parse); 3] = [("text", Parse::Text), ("json", Parse::Json), ("lines", Parse::Lines)];
const EXPECTS: [(&str, Expect); 3] = [("json", Expect::Json), ("text", Expect::Text), ("page", Expect::Page)];

impl Context<'_> {
    /// `lenient`: the kind is misspelt, so nothing is said of what is missing.
    pub(super) fn prompt(&self, table: &Table<'_>, step: At<'_>, lenient: bool) -> Does {
        let written = table.get("prompt");
        let from_file = table.get("prompt_file");
        if let (Some(_), Some(file)) = (&written, &from_file) {
            file.error("a step has `prompt` or `prompt_file`, not both");
        }
        if written.is_none() && from_file.is_none() && !lenient {
            table.error(format!(
                "step `{0}` asks nothing; add `prompt = \"…\"` or `prompt_file = \"prompts/{0}.md\"`",
                step.id
            ));
        }
        let text = written.and_then(|item| item.filled()).or_else(|| from_file.and_then(|item| self.file(&item)));
        if let Some(item) = table.get("summarize_over")
            && !table.has("history")
        {
            item.error(
                "`summarize_over` condenses a long history; add `history = [\"ID\"]`, \"all\" or `{ runs = 3 }`",
            );
        }
        let settings = ModelSettings::read(table);
        Does::Prompt(Prompt {
            prompt: text
                .map(|text| self.note(text, SnippetForm::Template, Some(step), TemplateScope::Work, false))
                .unwrap_or_default(),
            system: table.get("system").and_then(|item| self.template(&item, Some(step), TemplateScope::Work, false)),
            model: table.text("model"),
            fallback: values(table.texts("fallback")),
            temperature: settings.temperature,
            max_tokens: settings.max_tokens,
            seed: settings.seed,
            tuning: Box::new(settings.tuning),
            attach: {
                let attached = table.texts("attach").into_iter().map(|text| (step.index, text));
                self.notes.borrow_mut().attached.extend(attached);
                self.exprs(table, "attach", step)
            },
            history: table.get("history").and_then(|item| self.history(item, step)),
            summarize_over: table.get("summarize_over").and_then(Item::table).and_then(|table| {
                let tokens = table.required("tokens", "`{ tokens = 50_000 }`").and_then(|item| item.count(1));
                table.done();
                tokens.map(u64::from)
            }),
            tools: values(self.offered(table.get("tools"))),
            max_turns: max_turns(table),
        })
    }

    fn exprs(&self, table: &Table<'_>, key: &str, step: At<'_>) -> Vec<String> {
        let texts = table.texts(key);
        texts
            .into_iter()
            .map(|text| self.note(text, SnippetForm::Expr, Some(step), TemplateScope::Work, false))
            .collect()
    }

    fn history(&self, item: Item<'_>, step: At<'_>) -> Option<History> {
        if item.is_list() {
            return Some(History::Steps(self.mentions(item.texts()?, "history", step)));
        }
        if item.is_table() {
            let table = item.table()?;
            let runs = table.required("runs", "`{ runs = 3 }`").and_then(|item| item.count(1));
            table.done();
            return runs.map(History::Runs);
        }
        if item.text()?.value == "all" {
            return Some(History::All);
        }
        item.error("`history` is a list of step ids, \"all\", or `{ runs = 3 }`");
        None
    }

    /// Notes ids that name steps and gives them.
    pub(super) fn mentions(&self, ids: Vec<TomlString>, key: &'static str, step: At<'_>) -> Vec<String> {
        ids.into_iter()
            .map(|id| {
                let value = id.value.clone();
                self.notes.borrow_mut().mentions.push(Mention { key, id, step: step.index });
                value
            })
            .collect()
    }

    pub(super) fn command(&self, table: &Table<'_>, step: At<'_>) -> Does {
        let argv = table.required("argv", "`argv = [\"git\", \"log\"]`").and_then(|item| {
            let argv = item.texts()?;
            if argv.is_empty() {
                item.error("`argv` is empty; its first element is the program");
            }
            Some(argv)
        });
        let argv = argv.unwrap_or_default();
        for element in &argv {
            self.own_file(element);
        }
        let shell = table.flag("shell");
        if shell {
            self.notes.borrow_mut().shells.push(argv.clone());
        } else {
            self.notes.borrow_mut().commands.push((step.index, argv.clone()));
        }
        let text = |key| {
            table.get(key).and_then(|item: Item<'_>| self.template(&item, Some(step), TemplateScope::Work, false))
        };
        Does::Command(Command {
            argv: argv
                .into_iter()
                .map(|text| self.note(text, SnippetForm::Template, Some(step), TemplateScope::Work, false))
                .collect(),
            cwd: text("cwd"),
            env: self.text_map(table, "env", step),
            stdin: table.get("stdin").and_then(|item| self.template(&item, Some(step), TemplateScope::Work, true)),
            parse: table.get("parse").and_then(|item| item.one_of(&PARSES)).unwrap_or_default(),
            shell,
            speaks: table.get("speaks").and_then(|item| item.one_of(&SPEAKS)),
            // As `speaks` and `env` say, once a run needs it.
            asks: false,
            // As the folder has them, once a run keeps them.
            files: BTreeMap::new(),
        })
    }

    /// An element of `argv` that names a file of the definition's folder names one that is there.
    fn own_file(&self, element: &TomlString) {
        let Some(name) = Command::file(&element.value) else { return };
        let text = format!("`{{{{ '@/' }}}}{name}` is a text that begins with `@/`");
        if ["{{", "{%", "{#"].iter().any(|mark| name.contains(mark)) {
            let message = format!(
                "an element of `argv` that begins with `@/` names a file of the definition's folder, and its name is written out, so that it is known what runs; {text}"
            );
            self.report.error(&element.span, message);
            return;
        }
        self.must_hold(name, |why| {
            let message = format!("`@/{name}` is a file of the definition's folder: {why}; {text}");
            self.report.error(&element.span, message);
        });
    }

    /// The same of a tool's `argv`. A task is one file: it has no folder of its own.
    pub(super) fn tool_file(&self, element: &TomlString, kind: Kind) {
        match kind {
            Kind::Workflow => self.own_file(element),
            Kind::Instruct => self.report.error(
                &element.span,
                "`@/` names a file of a workflow's folder, and a task is one file; write the program into `argv`, or give its path",
            ),
        }
    }

    /// A table of templates that may hold secrets: an environment, headers.
    fn text_map(&self, table: &Table<'_>, key: &str, step: At<'_>) -> BTreeMap<String, String> {
        let entries = table.get(key).and_then(Item::table).map(|table| table.entries()).unwrap_or_default();
        entries
            .into_iter()
            .filter_map(|item| {
                Some((item.name().to_owned(), self.template(&item, Some(step), TemplateScope::Work, true)?))
            })
            .collect()
    }

    pub(super) fn http(&self, table: &Table<'_>, step: At<'_>) -> Does {
        let url = table.required("url", "`url = \"https://…\"`").and_then(|item| item.filled());
        let json = table.get("json");
        let body = table.get("body");
        if let (Some(_), Some(body)) = (&json, &body) {
            body.error("a request has `json` or `body`, not both");
        }
        Does::Http(Http {
            method: table.get("method").and_then(|item| item.one_of(&METHODS)).unwrap_or("GET").to_owned(),
            url: url
                .map(|text| self.note(text, SnippetForm::Template, Some(step), TemplateScope::Work, false))
                .unwrap_or_default(),
            headers: self.text_map(table, "headers", step),
            json: json.and_then(|item| self.templates(&item, Some(step), TemplateScope::Work, true)),
            body: body.and_then(|item| self.template(&item, Some(step), TemplateScope::Work, true)),
            expect: table.get("expect").and_then(|item| item.one_of(&EXPECTS)),
            hosts: hosts(table),
        })
    }

    pub(super) fn ask(&self, table: &Table<'_>, step: At<'_>) -> Does {
        let fields = self.fields(table, "fields");
        if fields.is_empty() && !table.has("fields") {
            table.error(format!("step `{}` asks nothing; add a `[[steps.fields]]` with `name = \"…\"`", step.id));
        }
        let text = table.get("text").and_then(|item| self.template(&item, Some(step), TemplateScope::Work, false));
        Does::Ask { text, fields }
    }

    pub(super) fn child(&self, table: &Table<'_>, step: At<'_>) -> Does {
        let workflow = table.required("workflow", "`workflow = \"ID\"`").and_then(|item| item.filled());
        let inputs = self.child_inputs(table.get("inputs"), Some(step), workflow.as_ref());
        Does::Workflow { workflow: workflow.map(|text| text.value).unwrap_or_default(), inputs }
    }

    pub(super) fn transform(&self, table: &Table<'_>, step: At<'_>) -> Does {
        let expr = table.get("expr");
        let template = table.get("template");
        let set = table.get("set");
        if [expr.is_some(), template.is_some(), set.is_some()].iter().filter(|there| **there).count() != 1 {
            table.error(format!("step `{}` must have exactly one of `expr`, `template` and `set`", step.id));
        }
        let set = set.and_then(Item::table).map(|table| self.expr_map(&table, step, TemplateScope::Work));
        let expr = expr.and_then(|item| self.expr(&item, step, TemplateScope::Work)).map(Transform::Expr);
        let template = template.and_then(|item| self.template(&item, Some(step), TemplateScope::Work, false));
        let does = expr.or(template.map(Transform::Template)).or(set.map(Transform::Set));
        Does::Transform(does.unwrap_or_else(|| Transform::Template(String::new())))
    }

    /// A table of expressions.
    pub(super) fn expr_map(&self, table: &Table<'_>, step: At<'_>, scope: TemplateScope) -> IndexMap<String, String> {
        let entries = table.entries();
        entries.iter().filter_map(|item| Some((item.name().to_owned(), self.expr(item, step, scope)?))).collect()
    }

    pub(super) fn switch(&self, table: &Table<'_>, step: At<'_>) -> Does {
        let cases = table.required("cases", "`cases = [{ when = \"EXPR\", to = [\"ID\"] }]`");
        let default = table.required("default", "`default = [\"ID\"]`: the steps that run when no case is true");
        let case = |item: Item<'_>| {
            let table = item.table()?;
            let when = table
                .required("when", "`when = \"EXPR\"`")
                .and_then(|item| self.condition(&item, step, TemplateScope::Work));
            let to = table.required("to", "`to = [\"ID\"]`").and_then(|item| item.texts()).unwrap_or_default();
            table.done();
            Some(Case { when: when.unwrap_or_default(), to: self.mentions(to, "to", step) })
        };
        Does::Switch {
            cases: cases.and_then(|item| item.list()).unwrap_or_default().into_iter().filter_map(case).collect(),
            default: self.mentions(default.and_then(|item| item.texts()).unwrap_or_default(), "default", step),
        }
    }

    pub(super) fn group(&self, table: &Table<'_>, step: At<'_>, retry: &Retry) -> Does {
        let output = table.get("output").and_then(|item| self.expr(&item, step, TemplateScope::Inside));
        let steps: Vec<_> = table.tables("steps").iter().map(|inner| self.step(inner, retry)).collect();
        if steps.is_empty() && !table.has("steps") {
            table.error(format!("group `{}` has no steps; add a `[[steps.steps]]`", step.id));
        }
        Does::Group { steps, output }
    }
}

/// The contract that a command may speak.
const SPEAKS: [(&str, Speaks); 1] = [("stepwell", Speaks::Stepwell)];

/// Hosts to which requests go without a question.
pub(super) fn hosts(table: &Table<'_>) -> Vec<String> {
    let items = table.get("hosts").and_then(|item| item.list()).unwrap_or_default();
    let host = |item: Item<'_>| {
        let text = item.text()?.value;
        if !host::is_pattern(&text) {
            item.error("`hosts` has hosts such as \"example.org\", \"*.example.org\" or \"127.0.0.1:8888\"");
        }
        Some(text)
    };
    items.into_iter().filter_map(host).collect()
}
