//! The names that a step's templates and expressions see.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;

use crate::core::run::Run;
use crate::core::secret::SecretRef;
use crate::core::step::Step;
use crate::core::template::{Expr, from_json};
use crate::core::work::{secret_mark, secret_marker};

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
    inputs: Value,
    /// What begins the mark of each of this run's secrets.
    mark: Arc<str>,
    run: Value,
    /// The state as far as the step depends on its writers.
    pub state: Value,
    /// The steps that are visible, by id.
    pub steps: Arc<IndexMap<String, Value>>,
    steps_value: Value,
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
        Self {
            inputs: inputs(run, fields),
            mark: secret_mark(&run.nonce).into(),
            run: about(run),
            state: from_json(&run.state),
            steps: Arc::new(IndexMap::new()),
            steps_value: Value::from_pairs(Vec::<(String, Value)>::new()),
            item: None,
            index: None,
            earlier: None,
            previous: None,
            iteration: None,
            failure: None,
            output: None,
            vars: None,
        }
    }

    /// The same run seen by a child workflow: its own inputs, no steps yet.
    #[must_use]
    pub fn for_child(&self, inputs: Value) -> Self {
        let mut names = Self { inputs, ..self.clone() }.with_steps(IndexMap::new());
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

    /// As a context for templates and expressions.
    #[must_use]
    pub fn value(&self) -> Value {
        let mut pairs: Vec<(&str, Value)> = Vec::with_capacity(12);
        pairs.extend([
            ("inputs", self.inputs.clone()),
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

    /// The inputs, with a marker in the place of each secret.
    #[must_use]
    pub fn inputs(&self) -> &Value {
        &self.inputs
    }

    /// What a command reads where its definition does not say: `{inputs, item, index, steps}`, the marks of secrets
    /// included.
    #[must_use]
    pub fn small_contract(&self, step: &Step) -> Value {
        let mut pairs = vec![("inputs", self.inputs.clone()), ("step", Value::from(step.id.clone()))];
        pairs.extend(self.item.clone().map(|item| ("item", item)));
        pairs.extend(self.index.map(|index| ("index", Value::from(index))));
        pairs.extend(self.vars.clone().map(|vars| ("vars", vars)));
        pairs.push(("steps", self.steps_value.clone()));
        Value::from_pairs(pairs)
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

/// The inputs with a marker in the place of each secret.
fn inputs(run: &Run, fields: &[crate::core::form::Field]) -> Value {
    let mut inputs = (*run.inputs).clone();
    for field in fields.iter().filter(|field| field.kind == crate::core::form::FieldType::Secret) {
        if let Some(slot) = inputs.get_mut(&field.name)
            && slot.as_str().is_some_and(|text| text.parse::<SecretRef>().is_ok())
        {
            *slot = serde_json::Value::String(secret_marker(&run.nonce, &field.name));
        }
    }
    from_json(&inputs)
}

/// The values that an expression saw, for the journal: each name that it uses, cut to a readable length.
#[must_use]
pub fn values_used(expr: &Expr, names: &Value) -> serde_json::Value {
    const LONGEST: usize = 200;
    let mut saw = serde_json::Map::new();
    for name in expr.references().0 {
        let Ok(value) = Expr::parse(&name).and_then(|path| path.eval_json(names)) else { continue };
        let text = value.to_string();
        let value = if text.len() > LONGEST {
            let cut: String = text.chars().take(LONGEST).collect();
            serde_json::Value::String(format!("{cut}…"))
        } else {
            value
        };
        saw.insert(name, value);
    }
    serde_json::json!({ "expr": expr.source(), "saw": saw })
}
