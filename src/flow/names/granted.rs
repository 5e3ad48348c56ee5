//! The inputs as a template sees them that may have secrets: by name, and not when they are looked through.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// Inputs, of which some are only found by their names.
#[derive(Debug)]
pub struct Granted {
    /// What is found either way.
    pub open: Value,
    /// The others.
    pub secrets: BTreeMap<String, Value>,
}

impl Object for Granted {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let secret = key.as_str().and_then(|name| self.secrets.get(name).cloned());
        secret.or_else(|| self.open.get_item(key).ok().filter(|value| !value.is_undefined()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.open.try_iter().into_iter().flatten().collect())
    }
}
