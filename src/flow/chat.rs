//! chat
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::flow::{Flow, Session};
use std::sync::Arc;
/// Chat.
pub struct Chat;
impl Chat {
    /// New.
    pub fn new(_: Arc<Pinned>) -> Self {
        Self
    }
}
impl Flow for Chat {
    fn open(&self, _: &Run) -> Box<dyn Session> {
        unimplemented!()
    }
}
