//! The full-screen terminal interface: the only module that knows ratatui and crossterm.
//!
//! Data goes one way. The terminal, the engine and the clock give [`message::Message`]s to a screen's `update`, which is
//! pure and gives [`effect::Effect`]s as data; `view` paints the screen as a function of model, theme and area, and tells
//! what it showed ([`canvas::FrameInfo`]), so that a key answers only what was on screen. [`runtime`] is the one loop,
//! [`frame`] says when to draw, [`terminal`] keeps the modes. Which key does what is one table: [`commands`].
//!
//! It promises: nothing is drawn unless something changed; text from outside reaches a cell only through
//! `core::text::Untrusted`; the terminal is restored on every way out. It may not import `models`, `store` or `flow`,
//! and never prints while it runs.

mod app;
pub mod asides;
pub mod canvas;
pub mod commands;
pub mod diff;
pub mod documents;
pub mod drafts;
pub mod effect;
pub mod failure_panel;
pub mod frame;
pub mod glance;
pub mod keys;
pub mod layers;
pub mod looks;
pub mod markdown;
pub mod message;
pub mod osc;
pub mod quote;
pub mod runtime;
pub mod screens;
pub mod shown;
pub mod situation;
pub mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod text;
pub mod theme;
mod tool_calls;
pub mod versions;
pub mod widgets;

pub use app::{Open, Parts, TuiError, run};
