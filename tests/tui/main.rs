//! The full-screen interface, in a pseudo-terminal.

#[path = "../support/mod.rs"]
mod support;

mod bad_times;
mod terminal;
mod used;
