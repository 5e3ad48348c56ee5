//! What a run may still spend, as its attempts see it while they are under way.
//!
//! Before an attempt begins, the loop reserves what its first request is expected to use ([`super::ready`]). An attempt
//! that sends more requests (a repair, the continuation of a cut answer) raises what is reserved for it first, and sends
//! none that the budget does not allow. What an ended attempt had reserved counts until the loop has counted what it used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::core::key::Key;
use crate::core::ports::MaySpend;
use crate::core::usage::{Budget, Usage};

/// Shared by the loop and the attempts of one run.
#[derive(Default)]
pub struct Spending(Mutex<Ledger>);

#[derive(Default)]
struct Ledger {
    budget: Budget,
    spent: Usage,
    reserved: HashMap<Key, Usage>,
}

impl Spending {
    /// The loop's view: what was spent, and what is under way or about to begin, with what was reserved for it then.
    pub fn update<'a>(&self, budget: Budget, spent: Usage, begun: impl Iterator<Item = (&'a Key, Usage)>) {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut raised = std::mem::take(&mut ledger.reserved);
        ledger.reserved = begun.map(|(key, estimate)| (key.clone(), raised.remove(key).unwrap_or(estimate))).collect();
        (ledger.budget, ledger.spent) = (budget, spent);
    }

    /// What is reserved for an attempt that has raised it.
    pub fn reserved(&self, key: &Key) -> Option<Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reserved.get(key).copied()
    }

    /// How the attempt at `key` asks for more.
    pub fn asks(self: &Arc<Self>, key: Key) -> MaySpend {
        let spending = Arc::clone(self);
        Arc::new(move |used, next| spending.raise(&key, used, next))
    }

    fn raise(&self, key: &Key, used: Usage, next: Usage) -> bool {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mine = used;
        mine += next;
        let mut all = mine;
        ledger.reserved.iter().filter(|(other, _)| *other != key).for_each(|(_, usage)| all += *usage);
        let allowed = ledger.budget.allows(ledger.spent, all);
        if allowed {
            ledger.reserved.insert(key.clone(), mine);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(output_tokens: u64) -> Usage {
        Usage { output_tokens, ..Usage::default() }
    }

    #[test]
    fn attempts_beside_each_other_never_reserve_more_than_there_is() {
        let spending = Arc::new(Spending::default());
        let (a, b): (Key, Key) = ("a".parse().unwrap(), "b".parse().unwrap());
        let budget = Budget { tokens: Some(100), usd: None };
        let begun = [(&a, tokens(20)), (&b, tokens(20))];
        spending.update(budget, tokens(30), begun.into_iter());
        let (more_a, more_b) = (spending.asks(a.clone()), spending.asks(b.clone()));
        assert!(more_a(tokens(20), tokens(20)), "30 spent, 40 for a, 20 for b");
        assert!(!more_b(tokens(20), tokens(20)), "110 would be too much");
        assert!(more_b(tokens(10), tokens(20)), "100 is not");

        spending.update(budget, tokens(30), begun.into_iter());
        assert_eq!(spending.reserved(&a), Some(tokens(40)), "what was raised stays while it is under way");
        spending.update(budget, tokens(55), [(&b, tokens(20))].into_iter());
        assert_eq!(spending.reserved(&a), None);
        assert!(more_b(tokens(25), tokens(20)));
        assert!(!more_b(tokens(26), tokens(20)));
    }

    #[test]
    fn without_a_budget_everything_is_allowed() {
        let spending = Arc::new(Spending::default());
        assert!(spending.asks("a".parse().unwrap())(tokens(1_000_000), tokens(1_000_000)));
    }
}
