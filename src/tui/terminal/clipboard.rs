//! The clipboard behind tmux, which takes a text itself and hands it on. What a program asks of the terminal past it, tmux
//! lets through only where it is set to, and says nothing.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long tmux may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has tmux take a text, and hand it to the clipboard of the terminal that it is in. Gives what was done; `None` when tmux
/// does not answer.
#[must_use]
pub fn through_tmux(text: &str) -> Option<&'static str> {
    through("tmux", text)
}

fn through(tmux: &str, text: &str) -> Option<&'static str> {
    // Versions before 3.2 know no `-w`.
    if load(tmux, &["load-buffer", "-w", "-"], text) {
        Some("copied: into tmux's buffer, and from there into the terminal's clipboard if it takes it")
    } else if load(tmux, &["load-buffer", "-"], text) {
        Some("copied: into tmux's buffer only (prefix ] puts it in); this tmux hands nothing on")
    } else {
        None
    }
}

fn load(tmux: &str, arguments: &[&str], text: &str) -> bool {
    let mut command = Command::new(tmux);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let (send, ended) = mpsc::channel();
    let text = text.to_owned();
    // One that hangs is left to itself.
    std::thread::spawn(move || {
        let written = child.stdin.take().is_some_and(|mut stdin| stdin.write_all(text.as_bytes()).is_ok());
        let _ = send.send(child.wait().is_ok_and(|status| status.success()) && written);
    });
    ended.recv_timeout(PATIENCE).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A tmux that is this script; the text arrives in the file `$0.text`.
    fn tmux(folder: &std::path::Path, script: &str) -> String {
        let path = folder.join("tmux");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn what_was_done_is_said_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let text = "Grüße\n".repeat(50_000);
        let takes = tmux(folder.path(), "cat > \"$0.text\"");
        assert!(through(&takes, &text).unwrap().contains("terminal's clipboard"));
        assert!(std::fs::read_to_string(folder.path().join("tmux.text")).unwrap() == text);
        let old = tmux(folder.path(), "[ $2 = - ] && cat > \"$0.text\"");
        assert!(through(&old, &text).unwrap().contains("buffer only"));
        let refuses = tmux(folder.path(), "exit 1");
        assert_eq!(through(&refuses, "x"), None);
        assert_eq!(through("/no/such/tmux", "x"), None);
    }
}
