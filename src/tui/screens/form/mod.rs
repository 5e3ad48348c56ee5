//! A form: the inputs of a task before it starts, or what a step asks for. One field a line, errors beside the field.

mod view;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyCode, KeyEvent, MouseEventKind};
use ratatui::layout::Position;
use serde_json::{Map, Value};

use crate::core::decide::DecisionKind;
use crate::core::form::{Field, FieldType};
use crate::core::gate::{Gate, GateBody, GateKind};
use crate::core::id::RunId;
use crate::core::secret::Secret;
use crate::core::settings::Trial;
use crate::core::text::Untrusted;
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds};
use crate::tui::drafts::{self, Slot, Unsaved};
use crate::tui::effect::{Effect, Errand, Go, Opening, Parent, Purpose, Terminal};
use crate::tui::layers::ask::decision;
use crate::tui::message::Message;
use crate::tui::screens::connect::described;
use crate::tui::shown::ShownGate;
use crate::tui::situation::{Screen, Situation};
use crate::tui::widgets::field::{Asked, FormField};

/// What becomes of a form that is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// A run of this task, and the run that it comes from.
    Start(String, Option<Parent>),
    /// The answer to a gate.
    Answer(ShownGate),
    /// A provider that is to be connected, as it was called when that began.
    Connect(String),
}

/// The model.
#[derive(Debug)]
pub struct FormScreen {
    title: String,
    /// Above the fields: what the task does, or what the step asks.
    intro: Untrusted,
    fields: Vec<FormField>,
    at: usize,
    purpose: For,
    /// What the fields offered, as it would have been typed.
    offered: Vec<Option<Value>>,
    /// It was given: nothing on it is unsaved any more.
    given: bool,
    /// The values of the last run of the task.
    last: Option<Value>,
    /// What a run of the task is expected to cost.
    cost: Option<String>,
    now: DateTime<Utc>,
    note: Option<String>,
    /// What it answers does not wait any more as it was shown.
    gone: bool,
    last_frame: FrameInfo,
}

impl FormScreen {
    /// A form with defaults, overlaid by `given`.
    #[must_use]
    pub fn new(
        title: &str,
        intro: Untrusted,
        fields: &[Field],
        purpose: For,
        given: &Value,
        now: DateTime<Utc>,
    ) -> Self {
        let fields: Vec<FormField> =
            fields.iter().map(|field| FormField::new(field.clone(), given.get(&field.name))).collect();
        let mut form = Self {
            title: Untrusted::from(title).line().into_owned(),
            intro,
            offered: fields.iter().map(FormField::typed).collect(),
            fields,
            at: 0,
            purpose,
            given: false,
            last: None,
            cost: None,
            now,
            note: None,
            gone: false,
            last_frame: FrameInfo::default(),
        };
        form.exempt();
        form
    }

    /// The form of a gate: what a step asks for, or the secret that it needs. `None` for a gate that asks for neither.
    #[must_use]
    pub fn answering(title: &str, intro: Untrusted, gate: &Gate, seen: ShownGate, now: DateTime<Utc>) -> Option<Self> {
        let fields: Vec<Field> = match &gate.body {
            GateBody::Input(input) => input.fields()?.to_vec(),
            GateBody::Secret(secret) => vec![Field {
                name: secret.name.clone(),
                kind: FieldType::Secret,
                required: true,
                help: Some("It stays in this process and is written down nowhere.".to_owned()),
                ..Field::default()
            }],
            _ => return None,
        };
        Some(Self::new(title, intro, &fields, For::Answer(seen), &Value::Null, now))
    }

    /// The values of the last run of the task, for the key that takes them.
    pub fn offer_last(&mut self, inputs: Value) {
        self.last = Some(inputs);
    }

    /// What a run of the task is expected to cost, if that is known.
    pub fn expect_cost(&mut self, cost: Option<String>) {
        self.cost = cost;
    }

    /// What was typed and not given; `None` for what is kept nowhere: a secret.
    #[must_use]
    pub fn unsaved(&self) -> Option<Unsaved> {
        let slot = match &self.purpose {
            For::Start(task, _) => Slot::Form(task.clone()),
            For::Answer(gate) if gate.kind != GateKind::Secret => Slot::Run(gate.run, drafts::of_form(gate)),
            For::Answer(_) => return None,
            For::Connect(provider) => drafts::of_provider(provider),
        };
        let now: Vec<Option<Value>> = self.fields.iter().map(FormField::typed).collect();
        let changed = !self.given && now != self.offered;
        // A field that was emptied is there as nothing.
        let differing = self.fields.iter().zip(now).zip(&self.offered).filter(|((_, now), offered)| now != *offered);
        let typed = differing.map(|((field, now), _)| (field.field().name.clone(), now.unwrap_or_default()));
        Some(Unsaved { slot, text: changed.then(|| Value::Object(typed.collect()).to_string()) })
    }

