//! Lives whose remains are unwound: they end as others do, and give their memory back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rt::life::{KillAt, LifeEnd, LifeOutcome, OnEnd, Remains, Settings, run};
use rt::strategy::Uniform;
use rt::sync::{Arc, Condvar, Mutex};
use stormproof_rt_shuttle as rt;

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> rt::thread::JoinHandle<T> {
    rt::thread::spawn(name, body).expect("a life starts any number of tasks")
}

fn unwound(settings: Settings, body: impl FnOnce() + Send + 'static) -> LifeOutcome {
    run(Settings { remains: Remains::Unwind, ..settings }, Box::new(Uniform), body)
}

fn killed_at(step: u64) -> Settings {
    Settings { seed: step, kill: Some(KillAt::Step(step)), ..Settings::default() }
}

/// Counts how many of its kind there are.
struct Counted(&'static AtomicI64);

impl Counted {
    fn new(count: &'static AtomicI64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An engine in small: a thread of its own, which is stopped and joined when the last handle goes.
struct Engine {
    shared: Arc<Shared>,
    thread: Option<rt::thread::JoinHandle<()>>,
    counted: Counted,
}

struct Shared {
    stop: Mutex<bool>,
    changed: Condvar,
    data: Mutex<Vec<Counted>>,
}

impl Engine {
    fn open(count: &'static AtomicI64) -> Self {
        let shared = Arc::new(Shared {
            stop: Mutex::new("stop", false),
            changed: Condvar::new("changed"),
            data: Mutex::new("data", Vec::new()),
        });
        let theirs = Arc::clone(&shared);
        let thread = spawn("background", move || {
            let mut stop = theirs.stop.lock();
            while !*stop {
                theirs.changed.wait_for(&mut stop, Duration::from_millis(1));
            }
        });
        Self { shared, thread: Some(thread), counted: Counted::new(count) }
    }

    fn put(&self) {
        let mut data = self.shared.data.lock();
        data.push(Counted::new(self.counted.0));
        rt::probe::at("put");
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        *self.shared.stop.lock() = true;
        self.shared.changed.notify_all();
        // Takes what another may hold, and waits for another's end.
        self.shared.data.lock().clear();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn body(count: &'static AtomicI64) {
    let engine = Arc::new(Engine::open(count));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let engine = Arc::clone(&engine);
            spawn("client", move || (0..4).for_each(|_| engine.put()))
        })
        .collect();
    drop(engine);
    clients.into_iter().for_each(|client| client.join().expect("does not panic"));
}

#[test]
fn a_killed_life_gives_back_what_it_owned_and_is_the_same_as_one_that_does_not() {
    static LEFT: AtomicI64 = AtomicI64::new(0);
    for step in 1..250 {
        let life = unwound(killed_at(step), || body(&LEFT));
        assert_eq!(LEFT.load(Ordering::Relaxed), 0, "killed at step {step}: {}", life.end);
        assert!(!std::thread::panicking());
        let leaked = run(killed_at(step), Box::new(Uniform), || body(&LEFT));
        LEFT.store(0, Ordering::Relaxed);
        assert_eq!(
            (life.end, life.digest, life.steps),
            (leaked.end, leaked.digest, leaked.steps),
            "step {step}"
        );
        assert_eq!(
            (life.time, life.unfinished, life.panics),
            (leaked.time, leaked.unfinished, leaked.panics)
        );
    }
}

#[test]
fn the_world_is_closed_before_the_first_destructor_runs() {
    static CLOSED: AtomicI64 = AtomicI64::new(0);
    static TOO_EARLY: AtomicI64 = AtomicI64::new(0);
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            if CLOSED.load(Ordering::Relaxed) == 0 || !rt::life::is_over() {
                TOO_EARLY.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    for remains in [Remains::Unwind, Remains::Leak] {
        CLOSED.store(0, Ordering::Relaxed);
        let on_end = OnEnd(Arc::new(|| {
            CLOSED.fetch_add(1, Ordering::Relaxed);
        }));
        let settings = Settings { on_end: Some(on_end), remains, ..killed_at(9) };
        let life = run(settings, Box::new(Uniform), || {
            let _late = Late;
            let late = Late;
            let never_runs = spawn("other", move || {
                let _late = late;
                (0..20).for_each(|_| rt::thread::yield_now());
            });
            (0..20).for_each(|_| rt::thread::yield_now());
            let _ = never_runs.join();
        });
        assert_eq!(life.end, LifeEnd::Killed);
        assert_eq!(CLOSED.load(Ordering::Relaxed), 1);
    }
    assert_eq!(TOO_EARLY.load(Ordering::Relaxed), 0);
}

#[test]
fn tasks_that_outlive_the_main_task_and_deadlocked_ones_are_unwound_too() {
    static HERE: AtomicI64 = AtomicI64::new(0);
    let life = unwound(Settings::default(), || {
        let counted = Counted::new(&HERE);
        spawn("forever", move || {
            let _counted = counted;
            loop {
                rt::time::sleep(Duration::from_secs(1));
            }
        });
        rt::thread::yield_now();
    });
    assert_eq!((life.end, life.unfinished), (LifeEnd::Completed, 1));
    assert_eq!(HERE.load(Ordering::Relaxed), 0);
    let life = unwound(Settings::default(), || {
        let _counted = Counted::new(&HERE);
        let lock = Mutex::new("lock", ());
        let _held = lock.lock();
        let _again = lock.lock();
    });
    assert!(matches!(life.end, LifeEnd::Deadlock(_)));
    assert_eq!(HERE.load(Ordering::Relaxed), 0);
}

#[test]
fn destructors_that_never_end_are_given_up_and_hurt_nobody() {
    struct Forever(Arc<(Mutex<()>, Condvar)>);
    impl Drop for Forever {
        fn drop(&mut self) {
            let mut guard = self.0.0.lock();
            loop {
                self.0.1.wait(&mut guard);
            }
        }
    }
    static LEFT: AtomicI64 = AtomicI64::new(0);
    let before = unwound(killed_at(50), || body(&LEFT)).digest;
    for step in 5..8 {
        let life = unwound(killed_at(step), || {
            let _forever = Forever(Arc::new((Mutex::new("lock", ()), Condvar::new("never"))));
            loop {
                rt::thread::yield_now();
            }
        });
        assert_eq!(life.end, LifeEnd::Killed);
    }
    assert_eq!(unwound(killed_at(50), || body(&LEFT)).digest, before);
}

#[test]
fn a_panic_that_is_caught_does_not_keep_a_task_alive() {
    static ROUNDS: AtomicI64 = AtomicI64::new(0);
    let life = unwound(killed_at(30), || {
        spawn("stubborn", || {
            loop {
                ROUNDS.fetch_add(1, Ordering::Relaxed);
                let _ = std::panic::catch_unwind(rt::thread::yield_now);
            }
        });
        loop {
            rt::thread::yield_now();
        }
    });
    assert_eq!(life.end, LifeEnd::Killed);
    assert!(ROUNDS.load(Ordering::Relaxed) > 0);
}
