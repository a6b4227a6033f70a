//! A concurrent unit test, run over many interleavings.

use std::sync::Arc;

use crate::life::{LifeEnd, Settings, run, stream};
use crate::strategy::Kind;

/// How many lives a test gets.
const LIVES: u64 = 64;

/// About how many scheduling points a unit test has.
const STEPS: u64 = 200;

/// Runs a concurrent test: over many interleavings here, once on the production runtime.
///
/// # Panics
/// When a life panics, deadlocks, or does not end.
pub fn check(test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    for seed in 0..LIVES {
        let kind = Kind::draw(&Kind::DEFAULT_WEIGHTS, STEPS, &mut stream(seed, "strategy"));
        let test = Arc::clone(&test);
        let settings = Settings { seed, panic_ends_life: false, ..Settings::default() };
        let life = run(settings, kind.build(), move || test());
        if !matches!(life.end, LifeEnd::Completed | LifeEnd::Killed) {
            panic!("in life {seed} under {kind:?}: {}", life.end);
        }
    }
}
