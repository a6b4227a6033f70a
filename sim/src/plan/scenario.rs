//! Scenarios: draws what is dangerous only in combination.
//!
//! Swarm testing draws every part of a plan for itself, so a situation that needs five of them at once comes
//! up once in ten thousand seeds. A scenario sets those parts in one seed of five, and leaves everything
//! else as it was drawn: nothing in it could not have been drawn without it. Each was added for a deliberate
//! bug that hardly any sweep found.
//!
//! Not their job: anything that options exclude.

use rand::RngExt;
use stormproof_faults::{CrashOdds, FaultKind, FaultPlan, FaultRule, Odds};
use stormproof_rt_shuttle::life::PointKey;
use stormproof_rt_shuttle::strategy::Kind;
use stormproof_workloads::catalogue::{Hotspot, RetryStorm, StepMix, TtlCache};
use stormproof_workloads::plan::Action;
use stormproof_workloads::store::Isolation;
use stormproof_workloads::workload::{Scale, Workload as _};

use super::{CrashAt, DurabilityPlan, Plan, Storage, StrategyPlan, TIMEOUTS_AT_WILL};
use crate::landmarks::{CHECKPOINT_PUBLISHED, ENGINE_WINDOWS};
use crate::options::{DurabilityKind, Faults, IsolationKind, Options};
use crate::seed::Stream;

/// A combination of faults, sizes and schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// Records of removed segments show up where the log has grown and its data have not come.
    Recycled,
    /// The middle of a long log rots, and there is much after it.
    Rotten,
    /// Groups of committers fail to be written.
    Failing,
    /// Threads of the engine are suspended in the middle of their work, and the power goes out after a
    /// promise.
    Background,
    /// Few clients ask for deleted keys over and over while the engine collects what was deleted.
    Rereading,
    /// Few clients lose to deletes, in the engine's own loop, while what was deleted is collected.
    Deleting,
    /// A checkpoint is written beside commits to few keys, and the power goes out when it has its name.
    Checkpointing,
    /// Few clients act on whether one key is there, which expires every few milliseconds and is not swept.
    Expiring,
}

/// Applies a scenario to some seeds.
pub(super) fn apply(plan: &mut Plan, options: &Options, stream: &mut Stream) {
    let drawn = stream.weighted(&[
        (74, None),
        (3, Some(Scenario::Expiring)),
        (3, Some(Scenario::Recycled)),
        (2, Some(Scenario::Rotten)),
        (3, Some(Scenario::Failing)),
        (5, Some(Scenario::Background)),
        (3, Some(Scenario::Rereading)),
        (4, Some(Scenario::Deleting)),
        (3, Some(Scenario::Checkpointing)),
    ]);
    match drawn {
        Some(Scenario::Rereading) => return rereading(plan, options, stream),
        Some(Scenario::Deleting) => return deleting(plan, options, stream),
        Some(Scenario::Expiring) => return expiring(plan, options, stream),
        _ => {}
    }
    let wanted = match options.faults {
        Faults::All => true,
        Faults::Crashes => {
            matches!(drawn, Some(Scenario::Recycled | Scenario::Background | Scenario::Checkpointing))
        }
        Faults::Lies | Faults::None => false,
    };
    // A crash and a life after it, or there is nothing to come back, to read or to retry.
    if !wanted || plan.engine.storage == Storage::Memory || plan.lives.len() < 2 {
        return;
    }
    match drawn {
        None | Some(Scenario::Rereading | Scenario::Deleting | Scenario::Expiring) => {}
        Some(Scenario::Recycled) => recycled(plan, stream),
        Some(Scenario::Rotten) => rotten(plan, stream),
        Some(Scenario::Failing) => failing(plan, options, stream),
        Some(Scenario::Background) => background(plan, options, stream),
        Some(Scenario::Checkpointing) => checkpointing(plan, options, stream),
    }
}

/// Makes segments small, so that they are soon removed, and cuts the power when the log has just grown: file
/// systems that persist lengths before data then show what the space held before.
fn recycled(plan: &mut Plan, stream: &mut Stream) {
    plan.engine.segment_bytes = stream.weighted(&[(2, 4 << 10), (1, 8 << 10)]);
    plan.engine.checkpoint_bytes = 4 << 10;
    plan.engine.allocate_bytes = 0;
    plan.disk.faults = FaultPlan { seed: plan.disk.faults.seed, ..FaultPlan::none() };
    plan.crash_odds = CrashOdds::stale();
    let storms = plan.lives.len() - 1;
    for (number, life) in plan.lives[..storms].iter_mut().enumerate() {
        let most = if number == 0 { 40 } else { 4 };
        life.crash = Some(CrashAt::Growth { nth: stream.random_range(1..=most) });
        life.room_bytes = None;
    }
}

