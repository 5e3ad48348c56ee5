//! JSON Schema: whether a schema can be used, and what it does not allow of a value, told to a person.
//!
//! Nothing is fetched: a `$ref` that leaves the schema is an error. A compiled schema is kept under its text, because
//! every item of a fan-out is judged by the same one.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use super::diagnostic::{SourceSpan, did_you_mean};
use super::text::{counted, visible};

/// As many problems are told at once; more are a count.
const MAX_PROBLEMS: usize = 5;
/// As many compiled schemas are kept.
const MAX_KEPT: usize = 256;
/// As much of a text out of a schema or a value is quoted, in characters.
const MAX_QUOTED: usize = 120;

static KEPT: LazyLock<Mutex<HashMap<String, Schema>>> = LazyLock::new(Mutex::default);

/// A compiled schema.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Validator>);

impl Schema {
    /// Compiles `schema`, or takes it from those that were compiled before.
    ///
    /// # Errors
    /// Where the schema is wrong, or which reference leaves it.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        let text = schema.to_string();
        if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).get(&text) {
            return Ok(kept.clone());
        }
        let validator = jsonschema::options().offline().build(schema).map_err(|error| explain_schema(&error))?;
        let compiled = Self(Arc::new(validator));
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(text, compiled.clone());
        Ok(compiled)
    }

    /// Whether the schema allows `value`.
    #[must_use]
    pub fn allows(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    /// Judges `value`.
    ///
    /// # Errors
    /// What is not allowed and where, five problems at most, in one line.
    pub fn judge(&self, value: &Value) -> Result<(), String> {
        if self.allows(value) {
            return Ok(());
        }
        let mut errors = self.0.iter_errors(value);
        let mut told: Vec<String> = errors.by_ref().take(MAX_PROBLEMS).map(|error| explain(&error)).collect();
        match errors.count() {
            0 => {}
            more => told.push(format!("and {more} more")),
        }
        Err(told.join("; "))
    }

    /// Whether `value` as a whole is of a type that is not allowed.
    #[must_use]
    pub fn refuses_type(&self, value: &Value) -> bool {
        let is_whole = |error: &ValidationError<'_>| error.instance_path().as_str().is_empty();
        self.0
            .iter_errors(value)
            .any(|error| is_whole(&error) && matches!(error.kind(), ValidationErrorKind::Type { .. }))
    }

    /// How many things are wrong with `value`.
    #[must_use]
    pub fn faults(&self, value: &Value) -> usize {
        self.0.iter_errors(value).count()
    }

    /// The places (JSON pointers) where the schema wants a number and `value` has a text.
    #[must_use]
    pub fn numbers_as_text(&self, value: &Value) -> Vec<String> {
        self.0
            .iter_errors(value)
            .filter(|error| error.instance().is_string() && wants_number(error.kind()))
            .map(|error| error.instance_path().as_str().to_owned())
            .collect()
    }
}

/// Whether `schema` can be used: for definitions.
///
/// # Errors
/// Where it is wrong, or which reference leaves it.
pub fn check(schema: &Value) -> Result<(), String> {
    Schema::compile(schema).map(drop)
}

/// The types that a schema may name.
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// What is wrong with a schema that a person wrote, and where: the narrowest of `parts`, the places of its values by their
/// JSON pointers.
#[must_use]
pub fn misplaced<'p>(schema: &Value, parts: &'p [(String, SourceSpan)]) -> Option<(&'p SourceSpan, String)> {
    let (at, message) = if let Err(error) = jsonschema::meta::validate(schema) {
        let at = error.instance_path().to_string();
        let message = match error.instance().as_str() {
            Some(name) if at.ends_with("/type") => {
                format!("`{name}` is no type of a JSON Schema{}", did_you_mean(name, TYPES))
            }
            _ => format!("this is not a JSON Schema: {error}"),
        };
        (at, message)
    } else if let Err(error) = jsonschema::validator_for(schema) {
        (error.instance_path().to_string(), format!("this JSON Schema cannot be used: {error}"))
    } else {
        return None;
    };
    let around = parts.iter().filter(|(pointer, _)| at.starts_with(pointer.as_str()));
    around.max_by_key(|(pointer, _)| pointer.len()).map(|(_, span)| (span, message))
}

/// Whether a text of a schema is a template.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether a schema holds templates: what it allows is known only with the inputs of a run.
#[must_use]
pub fn has_templates(schema: &Value) -> bool {
    match schema {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_templates),
        Value::Object(fields) => fields.values().any(has_templates),
        _ => false,
    }
}

