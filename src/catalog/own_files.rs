//! The files of a definition's folder that its commands name, `@/FILE` in `argv`: kept with the run, all of the folder with
//! them, since what such a program loads lies beside it.

use super::folder::{FileProblem, Folder, plain_name};
use crate::core::fingerprint::Fingerprint;
use crate::core::kept_files::KeptFiles;
use crate::core::step::{Command, Does, Step};
use crate::core::task::{FlowKind, Workflow};

/// Whether a command of the workflow names a file of its folder.
pub(super) fn are_named(workflow: &Workflow) -> bool {
    let names_one = |command: &Command| command.argv.iter().any(|arg| Command::file(arg).is_some());
    workflow.all_steps().iter().any(|step| matches!(&step.does, Does::Command(command) if names_one(command)))
}

/// Keeps the folder's files in the workflow, and with each command the hashes of those that it names.
///
/// # Errors
/// When one is missing, or the folder holds more than a run keeps.
pub(super) fn keep(workflow: &mut Workflow, folder: &Folder) -> Result<(), FileProblem> {
    if !are_named(workflow) {
        return Ok(());
    }
    // What a program's flow keeps is the same, and is not kept twice.
    if !matches!(workflow.flow, FlowKind::Process { .. }) {
        workflow.files = folder.whole()?.into_iter().collect();
    }
    let kept = workflow.kept_files();
    note(&mut workflow.steps, &kept)
}

fn note(steps: &mut [Step], kept: &KeptFiles) -> Result<(), FileProblem> {
    let bytes = kept.bytes();
    for step in steps {
        match &mut step.does {
            Does::Command(command) => {
                for name in command.argv.iter().filter_map(|arg| Command::file(arg)) {
                    let plain = plain_name(name)?;
                    let bytes = bytes.get(plain.as_str()).ok_or(FileProblem::Missing(plain))?;
                    command.files.insert(name.to_owned(), Fingerprint::of_bytes(bytes));
                }
            }
            Does::Group { steps, .. } => note(steps, kept)?,
            _ => {}
        }
    }
    Ok(())
}
