//! The one loop: feed the flow, perform what it wants, append what happened.
//!
//! What happens is *staged*: folded into the run and fed to the flow at once, and committed before anything begins or
//! is shown because of it. If another process appended in between, only what was measured (facts) is kept; the rest is
//! asked of the flow again, on top of what the other wrote.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::core::call::AttemptStatus;
use crate::core::decide::{self, Refusal, What};
use crate::core::event::{Event, Measured, PauseReason, Recorded, Started};
use crate::core::failure::{Failure, FailureClass};
use crate::core::form::FieldType;
use crate::core::gate::{Answer, Gate, GateFor};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::Asker;
use crate::core::pinned::Pinned;
use crate::core::ports::{AskSink, Bench, Job, JournalError, Performed, Writer};
use crate::core::run::{Run, Status};
use crate::core::secret::SecretRef;
use crate::core::step::Retry;
use crate::core::task::Body;
use crate::core::text::Untrusted;
use crate::core::usage::{Budget, Usage};
use crate::core::work::{Work, secret_marker};
use crate::engine::attempt::{self, Partial};
use crate::engine::feed::{Feed, Rest, Update};
use crate::engine::lease::Lease;
use crate::engine::ready::{self, Limits, Step};
use crate::engine::{Engine, EngineError, Order, compose, outcome, recover};
use crate::flow::{End, Flow, Session, Want, Wants};

/// So many staged events are committed even when nothing asks for it: a long chain of pure steps stays bounded.
const MOST_STAGED: usize = 1_000;

/// Drives one run in this process.
pub struct Driver {
    engine: Engine,
    run: Run,
    epoch: u64,
    lease: Lease,
    feed: Feed,
    flow: Box<dyn Flow>,
    session: Box<dyn Session>,
    settings: Settings,
    orders: mpsc::UnboundedSender<Order>,
    inbox: mpsc::UnboundedReceiver<Order>,
    ended: mpsc::UnboundedSender<Ended>,
    endings: mpsc::UnboundedReceiver<Ended>,
    under_way: HashMap<Key, UnderWay>,
    answers: HashMap<Key, oneshot::Sender<Value>>,
    /// Folded and fed, not committed: the event, and whether it is a fact that must outlive a conflict.
    staged: Vec<(Event, bool)>,
    /// Folded, not fed.
    unfed: Vec<Event>,
    /// The newest event that the journal has.
    committed: u64,
    /// Attempts whose intent is staged: they begin when it is committed.
    starting: Vec<Arc<Want>>,
    wants: Wants,
    resting: Option<PauseReason>,
}

/// What of the definition the loop needs.
struct Settings {
    concurrency: usize,
    budget: Budget,
    folder: Option<PathBuf>,
    secrets: Vec<(String, SecretRef)>,
    task: String,
}

struct UnderWay {
    attempt: u32,
    cancel: CancellationToken,
    partial: Arc<Partial>,
    retry: Retry,
    lane: Option<Key>,
    provider: Option<String>,
    estimate: Usage,
    since: Instant,
}

struct Ended {
    key: Key,
    attempt: u32,
    performed: Performed,
}

/// Why the loop ends before its time: the journal cannot be used.
struct Lost(String);

impl From<JournalError> for Lost {
    fn from(error: JournalError) -> Self {
        Self(error.to_string())
    }
}

/// The flow of a pinned definition.
///
/// # Errors
/// When this version cannot run it: why.
pub fn flow_of(pinned: &Arc<Pinned>) -> Result<Box<dyn Flow>, String> {
    use crate::core::task::FlowKind;
    match &pinned.task.body {
        Body::Instruct(_) => Ok(Box::new(crate::flow::chat::Chat::new(Arc::clone(pinned)))),
        Body::Workflow(workflow) => match workflow.flow {
            FlowKind::Graph => Ok(Box::new(crate::flow::graph::Graph::new(Arc::clone(pinned)))),
            FlowKind::Script { .. } | FlowKind::Process { .. } => {
                Err(format!("`{}` is a script or a program; this version runs graphs only", pinned.task.id))
            }
        },
    }
}

