//! Two ways to know the oldest open snapshot.
//!
//! Job: hand out snapshots and answer which versions no snapshot can see any more. Not its job: the versions
//! themselves.

use std::collections::BTreeMap;

use rt::sync::atomic::{AtomicU64, Ordering};
use rt::sync::{Arc, Mutex};

use crate::key::Version;

const BUCKETS: u64 = 64;
const VERSIONS_PER_BUCKET: u64 = 256;

/// Counts open snapshots by the stretch of versions in which they began: beginning is one increment, however
/// many are open, and the price is that the oldest is known only to within a stretch.
#[derive(Debug)]
pub(crate) struct Stretches {
    published: AtomicU64,
    current: AtomicU64,
    buckets: Vec<Bucket>,
}

/// One stretch, alone on its cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Bucket {
    open: AtomicU64,
    since: AtomicU64,
}

/// An open snapshot.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) version: Version,
    bucket: u64,
    table: Arc<Stretches>,
}

impl Stretches {
    pub(crate) fn new() -> Arc<Self> {
        let bucket = || Bucket { open: AtomicU64::new("open", 0), since: AtomicU64::new("since", 0) };
        Arc::new(Self {
            published: AtomicU64::new("published", 0),
            current: AtomicU64::new("stretch", 0),
            buckets: (0..BUCKETS).map(|_| bucket()).collect(),
        })
    }

    fn bucket(&self, number: u64) -> &Bucket {
        &self.buckets[(number % BUCKETS) as usize]
    }

    /// Registers first and reads the version then: so the version is never older than its stretch.
    pub(crate) fn enter(&self) -> (Version, u64) {
        loop {
            let number = self.current.load(Ordering::SeqCst);
            let bucket = self.bucket(number);
            bucket.open.fetch_add(1, Ordering::SeqCst);
            if self.current.load(Ordering::SeqCst) == number {
                return (self.published.load(Ordering::Acquire), number);
            }
            bucket.open.fetch_sub(1, Ordering::Release);
        }
    }

    pub(crate) fn leave(&self, number: u64) {
        self.bucket(number).open.fetch_sub(1, Ordering::Release);
    }

    pub(crate) fn snapshot(self: &Arc<Self>) -> Snapshot {
        let (version, bucket) = self.enter();
        Snapshot { version, bucket, table: Arc::clone(self) }
    }

    pub(crate) fn published(&self) -> Version {
        self.published.load(Ordering::Acquire)
    }

    /// Called by the one committer, after it installed `version`.
    pub(crate) fn publish(&self, version: Version) {
        self.published.store(version, Ordering::Release);
        if version.is_multiple_of(VERSIONS_PER_BUCKET) {
            let next = self.current.load(Ordering::Relaxed) + 1;
            let bucket = self.bucket(next);
            // A ring full of long readers only makes the answer coarser.
            if bucket.open.load(Ordering::SeqCst) == 0 {
                bucket.since.store(version, Ordering::Release);
                self.current.store(next, Ordering::SeqCst);
            }
        }
    }

    /// No open snapshot is older than this.
    pub(crate) fn oldest(&self) -> Version {
        let current = self.current.load(Ordering::SeqCst);
        (current.saturating_sub(BUCKETS - 1)..current)
            .map(|number| self.bucket(number))
            .find(|bucket| bucket.open.load(Ordering::SeqCst) > 0)
            .unwrap_or(self.bucket(current))
            .since
            .load(Ordering::Acquire)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.table.leave(self.bucket);
    }
}

/// A counted set of versions under one lock: exact, and what a snapshot costs without thought.
#[derive(Debug)]
pub(crate) struct CountedSet(Mutex<BTreeMap<Version, u64>>);

impl CountedSet {
    pub(crate) fn new() -> Self {
        Self(Mutex::new("snapshots", BTreeMap::new()))
    }

    pub(crate) fn enter(&self, version: Version) {
        *self.0.lock().entry(version).or_insert(0) += 1;
    }

    pub(crate) fn leave(&self, version: Version) {
        let mut set = self.0.lock();
        if let Some(count) = set.get_mut(&version) {
            *count -= 1;
            if *count == 0 {
                set.remove(&version);
            }
        }
    }
}
