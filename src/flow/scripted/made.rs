//! A call that the code has asked for: what it is, and what it has come to.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::request;
use super::session::{Ground, broken};
use super::transport::{CallResult, Request};
use crate::core::call::Call;
use crate::core::diagnostic::did_you_mean;
use crate::core::event::{Event, FlowDecision};
use crate::core::failure::Failure;
use crate::core::key::Key;
use crate::core::step::{Does, Step};
use crate::core::task::Task;
use crate::core::template::{from_json, to_json};
use crate::core::work::{secret_mark, secret_name_mark};
use crate::flow::Want;
use crate::flow::documents::DocumentText;
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::graph::scope::{Around, Scope};
use crate::flow::graph::view;
use crate::flow::memo::{Asked, CallView, Cell, Dependency};
use crate::flow::names::Names;
use crate::flow::plan::{Doing, Node, Plan, ValuePlan, child};

/// A call that was asked for.
pub struct Made {
    /// Its name.
    pub key: Key,
    /// What the transport knows it by.
    pub ticket: Value,
    /// Where it was asked for.
    pub place: String,
    /// What is to be added to the journal about it.
    pub notes: Vec<Event>,
    /// What the code was told of it.
    pub told: Option<Told>,
    /// How many calls were asked for before it: where it most likely stands in the journal.
    at: usize,
    which: Which,
    names: Names,
    depends: Arc<[Dependency]>,
    cell: Cell,
    scope: Option<Box<Scope>>,
    view: CallView,
}

/// A declared step, or one that was made up on the spot.
enum Which {
    Declared(usize),
    MadeUp(Box<Node>),
}

/// What the code is told of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Its output, and the event that made it stand.
    Output(Arc<Value>, u64),
    /// Its failure.
    Failed(Failure),
}

/// Whether a call has come to an end.
pub enum CallEnd {
    /// It has not.
    NotYet,
    /// It has, but the journal does not have it yet: nothing is told before it has.
    Unrecorded,
    /// This event first settled it, whether it still stands or not.
    At(u64),
}

impl Told {
    /// As it is handed over.
    #[must_use]
    pub fn answer(&self, key: &Key) -> CallResult<'_> {
        match self {
            Self::Output(output, _) => CallResult::Output(output),
            Self::Failed(failure) => CallResult::Failed { key: key.to_string(), failure },
        }
    }
}

