//! `prompt`: asks a model and reads its answer.
//!
//! The model's thoughts are told from its answer first ([`super::thoughts`]); they are kept with the attempt, and nothing
//! below sees them. With a schema there is a ladder: the provider's own schema mode, the tolerant [`super::reading`], one
//! more request that carries what was wrong, and then the person, who gets the better of the two answers with its problem;
//! the other one is kept too, and so is the first when the second request fails. The attempt's usage is the sum of its
//! requests. An answer that the limit of tokens cut is an output with a note, and its `finish` says so; with a schema it
//! climbs the ladder, because what is missing from it cannot be seen. A turn of a conversation is read by [`turn`], which
//! takes any answer, and streams as the plain text that the person is to see.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::json_repair::JsonEnding;
use super::thoughts::{self, AnswerForm, Piece, Split, ThoughtSplitter};
use super::{Interruption, deadline, failed, interrupted, reading, spent};
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Delta, DeltaSink, Discarded, Finish, Message, ModelRequest, Role};
use crate::core::ports::{AttemptContext, AttemptOutcome, AttemptRequest, Models};
use crate::core::schema::Schema;
use crate::core::text::Untrusted;
use crate::core::turn::{self, StreamedReply};
use crate::core::usage::Usage;
use crate::core::work::{PromptWork, Reply};

/// Models obey a cancel within 200 ms; what they then have is the partial text.
const GRACE: Duration = Duration::from_millis(150);

/// A cut answer is continued so often at most.
const MOST_CONTINUED: usize = 8;
/// What a model is told whose answer was cut.
const CONTINUE: &str = "Your answer was cut off. Continue exactly where it stopped: write nothing that is there already, \
    no introduction and no comment.";

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
        Ok(Judged { output, problem, .. }) => AttemptOutcome::Done { output, problem, measured },
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

/// An answer without its thoughts.
struct Answer {
    text: String,
    finish: Finish,
}

/// An output, and what is wrong with it.
struct Judged {
    output: Value,
    problem: Option<String>,
    merit: Merit,
}

