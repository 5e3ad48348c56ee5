//! The flow of instruct tasks: a conversation of replies, each of which asks for what is missing or delivers the
//! document.
//!
//! The calls are `reply#0`, `reply#1`, …; a person's message wants the next one, on a waiting run and on a completed
//! one. A reply is accepted as soon as it has ended: what the person thinks of it is said in the next message. What
//! was said stands for good, so only the newest reply is ever wanted, unless a person takes up an older one.
//! Everything follows from the folded run alone; a session holds nothing but its own copy of it.

use std::sync::Arc;

use serde_json::Value;

use super::names::Names;
use super::{Approval, ApprovalText, End, Flow, Session, Want, Wants, effort};
use crate::core::actor::Actor;
use crate::core::call::{AttemptStatus, Call, CallStatus, Ending};
use crate::core::document::{RESULT, Said, Turn};
use crate::core::event::Event;
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Answer, Gate, GateBody, InputBody};
use crate::core::key::{Key, Segment};
use crate::core::pinned::Pinned;
use crate::core::run::{Run, Status};
use crate::core::step::{OnCrash, OnCut, Retry};
use crate::core::step_name::REPLY;
use crate::core::task::{Body, Instruct, Task};
use crate::core::template::References;
use crate::core::tool::OfferedTools;
use crate::core::turn::{self, Wording};
use crate::core::work::{PromptWork, Reply, Work};

mod talk;

/// What is said of a reply that the limit of tokens cut.
const CUT: &str = "the limit of tokens cut the answer, and its end is missing";

/// The flow of an instruct task.
#[derive(Clone, Debug)]
pub struct Chat {
    pinned: Arc<Pinned>,
}

impl Chat {
    /// The flow of a pinned instruct task.
    #[must_use]
    pub fn new(pinned: Arc<Pinned>) -> Self {
        Self { pinned }
    }
}

impl Flow for Chat {
    fn open(&self, run: &Run) -> Box<dyn Session> {
        Box::new(Conversation { pinned: Arc::clone(&self.pinned), run: run.clone(), settled: 0 })
    }
}

struct Conversation {
    pinned: Arc<Pinned>,
    run: Run,
    /// So many replies, from the first, had settled at the last look, and nothing has happened to them since.
    settled: u32,
}

impl Session for Conversation {
    fn feed(&mut self, events: &[Event]) -> Wants {
        for event in events {
            // Nothing here depends on the time of an event, and of its number only the order counts.
            self.run.apply(self.run.seq + 1, self.run.updated_at, event);
            self.settled = match event {
                // It reaches further than the call that was decided about.
                Event::DecisionUndone { .. } => 0,
                _ => event.key().map_or(self.settled, |key| key.segments()[0].iteration.unwrap_or(0).min(self.settled)),
            };
        }
        let Body::Instruct(instruct) = &self.pinned.task.body else {
            return fails(None, Failure::new(FailureClass::Definition, "a conversation needs an instruct task"));
        };
        if self.run.status == Status::Cancelled {
            return Wants::default();
        }
        let now = Now { task: &self.pinned.task, instruct, run: &self.run };
        while now.run.call(&reply(self.settled)).is_some_and(is_settled) {
            effort::spend(1);
            self.settled += 1;
        }
        now.wants(self.settled)
    }

    fn names(&self, run: &Run, _: &References) -> minijinja::Value {
        Names::of(run, &self.pinned.task.inputs).value()
    }
}

/// The key of a reply, from 0.
fn reply(turn: u32) -> Key {
    Key::root(Segment { id: REPLY.to_owned(), item: None, iteration: Some(turn) })
}

fn fails(key: Option<Key>, failure: Failure) -> Wants {
    Wants { end: Some(End::Failed { key, failure }), ..Wants::default() }
}

/// The conversation as it stands.
struct Now<'a> {
    task: &'a Task,
    instruct: &'a Instruct,
    run: &'a Run,
}

