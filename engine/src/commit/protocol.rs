//! The commit protocol, one group at a time.

use rt::sync::Arc;

use super::validate::validate;
use crate::conflict::ConflictInfo;
use crate::database::Inner;
use crate::error::{Error, Result};
use crate::key::TypeTag;
use crate::mvcc::{Garbage, Slot, VersionEntry};
use crate::primitives::{Append, StreamHeads};
use crate::run::RunRef;
use crate::txn::{ReadSet, WriteSet};
use crate::types::{Isolation, TxnId, Version};

/// Commits between two looks at the oldest snapshot, if nothing else is asked for.
pub(crate) const COLLECT_EVERY: u64 = 32;

/// A transaction that wants to commit.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) txn: TxnId,
    pub(crate) run: RunRef,
    pub(crate) start: Version,
    pub(crate) isolation: Isolation,
    pub(crate) reads: ReadSet,
    pub(crate) writes: WriteSet,
    /// Entries for event logs, whose sequence numbers the leader gives.
    pub(crate) appends: Vec<Append>,
    /// Conflicts that were found before the leader took over: only deliberate bugs validate early.
    pub(crate) validated_early: Option<Vec<ConflictInfo>>,
}

impl Request {
    pub(super) fn validate_early(&mut self, inner: &Inner) {
        self.validated_early = Some(validate(self, &inner.index));
    }

    /// Takes out everything but events; nothing if there are only events, or none. For a deliberate bug.
    fn split_behind_events(&mut self) -> Option<Self> {
        let (mut events, mut rest) = (WriteSet::default(), WriteSet::default());
        for (key, write) in std::mem::take(&mut self.writes).into_iter() {
            let part = if key.tag() == Some(TypeTag::Event) { &mut events } else { &mut rest };
            part.insert(key, write);
        }
        if events.is_empty() || rest.is_empty() {
            self.writes = if events.is_empty() { rest } else { events };
            return None;
        }
        self.writes = events;
        let (reads, appends) = (ReadSet::default(), Vec::new());
        let Self { txn, run, start, isolation, .. } = *self;
        Some(Self { txn, run, start, isolation, reads, writes: rest, appends, validated_early: None })
    }
}

/// What the commit leader owns. Its lock is the right to lead.
#[derive(Debug)]
pub(crate) struct Protocol {
    /// The last version that was assigned. Above `published` only while a group is under way.
    pub(crate) last: Version,
    pub(crate) garbage: Garbage,
    /// Oldest snapshot in use, as of the last look.
    oldest: Version,
    /// Commits since that look.
    commits_since_look: u64,
    /// Commits between two looks.
    collect_every: u64,
    /// Slots that the group under way has written, to be taken back if it fails.
    installed: Vec<Arc<Slot>>,
    /// Writes that come behind the publish: only a deliberate bug leaves any.
    behind: Vec<(Request, Version)>,
    /// Where event logs end.
    streams: StreamHeads,
    pub(crate) counters: Counters,
}

/// What the leader counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
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

/// A member of a group: what it asks, and what came of it.
#[derive(Debug)]
pub(crate) struct Member {
    /// Taken once the transaction has been validated and logged.
    request: Option<Request>,
    result: Result<Version>,
}

impl Member {
    pub(crate) const fn new(request: Request) -> Self {
        Self { request: Some(request), result: Err(Error::Closed) }
    }

    pub(crate) fn into_result(self) -> Result<Version> {
        self.result
    }
}

impl Protocol {
    /// Goes on behind `last`, and looks at the oldest snapshot once in so many commits.
    pub(crate) fn new(last: Version, collect_every: u64) -> Self {
        Self {
            last,
            garbage: Garbage::default(),
            oldest: Version::ZERO,
            commits_since_look: 0,
            collect_every,
            installed: Vec::new(),
            behind: Vec::new(),
            streams: StreamHeads::default(),
            counters: Counters::default(),
        }
    }

