//! Prompts: what a person gets of a model's answer.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::failure::FailureClass;
use stepwell::core::model::{Finish, Message, Role};
use stepwell::core::ports::{AttemptOutcome, Executor as _};
use stepwell::core::turn;
use stepwell::core::usage::Usage;
use stepwell::core::work::{PromptWork, Reply, Work};

use crate::commands::shell;
use crate::fixture::{Says, StepFixture, done, failure, output};

fn prompt(schema: Option<Value>) -> Work {
    let messages = vec![Message::new(Role::System, "Be brief."), Message::new(Role::User, "Divide a poem.")];
    Work::Prompt(PromptWork { models: vec!["fake/one".into()], messages, schema, ..PromptWork::default() })
}

fn list() -> Value {
    json!({"type": "array", "items": {"type": "integer"}})
}

#[tokio::test]
async fn the_answer_streams_and_is_the_output() {
    let fixture = StepFixture::new().says([Says::Text("\nThe sea, the sea.\n", Finish::Stop)]);
    let (output, problem, measured) = done(fixture.perform(prompt(None)).await);
    assert_eq!((output, problem), (json!("The sea, the sea."), None));
    assert_eq!(fixture.shown(), "\nThe sea, the sea.\n");
    assert_eq!(measured.model.as_deref(), Some("fake/one"));
    assert_eq!((measured.first_token_ms, measured.finish), (7, Some(Finish::Stop)));
    assert_eq!((measured.usage.tokens(), measured.notes), (15, vec!["a note".to_owned()]));
}

