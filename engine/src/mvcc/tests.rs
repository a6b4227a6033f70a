//! Random runs against a model that keeps every version of every key.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};

use super::page::EntryRef;
use super::{ActiveSnapshots, Hint, Index, PackedBeside, Record, Sizes, Writer};
use crate::store::SnapshotRegistry;
use crate::types::{RunNumber, TxnId, Version};

/// A version of a key: its value, or a tombstone.
type Versions = Vec<(u64, Option<Vec<u8>>)>;

/// What a reader saw of a key: version and value.
type Seen = (u64, Option<Vec<u8>>);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

struct Model {
    index: Index,
    writer: Writer,
    versions: BTreeMap<Vec<u8>, Versions>,
    published: u64,
    /// Registered snapshots, and what each has seen of tombstones.
    snapshots: Vec<(u64, BTreeMap<Vec<u8>, u64>)>,
    hints: BTreeMap<Vec<u8>, Hint>,
    random: Random,
    keys: u64,
    shape: u64,
    /// One write in this number is a delete.
    deletes: u64,
    snapshots_max: usize,
    /// A leaf that is being packed beside commits.
    packing: Option<PackedBeside>,
    /// How many of those were put in place, and how many came too late.
    packed: [u64; 2],
}

impl Model {
    fn new(seed: u64, sizes: Sizes, keys: u64) -> Self {
        let (index, writer) = Index::new(sizes);
        Self {
            index,
            writer,
            versions: BTreeMap::new(),
            published: 0,
            snapshots: Vec::new(),
            hints: BTreeMap::new(),
            random: Random(seed),
            keys,
            shape: seed % 4,
            deletes: if seed.is_multiple_of(3) { 4 } else { 1_000 },
            snapshots_max: if seed.is_multiple_of(3) { 6 } else { (seed % 3) as usize - 1 },
            packing: None,
            packed: [0; 2],
        }
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.random.below(self.keys);
        match self.shape {
            0 => format!("user/{number:05}").into_bytes(),
            // Lengths vary, and some are prefixes of others.
            1 => format!("k{number}").into_bytes(),
            2 => number.to_be_bytes().to_vec(),
            _ => vec![(number % 3) as u8; (number / 3) as usize % 40],
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let length = match self.random.below(12) {
            0 => 0,
            1 => 300,
            2 => 1_500,
            _ => 10,
        };
        let mut value = vec![self.random.next() as u8; length];
        value.extend_from_slice(&self.random.next().to_le_bytes());
        value
    }

    fn oldest(&self) -> Version {
        Version::new(self.snapshots.iter().map(|(at, _)| *at).min().unwrap_or(self.published))
    }

    /// Returns where snapshots are, exactly.
    fn active(&self) -> ActiveSnapshots {
        let mut at: Vec<u64> = self.snapshots.iter().map(|(at, _)| *at).collect();
        at.sort_unstable();
        at.dedup();
        let spans = at.into_iter().map(|at| (Version::new(at), Version::new(at)));
        ActiveSnapshots::of(spans.chain([(Version::new(self.published), Version::MAX)]))
    }

    /// Commits a group, or fails to.
    fn commit(&mut self) {
        let before = self.published;
        let mut last = before;
        let mut added = Vec::new();
        for _ in 0..=self.random.below(3) {
            last += 1;
            let mut keys = std::collections::BTreeSet::new();
            for _ in 0..=self.random.below(4) {
                keys.insert(self.key());
            }
            for key in keys {
                if self.random.chance(8) {
                    self.begin_packing();
                }
                let value = if self.random.chance(self.deletes) { None } else { Some(self.value()) };
                self.install(&key, value.as_deref(), last);
                added.push((key, last, value));
            }
        }
        if self.random.chance(6) {
            self.writer.roll_back(&self.index, Version::new(before));
            return;
        }
        for (key, version, value) in added {
            self.versions.entry(key).or_default().push((version, value));
        }
        self.published = last;
        self.writer.end_group();
        let active = self.active();
        self.writer.collect_some(&self.index, &active, Version::new(last + 1));
    }

    fn install(&mut self, key: &[u8], value: Option<&[u8]>, version: u64) {
        let by = (TxnId::new(version * 7), RunNumber::new(version % 5));
        let expires = (version.is_multiple_of(3)).then_some(env::UnixMillis(version)).into();
        let record = Record::new(&mut Vec::new(), key, value, Version::new(version), by, expires);
        let hint = self.hints.get(key).copied().unwrap_or(Hint::NONE);
        let active = self.active();
        let hint = self.writer.install(&self.index, hint, record, &mut || active.clone());
        self.hints.insert(key.to_vec(), hint);
    }

    /// Packs a leaf beside commits: all that happens before it is put in place happens meanwhile.
    fn begin_packing(&mut self) {
        let (_, leaves) = self.index.directory.counts();
        let first = self.random.below(leaves as u64) as u32;
        let numbers = (0..leaves as u32).map(|number| (first + number) % leaves as u32);
        if self.packing.is_none() {
            let oldest = self.oldest();
            self.packing = numbers.filter_map(|number| self.index.pack_beside(number, oldest)).next();
        }
    }

    fn end_packing(&mut self) {
        if let Some(packed) = self.packing.take() {
            let is_in_place = self.writer.put_in_place(&self.index, packed).is_some();
            self.packed[usize::from(!is_in_place)] += 1;
        }
    }

    fn collect_all(&mut self) {
        let (active, next, idle) =
            (self.active(), Version::new(self.published + 1), self.snapshots.is_empty());
        let mut pass = self.writer.begin_pass(&self.index, self.random.chance(3));
        while self.writer.collect_next(&self.index, &mut pass, &active, next, || idle).is_some() {}
    }

    /// Returns what the model says a snapshot sees.
    fn expected(&self, key: &[u8], at: u64) -> Seen {
        let versions = self.versions.get(key).map_or(&[][..], Vec::as_slice);
        let seen = versions.iter().rev().find(|(version, _)| *version <= at);
        seen.map_or((0, None), |(version, value)| (*version, value.clone()))
    }

    fn seen(entry: Option<EntryRef<'_>>) -> Seen {
        entry.map_or((0, None), |entry| {
            let version = entry.version().get();
            assert_eq!((entry.txn().get(), entry.run().get()), (version * 7, version % 5));
            assert_eq!(entry.expires().at().is_some(), version.is_multiple_of(3));
            (version, entry.value().map(<[u8]>::to_vec))
        })
    }

    /// Compares what a snapshot sees with the model; a tombstone may be forgotten, but never between two
    /// reads.
    fn check(&mut self, key: &[u8], at: usize, found: Seen) {
        let (at, tombstones) = &mut self.snapshots[at];
        let at = *at;
        if found.1.is_none() {
            let before = *tombstones.entry(key.to_vec()).or_insert(found.0);
            assert_eq!(before, found.0, "a tombstone of {key:?} came or went for the snapshot {at}");
        }
        let expected = self.expected(key, at);
        if found == (0, None) && expected.1.is_none() {
            return;
        }
        assert_eq!(found, expected, "{key:?} at {at}");
    }

    fn read(&mut self) {
        if self.snapshots.is_empty() {
            self.snapshots.push((self.published, BTreeMap::new()));
        }
        let number = self.random.below(self.snapshots.len() as u64) as usize;
        let at = Version::new(self.snapshots[number].0);
        let key = self.key();
        let found = self.index.read_with(&key, at, |entry, _| Self::seen(entry));
        self.check(&key, number, found);
        self.validate(&key, at);
        if self.random.chance(4) {
            self.scan(number, at);
        }
        let newest = self.published;
        let (seen, is_certain) =
            self.index.read_unregistered_with(&key, Version::new(newest), |entry, is_certain| {
                (Self::seen(entry), is_certain)
            });
        assert_eq!(seen.1, self.expected(&key, newest).1);
        assert!(is_certain || seen.1.is_none());
    }

    fn validate(&mut self, key: &[u8], at: Version) {
        let hint = match self.random.below(3) {
            0 => Hint::NONE,
            1 => self.hints.get(key).copied().unwrap_or(Hint::NONE),
            // Any leaf, or none.
            _ => Hint::new(self.random.below(30) as u32, u32::MAX),
        };
        let newer = self.index.newer_than(key, hint, at).map(Version::get);
        let expected = self.expected(key, u64::MAX).0;
        assert_eq!(newer, (expected > at.get()).then_some(expected));
    }

    fn scan(&mut self, number: usize, at: Version) {
        let start = if self.random.chance(4) { Vec::new() } else { self.key() };
        let end = if self.random.chance(4) { None } else { Some(self.key()) };
        let mut found: Vec<(Vec<u8>, Seen)> = Vec::new();
        let limit = if self.random.chance(3) { self.random.below(20) as usize } else { usize::MAX };
        let is_reverse = self.random.chance(2);
        let visit = |entry: EntryRef<'_>| {
            found.push((entry.key().to_vec(), Self::seen(Some(entry))));
            if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        if is_reverse {
            self.index.scan_reverse(&start, end.as_deref(), at, visit);
        } else {
            self.index.scan(&start, end.as_deref(), at, visit);
        }
        for (key, seen) in &found {
            self.check(key, number, seen.clone());
        }
        let live = |found: &[(Vec<u8>, Seen)]| -> Vec<Vec<u8>> {
            found.iter().filter(|(_, seen)| seen.1.is_some()).map(|(key, _)| key.clone()).collect()
        };
        let in_range =
            |key: &[u8]| key >= start.as_slice() && end.as_ref().is_none_or(|end| key < end.as_slice());
        let keys = self.versions.keys().filter(|key| in_range(key));
        let mut expected: Vec<Vec<u8>> =
            keys.filter(|key| self.expected(key, at.get()).1.is_some()).cloned().collect();
        if is_reverse {
            expected.reverse();
        }
        let found = live(&found);
        if limit == usize::MAX {
            assert_eq!(found, expected);
        } else {
            assert_eq!(found, expected[..found.len()]);
        }
        let mut newer = Vec::new();
        self.index
            .newer_in(&start, end.as_deref(), at, |key, version| newer.push((key.to_vec(), version.get())));
        let mut expected: Vec<(Vec<u8>, u64)> = Vec::new();
        for key in self.versions.keys().filter(|key| in_range(key)) {
            let newest = self.expected(key, u64::MAX).0;
            if newest > at.get() {
                expected.push((key.clone(), newest));
            }
        }
        assert_eq!(newer, expected);
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0 if self.snapshots.len() < self.snapshots_max => {
                self.snapshots.push((self.published, BTreeMap::new()))
            }
            1 if !self.snapshots.is_empty() => {
                let number = self.random.below(self.snapshots.len() as u64) as usize;
                self.snapshots.swap_remove(number);
            }
            2 => self.collect_all(),
            3 | 4 => self.begin_packing(),
            5 | 6 => self.end_packing(),
            7..14 => self.commit(),
            _ => self.read(),
        }
    }

