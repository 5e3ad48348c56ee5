//! A pseudo-terminal with a program in it: its keys, and what it writes. The one place where a test waits for a program
//! in a terminal.

use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::patience::{PATIENCE, until_some};

/// What the program writes on.
pub trait Surface {
    /// Takes in what was written.
    fn take(&mut self, piece: &[u8]);
    /// What a person sees of it.
    fn shown(&self) -> String;
}

/// The program, its keys, and what it has written on.
pub struct Pty<S> {
    pub surface: S,
    pub child: Box<dyn Child + Send + Sync>,
    pub master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
}

impl<S: Surface> Pty<S> {
    /// Starts a program in a terminal of so many columns and rows.
    pub fn open(command: CommandBuilder, (cols, rows): (u16, u16), surface: S) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                if send.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { surface, child, master: pair.master, keys, output }
    }

    /// Presses keys, or types.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until what was written has what is looked for.
    #[track_caller]
    pub fn wait_until_some<T>(&mut self, what: &str, mut look: impl FnMut(&S) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(&self.surface) {
                return found;
            }
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.surface.take(&piece),
                Err(gone) => panic!("{what} never came ({gone}); the screen:\n{}", self.surface.shown()),
            }
        }
    }

    /// Waits for the end and gives the exit code, with all that was written taken in.
    #[track_caller]
    pub fn exit(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        // The terminal closes behind the last process that has it.
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.surface.take(&piece),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end; the screen:\n{}", self.surface.shown()),
            }
        }
        until_some("its exit code", || self.child.try_wait().unwrap()).exit_code()
    }
}

impl<S> Drop for Pty<S> {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
