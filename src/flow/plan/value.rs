//! A JSON value whose texts are templates: the body of a request, the inputs of a child, a schema.

use serde_json::Value;

use super::{Parsed, merge_text};
use crate::core::template::{References, Template, TemplateError};

/// A JSON value whose texts are templates.
pub enum ValuePlan {
    /// A text.
    Text(Parsed<Template>),
    /// A list.
    List(Vec<ValuePlan>),
    /// An object.
    Object(Vec<(String, ValuePlan)>),
    /// Anything else.
    Plain(Value),
}

impl ValuePlan {
    /// Parses the texts of a value.
    #[must_use]
    pub fn parse(value: &Value) -> Self {
        match value {
            Value::String(source) => Self::Text(Template::parse(source)),
            Value::Array(items) => Self::List(items.iter().map(Self::parse).collect()),
            Value::Object(fields) => {
                Self::Object(fields.iter().map(|(name, value)| (name.clone(), Self::parse(value))).collect())
            }
            other => Self::Plain(other.clone()),
        }
    }

    /// The value with its templates rendered.
    ///
    /// # Errors
    /// The first template that fails.
    pub fn render(&self, names: &minijinja::Value) -> Result<Value, TemplateError> {
        Ok(match self {
            Self::Text(text) => text.as_ref().map_err(Clone::clone)?.render_json(names)?,
            Self::List(items) => Value::Array(items.iter().map(|item| item.render(names)).collect::<Result<_, _>>()?),
            Self::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), value.render(names)?)))
                    .collect::<Result<_, TemplateError>>()?,
            ),
            Self::Plain(value) => value.clone(),
        })
    }

    /// The names that it uses.
    pub fn all_references(&self) -> References {
        let mut references = References::default();
        self.references(&mut references);
        references
    }

    pub(super) fn references(&self, into: &mut References) {
        match self {
            Self::Text(text) => merge_text(into, text),
            Self::List(items) => items.iter().for_each(|item| item.references(into)),
            Self::Object(fields) => fields.iter().for_each(|(_, value)| value.references(into)),
            Self::Plain(_) => {}
        }
    }
}
