//! From a definition that was found to one that a run keeps: checked, trusted, with its children and sources.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::once;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::check;
use super::decode::Draft;
use super::discover::{Catalog, DefinitionSource, Entry, SearchPaths, Unknown, definitions_at, on_disk};
use super::folder::{FileProblem, Folder, SCRIPT_FILES, ends_as, read_bounded};
use super::own_files;
use super::trust::{Trust, TrustStore};
use crate::core::code::ErrorCode;
use crate::core::diagnostic::{Diagnostic, Report, did_you_mean};
use crate::core::kept_files::KeptFiles;
use crate::core::pinned::Pinned;
use crate::core::step::{Command, Does, Speaks, Step};
use crate::core::task::{Body, FlowKind, Kind, Task};
use crate::core::toml_reader::TomlString;
use crate::flow::scripted::syntax;

/// Workflows start workflows so deep at most.
const DEEPEST: usize = 10;

/// Why a task cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// There is no such task.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// It has mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Diagnostic>),
    /// Nobody has allowed it to run.
    #[error("{}", untrusted(.path, *.trust))]
    Untrusted {
        /// Its file.
        path: PathBuf,
        /// Whether it was trusted once.
        trust: Trust,
    },
}

impl PinError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown(unknown) => unknown.code(),
            Self::Wrong(_) => ErrorCode::InvalidDefinition,
            Self::Untrusted { .. } => ErrorCode::Untrusted,
        }
    }
}

fn untrusted(path: &Path, trust: Trust) -> String {
    let why = if trust == Trust::Changed { "has changed since it was trusted" } else { "is not trusted yet" };
    let path = path.display().to_string();
    let quoted = shlex::try_quote(&path).map_or_else(|_| path.clone(), String::from);
    format!("{path} {why}, so it does not run; look at it and say `stepwell trust {quoted}`")
}

/// There is no definition to check.
#[derive(Debug, thiserror::Error)]
#[error("there is no definition at {}; name a task's file, a workflow's folder, or a folder with `tasks` and `workflows`", .0.display())]
pub struct NothingThere(pub PathBuf);

impl NothingThere {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::Usage
    }
}

/// A definition that was checked.
#[derive(Debug)]
pub struct Checked {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong with it, in the order of the file.
    pub mistakes: Vec<Diagnostic>,
    /// What may be wrong with it; it can be run all the same.
    pub warnings: Vec<Diagnostic>,
}

/// Says of every command whether it speaks the contract of lines, and so may ask the person while it works.
fn note_speakers(steps: &mut [Step]) {
    for step in steps {
        match &mut step.does {
            Does::Command(command) => {
                let said = command.said();
                (command.asks, command.speaks) = (said == Speaks::Stepwell, Some(said));
            }
            Does::Group { steps, .. } => note_speakers(steps),
            _ => {}
        }
    }
}

/// A command whose text writes lines of the contract says that it speaks it.
fn check_lines(draft: &Draft, entry: &Entry, report: &Report) {
    let Body::Workflow(workflow) = &draft.task.body else { return };
    for (step, place) in workflow.all_steps().into_iter().zip(&draft.notes.tables) {
        let Does::Command(command) = &step.does else { continue };
        // A shell's line names its programs by words.
        let words = || command.argv.iter().flat_map(|arg| once(arg.as_str()).chain(arg.split_whitespace()));
        let texts = || words().filter_map(|name| program_text(name, &entry.folder)).collect();
        if command.said() == Speaks::Unsaid && command.writes_lines(texts) {
            let message = format!(
                "step `{}` writes lines of the contract, `{{\"ask\": …}}` or `{{\"progress\": …}}`: say so with `speaks = \"stepwell\"`, or with `env = {{ STEPWELL_ASKS = \"0\" }}` that they are output",
                step.id
            );
            report.error(place, message);
        }
    }
}

