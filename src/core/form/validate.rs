//! What makes a value valid, in words for the person who gave it.

use std::fmt;

use chrono::NaiveDate;
use regex::Regex;
use serde_json::{Map, Number, Value};

use super::{Bound, Field, FieldType};
use crate::core::diagnostic::did_you_mean;
use crate::core::schema;
use crate::core::secret::SecretRef;
use crate::core::text::counted;

/// What is wrong with the value of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.field, self.message)
    }
}

/// All that is wrong with a form as it was filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct FormError(pub Vec<FieldError>);

/// A form filled in: `given` checked, defaults put in where nothing was given, in the order of `fields`.
///
/// A field that is neither given nor required and has no default is `null`, so that templates may ask for it.
///
/// # Errors
/// Everything that is wrong: values that do not fit, required fields without one, names that the form does not have.
pub fn check(fields: &[Field], given: &Map<String, Value>) -> Result<Map<String, Value>, FormError> {
    let mut errors = Vec::new();
    let mut filled = Map::new();
    let is_given = |name: &str| given.get(name).is_some_and(|value| !is_nothing(value));
    for field in fields {
        let spared = field.required && !field.is_required(is_given);
        let field = if spared { &Field { required: false, ..field.clone() } } else { field };
        let raw = given.get(&field.name).filter(|value| !value.is_null()).or(field.default.as_ref());
        match field.validate(raw.unwrap_or(&Value::Null)) {
            Ok(value) => {
                filled.insert(field.name.clone(), value);
            }
            Err(message) => errors.push(FieldError { field: field.name.clone(), message }),
        }
    }
    for name in given.keys() {
        if !fields.iter().any(|field| field.name == *name) {
            let hint = did_you_mean(name, fields.iter().map(|field| field.name.as_str()));
            let message = if fields.is_empty() {
                "there is nothing to fill in here".to_owned()
            } else {
                format!("there is no such field{hint}")
            };
            errors.push(FieldError { field: name.clone(), message });
        }
    }
    if errors.is_empty() { Ok(filled) } else { Err(FormError(errors)) }
}

