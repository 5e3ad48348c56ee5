//! What several tests need. Each test binary uses a part of it.
#![allow(dead_code, reason = "every test binary uses another part")]

pub mod model_server;
