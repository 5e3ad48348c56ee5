//! Editing the output of a call in place: as a text, as a tree of fields, or as raw JSON. What cannot be saved says why
//! and is kept.
//!
//! What is edited is the version that is shown, and what is saved is a version of what waits. The output of a failed call
//! is given by hand in the same way; there is nothing to review then, so saving accepts it.

use std::sync::Arc;

use serde_json::Value;

use super::layer::Over;
use super::pages;
use super::{Note, RunScreen};
use crate::core::call::{Attempt, Call};
use crate::core::decide::DecisionKind;
use crate::core::gate::GateKind;
use crate::core::run::Run;
use crate::core::schema;
use crate::core::text::visible;
use crate::core::work::Work;
use crate::tui::commands::Id;
use crate::tui::diff::{editable, printed};
use crate::tui::drafts;
use crate::tui::effect::{Change, Effect, Purpose, Terminal};
use crate::tui::shown::{Page, ShownGate, Target};
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::tree_editor::{self, TreeEditor, blank};

/// What is edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// What was seen when it began.
    pub target: Target,
    /// The name of its draft.
    pub draft: String,
    /// The output that it began with.
    pub before: Arc<Value>,
}

impl Edited {
    /// A draft belongs to the attempt that waits, and to the version that it was made from if that is another.
    pub(super) fn new(target: Target, from: Option<Page>) -> Self {
        let from = from.map(|page| format!(" from {}.{}", page.attempt, page.version)).unwrap_or_default();
        let draft = format!("{}{from}", drafts::of_edit(&target));
        Self { target, draft, before: Arc::default() }
    }

    /// The schema that the output must fit.
    pub(super) fn schema<'a>(&self, run: &'a Run) -> Option<&'a Value> {
        let call = run.call(self.target.key())?;
        match &self.target {
            Target::Gate(gate) => {
                let gate = call.gates.of(gate.call)?;
                let of_tool = || Some(&call.tool_use()?.tool(gate.tool()?)?.input);
                gate.schema().or_else(of_tool)
            }
            Target::Call(_) => call.failed_work().flatten().and_then(Work::schema),
        }
    }

    /// The earlier page from which the edit that has that draft was made, if it is one of the same attempt.
    pub(super) fn page_of(&self, draft: &str) -> Option<Page> {
        let (attempt, version) = draft.strip_prefix(&self.draft)?.strip_prefix(" from ")?.split_once('.')?;
        Some(Page { attempt: attempt.parse().ok()?, version: version.parse().ok()? })
    }

    /// The name of what was typed for fields of the tree and not put in.
    pub(super) fn fields_draft(&self) -> String {
        drafts::of_fields(&self.draft)
    }

    /// The name under which the line interface keeps the same edit.
    pub(super) fn line_draft(&self) -> String {
        drafts::of_line(&self.target)
    }

    /// Whether what is edited are the arguments of a tool call, which is then allowed with them.
    pub fn allows(&self) -> bool {
        matches!(&self.target, Target::Gate(gate) if gate.kind == GateKind::Approval)
    }

    /// The tool whose arguments are edited.
    pub(super) fn tool<'a>(&self, run: &'a Run) -> Option<&'a str> {
        let Target::Gate(gate) = &self.target else { return None };
        run.call(&gate.key)?.gates.of(Some(gate.call?))?.tool()
    }

    /// Whether there is nothing to review: what is saved is accepted.
    pub fn fills(&self) -> bool {
        matches!(self.target, Target::Call(_))
    }
}

impl RunScreen {
    pub(super) fn edit(&mut self) -> Vec<Effect> {
        let takes = |target: &Target| match target {
            Target::Gate(gate) => {
                gate.kind == GateKind::Review || gate.kind == GateKind::Approval && gate.call.is_some()
            }
            Target::Call(_) => true,
        };
        match self.seen_target().filter(takes) {
            Some(target) => self.open_editor(target, self.content.earlier.map(|earlier| earlier.page)),
            None => return self.changed_meanwhile(),
        }
        Vec::new()
    }

