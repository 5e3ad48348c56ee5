//! A question: a new title, a path, a reason, in one line; an instruction, in as many as it takes.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::{Outcome, middle};
use crate::core::decide::DecisionKind;
use crate::core::event::InstructionScope;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::secret::Secret;
use crate::core::text::Untrusted;
use crate::core::usage::Budget;
use crate::tui::canvas::Canvas;
use crate::tui::commands::Id;
use crate::tui::drafts::{self, Slot, Unsaved};
use crate::tui::effect::{Change, Effect, Errand, Manage, Opening, Purpose, Terminal};
use crate::tui::quote::Quote;
use crate::tui::shown::ShownGate;
use crate::tui::situation::Layer;
use crate::tui::text::wrap::wrap_text;
use crate::tui::widgets::editor::Editor;
use crate::tui::widgets::line::LineInput;

/// Asks for the reason of a refusal.
pub(crate) const WHY_NOT: &str = "Why not? (Enter refuses)";

/// Asks for the result that work in doubt had.
pub(crate) const WHAT_RESULT: &str = "What was its result? (JSON or text)";

/// Asks for what a tool would return, which is not called.
pub(crate) const WHAT_RETURN: &str = "What does it return? The tool is not called (JSON or text)";

/// Asks for a higher budget.
pub(crate) const WHAT_BUDGET: &str = "What may the run spend in all? (2.50 in US dollars, or 500000 tokens)";

/// The draft of what is to be different about the document of a conversation.
pub(super) const SAID_DRAFT: &str = "write again";

/// Said where nothing is to be different that the person could name.
pub(crate) const WRITE_AGAIN: &str = "Please write it again, differently.";

/// What becomes of the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// The title of a run.
    Rename(RunId),
    /// The path to export a run to; its end says the format.
    Export(RunId),
    /// The path to write this to, which was on screen.
    WriteFile(Untrusted),
    /// The reason of a refusal.
    Deny(ShownGate),
    /// What is said in a conversation: its document is written again so.
    Say(RunId),
    /// The instruction for another attempt of each of these, and the earlier one that it starts from.
    Retry(Vec<ShownGate>, Option<Quote>),
    /// The result that work in doubt had.
    Worked(ShownGate),
    /// What a run may spend in all, and what it might so far.
    Budget(ShownGate, Budget),
    /// The key of the provider that a call asks; it is not shown.
    Key(RunId, Key),
    /// The model that makes a call.
    Model(RunId, Key),
}

/// What is typed.
#[derive(Clone, Debug, PartialEq)]
enum Typed {
    Line(LineInput),
    Text(Box<Editor>),
}

impl Typed {
    fn value(&self) -> String {
        match self {
            Self::Line(line) => line.value(),
            Self::Text(editor) => editor.text(),
        }
    }
}

/// As many lines of an instruction are shown at once.
const MOST_LINES: usize = 6;

/// The cells of the box.
const CELLS: u16 = 76;

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    question: &'static str,
    input: Typed,
    then: Then,
    /// How far an instruction reaches.
    scope: Option<InstructionScope>,
    problem: Option<String>,
}

impl Ask {
    /// Asks, with a beginning of the answer.
    #[must_use]
    pub fn new(question: &'static str, answer: &str, then: Then) -> Self {
        let scope = matches!(then, Then::Retry(..)).then_some(InstructionScope::This);
        let instructs = matches!(then, Then::Retry(..) | Then::Say(_));
        let input =
            if instructs { Typed::Text(Box::new(Editor::at_end(answer))) } else { Typed::Line(LineInput::new(answer)) };
        Self { question, input, then, scope, problem: None }
    }

    /// Asks for the file that a text of a task is written to.
    #[must_use]
    pub fn write(task: &str, text: &Untrusted) -> Self {
        Self::new("Write it to", &format!("{task}.md"), Then::WriteFile(text.clone()))
    }

    /// The layer that it is.
    #[must_use]
    pub fn layer(&self) -> Layer {
        match (&self.input, self.scope) {
            (_, Some(_)) => Layer::Retry,
            (Typed::Text(_), None) => Layer::Text,
            (Typed::Line(_), None) => Layer::Ask,
        }
    }

