//! A workflow's steps made ready: templates parsed, dependencies found, an order in which each step comes after
//! what it depends on.
//!
//! The catalog checks definitions before a run and names every mistake with its place. Here a mistake only becomes
//! the failure of the step that has it, so that a run of an unchecked definition ends with a reason.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::core::pinned::Pinned;
use crate::core::schema;
use crate::core::step::Retry;
use crate::core::step::{Approve, Command, Does, History, Http, Join, OnFailure, Prompt, Review, Step, Transform};
use crate::core::task::{Body, FlowKind, ResultSpec, Task, Workflow};
use crate::core::template::{Expr, References, Template, TemplateError};
use crate::core::tool::{DeclaredTools, OfferedTools, OwnTool};

use self::named::{merge_expr, merge_text};

pub use self::links::ancestors;
pub use self::value::ValuePlan;

mod follows;
mod links;
mod named;
pub mod tools;
mod value;

/// How deep child workflows may be nested.
const DEEPEST: usize = 10;

/// The steps of one workflow, one group or one child workflow.
pub struct Plan {
    /// The child workflow that declares these steps; `None`: the run's own definition does.
    pub workflow: Option<String>,
    /// In declared order.
    pub nodes: Vec<Node>,
    /// Indices of `nodes`: each after those that it depends on.
    pub order: Vec<usize>,
    /// The place of each step in that order.
    pub places: Vec<usize>,
    /// For each node, those that depend on it.
    pub dependents: Vec<Vec<usize>>,
    /// Those and the ones that see it although others stand between: by their history, or by the state that it sets.
    pub watchers: Vec<Vec<usize>>,
    /// For each node, whether only steps that take whichever comes first need it: once they have another, it may go.
    pub spare: Vec<bool>,
    /// For each node, whether it, or something inside it, sets names of the state.
    pub writes: Vec<bool>,
    /// For each node, whether it, or something inside it, writes a document.
    pub documents: Vec<bool>,
    /// Index by id.
    pub by_id: HashMap<String, usize>,
    /// The result of the workflow; `None` in a group.
    pub result: Option<ResultPlan>,
    /// How failed attempts are tried again where a step does not say.
    pub retry: Retry,
    /// The model where a step does not name one.
    pub model: Option<String>,
}

/// The result of a workflow.
pub struct ResultPlan {
    /// The title.
    pub title: Parsed<Template>,
    /// The body; `None`: the output of the last declared step.
    pub body: Option<Parsed<Template>>,
    /// What a parent sees as the output; `None`: title and body.
    pub output: Option<Parsed<Expr>>,
}

/// What was parsed, or why it does not parse.
pub type Parsed<T> = Result<T, TemplateError>;

/// A step made ready.
pub struct Node {
    /// As it was declared.
    pub step: Arc<Step>,
    /// The indices of the steps of this plan that it depends on, in declared order.
    pub deps: Vec<usize>,
    /// For each of them, the names through which steps inside this one see it.
    pub through: Vec<Arc<[String]>>,
    /// Those of them that it, or anything inside it, names: they are visible as `steps.X`.
    pub named: References,
    /// The same without what is only said to the person who approves.
    pub read: References,
    /// The ids of those steps that it names only there: it waits for them, and a command does not read them.
    pub only_said: Vec<String>,
    /// The steps that its `history` takes in, in declared order.
    pub before: Vec<usize>,
    /// The switches of this plan that may choose it.
    pub routed_by: Vec<usize>,
    /// The step whose failures it handles.
    pub handles: Option<usize>,
    /// `when`.
    pub when: Option<Parsed<Expr>>,
    /// Whether `when` is decided for each item.
    pub when_per_item: bool,
    /// The list of `for_each`.
    pub list: Option<Parsed<Expr>>,
    /// `until` of a repeat.
    pub until: Option<Parsed<Expr>>,
    /// `stop_when`.
    pub stop_when: Option<Parsed<Expr>>,
    /// The schema of the output, where it holds templates.
    pub schema: Option<ValuePlan>,
    /// The expressions of `checks`, in order.
    pub checks: Vec<(Parsed<Expr>, String)>,
    /// The expression of `review`.
    pub review: Option<Parsed<Expr>>,
    /// The expression of `approve`.
    pub approve: Option<Parsed<Expr>>,
    /// `approve_title` and `approve_message`.
    pub approve_texts: [Option<Parsed<Template>>; 2],
    /// `set_state`.
    pub set_state: Vec<(String, Parsed<Expr>)>,
    /// `document`: name, title, body.
    pub document: Option<[Parsed<Template>; 3]>,
    /// What it does.
    pub does: Doing,
}

