//! Probabilistic concurrency testing: random priorities, lowered at a few random steps.
//!
//! Burckhardt, Kothari, Musuvathi, Nagarakatte: *A Randomized Scheduler with Probabilistic Guarantees of
//! Finding Bugs* (ASPLOS 2010). A bug that needs `d` ordering constraints among `k` steps of `n` tasks is
//! found with probability at least 1/(n·k^(d-1)) in each life.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::{Choice, Strategy};
use crate::life::{Task, TaskId, below};

/// Runs the task with the highest priority; lowers the running one's at `depth - 1` random steps. A task that
/// yields goes to the very end, so that polling loops do not starve those for whom they wait.
#[derive(Clone, Debug)]
pub struct Pct {
    depth: u32,
    /// How many steps a life has, as far as is known.
    steps: u64,
    priorities: Vec<u64>,
    /// Steps at which a priority is lowered, the last one first.
    changes: Vec<u64>,
    /// The next priority that is lower than all others.
    lowest: u64,
}

/// Priorities that are drawn lie above this, lowered ones below.
const DRAWN: u64 = 1 << 63;

impl Pct {
    /// Searches for bugs that need `depth` ordering constraints, in lives of about `steps` steps. Later lives
    /// take the length of the one before them.
    pub const fn new(depth: u32, steps: u64) -> Self {
        Self { depth, steps, priorities: Vec::new(), changes: Vec::new(), lowest: DRAWN }
    }

    fn lower(&mut self, task: TaskId) {
        self.lowest -= 1;
        self.priorities[task.index()] = self.lowest;
    }
}

impl Strategy for Pct {
    fn begin(&mut self, rng: &mut ChaCha8Rng) {
        self.priorities.clear();
        self.lowest = DRAWN;
        let steps = self.steps.max(1);
        self.changes = (1..self.depth).map(|_| 1 + below(rng, steps)).collect();
        self.changes.sort_unstable_by(|a, b| b.cmp(a));
    }

    fn choose(&mut self, choice: &Choice<'_>, rng: &mut ChaCha8Rng) -> TaskId {
        while self.priorities.len() < choice.tasks.len() {
            self.priorities.push(rng.next_u64() | DRAWN);
        }
        let mut lowers = choice.yields;
        while self.changes.pop_if(|change| *change <= choice.step).is_some() {
            lowers = true;
        }
        if lowers {
            self.lower(choice.current);
        }
        let highest = choice.runnable.iter().max_by_key(|task| self.priorities[task.index()]);
        highest.copied().unwrap_or(choice.current)
    }

    #[expect(private_interfaces, reason = "only strategies of this crate learn from lives")]
    fn end(&mut self, tasks: &[Task]) {
        self.steps = tasks.iter().map(|task| task.steps).sum();
    }
}