    /// Edits what was on screen elsewhere: what waits there, or the page that was shown instead. False when something else
    /// waits now.
    pub fn edit_seen(&mut self, gate: ShownGate, from: Option<Page>) -> bool {
        let waits = self.content.gate.as_ref() == Some(&gate);
        if waits {
            self.open_editor(Target::Gate(gate), from);
        } else {
            self.changed_meanwhile();
        }
        waits
    }

    fn open_editor(&mut self, target: Target, from: Option<Page>) {
        let Some(call) = self.run.call(target.key()) else { return };
        let shown = match (&target, from) {
            (_, Some(page)) => page,
            (Target::Gate(gate), None) => Page { attempt: gate.attempt, version: gate.version },
            (Target::Call(_), None) => pages::current(call, None),
        };
        let attempt = call.attempt(shown.attempt);
        let output = attempt.and_then(|attempt| attempt.version(shown.version)).map(|seen| Arc::clone(&seen.output));
        let arrived = attempt.map(|attempt| attempt.partial.data().to_owned()).unwrap_or_default();
        let mut edited = Edited::new(target, from);
        let schema = edited.schema(&self.run).cloned();
        let arguments = || arguments_of(call, &edited.target);
        let output = arguments().or(output).unwrap_or_else(|| Arc::new(begun(&arrived, schema.as_ref())));
        edited.before = Arc::clone(&output);
        let draft = self.drafts.get(&edited.draft).or_else(|| self.drafts.get(&edited.line_draft())).cloned();
        let fields = self.drafts.get(&edited.fields_draft());
        let tree = |value: Value| {
            let mut tree = Box::new(TreeEditor::new(value, schema.clone()));
            if let Some(fields) = fields {
                tree.restore(fields);
            }
            tree
        };
        self.over = match (&*output, draft) {
            // What is no JSON is written as it is, and has to become an object.
            (Value::String(_), draft) if edited.allows() => {
                let text = draft.unwrap_or_else(|| editable(&output));
                Over::Edit { edited, editor: Box::new(Editor::new(&text)), json: true, problem: None }
            }
            (Value::String(_), draft) => {
                let text = draft.unwrap_or_else(|| printed(&output).data().to_owned());
                Over::Edit { edited, editor: Box::new(Editor::new(&text)), json: false, problem: None }
            }
            (_, Some(draft)) => match serde_json::from_str(&draft) {
                Ok(value) => Over::Fields { edited, tree: tree(value) },
                Err(_) => Over::Edit { edited, editor: Box::new(Editor::new(&draft)), json: true, problem: None },
            },
            (value, None) => Over::Fields { edited, tree: tree(value.clone()) },
        };
        if let Over::Edit { editor, json: false, .. } = &self.over
            && hides(&editor.text())
        {
            self.note =
                Some(Note::Done("some of its characters cannot be seen here: once saved they are marked".to_owned()));
        }
    }

    pub(super) fn save(&mut self, accept: bool) -> Vec<Effect> {
        let (edited, output) = match &mut self.over {
            Over::Edit { edited, editor, json, problem } => {
                let text = editor.text();
                if *json {
                    match crate::core::json::parse(&text) {
                        Ok(value) => (edited.clone(), value),
                        Err(error) => {
                            *problem = Some(format!("not JSON: {error}"));
                            return Vec::new();
                        }
                    }
                } else {
                    (edited.clone(), Value::String(text))
                }
            }
            Over::Fields { edited, tree } => (edited.clone(), tree.value().clone()),
            Over::Document { .. } => return self.save_document(),
            _ => return Vec::new(),
        };
        let fits = edited.schema(&self.run).map_or(Ok(()), |schema| schema::validate(schema, &output));
        if let Err(why) = fits {
            match &mut self.over {
                Over::Edit { problem, .. } => *problem = Some(why),
                _ => self.note = Some(Note::Failed(why)),
            }
            return Vec::new();
        }
        self.over = Over::None;
        let accept = accept || edited.fills();
        let run = self.run.id;
        let newest = self.run.call(edited.target.key()).and_then(Call::newest).and_then(Attempt::newest);
        let mut effects = if edited.allows() {
            // As they were asked for they are not the person's.
            let arguments = (output != *edited.before).then_some(output);
            let approve = DecisionKind::Approve { for_run: false, arguments };
            self.decide_about(&edited.target, approve)
        } else if accept {
            self.decide_about(&edited.target, DecisionKind::Edit { output, accept })
        } else if newest.is_some_and(|(_, version)| *version.output == output) {
            self.note = Some(Note::Done("nothing was changed".to_owned()));
            Vec::new()
        } else {
            // It goes on waiting, with the new version.
            (self.following, self.reports, self.paged) = (false, true, None);
            vec![Effect::Change(edited.target.decide(DecisionKind::Edit { output, accept }))]
        };
        let begun = effects.len();
        for name in [edited.draft.clone(), edited.fields_draft(), edited.line_draft()] {
            // The first is forgotten in any case: it may be on its way to be kept.
            if self.drafts.remove(&name).is_some() || effects.len() == begun {
                effects.push(Effect::Change(Change::KeepDraft { run, name, text: None }));
            }
        }
        effects
    }

