//! Small changes of plans: each leaves a plan that could have been drawn.
//!
//! What is not tweaked comes from a donor: a plan of the same options, so that nothing comes in that these
//! exclude.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::plan::{CrashAt, Plan, Storage, StrategyPlan};

/// Changes one thing.
pub(super) fn mutate(plan: &mut Plan, donor: &Plan, rng: &mut ChaCha8Rng) {
    match rng.random_range(0..16) {
        0..=2 => go_on_otherwise(plan, rng),
        3 => reschedule(plan, rng),
        4..=5 => strategy(plan, donor, rng),
        6..=8 => crash(plan, donor, rng),
        9 => rates(plan, donor, rng),
        10 => engine(plan, donor, rng),
        11 => faults(plan, donor),
        12 => {
            plan.crash_odds = donor.crash_odds.clone();
            plan.disk_seed = donor.disk_seed;
        }
        13..=14 => actions(plan, donor, rng),
        _ => splice(plan, donor),
    }
}

fn life(plan: &Plan, rng: &mut ChaCha8Rng) -> usize {
    rng.random_range(0..plan.lives.len())
}

/// The schedule of one life up to some step, and another one from there on.
fn go_on_otherwise(plan: &mut Plan, rng: &mut ChaCha8Rng) {
    let place = life(plan, rng);
    let kind = match &plan.lives[place].strategy {
        StrategyPlan::Drawn(kind) | StrategyPlan::Reseeded { kind, .. } => kind.clone(),
        _ => return reschedule(plan, rng),
    };
    // Every order of magnitude is as likely as the others.
    let after = 1 << rng.random_range(4..14);
    let after = rng.random_range(after..2 * after);
    plan.lives[place].strategy = StrategyPlan::Reseeded { kind, after, seed: rng.random() };
}

fn reschedule(plan: &mut Plan, rng: &mut ChaCha8Rng) {
    let place = life(plan, rng);
    plan.lives[place].schedule_seed = rng.random();
}

fn strategy(plan: &mut Plan, donor: &Plan, rng: &mut ChaCha8Rng) {
    let (place, from) = (life(plan, rng), life(donor, rng));
    plan.lives[place].strategy = donor.lives[from].strategy.clone();
}

/// Another crash point for one life, or the same a little later or earlier.
fn crash(plan: &mut Plan, donor: &Plan, rng: &mut ChaCha8Rng) {
    let storms = plan.lives.len() - 1;
    if storms == 0 {
        return;
    }
    let place = rng.random_range(0..storms);
    let near = |number: &mut u64, rng: &mut ChaCha8Rng| {
        let most = (*number / 4).max(2);
        *number = (*number + rng.random_range(0..=2 * most)).saturating_sub(most).max(1);
    };
    if rng.random_bool(0.7) {
        match &mut plan.lives[place].crash {
            Some(CrashAt::Step(number)) => near(number, rng),
            Some(CrashAt::Disk { operation: number, after } | CrashAt::Sync { nth: number, after }) => {
                near(number, rng);
                *after = rng.random_bool(0.5);
            }
            Some(CrashAt::Growth { nth } | CrashAt::Promise { nth }) => near(nth, rng),
            Some(CrashAt::Point(_)) | None => {}
        }
        return;
    }
    let from = rng.random_range(0..donor.lives.len());
    if let Some(crash) = &donor.lives[from].crash {
        plan.lives[place].crash = Some(crash.clone());
    }
}

/// How often waits end early, and stalls come, in one life.
fn rates(plan: &mut Plan, donor: &Plan, rng: &mut ChaCha8Rng) {
    let last = plan.lives.len() - 1;
    let (place, from) = (life(plan, rng), life(donor, rng));
    let (life, from) = (&mut plan.lives[place], &donor.lives[from]);
    life.spurious_wakeups_per_mille = from.spurious_wakeups_per_mille;
    life.early_timeouts_per_mille = from.early_timeouts_per_mille;
    life.checkpoint_after_micros = from.checkpoint_after_micros;
    if place < last {
        life.stalls_per_million = from.stalls_per_million;
        life.ending = from.ending;
    }
}

/// One option of the engine.
fn engine(plan: &mut Plan, donor: &Plan, rng: &mut ChaCha8Rng) {
    let (engine, from) = (&mut plan.engine, &donor.engine);
    match rng.random_range(0..10) {
        0 => engine.durability = from.durability,
        1 => engine.segment_bytes = from.segment_bytes,
        2 => engine.checkpoint_bytes = from.checkpoint_bytes,
        3 => engine.allocate_bytes = from.allocate_bytes,
        4 => engine.wait_durable_every = from.wait_durable_every,
        5 => (engine.page_entries, engine.journal_records) = (from.page_entries, from.journal_records),
        6 => engine.snapshot_generations = from.snapshot_generations,
        7 => engine.collect_every = from.collect_every,
        8 => engine.packs_beside_commits = from.packs_beside_commits,
        _ => engine.maintenance_interval_micros = from.maintenance_interval_micros,
    }
}

/// All faults at once: what goes together was drawn together.
fn faults(plan: &mut Plan, donor: &Plan) {
    let have_storms = plan.lives.len() > 1 && donor.lives.len() > 1;
    if have_storms && (plan.engine.storage, donor.engine.storage) == (Storage::Disk, Storage::Disk) {
        plan.disk = donor.disk.clone();
    }
}

/// What one client does: less, or what the client of a donor with the same workload does.
fn actions(plan: &mut Plan, donor: &Plan, rng: &mut ChaCha8Rng) {
    let same = plan.workload.workload == donor.workload.workload
        && plan.workload.parameters == donor.workload.parameters;
    let clients = &mut plan.workload.clients;
    if clients.is_empty() {
        return;
    }
    let place = rng.random_range(0..clients.len());
    if same && rng.random_bool(0.5) {
        // Whose a key is goes by the client's place.
        if let Some(from) = donor.workload.clients.get(place) {
            clients[place].actions = from.actions.clone();
        }
        return;
    }
    let actions = &mut clients[place].actions;
    if actions.len() > 1 {
        let at = rng.random_range(0..actions.len());
        if rng.random_bool(0.7) {
            actions.remove(at);
        } else {
            actions.truncate(at.max(1));
        }
    }
}

/// The clients of one plan in the world of the other.
fn splice(plan: &mut Plan, donor: &Plan) {
    if plan.engine.isolation == donor.engine.isolation {
        plan.workload = donor.workload.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::registry::Registry;
    use crate::runner::SeedRunner;
    use crate::seed::Seed;

    /// An engine without bugs holds whatever becomes of plans.
    #[test]
    fn mutated_plans_hold() {
        let runner =
            SeedRunner::new(Registry::default(), Options::default()).expect("options that are right");
        let mut rng = Seed(7).generator("test");
        for seed in 0..40 {
            let (mut plan, donor) = (runner.plan(Seed(seed)).0, runner.plan(Seed(seed + 1_000)).0);
            for _ in 0..3 {
                mutate(&mut plan, &donor, &mut rng);
            }
            let run = runner.run(&plan).expect("a verdict");
            assert!(run.findings().is_empty(), "seed {seed}: {:#?}", run.findings());
        }
    }
}
