//! The files of one definition: in the binary, on disk, or as they were read at one moment.
//!
//! Names come from outside, so they stay inside their folder: no `..`, no absolute path, no link that leads out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::library::Library;
use crate::core::code::ErrorCode;
use crate::core::task::Kind;

/// No file of a definition is larger, and no definition larger than ten of them.
const LARGEST: u64 = 20 * 1024 * 1024;

/// Folders that programs fill by themselves.
const BROUGHT_ALONG: [&str; 3] = ["node_modules", "venv", "__pycache__"];

/// How a script's modules end.
pub(super) const SCRIPT_FILES: [&str; 2] = ["js", "mjs"];

/// Where a definition's files are.
#[derive(Clone, Debug)]
pub enum Folder {
    /// In the binary: the library, and the beginning of the paths that are in the folder, `workflows/poem/`.
    Builtin(Library, String),
    /// On disk, read when asked for.
    Disk(PathBuf),
    /// As they were read at one moment, so that what was trusted is what is used.
    Snapshot(BTreeMap<String, Vec<u8>>),
}

/// Why a file of a definition cannot be had.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// There is none.
    #[error("there is no file `{0}` in the definition's folder")]
    Missing(String),
    /// Its name leads out of the folder.
    #[error("`{0}` leads out of the definition's folder; keep the file in it and name it from there")]
    Outside(String),
    /// It is a link.
    #[error("`{0}` is a link; a definition contains only files and folders of its own")]
    Link(String),
    /// It is not text.
    #[error("`{0}` is not UTF-8 text")]
    NotText(String),
    /// It is too large.
    #[error("`{0}` is larger than 20 MB")]
    TooLarge(String),
    /// All of it is too large.
    #[error("the definition's folder contains more than 200 MB; keep data elsewhere")]
    FolderTooLarge,
    /// All of it is more than a run keeps.
    #[error(
        "a program runs in a copy of its definition's folder, which may contain 2,000 files and 32 MB, and this one has {files} files of {} MB; the biggest part is `{biggest}`: keep it elsewhere, and name it by its path",
        .bytes.div_ceil(1_000_000)
    )]
    TooMuch {
        /// So many files.
        files: usize,
        /// So many bytes.
        bytes: u64,
        /// What of it is the biggest: a file or folder in it.
        biggest: String,
    },
    /// The system says no.
    #[error("`{0}` cannot be read: {1}")]
    Unreadable(String, String),
}

impl FileProblem {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Missing(_) | Self::NotText(_) => ErrorCode::InvalidDefinition,
            Self::Outside(_) | Self::Link(_) | Self::Unreadable(..) => ErrorCode::PathRefused,
            Self::TooLarge(_) | Self::FolderTooLarge | Self::TooMuch { .. } => ErrorCode::TooLarge,
        }
    }
}

impl Folder {
    /// Every file of the definition in `file`, as it is now: a task's alone, or all in a workflow's folder.
    ///
    /// # Errors
    /// When one cannot be read, is a link, or all are too large.
    pub fn snapshot(file: &Path, kind: Kind) -> Result<BTreeMap<String, Vec<u8>>, FileProblem> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match kind {
            Kind::Workflow => {
                let mut walk = Walk { everything: true, files: BTreeMap::new(), size: 0 };
                walk.folder(file.parent().unwrap_or(Path::new(".")), "")?;
                Ok(walk.files)
            }
            Kind::Instruct if file.is_symlink() => Err(FileProblem::Link(name)),
            Kind::Instruct => Ok(BTreeMap::from([(name.clone(), read_bounded(file, &name)?)])),
        }
    }

    /// The text of the file at `name`, a path in the folder.
    ///
    /// # Errors
    /// When there is none, when it leads out of the folder, when it is not text.
    pub fn read(&self, name: &str) -> Result<String, FileProblem> {
        let plain = plain_name(name)?;
        let bytes = match self {
            Self::Builtin(files, prefix) => {
                inside(files, prefix).find(|(path, _)| *path == plain).map(|(_, b)| b.to_vec())
            }
            Self::Snapshot(files) => files.get(&plain).cloned(),
            Self::Disk(root) => Some(read_inside(root, &plain)?),
        };
        let bytes = bytes.ok_or_else(|| FileProblem::Missing(plain.clone()))?;
        let text = String::from_utf8(bytes).map_err(|_| FileProblem::NotText(plain))?;
        // The mark of an editor: no part of a prompt or a schema.
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }

    /// Whether there is a file at `name`.
    ///
    /// # Errors
    /// When the name leads out of the folder.
    pub fn holds(&self, name: &str) -> Result<bool, FileProblem> {
        let plain = plain_name(name)?;
        Ok(match self {
            Self::Builtin(files, prefix) => inside(files, prefix).any(|(path, _)| path == plain),
            Self::Snapshot(files) => files.contains_key(&plain),
            Self::Disk(root) => root.join(plain).is_file(),
        })
    }

    /// Every file that belongs to the definition, by its path with `/`, as it is now. On disk, links, hidden files and
    /// what programs bring along (`node_modules`, `venv`, `__pycache__`) do not; in a snapshot everything counts.
    ///
    /// # Errors
    /// When one cannot be read, or all are too large.
    pub fn all(&self) -> Result<BTreeMap<String, Vec<u8>>, FileProblem> {
        match self {
            Self::Builtin(files, prefix) => {
                Ok(inside(files, prefix).map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect())
            }
            Self::Snapshot(files) => Ok(files.clone()),
            Self::Disk(root) => {
                let mut walk = Walk { everything: false, files: BTreeMap::new(), size: 0 };
                walk.folder(root, "")?;
                Ok(walk.files)
            }
        }
    }
}

