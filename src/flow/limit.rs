//! `max_calls`: a run that has made as many calls as it may fails before it makes another.

use crate::core::failure::{Failure, FailureClass};
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::text::counted;
use crate::flow::{End, Wants};

/// Leaves of what is wanted as much as may still be made; nothing, and the end of the run, when that is none.
pub fn hold(run: &Run, max_calls: usize, wants: &mut Wants) {
    // Far from the limit nothing needs to be counted. Actions on documents are a person's, and count for nothing.
    if run.calls.len() + wants.calls.len() <= max_calls {
        return;
    }
    let begun = |key: &Key| run.call(key).is_some_and(|call| !call.attempts.is_empty());
    let made = run.flow_calls().filter(|call| !call.attempts.is_empty()).count();
    let mut left = max_calls.saturating_sub(made);
    let refused = wants.calls.iter().find(|want| !begun(&want.key)).filter(|_| left == 0).map(|want| want.key.clone());
    if let Some(key) = refused {
        let message = format!("the run has made {}, as many as `max_calls` allows", counted(made, "call"));
        wants.end = Some(End::Failed { key: Some(key), failure: Failure::new(FailureClass::Definition, message) });
        wants.calls.clear();
        return;
    }
    wants.calls.retain(|want| {
        let new = !begun(&want.key);
        let may = !new || left > 0;
        left -= usize::from(new && may);
        may
    });
}
