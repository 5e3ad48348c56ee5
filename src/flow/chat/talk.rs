//! What the model is told: the instruction and the protocol, the person's request as the inputs say it, and the
//! conversation so far, with the edits that the person made by hand.

use std::fmt::Write as _;

use minijinja::context;
use serde_json::Value;

use crate::core::call::AttemptStatus;
use crate::core::document::{Said, Turn};
use crate::core::failure::{Failure, FailureClass};
use crate::core::form::{Field, FieldType};
use crate::core::key::Key;
use crate::core::model::{Image, Message, Role};
use crate::core::run::Run;
use crate::core::task::{Instruct, Task};
use crate::core::template::{self, References};
use crate::core::turn;
use crate::flow::names::about;

/// A reply's output as a turn. What is not one (a journal of another version, a person's free edit) is read as text.
pub(super) fn turn_of(output: &Value, plain: bool) -> Turn {
    if let Ok(turn) = serde_json::from_value(output.clone()) {
        return turn;
    }
    match output {
        Value::String(text) => turn::read(text, plain),
        other => turn::read(&other.to_string(), plain),
    }
}

/// The messages for the reply `key`.
///
/// # Errors
/// When the instruction cannot be rendered: what, and where in it.
pub(super) fn messages(task: &Task, instruct: &Instruct, run: &Run, key: &Key) -> Result<Vec<Message>, Failure> {
    let broken = |error: template::TemplateError| {
        let (line, column) = (error.line, error.column);
        Failure::new(
            FailureClass::Definition,
            format!("the instruction of `{}` cannot be rendered (line {line}, column {column}): {error}", task.id),
        )
    };
    let instruction = template::Template::parse(&instruct.instruction).map_err(broken)?;
    let names = context! { inputs => template::from_json(&run.inputs), run => about(run) };
    let told = instruction.render(&names).map_err(broken)?;
    let parts = [told.trim().to_owned(), turn::protocol(instruct).trim().to_owned()];
    let system = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    let mut talk = Talk::default();
    talk.say(Role::System, &system);
    let plain = instruct.is_plain();
    for (asked, result) in &run.earlier_runs {
        talk.say(Role::User, asked);
        let delivered = Turn::Deliver { title: "".into(), body: result.clone(), text: "".into() };
        talk.say(Role::Assistant, &if plain { result.data().to_owned() } else { turn::written(&delivered) });
    }
    let (request, images) = request(task, &run.inputs, &instruction.references());
    talk.say(Role::User, &request);
    if let Some(first) = talk.0.last_mut() {
        first.images = images;
    }
    for said in before(run, key) {
        match said {
            Said::Person(text) => talk.say(Role::User, text),
            Said::Written { name, version, by_model: false } => {
                if let Some(note) = edited(run, name, *version) {
                    talk.say(Role::User, &note);
                }
            }
            Said::Written { .. } => {}
            Said::Model { key, attempt, version } => talk.model(run, key, (*attempt, *version), plain),
        }
    }
    // A reply that was stopped and is asked for again as it was.
    if talk.0.last().is_some_and(|message| message.role == Role::Assistant) {
        talk.0.pop();
    }
    Ok(talk.0)
}

/// Whether the person's last word before the reply `key` was to write the document whatever is still open.
pub(super) fn wants_no_question(run: &Run, key: &Key) -> bool {
    let since = before(run, key).iter().rev().take_while(|said| !matches!(said, Said::Model { .. }));
    let mut said = since.filter_map(|said| if let Said::Person(text) = said { Some(text) } else { None });
    said.any(|text| turn::is_write_it_anyway(text))
}

/// What was said before the reply `key`: all, or, when a person takes up an older reply, what came before that.
fn before<'a>(run: &'a Run, key: &Key) -> &'a [Said] {
    let is_redone = run.call(key).is_some_and(|call| call.standing.is_some());
    let first = run.said.iter().position(|said| matches!(said, Said::Model { key: of, .. } if of == key));
    match first.filter(|_| is_redone) {
        Some(place) => &run.said[..place],
        None => &run.said,
    }
}

fn edited(run: &Run, name: &str, version: u32) -> Option<String> {
    let document = run.documents.get(name)?;
    let written = document.versions.get(version.saturating_sub(1) as usize)?;
    let fence = fence(written.body.data());
    let how = if version == 1 { "wrote" } else { "edited" };
    Some(format!(
        "I {how} the document by hand; this is how it stands now, and my wording stays.\n\nTitle: {}\n\n\
         {fence}\n{}\n{fence}",
        written.title.data(),
        written.body.data().trim_end()
    ))
}

/// A conversation in which the two sides take turns, as some providers insist.
#[derive(Default)]
struct Talk(Vec<Message>);

impl Talk {
    fn say(&mut self, role: Role, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.role == role => {
                last.text.push_str("\n\n");
                last.text.push_str(text);
            }
            _ => self.0.push(Message::new(role, text)),
        }
    }

    /// A reply of the model that counts, or as much of it as there was when it was stopped.
    fn model(&mut self, run: &Run, key: &Key, (attempt, version): (u32, u32), plain: bool) {
        let Some(call) = run.call(key) else { return };
        let Some(made) = call.attempt(attempt) else { return };
        let Some(place) = version.checked_sub(1) else { return };
        let Some(output) = made.versions.get(place as usize).map(|version| version.output.as_ref()) else { return };
        if made.status == AttemptStatus::Cancelled {
            let partial = output.as_str().unwrap_or_default();
            self.say(Role::Assistant, &format!("{partial} … (stopped by the person)"));
        } else if call.standing.as_ref().is_some_and(|s| s.attempt == attempt && s.version == version) {
            self.say(Role::Assistant, &turn::written(&turn_of(output, plain)));
        }
    }
}

/// The person's request: the first text input as it is, the others with their questions, files quoted. What the
/// instruction puts in itself is not said twice.
fn request(task: &Task, inputs: &Value, told: &References) -> (String, Vec<Image>) {
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

/// A file as a quoted block, in a fence that its text cannot close.
fn quote(into: &mut String, field: &Field, file: &Value) {
    let text = file.get("text").and_then(Value::as_str).unwrap_or_default();
    let name = file.get("name").and_then(Value::as_str).unwrap_or_default();
    let fence = fence(text);
    let _ = write!(into, "\n\n{}{name}\n\n{fence}\n{}\n{fence}", label(field), text.trim_end());
}

/// A code fence longer than any in `text`.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

fn image_of(value: &Value) -> Option<Image> {
    let part = |name: &str| value.get(name).and_then(Value::as_str);
    Some(Image {
        name: part("name").unwrap_or_default().to_owned(),
        media_type: part("media_type")?.to_owned(),
        base64: part("base64")?.into(),
    })
}