/// What a step does, made ready.
pub enum Doing {
    /// Asks a model.
    Prompt(Box<PromptPlan>),
    /// Runs a program.
    Command(Box<CommandPlan>),
    /// Sends a request.
    Http(Box<HttpPlan>),
    /// Calls a tool: its arguments, and the tool where the definition declares it.
    Tool(String, ValuePlan, Option<Box<OwnTool>>),
    /// Asks the person.
    Ask(Option<Parsed<Template>>),
    /// Computes.
    Transform(TransformPlan),
    /// Chooses steps: `when` and ids of each case, and the default.
    Switch(Vec<(Parsed<Expr>, Vec<String>)>, Vec<String>),
    /// Steps as one, and the expression of the output.
    Group(Box<Plan>, Option<Parsed<Expr>>),
    /// Another workflow and its inputs; or why it cannot be run.
    Child(Result<Box<(Plan, Arc<Task>)>, String>, IndexMap<String, ValuePlan>),
}

/// A prompt made ready.
pub struct PromptPlan {
    /// As it was declared.
    pub spec: Prompt,
    /// The prompt.
    pub prompt: Parsed<Template>,
    /// The system message.
    pub system: Option<Parsed<Template>>,
    /// Images.
    pub attach: Vec<Parsed<Expr>>,
    /// The tools that the model may call.
    pub tools: Option<Box<OfferedTools>>,
}

/// A command made ready.
pub struct CommandPlan {
    /// As it was declared.
    pub spec: Command,
    /// The program and its arguments.
    pub argv: Vec<Parsed<Template>>,
    /// Where it runs.
    pub cwd: Option<Parsed<Template>>,
    /// Its environment.
    pub env: BTreeMap<String, Parsed<Template>>,
    /// What it reads.
    pub stdin: Option<Parsed<Template>>,
}

/// A request made ready.
pub struct HttpPlan {
    /// As it was declared.
    pub spec: Http,
    /// Where to.
    pub url: Parsed<Template>,
    /// Headers.
    pub headers: BTreeMap<String, Parsed<Template>>,
    /// A JSON body.
    pub json: Option<ValuePlan>,
    /// A text body.
    pub body: Option<Parsed<Template>>,
    /// Hosts that the step or its workflow names.
    pub hosts: Vec<String>,
    /// Code made it up: its texts are not the definition's.
    pub made_up: bool,
}

/// A computation made ready.
pub enum TransformPlan {
    /// An expression.
    Expr(Parsed<Expr>),
    /// A text.
    Template(Parsed<Template>),
    /// An object of expressions.
    Set(Vec<(String, Parsed<Expr>)>),
    /// This value.
    Value(Value),
}

