//! Which calls come after another, as the steps are declared: whatever a run has made of them.

use super::{Plan, ancestors};
use crate::core::key::{Key, Segment};

impl Plan {
    /// Whether a call comes after another: it, or a step around it, waits for that one or for a step around it. One that lies
    /// within the other does.
    #[must_use]
    pub fn follows(&self, key: &Key, other: &Key) -> bool {
        self.comes_after(key.segments(), other.segments())
    }

    fn comes_after(&self, key: &[Segment], other: &[Segment]) -> bool {
        let (Some((first, inside)), Some((then, inside_other))) = (key.split_first(), other.split_first()) else {
            return true;
        };
        // What is not declared any more may have come of anything.
        let (Some(&at), Some(&at_other)) = (self.by_id.get(&first.id), self.by_id.get(&then.id)) else { return true };
        if at != at_other {
            return ancestors(&self.nodes, at_other).contains(&at);
        }
        let node = &self.nodes[at];
        if first.item != then.item {
            return node.step.rules.for_each.as_ref().is_some_and(|list| list.one_by_one) && first.item < then.item;
        }
        if first.iteration != then.iteration {
            return first.iteration < then.iteration;
        }
        node.does.inner().is_none_or(|plan| plan.comes_after(inside, inside_other))
    }
}
