//! Preemption-bounded exhaustive search: one interleaving after the other.
//!
//! Depth first: each life repeats the decisions of the one before it up to the last one that has another
//! option left. Bounding preemptions and nothing else keeps programs of some hundred steps within reach, and
//! most bugs need very few: Musuvathi, Qadeer: *Iterative Context Bounding for Systematic Testing of
//! Multithreaded Programs* (PLDI 2007).

use rand_chacha::ChaCha8Rng;

use super::{Choice, Report, Strategy};
use crate::life::TaskId;

/// One interleaving after the other. Give it to a life, take it back, [`advance`](Self::advance), and so on
/// until there is none left. Each life has to be the same program under the same settings.
#[derive(Clone, Debug)]
pub struct Bounded {
    preemptions_max: u32,
    /// In this life so far.
    preemptions: u32,
    depth: usize,
    decisions: Vec<Branch>,
    diverged: Option<String>,
}

/// A decision with more than one option.
#[derive(Clone, Debug)]
struct Branch {
    step: u64,
    options: Vec<TaskId>,
    taken: usize,
}

impl Bounded {
    /// Starts with the interleaving without preemptions. Later ones have at most `preemptions_max`.
    pub const fn new(preemptions_max: u32) -> Self {
        Self { preemptions_max, preemptions: 0, depth: 0, decisions: Vec::new(), diverged: None }
    }

    /// Advances to the next interleaving; `false` if there is none, or if the program did not do the same
    /// under the same decisions.
    pub fn advance(&mut self) -> bool {
        if self.diverged.is_some() {
            return false;
        }
        while self.decisions.pop_if(|branch| branch.taken + 1 == branch.options.len()).is_some() {}
        match self.decisions.last_mut() {
            Some(branch) => branch.taken += 1,
            None => return false,
        }
        true
    }

    /// Returns where the program did not do the same under the same decisions.
    pub fn diverged(&self) -> Option<&str> {
        self.diverged.as_deref()
    }

    /// Returns the tasks to choose from, the one that needs no preemption first; empty if there is no choice.
    fn options(&self, choice: &Choice<'_>) -> Vec<TaskId> {
        let free = !choice.can_stay || choice.yields;
        let mut options = Vec::new();
        if free || self.preemptions < self.preemptions_max {
            let default = choice.default();
            // A task that yields is polling: letting it go on at once leads to no new state.
            let is_new = |task: &TaskId| *task != default && (!choice.yields || *task != choice.current);
            options.push(default);
            options.extend(choice.runnable.iter().copied().filter(is_new));
        }
        options
    }
}

impl Strategy for Bounded {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {
        self.depth = 0;
        self.preemptions = 0;
    }

    fn choose(&mut self, choice: &Choice<'_>, _rng: &mut ChaCha8Rng) -> TaskId {
        let options = self.options(choice);
        if options.len() < 2 {
            return choice.default();
        }
        if self.depth == self.decisions.len() {
            self.decisions.push(Branch { step: choice.step, options, taken: 0 });
        } else if self.decisions[self.depth].step != choice.step
            || self.decisions[self.depth].options != options
        {
            let here = || format!("step {}, {}: others can run than before", choice.step, choice.point());
            self.diverged.get_or_insert_with(here);
            return choice.default();
        }
        let branch = &self.decisions[self.depth];
        let to = branch.options[branch.taken];
        self.depth += 1;
        self.preemptions += u32::from(choice.can_stay && !choice.yields && to != choice.current);
        to
    }

    fn report(&self) -> Report {
        Report { diverged: self.diverged.clone(), unmet: Vec::new() }
    }
}
