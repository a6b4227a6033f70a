//! What is true of a store at rest: all clients are joined, and the engine has had time for its own work.
//!
//! Job: a table of rules over the store's own figures ([`RULES`]); each must hold at one moment. Not its job:
//! what clients saw, which is the oracle's.

use stormproof_rt_shuttle::time;
use stormproof_twin::{Database, Metrics};
use stormproof_workloads::history::{Event, Life, Outcome};

use super::world::SimWorld;
use crate::plan::{Ending, LifePlan, Plan, Storage, TIMEOUTS_AT_WILL};
use crate::store::simulated::EngineStore;

/// Returns the names of all rules of rest, by which failures are grouped.
pub fn rest_rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name)
}

/// One rule of rest.
struct Rule {
    /// What holds, in a few words that never change: failures are grouped by it.
    name: &'static str,
    holds: fn(&Rest) -> bool,
}

/// All that must hold at one moment once nothing is under way.
const RULES: &[Rule] = &[
    Rule { name: "no snapshot is registered", holds: |rest| rest.metrics.snapshots == 0 },
    Rule { name: "no closure has a place in the queue", holds: |rest| rest.metrics.queued == 0 },
    Rule { name: "nothing waits for the log", holds: |rest| rest.metrics.log.waiting == 0 },
    Rule {
        name: "nothing is pending behind a flush",
        holds: |rest| {
            let log = &rest.metrics.log;
            !rest.has_log || log.unsynced_commits == 0 && log.unsynced_bytes == 0 && rest.all_durable
        },
    },
    Rule {
        name: "no version is kept that no snapshot needs",
        holds: |rest| rest.metrics.surplus_versions == 0,
    },
    Rule {
        name: "nothing that was replaced waits to be freed",
        holds: |rest| rest.metrics.retired_bytes == 0,
    },
    Rule { name: "every commit is counted once", holds: |rest| rest.counts_commits() },
    Rule { name: "every conflict is counted", holds: |rest| rest.metrics.conflicts >= rest.seen.conflicts },
    Rule { name: "every further attempt is counted once", holds: |rest| rest.counts_retries() },
];

/// A store at rest, and what is known of it.
#[derive(Debug)]
struct Rest {
    metrics: Metrics,
    has_log: bool,
    /// Whether the newest version is durable.
    all_durable: bool,
    /// Versions and commits since the life began; `None` if they can't be told apart from what came between.
    since: Option<(u64, u64)>,
    seen: Seen,
    /// Attempts that clients have seen loops make beyond the first, and whether these are all.
    retries: (u64, bool),
}

/// What clients saw in this life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Commits that were acked with a version.
    commits: u64,
    /// Commits that were called and refused with a conflict.
    conflicts: u64,
}

impl Rest {
    fn counts_commits(&self) -> bool {
        let as_many = self.since.is_none_or(|(versions, commits)| versions == commits);
        as_many && self.metrics.commits >= self.seen.commits
    }

    fn counts_retries(&self) -> bool {
        let (seen, are_all) = self.retries;
        if are_all { self.metrics.retries == seen } else { self.metrics.retries >= seen }
    }
}

/// Version and number of commits of one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    version: u64,
    commits: u64,
}

impl Figures {
    /// Returns the figures of now; `None` if the engine commits all the time.
    pub(super) fn of(database: &Database) -> Option<Self> {
        (0..8).find_map(|_| {
            let version = database.version().get();
            let commits = database.metrics().commits;
            (database.version().get() == version).then_some(Self { version, commits })
        })
    }
}

/// How often a store may be looked at before it is at rest.
const LOOKS: u32 = 24;

/// Waits until all rules hold at once, in a life in which nothing was disturbed; notes the first that does
/// not, in the end.
pub(super) fn check(world: &SimWorld, store: &EngineStore, plan: &Plan, life: Life, before: Option<Figures>) {
    if world.hook.disturbed() {
        return;
    }
    let mut broken = None;
    for _ in 0..LOOKS {
        store.database().collect();
        if store.database().flush().is_err() {
            return;
        }
        let rest = look(world, store, plan, life, before);
        broken = RULES.iter().find(|rule| !(rule.holds)(&rest)).map(|rule| (rule.name, format!("{rest:?}")));
        if broken.is_none() {
            break;
        }
        time::sleep(std::time::Duration::from_millis(1));
        // This wait counts as progress, or it would be taken for a livelock.
        world.recorder.tick();
    }
    if world.hook.disturbed() {
        return;
    }
    world.note(|now| {
        now.rest_rules = RULES.len() as u64;
        now.unrest = broken;
    });
}

