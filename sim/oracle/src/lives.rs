//! Slices a history into lives for the black box: where a crash may take back acked commits, the values of
//! one life say nothing about the order of another. In a slice, the last transaction before the life stands
//! for the recovered state: what survived according to the witness or, for a store without versions, what the
//! life read and did not write.
//!
//! Invariant INV-SLICE-1: transactions keep their indexes, so a finding about a slice is a finding about the
//! history.

use stormproof_workloads::History;
use stormproof_workloads::history::{Life, Op, Outcome, Txn, TxnIndex};
use stormproof_workloads::store::{Bytes, Isolation, Key, Version};

use crate::view::{Content, KeyId, Map, View};
use crate::witness::Explanation;

/// The state that recovery found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    ops: Vec<Op>,
    version: Option<Version>,
}

/// Returns the history as `life` saw it: the transactions of other lives are emptied, and the last one before
/// stands for the recovered state.
pub(crate) fn slice(history: &History, life: Life, recovered: Recovered) -> History {
    let mut txns: Vec<Txn> =
        history.txns.iter().map(|txn| if txn.life == life { txn.clone() } else { shell(txn) }).collect();
    let first = history.txns.iter().filter(|txn| txn.life == life).map(|txn| txn.begun).min();
    if let Some((before, first)) = stands_for_recovery(history, life).zip(first) {
        let found = &mut txns[before as usize];
        let (acked, version) = (first.saturating_sub(1), recovered.version);
        (found.ops, found.session, found.begun) = (recovered.ops, u32::MAX, acked);
        found.outcome = Outcome::Committed { invoked: acked, acked, version, durable: None };
    }
    History { lives: history.lives.clone(), txns }
}

fn shell(txn: &Txn) -> Txn {
    let Txn { index, session, life, begun, .. } = *txn;
    let (start_version, isolation) = (None, Isolation::Serializable);
    Txn { index, session, life, begun, start_version, isolation, ops: Vec::new(), outcome: Outcome::Running }
}

/// The state that survived from life to life, according to the witness.
#[derive(Debug)]
pub(crate) struct Survived<'h> {
    view: &'h View<'h>,
    explanation: &'h Explanation,
    /// The first life that is not yet part of the state.
    life: Life,
    version: Version,
    state: Map<KeyId, Vec<Content<'h>>>,
}

impl<'h> Survived<'h> {
    pub(crate) fn new(view: &'h View<'h>, explanation: &'h Explanation) -> Self {
        Self { view, explanation, life: 0, version: 0, state: Map::default() }
    }

    /// Returns the state that `life` found; lives must be requested in order.
    pub(crate) fn before(&mut self, life: Life) -> Recovered {
        while self.life < life {
            for (txn, version) in self.explanation.survivors(self.life) {
                self.version = version;
                for write in self.view.writes(txn) {
                    let contents = self.state.entry(write.key).or_default();
                    if !matches!(write.content, Content::Appended { .. }) {
                        contents.clear();
                    }
                    contents.push(write.content);
                }
            }
            self.life += 1;
        }
        let mut keys: Vec<_> = self.state.iter().collect();
        keys.sort_unstable_by_key(|(key, _)| **key);
        let ops = keys
            .into_iter()
            .flat_map(|(key, contents)| contents.iter().flat_map(|content| self.write(*key, *content)));
        Recovered { ops: ops.collect(), version: Some(self.version) }
    }

    fn write(&self, key: KeyId, content: Content<'h>) -> Vec<Op> {
        let key = || self.view.keys[key as usize].to_vec();
        match content {
            Content::Absent => Vec::new(),
            Content::Value(value) => vec![Op::Put { key: key(), value: value.to_vec() }],
            Content::Expiring(value) => {
                vec![Op::PutExpiring { key: key(), value: value.to_vec(), ttl_ms: 0 }]
            }
            Content::Appended { .. } => {
                let elements = self.view.appended(content).iter();
                elements.map(|element| Op::Append { key: key(), element: element.to_vec() }).collect()
            }
        }
    }
}

/// Returns the values that `life` read and did not write, as writes.
pub(crate) fn by_values(history: &History, life: Life) -> Recovered {
    let mut earlier: Map<(&Key, &Bytes), ()> = Map::default();
    let mut here = earlier.clone();
    for txn in history.txns.iter().filter(|txn| txn.life <= life) {
        let into = if txn.life == life { &mut here } else { &mut earlier };
        let alive = matches!(txn.outcome, Outcome::Committed { .. } | Outcome::Unknown { .. });
        for op in txn.ops.iter().filter(|_| alive || txn.life == life) {
            match op {
                Op::Put { key, value } | Op::PutExpiring { key, value, .. } | Op::Cas { key, value, .. } => {
                    into.insert((key, value), ());
                }
                Op::Append { key, element } => {
                    into.insert((key, element), ());
                }
                _ => {}
            }
        }
    }
    let mut values: std::collections::BTreeMap<&Key, &Bytes> = std::collections::BTreeMap::new();
    let mut lists: std::collections::BTreeMap<&Key, &[Bytes]> = std::collections::BTreeMap::new();
    let old = |key, value| earlier.contains_key(&(key, value)) && !here.contains_key(&(key, value));
    for op in history.txns.iter().filter(|txn| txn.life == life).flat_map(|txn| &txn.ops) {
        match op {
            Op::Get { key, read } => {
                if let Some(value) = read.value.as_ref().filter(|value| old(key, value)) {
                    values.entry(key).or_insert(value);
                }
            }
            Op::Scan { entries, .. } => {
                for entry in entries.iter().filter(|entry| old(&entry.key, &entry.value)) {
                    values.entry(&entry.key).or_insert(&entry.value);
                }
            }
            Op::List { key, elements, .. } => {
                let known = elements.iter().take_while(|element| old(key, element)).count();
                let list = lists.entry(key).or_default();
                if known > list.len() {
                    *list = &elements[..known];
                }
            }
            _ => {}
        }
    }
    let puts = values.into_iter().map(|(key, value)| Op::Put { key: key.clone(), value: value.clone() });
    let appends = lists.into_iter().flat_map(|(key, elements)| {
        elements.iter().map(move |element| Op::Append { key: key.clone(), element: element.clone() })
    });
    Recovered { ops: puts.chain(appends).collect(), version: None }
}

/// Returns the lives in which transactions began.
pub(crate) fn lives(history: &History) -> Vec<Life> {
    let mut lives: Vec<Life> = history.txns.iter().map(|txn| txn.life).collect();
    lives.dedup();
    lives.sort_unstable();
    lives.dedup();
    lives
}

/// Returns the last transaction before `life`, which stands for the recovered state in its slice.
pub(crate) fn stands_for_recovery(history: &History, life: Life) -> Option<TxnIndex> {
    history.txns.iter().rev().find(|txn| txn.life < life).map(|txn| txn.index)
}
