//! What chance does to a life besides choosing which task runs: spurious wake-ups, early timeouts, stalls,
//! and which of several waiters a notification wakes.
//!
//! Drawn by seed in campaigns, and recorded. A trace lists those that matter, by name; then nothing is drawn
//! at all, and together with [`Directed`](crate::strategy::Directed) the life no longer depends on any seed.

use std::fmt;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{PointKey, TaskId};
use crate::op::{OpId, mix};
use crate::strategy::{path_hash, point_hash_of};

/// Something that happens by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InjectedEvent {
    /// The wait that begins here ends for no reason.
    SpuriousWakeup {
        /// Where.
        at: PointKey,
    },
    /// The timeout of the wait or sleep that begins here may run out although others can run.
    EarlyTimeout {
        /// Where.
        at: PointKey,
    },
    /// Time jumps here.
    Stall {
        /// Where.
        at: PointKey,
        /// By how much.
        nanos: u64,
    },
    /// This notification wakes this waiter, and not the one that was started first.
    Notify {
        /// Where.
        at: PointKey,
        /// The path of the task that is woken.
        to: String,
    },
}

/// Where injected events come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InjectedEvents {
    /// Drawn, with the rates in [`Settings`](super::Settings).
    #[default]
    Random,
    /// These, and no others.
    Only(Vec<InjectedEvent>),
}

impl InjectedEvents {
    /// Returns those that are listed.
    pub fn list(&self) -> &[InjectedEvent] {
        match self {
            Self::Random => &[],
            Self::Only(events) => events,
        }
    }
}

impl fmt::Display for InjectedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpuriousWakeup { at } => write!(f, "{at}: woken for no reason"),
            Self::EarlyTimeout { at } => write!(f, "{at}: its timeout runs out at once"),
            Self::Stall { at, nanos } => write!(f, "{at}: time jumps by {:?}", Duration::from_nanos(*nanos)),
            Self::Notify { at, to } => write!(f, "{at}: wakes {to}"),
        }
    }
}

/// An [`InjectedEvent`] in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawInjectedEvent {
    pub(crate) task: TaskId,
    pub(crate) op: OpId,
    pub(crate) nth: u32,
    pub(crate) blocked: bool,
    pub(crate) what: RawEventKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum RawEventKind {
    SpuriousWakeup,
    EarlyTimeout,
    Stall { nanos: u64 },
    Notify { to: TaskId },
}

impl RawEventKind {
    pub(crate) fn named(self, at: PointKey, path: impl FnOnce(TaskId) -> String) -> InjectedEvent {
        match self {
            Self::SpuriousWakeup => InjectedEvent::SpuriousWakeup { at },
            Self::EarlyTimeout => InjectedEvent::EarlyTimeout { at },
            Self::Stall { nanos } => InjectedEvent::Stall { at, nanos },
            Self::Notify { to } => InjectedEvent::Notify { at, to: path(to) },
        }
    }
}

pub(crate) const SPURIOUS: u64 = 1;
pub(crate) const EARLY: u64 = 2;
pub(crate) const NOTIFY: u64 = 3;
pub(crate) const STALL: u64 = 4;

/// [`InjectedEvents::Only`], by the hash of point and kind: with nanoseconds, or the hash of a path.
#[derive(Debug, Default)]
pub(crate) struct Listed(HashMap<u64, u64, FixedState>);

impl Listed {
    pub(crate) fn new(injected_events: &[InjectedEvent]) -> Self {
        let entry = |injected_event: &InjectedEvent| match injected_event {
            InjectedEvent::SpuriousWakeup { at } => (key(point_hash_of(at), SPURIOUS), 1),
            InjectedEvent::EarlyTimeout { at } => (key(point_hash_of(at), EARLY), 1),
            InjectedEvent::Stall { at, nanos } => (key(point_hash_of(at), STALL), *nanos),
            InjectedEvent::Notify { at, to } => (key(point_hash_of(at), NOTIFY), path_hash(to)),
        };
        Self(injected_events.iter().map(entry).collect())
    }

    pub(crate) fn get(&self, point_hash: u64, kind: u64) -> Option<u64> {
        self.0.get(&key(point_hash, kind)).copied()
    }
}

fn key(point_hash: u64, kind: u64) -> u64 {
    mix(point_hash, kind)
}
