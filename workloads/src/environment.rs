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

    /// The clock by which the store lets keys expire. It may jump.
    fn wall(&self) -> Duration {
        self.now()
    }

    /// The latest time that a store can have seen on that clock. A store does not let its time go back, so
    /// where the clock was set back, the store's time lies between this and [`Self::wall`].
    fn wall_latest(&self) -> Duration {
        self.wall()
    }
}
