//! The commit protocol, one group at a time.

use super::counters::CommitCounters;
use super::event_numbers::StreamHeads;
use super::mutants;
use super::request::{Member, Request};
use super::validate::{validate, validate_expiry};
use super::write_set::WriteSet;
use rt::lockfree::Published;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::mvcc::{ActiveSnapshots, Leaf, PackedBeside, Pass, Record, Writer};
use crate::store::Store;
use crate::types::Version;
use crate::watch::Watchers;

/// The default number of commits between two looks at the snapshots in use.
pub(crate) const COLLECT_EVERY: u64 = 8;

/// A collection of all that no snapshot sees, while it goes on: a leaf in each hold of the leader's lock.
#[derive(Debug)]
pub(crate) struct Collection {
    pass: Pass,
    /// The last version when it began.
    last: Version,
}

/// The state of the commit leader. Holding its lock is the right to lead.
#[derive(Debug)]
pub(crate) struct Leader {
    /// The last version that was assigned. Above the published one while a group is under way, and after one
    /// whose outcome is not known.
    last: Version,
    /// The right to change the index.
    writer: Writer,
    /// Where snapshots are, as of the last look.
    active: ActiveSnapshots,
    /// Commits since then.
    commits_since_look: u64,
    /// Commits between two looks.
    collect_every: u64,
    /// Keys that the group under way has written and that concern the tables beside the index, if it fails.
    noted_keys: Vec<Key>,
    /// Where event logs end.
    streams: StreamHeads,
    /// The watches, to which commits are delivered.
    pub(crate) watchers: Watchers,
    pub(crate) counters: CommitCounters,
}

impl Leader {
    /// Continues after version `last`, and looks at the snapshots in use once in `collect_every` commits.
    pub(crate) fn new(last: Version, collect_every: u64, writer: Writer) -> Self {
        Self {
            last,
            writer,
            active: ActiveSnapshots::from(Version::ZERO),
            commits_since_look: 0,
            collect_every,
            noted_keys: Vec::new(),
            streams: StreamHeads::default(),
            watchers: Watchers::default(),
            counters: CommitCounters::default(),
        }
    }

    /// Runs the whole protocol: validate → sequence → log → install for each member, then sync → publish for
    /// the group. The caller acks: it finds an answer in every member.
    pub(crate) fn commit_group(&mut self, store: &Store, group: &mut [Member]) {
        let before = self.last;
        // First of all, because from the first record in the log's buffer on a refusal would have to be
        // undone.
        if let Err(error) = store.admit(group.len()) {
            return group.iter_mut().for_each(|member| member.result = Err(error.clone()));
        }
        mutants::validate_at_once(group, &store.index);
        // Held once for all that looks into the index.
        rt::lockfree::pinned(|| {
            for member in group.iter_mut() {
                member.result = self.stage(store, &mut member.request);
            }
        });
        if self.last > before {
            rt::probe::at("commit.install→sync");
            // Strict: before the publish, or a transaction could read what a crash takes back (D3).
            match store.sync_group() {
                Ok(()) => {
                    rt::probe::at("commit.sync→publish");
                    // After the last install, or a snapshot would see half of a commit (V1, V3); and once for
                    // the group, or versions could be published in another order than they were assigned.
                    store.publish(self.last);
                    mutants::publish_out_of_order(store, before.next());
                    // After the publish (INV-WATCHING-1), and before the ack: a commit that was acked is
                    // found by the next poll of a watch.
                    self.watchers.deliver(self.last);
                    self.collect(store, self.last.get() - before.get());
                    // After the publish, so that no reader waits for the disk, and before the ack, or more
                    // commits could be lost than the durability mode allows (D4).
                    if let Err(error) = store.before_ack() {
                        fail_committed(group, &error);
                    }
                }
                Err(error) => {
                    self.roll_back(store, before, &error);
                    // Losers first: the question is who lost to a member that is about to fail.
                    fail_losers(store, group, before, &error);
                    fail_committed(group, &error);
                }
            }
        }
        self.counters.count_conflicts(group);
    }