/// The text of a program that an argument names, in the definition's folder or where the run is started.
fn program_text(name: &str, folder: &Folder) -> Option<String> {
    if let Some(own) = Command::file(name) {
        return folder.read(own).ok();
    }
    folder.read(name).ok().or_else(|| {
        let bytes = read_bounded(Path::new(name), name).ok()?;
        String::from_utf8(bytes).ok()
    })
}

impl Catalog {
    /// Everything that is wrong with a definition.
    #[must_use]
    pub fn check(&self, entry: &Entry) -> Vec<Diagnostic> {
        self.look_at(entry).mistakes
    }

    /// Everything that is wrong with a definition, and what may be.
    #[must_use]
    pub fn look_at(&self, entry: &Entry) -> Checked {
        let report = Report::default();
        let mistakes = self.checked_into(entry, &report).err().unwrap_or_default();
        Checked { path: entry.path.clone(), mistakes, warnings: report.take_warnings() }
    }

    /// Checks the definitions at `path` among those of `places`.
    ///
    /// # Errors
    /// When there is none.
    pub fn check_path(search_paths: &SearchPaths, path: &Path) -> Result<Vec<Checked>, NothingThere> {
        let found = definitions_at(path);
        if found.is_empty() {
            return Err(NothingThere(path.to_owned()));
        }
        let trust = TrustStore::new(&search_paths.state);
        let real = |path: &Path| path.canonicalize().ok();
        let own = search_paths.own.as_deref().and_then(real);
        let mut catalogs: BTreeMap<Option<PathBuf>, Self> = BTreeMap::new();
        let mut checked = Vec::new();
        for (file, kind) in found {
            let is_own = own.as_ref().is_some_and(|own| real(&file).is_some_and(|file| file.starts_with(own)));
            // What lies beside it counts as found, so that it may name it.
            let root = root_of(&file, kind).filter(|_| !is_own);
            let catalog = catalogs.entry(root.clone()).or_insert_with(|| match root {
                Some(root) => Self::load(&SearchPaths { dir: Some(root), ..search_paths.clone() }),
                None => Self::load(search_paths),
            });
            let source = if is_own { DefinitionSource::User } else { DefinitionSource::Dir };
            checked.push(catalog.look_at(&on_disk(&file, kind, source, &trust)));
        }
        Ok(checked)
    }

    /// The definition of that id for a run: checked, trusted, with the workflows that it starts.
    ///
    /// # Errors
    /// When there is none, it is not trusted, or something is wrong with it or with a workflow that it starts.
    pub fn pin(&self, id: &str) -> Result<Pinned, PinError> {
        let entry = self.get(id)?;
        let task = self.complete(entry)?;
        let mut children = BTreeMap::new();
        self.pin_children(&task, &mut children)?;
        Ok(Pinned { task, children, folder: entry.home() })
    }

    /// The ids of the workflows that one starts as children, theirs included, whether they can be run or not.
    #[must_use]
    pub fn children(&self, id: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let mut queue: Vec<&Entry> = self.get(id).into_iter().collect();
        while let Some(entry) = queue.pop() {
            for child in entry.task.as_deref().map(children_of).unwrap_or_default() {
                if child != id && !found.contains(&child) {
                    found.push(child);
                    queue.extend(self.get(child));
                }
            }
        }
        found
    }

    fn pin_children(&self, task: &Task, children: &mut BTreeMap<String, Task>) -> Result<(), PinError> {
        for id in children_of(task) {
            if !children.contains_key(id) {
                let child = self.complete(self.get(id)?)?;
                children.insert(id.to_owned(), child.clone());
                self.pin_children(&child, children)?;
            }
        }
        Ok(())
    }