impl Now<'_> {
    /// What is wanted, where all replies before the one with number `turn` have settled.
    fn wants(&self, turn: u32) -> Wants {
        if let Some(call) = self.run.call(&reply(turn)) {
            return self.unsettled(turn, call);
        }
        let newest = self.newest_reply();
        if let Some(note) = newest.and_then(|at| self.missing_note(at)) {
            return Wants { notes: vec![note], ..Wants::default() };
        }
        if turn == 0 || self.person_spoke_after(newest.max(self.written_instead(turn))) {
            return self.wanted(turn);
        }
        if self.run.gates() > 0 {
            return Wants::default();
        }
        match self.end() {
            Some(end) => Wants { end: Some(end), ..Wants::default() },
            // Only a reply that a person left out gets here: nothing to ask, nothing to show.
            None => Wants { notes: vec![self.open_input(&reply(turn - 1), 0, 0, After::Nothing)], ..Wants::default() },
        }
    }

    /// The place of the newest reply that counts, in the order of the conversation.
    fn newest_reply(&self) -> Option<usize> {
        self.run.said.iter().rposition(|said| matches!(said, Said::Model { .. }))
    }

    /// Where the person wrote the document in place of the newest reply, which was then left out: whatever was said before
    /// that needs no answer.
    fn written_instead(&self, turn: u32) -> Option<usize> {
        let newest = self.run.call(&reply(turn.checked_sub(1)?))?;
        let by_person = |said: &Said| matches!(said, Said::Written { by_model: false, .. });
        (newest.status == CallStatus::Skipped).then(|| self.run.said.iter().rposition(by_person)).flatten()
    }

    fn person_spoke_after(&self, place: Option<usize>) -> bool {
        let after = place.map_or(0, |place| place + 1);
        self.run.said[after..].iter().any(|said| matches!(said, Said::Person(_)))
    }

    /// A reply that has not settled: perform it, take its outcome, or wait for the person who stopped it.
    fn unsettled(&self, turn: u32, call: &Call) -> Wants {
        if call.gates.own().is_none()
            && call.status == CallStatus::Pending
            && let Some(attempt) = call.newest().filter(|attempt| attempt.status == AttemptStatus::Review)
            && let Some((version, made)) = attempt.newest()
        {
            if attempt.is_cut(version) && self.instruct.on_cut == Some(OnCut::Fail) {
                let error = Failure::new(FailureClass::TooLong, CUT);
                let (key, step, fingerprint) = (call.key.clone(), call.step.clone(), attempt.fingerprint.clone());
                let (failed, by) = (Vec::new(), Actor::Flow);
                let note = Event::CallFailed { key, call: None, step, fingerprint, error, failed, by };
                return Wants { notes: vec![note], ..Wants::default() };
            }
            let (key, attempt) = (call.key.clone(), attempt.number);
            let after = self.consequence(&key, attempt, version, &made.output);
            let accepted = Event::CallAccepted { key, attempt, version, by: Actor::Rule, overridden: Vec::new() };
            return Wants { notes: std::iter::once(accepted).chain(after).collect(), ..Wants::default() };
        }
        let continues = call.runs_tools() || call.resumes_tools();
        let stopped = matches!(call.status, CallStatus::Cancelled | CallStatus::Input) && !call.again && !continues;
        if stopped && !self.person_spoke_after(self.newest_reply()) {
            let attempt = call.newest().map_or(0, |attempt| attempt.number);
            let note = call.gates.own().is_none().then(|| self.open_input(&call.key, attempt, 0, After::Nothing));
            return Wants { notes: note.into_iter().collect(), ..Wants::default() };
        }
        let wants = self.wanted(turn);
        if let (Some(want), Some(Ending::Failed { fingerprint, failure, .. })) = (wants.calls.first(), &call.ending)
            && *fingerprint == want.fingerprint
            && !call.again
        {
            return fails(Some(call.key.clone()), failure.clone());
        }
        wants
    }

    /// What follows from an accepted reply: a version of the document, or a question to the person. One that is empty or
    /// was cut is no finished document, and ends no chat.
    fn consequence(&self, key: &Key, attempt: u32, version: u32, output: &Value) -> Option<Event> {
        let tried = self.run.call(key).and_then(|call| call.attempt(attempt));
        if tried.is_some_and(|tried| tried.is_cut(version) && self.instruct.on_cut != Some(OnCut::Accept)) {
            return Some(self.open_input(key, attempt, version, After::Unfinished(CUT)));
        }
        if let Some(problem) = tried.and_then(|tried| tried.unfit(version)) {
            return Some(self.open_input(key, attempt, version, After::Unfinished(problem)));
        }
        match talk::turn_of(output, self.instruct.is_plain()) {
            Turn::Say { .. } => None,
            Turn::Ask { text, missing } => {
                Some(self.open_input(key, attempt, version, After::Question(text.data(), &missing)))
            }
            Turn::Deliver { title, body, .. } => {
                let versions = self.run.documents.get(RESULT).map_or(0, |document| document.versions.len());
                Some(Event::DocumentWritten {
                    name: RESULT.to_owned(),
                    version: u32::try_from(versions).unwrap_or(u32::MAX).saturating_add(1),
                    title: if title.is_empty() { self.run.title.as_str().into() } else { title },
                    body,
                    by: Actor::Model,
                    proposed: false,
                    action: None,
                })
            }
        }
    }

    /// The consequence of the reply at that place, if the journal does not have it: it was adopted from another run,
    /// or the process died at the wrong moment.
    fn missing_note(&self, place: usize) -> Option<Event> {
        let Said::Model { key, attempt, version } = &self.run.said[place] else { return None };
        let call = self.run.call(key)?;
        let standing = call.standing.as_ref().filter(|s| s.attempt == *attempt && s.version == *version)?;
        let note = self.consequence(key, *attempt, *version, &standing.output)?;
        let later = &self.run.said[place + 1..];
        let is_there = match &note {
            Event::DocumentWritten { .. } => {
                later.iter().any(|said| matches!(said, Said::Written { by_model: true, .. }))
            }
            _ => call.gates.own().is_some() || self.person_spoke_after(Some(place)),
        };
        (!is_there).then_some(note)
    }

    /// Waits for the person's next message.
    fn open_input(&self, key: &Key, attempt: u32, version: u32, after: After<'_>) -> Event {
        let (text, missing) = match after {
            After::Question(text, missing) => (text.to_owned(), missing),
            After::Nothing => (String::new(), &[][..]),
            After::Unfinished(why) => (format!("{why}. Say how to continue, or try again."), &[][..]),
        };
        let needs = self.instruct.needs.iter().map(|need| need.name.as_str());
        let asks = matches!(after, After::Question(..));
        let known: Vec<String> = needs
            .filter(|need| asks && !missing.iter().any(|name| name.eq_ignore_ascii_case(need)))
            .map(str::to_owned)
            .collect();
        // A reply that was stopped, or is none, may also be asked for again as it was.
        let allowed = if asks { vec![Answer::Answer] } else { vec![Answer::Answer, Answer::Again] };
        Event::GateOpened(Gate {
            call: None,
            key: key.clone(),
            workflow: None,
            attempt,
            version,
            body: GateBody::Input(InputBody::Message { text, missing: missing.to_vec(), known }),
            allowed,
        })
    }

    /// The end of a conversation in which the model had the last word.
    fn end(&self) -> Option<End> {
        let (title, body) = if self.instruct.is_plain() {
            let said = self.run.said.get(self.newest_reply()?)?;
            let Said::Model { key, .. } = said else { return None };
            let output = &self.run.call(key)?.standing.as_ref()?.output;
            let Turn::Say { text } = talk::turn_of(output, true) else { return None };
            (self.run.title.as_str().into(), text)
        } else {
            let (_, newest) = self.run.documents.get(RESULT)?.current()?;
            (newest.title.clone(), newest.body.clone())
        };
        Some(End::Completed { title, body })
    }

    fn wanted(&self, turn: u32) -> Wants {
        let key = reply(turn);
        match self.want(turn, &key) {
            Ok(want) => Wants { calls: vec![Arc::new(want)], ..Wants::default() },
            Err(failure) => fails(Some(key), failure),
        }
    }

    fn want(&self, turn: u32, key: &Key) -> Result<Want, Failure> {
        let call = self.run.call(key);
        let running = call.and_then(Call::newest).filter(|attempt| attempt.status == AttemptStatus::Running);
        let (fingerprint, work) = if let Some((attempt, work)) = running.and_then(|a| Some((a, a.work.as_ref()?))) {
            // What is said meanwhile is for the next reply.
            (attempt.fingerprint.clone(), Arc::clone(work))
        } else {
            let asked = Work::Prompt(self.prompt(key, Wording::First)?);
            let fingerprint = Fingerprint::of(&(REPLY, &asked)).map_err(|error| {
                Failure::new(FailureClass::Definition, format!("the prompt has no JSON form: {error}"))
            })?;
            let mut work = Work::Prompt(self.prompt(key, Wording::Current)?);
            // What is narrowed is how the question is put, not what is asked: it is in no fingerprint.
            if let Work::Prompt(prompt) = &mut work
                && !self.instruct.is_plain()
            {
                let parts = talk::parts(self.task, self.instruct, self.run)?;
                let deliver = talk::wants_no_question(self.run, key);
                prompt.schema = Some(turn::schema_of(&self.instruct.needs, deliver, parts));
            }
            (fingerprint, Arc::new(work))
        };
        Ok(Want {
            key: key.clone(),
            workflow: None,
            step: REPLY.to_owned(),
            fingerprint,
            work,
            item: None,
            vars: None,
            depends: turn.checked_sub(1).map(reply).into_iter().collect(),
            approval: Approval::None,
            approval_text: ApprovalText::default(),
            retry: Retry::default(),
            timeout: None,
            on_crash: Some(OnCrash::Rerun),
            priority: 0,
            lanes: Vec::new(),
            cache: None,
        })
    }

    fn prompt(&self, key: &Key, wording: Wording) -> Result<PromptWork, Failure> {
        let plain = self.instruct.is_plain();
        let settings = &self.instruct.settings;
        Ok(PromptWork {
            models: self.run.model.as_ref().or(self.task.model.as_ref()).cloned().into_iter().collect(),
            messages: talk::messages(self.task, self.instruct, self.run, key, wording)?,
            schema: (!plain).then(turn::schema),
            reply: Reply::Turn,
            temperature: settings.temperature,
            max_tokens: settings.max_tokens,
            seed: settings.seed,
            continues: self.instruct.on_cut == Some(OnCut::Continue),
            tuning: settings.tuning.clone(),
            tools: OfferedTools::of(&self.instruct.tools, self.instruct.max_turns, None, &self.task.tools),
        })
    }
}

/// What a person's message is waited for after.
#[derive(Clone, Copy)]
enum After<'a> {
    /// A question of the model, and the needs that it still misses.
    Question(&'a str, &'a [String]),
    /// A reply that was stopped or left out.
    Nothing,
    /// A reply that is none, or only the beginning of one, and why.
    Unfinished(&'a str),
}

/// Whether nothing more is to be done about a reply.
fn is_settled(call: &Call) -> bool {
    match call.status {
        CallStatus::Accepted | CallStatus::Review => call.standing.is_some() && !call.again,
        CallStatus::Skipped => !call.again,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
