//! Serializable transactions: their reads did not change before they committed, or a serial order exists
//! anyway.

use stormproof_workloads::history::{Life, TxnIndex};
use stormproof_workloads::store::Isolation;

use super::chain::Chains;
use super::context::Witness;
use crate::graph::{Edge, Graph, Kind, Kinds, Step, components, shortest_cycle};
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::How;

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
        if suspicious {
            self.cycles(chains, life, findings);
        }
    }

    /// Looks for cycles in the true order: an overwritten read alone is no violation.
    fn cycles(&self, chains: &Chains<'h>, life: Life, findings: &mut Findings) {
        let graph = Graph::new(self.view.history.txns.len(), &self.edges(chains, life));
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
            _ if self.scanned(step) => format!("T{from} scanned {key} as it was before T{to} wrote it"),
            _ => format!("T{from} read {key} as it was before T{to} wrote it"),
        }
    }
}
