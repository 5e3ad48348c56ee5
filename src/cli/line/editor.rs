//! `$VISUAL` or `$EDITOR` on a text: a private file that is removed afterwards.

use std::path::Path;

use crate::config::private_folder;
use crate::tui::terminal::{self, Edited};

/// Opens the person's editor on `text` and gives what was saved, however the editor ended.
///
/// # Errors
/// When the editor cannot be started, or the text not be handed over or taken back: what to do.
pub async fn edit(folder: &Path, name: &str, text: &str) -> Result<Edited, String> {
    let editor = terminal::editor(|name| std::env::var(name).ok());
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
    let (folder, text) = (folder.to_owned(), text.to_owned());
    let edited = tokio::task::spawn_blocking(move || {
        private_folder(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        terminal::edit(&editor, &folder, &plain, &text).map_err(|error| error.to_string())
    });
    edited.await.map_err(|error| error.to_string())?
}
