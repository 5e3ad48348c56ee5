//! What several tests need. Each test binary uses a part of it.
#![allow(dead_code, reason = "every test binary uses another part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

pub mod cli;
pub mod contained;
pub mod git;
pub mod model_server;
pub mod patience;
pub mod pty;
pub mod screen;
pub mod terminal;
