//! The deadlines of definitions that were read, so that a list of runs does not read theirs for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::deadline::Deadlines;
use crate::core::fingerprint::Fingerprint;

/// Of no more definitions than this are they kept; then all are forgotten, and read again where they are asked for.
const MOST: usize = 256;

/// Deadlines by definition.
#[derive(Default)]
pub struct DeadlineCache(Mutex<HashMap<Fingerprint, Arc<Deadlines>>>);

impl DeadlineCache {
    /// Those of a definition, if it was read lately.
    pub fn get(&self, definition: &Fingerprint) -> Option<Arc<Deadlines>> {
        self.kept().get(definition).cloned()
    }

    /// Keeps those of a definition that was read.
    pub fn insert(&self, definition: Fingerprint, deadlines: Arc<Deadlines>) {
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(definition, deadlines);
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Fingerprint, Arc<Deadlines>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_definitions_are_read_it_stays_small() {
        let cache = DeadlineCache::default();
        let hash = |number: usize| Fingerprint::of_bytes(&number.to_be_bytes());
        for number in 0..5 * MOST {
            cache.insert(hash(number), Arc::default());
            assert!(cache.get(&hash(number)).is_some() && cache.kept().len() <= MOST);
        }
        assert!(cache.get(&hash(0)).is_none());
    }
}
