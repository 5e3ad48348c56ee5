//! Git, as somebody who has configured nothing on this machine.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs git in a folder and gives its stdout. Nothing of this machine's configuration counts: `home` has none.
pub fn git(home: &Path, folder: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "protocol.file.allow=always"];
    let mut command = Command::new("git");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).env("TZ", "UTC").env("GIT_CONFIG_NOSYSTEM", "1");
    let done = command.args(identity).args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
