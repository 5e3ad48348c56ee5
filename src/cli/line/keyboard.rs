//! What a person types, a line at a time, and the signals that reach the program meanwhile.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::out;
use crate::cli::problem::Problem;
use crate::core::code::ErrorCode;

/// The person, or the terminal, went away from a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// There is nothing more to read, or the person wants to leave.
    Quit,
    /// Ctrl-C.
    Interrupt,
    /// The terminal went away, or the program is to end.
    HungUp,
}

/// Signals, as they arrive.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes Ctrl-C, SIGTERM and SIGHUP from the system's own hands.
    ///
    /// # Errors
    /// When the system does not give them.
    pub fn new() -> Result<Self, Problem> {
        let take = |kind| {
            signal(kind)
                .map_err(|error| Problem::refused(ErrorCode::Store, format!("signals cannot be taken: {error}")))
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hang_up: take(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Away {
        tokio::select! {
            _ = self.interrupt.recv() => Away::Interrupt,
            _ = self.terminate.recv() => Away::HungUp,
            _ = self.hang_up.recv() => Away::HungUp,
        }
    }

    /// Forgets a Ctrl-C that was meant for another program in front.
    pub async fn forget_interrupts(&mut self) {
        while tokio::time::timeout(std::time::Duration::ZERO, self.interrupt.recv()).await.is_ok() {}
    }
}

/// What was read beyond the line that was asked for.
static TYPED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The next line, without its end. `None`: there is nothing more to read.
fn next_line() -> Option<String> {
    let mut typed = TYPED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut piece = [0; 4096];
    let line: Vec<u8> = loop {
        if let Some(end) = typed.iter().position(|byte| *byte == b'\n') {
            break typed.drain(..=end).collect();
        }
        match rustix::io::read(io::stdin(), &mut piece) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(length @ 1..) => typed.extend(&piece[..length]),
            Ok(0) | Err(_) if typed.is_empty() => return None,
            Ok(_) | Err(_) => break std::mem::take(&mut *typed),
        }
    };
    Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned())
}

/// Forgets what was typed at a terminal before now: a question that decides something is answered by who has seen it.
/// What comes through a pipe was not typed at a screen, and is kept.
pub fn forget_typed() {
    if !io::stdin().is_terminal() {
        return;
    }
    let waits = rustix::io::ioctl_fionread(io::stdin()).unwrap_or_default() > 0;
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
    let kept = TYPED.try_lock().is_ok_and(|mut typed| !std::mem::take(&mut *typed).is_empty());
    if waits || kept {
        out::say("\n(what was typed before this question is not taken as its answer)");
    }
}

/// Asks for a line. `None`: there is nothing more to read.
pub async fn read_line(prompt: &str) -> Option<String> {
    out::tell(prompt);
    let (send, receive) = oneshot::channel();
    // A thread of its own: a read cannot be broken off, and must not hold up the end of the program.
    std::thread::spawn(move || {
        let _ = send.send(next_line());
    });
    receive.await.ok().flatten()
}

/// Asks questions while signals may arrive.
pub struct Asker<'a> {
    /// Those signals.
    pub signals: &'a mut Signals,
}

impl Asker<'_> {
    /// Asks for a line.
    ///
    /// # Errors
    /// When the person went away.
    pub async fn line(&mut self, prompt: &str) -> Result<String, Away> {
        tokio::select! {
            line = read_line(prompt) => line.ok_or_else(|| { out::tell("\n"); Away::Quit }),
            away = self.signals.next() => { out::tell("\n"); Err(away) }
        }
    }

    /// Asks for a line that is not shown.
    ///
    /// # Errors
    /// When the person went away.
    pub async fn hidden(&mut self, prompt: &str) -> Result<String, Away> {
        let _silence = Silence::new();
        let line = self.line(prompt).await;
        out::tell("\n");
        line
    }

    /// Asks until the answer is `yes` or `no` in full.
    ///
    /// # Errors
    /// When the person went away.
    pub async fn yes_or_no(&mut self, prompt: &str) -> Result<bool, Away> {
        loop {
            match self.line(prompt).await?.trim().to_lowercase().as_str() {
                "yes" => return Ok(true),
                "no" => return Ok(false),
                "q" | "quit" => return Err(Away::Quit),
                "" => {}
                _ => out::say("Answer `yes` or `no` in full, or `q` to leave it open."),
            }
        }
    }
}

/// The terminal does not show what is typed, as long as this lives.
struct Silence(Option<rustix::termios::Termios>);

impl Silence {
    fn new() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut silent) = before.clone() {
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
        }
        Self(before)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, before);
        }
    }
}
