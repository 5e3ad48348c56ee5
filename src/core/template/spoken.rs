//! The filter `transcript`: what was said in a recording, as a list.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, State};

use super::functions::{charge, searched};
use crate::core::transcript;

/// The lines of a transcript, which is a text or a file.
pub(super) fn transcript(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let value = if value.kind() == ValueKind::Map { value.get_attr("text")? } else { value.clone() };
    let text = searched(state, &value)?;
    let text = text.as_str().unwrap_or_default();
    // Each line has its times and its number beside its words.
    charge(state, text.len().saturating_mul(2))?;
    Ok(super::from_json(&transcript::value(&transcript::read(text))))
}
