//! Lives: what ends them, and what must not happen when they end.
#![expect(clippy::disallowed_types, reason = "counts from outside of the lives")]

use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use rt::life::{KillAt, LifeEnd, LifeOutcome, Progress, Settings, Starvation, Step, Watch, Watcher, run};
use rt::strategy::{RoundRobin, Uniform};
use rt::sync::{Arc, Condvar, Mutex, atomic};
use stormproof_rt_shuttle as rt;

fn life(settings: Settings, body: impl FnOnce() + Send + 'static) -> LifeOutcome {
    run(settings, Box::new(Uniform), body)
}

fn seed(seed: u64) -> Settings {
    Settings { seed, ..Settings::default() }
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> rt::thread::JoinHandle<T> {
    rt::thread::spawn(name, body).expect("a life starts any number of tasks")
}

/// Four tasks that increment a counter under a lock, and one that waits until they are done.
fn busy_body() {
    let counter = Arc::new((Mutex::new("counter", 0_u32), Condvar::new("changed")));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let counter = Arc::clone(&counter);
            spawn("worker", move || {
                for _ in 0..5 {
                    *counter.0.lock() += 1;
                    counter.1.notify_all();
                }
            })
        })
        .collect();
    let mut count = counter.0.lock();
    while *count < 20 {
        counter.1.wait(&mut count);
    }
    drop(count);
    for worker in workers {
        worker.join().expect("a worker does not panic");
    }
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let digests: Vec<_> = (0..50).map(|n| life(seed(n), busy_body).digest).collect();
    let again: Vec<_> = (0..50).map(|n| life(seed(n), busy_body).digest).collect();
    assert_eq!(digests, again);
    let mut distinct = digests.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 45, "seeds make a difference, but there were only {} lives", distinct.len());
}

