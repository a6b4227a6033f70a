//! Each strategy finds a planted bug, and the exhaustive one all that there are.
#![expect(clippy::disallowed_types, reason = "outcomes are collected outside of the lives")]

use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;

use rt::life::{LifeEnd, Settings, run, run_with};
use rt::strategy::{
    Exhaustive, Kind, PartialOrder, Pct, RoundRobin, Sticky, Strategy, Uniform, Walk, Windows,
};
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};
use stormproof_rt_shuttle as rt;

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> rt::thread::JoinHandle<T> {
    rt::thread::spawn(name, body).expect("a life starts any number of tasks")
}

/// Two tasks increment a counter in two steps: an update can be lost.
fn lost_update() {
    let counter = Arc::new(AtomicU64::new("counter", 0));
    let adders: Vec<_> = (0..2)
        .map(|_| {
            let counter = Arc::clone(&counter);
            spawn("adder", move || {
                let old = counter.load(Ordering::SeqCst);
                rt::probe::at("read→write");
                counter.store(old + 1, Ordering::SeqCst);
            })
        })
        .collect();
    adders.into_iter().for_each(|adder| adder.join().expect("does not panic"));
    assert_eq!(counter.load(Ordering::SeqCst), 2, "an update was lost");
}

/// A long task of one client has to fit into one window of another, which comes up once among many steps.
fn long_window() {
    let version = Arc::new(AtomicU64::new("version", 0));
    let noise = Arc::new(AtomicU64::new("noise", 0));
    let (theirs, their_noise) = (Arc::clone(&version), Arc::clone(&noise));
    let writer = spawn("writer", move || {
        for _ in 0..30 {
            their_noise.fetch_add(1, Ordering::SeqCst);
        }
        theirs.store(1, Ordering::SeqCst);
    });
    for _ in 0..30 {
        noise.fetch_add(1, Ordering::SeqCst);
    }
    let before = (version.load(Ordering::SeqCst), noise.load(Ordering::SeqCst));
    rt::probe::at("snapshot→validate");
    let after = (version.load(Ordering::SeqCst), noise.load(Ordering::SeqCst));
    assert!(before.0 == after.0 || after.1 - before.1 < 25, "a whole commit fitted into the window");
    writer.join().expect("does not panic");
}

/// In how many lives the strategy finds the bug; `None` if in none of `lives_max`.
fn lives_to_find(mut strategy: Box<dyn Strategy>, bug: fn(), lives_max: u64) -> Option<u64> {
    (1..=lives_max).find(|seed| {
        let placeholder: Box<dyn Strategy> = Box::new(Uniform);
        let settings = Settings { seed: *seed, ..Settings::default() };
        let life = run(settings, std::mem::replace(&mut strategy, placeholder), bug);
        strategy = life.strategy;
        matches!(life.end, LifeEnd::Panicked(_))
    })
}

#[test]
fn each_strategy_finds_a_lost_update() {
    let strategies: Vec<(Box<dyn Strategy>, u64)> = vec![
        (Box::new(Uniform), 20),
        (Box::new(Sticky::new(3)), 50),
        (Box::new(Pct::new(2, 30)), 200),
        (Box::new(Walk::new()), 50),
        (Box::new(PartialOrder::new()), 20),
        (Box::new(RoundRobin::new(1)), 1),
        (Box::new(Windows::new(Vec::new())), 50),
    ];
    for (strategy, lives_max) in strategies {
        let name = format!("{strategy:?}");
        assert!(lives_to_find(strategy, lost_update, lives_max).is_some(), "{name} in {lives_max} lives");
    }
}

#[test]
fn a_preemption_in_the_window_finds_what_uniform_choice_does_not() {
    assert_eq!(lives_to_find(Box::new(Uniform), long_window, 500), None);
    assert!(lives_to_find(Box::new(Windows::new(Vec::new())), long_window, 100).is_some());
    let only_there = Windows::new(vec!["snapshot→validate".into()]);
    assert!(lives_to_find(Box::new(only_there), long_window, 100).is_some());
    let elsewhere = Windows::new(vec!["another".into()]);
    assert_eq!(lives_to_find(Box::new(elsewhere), long_window, 20), None);
    assert!(lives_to_find(Box::new(Pct::new(2, 100)), long_window, 500).is_some());
}

#[test]
fn no_strategy_starves_a_polling_loop() {
    let polls = || {
        let flag = Arc::new(AtomicU64::new("flag", 0));
        let theirs = Arc::clone(&flag);
        let poller = spawn("poller", move || {
            while theirs.load(Ordering::SeqCst) == 0 {
                rt::thread::yield_now();
            }
        });
        let theirs = Arc::clone(&flag);
        let spinner = spawn("spinner", move || while theirs.load(Ordering::SeqCst) == 0 {});
        for _ in 0..20 {
            flag.load(Ordering::SeqCst);
        }
        flag.store(1, Ordering::SeqCst);
        poller.join().expect("does not panic");
        spinner.join().expect("does not panic");
    };
    for seed in 0..50 {
        for kind in 0..Kind::NAMES.len() {
            let mut weights = [0; Kind::NAMES.len()];
            weights[kind] = 1;
            let settings = Settings { seed, steps_in_a_row_max: 100, ..Settings::default() };
            let kind = Kind::draw(&weights, 100, &mut rt::strategy::stream(seed, "kind"));
            let life = run(settings, kind.build(), polls);
            assert_eq!(life.end, LifeEnd::Completed, "seed {seed}, {kind:?}");
        }
    }
}

