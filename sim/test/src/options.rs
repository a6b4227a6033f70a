//! How a function is simulated.

use std::path::PathBuf;
use std::time::Duration;

use stormproof_sim::options::{DurabilityKind, Faults, IsolationKind, Options as SimOptions};

/// How a function is simulated. The attribute sets the same; the environment overrides how many seeds.
#[derive(Clone, Debug)]
#[must_use = "options do nothing before `simulate`"]
pub struct Options {
    pub(crate) name: String,
    pub(crate) manifest_dir: Option<PathBuf>,
    pub(crate) seeds: Option<u64>,
    pub(crate) first: u64,
    pub(crate) seconds: Option<u64>,
    crashes: bool,
    faults: bool,
    strategies: Vec<String>,
    any_durability: bool,
    store_bug: Option<String>,
    pub(crate) check: bool,
    pub(crate) hang: Duration,
}

impl Options {
    /// Simulates under a name: the test's, by which its traces are kept.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            manifest_dir: None,
            seeds: None,
            first: 0,
            seconds: None,
            crashes: true,
            faults: false,
            strategies: Vec::new(),
            any_durability: false,
            store_bug: None,
            check: false,
            hang: Duration::from_secs(5),
        }
    }

    /// The folder of the crate, in which failures are kept, under `simulation-regressions/`. Nothing is kept
    /// without it.
    pub fn manifest_dir(self, dir: &str) -> Self {
        Self { manifest_dir: Some(dir.into()), ..self }
    }

    /// The number of seeds. If it is not set, as many as three seconds allow, and at least 50.
    pub fn seeds(self, seeds: u64) -> Self {
        Self { seeds: Some(seeds), ..self }
    }

    /// The first seed; 0 if it is not set.
    pub fn first(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// As many seeds as this time allows, instead of a number.
    pub fn seconds(self, seconds: u64) -> Self {
        Self { seconds: Some(seconds), ..self }
    }

    /// Whether the power goes out; it does, if it is not set.
    pub fn crashes(self, crashes: bool) -> Self {
        Self { crashes, ..self }
    }

    /// Whether the disk fails as well: writes, syncs and reads that return errors, stalls, a full disk,
    /// decay. A function that returns an error in a life in which the disk failed has not failed; one that
    /// panics has.
    pub fn faults(self, faults: bool) -> Self {
        Self { faults, ..self }
    }

    /// The scheduling strategies, by name, with commas between them; all if it is not set.
    pub fn strategies(self, names: &str) -> Self {
        let names = names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Self { strategies: names.collect(), ..self }
    }

    /// Whether databases of the world are opened in any durability mode, and not in `Strict` alone.
    pub fn any_durability(self, any: bool) -> Self {
        Self { any_durability: any, ..self }
    }

    /// Switches on a deliberate bug of the store, by name (`stormproof list` has them all): shows that a
    /// failure of the store is told from one of the application.
    pub fn store_bug(self, name: &str) -> Self {
        Self { store_bug: Some(name.to_owned()), ..self }
    }

    /// Whether every seed runs twice and both runs must be the same; if not set, one in fifty does.
    pub fn check(self, check: bool) -> Self {
        Self { check, ..self }
    }

    /// For how long no simulated step may happen before the test is ended: it waits for something that is not
    /// simulated. 5 s if it is not set.
    pub fn hang_seconds(self, seconds: u64) -> Self {
        Self { hang: Duration::from_secs(seconds.max(1)), ..self }
    }

    /// What the simulator draws plans by.
    pub(crate) fn for_plans(&self) -> SimOptions {
        SimOptions {
            workload: vec![self.name.clone()],
            strategy: self.strategies.clone(),
            faults: match (self.crashes, self.faults) {
                (true, true) => Faults::All,
                (true, false) => Faults::Crashes,
                (false, _) => Faults::None,
            },
            durability: (!self.any_durability).then_some(DurabilityKind::Strict),
            isolation: Some(IsolationKind::Serializable),
            mutant: self.store_bug.iter().cloned().collect(),
            ..SimOptions::default()
        }
    }

    /// The name without the crate and modules before it: what `cargo test` is asked for.
    pub(crate) fn short_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }
}
