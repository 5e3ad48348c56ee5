//! One answer of a model: a request and, where the step says so, those that continue what the limit of tokens cut.
//!
//! What has been paid for stays, also where it cannot be continued. A cut answer counts as cut until what continues it has
//! come to an end of its own. No request but the first is sent that the run's budget does not allow.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::conversation::Conversation;
use super::transcript::LiveAnswer;
use super::{GRACE, PromptError};
use crate::core::event::Measured;
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Discarded, Finish, Message, ModelCall, ModelRequest, Role, ToolOffer};
use crate::core::ports::{AttemptContext, AttemptRequest, Models, Transcript};
use crate::core::usage::{Usage, estimate_tokens};
use crate::core::work::{PromptWork, Reply};
use crate::steps::thoughts::{self, AnswerForm};
use crate::steps::{Interruption, interrupted};

/// A cut answer is continued so often at most.
const MOST_CONTINUED: usize = 8;
/// What a model is told whose answer was cut.
const CONTINUE: &str = "Your answer was cut off. Continue exactly where it stopped: write nothing that is there already, \
    no introduction and no comment.";
/// What an image counts for in an estimate, in tokens.
const IMAGE_TOKENS: u64 = 1_000;

/// About how many tokens a request for this work is, with the turns that its model has taken with tools.
pub fn tokens_of(work: &PromptWork, so_far: Option<&Transcript>) -> u64 {
    let conversation = Conversation::of(so_far);
    let turns = tokens_sent(&conversation.turns, &[], None);
    turns + tokens_sent(&work.messages, &conversation.offers, work.schema.as_ref())
}

fn tokens_sent(messages: &[Message], offers: &[ToolOffer], schema: Option<&Value>) -> u64 {
    let said = messages
        .iter()
        .map(|message| message.tokens() + IMAGE_TOKENS * u64::try_from(message.image_count()).unwrap_or(u64::MAX));
    let offered = offers.iter().map(ToolOffer::tokens);
    said.chain(offered).sum::<u64>() + schema.map_or(0, |schema| estimate_tokens(&schema.to_string()))
}

/// An answer without its thoughts.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) finish: Finish,
    /// The tools that the model calls; then it is no answer yet.
    calls: Vec<ModelCall>,
    opaque: Option<Arc<Value>>,
}

/// How a request ends without an answer.
struct Unanswered {
    why: Why,
    /// What had arrived, without its thoughts.
    text: String,
}

enum Why {
    Failed(Failure),
    Interrupted(Interruption),
}

/// One attempt: one request, or several.
pub(super) struct Asking<'a> {
    pub(super) models: &'a dyn Models,
    pub(super) work: &'a PromptWork,
    pub(super) attempt: &'a AttemptRequest,
    pub(super) context: &'a AttemptContext,
    pub(super) deadline: Option<Instant>,
    pub(super) measured: Measured,
    pub(super) asked: u32,
    pub(super) conversation: Conversation,
}

