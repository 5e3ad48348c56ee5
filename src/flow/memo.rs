//! The memo: what a call is asked to do now, held against what the journal has of it.
//!
//! A result stands for exactly the fingerprint that it was made for; everything else is wanted, stale or a person's to
//! judge. Graphs and scripts hold their calls here, so that both mean the same by it.

mod wanted;

use std::sync::Arc;

use minijinja::Value;

use crate::core::actor::Actor;
use crate::core::call::{Attempt, AttemptStatus, Call, CallStatus, Ending, Standing};
use crate::core::event::Event;
use crate::core::failure::Failure;
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Answer, Gate, GateBody, StaleBody};
use crate::core::key::{Key, Segment};
use crate::core::model::Message;
use crate::core::run::Run;
use crate::core::step::{Does, History, Prompt, Retry, Review, Rules, Step};
use crate::core::template::{Template, from_json};
use crate::flow::Want;
use crate::flow::evaluation::{Evaluation, Outcome};
use crate::flow::feedback;
use crate::flow::graph::history;
use crate::flow::judge::{self, Verdict};
use crate::flow::mistake::Mistake;
use crate::flow::moved;
use crate::flow::names::Names;
use crate::flow::plan::{Doing, Node, PromptPlan};
use crate::flow::skip::Skip;

/// Something that a call depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The step, or the call.
    pub key: Key,
    /// The newest event that changed what it came to.
    pub seq: u64,
    /// Changes whenever what others see of it does.
    pub stamp: u64,
    /// The names through which the steps inside a group see it: `steps.divide`, `item`.
    pub through: Arc<[String]>,
}

/// A call as the flow sees it; the want is kept as long as the names that it was made from stay the same.
#[derive(Default)]
pub struct Cell {
    want: Option<Arc<Want>>,
    /// The standing output, converted once, with the event that made it stand.
    output: Option<(u64, Value)>,
    /// The attempt that a person rejected last when the want was made.
    rejected: u32,
    /// The call that condenses what comes before this one.
    summary: Option<Box<Helper>>,
}

/// A call that another needs before it can be made.
struct Helper {
    node: Node,
    key: Key,
    cell: Cell,
}

/// What a call is evaluated with.
pub struct Asked<'a> {
    /// Its name.
    pub key: &'a Key,
    /// The child workflow that declares its step; `None`: the run's own definition does.
    pub workflow: Option<&'a str>,
    /// Its step.
    pub node: &'a Node,
    /// What it sees.
    pub names: &'a Names,
    /// The item of a fan-out.
    pub item: Option<&'a Arc<serde_json::Value>>,
    /// The list of that fan-out, for items that moved.
    pub list: &'a [Arc<serde_json::Value>],
    /// What it depends on.
    pub depends: &'a [Dependency],
    /// What is put before a prompt as conversation.
    pub history: Option<&'a History>,
    /// The names of those steps, in declared order.
    pub before: &'a [Key],
    /// The model where the step does not name one.
    pub model: Option<&'a str>,
    /// How it is tried again where the step does not say.
    pub retry: &'a Retry,
    /// Limits of their own: calls with the same key, and how many of them at a time.
    pub lanes: &'a [(Key, usize)],
    /// It only helps another call, which is what a person is asked about: when it would be asked to do something else,
    /// it does.
    pub helps: bool,
}

/// What a call comes to.
pub struct CallView {
    /// Whether and how it has ended.
    pub outcome: Outcome,
    /// Its output, when it stands.
    pub output: Option<Value>,
    /// The newest event that changed what it came to; 0 when it has not ended.
    pub seq: u64,
    /// Changes whenever something inside it does.
    pub stamp: u64,
    /// Set when it is to be performed.
    pub want: Option<Arc<Want>>,
    /// The call inside that failed.
    pub failed_at: Option<Key>,
}

impl CallView {
    /// It has not ended.
    pub fn waiting() -> Self {
        Self { outcome: Outcome::Waiting, output: None, seq: 0, stamp: 0, want: None, failed_at: None }
    }

    /// It has an output.
    pub fn accepted(output: Value, seq: u64) -> Self {
        Self { outcome: Outcome::Accepted, output: Some(output), seq, ..Self::waiting() }
    }

