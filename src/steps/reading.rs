//! Finds the value that a schema asks for in what a model answered.
//!
//! An answer counts bare, in a Markdown fence, with text around it, and inside the wrapper that a provider forced on
//! it: an object with one field, or the shape of a tool call. Each candidate is judged by the schema as it stands
//! first, then as [`super::json_repair`] reads it, so that a repair is made only where the schema allows its result.
//! Pure.

use serde_json::Value;

use super::json_repair::{self, JsonEnding, RepairedJson};
use crate::core::schema::Schema;

/// Wrappers within wrappers are opened so deep.
const MAX_WRAPPERS: usize = 4;
/// So many places are tried as the beginning of a value.
const MAX_PLACES: usize = 2_000;

/// A value that the schema allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The value.
    pub value: Value,
    /// Whether the text ended before the value did.
    pub ending: JsonEnding,
}

/// An answer in which no value that the schema allows was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Unread {
    /// What is wrong, for a person and for the model.
    pub problem: String,
    /// The value that came nearest: the first that is JSON.
    pub value: Option<Value>,
}

/// Finds the value in `text` that `schema` allows.
///
/// # Errors
/// [`Unread`] when there is none.
pub fn read(text: &str, schema: &Schema) -> Result<Read, Unread> {
    let text = text.trim();
    let mut nearest = None;
    for found in candidates(text) {
        if let Some(value) = fit(&found.value, schema, MAX_WRAPPERS) {
            return Ok(Read { value, ending: found.ending });
        }
        nearest.get_or_insert(found.value);
    }
    // A schema that wants a text, or one of some words, gets it as it was said.
    let said = Value::String(text.to_owned());
    if !text.is_empty()
        && nearest.as_ref().is_none_or(|value| !value.is_array() && !value.is_object())
        && schema.allows(&said)
    {
        return Ok(Read { value: said, ending: JsonEnding::Whole });
    }
    let nearest = nearest.map(|value| opened(value, schema));
    let problem = match &nearest {
        Some(value) => schema.judge(value).err().unwrap_or_default(),
        None if text.is_empty() => "the answer is empty".to_owned(),
        None => "the answer is not JSON".to_owned(),
    };
    Err(Unread { problem, value: nearest })
}

/// The values that `text` may mean, the likeliest first: whole ones before those that were cut, what stands in a fence
/// before what stands around it, and long ones before the brackets that prose has.
fn candidates(text: &str) -> Vec<RepairedJson> {
    if let Ok(value) = crate::core::json::parse(text) {
        return vec![RepairedJson { value, length: text.len(), ending: JsonEnding::Whole }];
    }
    let mut candidates = Vec::new();
    for part in fences(text).into_iter().chain([text]) {
        if let Some(value) = whole_value(part) {
            candidates.push(RepairedJson { value, length: part.len(), ending: JsonEnding::Whole });
        }
        let mut within = values_within(part);
        within.sort_by_key(|found| std::cmp::Reverse(found.length));
        // A bracket that ends the text says nothing.
        candidates
            .extend(within.into_iter().filter(|found| found.ending == JsonEnding::Whole || !is_empty(&found.value)));
    }
    candidates.sort_by_key(|found| found.ending);
    candidates
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// `text` as one value and nothing else.
fn whole_value(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(value) = crate::core::json::parse(text) {
        return Some(value);
    }
    let found = json_repair::read(text)?;
    (found.ending == JsonEnding::Whole && text[found.length..].trim_matches([';', ' ', '\n', '\r', '\t']).is_empty())
        .then_some(found.value)
}

/// What stands in the Markdown fences of `text`; the last may lack its end.
fn fences(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let mark = line.trim();
        if mark.starts_with("```") || mark.starts_with("~~~") {
            match start.take() {
                Some(begin) => parts.push(&text[begin..at]),
                None => start = Some(at + line.len()),
            }
        }
        at += line.len();
    }
    if let Some(begin) = start {
        parts.push(&text[begin..]);
    }
    parts
}

/// The objects and arrays that stand in `text`, one after another.
fn values_within(text: &str) -> Vec<RepairedJson> {
    let mut found = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_PLACES {
        let Some(place) = text[at..].find(['{', '[']) else { break };
        at += place;
        match strict(&text[at..]).or_else(|| json_repair::read(&text[at..])) {
            Some(value) => {
                at += value.length;
                found.push(value);
            }
            None => at += 1,
        }
    }
    found
}