impl Plan {
    /// The plan of something that has no steps.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            workflow: None,
            nodes: Vec::new(),
            order: Vec::new(),
            places: Vec::new(),
            dependents: Vec::new(),
            watchers: Vec::new(),
            spare: Vec::new(),
            writes: Vec::new(),
            documents: Vec::new(),
            by_id: HashMap::new(),
            result: None,
            retry: Retry::default(),
            model: None,
        }
    }

    /// The plan of a pinned workflow with its children. `None` for an instruct task.
    #[must_use]
    pub fn of(pinned: &Pinned, model: Option<&str>) -> Option<Self> {
        match &pinned.task.body {
            Body::Workflow(workflow) => {
                let model = model.map(str::to_owned).or_else(|| pinned.task.model.clone());
                let of = Declared {
                    workflow,
                    tools: &pinned.task.tools,
                    child: None,
                    pinned,
                    model: model.as_ref(),
                    depth: 0,
                };
                Some(Self::workflow(&pinned.task, of))
            }
            Body::Instruct(_) => None,
        }
    }

    fn workflow(task: &Task, of: Declared<'_>) -> Self {
        let workflow = of.workflow;
        let mut plan = Self::steps(&workflow.steps, of);
        let result = ResultPlan {
            title: match &workflow.result {
                Some(ResultSpec { title, .. }) => Template::parse(title),
                None => Ok(Template::Plain(task.name.as_str().into())),
            },
            body: workflow.result.as_ref().and_then(|result| result.body.as_deref()).map(Template::parse),
            output: workflow.result.as_ref().and_then(|result| result.output.as_deref()).map(Expr::parse),
        };
        let mut named = References::default();
        merge_text(&mut named, &result.title);
        result.output.iter().for_each(|output| merge_expr(&mut named, output));
        if let Some(body) = &result.body {
            merge_text(&mut named, body);
        }
        for successor in &workflow.then {
            successor.inputs.values().for_each(|value| ValuePlan::parse(value).references(&mut named));
            successor.when.iter().for_each(|when| merge_expr(&mut named, &Expr::condition(when)));
        }
        plan.needs(&named, result.body.is_none());
        plan.result = Some(result);
        plan
    }

    fn steps(steps: &[Step], of: Declared<'_>) -> Self {
        let by_id: HashMap<String, usize> = steps.iter().enumerate().map(|(at, step)| (step.id.clone(), at)).collect();
        let mut nodes: Vec<Node> = steps.iter().map(|step| node(step, &by_id, of)).collect();
        links::route(&mut nodes, &by_id);
        for at in 0..nodes.len() {
            if matches!(&nodes[at].does, Doing::Prompt(prompt) if prompt.spec.history == Some(History::All)) {
                nodes[at].before = ancestors(&nodes, at);
            }
        }
        links::through(&mut nodes);
        let order = links::order(&nodes);
        let mut places = vec![0; nodes.len()];
        for (place, &at) in order.iter().enumerate() {
            places[at] = place;
        }
        let dependents = links::dependents(&nodes);
        let watchers = links::watchers(&nodes, &dependents);
        let spare = links::spare(&nodes, &dependents);
        let writes = nodes.iter().map(links::sets_state).collect();
        let writes_one = |node: &Node| node.document.is_some() || node.does.inner().is_some_and(Self::writes_documents);
        let documents = nodes.iter().map(writes_one).collect();
        let (retry, model) = (of.workflow.retry.clone(), of.model.cloned());
        let (workflow, result) = (of.child.map(str::to_owned), None);
        Self {
            workflow,
            nodes,
            order,
            places,
            dependents,
            watchers,
            spare,
            writes,
            documents,
            by_id,
            result,
            retry,
            model,
        }
    }

    /// Whether a step has one call, or scope, for each item of a list: its own, or the one of the step that it handles.
    #[must_use]
    pub fn fans_out(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        node.list.is_some() || node.handles.is_some_and(|guarded| self.nodes[guarded].list.is_some())
    }

    /// Whether any step, or one inside it, writes a document.
    #[must_use]
    pub fn writes_documents(&self) -> bool {
        self.documents.contains(&true)
    }

    /// Whether there is a step that handles the failures of this one.
    #[must_use]
    pub fn is_handled(&self, at: usize) -> bool {
        self.nodes.iter().any(|node| node.handles == Some(at))
    }

    /// What the whole comes to is made of the steps that are named, and of the last one if `last`.
    fn needs(&mut self, named: &References, last: bool) {
        for id in named.steps() {
            if let Some(&at) = self.by_id.get(id) {
                self.spare[at] = false;
            }
        }
        if let Some(spare) = self.spare.last_mut().filter(|_| last) {
            *spare = false;
        }
    }
}

/// Where steps are declared.
#[derive(Clone, Copy)]
struct Declared<'a> {
    workflow: &'a Workflow,
    /// The tools that it declares.
    tools: &'a DeclaredTools,
    /// That workflow's id, where it is a child's.
    child: Option<&'a str>,
    pinned: &'a Pinned,
    /// The model where a step does not name one.
    model: Option<&'a String>,
    /// How many workflows are around it.
    depth: usize,
}

