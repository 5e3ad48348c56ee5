//! From a call as the code asks for it to a step made ready.
//!
//! Declared steps are those of the definition. What a script makes up is a step too, in which nothing is a template:
//! text that came from a model is never rendered.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::transport::Request;
use crate::core::failure::{Failure, FailureClass};
use crate::core::form::Field;
use crate::core::key::is_id;
use crate::core::schema;
use crate::core::step::{Command, Does, Http, Parse, Prompt, Review, Rules, Speaks, Step, Timespan, Transform};
use crate::core::template::Template;
use crate::core::tool::DeclaredTools;
use crate::core::tuning::Tuning;
use crate::flow::plan::{CommandPlan, Doing, HttpPlan, Node, Parsed, PromptPlan, TransformPlan, ValuePlan, tools};

/// Why a request cannot be a call: what is wrong with it.
pub type Wrong = String;

/// The id that a request counts under, and so its key begins with.
///
/// # Errors
/// When it names something that cannot be part of a key.
pub fn id(request: &Request) -> Result<&str, Wrong> {
    let id = match request.kind.as_str() {
        "step" | "review" | "workflow" => request.name.as_str(),
        kind => kind,
    };
    if is_id(id) {
        return Ok(id);
    }
    Err(format!("run.{}: `{id}` is no name; a name is a letter or `_`, then letters, digits, `_` or `-`", request.kind))
}

/// The step that a request makes up.
///
/// # Errors
/// What is wrong with its arguments or options.
pub fn made_up(request: &Request, declared: &DeclaredTools) -> Result<Node, Wrong> {
    let mut options = Options { kind: &request.kind, left: request.options.clone() };
    options.left.shift_remove("key");
    let mut rules = Rules::default();
    let (does, doing) = match request.kind.as_str() {
        "prompt" => {
            rules.on_cut = options.take("on_cut", "`ask`, `continue`, `accept` or `fail`")?;
            prompt(request, &mut options)?
        }
        "command" => command(request, &mut options)?,
        "http" => http(request)?,
        "tool" => {
            let (tool, args) = (request.name.clone(), request.with.clone());
            let doing = Doing::Tool(tool.clone(), ValuePlan::Plain(args.clone()), tools::own(&tool, declared));
            (Does::Tool { tool, args }, doing)
        }
        "ask" => ask(request, &mut options)?,
        "review" => {
            rules.review = Some(Review::Always);
            let value = TransformPlan::Value(request.with.clone());
            (Does::Transform(Transform::Expr(String::new())), Doing::Transform(value))
        }
        other => return Err(format!("there is no run.{other}")),
    };
    options.rules(&mut rules)?;
    options.none_left()?;
    let doing = match doing {
        // `approve` is about the calls of its tools.
        Doing::Prompt(plan) => {
            let tools = tools::offered(&plan.spec, &rules, declared);
            Doing::Prompt(Box::new(PromptPlan { tools, ..*plan }))
        }
        other => other,
    };
    let said = [&rules.approve_title, &rules.approve_message].map(|text| text.as_deref().map(plain).map(Ok));
    let step = Step { id: id(request)?.to_owned(), title: None, does, rules };
    Ok(Node { approve_texts: said, ..Node::made_up(step, doing) })
}

fn plain(text: &str) -> Template {
    Template::Plain(Arc::from(text))
}

fn prompt(request: &Request, options: &mut Options<'_>) -> Result<(Does, Doing), Wrong> {
    let Value::String(text) = &request.with else { return Err(options.wrong("the prompt", "text", &request.with)) };
    let spec = Prompt {
        prompt: text.clone(),
        system: options.take("system", "text")?,
        model: options.take("model", "text")?,
        fallback: options.take("fallback", "a list of models")?.unwrap_or_default(),
        temperature: options.take("temperature", "a number")?,
        max_tokens: options.take("max_tokens", "a whole number")?,
        seed: options.take("seed", "a whole number")?,
        tuning: Box::new(Tuning {
            top_p: options.take("top_p", "a number")?,
            stop: options.take("stop", "a list of texts")?.unwrap_or_default(),
            reasoning_effort: options.take("reasoning_effort", "text")?,
            thinking: options.take("thinking", "true, false, a number of tokens or an object")?,
            extra_body: options.take("extra_body", "an object")?.unwrap_or_default(),
        }),
        tools: options.take("tools", "a list of names or patterns of tools")?.unwrap_or_default(),
        max_turns: options.take("max_turns", "a whole number")?,
        ..Prompt::default()
    };
    if spec.max_turns == Some(0) {
        return Err("run.prompt: `max_turns` must be at least 1".to_owned());
    }
    if spec.max_turns.is_some() && spec.tools.is_empty() {
        return Err("run.prompt: `max_turns` is about a model that calls tools; add `tools`".to_owned());
    }
    let system = spec.system.as_deref().map(plain).map(Ok);
    let plan = PromptPlan { prompt: Ok(plain(text)), system, attach: Vec::new(), tools: None, spec: spec.clone() };
    Ok((Does::Prompt(spec), Doing::Prompt(Box::new(plan))))
}

