//! Stepwell: arguments, logs, panic hook; wires the modules together.

use std::io::Write as _;
use std::process::ExitCode;

use stepwell::cli::{self, App, log};
use stepwell::config::Paths;
use stepwell::wiring::Wiring;

fn main() -> ExitCode {
    let paths = match Paths::find() {
        Ok(paths) => paths,
        Err(error) => return ExitCode::from(cli::homeless(error)),
    };
    catch_panics(paths.clone());
    let app = App::new(paths.clone(), Box::new(Wiring(paths)));
    ExitCode::from(cli::main(&app))
}

/// A mistake of the program: the whole message goes to the log, one line to the person.
fn catch_panics(paths: Paths) {
    std::panic::set_hook(Box::new(move |panic| {
        log::write(&paths, &format!("panic: {panic}\n{}", std::backtrace::Backtrace::capture()));
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(
            std::io::stderr(),
            "stepwell: this is a mistake of the program ({place}); what is saved is saved. See {}",
            log::file(&paths).display()
        );
    }));
}
