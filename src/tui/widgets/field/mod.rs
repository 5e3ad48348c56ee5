//! One field of a form: the widget that fits its type, its value, and what is wrong with it.
//!
//! What makes a value valid is core's to say ([`Field::validate`]); here it is only shown beside the field while typing.

mod paint;

use chrono::{Days, NaiveDate};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::editor::Editor;
use super::line::LineInput;
use crate::core::form::{Bound, Field, FieldType};
use crate::core::secret::{Secret, SecretRef};

/// A field and what was put in.
#[derive(Clone, Debug)]
pub struct FormField {
    field: Field,
    input: Input,
    /// Nothing is said to be missing before the person was there.
    visited: bool,
    /// Another field has what makes this one optional.
    exempt: bool,
    problem: Option<String>,
    /// Paths that begin like what is typed.
    completions: Vec<String>,
}

#[derive(Clone, Debug)]
enum Input {
    /// Text, number, date, path, secret.
    Line(LineInput),
    /// Several lines, JSON.
    Text(Box<Editor>),
    Switch(Option<bool>),
    Choice(Option<usize>),
    Choices {
        picked: Vec<bool>,
        at: usize,
    },
}

/// What a key asked for beyond the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: the key was not for this field.
    Nothing,
    /// The field took the key.
    Taken,
    /// The paths that begin like this, to be given to [`FormField::complete`].
    Complete(String),
}

impl FormField {
    /// A field with its default, or with `value`, the one of an earlier run.
    #[must_use]
    pub fn new(field: Field, value: Option<&Value>) -> Self {
        // An optional field that was left empty is `null` in the inputs of a run.
        let value = value.filter(|value| !value.is_null()).or(field.default.as_ref()).cloned();
        let input = Input::of(&field, value.as_ref());
        let mut made = Self { field, input, visited: false, exempt: false, problem: None, completions: Vec::new() };
        made.judge();
        made
    }

    /// What it is a field of.
    #[must_use]
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// The value; `None` when nothing was put in. A secret gives its reference.
    ///
    /// # Errors
    /// When what was typed cannot be read as the field's type at all.
    pub fn value(&self) -> Result<Option<Value>, String> {
        let line = match &self.input {
            Input::Line(line) => line.value(),
            Input::Text(editor) => editor.text(),
            Input::Switch(on) => return Ok(on.map(Value::Bool)),
            Input::Choice(at) => return Ok(at.and_then(|at| self.field.choices.get(at)).map(|choice| json!(choice))),
            Input::Choices { picked, .. } => {
                let chosen: Vec<&String> =
                    self.field.choices.iter().zip(picked).filter(|(_, on)| **on).map(|(choice, _)| choice).collect();
                return Ok((!chosen.is_empty()).then(|| json!(chosen)));
            }
        };
        if line.is_empty() {
            return Ok(None);
        }
        let trimmed = line.trim();
        let value = match self.field.kind {
            FieldType::Integer => json!(trimmed.parse::<i64>().map_err(|_| "enter a whole number".to_owned())?),
            FieldType::Number => {
                let number = trimmed.parse::<f64>().ok().filter(|number| number.is_finite());
                json!(number.ok_or_else(|| "enter a number, e.g. 2 or 0.5".to_owned())?)
            }
            FieldType::Json => crate::core::json::parse(&line).map_err(|error| format!("not JSON: {error}"))?,
            FieldType::Files | FieldType::Images => json!(trimmed.lines().map(str::trim).collect::<Vec<_>>()),
            FieldType::Secret => match trimmed.parse::<SecretRef>() {
                Ok(reference) => json!(reference.to_string()),
                Err(_) => json!(SecretRef::Typed.to_string()),
            },
            FieldType::Date | FieldType::File | FieldType::Image => json!(trimmed),
            _ => json!(line),
        };
        Ok(Some(value))
    }

    /// What was put in as it was typed, valid or not, to be kept; nothing of a secret but a reference to it.
    #[must_use]
    pub fn typed(&self) -> Option<Value> {
        match &self.input {
            Input::Line(line) if self.field.kind == FieldType::Secret => {
                let reference = line.value().trim().parse::<SecretRef>().ok();
                reference
                    .filter(|reference| *reference != SecretRef::Typed)
                    .map(|reference| json!(reference.to_string()))
            }
            Input::Line(line) => (!line.is_empty()).then(|| json!(line.value())),
            Input::Text(editor) => (!editor.is_empty()).then(|| json!(editor.text())),
            Input::Switch(_) | Input::Choice(_) | Input::Choices { .. } => self.value().ok()?,
        }
    }

