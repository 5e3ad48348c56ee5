//! Widgets: pieces of state with a pure way to change and a pure way to be painted. None knows a screen.

pub mod editor;
pub mod field;
pub mod find;
pub mod footer;
pub mod header;
pub mod line;
pub mod list;
pub mod scroll;
pub mod stacked;
pub mod strip;
pub mod tree_editor;
