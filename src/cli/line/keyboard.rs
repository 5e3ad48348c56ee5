//! What a person types, a line at a time.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;

use super::signals::{Away, Signals};
use crate::cli::out;
use crate::tui::terminal::{InputParser, typed};

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
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // What comes through a pipe is what its sender meant.
    Some(if io::stdin().is_terminal() { letters(line) } else { String::from_utf8_lossy(line).into_owned() })
}

/// What was typed, without the keys that type nothing: a terminal that gives whole lines sends their sequences along, and
/// the answers that another program has asked it for.
fn letters(line: &[u8]) -> String {
    let mut parser = InputParser::default();
    let mut events = parser.feed(line);
    while parser.unfinished().is_some() {
        events.extend(parser.give_up());
    }
    events.iter().filter_map(typed).collect()
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
        Signals::obeyed();
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

/// How the terminal was before it was made not to show what is typed.
static SHOWING: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal does not show what is typed, as long as this lives.
struct Silence;

impl Silence {
    fn new() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut silent) = before.clone() {
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
        }
        *SHOWING.lock().unwrap_or_else(PoisonError::into_inner) = before;
        Self
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        show_again();
    }
}

/// Has the terminal show what is typed, if it was made not to.
pub fn show_again() {
    if let Some(before) = SHOWING.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_type_nothing_are_no_part_of_a_line() {
        for (line, typed) in [
            ("the sea\u{1b}[D\u{1b}[Ds", "the seas"),
            ("\u{1b}[A\u{1b}OA\u{1b}[1;5C\u{1b}[3~\u{1b}[H7", "7"),
            ("\u{1b}]11;rgb:1e1e/1e1e/2e2e\u{1b}\\a", "a"),
            ("\u{1b}[200~two words\u{1b}[201~", "two words"),
            ("a\tb é 海 👩‍🚀", "a\tb é 海 👩‍🚀"),
            ("\u{1b}", ""),
            ("ab\u{1b}[", "ab"),
        ] {
            assert_eq!(letters(line.as_bytes()), typed, "{line:?}");
        }
    }
}
