//! One life: opens and recovers the store, and runs clients on it until they are done, the store breaks, or
//! the power goes out.

use stormproof_faults::{CrashOdds, SimDisk};
use stormproof_rt::sync::Arc;
use stormproof_rt_shuttle::sync::atomic::{AtomicBool, Ordering};
use stormproof_rt_shuttle::{probe, thread, time};
use stormproof_twin::{Database, DatabaseBuilder, RecoveryReport};
use stormproof_workloads::client::Stop;
use stormproof_workloads::history::{Life, LifeEnd};
use stormproof_workloads::store::Store;
use stormproof_workloads::{Runner, Workload};

use super::world::{Phase, Refusal, SimWorld};
use super::{rest, runs, visitors};
use crate::inspector::{self, Names};
use crate::plan::{DurabilityPlan, Ending, EnginePlan, LifePlan, Plan, Storage, TIMEOUTS_AT_WILL};
use crate::store::simulated::{self, Backup, EngineStore};
use crate::task_names;

/// What a life is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Clients work, until a crash.
    Storm,
    /// Clients finish, and the audit reads.
    Last,
    /// No client runs: does the store open to the same state again?
    Reopen,
}

/// Runs a life, as its main task. Never returns if the power goes out.
pub(super) fn live(
    world: &Arc<SimWorld>,
    plan: &Arc<Plan>,
    life_plan: &LifePlan,
    workload: Arc<dyn Workload>,
    number: Life,
    role: Role,
) {
    world.enter(Phase::Recovery);
    world.client_time.clock.begin_life();
    if life_plan.foreign_files {
        visitors::leave_files(world);
    }
    let store = match open(world, &plan.engine, life_plan) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            world.note(|now| now.open_error = Some(Refusal::from(&error)));
            return;
        }
    };
    world.calls.ok("Database::recovery_report");
    world.note(|now| now.recovery = recovery(store.database().recovery_report()));
    world.client_time.clock.opened();
    world.recorder.opened(number);
    world.enter(Phase::Running);
    runs::read_back(world, &store, plan);
    let rests = role != Role::Reopen && rest::is_due(plan, life_plan, number);
    let figures = if rests { rest::Figures::of(store.database()) } else { None };
    let inspected = inspect(world, &*store, number);
    if role != Role::Reopen {
        run_clients(world, plan, life_plan, &workload, &store, number, role);
    }
    if rests && world.note(|now| now.unfinished.is_empty()) {
        rest::check(world, &store, plan, number, figures);
    }
    if role == Role::Last && inspected {
        inspect(world, &*store, number);
    }
    visitors::check_files(world);
    if life_plan.ending == Ending::Crash {
        // Where the disk was full, a write may be retried later than the interval, so nothing is promised.
        if role == Role::Storm && life_plan.room_bytes.is_none() && time_passes(life_plan) {
            idle(world, &plan.engine.durability);
        }
        probe::crash();
    }
    world.enter(Phase::Closing);
    let records = runs::compared(world, &store, plan);
    let closed = store.database().close();
    world.calls.add("Database::close", simulated::outcome(&closed));
    match closed {
        Ok(()) => {
            world.recorder.ended(number, LifeEnd::Closed);
            world.runs.remember(records);
        }
        Err(error) => world.note(|now| now.close_error = Some(Refusal::from(&error))),
    }
}

/// Returns whether time advances only when all tasks wait: then others get their work done during a sleep.
fn time_passes(life_plan: &LifePlan) -> bool {
    life_plan.early_timeouts_per_mille < TIMEOUTS_AT_WILL
}

/// Sleeps for longer than the interval in which the mode promises to sync. Then all that was acked before is
/// durable, as if it had been flushed (D4: an idle database syncs on time too), unless the disk failed.
fn idle(world: &SimWorld, durability: &DurabilityPlan) {
    let (DurabilityPlan::Batched { interval_micros, .. } | DurabilityPlan::Async { interval_micros }) =
        *durability
    else {
        return;
    };
    let called = world.recorder.tick();
    // A schedule may let time pass while a thread is about to sync, and timeouts may come early, but hardly
    // ever this often in a row: with four intervals, two seeds in 100,000 reported a loss only because the
    // sync had not been scheduled yet.
    for _ in 0..32 {
        time::sleep(std::time::Duration::from_micros(interval_micros));
        // This wait counts as progress, or it would be taken for a livelock.
        world.recorder.tick();
    }
    if !world.hook.disturbed() {
        world.recorder.flushed(called);
    }
}

fn open(
    world: &Arc<SimWorld>,
    engine: &EnginePlan,
    life_plan: &LifePlan,
) -> stormproof_twin::Result<EngineStore> {
    let mut builder_of_life = builder(world, engine, &world.disk);
    if life_plan.close_after_micros.is_some() {
        // By default closing waits until no transaction is open, and so would never meet a commit under way.
        builder_of_life = builder_of_life.close_timeout(std::time::Duration::ZERO);
    }
    let database = builder_of_life.open()?;
    let world_calls = world.calls.clone();
    let plan = EnginePlan { storage: Storage::Disk, ..engine.clone() };
    let (world, backed_up) = (Arc::clone(world), (Arc::clone(world), plan.clone()));
    let siblings = Arc::new(move |name: &str| builder(&world, &plan, &world.sibling(name)).open());
    let backups = Arc::new(move |database: &Database| back_up(&backed_up.0, &backed_up.1, database));
    let store = EngineStore::new(database, engine.wait_durable_every)?;
    Ok(store.with_siblings(siblings).with_backups(backups).counting(world_calls))
}

