//! Finding definitions: in the binary, in the person's own folder, in the project, in `--dir`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::decode::{Draft, decode};
use super::folder::{FileProblem, Folder, ends_as, read_bounded};
use super::library::{BUILT_IN, Library};
use super::trust::{Trust, TrustStore};
use crate::core::code::ErrorCode;
use crate::core::diagnostic::{Diagnostic, Report, SourceText, did_you_mean};
use crate::core::form::Field;
use crate::core::task::{Kind, Task};
use crate::core::tool::DeclaredTools;

/// Where to look, in this order; later ones shadow earlier ones of the same id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchPaths {
    /// The folder that holds the person's own `tasks` and `workflows`; trusted.
    pub own: Option<PathBuf>,
    /// The project's `.stepwell`.
    pub project: Option<PathBuf>,
    /// `--dir`.
    pub dir: Option<PathBuf>,
    /// The state folder, where it is kept what is trusted.
    pub state: PathBuf,
    /// The tools that the config declares; `None`: it is not known, and what definitions name of it is not looked up.
    pub tools: Option<Arc<DeclaredTools>>,
}

impl SearchPaths {
    /// Only the library in the binary.
    #[must_use]
    pub fn built_in() -> Self {
        Self { own: None, project: None, dir: None, state: PathBuf::new(), tools: None }
    }
}

/// Where a definition was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionSource {
    /// In the binary.
    Builtin,
    /// In the person's own folder.
    User,
    /// In the project's `.stepwell`.
    Project,
    /// In `--dir`.
    Dir,
}

impl DefinitionSource {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::User => "user",
            Self::Project => "project",
            Self::Dir => "dir",
        }
    }
}

/// A definition as a list shows it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Names it on the command line; the name of its file or folder when the definition gives none.
    pub id: String,
    /// Instruct or workflow.
    pub kind: Kind,
    /// What the person reads.
    pub name: String,
    /// One character or emoji before the name.
    pub icon: Option<String>,
    /// A sentence about it.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The form to start it.
    pub inputs: Vec<Field>,
    /// Where it was found.
    pub source: DefinitionSource,
    /// Its file, as the person would name it.
    pub path: PathBuf,
    /// Whether it may be run.
    pub trust: Trust,
    /// The task, or what is wrong with its form. What its parts mean to each other only [`Catalog::check`] knows.
    pub task: Result<Arc<Task>, Vec<Diagnostic>>,
    /// Its files.
    pub(super) folder: Folder,
    /// The definition's text; `None` when it could not be read.
    pub(super) text: Option<Arc<SourceText>>,
}

impl Entry {
    /// Whether it may be run.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust == Trust::Trusted
    }

    /// The folder where its programs are started, absolute, because a run may be taken up from another one; `None` for
    /// one from the binary.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        let folder = self.path.parent().filter(|_| self.source != DefinitionSource::Builtin)?;
        Some(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()))
    }

    /// Decodes it anew, with where its parts stand.
    pub(super) fn decode(&self, report: &Report) -> Option<Draft> {
        decode(self.text.as_ref()?, self.kind, &self.folder, report)
    }
}

/// No definition of that id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no task `{id}`{hint} (`stepwell tasks` lists them)")]
pub struct Unknown {
    /// What was asked for.
    pub id: String,
    hint: String,
}

impl Unknown {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::Usage
    }
}

/// Every definition that was found, by id.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Instruct tasks first, then workflows, each by id.
    pub entries: Vec<Entry>,
    /// As in [`SearchPaths::tools`].
    pub(super) tools: Option<Arc<DeclaredTools>>,
}

impl Catalog {
    /// Finds and decodes every definition. What cannot be read or decoded is listed with what is wrong.
    #[must_use]
    pub fn load(search_paths: &SearchPaths) -> Self {
        Self::load_from(BUILT_IN, search_paths)
    }

