//! Reading what file and image fields name, when a run starts.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::core::code::ErrorCode;
use crate::core::form::{Field, FieldType};
use crate::core::model::Image;
use crate::core::text::encoding;

/// No file for an input is larger.
pub const LARGEST: u64 = 20 * 1024 * 1024;

/// Why a file is not taken as an input: which file, and what to do, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It cannot be read, or is not what the field takes.
    #[error("{0}")]
    Unusable(String),
    /// It is larger than [`LARGEST`].
    #[error("{0} is larger than 20 MB; give a smaller file, or a part of it")]
    TooLarge(String),
}

impl FileError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unusable(_) => ErrorCode::InvalidInput,
            Self::TooLarge(_) => ErrorCode::TooLarge,
        }
    }
}

/// Reads the files that `field` names, relative to `folder`, and gives its value: `{path, name, text}` for a file,
/// `{path, name, media_type, base64}` for an image, a list of them for several.
///
/// `raw` is a path, or for several a list of paths or one path a line. What was read before, an object, stays as it
/// is. Values of other fields are given back unchanged.
///
/// # Errors
/// What is wrong with which file, and what to do.
pub fn read(field: &Field, raw: &Value, folder: &Path) -> Result<Value, FileError> {
    let image = matches!(field.kind, FieldType::Image | FieldType::Images);
    let one = |raw: &Value| match raw {
        Value::String(path) if image => read_image(path, folder),
        Value::String(path) => read_file(path, folder),
        other => Ok(other.clone()),
    };
    match (field.kind.is_read(), raw) {
        (false, _) | (_, Value::Null) => Ok(raw.clone()),
        (_, Value::String(text)) if text.trim().is_empty() => Ok(Value::Null),
        (true, Value::String(paths)) if field.kind.is_list() => {
            let paths = paths.lines().filter(|path| !path.trim().is_empty());
            paths.map(|path| one(&Value::from(path))).collect()
        }
        (true, Value::Array(items)) if field.kind.is_list() => items.iter().map(one).collect(),
        _ => one(raw),
    }
}

/// The value of a file field.
///
/// # Errors
/// When it is missing, a folder, too large, or no text.
pub fn read_file(path: &str, folder: &Path) -> Result<Value, FileError> {
    let text = text_of(path, bytes(path, folder)?)?;
    Ok(json!({ "path": path, "name": name(path), "text": text }))
}

/// The value of an image field.
///
/// # Errors
/// When it is missing, a folder, too large, or of a kind that models do not take.
pub fn read_image(path: &str, folder: &Path) -> Result<Value, FileError> {
    let bytes = bytes(path, folder)?;
    let media_type = Image::media_type_of(&bytes).ok_or_else(|| {
        FileError::Unusable(format!("{path} is no image that a model takes; give a {}", Image::KINDS))
    })?;
    let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
    Ok(json!({ "path": path, "name": name(path), "media_type": media_type, "base64": base64 }))
}

/// The text of any file that a person names: `NAME=@FILE`, `--inputs FILE`.
///
/// # Errors
/// As [`read_file`].
pub fn read_text(path: &str, folder: &Path) -> Result<String, FileError> {
    text_of(path, bytes(path, folder)?)
}

fn text_of(path: &str, bytes: Vec<u8>) -> Result<String, FileError> {
    encoding::of_file(bytes).map_err(|encoding::NotText(at)| {
        FileError::Unusable(format!(
            "{path} is not text in any known encoding (byte {at}); save it as UTF-8, or give another file"
        ))
    })
}

/// The folder in which a path was looked for, in full.
fn looked_in(path: &str, folder: &Path) -> String {
    let place = std::path::absolute(folder.join(path)).unwrap_or_else(|_| folder.join(path));
    place.parent().unwrap_or(folder).display().to_string()
}