fn strict(text: &str) -> Option<RepairedJson> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let length = values.byte_offset();
    // An integer that would lose digits is kept as the text that it is.
    let is_exact = crate::core::json::too_large(text.get(..length)?).is_none();
    is_exact.then_some(RepairedJson { value, length, ending: JsonEnding::Whole })
}

/// `value`, or what it wraps, as the schema allows it.
fn fit(value: &Value, schema: &Schema, wrappers: usize) -> Option<Value> {
    if schema.allows(value) {
        return Some(value.clone());
    }
    if let Some(value) = with_numbers(value, schema) {
        return Some(value);
    }
    let inner = if wrappers == 0 { None } else { unwrapped(value) }?;
    fit(&inner, schema, wrappers - 1)
}

/// `value` with each text that is exactly a number, where the schema wants a number, made one.
fn with_numbers(value: &Value, schema: &Schema) -> Option<Value> {
    let places = schema.numbers_as_text(value);
    if places.is_empty() {
        return None;
    }
    let mut changed = value.clone();
    for place in places {
        let text = changed.pointer_mut(&place)?;
        *text = Value::Number(json_repair::number(text.as_str()?.trim())?);
    }
    schema.allows(&changed).then_some(changed)
}

/// A value that does not fit, out of a wrapper that the schema knows nothing of: then what is wrong is said of the value.
fn opened(value: Value, schema: &Schema) -> Value {
    match unwrapped(&value).filter(|_| value.is_object() && schema.refuses_type(&value)) {
        Some(inner) if !schema.refuses_type(&inner) => inner,
        _ => value,
    }
}

