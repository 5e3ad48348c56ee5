//! Opening the file: its folder and rights, the pragmas, migrations, and the read-only way when it cannot be written.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::fault::Fault;

/// Every released schema, oldest first; the place of each, from 1, is its `PRAGMA user_version`.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_journal.sql")];

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
}

/// Opens the store to read and write, or to read alone when it cannot be written; creates file and folder.
pub(super) fn to_write(path: &Path, patience: Duration) -> Result<Opened, Fault> {
    match writable(path, patience) {
        Ok(writer) => {
            let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, patience)?;
            Ok(Opened { writer: Some(writer), reader, read_only: None })
        }
        Err(fault) if fault.is_read_only() && path.exists() => {
            let why = format!("the store {} is read-only, the file or its folder. Make both writable", path.display());
            to_read(path, patience, why)
        }
        Err(fault) => Err(fault),
    }
}

/// Opens the store to read alone, because of `why`.
pub(super) fn to_read(path: &Path, patience: Duration, mut why: String) -> Result<Opened, Fault> {
    if !path.exists() {
        return Err(Fault::Said("there is none yet; the first run creates it".to_owned()));
    }
    let plain =
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, patience).and_then(|c| check_version(&c).map(|v| (c, v)));
    let (reader, version) = match plain {
        // In a read-only folder SQLite cannot make the files that it coordinates readers with. Nobody else can write
        // there either, so they are not needed.
        Err(fault) if fault.is_read_only() => {
            let uri = format!("file:{}?immutable=1", percent_encoded(path));
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let reader = connect(Path::new(&uri), flags, patience)?;
            let version = check_version(&reader)?;
            let log = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().to_string_lossy()));
            if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
                why.push_str(
                    ". Until then its newest events, those in the file beside it that ends with -wal, are not shown",
                );
            }
            (reader, version)
        }
        other => other?,
    };
    if version < MIGRATIONS.len() {
        return Err(Fault::Said(format!(
            "it has the schema of an older version ({version}) and cannot be brought up to date: {why}"
        )));
    }
    Ok(Opened { writer: None, reader, read_only: Some(why) })
}

fn writable(path: &Path, patience: Duration) -> Result<Connection, Fault> {
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
    let version = check_version(&connection)?;
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied).into());
    }
    use_wal(&connection, patience)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    if version < MIGRATIONS.len() {
        migrate(&mut connection)?;
    }
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags, patience: Duration) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(patience)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// The schema's version; refuses a newer one and another program's database.
fn check_version(connection: &Connection) -> Result<usize, Fault> {
    // In one statement, so that a file that another process is just creating is seen before or after.
    let (version, application, tables): (i64, i32, i64) = connection.query_row(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema)
         FROM pragma_user_version, pragma_application_id",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    if tables > 0 && application != APPLICATION {
        return Err(Fault::Said(
            "it is the database of another program. It was left as it is: move it away, \
             or set STEPWELL_HOME to another folder"
                .to_owned(),
        ));
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(Fault::Newer(format!(
            "it has schema {version}, this program knows up to {}. It was written by a newer version: update stepwell",
            MIGRATIONS.len()
        ))),
    }
}

/// Turns WAL on. SQLite does not wait for another process that does the same at this moment, so this does.
fn use_wal(connection: &Connection, patience: Duration) -> Result<(), Fault> {
    let deadline = Instant::now() + patience;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(_) => return Ok(()),
            Err(error) => {
                let fault = Fault::from(error);
                if !fault.is_busy() || Instant::now() >= deadline {
                    return Err(fault);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have done it meanwhile.
    let version = check_version(&tx)?;
    for migration in &MIGRATIONS[version..] {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.commit()?;
    Ok(())
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
