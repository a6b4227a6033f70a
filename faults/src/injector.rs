//! Decides, operation by operation, which faults fire.
//!
//! INV-INJECT-1: whether a rule fires on the n-th call of a class depends on the plan's seed, the rule's
//! place in the plan, the class and n, and on nothing else but budgets: neither on other rules nor on other
//! classes. INV-INJECT-2: a fault that met a call to which it could do nothing costs no budget.

use std::collections::BTreeMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::fault::{ExactFault, FaultKey, FaultKind};
use crate::operation::{Operation, OperationKind};
use crate::plan::FaultPlan;
use crate::streams::stream;

/// The state of a fault plan during a run.
#[derive(Clone, Debug)]
pub(crate) struct Injector {
    plan: FaultPlan,
    /// What is left of the budget over all rules.
    budget: u32,
    rules: Vec<RuleState>,
    /// Calls so far.
    counts: BTreeMap<(&'static str, OperationKind), u64>,
}

#[derive(Clone, Debug)]
struct RuleState {
    budget: u32,
    draws: BTreeMap<&'static str, Draws>,
}

#[derive(Clone, Debug)]
struct Draws {
    rng: ChaCha8Rng,
    seen: u64,
}

/// What an operation meets: at most one fault, and perhaps a stall on top.
#[derive(Clone, Debug, Default)]
pub(crate) struct Met {
    pub(crate) fault: Option<ExactFault>,
    pub(crate) stall: Option<ExactFault>,
    /// The rule that brought the fault.
    pub(crate) rule: Option<Rule>,
}

/// A rule of a plan, by its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule(usize);

impl Injector {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        let rules =
            plan.rules.iter().map(|rule| RuleState { budget: rule.budget, draws: BTreeMap::new() }).collect();
        Self { budget: plan.budget.unwrap_or(u32::MAX), rules, plan, counts: BTreeMap::new() }
    }

    /// Follows another plan; counts go on.
    pub(crate) fn replace(&mut self, plan: FaultPlan) {
        let counts = std::mem::take(&mut self.counts);
        *self = Self { counts, ..Self::new(plan) };
    }

    pub(crate) fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// Counts a call; returns its number among those of its kind and class.
    pub(crate) fn count(&mut self, kind: OperationKind, class: &'static str) -> u64 {
        let count = self.counts.entry((class, kind)).or_default();
        *count += 1;
        *count
    }

    /// Returns what `operation` meets.
    pub(crate) fn meet(&mut self, operation: &Operation) -> Met {
        let mut met = Met::default();
        for fault in &self.plan.exact {
            if names(&fault.key, operation) {
                met.take(fault.clone(), None);
            }
        }
        for index in 0..self.plan.rules.len() {
            if let Some(fault) = self.draw(index, operation)
                && !self.plan.disabled.contains(&fault.key)
            {
                met.take(fault, Some(Rule(index)));
            }
        }
        met
    }

    /// Gives the budget for a fault of this rule back, as it did nothing.
    pub(crate) fn refund(&mut self, Rule(index): Rule) {
        if let Some(state) = self.rules.get_mut(index) {
            state.budget = state.budget.saturating_add(1);
            self.budget = self.budget.saturating_add(1);
        }
    }

    /// Returns what one rule does to `operation`. Takes two words of the stream whether it fires or not.
    fn draw(&mut self, index: usize, operation: &Operation) -> Option<ExactFault> {
        let rule = &self.plan.rules[index];
        if !rule.kind.applies_to(operation.kind)
            || rule.class.as_ref().is_some_and(|class| class != operation.class)
        {
            return None;
        }
        let state = &mut self.rules[index];
        let draws = state.draws.entry(operation.class).or_insert_with(|| Draws {
            rng: stream(self.plan.seed, &format!("fault/{index}/{}/{}", rule.kind, operation.class)),
            seen: 0,
        });
        let (chance, detail) = (draws.rng.next_u64(), draws.rng.next_u64());
        draws.seen += 1;
        if draws.seen <= rule.skip || !rule.odds.hit(chance) || state.budget == 0 || self.budget == 0 {
            return None;
        }
        state.budget -= 1;
        self.budget -= 1;
        Some(ExactFault { key: key(rule.kind, operation), detail })
    }
}

impl Met {
    fn take(&mut self, fault: ExactFault, rule: Option<Rule>) {
        if fault.key.kind == FaultKind::Stall {
            self.stall.get_or_insert(fault);
        } else if self.fault.is_none() {
            (self.fault, self.rule) = (Some(fault), rule);
        }
    }
}

fn key(kind: FaultKind, operation: &Operation) -> FaultKey {
    FaultKey { kind, class: operation.class.to_owned(), operation: operation.kind, nth: operation.nth }
}

fn names(key: &FaultKey, operation: &Operation) -> bool {
    key.nth == operation.nth
        && key.operation == operation.kind
        && key.class == operation.class
        && key.kind.applies_to(operation.kind)
}
