//! The time of this machine, as clients see it.

use std::time::Duration;

use stormproof_env::{Clock, SystemClock, UnixMillis};
use stormproof_rt as rt;
use stormproof_workloads::Environment;

/// The time of this machine, for clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealTime {
    before: Duration,
}

impl RealTime {
    /// Creates a clock that goes on after what has passed in other processes, so that time never goes back
    /// from one life to the next.
    pub const fn after(before: Duration) -> Self {
        Self { before }
    }
}

impl Environment for RealTime {
    fn now(&self) -> Duration {
        self.before + Duration::from_nanos(rt::time::now().as_nanos())
    }

    fn sleep(&self, duration: Duration) {
        // Below that, the system takes longer to wake a thread than it was to sleep.
        if duration < Duration::from_micros(50) {
            rt::thread::yield_now();
        } else {
            rt::time::sleep(duration);
        }
    }

    fn wall(&self) -> Duration {
        let UnixMillis(millis) = SystemClock.now();
        Duration::from_millis(millis)
    }
}
