//! `prompt`: asks a model and reads its answer.
//!
//! With a schema there is a ladder: the provider's own schema mode, the tolerant [`super::reading`], one more request
//! that carries what was wrong, and then the person, who gets the answer with its problem. The attempt's usage is the
//! sum of its requests. An answer that the limit of tokens cut is an output with a note; with a schema it climbs the
//! ladder, because what is missing from it cannot be seen. A turn of a conversation is read by [`turn`], which takes any
//! answer, and streams as the plain text that the person is to see.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::json_repair::JsonEnding;
use super::{Interruption, deadline, failed, interrupted, reading};
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Completion, Delta, DeltaSink, Finish, Message, ModelRequest, Role};
use crate::core::ports::{AttemptContext, AttemptOutcome, AttemptRequest, Models};
use crate::core::schema::Schema;
use crate::core::text::Untrusted;
use crate::core::turn::{self, StreamedReply};
use crate::core::work::{PromptWork, Reply};

/// Models obey a cancel within 200 ms; what they then have is the partial text.
const GRACE: Duration = Duration::from_millis(150);

/// Asks the model that `work` names.
pub async fn perform(
    models: &dyn Models,
    work: &PromptWork,
    attempt: &AttemptRequest,
    context: &AttemptContext,
) -> AttemptOutcome {
    let wanted = work.schema.as_ref().filter(|_| work.reply == Reply::Output);
    let schema = match wanted.map(Schema::compile).transpose() {
        Ok(schema) => schema,
        Err(problem) => {
            return failed(Failure::new(FailureClass::Definition, format!("the step's `output`: {problem}")));
        }
    };
    let mut asking = Asking {
        models,
        work,
        attempt,
        context,
        deadline: deadline(attempt.timeout),
        measured: Measured::default(),
        asked: 0,
    };
    let ended = match schema {
        Some(schema) => asking.value(&schema).await,
        None => asking.text().await,
    };
    let measured = asking.measured;
    match ended {
        Ok((output, problem)) => AttemptOutcome::Done { output, problem, measured },
        Err(PromptError::Failed(failure, partial)) => {
            AttemptOutcome::Failed { failure, partial, in_doubt: false, measured }
        }
        Err(PromptError::Interrupted(why, partial)) => why.outcome(attempt, partial, false, measured),
    }
}

/// How an attempt ends without an output; with the text that had arrived.
enum PromptError {
    Failed(Failure, Untrusted),
    Interrupted(Interruption, Untrusted),
}

/// An output, and what is wrong with it.
type Judged = (Value, Option<String>);

/// One attempt: one request, or two.
struct Asking<'a> {
    models: &'a dyn Models,
    work: &'a PromptWork,
    attempt: &'a AttemptRequest,
    context: &'a AttemptContext,
    deadline: Option<Instant>,
    measured: Measured,
    asked: u32,
}

