//! What asking one model comes to: an answer or a failure, with what it took. Nothing of it has a secret of the request.

use std::sync::Arc;

use serde_json::Value;

use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Discarded, Finish, ModelCall};
use crate::core::secret::{Redactor, Secret};
use crate::core::text::visible;
use crate::core::usage::{Usage, tokens_of};

use super::dialect::{Cause, ProviderError, is_another_model, unwrap_answer};
use super::exchange::{AttemptError, Exchange, NO_FIRST};
use super::http;
use super::opaque;
use super::partial_answer::{Completeness, PartialAnswer, WholeTurn};
use super::watch::Stop;

/// Variables that name a proxy, in the order in which they count.
const HTTPS_PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const HTTP_PROXIES: [&str; 3] = ["http_proxy", "ALL_PROXY", "all_proxy"];

/// An answer, from whichever provider.
pub(super) struct Answered {
    pub(super) text: String,
    pub(super) thinking: String,
    /// The calls of offered tools.
    pub(super) calls: Vec<ModelCall>,
    /// As on [`crate::core::model::Completion::opaque`].
    pub(super) opaque: Option<Arc<Value>>,
    /// The model, as the server calls it, where it is another one than was asked for.
    pub(super) by: Option<String>,
    pub(super) usage: Usage,
    pub(super) finish: Finish,
    pub(super) first_token_ms: u64,
    pub(super) notes: Vec<String>,
    /// What it wrote that is no part of the answer.
    pub(super) discarded: Vec<Discarded>,
}

/// A request that failed.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) partial: String,
    pub(super) thinking: String,
    /// As on [`Answered::by`].
    pub(super) by: Option<String>,
    pub(super) usage: Usage,
    pub(super) notes: Vec<String>,
    /// Another model would not help: it was cancelled, or the machine slept.
    pub(super) last: bool,
}

impl Failed {
    pub(super) fn new(failure: Failure) -> Self {
        let (partial, thinking) = (String::new(), String::new());
        Self { failure, partial, thinking, by: None, usage: Usage::default(), notes: Vec::new(), last: false }
    }

    pub(super) fn cancelled(model: &str) -> Self {
        let failure = Failure::new(FailureClass::Network, format!("{model} was stopped as asked."));
        Self { last: true, ..Self::new(failure) }
    }
}

