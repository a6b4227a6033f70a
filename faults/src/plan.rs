//! Which faults a run may meet: plain data, which shrinks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fault::{ExactFault, FaultKey, FaultKind, FiredFault};
use crate::odds::Odds;

/// Which faults fire.
///
/// Three parts: random `rules`, an explicit list (`exact`), and what must not fire though the rules drew it
/// (`disabled`). A disabled fault uses up its budget as if it had fired, so that switching one off does not
/// bring another on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultPlan {
    /// Seeds the draws of the rules.
    pub seed: u64,
    /// The most faults by rules in the run, over all rules and lives; `None` for no limit.
    pub budget: Option<u32>,
    /// What may happen by chance.
    pub rules: Vec<FaultRule>,
    /// What happens in any case, whenever the operation comes.
    pub exact: Vec<ExactFault>,
    /// What does not happen, though a rule says so.
    pub disabled: BTreeSet<FaultKey>,
}

impl FaultPlan {
    /// Returns a plan without faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns a plan of these rules alone, drawn by `seed`.
    pub fn random(seed: u64, rules: impl Into<Vec<FaultRule>>) -> Self {
        Self { seed, rules: rules.into(), ..Self::default() }
    }

    /// Returns a plan of exactly these faults: it replays a log of fired faults, and shrinks by leaving some
    /// out.
    pub fn exactly(faults: impl IntoIterator<Item = ExactFault>) -> Self {
        Self { exact: faults.into_iter().collect(), ..Self::default() }
    }

    /// Returns a plan of exactly the faults that fired in a run, without its rules.
    pub fn replaying<'a>(fired: impl IntoIterator<Item = &'a FiredFault>) -> Self {
        Self::exactly(fired.into_iter().map(|fired| fired.fault.clone()))
    }

    /// Returns the kinds that may fire: those that a campaign must have seen.
    pub fn enabled_kinds(&self) -> BTreeSet<FaultKind> {
        let by_rule = self.rules.iter().filter(|rule| rule.odds > Odds::NEVER && rule.budget > 0);
        by_rule.map(|rule| rule.kind).chain(self.exact.iter().map(|fault| fault.key.kind)).collect()
    }

    /// Returns whether the plan lets the device break its word.
    pub fn allows_lies(&self) -> bool {
        self.enabled_kinds().into_iter().any(FaultKind::is_lie)
    }
}

/// A kind of fault that may happen by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What happens.
    pub kind: FaultKind,
    /// Only on files of this class, see [`crate::class_of`]; `None` for all. Calls about the directory itself
    /// have the class `dir`.
    #[serde(default)]
    pub class: Option<String>,
    /// The chance, per operation that the kind applies to.
    pub odds: Odds,
    /// How often it may fire in the run.
    pub budget: u32,
    /// The number of operations (of a class) that it lets pass first.
    #[serde(default)]
    pub skip: u64,
}

impl FaultRule {
    /// Creates a rule for all files, without a limit of its own.
    pub fn new(kind: FaultKind, odds: Odds) -> Self {
        Self { kind, class: None, odds, budget: u32::MAX, skip: 0 }
    }

    /// Only on files of `class`.
    #[must_use]
    pub fn on(mut self, class: &str) -> Self {
        self.class = Some(class.to_owned());
        self
    }

    /// At most `times` in the run.
    #[must_use]
    pub fn at_most(mut self, times: u32) -> Self {
        self.budget = times;
        self
    }

    /// Not in the first `operations` that it applies to.
    #[must_use]
    pub fn after(mut self, operations: u64) -> Self {
        self.skip = operations;
        self
    }
}
