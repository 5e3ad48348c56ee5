//! Models: what answers for each role, what was found on this machine and in its environment, and every provider that is
//! known by name, with its address filled in.
//!
//! Picking a provider asks its server which models it has, and offers them; where that fails, a form has everything that is
//! known, with what is wrong. What is picked is asked for one token; when it answers, the lines that make it answer for the
//! role are written into the config. A key is never written down.

mod offers;
mod view;

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::core::known_providers::KNOWN;
use crate::core::settings::{Connection, DEFAULT_ROLE, Found, Trial};
use crate::tui::canvas::{FrameInfo, Hit};
use crate::tui::commands::{Id, command, holds};
use crate::tui::effect::{Effect, Errand, Go, Terminal};
use crate::tui::layers::{Above, Kind};
use crate::tui::message::Message;
use crate::tui::shown::{ContentId, Subject};
use crate::tui::situation::{Screen, Situation};
use crate::tui::widgets::list::List;
pub use offers::{described, form, other_server};

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelRow {
    Heading(&'static str),
    /// What answers for a role.
    Role(usize),
    /// A model that was found.
    Found(usize),
    /// A provider that is known by name.
    Known(usize),
    Other,
}

/// What is under way.
#[derive(Clone, Debug, PartialEq)]
enum Doing {
    /// A server is asked which models it has, to answer for a role.
    Lists(Arc<Connection>, String),
    /// A model is asked for one token.
    Tries(Arc<Trial>),
}

/// The model.
#[derive(Debug, Default)]
pub struct ConnectScreen {
    /// What each role stands for, as the config says.
    roles: Vec<(String, Connection)>,
    /// What was found; `None` while it is looked for.
    found: Option<Vec<Found>>,
    rows: Vec<ModelRow>,
    list: List,
    /// The person moved the selection.
    moved: bool,
    doing: Option<Doing>,
    problem: Option<String>,
    last_frame: FrameInfo,
}

impl ConnectScreen {
    /// A screen that shows what is known by name; what else there is arrives by messages.
    #[must_use]
    pub fn new() -> Self {
        let mut screen = Self::default();
        screen.refresh();
        screen
    }

    /// What the last frame showed.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
    }

    /// The situation that a key meets.
    #[must_use]
    pub fn situation(&self) -> Situation {
        Situation { screen: Screen::Connect, going: self.doing.is_some(), ..Situation::default() }
    }

    /// Takes a message. Gives what is to be done, and whether what is shown may have changed.
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match message {
            Message::Key(key) => (self.key(key), true),
            Message::Mouse(mouse) => self.mouse(mouse),
            Message::Found(found) => {
                self.found = Some(found);
                self.refresh();
                (Vec::new(), true)
            }
            Message::Roles(roles) => {
                self.roles = roles;
                self.refresh();
                (Vec::new(), true)
            }
            Message::Served { connection, models } => (self.served(&connection, models), true),
            Message::Failed(why) | Message::NotDone { why, .. } => {
                self.doing = None;
                self.problem = Some(why);
                (Vec::new(), true)
            }
            Message::Resize(..) => (Vec::new(), true),
            _ => (Vec::new(), false),
        }
    }

    /// Something is being tried.
    pub fn tries(&mut self, trial: &Arc<Trial>) {
        self.problem = None;
        self.doing = Some(Doing::Tries(Arc::clone(trial)));
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
            // A server that takes its time is not waited for.
            Id::Back if matches!(self.doing, Some(Doing::Lists(..))) => self.doing = None,
            Id::Back => return vec![Effect::Go(Go::Back)],
            Id::SwitchRun => return vec![Effect::Go(Go::NextRun)],
            Id::Suspend => return vec![Effect::Terminal(Terminal::Suspend)],
            _ => {}
        }
        Vec::new()
    }

    /// Makes the rows. The selection stays on what it was on, once the person has moved it.
    fn refresh(&mut self) {
        let before = self.selected().and_then(|row| self.id_of(row)).filter(|_| self.moved);
        let mut rows = Vec::new();
        let mut section = |heading, found: Vec<ModelRow>| {
            if !found.is_empty() {
                rows.push(ModelRow::Heading(heading));
                rows.extend(found);
            }
        };
        section("In use", (0..self.roles.len()).map(ModelRow::Role).collect());
        section("Found here", (0..self.offers().len()).map(ModelRow::Found).collect());
        section("Providers", (0..KNOWN.len()).map(ModelRow::Known).chain([ModelRow::Other]).collect());
        self.rows = rows;
        let same = self.rows.iter().position(|row| before.is_some() && self.id_of(*row) == before);
        self.select(same.unwrap_or(1));
    }

    fn offers(&self) -> &[Found] {
        self.found.as_deref().unwrap_or_default()
    }

    fn selected(&self) -> Option<ModelRow> {
        self.rows.get(self.list.selected).copied()
    }

    fn is_heading(&self, at: usize) -> bool {
        matches!(self.rows.get(at), Some(ModelRow::Heading(_)))
    }

    fn select(&mut self, row: usize) {
        if row == 1 {
            // The first heading comes into view with its first row.
            self.list.select(0, self.rows.len(), self.last_frame.list);
        }
        self.list.select(row, self.rows.len(), self.last_frame.list);
    }

    /// Moves the selection past headings.
    fn step(&mut self, by: isize) {
        (self.problem, self.moved) = (None, true);
        let last = self.rows.len().saturating_sub(1);
        let at = self.list.selected.saturating_add_signed(by).min(last);
        let past = if !self.is_heading(at) {
            at
        } else if by < 0 && at > 0 {
            at - 1
        } else {
            at + 1
        };
        self.select(past);
    }

    /// What a row is, wherever it is.
    fn id_of(&self, row: ModelRow) -> Option<ContentId> {
        let named = |name: String| Some(ContentId::apart(Subject::Task(name)));
        match row {
            ModelRow::Heading(_) => None,
            ModelRow::Role(at) => named(format!("role {}", self.roles.get(at)?.0)),
            ModelRow::Found(at) => named(self.offers().get(at)?.connection.name()),
            ModelRow::Known(at) => named(format!("provider {}", KNOWN.get(at)?.name)),
            ModelRow::Other => Some(ContentId::apart(Subject::Entry("another server"))),
        }
    }

    /// Takes what is selected, if that is what was on screen: what is found comes when it comes.
    fn open(&mut self) -> Vec<Effect> {
        let Some(row) = self.selected().filter(|row| self.last_frame.row == self.id_of(*row)) else {
            return Vec::new();
        };
        match row {
            ModelRow::Heading(_) => Vec::new(),
            ModelRow::Role(at) => {
                self.roles.get(at).cloned().map(|(role, now)| self.lists(now, role)).unwrap_or_default()
            }
            ModelRow::Found(at) => {
                let trial = self.offers().get(at).map(|found| Trial {
                    connection: found.connection.clone(),
                    role: DEFAULT_ROLE.to_owned(),
                    key: None,
                });
                trial.map(|trial| Effect::Go(Go::Try(Arc::new(trial)))).into_iter().collect()
            }
            ModelRow::Known(at) => {
                let known = KNOWN[at];
                // How the config reaches it counts, where it does.
                let configured = self.roles.iter().find(|(_, connection)| connection.provider == known.name);
                let connection = configured.map_or_else(|| known.connection(known.model), |(_, known)| known.clone());
                if known.has_address() {
                    self.lists(connection, DEFAULT_ROLE.to_owned())
                } else {
                    vec![Effect::Go(Go::Describe(Arc::new(connection), DEFAULT_ROLE.to_owned(), known.hint.to_owned()))]
                }
            }
            ModelRow::Other => vec![Effect::Go(Go::OtherServer)],
        }
    }

    /// Asks a server which models it has.
    fn lists(&mut self, connection: Connection, role: String) -> Vec<Effect> {
        let connection = Arc::new(connection);
        self.problem = None;
        self.doing = Some(Doing::Lists(Arc::clone(&connection), role));
        vec![Effect::Errand(Errand::ListServer(connection))]
    }

    /// A server said which models it has, or why it has none.
    fn served(&mut self, of: &Arc<Connection>, models: Result<Vec<String>, String>) -> Vec<Effect> {
        let Some(Doing::Lists(connection, role)) = self.doing.take_if(|doing| match doing {
            Doing::Lists(connection, _) => connection == of,
            Doing::Tries(_) => false,
        }) else {
            return Vec::new();
        };
        match models {
            Ok(models) if !models.is_empty() => {
                vec![Above::effect(Kind::Choose(offers::choose(&connection, &role, &models, self.offers())))]
            }
            Ok(_) => {
                vec![Effect::Go(Go::Describe(connection, role, "It answers, and keeps no list of models.".to_owned()))]
            }
            Err(why) => vec![Effect::Go(Go::Describe(connection, role, why))],
        }
    }

    fn mouse(&mut self, mouse: MouseEvent) -> (Vec<Effect>, bool) {
        let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
        match (mouse.kind, hit) {
            (MouseEventKind::ScrollUp, _) => self.step(-1),
            (MouseEventKind::ScrollDown, _) => self.step(1),
            (MouseEventKind::Down(_), Some(Hit::Command(id))) if holds(id, &self.situation()) => {
                return (self.give(id), true);
            }
            (MouseEventKind::Down(_), Some(Hit::Row(at))) if at == self.list.selected && self.doing.is_none() => {
                return (self.open(), true);
            }
            (MouseEventKind::Down(_), Some(Hit::Row(at))) if !self.is_heading(at) => {
                self.moved = true;
                self.select(at);
            }
            _ => return (Vec::new(), false),
        }
        (Vec::new(), true)
    }
}

#[cfg(test)]
mod tests;
