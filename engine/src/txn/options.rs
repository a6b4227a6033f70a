//! How a transaction runs.

use std::time::Duration;

use crate::types::Isolation;

/// How a transaction runs. What is not set is taken from the settings of the database.
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use std::time::Duration;
/// use stormproof::{Isolation, RetryPolicy, TransactionOptions};
///
/// let options = TransactionOptions::new()
///     .isolation(Isolation::Snapshot)
///     .timeout(Duration::from_secs(2))
///     .retry(RetryPolicy::new().attempts_max(5))
///     .writes_max(1_000)
///     .bytes_max(1 << 20);
/// db.transaction_with(run, &options, |txn| txn.put("key", 1_i64))?;
///
/// let reading = TransactionOptions::new().read_only();
/// assert_eq!(db.transaction_with(run, &reading, |txn| txn.get("key"))?, Some(1_i64));
/// # Ok::<(), stormproof::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionOptions {
    pub(crate) isolation: Option<Isolation>,
    pub(crate) read_only: bool,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) writes_max: Option<usize>,
    pub(crate) bytes_max: Option<usize>,
}

impl TransactionOptions {
    /// Creates options that leave everything to the settings of the database.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the transaction is protected from.
    #[must_use]
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// Refuses writes. Such a transaction tracks no reads and never conflicts.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Sets how often, and after which pauses, a closure is run again after a conflict.
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Aborts the transaction once it has run for this long: for a closure, all attempts and pauses together.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Aborts the transaction if it would write more keys than this.
    #[must_use]
    pub const fn writes_max(mut self, writes: usize) -> Self {
        self.writes_max = Some(writes);
        self
    }

    /// Aborts the transaction if it would buffer more bytes (keys and values) than this.
    #[must_use]
    pub const fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = Some(bytes);
        self
    }
}

/// When a closure is run again after a conflict.
///
/// The first `immediate` retries follow at once, as most conflicts are over by then. The pause before the
/// next one is drawn uniformly from zero to `pause_min`, and its upper bound doubles up to `pause_max` ("full
/// jitter": exponential backoff spread over the whole interval, so that closures that collided do not meet
/// again).
///
/// No closure starves: one that has lost `alone_after` times queues, and the first of the queue reserves the
/// keys and ranges that it has lost. Commits by others that write any of these wait until it is through. From
/// then on it loses at most once to each other thread, and as often again when it loses something new. Waits
/// are bounded by the *wait limit*, four times `pause_max`: so a closure that runs other transactions can't
/// block itself, and one that takes longer than the wait limit may lose again.
///
/// ```
/// use stormproof::RetryPolicy;
///
/// use std::time::Duration;
///
/// assert_eq!(RetryPolicy::never().attempts_max, 1);
/// let patient = RetryPolicy::new()
///     .attempts_max(u32::MAX)
///     .immediate(1)
///     .pause_min(Duration::from_micros(50))
///     .pause_max(Duration::from_millis(20))
///     .alone_after(10);
/// assert!(patient.alone_after < patient.attempts_max);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, the first one included; at least 1.
    pub attempts_max: u32,
    /// Retries without a pause.
    pub immediate: u32,
    /// Upper bound of the first pause.
    pub pause_min: Duration,
    /// Upper bound of every pause.
    pub pause_max: Duration,
    /// After this number of conflicts a closure queues, to run before all others that write what it has lost;
    /// `u32::MAX`: never.
    pub alone_after: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 10_000,
            immediate: 3,
            pause_min: Duration::from_micros(20),
            pause_max: Duration::from_millis(5),
            alone_after: 6,
        }
    }
}

impl RetryPolicy {
    /// Returns the default: many attempts, pauses of up to 5 ms.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the attempts in all, the first one included; at least 1.
    #[must_use]
    pub const fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = attempts;
        self
    }

    /// Sets the number of retries without a pause.
    #[must_use]
    pub const fn immediate(mut self, retries: u32) -> Self {
        self.immediate = retries;
        self
    }

    /// Sets the upper bound of the first pause.
    #[must_use]
    pub const fn pause_min(mut self, pause: Duration) -> Self {
        self.pause_min = pause;
        self
    }

    /// Sets the upper bound of every pause.
    #[must_use]
    pub const fn pause_max(mut self, pause: Duration) -> Self {
        self.pause_max = pause;
        self
    }

    /// Sets after how many conflicts a closure queues for a reservation of what it has lost; `u32::MAX`:
    /// never.
    #[must_use]
    pub const fn alone_after(mut self, conflicts: u32) -> Self {
        self.alone_after = conflicts;
        self
    }

    /// Returns the policy that runs a closure once.
    pub fn never() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }
}

/// The limits of a transaction: its own, or those of the database.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) timeout: Option<Duration>,
    pub(crate) writes_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) key_bytes_max: usize,
}
