//! Beginning: which wanted calls may start, and attempts on their way from intent to outcome.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::core::actor::Actor;
use crate::core::call::{AttemptStatus, Call, CallStatus, ToolCallEnd, ToolCallState};
use crate::core::event::{Event, Measured, Started};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Answer, Gate, GateBody, InputBody};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::Asker;
use crate::core::ports::{AskSink, AttemptContext, AttemptOutcome, AttemptRequest, Spool};
use crate::core::run::Run;
use crate::core::secret::SecretRef;
use crate::core::step::Timespan;
use crate::core::template::to_json;
use crate::core::text::Untrusted;
use crate::core::tool_call::ToolCallId;
use crate::core::usage::{Budget, Usage};
use crate::core::work::{Work, secret_marker};
use crate::engine::attempt::{self, Partial};
use crate::engine::attempts::{FinishedUnit, Starting, UnderWay, Unit, UnitOutcome};
use crate::engine::control::DriveControl;
use crate::engine::failpoint::failpoint;
use crate::engine::orphan::Program;
use crate::engine::ready::{self, Limits, Readiness, Taken};
use crate::engine::run_loop::RunLoop;
use crate::engine::{EngineCommand, compose, orphan, outcome, spooled, tool_loop};
use crate::flow::Want;

impl RunLoop {
    /// Stages the start of every wanted call that may start. True when the flow is to be fed again.
    pub(super) fn start_what_may(&mut self) -> bool {
        self.attempts.retry_at = None;
        if self.control.is_given_up() || self.wants.end.is_some() {
            return false;
        }
        let (calls, before) = (self.wants.calls.clone(), self.log.staged().len());
        // What takes no time goes first, alone: it may decide that the rest is not wanted.
        let (at_once, rest): (Vec<_>, Vec<_>) = calls.into_iter().partition(|want| takes_no_time(want));
        self.update_spending();
        self.start_these(at_once);
        if self.log.staged().len() == before {
            self.start_these(rest);
        }
        self.update_spending();
        self.log.staged().len() > before
    }

    pub(super) fn budget(&self) -> Budget {
        self.run.budget.unwrap_or(self.config.budget)
    }

    fn update_spending(&self) {
        let begun = self.attempts.under_way.iter().map(|(key, attempt)| (key, attempt.estimate));
        let begun = begun.chain(self.attempts.starting.iter().map(|starting| (&starting.want.key, starting.estimate)));
        self.attempts.spending.update(self.budget(), self.run.usage, begun);
    }

    fn start_these(&mut self, calls: Vec<Arc<Want>>) {
        let now = self.now();
        let mut taken = self.taken();
        for want in calls {
            let newest = self.run.call(&want.key).and_then(Call::newest);
            if newest.is_some_and(|attempt| attempt.tool_use.is_some() && attempt.status == AttemptStatus::Running) {
                self.advance(&want, &mut taken);
                continue;
            }
            if self.attempts.under_way.contains_key(&want.key) {
                continue;
            }
            let limits = Limits {
                concurrency: self.config.concurrency,
                budget: self.budget(),
                taken: &taken,
                hosts: &self.engine.shared.ports.hosts,
            };
            let asks = self.asks_first(&want);
            if limits.is_full_for(&want, &asks) && self.config.secrets.is_empty() {
                continue;
            }
            let work = compose::by_chosen_model(&self.run, &want);
            let executor = &self.engine.shared.ports.executor;
            let (estimate, missing) = (|| executor.estimate(&work, None), || self.missing_secret(&work));
            match ready::ready(&self.run, &want, &asks, &limits, now, estimate, missing) {
                Readiness::Wait => {}
                Readiness::Until(at) => self.attempts.retry_at = self.attempts.retry_at.into_iter().chain([at]).min(),
                Readiness::Ask(gate) => self.stage(Event::GateOpened(*gate), false),
                Readiness::Start(_) if matches!(*work, Work::Transform { .. }) => {
                    if !self.take_cached(&want) {
                        self.compute(&want);
                    }
                }
                Readiness::Start(_) if matches!(*work, Work::Ask { .. }) => self.ask(&want),
                Readiness::Start(estimate) => {
                    if self.take_cached(&want) {
                        continue;
                    }
                    if work.offers().is_some() {
                        self.stage_tool_attempt(&want, &work);
                        taken.add(&want.lanes, Usage::default());
                        continue;
                    }
                    let Ok(provider) = self.enter_lane(&work) else { continue };
                    self.stage_start(
                        &want,
                        &work,
                        if matches!(*work, Work::Prompt(_)) { Actor::Model } else { Actor::Program },
                    );
                    taken.add(&want.lanes, estimate);
                    self.attempts.starting.push(Starting { want, unit: Unit::Whole, estimate, provider });
                }
            }
        }
    }

