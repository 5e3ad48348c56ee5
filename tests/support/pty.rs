//! A pseudo-terminal with a program in it: its keys, and what it writes.

use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, channel};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The program, and both ends of what is said.
pub struct Pty {
    pub child: Box<dyn Child + Send + Sync>,
    pub keys: Box<dyn Write + Send>,
    pub output: Receiver<Vec<u8>>,
    pub master: Box<dyn MasterPty + Send>,
}

/// Starts a program in a terminal of so many columns and rows.
pub fn open(command: CommandBuilder, (cols, rows): (u16, u16)) -> Pty {
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
    Pty { child, keys, output, master: pair.master }
}
