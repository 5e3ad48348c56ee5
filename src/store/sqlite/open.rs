//! Opening the file: its folder and rights, the pragmas, migrations, and the read-only way when it cannot be written.
//!
//! Before the first migration of a file that was in use, it is copied beside itself: what a newer version makes of it can
//! be taken back.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, TransactionBehavior};

use super::error::StoreError;
use super::log_check::{self, Index};
use super::rebuild;

/// What makes a schema of the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    /// What is done to the file.
    pub(super) sql: &'static str,
    /// The runs whose rows lack what it added, as a condition on `runs`: it is taken from their events.
    pub(super) lacking: Option<&'static str>,
    /// What a connection is given that reads a file which has not been migrated and cannot be: only temporary views.
    pub(super) to_read: &'static str,
}

/// Schemas, oldest first; the place of each, from 1, is its `PRAGMA user_version`.
pub(super) type Migrations = &'static [Migration];

/// Every released schema.
pub(super) const MIGRATIONS: Migrations = &[
    Migration { sql: include_str!("migrations/0001_journal.sql"), lacking: None, to_read: "" },
    Migration {
        sql: include_str!("migrations/0002_deadlines.sql"),
        lacking: Some("waiting > 0"),
        to_read: "CREATE TEMP VIEW runs AS SELECT *, NULL AS due_at, NULL AS due_then FROM main.runs;
                  CREATE TEMP VIEW unnamed AS SELECT 0 AS run WHERE 0;",
    },
];

/// Indexes that only make a list faster. They belong to no schema: a version that does not know them keeps them up, and a
/// store that cannot be written does without.
const INDEXES: &str = "CREATE INDEX IF NOT EXISTS runs_updated ON runs (updated_at)";

/// `PRAGMA application_id` of a store: `Step` in ASCII.
const APPLICATION: i32 = 0x5374_6570;

/// Statements kept prepared per connection.
const PREPARED: usize = 64;

/// An open file: a connection that writes, when that can be, and one that reads beside it.
pub(super) struct Opened {
    pub(super) writer: Option<Connection>,
    pub(super) reader: Connection,
    /// Why nothing can be written.
    pub(super) read_only: Option<String>,
    /// Where the file was copied before it was migrated.
    pub(super) copy: Option<PathBuf>,
    /// What is lost of what was committed, in words for a person.
    pub(super) damage: Option<String>,
}

/// Opens the store to read and write, or to read alone when it cannot be written; creates file and folder.
pub(super) fn to_write(
    path: &Path,
    patience: Duration,
    migrations: Migrations,
    index: Option<Index>,
) -> Result<Opened, StoreError> {
    match writable(path, patience, migrations, index) {
        Ok(Writable { writer, copy, damage }) => {
            let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, patience)?;
            Ok(Opened { writer: Some(writer), reader, read_only: None, copy, damage })
        }
        Err(fault) if fault.is_read_only() && path.exists() => {
            let why = format!("the store {} is read-only, the file or its folder. Make both writable", path.display());
            to_read(path, patience, why, migrations, index)
        }
        Err(fault) => Err(fault),
    }
}

/// Opens the store to read alone, because of `why`.
pub(super) fn to_read(
    path: &Path,
    patience: Duration,
    mut why: String,
    migrations: Migrations,
    index: Option<Index>,
) -> Result<Opened, StoreError> {
    if !path.exists() {
        return Err(StoreError::Failed("there is none yet; the first run creates it".to_owned()));
    }
    let plain = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, patience)
        .and_then(|c| check_version(&c, migrations).map(|v| (c, v)));
    let (reader, version) = match plain {
        // In a read-only folder SQLite cannot make the files that it coordinates readers with. Nobody else can write
        // there either, so they are not needed.
        Err(fault) if fault.is_read_only() => {
            let uri = format!("file:{}?immutable=1", percent_encoded(path));
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let reader = connect(Path::new(&uri), flags, patience)?;
            let version = check_version(&reader, migrations)?;
            if fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0) {
                why.push_str(
                    ". Until then its newest events, those in the file next to it that ends with -wal, are not shown",
                );
            }
            (reader, version)
        }
        other => other?,
    };
    if version == 0 {
        return Err(StoreError::Failed(format!("it is empty, and cannot be written: {why}")));
    }
    for missing in &migrations[version..] {
        reader.execute_batch(missing.to_read)?;
    }
    let looks = || connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, patience);
    // It can only be said here: what cannot be written cannot be kept apart either.
    let damage = log_check::has_lost(path, index, looks, None).unwrap_or(false).then(|| lost(path, None));
    Ok(Opened { writer: None, reader, read_only: Some(why), copy: None, damage })
}

/// A connection that writes.
struct Writable {
    writer: Connection,
    /// The copy that was made of the file before it was migrated.
    copy: Option<PathBuf>,
    /// What is lost of what was committed.
    damage: Option<String>,
}

