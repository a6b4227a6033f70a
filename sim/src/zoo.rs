//! The zoo: deliberate bugs of the engine, and whether they are found.
//!
//! Job: for every mutant, how many seeds and how long it takes until a sweep finds it, from several starts; the
//! invariants that catch it, and the size of its shrunk trace. Power is a figure, not a feeling.

use serde::{Deserialize, Serialize};
use stormproof_rt::time;
use stormproof_rt_shuttle::mutants::Mutant;

use crate::finding::Identity;
use crate::options::Options;
use crate::plan::PlanSize;
use crate::registry::Registry;
use crate::seed::Seed;
use crate::session::{Session, UnknownName};
use crate::shrink::{Budget, shrink};

/// How a mutant fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Animal {
    /// Its name.
    pub name: String,
    /// What it breaks.
    pub breaks: String,
    /// The kind of real bug that it is modelled on.
    pub modelled_on: String,
    /// The row of the contract that it breaks.
    pub contract: String,
    /// Searches, each from another first seed.
    pub trials: u64,
    /// Seeds that a search may spend.
    pub budget: u64,
    /// Of each search that found it, after how many seeds.
    pub found_after: Vec<u64>,
    /// Of each search that found it, after how many seconds.
    pub found_seconds: Vec<f64>,
    /// The failures that it showed as, each once.
    pub caught_as: Vec<Identity>,
    /// The first seed that found it.
    pub seed: Option<u64>,
    /// How large the shrunk plan is.
    pub shrunk: Option<PlanSize>,
}

impl Animal {
    /// Whether every search found it.
    pub fn is_found(&self) -> bool {
        self.found_after.len() as u64 == self.trials
    }

    /// The median of seeds to detection, searches without success counted as more than the budget.
    pub fn median_seeds(&self) -> Option<u64> {
        let mut sorted = self.found_after.clone();
        sorted.sort_unstable();
        sorted.get(usize::try_from(self.trials / 2).unwrap_or(usize::MAX)).copied()
    }
}

/// How to look for mutants.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// What may be drawn; its mutants are ignored.
    pub options: Options,
    /// Searches per mutant.
    pub trials: u64,
    /// Seeds per search.
    pub budget: u64,
    /// The first seed.
    pub first: u64,
    /// Whether to shrink the first failure.
    pub shrink: bool,
}

/// Looks for one mutant.
///
/// # Errors
/// When the options name something that is not there.
pub fn hunt(mutant: Mutant, hunt: &Hunt, registry: &Registry) -> Result<Animal, UnknownName> {
    let options = Options { mutant: vec![mutant.name().to_owned()], ..hunt.options.clone() };
    let session = Session::new(registry.clone(), options)?;
    let mut animal = Animal {
        name: mutant.name().to_owned(),
        breaks: mutant.breaks().to_owned(),
        modelled_on: mutant.modelled_on().to_owned(),
        contract: mutant.contract().to_owned(),
        trials: hunt.trials,
        budget: hunt.budget,
        found_after: Vec::new(),
        found_seconds: Vec::new(),
        caught_as: Vec::new(),
        seed: None,
        shrunk: None,
    };
    for trial in 0..hunt.trials {
        search(&session, hunt, trial, &mut animal);
    }
    Ok(animal)
}

fn search(session: &Session, hunt: &Hunt, trial: u64, animal: &mut Animal) {
    let start = time::now();
    let first = hunt.first.wrapping_add(trial.wrapping_mul(1_000_003));
    for tried in 0..hunt.budget {
        let seed = Seed(first.wrapping_add(tried));
        let (plan, _) = session.plan(seed);
        // A run without a verdict is no detection.
        let Ok(run) = session.run(&plan) else { continue };
        let Some(finding) = run.findings().first() else { continue };
        animal.found_after.push(tried + 1);
        animal.found_seconds.push(time::now().saturating_since(start).as_secs_f64());
        let identity = finding.identity();
        if !animal.caught_as.contains(&identity) {
            animal.caught_as.push(identity);
        }
        if animal.seed.is_none() {
            animal.seed = Some(seed.0);
            if hunt.shrink {
                let shrunk = shrink(&plan, &run, session.registry(), Budget::default(), &mut |_, _| true);
                animal.shrunk = shrunk.map(|shrunk| shrunk.after);
            }
        }
        return;
    }
}
