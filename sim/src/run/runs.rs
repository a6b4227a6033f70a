//! Records of runs, read back after every recovery.
//!
//! Job: compares them with what an earlier life had recovered, or had closed with: number, parent, tags and
//! times of a run stay, and what has ended stays so. Not its job: whether a run that has ended writes, which
//! its clients see.

use std::collections::BTreeMap;

use stormproof_rt::sync::Mutex;
use stormproof_twin::{RunId, RunRecord, RunStatus};
use stormproof_workloads::plan::Action;

use super::world::SimWorld;
use crate::plan::{Edge, Plan};
use crate::store::simulated::EngineStore;

/// Records that must be there after the next recovery: what the last one had found is durable, and so is what
/// was there when the store was closed.
#[derive(Debug)]
pub(super) struct KnownRuns(Mutex<BTreeMap<RunId, RunRecord>>);

impl KnownRuns {
    pub(super) fn new() -> Self {
        Self(Mutex::new("world.runs", BTreeMap::new()))
    }

    /// Remembers these records, and no others.
    pub(super) fn remember(&self, records: Vec<RunRecord>) {
        *self.0.lock() = records.into_iter().map(|record| (record.id, record)).collect();
    }
}

/// Reads the records of a store that was opened, and remembers them.
pub(super) fn read_back(world: &SimWorld, store: &EngineStore, plan: &Plan) {
    let mut records = compared(world, store, plan);
    // This life's own is not durable in every mode.
    records.retain(|record| record.id != store.own_run());
    world.runs.remember(records);
}

/// Returns the records of a store, compared with those that are known.
pub(super) fn compared(world: &SimWorld, store: &EngineStore, plan: &Plan) -> Vec<RunRecord> {
    let records = store.database().runs();
    let known = world.runs.0.lock().clone();
    let trouble = trouble(&known, &records, keeps_all(plan));
    world.note(|now| {
        now.runs_compared += known.len() as u64;
        now.runs_trouble = now.runs_trouble.take().or(trouble);
    });
    records
}

/// Returns whether runs that have ended are kept for ever.
fn keeps_all(plan: &Plan) -> bool {
    let ages = |edge: &Edge| matches!(edge, Edge::EndedRunsAgeLeast | Edge::EndedRunsAgeMost);
    let forgets = |action: &Action| match action {
        Action::Transaction(transaction) => transaction.forgets_run,
        Action::ForgetRun { .. } => true,
        _ => false,
    };
    plan.engine.ended_runs_max.is_none()
        && !plan.engine.edges.iter().any(ages)
        && !plan.workload.clients.iter().flat_map(|client| &client.actions).any(forgets)
}

/// Returns how records differ from those that are known, in words.
fn trouble(known: &BTreeMap<RunId, RunRecord>, records: &[RunRecord], keeps_all: bool) -> Option<String> {
    let mixed = |record: &&RunRecord| (record.status == RunStatus::Ended) != record.ended.is_some();
    if let Some(record) = records.iter().find(mixed) {
        return Some(format!("status and end of a run contradict each other: {record:?}"));
    }
    known.values().find_map(|before| {
        let Some(now) = records.iter().find(|record| record.id == before.id) else {
            // Otherwise it may have ended, and been forgotten, since it was read.
            return keeps_all.then(|| format!("a run is not there any more: {before:?}"));
        };
        let stays = |run: &RunRecord| (run.number, run.parent, run.tags.clone(), run.started);
        let has_changed = stays(now) != stays(before) || before.ended.is_some() && now.ended != before.ended;
        has_changed.then(|| format!("a run was {before:?}, and is {now:?} now"))
    })
}

#[cfg(test)]
mod tests {
    use stormproof_rt_shuttle::check;
    use stormproof_twin::{Database, RunOptions};

    use super::*;

    #[test]
    fn a_record_that_lost_something_is_told_and_an_end_that_is_new_is_not() {
        check(|| {
            let db = Database::open_in_memory().unwrap();
            let parent = db.begin_run().unwrap();
            let child = db.begin_run_with(RunOptions::new().parent(parent).tag("task", "test")).unwrap();
            let before: BTreeMap<_, _> = db.runs().into_iter().map(|run| (run.id, run)).collect();
            db.end_run(child).unwrap();
            let mut now = db.runs();
            assert_eq!(trouble(&before, &now, true), None);
            let ended: BTreeMap<_, _> = now.iter().map(|run| (run.id, run.clone())).collect();
            assert!(trouble(&ended, &before.values().cloned().collect::<Vec<_>>(), true).is_some());
            now[1].parent = None;
            assert!(trouble(&before, &now, true).is_some());
            now.truncate(1);
            assert_eq!(trouble(&ended, &now, false), None);
            assert!(trouble(&ended, &now, true).is_some(), "it is to be kept");
        });
    }
}