/// Makes one long segment, most of it synced long ago, and flips one bit when recovery reads it.
fn rotten(plan: &mut Plan, stream: &mut Stream) {
    plan.engine.segment_bytes = 1 << 20;
    plan.engine.checkpoint_bytes = 0;
    let rule = FaultRule::new(FaultKind::BitRot, Odds::percent(stream.weighted(&[(2, 100), (1, 30)])));
    plan.disk.faults = FaultPlan {
        budget: Some(1),
        ..FaultPlan::random(plan.disk.faults.seed, vec![rule.on("wal").at_most(1)])
    };
    let first = &mut plan.lives[0];
    first.room_bytes = None;
    first.checkpoint_after_micros = 0;
    let nth = stream.random_range(10..60);
    first.crash = Some(match stream.weighted(&[(2, 0), (1, 1), (1, 2)]) {
        0 => CrashAt::Promise { nth },
        1 => CrashAt::Sync { nth, after: true },
        _ => CrashAt::Step(STEPS),
    });
}

/// So large a step that a life gets to its end before it.
const STEPS: u64 = 1_000_000;

/// Makes committers queue up while each waits for the disk, which refuses writes time and again.
fn failing(plan: &mut Plan, options: &Options, stream: &mut Stream) {
    if options.durability.is_none_or(|wanted| wanted == DurabilityKind::Strict) {
        plan.engine.durability = DurabilityPlan::Strict;
    }
    // So it is groups that split leaves, and are rolled back.
    plan.engine.packs_beside_commits = false;
    let kind =
        stream.weighted(&[(2, FaultKind::NoSpace), (2, FaultKind::WriteFails), (1, FaultKind::ShortWrite)]);
    let odds = Odds::percent(stream.weighted(&[(1, 10), (1, 30)]));
    let rules = vec![
        FaultRule::new(FaultKind::NoSpace, odds).on("wal").at_most(8),
        FaultRule::new(kind, odds).on("wal").at_most(8),
    ];
    plan.disk.faults = FaultPlan { budget: Some(12), ..FaultPlan::random(plan.disk.faults.seed, rules) };
}

/// Makes the engine's background work frequent, at any time, and slower than transactions of clients.
fn background(plan: &mut Plan, options: &Options, stream: &mut Stream) {
    plan.engine.maintenance_interval_micros = 500;
    // Among few clients there are moments without readers.
    if options.clients.is_none() && stream.chance(60) {
        plan.workload.clients.truncate(2);
    }
    // So commits seldom collect, and leave old versions and tombstones to the background thread.
    plan.engine.collect_every = 32;
    plan.engine.packs_beside_commits = false;
    plan.disk.faults = FaultPlan { seed: plan.disk.faults.seed, ..FaultPlan::none() };
    let label = stream.weighted(&[
        (3, None),
        (3, Some(ENGINE_WINDOWS[0])),
        (2, Some(ENGINE_WINDOWS[1])),
        (1, Some(ENGINE_WINDOWS[2])),
    ]);
    let windows = Kind::Windows { labels: label.into_iter().map(str::to_owned).collect() };
    let may_choose =
        options.strategy.is_empty() || options.strategy.iter().any(|name| name == windows.name());
    let storms = plan.lives.len() - 1;
    for (number, life) in plan.lives.iter_mut().enumerate() {
        if may_choose {
            life.strategy = StrategyPlan::Drawn(windows.clone());
        }
        life.early_timeouts_per_mille = TIMEOUTS_AT_WILL;
        life.room_bytes = None;
        if number < storms {
            life.crash = Some(CrashAt::Promise { nth: stream.random_range(1..=40) });
        }
    }
}

/// One client or two delete keys and ask for them again, several times in a transaction, while maintenance
/// drops what no snapshot sees, and is kept off in the middle of that.
fn rereading(plan: &mut Plan, options: &Options, stream: &mut Stream) {
    if !may_choose_workload(options, STEP_MIX) || options.recording.is_some() || !options.set.is_empty() {
        return;
    }
    let workload = StepMix { keys: 2, steps_max: 2, rereads: 60, ttl_every: 0, ..StepMix::default() };
    let clients = options.clients.unwrap_or_else(|| stream.weighted(&[(2, 1), (1, 2)]));
    let transactions = options.transactions.unwrap_or(60 / clients);
    let scale = Scale { clients, transactions, isolation: plan.engine.isolation };
    plan.workload = workload.plan(&scale, stream.generator());
    plan.engine.maintenance_interval_micros = 500;
    plan.engine.collect_every = 32;
    plan.engine.packs_beside_commits = false;
    let windows = Kind::Windows { labels: vec![ENGINE_WINDOWS[0].to_owned()] };
    let may_choose =
        options.strategy.is_empty() || options.strategy.iter().any(|name| name == windows.name());
    for life in &mut plan.lives {
        if may_choose {
            life.strategy = StrategyPlan::Drawn(windows.clone());
        }
        life.early_timeouts_per_mille = TIMEOUTS_AT_WILL;
        life.room_bytes = None;
    }
}

