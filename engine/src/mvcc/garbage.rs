//! What will have to go once no snapshot sees it any more.

use std::collections::VecDeque;

use rt::sync::Arc;

use super::{Index, Slot};
use crate::types::Version;

/// Slots with something to collect, in the order of the version that made it so. Belongs to the commit
/// leader.
///
/// Collection follows the commits: each one adds at most a few slots per write and takes away a few more than
/// that, so the queue drains, no commit waits for a large sweep, and only what a living snapshot holds back
/// stays.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    queue: VecDeque<(Version, Arc<Slot>)>,
    /// How many the group under way has added.
    in_group: usize,
}

impl Garbage {
    /// At `version`, the slot got a newer version than one that it had, or a tombstone.
    pub(crate) fn add(&mut self, version: Version, slot: Arc<Slot>) {
        self.in_group += 1;
        self.queue.push_back((version, slot));
    }

    /// Forgets what the group under way has added.
    pub(crate) fn roll_back(&mut self) {
        let before = self.queue.len() - self.in_group;
        self.queue.truncate(before);
        self.in_group = 0;
    }

    /// Collects what no snapshot at or above `oldest` sees, from at most `slots` slots, after a group has
    /// been published; `next` is the version of the next commit. Returns how many versions went.
    pub(crate) fn collect(
        &mut self,
        index: &Index,
        oldest: Version,
        next: Version,
        slots: usize,
        unobserved: impl Fn() -> bool,
    ) -> usize {
        self.in_group = 0;
        let mut versions = 0;
        // What is queued again meanwhile waits for the next time.
        for _ in 0..slots.min(self.queue.len()) {
            if self.queue.front().is_none_or(|(version, _)| *version > oldest) && !unobserved() {
                break;
            }
            let Some((_, slot)) = self.queue.pop_front() else { break };
            let collected = slot.collect(oldest, next, &unobserved);
            versions += collected.versions;
            if collected.dead {
                index.remove(&slot);
            }
            if let Some(version) = collected.again {
                self.queue.push_back((version, slot));
            }
        }
        versions
    }

    /// How many old versions and tombstones wait to be collected.
    pub(crate) fn surplus(&self) -> usize {
        self.queue.len()
    }
}
