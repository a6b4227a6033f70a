//! Wall time that the simulator sets.

use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use stormproof_env::{Clock, UnixMillis};

/// Where a clock starts, how it drifts, and when it jumps: plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockPlan {
    /// What the clock shows at first, in milliseconds since the Unix epoch.
    pub start_ms: u64,
    /// How much too fast it runs, in parts per million; negative for too slow.
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
    #[expect(
        clippy::disallowed_types,
        reason = "part of the simulated world: it must not be a scheduling point, and is never held across one"
    )]
    life: Arc<std::sync::Mutex<Life>>,
}

/// What a clock knows of the life of the store that reads it.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    /// When its opening began, and when it was open, in nanoseconds.
    begun: u64,
    opened: u64,
    /// The latest time that an earlier life may have seen.
    before: UnixMillis,
}

/// Steps of the clock up to this size are followed at once, in milliseconds (contract A5).
const FOLLOWED_MS: i128 = 2_000;

/// A clock that was ahead for less than this is not believed, in nanoseconds: a little less than the twenty
/// milliseconds that a simulated store waits.
const BELIEVED_AFTER_NS: u64 = 19_000_000;

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
    /// Creates a clock that only [`Self::advance`] moves.
    pub fn new(plan: ClockPlan) -> Self {
        Self::with(plan, Elapsed::ByHand(Arc::default()))
    }

    /// Creates a clock that moves with `elapsed_ns`: virtual nanoseconds since the beginning.
    pub fn following(plan: ClockPlan, elapsed_ns: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self::with(plan, Elapsed::Source(Arc::new(elapsed_ns)))
    }

    fn with(plan: ClockPlan, elapsed: Elapsed) -> Self {
        Self { plan: Arc::new(plan), elapsed, shift: Arc::default(), life: Arc::default() }
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
    /// Begins a life, in which a store is going to be opened.
    pub fn begin_life(&self) {
        let before = self.store_time_ever();
        *self.life() = Life { begun: self.elapsed_ns(), opened: u64::MAX, before };
    }

    /// Notes that the store of this life is open.
    pub fn opened(&self) {
        self.life().opened = self.elapsed_ns();
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the latest that a store may have taken for the time in this life or an earlier one.
    pub fn store_time_ever(&self) -> UnixMillis {
        let [_, latest] = self.store_time();
        latest.max(self.life().before)
    }

    /// Returns what the store of this life may take for the time now, at least and at most: it believes its
    /// clock when it is opened, follows small steps, believes one that is ahead for long, and otherwise goes
    /// by the monotonic clock.
    pub fn store_time(&self) -> [UnixMillis; 2] {
        let elapsed_ns = self.elapsed_ns();
        let Life { begun, opened, .. } = *self.life();
        let base = self.millis_at(elapsed_ns) - self.jumped(begun, elapsed_ns);
        // How far off by the jumps of this life the store may take the time to be.
        let mut offsets = vec![0];
        let jumps = self.plan.jumps.iter().filter(|jump| begun < jump.at_ns && jump.at_ns <= elapsed_ns);
        let jumps: Vec<_> = jumps.collect();
        for (number, jump) in jumps.iter().enumerate() {
            let off_by = self.jumped(begun, jump.at_ns);
            let until = jumps.get(number + 1).map_or(elapsed_ns, |next| next.at_ns);
            // Between two readings of the clock it may have jumped away and back.
            let as_far =
                |jump: &&&ClockJump| (self.jumped(begun, jump.at_ns) - off_by).abs() <= 2 * FOLLOWED_MS;
            let since = jumps[..=number].iter().find(as_far).map_or(until, |first| first.at_ns);
            let may_be_believed = until - since >= BELIEVED_AFTER_NS && off_by > 0;
            let is_near = offsets.iter().any(|offset| (off_by - offset).abs() <= FOLLOWED_MS + 1);
            let step = i128::from(jump.by_ms);
            if step.abs() <= FOLLOWED_MS {
                let stepped: Vec<_> = offsets.iter().map(|offset| offset + step).collect();
                offsets.extend(stepped);
            }
            if jump.at_ns <= opened || may_be_believed || is_near {
                offsets.push(off_by);
            }
        }
        // The clock drifts away from the monotonic one when it is not followed, or rarely read.
        let since = jumps.first().map_or(elapsed_ns, |jump| jump.at_ns);
        let drifted = self.drift_ms(elapsed_ns) - self.drift_ms(since);
        let rarely = self.drift_ms(elapsed_ns) - self.drift_ms(begun.min(elapsed_ns));
        for drift in [drifted, if rarely.abs() >= FOLLOWED_MS / 2 { rarely } else { 0 }] {
            let steady: Vec<_> = offsets.iter().map(|offset| offset - drift).collect();
            offsets.extend(steady);
        }
        [offsets.iter().min(), offsets.iter().max()].map(|offset| {
            let millis = base + offset.copied().unwrap_or(0);
            UnixMillis(u64::try_from(millis.max(0)).unwrap_or(u64::MAX))
        })
    }

    fn drift_ms(&self, elapsed_ns: u64) -> i128 {
        i128::from(elapsed_ns) * i128::from(self.plan.skew_ppm) / 1_000_000 / 1_000_000
    }

    /// Returns how far the clock has jumped after one moment, up to and with another.
    fn jumped(&self, after: u64, until: u64) -> i128 {
        let jumps = self.plan.jumps.iter().filter(|jump| after < jump.at_ns && jump.at_ns <= until);
        jumps.map(|jump| i128::from(jump.by_ms)).sum()
    }

    /// Returns what it shows after this many nanoseconds.
    fn at(&self, elapsed_ns: u64) -> UnixMillis {
        UnixMillis(u64::try_from(self.millis_at(elapsed_ns).max(0)).unwrap_or(u64::MAX))
    }

    /// Returns what it would show if there was a time before the epoch.
    fn millis_at(&self, elapsed_ns: u64) -> i128 {
        let elapsed = i128::from(elapsed_ns);
        let drift = elapsed * i128::from(self.plan.skew_ppm) / 1_000_000;
        let jumps = self.plan.jumps.iter().filter(|jump| jump.at_ns <= elapsed_ns);
        let jumped: i128 = jumps.map(|jump| i128::from(jump.by_ms)).sum();
        let shift = i128::from(*self.shift.lock().unwrap_or_else(PoisonError::into_inner));
        i128::from(self.plan.start_ms) + (elapsed + drift) / 1_000_000 + jumped + shift
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
        clock.set(UnixMillis(123));
        assert_eq!(clock.clone().now(), UnixMillis(123));
        clock.jump(-1_000);
        assert_eq!(clock.now(), UnixMillis(0), "there is no time before the epoch");
    }

    #[test]
    fn a_store_takes_for_the_time_what_its_clock_showed_at_the_open_and_what_it_could_follow_since() {
        let jump = |at_ms: u64, by_ms| ClockJump { at_ns: at_ms * 1_000_000, by_ms };
        let jumps = vec![jump(10, 50_000), jump(12, -50_000), jump(40, -1_000), jump(60, 9_000)];
        let clock = SimClock::new(ClockPlan { start_ms: 100_000, skew_ppm: 0, jumps });
        let millis = |clock: &SimClock| clock.store_time().map(|end| end.0);
        clock.begin_life();
        clock.opened();
        clock.advance(11_000_000);
        assert_eq!((millis(&clock), clock.now().0), ([100_011; 2], 150_011), "in doubt");
        let other = clock.clone();
        other.begin_life();
        other.opened();
        clock.advance(2_000_000);
        assert_eq!(millis(&clock), [150_013; 2], "what was shown at the open is believed");
        clock.advance(28_000_000);
        assert_eq!(millis(&clock), [149_041, 150_041], "a small step may be followed");
        clock.advance(40_000_000);
        clock.begin_life();
        clock.opened();
        assert_eq!(millis(&clock), [108_081; 2]);
        assert_eq!(clock.store_time_ever().0, 150_081, "in the life before it was later");
    }

    #[test]
    fn a_clock_that_is_ahead_for_long_may_be_believed() {
        let jumps = vec![ClockJump { at_ns: 10_000_000, by_ms: 50_000 }];
        let clock = SimClock::new(ClockPlan { start_ms: 0, skew_ppm: 100_000, jumps });
        clock.begin_life();
        clock.opened();
        clock.advance(20_000_000);
        assert_eq!(clock.store_time().map(|end| end.0), [21, 22], "by either clock");
        clock.advance(20_000_000);
        assert_eq!(clock.store_time().map(|end| end.0), [41, 50_044]);
    }

    #[test]
    fn a_clock_follows_its_source() {
        let clock = SimClock::following(ClockPlan::default(), || 7_000_000);
        clock.advance(1_000_000);
        assert_eq!(clock.now(), UnixMillis(7));
    }
}
