//! Writers by version: finds the transaction of a read or a conflict.

use std::collections::BTreeMap;

use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Outcome, Txn, TxnIndex};
use stormproof_workloads::store::{Key, Range, Version};

/// Index of acked writes: version to transaction.
pub(super) struct Writers {
    by_version: BTreeMap<Version, TxnIndex>,
}

impl Writers {
    pub(super) fn new(history: &History) -> Self {
        let mut by_version = BTreeMap::new();
        for txn in &history.txns {
            if let Some(version) = commit_version(txn)
                && txn.ops.iter().any(|op| written(op).is_some())
            {
                // Of two commits with one version, which is a violation, the first one counts.
                by_version.entry(version).or_insert(txn.index);
            }
        }
        Self { by_version }
    }

    /// Returns the transaction that committed at a version.
    pub(super) fn of(&self, version: Option<Version>) -> Option<TxnIndex> {
        self.by_version.get(&version?).copied()
    }
}

/// Returns the version at which a transaction committed, if its ack has one.
pub(super) fn commit_version(txn: &Txn) -> Option<Version> {
    match txn.outcome {
        Outcome::Committed { version, .. } => version,
        _ => None,
    }
}

/// Returns the key that an operation writes.
pub(super) fn written(op: &Op) -> Option<&Key> {
    match op {
        Op::Put { key, .. }
        | Op::PutExpiring { key, .. }
        | Op::Delete { key }
        | Op::DeleteIf { key, .. }
        | Op::Cas { key, .. }
        | Op::Append { key, .. } => Some(key),
        Op::Get { .. } | Op::Scan { .. } | Op::List { .. } | Op::Failed { .. } => None,
    }
}

/// What a transaction saw of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Saw {
    /// This version of it.
    Version(Version),
    /// Nothing, in a scan of a range that it lies in.
    Nothing,
}

/// Returns everything that a transaction saw of the store, its own writes left out. `keys` bounds the keys
/// that a scan did not find.
pub(super) fn seen(txn: &Txn, keys: &[Key]) -> Vec<(Key, Saw)> {
    let mut seen = Vec::new();
    let mut own: Vec<&Key> = Vec::new();
    for op in &txn.ops {
        match op {
            Op::Get { key, read } => {
                if let Some(version) = read.version {
                    seen.push((key.clone(), Saw::Version(version)));
                }
            }
            Op::List { key, version: Some(version), .. } => seen.push((key.clone(), Saw::Version(*version))),
            Op::Scan { range, limit, entries, .. } => {
                for entry in entries {
                    if let Some(version) = entry.version {
                        seen.push((entry.key.clone(), Saw::Version(version)));
                    }
                }
                // A limit ends a scan before the end of its range: nothing is known of what lies after.
                if limit.is_none_or(|limit| entries.len() < limit) {
                    let missing = |key: &&Key| {
                        range.contains(key)
                            && !own.contains(key)
                            && entries.iter().all(|entry| entry.key != **key)
                    };
                    seen.extend(keys.iter().filter(missing).map(|key| (key.clone(), Saw::Nothing)));
                }
            }
            op => own.extend(written(op)),
        }
    }
    seen
}

/// Returns a range in words.
pub(super) fn range_words(range: &Range) -> String {
    match range.end.as_deref().filter(|end| *end != [OTHER_KEYS]) {
        Some(end) => format!("{} ‥ {}", key_words(&range.start), key_words(end)),
        None if range.start.is_empty() => "everything".to_owned(),
        None => format!("{} ‥", key_words(&range.start)),
    }
}

/// The first byte of an application's keys of other types than plain ones; no UTF-8 text has it.
const OTHER_KEYS: u8 = 254;

/// Returns a key in words.
pub(super) fn key_words(key: &[u8]) -> String {
    stormproof_reports::show_bytes(key.strip_prefix(&[OTHER_KEYS]).unwrap_or(key))
}
