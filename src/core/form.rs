//! Forms: the fields that a task's inputs and an `ask` step show, and what makes a value valid.

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod bound;
mod typed;
mod validate;

pub use bound::Bound;
pub use typed::as_typed;
pub use validate::{FieldError, FormError, check, fill};

/// What a field holds, and so which widget shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// One line of text.
    #[default]
    Text,
    /// Several lines of text.
    Multiline,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// One of `choices`.
    Choice,
    /// Several of `choices`.
    Choices,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A text file: `{path, name, text}`, read at start.
    File,
    /// Several text files.
    Files,
    /// An image: `{path, name, media_type, base64}`, read at start.
    Image,
    /// Several images.
    Images,
    /// A reference to a secret (see [`super::secret::SecretRef`]).
    Secret,
    /// Any JSON.
    Json,
}

impl FieldType {
    /// The name in definitions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Multiline => "multiline",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Choice => "choice",
            Self::Choices => "choices",
            Self::Date => "date",
            Self::File => "file",
            Self::Files => "files",
            Self::Image => "image",
            Self::Images => "images",
            Self::Secret => "secret",
            Self::Json => "json",
        }
    }

    /// Whether its value is read from files when a run starts.
    #[must_use]
    pub fn is_read(self) -> bool {
        matches!(self, Self::File | Self::Files | Self::Image | Self::Images)
    }

    /// Whether it is a list of values.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(self, Self::Choices | Self::Files | Self::Images)
    }
}

/// One field of a form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The name that templates use.
    pub name: String,
    /// The question that the person reads; the name when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What it holds.
    #[serde(default, rename = "type")]
    pub kind: FieldType,
    /// Whether a value must be given.
    #[serde(default)]
    pub required: bool,
    /// The fields of the same form of which any, once given, makes it not required.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<String>,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Shown in an empty field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<String>,
    /// A line of help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The values to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The least number, length of text (in characters) or count of items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Bound>,
    /// The greatest number, length of text (in characters) or count of items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Bound>,
    /// A regular expression that the whole text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The JSON Schema that a value of [`FieldType::Json`] must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

/// A form that a program asks with: read as fields, and kept as the program wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub struct WrittenForm {
    fields: Vec<Field>,
    written: Value,
}

impl WrittenForm {
    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl TryFrom<Value> for WrittenForm {
    type Error = serde_json::Error;

    fn try_from(written: Value) -> Result<Self, Self::Error> {
        Ok(Self { fields: Vec::deserialize(&written)?, written })
    }
}

impl From<WrittenForm> for Value {
    fn from(form: WrittenForm) -> Self {
        form.written
    }
}

impl Field {
    /// The question that the person reads.
    #[must_use]
    pub fn question(&self) -> &str {
        if self.label.is_empty() { &self.name } else { &self.label }
    }

    /// Whether a value must be given, where `is_given` says what else is.
    #[must_use]
    pub fn is_required(&self, is_given: impl Fn(&str) -> bool) -> bool {
        self.required && !self.unless.iter().any(|other| is_given(other))
    }
}
