use minijinja::{Value, context};
use serde_json::{Value as Json, json};

use crate::core::template::{Expr, Template, render};

fn eval(source: &str) -> Result<Json, String> {
    let names = context! {
        nothing => Value::from(()), word => "ab", list => vec![1, 2, 3], long => "x".repeat(100_000), lines => "a\n".repeat(10_000),
        mixed => vec![Value::from("x"), Value::from(())],
    };
    Expr::parse(source).and_then(|expr| expr.eval_json(&names)).map_err(|error| error.message)
}

#[test]
fn none_is_empty_text_wherever_a_text_is_made() {
    for (source, wanted) in [
        ("'x' ~ nothing", "x"),
        ("nothing ~ nothing", ""),
        ("'a' ~ nothing ~ 'b' ~ (nothing)", "ab"),
        ("nothing | trim", ""),
        ("nothing | upper ~ '!'", "!"),
        ("nothing | title", ""),
        ("nothing | string", ""),
        ("nothing | replace('a', 'b')", ""),
        ("word | replace('a', nothing)", "b"),
        ("nothing | indent", ""),
        ("nothing | urlencode", ""),
        ("'%s!' | format(nothing)", "!"),
        ("mixed | join(',')", "x,"),
        ("(nothing if true else 'x') ~ 'y'", "y"),
    ] {
        assert_eq!(eval(source), Ok(json!(wanted)), "{source}");
        let names =
            context! { nothing => Value::from(()), word => "ab", mixed => vec![Value::from("x"), Value::from(())] };
        assert_eq!(render(&format!("<{{{{ {source} }}}}>"), &names).unwrap(), format!("<{wanted}>"), "{source}");
    }
    assert_eq!(eval("nothing | lines | list"), Ok(json!([])));
    assert!(eval("'x' ~ absent").unwrap_err().contains("`absent`"));
    assert!(eval("absent | trim").unwrap_err().contains("does not exist"));
}

#[test]
fn what_would_have_no_end_is_an_error_and_takes_no_memory() {
    for source in [
        "list | batch(1000000000, 0)",
        "list | batch(count=1000000000, fill_with=0)",
        "list | slice(1000000000)",
        "list | slice(1000000000, 'x')",
        "'%1000000000d' | format(1)",
        "'%-1000000000s|' | format('a')",
        "'%.1000000000f' | format(1)",
        "'%(n)01000000000d' | format(n=1)",
        "'%#+ 01000000000x' | format(1)",
        "long | replace('x', long)",
        "long | replace('', long)",
        "'x' * 1000000000",
        "1000000000 * 'x'",
        "long * 100000",
        "[0] * 1000000000",
        "(1, 2) * 50000000",
        "[long] * 100000",
        "range(1000000000)",
        "range(9000000000000000000, -9000000000000000000, -1)",
        "range(-9000000000000000000, 9000000000000000000)",
        "'a' | indent(1000000000)",
        "lines | indent(width=1000000)",
        "lines | indent(10000) | indent(10000)",
        "list | tojson(indent=1000000000)",
        "([long] * 10000) ~ ''",
        "([long] * 10000) | join",
        "([long] * 10000) | string | length",
        "([long] * 10000) | tojson | length",
        "2 ** 1000000000",
    ] {
        let error = eval(source).expect_err(source);
        assert!(error.len() < 300, "{source}: {error}");
    }
}

#[test]
fn a_constant_that_would_have_no_end_is_not_made_when_it_is_parsed() {
    // A list of definitions, and `check`, parse what nobody trusts yet.
    let source = vec!["'x' * 100000000"; 900].join(" ~ ");
    assert!(Expr::parse(&source).is_ok());
    assert!(Template::parse(&format!("{{{{ {source} }}}} .")).is_ok());
}

#[test]
fn a_loop_that_doubles_a_text_or_a_list_ends() {
    for body in [
        "{% set n.x = n.x ~ n.x %}",
        "{% set n.x = n.x + n.x %}",
        "{% set n.x = n.x * 2 %}",
        "{% set n.x = n.x | replace('x', 'xx') %}",
        "{% set n.x = [n.x, n.x] %}",
        "{% set n.x = [n.x] %}",
        "{% set n.x = {'a': n.x} %}",
        "{% set n.x = (n.x | list) | chain(n.x | list) %}",
        "{% set n.x = n.x | list | batch(1) %}",
        "{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}",
    ] {
        let source = format!("{{% set n = namespace(x='x') %}}{{% for i in range(50000) %}}{body}{{% endfor %}}");
        assert!(render(&source, &context! {}).is_err(), "{body}");
    }
    let source = format!("{{% for i in range(99999) %}}{}{{% endfor %}}", "text ".repeat(1_000));
    assert!(render(&source, &context! {}).unwrap_err().message.contains("MB"));
    let literal = "text ".repeat(10_000);
    let source = format!(
        "{{% macro m() %}}{literal}{{% endmacro %}}{{% set n = namespace(x=[]) %}}{{% for i in range(99999) %}}{{% set n.x = n.x + [m()] %}}{{% endfor %}}"
    );
    assert!(render(&source, &context! {}).is_err());
}

