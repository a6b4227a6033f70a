//! The passes of a reduction, coarse before fine.

use stormproof_faults::{ClockPlan, CrashOdds, CrashStyle, EntryPolicy};
use stormproof_rt_shuttle::life::InjectedEvents;
use stormproof_workloads::plan::{Action, Client, Payload, Step};

use super::Search;
use crate::plan::{CrashAt, DurabilityPlan, Ending, LifePlan, Plan, StrategyPlan};

/// Reduces structure: lives, clients, actions, steps, faults, options and values.
pub(super) fn structure(search: &mut Search<'_>) {
    // As long as only every n-th commit collects old versions, none of those commits can be left out.
    attempt(search, |plan| plan.engine.collect_every = 1);
    lives(search);
    clients(search);
    actions(search);
    faults(search);
    steps(search);
    noise(search);
    options(search);
    values(search);
    counts(search);
}

/// Reduces the schedule: switches and crash points.
pub(super) fn schedule(search: &mut Search<'_>) {
    simpler(search);
    switches(search);
    if search.is_thorough() {
        fewest(search);
    }
    crash_points(search);
}

fn lives(search: &mut Search<'_>) {
    let mut number = 0;
    while number + 1 < search.plan().lives.len() {
        let removed = attempt(search, |plan| {
            plan.lives.remove(number);
        });
        number += usize::from(!removed);
    }
}

fn clients(search: &mut Search<'_>) {
    list(search, |plan| &mut plan.workload.clients);
}

fn actions(search: &mut Search<'_>) {
    for client in 0..search.plan().workload.clients.len() {
        list(search, |plan| &mut plan.workload.clients[client].actions);
    }
    list(search, |plan| &mut plan.workload.setup.actions);
}

fn steps(search: &mut Search<'_>) {
    for place in transactions(search.plan()) {
        list(search, |plan| match &mut place.client(plan).actions[place.action] {
            Action::Transaction(transaction) => &mut transaction.steps,
            _ => unreachable!("the place of a transaction"),
        });
    }
}

fn faults(search: &mut Search<'_>) {
    list(search, |plan| &mut plan.disk.faults.rules);
    list(search, |plan| &mut plan.disk.faults.exact);
}

/// Takes out what only makes noise, life by life.
fn noise(search: &mut Search<'_>) {
    attempt(search, |plan| plan.clock = ClockPlan { start_ms: plan.clock.start_ms, ..ClockPlan::default() });
    for number in 0..search.plan().lives.len() {
        let quiet = |plan: &mut Plan| {
            let life = &mut plan.lives[number];
            *life = LifePlan {
                strategy: life.strategy.clone(),
                crash: life.crash.clone(),
                ending: life.ending,
                ..LifePlan::calm(life.schedule_seed)
            };
        };
        if !attempt(search, quiet) {
            attempt(search, |plan| plan.lives[number].checkpoint_after_micros = 0);
            attempt(search, |plan| plan.lives[number].room_bytes = None);
            attempt(search, |plan| plan.lives[number].close_after_micros = None);
            attempt(search, |plan| plan.lives[number].second_opener_micros = None);
            attempt(search, |plan| plan.lives[number].foreign_files = false);
        }
        attempt(search, |plan| plan.lives[number].crash = None);
        attempt(search, |plan| plan.lives[number].ending = Ending::Close);
    }
}

fn options(search: &mut Search<'_>) {
    attempt(search, |plan| plan.engine.durability = DurabilityPlan::Strict);
    attempt(search, |plan| plan.engine.segment_bytes = 1 << 20);
    attempt(search, |plan| plan.engine.checkpoint_bytes = 0);
    attempt(search, |plan| plan.engine.edges.clear());
    attempt(search, |plan| plan.engine.ended_runs_max = None);
    attempt(search, |plan| plan.engine.packs_beside_commits = false);
    attempt(search, |plan| (plan.engine.page_entries, plan.engine.journal_records) = (128, 32));
    attempt(search, |plan| plan.engine.snapshot_generations = 8);
    attempt(search, |plan| plan.engine.recovery_threads = 1);
    attempt(search, |plan| plan.engine.maintenance_interval_micros = 1_000_000);
    attempt(search, |plan| plan.disk.entries = EntryPolicy::DirSyncOnly);
    let plain = [CrashStyle::LoseAll, CrashStyle::KeepAll, CrashStyle::Prefix, CrashStyle::Writes];
    let _ = plain.into_iter().any(|style| attempt(search, |plan| plan.crash_odds = CrashOdds::only(style)));
}

fn values(search: &mut Search<'_>) {
    for place in transactions(search.plan()) {
        attempt(search, |plan| {
            if let Action::Transaction(transaction) = &mut place.client(plan).actions[place.action] {
                transaction.steps.iter_mut().for_each(small_values);
            }
        });
    }
}

/// Reduces the number of keys in every group of keys: all groups at once, as their writers have to agree.
fn counts(search: &mut Search<'_>) {
    for most in [2, 8] {
        attempt(search, |plan| {
            for place in transactions(plan) {
                let Action::Transaction(transaction) = &mut place.client(plan).actions[place.action] else {
                    continue;
                };
                for step in &mut transaction.steps {
                    if let Step::PutMany { count, .. } = step {
                        *count = (*count).min(most);
                    }
                }
            }
        });
    }
}

fn small_values(step: &mut Step) {
    match step {
        Step::Put { value: Payload::Unique { len }, .. }
        | Step::Insert { value: Payload::Unique { len }, .. }
        | Step::Swap { value: Payload::Unique { len }, .. } => *len = 1,
        Step::PutMany { len, .. } => *len = 1,
        Step::Think { micros } => *micros = 1,
        _ => {}
    }
}

