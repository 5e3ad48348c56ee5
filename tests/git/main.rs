//! The shipped tasks for git, by the real binary on real repositories with a scripted model: what is read, what is not, and
//! that what is not is named.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

mod commits;
mod material;
mod notes;
mod review;
mod review_of_kinds;
#[path = "../support/mod.rs"]
mod support;