    /// It failed, at a call inside it if one is named.
    pub fn failed(at: Option<Key>, failure: Failure) -> Self {
        Self { outcome: Outcome::Failed(failure), failed_at: at, ..Self::waiting() }
    }

    fn wanted(want: &Arc<Want>) -> Self {
        Self { want: Some(Arc::clone(want)), ..Self::waiting() }
    }

    fn ended(outcome: Outcome, seq: u64) -> Self {
        Self { outcome, seq, ..Self::waiting() }
    }
}

impl Cell {
    /// Forgets what was made from names that have changed.
    pub fn forget(&mut self) {
        self.want = None;
    }

    /// Holds what is asked against the journal.
    pub fn evaluate(&mut self, asked: &Asked<'_>, evaluation: &mut Evaluation<'_>) -> CallView {
        let run = evaluation.run;
        let call = run.call(asked.key);
        if let (Some(because), Some(call)) = (evaluation.left_out_by_person(asked.key), call) {
            return CallView::ended(Outcome::Skipped(Skip::by_person(because)), call.seq);
        }
        // A summary may have changed although nothing that it was made from did.
        let rejected = feedback::rejected(call).map_or(0, |attempt| attempt.number);
        let kept = self.summary.is_none() && self.rejected == rejected;
        self.rejected = rejected;
        let want = if let Some(want) = self.want.as_ref().filter(|_| kept) {
            Arc::clone(want)
        } else {
            let turns = match self.turns(asked, evaluation) {
                Ok(turns) => turns,
                Err(seen) => return *seen,
            };
            match wanted::make(asked, turns, evaluation) {
                Ok(want) => Arc::clone(self.want.insert(Arc::new(want))),
                Err(mistake) => return self.does_not_work_out(asked, call, &mistake, evaluation),
            }
        };
        let fingerprint = &want.fingerprint;
        let Some(call) = call else {
            return moved_or_wanted(asked, &want, evaluation);
        };
        if call.stands_for(fingerprint).is_some() {
            return self.stands(asked, call, &want, evaluation);
        }
        if let Some(Ending::Failed { fingerprint: failed, failure, .. }) = &call.ending
            && failed == fingerprint
            && !call.again
        {
            if call.status == CallStatus::Pending {
                // What led to it was taken back, and is asked for again as it was.
                evaluation.note(Event::CallFailed {
                    call: None,
                    key: asked.key.clone(),
                    step: asked.node.step.id.clone(),
                    fingerprint: fingerprint.clone(),
                    error: failure.clone(),
                    failed: Vec::new(),
                    by: Actor::Flow,
                });
                return CallView::waiting();
            }
            return CallView::ended(Outcome::Failed(failure.clone()), call.seq);
        }
        let newest_is_of_this = call.newest().is_some_and(|attempt| attempt.fingerprint == *fingerprint);
        let at_work = matches!(call.status, CallStatus::Running | CallStatus::Approval | CallStatus::InDoubt);
        if call.withdrawn && !newest_is_of_this && !at_work {
            // Nobody has relied on what it has.
            return moved_or_wanted(asked, &want, evaluation);
        }
        match call.status {
            CallStatus::Running | CallStatus::Approval => CallView::wanted(&want),
            // One of its tool calls waits; the attempt goes on, as far as it can.
            CallStatus::InDoubt | CallStatus::Input if call.runs_tools() || call.resumes_tools() => {
                CallView::wanted(&want)
            }
            CallStatus::InDoubt => CallView::waiting(),
            CallStatus::Input if newest_is_of_this => CallView::waiting(),
            // One that was not wanted for a while waits for the same judgement as before.
            CallStatus::Pending | CallStatus::Cancelled | CallStatus::Skipped | CallStatus::Failed
                if newest_is_of_this && (awaits_judgement(call) || was_given_up(call)) =>
            {
                judge_attempt(asked, call, evaluation)
            }
            CallStatus::Review if newest_is_of_this => judge_attempt(asked, call, evaluation),
            CallStatus::Stale
                if call.gates.own().is_some() && call.stale.as_ref().is_some_and(|s| s.fingerprint == *fingerprint) =>
            {
                CallView::waiting()
            }
            CallStatus::Stale => moved_or_stale(asked, call, &want, evaluation),
            _ if !call.again && has_result(call) && !is_tried_again(call, fingerprint) => {
                moved_or_stale(asked, call, &want, evaluation)
            }
            _ => moved_or_wanted(asked, &want, evaluation),
        }
    }

