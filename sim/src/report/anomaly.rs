//! Explains why the transactions that a finding names can't all be right: their dependencies as a graph, each
//! edge with its evidence.
//!
//! Job: explain. Not its job: to judge, which the oracle has done. So the edges come from the history alone:
//! which transaction read which version, which one wrote it, and which one was answered before another began.
//! Where they form a cycle, the shortest one is shown; where they don't, all of them are.
//!
//! Source of the kinds of edges: Adya, "Weak Consistency: A Generalized Theory and Optimistic Implementations
//! for Distributed Transactions", MIT 1999, section 3.

use std::collections::VecDeque;

use stormproof_reports::{Anomaly, Edge, EdgeKind, show_bytes};
use stormproof_workloads::History;
use stormproof_workloads::history::{Outcome, Txn, TxnIndex};
use stormproof_workloads::store::{Key, Version};

use super::writers::{Saw, commit_version, seen, written};
use crate::finding::Finding;

/// More transactions than these make no picture.
const NODES_MAX: usize = 12;

/// Returns the anomalies of all findings. What two checkers have found is drawn once.
pub(super) fn anomalies(findings: &[Finding], history: &History) -> Vec<Anomaly> {
    let mut distinct: Vec<Anomaly> = Vec::new();
    for anomaly in findings.iter().filter_map(|finding| anomaly(finding, history)) {
        if !distinct.contains(&anomaly) {
            distinct.push(anomaly);
        }
    }
    distinct
}

/// Returns the graph of a finding; `None` if its transactions have nothing to do with each other.
fn anomaly(finding: &Finding, history: &History) -> Option<Anomaly> {
    let mut txns: Vec<&Txn> = Vec::new();
    for &index in finding.txns.iter().take(NODES_MAX) {
        let txn = history.txns.get(index as usize)?;
        if txns.iter().all(|other| other.index != index) {
            txns.push(txn);
        }
    }
    let edges = edges(&txns);
    let about = format!("{} ({})", finding.invariant, finding.class);
    if let Some(cycle) = shortest_cycle(&txns, &edges) {
        let message =
            "Follow the arrows: each of these transactions must come before the next one, and the last one \
                       before the first. No order does that."
                .to_owned();
        return Some(Anomaly { class: about, message, edges: cycle });
    }
    let data: Vec<Edge> = edges.into_iter().filter(|edge| edge.kind != EdgeKind::RealTime).collect();
    let message = "How the transactions that the finding names depend on each other.".to_owned();
    (!data.is_empty()).then_some(Anomaly { class: about, message, edges: data })
}

fn edges(txns: &[&Txn]) -> Vec<Edge> {
    let mut keys: Vec<Key> =
        txns.iter().flat_map(|txn| txn.ops.iter().filter_map(written).cloned()).collect();
    keys.sort();
    keys.dedup();
    let mut edges = Vec::new();
    for from in txns {
        for to in txns {
            if from.index != to.index {
                edges.extend(read_dependency(from, to, &keys));
                edges.extend(anti_dependency(from, to, &keys));
                edges.extend(write_dependency(from, to, txns));
                edges.extend(real_time(from, to));
            }
        }
    }
    edges
}

/// Returns the edge if `to` read what `from` wrote.
fn read_dependency(from: &Txn, to: &Txn, keys: &[Key]) -> Option<Edge> {
    let version = commit_version(from)?;
    let (key, _) =
        seen(to, keys).into_iter().find(|(key, saw)| *saw == Saw::Version(version) && writes(from, key))?;
    let explanation =
        format!("T{} read {} at version {version}, which T{} wrote.", to.index, show_bytes(&key), from.index);
    Some(edge(from, to, EdgeKind::WriteRead, &key, explanation))
}

/// Returns the edge if `to` overwrote what `from` read.
fn anti_dependency(from: &Txn, to: &Txn, keys: &[Key]) -> Option<Edge> {
    let version = commit_version(to)?;
    for (key, saw) in seen(from, keys) {
        if !writes(to, &key) {
            continue;
        }
        let what = match saw {
            Saw::Version(0) if version > 0 => "before it existed".to_owned(),
            Saw::Version(old) if old < version => format!("at version {old}"),
            Saw::Nothing if from.start_version.is_some_and(|start| start < version) => {
                "as absent, in a scan".to_owned()
            }
            Saw::Version(_) | Saw::Nothing => continue,
        };
        let shown = show_bytes(&key);
        let explanation = format!(
            "T{} saw {shown} {what}; T{} wrote it at version {version}. So T{} comes before T{}.",
            from.index, to.index, from.index, to.index
        );
        return Some(edge(from, to, EdgeKind::ReadWrite, &key, explanation));
    }
    None
}