    /// Breaks off what the flow does not want any more. What was about to begin with the next commit does not begin. A tool
    /// that was called may do what it does, and is left to finish.
    pub(super) fn break_off(&mut self, key: &Key) {
        if self.break_off_tools(key) {
            return;
        }
        if let Some(attempt) = self.attempts.under_way.get_mut(key) {
            attempt.broken_off_by = Actor::Flow;
            attempt.cancel.cancel();
        }
        let Some(at) = self.attempts.starting.iter().position(|starting| starting.want.key == *key) else { return };
        let starting = self.attempts.starting.remove(at);
        self.leave_lane(starting.provider.as_ref());
        let Some(attempt) = self.run.call(key).and_then(Call::newest).map(|attempt| attempt.number) else { return };
        let (key, partial, measured) = (key.clone(), Untrusted::default(), Measured::default());
        let by = Actor::Flow;
        self.stage(Event::AttemptCancelled { key, attempt, partial, again: false, by, measured }, false);
    }

    /// What the calls have that are under way, and those that begin with the next commit.
    fn taken(&self) -> Taken {
        let mut taken = Taken::default();
        for (key, attempt) in &self.attempts.under_way {
            taken.add(&attempt.lanes, self.attempts.spending.reserved(key).unwrap_or(attempt.estimate));
        }
        // Calls of one attempt are counted once.
        let mut counted: HashSet<&Key> = self.attempts.under_way.keys().collect();
        for Starting { want, estimate, .. } in &self.attempts.starting {
            if counted.insert(&want.key) {
                taken.add(&want.lanes, *estimate);
            }
        }
        taken
    }

    pub(super) fn stage_start(&mut self, want: &Want, work: &Arc<Work>, by: Actor) -> u32 {
        let call = self.run.call(&want.key);
        let attempt = call.map_or(1, Call::next_attempt);
        // What was computed stands in the output; only a schema is needed to judge an edit of it.
        let pure = matches!(**work, Work::Transform { schema: None, .. });
        let work = (!pure).then(|| compose::compose(&self.run, want.of(), call, work));
        self.stage(
            Event::AttemptStarted(Started {
                key: want.key.clone(),
                workflow: want.workflow.clone(),
                step: want.step.clone(),
                attempt,
                fingerprint: want.fingerprint.clone(),
                by,
                work,
                item: want.item.clone(),
                depends: want.depends.clone(),
                on_crash: self.on_crash(want),
            }),
            false,
        );
        attempt
    }

    /// A pure step is performed where it stands; it can be computed again, so it needs no commit of its own.
    pub(super) fn compute(&mut self, want: &Want) {
        let Work::Transform { value, schema } = &*want.work else { return };
        let attempt = self.stage_start(want, &want.work, Actor::Program);
        let problem = schema.as_ref().and_then(|schema| crate::core::schema::validate(schema, value).err());
        let output = Arc::new(value.clone());
        self.stage(
            Event::AttemptFinished { key: want.key.clone(), attempt, output, problem, measured: Measured::default() },
            false,
        );
    }

    /// A form is an attempt that the person makes.
    pub(super) fn ask(&mut self, want: &Want) {
        let Work::Ask { text, fields } = &*want.work else { return };
        let attempt = self.stage_start(want, &want.work, Actor::Person);
        let gate = Gate {
            call: None,
            key: want.key.clone(),
            workflow: None,
            attempt,
            version: 0,
            body: GateBody::Input(InputBody::Form { text: text.clone(), fields: fields.clone() }),
            allowed: vec![Answer::Answer, Answer::Skip],
        };
        self.stage(Event::GateOpened(gate), false);
    }

