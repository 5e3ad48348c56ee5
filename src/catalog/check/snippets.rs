//! Templates and expressions: whether they parse, and whether what they name exists.

use super::shape::{Shape, spelled};
use super::tree::Tree;
use super::{Workflows, child, operations};
use crate::catalog::decode::{Draft, Snippet, SnippetForm, TemplateScope};
use crate::core::diagnostic::{Report, did_you_mean, nearest};
use crate::core::form::FieldType;
use crate::core::names::{Chain, ChainPart, in_expr, in_text};
use crate::core::step::{Does, OnFailure};
use crate::core::task::Kind;
use crate::core::template::{FUNCTIONS, References, check_expr, check_text};

/// Every name that there may be, in the order of the reference.
const ROOTS: [&str; 11] =
    ["inputs", "steps", "item", "index", "earlier", "previous", "iteration", "failure", "run", "state", "output"];
/// What `run` has.
const RUN: [&str; 6] = ["id", "title", "task", "by", "cwd", "date"];
/// Shapes of steps that are made of other steps are followed so deep.
const DEEPEST: usize = 16;

/// Checks every snippet. Gives who names whom: the numbers of both steps.
pub(super) fn check(
    draft: &Draft,
    tree: &Tree<'_>,
    graph: bool,
    workflows: &Workflows<'_>,
    report: &Report,
) -> Vec<(usize, usize)> {
    let names = Names { draft, tree, graph, workflows };
    let mut named = Vec::new();
    for snippet in &draft.notes.snippets {
        let source = snippet.text.value.as_str();
        let checked = if snippet.form == SnippetForm::Template { check_text(source) } else { check_expr(source) };
        match checked {
            Err(error) => {
                let offset = snippet.text.offset_in_file(error.offset(source));
                report.error_at(&snippet.text.span.source, offset, error.message);
            }
            Ok(references) => {
                for chain in chains(snippet, &references) {
                    if let Err((part, why)) = names.check(snippet, &chain, &mut named) {
                        let offset = snippet.text.offset_in_file(chain.offsets.get(part).copied().unwrap_or_default());
                        report.error_at(&snippet.text.span.source, offset, why);
                    }
                }
                operations::check(&names, snippet, report);
            }
        }
    }
    operations::attached(&names, report);
    named
}

/// The names that a snippet takes from outside, each with its place.
fn chains(snippet: &Snippet, references: &References) -> Vec<Chain> {
    let source = snippet.text.value.as_str();
    let mut chains = if snippet.form == SnippetForm::Template { in_text(source) } else { in_expr(source) };
    // minijinja tells names as far as they are dotted, constant names in brackets are read from the text.
    chains.retain(|chain| references.0.contains(&chain.tracked()));
    // What the text reads differently than the template engine does is checked all the same.
    let known = |name: &String| chains.iter().any(|chain| chain.tracked() == *name || chain.constant() == *name);
    let missed = references.0.iter().filter(|name| !known(name));
    let missed: Vec<Chain> = missed.map(|name| Chain::of_dotted(name)).collect();
    chains.extend(missed);
    chains
}

/// What is known of the names of a definition.
pub(super) struct Names<'c> {
    pub draft: &'c Draft,
    pub tree: &'c Tree<'c>,
    pub graph: bool,
    /// The workflows that it may start.
    pub workflows: &'c Workflows<'c>,
}

/// The number of a chain's name (0: its root) and what is wrong with it.
type Wrong = (usize, String);