    /// Puts back what [`Self::typed`] gave; `None` leaves it empty.
    pub fn restore(&mut self, typed: Option<&Value>) {
        self.input = match (&self.input, typed) {
            (Input::Line(_), typed) => Input::Line(LineInput::new(typed.and_then(Value::as_str).unwrap_or_default())),
            (Input::Text(_), typed) => {
                Input::Text(Box::new(Editor::at_end(typed.and_then(Value::as_str).unwrap_or_default())))
            }
            (_, typed) => Input::of(&self.field, typed),
        };
        self.judge();
    }

    /// Whether its text may be taken to an editor: a secret is written into no file.
    #[must_use]
    pub fn may_leave(&self) -> bool {
        self.is_text() && self.field.kind != FieldType::Secret
    }

    /// The value of a secret that was typed rather than referred to.
    #[must_use]
    pub fn secret(&self) -> Option<Secret> {
        match &self.input {
            Input::Line(line) if self.is_masked() && !line.is_empty() => Some(Secret::new(line.value())),
            _ => None,
        }
    }

    /// What is wrong, once the person was there; `None` when it is valid.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref().filter(|_| self.visited)
    }

    /// Whether it is valid, seen or not.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.problem.is_none()
    }

    /// Says whether another field has what makes this one optional.
    pub fn exempt(&mut self, exempt: bool) {
        self.exempt = exempt;
        self.judge();
    }

    /// Whether it may not stay empty.
    pub(super) fn is_needed(&self) -> bool {
        self.field.required && self.field.default.is_none() && !self.exempt
    }

    /// The person was there: what is wrong may be said.
    pub fn visit(&mut self) {
        self.visited = true;
        self.completions.clear();
    }

    /// Whether Enter is a new line here rather than the way to the next field.
    #[must_use]
    pub fn takes_enter(&self) -> bool {
        matches!(self.input, Input::Text(_))
    }

    /// Whether letters are text here.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.input, Input::Line(_) | Input::Text(_))
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        match &mut self.input {
            Input::Line(line) => line.paste(text),
            Input::Text(editor) => editor.paste(text),
            Input::Switch(_) | Input::Choice(_) | Input::Choices { .. } => {}
        }
        self.judge();
    }

    /// Takes a key. `today` is where the arrows begin in an empty date.
    pub fn key(&mut self, key: KeyEvent, today: NaiveDate) -> Asked {
        let up = match key.code {
            KeyCode::Up => 1,
            KeyCode::Down => -1,
            _ => 0,
        };
        let choices = self.field.choices.len();
        let taken = match (&mut self.input, self.field.kind) {
            (Input::Line(line), FieldType::File | FieldType::Image)
                if key.code == KeyCode::Right && key.modifiers == KeyModifiers::NONE && line.is_at_end() =>
            {
                return Asked::Complete(line.value());
            }
            (Input::Line(_), FieldType::Integer | FieldType::Number | FieldType::Date) if up != 0 => {
                self.spin(up, today);
                true
            }
            (Input::Line(line), _) => line.key(key),
            (Input::Text(editor), _) => {
                editor.key(key);
                !(key.code == KeyCode::Up && editor.is_at_top())
            }
            (Input::Switch(on), _) => match key.code {
                KeyCode::Char(' ') | KeyCode::Left | KeyCode::Right => {
                    *on = Some(!on.unwrap_or(false));
                    true
                }
                KeyCode::Char('y') => {
                    *on = Some(true);
                    true
                }
                KeyCode::Char('n') => {
                    *on = Some(false);
                    true
                }
                _ => false,
            },
            (Input::Choice(at), _) if choices > 0 => match key.code {
                KeyCode::Right | KeyCode::Char(' ') => {
                    *at = Some(at.map_or(0, |at| (at + 1) % choices));
                    true
                }
                KeyCode::Left => {
                    *at = Some(at.map_or(choices - 1, |at| (at + choices - 1) % choices));
                    true
                }
                _ => false,
            },
            (Input::Choices { picked, at }, _) if choices > 0 => match key.code {
                KeyCode::Right => {
                    *at = (*at + 1) % choices;
                    true
                }
                KeyCode::Left => {
                    *at = (*at + choices - 1) % choices;
                    true
                }
                KeyCode::Char(' ') => {
                    picked[*at] = !picked[*at];
                    true
                }
                _ => false,
            },
            (Input::Choice(_) | Input::Choices { .. }, _) => false,
        };
        if taken {
            self.completions.clear();
            self.judge();
            Asked::Taken
        } else {
            Asked::Nothing
        }
    }

    /// Takes the paths that begin like `typed`, unless something else was typed meanwhile. What they have in common is
    /// put in; they are shown when that does not settle it.
    pub fn complete(&mut self, typed: &str, paths: Vec<String>) {
        let Input::Line(line) = &mut self.input else { return };
        if line.value() != typed {
            return;
        }
        let Some(first) = paths.first() else { return };
        let common = paths.iter().fold(first.as_str(), |common, path| shared(common, path));
        if common.len() > typed.len() {
            *line = LineInput::new(common);
        }
        self.completions = if paths.len() > 1 { paths } else { Vec::new() };
        self.judge();
    }

    fn is_masked(&self) -> bool {
        let Input::Line(line) = &self.input else { return false };
        let typed = line.value();
        self.field.kind == FieldType::Secret && typed.trim().parse::<SecretRef>().is_err()
    }

    /// The next or previous number or day, within the bounds.
    fn spin(&mut self, up: i64, today: NaiveDate) {
        let Input::Line(line) = &self.input else { return };
        let typed = line.value();
        let text = if self.field.kind == FieldType::Date {
            match typed.trim().parse::<NaiveDate>() {
                Ok(day) if up > 0 => day.checked_add_days(Days::new(1)),
                Ok(day) => day.checked_sub_days(Days::new(1)),
                Err(_) => Some(today),
            }
            .unwrap_or(today)
            .to_string()
        } else {
            self.neighbour(typed.trim(), up).to_string()
        };
        self.input = Input::Line(LineInput::offering(&text));
    }

    /// The number that far from the one that is typed, exactly; where none is typed, the least.
    fn neighbour(&self, typed: &str, up: i64) -> Bound {
        let least = || self.field.min.unwrap_or(Bound::Float(0.0));
        #[expect(clippy::cast_precision_loss, reason = "`up` is 1 or -1")]
        let number = match typed.parse::<i64>() {
            Ok(whole) => Bound::of(&whole.saturating_add(up).into()).unwrap_or_else(least),
            Err(_) => typed.parse::<f64>().map_or_else(|_| least(), |number| Bound::Float(number + up as f64)),
        };
        let number = self.field.min.filter(|min| number < *min).unwrap_or(number);
        self.field.max.filter(|max| number > *max).unwrap_or(number)
    }

    /// Says what is wrong with what is there.
    fn judge(&mut self) {
        self.problem = match self.value() {
            Err(problem) => Some(problem),
            Ok(None) if self.is_needed() => Some("needed".to_owned()),
            Ok(None) => None,
            // A file is read, and a secret looked up, only at the start.
            Ok(Some(_)) if self.is_reference() => None,
            Ok(Some(value)) => self.field.validate(&value).err(),
        };
    }

    fn is_reference(&self) -> bool {
        use FieldType::{File, Files, Image, Images, Secret};
        matches!(self.field.kind, File | Files | Image | Images | Secret)
    }
}