/// How good an answer to a schema is; the greater the better.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Merit {
    Empty,
    /// No value.
    Text,
    /// A value that does not fit, with so many faults.
    Misfit(Reverse<usize>),
    /// A value that fits and lacks its end, of so many bytes.
    Cut(usize),
    Fits,
}

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
        let answer = self.answer(self.work.messages.clone()).await?;
        if answer.finish == Finish::Length {
            self.measured.notes.push("the limit of tokens cut the answer".to_owned());
        }
        let text = answer.text.trim();
        let (output, is_empty) = match self.work.reply {
            Reply::Output => (Value::from(text), text.is_empty()),
            Reply::Turn => {
                let turn = turn::read(text, self.is_plain());
                let output = serde_json::to_value(&turn).map_err(|error| {
                    let failure = Failure::new(FailureClass::BadOutput, format!("the turn cannot be kept: {error}"));
                    PromptError::Failed(failure, text.into())
                })?;
                (output, turn.is_empty())
            }
        };
        let problem = is_empty.then(|| self.says_nothing(answer.finish).to_owned());
        Ok(Judged { output, problem, merit: if is_empty { Merit::Empty } else { Merit::Fits } })
    }

    /// What is wrong with an answer of nothing.
    fn says_nothing(&self, finish: Finish) -> &'static str {
        match (self.measured.thinking.is_empty(), finish) {
            (false, Finish::Length) => "the model answered with nothing: its thoughts took all tokens of the limit",
            (false, _) => "the model answered with nothing but thoughts",
            (true, _) => "the model answered with nothing",
        }
    }

    /// A plain chat: its turns follow no schema.
    fn is_plain(&self) -> bool {
        self.work.schema.is_none()
    }

    async fn value(&mut self, schema: &Schema) -> Result<Judged, PromptError> {
        let answer = self.answer(self.work.messages.clone()).await?;
        let first = self.judge(&answer, schema);
        let Some(problem) = first.problem.clone() else { return Ok(first) };

        (self.context.deltas)(Delta::Restart(format!("the answer did not fit ({problem}); asked once more")));
        let mut messages = self.work.messages.clone();
        if !answer.text.is_empty() {
            messages.push(Message::new(Role::Assistant, answer.text.as_str()));
        }
        let shape = self.work.schema.as_ref().map(Value::to_string).unwrap_or_default();
        messages.push(Message::new(
            Role::User,
            format!(
                "That answer cannot be used: {problem}.\nAnswer again, in full, with nothing but JSON that fits this schema:\n{shape}"
            ),
        ));
        self.measured.notes.push(format!("the first answer did not fit: {problem}"));
        let (failure, partial) = match self.answer(messages).await {
            Ok(again) => {
                let second = self.judge(&again, schema);
                return Ok(self.better((first, answer), (second, again)));
            }
            Err(PromptError::Interrupted(Interruption::Cancelled, partial)) => {
                // What the person stopped is there to be seen, be it only the first answer.
                let partial = if partial.is_empty() {
                    answer.text.into()
                } else {
                    self.discard(answer.text, problem);
                    partial
                };
                return Err(PromptError::Interrupted(Interruption::Cancelled, partial));
            }
            Err(PromptError::Interrupted(Interruption::TimedOut, partial)) => {
                ("it took longer than the step's `timeout`".to_owned(), partial)
            }
            Err(PromptError::Failed(failure, partial)) => (failure.to_string(), partial),
        };
        let failed = format!("asked once more, it failed: {failure}");
        self.discard(partial.data().to_owned(), failed.clone());
        self.measured.notes.push(failed);
        self.measured.finish = Some(answer.finish);
        Ok(first)
    }

    /// The better of two answers, the second if they are alike. The other is kept with what is wrong with it.
    fn better(&mut self, first: (Judged, Answer), second: (Judged, Answer)) -> Judged {
        let (taken, other) = if second.0.merit >= first.0.merit { (second, first) } else { (first, second) };
        self.measured.finish = Some(taken.1.finish);
        let why = other.0.problem.unwrap_or_default();
        self.discard(other.1.text, why);
        taken.0
    }

    /// Keeps text that was paid for and is no part of the output.
    fn discard(&mut self, text: String, why: String) {
        if !text.trim().is_empty() {
            self.measured.discarded.push(Discarded { text: text.into(), why });
        }
    }

    /// What the schema makes of an answer; what does not fit is kept as it came, with the problem.
    fn judge(&mut self, answer: &Answer, schema: &Schema) -> Judged {
        let text = answer.text.trim();
        let was_cut = answer.finish == Finish::Length;
        match reading::read(text, schema) {
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
                let merit = if problem.is_some() { Merit::Cut(text.len()) } else { Merit::Fits };
                Judged { output: read.value, problem, merit }
            }
            Err(_) if text.is_empty() => {
                let problem = Some(self.says_nothing(answer.finish).to_owned());
                Judged { output: Value::from(""), problem, merit: Merit::Empty }
            }
            Err(unread) => {
                let cut = if was_cut { " (the limit of tokens cut it)" } else { "" };
                let problem = Some(format!("{}{cut}", unread.problem));
                match unread.value {
                    Some(output) => {
                        let merit = Merit::Misfit(Reverse(schema.faults(&output)));
                        Judged { output, problem, merit }
                    }
                    None => Judged { output: Value::from(text), problem, merit: Merit::Text },
                }
            }
        }
    }

    /// An answer, continued where the limit of tokens cut it, if the step says so. What has been paid for stays, also where
    /// it cannot be continued.
    async fn answer(&mut self, messages: Vec<Message>) -> Result<Answer, PromptError> {
        let mut answer = self.request(messages.clone(), self.work.schema.clone()).await?;
        for _ in 0..MOST_CONTINUED {
            if !self.work.continues || answer.finish != Finish::Length {
                break;
            }
            let so_far = [(Role::Assistant, answer.text.as_str()), (Role::User, CONTINUE)];
            let so_far = so_far.map(|(role, text)| Message::new(role, text));
            // A schema would have the model begin the value once more.
            match self.request(messages.iter().cloned().chain(so_far).collect(), None).await {
                Ok(more) if more.text.is_empty() => break,
                Ok(more) => {
                    answer.text.push_str(&more.text);
                    answer.finish = more.finish;
                    self.measured.notes.push("the limit of tokens cut the answer, and it was continued".to_owned());
                }
                Err(PromptError::Failed(failure, more)) => {
                    answer.text.push_str(more.data());
                    self.measured.notes.push(format!("it could not be continued: {}", failure.message));
                    self.measured.finish = Some(Finish::Length);
                    break;
                }
                Err(PromptError::Interrupted(why, more)) => {
                    answer.text.push_str(more.data());
                    return Err(PromptError::Interrupted(why, answer.text.into()));
                }
            }
        }
        Ok(answer)
    }

    /// What the answer is expected to be.
    fn form(&self, schema: Option<&Value>) -> AnswerForm {
        let schema = schema.filter(|_| self.work.reply == Reply::Output);
        match schema {
            Some(schema) if schema.get("type").is_none_or(|kind| kind != "string") => AnswerForm::Json,
            _ => AnswerForm::Prose,
        }
    }

    /// One request to its end.
    async fn request(&mut self, messages: Vec<Message>, schema: Option<Value>) -> Result<Answer, PromptError> {
        let form = self.form(schema.as_ref());
        let (sent, asked_for) = (messages.clone(), schema.clone());
        let request = ModelRequest {
            models: self.work.models.clone(),
            messages,
            schema,
            temperature: self.work.temperature,
            max_tokens: self.work.max_tokens,
            seed: self.work.seed,
            tuning: self.work.tuning.clone(),
            longest_wait: self.attempt.longest_wait,
            asker: self.attempt.asker.clone(),
        };
        let turn = (self.work.reply == Reply::Turn).then(|| self.is_plain());
        let transcript = Arc::new(Mutex::new(Transcript::new(form, turn)));
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
        let seen = ended(&self.context.deltas, &transcript);
        // Of a turn the person sees the plain text, never the structure that carries it.
        let partial = |answer: String| if turn.is_some() { seen.shown.clone() } else { answer.into() };
        match answer {
            Some(Ok(answer)) => {
                self.measure(answer.model.clone(), answer.answered_by, answer.usage, answer.notes);
                let split = thoughts::split(answer.text.data(), form);
                self.keep(answer.thinking.data(), &split.thinking, answer.discarded);
                self.measured.finish = Some(answer.finish);
                if self.asked == 1 {
                    self.measured.first_token_ms = answer.first_token_ms;
                }
                if answer.finish == Finish::Refused {
                    let mut failure = Failure::new(
                        FailureClass::Refused,
                        format!("{} declined to answer; change the prompt or take another model", answer.model),
                    );
                    if !split.answer.is_empty() {
                        failure = failure.with_detail(split.answer.as_str());
                    }
                    return Err(PromptError::Failed(failure, partial(split.answer)));
                }
                Ok(Answer { text: split.answer, finish: answer.finish })
            }
            Some(Err(stopped)) => {
                self.measure(stopped.model, stopped.answered_by, stopped.usage, stopped.notes);
                let split = thoughts::split(stopped.partial.data(), form);
                self.keep(stopped.thinking.data(), &split.thinking, stopped.discarded);
                let partial = partial(split.answer);
                Err(match why {
                    Some(why) => PromptError::Interrupted(why, partial),
                    None => PromptError::Failed(stopped.failure, partial),
                })
            }
            None => {
                let arrived = Untrusted::new(format!("{}{}", seen.split.thinking, seen.split.answer));
                self.measured.usage += spent(self.models, &self.work.models, &sent, asked_for.as_ref(), &arrived);
                self.keep("", &seen.split.thinking, Vec::new());
                Err(PromptError::Interrupted(why.unwrap_or(Interruption::Cancelled), seen.shown))
            }
        }
    }

    fn measure(&mut self, model: String, answered_by: Option<String>, usage: Usage, notes: Vec<String>) {
        if !model.is_empty() {
            self.measured.model = Some(model);
            self.measured.answered_by = answered_by;
        }
        self.measured.usage += usage;
        self.measured.notes.extend(notes);
    }

    /// Keeps what was paid for and is no part of the answer: the reasoning that the server marked and that which the model
    /// wrote, and what came of models that failed.
    fn keep(&mut self, marked: &str, written: &str, discarded: Vec<Discarded>) {
        for thinking in [marked.trim(), written.trim()].into_iter().filter(|thinking| !thinking.is_empty()) {
            if !self.measured.thinking.is_empty() {
                self.measured.thinking.push(&"\n\n".into());
            }
            self.measured.thinking.push(&thinking.into());
        }
        self.measured.discarded.extend(discarded);
    }
}