    /// An accepted result of an earlier run stands in for the attempt.
    pub(super) fn take_cached(&mut self, want: &Want) -> bool {
        let Some(age) = want.cache else { return false };
        if self.run.call(&want.key).is_some_and(|call| !call.attempts.is_empty()) {
            return false;
        }
        let since = self.now() - age.duration();
        let cached = self.engine.with_store(|store| store.cached(&want.fingerprint, since));
        let Ok(Some((from, output))) = cached else {
            return false;
        };
        if from == self.run.id {
            return false;
        }
        let attempt = self.stage_start(want, &want.work, Actor::Cache);
        let measured = Measured { notes: vec![format!("taken from run {}", from.short())], ..Measured::default() };
        let output = Arc::new(output);
        self.stage(Event::AttemptFinished { key: want.key.clone(), attempt, output, problem: None, measured }, false);
        true
    }

    pub(super) fn missing_secret(&self, work: &Work) -> Option<String> {
        if self.config.secrets.is_empty() {
            return None;
        }
        let text = serde_json::to_string(work).unwrap_or_default();
        let secrets = &self.engine.shared.ports.secrets;
        self.config.secrets.iter().find_map(|(name, reference)| {
            let used = text.contains(&secret_marker(&self.run.nonce, name));
            let typed = matches!(reference, SecretRef::Typed);
            (used && typed && matches!(secrets.resolve(self.run.id, name, reference), Ok(None))).then(|| name.clone())
        })
    }

    /// Takes a place at the provider, and gives its name if it has a limit.
    ///
    /// # Errors
    /// When all its places are taken.
    pub(super) fn enter_lane(&self, work: &Work) -> Result<Option<String>, ()> {
        let Some((provider, most)) = self.engine.shared.ports.executor.lane(work) else { return Ok(None) };
        let mut lanes = self.engine.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = lanes.entry(provider.clone()).or_default();
        if *count >= most {
            return Err(());
        }
        *count += 1;
        Ok(Some(provider))
    }

    pub(super) fn leave_lane(&self, provider: Option<&String>) {
        if let Some(provider) = provider {
            let mut lanes = self.engine.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = lanes.get_mut(provider) {
                *count = count.saturating_sub(1);
            }
            self.engine.shared.lane_freed.notify_waiters();
        }
    }

    /// Begins what is about to: its intent is committed.
    pub(super) fn begin_what_starts(&mut self) {
        for starting in std::mem::take(&mut self.attempts.starting) {
            match starting.unit {
                Unit::Whole | Unit::Request => self.begin(starting),
                Unit::List => self.begin_listing(&starting),
                Unit::Call(call) => self.begin_call(&starting, call),
            }
        }
    }

    /// Begins an attempt, or a request of one.
    fn begin(&mut self, starting: Starting) {
        let Starting { want, unit, estimate, provider } = starting;
        let newest = self.run.call(&want.key).and_then(Call::newest);
        let Some((attempt, work)) = newest.and_then(|a| Some((a.number, a.work.clone()?))) else {
            return self.leave_lane(provider.as_ref());
        };
        let transcript = newest.and_then(|attempt| tool_loop::transcript(attempt.tool_use.as_deref()?));
        let work = if unit == Unit::Request { compose::with_chosen_model(&self.run, &want, &work) } else { work };
        let ports = &self.engine.shared.ports;
        let partial = Partial::new(ports.spool.text(self.run.id, &spooled::partial(&want.key, attempt)));
        let files = self.config.files(&want, &work);
        let cancel = CancellationToken::new();
        self.control.begins(&want.key, &cancel, matches!(*work, Work::Prompt(_)));
        let request = AttemptRequest {
            run: self.run.id,
            key: want.key.clone(),
            attempt,
            work,
            timeout: want.timeout.map(Timespan::duration),
            longest_wait: Some(want.retry.max_delay),
            asker: Asker {
                task: self.config.task.clone(),
                step: want.step.clone(),
                attempt,
                inputs: Arc::clone(&self.run.inputs),
                item: want.item.as_deref().cloned(),
                vars: want.vars.as_ref().and_then(|vars| to_json(vars).ok()),
                index: want.key.last().item.or(want.key.last().iteration),
            },
            cwd: self.run.cwd.clone(),
            files,
            nonce: self.run.nonce.clone(),
            secrets: self.config.secrets.clone(),
            declared: self.config.declared(want.workflow.as_deref()),
            transcript,
        };
        let context = AttemptContext {
            deltas: attempt::sink(self.feed.clone(), want.key.clone(), attempt, Arc::clone(&partial)),
            cancel: cancel.clone(),
            ask: ask_sink(self.control.clone(), want.key.clone(), attempt, None),
            may_spend: self.attempts.spending.asks(want.key.clone()),
            began: program_sink(Arc::clone(&ports.spool), self.run.id, want.key.clone(), attempt, None),
            spool: Arc::clone(&ports.spool),
        };
        // Those of its tool calls are for whoever decides about these.
        let of_it = |program: &mut Program| program.key == want.key && program.call.is_none();
        let left = self.attempts.left.extract_if(.., of_it).collect::<Vec<_>>();
        let under_way = UnderWay {
            attempt,
            unit,
            calls: HashMap::new(),
            cancel,
            partial,
            retry: want.retry.clone(),
            lanes: want.lanes.clone(),
            provider,
            estimate,
            since: Instant::now(),
            broken_off_by: Actor::Person,
        };
        self.attempts.under_way.insert(want.key.clone(), under_way);
        let (ended, key) = (self.attempts.ended.clone(), want.key.clone());
        failpoint("begin.before");
        let (executor, spool, run) = (Arc::clone(&ports.executor), Arc::clone(&ports.spool), self.run.id);
        let guarded = tokio::spawn(async move {
            for program in left {
                program.end(&*spool, run).await;
            }
            executor.execute(request, context).await
        });
        failpoint("begin.after");
        tokio::spawn(async move {
            let outcome = guarded.await.unwrap_or_else(|error| AttemptOutcome::Failed {
                failure: Failure::new(FailureClass::Command, format!("the step crashed: {error}")),
                partial: Untrusted::default(),
                in_doubt: true,
                measured: Measured::default(),
            });
            let _ = ended.send(FinishedUnit { key, attempt, outcome: UnitOutcome::Attempt(outcome) });
        });
    }