fn command(request: &Request, options: &mut Options<'_>) -> Result<(Does, Doing), Wrong> {
    let argv: Vec<String> = match serde_json::from_value(request.with.clone()) {
        Ok(argv) if !Vec::is_empty(&argv) => argv,
        _ => return Err(options.wrong("argv", "a list of texts, the program first", &request.with)),
    };
    let mut spec = Command {
        argv,
        cwd: options.take("cwd", "text")?,
        env: options.take("env", "an object of texts")?.unwrap_or_default(),
        stdin: Some(options.take::<String>("stdin", "text")?.unwrap_or_default()),
        parse: options.take::<Parse>("parse", "`text`, `json` or `lines`")?.unwrap_or_default(),
        shell: false,
        asks: false,
        speaks: None,
        files: BTreeMap::new(),
    };
    let speaks = options.take::<Speaks>("speaks", "`stepwell`")?;
    // Scripts of version 0.1.0 had no way to say it.
    let writes = spec.writes_lines(Vec::new).then_some(Speaks::Stepwell);
    spec.speaks = speaks.or(writes.filter(|_| spec.said() == Speaks::Unsaid));
    spec.speaks = Some(spec.said());
    spec.asks = spec.speaks == Some(Speaks::Stepwell);
    let plan = CommandPlan {
        argv: spec.argv.iter().map(|arg| Ok(plain(arg))).collect(),
        cwd: spec.cwd.as_deref().map(plain).map(Ok),
        env: texts(&spec.env),
        stdin: spec.stdin.as_deref().map(plain).map(Ok),
        spec: spec.clone(),
    };
    Ok((Does::Command(spec), Doing::Command(Box::new(plan))))
}

fn http(request: &Request) -> Result<(Does, Doing), Wrong> {
    let Value::Object(given) = &request.with else {
        return Err("run.http: the request must be an object such as { url: \"https://…\" }".to_owned());
    };
    let mut fields = Options { kind: "http", left: given.clone() };
    let spec = Http {
        method: fields.take("method", "text")?.unwrap_or_else(|| "GET".to_owned()),
        url: fields.take("url", "text")?.ok_or("run.http: `url` is missing")?,
        headers: fields.take("headers", "an object of texts")?.unwrap_or_default(),
        json: fields.left.shift_remove("json"),
        body: fields.take("body", "text")?,
        expect: fields.take("expect", "`json`, `text` or `page`")?,
        hosts: Vec::new(),
    };
    fields.none_left()?;
    let plan = HttpPlan {
        url: Ok(plain(&spec.url)),
        headers: texts(&spec.headers),
        json: spec.json.clone().map(ValuePlan::Plain),
        body: spec.body.as_deref().map(plain).map(Ok),
        hosts: Vec::new(),
        made_up: true,
        spec: spec.clone(),
    };
    Ok((Does::Http(spec), Doing::Http(Box::new(plan))))
}

fn ask(request: &Request, options: &mut Options<'_>) -> Result<(Does, Doing), Wrong> {
    let fields: Vec<Field> = serde_json::from_value(request.with.clone())
        .map_err(|error| format!("run.ask: the fields are a list like `[[steps.fields]]`: {error}"))?;
    let schemas = fields.iter().filter_map(|field| field.schema.as_ref());
    if let Some(why) = schemas.map(schema::check).find_map(Result::err) {
        return Err(format!("run.ask: {why}"));
    }
    let text: Option<String> = options.take("text", "text")?;
    let doing = Doing::Ask(text.as_deref().map(plain).map(Ok));
    Ok((Does::Ask { text, fields }, doing))
}

fn texts(values: &BTreeMap<String, String>) -> BTreeMap<String, Parsed<Template>> {
    values.iter().map(|(name, text)| (name.clone(), Ok(plain(text)))).collect()
}

/// The failure of a request that cannot be a call.
#[must_use]
pub fn failure(request: &Request, wrong: &str) -> Failure {
    let place = if request.place.is_empty() { String::new() } else { format!("{}: ", request.place) };
    Failure::new(FailureClass::Definition, format!("{place}{wrong}"))
}

/// Named options that have not been understood yet.
struct Options<'a> {
    kind: &'a str,
    left: Map<String, Value>,
}

impl Options<'_> {
    fn take<T: serde::de::DeserializeOwned>(&mut self, name: &str, wanted: &str) -> Result<Option<T>, Wrong> {
        match self.left.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match serde_json::from_value(value.clone()) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(self.wrong(&format!("`{name}`"), wanted, &value)),
            },
        }
    }

    fn wrong(&self, what: &str, wanted: &str, given: &Value) -> Wrong {
        let mut given = given.to_string();
        if given.chars().count() > 60 {
            given = given.chars().take(60).chain("…".chars()).collect();
        }
        format!("run.{}: {what} must be {wanted}, not {given}", self.kind)
    }

    /// What governs any call.
    fn rules(&mut self, rules: &mut Rules) -> Result<(), Wrong> {
        rules.output = self.take("output", "a JSON Schema")?;
        rules.checks = self.take("checks", "a list of { expr, says }")?.unwrap_or_default();
        if let Some(review) = self.take("review", "`always`, `failed` or `never`")? {
            rules.review = Some(review);
        }
        rules.approve = self.take("approve", "`always`, `once` or `never`")?;
        rules.approve_title = self.take("approve_title", "text")?;
        rules.approve_message = self.take("approve_message", "text")?;
        rules.on_crash = self.take("on_crash", "`rerun`, `ask` or `fail`")?;
        rules.idempotent = self.take("idempotent", "true or false")?.unwrap_or(false);
        rules.priority = self.take("priority", "a whole number")?.unwrap_or(0);
        rules.timeout = self.span("timeout")?;
        rules.cache = self.span("cache")?;
        Ok(())
    }

    fn span(&mut self, name: &str) -> Result<Option<Timespan>, Wrong> {
        let wanted = "a length of time such as \"2m\"";
        let text: Option<String> = self.take(name, wanted)?;
        let parse = |text: String| Timespan::parse(&text).ok_or_else(|| self.wrong(name, wanted, &Value::from(text)));
        text.map(parse).transpose()
    }

    fn none_left(&self) -> Result<(), Wrong> {
        match self.left.keys().next() {
            Some(name) => Err(format!("run.{} knows no `{name}`", self.kind)),
            None => Ok(()),
        }
    }
}
