//! Trust: which definitions from outside a person has allowed to run, byte for byte.
//!
//! What is trusted is a SHA-256 over the names and bytes of every file that can run. A record keeps that and the text,
//! so that a change can be shown. Records lie in the state folder, one small file each (0600, written by rename).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::discover::definitions_at;
use super::folder::{FileProblem, Folder};
use crate::core::code::ErrorCode;
use crate::core::fingerprint::Fingerprint;
use crate::core::task::Kind;
use crate::core::text::counted;

/// Files larger than this are trusted by their hash alone: no copy is kept to show a difference with.
const LARGEST_COPY: usize = 256 * 1024;

/// Whether a definition may be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// It is built in, the person's own, or was trusted as it is.
    Trusted,
    /// Nobody has said so.
    Untrusted,
    /// It was trusted and is another one now.
    Changed,
}

/// What was trusted.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    path: PathBuf,
    hash: Fingerprint,
    /// The text of each file; none where it is too large or no text.
    files: BTreeMap<String, Option<String>>,
    /// What tells a change of those.
    #[serde(default)]
    hashes: BTreeMap<String, Fingerprint>,
}

/// A definition that a person may trust: exactly these bytes, which are shown first.
#[derive(Debug)]
pub struct Offer {
    /// Its file, as the person would name it.
    pub path: PathBuf,
    /// Instruct or workflow.
    pub kind: Kind,
    /// Whether it is trusted already, was another one when it was trusted, or is new.
    pub trust: Trust,
    /// A unified diff from what was trusted, or from nothing, file by file. Text from outside.
    pub difference: String,
    subject: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
}

/// Why nothing can be trusted here.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// No definition is there.
    #[error(
        "there is no definition at {0}; name a task's file, a workflow's folder, or a folder with `tasks` and `workflows`"
    )]
    Nothing(String),
    /// A file of it cannot be taken.
    #[error("{0}: {1}")]
    File(String, FileProblem),
    /// The record cannot be kept.
    #[error("what is trusted cannot be kept in {0}: {1}")]
    Keep(String, std::io::Error),
}

impl TrustError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Nothing(_) => ErrorCode::Usage,
            Self::File(_, problem) => problem.code(),
            Self::Keep(..) => ErrorCode::PathRefused,
        }
    }
}

/// The records of what is trusted.
#[derive(Clone, Debug)]
pub struct TrustStore(PathBuf);

impl TrustStore {
    /// The records in that state folder; it need not exist.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self(state.join("trust"))
    }

    /// Whether the definition in `file`, with all its `files`, may be run.
    #[must_use]
    pub fn look_up(&self, file: &Path, kind: Kind, files: &BTreeMap<String, Vec<u8>>) -> Trust {
        match self.record(&subject(file, kind)) {
            Some(record) if record.hash == hash(files) => Trust::Trusted,
            Some(_) => Trust::Changed,
            None => Trust::Untrusted,
        }
    }

    /// What could be trusted at `path`: a task's file, a workflow's folder or file, or a folder of definitions.
    ///
    /// # Errors
    /// When there is no definition, or one has a file that cannot be read or is a link.
    pub fn offers(&self, path: &Path) -> Result<Vec<Offer>, TrustError> {
        let found = definitions_at(path);
        if found.is_empty() {
            return Err(TrustError::Nothing(path.display().to_string()));
        }
        found.into_iter().map(|(file, kind)| self.offer(file, kind)).collect()
    }

    fn offer(&self, path: PathBuf, kind: Kind) -> Result<Offer, TrustError> {
        let files = Folder::snapshot(&path, kind).map_err(|e| TrustError::File(path.display().to_string(), e))?;
        let subject = subject(&path, kind);
        let record = self.record(&subject);
        let trust = self.look_up(&path, kind, &files);
        let difference = difference(record.as_ref(), &files);
        Ok(Offer { path, kind, trust, difference, subject, files })
    }

    /// Trusts what was offered, as it was read then.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn trust(&self, offer: &Offer) -> Result<(), TrustError> {
        let record = Record {
            path: offer.subject.clone(),
            hash: hash(&offer.files),
            files: offer.files.iter().map(|(name, bytes)| (name.clone(), copy(bytes))).collect(),
            hashes: offer.files.iter().filter(|(_, bytes)| copy(bytes).is_none()).map(hashed).collect(),
        };
        let file = self.file(&offer.subject);
        let keep = |error| TrustError::Keep(file.display().to_string(), error);
        let text = serde_json::to_vec_pretty(&record).map_err(|error| keep(error.into()))?;
        write_private(&file, &text).map_err(keep)
    }

    fn record(&self, subject: &Path) -> Option<Record> {
        // A record that cannot be read trusts nothing: the person is asked again.
        let record: Record = serde_json::from_slice(&fs::read(self.file(subject)).ok()?).ok()?;
        (record.path == subject).then_some(record)
    }

    fn file(&self, subject: &Path) -> PathBuf {
        let name = Fingerprint::of_bytes(subject.as_os_str().as_encoded_bytes());
        self.0.join(format!("{}.json", &name.as_str()[..32]))
    }
}