    /// Ends what still runs of calls, and tool calls, that are given up or have failed. Of one in doubt it is left alone
    /// until a person decides; of one that worked, as a person said, for good.
    pub(super) fn end_what_was_left(&mut self) {
        for program in std::mem::take(&mut self.attempts.left) {
            match left_program(&self.run, &program) {
                LeftProgram::LetGo => {}
                LeftProgram::Ends => {
                    let (spool, run) = (Arc::clone(&self.engine.shared.ports.spool), self.run.id);
                    self.attempts.ending.spawn(async move { program.end(&*spool, run).await });
                }
                LeftProgram::Undecided => self.attempts.left.push(program),
            }
        }
    }

    pub(super) fn take_end(&mut self, ended: &FinishedUnit) {
        failpoint("outcome.received");
        let events = self.end_of(ended);
        self.release(ended);
        for event in events {
            self.stage(event, true);
        }
        if !self.attempts.under_way.contains_key(&ended.key) {
            self.attempts.taken_back.remove(&ended.key);
        }
    }

    /// Gives back what a unit had that has come to its end.
    fn release(&mut self, ended: &FinishedUnit) {
        let (key, attempt) = (&ended.key, ended.attempt);
        let Some(under_way) = self.attempts.under_way.get_mut(key) else { return };
        let call = match &ended.outcome {
            UnitOutcome::Called(call, _) => Some(*call),
            _ => None,
        };
        self.attempts.answers.remove(&(key.clone(), call));
        self.attempts.spent.push(spooled::program(key, attempt, call));
        if let Some(call) = call {
            under_way.calls.remove(&call);
            if !under_way.calls.is_empty() {
                return;
            }
        }
        let Some(under_way) = self.attempts.under_way.remove(key) else { return };
        self.control.ended(key);
        self.leave_lane(under_way.provider.as_ref());
        // What is spooled is removed once the outcome is committed.
        let partial = under_way.partial.end().then(|| spooled::partial(key, attempt));
        self.attempts.spent.extend(partial);
    }

