//! The keys that govern a step, whatever it does.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use serde_json::value::RawValue;

use super::step::KindName;
use super::workflow::overlay;
use super::{At, Context, Schema, SnippetForm, TemplateScope};
use crate::core::diagnostic::{SourceSpan, SourceText, nearest};
use crate::core::json;
use crate::core::schema;
use crate::core::step::{
    Approve, Check, DocumentSpec, ForEach, Join, OnCrash, OnCut, OnFailure, OnTimeout, Repeat, Retry, Review, Rules,
};
use crate::core::toml_reader::{Item, Table, TomlString, pointed};

const JOINS: [(&str, Join); 4] =
    [("all", Join::All), ("any", Join::Any), ("first", Join::First), ("ended", Join::Ended)];
const ON_CRASH: [(&str, OnCrash); 3] = [("rerun", OnCrash::Rerun), ("ask", OnCrash::Ask), ("fail", OnCrash::Fail)];
const ON_TIMEOUT: [(&str, OnTimeout); 3] =
    [("skip", OnTimeout::Skip), ("fail", OnTimeout::Fail), ("accept", OnTimeout::Accept)];
const ON_CUT: [(&str, OnCut); 4] =
    [("ask", OnCut::Ask), ("continue", OnCut::Continue), ("accept", OnCut::Accept), ("fail", OnCut::Fail)];
/// When a `repeat` does not say.
const ITERATIONS: u32 = 5;

