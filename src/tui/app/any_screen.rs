//! The screens as one type: what the navigation stack holds.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::core::id::RunId;
use crate::core::ports::RunRow;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, FrameInfo};
use crate::tui::commands::Id;
use crate::tui::drafts::Unsaved;
use crate::tui::effect::Effect;
use crate::tui::message::Message;
use crate::tui::screens::chat::ChatScreen;
use crate::tui::screens::connect::ConnectScreen;
use crate::tui::screens::form::FormScreen;
use crate::tui::screens::history::HistoryScreen;
use crate::tui::screens::home::HomeScreen;
use crate::tui::screens::inbox::InboxScreen;
use crate::tui::screens::run::RunScreen;
use crate::tui::situation::Situation;

/// How often the time on screen grows, and lists are looked at in which something goes on.
const TICK: Duration = Duration::from_secs(1);

/// The same of lists in which nothing goes on: what another process begins is seen soon enough.
const CALM: Duration = Duration::from_secs(2);

/// The same while nobody writes anything, and who does would be noticed: how long ago something was is told in minutes.
const QUIET: Duration = Duration::from_mins(1);

/// A screen.
#[derive(Debug)]
pub enum AnyScreen {
    Home(Box<HomeScreen>),
    Form(Box<FormScreen>),
    Run(Box<RunScreen>),
    Chat(Box<ChatScreen>),
    History(Box<HistoryScreen>),
    Inbox(Box<InboxScreen>),
    Connect(Box<ConnectScreen>),
}

impl AnyScreen {
    pub fn update(&mut self, message: Message) -> (Vec<Effect>, bool) {
        match self {
            Self::Home(screen) => screen.update(message),
            Self::Form(screen) => screen.update(message),
            Self::Run(screen) => screen.update(message),
            Self::Chat(screen) => screen.update(message),
            Self::History(screen) => screen.update(message),
            Self::Inbox(screen) => screen.update(message),
            Self::Connect(screen) => screen.update(message),
        }
    }

