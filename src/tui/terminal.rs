//! The terminal's modes: entered once, and left on every way out — the end, a panic, a signal, the way into `$EDITOR`.
//!
//! [`Screen`] owns them. Nothing but this file switches a mode. Leaving twice does nothing, so whoever comes first
//! (the panic hook, a drop) restores the terminal and the others pass.

mod bounded;
pub mod clipboard;
mod editor;
mod input;
mod layout;
mod links;
mod parser;
mod sequences;
mod whole;

use std::io::{self, Stdout, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture, KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, queue};
use ratatui::Terminal;
use ratatui::layout::Rect;

use self::bounded::Bounded;
pub use self::editor::{Edited, edit, editor, wait};
pub use self::input::Input;
pub use self::parser::InputParser;
pub use self::sequences::text as typed;
use self::whole::{Drawing, Whole};
use super::canvas::{Canvas, FrameInfo};
use super::osc::{TITLE_ASIDE, TITLE_BACK};
use super::theme::Theme;

/// Whether this process has the terminal in its modes.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// How long, in milliseconds, one who restores the terminal waits for another who writes to it.
const PATIENCE: u32 = 100;

/// Why the terminal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// It does not take a mode, or went away.
    #[error("the terminal cannot be used: {0}; `--plain` works without the full screen")]
    Io(#[from] io::Error),
    /// The editor could not be run.
    #[error("the editor `{editor}` could not be started: {error}; set $VISUAL or $EDITOR to one that can")]
    Editor {
        /// As it is set.
        editor: String,
        /// The cause.
        error: io::Error,
    },
    /// The text could not be handed over or taken back.
    #[error("the text for the editor could not be kept in {path}: {error}")]
    Draft {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
}

/// The screen: a terminal in the interface's modes, which it leaves when dropped.
pub struct Screen {
    mouse: bool,
    /// It makes links of what leads somewhere.
    links: bool,
    drawing: Drawing,
    terminal: Terminal<Bounded<Whole<Painted>>>,
}

/// stdout, while this process has the terminal in its modes: nothing of a frame comes after the terminal was restored,
/// whichever thread restored it.
struct Painted(Stdout);

impl Write for Painted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _one = one_at_a_time();
        if ENTERED.load(Ordering::SeqCst) { self.0.write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Held while something is written to the terminal. Not for ever: who panicked may have it.
fn one_at_a_time() -> Option<MutexGuard<'static, ()>> {
    static WRITING: Mutex<()> = Mutex::new(());
    for _ in 0..PATIENCE {
        match WRITING.try_lock() {
            Ok(held) => return Some(held),
            Err(TryLockError::Poisoned(held)) => return Some(held.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    None
}

impl Screen {
    /// Takes the terminal, and the mouse too if it is wanted.
    ///
    /// # Errors
    /// When it does not take a mode.
    pub fn enter(mouse: bool) -> Result<Self, TerminalError> {
        set_modes(mouse)?;
        let drawing = Drawing::default();
        let links = links::takes_links(std::env::var("TERM").ok().as_deref());
        Ok(Self { mouse, links, terminal: blank(&drawing)?, drawing })
    }

    /// Draws a frame and gives what it showed.
    ///
    /// # Errors
    /// When the terminal went away.
    pub fn draw(
        &mut self,
        theme: &Theme,
        view: impl FnOnce(&mut Canvas<'_>, Rect),
    ) -> Result<FrameInfo, TerminalError> {
        let mut info = FrameInfo::default();
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.drawing.set(true);
        let drawn = self.terminal.draw(|frame| {
            let area = frame.area();
            view(&mut Canvas { buf: frame.buffer_mut(), theme, frame: &mut info, as_written: false }, area);
            let links = std::mem::take(&mut info.links);
            if self.links {
                links::put(frame.buffer_mut(), &links);
            }
            if let Some(caret) = info.caret {
                frame.set_cursor_position(caret);
            }
        });
        self.drawing.set(false);
        drawn?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        Write::flush(self.terminal.backend_mut())?;
        Ok(info)
    }

    /// Says a sequence of [`super::osc`] to the terminal.
    ///
    /// # Errors
    /// When the terminal went away.
    pub fn say(&mut self, sequence: &str) -> Result<(), TerminalError> {
        queue!(self.terminal.backend_mut(), Print(sequence))?;
        Ok(Write::flush(self.terminal.backend_mut())?)
    }

    /// Takes the mouse, or leaves it to the terminal, which then marks text with it. Gives whether it is taken.
    ///
    /// # Errors
    /// When the terminal went away.
    pub fn toggle_mouse(&mut self) -> Result<bool, TerminalError> {
        self.mouse = !self.mouse;
        if self.mouse {
            queue!(self.terminal.backend_mut(), EnableMouseCapture)?;
        } else {
            queue!(self.terminal.backend_mut(), DisableMouseCapture)?;
        }
        Write::flush(self.terminal.backend_mut())?;
        Ok(self.mouse)
    }

    /// Lends the terminal to `user` in its ordinary modes, takes it back, and forgets what was on it. Nobody may read
    /// what is typed there meanwhile: it is meant for the user.
    ///
    /// # Errors
    /// When the modes cannot be set again.
    pub fn lend<T>(&mut self, user: impl FnOnce() -> T) -> Result<T, TerminalError> {
        leave();
        let given = user();
        set_modes(self.mouse)?;
        // Not `Terminal::clear`: it asks the terminal where the cursor is, and waits for the answer.
        self.terminal = blank(&self.drawing)?;
        queue!(self.terminal.backend_mut(), Clear(ClearType::All))?;
        Ok(given)
    }

    /// Stops the processes in front as Ctrl-Z does, and takes the terminal again when they are continued.
    ///
    /// # Errors
    /// When the modes cannot be set again.
    pub fn suspend(&mut self) -> Result<(), TerminalError> {
        self.lend(editor::stop_all)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Restores the terminal, whoever has it. For the panic hook and the ways out that drop nothing. Gives whether it was in
/// the interface's modes.
pub fn leave() -> bool {
    let _one = one_at_a_time();
    let entered = ENTERED.swap(false, Ordering::SeqCst);
    if entered {
        let mut out = io::stdout();
        // There is nobody to tell when the terminal is gone.
        let _ = write_leave(&mut out);
        let _ = disable_raw_mode();
    }
    entered
}

/// From now on a panic, on whichever thread, restores the terminal, does what it did before, and ends the process: a
/// screen that goes on over a mistake of the program shows nothing that can be relied on, and what is saved is saved.
pub fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let shown = leave();
        before(info);
        if shown {
            std::process::exit(PANICKED);
        }
    }));
}

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// A terminal of which nothing is known.
fn blank(drawing: &Drawing) -> io::Result<Terminal<Bounded<Whole<Painted>>>> {
    Terminal::new(Bounded::new(Whole::new(Painted(io::stdout()), drawing)))
}

fn set_modes(mouse: bool) -> Result<(), TerminalError> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    Ok(write_enter(&mut io::stdout(), mouse)?)
}

fn write_enter(out: &mut impl Write, mouse: bool) -> io::Result<()> {
    queue!(
        out,
        Print(TITLE_ASIDE),
        EnterAlternateScreen,
        EnableBracketedPaste,
        EnableFocusChange,
        // Only these: more of them change what ordinary keys send. Terminals without them pass them over.
        PushKeyboardEnhancementFlags(
            KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES | KeyboardEnhancementFlags::REPORT_ALTERNATE_KEYS
        ),
        cursor::Hide,
    )?;
    if mouse {
        queue!(out, EnableMouseCapture)?;
    }
    out.flush()
}

fn write_leave(out: &mut impl Write) -> io::Result<()> {
    queue!(
        out,
        EndSynchronizedUpdate,
        PopKeyboardEnhancementFlags,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show,
        Print(TITLE_BACK),
    )?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_that_is_set_is_taken_back() {
        let (mut enter, mut leave) = (Vec::new(), Vec::new());
        write_enter(&mut enter, true).unwrap();
        write_leave(&mut leave).unwrap();
        let (enter, leave) = (String::from_utf8(enter).unwrap(), String::from_utf8(leave).unwrap());
        let set: Vec<&str> = enter.split('\x1b').filter_map(|part| part.strip_suffix('h')).collect();
        assert!(set.len() >= 4, "{set:?}");
        for mode in set {
            assert!(leave.contains(&format!("\x1b{mode}l")), "{mode} stays set");
        }
        assert!(enter.contains("\x1b[>5u") && leave.contains("\x1b[<1u"));
        assert!(enter.contains("\x1b[?25l") && leave.contains("\x1b[?25h"));
    }
}
