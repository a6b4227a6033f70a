//! Random operations of interleaved transactions, against a model that is a list of versions per key.
//!
//! The model predicts every answer: what each read and scan sees, which conditional writes fail at once,
//! which commits are refused and for which conflicts (contract §1 to §3), in both isolation levels.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use proptest::prelude::*;
use stormproof::{
    ClonedSnapshotView, ConflictInfo, Database, Entry, Error, Isolation, RunId, SnapshotView as _,
    Transaction, TransactionOptions, Value, Version,
};

const KEYS: u8 = 5;
const SLOTS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Begin { slot: usize, snapshot: bool, read_only: bool },
    Get { slot: usize, key: u8 },
    Put { slot: usize, key: u8, value: i64 },
    Delete { slot: usize, key: u8 },
    Insert { slot: usize, key: u8, value: i64 },
    Cas { slot: usize, key: u8, stale: bool, value: i64 },
    CompareAndSet { slot: usize, key: u8, expected: i64, value: i64 },
    Iterate { slot: usize, from: u8, to: u8, limit: Option<usize>, pulls: Vec<Pull> },
    Commit { slot: usize },
    Abort { slot: usize },
    Collect,
    Look,
}

/// What is asked of an iterator next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pull {
    Front,
    Back,
    Skip(usize),
    /// Goes on with a new page: after a key, before one.
    After(u8),
    Before(u8),
}