struct Sets(&'static AtomicU32);

impl Drop for Sets {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_kill_runs_no_destructor() {
    static DROPPED: AtomicU32 = AtomicU32::new(0);
    for step in 1..60 {
        let settings = Settings { kill: Some(KillAt::Step(step)), ..seed(step) };
        let life = life(settings, || {
            let _mine = Sets(&DROPPED);
            let lock = Arc::new(Mutex::new("lock", ()));
            for _ in 0..3 {
                let (theirs, lock) = (Sets(&DROPPED), Arc::clone(&lock));
                spawn("worker", move || {
                    let _theirs = theirs;
                    loop {
                        let _guard = lock.lock();
                        rt::thread::yield_now();
                    }
                });
            }
            loop {
                rt::thread::yield_now();
            }
        });
        assert_eq!(life.end, LifeEnd::Killed);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0, "killed at step {step}");
    }
}

#[test]
fn a_crash_from_within_returns_to_nobody() {
    static AFTER: AtomicU32 = AtomicU32::new(0);
    let life = life(seed(1), || {
        let _mine = Sets(&AFTER);
        let other = spawn("other", || {
            let _theirs = Sets(&AFTER);
            rt::probe::crash();
        });
        let _ = other.join();
        AFTER.fetch_add(100, Ordering::Relaxed);
    });
    assert_eq!(life.end, LifeEnd::Killed);
    assert_eq!(AFTER.load(Ordering::Relaxed), 0);
}

#[test]
fn a_timed_wait_fires_although_nobody_notifies() {
    let life = life(seed(0), || {
        let lock = Mutex::new("lock", ());
        let never = Condvar::new("never");
        let mut guard = lock.lock();
        let start = rt::time::now();
        let deadline = start.saturating_add(Duration::from_secs(5));
        while !never.wait_until(&mut guard, deadline) {}
        drop(guard);
        rt::time::sleep(Duration::from_secs(5));
        assert!(rt::time::now().saturating_since(start) >= Duration::from_secs(10));
    });
    assert_eq!(life.end, LifeEnd::Completed);
    assert!(life.time.as_nanos() < 11_000_000_000);
}

#[test]
fn waits_end_for_no_reason() {
    static SPURIOUS: AtomicU32 = AtomicU32::new(0);
    for n in 0..200 {
        life(seed(n), || {
            let lock = Mutex::new("lock", ());
            let never = Condvar::new("never");
            let other = spawn("other", rt::thread::yield_now);
            if !never.wait_for(&mut lock.lock(), Duration::from_secs(1)) {
                SPURIOUS.fetch_add(1, Ordering::Relaxed);
            }
            let _ = other.join();
        });
    }
    assert!(SPURIOUS.load(Ordering::Relaxed) > 0);
}

#[test]
fn two_locks_in_opposite_order_deadlock_in_a_circle() {
    let body = || {
        let locks = Arc::new((Mutex::new("a", ()), Mutex::new("b", ())));
        let theirs = Arc::clone(&locks);
        let other = spawn("other", move || {
            let _b = theirs.1.lock();
            let _a = theirs.0.lock();
        });
        let a = locks.0.lock();
        let b = locks.1.lock();
        drop((a, b));
        let _ = other.join();
    };
    let ends = (0..100).map(|n| life(seed(n), body).end);
    let graph = ends.into_iter().find_map(|end| match end {
        LifeEnd::Deadlock(graph) => Some(graph),
        _ => None,
    });
    let graph = graph.expect("one life in a hundred deadlocks");
    let mut cycle: Vec<_> = graph.cycle().iter().map(|task| (task.task.as_str(), task.op.as_str())).collect();
    cycle.sort_unstable();
    assert_eq!(cycle, [("main", "lock b"), ("other", "lock a")], "{graph}");
}

#[test]
fn a_lost_wakeup_is_a_deadlock() {
    // The flag is read outside of the lock: a notification in between is lost.
    let body = || {
        let shared =
            Arc::new((atomic::AtomicBool::new("flag", false), Mutex::new("lock", ()), Condvar::new("set")));
        let theirs = Arc::clone(&shared);
        spawn("setter", move || {
            theirs.0.store(true, Ordering::SeqCst);
            theirs.2.notify_all();
        });
        if !shared.0.load(Ordering::SeqCst) {
            shared.2.wait(&mut shared.1.lock());
        }
    };
    let deadlocks = (0..200).filter(|n| matches!(life(seed(*n), body).end, LifeEnd::Deadlock(_))).count();
    assert!((1..200).contains(&deadlocks), "{deadlocks} of 200");
}

#[test]
fn a_livelock_ends_at_the_step_limit_and_says_what_went_on() {
    let settings = Settings { steps_max: 2_000, ..seed(3) };
    let life = run(settings, Box::new(RoundRobin::new(3)), || {
        let flag = Arc::new(atomic::AtomicBool::new("never", false));
        let theirs = Arc::clone(&flag);
        spawn("other", move || while !theirs.load(Ordering::SeqCst) {});
        while !flag.load(Ordering::SeqCst) {}
    });
    let LifeEnd::StepLimit(limit) = &life.end else { panic!("ended as {:?}", life.end) };
    assert_eq!(limit.steps, 2_000);
    assert!(limit.tasks.tasks.iter().all(|task| task.most_often.0 == "load never"), "{}", life.end);
}

#[test]
fn a_life_that_gets_nowhere_is_ended_long_before_one_that_gets_on() {
    let rounds = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&rounds);
    let progress =
        Some(Progress { count: Arc::new(move || counted.load(Ordering::SeqCst)), points_max: 1_000 });
    let settings = Settings { progress, ..seed(3) };
    let busy = |every: u64| {
        let rounds = Arc::clone(&rounds);
        move || {
            let lock = Mutex::new("lock", ());
            for round in 0..20_000_u64 {
                drop(lock.lock());
                if round.is_multiple_of(every) {
                    rounds.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    };
    let end = run(settings.clone(), Box::new(RoundRobin::new(3)), busy(100)).end;
    assert_eq!(end, LifeEnd::Completed);
    let end = run(settings, Box::new(RoundRobin::new(3)), busy(u64::MAX)).end;
    let LifeEnd::StepLimit(limit) = &end else { panic!("ended as {end:?}") };
    assert!((1_000..2_000).contains(&limit.idle.unwrap_or(0)), "{end}");
    assert!(end.to_string().starts_with("nothing came of"), "{end}");
}

#[test]
fn a_panic_is_a_result_with_message_task_and_place() {
    for n in 0..20 {
        let life = life(seed(n), || {
            let lock = Arc::new(Mutex::new("lock", ()));
            let theirs = Arc::clone(&lock);
            spawn("unlucky", move || {
                let _guard = theirs.lock();
                panic!("out of {}", "luck");
            });
            for _ in 0..50 {
                drop(lock.lock());
            }
            rt::time::sleep(Duration::from_secs(1));
        });
        let LifeEnd::Panicked(panic) = &life.end else { panic!("ended as {:?}", life.end) };
        assert_eq!((panic.message.as_str(), panic.task.as_str()), ("out of luck", "unlucky"));
        assert!(panic.place.contains("life.rs:"), "{}", panic.place);
        assert!(!std::thread::panicking());
    }
}

#[test]
fn a_life_that_deadlocks_while_it_unwinds_leaves_the_next_ones_alone() {
    struct JoinsOnDrop(Option<rt::thread::JoinHandle<()>>);
    impl Drop for JoinsOnDrop {
        fn drop(&mut self) {
            if let Some(handle) = self.0.take() {
                let _ = handle.join();
            }
        }
    }
    let before = life(seed(1), busy_body).digest;
    for n in 0..3 {
        let end = life(seed(n), || {
            let shared = Arc::new((Mutex::new("lock", ()), Condvar::new("never")));
            let waiter = spawn("waiter", move || {
                loop {
                    shared.1.wait(&mut shared.0.lock());
                }
            });
            let _joins = JoinsOnDrop(Some(waiter));
            panic!("while others wait");
        });
        assert!(matches!(end.end, LifeEnd::Deadlock(_) | LifeEnd::StepLimit(_)), "{:?}", end.end);
    }
    assert_eq!(life(seed(1), busy_body).digest, before);
}

#[test]
fn thousands_of_killed_lives_run_in_one_process() {
    for n in 0..2_000 {
        let settings = Settings { kill: Some(KillAt::Step(1 + n % 150)), ..seed(n) };
        let end = life(settings, busy_body).end;
        assert!(matches!(end, LifeEnd::Killed | LifeEnd::Completed), "{end:?}");
    }
}

/// Writes down whatever it is shown.
#[derive(Default)]
struct Seen(std::sync::Mutex<Noted>);

type Noted = (Vec<Step>, Vec<(&'static str, u64)>);

impl Watcher for Seen {
    fn step(&self, step: &Step) {
        self.0.lock().expect("not poisoned").0.push(*step);
    }

    fn value(&self, label: &'static str, value: u64) {
        self.0.lock().expect("not poisoned").1.push((label, value));
    }
}

#[test]
fn a_watched_life_is_the_same_life_and_nothing_of_it_is_missed() {
    fn body() {
        let version = atomic::AtomicU64::new("version", 3);
        busy_body();
        version.store(4, Ordering::SeqCst);
        version.fetch_add(2, Ordering::SeqCst);
    }
    for n in 0..20 {
        let alone = life(seed(n), body);
        let seen = Arc::new(Seen::default());
        let watch = Watch(Arc::clone(&seen) as Arc<dyn Watcher>);
        let watched = life(Settings { watch: Some(watch), ..seed(n) }, body);
        assert_eq!((alone.digest, alone.interleaving), (watched.digest, watched.interleaving));
        let (steps, values) = &*seen.0.lock().expect("not poisoned");
        assert_eq!(steps.len() as u64, watched.steps);
        let preemptions = steps.iter().filter(|step| step.preempted).count() as u64;
        assert!(preemptions.abs_diff(watched.preemptions) <= 1, "the last switch may have been cut off");
        assert_eq!(values.as_slice(), [("version", 4), ("version", 6)]);
    }
}

/// One waits for a notification that is never sent, one for a lock that is held meanwhile; two others go on
/// all the time.
fn forgotten_body() {
    let shared =
        Arc::new((Mutex::new("mail", false), Condvar::new("arrived"), atomic::AtomicU64::new("work", 0)));
    let theirs = Arc::clone(&shared);
    let forgotten = spawn("client-forgotten", move || {
        let mut mail = theirs.0.lock();
        while !*mail {
            theirs.1.wait(&mut mail);
        }
    });
    for name in ["client-busy", "background"] {
        let shared = Arc::clone(&shared);
        spawn(name, move || {
            while shared.2.fetch_add(1, Ordering::SeqCst) < 100_000 {
                rt::thread::yield_now();
            }
        });
    }
    forgotten.join().expect("does not panic");
}

#[test]
fn whoever_is_forgotten_while_others_go_on_is_starved_and_the_wait_graph_names_it() {
    let starvation = Some(Starvation { tasks: "client-", points_max: 5_000 });
    let settings = Settings { starvation, spurious_wakeups_per_mille: 0, ..seed(1) };
    let LifeEnd::Starved(starved) = life(settings.clone(), forgotten_body).end else {
        panic!("no task was starved");
    };
    assert_eq!(starved.task, "client-forgotten");
    assert!((5_000..8_000).contains(&starved.points), "{} points", starved.points);
    let waiting = starved.tasks.tasks.iter().find(|task| task.task == starved.task).expect("is in the graph");
    assert_eq!(waiting.op, "wait arrived");
    // Those that are not watched may wait for work as long as they like.
    let unwatched = Some(Starvation { tasks: "server-", points_max: 5_000 });
    let end = life(Settings { starvation: unwatched, ..settings }, forgotten_body).end;
    assert!(!matches!(end, LifeEnd::Starved(_)), "{end}");
}

#[test]
fn an_unfair_schedule_alone_starves_nobody() {
    // Round robin in turns of a million points: the polling task keeps the holder of the lock off, until
    // turns are enforced.
    let body = || {
        let lock = Arc::new((Mutex::new("lock", ()), atomic::AtomicU64::new("polls", 0)));
        let guard = lock.0.lock();
        let theirs = Arc::clone(&lock);
        let client = spawn("client-1", move || drop(theirs.0.lock()));
        let poller = Arc::clone(&lock);
        spawn("poller", move || while poller.1.fetch_add(1, Ordering::SeqCst) < 50_000 {});
        rt::thread::yield_now();
        rt::probe::at("held");
        drop(guard);
        client.join().expect("does not panic");
    };
    let starvation = Some(Starvation { tasks: "client-", points_max: 4_000 });
    let settings = Settings { starvation, steps_in_a_row_max: u32::MAX, ..seed(1) };
    let life = run(settings, Box::new(RoundRobin::new(1_000_000)), body);
    assert_eq!(life.end, LifeEnd::Completed);
    assert!(life.steps < 20_000, "{} steps", life.steps);
}

#[test]
fn a_trail_tells_every_draw_and_changes_nothing() {
    let draws = || {
        rt::probe::draw("dice", 5);
        busy_body();
        rt::probe::draw("dice", 6);
    };
    let without = life(seed(3), draws);
    let with = life(Settings { trail: true, ..seed(3) }, draws);
    assert_eq!(without.digest, with.digest);
    assert_eq!(without.trail().count(), 0);
    let trail: Vec<_> = with.trail().collect();
    assert_eq!(trail[0], "dice: 0x5");
    assert!(trail.iter().any(|draw| draw.contains("worker before \"lock counter\" no. 1")), "{trail:#?}");
    assert!(trail.iter().any(|draw| draw == "schedule: worker#2 is chosen"), "{trail:#?}");
    let other = life(seed(3), || {
        rt::probe::draw("dice", 5);
        busy_body();
        rt::probe::draw("dice", 1);
    });
    assert_ne!(other.digest, with.digest, "a draw of the world is a part of the digest");
}
