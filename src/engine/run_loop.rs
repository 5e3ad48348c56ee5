//! The one loop: feed the flow, perform what it wants, append what happened.
//!
//! What happens is *staged*: folded into the run and fed to the flow at once, and committed before anything begins or
//! is shown because of it. If another process appended in between, only what was measured (facts) is kept; the rest is
//! asked of the flow again, on top of what the other wrote.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::core::actor::Actor;
use crate::core::call::Call;
use crate::core::decide::Refusal;
use crate::core::document::{self, Document, RESULT};
use crate::core::event::{Event, PauseReason};
use crate::core::failure::{Failure, FailureClass};
use crate::core::form::FieldType;
use crate::core::id::RunId;
use crate::core::kept_files::KeptFiles;
use crate::core::key::Key;
use crate::core::pinned::Pinned;
use crate::core::ports::{BoxFuture, JournalError, Lease, SessionUpdate};
use crate::core::run::{Run, Status};
use crate::core::secret::SecretRef;
use crate::core::task::{Body, FlowKind, Kind, Task};
use crate::core::text::Untrusted;
use crate::core::tool::{DeclaredTools, server_of};
use crate::core::usage::Budget;
use crate::core::work::Work;
use crate::engine::attempts::Attempts;
use crate::engine::control::DriveControl;
use crate::engine::failpoint::failpoint;
use crate::engine::feed::{Feed, StopReason, Update};
use crate::engine::log::Log;
use crate::engine::orphan;
use crate::engine::owner::Owner;
use crate::engine::time::SteadyClock;
use crate::engine::{DecisionPolicy, Engine, EngineCommand, EngineError, recover};
use crate::flow::{End, Flow, Session, Want, Wants};

/// Drives one run in this process.
pub struct RunLoop {
    pub(super) engine: Engine,
    pub(super) run: Run,
    pub(super) owner: Owner,
    pub(super) log: Log,
    pub(super) attempts: Attempts,
    pub(super) feed: Feed,
    pub(super) policy: DecisionPolicy,
    pub(super) flow: Box<dyn Flow>,
    pub(super) session: Box<dyn Session>,
    pub(super) config: RunConfig,
    pub(super) control: DriveControl,
    pub(super) inbox: mpsc::UnboundedReceiver<EngineCommand>,
    /// What the run leaves to its session when its end is committed.
    pub(super) leaves: Option<SessionUpdate>,
    pub(super) wants: Wants,
    /// The event at which it was last said that a person is waited for: said again once something has happened.
    pub(super) announced: u64,
    pub(super) clock: SteadyClock,
}

/// What of the definition the loop needs.
pub(super) struct RunConfig {
    pub(super) concurrency: usize,
    pub(super) budget: Budget,
    pub(super) secrets: Vec<(String, SecretRef)>,
    pub(super) pinned: Arc<Pinned>,
    /// The tools that each definition of it declares, where there are any.
    declared: HashMap<Option<String>, Arc<DeclaredTools>>,
    pub(super) task: String,
    /// What comes next is decided by code that somebody wrote.
    pub(super) runs_code: bool,
}

/// How a run is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// To go on.
    Resumed,
    /// To be looked at: one that waits is left as it is until something happens in it.
    Attended,
}

/// Why the loop ends before its time: the journal cannot be used.
pub(super) struct JournalLost(pub(super) JournalError);

impl From<JournalError> for JournalLost {
    fn from(error: JournalError) -> Self {
        Self(error)
    }
}

