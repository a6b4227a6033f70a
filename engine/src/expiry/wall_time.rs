//! The wall time of an open database: the wall clock, as corrected by the monotonic clock (contract A5).
//!
//! Administrators and time services set clocks, and a clock may be wrong by fifty years for a second. So the
//! wall clock is believed when the database is opened, as there is nothing to compare it with. From then on
//! time passes as the monotonic clock says, and every reading of the wall clock is compared with that:
//!
//! ```text
//! off by up to FOLLOWED_MS   the wall clock is right, and is followed
//! ahead by more              it is in doubt: time goes on by the monotonic clock, until both agree
//!                            again, or the wall clock has stood by it for BELIEVED_AFTER_MS
//! behind by more             it is in doubt until they agree, or the database is opened again
//! ```
//! A machine that slept for an hour is an hour ahead, as its monotonic clock may have slept too; so
//! it has to be believed in the end. An hour behind is a clock that was set back: earlier answers stay true.
//!
//! INV-TIME-1: time never goes back while the database is open.

use env::{Clock, UnixMillis};
use rt::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use rt::sync::{Arc, Mutex};

/// By how much the clocks may differ since the last reading for the wall clock to be followed.
const FOLLOWED_MS: u64 = 2_000;

/// For how long a wall clock has to be ahead to be believed. Short in simulations, which last less than a
/// second.
fn believed_after_ms() -> u64 {
    if rt::probe::is_simulated() { 20 } else { 3_600_000 }
}

/// The wall time of an open database.
#[derive(Debug)]
pub(crate) struct WallTime {
    clock: Arc<dyn Clock>,
    /// Wall time minus monotonic time, modulo 2^64.
    offset: AtomicU64,
    /// The latest time that was returned.
    latest: AtomicU64,
    is_doubted: AtomicBool,
    doubt: Mutex<Option<Doubt>>,
}

/// A wall clock that is not believed, yet.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// Its time minus monotonic time, modulo 2^64.
    offset: u64,
    /// When that was first seen, in monotonic time.
    since: u64,
}

impl WallTime {
    /// Begins with what the clock shows.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let steady = steady_ms();
        let shown = clock.now().0;
        Self {
            clock,
            offset: AtomicU64::new("time.offset", shown.wrapping_sub(steady)),
            latest: AtomicU64::new("time.latest", shown),
            is_doubted: AtomicBool::new("time.is_doubted", false),
            doubt: Mutex::new("time.doubt", None),
        }
    }

    /// Returns the time now.
    pub(crate) fn now(&self) -> UnixMillis {
        let before = steady_ms();
        let shown = self.clock.now().0;
        self.at(before, shown, steady_ms())
    }

    /// Returns the time when the wall clock shows this, at some moment between two of monotonic time.
    fn at(&self, before: u64, shown: u64, after: u64) -> UnixMillis {
        let (offset, latest) = (self.offset.load(Ordering::SeqCst), self.latest.load(Ordering::SeqCst));
        let (least, most) = (before.wrapping_add(offset), after.wrapping_add(offset));
        let expected = shown.clamp(least, most.max(least));
        // Compared with what was returned, too: in many small steps a clock could be set back by any
        // distance.
        let is_near = shown.abs_diff(expected) <= FOLLOWED_MS && shown.saturating_add(FOLLOWED_MS) >= latest;
        if rt::mutant!(WallClockBelieved) {
            return UnixMillis(self.latest.fetch_max(shown, Ordering::SeqCst).max(shown));
        }
        let time = if is_near {
            if self.is_doubted.load(Ordering::SeqCst) {
                self.is_doubted.store(false, Ordering::SeqCst);
                *self.doubt.lock() = None;
                rt::reached!("the wall clock came back");
            }
            shown
        } else if self.is_believed(before, shown, expected) {
            rt::reached!("a wall clock that was ahead for long was believed");
            shown
        } else {
            least
        };
        if time == shown && shown != expected {
            let steady = if shown > expected { after } else { before };
            self.offset.store(time.wrapping_sub(steady), Ordering::SeqCst);
        }
        UnixMillis(self.latest.fetch_max(time, Ordering::SeqCst).max(time))
    }

    /// Returns whether a wall clock that is off has been ahead by as much for long.
    fn is_believed(&self, steady: u64, shown: u64, expected: u64) -> bool {
        let offset = shown.wrapping_sub(steady);
        // If several threads see it at once, one of them is enough.
        let Some(mut doubt) = self.doubt.try_lock() else { return false };
        self.is_doubted.store(true, Ordering::SeqCst);
        match &mut *doubt {
            Some(doubt) if doubt.offset.wrapping_sub(offset).cast_signed().unsigned_abs() <= FOLLOWED_MS => {
                doubt.offset = offset;
            }
            other => {
                rt::reached!("the wall clock is in doubt");
                *other = Some(Doubt { offset, since: steady });
            }
        }
        let has_stood = doubt.is_some_and(|doubt| steady.saturating_sub(doubt.since) >= believed_after_ms());
        let is_believed = has_stood && shown > expected;
        if is_believed {
            *doubt = None;
            self.is_doubted.store(false, Ordering::SeqCst);
        }
        is_believed
    }
}