impl Input {
    fn of(field: &Field, value: Option<&Value>) -> Self {
        let text = match (field.kind, value) {
            (_, None) => String::new(),
            (FieldType::Json, Some(value)) => format!("{value:#}"),
            (_, Some(Value::String(text))) => text.clone(),
            (_, Some(Value::Array(items))) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
            (_, Some(Value::Object(file))) => file.get("path").and_then(Value::as_str).unwrap_or_default().to_owned(),
            (_, Some(value)) => value.to_string(),
        };
        match field.kind {
            FieldType::Multiline | FieldType::Json | FieldType::Files | FieldType::Images => {
                Self::Text(Box::new(Editor::at_end(&text)))
            }
            FieldType::Boolean => Self::Switch(value.and_then(Value::as_bool)),
            FieldType::Choice => Self::Choice(field.choices.iter().position(|choice| *choice == text)),
            FieldType::Choices => {
                let chosen: Vec<&str> = text.lines().collect();
                let picked = field.choices.iter().map(|choice| chosen.contains(&choice.as_str())).collect();
                Self::Choices { picked, at: 0 }
            }
            _ => Self::Line(LineInput::offering(&text)),
        }
    }
}

fn shared<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a.char_indices().zip(b.chars()).find(|((_, x), y)| x != y).map(|((at, _), _)| at);
    &a[..end.unwrap_or(a.len().min(b.len()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: FieldType) -> Field {
        Field { name: "x".to_owned(), kind, required: true, ..Field::default() }
    }

    fn press(field: &mut FormField, code: KeyCode) -> Asked {
        let today = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
        field.key(KeyEvent::new(code, KeyModifiers::NONE), today)
    }

    #[test]
    fn a_number_stays_within_its_bounds_and_says_when_it_is_none() {
        let mut stanzas = FormField::new(
            Field { min: Some(Bound::Float(1.0)), max: Some(Bound::Float(3.0)), ..field(FieldType::Integer) },
            None,
        );
        for _ in 0..5 {
            press(&mut stanzas, KeyCode::Up);
        }
        assert_eq!(stanzas.value(), Ok(Some(json!(3))));
        press(&mut stanzas, KeyCode::Char('x'));
        stanzas.visit();
        assert_eq!(stanzas.problem(), Some("enter a whole number"));
    }

    #[test]
    fn nothing_is_said_to_be_missing_before_the_person_was_there() {
        let mut topic = FormField::new(field(FieldType::Text), None);
        assert!(!topic.is_valid());
        assert_eq!(topic.problem(), None);
        topic.visit();
        assert_eq!(topic.problem(), Some("needed"));
        press(&mut topic, KeyCode::Char('s'));
        assert_eq!((topic.problem(), topic.value()), (None, Ok(Some(json!("s")))));
    }

    #[test]
    fn arrows_walk_the_days_and_the_choices() {
        let mut day = FormField::new(field(FieldType::Date), None);
        press(&mut day, KeyCode::Up);
        press(&mut day, KeyCode::Up);
        assert_eq!(day.value(), Ok(Some(json!("2026-11-21"))));
        let choices = vec!["a".to_owned(), "b".to_owned()];
        let mut choice = FormField::new(Field { choices: choices.clone(), ..field(FieldType::Choice) }, None);
        press(&mut choice, KeyCode::Left);
        assert_eq!(choice.value(), Ok(Some(json!("b"))));
        let mut several = FormField::new(Field { choices, ..field(FieldType::Choices) }, Some(&json!(["a"])));
        press(&mut several, KeyCode::Right);
        press(&mut several, KeyCode::Char(' '));
        assert_eq!(several.value(), Ok(Some(json!(["a", "b"]))));
    }

    #[test]
    fn a_typed_secret_leaves_only_its_reference_in_the_value() {
        let mut key = FormField::new(field(FieldType::Secret), None);
        key.paste("sk-123");
        assert_eq!(key.value(), Ok(Some(json!("typed"))));
        assert_eq!(key.secret().map(|secret| secret.reveal().to_owned()), Some("sk-123".to_owned()));
        let reference = FormField::new(field(FieldType::Secret), Some(&json!("env:KEY")));
        assert_eq!(reference.value(), Ok(Some(json!("env:KEY"))));
        assert!(reference.secret().is_none());
    }

    #[test]
    fn a_path_is_completed_as_far_as_it_is_certain() {
        let mut file = FormField::new(field(FieldType::File), Some(&json!("no")));
        assert_eq!(press(&mut file, KeyCode::Right), Asked::Complete("no".to_owned()));
        file.complete("no", vec!["notes-1.md".to_owned(), "notes-2.md".to_owned()]);
        assert_eq!(file.value(), Ok(Some(json!("notes-"))));
        file.complete("something else", vec!["zzz".to_owned()]);
        assert_eq!(file.value(), Ok(Some(json!("notes-"))));
    }
}