    /// Without snapshots, nothing but the newest values is left.
    fn finish(mut self) -> [u64; 2] {
        self.snapshots.clear();
        let (active, next) = (self.active(), Version::new(self.published + 1));
        let mut pass = self.writer.begin_pass(&self.index, false);
        while self.writer.collect_next(&self.index, &mut pass, &active, next, || true).is_some() {}
        let live = self.versions.keys().filter(|key| self.expected(key, u64::MAX).1.is_some()).count();
        assert_eq!((self.index.len(), self.writer.surplus()), (live, 0));
        self.packed
    }
}

fn run(seed: u64, sizes: Sizes, keys: u64, steps: u64) -> [u64; 2] {
    let mut model = Model::new(seed, sizes, keys);
    for _ in 0..steps {
        model.step();
    }
    model.finish()
}

#[test]
fn random_runs_do_what_the_model_does() {
    let runs = if rt::probe::is_simulated() { 2 } else { 40 };
    let mut packed = [0; 2];
    for seed in 0..runs {
        for (sizes, keys) in [
            (Sizes { page: 8, journal: 2 }, 60),
            (Sizes { page: 4, journal: 2 }, 12),
            (Sizes { page: 8, journal: 8 }, 200),
            (Sizes { page: 128, journal: 32 }, 700),
            (Sizes { page: 16, journal: 8 }, 3),
        ] {
            let [in_place, too_late] = run(seed, sizes, keys, 400);
            packed = [packed[0] + in_place, packed[1] + too_late];
        }
    }
    assert!(rt::probe::is_simulated() || packed[0] > 200 && packed[1] > 200, "{packed:?}");
}