/// The workload that rereads.
const STEP_MIX: &str = "step-mix";

/// Two clients or three delete one key beside each other, or write it anew, and collect what was deleted:
/// what a transaction has lost to may be gone when its retry is decided.
fn deleting(plan: &mut Plan, options: &Options, stream: &mut Stream) {
    let may_choose = may_choose_workload(options, RETRY_STORM);
    if !may_choose || options.recording.is_some() || !options.set.is_empty() {
        return;
    }
    let workload = RetryStorm {
        keys: 1,
        think_micros_max: 0,
        by_store_percent: 100,
        delete_percent: 80,
        collect_percent: 30,
        // Few attempts are used up, too.
        attempts_max: stream.weighted(&[(1, 2), (2, 4), (2, 60)]),
    };
    let clients = options.clients.unwrap_or_else(|| stream.weighted(&[(1, 2), (3, 3)]));
    let transactions = options.transactions.unwrap_or(60 / clients.max(1));
    let scale = Scale { clients, transactions, isolation: plan.engine.isolation };
    plan.workload = workload.plan(&scale, stream.generator());
}

/// The workload whose clients lose to deletes.
const RETRY_STORM: &str = "retry-storm";

/// Two clients or three give one key a few milliseconds to live, and write down that it is there, or that it
/// is gone. A sweep would make a deletion of that, which is seen as such.
fn expiring(plan: &mut Plan, options: &Options, stream: &mut Stream) {
    let wanted = matches!(options.isolation, None | Some(IsolationKind::Serializable));
    let may_choose = may_choose_workload(options, TTL_CACHE) && wanted;
    if !may_choose || options.recording.is_some() || !options.set.is_empty() {
        return;
    }
    plan.engine.isolation = Isolation::Serializable;
    let ttl_ms_max = stream.weighted(&[(1, 2), (2, 4)]);
    let workload = TtlCache { keys: 1, ttl_ms_max, note_percent: 70, ..TtlCache::default() };
    let clients = options.clients.unwrap_or_else(|| stream.weighted(&[(1, 2), (2, 3)]));
    let transactions = options.transactions.unwrap_or(90 / clients.max(1));
    let scale = Scale { clients, transactions, isolation: plan.engine.isolation };
    plan.workload = workload.plan(&scale, stream.generator());
    plan.engine.maintenance_interval_micros = stream.weighted(&[(1, 20_000), (2, 1_000_000)]);
}

/// The workload whose keys expire.
const TTL_CACHE: &str = "ttl-cache";

/// One client or two raise one number over and over, and flush now and then; the power goes out when a
/// checkpoint has its name. What was committed since its snapshot may be gone then, if that was durable.
fn checkpointing(plan: &mut Plan, options: &Options, stream: &mut Stream) {
    let may_choose = may_choose_workload(options, HOTSPOT);
    let wanted = matches!(options.durability, None | Some(DurabilityKind::Batched | DurabilityKind::Async));
    if !may_choose || !wanted || options.recording.is_some() || !options.set.is_empty() {
        return;
    }
    let clients = options.clients.unwrap_or_else(|| stream.weighted(&[(3, 1), (1, 2)]));
    let transactions = options.transactions.unwrap_or(40 / clients.max(1));
    let scale = Scale { clients, transactions, isolation: plan.engine.isolation };
    let workload = Hotspot { counters: stream.weighted(&[(2, 1), (1, 2)]), ..Hotspot::default() };
    plan.workload = workload.plan(&scale, stream.generator());
    let flush_every = stream.weighted(&[(1, 3), (1, 4), (1, 6)]);
    for client in &mut plan.workload.clients {
        let parts = client.actions.chunks(flush_every);
        client.actions = parts.flat_map(|part| part.iter().cloned().chain([Action::Flush])).collect();
    }
    plan.engine.durability = match options.durability {
        Some(DurabilityKind::Async) => DurabilityPlan::Async { interval_micros: 10_000 },
        _ => DurabilityPlan::Batched { interval_micros: 10_000, commits_max: 64 },
    };
    plan.engine.wait_durable_every = 0;
    (plan.engine.page_entries, plan.engine.journal_records) = stream.weighted(&[(2, (8, 2)), (1, (16, 8))]);
    plan.engine.checkpoint_bytes = 0;
    plan.disk.faults = FaultPlan { seed: plan.disk.faults.seed, ..FaultPlan::none() };
    let windows = Kind::Windows { labels: vec![ENGINE_WINDOWS[3].to_owned()] };
    let may_choose =
        options.strategy.is_empty() || options.strategy.iter().any(|name| name == windows.name());
    let storms = plan.lives.len() - 1;
    for life in &mut plan.lives[..storms] {
        if may_choose {
            life.strategy = StrategyPlan::Drawn(windows.clone());
        }
        life.room_bytes = None;
        life.close_after_micros = None;
        life.checkpoint_after_micros = stream.weighted(&[(1, 20), (1, 200), (1, 1_000)]);
        // The engine's own checkpointer has the name without a number.
        life.crash = Some(CrashAt::Point(PointKey {
            task: "checkpointer#2".to_owned(),
            op: format!("at {CHECKPOINT_PUBLISHED}"),
            nth: 1,
        }));
    }
}

