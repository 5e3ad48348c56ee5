//! Layers: what may lie above any screen and has the keys while it does: the palette and other choices, the help, a
//! question of one line, something to be confirmed, a comparison of two runs, a text to be read.
//!
//! The app holds at most one. While it is there, the screen below keeps what it saw when the layer opened, so that a
//! command picked in the palette answers what was on screen when the palette was asked for. A layer knows no screen:
//! what it leads to is a command for the screen below, or effects.

mod arguments;
pub mod ask;
pub mod choose;
pub mod compare;
pub mod confirm;
pub mod help;
pub mod picks;
pub mod read;

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

pub use self::arguments::Arguments;
pub use self::ask::{Ask, Then};
pub use self::choose::{Choose, Entry, OwnWords, Pick};
pub use self::compare::{Compared, ComparedPart};
pub use self::confirm::Confirm;
pub use self::help::Help;
pub use self::read::Reading;
use super::canvas::{Canvas, FrameInfo, Hit};
use super::commands::{Id, command, help_hint, hints, holds};
use super::drafts::{Slot, Unsaved};
use super::effect::{Effect, Go, Purpose, Terminal};
use super::message::Message;
use super::situation::{Layer, Screen, Selected, Situation};
use super::widgets::footer;
use crate::core::gate::GateKind;
use crate::core::id::RunId;

/// What lies above the screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// All that can be done here.
    Help(Help),
    /// One of several: the palette, the actions of a row, what may follow, a model.
    Choose(Choose),
    /// One line is asked for.
    Ask(Ask),
    /// Something is to be confirmed.
    Confirm(Confirm),
    /// Two runs, or two versions, are compared.
    Compare(Compared),
    /// A text is read.
    Read(Box<Reading>),
    /// The arguments of a tool call are edited.
    Arguments(Box<Arguments>),
}

/// A layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Above {
    kind: Kind,
    last_frame: FrameInfo,
    /// What it lies over.
    below: Option<Box<Self>>,
}

/// What becomes of a layer after a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// It is done with: the screen below has the keys again.
    pub closes: bool,
    /// A command for the screen below.
    pub give: Option<Id>,
    /// What is to be done.
    pub effects: Vec<Effect>,
}

impl Outcome {
    /// It stays.
    #[must_use]
    pub fn stays() -> Self {
        Self::default()
    }

    /// It closes, and nothing else comes of it.
    #[must_use]
    pub fn closes() -> Self {
        Self { closes: true, ..Self::default() }
    }

    /// It closes, and this is to be done.
    #[must_use]
    pub fn does(effects: Vec<Effect>) -> Self {
        Self { closes: true, effects, give: None }
    }
}

impl From<Kind> for Above {
    fn from(kind: Kind) -> Self {
        Self { kind, last_frame: FrameInfo::default(), below: None }
    }
}

impl Above {
    /// What was typed in it, and in what it lies over, and not given: an instruction, a reason, a result.
    #[must_use]
    pub fn unsaved(&self) -> Vec<Unsaved> {
        let below = self.below.iter().flat_map(|below| below.unsaved());
        self.own_unsaved().into_iter().chain(below).collect()
    }

    /// What was typed in this layer alone.
    #[must_use]
    pub fn own_unsaved(&self) -> Vec<Unsaved> {
        match &self.kind {
            Kind::Ask(ask) => ask.unsaved().into_iter().collect(),
            Kind::Choose(choose) => choose.unsaved().into_iter().collect(),
            Kind::Arguments(arguments) => arguments.unsaved(),
            _ => Vec::new(),
        }
    }

    /// Whether it asks before something is done.
    #[must_use]
    pub fn confirms(&self) -> bool {
        matches!(self.kind, Kind::Confirm(_))
    }

    /// The run whose draft it edits.
    #[must_use]
    pub fn asks_about(&self) -> Option<RunId> {
        match self.unsaved().into_iter().next()?.slot {
            Slot::Run(run, _) => Some(run),
            Slot::Form(_) => None,
        }
    }

    /// A draft was found; it is taken where it belongs here and nothing else was typed.
    pub fn offer(&mut self, run: RunId, name: &str, text: &str) {
        match &mut self.kind {
            Kind::Ask(ask) => ask.offer(run, name, text),
            Kind::Choose(choose) => choose.offer(run, name, text),
            Kind::Arguments(arguments) => arguments.offer(run, name, text),
            _ => {}
        }
        if let Some(below) = &mut self.below {
            below.offer(run, name, text);
        }
    }

    /// The help for this layer, over it.
    #[must_use]
    pub fn helped(self) -> Self {
        Self::from(Kind::Help(Help::of(&self.situation()))).over(Some(self))
    }

    /// It lies over another layer, which is there again when it closes.
    #[must_use]
    pub fn over(self, below: Option<Self>) -> Self {
        Self { below: below.map(Box::new), ..self }
    }

    /// What is there when this is closed.
    #[must_use]
    pub fn below(&mut self) -> Option<Self> {
        self.below.take().map(|below| *below)
    }

    /// The effect that opens this layer.
    #[must_use]
    pub fn effect(kind: Kind) -> Effect {
        Effect::Go(Go::Above(Box::new(kind.into())))
    }