    /// Commits a group, and counts what came of it.
    pub(crate) fn commit(&mut self, inner: &Inner, group: &mut [Member]) {
        self.lead(inner, group);
        for member in group {
            if let Err(Error::Conflict(conflicts)) = &member.result {
                self.count_conflicts(conflicts);
            }
        }
    }

    /// The whole protocol.
    fn lead(&mut self, inner: &Inner, group: &mut [Member]) {
        if let Err(error) = inner.admit(group.len()) {
            return group.iter_mut().for_each(|member| member.result = Err(error.clone()));
        }
        let before = self.last;
        if rt::mutant!(GroupValidatedAtOnce) {
            group
                .iter_mut()
                .filter_map(|member| member.request.as_mut())
                .for_each(|request| request.validate_early(inner));
        }
        for member in group.iter_mut() {
            let Some(request) = member.request.take() else { continue };
            member.result = self.prepare(inner, request);
        }
        if self.last == before {
            return;
        }
        rt::probe::at("commit.install→sync");
        if let Err(error) = inner.sync_group() {
            self.roll_back(inner, before);
            fail_losers(inner, group, before, &error);
            return fail_committed(group, &error);
        }
        rt::probe::at("commit.sync→publish");
        inner.publish(self.last);
        if rt::mutant!(PublishOutOfOrder) {
            rt::probe::at("commit.publish→publish");
            inner.publish(before.next());
        }
        if rt::mutant!(EventsPublishedFirst) {
            for (request, version) in std::mem::take(&mut self.behind) {
                rt::probe::at("commit.publish→install");
                self.install(inner, request, version);
            }
        }
        self.count_group(self.last.get() - before.get());
        self.collect(inner);
        if let Err(error) = inner.before_ack() {
            fail_committed(group, &error);
        }
    }

    /// Validates, sequences, logs and installs one member.
    fn prepare(&mut self, inner: &Inner, mut request: Request) -> Result<Version> {
        if inner.runs.has_ended(request.run) && !rt::mutant!(EndedRunWrites) {
            return Err(Error::RunEnded(request.run.id));
        }
        let conflicts = match request.validated_early.take() {
            Some(conflicts) => conflicts,
            None => validate(&request, &inner.index),
        };
        if !conflicts.is_empty() {
            return Err(Error::Conflict(conflicts));
        }
        rt::probe::at("commit.validate→sequence");
        self.streams.place(&inner.index, &mut request);
        let version = self.last.next();
        inner.log_commit(version, &request)?;
        self.last = version;
        if rt::mutant!(PublishBeforeInstall) {
            inner.publish(version);
        }
        if rt::mutant!(EventsPublishedFirst)
            && let Some(rest) = request.split_behind_events()
        {
            self.behind.push((rest, version));
        }
        rt::probe::at("commit.log→install");
        self.install(inner, request, version);
        Ok(version)
    }

    fn install(&mut self, inner: &Inner, request: Request, version: Version) {
        let Request { txn, run, writes, .. } = request;
        for (key, write) in writes.into_iter() {
            inner.before_install(&key, &write);
            let tombstone = write.value.is_none();
            let entry = VersionEntry {
                version,
                txn,
                run: run.number,
                expires: write.expires_at.into(),
                value: write.value,
            };
            let (slot, versions) = inner.index.install(key, write.slot, entry);
            self.installed.push(Arc::clone(&slot));
            if versions > 1 || tombstone {
                self.garbage.add(version, slot);
            }
        }
    }

    /// Takes out what the group has installed above `published`.
    fn roll_back(&mut self, inner: &Inner, published: Version) {
        self.behind.clear();
        self.garbage.roll_back();
        if !rt::mutant!(RolledBackHeadKept) {
            self.streams.forget();
        }
        if rt::mutant!(FailedGroupStays) {
            self.installed.clear();
            return;
        }
        for slot in self.installed.drain(..) {
            if slot.roll_back(published).1 {
                inner.index.remove(&slot);
            }
            if slot.key().is_system() {
                let before = slot.entry(published).and_then(|entry| entry.value);
                inner.runs.roll_back(slot.key(), before.as_ref());
            }
        }
        self.last = published;
    }

