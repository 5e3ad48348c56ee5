//! The built-in library: the files under `tasks/` and `workflows/` of the source, in the binary.

/// Files by their path, `tasks/email.toml`, `workflows/poem/workflow.toml`, …
pub type Library = &'static [(&'static str, &'static [u8])];

/// What is built in; `build.rs` lists it.
pub const BUILT_IN: Library = include!(concat!(env!("OUT_DIR"), "/library.rs"));