    /// Validates, sequences, logs and installs one member.
    fn stage(&mut self, store: &Store, request: &mut Request) -> Result<Version> {
        // Here and not when the transaction began: the run may have ended meanwhile, in a commit before this
        // one.
        if store.runs.has_ended(request.run) && !rt::mutant!(EndedRunWrites) {
            return Err(Error::RunEnded(request.run.id));
        }
        // With all earlier members installed, or two members of one group could both win.
        let mut conflicts = validate(request, &store.index);
        conflicts.extend(validate_expiry(request, store));
        mutants::suppress(&mut conflicts, request);
        if !conflicts.is_empty() {
            return Err(Error::Conflict(conflicts));
        }
        rt::probe::at("commit.validate→sequence");
        // After validation, or an aborted transaction would leave a hole in a stream, and in the versions.
        let appends = std::mem::take(&mut request.appends);
        self.streams.number(&store.index, appends, &mut request.writes);
        request.writes.encode(request.txn, request.run.number);
        let version = self.last.next();
        // Before the install: what the log does not take must not be in the index.
        log(store, version, request)?;
        self.last = version;
        let writes = request.writes.iter().filter_map(|(key, write)| Some((key, write.record.as_ref()?)));
        self.watchers.stage(version, request.txn, request.run.number, writes);
        mutants::publish_before_install(store, version);
        let writes = &mut request.writes;
        mutants::publish_after_events(store, writes, version, |events| {
            self.install(store, events, version);
        });
        rt::probe::at("commit.log→install");
        self.install(store, writes, version);
        Ok(version)
    }

    fn install(&mut self, store: &Store, writes: &mut WriteSet, version: Version) {
        for (key, write) in writes.iter_mut() {
            let Some(mut record) = write.record.take() else { continue };
            record.set_version(version);
            store.install(&mut self.writer, key, write.value.as_ref(), write.hint, record);
            if store.concerns_tables(key) {
                self.noted_keys.push(key.clone());
            }
        }
    }

    /// Removes what the group has installed above `before`.
    fn roll_back(&mut self, store: &Store, before: Version, error: &Error) {
        self.watchers.forget();
        // The cached heads are those of events of this group.
        if !rt::mutant!(RolledBackHeadKept) {
            self.streams.forget();
        }
        if rt::mutant!(FailedGroupStays) {
            self.writer.end_group();
            return;
        }
        store.roll_back(&mut self.writer, before, &std::mem::take(&mut self.noted_keys));
        // A group that may or may not be in the log keeps its versions: its losers were told of them, and no
        // later commit may get them, too.
        if !matches!(error, Error::Indeterminate { .. }) {
            self.last = before;
        }
    }

    /// Counts a group that was published, and collects a little more than it has added, so that what a long
    /// reader left behind drains as well.
    fn collect(&mut self, store: &Store, commits: u64) {
        self.counters.count_published(commits);
        self.commits_since_look += commits;
        if self.commits_since_look >= self.collect_every {
            self.commits_since_look = 0;
            self.active = store.snapshots.advance();
        }
        self.noted_keys.clear();
        self.writer.end_group();
        self.counters.collected +=
            self.writer.collect_some(&store.index, &self.active, self.last.next()) as u64;
    }

    /// Begins to collect all that no snapshot sees; with `idle_only`, not where commits will do it soon.
    pub(crate) fn begin_collection(&mut self, store: &Store, idle_only: bool) -> Collection {
        self.active = store.snapshots.advance();
        Collection { pass: self.writer.begin_pass(&store.index, idle_only), last: self.last }
    }