    /// Collects a little more than the group has added, so that what a long reader left behind drains as well.
    fn collect(&mut self, inner: &Inner) {
        if self.commits_since_look >= self.collect_every {
            self.commits_since_look = 0;
            self.oldest = inner.snapshots.advance();
        }
        let slots = self.installed.len() * 2 + 2;
        self.installed.clear();
        self.counters.collected +=
            self.garbage.collect(&inner.index, self.oldest, self.last.next(), slots, || false) as u64;
    }

    /// Collects all that no snapshot sees.
    pub(crate) fn collect_all(&mut self, inner: &Inner) {
        self.oldest = inner.snapshots.advance();
        let was_idle = rt::mutant!(TombstoneGoesUnseen) && inner.snapshots.is_idle();
        rt::probe::at("collect all");
        self.counters.collected +=
            self.garbage.collect(&inner.index, self.oldest, self.last.next(), usize::MAX, || {
                was_idle || inner.snapshots.is_idle()
            }) as u64;
    }

    fn count_group(&mut self, commits: u64) {
        self.commits_since_look += commits;
        self.counters.commits += commits;
        self.counters.groups += 1;
        self.counters.group_max = self.counters.group_max.max(commits);
        if commits > 1 {
            rt::reached!("group of two or more");
        }
    }

    fn count_conflicts(&mut self, conflicts: &[ConflictInfo]) {
        self.counters.conflicted += 1;
        let counted = |kind: fn(&ConflictInfo) -> bool| u64::from(conflicts.iter().any(kind));
        self.counters.read_conflicts +=
            counted(|conflict| matches!(conflict, ConflictInfo::ReadConflict { .. }));
        self.counters.write_conflicts +=
            counted(|conflict| matches!(conflict, ConflictInfo::WriteConflict { .. }));
        self.counters.cas_conflicts +=
            counted(|conflict| matches!(conflict, ConflictInfo::CasConflict { .. }));
        self.counters.range_conflicts +=
            counted(|conflict| matches!(conflict, ConflictInfo::RangeConflict { .. }));
    }
}

/// Takes back what members were told because of others of their group, whose work has been undone: nobody won against
/// them. What may turn out to have won, since nobody knows whether it is in the log, stays the winner.
fn fail_losers(inner: &Inner, group: &mut [Member], published: Version, error: &Error) {
    if matches!(error, Error::Indeterminate { .. }) || rt::mutant!(LosersOfFailedGroup) {
        return;
    }
    for member in group {
        let stands = match &mut member.result {
            Err(Error::Conflict(conflicts)) => {
                conflicts.retain(|conflict| conflict.current() <= published);
                !conflicts.is_empty()
            }
            Err(Error::RunEnded(run)) => inner.runs.find_active(*run).is_err(),
            _ => true,
        };
        if !stands {
            rt::reached!("lost to a commit that failed");
            member.result = Err(error.clone());
        }
    }
}

