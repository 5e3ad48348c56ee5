//! A small value that fits a JSON Schema: what the demo answers where nothing is recorded.

use serde_json::{Map, Value, json};

/// Deeper than this, only what is required is filled in: schemas may be recursive.
const DEEP: usize = 5;

/// Deeper than this nothing is.
const DEEPEST: usize = 30;

/// The items of a list whose length the schema leaves open: enough to see that it is a list.
const ITEMS: u64 = 2;

/// A schema that asks for more items or characters than this is not taken at its word.
const LONGEST: u64 = 10_000;

/// A value for a schema.
pub(super) fn instance(schema: &Value) -> Value {
    InstanceBuilder { root: schema }.value(schema, "the answer", 0, 0)
}

struct InstanceBuilder<'a> {
    root: &'a Value,
}

impl InstanceBuilder<'_> {
    /// A value for `schema`, which stands under `name`; `nth` of a list's items, so that they differ.
    fn value(&self, schema: &Value, name: &str, nth: u64, depth: usize) -> Value {
        let Some(fields) = schema.as_object().filter(|_| depth < DEEPEST) else { return text(name, nth, &Map::new()) };
        if let Some(fixed) = fields.get("const") {
            return fixed.clone();
        }
        for given in ["enum", "examples"] {
            if let Some(values) = fields.get(given).and_then(Value::as_array).filter(|values| !values.is_empty()) {
                let nth = usize::try_from(nth).unwrap_or_default();
                return values[nth % values.len()].clone();
            }
        }
        if let Some(usual) = fields.get("default") {
            return usual.clone();
        }
        if let Some(target) = fields.get("$ref").and_then(Value::as_str).and_then(|at| self.resolve(at)) {
            return self.value(target, name, nth, depth + 1);
        }
        if let Some(merged) = merge(fields, self) {
            return self.value(&merged, name, nth, depth + 1);
        }
        match kind(fields) {
            "object" => self.object(fields, nth, depth),
            "array" => self.array(fields, name, depth),
            "integer" | "number" => number(fields, nth),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => text(name, nth, fields),
        }
    }

    fn resolve(&self, reference: &str) -> Option<&Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn object(&self, fields: &Map<String, Value>, nth: u64, depth: usize) -> Value {
        let required: Vec<&str> = list(fields, "required").iter().filter_map(Value::as_str).collect();
        let nothing = Map::new();
        let properties = fields.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
        let wanted = properties.iter().filter(|(name, _)| depth < DEEP || required.contains(&name.as_str()));
        let mut object: Map<String, Value> =
            wanted.map(|(name, schema)| (name.clone(), self.value(schema, name, nth, depth + 1))).collect();
        let more = fields.get("additionalProperties").filter(|more| more.is_object()).cloned().unwrap_or(json!({}));
        let least = count(fields, "minProperties").unwrap_or(0).min(LONGEST);
        let named = required.iter().map(|name| (*name).to_owned());
        let invented = (1..=least).map(|n| format!("field {n}"));
        for (at, name) in named.chain(invented).enumerate() {
            let enough = object.len() as u64 >= least && at >= required.len();
            if !enough && !object.contains_key(&name) {
                let value = self.value(&more, &name, nth, depth + 1);
                object.insert(name, value);
            }
        }
        Value::Object(object)
    }

    fn array(&self, fields: &Map<String, Value>, name: &str, depth: usize) -> Value {
        let least = count(fields, "minItems").unwrap_or(0).min(LONGEST);
        let most = count(fields, "maxItems").unwrap_or(u64::MAX);
        let usual = if depth < DEEP { ITEMS } else { 0 };
        let first = list(fields, "prefixItems");
        let rest = fields.get("items").unwrap_or(&Value::Bool(true));
        let length = usual.max(least).max(first.len() as u64).min(most.max(least));
        let length = if rest == &Value::Bool(false) { length.min(first.len() as u64) } else { length };
        let item = |n: u64| {
            let schema = usize::try_from(n).ok().and_then(|n| first.get(n)).unwrap_or(rest);
            self.value(schema, name, n, depth + 1)
        };
        (0..length).map(item).collect()
    }
}