#[test]
fn the_directory_of_keys_that_were_deleted_shrinks_with_them() {
    let keys: u64 = if rt::probe::is_simulated() { 400 } else { 20_000 };
    let (index, mut writer) = Index::new(Sizes { page: 8, journal: 2 });
    let mut version = 0;
    let mut write = |writer: &mut Writer, number: u64, value: Option<&[u8]>| {
        version += 1;
        let (key, at) = (number.to_be_bytes(), Version::new(version));
        let record =
            Record::new(&mut Vec::new(), &key, value, at, (TxnId::ZERO, RunNumber::ZERO), None.into());
        writer.install(&index, Hint::NONE, record, &mut || ActiveSnapshots::from(at));
        writer.end_group();
        at
    };
    for number in 0..keys {
        write(&mut writer, number * 7 % keys, Some(b"value"));
    }
    let (chunks, leaves) = index.directory.counts();
    assert!(chunks > 4 && leaves as u64 > keys / 16, "{chunks} chunks, {leaves} leaves");
    // As from a queue: from the front, and collected now and then.
    for number in 0..keys {
        let last = write(&mut writer, number, None);
        if number % 50 == 49 {
            let mut pass = writer.begin_pass(&index, false);
            let all = ActiveSnapshots::from(last);
            while writer.collect_next(&index, &mut pass, &all, last.next(), || true).is_some() {}
        }
    }
    let (chunks, leaves) = index.directory.counts();
    assert_eq!(index.len(), 0);
    assert!(chunks <= 4 && leaves <= 16, "{chunks} chunks and {leaves} leaves of nothing");
}