/// What stands inside a wrapper: an object with one field, a tool call, a list of one tool call, JSON in a text.
fn unwrapped(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let arguments = fields
                .get("name")
                .is_some_and(Value::is_string)
                .then(|| ["arguments", "input", "parameters"].iter().find_map(|name| fields.get(*name)));
            if let Some(arguments) = arguments.flatten().or_else(|| fields.get("function").filter(|f| f.is_object())) {
                return Some(arguments.clone());
            }
            let (name, inner) = fields.iter().next().filter(|_| fields.len() == 1)?;
            // What a model says instead of an answer is not the answer.
            (!matches!(name.as_str(), "error" | "errors" | "refusal")).then(|| inner.clone())
        }
        Value::Array(items) => match items.as_slice() {
            [only @ Value::Object(fields)] if fields.contains_key("name") || fields.contains_key("function") => {
                unwrapped(only)
            }
            _ => None,
        },
        Value::String(text) => whole_value(text).filter(|inner| !inner.is_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn compiled(schema: &Value) -> Schema {
        Schema::compile(schema).unwrap()
    }

    fn stanzas() -> Schema {
        compiled(&json!({"type": "array", "items": {"type": "object", "required": ["subject"],
            "properties": {"subject": {"type": "string"}, "lines": {"type": "integer"}}}}))
    }

    #[test]
    fn an_answer_counts_in_every_dress_that_models_give_it() {
        let wanted = json!([{"subject": "sea", "lines": 4}]);
        for answer in [
            r#"[{"subject": "sea", "lines": 4}]"#,
            "```json\n[{\"subject\": \"sea\", \"lines\": 4}]\n```",
            "~~~\n[{\"subject\": \"sea\", \"lines\": 4}]\n~~~",
            "Here it is:\n\n[{\"subject\": \"sea\", \"lines\": 4}]\n\nSay so if you want [more].",
            "Not [] but, as [1] says {roughly}: [{\"subject\": \"sea\", \"lines\": 4}]",
            r#"{"items": [{"subject": "sea", "lines": 4}]}"#,
            r#"{"output": {"result": [{"subject": "sea", "lines": 4}]}}"#,
            r#"{"name": "answer", "arguments": {"stanzas": [{"subject": "sea", "lines": 4}]}}"#,
            r#"{"type": "tool_use", "name": "answer", "input": [{"subject": "sea", "lines": 4}]}"#,
            r#"[{"name": "answer", "parameters": "{\"value\": [{\"subject\": \"sea\", \"lines\": 4}]}"}]"#,
            r#"{"function": {"name": "answer", "arguments": "[{\"subject\": \"sea\", \"lines\": 4}]"}}"#,
            "[{'subject': 'sea', 'lines': 4,},]",
            r#"[{"subject": "sea", "lines": "4"}]"#,
            "```\n[{“subject”: “sea”, lines: 4}] // done\n",
            "<think>{\"a\": 1} or [2]?</think>\n[{\"subject\": \"sea\", \"lines\": 4}]",
        ] {
            assert_eq!(
                read(answer, &stanzas()),
                Ok(Read { value: wanted.clone(), ending: JsonEnding::Whole }),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_cut_answer_says_that_it_was_cut() {
        let read = read("```json\n[{\"subject\": \"sea\"}, {\"subject\": \"sal", &stanzas()).unwrap();
        assert_eq!(
            read,
            Read { value: json!([{"subject": "sea"}, {"subject": "sal"}]), ending: JsonEnding::Truncated }
        );
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_with_the_reason() {
        let unread = read("[{\"lines\": 4}]", &stanzas()).unwrap_err();
        assert_eq!(unread.problem, "`[0]`: \"subject\" is missing");
        assert_eq!(unread.value, Some(json!([{"lines": 4}])));
        assert_eq!(read("I would rather not.", &stanzas()).unwrap_err().problem, "the answer is not JSON");
        assert_eq!(read(" \n", &stanzas()).unwrap_err().problem, "the answer is empty");
        assert!(read(r#"[{"subject": "sea", "lines": "about 4"}]"#, &stanzas()).is_err());
    }

    #[test]
    fn a_text_or_a_word_is_taken_as_it_was_said() {
        let word = compiled(&json!({"enum": ["high", "low"]}));
        for answer in ["high", "\"high\"", " high\n", "{\"priority\": \"high\"}", "```\n\"high\"\n```"] {
            assert_eq!(read(answer, &word).map(|r| r.value), Ok(json!("high")), "{answer}");
        }
        assert!(read("high, I think", &word).is_err());
        let text = compiled(&json!({"type": "string"}));
        assert_eq!(read("Dear Ana [and all],", &text).map(|r| r.value), Ok(json!("Dear Ana [and all],")));
        assert_eq!(read(r#"{"error": "no"}"#, &text).unwrap_err().value, Some(json!({"error": "no"})));
        let number = compiled(&json!({"type": "number"}));
        assert_eq!(read(r#"{"score": "0.5"}"#, &number).map(|r| r.value), Ok(json!(0.5)));
        assert_eq!(read("7", &number).map(|r| r.value), Ok(json!(7)));
        let yes = compiled(&json!({"type": "boolean"}));
        assert_eq!(read("```\ntrue\n```", &yes).map(|r| r.value), Ok(json!(true)));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1_000_000i32..1_000_000).prop_map(|n| Value::from(f64::from(n) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Arrays only: what stands in prose has to be told from it.
    fn list() -> impl Strategy<Value = Value> {
        prop::collection::vec(value(), 0..4).prop_map(Value::from)
    }

    proptest! {
        #[test]
        fn any_value_is_read_back_bare_or_fenced(value in value(), pretty in any::<bool>()) {
            let anything = compiled(&json!(true));
            let json = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            for answer in [json.clone(), format!("```json\n{json}\n```"), format!("Sure:\n```\n{json}\n```\nDone.")] {
                prop_assert_eq!(read(&answer, &anything), Ok(Read { value: value.clone(), ending: JsonEnding::Whole }), "{}", answer);
            }
        }

        #[test]
        fn any_list_is_read_back_wrapped_or_with_text_around_it(value in list(), name in "[a-z]{1,8}") {
            prop_assume!(!matches!(name.as_str(), "error" | "errors" | "refusal"));
            let array = compiled(&json!({"type": "array"}));
            let json = value.to_string();
            for answer in [
                format!("{{\"{name}\": {json}}}"),
                json!({"name": name, "arguments": {"value": value}}).to_string(),
                json!({"name": name, "arguments": json}).to_string(),
                format!("{json} is what I would say; the rest was cu"),
                format!("The answer: {json}\nI hope"),
            ] {
                prop_assert_eq!(read(&answer, &array).map(|r| r.value), Ok(value.clone()), "{}", answer);
            }
        }

        #[test]
        fn it_never_panics(text in any::<String>()) {
            let _ = read(&text, &stanzas());
        }
    }
}
