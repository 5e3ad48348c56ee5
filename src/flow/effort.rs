//! How much a look of a flow costs, counted for the tests: that a run of a thousand calls costs each event no more than a
//! short one is tested without a clock. Outside of tests nothing is counted.

#[cfg(test)]
thread_local! {
    static SPENT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts so many pieces of work: a call that is looked at, what it depends on, an expression that is evaluated.
pub(super) fn spend(pieces: usize) {
    #[cfg(test)]
    SPENT.set(SPENT.get() + pieces);
    #[cfg(not(test))]
    let _ = pieces;
}

/// What was counted on this thread since the last time.
#[cfg(test)]
pub(super) fn spent() -> usize {
    SPENT.take()
}
