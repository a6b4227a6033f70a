//! Judges a run: by its history (the oracle), by what its numbers mean (the workload), and by what the world
//! knows.
//!
//! Job: bring all findings into one form, and count how often each invariant was evaluated.
//! Not its job: how isolation and durability are checked, which is the oracle's.

use std::collections::BTreeMap;

use stormproof_faults::Doubt;
use stormproof_oracle::{Durability, Expectations, Invariant, Recency};
use stormproof_rt_shuttle::life::LifeEnd;
use stormproof_workloads::act::Act;
use stormproof_workloads::history::Outcome;
use stormproof_workloads::notebook::{Note, Notebook};
use stormproof_workloads::plan::{Action, Step};
use stormproof_workloads::store::Isolation;
use stormproof_workloads::watching::READS_LOG;
use stormproof_workloads::{Evidence, History, Workload};

use super::application::class_of;
use super::world::{Contents, Phase, Refusal};
use super::{LifeRun, Role};
use crate::finding::Finding;
use crate::invariants;
use crate::landmarks::{file_of, is_in_engine};
use crate::plan::{DurabilityPlan, Plan};

/// The judgement of a run.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Violations.
    pub findings: Vec<Finding>,
    /// Anomalies that the isolation asked for allows.
    pub sightings: Vec<String>,
    /// How many times each invariant was evaluated.
    pub evaluated: BTreeMap<&'static str, u64>,
    /// What could not be decided.
    pub undecided: Vec<String>,
}

/// A run to judge.
pub(crate) struct Case<'a> {
    pub(crate) plan: &'a Plan,
    /// Whether an application's code ran in the place of a workload's clients.
    pub(crate) is_program: bool,
    pub(crate) workload: &'a dyn Workload,
    pub(crate) lives: &'a [LifeRun],
    pub(crate) history: &'a History,
    pub(crate) notes: &'a [Note],
    pub(crate) notebook: &'a Notebook,
    pub(crate) doubts: &'a [Doubt],
}

