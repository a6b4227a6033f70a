//! Notices a simulation that has stopped: the application waits for something that is not simulated.
//!
//! All threads of a simulation are tasks on one thread of the operating system. If a task waits for a lock, a
//! thread or a channel of `std`, or blocks on a future of an executor, no other task can run, for ever. Only
//! another thread can notice that, by the scheduling points that no longer come.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "outside of the simulated world: real threads watch and run it, in real time"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stormproof_rt_shuttle::life::{Step, Watcher};
use stormproof_rt_shuttle::op::OpKind;

/// Task, kind of operation, and object.
type LastStep = (&'static str, OpKind, &'static str);

/// The pulse of one thread that simulates.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: AtomicU64,
    active: AtomicBool,
    last: Mutex<Option<LastStep>>,
}

impl Pulse {
    /// Notes that something goes on that is not a scheduling point.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets whether the thread simulates now; if not, no steps are expected of it.
    pub(crate) fn set_active(&self, active: bool) {
        self.beat();
        self.active.store(active, Ordering::Relaxed);
    }
}

impl Watcher for Pulse {
    fn step(&self, step: &Step) {
        self.beat();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((step.path, step.kind, step.label));
    }

    fn value(&self, _label: &'static str, _value: u64) {}
}

/// Watches pulses.
pub(crate) struct Watchdog {
    hang: Duration,
    seen: Vec<(Arc<Pulse>, u64, Instant)>,
}

impl Watchdog {
    pub(crate) fn new(hang: Duration, pulses: &[Arc<Pulse>]) -> Self {
        let seen = pulses.iter().map(|pulse| (Arc::clone(pulse), 0, Instant::now())).collect();
        Self { hang, seen }
    }

    /// Checks all pulses; returns in words what a thread did last that has not moved for too long.
    pub(crate) fn look(&mut self) -> Option<String> {
        for (pulse, known, since) in &mut self.seen {
            let beats = pulse.beats.load(Ordering::Relaxed);
            if beats != *known || !pulse.active.load(Ordering::Relaxed) {
                (*known, *since) = (beats, Instant::now());
            } else if since.elapsed() >= self.hang {
                let last = pulse.last.lock().unwrap_or_else(PoisonError::into_inner);
                return Some(words(self.hang, *last));
            }
        }
        None
    }
}

fn words(hang: Duration, last: Option<LastStep>) -> String {
    let last = match last {
        Some((task, kind, label)) => {
            let op = format!("{} {label}", kind.verb());
            format!("the last that happened: {task} came to `{}`, and went on from there", op.trim_end())
        }
        None => "nothing had happened yet".to_owned(),
    };
    format!(
        "no simulated step for {} s: the application waits for something that is not simulated\n  \
         {last}\n  \
         likely causes:\n  \
         - a std::sync::Mutex, RwLock, Condvar or channel that another simulated thread holds or feeds: use \
         stormproof::runtime::sync\n  \
         - std::thread::spawn or scope, and a join: use stormproof::runtime::thread\n  \
         - a future waited for by tokio or another executor: use stormproof::runtime::block_on\n  \
         - a loop without a call of the store, a lock or a sleep in it: call stormproof::runtime::thread::yield_now\n  \
         - a computation that takes this long: allow for it with `hang_seconds = …`",
        hang.as_secs()
    )
}