    /// Collects all that no snapshot sees from one more leaf, or passes over some that have little of it.
    /// Returns whether there are more.
    pub(crate) fn collect_leaf(&mut self, store: &Store, collection: &mut Collection) -> bool {
        if self.last > collection.last {
            rt::reached!("commit between two leaves of a collection");
        }
        // The next version as of now, not of the beginning: a snapshot of a commit that came in between may
        // have read the tombstone already.
        let next = mutants::next_version(self.last, collection.last).next();
        let was_idle = mutants::was_idle(store);
        let unobserved = || was_idle || store.snapshots.is_idle();
        let collected =
            self.writer.collect_next(&store.index, &mut collection.pass, &self.active, next, unobserved);
        self.counters.collected += collected.unwrap_or(0) as u64;
        collected.is_some()
    }

    /// Puts a leaf in place that was packed beside commits. Returns the state before, if it did.
    pub(crate) fn put_in_place(&mut self, store: &Store, packed: PackedBeside) -> Option<Published<Leaf>> {
        let (before, dropped) = self.writer.put_in_place(&store.index, packed)?;
        self.counters.collected += dropped as u64;
        Some(before)
    }

    /// Frees what was replaced, unless a reader is in the way.
    pub(crate) fn free_retired(&mut self) {
        self.writer.free_retired();
    }

    /// Returns how many bytes of what was replaced wait until no reader has them.
    pub(crate) fn retired_bytes(&self) -> u64 {
        self.writer.retired_bytes()
    }

    /// Returns how many old versions and tombstones wait to be collected.
    pub(crate) fn surplus(&self) -> usize {
        self.writer.surplus()
    }
}

/// Appends a transaction that is going to commit to the log's buffer.
#[inline]
fn log(store: &Store, version: Version, request: &Request) -> Result<()> {
    let Some(log) = &store.log else { return Ok(()) };
    log.append(version, request.txn, request.run.number, |record| {
        for (key, write) in request.writes.iter() {
            match write.record.as_ref().and_then(Record::value) {
                Some(value) => {
                    let expires_at = write.expires_at.filter(|_| !rt::mutant!(ExpiryNotLogged));
                    record.put(key.as_bytes(), value, expires_at)?;
                }
                None => record.delete(key.as_bytes())?,
            }
        }
        Ok(())
    })
}

/// Replaces conflicts with members of a failed group by the group's error: their work has been undone, so
/// they did not win. A commit whose outcome is not known may turn out to have won, so it stays the winner.
fn fail_losers(store: &Store, group: &mut [Member], before: Version, error: &Error) {
    if matches!(error, Error::Indeterminate { .. }) || rt::mutant!(LosersOfFailedGroup) {
        return;
    }
    for member in group {
        let stands = match &mut member.result {
            Err(Error::Conflict(conflicts)) => {
                conflicts.retain(|conflict| conflict.current() <= before);
                !conflicts.is_empty()
            }
            Err(Error::RunEnded(run)) => store.runs.find_active(*run).is_err(),
            _ => true,
        };
        if !stands {
            rt::reached!("lost to a commit that failed");
            member.result = Err(error.clone());
        }
    }
}