impl Asking<'_> {
    /// The prompt, and the turns that called tools.
    pub(super) fn messages(&self) -> Vec<Message> {
        self.work.messages.iter().chain(&self.conversation.turns).cloned().collect()
    }

    /// A plain chat: its turns follow no schema.
    pub(super) fn is_plain(&self) -> bool {
        self.work.schema.is_none()
    }

    /// Why nothing more can be asked in this attempt, if that is so.
    pub(super) fn ends_here(&self, messages: &[Message], schema: Option<&Value>) -> Option<&'static str> {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Some("the step's `timeout` is over");
        }
        let tokens = tokens_sent(messages, &self.conversation.offers, schema);
        let next = self.models.estimate(&self.work.models, tokens, self.work.max_tokens);
        // What this attempt has used is counted when it ends, so it is a part of what is asked for.
        (!(self.context.may_spend)(self.measured.usage, next)).then_some("the budget does not allow another request")
    }

    /// The model's answer, continued where the limit of tokens cut it, if the step says so.
    pub(super) async fn answer(&mut self, messages: Vec<Message>) -> Result<Answer, PromptError> {
        let turn = (self.work.reply == Reply::Turn).then(|| self.is_plain());
        let live = LiveAnswer::new(turn);
        let partial = |text: String| if turn.is_some() { live.shown() } else { text.into() };
        let mut answer = match self.request(messages.clone(), self.work.schema.clone(), "", &live).await {
            Ok(answer) => answer,
            Err(Unanswered { why: Why::Failed(failure), text }) => {
                return Err(PromptError::Failed(failure, partial(text)));
            }
            Err(Unanswered { why: Why::Interrupted(why), text }) => {
                return Err(PromptError::Interrupted(why, partial(text)));
            }
        };
        for _ in 0..MOST_CONTINUED {
            if !answer.calls.is_empty()
                || !self.work.continues
                || answer.finish != Finish::Length
                || answer.text.trim().is_empty()
            {
                break;
            }
            let so_far = [(Role::Assistant, answer.text.as_str()), (Role::User, CONTINUE)];
            let so_far = so_far.map(|(role, text)| Message::new(role, text));
            let messages: Vec<Message> = messages.iter().cloned().chain(so_far).collect();
            let problem = match self.ends_here(&messages, None) {
                Some(why) => why.to_owned(),
                // A schema would have the model begin the value once more.
                None => match self.request(messages, None, &answer.text, &live).await {
                    Ok(more) if more.text.is_empty() && more.calls.is_empty() => "the model added nothing".to_owned(),
                    Ok(more) => {
                        answer.text.push_str(&more.text);
                        (answer.finish, answer.calls, answer.opaque) = (more.finish, more.calls, more.opaque);
                        self.measured.notes.push("the limit of tokens cut the answer, and it was continued".to_owned());
                        continue;
                    }
                    Err(Unanswered { why: Why::Interrupted(Interruption::Cancelled), text }) => {
                        answer.text.push_str(&text);
                        return Err(PromptError::Interrupted(Interruption::Cancelled, partial(answer.text)));
                    }
                    Err(Unanswered { why: Why::Interrupted(Interruption::TimedOut), text }) => {
                        answer.text.push_str(&text);
                        "it took longer than the step's `timeout`".to_owned()
                    }
                    Err(Unanswered { why: Why::Failed(failure), text }) => {
                        if failure.class == FailureClass::Refused {
                            self.discard(text, "the model declined to continue".to_owned());
                        } else {
                            answer.text.push_str(&text);
                        }
                        failure.message
                    }
                },
            };
            self.measured.notes.push(format!("it could not be continued: {problem}"));
            break;
        }
        if answer.calls.is_empty() {
            return Ok(answer);
        }
        let measured = Measured { finish: Some(Finish::Calls), ..std::mem::take(&mut self.measured) };
        let turn = self.conversation.turn(answer.text, answer.calls, answer.opaque, measured);
        Err(PromptError::Calls(Box::new(turn)))
    }

    /// What the answer is expected to be.
    fn form(&self, schema: Option<&Value>) -> AnswerForm {
        let schema = schema.filter(|_| self.work.reply == Reply::Output);
        match schema {
            Some(schema) if schema.get("type").is_none_or(|kind| kind != "string") => AnswerForm::Json,
            _ => AnswerForm::Prose,
        }
    }

    /// One request to its end; its text follows `before`.
    async fn request(
        &mut self,
        messages: Vec<Message>,
        schema: Option<Value>,
        before: &str,
        live: &LiveAnswer,
    ) -> Result<Answer, Unanswered> {
        let form = self.form(schema.as_ref());
        let sent = (messages.clone(), schema.clone());
        let request = ModelRequest {
            models: self.work.models.clone(),
            messages,
            schema,
            tools: self.conversation.offers.clone(),
            temperature: self.work.temperature,
            max_tokens: self.work.max_tokens,
            seed: self.work.seed,
            tuning: self.work.tuning.clone(),
            longest_wait: self.attempt.longest_wait,
            asker: self.attempt.asker.clone(),
        };
        let cancel = self.context.cancel.child_token();
        let deltas = live.begin(before, form, &self.context.deltas);
        let answering = self.models.complete(request, deltas, cancel.clone());
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
        let seen = live.end(&self.context.deltas);
        match answer {
            Some(Ok(answer)) => {
                self.measure(answer.model.clone(), answer.answered_by, answer.usage, answer.notes);
                let split = thoughts::split(answer.text.data(), form);
                self.keep(answer.thinking.data(), &split.thinking, answer.discarded);
                if self.asked == 1 {
                    self.measured.first_token_ms = answer.first_token_ms;
                }
                if answer.finish == Finish::Refused {
                    self.measured.finish = Some(Finish::Refused);
                    let mut failure = Failure::new(
                        FailureClass::Refused,
                        format!("{} declined to answer; change the prompt or take another model", answer.model),
                    );
                    if !split.answer.is_empty() {
                        failure = failure.with_detail(split.answer.as_str());
                    }
                    return Err(Unanswered { why: Why::Failed(failure), text: split.answer });
                }
                // What was not offered cannot be called.
                let calls = if self.conversation.calls_tools() { answer.calls } else { Vec::new() };
                Ok(Answer { text: split.answer, finish: answer.finish, calls, opaque: answer.opaque })
            }
            Some(Err(stopped)) => {
                self.measure(stopped.model, stopped.answered_by, stopped.usage, stopped.notes);
                let split = thoughts::split(stopped.partial.data(), form);
                self.keep(stopped.thinking.data(), &split.thinking, stopped.discarded);
                let why = why.map_or(Why::Failed(stopped.failure), Why::Interrupted);
                Err(Unanswered { why, text: split.answer })
            }
            None => {
                let arrived = format!("{}{}", seen.thinking, seen.answer);
                // Where nothing had, it may never have reached the server; a turn that ends in calls has no text.
                if !arrived.is_empty() || self.conversation.calls_tools() {
                    let tokens = tokens_sent(&sent.0, &self.conversation.offers, sent.1.as_ref());
                    self.measured.usage += self.models.spent(&self.work.models, tokens, estimate_tokens(&arrived));
                }
                self.keep("", &seen.thinking, Vec::new());
                let why = Why::Interrupted(why.unwrap_or(Interruption::Cancelled));
                Err(Unanswered { why, text: seen.answer })
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

    /// Keeps text that was paid for and is no part of the output.
    pub(super) fn discard(&mut self, text: String, why: String) {
        if !text.trim().is_empty() {
            self.measured.discarded.push(Discarded { text: text.into(), why });
        }
    }
}