/// As [`check`], for JSON that should be an object.
///
/// # Errors
/// One message for each field that is not valid, is missing or is not known.
pub fn fill(fields: &[Field], given: &Value) -> Result<Value, Vec<String>> {
    let given = given.as_object().ok_or_else(|| vec![wanted("an object with a value for each field", given)])?;
    check(fields, given).map(Value::Object).map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

impl Field {
    /// Checks a value and gives it in its proper form (a date trimmed, a whole number without its `.0`).
    ///
    /// `null` and empty text mean that nothing was given. File and image fields want what reading them gave:
    /// `{path, name, text}`, `{path, name, media_type, base64}`.
    ///
    /// # Errors
    /// What is wrong and what would be right, in words for a person.
    pub fn validate(&self, raw: &Value) -> Result<Value, String> {
        // An empty text or list is a JSON value like any other.
        if raw.is_null() || (is_nothing(raw) && self.kind != FieldType::Json) {
            return self.nothing(raw);
        }
        match self.kind {
            FieldType::Text | FieldType::Multiline => self.text(raw),
            FieldType::Integer => self.integer(raw),
            FieldType::Number => {
                let Value::Number(number) = raw else { return Err(wanted("a number", raw)) };
                self.within(number)?;
                Ok(raw.clone())
            }
            FieldType::Boolean => {
                Ok(Value::from(raw.as_bool().ok_or_else(|| wanted("yes or no (true or false)", raw))?))
            }
            FieldType::Choice => {
                self.choice(raw.as_str().ok_or_else(|| wanted("one of the choices, a text", raw))?)?;
                Ok(raw.clone())
            }
            FieldType::Choices => {
                let items = raw.as_array().ok_or_else(|| wanted("a list of choices", raw))?;
                for item in items {
                    self.choice(item.as_str().ok_or_else(|| wanted("a list of choices, each a text", item))?)?;
                }
                self.as_many(items.len(), "choice")?;
                Ok(raw.clone())
            }
            FieldType::Date => date(raw),
            FieldType::File => file(raw, &["path", "name", "text"]),
            FieldType::Image => file(raw, &["path", "name", "media_type", "base64"]),
            FieldType::Files => self.files(raw, &["path", "name", "text"], "file"),
            FieldType::Images => self.files(raw, &["path", "name", "media_type", "base64"], "image"),
            FieldType::Secret => {
                let text = raw.as_str().ok_or_else(|| "expected a reference to a secret".to_owned())?;
                // What was given may be the value itself, so no message repeats it.
                text.parse::<SecretRef>().map(|reference| Value::from(reference.to_string())).map_err(|e| e.to_string())
            }
            FieldType::Json => {
                let fits = self.schema.as_ref().map_or(Ok(()), |schema| schema::validate(schema, raw));
                fits.map_err(|why| format!("it does not fit its schema: {why}"))?;
                Ok(raw.clone())
            }
        }
    }

    fn nothing(&self, raw: &Value) -> Result<Value, String> {
        if self.required {
            let spares: Vec<String> = self.unless.iter().map(|other| format!("`{other}`")).collect();
            return Err(match self.kind {
                FieldType::Choice | FieldType::Choices => format!("a value is required: {}", listed(&self.choices)),
                _ if !spares.is_empty() => format!("a value is required, unless {} is given", spares.join(" or ")),
                _ => "a value is required".to_owned(),
            });
        }
        Ok(match raw {
            // Given, and empty: that is an answer.
            Value::String(_) if matches!(self.kind, FieldType::Text | FieldType::Multiline) => raw.clone(),
            _ if self.kind.is_list() => Value::Array(Vec::new()),
            _ => Value::Null,
        })
    }

    fn text(&self, raw: &Value) -> Result<Value, String> {
        let text = raw.as_str().ok_or_else(|| wanted("a text", raw))?;
        if self.kind == FieldType::Text && text.trim_end_matches(['\r', '\n']).contains('\n') {
            return Err("expected one line, not several".to_owned());
        }
        let text = if self.kind == FieldType::Text { text.trim_end_matches(['\r', '\n']) } else { text };
        self.as_many(text.chars().count(), "character")?;
        if let Some(regex) = self.regex().transpose()?
            && !regex.is_match(text)
        {
            let pattern = self.pattern.as_deref().unwrap_or_default();
            return Err(format!("`{}` does not match the pattern `{pattern}`", shown(text)));
        }
        Ok(Value::from(text))
    }

    fn integer(&self, raw: &Value) -> Result<Value, String> {
        let number = match raw {
            Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.clone()),
            // `3.0` is a whole number, too.
            #[expect(clippy::cast_possible_truncation, reason = "below 2^53 it has no fraction to lose")]
            Value::Number(number) => {
                let float = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0);
                float.map(|n| Number::from(n as i64))
            }
            _ => None,
        };
        let number = number.ok_or_else(|| wanted("a whole number", raw))?;
        self.within(&number)?;
        Ok(Value::Number(number))
    }

    fn choice(&self, text: &str) -> Result<(), String> {
        if self.choices.iter().any(|choice| choice == text) {
            return Ok(());
        }
        let near = crate::core::diagnostic::nearest(text, self.choices.iter().map(String::as_str));
        Err(match near {
            Some(near) => format!("`{}` is not a choice; did you mean `{near}`?", shown(text)),
            None => format!("`{}` is not a choice; choose from {}", shown(text), listed(&self.choices)),
        })
    }

    fn files(&self, raw: &Value, keys: &[&str], thing: &str) -> Result<Value, String> {
        let items = raw.as_array().ok_or_else(|| wanted(&format!("a list of {thing}s"), raw))?;
        self.as_many(items.len(), thing)?;
        items.iter().map(|item| file(item, keys)).collect()
    }

    fn within(&self, number: &Number) -> Result<(), String> {
        let Some(number) = Bound::of(number) else { return Ok(()) };
        match (self.min, self.max) {
            (Some(min), Some(max)) if number < min || number > max => {
                Err(format!("expected a number from {min} to {max}, not {number}"))
            }
            (Some(min), _) if number < min => Err(format!("expected a number of at least {min}, not {number}")),
            (_, Some(max)) if number > max => Err(format!("expected a number of at most {max}, not {number}")),
            _ => Ok(()),
        }
    }

    fn as_many(&self, count: usize, thing: &str) -> Result<(), String> {
        let Some(bound) = Bound::of(&Number::from(count)) else { return Ok(()) };
        match (self.min, self.max) {
            (Some(min), _) if bound < min => Err(format!("expected at least {}, not {count}", counted(min, thing))),
            (_, Some(max)) if bound > max => Err(format!("expected at most {}, not {count}", counted(max, thing))),
            _ => Ok(()),
        }
    }

    /// The pattern as it is matched: against the whole text. `None` without a pattern.
    ///
    /// # Errors
    /// When the pattern is not a regular expression: what is wrong with it.
    #[must_use]
    pub fn regex(&self) -> Option<Result<Regex, String>> {
        let pattern = self.pattern.as_deref()?;
        Some(Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
            // The last line of the message says what is wrong; those before draw the pattern.
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("the pattern `{pattern}` is not a regular expression: {why}")
        }))
    }
}

impl Field {
    /// What of the field itself is wrong, so that no value could ever fit: its pattern, its schema.
    ///
    /// # Errors
    /// What it is.
    pub fn usable(&self) -> Result<(), String> {
        self.regex().transpose()?;
        self.schema.as_ref().map_or(Ok(()), schema::check)
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn date(raw: &Value) -> Result<Value, String> {
    let wrong = || wanted("a date such as 2026-11-20", raw);
    let text = raw.as_str().ok_or_else(wrong)?.trim();
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| wrong())?;
    Ok(Value::from(date.format("%Y-%m-%d").to_string()))
}

fn file(raw: &Value, keys: &[&str]) -> Result<Value, String> {
    let object = raw.as_object().ok_or_else(|| wanted("a file that was read", raw))?;
    match keys.iter().find(|key| !object.get(**key).is_some_and(Value::is_string)) {
        None => Ok(raw.clone()),
        Some(missing) => Err(format!("a file is `{{{}}}`; `{missing}` is missing here", keys.join(", "))),
    }
}

fn wanted(what: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("`{}`", shown(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    format!("expected {what}, not {found}")
}

/// The beginning of a text, harmless on a screen.
fn shown(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut beginning: String = text.chars().take(SHOWN).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    crate::core::text::Untrusted::new(beginning).line().into_owned()
}

fn listed(choices: &[String]) -> String {
    choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ")
}