    /// The conversation that goes before a prompt. Where it is too long, a call of its own condenses the oldest turns.
    ///
    /// # Errors
    /// What that call comes to, as long as there is no summary.
    fn turns(&mut self, asked: &Asked<'_>, evaluation: &mut Evaluation<'_>) -> Result<Vec<Message>, Box<CallView>> {
        let turns = history::turns(evaluation.run, asked.history, asked.before);
        let Doing::Prompt(prompt) = &asked.node.does else { return Ok(turns) };
        let most = prompt.spec.summarize_over.unwrap_or(u64::MAX);
        let count = history::too_many(&turns, most);
        if count == 0 {
            self.summary = None;
            return Ok(turns);
        }
        let request = history::request(&turns[..count], most);
        let known = self.summary.take().filter(|helper| helper.asks(&request));
        let helper = self.summary.insert(known.unwrap_or_else(|| Box::new(Helper::new(asked, request))));
        let asked = Asked { key: &helper.key, node: &helper.node, history: None, item: None, helps: true, ..*asked };
        let view = helper.cell.evaluate(&asked, evaluation);
        match (&view.outcome, view.output) {
            (Outcome::Accepted, Some(summary)) => {
                let summary = summary.as_str().map_or_else(|| summary.to_string(), str::to_owned);
                Ok(history::condensed(turns, count, &summary))
            }
            (Outcome::Skipped(_), _) => Ok(turns.into_iter().skip(count).collect()),
            (Outcome::Failed(failure), _) => Err(Box::new(CallView::failed(Some(helper.key.clone()), failure.clone()))),
            _ => Err(Box::new(CallView { want: view.want, ..CallView::waiting() })),
        }
    }

    /// A version stands for exactly what is asked; later calls see it, whatever else goes on with this one.
    fn stands(
        &mut self,
        asked: &Asked<'_>,
        call: &Call,
        want: &Arc<Want>,
        evaluation: &mut Evaluation<'_>,
    ) -> CallView {
        let mut wanted = None;
        let tried_again = is_tried_again(call, &want.fingerprint);
        let at_work = matches!(call.status, CallStatus::Running | CallStatus::Approval) || call.runs_tools();
        // One that was stopped because it was asked for something else does not continue for this.
        let resumes = call.resumes_tools() && call.newest().is_some_and(|it| it.fingerprint == want.fingerprint);
        let at_work = at_work || resumes;
        if call.again || tried_again || at_work {
            wanted = Some(Arc::clone(want));
        } else {
            match call.status {
                // It was reopened, and another attempt has come to its end.
                CallStatus::Pending if awaits_judgement(call) => {
                    judge_attempt(asked, call, evaluation);
                }
                CallStatus::Pending
                | CallStatus::Stale
                | CallStatus::Skipped
                | CallStatus::Cancelled
                | CallStatus::Failed => {
                    evaluation
                        .note(Event::CallRestored { key: asked.key.clone(), fingerprint: want.fingerprint.clone() });
                }
                CallStatus::Review
                    if call.newest().is_some_and(|a| a.status == AttemptStatus::Review)
                        || is_edited(asked.node, call) =>
                {
                    judge_attempt(asked, call, evaluation);
                }
                _ => {}
            }
        }
        let Some(standing) = &call.standing else { return CallView::waiting() };
        CallView { want: wanted, ..CallView::accepted(self.output_of(standing), standing.seq) }
    }

    /// A standing output, converted once.
    fn output_of(&mut self, standing: &Standing) -> Value {
        match &self.output {
            Some((seq, output)) if *seq == standing.seq => output.clone(),
            _ => self.output.insert((standing.seq, from_json(&standing.output))).1.clone(),
        }
    }