    /// The same question again, with what was wrong with the answer.
    #[must_use]
    pub fn again(self, problem: String) -> Self {
        Self { problem: Some(problem), ..self }
    }

    /// The draft of what is typed: of the same name as on the run's own screen.
    pub(super) fn unsaved(&self) -> Option<Unsaved> {
        let (run, name) = match &self.then {
            Then::Retry(gates, _) => gates.first().map(|gate| (gate.run, drafts::of_instruction(&gate.key)))?,
            Then::Deny(gate) => (gate.run, drafts::of_refusal(gate)),
            Then::Worked(gate) => (gate.run, drafts::of_result(gate)),
            Then::Say(run) => (*run, SAID_DRAFT.to_owned()),
            _ => return None,
        };
        Some(Unsaved::of_run(run, name, Some(self.input.value()).filter(|text| !text.is_empty())))
    }

    /// Takes a draft of this, if nothing was typed.
    pub(super) fn offer(&mut self, run: RunId, name: &str, text: &str) {
        let mine = self
            .unsaved()
            .is_some_and(|unsaved| unsaved.text.is_none() && unsaved.slot == Slot::Run(run, name.to_owned()));
        if mine {
            self.fill(text);
        }
    }

    /// Puts another text into it.
    pub fn fill(&mut self, text: &str) {
        self.input = match &self.input {
            Typed::Line(_) => Typed::Line(LineInput::new(text)),
            Typed::Text(_) => Typed::Text(Box::new(Editor::at_end(text))),
        };
        self.problem = None;
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        match &mut self.input {
            Typed::Line(line) => line.paste(text),
            Typed::Text(editor) => editor.paste(text),
        }
    }

