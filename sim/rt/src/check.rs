//! A concurrent unit test, run over many interleavings.

use std::sync::Arc;

use crate::life::{LifeEnd, Settings, run};
use crate::strategy::{Strategy, Uniform};

/// How many lives a test gets.
const LIVES: u64 = 64;

/// Runs a concurrent test: over many interleavings here, once on the production runtime.
///
/// # Panics
/// When a life panics, deadlocks, or does not end.
pub fn check(test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    for seed in 0..LIVES {
        let test = Arc::clone(&test);
        let settings = Settings { seed, panic_ends_life: false, ..Settings::default() };
        let life = run(settings, strategy(seed), move || test());
        if !matches!(life.end, LifeEnd::Completed | LifeEnd::Killed) {
            panic!("in life {seed} under {:?}: {}", life.strategy, life.end);
        }
    }
}

fn strategy(_seed: u64) -> Box<dyn Strategy> {
    Box::new(Uniform)
}
