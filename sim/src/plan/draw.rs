//! Draws a plan from a seed.
//!
//! Swarm testing: every seed draws its own subset of what may happen (workload, clients, isolation,
//! durability, faults, crashes, strategy), so that rare mixtures come up and no feature drowns another.
//!
//! Source: Groce et al., "Swarm Testing", ISSTA 2012.

use rand::RngExt;
use stormproof_faults::{
    ClockJump, ClockPlan, CrashOdds, DiskOptions, EntryPolicy, FaultKind, FaultPlan, FaultRule, Odds,
};
use stormproof_rt::sync::Arc;
use stormproof_rt_shuttle::life::InjectedEvents;
use stormproof_workloads::store::Isolation;
use stormproof_workloads::workload::{Scale, Workload};

use super::parameters::vary;
use super::scenario;
use super::{
    CrashAt, DurabilityPlan, Edge, Ending, EnginePlan, LifePlan, Plan, Storage, StrategyPlan,
    TIMEOUTS_AT_WILL,
};
use crate::options::{DurabilityKind, Faults, IsolationKind, Options};
use crate::seed::{Seed, Stream, Streams};

/// Draws the plan of `seed`, with one of `workloads`, as `options` allow; `tuned` finds the workload of a
/// name with other parameters. All draws are recorded in `streams`.
///
/// # Panics
/// When `workloads` is empty: the caller has to check the options first.
pub fn draw(
    seed: Seed,
    options: &Options,
    workloads: &[&dyn Workload],
    tuned: impl Fn(&str, &serde_json::Value) -> Option<Arc<dyn Workload>>,
    streams: &Streams,
) -> Plan {
    let mut crash = streams.stream("crash");
    let storage = if crash.chance(95) { Storage::Disk } else { Storage::Memory };
    let lives = draw_lives(options, storage, &mut crash, streams);
    let isolation = draw_isolation(options, &mut streams.stream("isolation"));
    let mut programs = streams.stream("workload");
    let workload = workloads[programs.random_range(0..workloads.len())];
    let scale = draw_scale(options, isolation, &mut programs);
    let mut parameters = workload.parameters();
    let varied = vary(&mut parameters, &mut streams.stream("parameters"));
    let other = if varied { tuned(workload.name(), &parameters) } else { None };
    let workload = other.as_deref().unwrap_or(workload);
    let mut plan = Plan {
        seed,
        engine: draw_engine(options, storage, isolation, &mut streams.stream("engine")),
        workload: workload.plan(&scale, &mut seed.generator("programs")),
        disk: draw_disk(options, lives.len(), &mut streams.stream("faults")),
        crash_odds: CrashOdds::swarm(&mut streams.stream("crash-odds")),
        lives,
        disk_seed: streams.stream("disk").random(),
        entropy_seed: streams.stream("entropy").random(),
        clock: draw_clock(&mut streams.stream("clock")),
        mutants: options.mutant.clone(),
    };
    scenario::apply(&mut plan, options, &mut streams.stream("theme"));
    plan
}

fn draw_isolation(options: &Options, stream: &mut Stream) -> Isolation {
    let drawn = if stream.chance(65) { Isolation::Serializable } else { Isolation::Snapshot };
    match options.isolation {
        None => drawn,
        Some(IsolationKind::Serializable) => Isolation::Serializable,
        Some(IsolationKind::Snapshot) => Isolation::Snapshot,
    }
}

/// Draws a hundred transactions or so, among few clients more often than among many.
fn draw_scale(options: &Options, isolation: Isolation, stream: &mut Stream) -> Scale {
    let (least, most) =
        stream.weighted(&[(5, (1, 1)), (30, (2, 2)), (25, (3, 3)), (30, (4, 8)), (10, (9, 16))]);
    let clients = options.clients.unwrap_or_else(|| stream.random_range(least..=most));
    let total: u32 = stream.weighted(&[(20, 12), (40, 60), (30, 120), (10, 200)]);
    let transactions = options.transactions.unwrap_or_else(|| (total / clients.max(1)).max(2));
    Scale { clients, transactions, isolation }
}

