//! Stepwell: see the library's [`stepwell::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(stepwell::main())
}
