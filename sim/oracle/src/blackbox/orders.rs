//! Version orders of keys: the known part, and guesses at the rest.

use stormproof_workloads::history::{Outcome, TxnIndex};

use super::problem::{ByKey, Problem};
use super::resolve::{INIT, Source};
use super::rule::Rule;
use crate::view::{How, KeyId};

/// Which orders a graph is built on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Orders<'o> {
    /// What reads prove.
    Known,
    /// One order of all writers for each key.
    Total(&'o [Vec<TxnIndex>]),
}

/// The criterion by which a guess orders unobserved writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// Reported versions. A guess may use them: an order that explains everything is a proof, wherever it
    /// came from.
    Version,
    /// Time of the ack.
    Acked,
    /// Time of begin.
    Begun,
}

impl Guess {
    pub(super) const ALL: [Self; 3] = [Self::Version, Self::Acked, Self::Begun];

    /// Returns a rank that rises in the guessed order.
    pub(super) fn rank(self, problem: &Problem<'_, '_>, txn: TxnIndex) -> (u64, u64) {
        let record = problem.view.txn(txn);
        let acked = problem.likely(txn);
        match (self, &record.outcome) {
            (Self::Version, _) if problem.version(txn).is_some() => {
                (problem.version(txn).unwrap_or(0), acked)
            }
            (Self::Version | Self::Acked, Outcome::Committed { .. }) => (acked, record.begun),
            (Self::Version | Self::Acked, _) => (record.begun, record.begun),
            (Self::Begun, _) => (record.begun, acked),
        }
    }

    /// Explains each open read.
    pub(super) fn choose(self, problem: &Problem<'_, '_>) -> Vec<Source> {
        problem.choices.iter().map(|choice| self.choice(problem, choice)).collect()
    }

    fn choice(self, problem: &Problem<'_, '_>, choice: &super::resolve::Choice) -> Source {
        // The newest version in the reader's snapshot; for a condition, the one that its commit found.
        let reader = problem.view.txn(choice.reader);
        let condition = problem.view.read_at(choice.place).how == How::Condition;
        let found = problem.version(choice.reader).filter(|_| condition).map(|version| version - 1);
        if let Some(snapshot) = found.or(reader.start_version).filter(|_| self == Self::Version) {
            let version = |source: Source| if source == INIT { Some(0) } else { problem.version(source) };
            let shown = choice.candidates.iter().copied();
            let shown = shown.filter(|&source| version(source).is_some_and(|version| version <= snapshot));
            if let Some(newest) = shown.max_by_key(|&source| version(source)) {
                return newest;
            }
        }
        let begun = problem.likely_begun(choice.reader);
        let before = choice
            .candidates
            .iter()
            .copied()
            .filter(|&source| source == INIT || problem.likely(source) < begun);
        let latest = before.max_by_key(|&source| match source {
            INIT => (0, 0),
            txn => self.rank(problem, txn),
        });
        latest.or(choice.candidates.first().copied()).unwrap_or(INIT)
    }
}

/// Returns one order of all writers of each key: the order that lists show, then by rank.
pub(super) fn orders_by<R: Ord>(
    problem: &Problem<'_, '_>,
    by_key: &ByKey,
    rank: impl Fn(TxnIndex) -> R,
) -> Vec<Vec<TxnIndex>> {
    let mut place = vec![0_u32; problem.included.len()];
    let keys = u32::try_from(problem.view.keys.len()).unwrap_or(u32::MAX);
    (0..keys).map(|key| order_by(problem, by_key, &rank, key, &mut place)).collect()
}

fn order_by<R: Ord>(
    problem: &Problem<'_, '_>,
    by_key: &ByKey,
    rank: impl Fn(TxnIndex) -> R,
    key: KeyId,
    place: &mut [u32],
) -> Vec<TxnIndex> {
    let mut writers = by_key.writers(key).to_vec();
    let shown = problem.lists.get(&key).map_or(&[][..], Vec::as_slice);
    for &writer in &writers {
        place[writer as usize] = u32::MAX;
    }
    for (at, &writer) in (0_u32..).zip(shown) {
        place[writer as usize] = at;
    }
    writers.sort_by_key(|&writer| (place[writer as usize], rank(writer), writer));
    writers
}

/// Returns the keys whose writers are not ordered by reads alone.
pub(super) fn undecided_keys(problem: &Problem<'_, '_>, rule: Rule, by_key: &ByKey) -> Vec<KeyId> {
    let keys = u32::try_from(problem.view.keys.len()).unwrap_or(u32::MAX);
    (0..keys).filter(|&key| is_undecided(problem, rule, by_key, key)).collect()
}

fn is_undecided(problem: &Problem<'_, '_>, rule: Rule, by_key: &ByKey, key: KeyId) -> bool {
    let writers = by_key.writers(key);
    if writers.len() < 2 {
        return false;
    }
    if let Some(shown) = problem.lists.get(&key) {
        return writers.len() > shown.len() + 1;
    }
    // If every writer read the key, its reads are the chain, as long as no two may have read the same
    // version.
    let counts = |reader: TxnIndex| problem.weak[reader as usize] || problem.anti_counts(rule, reader, key);
    let reads = by_key.reads(key).iter().filter(|read| counts(read.reader) && problem.is_item(rule, read));
    let mut readers: Vec<(TxnIndex, Source)> = reads.map(|read| (read.reader, read.source)).collect();
    readers.sort_unstable();
    let mut sources = Vec::with_capacity(writers.len());
    for writer in writers {
        let from = readers.partition_point(|(reader, _)| reader < writer);
        match readers.get(from) {
            Some((reader, source)) if reader == writer => sources.push(*source),
            _ => return true,
        }
    }
    sources.sort_unstable();
    rule.commuting && sources.windows(2).any(|pair| pair[0] == pair[1])
}
