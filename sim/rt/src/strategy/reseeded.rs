//! A strategy whose randomness is another one from some step on: the same life up to there, and another one
//! behind it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Choice, Report, Strategy};
use crate::life::{Task, TaskId};

/// Draws from the life's stream for some steps, and from one of its own after them.
#[derive(Debug)]
pub struct Reseeded {
    inner: Box<dyn Strategy>,
    after: u64,
    seed: u64,
    rng: ChaCha8Rng,
}

impl Reseeded {
    /// `inner` with another seed from step `after` on.
    pub fn new(inner: Box<dyn Strategy>, after: u64, seed: u64) -> Self {
        Self { inner, after, seed, rng: ChaCha8Rng::seed_from_u64(seed) }
    }
}

impl Strategy for Reseeded {
    fn begin(&mut self, rng: &mut ChaCha8Rng) {
        self.rng = ChaCha8Rng::seed_from_u64(self.seed);
        self.inner.begin(rng);
    }

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        let rng = if choice.step < self.after { rng } else { &mut self.rng };
        self.inner.choose(choice, rng)
    }

    #[expect(private_interfaces, reason = "only strategies of this crate learn from lives")]
    fn end(&mut self, tasks: &[Task]) {
        self.inner.end(tasks);
    }

    fn report(&self) -> Report {
        self.inner.report()
    }
}
