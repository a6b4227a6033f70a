//! The cost of operations of a transaction in steps, counted in tests: comparisons of keys, hashes of events,
//! sizes of appends, visits of own writes. Whatever goes over all that a transaction has read or would write
//! takes such steps, and must not do so for each operation.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts a step of this thread.
#[cfg(test)]
pub(crate) fn step() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// Counts nothing but in tests.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn step() {}

/// Returns how many steps of this thread `work` takes.
#[cfg(test)]
pub(crate) fn of(work: impl FnOnce()) -> u64 {
    let before = STEPS.with(std::cell::Cell::get);
    work();
    STEPS.with(std::cell::Cell::get) - before
}