/// The rest of a schema: what can be known of it without the inputs of a run.
#[must_use]
pub fn without_templates(schema: &Value) -> Value {
    let known = |value: &&Value| !matches!(value, Value::String(text) if is_template(text));
    match schema {
        Value::Array(items) => items.iter().filter(known).map(without_templates).collect(),
        Value::Object(fields) => {
            let known = fields.iter().filter(|(_, value)| known(value));
            known.map(|(name, value)| (name.clone(), without_templates(value))).collect()
        }
        other => other.clone(),
    }
}

/// Whether everything that `schema` allows is a text (or null), as far as it says so itself.
#[must_use]
pub fn is_of_text(schema: &Value) -> bool {
    let named = |kind: &Value| kind == "string" || kind == "null";
    let texts = |values: &[Value]| values.iter().any(Value::is_string) && values.iter().all(Value::is_string);
    match (schema.get("type"), schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(kinds)), ..) => kinds.iter().any(|kind| kind == "string") && kinds.iter().all(named),
        (Some(kind), ..) => kind == "string",
        (None, Some(Value::Array(values)), _) => texts(values),
        (None, None, Some(value)) => value.is_string(),
        _ => false,
    }
}

/// Judges `value` by `schema`.
///
/// # Errors
/// What is not allowed and where; or why the schema itself cannot be used.
pub fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    Schema::compile(schema)?.judge(value)
}

fn wants_number(kind: &ValidationErrorKind) -> bool {
    match kind {
        ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } => {
            matches!(wanted, JsonType::Integer | JsonType::Number)
        }
        ValidationErrorKind::Type { kind: TypeKind::Multiple(wanted) } => {
            wanted.contains(JsonType::Integer) || wanted.contains(JsonType::Number)
        }
        _ => false,
    }
}

fn explain_schema(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Referencing(inner) => format!(
            "a `$ref` cannot be followed ({}); only references within the schema are, such as `#/$defs/name`",
            quoted(&inner.to_string())
        ),
        _ => format!("the schema is wrong at {}: {}", place(error.instance_path().as_str()), wrong(error)),
    }
}

fn explain(error: &ValidationError<'_>) -> String {
    format!("{}: {}", place(error.instance_path().as_str()), wrong(error))
}

/// What is wrong, without quoting a whole value that may be a page long.
fn wrong(error: &ValidationError<'_>) -> String {
    let instance = error.instance();
    match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let wanted: Vec<&str> = match kind {
                TypeKind::Single(wanted) => vec![wanted.as_str()],
                TypeKind::Multiple(wanted) => wanted.iter().map(JsonType::as_str).collect(),
            };
            format!("expected {}, found {}", wanted.join(" or "), type_name(instance))
        }
        ValidationErrorKind::Required { property } => format!("{} is missing", quoted(&property.to_string())),
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            format!("{} is not a field of it", quoted(&unexpected.join(", ")))
        }
        ValidationErrorKind::Enum { options } => {
            format!("{} is not one of {}", quoted(&instance.to_string()), quoted(&options.to_string()))
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("expected {}, found {}", quoted(&expected_value.to_string()), quoted(&instance.to_string()))
        }
        ValidationErrorKind::MinItems { limit } => {
            format!("expected at least {}, found {}", counted(limit, "item"), length(instance))
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("expected at most {}, found {}", counted(limit, "item"), length(instance))
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            "it fits none of the shapes that are allowed".to_owned()
        }
        _ => quoted(&error.masked_with("this").to_string()),
    }
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A JSON pointer as a path that a person reads: `/items/2/title` is `items[2].title`.
fn place(pointer: &str) -> String {
    let mut path = String::new();
    for segment in pointer.split('/').skip(1) {
        if !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) {
            path.push('[');
            path.push_str(segment);
            path.push(']');
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&segment.replace("~1", "/").replace("~0", "~"));
    }
    if path.is_empty() { "the whole value".to_owned() } else { format!("`{}`", quoted(&path)) }
}