    pub(super) fn external(&mut self) -> Vec<Effect> {
        let (text, extension) = match &self.over {
            Over::Edit { editor, json, .. } => (editor.text(), if *json { "json" } else { "md" }),
            Over::Fields { tree, .. } => (editable(tree.value()), "json"),
            Over::Retry(retry) => (retry.input.text(), "md"),
            Over::Document { editor, .. } => (editor.text(), "md"),
            _ => return Vec::new(),
        };
        vec![Effect::Terminal(Terminal::OpenEditor { purpose: Purpose::Layer, text, extension })]
    }

    /// A text came back from `$EDITOR`.
    pub(super) fn edited(&mut self, text: &str) {
        match &mut self.over {
            Over::Edit { editor, problem, .. } => {
                **editor = Editor::new(text);
                *problem = None;
            }
            Over::Fields { edited, tree } => match crate::core::json::parse(text) {
                Ok(value) => **tree = TreeEditor::new(value, edited.schema(&self.run).cloned()),
                Err(error) => {
                    let problem = Some(format!("not JSON: {error}"));
                    let editor = Box::new(Editor::new(text));
                    self.over = Over::Edit { edited: edited.clone(), editor, json: true, problem };
                }
            },
            Over::Document { editor, .. } => **editor = Editor::new(text),
            Over::Retry(retry) => retry.input = Editor::at_end(text),
            _ => {}
        }
    }

    pub(super) fn change_field(&mut self, id: Id) {
        let Over::Fields { edited, tree } = &mut self.over else { return };
        match id {
            Id::FieldEdit => tree.change(tree_editor::Change::Edit),
            Id::FieldAdd => tree.change(tree_editor::Change::Add),
            Id::FieldRemove => tree.change(tree_editor::Change::Remove),
            Id::FieldUp => tree.change(tree_editor::Change::Move(-1)),
            Id::FieldDown => tree.change(tree_editor::Change::Move(1)),
            _ => {
                let editor = Box::new(Editor::new(&editable(tree.value())));
                self.over = Over::Edit { edited: edited.clone(), editor, json: true, problem: None };
            }
        }
    }
}

/// Whether a text has characters that are marked where it is read, and take no cell in an editor.
fn hides(text: &str) -> bool {
    let text = text.replace("\r\n", "\n");
    visible(&text, true) != text
}

/// The arguments of the tool call that waits to be allowed.
fn arguments_of(call: &Call, target: &Target) -> Option<Arc<Value>> {
    let Target::Gate(seen) = target else { return None };
    call.gates.of(Some(seen.call?))?.arguments().cloned().map(Arc::new)
}

/// What an output begins with that nobody has produced: what had arrived, or the fields that its schema asks for.
fn begun(arrived: &str, schema: Option<&Value>) -> Value {
    match schema {
        Some(schema) => crate::core::json::parse(arrived).unwrap_or_else(|_| blank(Some(schema), None)),
        None => Value::String(arrived.to_owned()),
    }
}