impl Made {
    /// What a request asks for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(
        request: &Request,
        key: Key,
        at: usize,
        depends: Arc<[Dependency]>,
        ground: &Ground,
    ) -> Result<Self, String> {
        let mut names = ground.names.clone();
        let which = match request.kind.as_str() {
            "step" => {
                if !request.with.is_object() {
                    return Err(format!("run.step: the names for `{}` must be an object", request.name));
                }
                names.vars = Some(from_json(&request.with));
                Which::Declared(declared(&request.name, &ground.plan)?)
            }
            "workflow" => Which::MadeUp(Box::new(workflow(request, ground)?)),
            _ => Which::MadeUp(Box::new(request::made_up(request, &ground.pinned.task.tools)?)),
        };
        let node = match &which {
            Which::Declared(at) => &ground.plan.nodes[*at],
            Which::MadeUp(node) => node.as_ref(),
        };
        let shown = match &node.does {
            Doing::Prompt(_) => true,
            Doing::Command(_) => request.kind == "command",
            _ => false,
        };
        if shown && ground.has_secrets() && holds_secret(&request.with, &ground.run.nonce) {
            return Err(format!(
                "run.{}: a secret input may not go into a prompt or an argv; put it into `env`, headers, a body or \
                 arguments",
                request.kind
            ));
        }
        let (ticket, place) = (request.ticket.clone(), request.place.clone());
        let (cell, view) = (Cell::default(), CallView::waiting());
        let (notes, told, scope) = (Vec::new(), None, None);
        Ok(Self { key, ticket, place, notes, told, at, which, names, depends, cell, scope, view })
    }

    fn node<'a>(&'a self, plan: &'a Plan) -> &'a Node {
        match &self.which {
            Which::Declared(at) => &plan.nodes[*at],
            Which::MadeUp(node) => node,
        }
    }

    /// What the journal has of it.
    fn call<'a>(&self, ground: &'a Ground) -> Option<&'a Call> {
        let likely = ground.run.calls.get_index(self.at).filter(|(key, _)| **key == self.key);
        likely.map(|(_, call)| call).or_else(|| ground.run.call(&self.key))
    }

    /// Whether it is a child workflow.
    #[must_use]
    pub fn is_child(&self, plan: &Plan) -> bool {
        matches!(self.node(plan).does, Doing::Child(..))
    }

    /// What the steps of a child workflow say of documents, each with the event that made it so.
    pub fn documents<'a>(&'a self, plan: &Plan, into: &mut Vec<(u64, &'a DocumentText)>) {
        if let (Some(scope), Some(inner)) = (&self.scope, self.node(plan).does.inner()) {
            scope.documents(inner, into);
        }
    }

    /// An event about `key`, which is this call's or inside it, has come.
    pub fn touch(&mut self, key: &Key, ground: &Ground) {
        let node = match &self.which {
            Which::Declared(at) => &ground.plan.nodes[*at],
            Which::MadeUp(node) => node.as_ref(),
        };
        if let (Doing::Child(Ok(inner), _), Some(scope)) = (&node.does, &mut self.scope) {
            scope.touch(&inner.0, key, self.key.segments().len());
        }
    }

    /// Holds the call against the journal.
    pub fn look(&mut self, ground: &Ground) {
        let mut evaluation = ground.look();
        let plan = &ground.plan;
        let node = match &self.which {
            Which::Declared(at) => &plan.nodes[*at],
            Which::MadeUp(node) => node.as_ref(),
        };
        self.view = match &node.does {
            Doing::Child(Err(why), _) => CallView::failed(None, broken(why.clone())),
            Doing::Child(Ok(inner), inputs) => {
                match child_scope(&mut self.scope, inner, inputs, &self.key, &self.names) {
                    Ok(scope) => {
                        scope.evaluate(&inner.0, &mut evaluation);
                        view::of_child(scope, &inner.0, &self.key, &ground.run)
                    }
                    Err(failure) => CallView::failed(None, failure),
                }
            }
            _ => {
                let asked = Asked {
                    key: &self.key,
                    workflow: None,
                    node,
                    names: &self.names,
                    item: None,
                    list: &[],
                    history: None,
                    before: &[],
                    depends: &self.depends,
                    model: plan.model.as_deref(),
                    retry: &plan.retry,
                    lanes: &[],
                    helps: false,
                };
                self.cell.evaluate(&asked, &mut evaluation)
            }
        };
        if self.is_child(plan) && self.view.outcome != Outcome::Waiting {
            // A child workflow has no event of its own that tells when it first came to an end.
            record_end(&self.key, &mut evaluation);
        }
        self.notes = evaluation.notes;
    }

    /// The event that first settled it.
    fn settled(&self, ground: &Ground) -> Option<u64> {
        if self.is_child(&ground.plan) {
            return ground.look().decided(&self.key, &FlowDecision::Settled).and_then(Value::as_u64);
        }
        self.call(ground).and_then(|call| call.settled)
    }

    /// Whether, and at which event, it has come to an end.
    #[must_use]
    pub fn end(&self, ground: &Ground) -> CallEnd {
        match self.settled(ground) {
            Some(seq) => CallEnd::At(seq),
            None if self.view.outcome == Outcome::Waiting => CallEnd::NotYet,
            None => CallEnd::Unrecorded,
        }
    }

    /// What the code is to be told of it; `None` while it does not stand.
    #[must_use]
    pub fn tells(&self, ground: &Ground) -> Option<Told> {
        match &self.view.outcome {
            Outcome::Waiting => None,
            Outcome::Skipped(_) => Some(Told::Output(Arc::new(Value::Null), 0)),
            Outcome::Failed(failure) => Some(Told::Failed(failure.clone())),
            Outcome::Accepted => {
                let standing = self.call(ground).and_then(|call| call.standing.as_ref());
                match (standing, &self.view.output) {
                    (Some(standing), _) => Some(Told::Output(Arc::clone(&standing.output), standing.seq)),
                    (None, Some(output)) => Some(Told::Output(Arc::new(to_json(output).ok()?), self.view.seq)),
                    (None, None) => None,
                }
            }
        }
    }

    /// As something that later calls depend on.
    #[must_use]
    pub fn source(&self) -> Dependency {
        Dependency { key: self.key.clone(), seq: self.view.seq, stamp: 0, through: Arc::default() }
    }

    /// Whether something of it may be to be performed; of a child workflow only its steps know.
    #[must_use]
    pub fn may_want(&self, ground: &Ground) -> bool {
        self.view.want.is_some() || self.is_child(&ground.plan)
    }

    /// The calls that it wants performed.
    pub fn wants(&self, into: &mut Vec<Arc<Want>>) {
        into.extend(self.view.want.clone());
        if let Some(scope) = &self.scope {
            scope.wants(into);
        }
    }
}

