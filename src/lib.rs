//! Stepwell: work that a language model does in steps and a person signs off.
//!
//! Data goes one way: a definition is found (`catalog`), a run of it begins (`engine`), a flow says which calls come
//! next (`flow`), the steps perform them (`steps`, `models`, `tools`), the journal keeps what happened (`store`), and a front
//! end shows the fold of that (`tui`, `cli`) and appends a person's decisions. What all front ends do with runs is in
//! `app`. The words are those of [`core`].

pub mod app;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod core;
pub mod engine;
pub mod export;
pub mod flow;
pub mod models;
pub mod steps;
pub mod store;
pub mod tools;
pub mod tui;
pub mod wiring;