    /// The events of a unit's end.
    pub(super) fn end_of(&self, ended: &FinishedUnit) -> Vec<Event> {
        let FinishedUnit { key, attempt, outcome } = ended;
        let under_way = self.attempts.under_way.get(key).filter(|under_way| under_way.attempt == *attempt);
        let (Some(under_way), Some(call)) = (under_way, self.run.call(key)) else { return Vec::new() };
        let runs = call.attempt(*attempt).is_some_and(|attempt| attempt.status == AttemptStatus::Running);
        match outcome {
            UnitOutcome::Called(id, outcome) => self.end_of_call(under_way, call, *id, outcome),
            // The run may have been cancelled meanwhile, or the attempt settled by a decision.
            _ if !runs => Vec::new(),
            UnitOutcome::Listed(Some(Ok(tools))) => vec![self.listed(call, *attempt, tools)],
            UnitOutcome::Listed(Some(Err(failure))) => {
                let failure = failure.clone();
                let (partial, measured) = (Untrusted::default(), Measured::default());
                self.end_of_attempt(
                    under_way,
                    call,
                    AttemptOutcome::Failed { failure, partial, in_doubt: false, measured },
                )
            }
            UnitOutcome::Listed(None) => {
                let (partial, measured) = (Untrusted::default(), Measured::default());
                self.end_of_attempt(under_way, call, AttemptOutcome::Cancelled { partial, in_doubt: false, measured })
            }
            UnitOutcome::Attempt(outcome) => self.end_of_attempt(under_way, call, outcome.clone()),
        }
    }

    fn end_of_attempt(&self, under_way: &UnderWay, call: &Call, outcome: AttemptOutcome) -> Vec<Event> {
        let ms = u64::try_from(under_way.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ms = ms.saturating_sub(call.attempt(under_way.attempt).map_or(0, |attempt| attempt.waited_ms));
        let now = self.now();
        let random = f64::from(self.engine.shared.ports.clock.random()[0]) / 255.0;
        let pausing = self.control.is_given_up();
        let outcome = if pausing { resumable(outcome) } else { outcome };
        let undone = self.attempts.taken_back.contains_key(&call.key);
        let mut events = outcome::events(call, under_way.attempt, outcome, ms, &under_way.retry, now, random);
        for event in &mut events {
            if let Event::AttemptCancelled { again, by, .. } = event {
                *again |= pausing || undone;
                by.clone_from(&under_way.broken_off_by);
            }
        }
        events
    }
}

/// What is to be done about a program that another process has left.
enum LeftProgram {
    /// It is left alone: a person said that it worked.
    LetGo,
    /// It is ended.
    Ends,
    /// That is not decided yet.
    Undecided,
}

fn left_program(run: &Run, program: &Program) -> LeftProgram {
    let Some(call) = run.call(&program.key) else { return LeftProgram::Ends };
    let used = call.attempt(program.attempt).and_then(|attempt| attempt.tool_use.as_deref());
    if let Some(asked) = program.call.and_then(|id| used?.call(id)) {
        match &asked.state {
            ToolCallState::Ended(ToolCallEnd::Answered { .. }) => return LeftProgram::LetGo,
            ToolCallState::Ended(_) => return LeftProgram::Ends,
            _ => {}
        }
    }
    // A newer attempt does its work now.
    if program.call.is_some() && call.newest().is_some_and(|newest| newest.number > program.attempt) {
        return LeftProgram::Ends;
    }
    match call.status {
        CallStatus::Accepted => LeftProgram::LetGo,
        CallStatus::Skipped | CallStatus::Cancelled | CallStatus::Failed => LeftProgram::Ends,
        _ => LeftProgram::Undecided,
    }
}

/// Whether a call may come to its end at once: it is computed, or taken from an earlier run.
fn takes_no_time(want: &Want) -> bool {
    want.cache.is_some() || matches!(*want.work, Work::Transform { .. })
}

/// An attempt that was broken off because the person left is taken up again by itself.
fn resumable(outcome: AttemptOutcome) -> AttemptOutcome {
    match outcome {
        AttemptOutcome::Failed { partial, in_doubt, measured, .. } if !in_doubt => {
            AttemptOutcome::Cancelled { partial, in_doubt, measured }
        }
        other => other,
    }
}

/// Notes the program that an attempt, or a tool call of it, has started, so that it is found should this process die.
pub(super) fn program_sink(
    spool: Arc<dyn Spool>,
    run: RunId,
    key: Key,
    attempt: u32,
    call: Option<ToolCallId>,
) -> Arc<dyn Fn(u32) + Send + Sync> {
    Arc::new(move |pid| orphan::note(&*spool, run, &key, (attempt, call), pid))
}

pub(super) fn ask_sink(control: DriveControl, key: Key, attempt: u32, call: Option<ToolCallId>) -> AskSink {
    Arc::new(move |fields| {
        let (answer, answered) = oneshot::channel();
        control.send(EngineCommand::Ask { key: key.clone(), attempt, call, fields, answer });
        Box::pin(async move { answered.await.unwrap_or(Value::Null) })
    })
}
