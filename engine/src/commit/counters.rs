//! Counters of the commit leader.

use super::request::Member;
use crate::conflict::ConflictInfo;
use crate::error::Error;

/// What the commit leader counts, for [`Metrics`](crate::Metrics).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommitCounters {
    pub(crate) commits: u64,
    pub(crate) groups: u64,
    pub(crate) group_max: u64,
    pub(crate) conflicted: u64,
    pub(crate) read_conflicts: u64,
    pub(crate) write_conflicts: u64,
    pub(crate) cas_conflicts: u64,
    pub(crate) range_conflicts: u64,
    pub(crate) collected: u64,
}

impl CommitCounters {
    /// Counts a group that was published with this number of commits.
    pub(super) fn count_published(&mut self, commits: u64) {
        self.commits += if rt::mutant!(GroupCountedAsCommit) { 1 } else { commits };
        self.groups += 1;
        self.group_max = self.group_max.max(commits);
        if commits > 1 {
            rt::reached!("group of two or more");
        }
    }

    /// Counts the members that are told of a conflict.
    pub(super) fn count_conflicts(&mut self, group: &[Member]) {
        let members = if rt::mutant!(ConflictsOfFollowersUncounted) { 1 } else { group.len() };
        for member in group.iter().take(members) {
            let Err(Error::Conflict(conflicts)) = &member.result else { continue };
            let counted = |kind: fn(&ConflictInfo) -> bool| u64::from(conflicts.iter().any(kind));
            self.conflicted += 1;
            self.read_conflicts += counted(|conflict| {
                matches!(conflict, ConflictInfo::ReadConflict { .. } | ConflictInfo::Expired { .. })
            });
            self.write_conflicts +=
                counted(|conflict| matches!(conflict, ConflictInfo::WriteConflict { .. }));
            self.cas_conflicts += counted(|conflict| matches!(conflict, ConflictInfo::CasConflict { .. }));
            self.range_conflicts +=
                counted(|conflict| matches!(conflict, ConflictInfo::RangeConflict { .. }));
        }
    }
}
