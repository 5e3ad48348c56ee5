//! Pure types and rules: what a task, a run, a call and a decision *are*.
//!
//! Nothing here reads a clock, a file, a socket or randomness, and nothing here imports another module.
//! State is a fold of events ([`run::Run::apply`]), and what a person may do is decided by
//! [`decide`] from that state alone, so both can be tested as tables.

pub mod actor;
pub mod aside;
pub mod bytes;
pub mod call;
pub mod capped;
pub mod code;
pub mod deadline;
pub mod decide;
pub mod description;
pub mod diagnostic;
pub mod diff_text;
pub mod document;
pub mod event;
pub mod event_json;
pub mod expect;
pub mod failure;
pub mod fingerprint;
mod fold;
pub mod form;
pub mod gate;
pub mod given;
pub mod host;
pub mod id;
pub mod json;
pub mod kept_files;
pub mod key;
pub mod known_providers;
pub mod markdown;
pub mod model;
pub mod names;
pub mod pieces;
pub mod pinned;
pub mod ports;
pub mod revised;
pub mod run;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod shell;
pub mod state;
pub mod step;
pub mod step_name;
pub mod task;
pub mod template;
#[cfg(test)]
pub mod testing;
pub mod text;
pub mod title;
pub mod toml_reader;
pub mod tool;
pub mod tool_call;
pub mod transcript;
pub mod tuning;
pub mod turn;
pub mod undo;
pub mod usage;
pub mod wait;
pub mod work;
mod worked;
