//! A terminal with a program in it: what is typed, and what stands on the screen since.

use std::io::Write;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty};

use super::cli::Home;
use super::pty::{self, Pty};

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

/// The terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    /// Everything that was written.
    pub screen: String,
    seen: usize,
    _master: Box<dyn MasterPty + Send>,
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
        let Pty { child, keys, output, master } = pty::open(command, (120, 40));
        Self { child, keys, output, screen: String::new(), seen: 0, _master: master }
    }

    /// Waits until this stands on the screen, after what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.screen[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(more) => self.screen.push_str(&String::from_utf8_lossy(&more)),
                Err(gone) => panic!("`{text}` never came ({gone}); the screen:\n{}", self.screen),
            }
        }
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end and gives the exit code.
    pub fn exit(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Ok(more) = self.output.recv_timeout(Duration::from_millis(5)) {
                self.screen.push_str(&String::from_utf8_lossy(&more));
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end; the screen:\n{}", self.screen);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
