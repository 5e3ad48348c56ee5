//! `stepwell new`: a definition to begin with. It never writes over a file.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::discover::{Catalog, Entry, Unknown};
use super::folder::{FileProblem, ends_as};
use crate::core::code::ErrorCode;
use crate::core::diagnostic::{Report, SourceText};
use crate::core::key::is_id;
use crate::core::task::{Body, FlowKind, Kind};
use crate::core::toml_reader;
use crate::flow::scripted;

const DEFINITION: &str = "workflow.toml";

/// What a new definition begins as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A workflow whose steps are a graph.
    Graph,
    /// A workflow that a script runs.
    Script,
    /// A workflow that a Python program runs.
    Python,
    /// A copy of the task of that id.
    Task(String),
}

impl Origin {
    /// What `--from` says: `graph`, `script`, `python`, or a task's id.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "graph" => Self::Graph,
            "script" => Self::Script,
            "python" => Self::Python,
            id => Self::Task(id.to_owned()),
        }
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The id is none.
    #[error("`{0}` is no id; an id is a letter or `_`, then letters, digits, `_` or `-`")]
    BadId(String),
    /// Something is there.
    #[error("{} is there already, and nothing is written over it; choose another id or remove it", .0.display())]
    Exists(PathBuf),
    /// There is no such task to copy.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The task to copy is of the other kind.
    #[error("`{id}` is of the kind {kind}; write `stepwell new {kind} …`")]
    OtherKind {
        /// Its id.
        id: String,
        /// Its kind.
        kind: &'static str,
    },
    /// An instruct task is no graph, script or program.
    #[error("an instruct task has no steps; write `stepwell new workflow …`, or leave `--from` out")]
    NoSteps,
    /// The task to copy cannot be read.
    #[error("`{0}` cannot be copied: {1}")]
    Copy(String, FileProblem),
    /// The system says no.
    #[error("{path} cannot be written: {1}", path = .0.display())]
    Write(PathBuf, std::io::Error),
}

impl ScaffoldError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::BadId(_) | Self::OtherKind { .. } | Self::NoSteps => ErrorCode::Usage,
            Self::Exists(_) => ErrorCode::Exists,
            Self::Unknown(unknown) => unknown.code(),
            Self::Copy(_, problem) => problem.code(),
            Self::Write(..) => ErrorCode::PathRefused,
        }
    }
}

/// Writes a new definition under `root`, the folder that holds `tasks` and `workflows`. Gives the file to edit.
///
/// # Errors
/// When the id is none or taken, there is nothing to copy, or the files cannot be written.
pub fn create(
    root: &Path,
    kind: Kind,
    id: &str,
    from: Option<&Origin>,
    catalog: &Catalog,
) -> Result<PathBuf, ScaffoldError> {
    if !is_id(id) {
        return Err(ScaffoldError::BadId(id.escape_debug().to_string()));
    }
    let files = match (kind, from) {
        (_, Some(Origin::Task(task))) => copy(catalog.get(task)?, kind, id)?,
        (Kind::Instruct, None) => vec![(format!("{id}.toml"), fill(include_str!("scaffold/instruct.toml"), id, ""))],
        (Kind::Instruct, Some(_)) => return Err(ScaffoldError::NoSteps),
        (Kind::Workflow, None | Some(Origin::Graph)) => {
            vec![(DEFINITION.to_owned(), fill(include_str!("scaffold/graph.toml"), id, ""))]
        }
        (Kind::Workflow, Some(Origin::Script)) => vec![
            (DEFINITION.to_owned(), fill(include_str!("scaffold/script.toml"), id, "\"main.js\"")),
            ("main.js".to_owned(), include_str!("scaffold/main.js").as_bytes().to_vec()),
            ("stepwell.d.ts".to_owned(), scripted::TYPES.as_bytes().to_vec()),
        ],
        (Kind::Workflow, Some(Origin::Python)) => vec![
            (DEFINITION.to_owned(), fill(include_str!("scaffold/script.toml"), id, "[\"python3\", \"main.py\"]")),
            ("main.py".to_owned(), include_str!("scaffold/main.py").as_bytes().to_vec()),
            ("stepwell.py".to_owned(), scripted::PYTHON.as_bytes().to_vec()),
        ],
    };
    let (folder, taken) = match kind {
        Kind::Instruct => (root.join("tasks"), root.join("tasks").join(format!("{id}.toml"))),
        Kind::Workflow => (root.join("workflows").join(id), root.join("workflows").join(id)),
    };
    if taken.symlink_metadata().is_ok() {
        return Err(ScaffoldError::Exists(taken));
    }
    for (name, bytes) in &files {
        write_new(&folder.join(name), bytes)?;
    }
    Ok(match kind {
        Kind::Instruct => taken,
        Kind::Workflow => taken.join(DEFINITION),
    })
}

fn fill(template: &str, id: &str, flow: &str) -> Vec<u8> {
    template.replace("MY_ID", id).replace("FLOW", flow).into_bytes()
}

/// The files of a definition under another id.
fn copy(entry: &Entry, kind: Kind, id: &str) -> Result<Vec<(String, Vec<u8>)>, ScaffoldError> {
    if entry.kind != kind {
        return Err(ScaffoldError::OtherKind { id: entry.id.clone(), kind: entry.kind.name() });
    }
    let problem = |problem| ScaffoldError::Copy(entry.id.clone(), problem);
    let Some(text) = &entry.text else {
        return Err(problem(FileProblem::Missing(entry.path.display().to_string())));
    };
    let definition = with_id(text, id).into_bytes();
    if kind == Kind::Instruct {
        return Ok(vec![(format!("{id}.toml"), definition)]);
    }
    let mut files = entry.folder.all().map_err(problem)?;
    files.insert(DEFINITION.to_owned(), definition);
    if let Ok(task) = &entry.task
        && let Body::Workflow(workflow) = &task.body
        && let Some((name, text)) = beside(&workflow.flow)
    {
        files.entry(name.to_owned()).or_insert_with(|| text.as_bytes().to_vec());
    }
    Ok(files.into_iter().collect())
}

/// What stands beside code that is to be written: the types of a script, the client of a Python program.
fn beside(flow: &FlowKind) -> Option<(&'static str, &'static str)> {
    match flow {
        FlowKind::Graph => None,
        FlowKind::Script { .. } => Some(("stepwell.d.ts", scripted::TYPES)),
        FlowKind::Process { argv, .. } => {
            argv.iter().any(|word| ends_as(word, &["py"])).then_some(("stepwell.py", scripted::PYTHON))
        }
    }
}

/// The text of a definition with another `id`; what else it says, and how, stays.
fn with_id(source: &Arc<SourceText>, id: &str) -> String {
    let place = toml_reader::read(source, &Report::default(), |root| root.get("id").map(|item| item.span())).flatten();
    let mut text = source.text.clone();
    if let Some(place) = place {
        text.replace_range(place.range, &format!("\"{id}\""));
    }
    text
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ScaffoldError> {
    let say = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => ScaffoldError::Exists(path.to_owned()),
        _ => ScaffoldError::Write(path.to_owned(), error),
    };
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(say)?;
    }
    // `create_new` and not a rename: a rename would write over a file that came meanwhile.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(say)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(say)
}
