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
const LOOKED_AT: u32 = 256;

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
    /// As it lies beside the file: of a process that uses it or that died. Only while this process does not have the file
    /// open: the end of a look at the index takes away every lock that the process has on it.
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

/// Whether the log lost what was committed: `before` is its index before the file was opened, which has been read since;
/// `connect` makes a connection to it.
pub(super) fn has_lost(
    path: &Path,
    before: Option<Index>,
    connect: impl Fn() -> Result<Connection, StoreError>,
    writer: Option<&mut Connection>,
) -> Result<bool, StoreError> {
    let log = match File::open(beside(path, "-wal")) {
        Ok(log) => log,
        // Whoever closes the file last copies all of the log and takes it away.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let header = Header::read(&log);
    if let Some(before) = before.filter(|before| before.copied < before.pages) {
        match &header {
            // Somebody has copied all of it, or else it would have a beginning.
            None if log.metadata()?.len() == 0 => {}
            None => return Ok(true),
            Some(header) if header.salts == before.salts => {
                let is_shorter = log.metadata()?.len() < header.place(before.pages);
                let read = pages(&connect()?);
                // A log that was copied as a whole may count as empty; it is as it was written.
                let is_cut = read.is_some_and(|read| read < before.pages && (read > 0 || !header.begins_soundly(&log)));
                if is_shorter || is_cut {
                    return Ok(true);
                }
            }
            Some(_) => {}
        }
    }
    let Some(writer) = writer else { return Ok(false) };
    if !holds_more(&log, header.as_ref(), &connect()?)? {
        return Ok(false);
    }
    // It may be what another process commits at this moment: not while this one may write.
    let tx = match writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from) {
        Ok(tx) => tx,
        Err(busy) if busy.is_busy() => return Ok(false),
        Err(error) => return Err(error),
    };
    let lost = holds_more(&log, Header::read(&log).as_ref(), &connect()?)?;
    tx.rollback()?;
    Ok(lost)
}

/// How many pages of the log count. SQLite is asked: the index must not be read while this process has the file open, since
/// closing it would take the locks away that SQLite has on it.
fn pages(connection: &Connection) -> Option<u32> {
    let pages = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1));
    u32::try_from(pages.ok()?).ok()
}

/// Whether a commit lies beyond the pages that were read.
fn holds_more(log: &File, header: Option<&Header>, connection: &Connection) -> Result<bool, StoreError> {
    let length = log.metadata()?.len();
    if length < HEADER as u64 {
        return Ok(false);
    }
    // Without a header none of it is read, whatever its pages have in common.
    let read = match header {
        Some(_) => match pages(connection) {
            Some(read) => read,
            None => return Ok(false),
        },
        None => 0,
    };
    if let Some(header) = header
        && read == 0
        && header.begins_soundly(log)
    {
        // It was copied as a whole, and nothing has been written since.
        return Ok(false);
    }
    let size = header.map_or(4096, |header| header.page);
    for page in read..read.saturating_add(LOOKED_AT) {
        let at = HEADER as u64 + u64::from(page) * (FRAME as u64 + size);
        let mut frame = [0; FRAME];
        if at + FRAME as u64 + size > length || log.read_exact_at(&mut frame, at).is_err() {
            break;
        }
        let ends_commit = frame[4..8] != [0; 4];
        if ends_commit && header.is_none_or(|header| frame[8..16] == header.salts) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a log begins with.
struct Header {
    /// Sums are over numbers with their greatest byte first.
    big: bool,
    /// The size of a page, in bytes.
    page: u64,
    salts: [u8; 8],
    /// The sum over it, with which that over the first page begins.
    sum: (u32, u32),
}

impl Header {
    /// One that SQLite takes: with its magic number, and the right sum.
    fn read(log: &File) -> Option<Self> {
        let mut bytes = [0; HEADER];
        log.read_exact_at(&mut bytes, 0).ok()?;
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if word(0) & !1 != 0x377f_0682 {
            return None;
        }
        let big = word(0) & 1 == 1;
        let sum = summed((0, 0), &bytes[..HEADER - 8], big);
        let page = u64::from(word(8));
        let salts = bytes[16..24].try_into().ok()?;
        (sum == (word(24), word(28)) && page.is_power_of_two()).then_some(Self { big, page, salts, sum })
    }

    /// Where the page after so many begins.
    fn place(&self, pages: u32) -> u64 {
        HEADER as u64 + u64::from(pages) * (FRAME as u64 + self.page)
    }

    /// Whether the first page is one that SQLite reads.
    fn begins_soundly(&self, log: &File) -> bool {
        let mut frame = vec![0; FRAME + usize::try_from(self.page).unwrap_or_default()];
        if log.read_exact_at(&mut frame, HEADER as u64).is_err() {
            return false;
        }
        let word = |at: usize| u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
        let sum = summed(summed(self.sum, &frame[..8], self.big), &frame[FRAME..], self.big);
        frame[8..16] == self.salts && sum == (word(16), word(20))
    }
}

/// SQLite's sum over a log, continued over these bytes.
fn summed(sum: (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let word = |four: &[u8]| {
        let four = [four[0], four[1], four[2], four[3]];
        if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    bytes.chunks_exact(8).fold(sum, |(first, second), eight| {
        let first = first.wrapping_add(word(&eight[..4])).wrapping_add(second);
        (first, second.wrapping_add(word(&eight[4..])).wrapping_add(first))
    })
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
