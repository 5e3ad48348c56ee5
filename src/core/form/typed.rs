//! From what a person typed to a value.

use serde_json::{Number, Value};

use super::{Field, FieldType};
use crate::core::json;

impl Field {
    /// What was typed, on a command line or into a form, as a valid value.
    ///
    /// Numbers and dates as they are written, `yes` or `no`, choices with commas between, JSON. Paths of files and
    /// images are not values yet: reading them is for whoever may do so.
    ///
    /// # Errors
    /// What is wrong and what would be right, in words for a person.
    pub fn parse_text(&self, typed: &str) -> Result<Value, String> {
        let trimmed = typed.trim();
        if trimmed.is_empty() && self.kind != FieldType::Json {
            return self.validate(&Value::from(typed));
        }
        let raw = match self.kind {
            FieldType::Text
            | FieldType::Multiline
            | FieldType::Date
            | FieldType::Secret
            | FieldType::File
            | FieldType::Files
            | FieldType::Image
            | FieldType::Images => Value::from(typed),
            FieldType::Choice => Value::from(trimmed),
            FieldType::Choices => self.typed_choices(trimmed),
            FieldType::Integer | FieldType::Number if is_integer(trimmed) && !json::fits(trimmed) => {
                return Err(format!("the integer {trimmed} does not fit 64 bits, and would lose digits"));
            }
            FieldType::Integer => whole(trimmed).unwrap_or_else(|| Value::from(typed)),
            FieldType::Number => typed_number(trimmed).unwrap_or_else(|| Value::from(typed)),
            FieldType::Boolean => match trimmed.to_lowercase().as_str() {
                "yes" | "y" | "true" | "on" | "1" => Value::from(true),
                "no" | "n" | "false" | "off" | "0" => Value::from(false),
                _ => Value::from(typed),
            },
            FieldType::Json if trimmed.is_empty() => Value::Null,
            FieldType::Json => json::parse(trimmed).map_err(|error| format!("expected JSON: {error}"))?,
        };
        self.validate(&raw)
    }

    /// A value that another step or task hands over, as if it had been typed: a number fits a text, and a text that reads as
    /// a number fits a number. What does not fit stays as it is.
    #[must_use]
    pub fn as_typed(&self, value: &Value) -> Value {
        let typed = match value {
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::String(text) => text.clone(),
            _ => return value.clone(),
        };
        let converts = match self.kind {
            FieldType::Text | FieldType::Multiline | FieldType::Choice | FieldType::Date => !value.is_string(),
            FieldType::Integer | FieldType::Number | FieldType::Boolean => value.is_string(),
            _ => false,
        };
        let read = converts.then(|| self.parse_text(&typed).ok()).flatten();
        read.unwrap_or_else(|| value.clone())
    }

    /// Commas part choices, unless a choice has a comma itself and was typed alone; a JSON list will do, too.
    fn typed_choices(&self, typed: &str) -> Value {
        if self.choices.iter().any(|choice| choice == typed) {
            return Value::from(vec![typed]);
        }
        if typed.starts_with('[')
            && let Ok(list @ Value::Array(_)) = json::parse(typed)
        {
            return list;
        }
        Value::from(typed.split(',').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>())
    }
}

/// The values of a form that another step or task hands over, each as [`Field::as_typed`].
#[must_use]
pub fn as_typed(fields: &[Field], given: &Value) -> Value {
    let Value::Object(given) = given else { return given.clone() };
    let typed = |(name, value): (&String, &Value)| {
        let field = fields.iter().find(|field| field.name == *name);
        (name.clone(), field.map_or_else(|| value.clone(), |field| field.as_typed(value)))
    };
    given.iter().map(typed).collect()
}

fn typed_number(typed: &str) -> Option<Value> {
    // `inf` and `nan` are no JSON numbers and give `None` here.
    whole(typed).or_else(|| Number::from_f64(typed.parse().ok()?).map(Value::Number))
}

/// An integer of 64 bits, exactly.
fn whole(typed: &str) -> Option<Value> {
    typed.parse::<i64>().map(Value::from).or_else(|_| typed.parse::<u64>().map(Value::from)).ok()
}

fn is_integer(typed: &str) -> bool {
    let digits = typed.strip_prefix(['-', '+']).unwrap_or(typed);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
