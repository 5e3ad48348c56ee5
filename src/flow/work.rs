//! From a step and the names that it sees to the exact work of a call.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::core::host::NamedHosts;
use crate::core::model::{Image, Message, Role};
use crate::core::schema::Schema;
use crate::core::step::{Does, OnCut};
use crate::core::template::{Expr, References, Template, TemplateError};
use crate::core::text::shortened;
use crate::core::tool::OwnTool;
use crate::core::work::{CommandWork, HttpWork, PromptWork, Reply, SECRET_MARK, Work};
use crate::flow::effort;
use crate::flow::mistake::Mistake;
use crate::flow::names::Names;
use crate::flow::plan::{Doing, HttpPlan, Node, Parsed, PromptPlan, TransformPlan};

mod command;
pub(super) mod hosts;

/// What a call is to do.
pub struct Resolved {
    /// What is shown, journaled and performed.
    pub work: Work,
    /// What its fingerprint is made of, where that is something else: how safely work is done is in no fingerprint, so that
    /// what was accepted before it was done so goes on standing.
    pub identity: Option<Work>,
}

/// Renders the work of a call; `turns` is the conversation before a prompt.
///
/// # Errors
/// A template or expression that does not work out.
pub fn resolve(node: &Node, names: &Names, model: Option<&str>, turns: Vec<Message>) -> Result<Resolved, Mistake> {
    if !names.have_secrets() {
        let sight = Sight::now(names);
        if let Doing::Command(plan) = &node.does
            && plan.spec.shell
        {
            return command::of_a_shell(plan, node, &sight, schema(node, &sight)?);
        }
        let work = work(node, &sight, model, turns)?;
        // What is rendered is the same, and rendered once.
        let identity = match &work {
            Work::Command(command) if command.speaks.is_some() || !command.options.is_empty() => {
                Some(Work::Command(CommandWork { speaks: None, options: Vec::new(), ..command.clone() }))
            }
            Work::Http(request) => Some(Work::Http(HttpWork { hosts: NamedHosts::default(), ..request.clone() })),
            _ => None,
        };
        return Ok(Resolved { work, identity });
    }
    let identity = work(node, &Sight::before(names), model, turns.clone())?;
    let work = work(node, &Sight::now(names), model, turns)?;
    let work = if names.have_secrets() { guarded(work, names) } else { work };
    let identity = (identity != work || matches!(node.does, Doing::Http(_))).then_some(identity);
    Ok(Resolved { work, identity })
}

/// What templates see.
struct Sight<'a> {
    names: &'a Names,
    /// Where no secret may be put.
    open: minijinja::Value,
    /// As version 0.1.0 rendered, for fingerprints.
    before: bool,
}

impl<'a> Sight<'a> {
    fn now(names: &'a Names) -> Self {
        Self { names, open: names.value(), before: false }
    }

    fn before(names: &'a Names) -> Self {
        Self { names, open: names.value_before(), before: true }
    }

    /// Where a secret may be put.
    fn granting(&self, references: impl FnOnce() -> References) -> minijinja::Value {
        if self.before { self.open.clone() } else { self.names.granting(references) }
    }

    /// Renders a template that may name secrets.
    fn text(&self, what: &str, source: &Parsed<Template>) -> Result<String, Mistake> {
        let context = self.granting(|| source.as_ref().map(Template::references).unwrap_or_default());
        text(what, source, &context)
    }

    fn texts(
        &self,
        what: &str,
        sources: &BTreeMap<String, Parsed<Template>>,
    ) -> Result<BTreeMap<String, String>, Mistake> {
        sources.iter().map(|(name, source)| Ok((name.clone(), self.text(what, source)?))).collect()
    }
}

/// Work in which secrets are only where they may be: what came from elsewhere and names one is not filled, and a model sees
/// none. A secret in an argv or a URL stays to be refused.
fn guarded(work: Work, names: &Names) -> Work {
    match work {
        Work::Prompt(mut prompt) => {
            for message in &mut prompt.messages {
                message.text = names.masked(&message.text);
            }
            Work::Prompt(prompt)
        }
        Work::Command(mut command) => {
            command.env = command.env.into_iter().map(|(name, value)| (name, names.filled(value))).collect();
            command.stdin = names.filled(command.stdin);
            Work::Command(command)
        }
        Work::Http(mut request) => {
            request.headers = request.headers.into_iter().map(|(name, value)| (name, names.filled(value))).collect();
            request.body = request.body.map(|body| names.filled(body));
            Work::Http(request)
        }
        Work::Tool { tool, args, own, schema } => Work::Tool { tool, args: names.filled_json(args), own, schema },
        Work::Ask { text, fields } => Work::Ask { text: text.map(|text| names.masked(&text)), fields },
        Work::Transform { value, schema } => Work::Transform { value: names.masked_json(&value), schema },
    }
}