impl RunLoop {
    /// Takes a run up: what another process left without an outcome is settled first.
    ///
    /// # Errors
    /// When the run cannot be read or its definition cannot be run.
    pub fn open(
        engine: Engine,
        run: RunId,
        lease: Box<dyn Lease>,
        feed: Feed,
        (policy, how): (DecisionPolicy, Taken),
        (control, inbox): (DriveControl, mpsc::UnboundedReceiver<EngineCommand>),
    ) -> Result<Self, EngineError> {
        let ports = &engine.shared.ports;
        failpoint("recovery.before");
        let before = engine.with_store(|store| store.epoch(run))?;
        failpoint("recovery.taken");
        let run = engine.fold(run)?;
        if run.newer {
            return Err(Refusal::newer().into());
        }
        let pinned = engine.definition(&run)?;
        *engine.read_definition() = None;
        let pinned = super::folder::completed(pinned, run.id, &*ports.folders)?;
        let flow = crate::flow::interruptible(&pinned, &ports.environment, &control.interrupt);
        let config = RunConfig::of(&pinned, &run);
        let left = orphan::left(&*ports.spool, run.id);
        let session = flow.open(&run);
        let mut run_loop = Self {
            session,
            flow,
            config,
            owner: Owner::after(before, lease),
            log: Log::at(run.seq),
            attempts: Attempts::after(left),
            feed,
            policy,
            control,
            inbox,
            leaves: None,
            announced: 0,
            wants: Wants::default(),
            clock: SteadyClock::new(Arc::clone(&ports.clock), run.updated_at),
            run,
            engine,
        };
        if run_loop.run.status != Status::Cancelled {
            let after = match run_loop.run.status {
                Status::Paused => run_loop.run.paused,
                _ => run_loop.run.in_hand().then_some(PauseReason::Crashed),
            };
            let by = run_loop.engine.who.clone();
            let (events, spent) = recover::abandoned(
                &run_loop.run,
                &run_loop.engine.shared.ports,
                &run_loop.config,
                &run_loop.attempts.left,
            );
            let rests = run_loop.run.status == Status::Waiting && events.is_empty();
            if run_loop.run.status != Status::Completed && !(rests && how == Taken::Attended) {
                let epoch = run_loop.owner.epoch();
                run_loop.stage(Event::RunResumed { by, epoch, after }, false);
            }
            for event in events {
                run_loop.stage(event, true);
            }
            run_loop.attempts.spent = spent;
        }
        failpoint("recovery.staged");
        Ok(run_loop)
    }

    /// Drives until the run is over, is given up, or cannot be written.
    pub async fn drive(mut self) {
        let reason = match self.turn().await {
            Ok(reason) => reason,
            Err(JournalLost(why)) => StopReason::JournalLost(why),
        };
        self.cancel_attempts();
        self.end_what_was_left();
        while self.attempts.ending.join_next().await.is_some() {}
        let run = self.run.id;
        // A program that decides what comes next ends before anybody hears that the run rests: who hears of it may end
        // this process.
        let session = self.session;
        let _ = tokio::task::spawn_blocking(move || drop(session)).await;
        let mut drives = self.engine.shared.drives.lock().unwrap_or_else(PoisonError::into_inner);
        drives.remove(&run);
        drop(drives);
        let committed = self.log.committed();
        let Self { engine, feed, owner, mut inbox, .. } = self;
        // The lock is free before anybody hears of the rest: whoever hears of it may take the run up.
        drop(owner);
        inbox.close();
        let is_over = reason == StopReason::Over;
        feed.publish(&[Update::Stopped(reason)]);
        // Whoever still reads hears what other processes do from here on. What is over is for whoever opens it again.
        if !is_over {
            let _ = engine.watch(run, committed, feed);
        }
    }