/// What a record is about: a workflow's folder, a task's file, by its real path.
fn subject(file: &Path, kind: Kind) -> PathBuf {
    let path = if kind == Kind::Workflow { file.parent().unwrap_or(Path::new(".")) } else { file };
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn hash(files: &BTreeMap<String, Vec<u8>>) -> Fingerprint {
    let mut all = Vec::new();
    for (name, bytes) in files {
        // Lengths, so that no two sets of files run together into the same bytes.
        all.extend_from_slice(format!("{}:{name}{}:", name.len(), bytes.len()).as_bytes());
        all.extend_from_slice(bytes);
    }
    Fingerprint::of_bytes(&all)
}

fn copy(bytes: &[u8]) -> Option<String> {
    (bytes.len() <= LARGEST_COPY).then(|| String::from_utf8(bytes.to_vec()).ok()).flatten()
}

fn hashed((name, bytes): (&String, &Vec<u8>)) -> (String, Fingerprint) {
    (name.clone(), Fingerprint::of_bytes(bytes))
}

/// What is shown before a person trusts: the changes of texts, and by name, size and hash what cannot be shown whole.
fn difference(record: Option<&Record>, new: &BTreeMap<String, Vec<u8>>) -> String {
    let mut text = String::new();
    let nothing = BTreeMap::new();
    let old = record.map_or(&nothing, |record| &record.files);
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let mut hidden = Vec::new();
    for name in names {
        let before = old.get(name).map(Option::as_deref);
        let after = new.get(name).map(|bytes| copy(bytes));
        match (before, after.as_ref().map(Option::as_deref)) {
            (Some(None), _) | (_, Some(None)) => hidden.extend(unseen(name, record, new)),
            (before, after) => {
                let (before, after) = (before.flatten().unwrap_or_default(), after.flatten().unwrap_or_default());
                let diff = similar::TextDiff::from_lines(before, after);
                text.push_str(&diff.unified_diff().header(name, name).to_string());
            }
        }
    }
    if !hidden.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "not shown, and what runs may use it; look at it yourself before you trust it:");
        for line in hidden {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// A file that cannot be shown whole; nothing where it is what was trusted.
fn unseen(name: &str, record: Option<&Record>, new: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    let known = record.is_some_and(|record| record.files.contains_key(name));
    let Some(bytes) = new.get(name) else { return Some(format!("{name}: is gone")) };
    let hash = Fingerprint::of_bytes(bytes);
    if record.is_some_and(|record| record.hashes.get(name) == Some(&hash)) {
        return None;
    }
    let what = if std::str::from_utf8(bytes).is_ok() { "text" } else { "not text" };
    let change = if known { "changed" } else { "new" };
    Some(format!("{name}: {change}, {}, {what}, SHA-256 {}", counted(bytes.len(), "byte"), hash.as_str()))
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
