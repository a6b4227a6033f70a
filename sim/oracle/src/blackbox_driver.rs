//! Runs the black-box checker at each promised level.
//!
//! Job: which transactions are judged together, at which levels, on which terms. Not its job: judging.
//!
//! Where no crash may take back acked commits, all lives are judged as one. Otherwise each life is judged on
//! its own ([`crate::lives`]), and none if the witness could not tell what survived. Transactions may ask for
//! different levels: all are judged at the snapshot level, and those that asked for serializability once
//! more, with the others allowed to miss later writes. Appends to one list do not conflict by contract §3;
//! only a read of the list conflicts with them.

use stormproof_workloads::History;
use stormproof_workloads::history::{Outcome, TxnIndex};
use stormproof_workloads::store::Isolation;

use crate::blackbox::{self, Standing, Terms};
use crate::expectations::{Durability, Expectations};
use crate::level::Level;
use crate::lives::{self, Survived};
use crate::verdict::{AnomalyClass, Findings, Violation};
use crate::view::View;
use crate::witness::Explanation;

/// The levels that the contract and its stores speak of, weaker ones first: the ones in between are for other
/// databases.
const CONTRACT: [Level; 9] = [
    Level::ReadCommitted,
    Level::ReadAtomic,
    Level::Causal,
    Level::SnapshotIsolation,
    Level::StrongSessionSnapshotIsolation,
    Level::StrictSnapshotIsolation,
    Level::Serializable,
    Level::StrongSessionSerializable,
    Level::StrictSerializable,
];

/// Judges a history at each promised level and adds what is violated to `findings`.
pub(crate) fn judge_promised(
    view: &View<'_>,
    expectations: &Expectations,
    explanation: Option<&Explanation>,
    findings: &mut Findings,
) {
    let hints = explanation.into_iter().flat_map(Explanation::unanswered).collect();
    let steps_max = expectations.search_steps_max;
    let terms = Terms { appends_commute: true, hints, ..Terms::plain(steps_max) };
    let history = view.history;
    let all = lives::lives(history);
    if all.len() < 2 || expectations.durability == Durability::Strict {
        Judge { view, expectations, recovery: None }.judge(terms, findings);
        return;
    }
    if explanation.is_some() && !findings.undecided.is_empty() {
        findings.undecided.push("lives by values alone: what survived of each is not known".to_owned());
        return;
    }
    let mut survived = explanation.map(|explanation| Survived::new(view, explanation));
    for life in all {
        let recovered = match &mut survived {
            Some(survived) => survived.before(life),
            None => lives::by_values(history, life),
        };
        // A single transaction cannot contradict another.
        if history.txns.iter().filter(|txn| txn.life == life && counts(txn)).nth(1).is_none() {
            continue;
        }
        let slice: History = lives::slice(history, life, recovered);
        let recovery = lives::stands_for_recovery(history, life);
        Judge { view: &View::new(&slice), expectations, recovery }.judge(terms.clone(), findings);
    }
}

fn counts(txn: &stormproof_workloads::history::Txn) -> bool {
    matches!(txn.outcome, Outcome::Committed { .. } | Outcome::Unknown { .. })
}

struct Judge<'v, 'h> {
    view: &'v View<'h>,
    expectations: &'v Expectations,
    /// The transaction that stands for the recovered state.
    recovery: Option<TxnIndex>,
}

impl Judge<'_, '_> {
    fn judge(&self, terms: Terms, findings: &mut Findings) {
        let promised = self.expectations.isolation;
        let asked = |wanted: Isolation, writing: bool| {
            let mut txns = self.view.history.txns.iter().filter(|txn| counts(txn));
            txns.any(|txn| {
                txn.isolation.min(promised) == wanted
                    && !txn.ops.is_empty()
                    && self.recovery != Some(txn.index)
                    && (!writing || !self.view.writes(txn.index).is_empty())
            })
        };
        let weak =
            [Isolation::ReadCommitted, Isolation::Snapshot].into_iter().find(|level| asked(*level, false));
        if let Some(level) = weak {
            self.judge_at(level, &terms, findings);
        }
        // Readers among weaker transactions need no second pass: a cycle needs a second anti-dependency.
        if promised == Isolation::Serializable && (weak.is_none() || asked(Isolation::Serializable, true)) {
            self.judge_at(Isolation::Serializable, &Terms { mixed: weak.is_some(), ..terms }, findings);
        }
    }

    fn judge_at(&self, isolation: Isolation, terms: &Terms, findings: &mut Findings) {
        let level = Level::promised(&Expectations { isolation, ..self.expectations.clone() });
        let asked: Vec<Level> = CONTRACT.into_iter().filter(|weaker| level.implies(*weaker)).collect();
        let table = blackbox::judge_at(self.view, &asked, terms);
        for anomaly in table.anomalies {
            // Reported by the view already.
            let internal = [
                AnomalyClass::InternalInconsistency,
                AnomalyClass::NonRepeatableRead,
                AnomalyClass::MalformedScan,
            ];
            if internal.contains(&anomaly.class) {
                continue;
            }
            let note = match self.recovery.filter(|txn| anomaly.txns.contains(txn)) {
                Some(txn) => format!(" (T{txn} stands for what recovery found)"),
                None => String::new(),
            };
            findings.add(|| Violation {
                invariant: anomaly.invariant(),
                class: anomaly.class,
                message: format!("{}{note}", anomaly.message),
                txns: anomaly.txns,
                keys: anomaly.keys,
            });
        }
        for (level, standing) in table.levels {
            if let Standing::Unknown(why) = standing {
                findings.undecided.push(format!("{level}: {why}"));
            }
        }
    }
}