    /// Puts back what was typed before, as [`Self::unsaved`] gave it.
    pub fn restore(&mut self, draft: &str) {
        let Ok(Value::Object(typed)) = serde_json::from_str(draft) else { return };
        for field in &mut self.fields {
            if let Some(value) = typed.get(&field.field().name) {
                field.restore(Some(value).filter(|value| !value.is_null()));
            }
        }
        self.exempt();
        self.note = Some("what you had typed is here again".to_owned());
    }

    /// Takes what was typed into it before, if it is this form's and nothing was typed since. Gives whether it did.
    pub fn offer(&mut self, slot: &Slot, draft: &str) -> bool {
        let takes = |unsaved: Unsaved| unsaved.text.is_none() && unsaved.slot == *slot;
        let taken = !self.given && self.unsaved().is_some_and(takes);
        if taken {
            self.restore(draft);
        }
        taken
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The run of which it answers a question.
    #[must_use]
    pub fn answers(&self) -> Option<RunId> {
        match &self.purpose {
            For::Answer(gate) => Some(gate.run),
            For::Start(..) | For::Connect(_) => None,
        }
    }

    /// The task that starts when it is filled in.
    #[must_use]
    pub fn starts(&self) -> Option<&str> {
        match &self.purpose {
            For::Start(task, _) => Some(task),
            For::Answer(_) | For::Connect(_) => None,
        }
    }

    /// Whether it describes a model that is to be connected.
    #[must_use]
    pub fn connects(&self) -> bool {
        matches!(self.purpose, For::Connect(_))
    }

    /// What it describes is being tried; the form stays until it has answered.
    pub fn tries(&mut self, trial: &Trial) {
        self.note = Some(format!("Asking {} for one token…", trial.connection.name()));
    }

    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
    }

    /// The situation that a key meets.
    #[must_use]
    pub fn situation(&self) -> Situation {
        Situation { screen: Screen::Form, output: self.last.is_some(), ..Situation::default() }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        let taken = self.take(message);
        self.exempt();
        taken
    }

