//! The files of a definition that a command names: a private copy of its folder for one attempt, and the command with paths
//! into it.
//!
//! Promises: a named file has the bytes whose hash was shown and approved, or nothing is started; the copy is gone when the
//! attempt has ended, with what the program wrote there.

use std::path::Path;

use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::kept_files::KeptFiles;
use crate::core::work::CommandWork;
use crate::flow::scripted::copy::PrivateCopy;

/// The copy for an attempt of `work`; `None` where it names no file.
///
/// # Errors
/// When the copy cannot be written, or a file is not what was shown.
pub async fn copy(work: &CommandWork, files: &KeptFiles) -> Result<Option<PrivateCopy>, Failure> {
    if work.files.is_empty() {
        return Ok(None);
    }
    let (named, files) = (work.files.clone(), files.clone());
    let written = tokio::task::spawn_blocking(move || {
        let failed = |error: std::io::Error| {
            Failure::new(FailureClass::Command, format!("the definition's files cannot be written: {error}"))
        };
        let copy = PrivateCopy::of(&files.bytes()).map_err(failed)?;
        for file in &named {
            let bytes = std::fs::read(copy.path().join(&file.name)).map_err(failed)?;
            if Fingerprint::of_bytes(&bytes) != file.hash {
                let message = format!("`@/{}` is not the file that was pinned and shown, so it is not run", file.name);
                return Err(Failure::new(FailureClass::Definition, message));
            }
        }
        Ok(copy)
    });
    let written = written.await.unwrap_or_else(|error| {
        Err(Failure::new(FailureClass::Command, format!("the definition's files cannot be written: {error}")))
    });
    written.map(Some)
}

/// The elements of `argv` with the paths of the files that they name. A shell finds their folder in a variable instead.
pub fn placed(work: &CommandWork, copy: &Path) -> Vec<String> {
    let mut argv = work.argv.clone();
    for file in work.files.iter().filter(|_| !work.shell) {
        if let Some(element) = argv.get_mut(file.element) {
            *element = copy.join(&file.name).to_string_lossy().into_owned();
        }
    }
    argv
}
