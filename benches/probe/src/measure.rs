//! Runs a piece of work on threads for a while, or a number of times.

use std::fmt;
use std::time::Duration;

use rt::sync::Arc;
use rt::sync::atomic::{AtomicBool, Ordering};

/// What came out of one measurement.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figure {
    /// Per second, of all threads together.
    pub(crate) rate: f64,
    /// The slowest operation, where each was timed.
    pub(crate) worst: Option<Duration>,
    /// Attempts beyond the first, in all and the most for one operation.
    pub(crate) retries: Option<(u64, u64)>,
    /// Of each operation: the median, 99 %, 99.9 %, in nanoseconds.
    pub(crate) latencies: Option<[u32; 3]>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.0} /s {:>9.1} ns", self.rate, 1e9 / self.rate)?;
        if let Some(worst) = self.worst {
            write!(f, "  worst {worst:?}")?;
        }
        if let Some((all, most)) = self.retries {
            write!(f, "  retries {all}, most {most}")?;
        }
        if let Some([median, most, nearly_all]) = self.latencies {
            write!(f, "  50 % {median} ns, 99 % {most} ns, 99.9 % {nearly_all} ns")?;
        }
        Ok(())
    }
}

/// How long, or how often.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    After(Duration),
    Times(u64),
}

/// What a thread has done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) count: u64,
    pub(crate) worst: Option<Duration>,
    pub(crate) retries: Option<(u64, u64)>,
    /// Nanoseconds of each operation.
    pub(crate) latencies: Vec<u32>,
}

/// Runs `body` on threads, each with its number, until it is told to stop; it returns what it has done.
pub(crate) fn on_threads(
    threads: u64,
    until: Until,
    body: impl Fn(u64, &dyn Fn(u64) -> bool) -> Done + Clone + Send + 'static,
) -> (Figure, u64) {
    let stop = Arc::new(AtomicBool::new("stop", false));
    let start = rt::time::now();
    let (times, threads) = match until {
        Until::After(_) => (u64::MAX, threads),
        Until::Times(times) => (times, 1),
    };
    let spawned: Vec<_> = (0..threads)
        .map(|number| {
            let (stop, body) = (Arc::clone(&stop), body.clone());
            rt::thread::spawn("probe", move || {
                body(number, &|done| done < times && !stop.load(Ordering::Relaxed))
            })
            .expect("a thread")
        })
        .collect();
    if let Until::After(duration) = until {
        rt::time::sleep(duration);
        stop.store(true, Ordering::Relaxed);
    }
    let mut all = Done::default();
    for thread in spawned {
        let done = thread.join().expect("a thread that does not panic");
        all.count += done.count;
        all.worst = all.worst.max(done.worst);
        all.latencies.extend(done.latencies);
        all.retries = match (all.retries, done.retries) {
            (Some(a), Some(b)) => Some((a.0 + b.0, a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
    let seconds = rt::time::now().saturating_since(start).as_secs_f64();
    all.latencies.sort_unstable();
    let part = |part: f64| all.latencies[((all.latencies.len() - 1) as f64 * part) as usize];
    let latencies = (!all.latencies.is_empty()).then(|| [part(0.5), part(0.99), part(0.999)]);
    let rate = all.count as f64 / seconds;
    (Figure { rate, worst: all.worst, retries: all.retries, latencies }, all.count)
}
