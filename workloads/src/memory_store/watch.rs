//! Watching a store that keeps every version.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Flaw, MemoryStore};
use crate::store::{Bytes, Key, Range, Result, StoreWatch, Version, WatchRequest, Watched, WatchedCommit};

/// A watch: looks for the next version each time.
pub(super) struct MemoryWatch {
    store: MemoryStore,
    range: Range,
    seen: Version,
    told: u64,
}

impl MemoryWatch {
    pub(super) fn new(store: &MemoryStore, request: &WatchRequest) -> Self {
        let now = store.state().version;
        Self {
            store: store.clone(),
            range: Range::prefix(&request.prefix),
            seen: request.after.unwrap_or(now),
            told: 0,
        }
    }

    /// Returns all commits after what was seen.
    fn commits(&self) -> BTreeMap<Version, Vec<(Key, Option<Bytes>)>> {
        let state = self.store.state();
        let mut commits: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, version, value) in state.table.versions(&self.range) {
            if version > self.seen {
                commits.entry(version).or_default().push((key.clone(), value.bytes.clone()));
            }
        }
        commits
    }
}

impl StoreWatch for MemoryWatch {
    fn next(&mut self, _timeout: Duration) -> Result<Watched> {
        let Some((version, writes)) = self.commits().into_iter().next() else {
            self.seen = self.seen.max(self.store.state().version);
            return Ok(Watched::Quiet);
        };
        self.told += 1;
        // The next call reports it again.
        let repeats = self.store.has(Flaw::WatchRepeats) && self.told.is_multiple_of(3);
        self.seen = if repeats { version - 1 } else { version };
        if self.store.has(Flaw::WatchFallsBehind) && self.told.is_multiple_of(3) {
            return Ok(Watched::Behind { read_at: version });
        }
        Ok(Watched::Commit(WatchedCommit { version, writes }))
    }

    fn skip_to(&mut self, version: Version) -> Result<()> {
        self.seen = self.seen.max(version);
        Ok(())
    }

    fn position(&self) -> Version {
        self.seen
    }
}
