//! The names that a step's templates and expressions see.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;

use crate::core::call::Call;
use crate::core::run::Run;
use crate::core::secret::SecretRef;
use crate::core::step::Step;
use crate::core::task::{Body, Task};
use crate::core::template::{Expr, References, from_json, to_json};
use crate::core::title::item_title;
use crate::core::work::{secret_mark, secret_name, secret_name_mark, without_secrets};
use crate::flow::effort;

mod granted;

use granted::Granted;

/// What `run` is to a template.
#[must_use]
pub fn about(run: &Run) -> Value {
    Value::from_pairs([
        ("id", Value::from(run.id.to_string())),
        ("title", Value::from(run.first_title.clone())),
        ("task", Value::from(run.task.clone())),
        ("by", Value::from(run.by.as_str())),
        ("cwd", Value::from(run.cwd.display().to_string())),
        ("date", Value::from(run.date.clone())),
    ])
}

/// Names by value; cheap to clone.
#[derive(Clone)]
pub struct Names {
    /// With the name of a secret in the place of each.
    inputs: Value,
    /// Without secrets.
    open: Value,
    /// The inputs that have a secret in them.
    secrets: Arc<[String]>,
    /// The run has secrets.
    guarded: bool,
    nonce: Arc<str>,
    /// What begins the name of each of this run's secrets.
    mark: Arc<str>,
    /// They are of code: what it hands over is as good as a definition's text.
    of_code: bool,
    /// The inputs that a person gave as they are, whose hosts count as named.
    given: Arc<[String]>,
    /// The hosts that the code writes which decides.
    code_hosts: Arc<[String]>,
    run: Value,
    /// The state as far as the step depends on its writers.
    pub state: Value,
    /// The steps that are visible, by id.
    pub steps: Arc<IndexMap<String, Value>>,
    steps_value: Value,
    /// Those of them that are only said to the person who approves: no command reads them.
    pub only_said: Arc<[String]>,
    /// The item of a fan-out.
    pub item: Option<Value>,
    /// Its index.
    pub index: Option<u32>,
    /// The accepted outputs before it, one by one.
    pub earlier: Option<Value>,
    /// The output of the iteration before.
    pub previous: Option<Value>,
    /// The iteration.
    pub iteration: Option<u32>,
    /// The failure that is handled.
    pub failure: Option<Value>,
    /// The step's own output, where it is judged.
    pub output: Option<Value>,
    /// What a script hands over, an object; its names go before the others.
    pub vars: Option<Value>,
}

impl Names {
    /// The names that every step of a run sees.
    #[must_use]
    pub fn of(run: &Run, fields: &[crate::core::form::Field]) -> Self {
        let names = Self {
            inputs: inputs(run, fields),
            open: Value::from(()),
            secrets: Arc::from([]),
            guarded: false,
            nonce: run.nonce.as_str().into(),
            mark: secret_name_mark(&run.nonce).into(),
            of_code: false,
            given: given(run, fields),
            code_hosts: Arc::from([]),
            run: about(run),
            state: from_json(&run.state),
            steps: Arc::new(IndexMap::new()),
            steps_value: Value::from_pairs(Vec::<(String, Value)>::new()),
            only_said: Arc::from([]),
            item: None,
            index: None,
            earlier: None,
            previous: None,
            iteration: None,
            failure: None,
            output: None,
            vars: None,
        };
        names.looked_through()
    }

    /// The names of code, which puts secrets where it wants to, and which writes these hosts.
    #[must_use]
    pub fn of_code(self, code_hosts: Arc<[String]>) -> Self {
        Self { of_code: true, code_hosts, ..self }
    }

    /// Whether everything that is named comes from inputs as a person gave them.
    #[must_use]
    pub fn are_given(&self, references: &References) -> bool {
        references.0.iter().all(|name| {
            let input = name.strip_prefix("inputs.").map(|rest| rest.split('.').next().unwrap_or(rest));
            input.is_some_and(|input| self.given.iter().any(|given| given == input))
        })
    }

