//! Versions that are no longer the newest of their key, kept for snapshots that see them.
//!
//! INV-HISTORY-1: each is visible from its own version up to, but not including, that of its successor, so
//! what a snapshot sees does not depend on what was dropped meanwhile.
//!
//! They lie in segments, in the order in which they became old. A segment is dropped as a whole once no
//! snapshot sees any of it; only the last one grows, and never beyond a limit, so that a snapshot that is
//! kept for long does not make every commit copy all that it holds back.

use rt::sync::Arc;

use super::active_snapshots::ActiveSnapshots;
use super::page::{compare, is_same};
use super::record::Record;
use crate::types::Version;

/// Most versions of a segment, but for those of one repacking.
fn segment_max() -> usize {
    if rt::probe::is_simulated() { 6 } else { 512 }
}

/// Older versions of the keys of a leaf. Never changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    segments: Vec<Arc<Segment>>,
}

#[derive(Debug)]
struct Segment {
    /// By key, and falling version.
    versions: Box<[Old]>,
    /// Of all versions: the oldest, the newest, and the latest successor.
    oldest: Version,
    newest: Version,
    until: Version,
    bytes: usize,
}

/// A version that snapshots from its own up to, but not including, that of its successor see.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    pub(crate) record: Record,
    pub(crate) successor: Version,
    /// Of a tombstone: snapshots at or above this read the key as if it had never been; zero if none do.
    pub(crate) forgotten_from: Version,
}

impl Old {
    fn until(&self) -> Version {
        until(self.successor, self.forgotten_from)
    }

    fn is_needed(&self, active: &ActiveSnapshots) -> bool {
        active.may_see(self.record.version(), self.until())
    }

    fn is_visible(&self, at: Version) -> bool {
        self.record.version() <= at && at < self.until()
    }
}

/// Returns the snapshot from which on a version is not seen.
pub(super) fn until(successor: Version, forgotten_from: Version) -> Version {
    if forgotten_from == Version::ZERO { successor } else { successor.min(forgotten_from) }
}

impl Segment {
    fn new(mut versions: Vec<Old>) -> Arc<Self> {
        versions.sort_by(|a, b| {
            compare(a.record.key(), b.record.key()).then(b.record.version().cmp(&a.record.version()))
        });
        let oldest = versions.iter().map(|old| old.record.version()).min().unwrap_or(Version::MAX);
        let newest = versions.iter().map(|old| old.record.version()).max().unwrap_or(Version::ZERO);
        let until = versions.iter().map(Old::until).max().unwrap_or(Version::ZERO);
        let bytes = versions.iter().map(|old| old.record.bytes()).sum();
        Arc::new(Self { versions: versions.into(), oldest, newest, until, bytes })
    }

    fn is_needed(&self, active: &ActiveSnapshots) -> bool {
        active.may_see(self.oldest, if rt::mutant!(HistoryDroppedEarly) { self.oldest } else { self.until })
    }

    /// Returns the versions of a key, newest first.
    fn versions(&self, key: &[u8]) -> &[Old] {
        let start = self.versions.partition_point(|old| compare(old.record.key(), key).is_lt());
        let rest = &self.versions[start..];
        let end = rest.iter().position(|old| !is_same(old.record.key(), key)).unwrap_or(rest.len());
        &rest[..end]
    }
}

impl History {
    /// Returns how many versions there are.
    pub(crate) fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.versions.len()).sum()
    }

    /// Returns the bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns what a snapshot sees of a key, if that is here.
    pub(crate) fn visible(&self, key: &[u8], at: Version) -> Option<&Record> {
        let segments = self.segments.iter().filter(|segment| segment.oldest <= at && at < segment.until);
        let versions = segments.flat_map(|segment| segment.versions(key));
        let seen = versions.filter(|old| old.is_visible(at));
        seen.map(|old| &old.record).max_by_key(|record| record.version())
    }

    /// Returns the version of a key that was the newest at `published`, if it is here.
    pub(crate) fn newest_at(&self, key: &[u8], published: Version) -> Option<&Old> {
        let versions = self.segments.iter().flat_map(|segment| segment.versions(key));
        let then = versions.filter(|old| old.record.version() <= published && published < old.successor);
        then.max_by_key(|old| old.record.version())
    }

    /// Returns the version of the first successor of a key's version that is here.
    pub(crate) fn successor(&self, key: &[u8], version: Version) -> Option<Version> {
        let segments = self.segments.iter().filter(|segment| segment.newest > version);
        let versions = segments.flat_map(|segment| segment.versions(key));
        versions.map(|old| old.record.version()).filter(|newer| *newer > version).min()
    }

    /// Returns what is here and in `more`, without what no snapshot sees, and without what was taken out
    /// again: versions that `keeps` refuses. `thorough` looks at every version and not only at whole
    /// segments.
    pub(crate) fn with(
        &self,
        more: Vec<Old>,
        active: &ActiveSnapshots,
        thorough: bool,
        keeps: Option<&dyn Fn(&Old) -> bool>,
    ) -> Self {
        let mut segments: Vec<_> =
            self.segments.iter().filter(|segment| segment.is_needed(active)).cloned().collect();
        if thorough || keeps.is_some() {
            for segment in &mut segments {
                let stays = |old: &Old| old.is_needed(active) && keeps.is_none_or(|keeps| keeps(old));
                if !segment.versions.iter().all(stays) {
                    let kept = segment.versions.iter().filter(|old| stays(old)).cloned().collect();
                    *segment = Segment::new(kept);
                }
            }
            segments.retain(|segment| !segment.versions.is_empty());
        }
        if !more.is_empty() {
            let mut versions = more;
            if let Some(last) = segments.pop_if(|last| last.versions.len() + versions.len() <= segment_max())
            {
                versions.extend(last.versions.iter().filter(|old| old.is_needed(active)).cloned());
            } else if !segments.is_empty() {
                rt::reached!("history in several segments");
            }
            segments.push(Segment::new(versions));
        }
        Self { segments }
    }

    /// Returns the versions of keys below `bound`, and the others.
    pub(crate) fn split(&self, bound: &[u8]) -> (Self, Self) {
        let (mut left, mut right) = (Self::default(), Self::default());
        for segment in &self.segments {
            let at = segment.versions.partition_point(|old| compare(old.record.key(), bound).is_lt());
            let (low, high) = segment.versions.split_at(at);
            for (part, versions) in [(&mut left, low), (&mut right, high)] {
                if versions.len() == segment.versions.len() {
                    part.segments.push(Arc::clone(segment));
                } else if !versions.is_empty() {
                    part.segments.push(Segment::new(versions.to_vec()));
                }
            }
        }
        (left, right)
    }

    /// Returns the versions of both.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        // By the order in which they became old, roughly: it decides only what is dropped together.
        let mut segments: Vec<_> = self.segments.iter().chain(&other.segments).cloned().collect();
        segments.sort_by_key(|segment| segment.until);
        Self { segments }
    }
}