/// The schema of the output. Its templates see the inputs and nothing else.
fn schema(node: &Node, sight: &Sight<'_>) -> Result<Option<Value>, Mistake> {
    let declared = &node.step.rules.output;
    let Some(plan) = &node.schema else { return Ok(declared.clone()) };
    let wrong = |error: &TemplateError| {
        let source = declared.as_ref().map(Value::to_string);
        Mistake::of("output", source.as_deref(), "(its schema)", error)
    };
    let inputs = sight.open.get_attr("inputs").unwrap_or_default();
    let rendered = plan.render(&minijinja::Value::from_pairs([("inputs", inputs)])).map_err(|error| wrong(&error))?;
    match crate::core::schema::check(&rendered) {
        Ok(()) => Ok(Some(rendered)),
        Err(message) => Err(wrong(&TemplateError { message, line: 1, column: 1 })),
    }
}

fn work(node: &Node, sight: &Sight<'_>, model: Option<&str>, turns: Vec<Message>) -> Result<Work, Mistake> {
    let schema = schema(node, sight)?;
    let context = &sight.open;
    match &node.does {
        Doing::Prompt(plan) => {
            let continues = node.step.rules.on_cut == Some(OnCut::Continue);
            prompt(plan, context, model, schema, turns, continues)
        }
        Doing::Command(plan) => command::work(plan, node, sight, schema).map(Work::Command),
        Doing::Http(plan) => http(plan, sight, schema),
        Doing::Tool(tool, args, own) => {
            let args = args.render(&sight.granting(|| args.all_references())).map_err(|error| {
                let source = match &node.step.does {
                    Does::Tool { args, .. } => Some(args.to_string()),
                    _ => None,
                };
                Mistake::of("args", source.as_deref(), tool, &error)
            })?;
            if let Some(problem) = own.as_ref().and_then(|own| misfit(own, &args)) {
                let message = format!("`args` does not fit what the tool `{tool}` takes: {problem}");
                return Err(Mistake::saying("args", Some(&args.to_string()), message));
            }
            Ok(Work::Tool { tool: tool.clone(), args, own: own.clone(), schema })
        }
        Doing::Ask(above) => {
            let above = above.as_ref().map(|above| text("text", above, context)).transpose()?;
            let fields = match &node.step.does {
                Does::Ask { fields, .. } => fields.clone(),
                _ => Vec::new(),
            };
            Ok(Work::Ask { text: above, fields })
        }
        Doing::Transform(plan) => Ok(Work::Transform { value: transform(plan, context)?, schema }),
        // These are no calls: their scopes or choices are the flow's own.
        Doing::Switch(..) | Doing::Group(..) | Doing::Child(..) => {
            Ok(Work::Transform { value: Value::Null, schema: None })
        }
    }
}

/// What a tool of the definition's own does not take, before anybody is asked about the call. What a secret is, is known when
/// it is made.
fn misfit(own: &OwnTool, args: &Value) -> Option<String> {
    if args.to_string().contains(SECRET_MARK) {
        return None;
    }
    Schema::compile(&own.spec("").input).ok()?.judge(args).err()
}

