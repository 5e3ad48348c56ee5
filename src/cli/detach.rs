//! `--detach`: a process in a session of its own drives the run to its next wait.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::ValueEnum as _;

use super::App;
use super::args::{AfterArgs, DriveArgs, Place, RunArgs};
use super::begin::drive_on;
use super::drive::How;
use super::problem::{Exit, Problem};
use crate::core::id::RunId;
use crate::core::ports::StateFolder;
use crate::engine::private_folder;

/// Starts that process for a new run, with what the person said about it.
///
/// # Errors
/// When it cannot be started.
pub fn start(app: &App, run: RunId, args: &RunArgs) -> Result<(), Problem> {
    let cannot = |error| Problem::usage(format!("run {} was made, but nobody drives it: {error}", run.short()));
    let words = [
        ("--review", args.drive.review.and_then(|review| review.to_possible_value())),
        ("--approve", args.drive.approve.and_then(|approve| approve.to_possible_value())),
    ];
    let flags = words.into_iter().filter_map(|(flag, word)| Some(format!("{flag}={}", word?.get_name()).into()));
    let mut flags: Vec<OsString> = flags.collect();
    for (flag, folder) in [("--out", &args.drive.out), ("--dir", &args.place.dir)] {
        if let Some(folder) = folder {
            flags.extend([flag.into(), std::path::absolute(folder).map_err(cannot)?.into()]);
        }
    }
    flags.extend(args.after.next.then(|| "--next".into()));
    flags.extend(args.after.autoruns.map(|most| format!("--autoruns={most}").into()));
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
    let results = log.try_clone()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("drive-detached").arg(run.to_string()).args(flags);
    command.stdin(Stdio::null()).stdout(results).stderr(log).spawn().map(|_| ())
}

/// What that process does.
///
/// # Errors
/// When the run cannot be driven.
pub async fn child(app: &App, run: &str, place: &Place, after: AfterArgs, args: &DriveArgs) -> Result<Exit, Problem> {
    // A session of its own: neither Ctrl-C nor the end of the terminal reaches it. It fails only where it is one already.
    let _ = rustix::process::setsid();
    let how = How::of(args)?;
    let run = app.engine()?.find(run)?;
    drive_on(app, run, place, after, how).await
}