/// Tries other schedules with far fewer switches, where there are many: taking them out one by one would cost
/// a run for each.
fn simpler(search: &mut Search<'_>) {
    for number in 0..search.plan().lives.len() {
        for tried in 0..SIMPLER_SCHEDULES {
            let switches = search.plan().lives[number].switches();
            if switches <= SWITCHES_MANY || search.is_over() {
                break;
            }
            search.try_fewer(number, tried);
        }
    }
}

/// The number of switches above which another schedule is searched for.
const SWITCHES_MANY: usize = 24;

/// How many schedules are tried.
const SIMPLER_SCHEDULES: u64 = 48;

/// Tries other schedules where a few switches are left, and what is needed of each: the first that was found
/// is seldom the one that is easiest to follow.
fn fewest(search: &mut Search<'_>) {
    for number in 0..search.plan().lives.len() {
        for tried in 0..FEWEST_SCHEDULES {
            if search.plan().lives[number].switches() <= SWITCHES_FEW || search.is_over() {
                break;
            }
            search.try_reduced(number, SIMPLER_SCHEDULES + tried, |search| switches_of(search, number));
        }
    }
}

/// How many schedules are tried for that.
const FEWEST_SCHEDULES: u64 = 240;

/// The number of switches that is easy to follow.
const SWITCHES_FEW: usize = 2;

/// Takes out forced switches: without one, the running task goes on without preemption.
fn switches(search: &mut Search<'_>) {
    for number in 0..search.plan().lives.len() {
        switches_of(search, number);
    }
}

fn switches_of(search: &mut Search<'_>, number: usize) {
    if !matches!(search.plan().lives[number].strategy, StrategyPlan::Directed { .. }) {
        let quiet = StrategyPlan::Directed { forced_switches: Vec::new() };
        attempt_exactly(search, |plan| plan.lives[number].strategy = quiet.clone());
        return;
    }
    list_exactly(search, |plan| match &mut plan.lives[number].strategy {
        StrategyPlan::Directed { forced_switches } => forced_switches,
        _ => unreachable!("checked above"),
    });
    if matches!(search.plan().lives[number].injected_events, InjectedEvents::Only(_)) {
        list_exactly(search, |plan| match &mut plan.lives[number].injected_events {
            InjectedEvents::Only(injected_events) => injected_events,
            InjectedEvents::Random => unreachable!("checked above"),
        });
    }
}

/// Turns crashes at steps into crashes at operations of the disk: those survive changes of the code better.
fn crash_points(search: &mut Search<'_>) {
    for number in 0..search.plan().lives.len() {
        let Some(CrashAt::Step(_)) = search.plan().lives[number].crash else { continue };
        let Some((_, run)) = &search.best else { return };
        let Some(operations) = run.lives.get(number).map(|life| life.disk_operations) else { continue };
        for after in [true, false] {
            let crash = CrashAt::Disk { operation: operations, after };
            if attempt_exactly(search, |plan| plan.lives[number].crash = Some(crash.clone())) {
                break;
            }
        }
    }
}

/// A transaction of a client: `None` is the setup.
#[derive(Clone, Copy)]
struct Place {
    client: Option<usize>,
    action: usize,
}

impl Place {
    fn client(self, plan: &mut Plan) -> &mut Client {
        match self.client {
            Some(client) => &mut plan.workload.clients[client],
            None => &mut plan.workload.setup,
        }
    }
}

fn transactions(plan: &Plan) -> Vec<Place> {
    let of = |client: Option<usize>, actions: &[Action]| {
        let places =
            actions.iter().enumerate().filter(|(_, action)| matches!(action, Action::Transaction(_)));
        places.map(|(action, _)| Place { client, action }).collect::<Vec<_>>()
    };
    let clients = plan.workload.clients.iter().enumerate();
    let mut places: Vec<Place> =
        clients.flat_map(|(client, program)| of(Some(client), &program.actions)).collect();
    places.extend(of(None, &plan.workload.setup.actions));
    places
}

fn attempt(search: &mut Search<'_>, change: impl FnOnce(&mut Plan)) -> bool {
    let mut candidate = search.plan().clone();
    change(&mut candidate);
    candidate != *search.plan() && search.try_plan(&candidate)
}

fn attempt_exactly(search: &mut Search<'_>, change: impl FnOnce(&mut Plan)) -> bool {
    let mut candidate = search.plan().clone();
    change(&mut candidate);
    candidate != *search.plan() && search.try_exactly(&candidate)
}

/// Reduces one list in the plan by delta debugging; other schedules are tried for each candidate.
fn list<T>(search: &mut Search<'_>, items: impl Fn(&mut Plan) -> &mut Vec<T>) {
    reduce(search, items, Search::try_plan);
}

/// Does the same, but tries no other schedules.
fn list_exactly<T>(search: &mut Search<'_>, items: impl Fn(&mut Plan) -> &mut Vec<T>) {
    reduce(search, items, Search::try_exactly);
}

fn reduce<'s, T>(
    search: &mut Search<'s>,
    items: impl Fn(&mut Plan) -> &mut Vec<T>,
    attempt: impl Fn(&mut Search<'s>, &Plan) -> bool,
) {
    let len = |search: &Search<'s>| items(&mut search.plan().clone()).len();
    let mut chunk = len(search);
    while chunk > 0 {
        let mut start = 0;
        while start < len(search) && !search.is_over() {
            let mut candidate = search.plan().clone();
            let list = items(&mut candidate);
            let end = (start + chunk).min(list.len());
            list.drain(start..end);
            if !attempt(search, &candidate) {
                start += chunk;
            }
        }
        chunk /= 2;
    }
}
