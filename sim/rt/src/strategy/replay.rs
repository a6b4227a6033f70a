//! Repeats exactly the decisions of an earlier life, on the same code, with the same settings.

use rand_chacha::ChaCha8Rng;

use super::{Choice, Report, Strategy};
use crate::life::{Decisions, TaskId};

/// Exactly the decisions of an earlier life. When they no longer fit, or have run out, no task is preempted.
#[derive(Clone, Debug)]
pub struct Replay {
    decisions: Decisions,
    /// The decision that comes next.
    next: usize,
    /// The step of the decision before it.
    decided_at: u64,
    diverged: Option<String>,
}

impl Replay {
    /// Replays `decisions` (see [`Schedule::decisions`](crate::life::Schedule::decisions)).
    pub const fn new(decisions: Decisions) -> Self {
        Self { decisions, next: 0, decided_at: 0, diverged: None }
    }

    fn diverge(&mut self, choice: &Choice<'_>, why: &str) -> TaskId {
        if self.diverged.is_none() {
            self.diverged = Some(format!("step {}, {}: {why}", choice.step, choice.point()));
        }
        self.next = self.decisions.0.len();
        choice.default()
    }
}

impl Strategy for Replay {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {
        self.next = 0;
        self.decided_at = 0;
        self.diverged = None;
    }

    fn choose(&mut self, choice: &Choice<'_>, _rng: &mut ChaCha8Rng) -> TaskId {
        let Some(decision) = self.decisions.0.get(self.next) else {
            return if choice.can_stay {
                choice.current
            } else {
                self.diverge(choice, "no decision is left")
            };
        };
        let due = self.decided_at + decision.after;
        let to = decision.to;
        if choice.step < due && choice.can_stay {
            return choice.current;
        }
        if choice.step != due {
            return self.diverge(choice, &format!("the next decision was taken at step {due}"));
        }
        if choice.runnable.binary_search(&to).is_err() {
            return self.diverge(choice, &format!("task {to} was chosen, which can't run"));
        }
        self.next += 1;
        self.decided_at = due;
        to
    }

    fn report(&self) -> Report {
        Report { diverged: self.diverged.clone(), unmet: Vec::new() }
    }
}
