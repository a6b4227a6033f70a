//! Options of a simulated test.

use std::path::PathBuf;
use std::time::Duration;

use stormproof_faults::FaultKind;
use stormproof_sim::options::{DurabilityKind, Faults, IsolationKind, Options as SimOptions};
use stormproof_sim::plan::Plan;

/// Options of a simulated test. The attribute sets the same; the environment overrides how many seeds.
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
    fault_kinds: Vec<FaultKind>,
    pub(crate) clients: Option<u32>,
    strategies: Vec<String>,
    durability: Option<DurabilityKind>,
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
            fault_kinds: Vec::new(),
            clients: None,
            strategies: Vec::new(),
            durability: Some(DurabilityKind::Strict),
            store_bug: None,
            check: false,
            hang: Duration::from_secs(5),
        }
    }

    /// Sets the folder of the crate, in which failures are kept, under `simulation-regressions/`. Nothing is
    /// kept without it.
    pub fn manifest_dir(self, dir: &str) -> Self {
        Self { manifest_dir: Some(dir.into()), ..self }
    }

    /// Sets the number of seeds. If it is not set, as many as three seconds allow, and at least 50.
    pub fn seeds(self, seeds: u64) -> Self {
        Self { seeds: Some(seeds), ..self }
    }

    /// Sets the first seed; 0 if it is not set.
    pub fn first(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Runs as many seeds as this time allows, instead of a number.
    pub fn seconds(self, seconds: u64) -> Self {
        Self { seconds: Some(seconds), ..self }
    }

    /// Sets whether the power goes out; it does, if it is not set.
    pub fn crashes(self, crashes: bool) -> Self {
        Self { crashes, ..self }
    }

    /// Sets whether the disk fails as well: writes, syncs and reads that return errors, stalls, a full disk,
    /// decay. A function that returns an error in a life in which the disk failed has not failed; one that
    /// panics has.
    pub fn faults(self, faults: bool) -> Self {
        Self { faults, ..self }
    }

    /// Sets which faults of the disk there are, by name, with commas between them, as in
    /// `"no-space,write-fails"`; all if it is not set. Switches on [`faults`](Self::faults).
    ///
    /// # Panics
    /// When there is no fault of that name; the message has all that there are.
    pub fn fault_kinds(self, names: &str) -> Self {
        let fault_kinds = names.split(',').map(|name| fault_kind(name.trim())).collect();
        Self { faults: true, fault_kinds, ..self }
    }

    /// Sets how many clients [`World::clients`](crate::World::clients) runs, in the place of the number that
    /// it is called with.
    pub fn clients(self, clients: u32) -> Self {
        Self { clients: Some(clients), ..self }
    }

    /// Sets the scheduling strategies, by name, with commas between them; all if it is not set.
    pub fn strategies(self, names: &str) -> Self {
        let names = names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Self { strategies: names.collect(), ..self }
    }

    /// Sets whether databases of the world are opened in any durability mode, and not in `Strict` alone.
    pub fn any_durability(self, any: bool) -> Self {
        let durability = (!any).then_some(DurabilityKind::Strict);
        Self { durability, ..self }
    }

    /// Sets the durability mode in which databases of the world are opened: `strict`, which it is if it is
    /// not set, `pipelined`, `batched` or `async`. A database whose builder says another is opened in that.
    ///
    /// # Panics
    /// When there is no mode of that name.
    pub fn durability(self, name: &str) -> Self {
        let kind = match name {
            "strict" => DurabilityKind::Strict,
            "pipelined" => DurabilityKind::Pipelined,
            "batched" => DurabilityKind::Batched,
            "async" => DurabilityKind::Async,
            _ => {
                panic!("no durability mode is called `{name}`: use one of strict, pipelined, batched, async")
            }
        };
        Self { durability: Some(kind), ..self }
    }

    /// Switches on a deliberate bug of the store, by name (`stormproof list` has them all): shows that a
    /// failure of the store is distinguished from one of the application.
    pub fn store_bug(self, name: &str) -> Self {
        Self { store_bug: Some(name.to_owned()), ..self }
    }

    /// Sets whether every seed runs twice and both runs must be the same; if not set, one in fifty does.
    pub fn check(self, check: bool) -> Self {
        Self { check, ..self }
    }

    /// Sets for how long no simulated step may happen before the test is ended, as it waits for something
    /// that is not simulated; 5 s if it is not set.
    pub fn hang_seconds(self, seconds: u64) -> Self {
        Self { hang: Duration::from_secs(seconds.max(1)), ..self }
    }

    /// Returns what the simulator draws plans by.
    pub(crate) fn for_plans(&self) -> SimOptions {
        SimOptions {
            workload: vec![self.name.clone()],
            strategy: self.strategies.clone(),
            faults: match (self.crashes, self.faults) {
                (true, true) => Faults::All,
                (true, false) => Faults::Crashes,
                (false, _) => Faults::None,
            },
            durability: self.durability,
            isolation: Some(IsolationKind::Serializable),
            mutant: self.store_bug.iter().cloned().collect(),
            ..SimOptions::default()
        }
    }

    /// Returns what plans have that the test does not want.
    pub(crate) fn change(&self) -> impl Fn(&mut Plan) + 'static {
        let kinds = self.fault_kinds.clone();
        move |plan| {
            if !kinds.is_empty() {
                plan.disk.faults.rules.retain(|rule| kinds.contains(&rule.kind));
                if !kinds.contains(&FaultKind::NoSpace) {
                    plan.lives.iter_mut().for_each(|life| life.room_bytes = None);
                }
            }
        }
    }

    /// Returns the name without the crate and modules before it: what `cargo test` is asked for.
    pub(crate) fn short_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }
}

fn fault_kind(name: &str) -> FaultKind {
    FaultKind::ALL.iter().copied().find(|kind| kind.name() == name).unwrap_or_else(|| {
        let known: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        panic!("no fault is called `{name}`: use some of {}", known.join(", "))
    })
}