#[tokio::test]
async fn an_answer_to_a_schema_is_its_value_and_the_request_carries_the_schema() {
    let fixture = StepFixture::new().says([Says::Text("Sure:\n```json\n[1, \"2\",]\n```", Finish::Stop)]);
    assert_eq!(output(fixture.perform(prompt(Some(list()))).await), json!([1, 2]));
    let asked = fixture.asked();
    assert_eq!((asked.len(), asked[0].schema.clone()), (1, Some(list())));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_once_more_with_the_reason() {
    let fixture =
        StepFixture::new().says([Says::Text("[1, \"two\"]", Finish::Stop), Says::Text("[1, 2]", Finish::Stop)]);
    let (output, problem, measured) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((output, problem), (json!([1, 2]), None));
    assert_eq!(measured.usage, Usage { input_tokens: 20, output_tokens: 10, usd: 1.0 });
    assert!(measured.notes.iter().any(|note| note.contains("`[1]`: integer is wanted")), "{:?}", measured.notes);

    let asked = fixture.asked();
    let more = &asked[1].messages[2..];
    assert_eq!((more[0].role, more[0].text.as_str()), (Role::Assistant, "[1, \"two\"]"));
    assert!(more[1].text.contains("`[1]`: integer is wanted, this is a string") && more[1].role == Role::User);
    assert!(more[1].text.contains(r#"{"type":"array""#), "{}", more[1].text);
    assert_eq!(fixture.shown(), "[1, 2]", "the first answer left the screen");
}

#[tokio::test]
async fn a_second_misfit_goes_to_the_person_with_its_problem() {
    let fixture =
        StepFixture::new().says([Says::Text("no list", Finish::Stop), Says::Text("{\"a\": true}", Finish::Stop)]);
    let (output, problem, _) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!(output, json!({"a": true}));
    assert_eq!(problem.as_deref(), Some("the whole value: array is wanted, this is an object"));

    let fixture = StepFixture::new().says([Says::Text("", Finish::Stop), Says::Text("I cannot.", Finish::Stop)]);
    let (output, problem, _) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((output, problem.as_deref()), (json!("I cannot."), Some("the answer is not JSON")));
    assert_eq!(fixture.asked()[1].messages.len(), 3, "an empty answer is no turn of the conversation");
}

#[tokio::test]
async fn an_answer_that_was_cut_is_told_from_a_whole_one() {
    let fixture = StepFixture::new().says([Says::Text("The sea, the", Finish::Length)]);
    let (said, problem, measured) = done(fixture.perform(prompt(None)).await);
    assert_eq!((said, problem), (json!("The sea, the"), None));
    assert!(measured.notes.iter().any(|note| note.contains("cut")), "{:?}", measured.notes);

    let fixture =
        StepFixture::new().says([Says::Text("[1, 2", Finish::Length), Says::Text("[1, 2, 3", Finish::Length)]);
    let (value, problem, _) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!(value, json!([1, 2, 3]));
    assert!(problem.is_some());

    let fixture = StepFixture::new().says([Says::Text("[1, 2, ", Finish::Stop), Says::Text("[1, 2, 3]", Finish::Stop)]);
    assert_eq!(
        output(fixture.perform(prompt(Some(list()))).await),
        json!([1, 2, 3]),
        "an end in the middle is asked about"
    );

    // A model that forgot a bracket is understood.
    let fixture = StepFixture::new().says([Says::Text("[1, 2", Finish::Stop)]);
    assert_eq!(output(fixture.perform(prompt(Some(list()))).await), json!([1, 2]));
}

#[tokio::test]
async fn a_refusal_and_an_empty_answer_are_no_success() {
    let fixture = StepFixture::new().says([Says::Text("I would rather not.", Finish::Refused)]);
    let (failed, partial, in_doubt) = failure(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((failed.class, in_doubt), (FailureClass::Refused, false));
    assert_eq!((failed.detail.as_deref(), partial.as_str()), (Some("I would rather not."), "I would rather not."));

    let fixture = StepFixture::new().says([Says::Text(" \n", Finish::Stop)]);
    assert!(done(fixture.perform(prompt(None)).await).1.is_some());
}

#[tokio::test]
async fn a_failure_keeps_its_class_the_text_and_what_it_cost() {
    let fixture = StepFixture::new().says([Says::Text("[", Finish::Stop), Says::Fails(FailureClass::RateLimit, "[1")]);
    let performed = fixture.perform(prompt(Some(list()))).await;
    let AttemptOutcome::Failed { failure, partial, measured, in_doubt } = performed else { panic!("{performed:?}") };
    assert_eq!((failure.class, partial.data(), in_doubt), (FailureClass::RateLimit, "[1", false));
    assert_eq!(measured.usage.tokens(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_keeps_the_partial_text_even_of_a_deaf_model() {
    for says in [Says::Hangs("The sea"), Says::Deaf("The sea")] {
        let fixture = StepFixture::new().says([says]);
        let performing = tokio::spawn(fixture.begin(prompt(None)));
        let since = fixture.cancel_when_shown("sea").await;
        let performed = performing.await.unwrap();
        assert!(since.elapsed() < Duration::from_millis(400), "{:?}", since.elapsed());
        let AttemptOutcome::Cancelled { partial, in_doubt, .. } = performed else { panic!("{performed:?}") };
        assert_eq!((partial.data(), in_doubt), ("The sea", false));
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_step_covers_both_requests() {
    let mut fixture = StepFixture::new().says([Says::Text("x", Finish::Stop), Says::Hangs("[1")]);
    fixture.timeout = Some(Duration::from_millis(90));
    let (failed, partial, in_doubt) = failure(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((failed.class, partial.as_str(), in_doubt), (FailureClass::Timeout, "[1", false));
    assert!(failed.message.contains("90ms"), "{failed}");
}

#[tokio::test]
async fn an_attempt_that_is_cancelled_before_it_began_does_nothing() {
    let fixture = StepFixture::new();
    fixture.cancel.cancel();
    assert!(matches!(fixture.perform(prompt(None)).await, AttemptOutcome::Cancelled { in_doubt: false, .. }));
    assert!(matches!(fixture.perform(shell("touch begun")).await, AttemptOutcome::Cancelled { in_doubt: false, .. }));
    assert!(!fixture.folder.path().join("begun").exists());
}

#[test]
fn what_a_prompt_may_use_and_whose_limit_it_counts_against_is_the_models_to_say() {
    let fixture = StepFixture::new();
    let usage = fixture.steps.estimate(&prompt(Some(list())));
    assert!(usage.input_tokens > 5 && usage.output_tokens == 100, "{usage:?}");
    assert_eq!(fixture.steps.lane(&prompt(None)), Some(("fake".into(), 4)));
    assert_eq!(fixture.steps.estimate(&shell("true")), Usage::default());
    assert_eq!(fixture.steps.lane(&shell("true")), None);
}

fn turn_of(schema: Option<Value>) -> Work {
    let messages = vec![Message::new(Role::User, "Tell Ana.")];
    Work::Prompt(PromptWork { messages, schema, reply: Reply::Turn, ..PromptWork::default() })
}

const DELIVERY: &str =
    r#"{"kind": "deliver", "title": "Friday", "body": "Dear Ana,\nFriday.", "text": "", "missing": []}"#;

#[tokio::test]
async fn a_turn_of_a_conversation_streams_as_plain_text_and_is_kept_as_a_turn() {
    let fixture = StepFixture::new().says([Says::Text(DELIVERY, Finish::Stop)]);
    let delivered = json!({"turn": "deliver", "title": "Friday", "body": "Dear Ana,\nFriday."});
    assert_eq!(output(fixture.perform(turn_of(Some(turn::schema()))).await), delivered);
    assert_eq!(fixture.shown(), "Friday\n\nDear Ana,\nFriday.");
    assert_eq!(fixture.asked()[0].schema, Some(turn::schema()));

    let fixture = StepFixture::new().says([Says::Text("Which day is it?", Finish::Stop)]);
    let asked = json!({"turn": "ask", "text": "Which day is it?", "missing": []});
    assert_eq!(
        output(fixture.perform(turn_of(Some(turn::schema()))).await),
        asked,
        "what follows no schema is read too"
    );

    let fixture = StepFixture::new().says([Says::Text("{\"a\": 1}", Finish::Stop)]);
    assert_eq!(output(fixture.perform(turn_of(None)).await), json!({"turn": "say", "text": "{\"a\": 1}"}));
    assert_eq!(fixture.shown(), "{\"a\": 1}");

    let fixture = StepFixture::new().says([Says::Text(r#"{"kind": "ask", "text": "", "missing": []}"#, Finish::Stop)]);
    assert!(
        done(fixture.perform(turn_of(Some(turn::schema()))).await).1.is_some(),
        "a turn that says nothing is no turn"
    );
}

#[tokio::test]
async fn a_turn_that_is_broken_off_keeps_the_text_that_was_seen() {
    let begun = "{\"kind\": \"deliver\", \"title\": \"Friday\", \"body\": \"Dear A";
    for says in [Says::Hangs(begun), Says::Deaf(begun)] {
        let fixture = StepFixture::new().says([says]);
        let performing = tokio::spawn(fixture.begin(turn_of(Some(turn::schema()))));
        fixture.cancel_when_shown("Dear A").await;
        let performed = performing.await.unwrap();
        let AttemptOutcome::Cancelled { partial, .. } = performed else { panic!("{performed:?}") };
        assert_eq!(partial.data(), "Friday\n\nDear A");
    }
}
