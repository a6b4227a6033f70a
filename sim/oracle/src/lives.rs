//! One life at a time, for the black box: where a crash may take acked commits back, values of one life say nothing
//! about the order of another.
//!
//! Invariant INV-LIFE-1: transactions keep their numbers, so what is said about a slice is said about the history.

use stormproof_workloads::History;
use stormproof_workloads::history::{Life, Op, Outcome, Txn, TxnIndex};
use stormproof_workloads::store::{Bytes, Isolation, Key};

use crate::view::Map;

/// The history as `life` saw it: the transactions of other lives are emptied, and the last one before stands for what
/// recovery found, as far as this life read it.
pub(crate) fn slice(history: &History, life: Life) -> History {
    let mut txns: Vec<Txn> =
        history.txns.iter().map(|txn| if txn.life == life { txn.clone() } else { shell(txn) }).collect();
    let first = history.txns.iter().filter(|txn| txn.life == life).map(|txn| txn.begun).min();
    let before = history.txns.iter().rposition(|txn| txn.life < life);
    if let Some((before, first)) = before.zip(first) {
        let found = &mut txns[before];
        found.ops = recovered(history, life);
        found.session = u32::MAX;
        let acked = first.saturating_sub(1);
        found.begun = acked;
        found.outcome = Outcome::Committed { invoked: acked, acked, version: None, durable: None };
    }
    History { lives: history.lives.clone(), txns }
}

fn shell(txn: &Txn) -> Txn {
    Txn { ops: Vec::new(), outcome: Outcome::Running, isolation: Isolation::Serializable, ..txn.clone() }
}

/// Writes of everything that `life` read and did not write.
fn recovered(history: &History, life: Life) -> Vec<Op> {
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
    puts.chain(appends).collect()
}

/// The lives in which transactions began.
pub(crate) fn lives(history: &History) -> Vec<Life> {
    let mut lives: Vec<Life> = history.txns.iter().map(|txn| txn.life).collect();
    lives.dedup();
    lives.sort_unstable();
    lives.dedup();
    lives
}

/// The last transaction before `life`, which stands for recovery in its slice.
pub(crate) fn stands_for_recovery(history: &History, life: Life) -> Option<TxnIndex> {
    history.txns.iter().rev().find(|txn| txn.life < life).map(|txn| txn.index)
}