    /// A definition's task, allowed to run, with its sources.
    fn complete(&self, entry: &Entry) -> Result<Task, PinError> {
        if !entry.is_trusted() {
            return Err(PinError::Untrusted { path: entry.path.clone(), trust: entry.trust });
        }
        let mut task = self.checked(entry).map_err(PinError::Wrong)?.task;
        let wrong = |problem: FileProblem| {
            PinError::Wrong(vec![Diagnostic::of_file(entry.path.display().to_string(), problem.to_string())])
        };
        if let Body::Workflow(workflow) = &mut task.body {
            note_speakers(&mut workflow.steps);
            match &mut workflow.flow {
                FlowKind::Graph => {}
                FlowKind::Script { sources, .. } => {
                    *sources = modules(entry.folder.all().map_err(wrong)?);
                }
                FlowKind::Process { sources, binary, whole, .. } => {
                    let kept: KeptFiles = entry.folder.whole().map_err(wrong)?.into_iter().collect();
                    (*sources, *binary, *whole) = (kept.texts, kept.binary, true);
                }
            }
        }
        own_files::keep(&mut task, &entry.folder).map_err(wrong)?;
        Ok(task)
    }

    fn checked(&self, entry: &Entry) -> Result<Draft, Vec<Diagnostic>> {
        self.checked_into(entry, &Report::default())
    }

    fn checked_into(&self, entry: &Entry, report: &Report) -> Result<Draft, Vec<Diagnostic>> {
        let draft = entry.decode(report);
        if let Some(draft) = &draft {
            check(draft, &|id| self.workflow(id), self.tools.as_deref(), report);
            self.check_named(draft, report);
            check_folder(draft, entry, report);
            check_lines(draft, entry, report);
            check_script(draft, entry, report);
        }
        match draft {
            // A twin's id is taken, which only the catalog as a whole can tell.
            Some(draft) if report.is_empty() => match &entry.task {
                Ok(_) => Ok(draft),
                Err(mistakes) => Err(mistakes.clone()),
            },
            _ => {
                let mut mistakes = report.take_mistakes();
                mistakes.extend(entry.task.as_ref().err().into_iter().flatten().cloned());
                mistakes.sort();
                mistakes.dedup();
                Err(mistakes)
            }
        }
    }

    /// The workflow of that id, where it has no mistakes of its own.
    fn workflow(&self, id: &str) -> Option<Arc<Task>> {
        let of_that_id = |entry: &&Entry| entry.kind == Kind::Workflow && entry.id == id;
        self.entries.iter().find(of_that_id)?.task.as_ref().ok().cloned()
    }

    /// The other definitions that one names.
    fn check_named(&self, draft: &Draft, report: &Report) {
        for (name, given) in &draft.notes.workflows {
            let Some(task) = self.named(name, Some(Kind::Workflow), &draft.task.id, report) else { continue };
            for input in given.iter().filter(|input| !task.inputs.iter().any(|field| field.name == input.value)) {
                let hint = did_you_mean(&input.value, task.inputs.iter().map(|field| field.name.as_str()));
                report
                    .error(&input.span, format!("the workflow `{}` has no input `{}`{hint}", name.value, input.value));
            }
            let is_given = |name: &str| given.iter().any(|input| input.value == name);
            for field in task.inputs.iter().filter(|field| field.is_required(is_given)) {
                if !is_given(&field.name) {
                    let message = format!(
                        "the workflow `{}` requires the input `{}`; add it to `inputs`",
                        name.value, field.name
                    );
                    report.error(&name.span, message);
                }
            }
            if children_of(&draft.task).contains(name.value.as_str())
                && let Err(why) = self.depth(&task, &mut vec![draft.task.id.clone(), name.value.clone()])
            {
                report.error(&name.span, why);
            }
        }
        for (name, input) in &draft.notes.follow_ups {
            let Some(task) = self.named(name, None, &draft.task.id, report) else { continue };
            if let Some(input) = input
                && !task.inputs.iter().any(|field| field.name == input.value)
            {
                let hint = did_you_mean(&input.value, task.inputs.iter().map(|field| field.name.as_str()));
                report.error(&input.span, format!("the task `{}` has no input `{}`{hint}", name.value, input.value));
            }
        }
    }