    /// The definition's own mistake: the call fails without an attempt, unless a person has given its output for that.
    fn does_not_work_out(
        &mut self,
        asked: &Asked<'_>,
        call: Option<&Call>,
        mistake: &Mistake,
        evaluation: &mut Evaluation<'_>,
    ) -> CallView {
        if let Some(standing) = call.and_then(|call| call.stands_for(&mistake.identity())) {
            return CallView::accepted(self.output_of(standing), standing.seq);
        }
        if let Some(Call { ending: Some(Ending::Failed { fingerprint, failure, .. }), again: false, seq, .. }) = call
            && mistake.failed(fingerprint, failure)
            // What it is made from has changed since: it may fail in another way now, and that is what a person reads.
            && asked.depends.iter().all(|source| source.seq < *seq)
        {
            return CallView::ended(Outcome::Failed(failure.clone()), *seq);
        }
        evaluation.note(Event::CallFailed {
            call: None,
            key: asked.key.clone(),
            step: asked.node.step.id.clone(),
            fingerprint: mistake.identity(),
            error: mistake.failure().clone(),
            failed: Vec::new(),
            by: Actor::Flow,
        });
        CallView::waiting()
    }
}

impl Helper {
    /// The call that condenses turns: asked of the same model, never reviewed.
    fn new(asked: &Asked<'_>, request: String) -> Self {
        let (model, fallback) = match &asked.node.does {
            Doing::Prompt(prompt) => (prompt.spec.model.clone(), prompt.spec.fallback.clone()),
            _ => (None, Vec::new()),
        };
        let spec = Prompt { prompt: request.clone(), model, fallback, ..Prompt::default() };
        let plan = PromptPlan {
            prompt: Ok(Template::Plain(request.into())),
            system: None,
            attach: Vec::new(),
            tools: None,
            spec,
        };
        let own = &asked.node.step.rules;
        let rules = Rules {
            review: Some(Review::Never),
            retry: own.retry.clone(),
            timeout: own.timeout,
            priority: own.priority,
            cache: own.cache,
            ..Rules::default()
        };
        let does = Does::Prompt(plan.spec.clone());
        let step = Step { id: history::SUMMARY.to_owned(), title: None, does, rules };
        let node = Node::made_up(step, Doing::Prompt(Box::new(plan)));
        Self { node, key: asked.key.child(Segment::plain(history::SUMMARY)), cell: Cell::default() }
    }

    fn asks(&self, request: &str) -> bool {
        matches!(&self.node.does, Doing::Prompt(prompt) if prompt.spec.prompt == request)
    }
}

fn judge_attempt(asked: &Asked<'_>, call: &Call, evaluation: &mut Evaluation<'_>) -> CallView {
    // A gate is about one attempt: the newest, or the one that was reopened.
    let number = call.gates.own().map(|gate| gate.attempt);
    let Some(attempt) = number.and_then(|number| call.attempt(number)).or_else(|| call.newest()) else {
        return CallView::waiting();
    };
    let output = attempt.newest().map_or_else(|| Value::from(()), |(_, version)| from_json(&version.output));
    let names = asked.names.with_output(output).value();
    let node = asked.node;
    let asks_model = matches!(node.does, Doing::Prompt(_));
    let default = if asks_model { Review::Always } else { Review::Never };
    // A person is at it, whatever the step says of that.
    let review = match call.status {
        CallStatus::Review => Review::Always,
        _ => node.step.rules.review.clone().unwrap_or(default),
    };
    let rules =
        judge::Rules { checks: &node.checks, review, on_cut: node.step.rules.on_cut, when: node.review.as_ref() };
    let key = asked.key.clone();
    match judge::judge(asked.key, attempt, &rules, &names) {
        Verdict::Gate(gate) => {
            if call.gates.own() != Some(&gate) {
                evaluation.note(Event::GateOpened(gate));
            }
        }
        // A review that is open already stays a person's to close.
        _ if call.status == CallStatus::Review => {}
        Verdict::Accept => {
            let version = attempt.newest().map_or(1, |(version, _)| version);
            evaluation.note(Event::CallAccepted {
                key,
                attempt: attempt.number,
                version,
                by: Actor::Rule,
                overridden: Vec::new(),
            });
        }
        Verdict::Fail(error, failed) => evaluation.note(Event::CallFailed {
            call: None,
            key,
            step: node.step.id.clone(),
            fingerprint: attempt.fingerprint.clone(),
            error,
            failed,
            by: Actor::Flow,
        }),
    }
    CallView::waiting()
}

