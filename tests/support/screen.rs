//! A terminal with the full-screen interface in it: what is pressed, and what a person sees.

use std::io::Write;
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize};
use rustix::process::{Pid, Signal, kill_process};

use super::cli::Home;
use super::pty::{self, Pty};

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

/// Escape and the keys that a person names.
pub const ESC: &str = "\x1b";
pub const ENTER: &str = "\r";
pub const TAB: &str = "\t";
pub const DOWN: &str = "\x1b[B";
pub const CTRL_C: &str = "\x03";
pub const CTRL_F: &str = "\x06";
pub const CTRL_S: &str = "\x13";
pub const ALT_ENTER: &str = "\x1b\r";

/// The terminal.
pub struct Screen {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    master: Box<dyn MasterPty + Send>,
}

impl Screen {
    /// Starts `stepwell` alone, in `home`, with these names in its environment.
    pub fn start(home: &Home, size: (u16, u16), environment: &[(&str, &str)]) -> Self {
        Self::within(home, CommandBuilder::new(env!("CARGO_BIN_EXE_stepwell")), size, environment)
    }

    /// Starts a command in `home`, with these names in its environment.
    pub fn within(home: &Home, mut command: CommandBuilder, size: (u16, u16), environment: &[(&str, &str)]) -> Self {
        command.env_clear();
        let home_path = home.path().to_str().unwrap();
        for (name, value) in
            [("PATH", "/usr/bin:/bin"), ("HOME", home_path), ("STEPWELL_HOME", home_path), ("USER", "ana")]
        {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.env("STEPWELL_DEMO_PACE", "instant");
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(home.path());
        Self::of(command, size)
    }

    /// Starts a program.
    pub fn of(command: CommandBuilder, (cols, rows): (u16, u16)) -> Self {
        let Pty { child, keys, output, master } = pty::open(command, (cols, rows));
        let parser = vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(cols).unwrap(), 0);
        Self { child, keys, output, parser, master }
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, (cols, rows): (u16, u16)) {
        self.parser.screen_mut().set_size(NonZero::new(rows).unwrap(), NonZero::new(cols).unwrap());
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// What stands on the screen.
    pub fn shown(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits until what stands on the screen is as wanted.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.shown()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(more) => self.parser.process(&more),
                Err(gone) => panic!("{what} never came ({gone}); the screen:\n{}", self.shown()),
            }
        }
    }

    /// Waits until this stands on the screen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("`{text}`"), |shown| shown.contains(text));
    }

    /// Waits until this stands on the screen no more.
    #[track_caller]
    pub fn wait_while(&mut self, text: &str) {
        self.wait_until(&format!("the end of `{text}`"), |shown| !shown.contains(text));
    }

    /// Presses keys, or types.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// The process.
    pub fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).unwrap();
    }

    /// Waits until the process is stopped, as Ctrl-Z does.
    #[track_caller]
    pub fn wait_until_stopped(&self) {
        let file = format!("/proc/{}/stat", self.process().as_raw_nonzero());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stat = std::fs::read_to_string(&file).unwrap();
            if stat.rsplit(')').next().unwrap().trim_start().starts_with('T') {
                return;
            }
            assert!(Instant::now() < deadline, "it does not stop: {stat}");
            std::thread::yield_now();
        }
    }

    /// Waits for the end and gives the exit code, with all that was written taken in.
    #[track_caller]
    pub fn exit(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end; the screen:\n{}", self.shown());
            if let Ok(more) = self.output.recv_timeout(Duration::from_millis(5)) {
                self.parser.process(&more);
            }
        };
        while let Ok(more) = self.output.recv_timeout(Duration::from_millis(100)) {
            self.parser.process(&more);
        }
        code
    }

    /// Takes in what was written so far.
    pub fn catch_up(&mut self) {
        while let Ok(more) = self.output.recv_timeout(Duration::from_millis(100)) {
            self.parser.process(&more);
        }
    }

    /// Asserts that the terminal is as a shell wants it.
    #[track_caller]
    pub fn is_restored(&self) {
        let screen = self.parser.screen();
        let shown = self.shown();
        assert!(!screen.alternate_screen(), "the alternate screen is left; the screen:\n{shown}");
        assert!(!screen.hide_cursor(), "the cursor is shown again");
        assert!(!screen.bracketed_paste(), "pastes are plain again");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is the terminal's again");
        let name = self.master.tty_name().unwrap();
        assert!(is_cooked(&name), "keys are lines again");
    }
}

/// Whether the terminal gives lines and shows what is typed.
fn is_cooked(name: &Path) -> bool {
    let file = std::fs::File::open(name).unwrap();
    let modes = rustix::termios::tcgetattr(&file).unwrap().local_modes;
    modes.contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO)
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
