//! For which tasks texts are shown as they are written: a file in the state folder, with an id on each line.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::config::private_folder;
use crate::export::file;

const FILE: &str = "as-written";

/// The tasks that were kept; none when there is nothing to be read.
pub fn kept(state: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(state.join(FILE)).unwrap_or_default();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Keeps these tasks, and no others.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(state: &Path, tasks: &BTreeSet<String>) -> io::Result<()> {
    private_folder(state)?;
    let text: String = tasks.iter().flat_map(|task| [task.as_str(), "\n"]).collect();
    file::write_private(&state.join(FILE), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert_eq!(kept(&state), Vec::<String>::new());
        let tasks = BTreeSet::from(["email".to_owned(), "poem".to_owned()]);
        keep(&state, &tasks).unwrap();
        assert_eq!(kept(&state), ["email", "poem"]);
        keep(&state, &BTreeSet::new()).unwrap();
        assert_eq!(kept(&state), Vec::<String>::new());
    }
}
