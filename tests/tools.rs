//! Servers of tools: one of our own that misbehaves on request, over stdio and HTTP, and the reference servers where npm
//! is there.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may fail loudly too")]

#[path = "tools/calls.rs"]
mod calls;
#[path = "tools/fixture.rs"]
mod fixture;
#[path = "tools/http.rs"]
mod http;
#[path = "tools/life.rs"]
mod life;
#[path = "tools/lists.rs"]
mod lists;
#[path = "tools/reference.rs"]
mod reference;
#[path = "tools/secrets.rs"]
mod secrets;