/// Schemas that are combined, as one: all of `allOf`, the first of `anyOf` and `oneOf`.
fn merge(fields: &Map<String, Value>, builder: &InstanceBuilder<'_>) -> Option<Value> {
    let mut parts: Vec<&Value> = list(fields, "allOf").iter().collect();
    for choice in ["anyOf", "oneOf"] {
        parts.extend(list(fields, choice).first());
    }
    if parts.is_empty() {
        return None;
    }
    let mut whole = fields.clone();
    for name in ["allOf", "anyOf", "oneOf"] {
        whole.shift_remove(name);
    }
    for part in parts {
        let target = part.get("$ref").and_then(Value::as_str).and_then(|at| builder.resolve(at));
        for (name, value) in target.unwrap_or(part).as_object().into_iter().flatten() {
            match (whole.get_mut(name), value) {
                (Some(Value::Object(there)), Value::Object(more)) => {
                    there.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                (Some(Value::Array(there)), Value::Array(more)) if name == "required" || name == "allOf" => {
                    there.extend(more.iter().cloned());
                }
                _ => {
                    whole.insert(name.clone(), value.clone());
                }
            }
        }
    }
    Some(Value::Object(whole))
}

/// The type to make: of several the first that is not null; without one, what the other keywords speak of.
fn kind(fields: &Map<String, Value>) -> &str {
    let named = match fields.get("type") {
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.clone().find(|kind| *kind != "null").or_else(|| kinds.next())
        }
        _ => None,
    };
    let speaks_of = |names: &[&str]| names.iter().any(|name| fields.contains_key(*name));
    named.unwrap_or_else(|| {
        if speaks_of(&["properties", "required", "minProperties"]) {
            "object"
        } else if speaks_of(&["items", "prefixItems", "minItems"]) {
            "array"
        } else if speaks_of(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
            "number"
        } else {
            "string"
        }
    })
}

/// A number within its bounds: the lowest, or one more for each item before.
#[expect(clippy::cast_precision_loss, reason = "item numbers are small")]
fn number(fields: &Map<String, Value>, nth: u64) -> Value {
    let bound = |name: &str| fields.get(name).and_then(Value::as_f64);
    let whole = kind(fields) == "integer";
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let grain = step.unwrap_or(if whole { 1.0 } else { 0.5 });
    let above = bound("exclusiveMinimum");
    let below = bound("exclusiveMaximum");
    let low = bound("minimum").into_iter().chain(above).fold(f64::NEG_INFINITY, f64::max);
    let high = bound("maximum").into_iter().chain(below).fold(f64::INFINITY, f64::min);
    let base = if low.is_finite() {
        low
    } else if high < 1.0 {
        // Far enough below for every bound that is not absurd.
        high - grain
    } else {
        1.0
    };
    let mut value = if step.is_some() || whole { (base / grain).ceil() * grain } else { base };
    if above.is_some_and(|bound| value <= bound) {
        value += if step.is_none() && !whole { between(value, high) } else { grain };
    }
    let later = value + nth as f64 * grain;
    let fits = later < high || (later <= high && below.is_none_or(|bound| later < bound));
    let value = if fits { later } else { value };
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        let value = value as i64;
        json!(value)
    } else {
        json!(value)
    }
}

/// A step up from an exclusive bound that stays below `high`.
fn between(value: f64, high: f64) -> f64 {
    if high.is_finite() { ((high - value) / 2.0).min(0.5) } else { 0.5 }
}

