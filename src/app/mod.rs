//! What every front end does with runs, between the engine and the front ends.
//!
//! Promises: one way to do each thing, whichever front end asks for it; what a person has to be asked (a model to agree to,
//! an input that is missing) is returned as data, and errors have the codes of [`crate::core::code`]. May not: know a
//! terminal, arguments or a screen, print anything, or ask anybody.

pub mod consent;
pub mod definitions;
pub mod documents;
pub mod drafts;
pub mod follow;
pub mod inputs;
pub mod start;
pub mod successors;