fn prompt(
    plan: &PromptPlan,
    context: &minijinja::Value,
    model: Option<&str>,
    schema: Option<Value>,
    turns: Vec<Message>,
    continues: bool,
) -> Result<Work, Mistake> {
    let mut messages = Vec::with_capacity(2 + turns.len());
    if let Some(system) = &plan.system {
        messages.push(Message::new(Role::System, text("system", system, context)?));
    }
    messages.extend(turns);
    let mut images = Vec::new();
    for expr in &plan.attach {
        let source = source_of(expr);
        let value = eval("attach", expr, context)?;
        let list = match value {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        for item in list {
            images.push(image(&item).ok_or_else(|| {
                let error = TemplateError { message: "it is not an image input".to_owned(), line: 1, column: 1 };
                Mistake::of("attach", expr.as_ref().ok().map(Expr::source), &source, &error)
            })?);
        }
    }
    messages.push(Message { images, ..Message::new(Role::User, text("prompt", &plan.prompt, context)?) });
    let models = plan.spec.model.as_deref().or(model).map(str::to_owned);
    Ok(Work::Prompt(PromptWork {
        models: models.into_iter().chain(plan.spec.fallback.iter().cloned()).collect(),
        messages,
        schema,
        reply: Reply::Output,
        temperature: plan.spec.temperature,
        max_tokens: plan.spec.max_tokens,
        seed: plan.spec.seed,
        continues,
        tuning: (*plan.spec.tuning).clone(),
        tools: plan.tools.clone(),
    }))
}

fn image(value: &Value) -> Option<Image> {
    serde_json::from_value(json!({
        "name": value.get("name")?,
        "media_type": value.get("media_type")?,
        "base64": value.get("base64")?,
    }))
    .ok()
}

fn http(plan: &HttpPlan, sight: &Sight<'_>, schema: Option<Value>) -> Result<Work, Mistake> {
    let mut headers = sight.texts("headers", &plan.headers)?;
    let body = match (&plan.json, &plan.body) {
        (Some(value), _) => {
            if !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                headers.insert("content-type".to_owned(), "application/json".to_owned());
            }
            Some(
                value
                    .render(&sight.granting(|| value.all_references()))
                    .map_err(|error| {
                        let source = plan.spec.json.as_ref().map(Value::to_string);
                        Mistake::of("json", source.as_deref(), "(its value)", &error)
                    })?
                    .to_string(),
            )
        }
        (None, Some(body)) => Some(sight.text("body", body)?),
        (None, None) => None,
    };
    let url = text("url", &plan.url, &sight.open)?;
    Ok(Work::Http(HttpWork {
        method: plan.spec.method.to_ascii_uppercase(),
        // Hosts are in no fingerprint.
        hosts: if sight.before { NamedHosts::default() } else { hosts::allowed(plan, &url, sight.names) },
        url,
        headers,
        body,
        expect: plan.spec.expect.clone(),
        schema,
    }))
}

fn transform(plan: &TransformPlan, context: &minijinja::Value) -> Result<Value, Mistake> {
    match plan {
        TransformPlan::Value(value) => Ok(value.clone()),
        TransformPlan::Expr(expr) => eval("expr", expr, context),
        TransformPlan::Template(template) => text("template", template, context).map(Value::String),
        TransformPlan::Set(fields) => fields
            .iter()
            .map(|(name, expr)| Ok((name.clone(), eval("set", expr, context)?)))
            .collect::<Result<serde_json::Map<_, _>, _>>()
            .map(Value::Object),
    }
}

/// Renders a template.
///
/// # Errors
/// As a mistake that names the key.
pub fn text(what: &str, source: &Parsed<Template>, context: &minijinja::Value) -> Result<String, Mistake> {
    match source {
        Ok(text) => text
            .render(context)
            .map_err(|error| Mistake::of(what, Some(text.source()), &shorten(text.source()), &error)),
        Err(error) => Err(Mistake::of(what, None, "(it does not parse)", error)),
    }
}

/// Evaluates an expression to JSON.
///
/// # Errors
/// As a mistake that names the key.
pub fn eval(what: &str, source: &Parsed<Expr>, context: &minijinja::Value) -> Result<Value, Mistake> {
    effort::spend(1);
    match source {
        Ok(expr) => {
            expr.eval_json(context).map_err(|error| Mistake::of(what, Some(expr.source()), expr.source(), &error))
        }
        Err(error) => Err(Mistake::of(what, None, "(it does not parse)", error)),
    }
}

/// Evaluates a condition.
///
/// # Errors
/// As a mistake that names the key.
pub fn condition(what: &str, source: &Parsed<Expr>, context: &minijinja::Value) -> Result<bool, Mistake> {
    effort::spend(1);
    match source {
        Ok(expr) => expr.holds(context).map_err(|error| Mistake::of(what, Some(expr.source()), expr.source(), &error)),
        Err(error) => Err(Mistake::of(what, None, "(it does not parse)", error)),
    }
}

fn source_of(expr: &Parsed<Expr>) -> String {
    expr.as_ref().map_or_else(|error| error.message.clone(), |expr| expr.source().to_owned())
}

fn shorten(source: &str) -> String {
    const LONGEST: usize = 120;
    shortened(source.trim(), LONGEST)
}
