//! Wall time that the simulator sets.

use std::fmt;
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use stormproof_env::{Clock, UnixMillis};

/// Where a clock starts, how it drifts, and when it jumps: plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockPlan {
    /// What the clock shows at first, in milliseconds since the Unix epoch.
    pub start_ms: u64,
    /// How much too fast it goes, in millionths; negative for too slow.
    pub skew_ppm: i64,
    /// Jumps, by administrators and time services.
    pub jumps: Vec<ClockJump>,
}

/// The wall clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJump {
    /// When, in nanoseconds of virtual time since the beginning.
    pub at_ns: u64,
    /// By how much, in milliseconds; negative for backwards.
    pub by_ms: i64,
}

/// A wall clock that follows a [`ClockPlan`] over virtual time. Clones are the same clock.
#[derive(Clone)]
pub struct SimClock {
    plan: Arc<ClockPlan>,
    elapsed: Elapsed,
    /// Milliseconds set by hand, on top of the plan.
    #[expect(
        clippy::disallowed_types,
        reason = "part of the simulated world: it must not be a scheduling point, and is never held across one"
    )]
    shift: Arc<std::sync::Mutex<i64>>,
}

#[derive(Clone)]
enum Elapsed {
    #[expect(
        clippy::disallowed_types,
        reason = "part of the simulated world: it must not be a scheduling point, and is never held across one"
    )]
    ByHand(Arc<std::sync::Mutex<u64>>),
    Source(Arc<dyn Fn() -> u64 + Send + Sync>),
}

impl SimClock {
    /// A clock that only [`Self::advance`] moves.
    pub fn new(plan: ClockPlan) -> Self {
        Self { plan: Arc::new(plan), elapsed: Elapsed::ByHand(Arc::default()), shift: Arc::default() }
    }

    /// A clock that moves with `elapsed_ns`: virtual nanoseconds since the beginning.
    pub fn following(plan: ClockPlan, elapsed_ns: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let elapsed = Elapsed::Source(Arc::new(elapsed_ns));
        Self { plan: Arc::new(plan), elapsed, shift: Arc::default() }
    }

    /// Lets virtual time pass. No effect on a clock that follows a source.
    pub fn advance(&self, nanos: u64) {
        if let Elapsed::ByHand(elapsed) = &self.elapsed {
            let mut elapsed = elapsed.lock().unwrap_or_else(PoisonError::into_inner);
            *elapsed = elapsed.saturating_add(nanos);
        }
    }

    /// Sets the clock forwards, or backwards, by this many milliseconds.
    pub fn jump(&self, by_ms: i64) {
        let mut shift = self.shift.lock().unwrap_or_else(PoisonError::into_inner);
        *shift = shift.saturating_add(by_ms);
    }

    /// Sets the clock.
    pub fn set(&self, to: UnixMillis) {
        let now = i128::from(self.now().0);
        self.jump(i64::try_from(i128::from(to.0) - now).unwrap_or(i64::MAX));
    }

    fn elapsed_ns(&self) -> u64 {
        match &self.elapsed {
            Elapsed::ByHand(elapsed) => *elapsed.lock().unwrap_or_else(PoisonError::into_inner),
            Elapsed::Source(source) => source(),
        }
    }
}

impl SimClock {
    /// The latest time that it has shown so far: a reader that does not let its time go back may still be
    /// there.
    pub fn latest(&self) -> UnixMillis {
        let elapsed_ns = self.elapsed_ns();
        let past = self.plan.jumps.iter().map(|jump| jump.at_ns).filter(|at| *at <= elapsed_ns);
        past.map(|at| self.at(at.saturating_sub(1))).chain([self.now()]).max().unwrap_or(UnixMillis(0))
    }

    /// Returns what it shows after this many nanoseconds.
    fn at(&self, elapsed_ns: u64) -> UnixMillis {
        let elapsed = i128::from(elapsed_ns);
        let drift = elapsed * i128::from(self.plan.skew_ppm) / 1_000_000;
        let jumps = self.plan.jumps.iter().filter(|jump| jump.at_ns <= elapsed_ns);
        let jumped: i128 = jumps.map(|jump| i128::from(jump.by_ms)).sum();
        let shift = i128::from(*self.shift.lock().unwrap_or_else(PoisonError::into_inner));
        let now = i128::from(self.plan.start_ms) + (elapsed + drift) / 1_000_000 + jumped + shift;
        UnixMillis(u64::try_from(now.max(0)).unwrap_or(u64::MAX))
    }
}

impl Clock for SimClock {
    fn now(&self) -> UnixMillis {
        self.at(self.elapsed_ns())
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimClock").field("now", &self.now()).field("plan", &self.plan).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_drifts_jumps_and_is_set() {
        let jumps = vec![ClockJump { at_ns: 2_000_000_000, by_ms: -5_000 }];
        let clock = SimClock::new(ClockPlan { start_ms: 10_000, skew_ppm: 500_000, jumps });
        assert_eq!(clock.now(), UnixMillis(10_000));
        clock.advance(1_000_000_000);
        assert_eq!(clock.now(), UnixMillis(11_500));
        clock.advance(1_000_000_000);
        assert_eq!(clock.now(), UnixMillis(8_000));
        assert_eq!(clock.latest(), UnixMillis(12_999), "just before it was set back");
        clock.set(UnixMillis(123));
        assert_eq!(clock.clone().now(), UnixMillis(123));
        clock.jump(-1_000);
        assert_eq!(clock.now(), UnixMillis(0), "there is no time before the epoch");
    }

    #[test]
    fn a_clock_follows_its_source() {
        let clock = SimClock::following(ClockPlan::default(), || 7_000_000);
        clock.advance(1_000_000);
        assert_eq!(clock.now(), UnixMillis(7));
    }
}
