//! Which transactions a failure is about.

use std::collections::BTreeSet;

use crate::{Report, Txn, TxnId};

/// Returns the transactions that a violation or an anomaly names, in the order in which they began; how many
/// more are named but not recorded.
pub(crate) fn involved(report: &Report) -> (Vec<&Txn>, usize) {
    let named: BTreeSet<TxnId> = report
        .violations
        .iter()
        .flat_map(|violation| violation.txns.iter().copied())
        .chain(
            report
                .anomalies
                .iter()
                .flat_map(|anomaly| anomaly.edges.iter().flat_map(|edge| [edge.from, edge.to])),
        )
        .collect();
    let found: Vec<_> = report.txns.iter().filter(|txn| named.contains(&txn.id)).collect();
    let missing = named.len() - found.iter().map(|txn| txn.id).collect::<BTreeSet<_>>().len();
    (found, missing)
}