/// Returns the edge if `to` is the next of `txns` that wrote what `from` wrote.
fn write_dependency(from: &Txn, to: &Txn, txns: &[&Txn]) -> Option<Edge> {
    let (first, second) = (commit_version(from)?, commit_version(to)?);
    let key = from.ops.iter().filter_map(written).find(|key| {
        let between = |version: Version| first < version && version < second;
        let next = |txn: &&&Txn| writes(txn, key) && commit_version(txn).is_some_and(between);
        writes(to, key) && txns.iter().find(next).is_none()
    })?;
    (first < second).then(|| {
        let explanation = format!(
            "T{} wrote {} at version {second}, over what T{} wrote at version {first}.",
            to.index,
            show_bytes(key),
            from.index
        );
        edge(from, to, EdgeKind::WriteWrite, key, explanation)
    })
}

/// Returns the edge if `from` was answered before `to` began.
fn real_time(from: &Txn, to: &Txn) -> Option<Edge> {
    let Outcome::Committed { acked, .. } = from.outcome else { return None };
    (acked < to.begun).then(|| {
        let explanation = format!("T{} was acked before T{} began.", from.index, to.index);
        edge(from, to, EdgeKind::RealTime, &[], explanation)
    })
}

fn writes(txn: &Txn, key: &[u8]) -> bool {
    txn.ops.iter().filter_map(written).any(|written| written == key)
}

fn edge(from: &Txn, to: &Txn, kind: EdgeKind, key: &[u8], explanation: String) -> Edge {
    Edge { from: from.index, to: to.index, kind, key: show_bytes(key), explanation }
}

/// Returns the shortest cycle, through the transaction that is named first if there are several. Dependencies
/// through data are tried before those through time, which say less.
fn shortest_cycle(txns: &[&Txn], edges: &[Edge]) -> Option<Vec<Edge>> {
    let mut best: Option<Vec<Edge>> = None;
    for only_data in [true, false] {
        let usable = |edge: &&Edge| !only_data || edge.kind != EdgeKind::RealTime;
        let usable: Vec<&Edge> = edges.iter().filter(usable).collect();
        for txn in txns {
            if let Some(cycle) = cycle_through(txn.index, &usable)
                && best.as_ref().is_none_or(|best| cycle.len() < best.len())
            {
                best = Some(cycle);
            }
        }
        if best.is_some() {
            return best;
        }
    }
    best
}

/// Returns the shortest cycle through a transaction: breadth-first search.
fn cycle_through(start: TxnIndex, edges: &[&Edge]) -> Option<Vec<Edge>> {
    let mut reached: Vec<(TxnIndex, &Edge)> = Vec::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &edge in edges.iter().filter(|edge| edge.from == at) {
            if reached.iter().any(|(txn, _)| *txn == edge.to) {
                continue;
            }
            reached.push((edge.to, edge));
            if edge.to == start {
                return Some(way_to(start, &reached));
            }
            queue.push_back(edge.to);
        }
    }
    None
}

