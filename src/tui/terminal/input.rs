//! What the terminal sends, as it comes. The terminal is read only while somebody waits for it, so that nothing is taken
//! from a program of the person's that has it for a while.
//!
//! The end of the terminal is said as such: a terminal may go away without any signal.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};

use crossterm::event::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::parser::{InputParser, Unfinished};

/// As many bytes as are read at once.
const PIECE: usize = 64 * 1024;

/// The terminal's keys, pastes and mouse.
pub struct Input {
    terminal: AsyncFd<OwnedFd>,
    parser: InputParser,
    events: VecDeque<Event>,
    /// When what is unfinished is given up.
    deadline: Option<(Unfinished, Instant)>,
    piece: Vec<u8>,
}

/// What there is to be read.
enum Look {
    Bytes(usize),
    Nothing,
    /// It was interrupted: look again.
    Again,
    Gone,
}

impl Input {
    /// The terminal that the person types at: stdin, or where that is something else the terminal of the session.
    ///
    /// # Errors
    /// When there is none.
    pub fn open() -> io::Result<Self> {
        let stdin = io::stdin();
        let terminal = if stdin.is_terminal() {
            stdin.as_fd().try_clone_to_owned()?
        } else {
            std::fs::File::open("/dev/tty")?.into()
        };
        #[expect(
            deprecated,
            reason = "what follows it is unsafe; this owns its descriptor, which stays open while it lives"
        )]
        let terminal = AsyncFd::with_interest(terminal, Interest::READABLE)?;
        Ok(Self {
            terminal,
            parser: InputParser::default(),
            events: VecDeque::new(),
            deadline: None,
            piece: vec![0; PIECE],
        })
    }

    /// The next event; `None` when the terminal is gone. Nothing is lost when this is given up for something else.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let deadline = self.deadline.map(|(_, deadline)| deadline);
            let ready = async {
                match deadline {
                    Some(deadline) => tokio::time::timeout_at(deadline, self.terminal.readable()).await.ok(),
                    None => Some(self.terminal.readable().await),
                }
            };
            match ready.await {
                Some(Ok(mut guard)) => match look(self.terminal.get_ref(), &mut self.piece) {
                    Look::Bytes(length) => {
                        self.events.extend(self.parser.feed(&self.piece[..length]));
                        self.wait_for_the_rest();
                    }
                    Look::Nothing => guard.clear_ready(),
                    Look::Again => {}
                    Look::Gone => return None,
                },
                Some(Err(_)) => return None,
                None => {
                    self.events.extend(self.parser.give_up());
                    self.wait_for_the_rest();
                }
            }
        }
    }

    fn wait_for_the_rest(&mut self) {
        let before = self.deadline;
        self.deadline = self.parser.unfinished().map(|unfinished| match before {
            // An answer gets no more time however slowly it comes: whoever types meanwhile is to be heard again.
            Some((Unfinished::Answer, deadline)) if unfinished == Unfinished::Answer => (unfinished, deadline),
            _ => (unfinished, Instant::now() + unfinished.patience()),
        });
    }
}

/// Reads what is there without waiting. The terminal itself is not put into a mode in which a read never waits: other
/// programs have it too.
fn look(terminal: &OwnedFd, piece: &mut [u8]) -> Look {
    let mut polled = [PollFd::new(terminal, PollFlags::IN)];
    match poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(0) => return Look::Nothing,
        Err(rustix::io::Errno::INTR) => return Look::Again,
        Ok(_) if polled[0].revents().contains(PollFlags::IN) => {}
        Ok(_) | Err(_) => return Look::Gone,
    }
    match rustix::io::read(terminal, piece) {
        Ok(length @ 1..) => Look::Bytes(length),
        Err(rustix::io::Errno::INTR) => Look::Again,
        // Another program has put the terminal into such a mode.
        Err(rustix::io::Errno::AGAIN) => Look::Nothing,
        // Nothing and no more, or an error: what is behind it is gone.
        Ok(0) | Err(_) => Look::Gone,
    }
}
