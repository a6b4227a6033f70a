//! All interleavings of a small program, up to a number of preemptions.
//!
//! Depth first: each life repeats the decisions of the one before it up to the last one that has another option left.
//! Bounding preemptions and nothing else keeps programs of some hundred steps within reach, and most bugs need very
//! few: Musuvathi, Qadeer: *Iterative Context Bounding for Systematic Testing of Multithreaded Programs* (PLDI 2007).

use rand_chacha::ChaCha8Rng;

use super::{Choice, Report, Strategy};
use crate::life::{Life, Settings, TaskId, run_with};

/// All interleavings of a program with at most so many preemptions, one life after the other.
#[derive(Clone, Debug)]
pub struct Exhaustive {
    settings: Settings,
    search: Search,
    lives: u64,
    exhausted: bool,
}

impl Exhaustive {
    /// Explores with at most `preemptions_max` preemptions in each life.
    pub const fn new(settings: Settings, preemptions_max: u32) -> Self {
        let search =
            Search { preemptions_max, preemptions: 0, depth: 0, decisions: Vec::new(), diverged: None };
        Self { settings, search, lives: 0, exhausted: false }
    }

    /// The next interleaving of `body`, which has to be the same program each time; `None` when all have been run, or
    /// when the program did not do the same under the same decisions ([`Life::report`] of the last life says where).
    pub fn next_life(&mut self, body: impl FnOnce() + Send + 'static) -> Option<Life> {
        if self.exhausted {
            return None;
        }
        let (life, search) = run_with(self.settings.clone(), self.search.clone(), body);
        self.search = search;
        self.lives += 1;
        self.exhausted = self.search.diverged.is_some() || !self.search.advance();
        Some(life)
    }

    /// How many interleavings have been run.
    pub const fn lives(&self) -> u64 {
        self.lives
    }

    /// Whether there is none left.
    pub const fn is_exhausted(&self) -> bool {
        self.exhausted && self.search.diverged.is_none()
    }
}

#[derive(Clone, Debug)]
struct Search {
    preemptions_max: u32,
    /// In this life so far.
    preemptions: u32,
    depth: usize,
    decisions: Vec<Branch>,
    diverged: Option<String>,
}

#[derive(Clone, Debug)]
struct Branch {
    options: Vec<TaskId>,
    taken: usize,
}

impl Search {
    /// Goes on to the next interleaving; `false` if there is none.
    fn advance(&mut self) -> bool {
        while self.decisions.pop_if(|branch| branch.taken + 1 == branch.options.len()).is_some() {}
        match self.decisions.last_mut() {
            Some(branch) => branch.taken += 1,
            None => return false,
        }
        true
    }

    fn options(&self, choice: &Choice<'_>) -> Vec<TaskId> {
        let free = !choice.can_stay || choice.yields;
        let default = choice.default();
        let mut options = vec![default];
        if free || self.preemptions < self.preemptions_max {
            // Whoever yields polls: letting it go on at once leads nowhere new.
            let is_new = |task: &TaskId| *task != default && (!choice.yields || *task != choice.current);
            options.extend(choice.runnable.iter().copied().filter(is_new));
        }
        options
    }
}

impl Strategy for Search {
    fn begin(&mut self, _rng: &mut ChaCha8Rng) {
        self.depth = 0;
        self.preemptions = 0;
    }

    fn choose(&mut self, choice: &Choice<'_>, _rng: &mut ChaCha8Rng) -> TaskId {
        let options = self.options(choice);
        if self.depth == self.decisions.len() {
            self.decisions.push(Branch { options, taken: 0 });
        } else if self.decisions[self.depth].options != options {
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