    /// Whether code writes this host, given as `host:port`.
    pub fn is_in_code(&self, authority: &str) -> bool {
        self.code_hosts.iter().any(|host| host == authority)
    }

    /// What a person gave to code: a host in it counts as named.
    pub fn given_to_code(&self) -> impl Iterator<Item = String> {
        let given = self.given.iter().filter(|_| self.of_code).filter_map(|name| self.open.get_attr(name).ok());
        given.map(|value| value.to_string())
    }

    /// With what of the inputs is a secret.
    fn looked_through(mut self) -> Self {
        self.open = self.inputs.clone();
        self.secrets = Arc::from([]);
        let Ok(serde_json::Value::Object(mut inputs)) = to_json(&self.inputs) else { return self };
        let mut secrets = Vec::new();
        inputs.retain(|name, value| {
            let secret = value.to_string().contains(&*self.mark);
            secrets.extend(secret.then(|| name.clone()));
            !secret
        });
        if !secrets.is_empty() {
            self.open = from_json(&serde_json::Value::Object(inputs));
            self.secrets = secrets.into();
            self.guarded = true;
        }
        self
    }

    /// The same run seen by a child workflow: its own inputs, no steps yet.
    #[must_use]
    pub fn for_child(&self, inputs: Value) -> Self {
        let (given, code_hosts) = (Arc::from([]), Arc::from([]));
        let only_said = Arc::from([]);
        let mut names = Self { inputs, of_code: false, given, code_hosts, only_said, ..self.clone() }
            .with_steps(IndexMap::new())
            .looked_through();
        (names.item, names.index, names.earlier, names.previous) = (None, None, None, None);
        (names.iteration, names.failure, names.output, names.vars) = (None, None, None, None);
        names
    }

    /// These names with other steps visible.
    #[must_use]
    pub fn with_steps(mut self, steps: IndexMap<String, Value>) -> Self {
        self.steps_value = Value::from_pairs(steps.iter().map(|(id, view)| (id.clone(), view.clone())));
        self.steps = Arc::new(steps);
        self
    }

    /// These names with the step's own output.
    #[must_use]
    pub fn with_output(&self, output: Value) -> Self {
        Self { output: Some(output), ..self.clone() }
    }

    /// As a context for templates and expressions: without secrets.
    #[must_use]
    pub fn value(&self) -> Value {
        self.with_inputs(&self.open)
    }

    /// As version 0.1.0 had it, for fingerprints: with the names of secrets.
    #[must_use]
    pub fn value_before(&self) -> Value {
        self.with_inputs(&self.inputs)
    }

    /// For what a secret may be put into: with the markers of those that are named there by their path. `inputs` as a whole
    /// has none.
    #[must_use]
    pub fn granting(&self, references: impl FnOnce() -> References) -> Value {
        if self.secrets.is_empty() {
            return self.value();
        }
        let references = references();
        let granted = self.secrets.iter().filter(|name| references.uses(&format!("inputs.{name}")));
        let marker = |name: &String| {
            let value = to_json(&self.inputs.get_attr(name).ok()?).ok()?;
            Some((name.clone(), from_json(&marked(&value, &self.mark, &secret_mark(&self.nonce)))))
        };
        let secrets: std::collections::BTreeMap<String, Value> = granted.filter_map(marker).collect();
        self.with_inputs(&Value::from_object(Granted { open: self.open.clone(), secrets }))
    }

    /// Whether the run has secrets, seen here or not.
    #[must_use]
    pub fn have_secrets(&self) -> bool {
        self.guarded
    }

    /// What may be filled: where code hands it over, the names of secrets count as much as markers.
    #[must_use]
    pub fn filled(&self, text: String) -> String {
        let by = if self.of_code { secret_mark(&self.nonce) } else { "⟦secret ".to_owned() };
        if text.contains(&*self.mark) { text.replace(&*self.mark, &by) } else { text }
    }

