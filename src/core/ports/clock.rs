//! Time and randomness.

use chrono::{DateTime, Utc};

/// The time and randomness of the engine, injected so that tests decide them.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
    /// Ten random bytes.
    fn random(&self) -> [u8; 10];
}
