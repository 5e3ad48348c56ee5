//! The program in a pseudo-terminal of 120×40: keys go in, and what comes out is stamped with the time it was read.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The size that everything is measured at.
pub const COLS: u16 = 120;
pub const ROWS: u16 = 40;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

/// What ends a frame.
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// The program and its terminal.
pub struct Program {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    parser: vt100::Parser,
    /// The end of what was written, in which a frame may end that the next piece goes on with.
    tail: Vec<u8>,
    /// When the process was begun.
    pub begun: Instant,
    /// Bytes that were written to the terminal.
    pub written: usize,
    /// Frames that were drawn whole.
    pub frames: usize,
    _master: Box<dyn MasterPty + Send>,
}

impl Program {
    /// Starts the interface in a home.
    pub fn start(home: &Path) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_stepwell"));
        command.env_clear();
        let place = home.to_str().unwrap();
        for (name, value) in [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", place),
            ("STEPWELL_HOME", place),
            ("USER", "ana"),
            ("TERM", "xterm-256color"),
            ("STEPWELL_DEMO_PACE", "instant"),
        ] {
            command.env(name, value);
        }
        command.cwd(home);
        let size = PtySize { rows: ROWS, cols: COLS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut piece = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                if send.send((Instant::now(), piece[..length].to_vec())).is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        let parser = vt100::Parser::new(NonZero::new(ROWS).unwrap(), NonZero::new(COLS).unwrap(), 0);
        Self { child, keys, output, parser, tail: Vec::new(), begun, written: 0, frames: 0, _master: pair.master }
    }

    /// What stands on the screen.
    pub fn shown(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits for a whole frame that is as wanted, and gives when its last byte was read.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok((at, piece)) => {
                    if self.take(&piece) && wanted(&self.shown()) {
                        return at;
                    }
                }
                Err(gone) => panic!("{what} never came ({gone}); the screen:\n{}", self.shown()),
            }
        }
    }

    /// Waits until this is on the screen, which may be now.
    pub fn wait_for(&mut self, text: &str) {
        if !self.shown().contains(text) {
            self.until(text, |shown| shown.contains(text));
        }
    }

    /// Takes in a piece of output, and gives whether it completes a frame.
    fn take(&mut self, piece: &[u8]) -> bool {
        self.written += piece.len();
        self.parser.process(piece);
        self.tail.extend_from_slice(piece);
        let ended = self.tail.windows(FRAME_END.len()).filter(|bytes| *bytes == FRAME_END).count();
        self.frames += ended;
        let keep = self.tail.len().min(FRAME_END.len() - 1);
        self.tail.drain(..self.tail.len() - keep);
        ended > 0
    }

    /// Takes in what comes until nothing has come for so long.
    pub fn settle(&mut self, quiet: Duration) {
        loop {
            match self.output.recv_timeout(quiet) {
                Ok((_, piece)) => _ = self.take(&piece),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("it ended; the screen:\n{}", self.shown()),
            }
        }
    }

    /// Takes in what comes for so long.
    pub fn settle_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            if let Ok((_, piece)) = self.output.recv_timeout(left) {
                self.take(&piece);
            }
        }
    }

    /// Takes in what comes until nothing has come for so long, and gives when the last of it came; now when nothing did.
    pub fn until_rest(&mut self, quiet: Duration) -> Instant {
        let mut last = Instant::now();
        while let Ok((at, piece)) = self.output.recv_timeout(quiet) {
            self.take(&piece);
            last = at;
        }
        last
    }

    /// Presses keys, or types; gives when.
    pub fn press(&mut self, keys: &str) -> Instant {
        let at = Instant::now();
        self.keys.write_all(keys.as_bytes()).unwrap();
        at
    }

    /// Presses a key and waits for the frame that it changes; gives how long that took.
    pub fn answer(&mut self, key: &str) -> Duration {
        let before = self.shown();
        let pressed = self.press(key);
        self.until(&format!("a change by {key:?}"), |shown| shown != before) - pressed
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.process_id().unwrap())).unwrap()
    }

    /// Resident memory, and the most that it ever was, in kilobytes.
    pub fn memory(&self) -> (u64, u64) {
        let status = self.proc("status");
        (field(&status, "VmRSS:"), field(&status, "VmHWM:"))
    }

    /// What is not shared with files: heap, stacks and what was written to; in kilobytes.
    pub fn own_memory(&self) -> u64 {
        field(&self.proc("status"), "RssAnon:")
    }

    /// Threads.
    pub fn threads(&self) -> u64 {
        field(&self.proc("status"), "Threads:")
    }

    /// Bytes that it wrote anywhere since it began.
    pub fn bytes_written(&self) -> u64 {
        field(&self.proc("io"), "wchar:")
    }

    /// How often a thread of it went to sleep: how often it was woken.
    pub fn wake_ups(&self) -> u64 {
        self.tasks(|task| {
            let status = std::fs::read_to_string(task.join("status")).unwrap_or_default();
            field(&status, "voluntary_ctxt_switches:")
        })
    }

    /// CPU time of all threads.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.tasks(|task| {
            let times = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
        }))
    }

    fn tasks(&self, of: impl Fn(&Path) -> u64) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.process_id().unwrap())).unwrap();
        tasks.map(|task| of(&task.unwrap().path())).sum()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number after a name in one of the system's files.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
