//! The guided search: plans that showed new behaviour are kept and changed a little.
//!
//! Job: which plan runs next. Half of them are those of fresh seeds, as in a blind sweep; the others are
//! mutations of a plan of the corpus. Not its job: running and judging (`run`), and what is new
//! (`coverage`).
//!
//! ```text
//! fresh seed ──┐                           ┌─► findings
//!              ├─► plan ─► run ─► features ┤
//! corpus ──────┘    ▲                      └─► new ones? the plan is kept
//!    └── mutation ──┘
//! ```
//! * INV-GUIDED-1: the same options, first seed and corpus give the same plans in the same order.
//!
//! Sources: the loop and the corpus are those of coverage-guided fuzzing (AFL). Energy: Böhme, Pham,
//! Roychoudhury, "Coverage-based Greybox Fuzzing as Markov Chain" (CCS 2016) for what was tried often without
//! news, and Böhme, Manès, Cha, "Boosting Fuzzer Efficiency: An Information Theoretic Perspective" (FSE 2020)
//! for rare features.

pub mod corpus;
pub mod coverage;
pub mod measure;
mod mutate;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::plan::Plan;
use crate::run::{Keep, Run, RunError, run_covered};
use crate::runner::SeedRunner;
use crate::seed::Seed;

use corpus::Corpus;
use coverage::Feature;

/// A guided search that is under way.
pub struct Guided<'r> {
    runner: &'r SeedRunner,
    corpus: Corpus,
    rng: ChaCha8Rng,
    /// The next fresh seed.
    next: u64,
}

/// What one step of the search ran.
#[derive(Debug)]
pub struct Tried {
    /// The plan.
    pub plan: Plan,
    /// What came of it.
    pub run: Result<Run, RunError>,
    /// Whether the plan is that of a fresh seed: then the seed alone reproduces it.
    pub is_fresh: bool,
    /// How many features it showed that none before it had.
    pub news: usize,
}

/// Of 100 plans, how many are those of fresh seeds: no bug is found later than by twice the seeds that a
/// blind sweep takes.
const FRESH: u32 = 50;

impl<'r> Guided<'r> {
    /// A search that begins at this seed, with what others have found.
    pub fn new(runner: &'r SeedRunner, first: u64, corpus: Corpus) -> Self {
        Self { runner, corpus, rng: Seed(first).generator("guided"), next: first }
    }

    /// Runs the next plan.
    pub fn step(&mut self) -> Tried {
        let (plan, parent) = self.next_plan();
        let (run, features) = match run_covered(&plan, self.runner.registry(), Keep::Verdict) {
            Ok((run, features)) => (Ok(run), features),
            Err(error) => (Err(error), Vec::new()),
        };
        // A plan without a verdict must not breed.
        let news = if run.is_ok() { self.learn(&plan, features, parent) } else { 0 };
        Tried { plan, run, is_fresh: parent.is_none(), news }
    }

    /// What was learnt so far.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// The plan that is next, and the number of the one that it comes from.
    fn next_plan(&mut self) -> (Plan, Option<u64>) {
        if self.corpus.is_empty() || self.rng.random_range(0..100) < FRESH {
            let seed = Seed(self.next);
            self.next = self.next.wrapping_add(1);
            return (self.runner.plan(seed).0, None);
        }
        let (number, mut plan) = self.corpus.choose(&mut self.rng);
        for _ in 0..self.rng.random_range(1..=3) {
            let donor = match self.rng.random_bool(0.5) {
                true => self.corpus.choose(&mut self.rng).1,
                false => self.runner.plan(Seed(self.rng.random())).0,
            };
            mutate::mutate(&mut plan, &donor, &mut self.rng);
        }
        (plan, Some(number))
    }

    fn learn(&mut self, plan: &Plan, features: Vec<Feature>, parent: Option<u64>) -> usize {
        self.corpus.add(plan, features, parent)
    }
}
