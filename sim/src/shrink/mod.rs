//! Reduces a failing plan: clients, transactions, operations, lives, faults, crashes, engine options and
//! switches, all together.
//!
//! Job: the smallest plan found within the budget that still fails in the same way: the same invariant and
//! the same class, not the same text. A smaller plan is scheduled differently, so where one no longer fails,
//! other crash points and other schedules are tried; the best plan so far is always at hand. Round by round
//! more is tried for each plan, so that what is easy to leave out is gone before much is spent on the rest. A
//! step less is often bought with another schedule of many switches, so the plan of the round that is easiest
//! to read is taken in the end, which need not be the last.
//!
//! Source: delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE
//! TSE 2002) for lists; the order of passes, coarse before fine and structure before schedule, is our own.
//!
//! INV-SHRINK-1: the result fails in the same way when it is replayed, since it was run that way.
//! INV-SHRINK-2: where a deliberate bug makes it fail, it holds without that bug.
//! INV-SHRINK-3: without one, what the clients do holds on a store that is right (`reference`), if it did so
//! before.

mod move_crash_points;
mod names;
mod passes;
mod reference;
#[cfg(test)]
mod tests;

use stormproof_rt_shuttle::life::{Cancel, InjectedEvents};

use crate::finding::{Finding, Identity};
use crate::plan::{Plan, PlanSize, StrategyPlan};
use crate::registry::Registry;
use crate::run::{Run, RunError, run_while};
use crate::trace::explicit;

/// The budget of a reduction.
#[derive(Clone, Debug)]
pub struct Budget {
    /// The most runs.
    pub runs: u64,
    /// The most other schedules and crash points that are tried for a plan that no longer fails with its own.
    pub schedules: u64,
    /// Cancels the run under way as well: one of a large plan may take longer than the time that is left.
    pub cancel: Option<Cancel>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { runs: 24_000, schedules: 48, cancel: None }
    }
}

/// The result of a reduction.
#[derive(Debug)]
pub struct Shrunk {
    /// The smallest plan that fails in the same way.
    pub plan: Plan,
    /// Its run.
    pub run: Run,
    /// How it fails.
    pub finding: Finding,
    /// How large the plan was before.
    pub before: PlanSize,
    /// How large it is now.
    pub after: PlanSize,
    /// Runs spent.
    pub runs: u64,
}

/// Shrinks a plan whose `run` failed. `go_on` is asked before every run, with the size of the best plan so
/// far: to show progress, and to stop early.
///
/// Returns `None` when the run did not fail, or does not fail again.
pub fn shrink(
    plan: &Plan,
    failed: &Run,
    registry: &Registry,
    budget: Budget,
    go_on: &mut dyn FnMut(&PlanSize, u64) -> bool,
) -> Option<Shrunk> {
    let identity = failed.findings().first()?.identity();
    let schedules = budget.schedules;
    let mut search = Search {
        identity,
        registry,
        budget,
        effort: 0,
        runs: 0,
        reserve: 0,
        stopped: false,
        has_reference: plan.mutants.is_empty() && reference::holds(plan, registry) == Some(true),
        go_on,
        best: None,
    };
    search.start(plan, failed)?;
    let mut easiest = (search.cost(), search.plan().clone());
    for round in 0.. {
        search.effort = EFFORTS.get(round).copied().unwrap_or(u64::MAX).min(schedules);
        let before = search.cost();
        // The switches are reduced last, and must not be left as they were because everything else took all
        // runs.
        search.reserve = search.budget.runs / 3;
        passes::structure(&mut search);
        search.reserve = 0;
        passes::schedule(&mut search);
        if search.cost() < easiest.0 {
            easiest = (search.cost(), search.plan().clone());
        }
        if search.is_thorough() && search.cost() >= before || search.is_over() {
            break;
        }
    }
    if easiest.0 < search.cost() {
        search.go_back_to(&easiest.1);
    }
    names::rename(&mut search);
    let runs = search.runs;
    let (best, run) = search.best?;
    let finding = run.findings().iter().find(|finding| finding.identity() == search.identity)?.clone();
    Some(Shrunk { before: plan.size(), after: best.size(), plan: best, run, finding, runs })
}

/// The number of transactions from which on a plan is first cut to the beginning of what its clients do.
const LARGE: usize = 400;

/// How many schedules are tried for such a beginning.
const BEGINNINGS: u64 = 12;