/// Two writers' worth of versions of a few keys, of which every snapshot must see one that belongs together.
#[test]
fn readers_beside_a_writer_see_whole_commits_whatever_splits_and_merges() {
    rt::check(|| {
        let rounds: u64 = if rt::probe::is_simulated() { 8 } else { 20_000 };
        let keys: u64 = if rt::probe::is_simulated() { 6 } else { 300 };
        let (index, mut writer) = Index::new(Sizes { page: 4, journal: 2 });
        let index = Arc::new(index);
        let published = Arc::new(AtomicU64::new("published", 0));
        let snapshots = Arc::new(SnapshotRegistry::new(2, Arc::clone(&published)));
        let stop = Arc::new(AtomicU64::new("stop", 0));
        let readers: Vec<_> = (0..2)
            .map(|number| {
                let (index, snapshots, stop) =
                    (Arc::clone(&index), Arc::clone(&snapshots), Arc::clone(&stop));
                rt::thread::spawn("reader", move || {
                    let mut random = Random(number);
                    while stop.load(Ordering::SeqCst) == 0 {
                        let snapshot = snapshots.register();
                        sum_in_order(&index, snapshot.version, random.chance(2));
                        pair(&index, snapshot.version, random.below(keys / 2));
                        snapshots.release(&snapshot);
                        rt::thread::yield_now();
                    }
                })
                .unwrap()
            })
            .collect();
        let mut random = Random(7);
        for version in 1..=rounds {
            // Both keys of a pair are written together, or deleted together.
            let low = random.below(keys / 2);
            let value = (!random.chance(4)).then(|| version.to_be_bytes());
            for number in [low, keys - 1 - low] {
                let (key, at) = (number.to_be_bytes(), Version::new(version));
                let value = value.as_ref().map(|value| &value[..]);
                let by = (TxnId::new(1), RunNumber::ZERO);
                let record = Record::new(&mut Vec::new(), &key, value, at, by, None.into());
                writer.install(&index, Hint::NONE, record, &mut || snapshots.advance());
            }
            published.store(version, Ordering::SeqCst);
            writer.end_group();
            let active = snapshots.advance();
            writer.collect_some(&index, &active, Version::new(version + 1));
            if random.chance(5) {
                let mut pass = writer.begin_pass(&index, false);
                let next = Version::new(version + 1);
                let idle = || snapshots.is_idle();
                while writer.collect_next(&index, &mut pass, &active, next, idle).is_some() {}
            }
        }
        stop.store(1, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });

    /// Every key of a scan comes once and in order, with its partner.
    fn sum_in_order(index: &Index, at: Version, is_reverse: bool) {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let visit = |entry: EntryRef<'_>| {
            if let Some(value) = entry.value() {
                found.push((entry.key().to_vec(), value.to_vec()));
            }
            ControlFlow::Continue(())
        };
        if is_reverse {
            index.scan_reverse(&[], None, at, visit);
            found.reverse();
        } else {
            index.scan(&[], None, at, visit);
        }
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "keys come once, in order");
        let values: Vec<_> = found.iter().map(|(_, value)| value).collect();
        assert!(values.iter().eq(values.iter().rev()), "pairs are written together: {values:?} at {at}");
    }

    fn pair(index: &Index, at: Version, low: u64) {
        let keys: u64 = if rt::probe::is_simulated() { 6 } else { 300 };
        let read = |number: u64| {
            index.read_with(&number.to_be_bytes(), at, |entry, _| {
                entry.and_then(|entry| entry.value()).map(<[u8]>::to_vec)
            })
        };
        assert_eq!(read(low), read(keys - 1 - low), "pair {low} at {at}");
    }
}
