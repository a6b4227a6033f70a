//! Where the snapshots in use are.
//!
//! A version that has a successor is kept for the snapshots between the two. A reader that stays for long
//! keeps what it sees itself, and nothing of what came and went after it (A8): between two of the spans there
//! is no snapshot, nor will there ever be one, as new ones begin at the end.
//!
//! Source: interval garbage collection (Lee et al., "Hybrid Garbage Collection for Multi-Version Concurrency
//! Control in SAP HANA", SIGMOD 2016; Böttcher et al., "Scalable Garbage Collection for In-Memory MVCC
//! Systems", VLDB 2019), with spans of versions in the place of single snapshots.

use smallvec::SmallVec;

use crate::types::Version;

/// The versions at which snapshots in use may be, now and later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActiveSnapshots {
    /// First and last version of each span, in order, with a version at least between two. The last one has
    /// no end.
    spans: SmallVec<[(Version, Version); 4]>,
}

impl ActiveSnapshots {
    /// Snapshots may be at any version from `oldest` on.
    pub(crate) fn from(oldest: Version) -> Self {
        Self { spans: SmallVec::from_slice(&[(oldest, Version::MAX)]) }
    }

    /// Of spans in order; the last one has no end.
    pub(crate) fn of(spans: impl Iterator<Item = (Version, Version)>) -> Self {
        let mut joined = SmallVec::<[(Version, Version); 4]>::new();
        for (first, last) in spans {
            match joined.last_mut() {
                Some((_, end)) if first <= end.next() => *end = last,
                _ => joined.push((first, last)),
            }
        }
        Self { spans: joined }
    }

    /// Returns a version at or below all snapshots.
    pub(crate) fn oldest(&self) -> Version {
        self.spans.first().map_or(Version::ZERO, |(first, _)| *first)
    }

    /// Returns whether there are versions above the oldest at which there is no snapshot.
    pub(crate) fn has_gaps(&self) -> bool {
        self.spans.len() > 1
    }

    /// Returns whether a snapshot may see a version that is visible from `version` up to, but not including,
    /// `until`.
    #[inline]
    pub(crate) fn may_see(&self, version: Version, until: Version) -> bool {
        let has_ended =
            |last: Version| last < version || last == version && rt::mutant!(GapTakesLastSnapshot);
        let at = self.spans.partition_point(|(_, last)| has_ended(*last));
        self.spans.get(at).is_some_and(|(first, _)| *first < until)
    }
}

#[cfg(test)]
mod tests {
    use super::ActiveSnapshots;
    use crate::types::Version;

    fn active(spans: &[(u64, u64)]) -> ActiveSnapshots {
        ActiveSnapshots::of(spans.iter().map(|(first, last)| (Version::new(*first), Version::new(*last))))
    }

    #[test]
    fn a_version_is_seen_by_those_from_itself_up_to_its_successor() {
        let active = active(&[(20, 31), (44, 50), (70, u64::MAX)]);
        let sees = |version, until| active.may_see(Version::new(version), Version::new(until));
        assert!(!sees(3, 20), "replaced before the oldest");
        assert!(sees(3, 21), "seen at 20");
        assert!(sees(31, 32), "seen at 31");
        assert!(!sees(32, 44), "between two spans");
        assert!(sees(32, 45), "seen at 44");
        assert!(!sees(51, 70), "between two spans");
        assert!(sees(51, 71), "seen at 70");
        assert!(sees(1_000, 1_001), "new snapshots are anywhere from the last span on");
        assert!(active.has_gaps());
    }

    #[test]
    fn spans_that_meet_are_one() {
        assert_eq!(active(&[(1, 5), (5, 9), (10, u64::MAX)]), ActiveSnapshots::from(Version::new(1)));
        assert!(!active(&[(1, 5), (5, u64::MAX)]).has_gaps());
    }

    #[test]
    fn from_a_version_on_everything_may_be_seen() {
        let active = ActiveSnapshots::from(Version::new(7));
        assert!(!active.may_see(Version::new(2), Version::new(7)));
        assert!(active.may_see(Version::new(2), Version::new(8)));
        assert_eq!(active.oldest(), Version::new(7));
    }
}