    fn take(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Paste(text) => {
                if let Some(field) = self.fields.get_mut(self.at) {
                    field.paste(&text);
                }
                (Vec::new(), true)
            }
            Message::Mouse(mouse) => {
                let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
                match (mouse.kind, hit) {
                    (MouseEventKind::Down(_), Some(Hit::Row(at))) => self.go(at),
                    (MouseEventKind::Down(_), Some(Hit::Command(id))) if holds(id, &self.situation()) => {
                        return (self.give(id), true);
                    }
                    (MouseEventKind::ScrollUp, _) => self.go(self.at.saturating_sub(1)),
                    (MouseEventKind::ScrollDown, _) => self.go(self.at + 1),
                    _ => return (Vec::new(), false),
                }
                (Vec::new(), true)
            }
            Message::Completions { field, typed, paths } => {
                if let Some(field) = self.fields.get_mut(field) {
                    field.complete(&typed, paths);
                }
                (Vec::new(), true)
            }
            Message::Edited(Purpose::Field(at), Some(text)) => {
                if let Some(field) = self.fields.get_mut(at) {
                    field.restore(Some(&Value::String(text)));
                }
                (Vec::new(), true)
            }
            Message::Run(run) => {
                if let For::Answer(seen) = &self.purpose {
                    let open = run.call(&seen.key).and_then(|call| call.gates.of(seen.call));
                    self.gone = open.is_none_or(|gate| ShownGate::of(&run, gate) != *seen);
                }
                (Vec::new(), false)
            }
            Message::Draft { run, name, text } => {
                let taken = self.offer(&Slot::Run(run, name), &text);
                (Vec::new(), taken)
            }
            Message::Failed(text) | Message::Done(text) => {
                self.note = Some(text);
                (Vec::new(), true)
            }
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.note = None;
        let today = self.now.date_naive();
        let Some(field) = self.fields.get_mut(self.at) else {
            return command(key, &self.situation()).map(|id| self.give(id)).unwrap_or_default();
        };
        // In a text of several lines Enter is a line.
        let is_line = key.code == KeyCode::Enter && key.modifiers.is_empty() && field.takes_enter();
        let id = command(key, &self.situation()).filter(|_| !is_line);
        if let Some(id) = id {
            // On the last field Enter starts.
            let last = self.at + 1 == self.fields.len();
            let starts = id == Id::NextField && key.code == KeyCode::Enter && last;
            return self.give(if starts { Id::Start } else { id });
        }
        match self.fields.get_mut(self.at).map(|field| field.key(key, today)) {
            Some(Asked::Complete(typed)) => return vec![Effect::Errand(Errand::Complete { field: self.at, typed })],
            Some(Asked::Nothing) if key.code == KeyCode::Up => self.go(self.at.saturating_sub(1)),
            Some(Asked::Nothing) if key.code == KeyCode::Down => self.go(self.at + 1),
            _ => {}
        }
        Vec::new()
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        match id {
            Id::NextField => self.go(if self.at + 1 < self.fields.len() { self.at + 1 } else { 0 }),
            Id::PreviousField => self.go(self.at.checked_sub(1).unwrap_or(self.fields.len().saturating_sub(1))),
            Id::Start => return self.start(),
            Id::LastValues => {
                if let Some(last) = &self.last {
                    for field in &mut self.fields {
                        if let Some(value) = last.get(&field.field().name) {
                            *field = FormField::new(field.field().clone(), Some(value));
                        }
                    }
                }
            }
            Id::External => {
                let Some(field) = self.fields.get(self.at).filter(|field| field.may_leave()) else {
                    self.note = Some("only a text can be taken to the editor, and no secret".to_owned());
                    return Vec::new();
                };
                let text = field.typed().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
                return vec![Effect::Terminal(Terminal::OpenEditor {
                    purpose: Purpose::Field(self.at),
                    text,
                    extension: "md",
                })];
            }
            Id::Back => return vec![Effect::Go(Go::Back)],
            Id::SwitchRun => return vec![Effect::Go(Go::NextRun)],
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            _ => {}
        }
        Vec::new()
    }

    fn go(&mut self, to: usize) {
        if let Some(field) = self.fields.get_mut(self.at) {
            field.visit();
        }
        self.at = to.min(self.fields.len().saturating_sub(1));
    }

    /// Says to each field whether another one makes it optional.
    fn exempt(&mut self) {
        let given = self.fields.iter().filter(|field| matches!(field.value(), Ok(Some(_))));
        let given: Vec<String> = given.map(|field| field.field().name.clone()).collect();
        for field in self.fields.iter_mut().filter(|field| !field.field().unless.is_empty()) {
            let exempt = field.field().unless.iter().any(|other| given.contains(other));
            field.exempt(exempt);
        }
    }

    fn start(&mut self) -> Vec<Effect> {
        self.fields.iter_mut().for_each(FormField::visit);
        if let Some(wrong) = self.fields.iter().position(|field| !field.is_valid()) {
            self.at = wrong;
            return Vec::new();
        }
        let values = self.fields.iter().filter_map(|field| Some((field.field().name.clone(), field.value().ok()??)));
        let values = Value::Object(values.collect::<Map<_, _>>());
        let secrets: Vec<(String, Secret)> =
            self.fields.iter().filter_map(|field| Some((field.field().name.clone(), field.secret()?))).collect();
        match &self.purpose {
            For::Start(task, from) => {
                let (task, from) = (task.clone(), from.clone());
                vec![Effect::Open(Opening::Start { task, inputs: values, secrets, from })]
            }
            For::Connect(_) => {
                let key = secrets.into_iter().next().map(|(_, key)| key);
                vec![Effect::Go(Go::Try(Arc::new(described(&values, key))))]
            }
            For::Answer(_) if self.gone => {
                self.note = Some("what was asked has changed meanwhile: Esc leads back to what waits".to_owned());
                Vec::new()
            }
            For::Answer(gate) => {
                // A secret is asked for alone, and goes as it was typed.
                let typed = secrets.into_iter().next().filter(|_| gate.kind == GateKind::Secret);
                let value = typed.map_or(values, |(_, secret)| Value::from(secret.reveal()));
                self.given = true;
                vec![decision(gate, DecisionKind::Answer { value }), Effect::Go(Go::Back)]
            }
        }
    }
}

#[cfg(test)]
mod tests;
