//! The terminal's side: keys and signals in, frames out. What concerns the terminal itself is done here; all else goes to
//! the backend.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::EventStream;
use futures_util::StreamExt as _;
use ratatui::layout::Rect;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::backend::Backend;
use super::interface::Interface;
use crate::core::event::PauseReason;
use crate::tui::canvas::FrameInfo;
use crate::tui::effect::{Request, Terminal};
use crate::tui::message::Message;
use crate::tui::osc;
use crate::tui::runtime;
use crate::tui::terminal::{self, Screen, TerminalError};
use crate::tui::theme::Theme;

/// How long the signal that ended a stop of our own is waited for.
const WOKEN: Duration = Duration::from_millis(100);

/// The terminal as the host of the interface.
pub struct TerminalHost {
    screen: Screen,
    /// What the terminal sends; nobody reads it while an editor has the terminal.
    events: Option<EventStream>,
    signals: Signals,
    backend: Backend,
    theme: Theme,
    /// Where texts lie while an editor has them.
    state: PathBuf,
    tmux: bool,
    /// After a stop of our own: how long the signal that ended it may still come. It tells nothing new then, and to take
    /// the terminal once more could lose a key.
    woken: Option<Instant>,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    stop: Signal,
    go_on: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            go_on: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }
}

impl TerminalHost {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it does not take a mode.
    pub fn enter(backend: Backend, theme: &Theme, mouse: bool, state: PathBuf) -> Result<Self, TerminalError> {
        let signals = Signals::listen()?;
        let screen = Screen::enter(mouse)?;
        let tmux = std::env::var_os("TMUX").is_some();
        Ok(Self { screen, events: None, signals, backend, theme: *theme, state, tmux, woken: None })
    }

    /// Lends the terminal. Nobody reads its keys meanwhile; who does so next is for [`runtime::Host::input`] to make,
    /// because on a terminal that is gone that would wait for ever.
    fn lend<T>(&mut self, user: impl FnOnce(&mut Screen) -> Result<T, TerminalError>) -> Result<T, TerminalError> {
        self.events = None;
        user(&mut self.screen)
    }

    /// Stops this process until it is told to go on.
    fn suspend(&mut self) -> Result<Message, TerminalError> {
        self.lend(Screen::suspend)?;
        self.woken = Some(Instant::now() + WOKEN);
        Ok(Self::again())
    }

    fn edit(&mut self, text: &str, extension: &str) -> Result<Result<Option<String>, TerminalError>, TerminalError> {
        let editor = terminal::editor(|name| std::env::var(name).ok());
        let folder = self.state.clone();
        let name = format!("text.{extension}");
        self.lend(|screen| {
            screen.lend(|| {
                crate::engine::private_folder(&folder)?;
                terminal::edit(&editor, &folder, &name, text)
            })
        })
    }

    /// The whole screen again, as after a change of its size.
    fn again() -> Message {
        let (width, height) = crossterm::terminal::size().unwrap_or((80, 24));
        Message::Resize(width, height)
    }
}

impl runtime::Host<Interface> for TerminalHost {
    type Error = TerminalError;

    async fn input(&mut self) -> Option<Message> {
        if let Some(end) = self.woken {
            // Whether it came or not, and also when this is broken off and begun again: no longer than that.
            let _ = tokio::time::timeout_at(end, self.signals.go_on.recv()).await;
            self.woken = None;
        }
        loop {
            let events = self.events.get_or_insert_with(EventStream::new);
            tokio::select! {
                // A terminal that goes away sends more than one signal: the one that says so counts.
                biased;
                _ = self.signals.terminate.recv() => return Some(Message::Ending(PauseReason::HungUp)),
                _ = self.signals.hang_up.recv() => return Some(Message::Ending(PauseReason::HungUp)),
                _ = self.signals.interrupt.recv() => return Some(Message::Ending(PauseReason::Left)),
                _ = self.signals.stop.recv() => return self.suspend().ok(),
                _ = self.signals.go_on.recv() => {
                    // Stopped by another's hand: the shell has had the terminal in its own modes meanwhile.
                    self.lend(|screen| screen.lend(|| ())).ok()?;
                    return Some(Self::again());
                }
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        if let Some(message) = Message::of_terminal(event) {
                            return Some(message);
                        }
                    }
                    Some(Err(_)) | None => return Some(Message::Ending(PauseReason::HungUp)),
                },
            }
        }
    }

    fn draw(&mut self, interface: &Interface) -> Result<FrameInfo, TerminalError> {
        self.screen.draw(&self.theme, |canvas, area: Rect| interface.view(canvas, area))
    }

    fn perform(&mut self, terminal: Terminal) -> Result<Option<Message>, TerminalError> {
        match terminal {
            Terminal::OpenEditor { purpose, text, extension } => Ok(Some(match self.edit(&text, extension)? {
                Ok(edited) => Message::Edited(purpose, edited),
                Err(error) => Message::Failed(error.to_string()),
            })),
            Terminal::Copy(text) => match osc::copy(&text, self.tmux) {
                Ok(sequence) => {
                    self.screen.say(&sequence)?;
                    Ok(Some(Message::Done("copied".to_owned())))
                }
                Err(error) => Ok(Some(Message::Failed(error.to_string()))),
            },
            Terminal::Notify(text) => {
                self.screen.say(&osc::notify(&text, self.tmux))?;
                Ok(None)
            }
            Terminal::Title(text) => {
                self.screen.say(&osc::title(&text))?;
                Ok(None)
            }
            Terminal::Suspend => self.suspend().map(Some),
        }
    }

    fn ask(&mut self, request: Request) {
        self.backend.perform(request);
    }

    fn tick(&self) -> Message {
        Message::Tick(chrono::Utc::now())
    }
}
