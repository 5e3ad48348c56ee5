//! The terminal's side: keys and signals in, frames out. What concerns the terminal itself is done here; all else goes to
//! the backend.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt as _;
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
use crate::tui::terminal::{self, Edited, Input, Screen, TerminalError, clipboard};
use crate::tui::theme::Theme;

/// How long the signal that ended a stop of our own is waited for.
const WOKEN: Duration = Duration::from_millis(100);

/// The terminal as the host of the interface.
pub struct TerminalHost {
    screen: Screen,
    input: Input,
    signals: Signals,
    backend: Backend,
    theme: Theme,
    /// Where texts lie while an editor has them.
    state: PathBuf,
    tmux: bool,
    /// After a stop of our own: how long the signal that ended it may still come. It tells nothing new then, and to take
    /// the terminal once more could lose a key.
    woken: Option<Instant>,
    /// Another program had the terminal: what the terminal sent to every process in front was meant for that.
    lent: bool,
}

struct Signals {
    terminate: Signal,
    quit: Signal,
    interrupt: Signal,
    hang_up: Signal,
    stop: Signal,
    go_on: Signal,
    resize: Signal,
    /// Sent by this process alone, and of no consequence: once it has come, so has every signal before it.
    fence: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            go_on: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
            resize: signal(SignalKind::window_change())?,
            fence: signal(SignalKind::from_raw(rustix::process::Signal::URG.as_raw()))?,
        })
    }

    /// Forgets what Ctrl-C, Ctrl-\ and Ctrl-Z sent before the fence.
    fn forget(&mut self) {
        for signal in [&mut self.interrupt, &mut self.quit, &mut self.stop, &mut self.go_on] {
            while signal.recv().now_or_never().flatten().is_some() {}
        }
    }
}

impl TerminalHost {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it does not take a mode.
    pub fn enter(backend: Backend, theme: &Theme, mouse: bool, state: PathBuf) -> Result<Self, TerminalError> {
        let signals = Signals::listen()?;
        let input = Input::open()?;
        let screen = Screen::enter(mouse)?;
        let tmux = std::env::var_os("TMUX").is_some();
        Ok(Self { screen, input, signals, backend, theme: *theme, state, tmux, woken: None, lent: false })
    }

    /// Lends the terminal. Nobody reads its keys meanwhile, and what the terminal sends to every process in front is not
    /// for this one.
    fn lend<T>(&mut self, user: impl FnOnce(&mut Screen) -> Result<T, TerminalError>) -> Result<T, TerminalError> {
        let given = user(&mut self.screen);
        self.lent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::URG).is_ok();
        given
    }

    /// Stops this process until it is told to go on.
    fn suspend(&mut self) -> Result<Message, TerminalError> {
        self.lend(Screen::suspend)?;
        self.woken = Some(Instant::now() + WOKEN);
        Ok(Self::again())
    }

    fn edit(&mut self, text: &str, extension: &str) -> Result<Result<Edited, TerminalError>, TerminalError> {
        let editor = terminal::editor(|name| std::env::var(name).ok());
        let folder = self.state.clone();
        let name = format!("text.{extension}");
        self.lend(|screen| {
            screen.lend(|| {
                crate::config::private_folder(&folder)?;
                terminal::edit(&editor, &folder, &name, text)
            })
        })
    }

    /// Copies a text, and says where to.
    fn copy(&mut self, text: &str) -> Result<Message, TerminalError> {
        if self.tmux
            && let Some(done) = clipboard::through_tmux(text)
        {
            return Ok(Message::Done(done.to_owned()));
        }
        Ok(match osc::copy(text, self.tmux) {
            Ok(sequence) => {
                self.screen.say(&sequence)?;
                Message::Done("copied: sent to the terminal for its clipboard (OSC 52)".to_owned())
            }
            Err(error) => Message::Failed(error.to_string()),
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
        if self.lent {
            self.signals.fence.recv().await;
            self.signals.forget();
            self.lent = false;
        }
        loop {
            tokio::select! {
                // A terminal that goes away sends more than one signal: the one that says so counts.
                biased;
                _ = self.signals.terminate.recv() => return Some(Message::Ending(PauseReason::HungUp)),
                _ = self.signals.hang_up.recv() => return Some(Message::Ending(PauseReason::HungUp)),
                _ = self.signals.quit.recv() => return Some(Message::Ending(PauseReason::HungUp)),
                _ = self.signals.interrupt.recv() => return Some(Message::Ending(PauseReason::Left)),
                _ = self.signals.stop.recv() => return self.suspend().ok(),
                _ = self.signals.go_on.recv() => {
                    // Stopped by another's hand: the shell has had the terminal in its own modes meanwhile.
                    self.lend(|screen| screen.lend(|| ())).ok()?;
                    return Some(Self::again());
                }
                _ = self.signals.resize.recv() => return Some(Self::again()),
                event = self.input.next() => match event {
                    Some(event) => {
                        if let Some(message) = Message::of_terminal(event) {
                            return Some(message);
                        }
                    }
                    None => return Some(Message::Ending(PauseReason::HungUp)),
                },
            }
        }
    }

    fn draw(&mut self, interface: &Interface) -> Result<FrameInfo, TerminalError> {
        self.screen.draw(&self.theme, |canvas, area: Rect| interface.view(canvas, area))
    }

    fn perform(&mut self, terminal: Terminal) -> Result<Vec<Message>, TerminalError> {
        let messages = match terminal {
            Terminal::OpenEditor { purpose, text, extension } => match self.edit(&text, extension)? {
                Ok(Edited { text, remark }) => {
                    std::iter::once(Message::Edited(purpose, text)).chain(remark.map(Message::Failed)).collect()
                }
                Err(error) => vec![Message::Failed(error.to_string())],
            },
            Terminal::Copy(text) => vec![self.copy(&text)?],
            Terminal::ToggleMouse => {
                let taken = self.screen.toggle_mouse()?;
                let says =
                    if taken { "the mouse is taken again" } else { "the mouse marks text now; F4 takes it back" };
                vec![Message::Done(says.to_owned())]
            }
            Terminal::Notify(text) => {
                self.screen.say(&osc::notify(&text, self.tmux))?;
                Vec::new()
            }
            Terminal::Title(text) => {
                self.screen.say(&osc::title(&text))?;
                Vec::new()
            }
            Terminal::Suspend => vec![self.suspend()?],
        };
        Ok(messages)
    }

    fn ask(&mut self, request: Request) {
        self.backend.perform(request);
    }

    fn tick(&self) -> Message {
        Message::Tick(chrono::Utc::now())
    }
}