fn writable(
    path: &Path,
    patience: Duration,
    migrations: Migrations,
    index: Option<Index>,
) -> Result<Writable, StoreError> {
    if !path.exists() {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => {}
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, patience)?;
    let version = check_version(&connection, migrations)?;
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied).into());
    }
    use_wal(&connection, patience)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let looks = || connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, patience);
    let damage = if log_check::has_lost(path, index, looks, Some(&mut connection))? {
        let kept = log_check::keep(path)?;
        // What can be read of it goes into the file, and the next one begins empty: it is said once.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Some(lost(path, Some(&kept)))
    } else {
        None
    };
    let copy = if version < migrations.len() { migrate(&mut connection, path, patience, migrations)? } else { None };
    // Without them, as on a full disk, the lists are slower and the same.
    let _ = connection.execute_batch(INDEXES);
    Ok(Writable { writer: connection, copy, damage })
}

/// What is said of a log that lost what was committed.
fn lost(path: &Path, kept: Option<&Path>) -> String {
    let kept = kept.map(|kept| format!(" The damaged log was kept as {}", kept.display())).unwrap_or_default();
    format!(
        "the log of the store {} is damaged: the newest changes that were saved in it are lost, and the runs stand as \
         before these.{kept}",
        path.display()
    )
}

fn connect(path: &Path, flags: OpenFlags, patience: Duration) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(patience)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// The schema's version; refuses a newer one and another program's database.
fn check_version(connection: &Connection, migrations: Migrations) -> Result<usize, StoreError> {
    // In one statement, so that a file that another process is just creating is seen before or after.
    let (version, application, tables): (i64, i32, i64) = connection.query_row(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema)
         FROM pragma_user_version, pragma_application_id",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    if tables > 0 && application != APPLICATION {
        return Err(StoreError::Failed(
            "it is the database of another program. It was left as it is: move it away, \
             or set STEPWELL_HOME to another folder"
                .to_owned(),
        ));
    }
    match usize::try_from(version) {
        Ok(version) if version <= migrations.len() => Ok(version),
        _ => Err(StoreError::Newer(format!(
            "it has schema {version}, this program knows up to {}. It was written by a newer version: update stepwell",
            migrations.len()
        ))),
    }
}

/// Turns WAL on. SQLite does not wait for another process that does the same at this moment, so this does.
fn use_wal(connection: &Connection, patience: Duration) -> Result<(), StoreError> {
    let deadline = Instant::now() + patience;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(_) => return Ok(()),
            Err(error) => {
                let fault = StoreError::from(error);
                if !fault.is_busy() || Instant::now() >= deadline {
                    return Err(fault);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// Brings the file to the newest schema, and gives the copy that was made of it before.
fn migrate(
    connection: &mut Connection,
    path: &Path,
    patience: Duration,
    migrations: Migrations,
) -> Result<Option<PathBuf>, StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have done it meanwhile.
    let version = check_version(&tx, migrations)?;
    if version == migrations.len() {
        return Ok(None);
    }
    // Under the lock nobody else writes, into the file or beside it.
    let copy = if version > 0 { Some(copied(path, version, patience)?) } else { None };
    for migration in &migrations[version..] {
        tx.execute_batch(migration.sql)?;
    }
    // Once the file has all that this version writes.
    for lacking in migrations[version..].iter().filter_map(|migration| migration.lacking) {
        rebuild::complete(&tx, lacking)?;
    }
    tx.pragma_update(None, "user_version", i64::try_from(migrations.len()).unwrap_or(i64::MAX))?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.commit()?;
    Ok(copy)
}

/// Copies the file, which has schema `version`, beside itself: whole and on the disk when it has its name, never in the
/// place of an earlier copy.
fn copied(path: &Path, version: usize, patience: Duration) -> Result<PathBuf, StoreError> {
    let beside = |ending: &str| beside(path, &format!(".{version:04}{ending}"));
    let part = beside(".part");
    match fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        // A process that died has left it.
        _ => {}
    }
    let whole = write_copy(path, &part, patience).and_then(|()| {
        let (mut free, mut again) = (beside(""), 1);
        while free.exists() {
            again += 1;
            free = beside(&format!(".{again}"));
        }
        fs::rename(&part, &free)?;
        // The name is to be as safe as what it names.
        path.parent().and_then(|folder| fs::File::open(folder).ok()).map_or(Ok(()), |folder| folder.sync_all())?;
        Ok(free)
    });
    if whole.is_err() {
        let _ = fs::remove_file(&part);
    }
    whole
}

fn write_copy(path: &Path, to: &Path, patience: Duration) -> Result<(), StoreError> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    // As it was committed last, what is only in the log beside it too.
    let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, patience)?;
    reader.execute("VACUUM INTO ?1", [FileName(to)])?;
    file.sync_all()?;
    Ok(())
}

/// The name of a file for SQLite, which takes the bytes as they are: it need not be UTF-8.
struct FileName<'a>(&'a Path);

impl ToSql for FileName<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        use std::os::unix::ffi::OsStrExt as _;
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0.as_os_str().as_bytes())))
    }
}

/// The file beside `path` whose name goes on with `ending`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// The path as it may stand in a URI.
fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
