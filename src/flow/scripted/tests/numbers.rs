//! Integers pass through scripts and programs as they are, or are an error with their place.

use serde_json::json;

use super::{run, script};
use crate::flow::testing::Sim;

#[test]
fn an_integer_that_a_javascript_number_would_round_is_a_bigint_in_a_script() {
    let inputs = json!({ "big": 9_007_199_254_740_993_i64, "most": u64::MAX, "least": i64::MIN, "deep": [{ "n": 9_007_199_254_740_995_i64 }], "small": 7, "half": 0.5 });
    let body = r#"
        const kinds = [typeof inputs.big, typeof inputs.small, typeof inputs.half, typeof inputs.deep[0].n];
        return { title: kinds.join(" "), body: JSON.stringify([String(inputs.big + 2n), String(inputs.most), String(inputs.least), String(inputs.deep[0].n)]) };"#;
    let sim = Sim::new(script(body), inputs);
    assert_eq!(sim.body(), r#"["9007199254740995","18446744073709551615","-9223372036854775808","9007199254740995"]"#);
}

#[test]
fn an_integer_that_a_script_gives_is_kept_exactly() {
    let body = r#"
        const sum = await run.step("sum", { a: 9007199254740993n, b: 0 });
        const back = await run.step("sum", { a: sum, b: 1 });
        const whole = await run.step("sum", { a: 2 ** 60, b: 0 });
        return { title: "t", body: { sum, back, whole, most: 18446744073709551615n } };"#;
    let sim = run(body);
    let body: serde_json::Value = serde_json::from_str(&sim.body()).unwrap();
    assert_eq!(
        body,
        json!({ "sum": 9_007_199_254_740_993_i64, "back": 9_007_199_254_740_994_i64, "whole": 1_i64 << 60, "most": u64::MAX })
    );
}