impl Context<'_> {
    pub(super) fn rules(&self, table: &Table<'_>, step: At<'_>, kind: KindName, retry: &Retry) -> Rules {
        let condition = |key, scope| table.get(key).and_then(|item: Item<'_>| self.condition(&item, step, scope));
        let text = |key| {
            table.get(key).and_then(|item: Item<'_>| self.template(&item, Some(step), TemplateScope::Work, false))
        };
        Rules {
            // A group's `output` is an expression, read with the group.
            output: if kind == KindName::Group { None } else { self.schema(table, step) },
            checks: table.tables("checks").iter().filter_map(|table| self.check(table, step)).collect(),
            review: table.get("review").and_then(|item| {
                let words = [("always", Review::Always), ("never", Review::Never), ("failed", Review::Failed)];
                self.word_or_expr(&item, &words, step, TemplateScope::Judge, Review::When)
            }),
            approve: table.get("approve").and_then(|item| {
                let words = [("always", Approve::Always), ("once", Approve::Once), ("never", Approve::Never)];
                self.word_or_expr(&item, &words, step, TemplateScope::Work, Approve::When)
            }),
            approve_title: text("approve_title"),
            approve_message: text("approve_message"),
            on_crash: table.get("on_crash").and_then(|item| item.one_of(&ON_CRASH)),
            timeout: table.time("timeout"),
            retry: table.get("retry").and_then(Item::table).map(|table| overlay(&table, retry, kind == KindName::Http)),
            idempotent: table.flag("idempotent"),
            when: condition("when", TemplateScope::Work),
            after: self.mentions(table.texts("after"), "after", step),
            join: table.get("join").and_then(|item| item.one_of(&JOINS)).unwrap_or_default(),
            for_each: self.for_each(table, step),
            repeat: table.get("repeat").and_then(Item::table).and_then(|table| self.repeat(&table, step)),
            on_failure: table.get("on_failure").and_then(|item| self.on_failure(&item, step)).unwrap_or_default(),
            priority: table.get("priority").and_then(|item| item.integer()).unwrap_or_default(),
            stop_when: condition("stop_when", TemplateScope::Judge),
            decide_within: table.time("decide_within"),
            on_timeout: on_timeout(table),
            // Only a model's answer is cut: elsewhere the key is one too many.
            on_cut: if kind == KindName::Prompt { on_cut(table) } else { None },
            set_state: table
                .get("set_state")
                .and_then(Item::table)
                .map(|table| {
                    for item in table.entries() {
                        let name = TomlString { value: item.name().to_owned(), span: item.name_span(), quoted: false };
                        self.notes.borrow_mut().writes.push((step.index, name));
                    }
                    self.expr_map(&table, step, TemplateScope::Judge)
                })
                .unwrap_or_default(),
            document: table.get("document").and_then(Item::table).and_then(|table| self.document(&table, step)),
            cache: table.time("cache"),
        }
    }

    /// `output` or `output_file`: a JSON Schema.
    fn schema(&self, table: &Table<'_>, step: At<'_>) -> Option<Value> {
        let inline = table.get("output");
        let from_file = table.get("output_file");
        if let (Some(_), Some(file)) = (&inline, &from_file) {
            file.error("a step has `output` or `output_file`, not both");
        }
        let (parts, value) = if let Some(item) = inline {
            if !item.is_table() && item.as_boolean().is_none() {
                item.error("`output` is a JSON Schema, such as `output = { type = \"array\" }`; without one the output is text");
                return None;
            }
            (item.parts(), item.json()?)
        } else {
            let file = self.file(&from_file?)?;
            match json::parse(&file.value) {
                Ok(schema) => (parts_of_json(&file.span.source), schema),
                Err(error) => {
                    let before: usize =
                        file.value.split_inclusive('\n').take(error.line.saturating_sub(1)).map(str::len).sum();
                    let offset = before + error.column.saturating_sub(1);
                    self.report.error_at(&file.span.source, offset, format!("this is not JSON: {}", error.message));
                    return None;
                }
            }
        };
        for (pointer, span) in &parts {
            if let Some(text) = value.pointer(pointer).and_then(Value::as_str).filter(|text| schema::is_template(text))
            {
                let text = TomlString { value: text.to_owned(), span: span.clone(), quoted: true };
                self.note(text, SnippetForm::Template, Some(step), TemplateScope::Schema, false);
            }
        }
        let known = schema::without_templates(&value);
        self.notes.borrow_mut().schemas.push(Schema { value: known, parts });
        Some(value)
    }

    fn check(&self, table: &Table<'_>, step: At<'_>) -> Option<Check> {
        let expr = table.required("expr", "`expr = \"output | length == 3\"`");
        let expr = expr.and_then(|item| self.condition(&item, step, TemplateScope::Judge));
        let says = table.text("says");
        table.done();
        let expr = expr?;
        Some(Check { says: says.unwrap_or_else(|| expr.clone()), expr })
    }

    fn word_or_expr<T: Clone>(
        &self,
        item: &Item<'_>,
        words: &[(&str, T)],
        step: At<'_>,
        scope: TemplateScope,
        when: impl Fn(String) -> T,
    ) -> Option<T> {
        let text = item.filled()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(value.clone());
        }
        if text.value.chars().all(|c| c.is_alphanumeric() || c == '_')
            && text.value != "output"
            && let Some(near) = nearest(&text.value, words.iter().map(|(word, _)| *word))
        {
            item.error(format!("`{}` is not \"{}\"; did you mean \"{near}\"?", item.name(), text.value));
            return None;
        }
        Some(when(self.note(text, SnippetForm::Condition, Some(step), scope, false)))
    }

    fn for_each(&self, table: &Table<'_>, step: At<'_>) -> Option<ForEach> {
        let list = table.get("for_each");
        let one_by_one = table.get("one_by_one");
        let max_parallel = table.get("max_parallel");
        if list.is_none() {
            for item in [&one_by_one, &max_parallel].into_iter().flatten() {
                item.error(format!("`{}` says how a list is worked through; add `for_each = \"EXPR\"`", item.name()));
            }
        }
        if let (Some(_), Some(item)) =
            (one_by_one.as_ref().filter(|item| item.as_boolean() == Some(true)), &max_parallel)
        {
            item.error("`max_parallel` has no effect together with `one_by_one = true`; keep one of the two");
        }
        Some(ForEach {
            list: self.expr(&list?, step, TemplateScope::List)?,
            one_by_one: one_by_one.and_then(|item| item.boolean()).unwrap_or_default(),
            max_parallel: max_parallel.and_then(|item| item.count(1)),
        })
    }

    fn repeat(&self, table: &Table<'_>, step: At<'_>) -> Option<Repeat> {
        let until = table.required("until", "`until = \"EXPR\"`, over `output`");
        let until = until.and_then(|item| self.condition(&item, step, TemplateScope::Judge));
        let max = table.count("max", 1).unwrap_or(ITERATIONS);
        let accept_last = table.get("on_max").and_then(|item| item.one_of(&[("fail", false), ("accept", true)]));
        table.done();
        Some(Repeat { until: until?, max, accept_last: accept_last.unwrap_or_default() })
    }

    fn on_failure(&self, item: &Item<'_>, step: At<'_>) -> Option<OnFailure> {
        let text = item.filled()?;
        Some(match text.value.as_str() {
            "stop" => OnFailure::Stop,
            "continue" => OnFailure::Continue,
            _ => OnFailure::Handler(self.mentions(vec![text], "on_failure", step).pop()?),
        })
    }

    fn document(&self, table: &Table<'_>, step: At<'_>) -> Option<DocumentSpec> {
        let text = |key, example| {
            let item = table.required(key, example);
            item.and_then(|item: Item<'_>| self.template(&item, Some(step), TemplateScope::Judge, false))
        };
        let name = text("name", "`name = \"notes\"`");
        if let Some(written) = table.get("name").filter(Item::is_text).and_then(|item| item.text()) {
            self.notes.borrow_mut().documents.push((step.index, written));
        }
        let title = table.get("title").and_then(|item| self.template(&item, Some(step), TemplateScope::Judge, false));
        let body = text("body", "`body = \"{{ output }}\"`");
        table.done();
        let name = name?;
        Some(DocumentSpec { title: title.unwrap_or_else(|| name.clone()), name, body: body? })
    }
}

/// The place of every value of a JSON text, by its JSON pointer.
fn parts_of_json(source: &Arc<SourceText>) -> Vec<(String, SourceSpan)> {
    fn walk(raw: &str, at: &str, source: &Arc<SourceText>, into: &mut Vec<(String, SourceSpan)>) {
        // Each piece is a slice of the text, so its address tells where it stands.
        let start = (raw.as_ptr() as usize).saturating_sub(source.text.as_ptr() as usize);
        into.push((at.to_owned(), SourceSpan { source: Arc::clone(source), range: start..start + raw.len() }));
        if let Ok(fields) = serde_json::from_str::<IndexMap<String, &RawValue>>(raw) {
            fields.iter().for_each(|(name, inner)| walk(inner.get(), &format!("{at}/{}", pointed(name)), source, into));
        } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw) {
            items.iter().enumerate().for_each(|(nth, inner)| walk(inner.get(), &format!("{at}/{nth}"), source, into));
        }
    }
    let mut parts = Vec::new();
    if let Ok(whole) = serde_json::from_str::<&RawValue>(&source.text) {
        walk(whole.get(), "", source, &mut parts);
    }
    parts
}

/// `on_cut`, of a step or of an instruct task.
pub(super) fn on_cut(table: &Table<'_>) -> Option<OnCut> {
    table.get("on_cut").and_then(|item| item.one_of(&ON_CUT))
}

fn on_timeout(table: &Table<'_>) -> Option<OnTimeout> {
    let item = table.get("on_timeout")?;
    if !table.has("decide_within") {
        item.error("`on_timeout` answers a gate whose time is up; add `decide_within = \"2d\"`");
    }
    item.one_of(&ON_TIMEOUT)
}
