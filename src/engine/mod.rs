//! The engine: drives runs. It asks the flow what is wanted, performs what does not stand, and appends what happened.
//!
//! Front ends talk to one [`Engine`] handle: start, drive, decide, cancel, subscribe, history. The engine knows the
//! journal, the steps and the secrets only through the ports of `core`. What it promises: intent is committed before
//! effect, the outcome after it; what is published as an event is committed; a decision names what was seen, and the
//! first one wins; a drive that dies leaves a run that any process can take up.

mod append;
mod attempt;
mod attempts;
mod commands;
mod compose;
mod control;
mod create;
mod deadline_cache;
mod decisions;
mod dispatch;
mod error;
mod failpoint;
mod feed;
mod folder;
mod locked;
mod log;
mod orphan;
mod outcome;
mod owner;
mod permission;
mod poll;
mod ready;
mod records;
mod recover;
mod run_loop;
mod session_state;
mod spending;
mod spooled;
mod stage;
mod time;
mod tool_loop;
mod update;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use self::append::batch;
use self::control::DriveControl;
pub use self::create::{Fork, Start, StartError};
use self::deadline_cache::DeadlineCache;
pub use self::error::EngineError;
use self::feed::Feeds;
pub use self::feed::{Feed, StopReason, Subscription, Update};
pub use self::time::Sleeper;
pub use self::update::Preview;
use crate::core::actor::Actor;
use crate::core::code::ErrorCode;
use crate::core::decide::{self, Decision, DecisionKind, Refusal};
use crate::core::event::{Event, InstructionScope, PauseReason};
use crate::core::fingerprint::Fingerprint;
use crate::core::form::WrittenForm;
use crate::core::gate::{Gate, GateBody, GateKind, SecretBody};
use crate::core::id::{RunId, id_fragment};
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::ports::{
    Clock, Executor, Folders, HistoryQuery, JournalError, Ownership, RunRow, Secrets, Spool, Storage, Timers,
};
use crate::core::run::{Facts, Run, Status};
use crate::core::secret::Secret;
use crate::core::tool_call::ToolCallId;
pub use crate::flow::Environment;

/// What the engine is made of.
#[derive(Clone)]
pub struct Ports {
    /// What is kept of runs.
    pub store: Arc<dyn Storage>,
    /// The steps.
    pub executor: Arc<dyn Executor>,
    /// Secrets by reference.
    pub secrets: Arc<dyn Secrets>,
    /// The folders of definitions.
    pub folders: Arc<dyn Folders>,
    /// Time and randomness.
    pub clock: Arc<dyn Clock>,
    /// What a definition that is a program finds in its environment besides `PATH`, `HOME`, `LANG` and `TMPDIR`.
    pub environment: Environment,
    /// Hosts that the config names: requests go there without a question.
    pub hosts: Vec<String>,
    /// Who drives a run.
    pub ownership: Arc<dyn Ownership>,
    /// What is on its way into the journal.
    pub spool: Arc<dyn Spool>,
    /// What wakes whoever drives a run when something is due: [`Sleeper`], unless something outside of the process does.
    pub timers: Arc<dyn Timers>,
    /// Who decides, unless [`Engine::on_behalf_of`] says who else: `user@host`.
    pub who: Actor,
    /// What is run when a run waits, fails or is done. One more argument says so in a line; the environment has
    /// `STEPWELL_STATUS`, `STEPWELL_RUN` and `STEPWELL_TITLE`.
    pub notify: Vec<String>,
}

/// Whether this process drives a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// It does.
    Local,
    /// Another process does; what it writes is seen through [`Engine::subscribe`].
    Remote,
}

/// The handle through which front ends reach runs, for one who decides. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// Kept with every decision that is made through this handle.
    who: Actor,
}

struct Shared {
    ports: Ports,
    /// The runs that this process drives.
    drives: Mutex<HashMap<RunId, DriveControl>>,
    /// The mailboxes of the runs that are watched here.
    feeds: Feeds,
    /// The run that was read last, and no other: what is new in it is all that is read the next time.
    folded: Mutex<Option<Run>>,
    /// The definition of the run that was read last, until that run is driven from here.
    definition: Mutex<Option<(Fingerprint, Arc<Pinned>)>>,
    /// The deadlines of the definitions of runs that were read.
    deadlines: DeadlineCache,
    /// How many requests are under way at each provider.
    lanes: Mutex<HashMap<String, usize>>,
    lane_freed: Notify,
    /// Whom to tell that something waits because the store is locked.
    on_locked: OnceLock<TellLocked>,
}

