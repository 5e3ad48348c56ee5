//! Writes a file that a person named, whatever is there already, and Stepwell's own where a person may have put a link. The
//! only place that does so.
//!
//! Promises: what a shell's `>` would refuse is refused. A regular file is replaced whole or not at all and keeps its
//! mode; one that has other names, or is mounted by itself, is written where it is; a link stays a link, and what it leads
//! to is written. A device, a pipe or a socket is written into and never replaced, and so is what this process has open
//! already (`/dev/stdout`, `/dev/fd/3`), at the place that it has come to. A folder is refused. A new file has the mode
//! that the person's umask gives to every file of theirs; one of Stepwell's own is for its owner alone. May not: create
//! folders.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// What becomes of a regular file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced; a pipe that nobody reads is waited for.
    Replace,
    /// It is kept and the write refused; so is a pipe that nobody reads.
    Keep,
}

/// So many links are followed, as the system does.
const LINKS: usize = 40;

/// The mode of a new file, of which the system takes away what the umask has.
const NEW: u32 = 0o666;

/// The mode of a file of Stepwell's own, and of any until it has that of the one that it replaces.
const PRIVATE: u32 = 0o600;

/// Writes `bytes` to what `path` names.
///
/// # Errors
/// As the system says. What was there before is then as it was, except where it cannot be replaced: what took part of
/// the bytes keeps that part.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    put(path, bytes, existing, NEW)
}

/// Writes a file of Stepwell's own, which nobody but its owner may read. One that is there is replaced.
///
/// # Errors
/// As [`write`].
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, Existing::Replace, PRIVATE)
}

fn put(path: &Path, bytes: &[u8], existing: Existing, mode: u32) -> io::Result<()> {
    if let Some(descriptor) = descriptor(path) {
        return through(descriptor, path, bytes);
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder")),
        Ok(found) if found.is_file() && existing == Existing::Keep => {
            Err(io::Error::new(ErrorKind::AlreadyExists, "it exists already"))
        }
        Ok(found) if found.is_file() => match home_of(path, &found) {
            Some(file) if found.nlink() == 1 => replace(&file, bytes, &found),
            _ => over(path, bytes),
        },
        Ok(_) => into(path, bytes, existing),
        Err(error) if error.kind() == ErrorKind::NotFound => create(&target(path)?, bytes, existing, mode),
        Err(error) => Err(error),
    }
}

/// Where a path leads when all links are followed, also to what is not there.
///
/// # Errors
/// When a link cannot be read, or links lead in a circle.
pub fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            // A relative link begins where it lies.
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// The file of this process that a path leads to by a name that the system has for it, such as `/dev/stdout`.
fn descriptor(path: &Path) -> Option<i32> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder =
            fs::canonicalize(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
                .ok()?;
        let own = Path::new("/proc").join(std::process::id().to_string());
        let lists = folder == Path::new("/dev/fd") || (folder.starts_with(own) && folder.ends_with("fd"));
        if let Some(number) = path.file_name().and_then(|name| name.to_str()?.parse().ok()).filter(|_| lists) {
            return Some(number);
        }
        path = folder.join(fs::read_link(&path).ok()?);
    }
    None
}

/// Writes into what this process has open, after what has been written there.
fn through(descriptor: i32, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = match descriptor {
        1 => {
            io::stdout().flush()?;
            File::from(rustix::io::dup(io::stdout())?)
        }
        2 => File::from(rustix::io::dup(io::stderr())?),
        _ => OpenOptions::new().append(true).open(path)?,
    };
    file.write_all(bytes)
}

/// The name under which a regular file can be replaced.
fn home_of(path: &Path, found: &Metadata) -> Option<PathBuf> {
    let file = target(path).ok()?;
    let same = fs::symlink_metadata(&file).is_ok_and(|at| (at.dev(), at.ino()) == (found.dev(), found.ino()));
    same.then_some(file)
}

/// Puts a new file in the place of a regular one, with its mode and, as far as that is allowed, its owner.
fn replace(file: &Path, bytes: &[u8], before: &Metadata) -> io::Result<()> {
    // What may not be written may not be replaced either, although the folder would allow it.
    drop(OpenOptions::new().write(true).open(file)?);
    let mode = before.permissions().mode() & 0o7777;
    let made = beside(file, bytes, PRIVATE, |new| {
        let owner = rustix::fs::Uid::from_raw(before.uid());
        let group = rustix::fs::Gid::from_raw(before.gid());
        let made = new.metadata()?;
        if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
            rustix::fs::fchown(new, Some(owner), Some(group))?;
        }
        // After the owner: a change of that takes bits away.
        new.set_permissions(fs::Permissions::from_mode(mode))
    });
    match made {
        // A file that may be written in a folder that may not, that belongs to another, or that is mounted by itself: it is
        // written where it is.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::ResourceBusy
                    | ErrorKind::CrossesDevices
            ) =>
        {
            over(file, bytes)
        }
        made => made,
    }
}