/// The workload beside which checkpoints are written.
const HOTSPOT: &str = "hotspot";

fn may_choose_workload(options: &Options, name: &str) -> bool {
    options.workload.is_empty() || options.workload.iter().any(|wanted| wanted == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::LifePlan;
    use crate::registry::Registry;
    use crate::runner::SeedRunner;
    use crate::seed::Seed;

    fn plans(options: Options) -> impl Iterator<Item = Plan> {
        let runner = SeedRunner::new(Registry::default(), options).expect("options that are right");
        (0..1_500).map(move |seed| runner.plan(Seed(seed)).0)
    }

    fn count(options: Options, is: impl Fn(&Plan) -> bool) -> usize {
        plans(options).filter(is).count()
    }

    fn is_recycled(plan: &Plan) -> bool {
        plan.crash_odds == CrashOdds::stale()
    }

    fn is_rotten(plan: &Plan) -> bool {
        plan.disk.faults.rules.iter().any(|rule| rule.kind == FaultKind::BitRot && rule.skip == 0)
            && plan.engine.segment_bytes == 1 << 20
            && plan.engine.checkpoint_bytes == 0
    }

    fn is_failing(plan: &Plan) -> bool {
        plan.disk.faults.budget == Some(12)
    }

    fn is_in_the_background(plan: &Plan) -> bool {
        let windows = |life: &LifePlan| life.strategy.name() == "windows";
        let promise = |life: &LifePlan| matches!(life.crash, None | Some(CrashAt::Promise { .. }));
        let at_will = |life: &LifePlan| life.early_timeouts_per_mille == TIMEOUTS_AT_WILL;
        plan.lives.len() > 2 && plan.lives.iter().all(|life| windows(life) && promise(life) && at_will(life))
    }

    fn is_rereading(plan: &Plan) -> bool {
        plan.workload.parameters["rereads"] == 60
    }

    fn is_deleting(plan: &Plan) -> bool {
        plan.workload.parameters["collect_percent"] == 30
    }

    fn is_expiring(plan: &Plan) -> bool {
        plan.workload.parameters["note_percent"] == 70
    }

    fn is_checkpointing(plan: &Plan) -> bool {
        plan.lives.iter().any(|life| matches!(&life.crash, Some(CrashAt::Point(_))))
    }

    #[test]
    fn every_scenario_comes_up_and_most_seeds_have_none() {
        let background = [is_recycled, is_rotten, is_failing, is_in_the_background];
        for is in background.into_iter().chain([is_rereading, is_deleting, is_checkpointing, is_expiring]) {
            let found = count(Options::default(), is);
            assert!((8..150).contains(&found), "{found}");
        }
    }

    #[test]
    fn what_options_exclude_no_scenario_brings_back() {
        let only = |faults| Options { faults, ..Options::default() };
        assert!(count(only(Faults::Crashes), is_recycled) > 0);
        assert_eq!(count(only(Faults::Crashes), |plan| !plan.disk.faults.rules.is_empty()), 0);
        let disturbed = |plan: &Plan| {
            plan.lives.iter().any(|life| life.crash.is_some()) || !plan.disk.faults.rules.is_empty()
        };
        assert_eq!(count(only(Faults::None), disturbed), 0);
        let lies = |plan: &Plan| is_recycled(plan) || is_failing(plan);
        assert_eq!(count(only(Faults::Lies), lies), 0);
        let bank = Options { workload: vec!["bank".to_owned()], ..Options::default() };
        assert_eq!(count(bank, |plan| is_rereading(plan) || is_deleting(plan) || is_checkpointing(plan)), 0);
        let strict = Options { durability: Some(DurabilityKind::Strict), ..Options::default() };
        assert_eq!(count(strict, is_checkpointing), 0);
        let sticky = Options { strategy: vec!["sticky".to_owned()], ..Options::default() };
        assert_eq!(count(sticky, is_in_the_background), 0);
        let lazy = Options { durability: Some(DurabilityKind::Async), ..Options::default() };
        assert_eq!(count(lazy, |plan| plan.engine.durability == DurabilityPlan::Strict), 0);
    }
}
