//! The inputs of a run as a model reads them, and texts set apart from what a model is asked to do with them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::core::form::{Field, FieldType};
use crate::core::model::Image;
use crate::core::task::Task;
use crate::core::template::References;
pub use crate::core::template::fenced;

/// The person's request: the first text input as it is, the others with their questions, files quoted. What the
/// instruction puts in itself is not said twice.
pub fn request(task: &Task, inputs: &Value, told: &References) -> (String, Vec<Image>) {
    let mut main = None;
    let mut others = String::new();
    let mut images = Vec::new();
    for field in &task.inputs {
        let Some(value) = inputs.get(&field.name).filter(|value| !is_blank(value)) else { continue };
        if told.0.contains("inputs") || told.uses(&format!("inputs.{}", field.name)) {
            continue;
        }
        match (field.kind, value) {
            (FieldType::Secret, _) => {}
            (FieldType::Text | FieldType::Multiline, Value::String(text)) if main.is_none() => {
                main = Some(text.trim().to_owned());
            }
            (FieldType::Image, image) => images.extend(image_of(image)),
            (FieldType::Images, Value::Array(list)) => images.extend(list.iter().filter_map(image_of)),
            (FieldType::File, file) => quote(&mut others, field, file),
            (FieldType::Files, Value::Array(list)) => list.iter().for_each(|file| quote(&mut others, field, file)),
            (_, value) => {
                // Writing to a String cannot fail.
                let _ = write!(others, "\n\n{}{}", label(field), readable(value));
            }
        }
    }
    let text = main.unwrap_or_default() + &others;
    let text = if text.trim().is_empty() { task.name.clone() } else { text.trim().to_owned() };
    (text, images)
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn label(field: &Field) -> String {
    let question = field.question().trim_end_matches(':');
    if question.ends_with(['?', '.', '!']) { format!("{question} ") } else { format!("{question}: ") }
}

/// A value as a person would write it.
fn readable(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => format!("\n\n{}", text.trim()),
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Value::Array(_) | Value::Object(_) => {
            format!("\n\n```json\n{}\n```", serde_json::to_string_pretty(value).unwrap_or_default())
        }
        other => other.to_string(),
    }
}

/// A file as a quoted block.
fn quote(into: &mut String, field: &Field, file: &Value) {
    let text = file.get("text").and_then(Value::as_str).unwrap_or_default();
    let name = file.get("name").and_then(Value::as_str).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(into, "\n\n{}{name}\n\n{}", label(field), fenced(text));
}

fn image_of(value: &Value) -> Option<Image> {
    let part = |name: &str| value.get(name).and_then(Value::as_str);
    Some(Image {
        name: part("name").unwrap_or_default().to_owned(),
        media_type: part("media_type")?.to_owned(),
        base64: part("base64")?.into(),
    })
}
