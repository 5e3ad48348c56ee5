//! What a provider has to be sent back with a turn that called tools, such as thoughts that it signed.
//!
//! It carries the name of the model that it came from, and goes back to that model alone: another one would refuse what it
//! has not signed itself.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::core::model::Message;

use super::dialect::RequestContext;

const OF: &str = "of";
const KEPT: &str = "kept";

/// What was kept of a turn of `target`, `PROVIDER/MODEL`.
pub(super) fn tagged(target: &str, kept: &Value) -> Arc<Value> {
    Arc::new(json!({ OF: target, KEPT: kept }))
}

/// What a message has for the model that is asked, where that takes it.
pub(super) fn kept<'a>(message: &'a Message, context: &RequestContext<'_>) -> Option<&'a Map<String, Value>> {
    let opaque = message.opaque.as_ref().filter(|_| !context.unsupported.opaque)?;
    opaque.get(KEPT).filter(|_| opaque.get(OF).is_some_and(|of| of == context.target))?.as_object()
}