/// What is told that something waits because the store is locked, and that it waits no more.
type TellLocked = Box<dyn Fn(bool) + Send + Sync>;

/// What answers a gate in the place of a person; `None`: a person has to.
pub type DecisionPolicy = Arc<dyn Fn(&Run, &Gate) -> Option<DecisionKind> + Send + Sync>;

/// Makes events of a run as it stands.
type Make = Box<dyn Fn(&Run) -> Result<Vec<Event>, Refusal> + Send>;

/// Where the answer to a command goes.
type Reply = oneshot::Sender<Result<(), EngineError>>;

/// What the loop that drives a run is told.
enum EngineCommand {
    Decide(Decision, Actor, Reply),
    Append(Make, Reply),
    /// A command asks the person in the middle of its work.
    Ask {
        key: Key,
        attempt: u32,
        /// The tool call of the attempt that asks.
        call: Option<ToolCallId>,
        fields: WrittenForm,
        answer: oneshot::Sender<Value>,
    },
    /// A person stops an attempt of which nothing is at work.
    Stop(Key),
    /// The run is given up here: [`DriveControl::pausing`] says why.
    Pause,
    /// It is given up here once its answers have come: [`DriveControl::leaving`] says why.
    Leave,
    Cancel(Actor, Reply),
    /// The readers up to this number follow the run: if it rests, those hear of it that came meanwhile.
    Announce(u64),
}

