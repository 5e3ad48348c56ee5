//! The inputs of a run, from what was given to what it is started with: the config's defaults, files that are read, what is
//! missing, what does not fit.
//!
//! Promises: errors name the input; a file is read only because a person named it, here or in the config or the definition.
//! May not: ask a person, or read stdin.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::catalog::inputs;
use crate::core::code::ErrorCode;
use crate::core::form::{self, Field, FieldType};
use crate::core::settings::Settings;
use crate::core::task::Task;

/// Why a value is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The input; `None` where it is a default of the config that says its place itself.
    pub field: Option<String>,
    /// `invalid_input`, `too_large`, or `invalid_definition` for the config.
    pub code: ErrorCode,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl InputError {
    fn of(field: &str, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), code, message: message.into() }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "`{field}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// All that is wrong with inputs; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InputErrors(pub Vec<InputError>);

impl InputErrors {
    /// The code of the first.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.first().map_or(ErrorCode::InvalidInput, |error| error.code)
    }

    /// The same on one line.
    #[must_use]
    pub fn line(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// The inputs of a task with the defaults that the person's config has for it.
///
/// # Errors
/// When such a default does not fit.
pub fn fields(settings: &Settings, task: &Task) -> Result<Vec<Field>, InputErrors> {
    settings.overlay(&task.id, &task.inputs).map_err(|wrong| {
        let error = |message| InputError { field: None, code: ErrorCode::InvalidDefinition, message };
        InputErrors(wrong.into_iter().map(error).collect())
    })
}

/// Puts the config's defaults where nothing was given. The files that they name are read, relative to `folder`; nothing else
/// is.
///
/// # Errors
/// When one does not fit, or its file cannot be read.
pub fn put_defaults(
    settings: &Settings,
    task: &Task,
    given: &mut Map<String, Value>,
    folder: &Path,
) -> Result<(), InputErrors> {
    let mut wrong = Vec::new();
    for field in fields(settings, task)? {
        let own = find(task, &field.name).and_then(|own| own.default.as_ref());
        // The task's own is put in by the form, and counts as not given.
        if let Some(default) = field.default.as_ref().filter(|default| Some(*default) != own)
            && !given.contains_key(&field.name)
        {
            match inputs::read(&field, default, folder) {
                Ok(value) => drop(given.insert(field.name.clone(), value)),
                Err(why) => wrong.push(InputError::of(&field.name, why.code(), why.to_string())),
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(InputErrors(wrong)) }
}

/// What a run of a task is started with when a person gave `given`: with the config's defaults, and every file that they,
/// the config or the definition name read, relative to `folder`. Whether it fits is told by [`check`].
///
/// # Errors
/// When a default does not fit, or a file cannot be read.
pub fn complete(
    settings: &Settings,
    task: &Task,
    mut given: Map<String, Value>,
    folder: &Path,
) -> Result<Map<String, Value>, InputErrors> {
    put_defaults(settings, task, &mut given, folder)?;
    let mut wrong = Vec::new();
    for field in task.inputs.iter().filter(|field| field.kind.is_read()) {
        let Some(raw) = given.get(&field.name).or(field.default.as_ref()) else { continue };
        match inputs::read(field, raw, folder) {
            Ok(value) => drop(given.insert(field.name.clone(), value)),
            Err(why) => wrong.push(InputError::of(&field.name, why.code(), why.to_string())),
        }
    }
    if wrong.is_empty() { Ok(given) } else { Err(InputErrors(wrong)) }
}

/// Whether a task can be started with these inputs, files read.
///
/// # Errors
/// Everything that is wrong: values that do not fit, required ones that are missing, names that the task does not have.
pub fn check(task: &Task, inputs: &Map<String, Value>) -> Result<(), InputErrors> {
    let checked = form::check(&task.inputs, inputs);
    checked.map(|_| ()).map_err(|wrong| {
        let error = |error: form::FieldError| InputError::of(&error.field, ErrorCode::InvalidInput, error.message);
        InputErrors(wrong.0.into_iter().map(error).collect())
    })
}

/// The inputs that a task needs and that were not given.
#[must_use]
pub fn missing<'a>(task: &'a Task, given: &Map<String, Value>) -> Vec<&'a Field> {
    let is_given = |name: &str| given.contains_key(name);
    let is_missing = |field: &&Field| field.is_required(is_given) && field.default.is_none() && !is_given(&field.name);
    task.inputs.iter().filter(is_missing).collect()
}

/// What a person is to be asked for: what is [`missing`], and then the inputs that would do instead.
#[must_use]
pub fn to_ask<'a>(task: &'a Task, given: &Map<String, Value>) -> Vec<&'a Field> {
    let mut asked = missing(task, given);
    let instead: Vec<&String> = asked.iter().flat_map(|field| &field.unless).collect();
    let others = task.inputs.iter().filter(|field| instead.contains(&&field.name) && !given.contains_key(&field.name));
    let others: Vec<&Field> = others.filter(|other| asked.iter().all(|field| field.name != other.name)).collect();
    asked.extend(others);
    asked
}