fn node(step: &Step, by_id: &HashMap<String, usize>, of: Declared<'_>) -> Node {
    let rules = &step.rules;
    let condition = |source: &String| Expr::condition(source);
    let when = rules.when.as_ref().map(condition);
    let does = doing(step, of);
    let mut node = Node {
        when_per_item: when.as_ref().is_some_and(|when| {
            when.as_ref().is_ok_and(|when| when.references().uses("item") || when.references().uses("index"))
        }),
        when,
        list: rules.for_each.as_ref().map(|for_each| Expr::parse(&for_each.list)),
        until: rules.repeat.as_ref().map(|repeat| Expr::condition(&repeat.until)),
        stop_when: rules.stop_when.as_ref().map(condition),
        schema: rules.output.as_ref().filter(|schema| schema::has_templates(schema)).map(ValuePlan::parse),
        review: match &rules.review {
            Some(Review::When(source)) => Some(Expr::condition(source)),
            _ => None,
        },
        approve: match &rules.approve {
            Some(Approve::When(source)) => Some(Expr::condition(source)),
            _ => None,
        },
        approve_texts: [&rules.approve_title, &rules.approve_message]
            .map(|source| source.as_ref().map(|source| Template::parse(source))),
        set_state: rules.set_state.iter().map(|(name, source)| (name.clone(), Expr::parse(source))).collect(),
        document: rules
            .document
            .as_ref()
            .map(|document| [&document.name, &document.title, &document.body].map(|source| Template::parse(source))),
        ..Node::made_up(step.clone(), does)
    };
    node.read = named::read(&node);
    node.named = named::with_said(&node);
    let mut deps: Vec<usize> = node
        .named
        .steps()
        .chain(rules.after.iter().map(String::as_str))
        .filter_map(|id| by_id.get(id).copied())
        .filter(|&at| by_id.get(&step.id) != Some(&at))
        .collect();
    if let Does::Prompt(Prompt { history: Some(History::Steps(ids)), .. }) = &step.does {
        node.before = ids.iter().filter_map(|id| by_id.get(id).copied()).collect();
        node.before.sort_unstable();
        deps.extend(&node.before);
    }
    deps.sort_unstable();
    deps.dedup();
    let read = |id: &&str| node.read.steps().any(|read| read == *id) || rules.after.iter().any(|after| after == *id);
    let said = node.named.steps().filter(|id| by_id.get(*id).is_some_and(|at| !node.before.contains(at)));
    node.only_said = said.filter(|id| !read(id)).map(str::to_owned).collect();
    node.deps = deps;
    node
}

fn doing(step: &Step, of: Declared<'_>) -> Doing {
    let text = |source: &String| Template::parse(source);
    match &step.does {
        Does::Prompt(spec) => Doing::Prompt(Box::new(PromptPlan {
            prompt: Template::parse(&spec.prompt),
            system: spec.system.as_ref().map(text),
            attach: spec.attach.iter().map(|source| Expr::parse(source)).collect(),
            tools: tools::offered(spec, &step.rules, of.tools),
            spec: spec.clone(),
        })),
        Does::Command(spec) => Doing::Command(Box::new(CommandPlan {
            argv: spec.argv.iter().map(text).collect(),
            cwd: spec.cwd.as_ref().map(text),
            env: spec.env.iter().map(|(name, source)| (name.clone(), Template::parse(source))).collect(),
            stdin: spec.stdin.as_ref().map(text),
            spec: spec.clone(),
        })),
        Does::Http(spec) => Doing::Http(Box::new(HttpPlan {
            url: Template::parse(&spec.url),
            headers: spec.headers.iter().map(|(name, source)| (name.clone(), Template::parse(source))).collect(),
            json: spec.json.as_ref().map(ValuePlan::parse),
            body: spec.body.as_ref().map(text),
            hosts: spec.hosts.iter().chain(&of.workflow.hosts).cloned().collect(),
            made_up: false,
            spec: spec.clone(),
        })),
        Does::Tool { tool, args } => Doing::Tool(tool.clone(), ValuePlan::parse(args), tools::own(tool, of.tools)),
        Does::Ask { text: source, .. } => Doing::Ask(source.as_ref().map(text)),
        Does::Transform(transform) => Doing::Transform(match transform {
            Transform::Expr(source) => TransformPlan::Expr(Expr::parse(source)),
            Transform::Template(source) => TransformPlan::Template(Template::parse(source)),
            Transform::Set(fields) => {
                TransformPlan::Set(fields.iter().map(|(name, source)| (name.clone(), Expr::parse(source))).collect())
            }
        }),
        Does::Switch { cases, default } => Doing::Switch(
            cases.iter().map(|case| (Expr::condition(&case.when), case.to.clone())).collect(),
            default.clone(),
        ),
        Does::Group { steps, output } => {
            let mut inner = Plan::steps(steps, of);
            let output = output.as_ref().map(|s| Expr::parse(s));
            let mut named = References::default();
            if let Some(output) = &output {
                merge_expr(&mut named, output);
            }
            inner.needs(&named, output.is_none());
            Doing::Group(Box::new(inner), output)
        }
        Does::Workflow { workflow: id, inputs } => {
            let inputs = inputs.iter().map(|(name, value)| (name.clone(), ValuePlan::parse(value))).collect();
            Doing::Child(child(id, of.pinned, of.model, of.depth), inputs)
        }
    }
}

