//! Prompts: what a person gets of a model's answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::event::Measured;
use stepwell::core::failure::FailureClass;
use stepwell::core::model::{Finish, Message, Role};
use stepwell::core::ports::{AttemptOutcome, Executor as _, PastTurn, Transcript};
use stepwell::core::tool::{CallReturn, FinishedTurn, ToolSpec};
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
    assert_eq!(measured.usage, Usage { input_tokens: 20, output_tokens: 10, usd: 1.0, estimated: false });
    assert!(measured.notes.iter().any(|note| note.contains("`[1]`: expected integer")), "{:?}", measured.notes);

    let asked = fixture.asked();
    let more = &asked[1].messages[2..];
    assert_eq!((more[0].role, more[0].text.as_str()), (Role::Assistant, "[1, \"two\"]"));
    assert!(more[1].text.contains("`[1]`: expected integer, found a string") && more[1].role == Role::User);
    assert!(more[1].text.contains(r#"{"type":"array""#), "{}", more[1].text);
    assert_eq!(fixture.shown(), "[1, 2]", "the first answer left the screen");
}

#[tokio::test]
async fn a_second_misfit_goes_to_the_person_with_its_problem() {
    let fixture =
        StepFixture::new().says([Says::Text("no list", Finish::Stop), Says::Text("{\"a\": true}", Finish::Stop)]);
    let (output, problem, _) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!(output, json!({"a": true}));
    assert_eq!(problem.as_deref(), Some("the whole value: expected array, found an object"));

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
    let fixture = StepFixture::new().says([Says::Fails(FailureClass::RateLimit, "[1")]);
    let performed = fixture.perform(prompt(Some(list()))).await;
    let AttemptOutcome::Failed { failure, partial, measured, in_doubt } = performed else { panic!("{performed:?}") };
    assert_eq!((failure.class, partial.data(), in_doubt), (FailureClass::RateLimit, "[1", false));
    assert_eq!(measured.usage.tokens(), 15);
}

/// What an attempt kept beside its output: text, and a part of why.
fn kept(measured: &Measured) -> Vec<(&str, &str)> {
    measured.discarded.iter().map(|kept| (kept.text.data(), kept.why.as_str())).collect()
}

#[tokio::test]
async fn the_first_answer_goes_to_the_person_when_the_second_request_fails() {
    for class in [FailureClass::RateLimit, FailureClass::Auth, FailureClass::Network] {
        let fixture = StepFixture::new().says([Says::Text("[1, \"b\"]", Finish::Stop), Says::Fails(class, "[1")]);
        let (output, problem, measured) = done(fixture.perform(prompt(Some(list()))).await);
        assert_eq!(output, json!([1, "b"]));
        assert_eq!(problem.as_deref(), Some("`[1]`: expected integer, found a string"));
        let [(partial, why)] = kept(&measured)[..] else { panic!("{measured:?}") };
        assert_eq!(partial, "[1");
        assert!(why.contains("asked once more, it failed"), "{why}");
        assert_eq!((measured.usage.tokens(), measured.finish), (30, Some(Finish::Stop)));
    }

    let fixture = StepFixture::new().says([Says::Text("[1, \"b\"]", Finish::Stop), Says::Text("No.", Finish::Refused)]);
    let (output, problem, measured) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((output, problem.is_some(), kept(&measured)[0].0), (json!([1, "b"]), true, "No."));
}

#[tokio::test]
async fn the_better_of_two_unfit_answers_goes_to_the_person_and_the_other_is_kept() {
    for (first, second, taken, other) in [
        ("[1, \"b\"]", "", json!([1, "b"]), None),
        ("[1, \"b\"]", "I cannot.", json!([1, "b"]), Some("I cannot.")),
        ("[1, \"b\"]", "[\"a\", \"b\"]", json!([1, "b"]), Some("[\"a\", \"b\"]")),
        ("[\"a\", \"b\"]", "[1, \"b\"]", json!([1, "b"]), Some("[\"a\", \"b\"]")),
        ("[1, 2, ", "{\"a\": true}", json!([1, 2]), Some("{\"a\": true}")),
        ("[\"a\"]", "[\"b\"]", json!(["b"]), Some("[\"a\"]")),
        ("Well.", "", json!("Well."), None),
    ] {
        let fixture = StepFixture::new().says([Says::Text(first, Finish::Stop), Says::Text(second, Finish::Stop)]);
        let (output, problem, measured) = done(fixture.perform(prompt(Some(list()))).await);
        assert_eq!(output, taken, "{first} {second}");
        assert!(problem.is_some(), "{first} {second}");
        assert_eq!(kept(&measured).first().map(|kept| kept.0), other, "{first} {second}");
    }

    // An answer that was repaired leaves the first one to be seen.
    let fixture = StepFixture::new().says([Says::Text("[1, \"b\"]", Finish::Length), Says::Text("[1]", Finish::Stop)]);
    let (output, problem, measured) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((output, problem, measured.finish), (json!([1]), None, Some(Finish::Stop)));
    let [(text, why)] = kept(&measured)[..] else { panic!("{measured:?}") };
    assert!(text == "[1, \"b\"]" && why.contains("expected integer"), "{text}: {why}");
}

#[tokio::test]
async fn a_cut_answer_that_is_taken_says_that_it_was_cut() {
    let fixture = StepFixture::new().says([Says::Text("[1, 2, 3", Finish::Length), Says::Text("No.", Finish::Stop)]);
    let (output, problem, measured) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((output, measured.finish), (json!([1, 2, 3]), Some(Finish::Length)));
    assert!(problem.unwrap().contains("the limit of tokens cut the answer"));
}

#[tokio::test]
async fn a_wrapper_that_was_cut_is_opened_too() {
    let words = json!({"type": "array", "items": {"type": "object", "required": ["a"]}});
    for (schema, said, output) in [
        (list(), "{\"answer\": [", json!([])),
        (list(), "{\"answer\": [1, 2", json!([1, 2])),
        (json!({"type": "string"}), "{\"answer\": \"Dear An", json!("Dear An")),
        (words, "{\"answer\": [{\"a\": 1}, {\"b", json!([{"a": 1}, {}])),
    ] {
        let fixture = StepFixture::new().says([Says::Text(said, Finish::Length), Says::Text("", Finish::Stop)]);
        let (value, problem, _) = done(fixture.perform(prompt(Some(schema))).await);
        assert_eq!(value, output, "{said}");
        assert!(problem.as_ref().is_some_and(|problem| !problem.contains("object")), "{said}: {problem:?}");
    }
}

#[tokio::test]
async fn thoughts_are_kept_apart_from_every_answer() {
    for (said, schema, output, shown) in [
        ("<think>hm</think>\n\nThe sea.", None, json!("The sea."), "The sea."),
        ("hm</think>The sea.", None, json!("The sea."), "The sea."),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>The sea.",
            None,
            json!("The sea."),
            "The sea.",
        ),
        ("<think>hm</think>[1]", Some(list()), json!([1]), "[1]"),
        ("hm</think>{\"answer\": [1]}", Some(list()), json!([1]), "{\"answer\": [1]}"),
    ] {
        let fixture = StepFixture::new().says([Says::Text(said, Finish::Stop)]);
        let (value, problem, measured) = done(fixture.perform(prompt(schema)).await);
        assert_eq!((value, problem), (output, None), "{said}");
        assert_eq!((measured.thinking.data(), fixture.shown().as_str()), ("hm", shown), "{said}");
    }
    let fixture = StepFixture::new().says([Says::Text("<think>[1]</think>[2]", Finish::Stop)]);
    assert_eq!(output(fixture.perform(prompt(Some(list()))).await), json!([2]), "a draft is no answer");

    let fixture = StepFixture::new().says([Says::Text("<think>hm</think>The sea.", Finish::Stop)]);
    fixture.perform(prompt(None)).await;
    assert_eq!(fixture.progress(), ["The model is thinking."]);
}

