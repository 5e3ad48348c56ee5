//! What the slots of a step come to together, kept so that an event about one of a thousand costs no look at the others.

use fixedbitset::FixedBitSet;

use super::scope::stamp;
use super::slot::Slot;
use crate::flow::effort;
use crate::flow::evaluation::Outcome;

/// The slots of a step, counted.
#[derive(Default)]
pub(super) struct Tally {
    stamps: Vec<u64>,
    sum: u64,
    waits: FixedBitSet,
    failed: FixedBitSet,
    wants: FixedBitSet,
}

impl Tally {
    /// Counts all of them, or those that were looked at since the last time.
    pub(super) fn take(&mut self, slots: &[Slot], looked: Option<&[usize]>) {
        match looked {
            Some(looked) if self.stamps.len() == slots.len() => {
                for &at in looked {
                    self.count(at, &slots[at]);
                }
            }
            _ => {
                *self = Self::default();
                self.stamps.resize(slots.len(), 0);
                for bits in [&mut self.waits, &mut self.failed, &mut self.wants] {
                    bits.grow(slots.len());
                }
                for (at, slot) in slots.iter().enumerate() {
                    self.count(at, slot);
                }
            }
        }
    }

    fn count(&mut self, at: usize, slot: &Slot) {
        effort::spend(1);
        let stamp = stamp(&(at, slot.stamp()));
        let before = std::mem::replace(&mut self.stamps[at], stamp);
        self.sum = self.sum.wrapping_sub(before).wrapping_add(stamp);
        self.waits.set(at, slot.outcome == Outcome::Waiting);
        self.failed.set(at, matches!(slot.outcome, Outcome::Failed(_)));
        self.wants.set(at, slot.may_want());
    }

    /// Changes whenever what others see of any of them does.
    pub(super) fn stamp(&self) -> u64 {
        self.sum
    }

    /// Whether any has not ended.
    pub(super) fn waits(&self) -> bool {
        !self.waits.is_clear()
    }

    /// Those that failed.
    pub(super) fn failed(&self) -> impl Iterator<Item = usize> {
        self.failed.ones()
    }

    /// Those that may want calls.
    pub(super) fn wanting(&self) -> impl Iterator<Item = usize> {
        self.wants.ones()
    }
}