/// Makes a file where there is none.
fn create(file: &Path, bytes: &[u8], existing: Existing, mode: u32) -> io::Result<()> {
    if existing == Existing::Replace {
        return beside(file, bytes, mode, |_| Ok(()));
    }
    // Only the creation itself can tell that nothing came to be there meanwhile.
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
    let written = new.write_all(bytes).and_then(|()| new.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(file);
    }
    written
}

/// Writes a file of that mode beside `file` and renames it over that.
fn beside(file: &Path, bytes: &[u8], mode: u32, finish: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let Some(name) = file.file_name() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it names no file"));
    };
    let name = format!(".{}.{}.unfinished", name.to_string_lossy(), std::process::id());
    let unfinished = file.with_file_name(name);
    // What lies there was left by a process of the same number; a link would lead elsewhere.
    let _ = fs::remove_file(&unfinished);
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    let written = new
        .write_all(bytes)
        .and_then(|()| finish(&new))
        .and_then(|()| new.sync_all())
        .and_then(|()| fs::rename(&unfinished, file));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Writes over a regular file in its place.
fn over(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(true).open(file)?;
    file.write_all(bytes).and_then(|()| file.sync_all())
}

/// Writes into a device or a pipe.
fn into(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    let mut open = OpenOptions::new();
    open.write(true);
    if existing == Existing::Keep {
        open.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    }
    let mut file = open.open(path).map_err(|error| match error.raw_os_error() {
        Some(number) if number == rustix::io::Errno::NXIO.raw_os_error() => {
            io::Error::new(error.kind(), "no process reads from it")
        }
        _ => error,
    })?;
    if existing == Existing::Keep {
        // Only the wait for a reader was not wanted: a reader may take its time.
        let flags = rustix::fs::fcntl_getfl(&file)?;
        rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    }
    file.write_all(bytes).and_then(|()| file.flush())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A folder with a file of that mode in it.
    fn with_file(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.md");
        fs::write(&file, "before").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        (folder, file)
    }

    /// The mode that the umask of this process gives.
    fn usual(folder: &Path) -> u32 {
        let file = folder.join("usual");
        fs::write(&file, "").unwrap();
        let usual = mode(&file);
        fs::remove_file(file).unwrap();
        usual
    }

    #[test]
    fn a_new_file_has_the_mode_that_the_umask_gives() {
        let folder = tempfile::tempdir().unwrap();
        let usual = usual(folder.path());
        for existing in [Existing::Replace, Existing::Keep] {
            let file = folder.path().join(format!("{existing:?}"));
            write(&file, b"text", existing).unwrap();
            assert_eq!((fs::read(&file).unwrap().as_slice(), mode(&file)), (&b"text"[..], usual));
        }
        assert_eq!(names(folder.path()), ["Keep", "Replace"]);
        let own = folder.path().join("config.toml");
        write_private(&own, b"text").unwrap();
        assert_eq!(mode(&own), 0o600, "what is Stepwell's own is for its owner alone");
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode() {
        for before in [0o664, 0o640, 0o755, 0o600] {
            let (folder, file) = with_file(before);
            write(&file, b"after", Existing::Replace).unwrap();
            assert_eq!((fs::read(&file).unwrap().as_slice(), mode(&file)), (&b"after"[..], before));
            assert_eq!(names(folder.path()), ["report.md"]);
        }
    }

    #[test]
    fn a_file_that_is_to_be_kept_is_kept() {
        let (_folder, file) = with_file(0o644);
        assert_eq!(write(&file, b"after", Existing::Keep).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).unwrap(), b"before");
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let (folder, file) = with_file(0o664);
        let links = tempfile::tempdir().unwrap();
        let (first, second) = (links.path().join("first"), links.path().join("second"));
        symlink("second", &first).unwrap();
        symlink(&file, &second).unwrap();
        write(&first, b"after", Existing::Replace).unwrap();
        assert!(fs::symlink_metadata(&first).unwrap().is_symlink());
        assert_eq!((fs::read(&file).unwrap().as_slice(), mode(&file)), (&b"after"[..], 0o664));
        assert_eq!((names(folder.path()).len(), names(links.path()).len()), (1, 2), "nothing is left behind");
    }

    #[test]
    fn a_link_to_nothing_yet_gets_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (link, usual) = (folder.path().join("link"), usual(folder.path()));
        for existing in [Existing::Replace, Existing::Keep] {
            let file = folder.path().join(format!("{existing:?}"));
            let _ = fs::remove_file(&link);
            symlink(file.file_name().unwrap(), &link).unwrap();
            write(&link, b"text", existing).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!((fs::read(&file).unwrap().as_slice(), mode(&file)), (&b"text"[..], usual));
        }
        // In a circle there is nothing.
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        symlink(&one, &other).unwrap();
        symlink(&other, &one).unwrap();
        write(&one, b"text", Existing::Replace).unwrap_err();
    }

    #[test]
    fn a_pipe_is_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let error = write(&pipe, b"text", Existing::Keep).unwrap_err();
        assert!(error.to_string().contains("no process reads"), "{error}");
        // More than a pipe holds, so that the writer has to wait for the reader.
        let text = vec![b'x'; 300_000];
        for existing in [Existing::Replace, Existing::Keep] {
            let heard = std::thread::scope(|scope| {
                let (opened, open) = std::sync::mpsc::channel();
                let from = &pipe;
                let reader = scope.spawn(move || {
                    // Both ends, so that it opens at once, whoever is first.
                    let keeps_open = OpenOptions::new().read(true).write(true).open(from).unwrap();
                    let mut reader = File::open(from).unwrap();
                    opened.send(()).unwrap();
                    let mut heard = vec![0; 300_000];
                    reader.read_exact(&mut heard).unwrap();
                    drop(keeps_open);
                    heard
                });
                open.recv().unwrap();
                write(&pipe, &text, existing).unwrap();
                reader.join().unwrap()
            });
            assert!(heard == text, "something else came through the pipe");
        }
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_device_is_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("null");
        let null = rustix::fs::makedev(1, 3);
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            &device,
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::Mode::RWXU,
            null,
        );
        if let Err(error) = made {
            eprintln!("SKIPPED: no device can be made here ({error}); as root this test makes one");
            return;
        }
        for existing in [Existing::Replace, Existing::Keep] {
            match write(&device, b"text", existing) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    eprintln!("SKIPPED: devices of this folder cannot be opened ({error})");
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(fs::metadata(&device).unwrap().file_type().is_char_device(), "the device was replaced");
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("results")).unwrap();
        let error = write(&folder.path().join("results"), b"text", Existing::Replace).unwrap_err();
        assert!(error.to_string().contains("folder"), "{error}");
        write(Path::new("/"), b"text", Existing::Replace).unwrap_err();
        write(&folder.path().join("none/report.md"), b"text", Existing::Replace).unwrap_err();
        assert_eq!(names(folder.path()), ["results"]);
    }

    #[test]
    fn a_file_with_two_names_keeps_both() {
        let (folder, file) = with_file(0o640);
        let other = folder.path().join("other");
        fs::hard_link(&file, &other).unwrap();
        write(&file, b"after", Existing::Replace).unwrap();
        assert_eq!((fs::read(&other).unwrap().as_slice(), mode(&other)), (&b"after"[..], 0o640));
    }

    #[test]
    fn what_a_shell_would_not_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::copy("/bin/sleep", &program).unwrap();
        let before = fs::read(&program).unwrap();
        let mut running = std::process::Command::new(&program).arg("600").spawn().unwrap();
        let error = write(&program, b"after", Existing::Replace).unwrap_err();
        let kept = fs::read(&program).unwrap() == before;
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!((error.kind(), kept), (ErrorKind::ExecutableFileBusy, true));
    }

    #[test]
    fn what_is_open_already_is_written_at_its_end_and_not_replaced() {
        use std::os::fd::AsRawFd as _;
        let (folder, file) = with_file(0o600);
        let open = OpenOptions::new().append(true).open(&file).unwrap();
        let link = folder.path().join("link");
        symlink(format!("/dev/fd/{}", open.as_raw_fd()), &link).unwrap();
        let names = [
            PathBuf::from(format!("/dev/fd/{}", open.as_raw_fd())),
            PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())),
            link.clone(),
        ];
        for name in &names {
            write(name, b", after", Existing::Replace).unwrap();
        }
        assert_eq!(fs::read(&file).unwrap(), b"before, after, after, after");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn memory_is_a_place_for_files() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
            eprintln!("SKIPPED: there is no /dev/shm here");
            return;
        };
        let file = folder.path().join("report.md");
        fs::write(&file, "before").unwrap();
        let before = fs::metadata(&file).unwrap().ino();
        write(&file, b"after", Existing::Replace).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"after");
        assert_ne!(fs::metadata(&file).unwrap().ino(), before, "it was replaced whole");
    }

    #[test]
    fn what_does_not_fit_on_the_disk_is_an_error() {
        let full = Path::new("/dev/full");
        assert_eq!(write(full, b"text", Existing::Replace).unwrap_err().kind(), ErrorKind::StorageFull);
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink(full, &link).unwrap();
        assert_eq!(write(&link, b"text", Existing::Replace).unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
