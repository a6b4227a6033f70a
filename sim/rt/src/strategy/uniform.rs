//! Any runnable task, at every scheduling point, with the same probability.

use rand_chacha::ChaCha8Rng;

use super::{Choice, Strategy};
use crate::life::{TaskId, below};

/// Any runnable task, at every scheduling point, with the same probability.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniform;

impl Strategy for Uniform {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {}

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        choice.runnable[below(rng, choice.runnable.len() as u64) as usize]
    }
}
