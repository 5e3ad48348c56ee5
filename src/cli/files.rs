//! Files that a person asked for: results in a folder, exports, and texts on their way through an editor.
//! New ones have the mode that the umask gives; names from outside stay inside their folder.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::problem::Problem;
use crate::core::code::ErrorCode;
use crate::core::run::Run;
use crate::core::text::{self, encoding};
use crate::export;
use crate::export::file::Existing;

/// The longest text that is read as an input or an edit.
const LARGEST: u64 = 32 * 1024 * 1024;

/// Writes a file that the person named; see [`export::file`].
///
/// # Errors
/// As the system says, with the file's name.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    export::file::write(path, bytes, Existing::Replace).map_err(|error| {
        Problem::refused(ErrorCode::PathRefused, format!("{} cannot be written: {error}", path.display()))
    })
}

/// Reads a text: a file, or stdin for `-`.
///
/// # Errors
/// When it cannot be read, is too large or no text.
pub fn read_text(name: &str) -> Result<String, Problem> {
    let (what, bytes) = if name == "-" {
        ("stdin".to_owned(), read_all(io::stdin().lock()))
    } else {
        (name.to_owned(), std::fs::File::open(name).and_then(read_all))
    };
    let bytes = bytes.map_err(|error| {
        let large = error.kind() == io::ErrorKind::FileTooLarge;
        let code = if large { ErrorCode::TooLarge } else { ErrorCode::InvalidInput };
        Problem::invalid(code, format!("{what} cannot be read: {error}"))
    })?;
    decoded(&what, bytes).map_err(|why| Problem::invalid(ErrorCode::InvalidInput, why))
}

/// All of it, up to [`LARGEST`].
///
/// # Errors
/// As the system says, and when there is more.
fn read_all(from: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        let text = format!("it is larger than {} MB", LARGEST / 1024 / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// Bytes as a text.
///
/// # Errors
/// Where they are none.
fn decoded(what: &str, bytes: Vec<u8>) -> Result<String, String> {
    encoding::of_file(bytes)
        .map_err(|encoding::NotText(at)| format!("{what} is not text in any known encoding (byte {at})"))
}

/// Makes the folder for results, and sees that it takes a file.
///
/// # Errors
/// When it cannot be made or written to.
pub fn ready(folder: &Path) -> Result<(), Problem> {
    let cannot = |what: &str, error: io::Error| {
        let text = format!("--out {} cannot be {what}: {error}; nothing was done", folder.display());
        Problem::refused(ErrorCode::PathRefused, text)
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot("made", error))?;
    let trial = folder.join(format!(".{}.unfinished", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&trial);
    made.and_then(|_| std::fs::remove_file(&trial)).map_err(|error| cannot("written to", error))
}

/// Writes what a run came to into a folder: each document as Markdown, and the whole run as `run.json`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_results(folder: &Path, run: &Run) -> Result<Vec<PathBuf>, Problem> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Problem::refused(ErrorCode::PathRefused, format!("{} cannot be made: {error}", folder.display()))
    })?;
    let mut written = Vec::new();
    if let Some(result) = &run.result {
        let path = folder.join("result.md");
        write(&path, with_break(result.body.data()).as_bytes())?;
        written.push(path);
    }
    for document in run.documents.values().filter(|document| document.name != "result" || run.result.is_none()) {
        if let Some((_, current)) = document.current() {
            let path = folder.join(format!("{}.md", file_name(&document.name)));
            write(&path, with_break(current.body.data()).as_bytes())?;
            written.push(path);
        }
    }
    let path = folder.join("run.json");
    write(&path, text::json(&format!("{:#}\n", export::json::show(run))).as_bytes())?;
    written.push(path);
    Ok(written)
}

fn with_break(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// A name from outside as a plain file name.
fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | ' ') { c } else { '_' })
        .take(80)
        .collect();
    let plain = plain.trim();
    // A program would take it for an option, and so may the person's next command.
    let plain = if plain.starts_with('-') { format!("_{plain}") } else { plain.to_owned() };
    if plain.is_empty() { "document".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_stays_in_its_folder() {
        assert_eq!(file_name("../../etc/passwd"), "______etc_passwd");
        assert_eq!(file_name("Größe 1"), "Größe 1");
        assert_eq!(file_name(".."), "__");
        assert_eq!(file_name("-rf"), "_-rf");
        assert_eq!(file_name(" -rf"), "_-rf");
    }
}
