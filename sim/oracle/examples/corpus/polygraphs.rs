//! Histories of registers whose order no read shows, from a store that keeps snapshots and one that is
//! serializable.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Failure;

/// Operations of a transaction.
const OPERATIONS: usize = 8;

/// How transactions write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Reads, and writes of what was not read.
    Blind,
    /// Every second write is of what the transaction has read before.
    HalfBlind,
    /// All writes are of what the transaction has read before.
    Updates,
    /// A hundred keys, of which a few are used much more often than others, and nine of ten operations write.
    Hot,
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Blind, "blind"), (Kind::HalfBlind, "half-blind"), (Kind::Updates, "updates"), (Kind::Hot, "hot")];

/// Writes one history of each kind, size, number of sessions and of keys, for both stores.
pub(crate) fn write(folder: &Path, sizes: &[usize]) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let mut seed = 0;
    for (kind, name) in KINDS {
        for &txns in sizes {
            for (sessions, keys) in [(8, 1_000), (32, 1_000), (32, 10_000), (100, 10_000)] {
                for serializable in [true, false] {
                    seed += 1;
                    let store = if serializable { "serializable" } else { "snapshot" };
                    let file = folder.join(format!("{name}-{store}-{txns}-{sessions}-{keys}.txt"));
                    fs::write(file, history(seed, kind, keys, serializable, txns, sessions))?;
                }
            }
        }
    }
    Ok(())
}

/// Returns the history of a store, as text.
pub(crate) fn history(
    seed: u64,
    kind: Kind,
    keys: usize,
    serializable: bool,
    txns: usize,
    sessions: usize,
) -> String {
    Store::new(seed, kind, keys, serializable).history(txns, sessions)
}

#[derive(Debug)]
struct Running {
    begun: u64,
    left: usize,
    /// Keys that were read or written, and the values.
    reads: Vec<(usize, u64)>,
    writes: Vec<(usize, u64)>,
    text: String,
}

struct Store {
    rng: ChaCha8Rng,
    kind: Kind,
    serializable: bool,
    /// By key: the values and the commits that wrote them.
    versions: Vec<Vec<(u64, u64)>>,
    commits: u64,
    values: u64,
}

impl Store {
    fn new(seed: u64, kind: Kind, keys: usize, serializable: bool) -> Self {
        let keys = if matches!(kind, Kind::Hot) { 100 } else { keys };
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng, kind, serializable, versions: vec![vec![(0, 0)]; keys], commits: 0, values: 0 }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u64() % bound as u64).unwrap_or(0)
    }

    fn key(&mut self) -> usize {
        let keys = self.versions.len();
        match self.kind {
            Kind::Hot => self.below(keys).min(self.below(keys)).min(self.below(keys)),
            _ => self.below(keys),
        }
    }

    /// The committed transactions of sessions that take turns, one operation at a time.
    fn history(mut self, txns: usize, sessions: usize) -> String {
        let mut running: Vec<Option<Running>> = (0..sessions).map(|_| None).collect();
        let (mut text, mut committed) = (String::new(), 0);
        while committed < txns {
            let session = self.below(sessions);
            match running[session].take() {
                None => {
                    let (reads, writes, text) = (Vec::new(), Vec::new(), String::new());
                    running[session] =
                        Some(Running { begun: self.commits, left: OPERATIONS, reads, writes, text });
                }
                Some(txn) if txn.left == 0 => {
                    if self.commit(&txn) {
                        committed += 1;
                        for line in txn.text.lines() {
                            let _ = writeln!(text, "{line},{session},{committed})");
                        }
                    }
                }
                Some(mut txn) => {
                    self.step(&mut txn);
                    txn.left -= 1;
                    running[session] = Some(txn);
                }
            }
        }
        text
    }

    fn step(&mut self, txn: &mut Running) {
        let writes = match self.kind {
            Kind::Hot => self.below(10) > 0,
            _ => self.below(2) == 0,
        };
        let update = match self.kind {
            Kind::Blind | Kind::Hot => false,
            Kind::HalfBlind => self.below(2) == 0,
            Kind::Updates => true,
        };
        let free = |key: usize| {
            txn.writes.iter().all(|(other, _)| *other != key)
                && txn.reads.iter().all(|(other, _)| *other != key)
        };
        if writes && update {
            let unwritten = |(key, _): &&(usize, u64)| txn.writes.iter().all(|(other, _)| other != key);
            if let Some(&(key, _)) = txn.reads.iter().find(unwritten) {
                self.put(txn, key);
                return;
            }
        }
        let key = self.key();
        if !free(key) {
            return;
        }
        if writes && !matches!(self.kind, Kind::Updates) {
            self.put(txn, key);
            return;
        }
        let seen = self.versions[key].iter().rev().find(|(_, commit)| *commit <= txn.begun);
        let value = seen.map_or(0, |(value, _)| *value);
        txn.reads.push((key, value));
        let _ = writeln!(txn.text, "r({key},{value}");
    }

    fn put(&mut self, txn: &mut Running, key: usize) {
        self.values += 1;
        txn.writes.push((key, self.values));
        let _ = writeln!(txn.text, "w({key},{}", self.values);
    }

    /// Whether the store lets it commit: the first committer wins.
    fn commit(&mut self, txn: &Running) -> bool {
        let stale = |(key, _): &(usize, u64)| {
            self.versions[*key].last().is_some_and(|(_, commit)| *commit > txn.begun)
        };
        if txn.writes.iter().any(stale) || self.serializable && txn.reads.iter().any(stale) {
            return false;
        }
        self.commits += 1;
        for &(key, value) in &txn.writes {
            self.versions[key].push((value, self.commits));
        }
        true
    }
}