    /// What the last frame showed of it.
    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        self.last_frame = frame;
    }

    /// The situation that a key meets.
    #[must_use]
    pub fn situation(&self) -> Situation {
        let layer = match &self.kind {
            Kind::Help(_) => Layer::Help,
            Kind::Choose(_) => Layer::Palette,
            Kind::Ask(ask) => ask.layer(),
            Kind::Confirm(_) => Layer::Confirm,
            Kind::Compare(compared) => compared.layer(),
            Kind::Read(reading) => reading.layer(),
            Kind::Arguments(arguments) => arguments.layer(),
        };
        if matches!(&self.kind, Kind::Arguments(_)) {
            let selected = Selected::Gate(GateKind::Approval);
            return Situation { screen: Screen::Inbox, layer, selected, ..Situation::default() };
        }
        let several = matches!(&self.kind, Kind::Compare(compared) if compared.has_several());
        Situation { layer, several, ..Situation::default() }
    }

    /// Takes what the terminal sent; all else is the screen's.
    pub fn update(&mut self, message: Message) -> Outcome {
        match message {
            Message::Key(key) => match command(key, &self.situation()) {
                Some(id) => self.give(id),
                None => self.type_in(key),
            },
            Message::Paste(text) => {
                match &mut self.kind {
                    Kind::Choose(choose) => choose.paste(&text),
                    Kind::Ask(ask) => ask.paste(&text),
                    Kind::Read(reading) => reading.types(|find| find.paste(&text), self.last_frame.output),
                    Kind::Arguments(arguments) => arguments.paste(&text),
                    Kind::Help(_) | Kind::Confirm(_) | Kind::Compare(_) => {}
                }
                Outcome::stays()
            }
            Message::Edited(Purpose::Above, Some(text)) => {
                match &mut self.kind {
                    Kind::Ask(ask) => ask.fill(&text),
                    Kind::Arguments(arguments) => arguments.fill(&text),
                    _ => {}
                }
                Outcome::stays()
            }
            Message::Mouse(mouse) => self.mouse(mouse),
            _ => Outcome::stays(),
        }
    }

    fn type_in(&mut self, key: KeyEvent) -> Outcome {
        match &mut self.kind {
            Kind::Choose(choose) => choose.key(key),
            Kind::Ask(ask) => ask.key(key),
            Kind::Read(reading) => reading.types(|find| find.key(key), self.last_frame.output),
            Kind::Arguments(arguments) => arguments.key(key),
            Kind::Help(_) | Kind::Confirm(_) | Kind::Compare(_) => {}
        }
        Outcome::stays()
    }

    /// Gives a command.
    pub fn give(&mut self, id: Id) -> Outcome {
        match id {
            // Out of the search first.
            Id::Back if matches!(&self.kind, Kind::Read(reading) if reading.is_searched()) => {}
            Id::Back => {
                if let Kind::Arguments(arguments) = &mut self.kind
                    && arguments.leaves_field()
                {
                    return Outcome::stays();
                }
                // What is half typed is kept.
                let kept = self.own_unsaved().into_iter().filter(|unsaved| unsaved.text.is_some());
                return Outcome::does(kept.map(|kept| Effect::Change(kept.into())).collect());
            }
            Id::Help => return Outcome { give: Some(id), ..Outcome::stays() },
            Id::Suspend => return Outcome { effects: vec![Effect::Terminal(Terminal::Suspend)], ..Outcome::default() },
            _ => {}
        }
        match &mut self.kind {
            Kind::Help(help) => help.give(id, self.last_frame.output),
            Kind::Compare(compare) => compare.give(id, self.last_frame.output),
            Kind::Read(reading) => reading.give(id, self.last_frame.output),
            Kind::Choose(choose) => return choose.give(id, self.last_frame.list),
            Kind::Ask(ask) => return ask.give(id),
            Kind::Confirm(confirm) => return confirm.give(id),
            Kind::Arguments(arguments) => return arguments.give(id, self.last_frame.list),
        }
        Outcome::stays()
    }

    fn mouse(&mut self, mouse: MouseEvent) -> Outcome {
        let hit = self.last_frame.at(Position { x: mouse.column, y: mouse.row });
        match (mouse.kind, hit) {
            (MouseEventKind::ScrollUp, _) => self.give(Id::Up),
            (MouseEventKind::ScrollDown, _) => self.give(Id::Down),
            (MouseEventKind::Down(_), Some(Hit::Command(id))) if holds(id, &self.situation()) => self.give(id),
            (MouseEventKind::Down(_), Some(Hit::Row(at))) => match &mut self.kind {
                Kind::Choose(choose) => choose.pick(at),
                _ => Outcome::stays(),
            },
            _ => Outcome::stays(),
        }
    }

    /// Paints it over the screen, and its keys over the screen's.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        // What lies below takes neither the mouse nor the caret while this is there.
        *canvas.frame = FrameInfo::default();
        if area.height < 3 || area.width < 10 {
            return;
        }
        let body = Rect { height: area.height - 1, ..area };
        match &self.kind {
            Kind::Help(help) => help.view(canvas, body),
            Kind::Choose(choose) => choose.view(canvas, body),
            Kind::Ask(ask) => ask.view(canvas, body),
            Kind::Confirm(confirm) => confirm.view(canvas, body),
            Kind::Compare(compare) => compare.view(canvas, body),
            Kind::Read(reading) => reading.view(canvas, body),
            Kind::Arguments(arguments) => arguments.view(canvas, body),
        }
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        canvas.clear(foot);
        let says = if let Kind::Read(reading) = &self.kind { reading.says() } else { None };
        let situation = self.situation();
        let help: Vec<_> = help_hint(&situation).into_iter().collect();
        footer::paint(canvas, foot, &hints(&situation), &help, says.as_deref());
    }
}

/// A place in the middle of `area` for a frame around so many lines.
fn middle(area: Rect, cells: usize, lines: usize) -> Rect {
    let width = u16::try_from(cells).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(area.height);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests;