impl Exchange<'_> {
    fn usage(&self, answer: &PartialAnswer) -> Usage {
        let (input_tokens, output_tokens) = (answer.input_tokens, answer.output_tokens);
        // What the server says that it takes is what it takes.
        let priced = self.provider.settings.price_of(self.model);
        let priced = priced.map(|price| price.usd_with_cached(input_tokens, answer.cached_tokens, output_tokens));
        let usd = answer.cost.or(priced).unwrap_or_default();
        Usage { input_tokens, output_tokens, usd, estimated: false }
    }

    /// What an answer that did not come to its end took: what the server has not reported is estimated, because it is
    /// paid all the same.
    fn usage_so_far(&self, answer: &mut PartialAnswer) -> Usage {
        if !answer.alive || answer.ended >= Completeness::Stated {
            return self.usage(answer);
        }
        let reported = (answer.input_tokens, answer.output_tokens);
        if answer.input_tokens == 0 {
            answer.input_tokens = self.request.prompt_tokens();
        }
        answer.output_tokens = answer.output_tokens.max(tokens_of(answer.length()));
        Usage { estimated: reported != (answer.input_tokens, answer.output_tokens), ..self.usage(answer) }
    }

    pub(super) fn answered(&self, mut answer: PartialAnswer, first_token_ms: u64, key: Option<&Secret>) -> Answered {
        let (usage, finish, mut notes) = (self.usage(&answer), answer.finish, std::mem::take(&mut answer.notes));
        let redactor = self.provider.redactor(key);
        let by = self.another_model(&answer, &redactor);
        if let Some(other) = &by {
            let asked = self.model;
            notes.push(format!("{} was asked for {asked}, and says that {other} answered.", self.provider.name));
        }
        let WholeTurn { mut text, thinking, mut calls, opaque, premature } = answer.into_turn();
        let finish = match finish {
            // What was refused is not gone on with.
            Finish::Refused => {
                calls.clear();
                Finish::Refused
            }
            _ if !calls.is_empty() => Finish::Calls,
            Finish::Calls => Finish::Stop,
            other => other,
        };
        if let (Some(schema), true) = (&self.request.schema, calls.is_empty()) {
            text = unwrap_answer(schema, text);
        }
        if text.trim().is_empty() && finish == Finish::Stop {
            notes.push("The model answered nothing.".to_owned());
        }
        let [text, thinking] = [text, thinking].map(|text| redactor.redact(&text));
        for call in &mut calls {
            call.arguments = redactor.redact_json(std::mem::take(&mut call.arguments));
        }
        let opaque = opaque.filter(|_| !calls.is_empty());
        let opaque = opaque.map(|kept| opaque::tagged(self.target, &redactor.redact_json(kept)));
        let why = "it was given together with calls of tools, before their results".to_owned();
        let discarded = premature.map(|text| Discarded { text: redactor.redact(&text).into(), why });
        let (notes, discarded) = (notes.iter().map(|note| redactor.redact(note)).collect(), Vec::from_iter(discarded));
        Answered { text, thinking, calls, opaque, by, usage, finish, first_token_ms, notes, discarded }
    }

    /// The model that answers, where the server calls it by the name of another one.
    fn another_model(&self, answer: &PartialAnswer, redactor: &Redactor) -> Option<String> {
        is_another_model(self.model, &answer.model).then(|| redactor.redact(&visible(&answer.model, false)))
    }

    /// An address that was not reached, with the proxy that it was asked through, if there is one.
    fn through_proxy(&self, error: ProviderError) -> ProviderError {
        let url = self.provider.url("");
        let is_tls = url.as_ref().is_ok_and(|url| url.scheme() == "https");
        if error.cause != Some(Cause::Unreachable) || url.is_ok_and(|url| !is_tls && http::is_local(&url)) {
            return error;
        }
        let set = |name: &&'static str| (self.shared.lookup)(name).is_some_and(|value| !value.is_empty());
        let names: &[&'static str] = if is_tls { &HTTPS_PROXIES } else { &HTTP_PROXIES };
        match names.iter().find(|name| set(name)) {
            Some(name) => error.because(Cause::Proxy(name)),
            None => error,
        }
    }

    pub(super) fn failed(&self, error: AttemptError, mut answer: PartialAnswer, key: Option<&Secret>) -> Failed {
        let mut retry_after = None;
        let error = match error {
            AttemptError::Stopped(Stop::Cancelled, _) => None,
            AttemptError::Stopped(Stop::Slept, _) => {
                retry_after = Some(0);
                Some((ProviderError::new(FailureClass::Network, "was left: the machine slept meanwhile"), true))
            }
            AttemptError::Stopped(Stop::Late, late) => {
                let (what, within) = late.unwrap_or((NO_FIRST, self.provider.settings.first_token()));
                Some((ProviderError::new(FailureClass::Timeout, format!("{what} ({within})")), false))
            }
            AttemptError::Provider(error) => Some((error, false)),
            AttemptError::Refused { error, retry_after: wait, .. } => {
                retry_after = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                Some((error, false))
            }
        };
        let usage = self.usage_so_far(&mut answer);
        let notes = std::mem::take(&mut answer.notes);
        let redactor = self.provider.redactor(key);
        let by = self.another_model(&answer, &redactor);
        let (partial, thinking) = answer.into_text();
        let [partial, thinking] = [partial, thinking].map(|text| redactor.redact_cut(&text));
        let Some((error, last)) = error else {
            return Failed { partial, thinking, by, usage, notes, ..Failed::cancelled(&self.provider.name) };
        };
        let error = self.through_proxy(error);
        let mut failure = self.provider.failure(&error, self.model, key);
        failure.retry_after_ms = retry_after;
        if self.provider.is_stopped_by(&error, key) {
            self.provider.stop(&failure);
        }
        Failed { failure, partial, thinking, by, usage, notes, last }
    }
}