/// Returns whether a life is to come to rest: nothing but the engine itself works in the end, and gets the
/// time to do so. Only some, as a store that was flushed has little to do when it is closed.
pub(super) fn is_due(plan: &Plan, life_plan: &LifePlan, life: Life) -> bool {
    (plan.disk_seed >> (life % 32)) & 1 == 0
        && life_plan.ending == Ending::Close
        && life_plan.early_timeouts_per_mille < TIMEOUTS_AT_WILL
        && life_plan.stalls_per_million == 0
        && life_plan.room_bytes.is_none()
        && life_plan.close_after_micros.is_none()
        && life_plan.checkpoint_after_micros == 0
}

fn look(world: &SimWorld, store: &EngineStore, plan: &Plan, life: Life, before: Option<Figures>) -> Rest {
    let database = store.database();
    let now = Figures::of(database);
    let since = before
        .zip(now)
        .map(|(before, now)| (now.version.wrapping_sub(before.version), now.commits - before.commits));
    Rest {
        metrics: database.metrics(),
        has_log: plan.engine.storage == Storage::Disk,
        all_durable: database.durable_version() >= database.version(),
        since,
        seen: world.recorder.with_events(|events| seen(events, life)),
        retries: (store.retries(), plan.engine.ended_runs_max.is_none() && !world.calls.any(loops_unseen)),
    }
}

/// Returns whether a call may make attempts of which its client sees nothing, now or by what it leaves to the
/// background.
fn loops_unseen(function: &str) -> bool {
    const SEEN: &[&str] = &[
        "backup_to_disk",
        "begin_transaction",
        "begin_transaction_with",
        "checkpoint",
        "close",
        "collect",
        "durable_version",
        "flush",
        "metrics",
        "provenance",
        "recovery_report",
        "run",
        "runs",
        "snapshot",
        "transaction",
        "transaction_with",
        "transaction_with_commit",
        "try_transaction",
        "try_transaction_with_commit",
        "version",
        "wait_durable",
        "watch_with",
    ];
    let expires = function.ends_with("put_with_ttl");
    expires || function.strip_prefix("Database::").is_some_and(|name| !SEEN.contains(&name))
}

fn seen(events: &[Event], wanted: Life) -> Seen {
    let mut seen = Seen::default();
    let mut first = None;
    let mut called = std::collections::BTreeSet::new();
    for event in events {
        match event {
            Event::Begin { txn, life, .. } if *life == wanted => _ = first.get_or_insert(*txn),
            Event::Commit { txn, .. } => _ = called.insert(*txn),
            // Transactions of later lives have higher numbers, and there are none yet.
            Event::Outcome { txn, outcome } if first.is_some_and(|first| *txn >= first) => match outcome {
                Outcome::Committed { version: Some(_), .. } => seen.commits += 1,
                Outcome::Aborted { conflicts, .. } if !conflicts.is_empty() && called.contains(txn) => {
                    seen.conflicts += 1;
                }
                _ => {}
            },
            _ => {}
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of which all rules hold, changed.
    fn broken(change: impl FnOnce(&mut Rest)) -> Option<&'static str> {
        let mut rest = Rest {
            metrics: Metrics::default(),
            has_log: true,
            all_durable: true,
            since: Some((3, 3)),
            seen: Seen::default(),
            retries: (0, true),
        };
        change(&mut rest);
        RULES.iter().find(|rule| !(rule.holds)(&rest)).map(|rule| rule.name)
    }

    #[test]
    fn every_rule_of_rest_is_seen_to_fail() {
        assert_eq!(broken(|_| {}), None);
        let changes: &[fn(&mut Rest)] = &[
            |rest| rest.metrics.snapshots = 1,
            |rest| rest.metrics.queued = 1,
            |rest| rest.metrics.log.waiting = 1,
            |rest| rest.metrics.log.unsynced_bytes = 1,
            |rest| rest.metrics.surplus_versions = 1,
            |rest| rest.metrics.retired_bytes = 1,
            |rest| rest.since = Some((3, 2)),
            |rest| rest.seen.conflicts = 1,
            |rest| rest.metrics.retries = 1,
        ];
        assert_eq!(changes.len(), RULES.len());
        for (rule, change) in RULES.iter().zip(changes) {
            assert_eq!(broken(change), Some(rule.name));
        }
        assert_eq!(broken(|rest| rest.all_durable = false), Some("nothing is pending behind a flush"));
        assert_eq!(broken(|rest| rest.seen.commits = 1), Some("every commit is counted once"));
        assert_eq!(broken(|rest| rest.retries = (1, false)), Some("every further attempt is counted once"));
    }
}