    /// [`Names::filled`] for a value.
    #[must_use]
    pub fn filled_json(&self, value: serde_json::Value) -> serde_json::Value {
        if value.to_string().contains(&*self.mark) {
            marked(&value, &self.mark, &self.filled(self.mark.to_string()))
        } else {
            value
        }
    }

    /// What nothing may be filled into.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        without_secrets(text, &self.nonce)
    }

    /// [`Names::masked`] for a value.
    #[must_use]
    pub fn masked_json(&self, value: &serde_json::Value) -> serde_json::Value {
        let once = marked(value, &self.mark, "⟦secret ");
        marked(&once, &secret_mark(&self.nonce), "⟦secret ")
    }

    /// A value for a child workflow, in which the markers of secrets are names again.
    #[must_use]
    pub fn handed_over(&self, value: serde_json::Value) -> serde_json::Value {
        if !self.have_secrets() {
            return value;
        }
        let filled = self.filled_json(value);
        marked(&filled, &secret_mark(&self.nonce), &self.mark)
    }

    fn with_inputs(&self, inputs: &Value) -> Value {
        let mut pairs: Vec<(&str, Value)> = Vec::with_capacity(12);
        pairs.extend([
            ("inputs", inputs.clone()),
            ("steps", self.steps_value.clone()),
            ("run", self.run.clone()),
            ("state", self.state.clone()),
        ]);
        let some = [
            ("item", &self.item),
            ("earlier", &self.earlier),
            ("previous", &self.previous),
            ("failure", &self.failure),
            ("output", &self.output),
        ];
        pairs.extend(some.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        pairs.extend(self.index.map(|index| ("index", Value::from(index))));
        pairs.extend(self.iteration.map(|iteration| ("iteration", Value::from(iteration))));
        let Some(vars) = &self.vars else { return Value::from_pairs(pairs) };
        let handed = vars.try_iter().into_iter().flatten().map(|name| (name.clone(), vars.get_item(&name)));
        let handed = handed.filter_map(|(name, value)| Some((name, value.ok()?)));
        let own = pairs.into_iter().map(|(name, value)| (Value::from(name), value));
        Value::from_pairs(own.chain(handed))
    }

    /// What code hands over as `item`: lists call the call by it, as they call an item of a `for_each`.
    #[must_use]
    pub fn handed_item(&self) -> Option<Arc<serde_json::Value>> {
        let item = self.vars.as_ref()?.get_attr("item").ok().filter(|item| !item.is_undefined())?;
        let title = item_title(&to_json(&item).ok()?)?;
        (!title.contains(&*self.mark)).then(|| Arc::new(title.into()))
    }

    /// The inputs, with its name in the place of each secret.
    #[must_use]
    pub fn inputs(&self) -> &Value {
        &self.inputs
    }

    /// What a command reads where its definition does not say: `{inputs, item, index, steps}`, the names of secrets
    /// included.
    #[must_use]
    pub fn small_contract(&self, step: &Step) -> Value {
        let mut pairs = vec![("inputs", self.inputs.clone()), ("step", Value::from(step.id.clone()))];
        pairs.extend(self.item.clone().map(|item| ("item", item)));
        pairs.extend(self.index.map(|index| ("index", Value::from(index))));
        pairs.extend(self.vars.clone().map(|vars| ("vars", vars)));
        pairs.push(("steps", self.read_steps()));
        Value::from_pairs(pairs)
    }

    /// The steps that a command reads.
    fn read_steps(&self) -> Value {
        if self.only_said.is_empty() {
            return self.steps_value.clone();
        }
        let read = self.steps.iter().filter(|(id, _)| !self.only_said.contains(id));
        Value::from_pairs(read.map(|(id, view)| (id.clone(), view.clone())))
    }

    /// The same without secrets, if it has any: a member that holds one is left out, an item of a list becomes `null`.
    #[must_use]
    pub fn without_secrets(&self, contract: &serde_json::Value) -> Option<serde_json::Value> {
        contract.to_string().contains(&*self.mark).then(|| without(contract, &self.mark))
    }
}

