//! Drives a run, or follows the process that does: tells what happens, answers what the policy answers, asks the
//! person about the rest, and ends with the exit code of how the run stands.

mod ending;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::args::{Approve, DriveArgs, Review};
use super::line::{Answered, AskContext, Asker, Away, Signals, Teller, ask, further};
use super::policy::Policy;
use super::problem::{Exit, Problem};
use super::relay::{self, Relayed};
use super::{App, files, out, waits};
use crate::app::follow::Follower;
use crate::core::code::ErrorCode;
use crate::core::decide::{Decision, DecisionKind};
use crate::core::event::{Event, PauseReason};
use crate::core::gate::{Gate, GateKind};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::{Run, Status};
use crate::core::task::Kind;
use crate::core::text::output_text;
use crate::core::tool_call::ToolCallId;
use crate::engine::{Driver, Engine, EngineError, StopReason, Update};
use crate::export::wire;

/// How often it is looked whether another process that drives the run is still there.
const LOOK: Duration = Duration::from_millis(200);

/// How long a run that another process drives has to wait before it counts as waiting.
const SETTLES: Duration = Duration::from_millis(500);

/// How a run is driven, in full.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct How {
    /// What is answered without asking.
    pub policy: Policy,
    /// Whether a person is asked about the rest.
    pub asks: bool,
    /// One JSON object a line.
    pub json: bool,
    /// Where results are put, too.
    pub out: Option<PathBuf>,
    /// Its definition has changed: what is done may not be done any more.
    pub changed: bool,
    /// Whether a process of its own drives a run whose programs may ask; see [`relay`].
    pub apart: bool,
    /// The process that this one drives for.
    pub relayed: Option<Arc<Relayed>>,
}

impl How {
    /// From the arguments and the terminal. The folder for results is made, so that this stands before anything that
    /// runs.
    ///
    /// # Errors
    /// When that folder cannot be used.
    pub fn of(args: &DriveArgs) -> Result<Self, Problem> {
        args.out.as_deref().map_or(Ok(()), files::ready)?;
        let can_ask = out::can_ask() && !args.json;
        let review = args.review.unwrap_or(if can_ask { Review::Ask } else { Review::Stop });
        let asks = can_ask && review != Review::Stop;
        Ok(Self {
            policy: Policy { review, approve: args.approve.unwrap_or(Approve::Ask) },
            asks,
            json: args.json,
            out: args.out.clone(),
            changed: false,
            apart: !asks,
            relayed: None,
        })
    }
}

/// Drives a run until it waits for what nobody here answers, or ends. What happened up to the event `after` is not
/// told.
///
/// # Errors
/// When the store cannot be used.
pub async fn drive(app: &App, run: RunId, after: u64, how: How) -> Result<Exit, Problem> {
    let engine = app.engine()?;
    let now = engine.load(run)?;
    let pinned = engine.definition(&now).ok();
    let is_over = matches!(now.status, Status::Completed | Status::Cancelled);
    if how.apart && !is_over && pinned.as_deref().is_some_and(relay::may_ask) && !engine.is_driven(run) {
        return relay::drive(run, after, &how).await;
    }
    let models = app.models().ok().map(Arc::clone);
    let mut drive = Drive {
        app,
        engine,
        follower: Follower::open_after(engine, run, after)?,
        teller: Teller::new(pinned.as_deref(), models, how.asks),
        here: false,
        over: false,
        heard: false,
        news_at: Instant::now(),
        ended: false,
        stopping: false,
        answered: HashMap::new(),
        asked: 0,
        signals: Signals::new()?,
        how,
    };
    let started = engine.clone();
    Signals::end_with(move || started.abandon());
    drive.take_new().await?;
    // What is done is only said again, which needs no lock, unless a conversation may go on.
    let goes_on = drive.how.changed || (drive.how.asks && drive.run().kind == Kind::Instruct);
    let done = drive.run().status == Status::Completed && !goes_on;
    if !done {
        drive.take_in_hand()?;
    }
    drive.heard = false;
    if !drive.here && !done && !drive.how.json {
        out::say(&format!("run {} is running in another process; following", drive.run().id.short()));
    }
    let exit = drive.go_on().await?;
    drive.finish(exit)?;
    Ok(exit)
}