/// Returns the actions of the client that does most.
fn longest(plan: &Plan) -> usize {
    plan.workload.clients.iter().map(|client| client.actions.len()).max().unwrap_or(0)
}

/// How many other schedules are tried for a plan that no longer fails, round by round; in the last round, all
/// that the budget has.
const EFFORTS: [u64; 3] = [1, 4, 12];

/// A search for smaller plans.
struct Search<'a> {
    identity: Identity,
    registry: &'a Registry,
    budget: Budget,
    /// How many other schedules and crash points are tried for a plan.
    effort: u64,
    runs: u64,
    /// Runs that are left to later passes.
    reserve: u64,
    stopped: bool,
    /// Whether the plan holds on the reference store, so that smaller ones have to.
    has_reference: bool,
    go_on: &'a mut dyn FnMut(&PlanSize, u64) -> bool,
    best: Option<(Plan, Run)>,
}

impl Search<'_> {
    /// Begins with the plan made explicit, or as it is if the explicit one does not fail.
    ///
    /// Of a large plan, whose runs are slow, a small part is tried first: most large plans fail with a few
    /// transactions of each client too, under one schedule or another.
    fn start(&mut self, plan: &Plan, failed: &Run) -> Option<()> {
        if plan.size().transactions > LARGE {
            let beginnings = (0..).map(|power| 1_usize << power).take_while(|kept| *kept < longest(plan));
            for kept in beginnings {
                if self.try_beginning(plan, kept) {
                    return Some(());
                }
            }
        }
        let direct = explicit(plan, failed);
        if let Some(run) = self.fails(&direct) {
            self.best = Some((direct, run));
            return Some(());
        }
        let run = self.fails(plan)?;
        self.best = Some((plan.clone(), run));
        Some(())
    }

    /// Takes the plan with the first `kept` actions of each client, if it fails in the same way under one of
    /// a few schedules.
    fn try_beginning(&mut self, plan: &Plan, kept: usize) -> bool {
        let mut cut = plan.clone();
        cut.workload.clients.iter_mut().for_each(|client| client.actions.truncate(kept));
        for attempt in 0..BEGINNINGS {
            let candidate = if attempt == 0 { cut.clone() } else { cut.rescheduled(attempt) };
            let Some(run) = self.fails(&candidate) else { continue };
            let direct = explicit(&candidate, &run);
            self.best = Some(match self.fails(&direct) {
                Some(run) => (direct, run),
                None => (candidate, run),
            });
            return true;
        }
        false
    }

    /// Returns the smallest plan so far.
    fn plan(&self) -> &Plan {
        &self.best.as_ref().expect("the search has started").0
    }

    /// Whether as much is tried for each plan as the budget has.
    const fn is_thorough(&self) -> bool {
        self.effort == self.budget.schedules
    }

    fn is_over(&self) -> bool {
        self.stopped || self.runs + self.reserve >= self.budget.runs
    }

    fn cost(&self) -> u64 {
        self.best.as_ref().map_or(u64::MAX, |(plan, _)| cost(plan))
    }

    /// Takes `candidate` if it fails in the same way: as it is, with the power cut elsewhere, or under
    /// another schedule.
    fn try_plan(&mut self, candidate: &Plan) -> bool {
        if let Some(run) = self.fails(candidate) {
            self.best = Some((candidate.clone(), run));
            return true;
        }
        for attempt in 0..self.effort {
            let other = match move_crash_points::moved(candidate, attempt / 2) {
                Some(moved) if attempt.is_multiple_of(2) => moved,
                Some(_) => candidate.rescheduled(attempt / 2),
                None => candidate.rescheduled(attempt),
            };
            if let Some(run) = self.fails(&other) {
                let direct = explicit(&other, &run);
                let (plan, run) = match self.fails(&direct) {
                    Some(run) => (direct, run),
                    None => (other, run),
                };
                self.best = Some((plan, run));
                return true;
            }
        }
        false
    }

    /// Takes an earlier plan again, whatever is left of the budget.
    fn go_back_to(&mut self, earlier: &Plan) {
        self.budget.runs = self.budget.runs.max(self.runs + 1);
        self.try_exactly(earlier);
    }

    /// Returns the plan with another schedule of one life, made explicit, if it fails in the same way.
    fn rescheduled(&mut self, life: usize, attempt: u64, strategy: StrategyPlan) -> Option<Plan> {
        let mut other = self.plan().clone();
        let changed = other.lives.get_mut(life)?;
        changed.schedule_seed ^= (attempt + 1) << 32;
        changed.strategy = strategy;
        // Some need the wake-ups and timeouts that are forced, and some have them because of this schedule.
        if attempt.is_multiple_of(2) {
            changed.injected_events = InjectedEvents::Only(Vec::new());
        }
        let run = self.fails(&other)?;
        Some(explicit(&other, &run))
    }

    /// Takes another schedule of one life if the plan fails in the same way with at most half the switches.
    fn try_fewer(&mut self, life: usize, attempt: u64) -> bool {
        let before = self.plan().lives[life].switches();
        let direct = self.rescheduled(life, attempt, StrategyPlan::with_few_switches(attempt));
        direct.is_some_and(|direct| direct.lives[life].switches() * 2 <= before && self.try_exactly(&direct))
    }

    /// Takes another schedule of one life if fewer switches than now are left of it once `reduce` has taken
    /// out those that it does not need.
    fn try_reduced(&mut self, life: usize, attempt: u64, reduce: impl FnOnce(&mut Self)) {
        let before = (self.cost(), self.plan().clone());
        // Those that switch often fail more often, and are reduced for longer.
        let strategy = match attempt % 3 {
            0 => StrategyPlan::for_search(attempt / 3),
            _ => StrategyPlan::with_few_switches(attempt),
        };
        let direct = self.rescheduled(life, attempt, strategy);
        if direct.is_some_and(|direct| self.try_exactly(&direct)) {
            reduce(self);
            if self.cost() >= before.0 {
                self.go_back_to(&before.1);
            }
        }
    }

    /// Takes `candidate` if it fails in the same way, as it is.
    fn try_exactly(&mut self, candidate: &Plan) -> bool {
        match self.fails(candidate) {
            Some(run) => {
                self.best = Some((candidate.clone(), run));
                true
            }
            None => false,
        }
    }

    fn fails(&mut self, plan: &Plan) -> Option<Run> {
        if self.is_over() {
            return None;
        }
        let size = self.best.as_ref().map_or_else(|| plan.size(), |(best, _)| best.size());
        if !(self.go_on)(&size, self.runs) {
            self.stopped = true;
            return None;
        }
        self.runs += 1;
        let failed = match run_while(plan, self.registry, self.budget.cancel.clone()) {
            Ok(run) => run,
            Err(error) => {
                self.stopped |= error == RunError::Cancelled;
                return None;
            }
        };
        let same = failed.findings().iter().any(|finding| finding.identity() == self.identity);
        (same && self.is_meant(plan) && self.holds_without_its_bug(plan)).then_some(failed)
    }

    /// Returns whether what the clients of a plan do still means what their workload takes it for.
    fn is_meant(&self, plan: &Plan) -> bool {
        let is_known = self.best.as_ref().is_some_and(|(best, _)| best.workload == plan.workload);
        !self.has_reference || is_known || reference::holds(plan, self.registry) != Some(false)
    }

    /// Returns whether a plan with deliberate bugs holds without them: if it does not, steps were left out
    /// that the workload's own invariant needs.
    fn holds_without_its_bug(&mut self, plan: &Plan) -> bool {
        if plan.mutants.is_empty() {
            return true;
        }
        self.runs += 1;
        let healthy = Plan { mutants: Vec::new(), ..plan.clone() };
        run_while(&healthy, self.registry, self.budget.cancel.clone())
            .is_ok_and(|run| run.findings().is_empty())
    }
}

/// Returns how much a person has to read: what clients do weighs more than switches, but a step less is not
/// worth many of them.
fn cost(plan: &Plan) -> u64 {
    let random =
        plan.lives.iter().filter(|life| !matches!(life.strategy, StrategyPlan::Directed { .. })).count();
    cost_of(&plan.size(), random)
}

/// Returns the cost of a plan of this size, `random` of whose lives take switches at random.
fn cost_of(size: &PlanSize, random: usize) -> u64 {
    let weighted = [
        (size.clients, 1_000),
        (size.transactions, 300),
        (size.operations, 100),
        (size.lives, 500),
        (size.crashes, 200),
        (size.faults, 200),
        (size.preemptions, 50),
        (random, 1_000),
    ];
    weighted.iter().map(|&(count, weight)| count as u64 * weight).sum()
}
