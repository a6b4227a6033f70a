//! What a client needs of the world beside the store: time.
//!
//! Job: the door through which a host (a simulation, a test, a run on real threads) lends its time to this
//! crate, which has no runtime of its own. Not its job: random numbers. Whatever a client decides at random
//! comes from the seeds in its plan.

use std::time::Duration;

/// Time, as the host has it.
pub trait Environment {
    /// Monotonic time since some start.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration);

    /// Returns the clock by which the store lets keys expire. It may jump.
    fn wall(&self) -> Duration {
        self.now()
    }

    /// Returns what the store may take for the time, at least and at most: where that clock has jumped it is
    /// not what the clock shows.
    fn store_time(&self) -> [Duration; 2] {
        [self.wall(); 2]
    }

    /// Returns the latest that it may ever have taken for the time, in earlier lives too: what has expired
    /// then and was deleted stays deleted.
    fn store_time_ever(&self) -> Duration {
        self.store_time()[1]
    }
}