fn bytes(path: &str, folder: &Path) -> Result<Vec<u8>, FileError> {
    let cannot = |error: std::io::Error| {
        FileError::Unusable(match error.kind() {
            std::io::ErrorKind::NotFound => format!("there is no file {path} (looked in {})", looked_in(path, folder)),
            std::io::ErrorKind::PermissionDenied => format!("{path} may not be read by you"),
            _ => format!("{path} cannot be read: {error}"),
        })
    };
    let place = folder.join(path);
    let meta = std::fs::metadata(&place).map_err(cannot)?;
    if meta.is_dir() {
        return Err(FileError::Unusable(format!("{path} is a folder; expected a file")));
    }
    let mut read = Vec::new();
    // A pipe has no length beforehand, so the limit holds while reading.
    File::open(&place).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut read)).map_err(cannot)?;
    if read.len() as u64 > LARGEST {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    Ok(read)
}

fn name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn field(kind: FieldType) -> Field {
        Field { name: "f".into(), kind, required: true, ..Field::default() }
    }

    #[test]
    fn files_and_images_become_what_templates_see() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::write(at.join("a.txt"), "\u{feff}one\n").unwrap();
        fs::write(at.join("b.txt"), "two").unwrap();
        fs::write(at.join("p"), b"\x89PNG\r\n\x1a\n").unwrap();
        let file = json!({"path": "a.txt", "name": "a.txt", "text": "one\n"});
        assert_eq!(read(&field(FieldType::File), &json!("a.txt"), at).unwrap(), file);
        let both = read(&field(FieldType::Files), &json!(["a.txt", "b.txt"]), at).unwrap();
        assert_eq!((both[0].clone(), both[1]["text"].clone()), (file.clone(), json!("two")));
        assert_eq!(read(&field(FieldType::Files), &json!("a.txt\nb.txt\n"), at).unwrap(), both);
        let image = read(&field(FieldType::Image), &json!("p"), at).unwrap();
        assert_eq!((image["media_type"].as_str(), image["base64"].as_str()), (Some("image/png"), Some("iVBORw0KGgo=")));
        for (kind, value) in [(FieldType::File, file), (FieldType::Files, both), (FieldType::Image, image)] {
            assert_eq!(field(kind).validate(&value).unwrap(), value);
            assert_eq!(read(&field(kind), &value, at).unwrap(), value, "what was read stays");
        }
        assert_eq!(read(&field(FieldType::Text), &json!("a.txt"), at).unwrap(), json!("a.txt"));
    }

    #[test]
    fn images_are_known_by_their_bytes_and_not_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let kinds: [(&[u8], &str); 3] =
            [(b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a..", "image/gif"), (b"RIFF....WEBPVP8 ", "image/webp")];
        for (bytes, media_type) in kinds {
            fs::write(folder.path().join("x.png"), bytes).unwrap();
            assert_eq!(read_image("x.png", folder.path()).unwrap()["media_type"], media_type);
        }
        fs::write(folder.path().join("x.png"), "<svg/>").unwrap();
        assert_eq!(read_image("x.png", folder.path()).unwrap_err().code(), ErrorCode::InvalidInput);
    }

    #[test]
    fn a_file_that_cannot_be_taken_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir(at.join("d")).unwrap();
        fs::write(at.join("bytes"), b"ab\xff\0").unwrap();
        fs::write(at.join("latin"), b"caf\xe9").unwrap();
        File::create(at.join("large")).unwrap().set_len(LARGEST + 1).unwrap();
        let said = |path: &str| read_file(path, at).unwrap_err().to_string();
        assert_eq!(said("none"), format!("there is no file none (looked in {})", at.display()));
        assert_eq!(said("d"), "d is a folder; expected a file");
        let why = "bytes is not text in any known encoding (byte 3); save it as UTF-8, or give another file";
        assert_eq!(said("bytes"), why);
        assert_eq!(read_file("latin", at).unwrap()["text"], "café");
        assert_eq!(said("large"), "large is larger than 20 MB; give a smaller file, or a part of it");
        assert_eq!(read_file("large", at).unwrap_err().code(), ErrorCode::TooLarge);
    }
}
