//! The store as the engine and a person meet it: what is written stays, what is asked for is found, and what cannot be
//! used says why.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly, its helpers too")]

mod store {
    pub mod common;
    mod damage;
    mod history;
    mod journal;
    mod kept;
    mod log;
    mod older;
    mod projections;
}
