//! What a life did, draw by draw, for finding the first place at which two lives of one seed differ.
//!
//! Kept only if it is asked for (`Settings::trail`): a life of 10,000 points takes half a megabyte of it.

use super::core::Core;
use super::injected_event::RawEventKind;
use super::schedule::Schedule;
use super::{LifeOutcome, TaskId};
use crate::op::{FNV_START, OpId, mix, stable_hash};

/// One thing that went into the digest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Draw {
    /// A task came to a point, or found there that it has to wait.
    Point { task: TaskId, op: OpId, nth: u32, blocked: bool, now: u64 },
    /// The strategy chose.
    Choice { to: TaskId },
    /// Chance did something where the last point was.
    Chance { what: RawEventKind },
    /// The world drew.
    World { label: &'static str, value: u64 },
}

impl LifeOutcome {
    /// Returns what the life did, draw by draw, in words: points, choices of the strategy, injected events,
    /// draws of the world. Empty unless `Settings::trail` was set. Two lives differ first where their trails
    /// do.
    pub fn trail(&self) -> impl Iterator<Item = String> {
        self.trail.iter().map(|step| describe(&self.schedule, step))
    }
}

fn describe(schedule: &Schedule, step: &Draw) -> String {
    match *step {
        Draw::Point { task, op, nth, blocked, now } => {
            format!("{} (at {now} ns)", schedule.key(task, op, nth, blocked))
        }
        Draw::Choice { to } => format!("schedule: {} is chosen", schedule.path(to)),
        Draw::Chance { what: RawEventKind::Notify { to } } => {
            format!("schedule: {} is notified", schedule.path(to))
        }
        Draw::Chance { what } => format!("schedule: {what:?}"),
        Draw::World { label, value } => format!("{label}: {value:#x}"),
    }
}

impl Core {
    /// Notes a draw of the world, or something that happened in it, in the digest.
    pub(crate) fn draw(&mut self, label: &'static str, value: u64) {
        if self.over.is_some() {
            return;
        }
        self.digest = mix(self.digest, stable_hash(FNV_START, label.as_bytes()) ^ value);
        self.keep(|| Draw::World { label, value });
    }

    #[inline]
    pub(super) fn keep(&mut self, step: impl FnOnce() -> Draw) {
        if let Some(trail) = &mut self.trail {
            trail.push(step());
        }
    }
}
