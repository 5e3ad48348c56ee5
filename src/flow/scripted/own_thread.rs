//! A script on a thread of its own, which can be given up.
//!
//! A loop of the script itself is interrupted where it runs, but some built-in functions (`copyWithin`, `indexOf`,
//! `join` of what is large) do not look up before they are done, and that can take hours. So what has not answered when
//! its limit has passed is not waited for any more: the run fails, the thread is left to its work, and no more than
//! [`MOST_ABANDONED`] of a process may be in that state. It holds no more memory than any script may.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::javascript::{MOST_CPU, Watch};
use super::session::broken;
use crate::core::event::Event;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::template::References;
use crate::flow::names::of_calls;
use crate::flow::{End, Interrupt, Session, Wants};

/// So many threads may be left to their work at a time.
const MOST_ABANDONED: usize = 2;

/// How often it is looked whether the wait is to end. A script that answers at once is not held up by it.
const LOOK: Duration = Duration::from_millis(20);

/// Most scripts have answered by then: who waits that long for one holds up nothing else.
const MOMENT: Duration = Duration::from_millis(1);

/// What a script takes that is interrupted where it runs is a little more than its limit: twice that is a built-in.
const MOST: Duration = Duration::from_millis(2 * MOST_CPU);

/// How many threads of this process are left to their work.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// A session that lives on a thread of its own.
pub struct OwnThread {
    thread: Option<JoinHandle<()>>,
    /// Why nothing comes of it any more.
    over: Option<String>,
    asks: Option<Sender<Asked>>,
    wants: Receiver<Wants>,
    /// Where the system counts the time that the thread computes.
    counted: Receiver<PathBuf>,
    stage: Arc<Mutex<Stage>>,
    watch: Watch,
    interrupt: Interrupt,
    now: Option<DateTime<Utc>>,
    /// For messages.
    origin: String,
    pinned: Arc<Pinned>,
}

/// The events that came, and what time it is.
type Asked = (Vec<Event>, Option<DateTime<Utc>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Kept,
    Abandoned,
    Ended,
}

impl OwnThread {
    /// Has `session` of this definition, whose script is watched by `watch` and begins at `origin`, compute on a thread of its own.
    pub fn new(
        pinned: Arc<Pinned>,
        mut session: impl Session + 'static,
        watch: Watch,
        interrupt: Interrupt,
        origin: String,
    ) -> Self {
        let (asks, asked) = channel::<Asked>();
        let (answers, wants) = channel();
        let (counts, counted) = channel();
        let stage = Arc::new(Mutex::new(Stage::Kept));
        let ended = EndOfThread(Arc::clone(&stage));
        let compute = move || {
            let _ended = ended;
            let _ = counts.send(PathBuf::from("/proc/thread-self").read_link().unwrap_or_default());
            while let Ok((events, now)) = asked.recv() {
                if let Some(now) = now {
                    session.at(now);
                }
                if answers.send(session.feed(&events)).is_err() {
                    return;
                }
            }
        };
        let (thread, over) = if ABANDONED.load(Ordering::Acquire) >= MOST_ABANDONED {
            (
                None,
                Some(format!(
                    "{MOST_ABANDONED} scripts that were given up still compute in this process: leave it, and resume the run"
                )),
            )
        } else {
            match Builder::new().name("script".to_owned()).spawn(compute) {
                Ok(thread) => (Some(thread), None),
                Err(error) => (None, Some(format!("the system gives no thread for the script: {error}"))),
            }
        };
        Self { thread, over, asks: Some(asks), wants, counted, stage, watch, interrupt, now: None, origin, pinned }
    }

