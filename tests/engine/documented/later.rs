//! What later steps see.

use serde_json::json;
use stepwell::core::decide::DecisionKind;
use stepwell::core::failure::{Failure, FailureClass};

use super::{Play, quotes, start_in};
use crate::harness::{Act, Harness, body, shout};

/// A step that computes.
fn expr(id: &str, expr: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nkind = \"transform\"\nexpr = \"{expr}\"\n{more}\n")
}

/// What the run says at its end.
fn says(text: &str) -> String {
    format!("[result]\ntitle = \"t\"\nbody = \"{text}\"\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_step() {
    quotes(r#"`output` (`none` when it did not end accepted), `status`, `error`"#);
    let steps = [
        expr("good", "1", ""),
        expr("out", "2", "when = \"false\""),
        "[[steps]]\nid = \"bad\"\nkind = \"command\"\nargv = [\"x\"]\napprove = \"never\"\non_failure = \"continue\"\n"
            .to_owned(),
        says(
            "{% for s in [steps.good, steps.out, steps.bad] %}{{ s.output is none }} {{ s.status }} {{ s.error is none }};{% endfor %}{{ steps.bad.error }}",
        ),
    ];
    let act = |_: &_| Act::Fail(Failure::new(FailureClass::Command, "no such luck"));
    let play = Play::with(&steps.concat(), json!({}), act).await;
    let said = body(&play.state);
    assert!(said.starts_with("False accepted True;True skipped True;True failed False;"), "{said}");
    assert!(said.contains("no such luck"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outputs_of_a_list() {
    quotes(r#"`outputs`: what was accepted, in the order of the items"#);
    let list = "for_each = \"[3, 1, 2]\"\nwhen = \"item != 1\"\nreview = \"always\"";
    let steps = [expr("each", "item * 10", list), says("{{ steps.each.outputs | join(',') }}")];
    let mut play = Play::of(&steps.concat(), json!({})).await;
    play.decide("each[2]", DecisionKind::Accept).await;
    play.decide("each[0]", DecisionKind::Accept).await;
    assert_eq!(body(&play.state), "30,20", "not in the order of the decisions, and without what was skipped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_of_a_list() {
    quotes(r#"`calls`: `{item, index, status, output, error}` for every item"#);
    let list = "for_each = \"['a', 'b']\"\nwhen = \"item != 'a'\"";
    let steps = [
        expr("each", "item ~ '!'", list),
        says(
            "{% for c in steps.each.calls %}{{ c | list | sort | join(',') }} {{ c.item }} {{ c.index }} {{ c.status }} {{ c.output }} {{ c.error is none }};{% endfor %}",
        ),
    ];
    let play = Play::of(&steps.concat(), json!({})).await;
    let keys = "error,index,item,output,status";
    assert_eq!(body(&play.state), format!("{keys} a 0 skipped  True;{keys} b 1 accepted b! True;"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat() {
    quotes(r#"`output` of the last iteration"#);
    let again = "repeat = { until = \"iteration == 2\", max = 5 }";
    let steps = [expr("again", "iteration", again), says("{{ steps.again.output }}")];
    assert_eq!(body(&Play::of(&steps.concat(), json!({})).await.state), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group() {
    quotes(r#"`output`, or, with `for_each`, `outputs` and `calls`"#);
    let group = |id: &str, more: &str| {
        format!(
            "[[steps]]\nid = \"{id}\"\nkind = \"group\"\n{more}\n[[steps.steps]]\nid = \"in_{id}\"\nkind = \"transform\"\nexpr = \"1 + 1\"\n"
        )
    };
    let steps = [
        group("one", ""),
        group("each", "for_each = \"[1, 2]\""),
        says("{{ steps.one.output }} {{ steps.each.outputs | join(',') }} {{ steps.each.calls | length }}"),
    ];
    assert_eq!(body(&Play::of(&steps.concat(), json!({})).await.state), "2 2,2 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow() {
    quotes(r#"`output`: `{title, body}`, or its `[result] output`"#);
    let parent = "[[steps]]\nid = \"kid\"\nkind = \"workflow\"\nworkflow = \"child\"\n";
    let child = expr("x", "[1, 2]", "");
    for (result, reads, body_of) in [
        ("[result]\ntitle = \"T\"\nbody = \"B\"\n", "{{ steps.kid.output.title }}{{ steps.kid.output.body }}", "TB"),
        (
            "[result]\ntitle = \"T\"\nbody = \"B\"\noutput = \"steps.x.output\"\n",
            "{{ steps.kid.output | join('+') }}",
            "1+2",
        ),
    ] {
        let harness = Harness::new(shout);
        let (parent, child) = (format!("{parent}{}", says(reads)), format!("{child}{result}"));
        let run = start_in(&harness, None, &[&parent, &child], json!({}));
        assert_eq!(body(&harness.drive(run).await), body_of);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch() {
    quotes(r#"`output`: the chosen ids"#);
    let steps = [
        "[[steps]]\nid = \"way\"\nkind = \"switch\"\ncases = [{ when = \"true\", to = [\"a\", \"b\"] }]\ndefault = [\"c\"]\n".to_owned(),
        expr("a", "1", ""),
        expr("b", "1", ""),
        expr("c", "1", ""),
        says("{{ steps.way.output | join(',') }}"),
    ];
    assert_eq!(body(&Play::of(&steps.concat(), json!({})).await.state), "a,b");
}
