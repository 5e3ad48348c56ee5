//! What the interface draws, looked at from outside of its screens.

mod pictures;
