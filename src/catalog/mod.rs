//! Definitions: found, decoded, checked, trusted and pinned.
//!
//! It reads files and promises that nothing which a definition says can stop the others from being listed. It runs
//! nothing, and it never reads outside a definition's own folder on that definition's word.

pub mod check;
pub mod decode;
mod discover;
pub mod folder;
pub mod folders;
pub mod inputs;
pub mod library;
mod own_files;
mod pin;
pub mod scaffold;
pub mod trust;

pub use discover::{Catalog, DefinitionSource, Entry, SearchPaths, Unknown, definitions_at};
pub use pin::{Checked, NothingThere, PinError};

#[cfg(test)]
mod tests;