    /// Takes a key that is no command.
    pub fn key(&mut self, key: KeyEvent) {
        match &mut self.input {
            Typed::Line(line) => line.key(key),
            Typed::Text(editor) => editor.key(key),
        };
        self.problem = None;
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Outcome {
        match id {
            Id::Submit => self.submit(),
            Id::NewLine => {
                self.paste("\n");
                Outcome::stays()
            }
            Id::Scope => {
                self.scope = self.scope.map(next);
                Outcome::stays()
            }
            Id::External => {
                let open = Terminal::OpenEditor { purpose: Purpose::Above, text: self.input.value(), extension: "md" };
                Outcome { effects: vec![Effect::Terminal(open)], ..Outcome::stays() }
            }
            _ => Outcome::stays(),
        }
    }

    fn submit(&mut self) -> Outcome {
        let typed = self.input.value();
        let trimmed = typed.trim().to_owned();
        let effect = match &self.then {
            Then::Rename(run) if !trimmed.is_empty() => Effect::Change(Change::Manage(*run, Manage::Rename(trimmed))),
            Then::Export(run) if !trimmed.is_empty() => Effect::Errand(Errand::Export { run: *run, path: trimmed }),
            Then::Key(run, key) if !trimmed.is_empty() => {
                Effect::Change(Change::GiveKey { run: *run, key: key.clone(), secret: Secret::new(trimmed) })
            }
            Then::Model(run, key) if !trimmed.is_empty() => {
                Effect::Open(Opening::PickModel { run: *run, key: key.clone(), model: trimmed, typed: true })
            }
            Then::WriteFile(text) if !trimmed.is_empty() => {
                Effect::Errand(Errand::WriteFile { path: trimmed, text: text.clone() })
            }
            Then::Rename(_) | Then::Export(_) | Then::Key(..) | Then::Model(..) | Then::WriteFile(_) => {
                self.problem = Some("enter a value".to_owned());
                return Outcome::stays();
            }
            Then::Say(run) => {
                let says = if trimmed.is_empty() { WRITE_AGAIN.to_owned() } else { trimmed };
                Effect::Change(Change::Message(*run, says))
            }
            Then::Deny(gate) => decision(gate, DecisionKind::Deny { reason: typed }),
            Then::Worked(gate) => decision(gate, DecisionKind::Answer { value: worked(&typed) }),
            Then::Budget(gate, before) => match raised(*before, &trimmed) {
                Ok(budget) => decision(gate, DecisionKind::Budget { budget }),
                Err(problem) => {
                    self.problem = Some(problem);
                    return Outcome::stays();
                }
            },
            Then::Retry(gates, quote) => {
                let instruction = quote.as_ref().map_or_else(|| typed.clone(), |quote| quote.with(&typed));
                let scope = self.scope.unwrap_or_default();
                let retry = DecisionKind::Retry { instruction, scope, model: None };
                return Outcome::does(gates.iter().map(|gate| decision(gate, retry.clone())).collect());
            }
        };
        Outcome::does(vec![effect])
    }

    /// Paints it in the middle of `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        let lines = match &self.input {
            Typed::Line(_) => 1,
            Typed::Text(editor) => editor.rows(CELLS.min(area.width).saturating_sub(4), MOST_LINES),
        };
        let cells = usize::from(CELLS.min(area.width).saturating_sub(4));
        let problem =
            self.problem.as_deref().map(|problem| wrap_text(problem, theme.failed, cells)).unwrap_or_default();
        let place = middle(area, CELLS.into(), lines + problem.len().max(1));
        canvas.clear(place);
        let inner = canvas.pane(place, self.question, true);
        let height = u16::try_from(lines).unwrap_or(u16::MAX).min(inner.height.saturating_sub(1)).max(1);
        let line = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), height, ..inner };
        match &self.input {
            Typed::Line(input) => input.paint(canvas, line, true, matches!(self.then, Then::Key(..))),
            Typed::Text(editor) => editor.paint(canvas, line, true),
        }
        let below = Rect { y: inner.y + height, height: inner.height.saturating_sub(height), ..line };
        if inner.height < height + 1 {
            return;
        }
        match (problem.is_empty(), self.scope) {
            (false, _) => canvas.lines(below, &problem),
            (true, Some(scope)) => {
                let says = Span::styled("reaches: ", theme.muted);
                canvas.line(below, &Line::from(vec![says, Span::styled(reach(scope), theme.accent)]));
            }
            (true, None) if matches!(self.then, Then::Say(_)) && self.input.value().is_empty() => {
                canvas.line(below, &Line::styled("empty: have it written again, differently", theme.muted));
            }
            (true, None) => {}
        }
    }
}

fn next(scope: InstructionScope) -> InstructionScope {
    match scope {
        InstructionScope::This => InstructionScope::Remaining,
        InstructionScope::Remaining => InstructionScope::Always,
        InstructionScope::Always => InstructionScope::This,
    }
}

fn reach(scope: InstructionScope) -> &'static str {
    match scope {
        InstructionScope::This => "this call only",
        InstructionScope::Remaining => "this call and those of the step that have not begun",
        InstructionScope::Always => "from now on, later runs too",
    }
}

/// A decision about what was seen.
pub(crate) fn decision(gate: &ShownGate, kind: DecisionKind) -> Effect {
    Effect::Change(gate.decide(kind))
}

/// What was typed as a result: JSON, else a text.
pub(crate) fn worked(typed: &str) -> Value {
    crate::core::json::parse(typed).unwrap_or_else(|_| Value::String(typed.to_owned()))
}

/// The budget with what was typed in the place of its limit: `2.50` in US dollars, or `500000 tokens`.
pub(crate) fn raised(budget: Budget, typed: &str) -> Result<Budget, String> {
    if let Some(tokens) = typed.strip_suffix("tokens") {
        let tokens = tokens.trim().replace([',', '_'], "").parse::<u64>();
        return tokens
            .map(|tokens| Budget { tokens: Some(tokens), ..budget })
            .map_err(|_| "enter a number of tokens".to_owned());
    }
    let usd = typed.trim_start_matches('$').parse::<f64>().ok().filter(|usd| usd.is_finite() && *usd > 0.0);
    let usd = usd.ok_or_else(|| "enter an amount, e.g. 2.50, or 500000 tokens".to_owned())?;
    Ok(Budget { usd: Some(usd), ..budget })
}
