//! Another attempt: what should be different, how far that reaches, which model makes it, and which other calls of the
//! step it is meant for too: those that are under way or under review are not reached by a scope, so they are ticked.

use ratatui::text::{Line, Span};

use super::layer::Over;
use super::rows::{OutlineRow, RowId};
use super::{Note, RunScreen};
use crate::core::call::{Call, CallStatus};
use crate::core::decide::DecisionKind;
use crate::core::event::InstructionScope;
use crate::core::gate::{Answer, Gate, GateKind};
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::step::Does;
use crate::core::step_name::StepName;
use crate::core::task::Body;
use crate::core::work::Work;
use crate::tui::commands::Id;
use crate::tui::drafts;
use crate::tui::effect::{Again, Change, Effect};
use crate::tui::layers::ask::decision;
use crate::tui::quote::Quote;
use crate::tui::shown::{ShownGate, Target};
use crate::tui::text::fit;
use crate::tui::theme::Theme;
use crate::tui::widgets::editor::Editor;

/// As many lines of an instruction are shown at once.
const MOST_LINES: usize = 6;

/// An instruction for another attempt.
#[derive(Debug)]
pub struct Retry {
    key: Key,
    /// What was seen; `None` for a call that is under way.
    gate: Option<ShownGate>,
    /// What is typed.
    pub input: Editor,
    scope: InstructionScope,
    /// The model in the place of the one so far.
    model: Option<String>,
    others: Vec<Other>,
    /// The one of the others that the keys are for; `None`: the text has them.
    at: Option<usize>,
    /// The earlier attempt that the next one is to start from.
    quote: Option<Quote>,
    /// What was marked along with it and takes no instruction: it just runs again.
    also: Vec<Target>,
}

/// Another call that the instruction may be meant for.
#[derive(Debug)]
struct Other {
    key: Key,
    title: String,
    gate: Option<ShownGate>,
    ticked: bool,
}

impl Retry {
    fn of(key: Key, gate: Option<ShownGate>) -> Self {
        let (input, scope) = (Editor::default(), InstructionScope::This);
        Self { key, gate, input, scope, model: None, others: Vec::new(), at: None, quote: None, also: Vec::new() }
    }

    /// Whether the others have the keys.
    pub fn ticks(&self) -> bool {
        self.at.is_some()
    }

    /// Whether there are others that it may be meant for.
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) {
        let last = self.others.len().checked_sub(1);
        match (id, self.at) {
            (Id::Scope, _) => {
                self.scope = match self.scope {
                    InstructionScope::This => InstructionScope::Remaining,
                    InstructionScope::Remaining => InstructionScope::Always,
                    InstructionScope::Always => InstructionScope::This,
                }
            }
            (Id::Others, None) => self.at = last.map(|_| 0),
            (Id::Up, Some(at)) => self.at = at.checked_sub(1),
            (Id::Down, Some(at)) => self.at = last.map(|last| (at + 1).min(last)),
            (Id::Mark, Some(at)) => {
                if let Some(other) = self.others.get_mut(at) {
                    other.ticked = !other.ticked;
                }
            }
            _ => {}
        }
    }

    /// The lines beneath the one that is typed, at most `room` of them.
    pub fn lines(&self, theme: &Theme, cells: u16, room: usize) -> Vec<Line<'static>> {
        let reach = |scope, says| {
            let on = self.scope == scope;
            Span::styled(says, if on { theme.accent } else { theme.muted })
        };
        let sign = |on| Span::styled(if on { "(•) " } else { "( ) " }, theme.muted);
        let each = |scope, says| [sign(self.scope == scope), reach(scope, says), Span::raw("  ")];
        let mut lines = if cells < 70 {
            let says = match self.scope {
                InstructionScope::This => "this call only",
                InstructionScope::Remaining => "and those not begun",
                InstructionScope::Always => "from now on, later runs too",
            };
            vec![Line::from(vec![Span::styled(" reaches: ", theme.muted), Span::styled(says, theme.accent)])]
        } else {
            let mut spans = vec![Span::raw(" ")];
            spans.extend(each(InstructionScope::This, "this call"));
            spans.extend(each(InstructionScope::Remaining, "and those not begun"));
            spans.extend(each(InstructionScope::Always, "and later runs"));
            vec![Line::from(spans)]
        };
        if let Some(line) = lines.first_mut() {
            let quote = self.quote.as_ref().map(|quote| format!("  from attempt {}", quote.page.attempt));
            let model = self.model.as_ref().map(|model| format!("  by {model}"));
            line.spans.extend(quote.into_iter().chain(model).map(|says| Span::styled(says, theme.accent)));
        }
        let room = room.saturating_sub(lines.len());
        let top = (self.at.unwrap_or(0) + 1).saturating_sub(room);
        for (at, other) in self.others.iter().enumerate().skip(top).take(room) {
            let state = if other.gate.is_some() { "under review" } else { "under way" };
            let mark = if other.ticked { "[x]" } else { "[ ]" };
            let text = format!(" {mark} {} · {state}", fit(&other.title, usize::from(cells).saturating_sub(22)));
            let style = match (self.at == Some(at), other.ticked) {
                (true, _) => theme.selection,
                (false, true) => theme.accent,
                (false, false) => theme.muted,
            };
            lines.push(Line::styled(text, style));
        }
        lines
    }

    /// The name of its draft, and the instruction as far as it is typed.
    pub fn unsaved(&self) -> (String, Option<String>) {
        (drafts::of_instruction(&self.key), (!self.input.is_empty()).then(|| self.input.text()))
    }

    /// How many lines it would take.
    pub fn height(&self, cells: u16) -> usize {
        1 + self.input_height(cells) + self.others.len()
    }

    /// How many lines what is typed takes.
    pub fn input_height(&self, cells: u16) -> usize {
        self.input.rows(cells.saturating_sub(2), MOST_LINES)
    }
}

