//! `--detach`: a process in a session of its own drives the run to its next wait.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::ValueEnum;

use super::App;
use super::args::{AfterArgs, Approve, DirArg, DriveArgs, Review, RunArgs};
use super::begin::drive_on;
use super::drive::{How, drive};
use super::problem::{Exit, Problem};
use super::relay::Relayed;
use crate::config::{logs, private_folder};
use crate::core::code::ErrorCode;
use crate::core::id::RunId;

/// Starts that process for a new run, with what the person said about it.
///
/// # Errors
/// When it cannot be started.
pub fn start(app: &App, run: RunId, args: &RunArgs) -> Result<(), Problem> {
    let cannot = |error| {
        let short = run.short();
        Problem::refused(
            ErrorCode::Store,
            format!(
                "run {short} was created but could not be started in the background: {error}; stepwell resume {short}"
            ),
        )
    };
    let mut flags: Vec<OsString> = Vec::new();
    flags.extend(args.drive.review.into_iter().map(|review| flag("--review", &review)));
    flags.extend(args.drive.approve.into_iter().map(|approve| flag("--approve", &approve)));
    for (flag, folder) in [("--out", &args.drive.out), ("--dir", &args.dir.dir)] {
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
    let log = log_of(state, run)?;
    let results = log.try_clone()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("drive-detached").arg(run.to_string()).args(flags);
    command.stdin(Stdio::null()).stdout(results).stderr(log).spawn().map(|_| ())
}

/// The log of what is said about a run where nobody reads it.
///
/// # Errors
/// When it cannot be opened.
pub fn log_of(state: &Path, run: RunId) -> io::Result<File> {
    let folder = logs(state);
    private_folder(&folder)?;
    let log = folder.join(format!("run-{}.log", run.short()));
    OpenOptions::new().create(true).append(true).mode(0o600).open(log)
}

/// Who answers, as flags.
pub fn policy_flags(review: Review, approve: Approve) -> [OsString; 2] {
    [flag("--review", &review), flag("--approve", &approve)]
}

fn flag(name: &str, value: &impl ValueEnum) -> OsString {
    let value = value.to_possible_value();
    format!("{name}={}", value.as_ref().map_or("", |value| value.get_name())).into()
}

/// What that process does, or one that drives for another.
///
/// # Errors
/// When the run cannot be driven.
pub async fn child(
    app: &App,
    run: &str,
    dir: &DirArg,
    after: AfterArgs,
    args: &DriveArgs,
    relayed: Option<u64>,
) -> Result<Exit, Problem> {
    let mut how = How { apart: false, ..How::of(args)? };
    let run = app.engine()?.find(run)?;
    if let Some(seq) = relayed {
        how.relayed = Some(Arc::new(Relayed::new()?));
        return drive(app, run, seq, how).await;
    }
    // A session of its own: neither Ctrl-C nor the end of the terminal reaches it. It fails only where it is one already.
    let _ = rustix::process::setsid();
    drive_on(app, run, dir, after, how).await
}