fn without(value: &serde_json::Value, mark: &str) -> serde_json::Value {
    use serde_json::Value::{Array, Null, Object, String};
    let holds = |value: &serde_json::Value| matches!(value, String(text) if text.contains(mark));
    match value {
        Object(fields) => {
            let open = fields.iter().filter(|(_, value)| !holds(value));
            Object(open.map(|(name, value)| (name.clone(), without(value, mark))).collect())
        }
        Array(items) => Array(items.iter().map(|item| if holds(item) { Null } else { without(item, mark) }).collect()),
        other => other.clone(),
    }
}

/// The inputs that a person gave as they are: not those of a run that another one started, nor what is in files.
fn given(run: &Run, fields: &[crate::core::form::Field]) -> Arc<[String]> {
    if run.origin.as_ref().is_some_and(crate::core::event::Origin::hands_over) {
        return Arc::from([]);
    }
    let given = fields.iter().filter(|field| !field.kind.is_read());
    given.map(|field| field.name.clone()).collect::<Vec<_>>().into()
}

/// A value with another mark in its texts.
fn marked(value: &serde_json::Value, mark: &str, by: &str) -> serde_json::Value {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => String(text.replace(mark, by)),
        Array(items) => Array(items.iter().map(|item| marked(item, mark, by)).collect()),
        Object(fields) => {
            Object(fields.iter().map(|(name, value)| (name.replace(mark, by), marked(value, mark, by))).collect())
        }
        other => other.clone(),
    }
}

/// The inputs with its name in the place of each secret.
fn inputs(run: &Run, fields: &[crate::core::form::Field]) -> Value {
    let mut inputs = (*run.inputs).clone();
    for field in fields.iter().filter(|field| field.kind == crate::core::form::FieldType::Secret) {
        if let Some(slot) = inputs.get_mut(&field.name)
            && slot.as_str().is_some_and(|text| text.parse::<SecretRef>().is_ok())
        {
            *slot = serde_json::Value::String(secret_name(&run.nonce, &field.name));
        }
    }
    from_json(&inputs)
}

/// What is seen of a run whose steps are not a graph: the inputs, and for each step that is declared and named what was
/// accepted of it, in the order in which it was asked for.
#[must_use]
pub fn of_calls(task: &Task, run: &Run, named: &References) -> Value {
    let names = Names::of(run, &task.inputs);
    let Body::Workflow(workflow) = &task.body else { return names.value() };
    let steps = workflow.steps.iter().filter(|step| named.reads_step(&step.id)).map(|step| {
        effort::spend(run.calls.len());
        let of_step = |call: &&Call| call.key.segments().len() == 1 && call.step == step.id;
        let mut calls: Vec<&Call> = run.flow_calls().filter(of_step).collect();
        calls.sort_by(|one, other| one.key.cmp(&other.key));
        let outputs = calls.iter().filter_map(|call| Some(from_json(&call.standing.as_ref()?.output)));
        let outputs: Vec<Value> = outputs.collect();
        let last = outputs.last().cloned().unwrap_or_else(|| Value::from(()));
        (step.id.clone(), minijinja::context! { output => last, outputs => outputs })
    });
    names.with_steps(steps.collect()).value()
}

/// The values that an expression saw, for the journal: each name that it uses, cut to a readable length.
#[must_use]
pub fn values_used(expr: &Expr, names: &Value) -> serde_json::Value {
    const LONGEST: usize = 200;
    let mut saw = serde_json::Map::new();
    for (name, path) in expr.paths() {
        let Ok(value) = path.eval_json(names) else { continue };
        let text = value.to_string();
        let value = if text.len() > LONGEST {
            let cut: String = text.chars().take(LONGEST).collect();
            serde_json::Value::String(format!("{cut}…"))
        } else {
            value
        };
        saw.insert(name.clone(), value);
    }
    serde_json::json!({ "expr": expr.source(), "saw": saw })
}
