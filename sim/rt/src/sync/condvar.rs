//! Condition variables.

use std::time::Duration;

use super::{MutexGuard, identity};
use crate::life;
use crate::op::{Op, OpKind};
use crate::time::Instant;

/// A condition variable. Wake-ups may be spurious: always wait in a loop that checks the condition.
#[derive(Debug, Default)]
pub struct Condvar {
    label: &'static str,
    /// Only used outside of a life.
    production: parking_lot::Condvar,
}

impl Condvar {
    /// Creates a condition variable; `label` names it in simulations.
    pub const fn new(label: &'static str) -> Self {
        Self { label, production: parking_lot::Condvar::new() }
    }

    /// Unlocks, waits for a notification, locks again.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        if life::is_inside() {
            self.wait_in_life(guard, None);
        } else {
            self.production.wait(guard.production());
        }
    }

    /// Unlocks, waits for a notification or until `timeout` has passed, locks again. Returns whether the time
    /// was up.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> bool {
        match life::with_core(|core| Instant::from_nanos(core.now())) {
            Some(now) => self.wait_in_life(guard, Some(now.saturating_add(timeout))),
            None => self.production.wait_for(guard.production(), timeout).timed_out(),
        }
    }

    /// Unlocks, waits for a notification or until `deadline`, locks again. Returns whether the time was up.
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        if life::is_inside() {
            self.wait_in_life(guard, Some(deadline))
        } else {
            self.wait_for(guard, deadline.saturating_since(crate::time::now()))
        }
    }

    /// Wakes one waiting thread.
    pub fn notify_one(&self) {
        let op = self.op(OpKind::NotifyOne);
        life::point(op);
        if life::with_core(|core| core.notify_one(&op)).is_none() {
            self.production.notify_one();
        }
    }

    /// Wakes all waiting threads.
    pub fn notify_all(&self) {
        let op = self.op(OpKind::NotifyAll);
        life::point(op);
        if life::with_core(|core| core.notify_all(&op)).is_none() {
            self.production.notify_all();
        }
    }

    fn wait_in_life<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> bool {
        let op = self.op(OpKind::Wait);
        life::point(op);
        guard.release();
        let timed_out = life::block_on_condition(op, deadline);
        guard.reacquire();
        timed_out
    }

    fn op(&self, kind: OpKind) -> Op {
        Op::new(kind, self.label, identity(&self.label))
    }
}
