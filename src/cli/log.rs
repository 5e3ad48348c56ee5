//! The log: a private file in the state folder, for whoever looks for the cause of an error later.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::config::Paths;
use crate::config::{logs, private_folder};
use crate::core::text::visible;

/// Where it is.
#[must_use]
pub fn file(paths: &Paths) -> PathBuf {
    logs(&paths.state).join("stepwell.log")
}

/// Adds an entry. A log that cannot be written is no reason to fail.
pub fn write(paths: &Paths, entry: &str) {
    let file = file(paths);
    let _ = file
        .parent()
        .map_or(Ok(()), private_folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).mode(0o600).open(file))
        .and_then(|mut file| writeln!(file, "{} {}", chrono::Utc::now().to_rfc3339(), visible(entry, true)));
}
