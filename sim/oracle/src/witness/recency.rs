//! V5: a snapshot includes everything acked before its transaction began.

use stormproof_workloads::history::{Session, TxnIndex};

use super::commits::Commit;
use super::context::Witness;
use super::survival::Cuts;
use crate::expectations::Recency;
use crate::verdict::{AnomalyClass, Findings, Invariant, Violation};
use crate::view::{Map, show_version};

impl Witness<'_, '_> {
    pub(super) fn recency(&self, cuts: &Cuts, findings: &mut Findings) {
        match self.expectations.recency {
            Recency::Any => {}
            Recency::Session => self.by_session(findings),
            Recency::RealTime => self.by_time(cuts, findings),
        }
    }

    fn by_time(&self, cuts: &Cuts, findings: &mut Findings) {
        let mut floor = 0;
        for life in 0..self.commits.lives() {
            let mut acked: Vec<&Commit> = self.commits.list[self.commits.of_life(life)].iter().collect();
            acked.retain(|commit| commit.acked.is_some());
            acked.sort_by_key(|commit| commit.acked);
            let mut txns = self.commits.txns_of(life).to_vec();
            txns.sort_by_key(|txn| self.view.txn(*txn).begun);
            let mut due = acked.into_iter().peekable();
            let mut newest: Option<&Commit> = None;
            for txn in txns {
                let begun = self.view.txn(txn).begun;
                while let Some(commit) = due.next_if(|commit| commit.acked.is_some_and(|acked| acked < begun))
                {
                    newest = newest.into_iter().chain([commit]).max_by_key(|commit| commit.version);
                }
                let Some(start) = self.view.txn(txn).start_version else { continue };
                match newest.filter(|newest| newest.version > start) {
                    Some(newest) => findings.add(|| stale(txn, start, newest)),
                    None if start < floor => findings.add(|| Violation {
                        invariant: Invariant::RealTime,
                        class: AnomalyClass::StaleSnapshot,
                        txns: std::iter::once(txn)
                            .chain(self.commits.at(floor).map(|commit| commit.txn))
                            .collect(),
                        keys: Vec::new(),
                        message: format!(
                            "T{txn} started at version {}, though version {} had survived into its life",
                            show_version(start),
                            show_version(floor)
                        ),
                    }),
                    None => {}
                }
            }
            if cuts.wrong_before.is_some_and(|wrong| wrong <= life) {
                return;
            }
            floor = floor.max(cuts.floors[life as usize]);
        }
    }

    fn by_session(&self, findings: &mut Findings) {
        let mut newest: Map<(u32, Session), &Commit> = Map::default();
        for txn in &self.view.history.txns {
            let of = (txn.life, txn.session);
            if let Some((newest, start)) = newest.get(&of).zip(txn.start_version)
                && newest.version > start
            {
                findings.add(|| stale(txn.index, start, newest));
            }
            if let Some(commit) = self.commits.of_txn(txn.index)
                && commit.acked.is_some()
            {
                newest.insert(of, commit);
            }
        }
    }
}

fn stale(txn: TxnIndex, start: u64, newest: &Commit) -> Violation {
    Violation {
        invariant: Invariant::RealTime,
        class: AnomalyClass::StaleSnapshot,
        txns: vec![txn, newest.txn],
        keys: Vec::new(),
        message: format!(
            "T{txn} began after T{} had been acked at version {}, and started at version {}",
            newest.txn,
            show_version(newest.version),
            show_version(start)
        ),
    }
}
