//! What will have to go once no snapshot sees it any more.

use std::collections::VecDeque;

use rt::sync::Arc;

use super::{Index, Slot};
use crate::types::Version;

/// Slots with something to collect, in the order of the version that made it so. Belongs to the commit leader.
///
/// Collection follows the commits: each one adds at most a few slots per write and takes away a few more than that,
/// so the queue drains, no commit waits for a large sweep, and only what a living snapshot holds back stays.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    queue: VecDeque<(Version, Arc<Slot>)>,
    /// Versions in the store beyond one per key, tombstones included.
    surplus: usize,
}

impl Garbage {
    /// At `version`, the slot got a newer version than one that it had, or a tombstone.
    pub(crate) fn add(&mut self, version: Version, slot: Arc<Slot>) {
        self.surplus += 1;
        self.queue.push_back((version, slot));
    }

    /// Forgets what came above `published`: a group that is rolled back.
    pub(crate) fn roll_back(&mut self, published: Version) {
        while self.queue.back().is_some_and(|(version, _)| *version > published) {
            self.queue.pop_back();
            self.surplus = self.surplus.saturating_sub(1);
        }
    }

    /// Collects what no snapshot at or above `oldest` sees, from at most `slots` slots. Returns how many versions went.
    pub(crate) fn collect(&mut self, index: &Index, oldest: Version, slots: usize) -> usize {
        let mut collected = 0;
        for _ in 0..slots {
            if self.queue.front().is_none_or(|(version, _)| *version > oldest) {
                break;
            }
            let Some((_, slot)) = self.queue.pop_front() else { break };
            self.surplus = self.surplus.saturating_sub(1);
            let (went, dead) = slot.collect(oldest);
            collected += went;
            if dead {
                index.remove(&slot);
            }
        }
        collected
    }

    /// How many old versions and tombstones wait to be collected.
    pub(crate) const fn surplus(&self) -> usize {
        self.surplus
    }
}