impl Driver {
    /// Takes a run up: what another process left without an outcome is settled first.
    ///
    /// # Errors
    /// When the run cannot be read or its definition cannot be run.
    pub fn open(
        engine: Engine,
        run: RunId,
        lease: Lease,
        feed: Feed,
        (orders, inbox): (mpsc::UnboundedSender<Order>, mpsc::UnboundedReceiver<Order>),
    ) -> Result<Self, EngineError> {
        let ports = &engine.shared.ports;
        let epoch = ports.journal.take_over(run)?;
        let run = engine.fold(run)?;
        let pinned = Arc::new(ports.journal.definition(&run.definition)?);
        let flow = flow_of(&pinned).map_err(|why| EngineError::Refused(Refusal(why)))?;
        let settings = Settings::of(&pinned, &run);
        let (ended, endings) = mpsc::unbounded_channel();
        let committed = run.seq;
        let session = flow.open(&run);
        let mut driver = Self {
            session,
            flow,
            settings,
            epoch,
            lease,
            feed,
            orders,
            inbox,
            ended,
            endings,
            under_way: HashMap::new(),
            answers: HashMap::new(),
            staged: Vec::new(),
            unfed: Vec::new(),
            committed,
            starting: Vec::new(),
            wants: Wants::default(),
            resting: None,
            run,
            engine,
        };
        if driver.run.status != Status::Cancelled {
            let after = match driver.run.status {
                Status::Paused => driver.run.paused,
                // The creation is the only event: nobody has driven it yet.
                Status::Running if driver.run.seq > 1 => Some(PauseReason::Crashed),
                _ => None,
            };
            let by = driver.engine.shared.ports.who.clone();
            if driver.run.status != Status::Completed {
                driver.stage(Event::RunResumed { by, epoch, after }, false);
            }
            for event in recover::abandoned(&driver.run, &driver.engine.shared.ports.state) {
                driver.stage(event, true);
            }
        }
        Ok(driver)
    }

    /// Drives until the run is over, is given up, or cannot be written.
    pub async fn drive(mut self) {
        let rest = match self.turn().await {
            Ok(rest) => rest,
            Err(Lost(why)) => Rest::Lost(why),
        };
        for (_, attempt) in self.under_way.drain() {
            attempt.cancel.cancel();
        }
        let run = self.run.id;
        let mut drives = self.engine.shared.drives.lock().unwrap_or_else(PoisonError::into_inner);
        drives.remove(&run);
        drop(drives);
        let Self { feed, lease, mut inbox, .. } = self;
        // The lock is free before anybody hears of the rest: whoever hears of it may take the run up.
        drop(lease);
        inbox.close();
        feed.publish(&Update::Rested(rest));
    }

