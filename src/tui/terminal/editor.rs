//! Programs of the person's that have the terminal for a while: their editor on a text.
//!
//! What the editor saved is never lost, however it ended and in whatever encoding it saved; what happened is said. A
//! program that is stopped (Ctrl-Z) takes all processes in front with it, as it would from a shell: whoever started
//! Stepwell, a script too, has the terminal again, and all are continued together.

use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitOptions, kill_current_process_group, waitpid};

use super::TerminalError;
use crate::core::text::encoding;

/// The person's editor: `$VISUAL`, `$EDITOR`, else `vi`.
#[must_use]
pub fn editor(var: impl Fn(&str) -> Option<String>) -> String {
    let set = ["VISUAL", "EDITOR"].into_iter().filter_map(var).find(|value| !value.trim().is_empty());
    set.unwrap_or_else(|| "vi".to_owned())
}

/// What came of a text that was edited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// The text; `None` when the editor failed and had saved nothing, which in editors means: leave it as it was.
    pub text: Option<String>,
    /// What else happened that the person should know.
    pub remark: Option<String>,
}

/// Has `text` edited by `editor` in a file of `folder` that only the person can read.
///
/// Blocks until the editor has ended; the terminal must have been lent.
///
/// # Errors
/// When the editor cannot be started, or the file not be written or read. The file stays when its text cannot be read.
pub fn edit(editor: &str, folder: &Path, name: &str, text: &str) -> Result<Edited, TerminalError> {
    let path = folder.join(format!("{}-{name}", std::process::id()));
    let draft = |error| TerminalError::Draft { path: path.clone(), error };
    let failed = |error| TerminalError::Editor { editor: editor.to_owned(), error };
    let words = shlex::split(editor).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| failed(io::Error::other("it is not a command")))?;
    write_private(&path, text).map_err(draft)?;
    let started = Command::new(&words[0]).args(&words[1..]).arg(&path).spawn();
    let mut child = started.map_err(|error| {
        // Whoever handed it over has it still.
        let _ = std::fs::remove_file(&path);
        failed(error)
    })?;
    let status = wait(&mut child).map_err(failed)?;
    let bytes = std::fs::read(&path).map_err(draft)?;
    std::fs::remove_file(&path).map_err(draft)?;
    Ok(outcome(editor, status, &bytes, text))
}

/// What an editor made of `before`.
fn outcome(editor: &str, status: ExitStatus, bytes: &[u8], before: &str) -> Edited {
    let (text, encoding) = decoded(bytes);
    // Editors end a file with a line break; the text had none of its own there.
    let text = match text.strip_suffix('\n') {
        Some(shorter) if !before.ends_with('\n') => shorter.to_owned(),
        _ => text,
    };
    let saved = text != before;
    let ended = (!status.success()).then(|| {
        let kept = if saved { "what it saved is kept" } else { "nothing was changed" };
        format!("the editor `{editor}` failed ({status}); {kept}")
    });
    let remarks: Vec<String> = ended.into_iter().chain(encoding.map(str::to_owned)).collect();
    Edited {
        text: (saved || status.success()).then_some(text),
        remark: (!remarks.is_empty()).then(|| remarks.join("; ")),
    }
}

/// Bytes as a text, in whatever encoding they were saved, and what is to be said about that.
fn decoded(bytes: &[u8]) -> (String, Option<&'static str>) {
    use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
    let text = encoding::of_bytes(bytes, None);
    let remark = match (Encoding::for_bom(bytes), std::str::from_utf8(bytes)) {
        (Some((encoding, _)), _) if encoding == UTF_8 => Some("it was saved with a byte order mark, which is left out"),
        (Some(_), _) => Some("it was saved as UTF-16, and is UTF-8 here"),
        (None, Ok(_)) => None,
        (None, Err(_)) if text == WINDOWS_1252.decode_without_bom_handling(bytes).0 => {
            Some("it was not saved as UTF-8, and was read as Latin-1: look at its accents")
        }
        (None, Err(_)) => Some("it was not saved as UTF-8: look at its letters"),
    };
    (text.into_owned(), remark)
}

/// Waits for the end of a program that has the terminal. When it is stopped, so are all processes in front; when they are
/// continued, it is waited for again.
///
/// # Errors
/// When it is not a child of this process.
pub fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
    loop {
        match waitpid(Some(pid), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => stop_all(),
            Ok(Some((_, status))) => return Ok(ExitStatus::from_raw(status.as_raw())),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Stops the processes in front, this one among them, until they are continued.
pub(super) fn stop_all() {
    // SIGSTOP cannot be caught, so this works while our own handler listens for SIGTSTP.
    let _ = kill_current_process_group(Signal::STOP);
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_is_the_one_the_person_chose() {
        assert_eq!(editor(|name| (name == "EDITOR").then(|| "hx".to_owned())), "hx");
        assert_eq!(editor(|_| Some(" ".to_owned())), "vi");
    }

    /// What comes back from an editor that is this script, with the file as `$1`.
    fn edited_by(script: &str, text: &str) -> Edited {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, script).unwrap();
        let edited = edit(&format!("sh '{}'", program.display()), folder.path(), "a.md", text).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the text lies nowhere any more");
        edited
    }

    #[test]
    fn a_text_comes_back_from_the_editor_changed_or_not_at_all() {
        let shout = "printf '%s LOUD\\n' \"$(cat \"$1\")\" > \"$1.new\" && mv \"$1.new\" \"$1\"";
        assert_eq!(edited_by(shout, "sea"), Edited { text: Some("sea LOUD".to_owned()), remark: None });
        assert_eq!(edited_by("true", "sea"), Edited { text: Some("sea".to_owned()), remark: None });
        let left = edited_by("exit 1", "sea");
        assert_eq!(left.text, None);
        assert!(left.remark.unwrap().contains("nothing was changed"));
    }

    #[test]
    fn what_was_saved_is_kept_however_the_editor_ended() {
        for (end, says) in [("exit 1", "exit status: 1"), ("kill -9 $$", "signal: 9")] {
            let edited = edited_by(&format!("echo tide > \"$1\"; {end}"), "sea");
            assert_eq!(edited.text.as_deref(), Some("tide"));
            let remark = edited.remark.unwrap();
            assert!(remark.contains(says) && remark.contains("is kept"), "{remark}");
        }
    }

    #[test]
    fn what_was_saved_in_another_encoding_is_kept_and_said() {
        for (bytes, text, says) in [
            ("\\303\\251t\\303\\251\\n", "été", None),
            ("\\351t\\351\\n", "été", Some("Latin-1")),
            ("\\200 5\\n", "€ 5", Some("Latin-1")),
            ("\\203e\\203X\\203g\\202\\305\\202\\267\\n", "テストです", Some("look at its letters")),
            ("\\357\\273\\277\\303\\251t\\303\\251\\n", "été", Some("byte order mark")),
            ("\\377\\376s\\000e\\000a\\000", "sea", Some("UTF-16")),
        ] {
            let edited = edited_by(&format!("printf '{bytes}' > \"$1\""), "x");
            assert_eq!(edited.text.as_deref(), Some(text), "{bytes}");
            assert_eq!(edited.remark.is_some(), says.is_some());
            assert!(edited.remark.unwrap_or_default().contains(says.unwrap_or_default()), "{bytes}");
        }
    }

    #[test]
    fn an_editor_that_cannot_be_started_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = edit("no-such-editor-here", folder.path(), "b.md", "sea").unwrap_err();
        assert!(error.to_string().contains("no-such-editor-here"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "whoever handed the text over has it");
    }
}
