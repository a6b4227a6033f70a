//! Monotonic virtual time. It advances a little with every scheduling point, jumps to the next deadline when
//! no task can run, and jumps now and then when one can (see `Settings`).
//!
//! Outside of a life it is the time of the operating system.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "outside of a life this is the production runtime's door to time"
)]

use std::sync::OnceLock;
use std::time::Duration;

use crate::life;
use crate::op::{Op, OpKind};

/// A point in monotonic time: nanoseconds since the start of the life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// From nanoseconds since the start of the clock.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of the clock.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the time from `earlier` to this, zero if `earlier` is the later one.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This much later; the end of time if that is too far.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Returns the time now.
pub fn now() -> Instant {
    life::point(Op::new(OpKind::Now, "", 0));
    life::with_core(|core| Instant(core.now())).unwrap_or_else(outside_now)
}

/// Returns the time now, for observers and for clients that are not themselves under test: no scheduling
/// point.
pub fn glance() -> Instant {
    life::with_core(|core| Instant(core.now())).unwrap_or_else(outside_now)
}

/// Blocks for at least this long.
pub fn sleep(duration: Duration) {
    if !life::sleep(duration) {
        std::thread::sleep(duration);
    }
}

fn outside_now() -> Instant {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    Instant(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}