#[tokio::test]
async fn a_model_that_is_asked_once_more_is_not_shown_its_thoughts() {
    let says =
        [Says::Text("<think>one</think>[\"a\"]", Finish::Stop), Says::Text("<think>two</think>[1]", Finish::Stop)];
    let fixture = StepFixture::new().says(says);
    let (_, _, measured) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!(fixture.asked()[1].messages[2].text, "[\"a\"]");
    assert_eq!(measured.thinking.data(), "one\n\ntwo");
    assert_eq!(kept(&measured)[0].0, "[\"a\"]");
}

#[tokio::test]
async fn a_model_that_only_thinks_has_not_answered() {
    for (finish, says) in [(Finish::Stop, "nothing but thoughts"), (Finish::Length, "took all tokens")] {
        let fixture = StepFixture::new().says([Says::Text("<think>[1] or [2]", finish)]);
        let (output, problem, measured) = done(fixture.perform(prompt(None)).await);
        assert_eq!((output, measured.thinking.data()), (json!(""), "[1] or [2]"));
        assert!(problem.as_ref().is_some_and(|problem| problem.contains(says)), "{problem:?}");
    }
}

#[tokio::test]
async fn thoughts_of_a_stopped_or_broken_stream_are_no_partial_answer() {
    for (said, partial, thinking) in
        [("<think>hm", "", "hm"), ("<think>hm</think>The s", "The s", "hm"), ("hm</think>The s", "The s", "hm")]
    {
        let fixture = StepFixture::new().says([Says::Fails(FailureClass::Network, said)]);
        let performed = fixture.perform(prompt(None)).await;
        let AttemptOutcome::Failed { partial: text, measured, .. } = performed else { panic!("{performed:?}") };
        assert_eq!((text.data(), measured.thinking.data()), (partial, thinking), "{said}");

        for says in [Says::Hangs(said), Says::Deaf(said)] {
            let fixture = StepFixture::new().says([says]);
            let performing = tokio::spawn(fixture.begin(prompt(None)));
            if partial.is_empty() {
                fixture.until(|fixture| !fixture.progress().is_empty()).await;
                fixture.cancel.cancel();
            } else {
                fixture.cancel_when_shown("s").await;
            }
            let performed = performing.await.unwrap();
            let AttemptOutcome::Cancelled { partial: text, measured, .. } = performed else { panic!("{performed:?}") };
            assert_eq!((text.data(), measured.thinking.data()), (partial, thinking), "{said}");
        }
    }
}

