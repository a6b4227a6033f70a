//! What a client needs of the world beside the store: time.
//!
//! Job: the interface through which a host (a simulation, a test, a run on real threads) provides time to
//! this crate, which has no runtime of its own. Not its job: random numbers. What a client decides at random
//! comes from the seeds in its plan.

use std::time::Duration;

/// The clocks of the host.
pub trait Environment {
    /// Monotonic time since some start.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration);

    /// Returns whether calls may end without an answer, as the process may die or the disk fail.
    fn may_crash(&self) -> bool {
        true
    }

    /// Returns the clock by which the store lets keys expire. It may jump.
    fn wall(&self) -> Duration {
        self.now()
    }

    /// Returns the earliest and the latest time that the store may assume: after a jump of that clock they
    /// are not what it shows.
    fn store_time(&self) -> [Duration; 2] {
        [self.wall(); 2]
    }

    /// Returns the latest time that the store may ever have assumed, in earlier lives too: what had expired
    /// by then and was deleted stays deleted.
    fn store_time_ever(&self) -> Duration {
        self.store_time()[1]
    }
}