impl Engine {
    /// An engine over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let shared = Shared {
            ports,
            drives: Mutex::default(),
            feeds: Feeds::default(),
            folded: Mutex::default(),
            definition: Mutex::default(),
            deadlines: DeadlineCache::default(),
            lanes: Mutex::default(),
            lane_freed: Notify::new(),
            on_locked: OnceLock::new(),
        };
        let who = shared.ports.who.clone();
        Self { shared: Arc::new(shared), who }
    }

    /// The same engine for somebody else who decides: what is started, decided or cancelled through it is by them.
    #[must_use]
    pub fn on_behalf_of(&self, who: Actor) -> Self {
        Self { shared: Arc::clone(&self.shared), who }
    }

    /// The run that `name` names: `last`, or a unique beginning or end of its id.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, name: &str) -> Result<RunId, EngineError> {
        if name == "last" {
            let newest = self.with_store(|store| store.find(None))?;
            return newest.first().copied().ok_or_else(|| EngineError::NoRun("there are no runs yet".to_owned()));
        }
        let fragment = id_fragment(name).ok_or_else(|| {
            EngineError::NoRun(format!("`{name}` does not name a run: give a beginning or an end of its id, or `last`"))
        })?;
        match self.with_store(|store| store.find(Some(&fragment)))?.as_slice() {
            [run] => Ok(*run),
            [] => Err(EngineError::NoRun(format!(
                "no run's id begins or ends with `{name}`; `stepwell history` lists them"
            ))),
            _ => {
                let text = format!("more than one run's id begins or ends with `{name}`; give more of it");
                Err(EngineError::Ambiguous(text))
            }
        }
    }

    /// A run as the journal has it now. One whose driver died is `paused` (crashed) here.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be used.
    pub fn load(&self, run: RunId) -> Result<Run, EngineError> {
        let mut run = self.fold(run)?;
        self.remember(run.clone());
        if run.status == Status::Running && !self.is_driven(run.id) {
            (run.status, run.paused) = match (run.in_hand(), run.gates()) {
                (true, _) => (Status::Paused, Some(PauseReason::Crashed)),
                (false, 0) => (Status::Paused, Some(PauseReason::Left)),
                (false, _) => (Status::Waiting, None),
            };
        }
        Ok(run)
    }

    /// The run as the journal has it. What was read last is at hand, and only what is new is read; whoever wants it to
    /// be at hand again gives it back ([`Engine::remember`]).
    fn fold(&self, run: RunId) -> Result<Run, EngineError> {
        let kept = self.folded().take().filter(|kept| kept.id == run);
        let known = kept.as_ref().map_or(0, |kept| kept.seq);
        let journal = self.with_store(|store| store.read(run, known))?;
        let Some(mut kept) = kept else {
            let mut run = Run::fold(run, &journal).map_err(JournalError::from)?;
            self.learn(&mut run);
            return Ok(run);
        };
        let definition = kept.definition.clone();
        for recorded in &journal {
            kept.apply(recorded.seq, recorded.at, &recorded.event);
        }
        if kept.definition != definition {
            self.learn(&mut kept);
        }
        Ok(kept)
    }

    /// Takes over from the definition what the journal does not have. A definition that cannot be read is told of where
    /// it is needed.
    fn learn(&self, run: &mut Run) {
        match self.shared.deadlines.get(&run.definition) {
            Some(deadlines) if !run.may_lack_workflows() => run.deadlines = deadlines,
            _ => {
                let Ok(pinned) = self.definition(run) else { return };
                run.learn(&pinned);
                self.shared.deadlines.insert(run.definition.clone(), Arc::clone(&run.deadlines));
                *self.read_definition() = Some((run.definition.clone(), pinned));
            }
        }
    }

    fn remember(&self, run: Run) {
        *self.folded() = Some(run);
    }

    fn folded(&self) -> MutexGuard<'_, Option<Run>> {
        self.shared.folded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The events of a run after `after`.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be used.
    pub fn events(&self, run: RunId, after: u64) -> Result<Vec<crate::core::event::Recorded>, EngineError> {
        Ok(self.with_store(|store| store.read(run, after))?)
    }

    /// The definition that a run keeps.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn definition(&self, run: &Run) -> Result<Arc<Pinned>, EngineError> {
        let known = self.read_definition().as_ref().filter(|(hash, _)| *hash == run.definition).cloned();
        match known {
            Some((_, pinned)) => Ok(pinned),
            None => Ok(Arc::new(self.with_store(|store| store.definition(&run.definition))?)),
        }
    }

    fn read_definition(&self) -> MutexGuard<'_, Option<(Fingerprint, Arc<Pinned>)>> {
        self.shared.definition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any process drives a run.
    #[must_use]
    pub fn is_driven(&self, run: RunId) -> bool {
        self.drive_of(run).is_some() || self.shared.ports.ownership.is_owned(run)
    }

    /// Runs, newest first, at the status that a person is shown; see [`Status::shown`].
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn history(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, EngineError> {
        let kept = Status::kept_as(&query.statuses);
        if kept.iter().all(|status| status.is_over()) {
            return self.listed(query);
        }
        // What a run is shown at is not in its row alone: so many rows are read as it takes to fill the page.
        let most = if query.limit == 0 { 50 } else { query.limit };
        let mut page = HistoryQuery { statuses: kept, limit: query.offset + most, offset: 0, ..query.clone() };
        let mut found = Vec::new();
        loop {
            let rows = self.listed(&page)?;
            let last = rows.len() < page.limit;
            found.extend(rows.into_iter().filter(|row| query.statuses.contains(&row.status)));
            if last || found.len() >= query.offset + most {
                return Ok(found.into_iter().skip(query.offset).take(most).collect());
            }
            page.offset += page.limit;
        }
    }

    /// Rows at the status that a person is shown, of runs that the journal has at those of the query.
    fn listed(&self, query: &HistoryQuery) -> Result<Vec<RunRow>, EngineError> {
        let mut rows = self.with_store(|store| store.history(query))?;
        for row in &mut rows {
            let driven = row.status == Status::Running && self.is_driven(row.run);
            row.status = row.status.shown(Facts { gates: row.waiting as usize, only_asks: false, driven });
        }
        Ok(rows)
    }

    /// A run as it stands, and a mailbox with all that comes after.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be used.
    pub fn subscribe(&self, run: RunId) -> Result<(Run, Subscription), EngineError> {
        let feed = self.feed(run);
        let subscription = feed.subscribe();
        // Opened before the journal is read: what comes twice is told by its number, what comes once is not missed.
        let snapshot = self.load(run)?;
        if self.drive_of(run).is_none() {
            self.watch(run, snapshot.seq, feed)?;
        }
        Ok((snapshot, subscription))
    }

    /// Takes a run up, or says that another process drives it. It goes on by itself until it waits or is over; a run
    /// that waits stays in hand, so that the next decision goes on at once. Who has subscribed before hears of its next
    /// rest, be it the one in which it is found.
    ///
    /// # Errors
    /// When there is no such run, a later version wrote it, or the store cannot be used.
    pub fn drive(&self, run: RunId) -> Result<Driver, EngineError> {
        self.drive_with_policy(run, Arc::new(|_, _| None))
    }

    /// As [`Engine::drive`]; what `answers` answers, as the person who drives here, is never waited for.
    ///
    /// # Errors
    /// As [`Engine::drive`].
    pub fn drive_with_policy(&self, run: RunId, policy: DecisionPolicy) -> Result<Driver, EngineError> {
        self.take(run, policy, run_loop::Taken::Resumed)
    }

    /// As [`Engine::drive`], for who only looks at the run: while it waits, nothing is written until something happens in
    /// it, so that it has not changed because somebody read it.
    ///
    /// # Errors
    /// As [`Engine::drive`].
    pub fn attend(&self, run: RunId) -> Result<Driver, EngineError> {
        self.take(run, Arc::new(|_, _| None), run_loop::Taken::Attended)
    }

    fn take(&self, run: RunId, policy: DecisionPolicy, how: run_loop::Taken) -> Result<Driver, EngineError> {
        if self.drive_of(run).is_some_and(|drive| drive.send(EngineCommand::Announce(self.feed(run).newest()))) {
            return Ok(Driver::Local);
        }
        let runtime = Handle::try_current().map_err(|_| EngineError::no_runtime())?;
        let lease = locked::blocking(|| self.shared.ports.ownership.take(run))?;
        let Some(lease) = lease else { return Ok(Driver::Remote) };
        let (control, inbox) = DriveControl::new();
        let handle = (control.clone(), inbox);
        let run_loop = run_loop::RunLoop::open(self.clone(), run, lease, self.feed(run), (policy, how), handle)?;
        self.shared.drives.lock().unwrap_or_else(PoisonError::into_inner).insert(run, control);
        runtime.spawn(run_loop.drive());
        Ok(Driver::Local)
    }

    /// Records a decision. It is committed when this returns.
    ///
    /// # Errors
    /// When it may not be made, it names a model that is not known, or the store cannot be used.
    pub async fn decide(&self, run: RunId, decision: Decision) -> Result<(), EngineError> {
        if let Some(model) = decision.kind.model() {
            self.knows_model(model)?;
        }
        self.check_filled(run, &decision)?;
        if let Some(drive) = self.drive_of(run) {
            let (reply, answer) = oneshot::channel();
            if drive.send(EngineCommand::Decide(decision.clone(), self.who.clone(), reply))
                && let Ok(answer) = answer.await
            {
                return answer;
            }
        }
        let who = self.who.clone();
        self.take_secret(run, &decision)?;
        self.append_decision(run, move |run| decide::decide(run, &decision, &who)).await
    }

    /// Has later attempts of a call made by another model, a role or `PROVIDER/MODEL`; beyond
    /// [`InstructionScope::This`] also those of the calls of its step for which none was chosen. `key` may be a step's
    /// of which no call has begun; in a conversation the choice is for all that follows. Nothing is performed by this:
    /// [`DecisionKind::Retry`] and [`DecisionKind::Again`] take a model along for that. The choice is no part of a
    /// fingerprint: what stands goes on standing.
    ///
    /// # Errors
    /// When the model is not known, the call asks no model, or the store cannot be used.
    pub async fn choose_model(
        &self,
        run: RunId,
        key: &Key,
        model: &str,
        scope: InstructionScope,
    ) -> Result<(), EngineError> {
        self.knows_model(model)?;
        let (key, model, who) = (key.clone(), model.to_owned(), self.who.clone());
        // A step that has not begun has no call that says whose step it is.
        let pinned = self.definition(&self.load(run)?)?;
        self.append(run, move |run| decide::choose_model(run, &key, pinned.workflow_of(&key), &model, scope, &who))
            .await
    }

    fn knows_model(&self, model: &str) -> Result<(), EngineError> {
        let known = self.shared.ports.executor.knows_model(model);
        known.map_err(|failure| Refusal::new(ErrorCode::UnknownModel, failure.message).into())
    }

    /// Records a person's message in a conversation. It is committed when this returns.
    ///
    /// # Errors
    /// When the run takes no message now, or the store cannot be used.
    pub async fn message(&self, run: RunId, text: &str) -> Result<(), EngineError> {
        let (who, text) = (self.who.clone(), text.to_owned());
        self.append(run, move |run| decide::message(run, &text, &who)).await
    }

    /// Records a person's edit of a document; `version` is the one that was seen.
    ///
    /// # Errors
    /// When there is a newer version, or the store cannot be used.
    pub async fn edit_document(
        &self,
        run: RunId,
        name: &str,
        version: u32,
        title: &str,
        body: &str,
    ) -> Result<(), EngineError> {
        let who = self.who.clone();
        let [name, title, body] = [name, title, body].map(str::to_owned);
        self.append(run, move |run| decide::edit_document(run, &name, version, &title, &body, &who)).await
    }

    /// Gives a run another title.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn rename(&self, run: RunId, title: &str) -> Result<(), EngineError> {
        let event = Event::RunRenamed { title: title.to_owned(), by: self.who.clone() };
        self.append(run, move |_| Ok(vec![event.clone()])).await
    }

    /// Keeps the value of a secret input that was typed, for the life of this process.
    pub fn provide_secret(&self, run: RunId, name: &str, value: Secret) {
        self.shared.ports.secrets.provide(run, name, value);
    }

    /// Asks again for every call that failed, with a fresh set of attempts each, if the run failed.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn retry_failed(&self, run: RunId) -> Result<(), EngineError> {
        let who = self.who.clone();
        self.append(run, move |run| decide::retry_failed(run, &who)).await
    }

    /// Stops a run for good. Attempts under way are broken off, their partial text is kept.
    ///
    /// # Errors
    /// When it is over already, or the store cannot be used.
    pub async fn cancel(&self, run: RunId) -> Result<(), EngineError> {
        if let Some(drive) = self.drive_of(run) {
            let (reply, answer) = oneshot::channel();
            drive.interrupt.raise();
            if drive.send(EngineCommand::Cancel(self.who.clone(), reply))
                && let Ok(answer) = answer.await
            {
                return answer;
            }
        }
        let who = self.who.clone();
        self.append(run, move |run| decide::cancel(run, &who)).await?;
        if !self.is_driven(run) {
            for program in orphan::left(&*self.shared.ports.spool, run) {
                program.end(&*self.shared.ports.spool, run).await;
            }
        }
        Ok(())
    }

    /// Stops what is under way of one call, or an attempt whose tool calls wait for a person; its partial text is kept and a
    /// person is asked what to do. One that is in doubt is not stopped: what happened is said first. `false`: the run is not
    /// driven here, and nothing was done.
    #[expect(clippy::must_use_candidate, reason = "who ends all that is driven here need not hear it")]
    pub fn stop(&self, run: RunId, key: &Key) -> bool {
        self.drive_of(run).map(|drive| drive.stop(key)).is_some()
    }

    /// Gives a run up here: attempts under way are broken off, and it is paused for this reason. `false` as of
    /// [`Engine::stop`].
    #[expect(clippy::must_use_candidate, reason = "who ends all that is driven here need not hear it")]
    pub fn pause(&self, run: RunId, reason: PauseReason) -> bool {
        self.drive_of(run).map(|drive| drive.pause(reason)).is_some()
    }

    /// Gives a run up here once the answers of models that are under way have come; what else is under way is broken off,
    /// and nothing more begins.
    pub fn leave(&self, run: RunId, reason: PauseReason) {
        if let Some(drive) = self.drive_of(run) {
            drive.leave(reason);
        }
    }

    /// Whether the answer of a model to a call of that run is under way in this process.
    #[must_use]
    pub fn is_answering(&self, run: RunId) -> bool {
        self.drive_of(run).is_some_and(|drive| drive.is_answering())
    }

    /// The runs that this process drives.
    #[must_use]
    pub fn driven(&self) -> Vec<RunId> {
        self.shared.drives.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// The value of a typed secret goes to this process's keeping, never to the journal.
    fn take_secret(&self, run: RunId, decision: &Decision) -> Result<(), EngineError> {
        let DecisionKind::Answer { value } = &decision.kind else { return Ok(()) };
        let folded = self.fold(run)?;
        let call = folded.call(&decision.key);
        let gate = call.and_then(|call| decide::gate_of(&folded, call, decision.call).ok()).cloned();
        self.remember(folded);
        let Some(gate) = gate.filter(|gate| gate.kind() == GateKind::Secret) else { return Ok(()) };
        if self.shared.ports.ownership.is_owned(run) {
            let text = "another process drives the run: the secret must be typed there";
            return Err(Refusal::new(ErrorCode::DrivenElsewhere, text).into());
        }
        self.keep_secret(run, &gate, value)
    }

    fn keep_secret(&self, run: RunId, gate: &Gate, value: &Value) -> Result<(), EngineError> {
        let (GateBody::Secret(SecretBody { name, .. }), Some(value)) = (&gate.body, value.as_str()) else {
            return Err(Refusal::new(ErrorCode::InvalidInput, "the secret's value must be a text").into());
        };
        self.shared.ports.secrets.provide(run, name, Secret::new(value));
        Ok(())
    }

    fn drive_of(&self, run: RunId) -> Option<DriveControl> {
        let drives = self.shared.drives.lock().unwrap_or_else(PoisonError::into_inner);
        drives.get(&run).filter(|drive| !drive.is_closed()).cloned()
    }

    fn feed(&self, run: RunId) -> Feed {
        self.shared.feeds.of(run)
    }
}
