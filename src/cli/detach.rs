//! `--detach`: a process in a session of its own drives the run to its next wait.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

use clap::ValueEnum as _;

use super::App;
use super::args::DriveArgs;
use super::drive::{How, drive};
use super::problem::{Exit, Problem};
use crate::core::id::RunId;
use crate::core::ports::StateFolder;
use crate::engine::private_folder;

/// Starts that process. It outlives this one, and its words go to a log.
///
/// # Errors
/// When it cannot be started.
pub fn start(app: &App, run: RunId, args: &DriveArgs) -> Result<(), Problem> {
    let cannot = |error| Problem::usage(format!("run {} was made, but nobody drives it: {error}", run.short()));
    let folder = StateFolder(app.paths.state.clone()).logs();
    private_folder(&folder).map_err(cannot)?;
    let log = folder.join(format!("run-{}.log", run.short()));
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(log).map_err(cannot)?;
    let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
    command.arg("drive-detached").arg(run.to_string());
    let words = [
        ("--review", args.review.and_then(|review| review.to_possible_value())),
        ("--approve", args.approve.and_then(|approve| approve.to_possible_value())),
    ];
    for (flag, word) in words {
        command.args(word.map(|word| format!("{flag}={}", word.get_name())));
    }
    if let Some(out) = &args.out {
        let out = std::path::absolute(out).map_err(cannot)?;
        command.arg("--out").arg(out);
    }
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
    spawned.map(|_| ()).map_err(cannot)
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