/// What has come of an answer that is under way.
struct Transcript {
    form: AnswerForm,
    /// For a turn: whether it is one of a plain chat.
    turn: Option<bool>,
    splitter: ThoughtSplitter,
    live: Option<StreamedReply>,
    split: Split,
    /// What the person sees of it.
    shown: Untrusted,
    /// The person was told that it thinks.
    thinks: bool,
}

impl Transcript {
    fn new(form: AnswerForm, turn: Option<bool>) -> Self {
        Self {
            form,
            turn,
            splitter: ThoughtSplitter::new(form),
            live: turn.map(StreamedReply::new),
            split: Split::default(),
            shown: Untrusted::default(),
            thinks: false,
        }
    }

    /// Takes a piece and tells the person of it.
    fn take(&mut self, piece: Piece, deltas: &DeltaSink) {
        match &piece {
            Piece::Answer(text) => {
                let shown: Untrusted = match &mut self.live {
                    Some(live) => live.push(text).into(),
                    None => text.as_str().into(),
                };
                if !shown.is_empty() {
                    self.shown.push(&shown);
                    deltas(Delta::Text(shown));
                }
            }
            Piece::Thought(_) if self.thinks => {}
            Piece::Thought(_) => {
                self.thinks = true;
                deltas(Delta::Progress("The model is thinking.".into()));
            }
            Piece::AllWasThought => {
                self.live = self.turn.map(StreamedReply::new);
                if !std::mem::take(&mut self.shown).is_empty() {
                    deltas(Delta::Restart("it was what the model thought before it answered".to_owned()));
                }
            }
        }
        self.split.take(piece);
    }
}

/// The stream is over: what was held back of it is passed on too.
fn ended(deltas: &DeltaSink, transcript: &Mutex<Transcript>) -> Transcript {
    let mut transcript = transcript.lock().unwrap_or_else(PoisonError::into_inner);
    for piece in transcript.splitter.finish() {
        transcript.take(piece, deltas);
    }
    let new = Transcript::new(transcript.form, transcript.turn);
    std::mem::replace(&mut transcript, new)
}

/// Passes on what the person is to see, and keeps it for a model that does not say what had arrived.
fn forwarding_sink(deltas: &DeltaSink, transcript: &Arc<Mutex<Transcript>>) -> DeltaSink {
    let (deltas, transcript) = (Arc::clone(deltas), Arc::clone(transcript));
    Arc::new(move |delta| {
        let mut transcript = transcript.lock().unwrap_or_else(PoisonError::into_inner);
        match delta {
            Delta::Text(text) => {
                for piece in transcript.splitter.push(text.data()) {
                    transcript.take(piece, &deltas);
                }
            }
            Delta::Restart(why) => {
                *transcript = Transcript::new(transcript.form, transcript.turn);
                deltas(Delta::Restart(why));
            }
            Delta::Progress(line) => deltas(Delta::Progress(line)),
        }
    })
}