impl Case<'_> {
    pub(crate) fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        self.judge_lives(&mut verdict);
        self.judge_reopening(&mut verdict);
        self.judge_history(&mut verdict);
        self.judge_workload(&mut verdict);
        verdict
    }

    /// Judges opening, closing, panics, deadlocks, and whether all clients finished.
    fn judge_lives(&self, verdict: &mut Verdict) {
        for (number, run) in self.lives.iter().enumerate() {
            let disturbed = run.faults.0 != run.faults.1 || !self.doubts.is_empty();
            // On a nearly full disk only an error that asks for space is excused.
            let excused = |refusal: &Refusal| disturbed || (run.now.cramped && refusal.wants_space);
            verdict.count_evaluated(invariants::NO_PANIC, 1);
            verdict.count_evaluated(invariants::LIVENESS, 1);
            verdict.count_evaluated(invariants::RECOVERS, 1);
            match &run.life.end {
                // A run with a life that was given up has no verdict.
                LifeEnd::Completed | LifeEnd::Killed | LifeEnd::Cancelled => {}
                LifeEnd::Deadlock(graph) => {
                    let message = format!("life {number}: no task can go on\n{graph}");
                    verdict.violation(invariants::LIVENESS, "deadlock", message);
                }
                LifeEnd::StepLimit(limit) => {
                    let message = format!("life {number}: {}", LifeEnd::StepLimit(limit.clone()));
                    verdict.violation(invariants::LIVENESS, "livelock", message);
                }
                LifeEnd::Starved(starved) => {
                    let message = format!("life {number}: {}", LifeEnd::Starved(starved.clone()));
                    verdict.violation(invariants::LIVENESS, "starvation", message);
                }
                LifeEnd::Panicked(panic) if self.is_program && !is_of_a_dependency(&panic.place) => {
                    let class = format!("panic: {}", class_of(&panic.message));
                    verdict.violation(invariants::APPLICATION, &class, format!("life {number}: {panic}"));
                }
                LifeEnd::Panicked(panic) => {
                    let message = format!("life {number}: {panic}");
                    let class = format!("panic at {}", file_of(&panic.place));
                    verdict.violation(invariants::NO_PANIC, &class, message);
                }
            }
            verdict.count_evaluated(invariants::APPLICATION, u64::from(self.is_program));
            if let Some(message) = &run.now.broken {
                let class = class_of(message);
                verdict.violation(invariants::APPLICATION, &class, format!("life {number}: {message}"));
            }
            let visitors = &run.now.visitors;
            verdict
                .count_evaluated(invariants::PATH, visitors.openers + u64::from(!visitors.files.is_empty()));
            if let Some(message) = &visitors.trouble {
                verdict.violation(invariants::PATH, "trespass", format!("life {number}: {message}"));
            }
            verdict.count_evaluated(invariants::REST, run.now.rest_rules);
            if let Some((rule, message)) = &run.now.unrest {
                verdict.violation(invariants::REST, rule, format!("life {number}: {message}"));
            }
            verdict.count_evaluated(invariants::RUNS, run.now.runs_compared);
            if let Some(message) = run.now.runs_trouble.as_ref().filter(|_| self.doubts.is_empty()) {
                verdict.violation(invariants::RUNS, "record-differs", format!("life {number}: {message}"));
            }
            if let Some(error) = &run.now.open_error
                && !excused(error)
            {
                let message =
                    format!("life {number}: opening failed, though nothing went wrong in this life: {error}");
                verdict.violation(invariants::RECOVERS, "open-failed", message);
            }
            if let Some(error) = &run.now.close_error
                && !excused(error)
            {
                let message =
                    format!("life {number}: closing failed, though nothing went wrong in this life: {error}");
                verdict.violation(invariants::CLOSES, "close-failed", message);
            }
            verdict.count_evaluated(invariants::CLOSES, u64::from(run.now.phase == Phase::Closing));
            let is_workload = !self.is_program;
            if is_workload
                && run.role == Role::Last
                && run.opened()
                && matches!(run.life.end, LifeEnd::Completed)
            {
                self.judge_finish(verdict);
            }
        }
    }

    /// Judges whether every client has finished its program: after the storm it must.
    fn judge_finish(&self, verdict: &mut Verdict) {
        for client in self.plan.workload.clients.iter().chain([&self.plan.workload.setup]) {
            let next = self.notebook.progress(client.session).next;
            if next < client.actions.len() {
                let message = format!(
                    "client {} did not finish in the calm after the storm: {next} of {} actions are done",
                    client.session,
                    client.actions.len()
                );
                verdict.violation(invariants::LIVENESS, "client-stuck", message);
            }
        }
    }

    /// Judges that the state after the last client and those of the lives that only open the store are equal,
    /// as no write came between.
    fn judge_reopening(&self, verdict: &mut Verdict) {
        if self.uses_ttl() {
            return;
        }
        let states: Vec<(&LifeRun, &Contents)> = self
            .lives
            .iter()
            .filter(|run| run.role != Role::Storm)
            .filter_map(|run| Some((run, run.now.states.last()?)))
            .collect();
        for pair in states.windows(2) {
            let [(before, old), (after, new)] = pair else { continue };
            let (invariant, class) = match before.role {
                Role::Last => (invariants::CLEAN_CLOSE, "state-differs-after-close"),
                Role::Storm | Role::Reopen => (invariants::IDEMPOTENT, "state-differs-after-reopening"),
            };
            verdict.count_evaluated(invariant, 1);
            if after.opened() && old != new {
                verdict.violation(invariant, class, difference(old, new));
            }
        }
    }

    fn judge_history(&self, verdict: &mut Verdict) {
        let mut expectations = expectations(self.plan, self.doubts);
        // An application may write one value many times, and the black box tells writers apart by values.
        expectations.blackbox &= !self.is_program;
        let judged = stormproof_oracle::check(self.history, &expectations);
        let crashes = self.lives.iter().filter(|run| run.crashed()).count() as u64;
        for invariant in Invariant::ALL {
            let times = match invariant {
                Invariant::AckedSurvives
                | Invariant::PrefixSurvives
                | Invariant::VisibleSurvives
                | Invariant::BoundedLoss => crashes,
                _ => judged.txns,
            };
            verdict.count_evaluated(invariant.name(), times);
        }
        verdict.findings.extend(judged.violations.into_iter().map(Finding::from));
        verdict.undecided.extend(judged.undecided);
    }

    fn judge_workload(&self, verdict: &mut Verdict) {
        let evidence = Evidence { plan: &self.plan.workload, history: self.history, notes: self.notes };
        verdict.count_evaluated(invariants::WORKLOAD, 1);
        for found in stormproof_workloads::verdict(self.workload, &evidence) {
            let excused = found.rule == READS_LOG && !self.doubts.is_empty();
            if found.violation && !excused {
                verdict.findings.push(Finding::of_workload(self.workload.name(), found));
            } else {
                verdict.sightings.push(format!("{}: {}", self.workload.name(), found.rule));
            }
        }
    }

    fn uses_ttl(&self) -> bool {
        let plan = &self.plan.workload;
        let mut actions = plan.clients.iter().chain([&plan.setup]).flat_map(|client| &client.actions);
        let expires = |step: &Step| match step {
            Step::PutTtl { .. } | Step::Lease { .. } | Step::Call { .. } => true,
            Step::Act { act, .. } | Step::Nested { act, .. } => matches!(act, Act::PutTtl { .. }),
            _ => false,
        };
        actions.any(|action| match action {
            Action::Transaction(transaction) => transaction.steps.iter().any(expires),
            Action::Single { act, .. } => matches!(act, Act::PutTtl { .. }),
            _ => false,
        })
    }
}