    pub fn give(&mut self, id: Id) -> Vec<Effect> {
        match self {
            Self::Home(screen) => screen.give(id),
            Self::Form(screen) => screen.give(id),
            Self::Run(screen) => screen.give(id),
            Self::Chat(screen) => screen.give(id),
            Self::History(screen) => screen.give(id),
            Self::Inbox(screen) => screen.give(id),
            Self::Connect(screen) => screen.give(id),
        }
    }

    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        match self {
            Self::Home(screen) => screen.view(canvas, area),
            Self::Form(screen) => screen.view(canvas, area),
            Self::Run(screen) => screen.view(canvas, area),
            Self::Chat(screen) => screen.view(canvas, area),
            Self::History(screen) => screen.view(canvas, area),
            Self::Inbox(screen) => screen.view(canvas, area),
            Self::Connect(screen) => screen.view(canvas, area),
        }
    }

    pub fn set_last_frame(&mut self, frame: FrameInfo) {
        match self {
            Self::Home(screen) => screen.set_last_frame(frame),
            Self::Form(screen) => screen.set_last_frame(frame),
            Self::Run(screen) => screen.set_last_frame(frame),
            Self::Chat(screen) => screen.set_last_frame(frame),
            Self::History(screen) => screen.set_last_frame(frame),
            Self::Inbox(screen) => screen.set_last_frame(frame),
            Self::Connect(screen) => screen.set_last_frame(frame),
        }
    }

    pub fn situation(&self) -> Situation {
        match self {
            Self::Home(screen) => screen.situation(),
            Self::Form(screen) => screen.situation(),
            Self::Run(screen) => screen.situation(),
            Self::Chat(screen) => screen.situation(),
            Self::History(screen) => screen.situation(),
            Self::Inbox(screen) => screen.situation(),
            Self::Connect(screen) => screen.situation(),
        }
    }

    /// What was typed on it and not given.
    pub fn unsaved(&self) -> Vec<Unsaved> {
        match self {
            Self::Form(screen) => screen.unsaved().into_iter().collect(),
            Self::Run(screen) => screen.unsaved(),
            Self::Chat(screen) => screen.unsaved(),
            Self::Home(_) | Self::History(_) | Self::Inbox(_) | Self::Connect(_) => Vec::new(),
        }
    }

    /// The run that it shows.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(screen) => Some(screen.run().id),
            Self::Chat(screen) => Some(screen.run().id),
            Self::Home(_) | Self::Form(_) | Self::History(_) | Self::Inbox(_) | Self::Connect(_) => None,
        }
    }

    /// The task of the text that it shows.
    pub fn task(&self) -> Option<&str> {
        match self {
            Self::Run(screen) => Some(&screen.run().task),
            Self::Chat(screen) => Some(&screen.run().task),
            Self::Inbox(screen) => screen.run().map(|run| run.task.as_str()),
            Self::Home(_) | Self::Form(_) | Self::History(_) | Self::Connect(_) => None,
        }
    }

    /// The run that commands about a run as a whole are for: the one that it shows, or that is selected.
    pub fn listed(&self) -> Option<RunRow> {
        match self {
            Self::Run(screen) => Some(RunRow::of(screen.run())),
            Self::Chat(screen) => Some(RunRow::of(screen.run())),
            Self::Home(screen) => screen.listed(),
            Self::History(screen) => screen.listed(),
            Self::Form(_) | Self::Inbox(_) | Self::Connect(_) => None,
        }
    }

    /// Whether a command has to wait for what a search finds that is under way.
    pub fn waits(&self, id: Id) -> bool {
        match self {
            Self::Home(screen) => screen.waits(id),
            Self::History(screen) => screen.waits(id),
            Self::Form(_) | Self::Run(_) | Self::Chat(_) | Self::Inbox(_) | Self::Connect(_) => false,
        }
    }

    /// Whether a search is under way that commands wait for.
    pub fn is_searching(&self) -> bool {
        match self {
            Self::Home(screen) => screen.is_searching(),
            Self::History(screen) => screen.is_searching(),
            Self::Form(_) | Self::Run(_) | Self::Chat(_) | Self::Inbox(_) | Self::Connect(_) => false,
        }
    }

    /// Whether it is a form that describes a model.
    pub fn is_connecting(&self) -> bool {
        matches!(self, Self::Form(form) if form.connects())
    }

    /// Whether it shows something of that run, or may.
    pub fn hears_of(&self, run: RunId) -> bool {
        match self {
            Self::Inbox(_) => true,
            Self::Form(screen) => screen.answers() == Some(run),
            _ => self.run() == Some(run),
        }
    }

    /// How often it looks at the clock, when time alone changes what it shows. `quiet` says that nobody
    /// writes anything.
    pub fn ticks(&self, quiet: bool) -> Option<Duration> {
        let calm = if quiet { QUIET } else { CALM };
        match self {
            Self::Home(screen) => Some(if screen.is_live() { TICK } else { calm }),
            Self::History(screen) => Some(if screen.is_live() { TICK } else { calm }),
            Self::Inbox(_) => Some(calm),
            Self::Run(screen) => screen.ticks().then_some(TICK),
            Self::Chat(screen) => screen.ticks().then_some(TICK),
            Self::Form(_) | Self::Connect(_) => None,
        }
    }

    /// What the window is called.
    pub fn title(&self) -> Untrusted {
        let of = |title: &str| Untrusted::new(format!("{title} · stepwell"));
        match self {
            Self::Home(_) => Untrusted::from("stepwell"),
            Self::History(_) => of("history"),
            Self::Inbox(_) => of("inbox"),
            Self::Connect(_) => of("models"),
            Self::Form(screen) => of(screen.title()),
            Self::Run(screen) => of(&screen.run().shown_title()),
            Self::Chat(screen) => of(&screen.run().shown_title()),
        }
    }
}