/// Writes a backup to a disk of its own and opens what is durable of it when the call has returned (A7).
fn back_up(world: &SimWorld, plan: &EnginePlan, database: &Database) -> stormproof_twin::Result<Backup> {
    let disk = world.disk_for_backup();
    let info = database.backup_to_disk(disk.mount())?;
    disk.crash(&CrashOdds::lose_all(), 0);
    Ok(Backup { info, opened: builder(world, plan, &disk).read_only().open() })
}

pub(super) fn builder(world: &SimWorld, engine: &EnginePlan, disk: &SimDisk) -> DatabaseBuilder {
    let mut builder = simulated::builder(engine)
        .clock(Arc::new(world.clock.clone()))
        .entropy(Arc::clone(&world.entropy) as _);
    if engine.storage == Storage::Disk {
        builder = builder.disk(disk.mount());
    }
    builder
}

/// Returns what recovery did, in words.
fn recovery(report: &RecoveryReport) -> Vec<String> {
    let mut words = Vec::new();
    if report.created {
        words.push("a new database was created".to_owned());
    }
    if let Some(version) = report.checkpoint_version {
        words.push(format!(
            "{} keys came from the checkpoint at version {version}",
            report.checkpoint_entries
        ));
    }
    if report.segments > 0 {
        words.push(format!(
            "{} commits with {} writes came from {} bytes of log in {} segments",
            report.commits, report.writes, report.log_bytes, report.segments
        ));
    }
    if report.withdrawn > 0 {
        words.push(format!("{} withdrawn transactions were passed over", report.withdrawn));
    }
    if report.torn_bytes > 0 {
        words.push(format!("a torn tail of {} bytes was cut", report.torn_bytes));
    }
    words
}

/// Runs all clients of this life; returns when all are done or the store is closed for writing.
fn run_clients(
    world: &Arc<SimWorld>,
    plan: &Arc<Plan>,
    life_plan: &LifePlan,
    workload: &Arc<dyn Workload>,
    store: &Arc<EngineStore>,
    number: Life,
    role: Role,
) {
    let run = |session: usize| {
        let (world, plan) = (Arc::clone(world), Arc::clone(plan));
        let (workload, store) = (Arc::clone(workload), Arc::clone(store));
        move || {
            let runner = Runner {
                store: &*store,
                workload: &*workload,
                environment: &world.client_time,
                recorder: &world.recorder,
                notebook: &world.notebook,
                life: number,
            };
            let client = match session {
                0 => &plan.workload.setup,
                1 => &plan.workload.audit,
                client => &plan.workload.clients[client - 2],
            };
            if let Stop::Closed(_) = runner.run(client) {
                world.note(|now| now.unfinished.push(client.session));
            }
        }
    };
    run(0)();
    if world.note(|now| now.unfinished.is_empty()) {
        if role == Role::Storm {
            cramp(world, life_plan);
        }
        let done = Arc::new(AtomicBool::new("checkpointer.done", false));
        let checkpointer = start_checkpointer(store, life_plan, &done);
        let closer = start_closer(store, life_plan);
        let second_opener = visitors::start_second_opener(world, plan, life_plan);
        let clients: Vec<_> = (0..plan.workload.clients.len())
            .map(|client| {
                let name = task_names::client(plan.workload.clients[client].session);
                thread::spawn(&name, run(client + 2)).expect("simulated threads always start")
            })
            .collect();
        // A second opener may succeed once the store is closed, so it is awaited before that.
        for client in clients.into_iter().chain(second_opener) {
            // A panic of a client has ended the life already.
            let _ = client.join();
        }
        done.store(true, Ordering::SeqCst);
        drop((checkpointer, closer));
    }
    if role == Role::Last && world.note(|now| now.unfinished.is_empty()) {
        run(1)();
    }
}

/// Leaves as little room on the disk as the plan says, until a task frees it again.
fn cramp(world: &Arc<SimWorld>, life_plan: &LifePlan) {
    world.leave_room(life_plan.room_bytes);
    if life_plan.room_bytes.is_none() {
        return;
    }
    let world = Arc::clone(world);
    let clean_up = move || {
        time::sleep(std::time::Duration::from_millis(1));
        world.leave_room(None);
    };
    thread::spawn("janitor", clean_up).expect("simulated threads always start");
}

/// Starts a task that makes checkpoints while clients work, as the plan says.
fn start_checkpointer(
    store: &Arc<EngineStore>,
    life_plan: &LifePlan,
    done: &Arc<AtomicBool>,
) -> Option<thread::JoinHandle<()>> {
    if life_plan.checkpoint_after_micros == 0 {
        return None;
    }
    let (store, done) = (Arc::clone(store), Arc::clone(done));
    let pause = std::time::Duration::from_micros(life_plan.checkpoint_after_micros);
    let body = move || {
        time::sleep(pause);
        if !done.load(Ordering::SeqCst) {
            // A checkpoint may fail, on a faulty disk; whether it worked shows in what recovery finds.
            let _ = store.database().checkpoint();
        }
    };
    thread::spawn("checkpointer", body).ok()
}

/// Starts a task that closes the store while clients work, as the plan says.
fn start_closer(store: &Arc<EngineStore>, life_plan: &LifePlan) -> Option<thread::JoinHandle<()>> {
    let pause = std::time::Duration::from_micros(life_plan.close_after_micros?);
    let store = Arc::clone(store);
    let body = move || {
        time::sleep(pause);
        // The life closes the store once more in the end, and gets the same error.
        let _ = store.database().close();
    };
    thread::spawn("closer", body).ok()
}

/// Records the content of the whole store. Returns whether that worked.
fn inspect(world: &SimWorld, store: &dyn Store, number: Life) -> bool {
    let names = world.recorder.with_events(Names::of);
    let Some(state) = inspector::inspect(&world.recorder, store, number, &names, &world.notebook) else {
        return false;
    };
    world.note(|now| now.states.push(state));
    true
}