#[test]
fn what_people_write_is_far_from_the_limits() {
    for (source, wanted) in [
        ("list | batch(2, 0) | list", json!([[1, 2], [3, 0]])),
        ("list | batch(1000000000) | list", json!([[1, 2, 3]])),
        ("list | slice(2) | list", json!([[1, 2], [3]])),
        ("'%05d|%-4s|%.2f' | format(7, 'a', 1.5)", json!("00007|a   |1.50")),
        ("'%s of 2026000' | format('x')", json!("x of 2026000")),
        ("'=' * 40", json!("=".repeat(40))),
        ("[0, 1] * 2", json!([0, 1, 0, 1])),
        ("3 * 4 * 2", json!(24)),
        ("list[0] * 2.5", json!(2.5)),
        ("-list[2] * list[1] + 1", json!(-5)),
        ("list | sum * 2", json!(12)),
        ("long | replace('x', 'yy') | length", json!(200_000)),
        ("range(3) | list + [3]", json!([0, 1, 2, 3])),
        ("[1] | chain([2], [3]) | list", json!([1, 2, 3])),
        ("{'a': 1} | chain({'b': 2}) | items | list", json!([["a", 1], ["b", 2]])),
        ("list | map('string') | join(sep)", json!("1-2-3")),
        ("(list | tojson(indent=2)) | length > 5", json!(true)),
        ("'a\nb' | indent(2, true)", json!("  a\n  b")),
    ] {
        let source = source.replace("sep", "'-'");
        assert_eq!(eval(&source), Ok(wanted), "{source}");
    }
    let many = "{% set n = namespace(x='') %}{% for i in range(3000) %}{% set n.x = n.x ~ 'a line of some length\n' %}{% endfor %}{{ n.x }}";
    assert_eq!(render(many, &context! {}).unwrap().len(), 66_000);
    assert!(eval("'a' * list").unwrap_err().contains("multiplied"));
}

#[test]
fn texts_are_matched_and_searched_by_regular_expressions() {
    for (source, wanted) in [
        ("'2026-11-27' is matching('\\\\d{4}-\\\\d\\\\d-\\\\d\\\\d')", json!(true)),
        ("'on 2026-11-27' is matching('\\\\d{4}-\\\\d\\\\d-\\\\d\\\\d')", json!(false)),
        ("'a|b' is matching('a|b')", json!(false)),
        ("'ab' is not matching('a|b')", json!(true)),
        ("42 is matching('[0-9]+')", json!(true)),
        ("nothing is matching('.+')", json!(false)),
        ("'on 2026-11-27' | search('\\\\d{4}-\\\\d\\\\d-\\\\d\\\\d')", json!("2026-11-27")),
        ("'Score: 8 of 10' | search('Score: (\\\\d+)') | int", json!(8)),
        ("'x' | search('y')", json!(null)),
        ("'x' | search('y') is none", json!(true)),
        ("'ä=1' | search('ä=(.)')", json!("1")),
    ] {
        assert_eq!(eval(source), Ok(wanted), "{source}");
    }
    assert!(eval("'x' | search('(')").unwrap_err().contains("is not a regular expression"));
    assert!(eval("'x' is matching('a{1000}{1000}{1000}')").is_err());
}

#[test]
fn json_in_a_text_becomes_a_value_with_its_numbers_as_they_are() {
    assert_eq!(eval("'[1, {\"a\": null}]' | fromjson"), Ok(json!([1, {"a": null}])));
    assert_eq!(eval("('{\"n\": 9007199254740993}' | fromjson).n"), Ok(json!(9_007_199_254_740_993_i64)));
    assert!(eval("'[1' | fromjson").unwrap_err().contains("is not JSON"));
    assert!(eval("'18446744073709551616' | fromjson").unwrap_err().contains("does not fit 64 bits"));
    assert!(eval(&format!("'{}' | fromjson", "[".repeat(100_000))).is_err());
}

#[test]
fn a_number_stays_exact_or_is_an_error() {
    for (source, wanted) in [
        ("9007199254740993 + 0", "9007199254740993"),
        ("9007199254740993 * 1", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("2 ** 63", "9223372036854775808"),
        ("'18446744073709551615' | int", "18446744073709551615"),
        ("[9007199254740993] | sum", "9007199254740993"),
        ("9007199254740993 // 1", "9007199254740993"),
    ] {
        assert_eq!(eval(source).map(|value| value.to_string()), Ok(wanted.to_owned()), "{source}");
    }
    for source in
        ["2 ** 64", "18446744073709551615 + 1", "18446744073709551616", "[2 ** 64]", "-9223372036854775807 - 2"]
    {
        assert!(eval(source).unwrap_err().contains("64 bits"), "{source}: {:?}", eval(source));
    }
}

#[test]
fn the_lists_of_filters_and_tests_are_those_that_there_are() {
    let is_known = |source: String| {
        let error =
            Template::parse(&source).unwrap().render(&context! {}).err().map_or(String::new(), |error| error.message);
        !error.contains("is unknown")
    };
    for name in super::FILTERS {
        assert!(is_known(format!("{{{{ 'a' | {name} }}}}.")), "{name}");
        assert!(!is_known(format!("{{{{ 'a' | {name}_ }}}}.")), "{name}");
    }
    for name in super::TESTS.iter().filter(|name| name.chars().all(char::is_alphabetic)) {
        assert!(is_known(format!("{{{{ 'a' is {name} }}}}.")), "{name}");
        assert!(!is_known(format!("{{{{ 'a' is {name}_ }}}}.")), "{name}");
    }
    // Each that minijinja has is in the lists: what it adds later is refused by `check` until it is written there.
    let listed = include_str!("../functions.rs");
    assert!(super::FILTERS.is_sorted() && super::TESTS.is_sorted() && listed.contains("pub const FILTERS"));
}
