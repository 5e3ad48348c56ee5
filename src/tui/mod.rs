//! The full-screen terminal interface.

pub mod canvas;
pub mod commands;
pub mod diff;
pub mod keys;
pub mod markdown;
pub mod situation;
pub mod text;
pub mod theme;
pub mod widgets;