/// A text for a field of that name, of a length and a format that are asked for.
fn text(name: &str, nth: u64, fields: &Map<String, Value>) -> Value {
    let formatted = match fields.get("format").and_then(Value::as_str) {
        Some("date") => Some("2026-01-01".to_owned()),
        Some("time") => Some("09:00:00Z".to_owned()),
        Some("date-time") => Some("2026-01-01T09:00:00Z".to_owned()),
        Some("email") => Some("demo@example.com".to_owned()),
        Some("uri" | "url") => Some("https://example.com/demo".to_owned()),
        Some("uuid") => Some("00000000-0000-4000-8000-000000000000".to_owned()),
        _ => None,
    };
    let mut text = formatted.unwrap_or_else(|| {
        if nth == 0 { format!("Demo text for {name}") } else { format!("Demo text for {name} {}", nth + 1) }
    });
    let (least, most) = (count(fields, "minLength").unwrap_or(0).min(LONGEST), count(fields, "maxLength"));
    while (text.chars().count() as u64) < least {
        text.push_str(" demo");
    }
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    Value::String(text.chars().take(most).collect())
}

fn list<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    fields.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn count(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    fields.get(name).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(schema: &Value) -> Value {
        let value = instance(schema);
        assert!(jsonschema::is_valid(schema, &value), "{schema} is not fitted by {value}");
        value
    }

    #[test]
    fn a_list_of_objects_looks_like_one() {
        let item = json!({"type": "object", "properties": {"subject": {"type": "string"}, "lines": {"type": "integer", "minimum": 2}}});
        let value = fits(&json!({"type": "array", "items": item}));
        assert_eq!(
            value,
            json!([{"subject": "Demo text for subject", "lines": 2}, {"subject": "Demo text for subject 2", "lines": 3}])
        );
    }

    #[test]
    fn every_usual_keyword_is_heeded() {
        for schema in [
            json!({"type": ["null", "string"]}),
            json!({"type": ["null"]}),
            json!({"enum": ["a", 2]}),
            json!({"const": {"x": 1}}),
            json!({"type": "array", "minItems": 4, "uniqueItems": true, "items": {"type": "string"}}),
            json!({"type": "array", "minItems": 3, "uniqueItems": true, "items": {"type": "integer", "multipleOf": 5}}),
            json!({"type": "array", "maxItems": 1, "items": {"type": "boolean"}}),
            json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
            json!({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}),
            json!({"type": "integer", "maximum": -7}),
            json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1}),
            json!({"type": "number", "maximum": 0.25}),
            json!({"type": "integer", "minimum": 1, "maximum": 1_000_000, "multipleOf": 7}),
            json!({"type": "string", "minLength": 200}),
            json!({"type": "string", "maxLength": 3}),
            json!({"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}}),
            json!({"type": "object", "minProperties": 3, "properties": {"a": {"type": "string"}}}),
            json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
            json!({"oneOf": [{"type": "object", "properties": {"kind": {"const": "ask"}}, "required": ["kind"]}]}),
            json!({"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": {"type": "integer"}}, "required": ["b"]}]}),
            json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["name"],
                "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}}}),
            json!(true),
            json!({}),
        ] {
            fits(&schema);
        }
    }

    #[test]
    fn a_schema_that_no_value_fits_ends_all_the_same() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}),
            json!({"type": "array", "minItems": 1_000_000_000, "items": {"type": "null"}}),
            json!({"type": "integer", "exclusiveMinimum": 1e300}),
            json!("nonsense"),
        ] {
            instance(&schema);
        }
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!({"type": "boolean"})),
            Just(json!({"type": ["null", "integer"]})),
            (-50i64..50, 0i64..50)
                .prop_map(|(low, more)| json!({"type": "integer", "minimum": low, "maximum": low + more})),
            (0u8..30, 0u8..30)
                .prop_map(|(low, more)| json!({"type": "string", "minLength": low, "maxLength": low + more})),
            proptest::collection::vec("[a-z]{1,4}", 1..4).prop_map(|values| json!({"enum": values})),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                (inner.clone(), 0u8..4, 0u8..4)
                    .prop_map(|(items, low, more)| json!({"type": "array", "items": items, "minItems": low, "maxItems": low + more})),
                proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|properties| {
                    let required: Vec<String> = properties.keys().skip(1).cloned().collect();
                    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_shape_is_asked_for_is_answered(schema in schemas()) {
            let value = instance(&schema);
            prop_assert!(jsonschema::is_valid(&schema, &value), "{} is not fitted by {}", schema, value);
        }
    }
}
