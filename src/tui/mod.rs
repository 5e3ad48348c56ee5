//! The full-screen terminal interface.

pub mod markdown;
pub mod text;
pub mod theme;
