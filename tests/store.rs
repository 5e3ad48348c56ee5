//! The store as the engine and a person meet it: what is written stays, what is asked for is found, and what cannot be
//! used says why.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly, its helpers too")]

#[path = "support/patience.rs"]
#[allow(dead_code, reason = "other tests use another part")]
mod patience;

mod store {
    pub mod common;
    mod contract;
    mod damage;
    mod journal;
    mod log;
    mod older;
    mod projections;
    pub mod random;
    mod state;
}
