//! Configuration: where things lie, what the person set, and where secrets come from.
//!
//! Layers, later ones win: built-in defaults, the config file, the environment, flags (which the front end lays over
//! the result itself). It reads one file and the environment, writes nothing, and never prints a secret.

pub mod paths;
