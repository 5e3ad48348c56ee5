//! The full-screen terminal interface.

pub mod canvas;
pub mod commands;
pub mod diff;
pub mod effect;
pub mod frame;
pub mod keys;
pub mod markdown;
pub mod message;
pub mod osc;
pub mod runtime;
pub mod screens;
pub mod situation;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod text;
pub mod theme;
pub mod widgets;
