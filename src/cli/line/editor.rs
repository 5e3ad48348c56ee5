//! `$VISUAL` or `$EDITOR` on a text: a private file that is removed afterwards.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::engine::private_folder;

/// Opens the person's editor on `text` and gives what was saved.
///
/// # Errors
/// When there is no editor, it cannot be started, or it ended with a failure: what to do.
pub async fn edit(folder: &Path, name: &str, text: &str) -> Result<String, String> {
    let editor =
        ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok().filter(|e| !e.trim().is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let argv = shlex::split(&editor).filter(|argv| !argv.is_empty());
    let argv = argv.ok_or_else(|| format!("$EDITOR is `{editor}`, which no shell understands; set it to a program"))?;
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
    let path = folder.join(format!("{}-{plain}", std::process::id()));
    let told = |what: &str, error: std::io::Error| format!("{} cannot be {what}: {error}", path.display());
    private_folder(folder)
        .and_then(|()| std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path))
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| told("written", error))?;
    let status = tokio::process::Command::new(&argv[0]).args(&argv[1..]).arg(&path).status().await;
    let saved = match status {
        Ok(status) if status.success() => std::fs::read(&path).map_err(|error| told("read", error)),
        Ok(status) => Err(format!("`{editor}` ended with {status}; nothing was changed")),
        Err(error) => Err(format!("`{editor}` cannot be started: {error}. Set $EDITOR to a program that is there")),
    };
    let _ = std::fs::remove_file(&path);
    String::from_utf8(saved?).map_err(|_| "what was saved is no text in UTF-8; nothing was changed".to_owned())
}