/// Returns the history without durable acks, by which a run is judged in which data have decayed. Rot in the
/// last group of the log can't be told from a torn tail, so no single ack is known to be durable, and only
/// the number of lost ones is bounded.
pub(crate) fn without_durable_acks(history: &History) -> History {
    let mut history = history.clone();
    for txn in &mut history.txns {
        if let Outcome::Committed { durable, .. } = &mut txn.outcome {
            *durable = None;
        }
    }
    history
}

impl Verdict {
    fn count_evaluated(&mut self, invariant: &'static str, times: u64) {
        if times > 0 {
            *self.evaluated.entry(invariant).or_default() += times;
        }
    }

    fn violation(&mut self, invariant: &'static str, class: &str, message: String) {
        self.findings.push(Finding::of_world(invariant, class, message));
    }
}

/// Returns what the engine promises the clients of a plan, on a disk with these doubts.
pub fn expectations(plan: &Plan, doubts: &[Doubt]) -> Expectations {
    let excused = doubts.iter().any(Doubt::excuses_silent_loss);
    let decayed = !doubts.is_empty();
    let durability = match plan.engine.durability {
        _ if excused => Durability::None,
        // The last group is all that rot may take unnoticed: nothing after it proves that it was durable.
        DurabilityPlan::Strict if decayed => {
            Durability::Batched { commits_max: Some(plan.workload.clients.len() as u64 + 2) }
        }
        DurabilityPlan::Batched { commits_max, .. } if decayed => {
            Durability::Batched { commits_max: Some(2 * commits_max + 1) }
        }
        other => other.promise(),
    };
    Expectations {
        // The strongest that the engine offers: transactions that ask for a snapshot are judged by that.
        isolation: Isolation::Serializable,
        durability,
        recency: Recency::RealTime,
        blackbox: true,
        search_steps_max: SEARCH_STEPS_MAX,
        findings_max: 8,
    }
}

/// The number of steps in which the black box searches for an order that neither values nor versions tell.
const SEARCH_STEPS_MAX: u64 = 100_000;

/// Returns whether a source location is in a package that the application depends on, and not in its own:
/// cargo names files of the latter relative to their workspace.
fn is_of_a_dependency(place: &str) -> bool {
    std::path::Path::new(file_of(place)).is_absolute() || is_in_engine(place)
}

/// Returns the first key in which two states differ, in words.
fn difference(old: &Contents, new: &Contents) -> String {
    let show = stormproof_reports::show_bytes;
    let find = |state: &'_ Contents, key: &[u8]| state.iter().find(|entry| entry.key == key).cloned();
    for entry in old.iter().chain(new) {
        let (before, after) = (find(old, &entry.key), find(new, &entry.key));
        if before != after {
            let word = |entry: Option<stormproof_workloads::store::Entry>| {
                entry.map_or("absent".to_owned(), |entry| {
                    format!("\"{}\" at version {}", show(&entry.value), entry.version.unwrap_or(0))
                })
            };
            return format!(
                "\"{}\" was {} before, and is {} after opening again, though nothing was written",
                show(&entry.key),
                word(before),
                word(after)
            );
        }
    }
    "the order of keys differs".into()
}