fn draw_engine(options: &Options, storage: Storage, isolation: Isolation, stream: &mut Stream) -> EnginePlan {
    let interval_micros = stream.weighted(&[(1, 1), (2, 100), (4, 1_000), (4, 10_000)]);
    let commits_max = stream.weighted(&[(1, 1), (2, 2), (4, 8), (2, 64)]);
    let drawn = stream.weighted(&[
        (45, DurabilityKind::Strict),
        (20, DurabilityKind::Pipelined),
        (20, DurabilityKind::Batched),
        (15, DurabilityKind::Async),
    ]);
    let durability = match options.durability.unwrap_or(drawn) {
        DurabilityKind::Strict => DurabilityPlan::Strict,
        DurabilityKind::Pipelined => DurabilityPlan::Pipelined,
        DurabilityKind::Batched => DurabilityPlan::Batched { interval_micros, commits_max },
        DurabilityKind::Async => DurabilityPlan::Async { interval_micros },
    };
    // Small ones make leaves split and merge; the largest is what applications have.
    let (page_entries, journal_records) =
        stream.weighted(&[(4, (8, 2)), (2, (4, 2)), (2, (16, 8)), (2, (128, 32))]);
    EnginePlan {
        storage,
        isolation,
        durability,
        segment_bytes: stream.weighted(&[(3, 4 << 10), (3, 8 << 10), (2, 32 << 10), (1, 1 << 20)]),
        checkpoint_bytes: stream.weighted(&[(3, 0), (2, 4 << 10), (2, 16 << 10)]),
        allocate_bytes: stream.weighted(&[(2, 0), (2, 4 << 10), (1, 64 << 10)]),
        wait_durable_every: stream.weighted(&[(1, 0), (2, 3), (1, 1)]),
        page_entries,
        journal_records,
        snapshot_generations: stream.weighted(&[(1, 2), (2, 8)]),
        maintenance_interval_micros: stream.weighted(&[(2, 500), (2, 20_000), (1, 1_000_000)]),
        recovery_threads: stream.weighted(&[(4, 1), (2, 2), (1, 4)]),
        collect_every: stream.weighted(&[(2, 1), (1, 4), (2, 32)]),
        edges: Edge::draw(stream),
        ended_runs_max: stream.weighted(&[(2, None), (1, Some(0)), (1, Some(2))]),
        packs_beside_commits: stream.weighted(&[(1, false), (1, true)]),
    }
}

fn draw_lives(options: &Options, storage: Storage, crash: &mut Stream, streams: &Streams) -> Vec<LifePlan> {
    let crashes = match options.faults {
        // A crash leaves nothing of a database in memory.
        _ if storage == Storage::Memory => 0,
        Faults::None => 0,
        Faults::All | Faults::Crashes | Faults::Lies => {
            crash.weighted(&[(15, 0), (35, 1), (30, 2), (14, 3), (6, 4)])
        }
    };
    let mut schedule = streams.stream("schedule");
    let mut lives: Vec<LifePlan> = Vec::with_capacity(crashes + 1);
    for _ in 0..crashes {
        let mut life = draw_life(options, &mut schedule);
        // After one crash, another one soon has a good chance to hit recovery.
        let soon = !lives.is_empty() && crash.chance(35);
        life.crash = Some(draw_crash(soon, crash));
        life.ending = if crash.chance(70) { Ending::Crash } else { Ending::Close };
        lives.push(life);
    }
    let mut last = draw_life(options, &mut schedule);
    last.stalls_per_million = 0;
    lives.push(last);
    draw_room(options, &mut lives, &mut streams.stream("room"));
    draw_closing(storage, &mut lives, &mut streams.stream("closing"));
    draw_visitors(storage, &mut lives, &mut streams.stream("visitors"));
    lives
}

/// Draws lives whose disk is nearly full.
fn draw_room(options: &Options, lives: &mut [LifePlan], room: &mut Stream) {
    let Some((_, storms)) = lives.split_last_mut() else { return };
    for life in storms {
        let (cramped, bytes) =
            (room.chance(12), room.weighted(&[(1, 0), (2, 4 << 10), (2, 16 << 10), (1, 64 << 10)]));
        if cramped && options.faults == Faults::All {
            life.room_bytes = Some(bytes);
        }
    }
}

/// Draws lives in which the store is closed while clients work, soon or late.
fn draw_closing(storage: Storage, lives: &mut [LifePlan], closing: &mut Stream) {
    let Some((_, storms)) = lives.split_last_mut() else { return };
    for life in storms {
        let (closes, micros) =
            (closing.chance(10), closing.weighted(&[(2, 50), (2, 200), (2, 1_000), (1, 10_000)]));
        if closes && storage == Storage::Disk {
            life.close_after_micros = Some(micros);
            life.ending = Ending::Close;
        }
    }
}

