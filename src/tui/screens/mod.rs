//! Screens: each a model with a pure `update` and a `view`, made of core's types only.

pub mod chat;
pub mod form;
pub mod home;
pub mod run;