/// The plan of a pinned workflow that is run as a part of another.
///
/// # Errors
/// When it cannot be: why.
pub fn child(
    id: &str,
    pinned: &Pinned,
    model: Option<&String>,
    depth: usize,
) -> Result<Box<(Plan, Arc<Task>)>, String> {
    if depth >= DEEPEST {
        return Err(format!("child workflows are nested deeper than {DEEPEST}"));
    }
    let task = pinned.children.get(id).ok_or_else(|| format!("there is no workflow `{id}` to run as a child"))?;
    let Body::Workflow(workflow) = &task.body else {
        return Err(format!("`{id}` is an instruct task; only a workflow can be run as a child"));
    };
    if workflow.flow != FlowKind::Graph {
        return Err(format!(
            "`{id}` is written as code; only a workflow that is a graph of steps can be run as a child"
        ));
    }
    let child = (*id != pinned.task.id).then_some(id);
    let of = Declared {
        workflow,
        tools: &task.tools,
        child,
        pinned,
        model: task.model.as_ref().or(model),
        depth: depth + 1,
    };
    Ok(Box::new((Plan::workflow(task, of), Arc::new(task.clone()))))
}

impl Doing {
    /// The steps inside it.
    #[must_use]
    pub fn inner(&self) -> Option<&Plan> {
        match self {
            Self::Group(inner, _) => Some(inner),
            Self::Child(Ok(child), _) => Some(&child.0),
            _ => None,
        }
    }

    /// Whether it has steps of its own instead of a call.
    #[must_use]
    pub fn has_scope(&self) -> bool {
        matches!(self, Self::Group(..) | Self::Child(..))
    }
}

impl Node {
    /// A step that a script has made up: nothing in it is a template.
    #[must_use]
    pub fn made_up(step: Step, does: Doing) -> Self {
        let checks = step.rules.checks.iter().map(|check| (Expr::condition(&check.expr), check.says.clone())).collect();
        Self {
            step: Arc::new(step),
            deps: Vec::new(),
            through: Vec::new(),
            named: References::default(),
            read: References::default(),
            only_said: Vec::new(),
            before: Vec::new(),
            routed_by: Vec::new(),
            handles: None,
            when: None,
            when_per_item: false,
            list: None,
            until: None,
            stop_when: None,
            schema: None,
            checks,
            review: None,
            approve: None,
            approve_texts: [None, None],
            set_state: Vec::new(),
            document: None,
            does,
        }
    }

    /// How the ends of its dependencies are joined.
    #[must_use]
    pub fn join(&self) -> Join {
        self.step.rules.join
    }

    /// Whether a failed call of it lets the run go on.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.step.rules.on_failure != OnFailure::Stop
    }
}
