//! All interleavings of a small program, up to a number of preemptions: the driver around [`Bounded`].

use super::Bounded;
use crate::life::{LifeOutcome, Settings, run_with};

/// All interleavings of a program up to a number of preemptions, one life after the other.
#[derive(Clone, Debug)]
pub struct Exhaustive {
    settings: Settings,
    search: Bounded,
    lives: u64,
    exhausted: bool,
}

impl Exhaustive {
    /// Explores with at most `preemptions_max` preemptions in each life.
    pub const fn new(settings: Settings, preemptions_max: u32) -> Self {
        Self { settings, search: Bounded::new(preemptions_max), lives: 0, exhausted: false }
    }

    /// Runs the next interleaving of `body`, which has to be the same program each time; `None` when all have
    /// been run, or when the program did not do the same under the same decisions ([`LifeOutcome::report`] of
    /// the last life says where).
    pub fn next_life(&mut self, body: impl FnOnce() + Send + 'static) -> Option<LifeOutcome> {
        if self.exhausted {
            return None;
        }
        let (life, search) = run_with(self.settings.clone(), self.search.clone(), body);
        self.search = search;
        self.lives += 1;
        self.exhausted = !self.search.advance();
        Some(life)
    }

    /// Returns how many interleavings have been run.
    pub const fn lives(&self) -> u64 {
        self.lives
    }

    /// Returns whether there is none left.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted && self.search.diverged().is_none()
    }
}