    /// The task of that id; `None` when there is none (which is noted) or it has mistakes of its own.
    fn named(&self, name: &TomlString, kind: Option<Kind>, own: &str, report: &Report) -> Option<Arc<Task>> {
        let fits = |entry: &&Entry| kind.is_none_or(|kind| entry.kind == kind);
        if let Some(entry) = self.entries.iter().filter(fits).find(|entry| entry.id == name.value) {
            return entry.task.as_ref().ok().cloned();
        }
        let what = if kind.is_some() { "workflow" } else { "task" };
        let ids = self.entries.iter().filter(fits).map(|entry| entry.id.as_str()).filter(|id| *id != own);
        let message = match self.get(&name.value) {
            Ok(_) => format!("`{}` is an instruct task; expected a workflow", name.value),
            Err(_) => format!("there is no {what} `{}`{}", name.value, did_you_mean(&name.value, ids)),
        };
        report.error(&name.span, message);
        None
    }

    /// Follows the workflows that `task` starts; `path` holds the ids so far.
    fn depth(&self, task: &Task, path: &mut Vec<String>) -> Result<(), String> {
        if let [first, .., last] = path.as_slice()
            && first == last
        {
            return Err(format!("`{first}` starts itself: {}", path.join(" → ")));
        }
        if path.len() > DEEPEST + 1 {
            return Err(format!("workflows are nested more than {DEEPEST} deep here: {}", path.join(" → ")));
        }
        for id in children_of(task) {
            if let Some(Ok(child)) = self.entries.iter().find(|entry| entry.id == id).map(|entry| &entry.task) {
                path.push(id.to_owned());
                self.depth(child, path)?;
                path.pop();
            }
        }
        Ok(())
    }
}

/// A program, or a file that a command names, runs in a copy of its folder, so all of that has to be kept with each run.
fn check_folder(draft: &Draft, entry: &Entry, report: &Report) {
    if let Body::Workflow(workflow) = &draft.task.body
        && (matches!(workflow.flow, FlowKind::Process { .. }) || own_files::are_named(&draft.task))
        && let Err(problem) = entry.folder.measure()
    {
        report.push(Diagnostic::of_file(entry.path.display().to_string(), problem.to_string()));
    }
}

/// A script is JavaScript, with everything that it imports.
fn check_script(draft: &Draft, entry: &Entry, report: &Report) {
    let Body::Workflow(workflow) = &draft.task.body else { return };
    let FlowKind::Script { entry: script, .. } = &workflow.flow else { return };
    // What cannot be read at all is said where it is.
    let Ok(files) = entry.folder.all() else { return };
    let Some(mistake) = syntax::mistake(script, &modules(files)) else { return };
    let file = entry.path.with_file_name(&mistake.file).display().to_string();
    report.push(Diagnostic { file, line: mistake.line, column: mistake.column, message: mistake.message });
}

/// The modules among the files of a script.
fn modules(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let modules = files.into_iter().filter(|(name, _)| ends_as(name, &SCRIPT_FILES));
    modules.filter_map(|(name, bytes)| Some((name, String::from_utf8(bytes).ok()?))).collect()
}

/// The ids of the workflows that a task starts as children, each once.
fn children_of(task: &Task) -> BTreeSet<&str> {
    let steps = match &task.body {
        Body::Workflow(workflow) => workflow.all_steps(),
        Body::Instruct(_) => Vec::new(),
    };
    let workflows = steps.into_iter().filter_map(|step| match &step.does {
        Does::Workflow { workflow, .. } => Some(workflow.as_str()),
        _ => None,
    });
    workflows.collect()
}

/// The folder that holds the `tasks` or `workflows` that a definition is in.
fn root_of(file: &Path, kind: Kind) -> Option<PathBuf> {
    let file = std::path::absolute(file).ok()?;
    let (folder, name) = match kind {
        Kind::Instruct => (file.parent()?, "tasks"),
        Kind::Workflow => (file.parent()?.parent()?, "workflows"),
    };
    (folder.file_name()? == name).then(|| folder.parent().map(Path::to_owned)).flatten()
}
