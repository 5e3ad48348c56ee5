//! `--detach`: a process in a session of its own drives the run to its next wait.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::ValueEnum as _;

use super::App;
use super::args::DriveArgs;
use super::drive::{How, drive};
use super::problem::{Exit, Problem};
use crate::core::id::RunId;
use crate::core::ports::StateFolder;
use crate::engine::private_folder;

/// Starts that process for a new run, with what the person said about it.
///
/// # Errors
/// When it cannot be started.
pub fn start(app: &App, run: RunId, args: &DriveArgs) -> Result<(), Problem> {
    let cannot = |error| Problem::usage(format!("run {} was made, but nobody drives it: {error}", run.short()));
    let words = [
        ("--review", args.review.and_then(|review| review.to_possible_value())),
        ("--approve", args.approve.and_then(|approve| approve.to_possible_value())),
    ];
    let flags = words.into_iter().filter_map(|(flag, word)| Some(format!("{flag}={}", word?.get_name()).into()));
    let mut flags: Vec<OsString> = flags.collect();
    if let Some(out) = &args.out {
        flags.extend(["--out".into(), std::path::absolute(out).map_err(cannot)?.into()]);
    }
    go_on(&app.paths.state, run, &flags).map_err(cannot)
}

/// Has a process of its own go on with a run. It outlives this one, and its words go to a log.
///
/// # Errors
/// When it cannot be started.
pub fn go_on(state: &Path, run: RunId, flags: &[OsString]) -> io::Result<()> {
    let folder = StateFolder(state.to_owned()).logs();
    private_folder(&folder)?;
    let log = folder.join(format!("run-{}.log", run.short()));
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("drive-detached").arg(run.to_string()).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().map(|_| ())
}

/// What that process does.
///
/// # Errors
/// When the run cannot be driven.
pub async fn child(app: &App, run: &str, args: DriveArgs) -> Result<Exit, Problem> {
    // A session of its own: neither Ctrl-C nor the end of the terminal reaches it. It fails only where it is one already.
    let _ = rustix::process::setsid();
    let run = app.engine()?.find(run)?;
    drive(app, run, 0, How::of(&args)).await
}