    /// Hands the events over. `Err`: what comes of it, where the script is not asked any more.
    fn hand_over(&mut self, events: &[Event]) -> Result<(), Wants> {
        if self.interrupt.is_raised() {
            return Err(Wants::default());
        }
        if let Some(why) = self.over.clone() {
            return Err(self.failed(why));
        }
        let asked = self.asks.as_ref().is_some_and(|asks| asks.send((events.to_vec(), self.now.take())).is_ok());
        if asked { Ok(()) } else { Err(self.failed("the script crashed".to_owned())) }
    }

    /// Waits for what the script wants, as long as it may take.
    fn wait(&mut self) -> Wants {
        let mut time = None;
        let mut turn = None;
        loop {
            match self.wants.recv_timeout(LOOK) {
                Ok(wants) => return wants,
                Err(RecvTimeoutError::Disconnected) => return self.failed("the script crashed".to_owned()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.interrupt.is_raised() {
                self.give_up();
                return Wants::default();
            }
            let time = time.get_or_insert_with(|| ComputingTime::of(self.counted.try_recv().unwrap_or_default()));
            let (now, spent) = (self.watch.turn(), time.spent());
            match turn {
                Some((known, before)) if known == now && spent.saturating_sub(before) > MOST => {
                    self.give_up();
                    return self.failed(format!(
                        "the script computed for more than {MOST_CPU} ms in one function of the language, which nothing can \
                         interrupt, and was given up"
                    ));
                }
                Some((known, _)) if known == now => {}
                _ => turn = Some((now, spent)),
            }
        }
    }

    /// The thread is not waited for any more. It ends as soon as it looks up.
    fn give_up(&mut self) {
        self.asks = None;
        self.watch.stop();
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if *stage == Stage::Kept {
            *stage = Stage::Abandoned;
            ABANDONED.fetch_add(1, Ordering::AcqRel);
        }
        drop(stage);
        self.thread = None;
    }

    fn failed(&mut self, why: String) -> Wants {
        let why = self.over.get_or_insert(why);
        let failure = broken(format!("{}: {why}", self.origin));
        Wants { end: Some(End::Failed { key: None, failure }), ..Wants::default() }
    }
}

impl Session for OwnThread {
    fn feed(&mut self, events: &[Event]) -> Wants {
        match self.hand_over(events) {
            Ok(()) => self.wait(),
            Err(wants) => wants,
        }
    }

    fn ask(&mut self, events: &[Event]) -> Option<Wants> {
        match self.hand_over(events) {
            Ok(()) => self.wants.recv_timeout(MOMENT).ok(),
            Err(wants) => Some(wants),
        }
    }

    fn answer(&mut self) -> Wants {
        self.wait()
    }

    fn names(&self, run: &Run, named: &References) -> minijinja::Value {
        of_calls(&self.pinned.task, run, named)
    }

    fn at(&mut self, now: DateTime<Utc>) {
        self.now = Some(now);
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        // It waits for nothing but this, and so ends at once.
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread has come to its end.
struct EndOfThread(Arc<Mutex<Stage>>);

impl Drop for EndOfThread {
    fn drop(&mut self) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *stage == Stage::Abandoned {
            ABANDONED.fetch_sub(1, Ordering::AcqRel);
        }
        *stage = Stage::Ended;
    }
}

/// How long a thread has computed: what else the machine does is not counted, where the system says so.
enum ComputingTime {
    Counted(PathBuf),
    Passed(Instant),
}

impl ComputingTime {
    /// Of the thread whose folder under `/proc` this is.
    fn of(thread: PathBuf) -> Self {
        let counted = Self::Counted(PathBuf::from("/proc").join(thread).join("schedstat"));
        if counted.counted().is_some() { counted } else { Self::Passed(Instant::now()) }
    }

    fn counted(&self) -> Option<Duration> {
        let Self::Counted(file) = self else { return None };
        let text = std::fs::read_to_string(file).ok()?;
        text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    }

    fn spent(&self) -> Duration {
        match self {
            Self::Passed(since) => since.elapsed(),
            Self::Counted(_) => self.counted().unwrap_or_default(),
        }
    }
}
