//! A walk that aims at taking every interleaving with the same probability.
//!
//! Choosing uniformly among tasks at every step is not uniform over interleavings: short tasks are over early
//! in most of them. Choosing each with probability proportional to the steps that it has left is, if the
//! steps do not depend on the interleaving: the uniform random walk of Zhao, Wolff, Mathur, Roychoudhury:
//! *Selectively Uniform Concurrency Testing* (ASPLOS 2025).

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rand_chacha::ChaCha8Rng;

use super::{Choice, Strategy};
use crate::life::{Task, TaskId, below};

/// Chooses each task with a probability proportional to the number of steps that it has left, as far as
/// earlier lives show. In a first life all tasks count the same.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// How many steps a task had in an earlier life, by its path.
    learned: HashMap<u64, u64, FixedState>,
    /// The same for the tasks of this life, by their numbers.
    expected: Vec<u64>,
}

/// What is expected of a task that was never seen.
const UNKNOWN: u64 = 100;

impl Walk {
    /// Creates a walk that has seen no life yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn left(&self, choice: &Choice<'_>, task: TaskId) -> u64 {
        self.expected[task.index()].saturating_sub(choice.steps_of(task)).max(1)
    }
}

impl Strategy for Walk {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {
        self.expected.clear();
    }

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        for task in &choice.tasks[self.expected.len()..] {
            self.expected.push(self.learned.get(&task.path_hash).copied().unwrap_or(UNKNOWN));
        }
        let total = choice.runnable.iter().map(|task| self.left(choice, *task)).sum();
        let mut at = below(rng, total);
        for task in choice.runnable {
            let left = self.left(choice, *task);
            if at < left {
                return *task;
            }
            at -= left;
        }
        choice.default()
    }

    #[expect(private_interfaces, reason = "only strategies of this crate learn from lives")]
    fn end(&mut self, tasks: &[Task]) {
        for task in tasks {
            let steps = self.learned.entry(task.path_hash).or_insert(0);
            *steps = task.steps.max(*steps);
        }
    }
}
