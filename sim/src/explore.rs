//! All interleavings of one life of a plan, up to a number of preemptions.
//!
//! Job: for tiny plans, proof instead of chance: within the bound there is no interleaving that breaks the
//! contract. Bounds are taken in order, 0, 1, 2 …, so what is found is found with as few preemptions as it
//! needs. Not its job: crash points and faults, which stay as the plan has them.
//!
//! Chance is switched off in the explored life (no spurious wake-up, no early timeout, no stall), and lives
//! other than that one never preempt.
//!
//! Source: Musuvathi, Qadeer: *Iterative Context Bounding for Systematic Testing of Multithreaded Programs*
//! (PLDI 2007).

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use serde::Serialize;
use stormproof_rt_shuttle::life::InjectedEvents;
use stormproof_rt_shuttle::strategy::Bounded;

use crate::plan::{LifePlan, Plan, StrategyPlan};
use crate::registry::Registry;
use crate::run::{Run, RunError, run_exploring};

/// What to explore.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Which life of the plan.
    pub life: usize,
    /// The largest number of preemptions in it.
    pub preemptions: u32,
    /// The largest number of runs.
    pub runs: u64,
}

/// What was covered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Covered {
    /// Runs in all: interleavings with few preemptions are run again for each larger bound.
    pub runs: u64,
    /// How many interleavings there are with at most 0, 1, 2 … preemptions, as far as they were all run.
    pub interleavings: Vec<u64>,
    /// How many different ones were run.
    pub distinct: u64,
    /// Scheduling points of the longest of them.
    pub steps_max: u64,
    /// Whether all within the bound were run.
    pub complete: bool,
    /// Why not, if the program did not do the same under the same decisions.
    pub diverged: Option<String>,
}

/// The outcome.
#[derive(Debug)]
pub struct Explored {
    /// What was covered.
    pub covered: Covered,
    /// The plan that was run, chance switched off.
    pub plan: Plan,
    /// The first run that violates something.
    pub failed: Option<Run>,
}

/// Runs the interleavings of a plan, until one violates something or there is none left. `go_on` is asked
/// before each run.
///
/// # Errors
/// When a run gave no verdict.
pub fn explore(
    plan: &Plan,
    bounds: Bounds,
    registry: &Registry,
    mut go_on: impl FnMut(&Covered) -> bool,
) -> Result<Explored, RunError> {
    let plan = without_chance(plan);
    let mut covered = Covered::default();
    let mut distinct: HashSet<u64, FixedState> = HashSet::default();
    for preemptions in 0..=bounds.preemptions {
        let mut search = Bounded::new(preemptions);
        let mut count = 0;
        loop {
            if covered.runs >= bounds.runs || !go_on(&covered) {
                return Ok(Explored { covered, plan, failed: None });
            }
            let (run, used) = run_exploring(&plan, registry, bounds.life, search)?;
            covered.runs += 1;
            count += 1;
            if let Some(life) = run.lives.get(bounds.life) {
                distinct.insert(life.life.digest);
                covered.steps_max = covered.steps_max.max(life.life.steps);
            }
            covered.distinct = distinct.len() as u64;
            if !run.findings().is_empty() {
                return Ok(Explored { covered, plan, failed: Some(run) });
            }
            // Without the life there is nothing to explore: the plan ended before it.
            let Some(mut next) = used else { break };
            if !next.advance() {
                if let Some(diverged) = next.diverged() {
                    covered.diverged = Some(diverged.to_owned());
                    return Ok(Explored { covered, plan, failed: None });
                }
                break;
            }
            search = next;
        }
        covered.interleavings.push(count);
    }
    covered.complete = true;
    Ok(Explored { covered, plan, failed: None })
}

/// Returns the plan without injected events, and without preemptions in its lives.
fn without_chance(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for life in &mut plan.lives {
        *life = LifePlan {
            strategy: StrategyPlan::Directed { forced_switches: Vec::new() },
            injected_events: InjectedEvents::Only(Vec::new()),
            ..life.clone()
        };
    }
    plan
}
