//! Connects a model: what was found on this machine and in its environment, or another server. The one that is chosen
//! is asked for one token; when it answers, the lines that make it the default are written into the config.

mod view;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use serde_json::{Value, json};

use crate::core::form::{Field, FieldType};
use crate::core::settings::{Connection, Found, ProviderKind};
use crate::core::text::Untrusted;
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Effect, Go, Terminal};
use crate::tui::message::Message;
use crate::tui::screens::form::{For, FormScreen};
use crate::tui::shown::{ContentId, Subject};
use crate::tui::situation::{Screen, Situation};
use crate::tui::widgets::list::List;

/// What a server may speak, as the form offers it.
const KINDS: [ProviderKind; 3] = [ProviderKind::OpenAi, ProviderKind::Anthropic, ProviderKind::Ollama];

/// The model.
#[derive(Debug, Default)]
pub struct ConnectScreen {
    /// What was found; `None` while it is looked for.
    found: Option<Vec<Found>>,
    list: List,
    /// What is being tried.
    trying: Option<Arc<Connection>>,
    problem: Option<String>,
    last_frame: FrameInfo,
}

impl ConnectScreen {
    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
    }

    /// The situation that a key meets.
    #[must_use]
    pub fn situation(&self) -> Situation {
        Situation { screen: Screen::Connect, going: self.trying.is_some(), ..Situation::default() }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Mouse(mouse) => self.mouse(mouse),
            Message::Found(found) => {
                self.found = Some(found);
                (Vec::new(), true)
            }
            Message::Failed(why) | Message::NotDone { why, .. } => {
                self.trying = None;
                self.problem = Some(why);
                (Vec::new(), true)
            }
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    /// Something is being tried.
    pub fn tries(&mut self, connection: &Arc<Connection>) {
        self.problem = None;
        self.trying = Some(Arc::clone(connection));
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        command(key, &self.situation()).map(|id| self.give(id)).unwrap_or_default()
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        match id {
            Id::Open => return self.open(),
            Id::Up => self.step(-1),
            Id::Down => self.step(1),
            Id::First => self.step(isize::MIN / 2),
            Id::Last => self.step(isize::MAX / 2),
            Id::PageUp | Id::PageDown => {
                let page = isize::try_from(self.last_frame.list.height).unwrap_or(1).max(1);
                self.step(if id == Id::PageUp { -page } else { page });
            }
            Id::Back => return vec![Effect::Go(Go::Back)],
            Id::SwitchRun => return vec![Effect::Go(Go::NextRun)],
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            _ => {}
        }
        Vec::new()
    }

    fn step(&mut self, by: isize) {
        self.problem = None;
        self.list.step(by, self.count(), self.last_frame.list);
    }

    fn count(&self) -> usize {
        self.offers().len() + 1
    }

    fn offers(&self) -> &[Found] {
        self.found.as_deref().unwrap_or_default()
    }

    /// What is selected; `None`: another server.
    fn selected(&self) -> Option<&Found> {
        self.offers().get(self.list.selected)
    }

    /// What a row is, wherever it is; `None`: another server.
    fn id_of(found: Option<&Found>) -> ContentId {
        ContentId::apart(found.map_or(Subject::Entry("another server"), |found| Subject::Task(found.connection.name())))
    }

    /// Takes what is selected, if that is what was on screen: what is found comes when it comes.
    fn open(&self) -> Vec<Effect> {
        let selected = self.selected();
        if self.last_frame.row != Some(Self::id_of(selected)) {
            return Vec::new();
        }
        vec![match selected {
            Some(found) => Effect::Go(Go::Try(Arc::new(found.connection.clone()))),
            None => Effect::Go(Go::OtherServer),
        }]
    }

    fn mouse(&mut self, mouse: MouseEvent) -> (Vec<Effect>, bool) {
        let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
        match (mouse.kind, hit) {
            (MouseEventKind::ScrollUp, _) => self.step(-1),
            (MouseEventKind::ScrollDown, _) => self.step(1),
            (MouseEventKind::Down(_), Some(Hit::Command(id))) if holds(id, &self.situation()) => {
                return (self.give(id), true);
            }
            (MouseEventKind::Down(_), Some(Hit::Row(at))) if at == self.list.selected && self.trying.is_none() => {
                return (self.open(), true);
            }
            (MouseEventKind::Down(_), Some(Hit::Row(at))) => self.list.select(at, self.count(), self.last_frame.list),
            _ => return (Vec::new(), false),
        }
        (Vec::new(), true)
    }
}

/// The form for a server that was not found.
#[must_use]
pub fn other_server(now: DateTime<Utc>) -> FormScreen {
    let field = |name: &str, label: &str, help: &str, required: bool| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        help: Some(help.to_owned()),
        required,
        ..Field::default()
    };
    let kinds = KINDS.map(|kind| kind.name().to_owned()).to_vec();
    let fields = [
        Field {
            kind: FieldType::Choice,
            choices: kinds,
            ..field("kind", "What does it speak?", "openai: anything that speaks chat completions", true)
        },
        field("base_url", "Its address", "with its /v1 for the kind openai; empty: the service's own", false),
        field("api_key_env", "The variable that holds its key", "its name, never the key itself; empty: none", false),
        field("model", "The model", "as the server calls it", true),
        field("provider", "What shall it be called?", "letters, digits, _ and -", true),
    ];
    let given = json!({"kind": ProviderKind::OpenAi.name(), "provider": "server"});
    let intro = Untrusted::from("It is asked for one token; when it answers, the config is changed.");
    FormScreen::new("Another server", intro, &fields, For::Connect, &given, now)
}

/// The connection that the form of another server describes.
#[must_use]
pub fn described(values: &Value) -> Connection {
    let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default().to_owned();
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let kind = KINDS.into_iter().find(|kind| kind.name() == text("kind")).unwrap_or_default();
    let base_url = given("base_url").map(|url| url.trim_end_matches('/').to_owned());
    Connection { provider: text("provider"), kind, base_url, api_key_env: given("api_key_env"), model: text("model") }
}

#[cfg(test)]
mod tests;
