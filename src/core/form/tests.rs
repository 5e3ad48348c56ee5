use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Bound, Field, FieldType, check, fill};

fn field(kind: FieldType) -> Field {
    Field {
        name: "f".into(),
        kind,
        required: true,
        choices: vec!["red".into(), "green".into(), "a, b".into()],
        ..Field::default()
    }
}

#[test]
fn what_is_typed_becomes_a_value() {
    for (kind, typed, value) in [
        (FieldType::Text, "the sea", json!("the sea")),
        (FieldType::Text, "42\n", json!("42")),
        (FieldType::Multiline, "a\nb\n", json!("a\nb\n")),
        (FieldType::Integer, " -3 ", json!(-3)),
        (FieldType::Number, "2.5", json!(2.5)),
        (FieldType::Number, "7", json!(7)),
        (FieldType::Boolean, "Yes", json!(true)),
        (FieldType::Boolean, "false", json!(false)),
        (FieldType::Choice, "red", json!("red")),
        (FieldType::Choices, "red, green", json!(["red", "green"])),
        (FieldType::Choices, "a, b", json!(["a, b"])),
        (FieldType::Choices, "[\"a, b\", \"red\"]", json!(["a, b", "red"])),
        (FieldType::Date, "2026-11-20", json!("2026-11-20")),
        (FieldType::Secret, "env:TOKEN", json!("env:TOKEN")),
        (FieldType::Json, "{\"a\": [1]}", json!({"a": [1]})),
        (FieldType::Json, "\"\"", json!("")),
    ] {
        assert_eq!(field(kind).parse_text(typed), Ok(value), "{typed}");
    }
}

#[test]
fn what_does_not_fit_is_told_in_words() {
    for (kind, typed, wanted) in [
        (FieldType::Text, "", "a value is required"),
        (FieldType::Text, "a\nb", "expected one line, not several"),
        (FieldType::Integer, "three", "expected a whole number, not `three`"),
        (FieldType::Integer, "2.5", "expected a whole number, not `2.5`"),
        (
            FieldType::Integer,
            "99999999999999999999",
            "the integer 99999999999999999999 does not fit 64 bits, and would lose digits",
        ),
        (
            FieldType::Number,
            "-9223372036854775809",
            "the integer -9223372036854775809 does not fit 64 bits, and would lose digits",
        ),
        (FieldType::Number, "nan", "expected a number, not `nan`"),
        (FieldType::Boolean, "maybe", "expected yes or no (true or false), not `maybe`"),
        (FieldType::Choice, "gren", "`gren` is not a choice; did you mean `green`?"),
        (FieldType::Choice, "", "a value is required: `red`, `green`, `a, b`"),
        (FieldType::Choices, "red, xxxxxx", "`xxxxxx` is not a choice; choose from `red`, `green`, `a, b`"),
        (FieldType::Date, "20.11.2026", "expected a date such as 2026-11-20, not `20.11.2026`"),
        (FieldType::Date, "2026-02-30", "expected a date such as 2026-11-20, not `2026-02-30`"),
        (FieldType::Json, "{", "expected JSON: EOF while parsing an object at line 1 column 1"),
        (FieldType::File, "a.txt", "expected a file that was read, not `a.txt`"),
    ] {
        assert_eq!(field(kind).parse_text(typed), Err(wanted.to_owned()), "{typed}");
    }
    let secret = field(FieldType::Secret).parse_text("hunter2").unwrap_err();
    assert!(secret.contains("env:NAME") && !secret.contains("hunter2"));
}

#[test]
fn limits_count_what_the_type_holds() {
    let with =
        |kind, min: f64, max: f64| Field { min: Some(Bound::Float(min)), max: Some(Bound::Float(max)), ..field(kind) };
    for (field, value, wanted) in [
        (with(FieldType::Integer, 1.0, 12.0), json!(13), "expected a number from 1 to 12, not 13"),
        (with(FieldType::Text, 2.0, 3.0), json!("ä"), "expected at least 2 characters, not 1"),
        (with(FieldType::Text, 2.0, 3.0), json!("äöüß"), "expected at most 3 characters, not 4"),
        (with(FieldType::Text, 1.0, 1.0), json!("äö"), "expected at most 1 character, not 2"),
        (with(FieldType::Choices, 2.0, 3.0), json!(["red"]), "expected at least 2 choices, not 1"),
    ] {
        assert_eq!(field.validate(&value), Err(wanted.to_owned()));
    }
    assert_eq!(with(FieldType::Integer, 1.0, 12.0).validate(&json!(12.0)), Ok(json!(12)));
    let pattern = Field { pattern: Some("[a-z]+|x".into()), ..field(FieldType::Text) };
    assert_eq!(pattern.validate(&json!("abc")), Ok(json!("abc")));
    assert_eq!(pattern.validate(&json!("abc1")), Err("`abc1` does not match the pattern `[a-z]+|x`".to_owned()));
}

