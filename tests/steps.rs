//! What a step does when it is performed: prompts against a fake model, real programs, a server on loopback.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may fail loudly too")]

#[path = "steps/commands.rs"]
mod commands;
#[path = "steps/continued.rs"]
mod continued;
#[path = "steps/fixture.rs"]
mod fixture;
#[path = "steps/prompts.rs"]
mod prompts;
#[path = "steps/requests.rs"]
mod requests;
#[path = "steps/tools.rs"]
mod tools;

use fixture::{StepFixture, failure, output};
use serde_json::json;
use stepwell::core::failure::FailureClass;
use stepwell::core::work::Work;

#[tokio::test]
async fn a_transform_gives_what_the_flow_computed_and_other_kinds_say_why_not() {
    let fixture = StepFixture::new();
    assert_eq!(
        output(fixture.perform(Work::Transform { value: json!({"a": [1]}), schema: None }).await),
        json!({"a": [1]})
    );
    let tool = Work::tool("files/read", json!({}));
    let (failed, _, in_doubt) = failure(fixture.perform(tool).await);
    assert!(
        failed.class == FailureClass::Tool && failed.message.contains("there is no server `files`") && !in_doubt,
        "{failed}"
    );
    let ask = Work::Ask { text: None, fields: vec![] };
    assert_eq!(failure(fixture.perform(ask).await).0.class, FailureClass::Definition);
}
