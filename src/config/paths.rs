//! Where things lie: the XDG folders on every system, or all under `STEPWELL_HOME`.

use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use etcetera::base_strategy::Xdg;

/// The name of the folders and of the store.
const NAME: &str = "stepwell";

/// Where things lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The config file; it need not exist.
    pub config_file: PathBuf,
    /// The person's own instruct tasks.
    pub tasks: PathBuf,
    /// The person's own workflows.
    pub workflows: PathBuf,
    /// The SQLite file.
    pub store: PathBuf,
    /// Logs, spool, locks, trust.
    pub state: PathBuf,
}

/// Creates a folder that only its owner can read, with all above it.
///
/// # Errors
/// As the system says.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The folder of logs, in the folder for the state.
#[must_use]
pub fn logs(state: &Path) -> PathBuf {
    state.join("logs")
}

/// Where things lie cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("no home folder is known, so nothing can be kept; set HOME, or STEPWELL_HOME to a folder for everything")]
pub struct NoHome;

impl Paths {
    /// The paths of this process.
    ///
    /// # Errors
    /// When there is neither `STEPWELL_HOME` nor a home folder.
    pub fn find() -> Result<Self, NoHome> {
        let home = std::env::var_os("STEPWELL_HOME");
        match home.filter(|home| !home.is_empty()) {
            Some(home) => Ok(Self::under(&absolute(expanded(home, std::env::var_os("HOME").as_deref())))),
            None => Xdg::new().map(|xdg| Self::xdg(&xdg)).map_err(|_| NoHome),
        }
    }

    /// Everything under one folder.
    #[must_use]
    pub fn under(home: &Path) -> Self {
        Self {
            config_file: home.join("config.toml"),
            tasks: home.join("tasks"),
            workflows: home.join("workflows"),
            store: home.join("stepwell.db"),
            state: home.join("state"),
        }
    }

    fn xdg(xdg: &Xdg) -> Self {
        let config = xdg.config_dir().join(NAME);
        let state = xdg.state_dir().unwrap_or_else(|| xdg.data_dir());
        Self {
            config_file: config.join("config.toml"),
            tasks: config.join("tasks"),
            workflows: config.join("workflows"),
            store: xdg.data_dir().join(NAME).join("stepwell.db"),
            state: state.join(NAME),
        }
    }

    /// The folder that holds the person's own `tasks` and `workflows`.
    #[must_use]
    pub fn own(&self) -> &Path {
        self.config_file.parent().unwrap_or(Path::new("."))
    }
}

/// A path with `~` for the home folder, which a shell leaves alone in quotes and in files of settings.
fn expanded(path: OsString, home: Option<&OsStr>) -> OsString {
    match (Path::new(&path).strip_prefix("~"), home) {
        (Ok(rest), Some(home)) if !home.is_empty() => Path::new(home).join(rest).into_os_string(),
        _ => path,
    }
}

/// A run may be taken up from another folder, so a relative path must not move with it.
fn absolute(path: OsString) -> PathBuf {
    std::path::absolute(&path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_may_hold_everything() {
        let paths = Paths::under(Path::new("/h"));
        assert_eq!(paths.config_file, Path::new("/h/config.toml"));
        assert_eq!(paths.tasks, Path::new("/h/tasks"));
        assert_eq!(paths.workflows, Path::new("/h/workflows"));
        assert_eq!(paths.store, Path::new("/h/stepwell.db"));
        assert_eq!(paths.state, Path::new("/h/state"));
        assert_eq!(paths.own(), Path::new("/h"));
    }

    #[test]
    fn a_tilde_is_the_home_folder_and_no_folder_of_that_name() {
        let under = |path: &str, home: Option<&str>| expanded(path.into(), home.map(OsStr::new));
        assert_eq!(under("~/x", Some("/home/ana")), "/home/ana/x");
        assert_eq!(under("~", Some("/home/ana")), "/home/ana/");
        for path in ["~ana/x", "/a/~/x", "x~", "./~/x"] {
            assert_eq!(under(path, Some("/home/ana")), path);
        }
        assert_eq!(under("~/x", None), "~/x");
    }

    #[test]
    fn a_relative_home_does_not_move() {
        assert!(absolute("x".into()).is_absolute());
    }
}