#[test]
fn uniform_random_walk_reaches_rare_orders_of_unequal_tasks() {
    // The short task has to come last, after all steps of a long one: with equal chances at every step that
    // is one life in a thousand billion.
    let unequal = || {
        let shared = Arc::new(AtomicU64::new("shared", 0));
        let theirs = Arc::clone(&shared);
        let short = spawn("short", move || assert!(theirs.load(Ordering::SeqCst) < 40, "came last"));
        for _ in 0..40 {
            shared.fetch_add(1, Ordering::SeqCst);
        }
        short.join().expect("does not panic");
    };
    assert_eq!(lives_to_find(Box::new(Uniform), unequal, 300), None);
    assert!(lives_to_find(Box::new(Walk::new()), unequal, 300).is_some());
}

/// Binomial coefficient.
fn choose(n: u64, k: u64) -> u64 {
    (1..=k).fold(1, |product, i| product * (n - k + i) / i)
}

fn load(shared: &AtomicU64, times: u64) {
    for _ in 0..times {
        shared.load(Ordering::SeqCst);
    }
}

/// The main task and one other take steps; returns how many interleavings there are with at most
/// `preemptions` preemptions.
fn interleavings(main_steps: u64, other_steps: u64, preemptions_max: u32) -> u64 {
    let settings = Settings::default();
    let mut all = Exhaustive::new(settings, preemptions_max);
    let mut distinct = BTreeSet::new();
    while let Some(life) = all.next_life(move || {
        let shared = Arc::new(AtomicU64::new("shared", 0));
        let theirs = Arc::clone(&shared);
        let other = spawn("other", move || load(&theirs, other_steps));
        load(&shared, main_steps);
        other.join().expect("does not panic");
    }) {
        assert_eq!(life.end, LifeEnd::Completed);
        assert!(life.preemptions <= u64::from(preemptions_max));
        assert!(distinct.insert(life.digest), "an interleaving was run twice");
    }
    assert!(all.is_exhausted());
    all.lives()
}

#[test]
fn exhaustive_search_runs_every_interleaving_of_two_tasks_once() {
    // The main task's pieces from its first scheduling point on (its steps, and the join) shuffle with those
    // of the other (up to its first step, and from each step on).
    for (main, other) in [(1, 1), (2, 2), (3, 2), (1, 5), (4, 4)] {
        let (mains, others) = (main + 1, other + 1);
        assert_eq!(
            interleavings(main, other, u32::MAX),
            choose(mains + others, mains),
            "{main} and {other} steps"
        );
    }
    assert_eq!(interleavings(4, 4, 0), 1);
    // One preemption: of the main task at any of its points, after which the other runs to its end (nothing
    // else is free), or of the other, once the main task waits for it: that leaves no other task to run.
    assert_eq!(interleavings(4, 4, 1), 1 + 5);
}

#[test]
fn exhaustive_search_finds_all_outcomes() {
    static OUTCOMES: StdMutex<BTreeSet<(u64, u64)>> = StdMutex::new(BTreeSet::new());
    let mut all = Exhaustive::new(Settings::default(), u32::MAX);
    // Store buffering: under sequential consistency not both can read 0.
    while let Some(life) = all.next_life(|| {
        let (x, y) = (Arc::new(AtomicU64::new("x", 0)), Arc::new(AtomicU64::new("y", 0)));
        let (their_x, their_y) = (Arc::clone(&x), Arc::clone(&y));
        let other = spawn("other", move || {
            their_x.store(1, Ordering::SeqCst);
            their_y.load(Ordering::SeqCst)
        });
        y.store(1, Ordering::SeqCst);
        let read_x = x.load(Ordering::SeqCst);
        let read_y = other.join().expect("does not panic");
        OUTCOMES.lock().expect("no task panicked").insert((read_x, read_y));
    }) {
        assert_eq!(life.end, LifeEnd::Completed);
    }
    let outcomes = OUTCOMES.lock().expect("no task panicked");
    assert_eq!(outcomes.iter().copied().collect::<Vec<_>>(), [(0, 1), (1, 0), (1, 1)]);
}

#[test]
fn exhaustive_search_says_when_the_program_is_not_the_same_each_time() {
    static LIVES: StdMutex<u64> = StdMutex::new(0);
    let mut all = Exhaustive::new(Settings::default(), u32::MAX);
    let mut last = None;
    while let Some(life) = all.next_life(|| {
        let mut lives = LIVES.lock().expect("no task panicked");
        *lives += 1;
        let tasks = 1 + *lives % 3;
        drop(lives);
        (0..tasks).for_each(|_| drop(spawn("one of some", || rt::probe::at("somewhere"))));
        rt::probe::at("elsewhere");
        rt::probe::at("elsewhere");
    }) {
        last = life.report.diverged;
    }
    assert!(last.is_some());
    assert!(!all.is_exhausted());
}

#[test]
fn a_strategy_comes_back_from_a_life() {
    let (life, strategy) = run_with(Settings::default(), RoundRobin::new(2), lost_update);
    let (again, _) = run_with(Settings::default(), strategy, lost_update);
    assert_eq!(life.digest, again.digest);
}
