//! What an event says to a person: the texts that are searched, and the beginning that a list shows.

use serde_json::Value;

use crate::core::event::Event;
use crate::core::fingerprint::Fingerprint;
use crate::core::work::Work;

/// So many bytes of an event's texts are searched; what comes after is kept but not found.
const SEARCHED: usize = 64 * 1024;

/// So many characters of a run's newest output are kept for lists.
const SNIPPET: usize = 160;

/// A text without a space in so many leading bytes is data, such as an image in base64.
const PROSE: usize = 512;

/// What an event says, as far as it is searched; a run is found by its task, too, whose name is `task_name`.
pub(super) fn said(event: &Event, task_name: Option<&str>) -> String {
    let mut text = searched(event);
    if let Event::RunCreated(created) = event {
        add(&mut text, &created.task);
        add(&mut text, task_name.unwrap_or_default());
    }
    text
}

/// The work whose result another run may use again, of an attempt at it that begins with `event`.
pub(super) fn cacheable(event: &Event) -> Option<&Fingerprint> {
    let Event::AttemptStarted(started) = event else { return None };
    let has_no_effect = |work: &Work| matches!(work, Work::Prompt(_) | Work::Transform { .. });
    started.work.as_deref().is_none_or(has_no_effect).then_some(&started.fingerprint)
}

/// The texts of inputs, outputs, instructions, messages and documents in `event`, one a line; empty when it has none.
fn searched(event: &Event) -> String {
    let mut text = String::new();
    match event {
        Event::RunCreated(created) => {
            add(&mut text, &created.title);
            add_value(&mut text, &created.inputs);
        }
        Event::RunRenamed { title, .. } => add(&mut text, title),
        Event::RunCompleted { title, body } | Event::DocumentWritten { title, body, .. } => {
            add(&mut text, title.data());
            add(&mut text, body.data());
        }
        Event::AttemptFinished { output, .. }
        | Event::VersionEdited { output, .. }
        | Event::CallAdopted { output, .. }
        | Event::CallAnswered { value: output, .. } => add_value(&mut text, output),
        Event::AttemptFailed { partial, .. } | Event::AttemptCancelled { partial, .. } => {
            add(&mut text, partial.data());
        }
        Event::AttemptRejected { instruction, .. } => add(&mut text, instruction),
        Event::MessageAdded { text: message, .. } => add(&mut text, message),
        // Nobody here knows what of it is prose; what surely is none is left out.
        Event::Unknown(unknown) => unknown
            .fields()
            .filter(|(name, _)| !["type", "key", "step", "by", "fingerprint"].contains(name))
            .for_each(|(_, value)| add_value(&mut text, &value)),
        _ => {}
    }
    text
}

/// The beginning of the output that `event` brings, on one line.
pub(super) fn snippet(event: &Event) -> Option<String> {
    let mut text = String::new();
    match event {
        Event::RunCompleted { body, .. } | Event::DocumentWritten { body, .. } => add(&mut text, body.data()),
        Event::AttemptFinished { output, .. } | Event::VersionEdited { output, .. } => {
            add_value(&mut text, output);
            if text.is_empty() && !output.is_null() {
                text = output.to_string();
            }
        }
        _ => {}
    }
    let mut words = text.split_whitespace();
    let mut line = words.next()?.to_owned();
    for word in words {
        if line.len() > 4 * SNIPPET {
            break;
        }
        line.push(' ');
        line.push_str(word);
    }
    Some(line.chars().take(SNIPPET).collect())
}

/// Adds a text, a line of its own.
fn add(into: &mut String, text: &str) {
    let room = SEARCHED.saturating_sub(into.len());
    if text.is_empty() || room == 0 || is_data(text) {
        return;
    }
    if !into.is_empty() {
        into.push('\n');
    }
    into.push_str(&text[..text.floor_char_boundary(room)]);
}

fn add_value(into: &mut String, value: &Value) {
    match value {
        Value::String(text) => add(into, text),
        Value::Number(number) => add(into, &number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| add_value(into, item)),
        Value::Object(fields) => {
            for (name, field) in fields {
                // How a turn of a conversation ended is not something that it says.
                if name != "turn" {
                    add_value(into, field);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn is_data(text: &str) -> bool {
    let start = &text.as_bytes()[..text.len().min(PROSE)];
    start.len() == PROSE && start.iter().all(u8::is_ascii_graphic)
}