fn pulls() -> impl Strategy<Value = Vec<Pull>> {
    let pull = prop_oneof![
        6 => Just(Pull::Front),
        4 => Just(Pull::Back),
        1 => (0..3_usize).prop_map(Pull::Skip),
        1 => (0..KEYS).prop_map(Pull::After),
        1 => (0..KEYS).prop_map(Pull::Before),
    ];
    prop::collection::vec(pull, 0..8)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slot = 0..SLOTS;
    let key = 0..KEYS;
    let value = 0..3_i64;
    let step = prop_oneof![
        2 => (slot.clone(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(slot, snapshot, read_only)| Step::Begin { slot, snapshot, read_only }),
        4 => (slot.clone(), key.clone()).prop_map(|(slot, key)| Step::Get { slot, key }),
        4 => (slot.clone(), key.clone(), value.clone())
            .prop_map(|(slot, key, value)| Step::Put { slot, key, value }),
        2 => (slot.clone(), key.clone()).prop_map(|(slot, key)| Step::Delete { slot, key }),
        2 => (slot.clone(), key.clone(), value.clone())
            .prop_map(|(slot, key, value)| Step::Insert { slot, key, value }),
        2 => (slot.clone(), key.clone(), any::<bool>(), value.clone())
            .prop_map(|(slot, key, stale, value)| Step::Cas { slot, key, stale, value }),
        2 => (slot.clone(), key, value.clone(), value)
            .prop_map(|(slot, key, expected, value)| Step::CompareAndSet { slot, key, expected, value }),
        3 => (slot.clone(), 0..=KEYS, 0..=KEYS, prop::option::of(0..3_usize), pulls())
            .prop_map(|(slot, from, to, limit, pulls)| Step::Iterate { slot, from, to, limit, pulls }),
        4 => slot.clone().prop_map(|slot| Step::Commit { slot }),
        1 => slot.prop_map(|slot| Step::Abort { slot }),
        1 => Just(Step::Collect),
        1 => Just(Step::Look),
    ];
    prop::collection::vec(step, 1..80)
}

/// What the database must hold: every version of every key.
#[derive(Default)]
struct Model {
    versions: BTreeMap<u8, Vec<(Version, Option<i64>)>>,
    last: Version,
}

impl Model {
    fn at(&self, key: u8, at: Version) -> (Version, Option<i64>) {
        let versions = self.versions.get(&key).map_or(&[][..], Vec::as_slice);
        versions.iter().rev().find(|(version, _)| *version <= at).copied().unwrap_or((Version::ZERO, None))
    }
}

/// What an open transaction must do.
struct Open {
    txn: Transaction,
    start: Version,
    isolation: Isolation,
    read_only: bool,
    /// Buffered value, and whether there is a condition.
    writes: BTreeMap<u8, (Option<i64>, bool)>,
    reads: BTreeSet<u8>,
    ranges: Vec<BTreeSet<u8>>,
}

impl Open {
    fn sees(&self, model: &Model, key: u8) -> (Option<Version>, Option<i64>) {
        match self.writes.get(&key) {
            Some((value, _)) => (None, *value),
            None => {
                let (version, value) = model.at(key, self.start);
                (Some(version), value)
            }
        }
    }

    fn tracks(&self) -> bool {
        self.isolation == Isolation::Serializable && !self.read_only
    }

    fn read(&mut self, key: u8) {
        if !self.writes.contains_key(&key) {
            self.reads.insert(key);
        }
    }

    fn conflicts(&self, model: &Model) -> BTreeSet<(&'static str, u8)> {
        let changed = |key: &u8| model.at(*key, Version::MAX).0 > self.start;
        let mut conflicts = BTreeSet::new();
        for (key, (_, conditional)) in self.writes.iter().filter(|(key, _)| changed(key)) {
            conflicts.insert((if *conditional { "cas" } else { "write" }, *key));
        }
        if self.tracks() {
            conflicts.extend(self.reads.iter().filter(|key| changed(key)).map(|key| ("read", *key)));
            conflicts
                .extend(self.ranges.iter().flatten().filter(|key| changed(key)).map(|key| ("range", *key)));
        }
        conflicts
    }
}

fn name(key: u8) -> [u8; 1] {
    [b'a' + key]
}

fn found(conflicts: &[ConflictInfo]) -> BTreeSet<(&'static str, u8)> {
    let kind = |conflict: &ConflictInfo| match conflict {
        ConflictInfo::ReadConflict { .. } => "read",
        ConflictInfo::WriteConflict { .. } => "write",
        ConflictInfo::CasConflict { .. } => "cas",
        ConflictInfo::RangeConflict { .. } => "range",
        other => panic!("{other}"),
    };
    conflicts.iter().map(|conflict| (kind(conflict), conflict.key().user_key()[0] - b'a')).collect()
}

type Seen = (u8, Value, Option<Version>);

/// What an iterator must give, and what it has thereby seen.
struct Walk {
    bounds: Range<u8>,
    rest: VecDeque<Seen>,
    left: usize,
    /// The last keys that were given from front and back, and whether the ends have met.
    given: (Option<u8>, Option<u8>),
    finished: bool,
    /// What was seen before a restart.
    before: BTreeSet<u8>,
}

impl Walk {
    fn new(bounds: Range<u8>, rest: VecDeque<Seen>, limit: Option<usize>) -> Self {
        let left = limit.unwrap_or(usize::MAX);
        Self { bounds, rest, left, given: (None, None), finished: false, before: BTreeSet::new() }
    }

    fn pull(&mut self, take: impl FnOnce(&mut VecDeque<Seen>) -> Option<Seen>) -> Option<Seen> {
        if self.left == 0 {
            return None;
        }
        let taken = take(&mut self.rest);
        self.finished |= taken.is_none();
        self.left -= usize::from(taken.is_some());
        taken
    }

    fn front(&mut self) -> Option<Seen> {
        let taken = self.pull(VecDeque::pop_front)?;
        self.given.0 = Some(taken.0);
        Some(taken)
    }

    fn back(&mut self) -> Option<Seen> {
        let taken = self.pull(VecDeque::pop_back)?;
        self.given.1 = Some(taken.0);
        Some(taken)
    }

    fn nth(&mut self, number: usize) -> Option<Seen> {
        for _ in 0..number {
            self.front()?;
        }
        self.front()
    }

    fn restart(&mut self, keys: Range<u8>) {
        self.before = self.seen();
        let start = self.given.0.map_or(self.bounds.start, |last| last + 1);
        let end = self.given.1.unwrap_or(self.bounds.end);
        let nothing_left = self.finished;
        self.bounds = start.max(keys.start)..if nothing_left { 0 } else { end.min(keys.end) };
        self.rest.retain(|(key, ..)| self.bounds.contains(key));
        (self.given, self.finished) = ((None, None), false);
    }

    fn seen(&self) -> BTreeSet<u8> {
        let Range { start, end } = self.bounds;
        let mut seen = self.before.clone();
        if self.finished {
            seen.extend(start..end);
        }
        seen.extend(self.given.0.into_iter().flat_map(|last| start..=last));
        seen.extend(self.given.1.into_iter().flat_map(|last| last..end));
        seen
    }
}

struct Run {
    db: Database,
    run: RunId,
    model: Model,
    open: [Option<Open>; SLOTS],
}

impl Run {
    fn new() -> Self {
        let db = Database::open_in_memory().unwrap();
        let run = db.begin_run().unwrap();
        let model = Model { versions: BTreeMap::new(), last: db.version() };
        Self { db, run, model, open: [const { None }; SLOTS] }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Iterate { slot, from, to, limit, ref pulls } => self.iterate(slot, from, to, limit, pulls),
            Step::Begin { slot, snapshot, read_only } => self.begin(slot, snapshot, read_only),
            Step::Collect => self.db.collect(),
            Step::Look => self.look(),
            Step::Commit { slot } => self.commit(slot),
            Step::Abort { slot } => {
                if let Some(open) = self.open[slot].take() {
                    open.txn.abort();
                }
            }
            Step::Get { slot, key } => {
                if let Some(open) = &mut self.open[slot] {
                    let (version, value) = open.sees(&self.model, key);
                    let read = open.txn.get_versioned(name(key)).unwrap();
                    assert_eq!(read.value, value.map(Value::I64));
                    // A tombstone that no snapshot needs any more may be gone, and the key reads as if it had
                    // never been.
                    let collected = value.is_none() && read.version == Some(Version::ZERO);
                    assert!(read.version == version || collected, "{read:?}, expected {version:?}");
                    open.read(key);
                }
            }
            Step::Put { slot, key, value } => {
                self.write(slot, key, Some(value), |_, _| true, |txn| txn.put(name(key), value));
            }
            Step::Delete { slot, key } => {
                self.write(slot, key, None, |_, _| true, |txn| txn.delete(name(key)));
            }
            Step::Insert { slot, key, value } => {
                self.write_if(
                    slot,
                    key,
                    value,
                    |(_, found)| found.is_none(),
                    |txn| txn.insert(name(key), value),
                );
            }
            Step::Cas { slot, key, stale, value } => {
                let Some(open) = &self.open[slot] else { return };
                // Version 1 wrote the run's record and no key.
                let expected = if stale { Version::new(1) } else { self.model.at(key, open.start).0 };
                // Whether a tombstone is still kept decides whether the key has its version or none.
                if self.model.at(key, open.start).1.is_none() && expected > Version::new(1) {
                    return;
                }
                self.write_if(
                    slot,
                    key,
                    value,
                    |(version, _)| version == Some(expected),
                    |txn| txn.cas(name(key), expected, value),
                );
            }
            Step::CompareAndSet { slot, key, expected, value } => {
                self.write_if(
                    slot,
                    key,
                    value,
                    |(_, found)| found == Some(expected),
                    |txn| txn.compare_and_set(name(key), expected, value),
                );
            }
        }
    }

    fn begin(&mut self, slot: usize, snapshot: bool, read_only: bool) {
        if self.open[slot].is_some() {
            return;
        }
        let isolation = if snapshot { Isolation::Snapshot } else { Isolation::Serializable };
        let options = TransactionOptions::new().isolation(isolation);
        let options = if read_only { options.read_only() } else { options };
        let txn = self.db.begin_transaction_with(self.run, &options).unwrap();
        let start = txn.start_version();
        assert_eq!(start, self.model.last, "V5");
        let (writes, reads, ranges) = Default::default();
        self.open[slot] = Some(Open { txn, start, isolation, read_only, writes, reads, ranges });
    }

    fn write(
        &mut self,
        slot: usize,
        key: u8,
        value: Option<i64>,
        holds: impl Fn(&Open, &Model) -> bool,
        write: impl FnOnce(&mut Transaction) -> Result<(), Error>,
    ) -> bool {
        let Some(open) = &mut self.open[slot] else { return false };
        let written = write(&mut open.txn);
        if open.read_only {
            assert!(matches!(written, Err(Error::ReadOnly)));
            return false;
        }
        if !holds(open, &self.model) {
            assert!(matches!(written, Err(Error::Conflict(_))), "{written:?}");
            open.read(key);
            return false;
        }
        written.unwrap();
        let conditional = open.writes.get(&key).is_some_and(|(_, conditional)| *conditional);
        open.writes.insert(key, (value, conditional));
        true
    }

    fn write_if(
        &mut self,
        slot: usize,
        key: u8,
        value: i64,
        holds: impl Fn((Option<Version>, Option<i64>)) -> bool,
        write: impl FnOnce(&mut Transaction) -> Result<(), Error>,
    ) {
        let own = self.open[slot].as_ref().is_some_and(|open| open.writes.contains_key(&key));
        let written = self.write(slot, key, Some(value), |open, model| holds(open.sees(model, key)), write);
        if written
            && !own
            && let Some(open) = &mut self.open[slot]
        {
            open.writes.insert(key, (Some(value), true));
        }
    }

    /// Pulls at an iterator as asked, and checks what it gives; notes what it has thereby seen.
    fn iterate(&mut self, slot: usize, from: u8, to: u8, limit: Option<usize>, pulls: &[Pull]) {
        let Some(open) = &mut self.open[slot] else { return };
        let expected = (from..to).filter_map(|key| {
            let (version, value) = open.sees(&self.model, key);
            Some((key, Value::I64(value?), version))
        });
        let mut walk = Walk::new(from..to, expected.collect(), limit);
        let mut range = open.txn.range(name(from)..name(to)).unwrap().limit(limit.unwrap_or(usize::MAX));
        let seen = |entry: Entry| (entry.user_key()[0] - b'a', entry.to_value(), entry.version());
        for pull in pulls {
            match *pull {
                Pull::Front => assert_eq!(range.next().map(seen), walk.front()),
                Pull::Back => assert_eq!(range.next_back().map(seen), walk.back()),
                Pull::Skip(number) => assert_eq!(range.nth(number).map(seen), walk.nth(number)),
                Pull::After(key) => {
                    range = range.after(name(key));
                    walk.restart(key + 1..u8::MAX);
                }
                Pull::Before(key) => {
                    range = range.before(name(key));
                    walk.restart(0..key);
                }
            }
        }
        drop(range);
        open.ranges.push(walk.seen());
    }

    fn commit(&mut self, slot: usize) {
        let Some(open) = self.open[slot].take() else { return };
        let conflicts = open.conflicts(&self.model);
        match open.txn.commit() {
            Ok(commit) if open.writes.is_empty() => assert_eq!(commit.version(), None),
            Ok(commit) => {
                assert!(conflicts.is_empty(), "committed in spite of {conflicts:?}");
                self.model.last = self.model.last.next();
                assert_eq!(commit.version(), Some(self.model.last));
                for (key, (value, _)) in open.writes {
                    self.model.versions.entry(key).or_default().push((self.model.last, value));
                }
            }
            Err(Error::Conflict(refused)) => {
                assert!(!open.writes.is_empty());
                assert_eq!(found(&refused), conflicts);
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Both views see the newest state.
    fn look(&self) {
        let snapshot = self.db.snapshot();
        let copy = ClonedSnapshotView::of(&snapshot);
        assert_eq!(snapshot.version(), self.model.last);
        assert_eq!(snapshot.entries(..), copy.entries(..));
        for key in 0..KEYS {
            assert_eq!(snapshot.get_versioned(name(key)), copy.versioned(name(key)));
            assert_eq!(snapshot.value(name(key)), self.model.at(key, self.model.last).1.map(Value::I64));
        }
    }
}

#[test]
fn a_tombstone_that_a_commit_has_put_off_goes_when_no_snapshot_is_open() {
    let db = Database::open_in_memory().unwrap();
    let run = db.begin_run().unwrap();
    db.delete(run, "gone").unwrap();
    for number in 0..200_i64 {
        db.put(run, "other", number).unwrap();
        db.delete(run, format!("gone-{}", number % 7)).unwrap();
    }
    db.collect();
    assert_eq!(db.metrics().surplus_versions, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_answer_is_the_models(steps in steps()) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
        for slot in 0..SLOTS {
            run.commit(slot);
        }
        run.look();
        run.db.collect();
        run.look();
        prop_assert_eq!(run.db.metrics().surplus_versions, 0);
    }
}
