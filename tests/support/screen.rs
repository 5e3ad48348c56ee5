//! A terminal with the full-screen interface in it: what is pressed, and what a person sees.

use std::num::NonZero;
use std::path::Path;

use portable_pty::{CommandBuilder, PtySize};
use rustix::process::{Pid, Signal, kill_process};

use super::cli::Home;
use super::patience::until;
use super::pty::{Pty, Surface};

/// Escape, from a terminal that tells it from Alt. After a bare byte 0x1b, as older terminals send it, the next key would
/// be read as one with Alt whenever the program comes to read both at once.
pub const ESC: &str = "\x1b[27u";
/// Escape from an older terminal: no key may follow it before its effect is on the screen.
pub const BARE_ESC: &str = "\x1b";
/// The other keys that a person names.
pub const ENTER: &str = "\r";
pub const TAB: &str = "\t";
pub const DOWN: &str = "\x1b[B";
pub const F1: &str = "\x1bOP";
pub const CTRL_C: &str = "\x03";
pub const CTRL_F: &str = "\x06";
pub const CTRL_S: &str = "\x13";
pub const ALT_ENTER: &str = "\x1b\r";

/// The terminal.
pub struct Screen(Pty<vt100::Parser>);

impl Surface for vt100::Parser {
    fn take(&mut self, piece: &[u8]) {
        self.process(piece);
    }

    fn shown(&self) -> String {
        self.screen().contents()
    }
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
        let parser = vt100::Parser::new(NonZero::new(rows).unwrap(), NonZero::new(cols).unwrap(), 0);
        Self(Pty::open(command, (cols, rows), parser))
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, (cols, rows): (u16, u16)) {
        self.0.surface.screen_mut().set_size(NonZero::new(rows).unwrap(), NonZero::new(cols).unwrap());
        self.0.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// What stands on the screen.
    pub fn shown(&self) -> String {
        self.0.surface.shown()
    }

    /// Waits until what stands on the screen is as wanted.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        self.0.wait_until_some(what, |parser| wanted(&parser.shown()).then_some(()));
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
        self.0.press(keys);
    }

    /// The process.
    pub fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.child.process_id().unwrap()).unwrap()).unwrap()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).unwrap();
    }

    /// Waits until the process is stopped, as Ctrl-Z does, and has given the terminal back.
    #[track_caller]
    pub fn wait_until_stopped(&mut self) {
        let file = format!("/proc/{}/stat", self.process().as_raw_nonzero());
        until("its stop", || {
            let stat = std::fs::read_to_string(&file).unwrap();
            stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
        });
        self.0.wait_until_some("the shell's screen", |parser| kept(parser).is_none().then_some(()));
        self.is_restored();
    }

    /// Waits for the end and gives the exit code, with all that was written taken in.
    #[track_caller]
    pub fn exit(&mut self) -> u32 {
        self.0.exit()
    }

    /// Asserts that the terminal is as a shell wants it.
    #[track_caller]
    pub fn is_restored(&self) {
        assert_eq!(kept(&self.0.surface), None, "the terminal is not restored; the screen:\n{}", self.shown());
        let name = self.0.master.tty_name().unwrap();
        assert!(is_cooked(&name), "keys are lines again");
    }
}

/// What of the interface's modes the terminal still has.
fn kept(parser: &vt100::Parser) -> Option<&'static str> {
    let screen = parser.screen();
    let modes = [
        (screen.alternate_screen(), "the alternate screen"),
        (screen.hide_cursor(), "the hidden cursor"),
        (screen.bracketed_paste(), "pastes in brackets"),
        (screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None, "the mouse"),
    ];
    modes.into_iter().find_map(|(is_on, name)| is_on.then_some(name))
}

/// Whether the terminal gives lines and shows what is typed.
fn is_cooked(name: &Path) -> bool {
    let file = std::fs::File::open(name).unwrap();
    let modes = rustix::termios::tcgetattr(&file).unwrap().local_modes;
    modes.contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO)
}