#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
struct Drive<'a> {
    app: &'a App,
    engine: &'a Engine,
    follower: Follower,
    how: How,
    teller: Teller,
    /// This process drives the run.
    here: bool,
    /// Nothing more comes of it.
    over: bool,
    /// Something came of it since it is driven or followed here.
    heard: bool,
    /// When that was.
    news_at: Instant,
    /// The newest line that was printed says how the run stands.
    ended: bool,
    /// The person stopped what is under way.
    stopping: bool,
    /// The newest event when it was told that only programs that ask are under way.
    asked: u64,
    /// The calls about which something was decided here, and the newest event that was known of them then.
    answered: HashMap<(Key, Option<ToolCallId>), u64>,
    signals: Signals,
}

impl Drive<'_> {
    /// The run, as far as it was printed.
    fn run(&self) -> &Run {
        self.follower.run()
    }

    async fn go_on(&mut self) -> Result<Exit, Problem> {
        loop {
            self.take_new().await?;
            if let Some(exit) = self.settled() {
                if exit == Exit::Done && self.goes_on_talking() {
                    match self.talk().await? {
                        None => continue,
                        Some(exit) => return Ok(exit),
                    }
                }
                return Ok(exit);
            }
            if !self.here && self.answer_by_policy().await? {
                continue;
            }
            if let Some(gate) = self.next_question() {
                match self.question(&gate).await? {
                    None => continue,
                    Some(exit) => return Ok(exit),
                }
            }
            let only_asked = self.run().only_asks();
            if only_asked && self.here && self.asked < self.run().seq {
                self.asked = self.run().seq;
                self.stay()?;
            }
            let waits = self.run().status == Status::Waiting || (only_asked && !self.here);
            if waits && self.teller.is_free() && self.waits_for_good() {
                return Ok(Exit::Waiting);
            }
            let (here, relayed) = (self.here, self.how.relayed.clone());
            tokio::select! {
                news = self.follower.next() => self.take(news?).await?,
                away = self.signals.next() => {
                    if let Some(exit) = self.interrupted(away).await? {
                        return Ok(exit);
                    }
                }
                () = tokio::time::sleep(LOOK), if !here => self.take_over()?,
                () = gone(relayed) => {
                    self.pause(PauseReason::HungUp).await?;
                    return Ok(Exit::Interrupted);
                }
            }
        }
    }

    /// All that is under way is programs that wait for an answer, and they live only as long as this process does: it
    /// says what waits and stays with them. The one that it drives for, if there is one, need not.
    fn stay(&mut self) -> Result<(), Problem> {
        let relayed = self.how.relayed.take();
        if relayed.is_some() {
            self.finish(Exit::Waiting)?;
        } else if self.how.json {
            out::json(&wire::asked(self.run(), Utc::now()));
        } else {
            out::page(&waits::render(self.run()));
        }
        if let Some(relayed) = relayed.and_then(Arc::into_inner) {
            let let_go = relayed.let_go(self.app, self.run().id);
            let_go.map_err(|error| {
                Problem::refused(ErrorCode::Store, format!("the log of the run cannot be opened: {error}"))
            })?;
            self.how.json = false;
        }
        Ok(())
    }

    /// Whether the run stays as it is until somebody answers: this process has heard so from its own drive; of
    /// another's it is only known when that has gone, or has answered nothing for a while by a policy of its own.
    fn waits_for_good(&self) -> bool {
        if self.here {
            return self.heard;
        }
        self.news_at.elapsed() >= SETTLES || !self.engine.is_driven(self.run().id)
    }

    /// The exit code, when nothing more happens by itself.
    fn settled(&self) -> Option<Exit> {
        if self.here && !self.over {
            return None;
        }
        match self.run().status {
            Status::Completed => Some(Exit::Done),
            Status::Failed | Status::Cancelled => Some(Exit::Failed),
            Status::Paused => Some(Exit::Interrupted),
            Status::Running | Status::Waiting => None,
        }
    }

    // ---- what happens --------------------------------------------------------------------------------------------

    /// Takes in what has come, without waiting for more.
    async fn take_new(&mut self) -> Result<(), Problem> {
        while let Some(update) = self.follower.try_next().await? {
            self.take(update).await?;
        }
        Ok(())
    }

    /// Takes in something new, and what came together with it.
    async fn take(&mut self, first: Update) -> Result<(), Problem> {
        // One write for all that came together: a fast stream is many small pieces.
        let mut lines = String::new();
        self.heard = true;
        self.news_at = Instant::now();
        let mut next = Some(first);
        while let Some(update) = next {
            if let Err(problem) = self.tell(update, &mut lines) {
                out::json(&lines);
                return Err(problem);
            }
            next = self.follower.rest().await?;
        }
        if !lines.is_empty() {
            out::json(&lines);
        }
        Ok(())
    }

    /// Says what happened: to a person at once, to a program in `lines`.
    fn tell(&mut self, update: Update, lines: &mut String) -> Result<(), Problem> {
        let run = self.follower.run();
        match update {
            Update::Event(recorded) => {
                if self.stopping && matches!(recorded.event, Event::AttemptStarted(_)) {
                    self.stopping = false;
                    Signals::obeyed();
                }
                self.ended = wire::is_end(&recorded.event);
                if self.how.json {
                    lines.push_str(&wire::event(run, &recorded));
                } else {
                    self.teller.event(run, &recorded);
                }
            }
            Update::Delta { key, attempt, delta } if self.how.json => {
                lines.push_str(&wire::delta(run.id, Utc::now(), &key, attempt, &delta));
            }
            Update::Delta { key, attempt, delta } => self.teller.delta(&key, attempt, &delta),
            Update::Locked(true) => {
                out::say("the store is locked by another process: what comes is kept, and saved as soon as it is free");
            }
            Update::Locked(false) => out::say("the store is free again: all of it is saved"),
            // What a fold of the events says as well.
            Update::Stopped(StopReason::Waiting | StopReason::DriverGone) => {}
            Update::Stopped(StopReason::Over | StopReason::Paused) => self.over = true,
            Update::Stopped(StopReason::JournalLost(why)) => return Err(why.into()),
        }
        Ok(())
    }

    /// Drives the run here, if no other process does. What the policy answers is answered where it is driven.
    fn take_in_hand(&mut self) -> Result<(), Problem> {
        let policy = self.how.policy;
        let answers = Arc::new(move |run: &Run, gate: &Gate| policy.answer(run, gate));
        self.here = self.engine.drive_with_policy(self.run().id, answers)? == Driver::Local;
        Ok(())
    }

    /// The process that drove the run may have gone.
    fn take_over(&mut self) -> Result<(), Problem> {
        if self.run().status == Status::Running && !self.engine.is_driven(self.run().id) {
            self.take_in_hand()?;
        }
        Ok(())
    }

    // ---- what is decided -----------------------------------------------------------------------------------------

    /// Whether nothing was decided here about a gate that the mailbox has not caught up with.
    fn is_open(&self, gate: &Gate) -> bool {
        let seq = self.run().newest_about(gate);
        self.answered.get(&(gate.key.clone(), gate.call)).is_none_or(|answered| *answered < seq)
    }

    /// Answers what another process, which drives the run, waits for. True when something was answered.
    async fn answer_by_policy(&mut self) -> Result<bool, Problem> {
        let answers: Vec<(Gate, DecisionKind)> = self
            .run()
            .waiting()
            .filter(|gate| self.is_open(gate))
            .filter_map(|gate| Some((gate.clone(), self.how.policy.answer(self.run(), gate)?)))
            .collect();
        let mut any = false;
        for (gate, what) in answers {
            any |= self.decide(&gate, what).await?;
        }
        Ok(any)
    }

    /// Decides about a gate as it was shown; see [`Drive::record`].
    async fn decide(&mut self, gate: &Gate, kind: DecisionKind) -> Result<bool, Problem> {
        self.record(gate, Decision::about_seen(self.run(), gate, kind)).await
    }

    /// True when it was recorded. What is refused is told, and left to whoever was faster.
    async fn record(&mut self, gate: &Gate, decision: Decision) -> Result<bool, Problem> {
        let typed = typed(&decision.kind);
        let seq = self.run().newest_about(gate);
        self.answered.insert((gate.key.clone(), gate.call), seq);
        let decided = self.engine.decide(self.run().id, decision);
        tokio::pin!(decided);
        // That the store is locked, say, is said while it is waited for.
        let decided = loop {
            tokio::select! {
                biased;
                decided = &mut decided => break decided,
                news = self.follower.next() => self.take(news?).await?,
                // It is waited for no longer than a moment, but where the store is locked.
                _ = self.signals.next() => {
                    if let Some(text) = typed.filter(|_| gate.kind() != GateKind::Secret) {
                        out::say(&not_saved(&text));
                    }
                    let text = format!("stopped waiting; check with `stepwell show {}` whether it was saved", self.run().id.short());
                    return Err(Problem::interrupted(ErrorCode::Store, text));
                }
            }
        };
        match decided {
            Ok(()) => Ok(true),
            Err(EngineError::Refused(why)) => {
                out::say(&format!("nothing changed: {why}"));
                // Whoever was faster is seen at once; what still stands as it was shown is asked again.
                self.look().await?;
                if self.run().newest_about(gate) == seq && self.how.asks {
                    self.answered.remove(&(gate.key.clone(), gate.call));
                }
                Ok(false)
            }
            Err(error) => {
                if let Some(text) = typed.filter(|_| gate.kind() != GateKind::Secret) {
                    out::say(&not_saved(&text));
                }
                Err(error.into())
            }
        }
    }

    fn next_question(&self) -> Option<Gate> {
        if !self.how.asks || !self.teller.is_free() || self.over {
            return None;
        }
        let mut open = self.run().waiting().filter(|gate| self.is_open(gate));
        open.find(|gate| self.how.policy.answer(self.run(), gate).is_none()).cloned()
    }

    /// `Some`: the person left.
    async fn question(&mut self, gate: &Gate) -> Result<Option<Exit>, Problem> {
        let context = AskContext { engine: self.engine, state: &self.app.paths.state };
        let mut asker = Asker { signals: &mut self.signals };
        let answered = ask(&mut asker, &context, &mut self.teller, self.follower.run(), gate).await;
        match answered {
            Ok(Answered::Decide(what)) => {
                self.decide(gate, what).await?;
                Ok(None)
            }
            Ok(Answered::DecideStale(what)) => {
                self.decide_stale(&what).await?;
                Ok(None)
            }
            Ok(Answered::Nothing) => Ok(None),
            Err(Away::Quit) => {
                self.pause(PauseReason::Left).await?;
                Ok(Some(Exit::Waiting))
            }
            Err(Away::Interrupt) => {
                self.pause(PauseReason::Left).await?;
                Ok(Some(Exit::Interrupted))
            }
            Err(Away::HungUp) => {
                self.pause(PauseReason::HungUp).await?;
                Ok(Some(Exit::Interrupted))
            }
        }
    }

    /// One answer for every stale call that was shown, each as it was shown. What is not stale any more because of the
    /// answer to another one of them needs none.
    async fn decide_stale(&mut self, what: &DecisionKind) -> Result<(), Problem> {
        let stale = self.run().waiting().filter(|gate| gate.kind() == GateKind::Stale && gate.document().is_none());
        let shown: Vec<(Gate, Decision)> =
            stale.map(|gate| (gate.clone(), Decision::about_seen(self.run(), gate, what.clone()))).collect();
        for (gate, decision) in shown {
            self.look().await?;
            if self.run().call(&gate.key).is_some_and(|call| call.stale.is_some()) {
                self.record(&gate, decision).await?;
            }
        }
        Ok(())
    }

    // ---- conversations -------------------------------------------------------------------------------------------

    fn goes_on_talking(&self) -> bool {
        self.run().kind == Kind::Instruct && self.how.asks && self.here
    }

    /// A further turn after a delivery. `None`: the model is answering.
    async fn talk(&mut self) -> Result<Option<Exit>, Problem> {
        let mut asker = Asker { signals: &mut self.signals };
        match further(&mut asker).await {
            Ok(None) | Err(Away::Quit) => return Ok(Some(Exit::Done)),
            Err(_) => return Ok(Some(Exit::Interrupted)),
            Ok(Some(text)) => match self.engine.message(self.run().id, &text).await {
                Ok(()) => {}
                Err(EngineError::Refused(why)) => {
                    out::say(&why.to_string());
                    return Ok(None);
                }
                Err(error) => {
                    out::say(&not_saved(&text));
                    return Err(error.into());
                }
            },
        }
        self.look().await?;
        self.over = false;
        self.take_in_hand()?;
        Ok(None)
    }

    /// Takes in what was appended while nobody drove: it comes through no mailbox at once.
    async fn look(&mut self) -> Result<(), Problem> {
        self.follower.look().await?;
        self.take_new().await
    }

    // ---- leaving -------------------------------------------------------------------------------------------------

    /// The first Ctrl-C of a person stops what is under way, the second leaves. Where nobody can be asked what then,
    /// the first leaves.
    async fn interrupted(&mut self, away: Away) -> Result<Option<Exit>, Problem> {
        if away == Away::Interrupt && self.how.asks && self.here && self.run().under_way() > 0 && !self.stopping {
            self.stopping = true;
            out::say("\n(stopping; what has arrived is kept. Ctrl-C again leaves)");
            for call in self.run().calls.values().filter(|call| call.is_under_way()) {
                self.engine.stop(self.run().id, &call.key);
            }
            return Ok(None);
        }
        self.pause(if away == Away::Interrupt { PauseReason::Left } else { PauseReason::HungUp }).await?;
        Ok(Some(Exit::Interrupted))
    }

    /// Gives the run up here. One that only waits stays as it is.
    async fn pause(&mut self, reason: PauseReason) -> Result<(), Problem> {
        self.take_new().await?;
        if !self.here || self.over || (self.run().status == Status::Waiting && self.run().under_way() == 0) {
            return Ok(());
        }
        self.engine.pause(self.run().id, reason);
        while !self.over {
            let news = self.follower.next().await?;
            self.take(news).await?;
        }
        Ok(())
    }
}

/// Comes back when the process that this one drives for is gone; never where there is none.
async fn gone(relayed: Option<Arc<Relayed>>) {
    match relayed {
        Some(relayed) => relayed.gone().await,
        None => std::future::pending().await,
    }
}

/// What a person wrote that could not be saved.
pub(super) fn not_saved(text: &str) -> String {
    format!("this could not be saved; here it is, so that it is not lost:\n{text}")
}

/// What a person wrote for a decision.
pub(super) fn typed(kind: &DecisionKind) -> Option<String> {
    match kind {
        DecisionKind::Edit { output, .. } => Some(output_text(output).data().to_owned()),
        DecisionKind::Retry { instruction, .. } => Some(instruction.clone()),
        DecisionKind::Answer { value } => Some(output_text(value).data().to_owned()),
        DecisionKind::Deny { reason } => Some(reason.clone()),
        _ => None,
    }
}
