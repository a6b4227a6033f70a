//! Recorded decisions give the same life again: raw, by name, and in another process.

use std::process::Command;
use std::time::Duration;

use rt::life::{Decisions, InjectedEvents, KillAt, LifeEnd, LifeOutcome, Settings, run};
use rt::strategy::{Directed, Replay, Strategy, Uniform};
use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Condvar, Mutex};
use stormproof_rt_shuttle as rt;

fn settings(seed: u64) -> Settings {
    Settings { seed, stalls_per_million: 5_000, ..Settings::default() }
}

fn life(seed: u64, strategy: impl Strategy) -> LifeOutcome {
    run(settings(seed), Box::new(strategy), body)
}

/// Something of everything: locks, timed waits, atomics, nested tasks, time.
fn body() {
    let queue = Arc::new((Mutex::new("queue", Vec::new()), Condvar::new("filled"), AtomicU64::new("sum", 0)));
    let takers: Vec<_> = (0..2)
        .map(|_| {
            let queue = Arc::clone(&queue);
            rt::thread::spawn("taker", move || {
                for _ in 0..4 {
                    let mut items = queue.0.lock();
                    while items.is_empty() {
                        queue.1.wait_for(&mut items, Duration::from_micros(50));
                    }
                    let item = items.pop().expect("not empty");
                    drop(items);
                    queue.2.fetch_add(item, Ordering::SeqCst);
                }
            })
            .expect("starts")
        })
        .collect();
    let giver = Arc::clone(&queue);
    let giver = rt::thread::spawn("giver", move || {
        let inner = Arc::clone(&giver);
        let inner = rt::thread::spawn("inner", move || (0..4).for_each(|n| put(&inner, n))).expect("starts");
        (4..8).for_each(|n| put(&giver, n));
        inner.join().expect("does not panic");
    })
    .expect("starts");
    giver.join().expect("does not panic");
    takers.into_iter().for_each(|taker| taker.join().expect("does not panic"));
    assert_eq!(queue.2.load(Ordering::SeqCst), 28);
}

fn put(queue: &(Mutex<Vec<u64>>, Condvar, AtomicU64), item: u64) {
    queue.0.lock().push(item);
    rt::probe::at("pushed");
    queue.1.notify_one();
    rt::time::sleep(Duration::from_micros(item));
}

#[test]
fn raw_decisions_replay_exactly() {
    for seed in 0..300 {
        let first = life(seed, Uniform);
        assert_eq!(first.end, LifeEnd::Completed);
        let text = first.schedule.decisions.to_string();
        let decisions: Decisions = text.parse().expect("what is printed can be read");
        let again = life(seed, Replay::new(decisions));
        assert_eq!(again.digest, first.digest, "seed {seed}: {:?}", again.report);
        assert_eq!(again.report.diverged, None);
    }
}

#[test]
fn decisions_by_name_replay_exactly() {
    for seed in 0..300 {
        let first = life(seed, Uniform);
        let again = life(seed, Directed::new(first.schedule.forced_switches()));
        assert_eq!(again.digest, first.digest, "seed {seed}: {:?}", again.report);
        assert_eq!((again.report.diverged, again.report.unmet), (None, Vec::new()));
    }
}

#[test]
fn decisions_and_nudges_by_name_need_no_seed() {
    let (mut nudged, mut kinds) = (0, std::collections::BTreeSet::new());
    for seed in 0..300 {
        let stormy =
            Settings { spurious_wakeups_per_mille: 200, early_timeouts_per_mille: 300, ..settings(seed) };
        let first = run(stormy.clone(), Box::new(Uniform), body);
        let injected_events = first.schedule.injected_events();
        nudged += injected_events.len();
        kinds.extend(injected_events.iter().map(std::mem::discriminant).map(|kind| format!("{kind:?}")));
        let listed = Settings {
            seed: seed + 1_000,
            injected_events: InjectedEvents::Only(injected_events.clone()),
            ..stormy
        };
        let again = run(listed, Box::new(Directed::new(first.schedule.forced_switches())), body);
        assert_eq!(again.digest, first.digest, "seed {seed}: {:?}", again.report);
        assert_eq!(again.schedule.injected_events(), injected_events);
    }
    assert!(nudged > 300, "the test was about {nudged} injected_events");
    assert_eq!(kinds.len(), 4, "some kind of injected_event never came up: {kinds:?}");
}

#[test]
fn a_kill_by_name_hits_the_point_of_a_kill_by_number() {
    let first = life(7, Uniform);
    let force = first
        .schedule
        .forced_switches()
        .into_iter()
        .find(|force| force.at.op == "at pushed")
        .expect("is forced");
    let by_name = Settings { kill: Some(KillAt::Point(force.at.clone())), ..settings(7) };
    let killed = run(by_name, Box::new(Uniform), body);
    assert_eq!(killed.end, LifeEnd::Killed);
    let by_number = Settings { kill: Some(KillAt::Step(killed.steps)), ..settings(7) };
    assert_eq!(run(by_number, Box::new(Uniform), body).digest, killed.digest);
}

#[test]
fn decisions_that_do_not_fit_say_where() {
    let forced_switches = life(1, Uniform).schedule.forced_switches();
    let elsewhere = run(settings(1), Box::new(Directed::new(forced_switches)), || {
        rt::thread::spawn("giver", rt::thread::yield_now).expect("starts").join().expect("does not panic");
    });
    assert!(!elsewhere.report.unmet.is_empty());
    let decisions = life(1, Uniform).schedule.decisions;
    let elsewhere = life(2, Replay::new(decisions));
    assert!(elsewhere.report.diverged.is_some());
}

/// What the test below compares: digests of some lives.
fn digests() -> String {
    let digests = (0..40).map(|seed| format!("{:016x}", life(seed, Uniform).digest));
    digests.collect::<Vec<_>>().join(" ")
}

#[test]
fn another_process_decides_the_same() {
    const CHILD: &str = "STORMPROOF_TEST_PRINTS_DIGESTS";
    if std::env::var_os(CHILD).is_some() {
        println!("digests: {}", digests());
        return;
    }
    let exe = std::env::current_exe().expect("a test has an executable");
    let mut child = Command::new(exe);
    child.args(["--exact", "another_process_decides_the_same", "--nocapture"]).env(CHILD, "1");
    let output = child.output().expect("the test starts itself");
    let output = String::from_utf8(output.stdout).expect("digests are text");
    let theirs = output.lines().find_map(|line| line.split_once("digests: ")).expect("it prints digests").1;
    assert_eq!(theirs, digests());
}
