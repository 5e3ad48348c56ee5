//! A terminal with a program in it: what is typed, and what stands on the screen since.

use portable_pty::CommandBuilder;

use super::cli::Home;
use super::pty::{Pty, Surface};

/// The terminal.
pub struct Terminal {
    pty: Pty<Paper>,
    /// What was waited for lies before this.
    seen: usize,
}

/// Everything that was written.
#[derive(Default)]
struct Paper(Vec<u8>);

impl Surface for Paper {
    fn take(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl Terminal {
    /// Starts `stepwell` with these arguments, and these names in its environment.
    pub fn start(home: &Home, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_stepwell"));
        let mut command = CommandBuilder::new(binary);
        command.env_clear();
        command.args(args);
        command.cwd(home.path());
        let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
        let home_path = home.path().to_str().unwrap();
        for (name, value) in
            [("PATH", path.as_str()), ("HOME", home_path), ("STEPWELL_HOME", home_path), ("USER", "ana")]
        {
            command.env(name, value);
        }
        command.env("TERM", "dumb");
        command.env("STEPWELL_DEMO_PACE", "instant");
        for (name, value) in environment {
            command.env(name, value);
        }
        Self { pty: Pty::open(command, (120, 40), Paper::default()), seen: 0 }
    }

    /// Everything that was written.
    pub fn shown(&self) -> String {
        self.pty.surface.shown()
    }

    /// Waits until this stands on the screen, after what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let seen = self.seen;
        let found = |paper: &Paper| paper.0[seen..].windows(text.len()).position(|part| part == text.as_bytes());
        let at = self.pty.wait_until_some(&format!("`{text}`"), found);
        self.seen += at + text.len();
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) {
        self.pty.press(text);
    }

    /// Waits for the end and gives the exit code.
    #[track_caller]
    pub fn exit(&mut self) -> u32 {
        self.pty.exit()
    }
}
