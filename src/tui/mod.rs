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
pub mod situation;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod widgets;
