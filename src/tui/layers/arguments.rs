//! The arguments of a tool call, edited over a screen that has no fields of its own for them: as a tree, or as JSON. Given,
//! the call is approved with them; left, what was typed is kept as the run's own screen keeps it.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use serde_json::Value;

use super::Outcome;
use super::ask::decision;
use crate::core::decide::DecisionKind;
use crate::core::id::RunId;
use crate::core::schema;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent};
use crate::tui::commands::Id;
use crate::tui::diff::editable;
use crate::tui::drafts::{self, Unsaved};
use crate::tui::effect::{Effect, Purpose, Terminal};
use crate::tui::shown::{ShownGate, Target};
use crate::tui::situation::Layer;
use crate::tui::text::wrap::wrap_text;
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::tree_editor::{self, TreeEditor};

/// How they are edited.
#[derive(Clone, Debug, PartialEq)]
enum Form {
    Fields(Box<TreeEditor>),
    Json(Box<Editor>),
}

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    gate: ShownGate,
    /// The tool, as it is shown.
    tool: String,
    /// What it takes.
    schema: Option<Value>,
    /// As the model asked for it.
    asked: Value,
    form: Form,
    /// What was typed for fields before and not put in, once it was found.
    unfinished: Option<String>,
    problem: Option<String>,
}

impl Arguments {
    /// Begins with what the model asked for.
    #[must_use]
    pub fn new(gate: ShownGate, tool: &str, asked: &Value, schema: Option<&Value>) -> Self {
        let form = match asked {
            // What is no JSON is written as it is, and has to become an object.
            Value::String(_) => Form::Json(Box::new(Editor::new(&editable(asked)))),
            _ => Form::Fields(Box::new(TreeEditor::new(asked.clone(), schema.cloned()))),
        };
        let tool = Untrusted::from(tool).line().into_owned();
        Self { gate, tool, schema: schema.cloned(), asked: asked.clone(), form, unfinished: None, problem: None }
    }

