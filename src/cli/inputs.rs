//! Inputs of a run: from `-i`, `--inputs`, `--prompt`, stdin, the config's defaults, and the person.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::args::InputArgs;
use super::files::read_text;
use super::line::{Asker, Away, Signals, fill};
use super::problem::Problem;
use super::{App, out};
use crate::app::inputs;
use crate::core::code::ErrorCode;
use crate::core::diagnostic::nearest;
use crate::core::form::{Field, FieldType};
use crate::core::task::Task;

/// Reads stdin once, however often it is named.
#[derive(Default)]
struct Stdin(bool);

impl Stdin {
    fn text(&mut self) -> Result<String, Problem> {
        if std::mem::replace(&mut self.0, true) {
            return Err(Problem::usage("stdin can be taken once; it was named more than once"));
        }
        read_text("-")
    }
}

/// What was given for a task's inputs, as an object; files are read. `base` is what they are laid over.
///
/// # Errors
/// What cannot be read or is not valid, with the input's name.
pub async fn gather(
    app: &App,
    task: &Task,
    args: &InputArgs,
    base: Map<String, Value>,
    asks: bool,
) -> Result<Map<String, Value>, Problem> {
    let mut stdin = Stdin::default();
    let mut given = base;
    if let Some(name) = &args.inputs {
        let json = if name == "-" { stdin.text()? } else { read_text(name)? };
        let object: Value = crate::core::json::parse(&json).map_err(|error| {
            Problem::invalid(ErrorCode::InvalidInput, format!("--inputs {name} is not JSON: {error}"))
        })?;
        let Value::Object(object) = object else {
            return Err(Problem::invalid(
                ErrorCode::InvalidInput,
                format!("--inputs {name} is not a JSON object: {{\"input\": value, …}}"),
            ));
        };
        given.extend(object);
    }
    let mut listed: Vec<&str> = Vec::new();
    for pair in &args.input {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Problem::usage(format!("-i {pair}: write -i NAME=VALUE, NAME=@FILE or NAME=@-")));
        };
        let Some(field) = inputs::find(task, name) else {
            return Err(unknown(task, name));
        };
        let value = typed(field, value, &mut stdin)?;
        match (given.get_mut(name), value) {
            // Given more than once, a list grows.
            (Some(Value::Array(before)), Value::Array(more)) if listed.contains(&name) => before.extend(more),
            _ if listed.contains(&name) => {
                return Err(Problem::usage(format!(
                    "-i {name}=… is given more than once, and takes one value; give it once"
                )));
            }
            (_, value) => {
                given.insert(name.to_owned(), value);
            }
        }
        listed.push(&field.name);
    }
    if let Some(prompt) = &args.prompt {
        let Some(field) = inputs::for_text(task).filter(|field| field.required) else {
            return Err(Problem::invalid(
                ErrorCode::InvalidInput,
                format!("`{}` has no required text input for --prompt; use -i", task.id),
            ));
        };
        if listed.contains(&field.name.as_str()) {
            let name = &field.name;
            return Err(Problem::usage(format!(
                "`{name}` is given by -i and by --prompt, which fills it; say it once"
            )));
        }
        let text = if prompt == "-" { trimmed(stdin.text()?) } else { prompt.clone() };
        given.insert(field.name.clone(), json!(text));
    }
    given = inputs::complete(app.settings()?, task, given, Path::new(""))?;
    from_stdin(task, &mut stdin, &mut given)?;
    if asks {
        ask(task, &mut given).await?;
    }
    Ok(given)
}

fn unknown(task: &Task, name: &str) -> Problem {
    let known = || task.inputs.iter().map(|field| field.name.as_str());
    let hint = match nearest(name, known()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    };
    let known = if task.inputs.is_empty() { "none".to_owned() } else { known().collect::<Vec<_>>().join(", ") };
    Problem::invalid(
        ErrorCode::InvalidInput,
        format!("`{}` has no input `{name}`{hint} (its inputs: {known})", task.id),
    )
}

/// The value that stands after `NAME=`.
fn typed(field: &Field, value: &str, stdin: &mut Stdin) -> Result<Value, Problem> {
    let here = Path::new("");
    if let Some(literal) = value.strip_prefix("@@") {
        return Ok(inputs::from_text(field, &format!("@{literal}"), here)?);
    }
    let Some(file) = value.strip_prefix('@') else { return Ok(inputs::from_text(field, value, here)?) };
    match (field.kind, file) {
        (FieldType::File | FieldType::Files, "-") => {
            let file = json!({"path": "-", "name": "stdin", "text": stdin.text()?});
            Ok(if field.kind.is_list() { json!([file]) } else { file })
        }
        (kind, path) if kind.is_read() => Ok(inputs::from_text(field, path, here)?),
        (_, "-") => Ok(inputs::from_text(field, &trimmed(stdin.text()?), here)?),
        (_, path) => Ok(inputs::from_text(field, &trimmed(inputs::text_of_file(field, path, here)?), here)?),
    }
}

fn trimmed(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// A pipe that is not empty fills the one required text or file input that is unset.
fn from_stdin(task: &Task, stdin: &mut Stdin, given: &mut Map<String, Value>) -> Result<(), Problem> {
    let takes = |field: &&Field| matches!(field.kind, FieldType::Text | FieldType::Multiline | FieldType::File);
    let fields: Vec<&Field> = inputs::missing(task, given).into_iter().filter(takes).collect();
    let [field] = fields.as_slice() else { return Ok(()) };
    if stdin.0 || io::stdin().is_terminal() || !is_a_pipe() {
        return Ok(());
    }
    let text = stdin.text()?;
    if text.is_empty() {
        return Ok(());
    }
    let value = match field.kind {
        FieldType::File => json!({"path": "-", "name": "stdin", "text": text}),
        _ => json!(trimmed(text)),
    };
    given.insert(field.name.clone(), value);
    Ok(())
}

/// A pipe, a file or a socket; `/dev/null` and a closed stdin are not.
fn is_a_pipe() -> bool {
    use rustix::fs::FileType;
    let kind = rustix::fs::fstat(io::stdin().as_fd()).map(|about| FileType::from_raw_mode(about.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::RegularFile | FileType::Socket))
}

/// Asks for what is required and not given.
async fn ask(task: &Task, given: &mut Map<String, Value>) -> Result<(), Problem> {
    let missing: Vec<Field> = inputs::to_ask(task, given).into_iter().cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    out::say(&task.name);
    let mut signals = Signals::new()?;
    match fill(&mut Asker { signals: &mut signals }, &missing).await {
        Ok(filled) => {
            given.extend(filled.into_iter().filter(|(_, value)| !value.is_null()));
            Ok(())
        }
        Err(Away::Quit) => Err(Problem::refused(ErrorCode::Denied, "nothing was started")),
        Err(Away::Interrupt | Away::HungUp) => Err(Problem::interrupted(ErrorCode::Denied, "nothing was started")),
    }
}
