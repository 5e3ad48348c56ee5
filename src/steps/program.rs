//! Which file a command's program is, as `execvp` would find it in the command's own folder and environment.
//!
//! It is looked up once, before anything is started: with a path, the standard library starts a program by `posix_spawn`
//! instead of a fork of this whole process, which then tries one folder of `PATH` after the other.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// Where programs are looked for when no `PATH` says so.
const USUAL: &str = "/bin:/usr/bin";

/// Finds `program` for a process in `folder` whose `PATH` is `path`.
///
/// # Errors
/// When there is none, or only such as may not be run.
pub fn find(program: &str, path: Option<&str>, folder: &Path) -> io::Result<PathBuf> {
    if program.contains('/') {
        return Ok(folder.join(program));
    }
    let mut error = io::ErrorKind::NotFound;
    if program.is_empty() {
        return Err(error.into());
    }
    // An empty entry is the folder itself.
    for entry in path.unwrap_or(USUAL).split(':') {
        let file = folder.join(entry).join(program);
        let Ok(facts) = std::fs::metadata(&file) else { continue };
        if facts.is_file() && accessat(CWD, &file, Access::EXEC_OK, AtFlags::EACCESS).is_ok() {
            return Ok(file);
        }
        error = io::ErrorKind::PermissionDenied;
    }
    Err(error.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_program_is_found_as_the_system_would_find_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, mode: u32| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            file
        };
        let (here, first, second) = (file("tool", 0o755), file("a/tool", 0o644), file("b/tool", 0o755));
        file("a/closed", 0o644);
        fs::create_dir_all(folder.path().join("b/folder")).unwrap();
        let found =
            |program: &str, path: Option<&str>| find(program, path, folder.path()).map_err(|error| error.kind());
        assert_eq!(found("tool", Some("a:b")), Ok(second.clone()), "what may not be run is passed over");
        assert_eq!(found("tool", Some("none::b")), Ok(here.clone()), "an empty entry is the folder itself");
        assert_eq!(found("tool", Some(&format!("/none:{}", folder.path().join("b").display()))), Ok(second));
        assert_eq!(found("./tool", Some("b")), Ok(folder.path().join("./tool")));
        assert_eq!(found("a/tool", None), Ok(first), "a path is what it says");
        assert_eq!(found("/bin/sh", None), Ok(PathBuf::from("/bin/sh")));
        assert!(found("sh", None).is_ok());
        assert_eq!(found("closed", Some("a")), Err(io::ErrorKind::PermissionDenied));
        assert_eq!(found("folder", Some("b")), Err(io::ErrorKind::PermissionDenied));
        assert_eq!(found("tool", Some("none")), Err(io::ErrorKind::NotFound));
        assert_eq!(found("", Some("a")), Err(io::ErrorKind::NotFound));
    }
}
