//! The rowids of events, made of the run's number and the event's, so that a run's events lie together.

use super::error::StoreError;

/// Bits for the event's number within its run: 16 million events.
const BITS: u32 = 24;

/// The rowids of some of a run's events, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowidRange {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl RowidRange {
    /// The events of run number `n` after `after`.
    pub(super) fn after(n: i64, after: u64) -> Self {
        let after = i64::try_from(after).unwrap_or(i64::MAX).min((1 << BITS) - 1);
        Self { first: (n << BITS) + after + 1, last: (n << BITS) | ((1 << BITS) - 1) }
    }

    /// All events of run number `n`.
    pub(super) fn of(n: i64) -> Self {
        Self::after(n, 0)
    }

    /// One event.
    pub(super) fn at(rowid: i64) -> Self {
        Self { first: rowid, last: rowid }
    }
}

/// The rowid of event `seq` of run number `n`.
pub(super) fn rowid(n: i64, seq: u64) -> Result<i64, StoreError> {
    match i64::try_from(seq) {
        Ok(seq) if seq < (1 << BITS) => Ok((n << BITS) | seq),
        _ => {
            Err(StoreError::TooLarge(format!("a run cannot have more than {} events: start another", (1 << BITS) - 1)))
        }
    }
}

/// The number of the event at `rowid` within its run.
pub(super) fn seq_of(rowid: i64) -> u64 {
    // The mask leaves nothing negative.
    (rowid & ((1 << BITS) - 1)).unsigned_abs()
}

/// The number of the run whose event is at `rowid`.
pub(super) fn run_of(rowid: i64) -> i64 {
    rowid >> BITS
}