/// The other calls of the step that are under way or under review.
fn others(run: &Run, rows: &[OutlineRow], key: &Key) -> Vec<Other> {
    let Some(of) = run.call(key).map(Call::of) else { return Vec::new() };
    let calls = run.calls.values().filter(|call| call.key != *key && call.of() == of);
    calls.filter_map(|call| other(run, rows, call)).collect()
}

/// A call as one that an instruction may be meant for.
fn other(run: &Run, rows: &[OutlineRow], call: &Call) -> Option<Other> {
    let review = call.gate().filter(|gate| gate.kind() == GateKind::Review);
    let gate = match (review, call.status) {
        (Some(gate), _) if gate.allows(Answer::Retry) => Some(ShownGate::of(run, gate)),
        (None, CallStatus::Running) => None,
        _ => return None,
    };
    let row = rows.iter().find(|row| row.id == RowId::Call(call.key.clone()));
    let title = row.map_or_else(|| call.key.to_string(), |row| row.title.clone());
    Some(Other { key: call.key.clone(), title, gate, ticked: false })
}

impl RunScreen {
    /// Asks for an instruction for the selected call; where an earlier attempt is shown, the next one starts from that.
    pub(super) fn retry(&mut self, model: Option<String>) -> Vec<Effect> {
        let Some(call) = self.call() else { return Vec::new() };
        let gate = match (call.gate(), self.seen_target()) {
            (None, _) => None,
            (Some(_), Some(Target::Gate(gate))) if gate.kind == GateKind::Review => Some(gate),
            (Some(_), _) => return self.changed_meanwhile(),
        };
        let quote = self.content.earlier.and_then(|earlier| Quote::of(call, earlier.page));
        let key = call.key.clone();
        let others = others(&self.run, &self.rows, &key);
        self.open_retry(Retry { model, others, quote, ..Retry::of(key, gate) });
        Vec::new()
    }

    /// Asks for an instruction for calls that were marked; `again` just run again with them.
    pub(super) fn instruct(&mut self, first: &Target, marked: &[Target], again: Vec<Target>) {
        let key = first.key().clone();
        let mut others = others(&self.run, &self.rows, &key);
        for target in marked {
            if let Some(other) = others.iter_mut().find(|other| other.key == *target.key()) {
                other.ticked = true;
            } else {
                let call = self.run.call(target.key());
                let other = call.and_then(|call| other(&self.run, &self.rows, call));
                others.extend(other.map(|other| Other { ticked: true, ..other }));
            }
        }
        others.sort_by_key(|other| !other.ticked);
        let gate = match first {
            Target::Gate(gate) => Some(gate.clone()),
            Target::Call(_) => None,
        };
        self.open_retry(Retry { others, also: again, ..Retry::of(key, gate) });
    }