    async fn turn(&mut self) -> Result<StopReason, JournalLost> {
        let shared = Arc::clone(&self.engine.shared);
        loop {
            // From before it is looked who may start, so that no place that comes free is missed.
            let lane_freed = shared.lane_freed.notified();
            self.settle_derived()?;
            if self.is_interrupted() && self.control.pausing().is_none() {
                // What it was interrupted for is on its way.
                if let Some(command) = self.inbox.recv().await {
                    self.handle(command)?;
                }
                continue;
            }
            // What is overdue is answered before anybody decides, by a policy too.
            let mut answers = self.overdue();
            if answers.is_empty() {
                answers = self.answered_by_policy();
            }
            if !answers.is_empty() {
                for event in answers {
                    self.stage(event, false);
                }
                continue;
            }
            if let Some(reason) = self.settle()? {
                return Ok(reason);
            }
            self.commit()?;
            if !self.attempts.late.is_empty() {
                for ended in std::mem::take(&mut self.attempts.late) {
                    self.take_end(&ended);
                }
                continue;
            }
            self.end_what_was_left();
            if self.is_idle() && self.announced != self.log.committed() {
                self.announced = self.log.committed();
                self.feed.publish(&[Update::Stopped(StopReason::Waiting)]);
            }
            let timer = self.timer();
            tokio::select! {
                command = self.inbox.recv() => {
                    if let Some(command) = command { self.handle(command)?; }
                }
                Some(ended) = self.attempts.endings.recv() => self.take_end(&ended),
                () = self.owner.lease.woken() => { self.catch_up()?; }
                () = self.owner.lease.lost() => return Err(JournalError::Superseded.into()),
                () = timer => {}
                () = lane_freed, if !self.wants.calls.is_empty() => {}
            }
            while let Ok(ended) = self.attempts.endings.try_recv() {
                self.take_end(&ended);
            }
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Whether the flow's code is not waited for any more: the run is to be given up here, or to be cancelled.
    pub(super) fn is_interrupted(&self) -> bool {
        self.config.runs_code && self.run.status != Status::Cancelled && self.control.interrupt.is_raised()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.attempts.under_way.is_empty() && self.attempts.retry_at.is_none() && self.run.status == Status::Waiting
    }

    /// When something is due by itself: a retry, or the deadline of a gate.
    fn next_wake(&self) -> Option<DateTime<Utc>> {
        // One that is given up here leaves its gates to whoever drives it next.
        let pausing = self.control.pausing().is_some();
        let due = self.run.next_due().filter(|_| !pausing).map(|due| due.at);
        self.attempts.retry_at.into_iter().chain(due).min()
    }

    /// Waits until something is due by itself.
    fn timer(&self) -> BoxFuture<'static, ()> {
        match self.next_wake() {
            Some(at) => self.engine.shared.ports.timers.wake_at(self.run.id, at, self.now()),
            None => Box::pin(std::future::pending()),
        }
    }

    /// Ends the drive, or says that the run waits, once nothing is under way. That is committed together with what led
    /// to it.
    fn settle(&mut self) -> Result<Option<StopReason>, JournalLost> {
        if self.run.status == Status::Cancelled {
            // Another process may have said so; what is under way here is broken off, whoever did.
            for attempt in self.attempts.under_way.values() {
                attempt.cancel.cancel();
            }
        }
        if !self.attempts.under_way.is_empty() || !self.attempts.starting.is_empty() {
            return Ok(None);
        }
        if self.run.status == Status::Cancelled {
            // What its tools returned since is kept.
            self.commit()?;
            return Ok(Some(StopReason::Over));
        }
        if let Some(reason) = self.control.pausing().or_else(|| self.leaves()) {
            if !self.run.status.is_over() {
                self.pause_tool_attempts(&Actor::Person);
                self.stage(Event::RunPaused { reason }, true);
                self.commit()?;
            }
            return Ok(Some(StopReason::Paused));
        }
        match self.wants.end.take() {
            Some(End::Completed { title, body }) => {
                if self.complete(title, body)? {
                    self.over(Status::Completed)
                } else {
                    self.wait()
                }
            }
            Some(End::Failed { key, failure }) => self.fail(key, failure),
            None if self.attempts.retry_at.is_some() => Ok(None),
            None if self.run.gates() > 0 => self.wait(),
            // Other runs take all places at a provider.
            None if !self.wants.calls.is_empty() => Ok(None),
            None => {
                let message = "deadlock: the remaining steps wait for each other";
                self.fail(None, Failure::new(FailureClass::Definition, message))
            }
        }
    }

    /// The run fails. An attempt whose model calls tools, and of which nothing is at work just now, continues when the run is
    /// resumed.
    fn fail(&mut self, key: Option<Key>, error: Failure) -> Result<Option<StopReason>, JournalLost> {
        self.pause_tool_attempts(&Actor::Flow);
        self.stage(Event::RunFailed { key, error }, false);
        self.over(Status::Failed)
    }

    /// Why the run is given up here now that nothing is under way, although it could end or wait for the person.
    fn leaves(&self) -> Option<PauseReason> {
        let only_waits = |call: &Call| !call.gates.is_empty() && !call.is_under_way();
        let waits = |want: &Arc<Want>| self.run.call(&want.key).is_some_and(only_waits);
        let rests = self.wants.end.is_some() || self.run.gates() > 0 && self.wants.calls.iter().all(waits);
        self.control.leaving().filter(|_| !rests)
    }

    fn wait(&mut self) -> Result<Option<StopReason>, JournalLost> {
        if self.run.status != Status::Waiting {
            self.stage(Event::RunWaiting {}, false);
            self.commit()?;
        }
        Ok(None)
    }

    /// Completes the run, unless a person is to say first whether their own text of a document counts. A workflow's
    /// result is a document; as long as the flow gives the same, a person's edit of it stays.
    fn complete(&mut self, mut title: Untrusted, mut body: Untrusted) -> Result<bool, JournalLost> {
        if self.run.kind == Kind::Workflow {
            for event in document::given(&self.run, RESULT, &title, &body) {
                self.stage(event, false);
            }
            if self.run.gates() > 0 {
                return Ok(false);
            }
            if let Some((_, current)) = self.run.documents.get(RESULT).and_then(Document::current) {
                (title, body) = (current.title.clone(), current.body.clone());
            }
        }
        let known = self.run.result.as_ref().is_some_and(|result| result.title == title && result.body == body);
        if self.run.status != Status::Completed || !known {
            self.settle_state()?;
            self.stage(Event::RunCompleted { title, body }, false);
        }
        Ok(true)
    }

    /// Commits the end of the run. What others wrote meanwhile may make it go on instead.
    fn over(&mut self, status: Status) -> Result<Option<StopReason>, JournalLost> {
        self.commit()?;
        if self.run.status != status {
            return self.settle();
        }
        Ok(Some(StopReason::Over))
    }

    /// Tells the person's own command how the run stands.
    pub(super) fn notify(&self, status: Status) {
        let status = status.name();
        let command = &self.engine.shared.ports.notify;
        let Some((program, arguments)) = command.split_first() else { return };
        let title = crate::core::text::visible(&self.run.title, false).into_owned();
        let run = self.run.id.short();
        let spawned = std::process::Command::new(program)
            .args(arguments)
            .arg(format!("{title}: {status} ({run})"))
            .envs([("STEPWELL_STATUS", status), ("STEPWELL_RUN", &run), ("STEPWELL_TITLE", &title)])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        if let Ok(mut child) = spawned {
            std::thread::spawn(move || child.wait());
        }
    }
}

impl RunConfig {
    pub(super) fn of(pinned: &Arc<Pinned>, run: &Run) -> Self {
        let concurrency = match &pinned.task.body {
            Body::Workflow(workflow) => workflow.max_concurrency.max(1) as usize,
            Body::Instruct(_) => 1,
        };
        let secrets = pinned.task.inputs.iter().filter(|field| field.kind == FieldType::Secret);
        Self {
            concurrency,
            budget: pinned.budget(),
            secrets: secrets
                .filter_map(|field| {
                    let reference = run.inputs.get(&field.name)?.as_str()?.parse().ok()?;
                    Some((field.name.clone(), reference))
                })
                .collect(),
            pinned: Arc::clone(pinned),
            declared: pinned
                .workflows()
                .filter(|(_, task)| !task.tools.is_empty())
                .map(|(name, task)| (name.map(str::to_owned), Arc::new(task.tools.clone())))
                .collect(),
            task: run.task.clone(),
            runs_code: std::iter::once(&pinned.task).chain(pinned.children.values()).any(
                |task| matches!(&task.body, Body::Workflow(workflow) if !matches!(workflow.flow, FlowKind::Graph)),
            ),
        }
    }

    /// What an attempt gets a copy of: the files of the definition that declares its step, where its work names one.
    pub(super) fn files(&self, want: &Want, work: &Work) -> KeptFiles {
        match work {
            Work::Command(command) if !command.files.is_empty() => self.files_of(want),
            // One of the definition's own, which may be a program of it.
            Work::Tool { tool, .. } if server_of(tool).is_none() => self.files_of(want),
            _ => KeptFiles::default(),
        }
    }

    /// The files of the definition that declares a step.
    pub(super) fn files_of(&self, want: &Want) -> KeptFiles {
        match self.task_of(want).map(|task| &task.body) {
            Some(Body::Workflow(workflow)) => workflow.kept_files(),
            _ => KeptFiles::default(),
        }
    }

    /// The tools that a definition of the run declares; `None`: its own.
    pub(super) fn declared(&self, workflow: Option<&str>) -> Arc<DeclaredTools> {
        self.declared.get(&workflow.map(str::to_owned)).cloned().unwrap_or_default()
    }

    fn task_of(&self, want: &Want) -> Option<&Task> {
        match &want.workflow {
            Some(id) => self.pinned.children.get(id),
            None => Some(&self.pinned.task),
        }
    }
}
