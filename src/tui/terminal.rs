//! The terminal's modes: entered once, and left on every way out — the end, a panic, a signal, the way into `$EDITOR`.
//!
//! [`Screen`] owns them. Nothing but this file switches a mode. Leaving twice does nothing, so whoever comes first
//! (the panic hook, a drop) restores the terminal and the others pass.

mod bounded;
mod whole;

use std::io::{self, Stdout, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
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
        Ok(Self { mouse, terminal: blank(&drawing)?, drawing })
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

    /// Lends the terminal to `user` in its ordinary modes, takes it back, and forgets what was on it. The caller must
    /// have dropped the stream of events, or it takes the keys that are meant for the user.
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

    /// Stops this process as Ctrl-Z does, and takes the terminal again when it goes on.
    ///
    /// # Errors
    /// When the modes cannot be set again.
    pub fn suspend(&mut self) -> Result<(), TerminalError> {
        self.lend(|| {
            // SIGSTOP cannot be caught, so this works while our own handler listens for SIGTSTP.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        })
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
        // Only this flag: more of them change what ordinary keys send. Terminals without it pass it over.
        PushKeyboardEnhancementFlags(KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES),
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

/// The person's editor: `$VISUAL`, `$EDITOR`, else `vi`.
#[must_use]
pub fn editor(var: impl Fn(&str) -> Option<String>) -> String {
    let set = ["VISUAL", "EDITOR"].into_iter().filter_map(var).find(|value| !value.trim().is_empty());
    set.unwrap_or_else(|| "vi".to_owned())
}

/// Has `text` edited by `editor` in a file of `folder` that only the person can read, and gives what became of it;
/// `None` when the editor ended with a failure, which in editors means: leave it as it was.
///
/// Blocks until the editor has ended; the terminal must have been lent.
///
/// # Errors
/// When the editor cannot be started, or the file not be written or read. The file stays when its text cannot be read.
pub fn edit(editor: &str, folder: &Path, name: &str, text: &str) -> Result<Option<String>, TerminalError> {
    let path = folder.join(format!("{}-{name}", std::process::id()));
    let draft = |error| TerminalError::Draft { path: path.clone(), error };
    write_private(&path, text).map_err(draft)?;
    let failed = |error| TerminalError::Editor { editor: editor.to_owned(), error };
    let words = shlex::split(editor).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| failed(io::Error::other("it is not a command")))?;
    let status = Command::new(&words[0]).args(&words[1..]).arg(&path).status().map_err(failed)?;
    let edited = if status.success() { Some(std::fs::read_to_string(&path).map_err(draft)?) } else { None };
    std::fs::remove_file(&path).map_err(draft)?;
    // Editors end a file with a line break; the text had none of its own there.
    Ok(edited.map(|edited| match edited.strip_suffix('\n') {
        Some(shorter) if !text.ends_with('\n') => shorter.to_owned(),
        _ => edited,
    }))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
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
        assert!(enter.contains("\x1b[>1u") && leave.contains("\x1b[<1u"));
        assert!(enter.contains("\x1b[?25l") && leave.contains("\x1b[?25h"));
    }

    #[test]
    fn the_editor_is_the_one_the_person_chose() {
        assert_eq!(editor(|name| (name == "EDITOR").then(|| "hx".to_owned())), "hx");
        assert_eq!(editor(|_| Some(" ".to_owned())), "vi");
    }

    #[test]
    fn a_text_comes_back_from_the_editor_changed_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let shout = folder.path().join("shout");
        std::fs::write(
            &shout,
            "#!/bin/sh\nprintf '%s LOUD\\n' \"$(cat \"$1\")\" > \"$1.new\" && mv \"$1.new\" \"$1\"\n",
        )
        .unwrap();
        let command = format!("sh '{}'", shout.display());
        assert_eq!(edit(&command, folder.path(), "a.md", "sea").unwrap().as_deref(), Some("sea LOUD"));
        assert_eq!(edit("false", folder.path(), "a.md", "sea").unwrap(), None);
        let error = edit("no-such-editor-here", folder.path(), "b.md", "sea").unwrap_err();
        assert!(error.to_string().contains("no-such-editor-here"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the script, and the text that was not taken");
    }
}