/// One line of at most [`MAX_QUOTED`] characters.
fn quoted(text: &str) -> String {
    let line = visible(text, false);
    match line.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_names_the_place_and_what_is_wrong() {
        let schema = json!({"type": "array", "minItems": 2, "items": {"type": "object", "required": ["title"],
            "properties": {"title": {"type": "string"}, "n": {"type": ["integer", "null"]}, "kind": {"enum": ["a", "b"]}},
            "additionalProperties": false}});
        for (value, problem) in [
            (json!("x"), "the whole value: expected array, found a string"),
            (json!([]), "the whole value: expected at least 2 items, found 0"),
            (json!([{"title": "t"}, {}]), "`[1]`: \"title\" is missing"),
            (json!([{"title": "t"}, {"title": 1}]), "`[1].title`: expected string, found a number"),
            (json!([{"title": "t"}, {"title": "t", "kind": "c"}]), "`[1].kind`: \"c\" is not one of [\"a\",\"b\"]"),
            (json!([{"title": "t"}, {"title": "t", "more": 1}]), "`[1]`: more is not a field of it"),
        ] {
            assert_eq!(validate(&schema, &value).unwrap_err(), problem, "{value}");
        }
        assert_eq!(validate(&schema, &json!([{"title": "t", "n": null}, {"title": "u", "n": 3}])), Ok(()));
    }

    #[test]
    fn one_item_is_one_item() {
        let problem = |schema| validate(&schema, &json!([1, 2])).unwrap_err();
        assert_eq!(
            problem(json!({"type": "array", "maxItems": 1})),
            "the whole value: expected at most 1 item, found 2"
        );
        let least = json!({"type": "array", "minItems": 1});
        let problem = validate(&least, &json!([])).unwrap_err();
        assert_eq!(problem, "the whole value: expected at least 1 item, found 0");
    }

    #[test]
    fn several_problems_are_told_at_once_and_the_rest_counted() {
        let schema = json!({"type": "array", "items": {"type": "integer"}});
        let problem = validate(&schema, &json!(["a", "b", "c", "d", "e", "f", "g"])).unwrap_err();
        assert_eq!(problem.matches("expected integer").count(), 5);
        assert!(problem.ends_with("; and 2 more"), "{problem}");
    }

    #[test]
    fn a_page_of_text_does_not_end_up_in_the_message() {
        let schema = json!({"type": "string", "maxLength": 3});
        let problem = validate(&schema, &json!("x".repeat(100_000))).unwrap_err();
        assert!(problem.len() < 300, "{problem}");
        let schema = json!({"enum": ["a"]});
        let problem = validate(&schema, &json!("\u{1b}[2J".repeat(1_000))).unwrap_err();
        assert!(problem.len() < 1_000 && !problem.contains('\u{1b}'), "{problem}");
    }

    #[test]
    fn a_bad_schema_is_told_with_its_place() {
        let problem = check(&json!({"type": "object", "properties": {"a": {"type": "sting"}}})).unwrap_err();
        assert!(problem.contains("properties.a.type"), "{problem}");
        assert!(check(&json!({"$ref": "#/$defs/absent"})).is_err());
        assert!(check(&json!({"type": "string", "pattern": "("})).is_err());
        assert_eq!(check(&json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}})), Ok(()));
        assert_eq!(check(&json!(true)), Ok(()));
    }

    #[test]
    fn what_allows_nothing_but_texts_is_known() {
        for schema in [
            json!({"type": "string", "maxLength": 3}),
            json!({"type": ["string", "null"]}),
            json!({"enum": ["a", "b"]}),
            json!({"const": "a"}),
        ] {
            assert!(is_of_text(&schema), "{schema}");
        }
        for schema in [
            json!({"type": "object"}),
            json!({"type": ["string", "number"]}),
            json!({"type": "null"}),
            json!({"type": ["null"]}),
            json!({"enum": ["a", 1]}),
            json!({"const": 1}),
            json!({"anyOf": [{"type": "string"}]}),
            json!({}),
            json!(true),
        ] {
            assert!(!is_of_text(&schema), "{schema}");
        }
    }

    #[test]
    fn nothing_is_fetched() {
        for reference in ["http://127.0.0.1:9/schema.json", "file:///etc/hostname", "other.json"] {
            assert!(check(&json!({"$ref": reference})).is_err());
        }
        assert_eq!(check(&json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"})), Ok(()));
    }

    #[test]
    fn texts_where_numbers_are_wanted_are_found_through_references() {
        let schema = json!({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}});
        let compiled = Schema::compile(&schema).unwrap();
        assert_eq!(compiled.numbers_as_text(&json!([1, "2", true])), ["/1"]);
    }
}
