//! Has the black box judge a history by what its clients were promised.
//!
//! Job: which transactions are judged together, at which levels, on which terms. Not its job: judging.
//!
//! Where no crash may take acked commits back, all lives are judged as one; else each is judged apart ([`crate::lives`]),
//! and none if the witness could not tell what survived.
//! Transactions that ask for snapshots and transactions that ask for more may be mixed: all of them are judged at the
//! level of snapshots, and those that asked for more once again among the others, who may miss what came later.
//! Appends to one list do not conflict by contract; only who reads a list may conflict with them.

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

/// Judges all that there is.
pub(crate) fn look(
    view: &View<'_>,
    expectations: &Expectations,
    explanation: Option<&Explanation>,
    findings: &mut Findings,
) {
    let hints = explanation.into_iter().flat_map(Explanation::unanswered).collect();
    let steps_max = expectations.search_steps_max;
    let terms = Terms { steps_max, mixed: false, appends_commute: true, hints };
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
        // One transaction alone has nobody to contradict.
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
    /// The transaction that stands for what recovery found.
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
        // Among weaker ones, those that only read are not judged apart: a cycle needs a second anti-dependency.
        if promised == Isolation::Serializable && (weak.is_none() || asked(Isolation::Serializable, true)) {
            self.judge_at(Isolation::Serializable, &Terms { mixed: weak.is_some(), ..terms }, findings);
        }
    }

    fn judge_at(&self, isolation: Isolation, terms: &Terms, findings: &mut Findings) {
        let level = Level::promised(&Expectations { isolation, ..self.expectations.clone() });
        let table = blackbox::judge(self.view, Some(level), terms);
        for anomaly in table.anomalies {
            // Said already, by the view.
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
