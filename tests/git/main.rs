//! The shipped tasks for git, by the real binary on real repositories with a scripted model: what is read, what is not, and
//! that what is not is named.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::format_collect,
    reason = "tests may fail loudly, say what they skip, and build a text at once"
)]

mod changelogs;
mod commits;
mod material;
mod notes;
mod review;
mod review_of_kinds;
#[path = "../support/mod.rs"]
mod support;