/// What a person typed for an input as its value; files that it names are read, relative to `folder`.
///
/// # Errors
/// Why it is not one.
pub fn from_text(field: &Field, typed: &str, folder: &Path) -> Result<Value, InputError> {
    if field.kind.is_read() {
        return inputs::read(field, &json!(typed), folder)
            .map_err(|why| InputError::of(&field.name, why.code(), why.to_string()));
    }
    field.parse_text(typed).map_err(|why| InputError::of(&field.name, ErrorCode::InvalidInput, why))
}

/// The text of a file that a person named for an input of any type, relative to `folder`.
///
/// # Errors
/// Why it cannot be read.
pub fn text_of_file(field: &Field, path: &str, folder: &Path) -> Result<String, InputError> {
    inputs::read_text(path, folder).map_err(|why| InputError::of(&field.name, why.code(), why.to_string()))
}

/// The input that a text without a name is for: the first required one that takes a text, else the first that does.
#[must_use]
pub fn for_text(task: &Task) -> Option<&Field> {
    let takes = |field: &&Field| matches!(field.kind, FieldType::Text | FieldType::Multiline);
    let mut texts = task.inputs.iter().filter(takes);
    texts.clone().find(|field| field.required).or_else(|| texts.next())
}

/// The input of that name.
#[must_use]
pub fn find<'a>(task: &'a Task, name: &str) -> Option<&'a Field> {
    task.inputs.iter().find(|field| field.name == name)
}

/// The inputs that a run was given and that its task still has: what a run of it is started with again. What was left empty
/// was not given.
#[must_use]
pub fn kept(inputs: &Value, task: &Task) -> Map<String, Value> {
    let inputs = inputs.as_object().cloned().unwrap_or_default();
    inputs.into_iter().filter(|(name, value)| find(task, name).is_some() && !value.is_null()).collect()
}

