//! A cut answer that is continued: what has been paid for stays, and it counts as cut until it has come to its own end.

use std::time::Duration;

use serde_json::json;
use stepwell::core::failure::FailureClass;
use stepwell::core::model::{Finish, Message, Role};
use stepwell::core::ports::AttemptOutcome;
use stepwell::core::turn;
use stepwell::core::work::{PromptWork, Reply, Work};

use crate::fixture::{Says, StepFixture, done};

fn continued(reply: Reply) -> Work {
    let messages = vec![Message::new(Role::User, "Tell a tale.")];
    let schema = (reply == Reply::Turn).then(turn::schema);
    let models = vec!["fake/one".into()];
    Work::Prompt(PromptWork { models, messages, schema, reply, continues: true, ..PromptWork::default() })
}

fn tale() -> Work {
    continued(Reply::Output)
}

const CUT: Says = Says::Text("Once upon a", Finish::Length);

#[tokio::test]
async fn a_cut_answer_and_what_continues_it_are_one_text() {
    let fixture =
        StepFixture::new().says([CUT, Says::Text(" time, the", Finish::Length), Says::Text(" end.", Finish::Stop)]);
    let (output, problem, measured) = done(fixture.perform(tale()).await);
    assert_eq!((output, problem), (json!("Once upon a time, the end."), None));
    assert_eq!((measured.finish, measured.usage.tokens()), (Some(Finish::Stop), 45));
    assert_eq!(fixture.shown(), "Once upon a time, the end.");
    let asked = fixture.asked();
    let (text, role) = (&asked[2].messages[1].text, asked[2].messages[1].role);
    assert_eq!(
        (text.as_str(), role),
        ("Once upon a time, the", Role::Assistant),
        "the model sees all that it has written"
    );
}

#[tokio::test]
async fn a_text_that_cannot_be_continued_stays_and_counts_as_cut() {
    for (says, text, why) in [
        (Says::Text("", Finish::Stop), "Once upon a", "added nothing"),
        (Says::Text("<think>Hm.</think>", Finish::Stop), "Once upon a", "added nothing"),
        (Says::Fails(FailureClass::Network, " time"), "Once upon a time", "the fake failed"),
        (Says::Text("I would rather not.", Finish::Refused), "Once upon a", "declined to answer"),
        (Says::Hangs(" time"), "Once upon a time", "`timeout`"),
        (Says::Deaf(" time"), "Once upon a time", "`timeout`"),
    ] {
        let mut fixture = StepFixture::new().says([CUT, says]);
        fixture.timeout = Some(Duration::from_millis(200));
        let (output, problem, measured) = done(fixture.perform(tale()).await);
        assert_eq!((output, problem), (json!(text), None), "{why}");
        assert_eq!(measured.finish, Some(Finish::Length), "{why}");
        assert!(
            measured.notes.iter().any(|note| note.contains("could not be continued") && note.contains(why)),
            "{measured:?}"
        );
    }
}

#[tokio::test]
async fn words_that_refuse_to_continue_are_kept_and_are_no_part_of_the_text() {
    let fixture = StepFixture::new().says([CUT, Says::Text("I would rather not.", Finish::Refused)]);
    let (_, _, measured) = done(fixture.perform(tale()).await);
    assert_eq!(measured.discarded[0].text.data(), "I would rather not.");
}

#[tokio::test]
async fn an_answer_of_thoughts_alone_is_not_continued() {
    let fixture = StepFixture::new().says([Says::Text("<think>What could I", Finish::Length)]);
    let (output, problem, _) = done(fixture.perform(tale()).await);
    assert_eq!(output, json!(""));
    assert!(problem.is_some_and(|problem| problem.contains("took all tokens")));
}

#[tokio::test]
async fn nothing_is_continued_or_repaired_that_the_budget_does_not_allow() {
    // A request uses 15 tokens, and is expected to use 100 and those of its messages.
    let mut fixture = StepFixture::new().says([CUT]);
    fixture.allowed = Some(100);
    let (output, _, measured) = done(fixture.perform(tale()).await);
    assert_eq!((output, measured.finish), (json!("Once upon a"), Some(Finish::Length)));
    assert!(measured.notes.iter().any(|note| note.contains("budget")), "{measured:?}");

    let mut fixture =
        StepFixture::new().says([CUT, Says::Text(" time", Finish::Length), Says::Text(" the", Finish::Length)]);
    fixture.allowed = Some(180);
    let (output, _, measured) = done(fixture.perform(tale()).await);
    assert_eq!(
        (output, measured.usage.tokens()),
        (json!("Once upon a time the"), 45),
        "45 and more than 135 are too much"
    );

    let schema = Some(json!({"type": "array"}));
    let work = PromptWork { models: vec!["fake/one".into()], schema, ..PromptWork::default() };
    let mut fixture = StepFixture::new().says([Says::Text("no list", Finish::Stop)]);
    fixture.allowed = Some(100);
    let (output, problem, measured) = done(fixture.perform(Work::Prompt(work)).await);
    assert_eq!((output, problem.as_deref()), (json!("no list"), Some("the answer is not JSON")));
    assert!(
        measured.notes.iter().any(|note| note.contains("not asked once more") && note.contains("budget")),
        "{measured:?}"
    );
}

#[tokio::test]
async fn a_continued_turn_shows_its_words_and_never_what_carries_them() {
    let begun = r#"{"kind": "deliver", "title": "Friday", "body": "Dear A"#;
    let rest = r#"na.", "text": "", "missing": []}"#;
    let fixture = StepFixture::new().says([Says::Text(begun, Finish::Length), Says::Text(rest, Finish::Stop)]);
    let (output, _, measured) = done(fixture.perform(continued(Reply::Turn)).await);
    assert_eq!(output, json!({"turn": "deliver", "title": "Friday", "body": "Dear Ana."}));
    assert_eq!(fixture.shown(), "Friday\n\nDear Ana.");
    assert_eq!(measured.finish, Some(Finish::Stop));

    // Thoughts before the continuation take nothing of the first part from the screen.
    let thoughtful = format!("So: na.</think>{rest}");
    let says = [Says::Text(begun, Finish::Length), Says::Text(thoughtful.leak(), Finish::Stop)];
    let fixture = StepFixture::new().says(says);
    let (output, _, _) = done(fixture.perform(continued(Reply::Turn)).await);
    assert_eq!(output["body"], "Dear Ana.");
    assert_eq!(fixture.shown(), "Friday\n\nDear Ana.");

    for says in [Says::Hangs("na."), Says::Deaf("na.")] {
        let fixture = StepFixture::new().says([Says::Text(begun, Finish::Length), says]);
        let performing = tokio::spawn(fixture.begin(continued(Reply::Turn)));
        fixture.cancel_when_shown("Dear Ana.").await;
        let performed = performing.await.unwrap();
        let AttemptOutcome::Cancelled { partial, .. } = performed else { panic!("{performed:?}") };
        assert_eq!(partial.data(), "Friday\n\nDear Ana.");
    }
}