#[test]
fn a_form_is_filled_in_with_defaults_and_names_all_that_is_wrong() {
    let fields = [
        Field { name: "topic".into(), required: true, ..Field::default() },
        Field { name: "n".into(), kind: FieldType::Integer, default: Some(json!(3)), ..Field::default() },
        Field { name: "note".into(), ..Field::default() },
    ];
    let given = |value: Value| value.as_object().cloned().unwrap_or_default();
    let filled = check(&fields, &given(json!({"topic": "sea"}))).unwrap();
    assert_eq!(Value::Object(filled), json!({"topic": "sea", "n": 3, "note": null}));
    let wrong = check(&fields, &given(json!({"n": "x", "topik": 1}))).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "`topic`: a value is required\n`n`: expected a whole number, not `x`\n`topik`: there is no such field; did you mean `topic`?"
    );
    assert_eq!(fill(&fields, &json!([])).unwrap_err().len(), 1);
    assert_eq!(fill(&[], &json!({"a": 1})).unwrap_err(), ["`a`: there is nothing to fill in here"]);
    assert_eq!(check(&[], &Map::new()).unwrap(), Map::new());
}

proptest! {
    #[test]
    fn what_was_valid_stays_as_it_is(kind in 0usize..14, typed in "\\PC{0,30}") {
        let kinds = [
            FieldType::Text, FieldType::Multiline, FieldType::Integer, FieldType::Number, FieldType::Boolean,
            FieldType::Choice, FieldType::Choices, FieldType::Date, FieldType::File, FieldType::Files,
            FieldType::Image, FieldType::Images, FieldType::Secret, FieldType::Json,
        ];
        let field = field(kinds[kind]);
        if let Ok(value) = field.parse_text(&typed) {
            prop_assert_eq!(field.validate(&value), Ok(value));
        }
    }
}

#[test]
fn integers_beyond_2_to_53_are_kept_and_compared_exactly() {
    let bound = |text: &str| serde_json::from_str::<Bound>(text).unwrap();
    let odd = Field {
        min: Some(bound("9007199254740993")),
        max: Some(bound("9007199254740995")),
        ..field(FieldType::Integer)
    };
    for (typed, fits) in [
        ("9007199254740992", false),
        ("9007199254740993", true),
        ("9007199254740995", true),
        ("9007199254740996", false),
    ] {
        let value = odd.parse_text(typed);
        assert_eq!(value.is_ok(), fits, "{value:?}");
        if fits {
            assert_eq!(value.unwrap().to_string(), typed);
        }
    }
    let said = odd.parse_text("9007199254740992").unwrap_err();
    assert_eq!(said, "expected a number from 9007199254740993 to 9007199254740995, not 9007199254740992");
    // A bound that a float does not hold bounds floats, too, and what is between 2^63 and 2^64 is an integer like others.
    let number = Field { kind: FieldType::Number, ..odd };
    assert!(number.validate(&json!(9_007_199_254_740_992.0)).is_err());
    assert_eq!(number.parse_text("9007199254740994"), Ok(json!(9_007_199_254_740_994_i64)));
    assert_eq!(field(FieldType::Integer).parse_text("18446744073709551615"), Ok(json!(u64::MAX)));
    assert_eq!(field(FieldType::Number).parse_text("18446744073709551615"), Ok(json!(u64::MAX)));
}

#[test]
fn a_json_value_fits_its_schema_whichever_way_it_comes() {
    let schema = json!({ "type": "array", "items": { "type": "integer" }, "minItems": 1 });
    let plan = Field { name: "plan".into(), schema: Some(schema), ..field(FieldType::Json) };
    assert_eq!(plan.parse_text("[1, 2]"), Ok(json!([1, 2])));
    let wrong = "it does not fit its schema: `[0]`: expected integer, found a string";
    assert_eq!(plan.parse_text("[\"a\"]"), Err(wrong.to_owned()));
    assert_eq!(plan.validate(&json!(["a"])), Err(wrong.to_owned()));
    assert_eq!(fill(std::slice::from_ref(&plan), &json!({ "plan": [] })).unwrap_err().len(), 1);
    assert_eq!(Field { required: false, ..plan.clone() }.validate(&json!(null)), Ok(json!(null)), "nothing is nothing");
    let broken = Field { schema: Some(json!({ "type": "lst" })), ..plan.clone() };
    assert!(broken.usable().is_err() && plan.usable().is_ok());
    assert!(Field { pattern: Some("(".into()), ..field(FieldType::Text) }.usable().is_err());
}