impl Asking<'_> {
    async fn text(&mut self) -> Result<Judged, PromptError> {
        let answer = self.request(self.work.messages.clone()).await?;
        if answer.finish == Finish::Length {
            self.measured.notes.push("the limit of tokens cut the answer".to_owned());
        }
        let text = answer.text.data().trim();
        let (output, is_empty) = match self.work.reply {
            Reply::Output => (Value::from(text), text.is_empty()),
            Reply::Turn => {
                let turn = turn::read(text, self.is_plain());
                let output = serde_json::to_value(&turn).map_err(|error| {
                    let failure = Failure::new(FailureClass::BadOutput, format!("the turn cannot be kept: {error}"));
                    PromptError::Failed(failure, answer.text.clone())
                })?;
                (output, turn.is_empty())
            }
        };
        Ok((output, is_empty.then(|| "the model answered with nothing".to_owned())))
    }

    /// A plain chat: its turns follow no schema.
    fn is_plain(&self) -> bool {
        self.work.schema.is_none()
    }

    async fn value(&mut self, schema: &Schema) -> Result<Judged, PromptError> {
        let answer = self.request(self.work.messages.clone()).await?;
        let (output, problem) = self.judge(&answer, schema);
        let Some(problem) = problem else { return Ok((output, None)) };

        (self.context.deltas)(Delta::Restart(format!("the answer did not fit ({problem}); asked once more")));
        let mut messages = self.work.messages.clone();
        if !answer.text.is_empty() {
            messages.push(Message::new(Role::Assistant, answer.text.data()));
        }
        let shape = self.work.schema.as_ref().map(Value::to_string).unwrap_or_default();
        messages.push(Message::new(
            Role::User,
            format!(
                "That answer cannot be used: {problem}.\nAnswer again, in full, with nothing but JSON that fits this schema:\n{shape}"
            ),
        ));
        self.measured.notes.push(format!("the first answer did not fit: {problem}"));
        let answer = self.request(messages).await?;
        Ok(self.judge(&answer, schema))
    }

    /// What the schema makes of an answer; what does not fit is kept as it came, with the problem.
    fn judge(&mut self, answer: &Completion, schema: &Schema) -> Judged {
        let raw = || Value::String(answer.text.data().trim().to_owned());
        let was_cut = answer.finish == Finish::Length;
        match reading::read(answer.text.data(), schema) {
            Ok(read) => {
                let problem = match read.ending {
                    JsonEnding::Whole => None,
                    _ if was_cut => Some("the limit of tokens cut the answer, and its end is missing".to_owned()),
                    JsonEnding::Truncated => Some("the answer breaks off, and its end is missing".to_owned()),
                    JsonEnding::Unclosed => {
                        self.measured.notes.push("the answer lacked its closing brackets".to_owned());
                        None
                    }
                };
                (read.value, problem)
            }
            Err(unread) => {
                let cut = if was_cut { " (the limit of tokens cut it)" } else { "" };
                (unread.value.unwrap_or_else(raw), Some(format!("{}{cut}", unread.problem)))
            }
        }
    }

    /// One request to its end.
    async fn request(&mut self, messages: Vec<Message>) -> Result<Completion, PromptError> {
        let request = ModelRequest {
            models: self.work.models.clone(),
            messages,
            schema: self.work.schema.clone(),
            temperature: self.work.temperature,
            max_tokens: self.work.max_tokens,
            seed: self.work.seed,
            tuning: self.work.tuning.clone(),
            longest_wait: self.attempt.longest_wait,
            asker: self.attempt.asker.clone(),
        };
        let live = (self.work.reply == Reply::Turn).then(|| self.is_plain());
        let transcript = Arc::new(Mutex::new(Transcript::new(live)));
        let cancel = self.context.cancel.child_token();
        let answering =
            self.models.complete(request, forwarding_sink(&self.context.deltas, &transcript), cancel.clone());
        tokio::pin!(answering);
        self.asked += 1;
        let (answer, why) = tokio::select! {
            biased;
            answer = &mut answering => (Some(answer), None),
            why = interrupted(self.deadline, &self.context.cancel) => {
                cancel.cancel();
                (timeout(GRACE, answering).await.ok(), Some(why))
            }
        };
        // A model that heard of the cancel first has failed because of it.
        let why = why.or_else(|| self.context.cancel.is_cancelled().then_some(Interruption::Cancelled));
        // Of a turn the person sees the plain text, never the structure that carries it.
        let partial = |raw: Untrusted| if live.is_some() { take(&transcript) } else { raw };
        match answer {
            Some(Ok(answer)) => {
                self.measure(answer.model.clone(), answer.usage, answer.notes.clone());
                self.measured.finish = Some(answer.finish);
                if self.asked == 1 {
                    self.measured.first_token_ms = answer.first_token_ms;
                }
                if answer.finish == Finish::Refused {
                    let mut failure = Failure::new(
                        FailureClass::Refused,
                        format!("{} declined to answer; change the prompt or take another model", answer.model),
                    );
                    if !answer.text.is_empty() {
                        failure = failure.with_detail(answer.text.data());
                    }
                    return Err(PromptError::Failed(failure, partial(answer.text)));
                }
                Ok(answer)
            }
            Some(Err(stopped)) => {
                self.measure(stopped.model, stopped.usage, stopped.notes);
                let partial = partial(stopped.partial);
                Err(match why {
                    Some(why) => PromptError::Interrupted(why, partial),
                    None => PromptError::Failed(stopped.failure, partial),
                })
            }
            None => Err(PromptError::Interrupted(why.unwrap_or(Interruption::Cancelled), take(&transcript))),
        }
    }

    fn measure(&mut self, model: String, usage: crate::core::usage::Usage, notes: Vec<String>) {
        if !model.is_empty() {
            self.measured.model = Some(model);
        }
        self.measured.usage += usage;
        self.measured.notes.extend(notes);
    }
}

/// What the person has seen of an answer that is under way.
struct Transcript {
    /// For a turn: whether it is one of a plain chat.
    turn: Option<bool>,
    live: Option<StreamedReply>,
    text: Untrusted,
}

impl Transcript {
    fn new(turn: Option<bool>) -> Self {
        Self { turn, live: turn.map(StreamedReply::new), text: Untrusted::default() }
    }

    /// What the person is to see of more text.
    fn push(&mut self, text: Untrusted) -> Untrusted {
        let shown = match &mut self.live {
            Some(live) => live.push(text.data()).into(),
            None => text,
        };
        self.text.push(&shown);
        shown
    }
}

fn take(transcript: &Mutex<Transcript>) -> Untrusted {
    std::mem::take(&mut transcript.lock().unwrap_or_else(PoisonError::into_inner).text)
}

/// Passes on what the person is to see, and keeps it for a model that does not say what had arrived.
fn forwarding_sink(deltas: &DeltaSink, transcript: &Arc<Mutex<Transcript>>) -> DeltaSink {
    let (deltas, transcript) = (Arc::clone(deltas), Arc::clone(transcript));
    Arc::new(move |delta| {
        let mut transcript = transcript.lock().unwrap_or_else(PoisonError::into_inner);
        match delta {
            Delta::Text(text) => {
                let shown = transcript.push(text);
                if !shown.is_empty() {
                    deltas(Delta::Text(shown));
                }
            }
            Delta::Restart(why) => {
                *transcript = Transcript::new(transcript.turn);
                deltas(Delta::Restart(why));
            }
            Delta::Progress(line) => deltas(Delta::Progress(line)),
        }
    })
}