#[tokio::test]
async fn stopping_the_second_request_keeps_the_first_answer() {
    for (second, partial, other) in [("[2, ", "[2, ", Some("[\"a\"]")), ("", "[\"a\"]", None)] {
        let fixture = StepFixture::new().says([Says::Text("[\"a\"]", Finish::Stop), Says::Hangs(second)]);
        let performing = tokio::spawn(fixture.begin(prompt(Some(list()))));
        fixture.until(|fixture| fixture.asked().len() == 2 && fixture.shown() == second).await;
        fixture.cancel.cancel();
        let performed = performing.await.unwrap();
        let AttemptOutcome::Cancelled { partial: text, measured, .. } = performed else { panic!("{performed:?}") };
        assert_eq!(text.data(), partial);
        assert_eq!(kept(&measured).first().map(|kept| kept.0), other);
    }
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
    let (output, problem, measured) = done(fixture.perform(prompt(Some(list()))).await);
    assert_eq!((output, problem.as_deref()), (json!("x"), Some("the answer is not JSON")));
    assert_eq!(kept(&measured)[0].0, "[1", "what the second had brought is kept");

    let mut fixture = StepFixture::new().says([Says::Hangs("[1")]);
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
    let usage = fixture.steps.estimate(&prompt(Some(list())), None);
    assert!(usage.input_tokens > 5 && usage.output_tokens == 100, "{usage:?}");
    assert_eq!(fixture.steps.lane(&prompt(None)), Some(("fake".into(), 4)));
    assert_eq!(fixture.steps.estimate(&shell("true"), None), Usage::default());
    assert_eq!(fixture.steps.lane(&shell("true")), None);
}

/// A model that calls tools is sent them, its turns and what they returned, each time; and a turn of calls has no text.
#[test]
fn what_a_model_that_calls_tools_may_use_has_its_tools_and_all_that_they_returned() {
    let fixture = StepFixture::new();
    let described = |length: usize| -> ToolSpec {
        let described = json!({ "tool": "read", "description": "x".repeat(length), "input": { "type": "object" } });
        serde_json::from_value(described).unwrap()
    };
    let calls = json!([{ "call": "1.0", "tool": "read", "arguments": { "path": "a" } }]);
    let turn: FinishedTurn = FinishedTurn {
        turn: 1,
        text: "".into(),
        calls: serde_json::from_value(calls).unwrap(),
        opaque: None,
        measured: Measured::default(),
    };
    let so_far = |described: ToolSpec, returned: usize| {
        let (output, images, notes) = (Arc::new(json!("x".repeat(returned))), Vec::new(), Vec::new());
        let returned = CallReturn::Returned { output, is_error: false, images, notes };
        let past = PastTurn { turn: Arc::new(turn.clone()), returned: vec![(Arc::new(returned), None)] };
        Transcript { tools: vec![described].into(), turns: vec![past] }
    };
    let tokens = |so_far: Option<&Transcript>| fixture.steps.estimate(&prompt(None), so_far).input_tokens;
    let short = tokens(Some(&so_far(described(1), 1)));
    assert!(tokens(None) < short);
    assert!(tokens(Some(&so_far(described(8_000), 1))) > short + 1_000, "the tools are sent each time");
    assert!(tokens(Some(&so_far(described(1), 80_000))) > short + 10_000, "and so is what they returned");
    let lost = fixture.steps.spent(&prompt(None), Some(&so_far(described(1), 80_000)), &"".into());
    assert!(lost.input_tokens > 10_000, "{lost:?}");
    assert_eq!(fixture.steps.spent(&prompt(None), None, &"".into()), Usage::default(), "it may never have been sent");
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

    let thoughtful = format!("<think>Draft: {}</think>{DELIVERY}", DELIVERY.replace("Friday", "Monday"));
    let fixture_of_thoughts = StepFixture::new().says([Says::Text(thoughtful.leak(), Finish::Stop)]);
    assert_eq!(output(fixture_of_thoughts.perform(turn_of(Some(turn::schema()))).await), delivered);
    assert_eq!(fixture_of_thoughts.shown(), "Friday\n\nDear Ana,\nFriday.");

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