fn steady_ms() -> u64 {
    rt::time::now().as_nanos() / 1_000_000
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use env::{Clock, UnixMillis};
    use rt::sync::Arc;
    use rt::sync::atomic::{AtomicU64, Ordering};
    use stormproof_faults::{DiskOptions, SimDisk};

    use super::{WallTime, believed_after_ms, steady_ms};
    use crate::database::Database;

    const YEARS: i64 = 50 * 366 * 24 * 3_600_000;

    #[derive(Debug)]
    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> UnixMillis {
            UnixMillis(1_000_000)
        }
    }

    /// Looks at clocks that are given: monotonic time since the start, and how far off the wall clock is.
    struct Looks {
        time: WallTime,
        first: u64,
    }

    impl Looks {
        fn new() -> Self {
            let time = WallTime::new(Arc::new(Fixed));
            let offset = time.offset.load(Ordering::SeqCst);
            Self { first: 1_000_000_u64.wrapping_sub(offset), time }
        }

        /// Returns the time that is answered, minus what it is if the clock was right at the start.
        fn off_by(&self, passed: u64, wall_off_by: i64) -> i64 {
            let shown = (1_000_000 + passed).saturating_add_signed(wall_off_by);
            let steady = self.first + passed;
            let told = self.time.at(steady, shown, steady).0;
            told.cast_signed() - (1_000_000 + passed).cast_signed()
        }

        fn doubted_since(&self) -> Option<u64> {
            let doubt = *self.time.doubt.lock();
            doubt.map(|doubt| doubt.since - self.first)
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_by_fifty_years_and_back_moves_nothing() {
        let looks = Looks::new();
        assert_eq!(looks.off_by(10, 0), 0);
        assert_eq!(looks.off_by(20, YEARS), 0);
        assert_eq!(looks.off_by(500, YEARS), 0, "time goes on by the monotonic clock");
        assert_eq!(looks.doubted_since(), Some(20));
        assert_eq!(looks.off_by(600, 0), 0);
        assert_eq!(looks.doubted_since(), None, "the clocks agree again");
        assert_eq!(looks.off_by(700, -YEARS), 0);
    }

    #[test]
    fn what_passes_while_the_clocks_are_looked_at_is_no_step() {
        let looks = Looks::new();
        let told = |before: u64, shown: u64, after: u64| {
            looks.time.at(looks.first + before, 1_000_000 + shown, looks.first + after).0 - 1_000_000
        };
        assert_eq!(told(10, 1_500, 1_510), 1_500, "the thread was kept off for a second and a half");
        assert_eq!(looks.off_by(1_520, YEARS), 0);
        assert_eq!(told(1_530, 9_000, 9_010), 9_000);
    }

    #[test]
    fn small_steps_are_followed_and_time_does_not_go_back() {
        let looks = Looks::new();
        assert_eq!(looks.off_by(1_000, 1_500), 1_500);
        assert_eq!(looks.off_by(2_000, 3_000), 3_000);
        assert_eq!(looks.off_by(2_100, 2_000), 2_900, "what was told stays, until the clock is there again");
        assert_eq!(looks.off_by(5_000, 2_000), 2_000);
        // In many small steps it goes no further back than in one large one.
        assert_eq!(looks.off_by(5_001, 1_000), 1_999);
        assert_eq!(looks.off_by(5_002, 0), 1_998);
        assert_eq!(looks.off_by(5_003, -1_000), 1_997);
        assert_eq!(looks.doubted_since(), Some(5_003));
    }

    #[test]
    fn a_clock_that_stays_ahead_is_believed_at_last_and_one_that_wanders_or_is_behind_is_not() {
        let looks = Looks::new();
        let long = believed_after_ms();
        looks.off_by(10, YEARS);
        looks.off_by(20, YEARS / 2);
        assert_eq!(looks.off_by(10 + long, YEARS / 2 + 5), 0);
        assert_eq!(looks.doubted_since(), Some(20), "it is the same doubt");
        assert_eq!(looks.off_by(20 + long, YEARS / 2 + 5), YEARS / 2 + 5, "as after a sleep of the machine");
        assert_eq!(looks.doubted_since(), None);
        let told = looks.off_by(30 + long, 0);
        assert_eq!(told, YEARS / 2 + 5);
        assert_eq!(looks.off_by(40 + 3 * long, 0), told, "time does not go back");
    }

    /// A clock that goes as the monotonic one does, and is set at will.
    #[derive(Debug)]
    struct Settable(AtomicU64);

    impl Settable {
        fn jump(&self, by_ms: i64) {
            self.0.fetch_add(by_ms.cast_unsigned(), Ordering::SeqCst);
        }
    }

    impl Clock for Settable {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.load(Ordering::SeqCst).wrapping_add(steady_ms()))
        }
    }

    #[test]
    fn a_key_that_was_written_while_the_clock_was_fifty_years_ahead_is_gone_in_its_time() {
        rt::check(|| {
            let clock = Arc::new(Settable(AtomicU64::new("test.clock", 1_700_000_000_000)));
            let disk = SimDisk::new(DiskOptions::default());
            let open = || {
                let clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
                Database::builder().clock(clock).disk(disk.mount()).open().unwrap()
            };
            let db = open();
            let run = db.begin_run().unwrap();
            let begun = steady_ms();
            clock.jump(YEARS);
            db.put_with_ttl(run, "seconds", 1_i64, Duration::from_millis(10)).unwrap();
            db.put_with_ttl(run, "minutes", 1_i64, Duration::from_secs(60)).unwrap();
            clock.jump(-YEARS);
            if steady_ms() - begun >= believed_after_ms() {
                // Simulated time has leapt meanwhile: for so long it is no glitch.
                return;
            }
            rt::time::sleep(Duration::from_millis(15));
            assert_eq!(db.get::<i64>("seconds").unwrap(), None);
            let ends = db.provenance("minutes").and_then(|by| by.expires_at);
            assert!(ends.is_none_or(|at| at.0 < 1_800_000_000_000), "{ends:?}");
            drop(db);
            assert_eq!(open().get::<i64>("seconds").unwrap(), None, "after a restart too");
        });
    }
}
