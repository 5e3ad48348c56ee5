//! The demo model: always there, never asks the network, and never claims to be a model.
//!
//! For the shipped tasks it replays recorded answers; for every other task it says that it is a demo and answers in the
//! shape that was asked for. Its usage is an estimate and costs nothing.

mod recording;
mod schema_instance;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Delta, DeltaSink, Finish, ModelCall, ModelRequest, Role};
use crate::core::text::Untrusted;
use crate::core::usage::{Usage, estimate_tokens};

use super::outcome::{Answered, Failed};

pub use recording::RECORDINGS;
use recording::{Recorded, RecordedCall, Turns};

/// How fast the demo answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// A few words at a time, as a person reads a stream.
    #[default]
    Natural,
    /// All at once: for programs and tests.
    Instant,
}

/// Between two pieces at the natural pace.
const BETWEEN: Duration = Duration::from_millis(15);

/// A piece is a word, or so many characters of a text without spaces.
const PIECE: usize = 12;

/// Answers.
pub(super) async fn answer(
    request: &ModelRequest,
    pace: Pace,
    deltas: &DeltaSink,
    cancel: &CancellationToken,
) -> Result<Answered, Failed> {
    let (text, recorded) = match recording::recorded(&request.asker, &Turns::of(request)) {
        Ok(Some(Recorded::Text(text, calls))) => (text, calls),
        Ok(Some(Recorded::Refused(why))) => return Err(Failed::new(Failure::new(FailureClass::Refused, why))),
        Ok(None) => {
            let text = match &request.schema {
                Some(schema) => schema_instance::instance(schema).to_string(),
                None => unchanged(request).unwrap_or_else(|| in_words(request)),
            };
            (text, Vec::new())
        }
        Err(problem) => {
            let message = format!("The demo's recording for `{}` cannot be used: {problem}", request.asker.task);
            return Err(Failed::new(Failure::new(FailureClass::Definition, message)));
        }
    };
    let mut sent = 0;
    while sent < text.len() {
        if cancel.is_cancelled() {
            return Err(Failed { partial: text[..sent].to_owned(), ..Failed::cancelled("demo") });
        }
        let end = match pace {
            Pace::Instant => text.len(),
            Pace::Natural => sent + piece(&text[sent..]),
        };
        deltas(Delta::Text(Untrusted::from(&text[sent..end])));
        sent = end;
        if pace == Pace::Natural && sent < text.len() {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(BETWEEN) => {}
            }
        }
    }
    let usage = Usage {
        input_tokens: request.prompt_tokens(),
        output_tokens: estimate_tokens(&text),
        usd: 0.0,
        estimated: false,
    };
    let call = |(nth, RecordedCall { tool, arguments }): (usize, RecordedCall)| ModelCall {
        id: format!("demo{nth}"),
        name: tool,
        arguments: arguments.into(),
    };
    let calls: Vec<ModelCall> = recorded.into_iter().enumerate().map(call).collect();
    let finish = if calls.is_empty() { Finish::Stop } else { Finish::Calls };
    Ok(Answered {
        text,
        thinking: String::new(),
        calls,
        opaque: None,
        by: None,
        usage,
        finish,
        first_token_ms: 0,
        notes: Vec::new(),
        discarded: Vec::new(),
    })
}

/// The length of the next piece: to the end of a word and the space after it.
fn piece(rest: &str) -> usize {
    let mut in_space = false;
    for (count, (at, c)) in rest.char_indices().enumerate() {
        if count >= PIECE || (in_space && !c.is_whitespace()) {
            return at;
        }
        in_space = c.is_whitespace();
    }
    rest.len()
}

/// What becomes of a document that an action is to change, where nothing is recorded for it: it stays, and says so.
fn unchanged(request: &ModelRequest) -> Option<String> {
    let body = request.asker.vars.as_ref()?.pointer("/document/body")?.as_str()?;
    Some(format!("{}\n\n*(The demo cannot change this text; a model would.)*", body.trim_end()))
}

/// The answer where nothing is recorded and no shape is asked for.
fn in_words(request: &ModelRequest) -> String {
    let prompt = request.messages.iter().rev().find(|message| message.role == Role::User);
    let first = prompt.and_then(|prompt| prompt.text.lines().map(str::trim).find(|line| !line.is_empty()));
    let about = match first {
        Some(line) => format!("It was asked: “{}”", line.chars().take(200).collect::<String>()),
        None => "It was asked nothing.".to_owned(),
    };
    format!(
        "Demo model: this text is not an answer, because no language model is set up. {about}\n\n\
         Set ANTHROPIC_API_KEY or OPENAI_API_KEY, start Ollama, or name a model in the config; \
         `stepwell doctor` says what is missing."
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::core::model::{Asker, Message};

    fn request(schema: Option<serde_json::Value>) -> ModelRequest {
        ModelRequest {
            messages: vec![Message::new(Role::User, "\nWrite a letter.\nBe kind.")],
            schema,
            asker: Asker { task: "a task of one's own".to_owned(), attempt: 1, ..Asker::default() },
            ..ModelRequest::default()
        }
    }

    fn sink() -> (DeltaSink, Arc<Mutex<Vec<String>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let sink: DeltaSink = Arc::new(move |delta| {
            if let Delta::Text(text) = delta {
                kept.lock().unwrap().push(text.data().to_owned());
            }
        });
        (sink, seen)
    }

    #[tokio::test(start_paused = true)]
    async fn it_says_that_it_is_a_demo_and_streams_word_by_word() {
        let (sink, seen) = sink();
        let answered = answer(&request(None), Pace::Natural, &sink, &CancellationToken::new()).await.ok().unwrap();
        assert!(answered.text.starts_with("Demo model:"), "{}", answered.text);
        assert!(answered.text.contains("“Write a letter.”"), "{}", answered.text);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.concat(), answered.text);
        assert!(seen.len() > 20 && seen[0] == "Demo ", "{seen:?}");
        assert!(answered.usage.tokens() > 0 && answered.usage.usd == 0.0);
    }

    #[tokio::test]
    async fn a_schema_is_answered_in_its_shape() {
        let (sink, seen) = sink();
        let schema = json!({"type": "array", "items": {"type": "object", "required": ["subject"],
            "properties": {"subject": {"type": "string"}}}});
        let answered = answer(&request(Some(schema.clone())), Pace::Instant, &sink, &CancellationToken::new()).await;
        let text = answered.ok().unwrap().text;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(jsonschema::is_valid(&schema, &value));
        assert_eq!(value[0]["subject"], "Demo text for subject");
        assert_eq!(*seen.lock().unwrap(), [text]);
    }

    #[tokio::test]
    async fn a_document_that_it_cannot_change_stays_and_says_so() {
        let (sink, _) = sink();
        let mut asked = request(None);
        asked.asker.vars = Some(json!({ "document": { "body": "The sea.\n" } }));
        let answered = answer(&asked, Pace::Instant, &sink, &CancellationToken::new()).await.ok().unwrap();
        assert!(answered.text.starts_with("The sea.\n\n*(The demo"), "{}", answered.text);
    }

    #[tokio::test(start_paused = true)]
    async fn stopped_in_the_middle_it_keeps_what_was_said() {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let (inner, seen) = sink();
        let sink: DeltaSink = Arc::new(move |delta| {
            inner(delta);
            stop.cancel();
        });
        let stopped = answer(&request(None), Pace::Natural, &sink, &cancel).await.err().unwrap();
        assert_eq!(stopped.partial, "Demo ");
        assert_eq!(*seen.lock().unwrap(), ["Demo "]);
        assert!(stopped.last);
    }
}