    fn open_retry(&mut self, mut retry: Retry) {
        let draft = self.drafts.get(&drafts::of_instruction(&retry.key)).cloned().unwrap_or_default();
        retry.input = Editor::at_end(&draft);
        self.over = Over::Retry(Box::new(retry));
    }

    /// The instruction is given: to the call that was seen, and to what was ticked.
    pub(super) fn retried(&mut self, retry: Retry) -> Vec<Effect> {
        let Retry { key, gate, input, scope, model, others, quote, also, .. } = retry;
        let typed = input.text();
        let instruction = quote.map_or_else(|| typed.clone(), |quote| quote.with(&typed));
        let name = drafts::of_instruction(&key);
        self.drafts.remove(&name);
        let run = self.run.id;
        let mut again = |key: Key, gate: Option<ShownGate>, scope| {
            let (instruction, model) = (instruction.clone(), model.clone());
            match gate {
                Some(gate) => self.decided(&gate, DecisionKind::Retry { instruction, scope, model }),
                None => {
                    vec![Effect::Change(Change::Stop { run, key, again: Some(Again { instruction, scope, model }) })]
                }
            }
        };
        let mut effects = again(key, gate, scope);
        for other in others.into_iter().filter(|other| other.ticked) {
            effects.extend(again(other.key, other.gate, InstructionScope::This));
        }
        effects.extend(self.decide_each(&also, &DecisionKind::Again { model: None }));
        effects.push(Effect::Change(Change::KeepDraft { run, name, text: None }));
        effects
    }

    /// Another model was picked: for another attempt of the selected call, or for those that it has not had yet.
    pub(super) fn by_model(&mut self, key: &Key, model: String) -> Vec<Effect> {
        let run = self.run.id;
        let Some(call) = self.call().filter(|call| call.key == *key) else {
            self.note = Some(Note::Done(format!("{model} will do it")));
            return vec![Effect::Change(Change::ChooseModel { run, key: key.clone(), model })];
        };
        match (call.gate().map(Gate::kind), call.status) {
            (Some(GateKind::Review), _) | (None, CallStatus::Running) => self.retry(Some(model)),
            (Some(GateKind::InDoubt | GateKind::Stale), _) => {
                let seen = self.seen_gate(GateKind::InDoubt).or_else(|| self.seen_gate(GateKind::Stale));
                match seen {
                    Some(gate) => vec![decision(&gate, DecisionKind::Again { model: Some(model) })],
                    None => self.changed_meanwhile(),
                }
            }
            (None, CallStatus::Failed | CallStatus::Skipped | CallStatus::Cancelled) => {
                self.on_call(key, DecisionKind::Again { model: Some(model) })
            }
            _ => {
                self.note = Some(Note::Done(format!("{model} will do it")));
                vec![Effect::Change(Change::ChooseModel { run, key: key.clone(), model })]
            }
        }
    }

    /// What the selected row is about, when a model is asked for it.
    pub(super) fn asks(&self) -> Option<Key> {
        let row = self.selected_row()?;
        match &row.id {
            RowId::Call(key) => {
                let of = self.run.call(key).map_or(StepName { workflow: None, step: key.step() }, Call::of);
                self.is_prompt(of).then(|| key.clone())
            }
            RowId::Step(id) => self.is_prompt(StepName { workflow: None, step: id }).then(|| Key::plain(id.clone())),
            RowId::Group(_) | RowId::Document(_) | RowId::Result => None,
        }
    }

    fn is_prompt(&self, of: StepName<'_>) -> bool {
        // Of a child's steps only their calls tell.
        let own = self.task.as_deref().filter(|_| of.workflow.is_none());
        let declared = own.and_then(|task| match &task.body {
            Body::Workflow(workflow) => workflow.all_steps().into_iter().find(|declared| declared.id == of.step),
            Body::Instruct(_) => None,
        });
        match declared {
            Some(declared) => matches!(declared.does, Does::Prompt(_)),
            None => {
                self.run.calls.values().filter(|call| call.of() == of).any(|call| {
                    matches!(call.newest().and_then(|attempt| attempt.work.as_deref()), Some(Work::Prompt(_)))
                })
            }
        }
    }
}
