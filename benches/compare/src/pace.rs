//! How long a measurement runs, and what it counts.

use std::time::Duration;

use rt::sync::Arc;
use rt::time::{Instant, now};

use crate::outcome::Result;

/// How long, and in steps of how many operations between two looks at the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) time: Duration,
    pub(crate) step: u64,
}

/// How many operations in which time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    pub(crate) operations: u64,
    pub(crate) elapsed: Duration,
    /// Aborted attempts, each followed by another one.
    pub(crate) aborted: u64,
    /// The longest that one operation took, where that was looked at.
    pub(crate) worst: Duration,
}

impl Rate {
    pub(crate) fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn nanoseconds(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e9 / self.operations as f64
    }

    /// The share of attempts that were aborted.
    pub(crate) fn aborted_share(&self) -> f64 {
        self.aborted as f64 / (self.aborted + self.operations).max(1) as f64
    }
}

impl Pace {
    /// Runs `operation`, which returns its aborted attempts, until the time is over.
    pub(crate) fn run(&self, mut operation: impl FnMut() -> Result<u64>) -> Result<Rate> {
        let start = now();
        let mut rate = Rate::default();
        while rate.elapsed < self.time {
            for _ in 0..self.step {
                rate.aborted += operation()?;
            }
            rate.operations += self.step;
            rate.elapsed = now().saturating_since(start);
        }
        Ok(rate)
    }

    /// Like [`run`](Self::run), with a look at the clock around each operation.
    pub(crate) fn run_timed(&self, mut operation: impl FnMut() -> Result<u64>) -> Result<Rate> {
        let start = now();
        let mut rate = Rate::default();
        let mut before = start;
        while rate.elapsed < self.time {
            rate.aborted += operation()?;
            rate.operations += 1;
            let after = now();
            rate.worst = rate.worst.max(after.saturating_since(before));
            rate.elapsed = after.saturating_since(start);
            before = after;
        }
        Ok(rate)
    }
}

/// Runs `body` in this number of threads and adds up what they count, over the time from the first start to
/// the last end.
pub(crate) fn threads<T: Send + Sync + 'static>(
    shared: &Arc<T>,
    count: usize,
    body: fn(&T, usize) -> Result<Rate>,
) -> Result<Rate> {
    let start: Instant = now();
    let spawn = |thread| {
        let shared = Arc::clone(shared);
        rt::thread::spawn("client", move || body(&shared, thread))
    };
    let handles = (0..count).map(spawn).collect::<std::io::Result<Vec<_>>>()?;
    let mut total = Rate::default();
    for handle in handles {
        let rate = handle.join().map_err(|_| "a client panicked")??;
        total.operations += rate.operations;
        total.aborted += rate.aborted;
        total.worst = total.worst.max(rate.worst);
    }
    total.elapsed = now().saturating_since(start);
    Ok(total)
}