fn way_to(start: TxnIndex, reached: &[(TxnIndex, &Edge)]) -> Vec<Edge> {
    let mut way = Vec::new();
    let mut at = start;
    while let Some((_, edge)) = reached.iter().find(|(txn, _)| *txn == at) {
        way.push((*edge).clone());
        at = edge.from;
        if at == start {
            break;
        }
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use stormproof_reports::EdgeKind;
    use stormproof_workloads::History;
    use stormproof_workloads::history::{Op, Outcome, Txn};
    use stormproof_workloads::store::{Isolation, Range, Read};

    use super::{anomalies, anomaly};
    use crate::finding::Finding;

    fn txn(index: u32, begun: u64, start: u64, ops: Vec<Op>, outcome: Outcome) -> Txn {
        let isolation = Isolation::Serializable;
        Txn { index, session: index, life: 0, begun, start_version: Some(start), isolation, ops, outcome }
    }

    fn get(key: &str, version: u64) -> Op {
        Op::Get { key: key.into(), read: Read { value: Some(b"v".to_vec()), version: Some(version) } }
    }

    fn put(key: &str) -> Op {
        Op::Put { key: key.into(), value: b"w".to_vec() }
    }

    fn committed(acked: u64, version: Option<u64>) -> Outcome {
        Outcome::Committed { invoked: acked - 1, acked, version, durable: Some(acked) }
    }

    fn finding(txns: &[u32]) -> Finding {
        let (invariant, contract, class) = ("serializable".into(), "§3".into(), "write-skew".into());
        Finding { invariant, contract, class, message: String::new(), txns: txns.to_vec(), keys: Vec::new() }
    }

    #[test]
    fn write_skew_is_two_edges_that_bite_each_others_tail() {
        let history = History {
            lives: Vec::new(),
            txns: vec![
                txn(0, 1, 2, vec![get("a", 1), get("b", 1), put("a")], committed(9, Some(3))),
                txn(1, 2, 2, vec![get("a", 1), get("b", 1), put("b")], committed(10, Some(4))),
            ],
        };
        let anomaly = anomaly(&finding(&[0, 1]), &history).expect("a cycle");
        let edges: Vec<_> =
            anomaly.edges.iter().map(|edge| (edge.from, edge.to, edge.kind, edge.key.as_str())).collect();
        assert_eq!(edges, [(0, 1, EdgeKind::ReadWrite, "b"), (1, 0, EdgeKind::ReadWrite, "a")]);
        assert!(anomaly.edges[0].explanation.contains("T0 saw b at version 1; T1 wrote it at version 4"));
        // Another checker found it as well, and a third something else.
        let found = anomalies(&[finding(&[0, 1]), finding(&[0, 1]), finding(&[1])], &history);
        assert_eq!(found, [anomaly]);
    }

    #[test]
    fn a_lost_ack_is_read_too_old_by_somebody_who_began_after_it() {
        let history = History {
            lives: Vec::new(),
            txns: vec![
                txn(0, 1, 0, vec![put("a")], committed(3, Some(7))),
                txn(1, 5, 6, vec![get("a", 2)], committed(8, None)),
            ],
        };
        let anomaly = anomaly(&finding(&[0, 1]), &history).expect("a cycle");
        let kinds: Vec<_> = anomaly.edges.iter().map(|edge| edge.kind).collect();
        assert_eq!(kinds, [EdgeKind::RealTime, EdgeKind::ReadWrite]);
    }

    #[test]
    fn a_phantom_is_an_edge_from_the_scan_that_missed_it() {
        let all = Range { start: b"a".to_vec(), end: Some(b"z".to_vec()) };
        let scan = Op::Scan { range: all, limit: None, reverse: false, entries: Vec::new() };
        let history = History {
            lives: Vec::new(),
            txns: vec![
                txn(0, 1, 2, vec![scan.clone(), put("x")], committed(9, Some(3))),
                txn(1, 2, 2, vec![scan, put("y")], committed(10, Some(4))),
            ],
        };
        let anomaly = anomaly(&finding(&[0, 1]), &history).expect("a cycle");
        assert_eq!(anomaly.edges.len(), 2);
        assert!(anomaly.edges[0].explanation.contains("as absent, in a scan"), "{anomaly:?}");
    }

    #[test]
    fn without_a_cycle_the_dependencies_are_shown_and_without_those_nothing() {
        let history = History {
            lives: Vec::new(),
            txns: vec![
                txn(0, 1, 0, vec![put("a")], committed(3, Some(1))),
                txn(1, 4, 1, vec![get("a", 1)], committed(5, None)),
                txn(2, 6, 1, vec![get("b", 0)], committed(7, None)),
            ],
        };
        let shown = anomaly(&finding(&[0, 1]), &history).expect("a dependency");
        assert_eq!(shown.edges.len(), 1);
        assert_eq!(shown.edges[0].kind, EdgeKind::WriteRead);
        assert_eq!(anomaly(&finding(&[1, 2]), &history), None);
    }
}