/// Inputs of a run as a form takes them: a file that was read is its path again.
#[must_use]
pub fn as_given(inputs: &Value) -> Value {
    let path = |value: &Value| value.get("path").cloned();
    let Value::Object(fields) = inputs else { return inputs.clone() };
    let given = fields.iter().map(|(name, value)| {
        let given = match value {
            Value::Object(_) => path(value).unwrap_or_else(|| value.clone()),
            Value::Array(items) if items.iter().any(|item| path(item).is_some()) => {
                items.iter().filter_map(path).collect()
            }
            other => other.clone(),
        };
        (name.clone(), given)
    });
    given.collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn task(inputs: &Value) -> Task {
        let body = json!({"instruct": {"instruction": "x"}});
        serde_json::from_value(json!({"id": "note", "name": "Note", "inputs": inputs, "body": body})).unwrap()
    }

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn settings(defaults: &Value) -> Settings {
        let defaults = object(defaults).into_iter().collect();
        Settings { defaults: [("note".to_owned(), defaults)].into(), ..Settings::default() }
    }

    #[test]
    fn files_are_read_wherever_a_person_named_them_and_the_configs_default_goes_before_the_tasks() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["given", "config", "own"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let note = task(&json!([
            {"name": "a", "type": "file", "required": true},
            {"name": "b", "type": "file", "default": "own"},
            {"name": "c", "type": "file", "default": "own"},
            {"name": "tone", "default": "dry"},
            {"name": "place", "default": "here"},
        ]));
        let config = settings(&json!({"b": "config", "tone": "warm"}));
        let complete = complete(&config, &note, object(&json!({"a": "given"})), folder.path()).unwrap();
        let text = |name: &str| complete[name]["text"].as_str().unwrap().to_owned();
        assert_eq!([text("a"), text("b"), text("c")], ["given", "config", "own"]);
        assert_eq!(complete["tone"], "warm");
        assert!(!complete.contains_key("place"), "the task's own default is no input that was given");
        check(&note, &complete).unwrap();
    }

    #[test]
    fn what_another_run_handed_over_names_no_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(folder.path().join("config"), "config").unwrap();
        let note = task(&json!([{"name": "a", "type": "file"}, {"name": "b", "type": "file"}]));
        let mut given = object(&json!({"a": "secret"}));
        put_defaults(&settings(&json!({"b": "config"})), &note, &mut given, folder.path()).unwrap();
        assert_eq!((&given["a"], &given["b"]["text"]), (&json!("secret"), &json!("config")));
        let wrong = check(&note, &given).unwrap_err();
        assert_eq!(wrong.0[0].field.as_deref(), Some("a"), "a name is no file");
    }

    #[test]
    fn every_input_that_is_wrong_is_named_with_its_code() {
        let folder = tempfile::tempdir().unwrap();
        let large = fs::File::create(folder.path().join("large")).unwrap();
        large.set_len(inputs::LARGEST + 1).unwrap();
        let note = task(&json!([
            {"name": "a", "type": "file"}, {"name": "b", "type": "file"}, {"name": "n", "type": "integer"},
        ]));
        let given = object(&json!({"a": "large", "b": "none"}));
        let wrong = complete(&Settings::default(), &note, given, folder.path()).unwrap_err();
        let fields: Vec<_> = wrong.0.iter().map(|error| (error.field.as_deref().unwrap(), error.code)).collect();
        assert_eq!(fields, [("a", ErrorCode::TooLarge), ("b", ErrorCode::InvalidInput)]);
        assert_eq!(wrong.code(), ErrorCode::TooLarge);
        assert!(wrong.to_string().contains("\n`b`: there is no file none"), "{wrong}");
        assert_eq!(wrong.line().lines().count(), 1);
        let wrong = check(&note, &object(&json!({"n": "many", "m": 1}))).unwrap_err();
        let fields: Vec<_> = wrong.0.iter().filter_map(|error| error.field.as_deref()).collect();
        assert_eq!(fields, ["n", "m"]);
        let wrong = fields_error(&note);
        assert_eq!((wrong.code(), wrong.0[0].field.clone()), (ErrorCode::InvalidDefinition, None));
        assert!(wrong.to_string().starts_with("[defaults.note] n: "), "{wrong}");
    }

    fn fields_error(note: &Task) -> InputErrors {
        fields(&settings(&json!({"n": "many"})), note).unwrap_err()
    }

    #[test]
    fn what_is_missing_is_asked_for_with_what_would_do_instead() {
        let note = task(&json!([
            {"name": "url", "required": true, "unless": ["text"]},
            {"name": "tone", "required": true, "default": "dry"},
            {"name": "text", "type": "multiline"},
            {"name": "extra"},
        ]));
        let names = |fields: Vec<&Field>| fields.into_iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        let nothing = Map::new();
        assert_eq!(names(missing(&note, &nothing)), ["url"]);
        assert_eq!(names(to_ask(&note, &nothing)), ["url", "text"]);
        assert_eq!(names(to_ask(&note, &object(&json!({"text": "x"})))), [""; 0]);
        assert_eq!(for_text(&note).unwrap().name, "url");
        assert_eq!(for_text(&task(&json!([{"name": "n", "type": "integer"}, {"name": "t"}]))).unwrap().name, "t");
    }

    #[test]
    fn a_run_is_started_again_with_what_it_was_given_and_the_task_still_has() {
        let note = task(&json!([{"name": "a", "type": "file"}, {"name": "b"}]));
        let file = json!({"path": "x/y.txt", "name": "y.txt", "text": "z"});
        let inputs = json!({"a": file, "b": null, "gone": 1});
        assert_eq!(Value::from(kept(&inputs, &note)), json!({ "a": file }));
        let several = json!({"a": [file, file], "list": [1, 2], "b": "c"});
        assert_eq!(as_given(&several), json!({"a": ["x/y.txt", "x/y.txt"], "list": [1, 2], "b": "c"}));
    }
}
