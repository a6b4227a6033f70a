//! Serializable transactions: their reads did not change before they committed, or a serial order exists
//! anyway.

use std::collections::BTreeMap;

use stormproof_workloads::history::{Life, TxnIndex};
use stormproof_workloads::store::{Isolation, Version};

use super::chain::Chains;
use super::commits::Commit;
use super::context::Witness;
use crate::graph::{Edge, Graph, Kind, Kinds, Step, components, shortest_cycle};
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Content, How, KeyId, Seen};

impl<'h> Witness<'_, 'h> {
    pub(super) fn serializable(&self, chains: &Chains<'h>, life: Life, findings: &mut Findings) {
        let commits = &self.commits.list[self.commits.of_life(life)];
        let suspicious = commits.iter().any(|commit| {
            let start = self.view.txn(commit.txn).start_version;
            self.isolation(commit.txn) == Isolation::Serializable
                && start.is_some_and(|start| {
                    let mut reads =
                        self.view.reads(commit.txn).iter().filter(|read| read.how != How::Condition);
                    reads.any(|read| chains.of(read.key).first_between(start, commit.version).is_some())
                })
        });
        let expiries = self.expiries(chains, life);
        if suspicious || !expiries.is_empty() {
            self.cycles(chains, life, &expiries, findings);
        }
    }

    /// Returns the pairs of commits of which the first, in commit order the later one, saw a value that the
    /// second saw to have expired: a value counts as deleted at its time, so the first comes first. What
    /// wrote nothing is judged by the time of its begin alone (V7).
    fn expiries(&self, chains: &Chains<'h>, life: Life) -> Vec<(TxnIndex, TxnIndex, KeyId)> {
        let mut seen: BTreeMap<(KeyId, Version), [Vec<&Commit>; 2]> = BTreeMap::new();
        for commit in &self.commits.list[self.commits.of_life(life)] {
            let start = self.view.txn(commit.txn).start_version;
            let Some(start) = start.filter(|_| self.isolation(commit.txn) == Isolation::Serializable) else {
                continue;
            };
            for read in self.view.reads(commit.txn).iter().filter(|read| read.how != How::Condition) {
                let chain = chains.of(read.key);
                let latest = chain.latest(start).map(|at| &chain.entries[at]);
                let Some(entry) = latest.filter(|entry| matches!(entry.content, Content::Expiring(_))) else {
                    continue;
                };
                let had_expired = usize::from(read.seen == Seen::Absent);
                seen.entry((read.key, entry.version)).or_default()[had_expired].push(commit);
            }
        }
        let pairs = seen.into_iter().flat_map(|((key, _), [there, gone])| {
            let pairs = there
                .into_iter()
                .flat_map(move |there| gone.clone().into_iter().map(move |gone| (there, gone)));
            pairs
                .filter(|(there, gone)| there.version > gone.version)
                .map(move |(there, gone)| (there.txn, gone.txn, key))
        });
        pairs.collect()
    }

    /// Looks for cycles in the true order: an overwritten read alone is no violation.
    fn cycles(
        &self,
        chains: &Chains<'h>,
        life: Life,
        expiries: &[(TxnIndex, TxnIndex, KeyId)],
        findings: &mut Findings,
    ) {
        let mut edges = self.edges(chains, life);
        edges.extend(expiries.iter().map(|&(from, to, key)| (from, Edge { to, key, kind: Kind::Rw })));
        let graph = Graph::new(self.view.history.txns.len(), &edges);
        let kinds = Kinds::WW.and(Kinds::WR).and(Kinds::RW);
        for component in components(&graph, kinds) {
            let Some(cycle) = shortest_cycle(&graph, &component, kinds, Some(Kind::Rw)) else { continue };
            findings.add(|| self.describe(&cycle));
        }
    }

    fn edges(&self, chains: &Chains<'h>, life: Life) -> Vec<(TxnIndex, Edge)> {
        let mut edges = Vec::new();
        let mut add = |from, to, key, kind| {
            if from != to {
                edges.push((from, Edge { to, key, kind }));
            }
        };
        for (key, chain) in (0_u32..).zip(&chains.by_key) {
            let entries: Vec<_> = chain.entries.iter().filter(|entry| !entry.empty).collect();
            for pair in entries.windows(2) {
                add(pair[0].txn, pair[1].txn, key, Kind::Ww);
            }
        }
        for &txn in self.commits.txns_of(life) {
            let Some(start) = self.view.txn(txn).start_version else { continue };
            if !crate::view::is_committed(self.view.txn(txn)) && self.commits.of_txn(txn).is_none() {
                continue;
            }
            for read in self.view.reads(txn) {
                let chain = chains.of(read.key);
                if let Some(at) = chain.latest(start) {
                    add(chain.entries[at].txn, txn, read.key, Kind::Wr);
                }
                if self.isolation(txn) == Isolation::Serializable
                    && let Some(next) = chain.first_between(start, u64::MAX)
                {
                    add(txn, next.txn, read.key, Kind::Rw);
                }
            }
        }
        edges
    }

    fn describe(&self, cycle: &[Step]) -> Violation {
        let sentences: Vec<_> = cycle.iter().map(|step| self.sentence(step)).collect();
        let anti = cycle.iter().filter(|step| step.edge.kind == Kind::Rw).count();
        let scanned = cycle.iter().any(|step| step.edge.kind == Kind::Rw && self.scanned(step));
        let class = match (anti, cycle.len()) {
            (0 | 1, _) => AnomalyClass::GSingle,
            _ if scanned => AnomalyClass::G2,
            (2, 2) => AnomalyClass::WriteSkew,
            _ => AnomalyClass::G2Item,
        };
        let mut keys: Vec<_> =
            cycle.iter().map(|step| self.view.keys[step.edge.key as usize].to_vec()).collect();
        keys.dedup();
        Violation {
            invariant: Invariant::Serializable,
            class,
            txns: cycle.iter().map(|step| step.from).collect(),
            keys,
            message: format!("no serial order: {}", sentences.join("; ")),
        }
    }

    fn scanned(&self, step: &Step) -> bool {
        let mut reads = self.view.reads(step.from).iter().filter(|read| read.key == step.edge.key);
        reads.all(|read| read.how == How::Scan)
    }

    fn sentence(&self, step: &Step) -> String {
        let (from, to, key) = (step.from, step.edge.to, self.view.key_name(step.edge.key));
        match step.edge.kind {
            Kind::Ww => format!("T{to} overwrote {key} as T{from} had left it"),
            Kind::Wr => format!("T{to} read {key} as T{from} had left it"),
            _ if !self.view.writes(to).iter().any(|write| write.key == step.edge.key) => {
                format!("T{from} read {key} before it expired, and T{to} after that")
            }
            _ if self.scanned(step) => format!("T{from} scanned {key} as it was before T{to} wrote it"),
            _ => format!("T{from} read {key} as it was before T{to} wrote it"),
        }
    }
}
