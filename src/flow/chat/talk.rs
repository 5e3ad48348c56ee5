//! What the model is told: the instruction and the protocol, the person's request as the inputs say it, and the
//! conversation so far, with the edits that the person made by hand.

use minijinja::context;
use serde_json::Value;

use crate::core::call::AttemptStatus;
use crate::core::document::{Said, Turn};
use crate::core::failure::{Failure, FailureClass};
use crate::core::key::Key;
use crate::core::model::{Message, Role};
use crate::core::run::Run;
use crate::core::task::{Instruct, Task};
use crate::core::template;
use crate::core::turn::{self, Wording};
use crate::flow::material::{self, fenced};
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

/// Renders a template of the task, and says what it names.
fn rendered(
    task: &Task,
    what: &str,
    source: &str,
    names: &minijinja::Value,
) -> Result<(String, template::References), Failure> {
    let template = template::Template::parse(source);
    let text = template.and_then(|template| Ok((template.render(names)?, template.references())));
    text.map_err(|error| {
        let (line, column) = (error.line, error.column);
        let text = format!("the {what} of `{}` cannot be rendered (line {line}, column {column}): {error}", task.id);
        Failure::new(FailureClass::Definition, text)
    })
}

/// How many parts the document is delivered in: as long as there is none.
///
/// # Errors
/// When the definition's count is no count.
pub(super) fn parts(task: &Task, instruct: &Instruct, run: &Run) -> Result<Option<u64>, Failure> {
    let Some(source) = instruct.result.as_ref().and_then(|result| result.parts.as_ref()) else { return Ok(None) };
    if !run.documents.is_empty() {
        return Ok(None);
    }
    let names = context! { inputs => template::from_json(&run.inputs), run => about(run) };
    let (text, _) = rendered(task, "count of parts", source, &names)?;
    text.trim().parse().map(Some).map_err(|_| {
        let text = format!("`parts` of `{}` is no count: \"{}\"", task.id, text.trim());
        Failure::new(FailureClass::Definition, text)
    })
}

/// The messages for the reply `key`.
///
/// # Errors
/// When the instruction cannot be rendered: what, and where in it.
pub(super) fn messages(
    task: &Task,
    instruct: &Instruct,
    run: &Run,
    key: &Key,
    wording: Wording,
) -> Result<Vec<Message>, Failure> {
    let names = context! { inputs => template::from_json(&run.inputs), run => about(run) };
    let rendered = |what: &str, source: &str| rendered(task, what, source, &names);
    let (told, references) = rendered("instruction", &instruct.instruction)?;
    let parts = parts(task, instruct, run)?;
    let parts = [told.trim().to_owned(), turn::protocol(instruct, parts, wording).trim().to_owned()];
    let system = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    let mut talk = Talk::default();
    talk.say(Role::System, &system);
    let plain = instruct.is_plain();
    for (asked, result) in &run.earlier_runs {
        talk.say(Role::User, asked);
        let delivered = Turn::Deliver { title: "".into(), body: result.clone(), text: "".into() };
        talk.say(Role::Assistant, &if plain { result.data().to_owned() } else { turn::written(&delivered) });
    }
    let (made, images) = material::request(task, &run.inputs, &references);
    let written = instruct.request.as_deref().map(|source| rendered("request", source)).transpose()?;
    let written = written.map(|(text, _)| text.trim().to_owned()).filter(|text| !text.is_empty());
    talk.say(Role::User, &written.unwrap_or(made));
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
    let how = match &written.action {
        Some(_) => "had the document changed; this is how it reads now, and it is what I want",
        None if version == 1 => "wrote the document by hand; this is how it stands now, and my wording stays",
        None => "edited the document by hand; this is how it stands now, and my wording stays",
    };
    Some(format!("I {how}.\n\nTitle: {}\n\n{}", written.title.data(), fenced(written.body.data())))
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
