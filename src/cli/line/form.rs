//! Forms, field by field.

use std::path::Path;

use crate::cli::out::Put as _;
use serde_json::{Map, Value};

use super::keyboard::Asker;
use super::signals::Away;
use crate::app::inputs;
use crate::cli::out;
use crate::core::form::{Field, FieldType};
use crate::core::text::output_text;

/// Asks for every field; a field that has a default takes it on an empty line.
///
/// # Errors
/// When the person went away.
pub async fn fill(asker: &mut Asker<'_>, fields: &[Field]) -> Result<Map<String, Value>, Away> {
    let mut filled = Map::new();
    for field in fields {
        let value = ask(asker, field).await?;
        filled.insert(field.name.clone(), value);
    }
    Ok(filled)
}

async fn ask(asker: &mut Asker<'_>, field: &Field) -> Result<Value, Away> {
    out::say(&format!("\n{}", described(field)));
    if field.kind == FieldType::Multiline {
        out::say("(several lines; a line with a single `.` ends it)");
    }
    loop {
        let typed = match field.kind {
            FieldType::Multiline => several(asker).await?,
            _ => asker.line("> ").await?,
        };
        if typed.trim().is_empty()
            && let Some(default) = &field.default
        {
            return Ok(default.clone());
        }
        if typed.trim().is_empty() && may_stay_empty(field) {
            return Ok(Value::Null);
        }
        match inputs::from_text(field, &typed, Path::new(""))
            .map_err(|why| why.message)
            .and_then(|value| field.validate(&value))
        {
            Ok(value) => return Ok(value),
            Err(why) => out::say(&format!("That will not do: {why}")),
        }
    }
}

/// Whether nothing needs to be typed here. What another field makes optional is judged once all are filled in.
fn may_stay_empty(field: &Field) -> bool {
    !field.required || !field.unless.is_empty()
}

async fn several(asker: &mut Asker<'_>) -> Result<String, Away> {
    let mut lines = Vec::new();
    loop {
        let line = asker.line("> ").await?;
        // An empty first line means that nothing is given.
        if line == "." || (lines.is_empty() && line.is_empty()) {
            return Ok(lines.join("\n"));
        }
        lines.push(line);
    }
}

fn described(field: &Field) -> String {
    let mut text = field.question().to_owned();
    let mut says: Vec<String> = Vec::new();
    if !field.choices.is_empty() {
        says.push(format!("one of: {}", field.choices.join(", ")));
    }
    match &field.default {
        Some(default) => says.push(format!("empty: {}", output_text(default).line())),
        None if !field.unless.is_empty() => {
            says.push(format!("may stay empty if you give {}", field.unless.join(" or ")));
        }
        None if !field.required => says.push("may stay empty".to_owned()),
        None => {}
    }
    if let Some(placeholder) = &field.placeholder {
        says.push(format!("such as: {placeholder}"));
    }
    if !says.is_empty() {
        text.put(format_args!(" ({})", says.join("; ")));
    }
    if let Some(help) = &field.help {
        text.put(format_args!("\n  {help}"));
    }
    text
}