/// Tells all whom the protocol had let through that it failed after all.
fn fail_committed(group: &mut [Member], error: &Error) {
    if rt::mutant!(FollowersNotTold) {
        return group[..1].iter_mut().for_each(|leader| leader.result = Err(error.clone()));
    }
    for member in group.iter_mut().filter(|member| member.result.is_ok()) {
        member.result = Err(error.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Database, Durability, RunId, RunRecord, Transaction};
    use stormproof_faults::{DiskOptions, FaultKind, FaultPlan, FaultRule, Odds, SimDisk};

    struct Fixture {
        disk: SimDisk,
        db: Database,
        run: RunId,
    }

    impl Fixture {
        fn new() -> Self {
            let disk = SimDisk::new(DiskOptions::default());
            let builder = Database::builder().disk(disk.mount()).allocate_bytes(4096);
            let db = builder.durability(Durability::Strict).open().unwrap();
            let run = db.begin_run().unwrap();
            db.put(run, "old", 0_i64).unwrap();
            Self { disk, db, run }
        }

        fn put(&self, keys: &[&str]) -> Transaction {
            let mut txn = self.db.begin_transaction(self.run).unwrap();
            keys.iter().for_each(|key| txn.put(*key, 1_i64).unwrap());
            txn
        }

        /// Commits transactions as one group whose first write or sync fails in this way.
        fn fail(&self, kind: FaultKind, group: Vec<Transaction>) -> Vec<Error> {
            let rule = FaultRule::new(kind, Odds::ALWAYS).on("wal").at_most(1);
            self.disk.set_faults(FaultPlan::random(1, vec![rule]));
            let mut members: Vec<_> = group.into_iter().map(|mut txn| Member::new(txn.request())).collect();
            let inner = self.db.inner();
            inner.committer.protocol().commit(inner, &mut members);
            self.disk.set_faults(FaultPlan::none());
            members.into_iter().map(|member| member.into_result().unwrap_err()).collect()
        }

        fn conflicts(&self) -> u64 {
            self.db.inner().committer.protocol().counters.conflicted
        }
    }

    #[test]
    fn nobody_loses_to_a_member_of_a_group_that_was_taken_back() {
        rt::check(|| {
            let fixture = Fixture::new();
            let group = vec![fixture.put(&["a"]), fixture.put(&["a", "b"]), fixture.put(&["c"])];
            for failed in fixture.fail(FaultKind::NoSpace, group) {
                assert!(matches!(failed, Error::DiskFull { .. }), "{failed}");
            }
            assert_eq!(fixture.conflicts(), 0);
            fixture.put(&["a", "b"]).commit().map(drop).unwrap();
        });
    }

    #[test]
    fn who_lost_to_a_commit_of_before_still_hears_to_whom() {
        rt::check(|| {
            let fixture = Fixture::new();
            let late = fixture.put(&["a", "old"]);
            fixture.put(&["old"]).commit().map(drop).unwrap();
            let failed = fixture.fail(FaultKind::NoSpace, vec![fixture.put(&["a"]), late]);
            assert!(matches!(failed[0], Error::DiskFull { .. }), "{}", failed[0]);
            let Error::Conflict(conflicts) = &failed[1] else { panic!("{}", failed[1]) };
            let keys: Vec<_> = conflicts.iter().map(|conflict| conflict.key().to_string()).collect();
            assert_eq!(keys, ["\"old\""]);
            assert_eq!(fixture.conflicts(), 1);
        });
    }

    #[test]
    fn a_winner_that_may_be_in_the_log_stays_the_winner() {
        rt::check(|| {
            let fixture = Fixture::new();
            let group = vec![fixture.put(&["a"]), fixture.put(&["a"])];
            let failed = fixture.fail(FaultKind::SyncDropsPages, group);
            assert!(matches!(failed[0], Error::Indeterminate { .. }), "{}", failed[0]);
            assert!(matches!(failed[1], Error::Conflict(_)), "{}", failed[1]);
        });
    }

    #[test]
    fn a_run_whose_end_was_taken_back_has_not_ended_for_its_group() {
        rt::check(|| {
            let fixture = Fixture::new();
            let mut end = fixture.db.begin_transaction(fixture.run).unwrap();
            let key = RunRecord::key(fixture.run);
            let record: crate::Value = end.get(&key).unwrap().unwrap();
            let mut record = RunRecord::decode(&key, &record).unwrap();
            record.status = crate::RunStatus::Ended;
            record.ended = Some(record.started);
            end.put(key, record.encode()).unwrap();
            for failed in fixture.fail(FaultKind::NoSpace, vec![end, fixture.put(&["a"])]) {
                assert!(matches!(failed, Error::DiskFull { .. }), "{failed}");
            }
            fixture.put(&["a"]).commit().map(drop).unwrap();
        });
    }
}
