//! The files of a definition's folder that its commands name, `@/FILE` in `argv`: kept with the run, all of the folder with
//! them, since what such a program loads lies beside it.

use std::collections::BTreeMap;

use super::folder::{FileProblem, Folder, plain_name};
use crate::core::fingerprint::Fingerprint;
use crate::core::kept_files::KeptFiles;
use crate::core::step::{Command, Does, Step};
use crate::core::task::{Body, FlowKind, Task};
use crate::core::tool::{DeclaredTool, OwnTool, OwnWork};

/// Whether a command or a tool of the workflow names a file of its folder.
pub(super) fn are_named(task: &Task) -> bool {
    let Body::Workflow(workflow) = &task.body else { return false };
    let names_one = |argv: &[String]| argv.iter().any(|arg| Command::file(arg).is_some());
    let of_step = |step: &&Step| matches!(&step.does, Does::Command(command) if names_one(&command.argv));
    let of_tool = |tool: &DeclaredTool| matches!(tool, DeclaredTool::Own(OwnTool { does: OwnWork::Program { argv, .. }, .. }) if names_one(argv));
    workflow.all_steps().iter().any(of_step) || task.tools.values().any(of_tool)
}

/// Keeps the folder's files in the workflow, and with each command and tool the hashes of those that it names.
///
/// # Errors
/// When one is missing, or the folder holds more than a run keeps.
pub(super) fn keep(task: &mut Task, folder: &Folder) -> Result<(), FileProblem> {
    if !are_named(task) {
        return Ok(());
    }
    let Body::Workflow(workflow) = &mut task.body else { return Ok(()) };
    // What a program's flow keeps is the same, and is not kept twice.
    if !matches!(workflow.flow, FlowKind::Process { .. }) {
        workflow.files = folder.whole()?.into_iter().collect();
    }
    let kept = workflow.kept_files();
    note(&mut workflow.steps, &kept)?;
    for tool in task.tools.values_mut() {
        if let DeclaredTool::Own(OwnTool { does: OwnWork::Program { argv, files, .. }, .. }) = tool {
            *files = hashes(argv, &kept)?;
        }
    }
    Ok(())
}

/// The hash of each file that an `argv` names.
fn hashes(argv: &[String], kept: &KeptFiles) -> Result<BTreeMap<String, Fingerprint>, FileProblem> {
    let bytes = kept.bytes();
    let named = argv.iter().filter_map(|arg| Command::file(arg));
    let hash = |name: &str| {
        let plain = plain_name(name)?;
        let bytes = bytes.get(plain.as_str()).ok_or(FileProblem::Missing(plain))?;
        Ok((name.to_owned(), Fingerprint::of_bytes(bytes)))
    };
    named.map(hash).collect()
}

fn note(steps: &mut [Step], kept: &KeptFiles) -> Result<(), FileProblem> {
    for step in steps {
        match &mut step.does {
            Does::Command(command) => command.files.extend(hashes(&command.argv, kept)?),
            Does::Group { steps, .. } => note(steps, kept)?,
            _ => {}
        }
    }
    Ok(())
}