/// Whether a value holds what stands for a secret input.
fn holds_secret(value: &Value, nonce: &str) -> bool {
    let text = value.to_string();
    [secret_mark(nonce), secret_name_mark(nonce)].iter().any(|mark| text.contains(mark))
}

/// The steps of a child workflow, opened when they are first looked at.
fn child_scope<'a>(
    scope: &'a mut Option<Box<Scope>>,
    (plan, task): &(Plan, Arc<Task>),
    inputs: &IndexMap<String, ValuePlan>,
    key: &Key,
    names: &Names,
) -> Result<&'a mut Scope, Failure> {
    match scope {
        Some(scope) => Ok(scope),
        empty => {
            let given = view::child_inputs(task, inputs, names)?;
            Ok(empty.insert(Box::new(Scope::new(plan, Some(key.clone()), names.for_child(given), Around::default()))))
        }
    }
}

/// Notes the place of a call in the order in which results are given.
fn record_end(key: &Key, evaluation: &mut Evaluation<'_>) {
    if evaluation.decided(key, &FlowDecision::Settled).is_none() {
        let value = json!(evaluation.run.seq);
        evaluation.note(Event::FlowDecided { key: key.clone(), what: FlowDecision::Settled, value, why: Value::Null });
    }
}

/// The declared step of that id, if a call of it can be made.
fn declared(id: &str, plan: &Plan) -> Result<usize, String> {
    let Some(&at) = plan.by_id.get(id) else {
        let hint = did_you_mean(id, plan.nodes.iter().map(|node| node.step.id.as_str()));
        return Err(format!("run.step: workflow.toml declares no step `{id}`{hint}"));
    };
    match &plan.nodes[at].does {
        Doing::Switch(..) | Doing::Group(..) => {
            Err(format!("run.step: `{id}` is a {}; in code, write that as code", plan.nodes[at].step.does.kind()))
        }
        _ => Ok(at),
    }
}

/// A child workflow that is named on the spot; it must have been pinned, so some declared step names it.
fn workflow(request: &Request, ground: &Ground) -> Result<Node, String> {
    let id = &request.name;
    if let Some(name) = request.options.keys().find(|name| *name != "key") {
        return Err(format!("run.workflow knows no `{name}`"));
    }
    let Value::Object(given) = &request.with else {
        return Err(format!("run.workflow: the inputs of `{id}` must be an object"));
    };
    if !ground.pinned.children.contains_key(id) {
        return Err(format!(
            "run.workflow: `{id}` is not kept with the run; declare a step with kind = \"workflow\" and workflow = \"{id}\""
        ));
    }
    let inner = child(id, &ground.pinned, ground.plan.model.as_ref(), 0);
    let inputs = given.iter().map(|(name, value)| (name.clone(), ValuePlan::Plain(value.clone()))).collect();
    let does = Does::Workflow { workflow: id.clone(), inputs: given.clone().into_iter().collect() };
    let step = Step { id: id.clone(), title: None, does, rules: crate::core::step::Rules::default() };
    Ok(Node::made_up(step, Doing::Child(inner, inputs)))
}
