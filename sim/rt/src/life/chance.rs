//! What is due at a certain step, and what is injected by chance (see
//! [`injected_event`](super::injected_event)).

use super::core::{Core, below};
use super::injected_event::{RawEventKind, RawInjectedEvent, STALL};
use super::trail::Draw;
use super::{Cancel, KillAt, LifeEnd, StepLimit};
use crate::op::mix;
use crate::strategy::point_hash;

/// The number of scheduling points between two questions whether the life is to be given up.
const CANCEL_EVERY: u64 = 4_096;

impl Core {
    /// Handles what is due at this step.
    #[inline]
    pub(super) fn handle_due(&mut self, blocked: bool) {
        if self.step >= self.next_event {
            self.event(blocked);
        }
        if self.listed.is_some() {
            self.stall_as_listed(blocked);
        }
    }

    #[cold]
    fn stall_as_listed(&mut self, blocked: bool) {
        let here = self.point_hash(blocked);
        if let Some(nanos) = self.listed.as_ref().and_then(|listed| listed.get(here, STALL)) {
            self.stall(nanos, blocked);
        }
    }

    fn stall(&mut self, nanos: u64, blocked: bool) {
        self.note(RawEventKind::Stall { nanos }, blocked);
        self.now += nanos;
        self.fire_timers();
    }

    #[cold]
    fn event(&mut self, blocked: bool) {
        // A life that ends while a task unwinds costs the OS thread; wait for that to be over, if it ever is.
        if std::thread::panicking() && self.step < self.settings.steps_max.saturating_mul(2) {
            return;
        }
        // Beside the events of this step and not one of them: a life with a bound on its time must not
        // differ.
        if self.step >= self.next_cancel {
            self.next_cancel = self.step + CANCEL_EVERY;
            if self.settings.cancel.as_ref().is_some_and(Cancel::is_wanted) {
                self.over = Some(LifeEnd::Cancelled);
                return;
            }
        }
        // One event per step, the most final one first: after a kill nothing may be drawn any more.
        if self.settings.kill == Some(KillAt::Step(self.step)) {
            self.over = Some(LifeEnd::Killed);
        } else if self.step >= self.settings.steps_max {
            self.over = Some(LifeEnd::StepLimit(StepLimit {
                steps: self.step,
                idle: None,
                tasks: self.wait_graph(),
            }));
        } else if self.step >= self.next_stall {
            let nanos = u64::try_from(self.settings.stall_max.as_nanos()).unwrap_or(u64::MAX);
            let nanos = below(&mut self.stall_rng, nanos.max(1));
            self.stall(nanos, blocked);
            self.draw_stall();
        } else if self.step >= self.monitor.next {
            self.watch_waiting();
        }
        self.plan_event();
    }

    pub(super) fn plan_event(&mut self) {
        let kill = match self.settings.kill {
            Some(KillAt::Step(step)) if step > self.step => step,
            _ => u64::MAX,
        };
        self.next_event = kill.min(self.settings.steps_max).min(self.next_stall).min(self.monitor.next);
        self.next_event = self.next_event.min(self.next_cancel);
    }

    pub(super) fn draw_stall(&mut self) {
        self.next_stall = match u64::from(self.settings.stalls_per_million) {
            0 => u64::MAX,
            _ if self.listed.is_some() => u64::MAX,
            rate => self.step + 1 + below(&mut self.stall_rng, (2_000_000 / rate).max(1)),
        };
    }

    /// Returns a draw that depends on the seed and on where in its own work the task is, and on nothing else:
    /// other draws, and what other tasks do, leave it as it is.
    pub(super) fn keyed(&self, purpose: u64) -> u64 {
        mix(mix(self.settings.seed, purpose), self.point_hash(false))
    }

    pub(super) fn is_injected(&self, kind: u64, per_mille: u16) -> bool {
        match &self.listed {
            None => self.keyed(kind) % 1000 < u64::from(per_mille),
            Some(listed) => listed.get(self.point_hash(false), kind).is_some(),
        }
    }

    pub(super) fn note(&mut self, what: RawEventKind, blocked: bool) {
        let me = &self.tasks[self.current.index()];
        let (op, nth) = (me.pending_id, me.nth(blocked));
        self.keep(|| Draw::Chance { what });
        self.injected_events.push(RawInjectedEvent { task: self.current, op, nth, blocked, what });
    }

    pub(super) fn point_hash(&self, blocked: bool) -> u64 {
        let me = &self.tasks[self.current.index()];
        point_hash(me.path_hash, self.ops.name(me.pending_id).hash, me.nth(blocked), blocked)
    }
}
