//! Definitions: found, decoded, checked, trusted and pinned.
//!
//! It reads files and promises that nothing which a definition says can stop the others from being listed. It runs
//! nothing, and it never reads outside a definition's own folder on that definition's word.

pub mod decode;
mod discover;
pub mod folder;
pub mod library;
pub mod trust;

pub use discover::{Catalog, Entry, Places, Source, Unknown, definitions_at};

#[cfg(test)]
mod tests;
