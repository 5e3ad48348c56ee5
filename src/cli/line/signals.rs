//! Signals that reach the program: handed to whoever waits for them, and the second Ctrl-C in any case.
//!
//! The first Ctrl-C is for the command that runs, which ends what it does in good order. Should it be too busy for that,
//! the second ends the process, with the programs that it has started: whatever is committed is safe, and the rest is
//! settled when the run is resumed, as after a crash. A thread of its own sees to that, so that nothing can hold it up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::keyboard;
use crate::cli::problem::{Exit, Problem};
use crate::core::code::ErrorCode;

/// The person, or the terminal, went away from a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// There is nothing more to read, or the person wants to leave.
    Quit,
    /// Ctrl-C.
    Interrupt,
    /// The terminal went away, or the program is to end.
    HungUp,
}

/// Two signals that come together are one Ctrl-C, which a terminal sends to every process in front.
const TOGETHER: Duration = Duration::from_millis(50);

/// What has begun to end in good order after a second Ctrl-C may finish within this time.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How many Ctrl-C came that nothing was done about yet.
static UNANSWERED: AtomicUsize = AtomicUsize::new(0);

/// How many wait for signals.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// How many programs of the person's have the terminal: what is typed there is for them.
static LENT: AtomicUsize = AtomicUsize::new(0);

/// Whether a thread counts them: one a process.
static WATCHED: OnceLock<bool> = OnceLock::new();

/// What ends, by force and without waiting, the programs that were started.
type End = Box<dyn Fn() + Send>;

/// What is done when the process ends at once.
static ENDS: Mutex<Vec<End>> = Mutex::new(Vec::new());

/// Signals, as they arrive.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
    /// Sent by this process alone, and of no consequence: once it has come, so has every signal before it.
    fence: Signal,
}

impl Signals {
    /// Takes Ctrl-C, SIGTERM, SIGHUP and SIGQUIT from the system's own hands.
    ///
    /// # Errors
    /// When the system does not give them.
    pub fn new() -> Result<Self, Problem> {
        let refused =
            |error: std::io::Error| Problem::refused(ErrorCode::Store, format!("signals cannot be taken: {error}"));
        let take = |kind| signal(kind).map_err(refused);
        let signals = Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hang_up: take(SignalKind::hangup())?,
            quit: take(SignalKind::quit())?,
            fence: take(SignalKind::from_raw(rustix::process::Signal::URG.as_raw()))?,
        };
        // From here on the system does not end the process at a Ctrl-C any more.
        WATCHED.get_or_init(|| std::thread::Builder::new().name("interrupt".to_owned()).spawn(watch).is_ok());
        LISTENERS.fetch_add(1, Ordering::AcqRel);
        UNANSWERED.store(0, Ordering::Release);
        Ok(signals)
    }

    /// Should the process have to end at once, this is done first: it ends the programs that were started.
    pub fn end_with(end: impl Fn() + Send + 'static) {
        ENDS.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(end));
    }

    /// All that was started has ended. What would have ended it, kept any longer, would leave the store open when the
    /// process ends, with all that is new beside its file.
    pub fn all_ended() {
        ENDS.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The next one.
    pub async fn next(&mut self) -> Away {
        tokio::select! {
            _ = self.interrupt.recv() => Away::Interrupt,
            _ = self.terminate.recv() => Away::HungUp,
            _ = self.hang_up.recv() => Away::HungUp,
            // The terminal may show nothing of what is typed: it is to show it again.
            _ = self.quit.recv() => Away::HungUp,
        }
    }

    /// What came was obeyed, and the program goes on: another Ctrl-C is a first one.
    pub fn obeyed() {
        UNANSWERED.store(0, Ordering::Release);
    }

    /// Lets a program of the person's have the terminal. A Ctrl-C meanwhile is meant for it, and forgotten here.
    pub async fn lend<T>(&mut self, program: impl Future<Output = T>) -> T {
        LENT.fetch_add(1, Ordering::AcqRel);
        let ended = program.await;
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::URG).is_ok() {
            self.fence.recv().await;
        }
        for signal in [&mut self.interrupt, &mut self.quit] {
            while signal.recv().now_or_never().flatten().is_some() {}
        }
        UNANSWERED.store(0, Ordering::Release);
        LENT.fetch_sub(1, Ordering::AcqRel);
        ended
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts the Ctrl-C that come, and ends the process at the second that nothing is done about, or at the first that
/// nobody waits for.
fn watch() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
        let mut before: Option<Instant> = None;
        while interrupts.recv().await.is_some() {
            let now = Instant::now();
            let again = before.is_some_and(|before| now - before < TOGETHER);
            before = Some(now);
            if again || LENT.load(Ordering::Acquire) > 0 {
                continue;
            }
            let unanswered = UNANSWERED.fetch_add(1, Ordering::AcqRel) + 1;
            if LISTENERS.load(Ordering::Acquire) == 0 {
                end();
            }
            if unanswered >= 2 {
                tokio::time::sleep(LAST_WORDS).await;
                if UNANSWERED.load(Ordering::Acquire) >= 2 {
                    end();
                }
            }
        }
    });
}

/// Ends the process, and the programs that it has started.
fn end() {
    keyboard::show_again();
    // Who holds the lock adds to it, or has seen the end of everything.
    if let Ok(ends) = ENDS.try_lock() {
        ends.iter().for_each(|end| end());
    }
    std::process::exit(Exit::Interrupted as i32);
}