/// Fails all members that the protocol had let through.
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

        /// Commits transactions as one group that meets a fault of each of these kinds.
        fn fail(&self, kinds: &[FaultKind], group: Vec<Transaction>) -> Vec<Error> {
            let rule = |kind: &FaultKind| FaultRule::new(*kind, Odds::ALWAYS).on("wal").at_most(1);
            self.disk.set_faults(FaultPlan::random(1, kinds.iter().map(rule).collect::<Vec<_>>()));
            let mut members: Vec<_> = group.into_iter().map(|mut txn| Member::new(txn.request())).collect();
            let coordinator = self.db.coordinator();
            coordinator.committer.between_groups().commit_group(&coordinator.store, &mut members);
            self.disk.set_faults(FaultPlan::none());
            members.into_iter().map(|member| member.into_result().unwrap_err()).collect()
        }

        fn conflicts(&self) -> u64 {
            self.db.coordinator().committer.between_groups().counters.conflicted
        }
    }

    #[test]
    fn commits_get_in_between_the_leaves_of_a_collection() {
        rt::check(|| {
            let db = Database::builder().index_leaf(4, 2).open().unwrap();
            let run = db.begin_run().unwrap();
            let put = |number: i64| db.put(run, format!("key {}", number * 7 % 100), number).unwrap();
            (0..230).for_each(put);
            let coordinator = db.coordinator();
            let between = || coordinator.committer.between_groups();
            let mut collection = between().begin_collection(&coordinator.store, false);
            let mut leaves = 0;
            while between().collect_leaf(&coordinator.store, &mut collection) {
                leaves += 1;
                put(229 + leaves);
            }
            assert!(leaves >= 5, "{leaves} leaves");
            db.collect();
            assert_eq!(db.metrics().surplus_versions, 0);
            let values = (0..100).map(|key| db.get::<i64>(format!("key {key}")).unwrap().unwrap());
            assert_eq!(values.max(), Some(229 + leaves));
        });
    }

    #[test]
    fn no_member_loses_to_one_of_a_group_that_was_rolled_back() {
        rt::check(|| {
            let fixture = Fixture::new();
            let group = vec![fixture.put(&["a"]), fixture.put(&["a", "b"]), fixture.put(&["c"])];
            for failed in fixture.fail(&[FaultKind::NoSpace], group) {
                assert!(matches!(failed, Error::DiskFull { .. }), "{failed}");
            }
            assert_eq!(fixture.conflicts(), 0);
            fixture.put(&["a", "b"]).commit().map(drop).unwrap();
        });
    }

    #[test]
    fn a_loser_to_an_earlier_commit_is_still_told_the_winner() {
        rt::check(|| {
            let fixture = Fixture::new();
            let late = fixture.put(&["a", "old"]);
            fixture.put(&["old"]).commit().map(drop).unwrap();
            let failed = fixture.fail(&[FaultKind::NoSpace], vec![fixture.put(&["a"]), late]);
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
            let failed = fixture.fail(&[FaultKind::SyncDropsPages], group);
            assert!(matches!(failed[0], Error::Indeterminate { .. }), "{}", failed[0]);
            assert!(matches!(failed[1], Error::Conflict(_)), "{}", failed[1]);
        });
    }

    #[test]
    fn a_version_that_a_loser_was_told_is_not_assigned_again() {
        rt::check(|| {
            let fixture = Fixture::new();
            let group = vec![fixture.put(&["a"]), fixture.put(&["a"])];
            let failed = fixture.fail(&[FaultKind::WriteFails, FaultKind::SetLenFails], group);
            assert!(matches!(failed[0], Error::Indeterminate { .. }), "{}", failed[0]);
            let Error::Conflict(conflicts) = &failed[1] else { panic!("{}", failed[1]) };
            let told = conflicts[0].current();
            let next = fixture.put(&["b"]).commit().unwrap();
            assert!(next.version() > Some(told), "{told} was assigned again");
            assert_eq!(fixture.db.version(), next.version().unwrap());
            assert_eq!(fixture.db.get::<i64>("a").unwrap(), None);
        });
    }

    #[test]
    fn a_run_whose_end_was_rolled_back_has_not_ended_for_its_group() {
        rt::check(|| {
            let fixture = Fixture::new();
            let mut end = fixture.db.begin_transaction(fixture.run).unwrap();
            let key = RunRecord::key(fixture.run);
            let record: crate::Value = end.get(&key).unwrap().unwrap();
            let mut record = RunRecord::decode(&key, &record).unwrap();
            record.status = crate::RunStatus::Ended;
            record.ended = Some(record.started);
            end.tamper(&key, Some(record.encode())).unwrap();
            for failed in fixture.fail(&[FaultKind::NoSpace], vec![end, fixture.put(&["a"])]) {
                assert!(matches!(failed, Error::DiskFull { .. }), "{failed}");
            }
            fixture.put(&["a"]).commit().map(drop).unwrap();
        });
    }
}