fn moved_or_wanted(asked: &Asked<'_>, want: &Arc<Want>, evaluation: &mut Evaluation<'_>) -> CallView {
    if moved::note(asked, want, evaluation) { CallView::waiting() } else { CallView::wanted(want) }
}

fn moved_or_stale(asked: &Asked<'_>, call: &Call, want: &Arc<Want>, evaluation: &mut Evaluation<'_>) -> CallView {
    if moved::note(asked, want, evaluation) {
        return CallView::waiting();
    }
    if asked.helps {
        return CallView::wanted(want);
    }
    let run = evaluation.run;
    let because = run.changed(call, &want.depends);
    evaluation.note(Event::CallStaled {
        key: asked.key.clone(),
        fingerprint: want.fingerprint.clone(),
        because: because.clone(),
    });
    if is_answered(run, call, &because) {
        evaluation.note(Event::CallRequested { call: None, key: asked.key.clone(), by: Actor::Flow });
        return CallView::waiting();
    }
    let attempt = call.standing.as_ref().map_or_else(|| call.newest().map_or(0, |a| a.number), |s| s.attempt);
    evaluation.note(Event::GateOpened(Gate {
        call: None,
        key: asked.key.clone(),
        workflow: None,
        attempt,
        version: call.standing.as_ref().map_or(1, |standing| standing.version),
        body: GateBody::Stale(StaleBody {
            because,
            had_effect: call.had_effect(),
            fingerprint: want.fingerprint.clone(),
            document: None,
        }),
        allowed: vec![Answer::Again, Answer::Keep],
    }));
    CallView::waiting()
}

/// Whether a person who said that a stale call runs again said so of this one as well: it is stale only because of
/// calls that run again, and of what had changed by then. What may have had an effect is asked about each time.
fn is_answered(run: &Run, call: &Call, because: &[Key]) -> bool {
    let standing = |key: &Key| run.call(key).and_then(|call| call.standing.as_ref());
    let answered = because.iter().filter_map(|key| standing(key)?.redone).max();
    let known = |key: &Key| standing(key).is_some_and(|s| s.redone.is_some() || Some(s.seq) < answered);
    answered.is_some() && because.iter().all(known) && !call.had_effect()
}

/// Whether what a person judges of a call that was taken up again is a version of their own. A form judges by its fields.
fn is_edited(node: &Node, call: &Call) -> bool {
    let (Some(gate), Some(standing)) = (call.gates.own(), &call.standing) else { return false };
    (gate.attempt, gate.version) != (standing.attempt, standing.version) && !matches!(node.does, Doing::Ask(_))
}

/// Whether its newest attempt has come to an end that nobody has judged.
fn awaits_judgement(call: &Call) -> bool {
    !call.again
        && call.newest().is_some_and(|attempt| match attempt.status {
            AttemptStatus::Review => true,
            // Broken off for good; one that is to run again is `pending`.
            AttemptStatus::Cancelled => call.status == CallStatus::Cancelled,
            _ => false,
        })
}

/// Whether its newest attempt was given up although it did not fail itself: the call was asked for something else then, and
/// failed at that.
fn was_given_up(call: &Call) -> bool {
    !call.again
        && call.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Failed && !attempt.versions.is_empty())
}

/// Whether its newest attempt, for just this, ended before its answer and is made again by itself: what was decided before
/// it began is not asked once more.
fn is_tried_again(call: &Call, fingerprint: &Fingerprint) -> bool {
    call.status == CallStatus::Pending
        && call.newest().is_some_and(|attempt| {
            attempt.fingerprint == *fingerprint
                && matches!(attempt.status, AttemptStatus::Cancelled | AttemptStatus::Failed)
                && attempt.versions.is_empty()
        })
}

/// Whether there is something that a person would not want to lose without being asked.
fn has_result(call: &Call) -> bool {
    let has_output = |attempt: &Attempt| match attempt.status {
        AttemptStatus::Review => true,
        // It was judged by its checks.
        AttemptStatus::Failed => !attempt.versions.is_empty(),
        _ => false,
    };
    // Turns that were paid for, and calls that had their effect.
    let has_turns = call.tool_use().is_some_and(|used| used.resumes && !used.turns.is_empty());
    call.standing.is_some() || has_turns || call.newest().is_some_and(has_output)
}