/// Draws what others do at the path of an open store: a second opener, foreign files. Where the store is
/// closed while clients work there is no second opener, as it might rightly succeed.
fn draw_visitors(storage: Storage, lives: &mut [LifePlan], visitors: &mut Stream) {
    for life in lives {
        let (opens, leaves) = (visitors.chance(8), visitors.chance(8));
        let micros = visitors.weighted(&[(2, 20), (2, 200), (1, 2_000)]);
        life.second_opener_micros =
            (opens && storage == Storage::Disk && life.close_after_micros.is_none()).then_some(micros);
        life.foreign_files = leaves && storage == Storage::Disk;
    }
}

fn draw_crash(soon: bool, crash: &mut Stream) -> CrashAt {
    let nearly = |crash: &mut Stream, most: u64| {
        // Every order of magnitude is as likely as the others.
        let bits = crash.random_range(0..=most.ilog2());
        crash.random_range(1..=(2_u64 << bits)).min(most)
    };
    let kind = crash.weighted(&[(25, 0), (20, 1), (25, 2), (15, 3), (15, 4)]);
    let after = crash.chance(50);
    match kind {
        0 => CrashAt::Step(if soon { nearly(crash, 500) } else { crash.random_range(100..6_000) }),
        1 => CrashAt::Disk { operation: nearly(crash, if soon { 30 } else { 250 }), after },
        2 => CrashAt::Sync { nth: nearly(crash, if soon { 4 } else { 60 }), after },
        3 => CrashAt::Promise { nth: nearly(crash, if soon { 4 } else { 60 }) },
        _ => CrashAt::Growth { nth: nearly(crash, if soon { 2 } else { 30 }) },
    }
}

fn draw_life(options: &Options, stream: &mut Stream) -> LifePlan {
    LifePlan {
        strategy: StrategyPlan::draw(&options.strategy, stream),
        schedule_seed: stream.random(),
        crash: None,
        ending: Ending::Close,
        injected_events: InjectedEvents::Random,
        spurious_wakeups_per_mille: stream.weighted(&[(2, 0), (1, 20), (1, 200)]),
        early_timeouts_per_mille: stream.weighted(&[(3, 0), (2, 20), (2, 200), (2, TIMEOUTS_AT_WILL)]),
        stalls_per_million: stream.weighted(&[(3, 0), (1, 200)]),
        checkpoint_after_micros: stream.weighted(&[(3, 0), (1, 200), (1, 2_000)]),
        room_bytes: None,
        close_after_micros: None,
        second_opener_micros: None,
        foreign_files: false,
    }
}

fn draw_disk(options: &Options, lives: usize, stream: &mut Stream) -> DiskOptions {
    let entries = stream.weighted(&[(3, EntryPolicy::DirSyncOnly), (1, EntryPolicy::FileSync)]);
    DiskOptions { faults: draw_faults(options, lives, stream), entries, capacity: None }
}

fn draw_faults(options: &Options, lives: usize, stream: &mut Stream) -> FaultPlan {
    let seed = stream.random();
    let wanted = matches!(options.faults, Faults::All | Faults::Lies);
    let kind = stream.weighted(&[(46, Nature::Honest), (12, Nature::Decay), (42, Nature::None)]);
    if !wanted || lives < 2 {
        return FaultPlan { seed, ..FaultPlan::none() };
    }
    match kind {
        Nature::None => FaultPlan { seed, ..FaultPlan::none() },
        Nature::Honest => draw_honest(seed, stream),
        Nature::Decay if options.faults == Faults::Lies => single(seed, draw_lie(stream)),
        Nature::Decay => single(seed, draw_decay(stream)),
    }
}

/// What may be wrong with the device.
#[derive(Clone, Copy)]
enum Nature {
    None,
    /// Calls fail, and say so.
    Honest,
    /// What was synced goes bad.
    Decay,
}

/// Returns a plan of one fault and no other: with a second one, what a store owes its user can't be decided.
fn single(seed: u64, rule: FaultRule) -> FaultPlan {
    FaultPlan { budget: Some(1), ..FaultPlan::random(seed, vec![rule.at_most(1)]) }
}

fn draw_lie(stream: &mut Stream) -> FaultRule {
    let (kind, odds) = LIES[stream.random_range(0..LIES.len())];
    FaultRule::new(kind, odds)
}

