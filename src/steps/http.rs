//! http
use super::failed;
use crate::core::failure::{Failure, FailureClass};
use crate::core::ports::{Bench, Job, Performed, Secrets};
use crate::core::work::HttpWork;
use std::sync::Arc;
#[derive(Default)]
pub struct Client;
pub async fn perform(_: &Client, _: &Arc<dyn Secrets>, _: &HttpWork, _: &Job, _: &Bench) -> Performed {
    failed(Failure::new(FailureClass::Definition, "not yet"))
}