    /// As [`Catalog::load`], with another library than the one built in.
    #[must_use]
    pub fn load_from(library: Library, search_paths: &SearchPaths) -> Self {
        let trust = TrustStore::new(&search_paths.state);
        let mut found = builtin(library);
        let mut seen: Vec<PathBuf> = Vec::new();
        let layers = [
            (&search_paths.own, DefinitionSource::User),
            (&search_paths.project, DefinitionSource::Project),
            (&search_paths.dir, DefinitionSource::Dir),
        ];
        for (root, source) in layers {
            let Some(root) = root else { continue };
            // The same folder under two names stays what it was first: the person's own stays trusted.
            let real = root.canonicalize().unwrap_or_else(|_| root.clone());
            if !seen.contains(&real) {
                found.extend(layer(root, source, &trust));
                seen.push(real);
            }
        }
        let mut entries: Vec<Entry> = Vec::new();
        for entry in found {
            entries.retain(|earlier| earlier.id != entry.id || earlier.source == entry.source);
            entries.push(entry);
        }
        entries.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
        refuse_twins(&mut entries);
        Self { entries, tools: search_paths.tools.clone() }
    }

    /// The definition of that id.
    ///
    /// # Errors
    /// When there is none: which id is meant, perhaps.
    pub fn get(&self, id: &str) -> Result<&Entry, Unknown> {
        self.entries.iter().find(|entry| entry.id == id).ok_or_else(|| {
            let hint = did_you_mean(id, self.entries.iter().map(|entry| entry.id.as_str()));
            Unknown { id: id.to_owned(), hint }
        })
    }
}

/// Two definitions of one place cannot have the same id: neither shadows the other.
fn refuse_twins(entries: &mut [Entry]) {
    for at in 1..entries.len() {
        let (before, rest) = entries.split_at_mut(at);
        let entry = &mut rest[0];
        if let Some(twin) = before.iter().find(|twin| twin.id == entry.id) {
            let message =
                format!("the id `{}` is taken by {}; give one of them another id", entry.id, twin.path.display());
            let mut wrong = entry.task.clone().err().unwrap_or_default();
            wrong.push(Diagnostic::of_file(entry.path.display().to_string(), message));
            entry.task = Err(wrong);
        }
    }
}

fn builtin(library: Library) -> Vec<Entry> {
    library
        .iter()
        .filter_map(|(path, bytes)| {
            let parts: Vec<&str> = path.split('/').collect();
            let (kind, prefix) = match parts[..] {
                ["tasks", file] if ends_as(file, &["toml"]) => (Kind::Instruct, "tasks/".to_owned()),
                ["workflows", id, "workflow.toml"] => (Kind::Workflow, format!("workflows/{id}/")),
                _ => return None,
            };
            let text = String::from_utf8_lossy(bytes).into_owned();
            let name = Path::new("builtin:").join(path);
            Some(entry(
                Ok(text),
                kind,
                DefinitionSource::Builtin,
                name,
                Folder::Builtin(library, prefix),
                Trust::Trusted,
            ))
        })
        .collect()
}

/// The definitions in `root/tasks` and `root/workflows`, by the name of their file.
fn layer(root: &Path, source: DefinitionSource, trust: &TrustStore) -> Vec<Entry> {
    let mut found = tasks_in(&root.join("tasks"));
    found.extend(workflows_in(&root.join("workflows")));
    found.into_iter().map(|(file, kind)| on_disk(&file, kind, source, trust)).collect()
}

/// The definitions at `path`: a task's file, a workflow's file or folder, or a folder of definitions.
#[must_use]
pub fn definitions_at(path: &Path) -> Vec<(PathBuf, Kind)> {
    if path.is_file() {
        return match (path.file_name(), path.extension()) {
            (Some(name), _) if name == "workflow.toml" => vec![(path.to_owned(), Kind::Workflow)],
            (_, Some(ending)) if ending == "toml" => vec![(path.to_owned(), Kind::Instruct)],
            _ => Vec::new(),
        };
    }
    if path.join("workflow.toml").is_file() {
        return vec![(path.join("workflow.toml"), Kind::Workflow)];
    }
    let mut found = Vec::new();
    for root in [path.to_owned(), path.join(".stepwell")] {
        found.extend(tasks_in(&root.join("tasks")));
        found.extend(workflows_in(&root.join("workflows")));
    }
    if found.is_empty() {
        // The folder `tasks` or `workflows` itself.
        found.extend(tasks_in(path));
        found.extend(workflows_in(path));
    }
    found
}

