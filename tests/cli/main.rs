//! The command line, as people and programs use it: the binary, in a home of its own.

#[path = "../support/mod.rs"]
mod support;

mod approvals;
mod chat;
mod codes;
mod damage;
mod deadlines;
mod decisions;
mod documented_tools;
mod files;
mod gates;
mod hosts;
mod interrupts;
mod json;
mod locked;
mod mistakes;
mod models;
mod newer;
mod notify;
mod orphans;
mod own_files;
mod runs;
mod safety;
mod status;
mod terminal;
mod tool_calls;
mod tools;
