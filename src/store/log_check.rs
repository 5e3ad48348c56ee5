//! Whether the log beside the file (`-wal`) still holds what was committed to it.
//!
//! SQLite reads the log up to the first page that is not sound and says nothing of the rest: what was committed after it is
//! gone as if it had never been. Two things tell. The index of the log (`-shm`), which a process that died leaves behind,
//! says how many pages were committed. And a page that ends a commit and belongs to this log, but lies beyond what
//! was read, has been committed once, unless somebody writes it just now.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;
use super::open::beside;

/// The header of a log, and that of each page in it.
const HEADER: usize = 32;
const FRAME: usize = 24;

/// The log's index begins with two copies of its header; after them it says how much of the log is in the file itself.
const INDEX: usize = 48;

/// So many pages after those that were read are looked at: what is damaged is seldom longer.
const LOOKED_AT: u64 = 256;

/// What the index of a log says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// What the pages of this log have in common: another one begins when the log is written from its beginning again.
    salts: [u8; 8],
    /// How many pages are committed.
    pages: u32,
    /// How many of them are in the file itself.
    copied: u32,
}

impl Index {
    /// As it lies beside the file: of a process that uses it or that died.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut bytes = [0; 2 * INDEX + 4];
        File::open(beside(path, "-shm")).ok()?.read_exact(&mut bytes).ok()?;
        let (first, rest) = bytes.split_at(INDEX);
        let whole = first == &rest[..INDEX] && first[12] == 1;
        let number = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let salts = first[32..40].try_into().ok()?;
        whole.then_some(Self { salts, pages: number(16)?, copied: number(2 * INDEX)? })
    }
}

/// Whether the log lost what was committed: `before` is its index before the file was opened, which has been read since.
pub(super) fn has_lost(
    path: &Path,
    before: Option<Index>,
    writer: Option<&mut Connection>,
) -> Result<bool, StoreError> {
    let log = match File::open(beside(path, "-wal")) {
        Ok(log) => Some(log),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let now = Index::read(path);
    let begins_well = log.as_ref().is_some_and(is_header_sound);
    let is_empty = log.as_ref().map_or(Ok(true), |log| log.metadata().map(|about| about.len() == 0))?;
    if let Some(before) = before.filter(|before| before.copied < before.pages) {
        match now {
            Some(now) if now.salts == before.salts && now.pages < before.pages => {
                return Ok(true);
            }
            // Whoever closed the file last meanwhile had copied all of the log, and left none or an empty one; whoever began
            // it again has written a header.
            _ if !begins_well && !is_empty => return Ok(true),
            _ => {}
        }
    }
    let (Some(log), Some(writer)) = (log, writer) else { return Ok(false) };
    if !holds_more(&log, now, begins_well)? {
        return Ok(false);
    }
    // It may be what another process commits at this moment: not while this one may write.
    let tx = match writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from) {
        Ok(tx) => tx,
        Err(busy) if busy.is_busy() => return Ok(false),
        Err(error) => return Err(error),
    };
    let lost = holds_more(&log, Index::read(path), is_header_sound(&log))?;
    tx.rollback()?;
    Ok(lost)
}

/// Whether a commit lies beyond the pages that were read.
fn holds_more(log: &File, index: Option<Index>, begins_well: bool) -> Result<bool, StoreError> {
    let mut header = [0; HEADER];
    if log.read_exact_at(&mut header, 0).is_err() {
        return Ok(false);
    }
    let size = if begins_well { page_size(&header) } else { 4096 };
    let (read, salts) = match index {
        Some(index) if begins_well => (u64::from(index.pages), Some(index.salts)),
        // Without a header none of it is read, whatever its pages have in common.
        _ => (0, None),
    };
    let length = log.metadata()?.len();
    for page in read..read + LOOKED_AT {
        let at = HEADER as u64 + page * (FRAME as u64 + size);
        let mut frame = [0; FRAME];
        if at + FRAME as u64 + size > length || log.read_exact_at(&mut frame, at).is_err() {
            break;
        }
        let ends_commit = frame[4..8] != [0; 4];
        let of_this_log = salts.map_or(!begins_well, |salts| frame[8..16] == salts);
        if ends_commit && of_this_log {
            return Ok(true);
        }
    }
    Ok(false)
}

fn page_size(header: &[u8; HEADER]) -> u64 {
    u64::from(u32::from_be_bytes([header[8], header[9], header[10], header[11]]))
}

/// Whether a log begins with a header that SQLite takes: its magic number, and the sum over the rest.
fn is_header_sound(log: &File) -> bool {
    let mut header = [0; HEADER];
    if log.read_exact_at(&mut header, 0).is_err() {
        return false;
    }
    let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let magic = u32::from_be_bytes(word(0));
    if magic & !1 != 0x377f_0682 {
        return false;
    }
    let big = magic & 1 == 1;
    let summed = |at: usize| if big { u32::from_be_bytes(word(at)) } else { u32::from_le_bytes(word(at)) };
    let sums = (0..HEADER - 8).step_by(8).fold((0u32, 0u32), |(first, second), at| {
        let first = first.wrapping_add(summed(at)).wrapping_add(second);
        (first, second.wrapping_add(summed(at + 4)).wrapping_add(first))
    });
    sums == (u32::from_be_bytes(word(24)), u32::from_be_bytes(word(28))) && page_size(&header).is_power_of_two()
}

/// Keeps a log that lost something under a name of its own, so that nothing is written over it.
pub(super) fn keep(path: &Path) -> Result<PathBuf, StoreError> {
    let mut number = 1;
    let (kept, mut file) = loop {
        let ending = if number == 1 { "-wal.damaged".to_owned() } else { format!("-wal.damaged.{number}") };
        let name = beside(path, &ending);
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(file) => break (name, file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error.into()),
        }
    };
    if let Ok(mut log) = File::open(beside(path, "-wal")) {
        std::io::copy(&mut log, &mut file)?;
    }
    file.sync_all()?;
    Ok(kept)
}
