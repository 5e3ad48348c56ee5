//! Workflows that are scripts and programs, run by the binary.

#[path = "../support/mod.rs"]
mod support;

mod life;
mod written;