fn tasks_in(folder: &Path) -> Vec<(PathBuf, Kind)> {
    let toml = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "toml") && !file.is_dir();
    sorted(folder).into_iter().filter(toml).map(|file| (file, Kind::Instruct)).collect()
}

fn workflows_in(folder: &Path) -> Vec<(PathBuf, Kind)> {
    let files = sorted(folder).into_iter().map(|folder| folder.join("workflow.toml"));
    files.filter(|file| file.is_file()).map(|file| (file, Kind::Workflow)).collect()
}

/// What lies in a folder, by name, without what is hidden; nothing when it cannot be read.
fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// The definition in `file`. What is not the person's own is read once, so that what was trusted is what is used.
pub(super) fn on_disk(file: &Path, kind: Kind, source: DefinitionSource, trust: &TrustStore) -> Entry {
    let own = source == DefinitionSource::User;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (folder, trust) = if own {
        (Ok(Folder::Disk(file.parent().unwrap_or(Path::new(".")).to_owned())), Trust::Trusted)
    } else {
        let snapshot = Folder::snapshot(file, kind);
        let trust = snapshot.as_ref().map_or(Trust::Untrusted, |files| trust.look_up(file, kind, files));
        (snapshot.map(Folder::Snapshot), trust)
    };
    match folder {
        // The person's own file may be a link: where it leads is the person's own choice.
        Ok(folder @ Folder::Disk(_)) => entry(read_own(file, &name), kind, source, file.to_owned(), folder, trust),
        Ok(folder) => {
            entry(folder.read(&name).map_err(|e| e.to_string()), kind, source, file.to_owned(), folder, trust)
        }
        Err(problem) => {
            entry(Err(problem.to_string()), kind, source, file.to_owned(), Folder::Snapshot(BTreeMap::new()), trust)
        }
    }
}

fn read_own(file: &Path, name: &str) -> Result<String, String> {
    let bytes = read_bounded(file, name).map_err(|problem| problem.to_string())?;
    String::from_utf8(bytes).map_err(|_| FileProblem::NotText(name.to_owned()).to_string())
}

fn entry(
    text: Result<String, String>,
    kind: Kind,
    source: DefinitionSource,
    path: PathBuf,
    folder: Folder,
    trust: Trust,
) -> Entry {
    let shown = path.display().to_string();
    let report = Report::default();
    let text = match text {
        Ok(text) => Some(Arc::new(SourceText { name: shown, text })),
        Err(problem) => {
            report.push(Diagnostic::of_file(shown, problem));
            None
        }
    };
    let task = text.as_ref().and_then(|text| decode(text, kind, &folder, &report)).map(|draft| draft.task);
    let file_id = match kind {
        Kind::Instruct => path.file_stem(),
        Kind::Workflow => path.parent().and_then(Path::file_name),
    };
    let file_id = file_id.unwrap_or_default().to_string_lossy().into_owned();
    let listed = task.as_ref();
    let or_file = |text: Option<&String>| text.filter(|text| !text.is_empty()).unwrap_or(&file_id).clone();
    Entry {
        id: or_file(listed.map(|task| &task.id)),
        name: or_file(listed.map(|task| &task.name)),
        kind,
        icon: listed.and_then(|task| task.icon.clone()),
        description: listed.map(|task| task.description.clone()).unwrap_or_default(),
        tags: listed.map(|task| task.tags.clone()).unwrap_or_default(),
        inputs: listed.map(|task| task.inputs.clone()).unwrap_or_default(),
        source,
        trust,
        task: match task {
            Some(task) if report.is_empty() => Ok(Arc::new(task)),
            _ => Err(report.into_sorted()),
        },
        path,
        folder,
        text,
    }
}