/// Draws what happens to synced data when they are read, which recovery does: most often to the log, whose
/// last segment is read after many others.
fn draw_decay(stream: &mut Stream) -> FaultRule {
    let kind = stream.weighted(&[(3, FaultKind::BitRot), (1, FaultKind::BadSector)]);
    let class =
        stream.weighted(&[(2, None), (6, Some("wal")), (1, Some("checkpoint")), (1, Some("manifest"))]);
    let odds = stream.weighted(&[(1, 10), (1, 30), (1, 100)]);
    let reach = stream.weighted(&[(2, 1), (1, 4), (1, 16)]);
    let rule = FaultRule::new(kind, Odds::percent(odds)).after(stream.random_range(0..reach));
    match class {
        Some(class) => rule.on(class),
        None => rule,
    }
}

fn draw_honest(seed: u64, stream: &mut Stream) -> FaultPlan {
    let mut rules = Vec::new();
    for &(kind, odds) in FAULTS {
        if stream.chance(18) {
            rules.push(FaultRule::new(kind, odds).at_most(stream.random_range(1..=3)));
        }
    }
    let budget = stream.random_range(1..=4);
    for &(kind, odds) in DISPLACEMENTS {
        if stream.chance(6) {
            rules.push(FaultRule::new(kind, odds).at_most(1));
        }
    }
    FaultPlan { budget: Some(budget), ..FaultPlan::random(seed, rules) }
}

/// Lies of a device, which no store without redundancy can make up for: only for campaigns that ask for them.
const LIES: &[(FaultKind, Odds)] = &[
    (FaultKind::SyncLies, Odds::percent(3)),
    (FaultKind::LostWrite, Odds::percent(3)),
    (FaultKind::MisdirectedWrite, Odds::percent(3)),
];

/// What an honest device does wrong.
const FAULTS: &[(FaultKind, Odds)] = &[
    (FaultKind::SyncDropsPages, Odds::percent(3)),
    (FaultKind::SyncKeepsPages, Odds::percent(3)),
    (FaultKind::SyncFailsDurable, Odds::percent(3)),
    (FaultKind::DirSyncFails, Odds::percent(10)),
    (FaultKind::WriteFails, Odds::percent(3)),
    (FaultKind::ShortWrite, Odds::percent(10)),
    (FaultKind::NoSpace, Odds::percent(5)),
    (FaultKind::ReadFails, Odds::percent(3)),
    (FaultKind::ShortRead, Odds::percent(10)),
    (FaultKind::OpenFails, Odds::percent(5)),
    (FaultKind::ListFails, Odds::percent(5)),
    (FaultKind::LenFails, Odds::percent(5)),
    (FaultKind::SetLenFails, Odds::percent(10)),
    (FaultKind::RenameFails, Odds::percent(20)),
    (FaultKind::RemoveFails, Odds::percent(20)),
    (FaultKind::Interrupted, Odds::percent(10)),
    (FaultKind::Stall, Odds::percent(5)),
];

/// What other programs do to the directory of an open store.
const DISPLACEMENTS: &[(FaultKind, Odds)] =
    &[(FaultKind::DirectoryMoved, Odds::percent(5)), (FaultKind::LockRemoved, Odds::percent(5))];

/// Returns the kinds of faults that seeds may draw.
pub fn fault_kinds() -> impl Iterator<Item = FaultKind> {
    FAULTS.iter().chain(DISPLACEMENTS).map(|(kind, _)| *kind)
}

fn draw_clock(stream: &mut Stream) -> ClockPlan {
    let count = stream.weighted(&[(60, 0), (25, 1), (15, 3)]);
    let skew_ppm = stream.weighted(&[(3, 0), (1, 200_000), (1, -200_000)]);
    let mut jumps = Vec::new();
    for _ in 0..count {
        let at_ns = stream.random_range(0..50_000_000);
        let size =
            stream.weighted(&[(2, 2_000), (2, 5_000), (1, 24 * HOUR_MS), (2, 50 * 366 * 24 * HOUR_MS)]);
        let by_ms = stream.random_range(-size..=size);
        jumps.push(ClockJump { at_ns, by_ms });
        // Some jumps are taken back soon, and some last until the engine believes the new time.
        if stream.chance(50) {
            let after_ns = stream.weighted(&[(1, 1_000_000), (1, 8_000_000), (1, 60_000_000)]);
            jumps.push(ClockJump { at_ns: at_ns + after_ns, by_ms: -by_ms });
        }
    }
    jumps.sort_by_key(|jump| jump.at_ns);
    ClockPlan { start_ms: EPOCH_MILLIS, skew_ppm, jumps }
}

const HOUR_MS: i64 = 3_600_000;

/// The wall-clock time at which worlds begin: a date that can't be mistaken for a counter.
const EPOCH_MILLIS: u64 = 1_700_000_000_000;
