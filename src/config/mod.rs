//! Configuration: where things lie, what the person set, and where secrets come from.
//!
//! Layers, later ones win: built-in defaults, the config file, the environment, flags (which the front end lays over
//! the result itself). It reads one file and the environment, writes nothing (the change that [`connect`] makes is
//! given back as text), and never prints a secret.

mod connect;
mod file;
pub mod paths;
pub mod secrets;

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

pub use connect::{connect, connection_lines};
pub use file::read;
pub use paths::{NoHome, Paths, logs, private_folder};
pub use secrets::SecretStore;

use crate::core::code::ErrorCode;
use crate::core::diagnostic::{Diagnostic, Report, SourceText};
use crate::core::settings::{RoleSettings, Settings, Theme};

/// No config is larger, in bytes.
const LARGEST: u64 = 4 << 20;

/// The config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It has mistakes: unknown keys, values that do not fit.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Diagnostic>),
    /// It is there and cannot be read.
    #[error("the config {0} cannot be read: {1}")]
    Unreadable(String, std::io::Error),
    /// It is a link to nothing.
    #[error("the config {0} is a link to {1}, which is not there: make that file, or remove the link")]
    Dangling(String, String),
    /// Anybody could have written it, and it names programs to run.
    #[error("{0} can be written by everybody on this machine, and the config names programs to run: `chmod o-w {1}`")]
    Writable(String, String),
}

impl ConfigError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Wrong(_) | Self::Unreadable(..) | Self::Dangling(..) => ErrorCode::InvalidDefinition,
            Self::Writable(..) => ErrorCode::PathRefused,
        }
    }
}

/// The settings of this process: the config file, if there is one, and the environment over it.
///
/// # Errors
/// When the file has mistakes or cannot be read.
pub fn load(paths: &Paths) -> Result<Settings, ConfigError> {
    let name = paths.config_file.display().to_string();
    let text = match text_of(&paths.config_file) {
        Ok(text) => {
            private(&paths.config_file)?;
            text
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match std::fs::read_link(&paths.config_file) {
            // Whoever made the link means to have a config.
            Ok(target) => return Err(ConfigError::Dangling(name, target.display().to_string())),
            Err(_) => String::new(),
        },
        Err(error) => return Err(ConfigError::Unreadable(name, error)),
    };
    let mut settings = parse(&name, &text).map_err(ConfigError::Wrong)?;
    lay_environment(&mut settings, |variable| std::env::var(variable).ok().filter(|value| !value.is_empty()));
    Ok(settings)
}

/// Refuses a config that everybody may write, or replace in its folder.
fn private(path: &Path) -> Result<(), ConfigError> {
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let refuse = |path: &Path| {
        let shown = path.display().to_string();
        let quoted = shlex::try_quote(&shown).map_or_else(|_| shown.clone(), String::from);
        Err(ConfigError::Writable(shown, quoted))
    };
    if std::fs::metadata(path).is_ok_and(|file| file.mode() & OTHERS_WRITE != 0) {
        return refuse(path);
    }
    match path.parent().map(|folder| (folder, std::fs::metadata(folder))) {
        Some((folder, Ok(meta))) if meta.mode() & OTHERS_WRITE != 0 && meta.mode() & STICKY == 0 => refuse(folder),
        _ => Ok(()),
    }
}

/// The text of a file that is no larger than a config can be.
fn text_of(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(std::io::Error::other(format!("it is larger than {} MB", LARGEST >> 20)));
    }
    Ok(text)
}

/// The settings in a config's text.
///
/// # Errors
/// Every mistake in it.
pub fn parse(name: &str, text: &str) -> Result<Settings, Vec<Diagnostic>> {
    let report = Report::default();
    let source = Arc::new(SourceText { name: name.to_owned(), text: text.to_owned() });
    match read(&source, &report) {
        Some(settings) if report.is_empty() => Ok(settings),
        _ => Err(report.into_sorted()),
    }
}

/// `STEPWELL_MODEL` answers for the role `default`; `NO_COLOR` takes the colours away.
fn lay_environment(settings: &mut Settings, variable: impl Fn(&str) -> Option<String>) {
    if let Some(model) = variable("STEPWELL_MODEL") {
        settings.models.insert("default".to_owned(), RoleSettings { model, ..RoleSettings::default() });
    }
    if variable("NO_COLOR").is_some() {
        settings.ui.theme = Theme::None;
    }
}

#[cfg(test)]
mod tests;
