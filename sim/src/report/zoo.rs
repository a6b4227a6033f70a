//! The zoo, as a report: detection curves.

use stormproof_reports::{Campaign, MutantTotal};

use crate::zoo::Animal;

/// The report of a hunt; `command` ran it, and took `seconds`.
pub fn zoo(animals: &[Animal], command: &str, seconds: f64) -> Campaign {
    Campaign {
        title: format!("zoo of {} deliberate bugs", animals.len()),
        command: command.to_owned(),
        subject: format!("stormproof {}", env!("CARGO_PKG_VERSION")),
        seconds,
        jobs: 1,
        seeds: animals.iter().map(|animal| animal.seeds).sum(),
        zoo: animals.iter().map(mutant).collect(),
        ..Campaign::default()
    }
}

fn mutant(animal: &Animal) -> MutantTotal {
    MutantTotal {
        name: animal.name.clone(),
        says: format!("{}: {}", animal.contract, animal.breaks),
        trials: animal.trials,
        budget: animal.budget,
        found_after: animal.found_after.clone(),
        found_seconds: animal.found_seconds.clone(),
        caught_by: animal.caught_as.iter().map(ToString::to_string).collect(),
        reproduce: animal
            .seed
            .map(|seed| format!("stormproof run --seed {seed} --mutant {}", animal.name))
            .unwrap_or_default(),
    }
}