    /// Its place in the situation.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match &self.form {
            Form::Fields(tree) if tree.is_typing() => Layer::FieldValue,
            Form::Fields(_) => Layer::Fields,
            Form::Json(_) => Layer::Edit,
        }
    }

    /// The drafts of what is typed: of the same names as on the run's own screen.
    pub(super) fn unsaved(&self) -> Vec<Unsaved> {
        let name = drafts::of_edit(&Target::Gate(self.gate.clone()));
        let of = |name, text| Unsaved::of_run(self.gate.run, name, text);
        match &self.form {
            Form::Fields(tree) => {
                let changed = (*tree.value() != self.asked).then(|| tree.value().to_string());
                vec![of(name.clone(), changed), of(drafts::of_fields(&name), tree.unfinished())]
            }
            Form::Json(editor) => vec![of(name, Some(editor.text()).filter(|text| *text != editable(&self.asked)))],
        }
    }

    /// Takes a draft of this, if nothing was typed.
    pub(super) fn offer(&mut self, run: RunId, name: &str, text: &str) {
        let edit = drafts::of_edit(&Target::Gate(self.gate.clone()));
        let untouched = |unsaved: &Unsaved| unsaved.is_untouched(name);
        if self.gate.run != run || !self.unsaved().iter().any(untouched) {
            return;
        }
        if name == drafts::of_fields(&edit) {
            self.unfinished = Some(text.to_owned());
        } else {
            self.fill(text);
            self.problem = None;
        }
        if let (Form::Fields(tree), Some(unfinished)) = (&mut self.form, &self.unfinished) {
            tree.restore(unfinished);
        }
    }

    /// Takes a text, as `$EDITOR` gives it back.
    pub fn fill(&mut self, text: &str) {
        (self.form, self.problem) = match crate::core::json::parse(text) {
            Ok(value) => (Form::Fields(Box::new(TreeEditor::new(value, self.schema.clone()))), None),
            Err(error) => (Form::Json(Box::new(Editor::new(text))), Some(format!("not JSON: {error}"))),
        };
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        match &mut self.form {
            Form::Fields(tree) => tree.paste(text),
            Form::Json(editor) => editor.paste(text),
        }
    }

    /// Takes a key that is no command.
    pub fn key(&mut self, key: KeyEvent) {
        match &mut self.form {
            Form::Fields(tree) if tree.is_typing() => tree.key(key),
            Form::Fields(_) => {}
            Form::Json(editor) => {
                editor.key(key);
            }
        }
        self.problem = None;
    }

    /// Out of the field that is typed, whose text is kept beside its value. False where none is.
    pub(super) fn leaves_field(&mut self) -> bool {
        let Form::Fields(tree) = &mut self.form else { return false };
        let types = tree.is_typing();
        if types {
            tree.cancel();
        }
        types
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id, extent: Extent) -> Outcome {
        match (id, &mut self.form) {
            (Id::Save | Id::SaveAccept, _) => return self.submit(),
            (Id::External, form) => {
                let text = match form {
                    Form::Fields(tree) => editable(tree.value()),
                    Form::Json(editor) => editor.text(),
                };
                let open = Terminal::OpenEditor { purpose: Purpose::Above, text, extension: "json" };
                return Outcome { effects: vec![Effect::Terminal(open)], ..Outcome::stays() };
            }
            (Id::Submit, Form::Fields(tree)) => tree.commit(),
            (Id::FieldEdit, Form::Fields(tree)) => tree.change(tree_editor::Change::Edit),
            (Id::FieldAdd, Form::Fields(tree)) => tree.change(tree_editor::Change::Add),
            (Id::FieldRemove, Form::Fields(tree)) => tree.change(tree_editor::Change::Remove),
            (Id::FieldUp, Form::Fields(tree)) => tree.change(tree_editor::Change::Move(-1)),
            (Id::FieldDown, Form::Fields(tree)) => tree.change(tree_editor::Change::Move(1)),
            (Id::Up, Form::Fields(tree)) => tree.step(-1, extent),
            (Id::Down, Form::Fields(tree)) => tree.step(1, extent),
            (Id::FieldRaw, Form::Fields(tree)) => {
                self.form = Form::Json(Box::new(Editor::new(&editable(tree.value()))));
            }
            _ => {}
        }
        self.problem = None;
        Outcome::stays()
    }

    fn submit(&mut self) -> Outcome {
        let value = match &self.form {
            Form::Fields(tree) => Ok(tree.value().clone()),
            Form::Json(editor) => {
                crate::core::json::parse(&editor.text()).map_err(|error| format!("not JSON: {error}"))
            }
        };
        let fits = |value: Value| match &self.schema {
            _ if !value.is_object() => Err("the arguments of a tool are a JSON object".to_owned()),
            Some(schema) => schema::validate(schema, &value).map(|()| value),
            None => Ok(value),
        };
        match value.and_then(fits) {
            Ok(value) => {
                // As they were asked for they are not the person's.
                let arguments = (value != self.asked).then_some(value);
                Outcome::does(vec![decision(&self.gate, DecisionKind::Approve { for_run: false, arguments })])
            }
            Err(problem) => {
                self.problem = Some(problem);
                Outcome::stays()
            }
        }
    }

    /// Paints it over `area`, which shows them whole as far as there is space.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        canvas.clear(area);
        let inner = canvas.pane(area, &format!("Arguments of {}", self.tool), true);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        let of_tree = || match &self.form {
            Form::Fields(tree) => tree.problem(),
            Form::Json(_) => None,
        };
        let problem = self.problem.clone().or_else(of_tree).map(|problem| Untrusted::new(problem).line().into_owned());
        let lines = problem.map(|problem| wrap_text(&problem, theme.failed, inner.width.into())).unwrap_or_default();
        let below = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(inner.height / 2);
        let rest = Rect { height: inner.height - below, ..inner };
        match &self.form {
            Form::Fields(tree) => tree.paint(canvas, rest, true),
            Form::Json(editor) => editor.paint(canvas, rest, true),
        }
        canvas.lines(Rect { y: rest.bottom(), height: below, ..inner }, &lines);
    }
}