    async fn turn(&mut self) -> Result<Rest, Lost> {
        let mut announced = false;
        loop {
            self.settle()?;
            if let Some(rest) = self.rest()? {
                return Ok(rest);
            }
            let idle = self.is_idle();
            if idle && !announced {
                self.feed.publish(&Update::Rested(Rest::Waiting));
            }
            announced = idle;
            let (wake, now) = (self.next_retry(), self.now());
            let shared = Arc::clone(&self.engine.shared);
            let lane_freed = shared.lane_freed.notified();
            tokio::select! {
                order = self.inbox.recv() => {
                    if let Some(order) = order { self.obey(order)?; }
                }
                Some(ended) = self.endings.recv() => self.take_end(ended),
                () = self.lease.rung() => self.catch_up()?,
                () = sleep_until(wake, now) => {}
                () = lane_freed, if !self.wants.calls.is_empty() => {}
            }
            while let Ok(ended) = self.endings.try_recv() {
                self.take_end(ended);
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.engine.shared.ports.clock.now()
    }

    // ---- what happened -------------------------------------------------------------------------------------------

    fn stage(&mut self, event: Event, fact: bool) {
        let now = self.now();
        self.run.apply(self.run.seq + 1, now, &event);
        self.unfed.push(event.clone());
        self.staged.push((event, fact));
    }

    /// Writes what is staged. What others wrote meanwhile comes first, and the flow is asked again on top of it.
    fn commit(&mut self) -> Result<(), Lost> {
        while !self.staged.is_empty() {
            let events: Vec<Event> = self.staged.iter().map(|(event, _)| event.clone()).collect();
            let mut batch = self.engine.batch(&self.run, Writer::Owner(self.epoch), events);
            batch.after = self.committed;
            let at = batch.at;
            match self.engine.shared.ports.journal.append(batch) {
                Ok(_) => {
                    for (event, _) in std::mem::take(&mut self.staged) {
                        self.committed += 1;
                        self.publish(self.committed, at, event);
                    }
                    for want in std::mem::take(&mut self.starting) {
                        self.begin(&want);
                    }
                }
                Err(JournalError::Conflict { .. }) => self.rebase()?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn publish(&self, seq: u64, at: DateTime<Utc>, event: Event) {
        self.feed.publish(&Update::Event(Recorded { run: self.run.id, seq, at, event }));
    }

    /// Others were faster: their events stand, facts are staged again, what was derived is derived anew.
    fn rebase(&mut self) -> Result<(), Lost> {
        let journal = self.engine.shared.ports.journal.read(self.run.id, 0)?;
        let folded = Run::fold(self.run.id, &journal).map_err(|error| Lost(error.to_string()))?;
        for recorded in journal.iter().filter(|recorded| recorded.seq > self.committed) {
            self.feed.publish(&Update::Event(recorded.clone()));
        }
        self.committed = folded.seq;
        self.run = folded;
        self.starting.clear();
        self.unfed.clear();
        let facts: Vec<Event> =
            std::mem::take(&mut self.staged).into_iter().filter_map(|(event, fact)| fact.then_some(event)).collect();
        self.session = self.flow.open(&self.run);
        for event in facts {
            self.stage(event, true);
        }
        self.give_answers();
        self.settle_derived()
    }

    /// Takes in what others wrote.
    fn catch_up(&mut self) -> Result<(), Lost> {
        if self.engine.shared.ports.journal.head(self.run.id)? != self.committed {
            self.rebase()?;
        }
        Ok(())
    }

    /// Feeds the flow and performs what is pure until nothing new comes of it, then commits and begins the rest.
    fn settle(&mut self) -> Result<(), Lost> {
        self.settle_derived()?;
        self.commit()
    }

    fn settle_derived(&mut self) -> Result<(), Lost> {
        if self.run.status == Status::Cancelled {
            return Ok(());
        }
        loop {
            let fed = std::mem::take(&mut self.unfed);
            self.wants = self.session.feed(&fed);
            let notes = std::mem::take(&mut self.wants.notes);
            let noted = !notes.is_empty();
            for note in notes {
                self.stage(note, false);
            }
            for key in std::mem::take(&mut self.wants.cancel) {
                if let Some(attempt) = self.under_way.get(&key) {
                    attempt.cancel.cancel();
                }
            }
            if !noted && !self.start_what_may() {
                return Ok(());
            }
            if self.staged.len() >= MOST_STAGED && self.starting.is_empty() {
                self.commit()?;
            }
        }
    }

    // ---- what is wanted ------------------------------------------------------------------------------------------

    /// Stages the start of every wanted call that may start. True when the flow is to be fed again.
    fn start_what_may(&mut self) -> bool {
        if self.resting.is_some() || self.wants.end.is_some() {
            return false;
        }
        let now = self.now();
        let before = self.staged.len();
        let mut lanes: HashMap<Key, usize> = HashMap::new();
        let mut reserved = Usage::default();
        for attempt in self.under_way.values() {
            reserved += attempt.estimate;
            if let Some(lane) = &attempt.lane {
                *lanes.entry(lane.clone()).or_default() += 1;
            }
        }
        let mut under_way = self.under_way.len() + self.starting.len();
        for want in self.wants.calls.clone() {
            if self.under_way.contains_key(&want.key) || self.starting.iter().any(|starting| starting.key == want.key) {
                continue;
            }
            let pure = matches!(*want.work, Work::Transform { .. });
            let estimate =
                if pure { Usage::default() } else { self.engine.shared.ports.performer.estimate(&want.work) };
            let missing = if pure { None } else { self.missing_secret(&want.work) };
            let limits = Limits {
                // A pure step takes no time and so no place.
                concurrency: if pure { usize::MAX } else { self.settings.concurrency },
                under_way,
                lanes: &lanes,
                budget: self.run.budget.unwrap_or(self.settings.budget),
                reserved,
            };
            match ready::ready(&self.run, &want, &limits, estimate, missing.as_deref(), now) {
                Step::Wait | Step::Until(_) => {}
                Step::Ask(gate) => self.stage(Event::GateOpened(gate), false),
                Step::Start if pure => self.compute(&want),
                Step::Start if matches!(*want.work, Work::Ask { .. }) => self.ask(&want),
                Step::Start => {
                    if self.take_cached(&want) || !self.enter_lane(&want) {
                        continue;
                    }
                    self.stage_start(&want, if matches!(*want.work, Work::Prompt(_)) { "model" } else { "program" });
                    self.starting.push(Arc::clone(&want));
                    under_way += 1;
                    reserved += estimate;
                    if let Some((lane, _)) = &want.lane {
                        *lanes.entry(lane.clone()).or_default() += 1;
                    }
                }
            }
        }
        self.staged.len() > before
    }

    fn stage_start(&mut self, want: &Want, by: &str) -> u32 {
        let call = self.run.call(&want.key);
        let attempt = call.map_or(1, crate::core::call::Call::next_attempt);
        let work = compose::compose(&self.run, &want.step, call, &want.work);
        self.stage(
            Event::AttemptStarted(Started {
                key: want.key.clone(),
                step: want.step.clone(),
                attempt,
                fingerprint: want.fingerprint.clone(),
                by: by.to_owned(),
                work: (!matches!(work, Work::Transform { .. })).then(|| Arc::new(work)),
                item: want.item.clone(),
                depends: want.depends.clone(),
                on_crash: want.on_crash,
            }),
            false,
        );
        attempt
    }

    /// A pure step is performed where it stands; it can be computed again, so it needs no commit of its own.
    fn compute(&mut self, want: &Want) {
        let Work::Transform { value } = &*want.work else { return };
        let attempt = self.stage_start(want, "program");
        let problem = None;
        let output = Arc::new(value.clone());
        self.stage(
            Event::AttemptFinished { key: want.key.clone(), attempt, output, problem, measured: Measured::default() },
            false,
        );
    }

    /// A form is an attempt that the person makes.
    fn ask(&mut self, want: &Want) {
        let Work::Ask { text, fields } = &*want.work else { return };
        let attempt = self.stage_start(want, "person");
        let gate = Gate {
            key: want.key.clone(),
            kind: GateFor::Input,
            attempt,
            version: 0,
            shows: serde_json::json!({ "text": text, "fields": fields }),
            allowed: vec![Answer::Answer, Answer::Skip],
        };
        self.stage(Event::GateOpened(gate), false);
    }

    /// An accepted result of an earlier run stands in for the attempt.
    fn take_cached(&mut self, want: &Want) -> bool {
        let Some(age) = want.cache else { return false };
        let asked_again = self.run.call(&want.key).is_some_and(|call| !call.attempts.is_empty());
        let since = self.now() - age.duration();
        let Ok(Some((from, output))) = self.engine.shared.ports.journal.cached(&want.fingerprint, since) else {
            return false;
        };
        if asked_again || from == self.run.id {
            return false;
        }
        let attempt = self.stage_start(want, "cache");
        let measured = Measured { notes: vec![format!("taken from run {}", from.short())], ..Measured::default() };
        let output = Arc::new(output);
        self.stage(Event::AttemptFinished { key: want.key.clone(), attempt, output, problem: None, measured }, false);
        true
    }

    fn missing_secret(&self, work: &Work) -> Option<String> {
        if self.settings.secrets.is_empty() {
            return None;
        }
        let text = serde_json::to_string(work).unwrap_or_default();
        let secrets = &self.engine.shared.ports.secrets;
        self.settings.secrets.iter().find_map(|(name, reference)| {
            let used = text.contains(&secret_marker(&self.run.nonce, name));
            let typed = matches!(reference, SecretRef::Typed);
            (used && typed && matches!(secrets.resolve(self.run.id, name, reference), Ok(None))).then(|| name.clone())
        })
    }

    /// Takes a place at the provider, if it has one.
    fn enter_lane(&self, want: &Want) -> bool {
        let Some((provider, most)) = self.engine.shared.ports.performer.lane(&want.work) else { return true };
        let mut lanes = self.engine.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = lanes.entry(provider).or_default();
        let free = *count < most;
        *count += usize::from(free);
        free
    }

    fn leave_lane(&self, provider: Option<&String>) {
        if let Some(provider) = provider {
            let mut lanes = self.engine.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = lanes.get_mut(provider) {
                *count = count.saturating_sub(1);
            }
            self.engine.shared.lane_freed.notify_waiters();
        }
    }

    // ---- attempts ------------------------------------------------------------------------------------------------

    /// Begins an attempt whose intent is committed.
    fn begin(&mut self, want: &Want) {
        let Some((attempt, work)) =
            self.run.call(&want.key).and_then(|call| call.newest()).and_then(|a| Some((a.number, a.work.clone()?)))
        else {
            return;
        };
        let ports = &self.engine.shared.ports;
        let partial = Partial::new(recover::spool_file(&ports.state, self.run.id, &want.key, attempt));
        let cancel = CancellationToken::new();
        let job = Job {
            run: self.run.id,
            key: want.key.clone(),
            attempt,
            work,
            timeout: want.timeout.map(crate::core::step::Span::duration),
            asker: Asker {
                task: self.settings.task.clone(),
                step: want.step.clone(),
                attempt,
                inputs: Arc::clone(&self.run.inputs),
                item: want.item.as_deref().cloned(),
                index: want.key.last().item.or(want.key.last().iteration),
            },
            cwd: self.run.cwd.clone(),
            folder: self.settings.folder.clone(),
            nonce: self.run.nonce.clone(),
            secrets: self.settings.secrets.clone(),
            spool: ports.state.spool(self.run.id),
        };
        let bench = Bench {
            deltas: attempt::sink(self.feed.clone(), want.key.clone(), attempt, Arc::clone(&partial)),
            cancel: cancel.clone(),
            ask: ask_sink(self.orders.clone(), want.key.clone(), attempt),
        };
        let under_way = UnderWay {
            attempt,
            cancel,
            partial,
            retry: want.retry.clone(),
            lane: want.lane.as_ref().map(|(lane, _)| lane.clone()),
            provider: ports.performer.lane(&want.work).map(|(provider, _)| provider),
            estimate: ports.performer.estimate(&want.work),
            since: Instant::now(),
        };
        self.under_way.insert(want.key.clone(), under_way);
        let (ended, key) = (self.ended.clone(), want.key.clone());
        let performed = ports.performer.perform(job, bench);
        let guarded = tokio::spawn(performed);
        tokio::spawn(async move {
            let performed = guarded.await.unwrap_or_else(|error| Performed::Failed {
                failure: Failure::new(FailureClass::Command, format!("the step broke down: {error}")),
                partial: Untrusted::default(),
                in_doubt: true,
                measured: Measured::default(),
            });
            let _ = ended.send(Ended { key, attempt, performed });
        });
    }

    fn take_end(&mut self, ended: Ended) {
        let Some(under_way) = self.under_way.remove(&ended.key) else { return };
        self.leave_lane(under_way.provider.as_ref());
        self.answers.remove(&ended.key);
        let Some(call) = self.run.call(&ended.key) else { return };
        // The run may have been cancelled meanwhile, or the attempt settled by a decision.
        if under_way.attempt != ended.attempt
            || call.attempt(ended.attempt).is_none_or(|attempt| attempt.status != AttemptStatus::Running)
        {
            return;
        }
        let ms = u64::try_from(under_way.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = self.now();
        let random = f64::from(self.engine.shared.ports.clock.random()[0]) / 255.0;
        let performed = if self.resting.is_some() { resumable(ended.performed) } else { ended.performed };
        for mut event in outcome::events(call, ended.attempt, performed, ms, &under_way.retry, now, random) {
            if self.resting.is_some()
                && let Event::AttemptCancelled { again, .. } = &mut event
            {
                *again = true;
            }
            self.stage(event, true);
        }
        under_way.partial.settle();
    }

    // ---- orders --------------------------------------------------------------------------------------------------

    fn obey(&mut self, order: Order) -> Result<(), Lost> {
        match order {
            Order::Decide(decision, reply) => {
                let who = self.engine.shared.ports.who.clone();
                if let Some(gate) = self.run.call(&decision.key).and_then(|call| call.gate.clone())
                    && gate.kind == GateFor::Secret
                    && let What::Answer { value } = &decision.what
                    && let Err(error) = self.engine.keep_secret(self.run.id, &gate, value)
                {
                    let _ = reply.send(Err(error));
                    return Ok(());
                }
                self.decided(move |run| decide::decide(run, &decision, &who), reply)
            }
            Order::Append(make, reply) => {
                self.catch_up()?;
                let made = make(&self.run);
                self.decided(move |_| made.clone(), reply)
            }
            Order::Ask { key, attempt, fields, answer } => {
                let gate = Gate {
                    key: key.clone(),
                    kind: GateFor::Input,
                    attempt,
                    version: 0,
                    shows: serde_json::json!({ "fields": fields }),
                    allowed: vec![Answer::Answer],
                };
                self.answers.insert(key, answer);
                self.stage(Event::GateOpened(gate), true);
                Ok(())
            }
            Order::Stop(key) => {
                if let Some(attempt) = self.under_way.get(&key) {
                    attempt.cancel.cancel();
                }
                Ok(())
            }
            Order::Rest(reason) => {
                self.resting = Some(reason);
                for attempt in self.under_way.values() {
                    attempt.cancel.cancel();
                }
                Ok(())
            }
            Order::Cancel(reply) => {
                let who = self.engine.shared.ports.who.clone();
                for attempt in self.under_way.values() {
                    attempt.cancel.cancel();
                }
                self.keep_partial_texts();
                self.decided(move |run| recover::cancelled(run, &who), reply)
            }
        }
    }

    /// Commits a decision at once, before anything that follows from it.
    fn decided(
        &mut self,
        make: impl Fn(&Run) -> Result<Vec<Event>, Refusal>,
        reply: oneshot::Sender<Result<(), EngineError>>,
    ) -> Result<(), Lost> {
        self.commit()?;
        loop {
            let events = match make(&self.run) {
                Ok(events) => events,
                Err(refusal) => {
                    let _ = reply.send(Err(refusal.into()));
                    return Ok(());
                }
            };
            let mut batch = self.engine.batch(&self.run, Writer::Owner(self.epoch), events.clone());
            batch.after = self.committed;
            let at = batch.at;
            if events.is_empty() {
                let _ = reply.send(Ok(()));
                return Ok(());
            }
            match self.engine.shared.ports.journal.append(batch) {
                Ok(_) => {
                    for event in events {
                        self.committed += 1;
                        self.run.apply(self.committed, at, &event);
                        self.unfed.push(event.clone());
                        self.publish(self.committed, at, event);
                    }
                    let _ = reply.send(Ok(()));
                    self.give_answers();
                    return Ok(());
                }
                Err(JournalError::Conflict { .. }) => {
                    self.rebase()?;
                    self.commit()?;
                }
                Err(error) => {
                    let message = error.to_string();
                    let _ = reply.send(Err(error.into()));
                    return Err(Lost(message));
                }
            }
        }
    }

    /// Hands answers to the commands that asked in the middle of their work.
    fn give_answers(&mut self) {
        let run = &self.run;
        let answered: Vec<Key> = self
            .answers
            .keys()
            .filter(|key| run.call(key).is_some_and(|call| call.answer.is_some()))
            .cloned()
            .collect();
        for key in answered {
            if let (Some(reply), Some(value)) =
                (self.answers.remove(&key), self.run.call(&key).and_then(|call| call.answer.clone()))
            {
                let _ = reply.send((*value).clone());
            }
        }
    }

    /// A run that is stopped for good keeps what its attempts had written.
    fn keep_partial_texts(&mut self) {
        let texts: Vec<(Key, u32, Untrusted)> = self
            .under_way
            .iter()
            .map(|(key, attempt)| (key.clone(), attempt.attempt, attempt.partial.text()))
            .collect();
        for (key, attempt, partial) in texts {
            let by = self.engine.shared.ports.who.clone();
            let measured = Measured::default();
            self.stage(Event::AttemptCancelled { key, attempt, partial, again: false, by, measured }, true);
        }
    }

    // ---- rest ----------------------------------------------------------------------------------------------------

    fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.next_retry().is_none() && self.run.status == Status::Waiting
    }

    /// When the next failed attempt is tried again.
    fn next_retry(&self) -> Option<DateTime<Utc>> {
        let wanted = self.wants.calls.iter().filter_map(|want| self.run.call(&want.key)?.retry_at);
        wanted.min()
    }

    /// Ends the drive, or says that the run waits, once nothing is under way.
    fn rest(&mut self) -> Result<Option<Rest>, Lost> {
        if !self.under_way.is_empty() {
            return Ok(None);
        }
        if self.run.status == Status::Cancelled {
            self.notify("cancelled");
            return Ok(Some(Rest::Over));
        }
        if let Some(reason) = self.resting {
            if !self.run.status.is_over() {
                self.stage(Event::RunPaused { reason }, true);
                self.commit()?;
            }
            return Ok(Some(Rest::Paused));
        }
        match self.wants.end.take() {
            Some(End::Completed { title, body, .. }) => {
                let known = self.run.result.as_ref().is_some_and(|r| r.title == title && r.body == body);
                if self.run.status != Status::Completed || !known {
                    self.stage(Event::RunCompleted { title, body }, false);
                    self.commit()?;
                }
                self.notify("completed");
                Ok(Some(Rest::Over))
            }
            Some(End::Failed { key, failure }) => {
                self.stage(Event::RunFailed { key, error: failure }, false);
                self.commit()?;
                self.notify("failed");
                Ok(Some(Rest::Over))
            }
            None if self.next_retry().is_some() => Ok(None),
            None if self.run.gates() > 0 => {
                if self.run.status != Status::Waiting {
                    self.stage(Event::RunWaiting {}, false);
                    self.commit()?;
                    self.notify("waiting");
                }
                Ok(None)
            }
            // Other runs take all places at a provider.
            None if !self.wants.calls.is_empty() => Ok(None),
            None => {
                let message = "nothing is wanted and nothing waits: the steps wait for each other";
                let error = Failure::new(FailureClass::Definition, message);
                self.stage(Event::RunFailed { key: None, error }, false);
                self.commit()?;
                Ok(Some(Rest::Over))
            }
        }
    }

    fn notify(&self, status: &str) {
        let command = &self.engine.shared.ports.notify;
        let Some((program, arguments)) = command.split_first() else { return };
        let title = crate::core::text::visible(&self.run.title, false).into_owned();
        let spawned = std::process::Command::new(program)
            .args(arguments)
            .args([status, &self.run.id.short(), &title])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        if let Ok(mut child) = spawned {
            std::thread::spawn(move || child.wait());
        }
    }
}

impl Settings {
    fn of(pinned: &Pinned, run: &Run) -> Self {
        let (concurrency, budget) = match &pinned.task.body {
            Body::Workflow(workflow) => (workflow.max_concurrency.max(1) as usize, workflow.budget.unwrap_or_default()),
            Body::Instruct(_) => (1, Budget::default()),
        };
        let secrets = pinned.task.inputs.iter().filter(|field| field.kind == FieldType::Secret);
        Self {
            concurrency,
            budget,
            folder: pinned.folder.clone(),
            secrets: secrets
                .filter_map(|field| {
                    let reference = run.inputs.get(&field.name)?.as_str()?.parse().ok()?;
                    Some((field.name.clone(), reference))
                })
                .collect(),
            task: run.task.clone(),
        }
    }
}

/// An attempt that was broken off because the person left is taken up again by itself.
fn resumable(performed: Performed) -> Performed {
    match performed {
        Performed::Failed { partial, in_doubt, measured, .. } if !in_doubt => {
            Performed::Cancelled { partial, in_doubt, measured }
        }
        other => other,
    }
}

fn ask_sink(orders: mpsc::UnboundedSender<Order>, key: Key, attempt: u32) -> AskSink {
    Arc::new(move |fields| {
        let (answer, answered) = oneshot::channel();
        let _ = orders.send(Order::Ask { key: key.clone(), attempt, fields, answer });
        Box::pin(async move { answered.await.unwrap_or(Value::Null) })
    })
}

async fn sleep_until(wake: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    match wake {
        Some(at) => tokio::time::sleep((at - now).to_std().unwrap_or_default()).await,
        None => std::future::pending().await,
    }
}
