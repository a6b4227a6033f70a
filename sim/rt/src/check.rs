//! A concurrent unit test, run over many interleavings.

use std::sync::Arc;

use crate::life::{LifeEnd, Settings, run, stream};
use crate::strategy::Kind;

/// Scheduling points that a test gets, whatever its size: a second or less in an optimised build. A small
/// test gets many lives by that, and a large one fewer.
const POINTS: u64 = 1_000_000;

/// Bounds of the number of lives: even a large test sees some interleavings, and a tiny one has not more than
/// this many that differ.
const LIVES_MIN: u64 = 64;
const LIVES_MAX: u64 = 4_096;

/// About how many scheduling points a unit test has, for the first life.
const STEPS: u64 = 200;

/// How many times [`check`] runs its test at least: each time under another seed.
pub const CHECKS: u32 = LIVES_MIN as u32;

/// Runs a concurrent test: over many interleavings here, once on the production runtime.
///
/// # Panics
/// When a life panics, deadlocks, or does not end.
pub fn check(test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    let (mut spent, mut steps) = (0, STEPS);
    for seed in 0..LIVES_MAX {
        if spent >= POINTS && seed >= LIVES_MIN {
            break;
        }
        // Switches are spread over as many points as the life before had: spread over fewer, they would all
        // come at the beginning.
        let kind = Kind::draw(&Kind::DEFAULT_WEIGHTS, steps, &mut stream(seed, "strategy"));
        let test = Arc::clone(&test);
        let settings = Settings { seed, panic_ends_life: false, ..Settings::default() };
        let life = run(settings, kind.build(), move || test());
        if !matches!(life.end, LifeEnd::Completed | LifeEnd::Killed) {
            panic!("in life {seed} under {kind:?}: {}", life.end);
        }
        steps = life.steps.max(1);
        spent += steps;
    }
}