/// How many files of a program's folder a run keeps, and how many bytes.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 32 << 20;
/// Nothing is counted beyond.
const COUNTED: usize = 100_000;

/// Parts of a path that are no part of a program: what tools keep for themselves and make again.
const CACHES: [&str; 6] = [".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"];

fn is_cache(name: &str) -> bool {
    name.split('/').any(|part| CACHES.contains(&part))
}

impl Folder {
    /// [`Folder::everything`], if that is not more than a run keeps.
    ///
    /// # Errors
    /// When one cannot be read, or there is more.
    pub fn whole(&self) -> Result<BTreeMap<String, Vec<u8>>, FileProblem> {
        self.measure()?;
        self.everything()
    }

    /// Every file that a program may use, as it is now: all in the folder but `.git` and caches. In the person's own
    /// folder a link is what it leads to.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn everything(&self) -> Result<BTreeMap<String, Vec<u8>>, FileProblem> {
        match self {
            Self::Builtin(..) => self.all(),
            Self::Snapshot(files) => Ok(files
                .iter()
                .filter(|(name, _)| !is_cache(name))
                .map(|(name, b)| (name.clone(), b.clone()))
                .collect()),
            Self::Disk(root) => {
                let mut sizes = Vec::new();
                sizes_in(root, "", &mut sizes)?;
                sizes.into_iter().map(|(name, _)| Ok((name.clone(), read_bounded(&root.join(&name), &name)?))).collect()
            }
        }
    }

    /// Whether a run can keep all that a program may use.
    ///
    /// # Errors
    /// When there is more: what is the biggest of it.
    pub fn measure(&self) -> Result<(), FileProblem> {
        let mut sizes = Vec::new();
        match self {
            Self::Builtin(..) => {}
            Self::Snapshot(files) => {
                let files = files.iter().filter(|(name, _)| !is_cache(name));
                sizes.extend(files.map(|(name, bytes)| (name.clone(), bytes.len() as u64)));
            }
            Self::Disk(root) => sizes_in(root, "", &mut sizes)?,
        }
        let (files, bytes) = (sizes.len(), sizes.iter().map(|(_, size)| size).sum());
        if files <= MOST_FILES && bytes <= MOST_BYTES {
            return Ok(());
        }
        let mut parts: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for (name, size) in &sizes {
            let part = parts.entry(name.split('/').next().unwrap_or(name)).or_default();
            *part = (part.0 + 1, part.1 + size);
        }
        let biggest = parts.iter().max_by_key(|(_, part)| if bytes > MOST_BYTES { part.1 } else { part.0 as u64 });
        let biggest = biggest.map(|(name, _)| (*name).to_owned()).unwrap_or_default();
        Err(FileProblem::TooMuch { files, bytes, biggest })
    }
}

