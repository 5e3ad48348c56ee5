//! What is known of a value's shape before there is a value: from schemas, forms and kinds of steps.

use serde_json::Value;

use crate::core::diagnostic::did_you_mean;
use crate::core::form::{Field, FieldType};
use crate::core::names::{Chain, ChainPart};

/// Schemas inside schemas are followed so deep.
const DEEPEST: usize = 32;

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// Not known.
    Any,
    /// A text, a number, yes or no: nothing can be reached through it. What to call it.
    Plain(&'static str),
    /// A list of such items.
    List(Box<Shape>),
    /// Exactly these names.
    Object(Vec<(String, Shape)>),
}

impl Shape {
    pub fn object<const N: usize>(fields: [(&str, Shape); N]) -> Self {
        Self::Object(fields.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect())
    }

    pub fn text() -> Self {
        Self::Plain("a text")
    }

    pub fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }

    /// What a schema allows, as far as it is plain: no `anyOf`, no references.
    pub fn of_schema(schema: &Value) -> Self {
        Self::of_schema_within(schema, DEEPEST)
    }

    fn of_schema_within(schema: &Value, depth: usize) -> Self {
        let Some(schema) = schema.as_object().filter(|_| depth > 0) else { return Self::Any };
        let open = ["$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "if", "patternProperties", "enum", "const"];
        if open.iter().any(|key| schema.contains_key(*key)) {
            return Self::Any;
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => Some(kind.as_str()),
            // One kind or null: `none` has to be expected anyway.
            Some(Value::Array(kinds)) => {
                let mut kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
                match (kinds.next(), kinds.next()) {
                    (Some(kind), None) => Some(kind),
                    _ => return Self::Any,
                }
            }
            _ => None,
        };
        match (kind, schema.get("properties"), schema.get("items")) {
            (Some("object") | None, Some(Value::Object(properties)), _) => {
                if schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false)) {
                    return Self::Any;
                }
                let fields = properties.iter();
                Self::Object(
                    fields.map(|(name, inner)| (name.clone(), Self::of_schema_within(inner, depth - 1))).collect(),
                )
            }
            (Some("array"), _, items) => {
                Self::list(items.map_or(Self::Any, |items| Self::of_schema_within(items, depth - 1)))
            }
            (Some("string"), ..) => Self::text(),
            (Some("integer" | "number"), ..) => Self::Plain("a number"),
            (Some("boolean"), ..) => Self::Plain("true or false"),
            _ => Self::Any,
        }
    }

    /// What a form's field gives.
    pub fn of_field(field: &Field) -> Self {
        let file = || Self::object([("path", Self::text()), ("name", Self::text()), ("text", Self::text())]);
        let image = || {
            let names = ["path", "name", "media_type", "base64"];
            Self::Object(names.iter().map(|name| ((*name).to_owned(), Self::text())).collect())
        };
        match field.kind {
            FieldType::Json => field.schema.as_ref().map_or(Self::Any, Self::of_schema),
            FieldType::Integer | FieldType::Number => Self::Plain("a number"),
            FieldType::Boolean => Self::Plain("true or false"),
            FieldType::Choices => Self::list(Self::text()),
            FieldType::File => file(),
            FieldType::Files => Self::list(file()),
            FieldType::Image => image(),
            FieldType::Images => Self::list(image()),
            FieldType::Secret => Self::Plain("a secret"),
            _ => Self::text(),
        }
    }

    /// What a form gives.
    pub fn of_form(fields: &[Field]) -> Self {
        Self::Object(fields.iter().map(|field| (field.name.clone(), Self::of_field(field))).collect())
    }

    /// What is reached through the parts of `chain` from the one with number `from` on.
    ///
    /// # Errors
    /// The number of the part that leads nowhere, and why.
    pub fn reach(&self, chain: &Chain, from: usize) -> Result<Shape, (usize, String)> {
        let mut shape = self.clone();
        for (at, part) in chain.parts.iter().enumerate().skip(from) {
            let so_far = || spelled(chain, at);
            shape = match (shape, part) {
                (Self::Any, _) | (Self::Object(_) | Self::Plain(_), ChainPart::Item) => return Ok(Self::Any),
                (Self::List(item), ChainPart::Item) => *item,
                (_, ChainPart::Name(name)) if chain.call && at + 1 == chain.parts.len() => {
                    let why = format!("`{}` has no method `{name}`; filters do such work: `{0} | …`", so_far());
                    return Err((at, why));
                }
                (Self::Object(fields), ChainPart::Name(name)) => {
                    let Some((_, field)) = fields.iter().find(|(known, _)| known == name) else {
                        let hint = did_you_mean(name, fields.iter().map(|(known, _)| known.as_str()));
                        return Err((at, format!("`{}` has no `{name}`{hint}", so_far())));
                    };
                    field.clone()
                }
                (Self::List(_), ChainPart::Name(name)) => {
                    let why = format!(
                        "`{0}` is a list and has no `{name}`; take an item of it, `{0}[0].{name}`, or a loop",
                        so_far()
                    );
                    return Err((at, why));
                }
                (Self::Plain(what), ChainPart::Name(name)) => {
                    return Err((at, format!("`{}` is {what} and has no `{name}`", so_far())));
                }
            };
        }
        Ok(shape)
    }
}

/// A chain up to, not including, part number `end`.
pub(super) fn spelled(chain: &Chain, end: usize) -> String {
    let mut text = chain.root.clone();
    for part in &chain.parts[..end] {
        match part {
            ChainPart::Name(name) => text.extend([".", name]),
            ChainPart::Item => text.push_str("[…]"),
        }
    }
    text
}
