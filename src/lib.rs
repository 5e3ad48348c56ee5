//! Stepwell: work that a language model does in steps and a person signs off.
//!
//! Data goes one way: a definition is found ([`catalog`]), a run of it begins ([`engine`]), a flow says which calls come
//! next ([`flow`]), the steps perform them ([`steps`], [`models`], [`tools`]), the journal keeps what happened
//! ([`store`]), and a front end shows the fold of that and appends a person's decisions. What all front ends do with runs
//! is in [`app`]. The words are those of [`core`].
//!
//! The front ends of the program, its command line and its full-screen interface, are no part of the library. A program
//! that embeds it builds an engine, starts runs, follows them and decides:
//!
//! ```
//! use std::sync::Arc;
//!
//! use stepwell::Builder;
//! use stepwell::app::{follow::Follower, start};
//! use stepwell::catalog::{Catalog, SearchPaths};
//! use stepwell::core::decide::DecisionKind;
//! use stepwell::core::model::Delta;
//! use stepwell::engine::Update;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Runs are kept in memory; nothing is configured, so the demo model answers.
//!     let engine = Builder::new().demo().build();
//!     let poem = Catalog::load(&SearchPaths::built_in()).pin("poem")?;
//!     let inputs = serde_json::from_str(r#"{ "topic": "the sea", "stanzas": 2 }"#)?;
//!     let run = engine.start(&start::plan(None, Arc::new(poem), inputs, ".".into(), start::Terms::default()))?;
//!
//!     let mut follower = Follower::open(&engine, run)?;
//!     // Whatever waits for a review is accepted: here a person would decide.
//!     engine.drive_with_policy(run, Arc::new(|_, _| Some(DecisionKind::Accept)))?;
//!     loop {
//!         match follower.next().await? {
//!             Update::Delta { delta: Delta::Text(text), .. } => print!("{}", text.block()),
//!             Update::Stopped(_) => break,
//!             _ => {}
//!         }
//!     }
//!     let result = follower.run().result.as_ref().ok_or("it has no result")?;
//!     println!("\n# {}\n\n{}", result.title.line(), result.body.block());
//!     Ok(())
//! }
//! ```

pub mod app;
pub mod catalog;
mod cli;
mod config;
pub mod core;
mod embed;
pub mod engine;
pub mod export;
pub mod flow;
pub mod models;
mod process;
pub mod steps;
pub mod store;
pub mod tools;
#[doc(hidden)]
pub mod tui;
mod wiring;

pub use embed::Builder;

/// The program: its arguments, logs and panic hook. Gives its exit code.
#[doc(hidden)]
#[must_use]
pub fn main() -> u8 {
    let paths = match config::Paths::find() {
        Ok(paths) => paths,
        Err(error) => return cli::homeless(error),
    };
    wiring::catch_panics(paths.clone());
    cli::main(&cli::App::new(paths.clone(), Box::new(wiring::Wiring(paths))))
}