/// The files under a folder of the person's own and their sizes, without reading them.
fn sizes_in(folder: &Path, prefix: &str, sizes: &mut Vec<(String, u64)>) -> Result<(), FileProblem> {
    let say = |error: std::io::Error| unreadable(if prefix.is_empty() { "." } else { prefix }, &error);
    for entry in fs::read_dir(folder).map_err(say)? {
        let entry = entry.map_err(say)?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| FileProblem::NotText(name.to_string_lossy().into_owned()))?.to_owned();
        if is_cache(&name) || sizes.len() >= COUNTED {
            continue;
        }
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        // A link that leads nowhere is nothing that a program could use.
        let Ok(meta) = fs::metadata(entry.path()) else { continue };
        if meta.is_dir() {
            sizes_in(&entry.path(), &name, sizes)?;
        } else if meta.is_file() {
            sizes.push((name, meta.len()));
        }
    }
    Ok(())
}

fn inside(files: Library, prefix: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    files.iter().filter_map(move |(path, bytes)| Some((path.strip_prefix(prefix)?, *bytes)))
}

/// Whether `name` ends as one of `endings`.
pub(super) fn ends_as(name: &str, endings: &[&str]) -> bool {
    let ending = Path::new(name).extension().unwrap_or_default();
    endings.iter().any(|wanted| ending == *wanted)
}

/// `name` with `/` between plain parts.
pub(super) fn plain_name(name: &str) -> Result<String, FileProblem> {
    let mut parts = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(FileProblem::Outside(name.to_owned()));
            }
        }
    }
    if parts.is_empty() {
        return Err(FileProblem::Missing(name.to_owned()));
    }
    Ok(parts.join("/"))
}

fn unreadable(name: &str, error: &std::io::Error) -> FileProblem {
    match error.kind() {
        std::io::ErrorKind::NotFound => FileProblem::Missing(name.to_owned()),
        _ => FileProblem::Unreadable(name.to_owned(), error.to_string()),
    }
}

fn read_inside(root: &Path, name: &str) -> Result<Vec<u8>, FileProblem> {
    let say = |error: std::io::Error| unreadable(name, &error);
    let path = root.join(name);
    if !path.canonicalize().map_err(say)?.starts_with(root.canonicalize().map_err(say)?) {
        return Err(FileProblem::Outside(name.to_owned()));
    }
    read_bounded(&path, name)
}

pub(super) fn read_bounded(path: &Path, name: &str) -> Result<Vec<u8>, FileProblem> {
    let meta = fs::metadata(path).map_err(|error| unreadable(name, &error))?;
    if !meta.is_file() {
        // A pipe would be waited for, a folder cannot be read.
        return Err(FileProblem::Unreadable(name.to_owned(), "it is not a file".to_owned()));
    }
    if meta.len() > LARGEST {
        return Err(FileProblem::TooLarge(name.to_owned()));
    }
    fs::read(path).map_err(|error| unreadable(name, &error))
}

/// Collects the files under a folder.
struct Walk {
    /// Whether what is hidden and what programs bring along counts, too, and links are refused.
    everything: bool,
    files: BTreeMap<String, Vec<u8>>,
    size: u64,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), FileProblem> {
        let say = |error: std::io::Error| unreadable(if prefix.is_empty() { "." } else { prefix }, &error);
        for entry in fs::read_dir(folder).map_err(say)? {
            let entry = entry.map_err(say)?;
            let name = entry.file_name();
            // Two names that are no text could look alike, and one of them would go unseen.
            let name =
                name.to_str().ok_or_else(|| FileProblem::NotText(name.to_string_lossy().into_owned()))?.to_owned();
            let kind = entry.file_type().map_err(say)?;
            if !self.everything
                && (kind.is_symlink() || name.starts_with('.') || BROUGHT_ALONG.contains(&name.as_str()))
            {
                continue;
            }
            let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if kind.is_symlink() {
                return Err(FileProblem::Link(name));
            } else if kind.is_dir() {
                self.folder(&entry.path(), &name)?;
            } else {
                let bytes = read_bounded(&entry.path(), &name)?;
                self.size += bytes.len() as u64;
                if self.size > 10 * LARGEST {
                    return Err(FileProblem::FolderTooLarge);
                }
                self.files.insert(name, bytes);
            }
        }
        Ok(())
    }
}