impl Names<'_> {
    fn check(&self, snippet: &Snippet, chain: &Chain, named: &mut Vec<(usize, usize)>) -> Result<(), Wrong> {
        if FUNCTIONS.contains(&chain.root.as_str()) && chain.parts.is_empty() {
            return Ok(());
        }
        self.secret(snippet, chain)?;
        if snippet.scope == TemplateScope::Schema && chain.root != "inputs" {
            let why = format!(
                "`{}` is not known here: the schema of an output is made before the step runs, of `inputs` alone; what an \
                 output has to do with other steps is said by `checks`",
                chain.root
            );
            return Err((0, why));
        }
        if let ("steps", Some(step)) = (chain.root.as_str(), snippet.step)
            && let Some(other) = self.step_of(snippet, chain)?
            && snippet.scope != TemplateScope::Inside
        {
            named.push((step, other));
        }
        match self.reach(snippet, chain, DEEPEST) {
            // What may be missing is asked for with care.
            Err((part, _)) if chain.optional && part > 0 && chain.root != "steps" => Ok(()),
            Err((part, _)) if chain.optional && part > 2 => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// The shape of what a piece of a snippet reaches, where it is nothing but names.
    pub fn shape_of(&self, snippet: &Snippet, piece: &str) -> Option<(Chain, Shape)> {
        let simple =
            piece.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '\'' | '"' | '-'));
        let mut chains = in_expr(piece);
        let chain = chains
            .pop()
            .filter(|chain| simple && chains.is_empty() && chain.offsets.first() == Some(&0) && !chain.call)?;
        let shape = self.reach(snippet, &chain, DEEPEST).ok()?;
        Some((chain, shape))
    }

    /// The shape of what a chain reaches.
    fn reach(&self, snippet: &Snippet, chain: &Chain, depth: usize) -> Result<Shape, Wrong> {
        let (shape, from) = match chain.root.as_str() {
            "steps" => match self.step_of(snippet, chain)? {
                Some(step) => (self.step_view(step, chain, depth)?, 1),
                None => (Shape::Any, 0),
            },
            _ => (self.root(snippet, chain, depth)?, 0),
        };
        shape.reach(chain, from).map_err(|(part, why)| (part + 1, why))
    }

    /// Secrets go into environments, headers, bodies and arguments only.
    fn secret(&self, snippet: &Snippet, chain: &Chain) -> Result<(), Wrong> {
        let Some(ChainPart::Name(name)) = chain.parts.first().filter(|_| chain.root == "inputs") else { return Ok(()) };
        let secret = self.draft.task.inputs.iter().any(|field| field.name == *name && field.kind == FieldType::Secret);
        if secret && !snippet.secrets {
            let why = format!(
                "`inputs.{name}` is a secret; it goes only into a command's `env` or `stdin`, a request's `headers`, `json` or `body`, or a tool's `args`"
            );
            return Err((0, why));
        }
        Ok(())
    }

    /// The step that a chain from `steps` names. `None` where that cannot be known.
    fn step_of(&self, snippet: &Snippet, chain: &Chain) -> Result<Option<usize>, Wrong> {
        if !self.graph {
            return Ok(None);
        }
        let Some(ChainPart::Name(id)) = chain.parts.first() else {
            // All of them, or one whose name is computed: what depends on what could not be told.
            return Err((0, "name a step by its id, `steps.ID`, so that it is known what waits for what".to_owned()));
        };
        let found = match (snippet.step, snippet.scope) {
            (Some(group), TemplateScope::Inside) => self.tree.visible_inside(group, id),
            (Some(step), _) => self.tree.visible(step, id),
            (None, _) => self.tree.visible_on_top(id),
        };
        match found {
            Ok(step) if Some(step) == snippet.step => {
                Err((1, format!("step `{id}` cannot wait for itself; where it is judged, its own output is `output`")))
            }
            Ok(step) => Ok(Some(step)),
            Err(Some(hidden)) => Err((1, hidden)),
            Err(None) => {
                let ids = match snippet.step {
                    Some(step) => self.tree.ids_visible(step),
                    None => self.tree.top().map(|step| self.tree.nodes[step].step.id.as_str()).collect(),
                };
                Err((1, format!("there is no step `{id}`{}", did_you_mean(id, ids))))
            }
        }
    }

    /// What `steps.X` has.
    fn step_view(&self, step: usize, chain: &Chain, depth: usize) -> Result<Shape, Wrong> {
        let fans_out = self.fans_out(step);
        match (chain.parts.get(1), fans_out) {
            (Some(ChainPart::Name(name)), true) if name == "output" => {
                let how = match self.tree.nodes[step].step.rules.for_each {
                    Some(_) => "works through a list (`for_each`)",
                    None => "handles the items of a list",
                };
                let why = format!("`{}` {how}: it has `outputs`, a list, and no `output`", spelled(chain, 1));
                return Err((2, why));
            }
            (Some(ChainPart::Name(name)), false) if name == "outputs" || name == "calls" => {
                let why = format!(
                    "`{}` has no `{name}`, which only a step with `for_each` has; it has `output`",
                    spelled(chain, 1)
                );
                return Err((2, why));
            }
            _ => {}
        }
        let output = self.output(step, depth);
        Ok(if fans_out {
            let call = Shape::object([
                ("item", Shape::Any),
                ("index", Shape::Plain("a number")),
                ("status", Shape::text()),
                ("output", output.clone()),
                ("error", Shape::Any),
            ]);
            Shape::object([
                ("outputs", Shape::list(output)),
                ("calls", Shape::list(call)),
                ("status", Shape::text()),
                ("error", Shape::Any),
            ])
        } else {
            Shape::object([("output", output), ("status", Shape::text()), ("error", Shape::Any)])
        })
    }

    /// Whether a step has a call for each item of a list: its own, or that of a step whose failures it handles.
    fn fans_out(&self, step: usize) -> bool {
        let lists = |step: usize| self.tree.nodes[step].step.rules.for_each.is_some();
        lists(step) || self.tree.handled_by(step).any(lists)
    }

    /// The shape of one call's output.
    fn output(&self, index: usize, depth: usize) -> Shape {
        let step = self.tree.nodes[index].step;
        if depth == 0 {
            return Shape::Any;
        }
        match &step.does {
            _ if step.rules.output.is_some() => child::of_step(step),
            Does::Group { output: None, .. } => match self.tree.inside(index).last() {
                Some(last) if self.fans_out(last) => Shape::list(self.output(last, depth - 1)),
                Some(last) => self.output(last, depth - 1),
                None => Shape::Any,
            },
            Does::Workflow { workflow, .. } => {
                (self.workflows)(workflow).map_or(Shape::Any, |task| child::output(&task))
            }
            _ => child::of_step(step),
        }
    }

    /// The shape of a name other than `steps`.
    fn root(&self, snippet: &Snippet, chain: &Chain, depth: usize) -> Result<Shape, Wrong> {
        let name = chain.root.as_str();
        // In a script's steps, the names that the script hands over cannot be known.
        let open = !self.graph && !matches!(snippet.scope, TemplateScope::Inputs | TemplateScope::Schema);
        if name == "inputs" {
            return Ok(Shape::of_form(&self.draft.task.inputs));
        }
        if open {
            return Ok(Shape::Any);
        }
        if snippet.scope == TemplateScope::Action && name == "document" {
            return Ok(Shape::object([
                ("name", Shape::text()),
                ("title", Shape::text()),
                ("body", Shape::text()),
                ("version", Shape::Plain("a number")),
            ]));
        }
        let about = || Shape::Object(RUN.iter().map(|name| ((*name).to_owned(), Shape::text())).collect());
        let of_conversation = self.draft.task.kind() == Kind::Instruct;
        if snippet.scope == TemplateScope::Inputs || of_conversation {
            let known: &[&str] = match snippet.scope {
                TemplateScope::Action => &["inputs", "run", "document"],
                _ => &["inputs", "run"],
            };
            return match name {
                "run" => Ok(about()),
                _ => Err((0, self.unknown(name, known))),
            };
        }
        let around: Vec<usize> = snippet.step.map(|step| self.tree.upwards(step).collect()).unwrap_or_default();
        // The list of a `for_each` is made before there is an item of it.
        let inner = if snippet.scope == TemplateScope::List { around.get(1..).unwrap_or_default() } else { &around };
        let rules = |step: &usize| &self.tree.nodes[*step].step.rules;
        let fan_out = inner.iter().copied().find(|step| rules(step).for_each.is_some());
        let absent = |why: &str| Err((0, format!("`{name}` is not known here: {why}")));
        match name {
            "run" => Ok(about()),
            "state" => Ok(Shape::Any),
            "item" | "index" => {
                let handled = || {
                    around
                        .iter()
                        .flat_map(|step| self.tree.handled_by(*step))
                        .find(|step| rules(step).for_each.is_some())
                };
                match (fan_out.or_else(handled), name) {
                    (None, _) => {
                        absent("it is an item of a list, in a step with `for_each` or in a group that has one")
                    }
                    (Some(_), "index") => Ok(Shape::Plain("a number")),
                    (Some(step), _) => Ok(self.item(step, depth)),
                }
            }
            "earlier" => {
                match inner.iter().find(|step| rules(step).for_each.as_ref().is_some_and(|each| each.one_by_one)) {
                    Some(step) => Ok(Shape::list(self.output(*step, depth))),
                    None => absent("it is what came before, in a step with `for_each` and `one_by_one = true`"),
                }
            }
            "previous" | "iteration" => match inner.iter().find(|step| rules(step).repeat.is_some()) {
                Some(_) if name == "iteration" => Ok(Shape::Plain("a number")),
                Some(step) => Ok(self.output(*step, depth)),
                None => absent("it is what a step with `repeat` has"),
            },
            "failure" => {
                if around.iter().any(|step| self.tree.handled_by(*step).next().is_some()) {
                    return Ok(Shape::object([
                        ("key", Shape::text()),
                        ("class", Shape::text()),
                        ("message", Shape::text()),
                    ]));
                }
                absent("it is what a step handles that another names as its `on_failure`")
            }
            "output" => match snippet.step.filter(|_| snippet.scope == TemplateScope::Judge) {
                Some(step) => Ok(self.output(step, depth)),
                None => absent(
                    "a step's own output is there in `checks`, `review`, `until`, `stop_when`, `set_state` and `document`; another's is `steps.ID.output`",
                ),
            },
            _ => Err((0, self.unknown(name, &ROOTS))),
        }
    }

    /// The shape of an item of the list that `step` works through.
    fn item(&self, step: usize, depth: usize) -> Shape {
        let list = self
            .draft
            .notes
            .snippets
            .iter()
            .find(|snippet| snippet.step == Some(step) && snippet.scope == TemplateScope::List);
        let Some(list) = list.filter(|_| depth > 0) else { return Shape::Any };
        let source = list.text.value.trim();
        let mut chains = in_expr(source);
        let simple = source.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        match chains.pop().filter(|_| simple && chains.is_empty()).map(|chain| self.reach(list, &chain, depth - 1)) {
            Some(Ok(Shape::List(item))) => *item,
            _ => Shape::Any,
        }
    }

    fn unknown(&self, name: &str, roots: &[&str]) -> String {
        let input = self.draft.task.inputs.iter().any(|field| field.name == name);
        let step = self.tree.nodes.iter().any(|node| node.step.id == name);
        if input {
            return format!("there is no name `{name}`; the input is `inputs.{name}`");
        }
        if step && roots.contains(&"steps") {
            return format!("there is no name `{name}`; the step's output is `steps.{name}.output`");
        }
        match nearest(name, roots.iter().copied()) {
            Some(near) => format!("there is no name `{name}`; did you mean `{near}`?"),
            None => format!("there is no name `{name}`{}", did_you_mean(name, roots.iter().copied())),
        }
    }
}

/// Whether a step hands its failures to another.
pub(super) fn has_handler(rule: &OnFailure) -> bool {
    matches!(rule, OnFailure::Handler(_))
}
