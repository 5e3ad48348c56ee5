//! `prompt`: asks a model and reads its answer.
//!
//! The model's thoughts are told from its answer first ([`super::thoughts`]); they are kept with the attempt, and nothing
//! below sees them. With a schema there is a ladder: the provider's own schema mode, the tolerant [`super::reading`], one
//! more request that carries what was wrong, and then the person, who gets the better of the two answers with its problem;
//! the other one is kept too, and so is the first when the second request fails. The attempt's usage is the sum of its
//! requests. An answer that the limit of tokens cut is an output with a note, and its `finish` says so; with a schema it
//! climbs the ladder, because what is missing from it cannot be seen. A turn of a conversation is read by [`turn`], which
//! takes any answer, and streams as the plain text that the person is to see. Where the model may call tools one attempt is
//! several requests, each on its own: it ends in a turn that calls them ([`conversation`]), or in the answer.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::Value;

pub use self::answer::tokens_of;
use self::answer::{Answer, Asking};
use self::conversation::Conversation;
use super::json_repair::JsonEnding;
use super::{Interruption, deadline, failed, reading};
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Delta, Discarded, Finish, Message, Role};
use crate::core::ports::{AttemptContext, AttemptOutcome, AttemptRequest, Models};
use crate::core::schema::Schema;
use crate::core::text::Untrusted;
use crate::core::tool::FinishedTurn;
use crate::core::turn;
use crate::core::work::{PromptWork, Reply};

mod answer;
mod conversation;
mod transcript;

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
        conversation: Conversation::of(attempt.transcript.as_ref()),
    };
    let ended = match schema {
        Some(schema) => asking.value(&schema).await,
        None => asking.text().await,
    };
    let mut measured = asking.measured;
    match ended {
        Ok(Judged { output, problem, finish, .. }) => {
            measured.finish = Some(finish);
            AttemptOutcome::Done { output, problem, measured }
        }
        Err(PromptError::Failed(failure, partial)) => {
            AttemptOutcome::Failed { failure, partial, in_doubt: false, measured }
        }
        Err(PromptError::Interrupted(why, partial)) => why.outcome(attempt, partial, false, measured),
        Err(PromptError::Calls(turn)) => AttemptOutcome::Turn(*turn),
    }
}

/// How an attempt ends without an output; with the text that had arrived.
enum PromptError {
    Failed(Failure, Untrusted),
    Interrupted(Interruption, Untrusted),
    /// The model calls tools first.
    Calls(Box<FinishedTurn>),
}

/// An output, and what is wrong with it.
struct Judged {
    output: Value,
    problem: Option<String>,
    merit: Merit,
    /// How the answer that it is of ended.
    finish: Finish,
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

impl Asking<'_> {
    async fn text(&mut self) -> Result<Judged, PromptError> {
        let answer = self.answer(self.messages()).await?;
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
        Ok(Judged { output, problem, merit: if is_empty { Merit::Empty } else { Merit::Fits }, finish: answer.finish })
    }

    /// What is wrong with an answer of nothing.
    fn says_nothing(&self, finish: Finish) -> &'static str {
        match (self.measured.thinking.is_empty(), finish) {
            (false, Finish::Length) => "the model answered with nothing: its thoughts took all tokens of the limit",
            (false, _) => "the model answered with nothing but thoughts",
            (true, _) => "the model answered with nothing",
        }
    }

    async fn value(&mut self, schema: &Schema) -> Result<Judged, PromptError> {
        let answer = self.answer(self.messages()).await?;
        let first = self.judge(&answer, schema);
        let Some(problem) = first.problem.clone() else { return Ok(first) };

        let mut messages = self.messages();
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
        if let Some(why) = self.ends_here(&messages, self.work.schema.as_ref()) {
            self.measured.notes.push(format!("it was not asked once more: {why}"));
            return Ok(first);
        }
        (self.context.deltas)(Delta::Restart(format!("the answer did not fit ({problem}); asked once more")));
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
            // It looks once more before it answers.
            Err(PromptError::Calls(mut turn)) => {
                turn.measured.discarded.push(Discarded { text: answer.text.into(), why: problem });
                return Err(PromptError::Calls(turn));
            }
        };
        let failed = format!("asked once more, it failed: {failure}");
        self.discard(partial.data().to_owned(), failed.clone());
        self.measured.notes.push(failed);
        Ok(first)
    }

    /// The better of two answers, the second if they are alike. The other is kept with what is wrong with it.
    fn better(&mut self, first: (Judged, Answer), second: (Judged, Answer)) -> Judged {
        let (taken, other) = if second.0.merit >= first.0.merit { (second, first) } else { (first, second) };
        let why = other.0.problem.unwrap_or_default();
        self.discard(other.1.text, why);
        taken.0
    }

    /// What the schema makes of an answer; what does not fit is kept as it came, with the problem.
    fn judge(&mut self, answer: &Answer, schema: &Schema) -> Judged {
        let text = answer.text.trim();
        let finish = answer.finish;
        let was_cut = finish == Finish::Length;
        match reading::read(text, schema) {
            Ok(read) => {
                let problem = match read.ending {
                    JsonEnding::Whole => None,
                    _ if was_cut => Some("the limit of tokens cut the answer, and its end is missing".to_owned()),
                    JsonEnding::Truncated => Some("the answer stops in the middle, and its end is missing".to_owned()),
                    JsonEnding::Unclosed => {
                        self.measured.notes.push("the answer lacked its closing brackets".to_owned());
                        None
                    }
                };
                let merit = if problem.is_some() { Merit::Cut(text.len()) } else { Merit::Fits };
                Judged { output: read.value, problem, merit, finish }
            }
            Err(_) if text.is_empty() => {
                let problem = Some(self.says_nothing(answer.finish).to_owned());
                Judged { output: Value::from(""), problem, merit: Merit::Empty, finish }
            }
            Err(unread) => {
                let cut = if was_cut { " (the limit of tokens cut it)" } else { "" };
                let problem = Some(format!("{}{cut}", unread.problem));
                match unread.value {
                    Some(output) => {
                        let merit = Merit::Misfit(Reverse(schema.faults(&output)));
                        Judged { output, problem, merit, finish }
                    }
                    None => Judged { output: Value::from(text), problem, merit: Merit::Text, finish },
                }
            }
        }
    }
}
