//! Bounds the report of a long run: what a page can show and a person can read, around the failure.
//!
//! INV-REPORT-2: nothing is left out silently: what is missing is counted in the report's `omitted`.

use std::collections::BTreeSet;

use stormproof_reports::{Report, Time, TxnId};

/// Transactions, steps, points of the frontier and faults of a report.
const TXNS_MAX: usize = 4_000;
const STEPS_MAX: usize = 60_000;
const FRONTIER_MAX: usize = 20_000;
const FAULTS_MAX: usize = 1_000;

/// Operations of a transaction that has no part in the failure.
const ACCESSES_MAX: usize = 100;

/// Leaves out what is far from the failure, or from the beginning of a run that held.
pub(super) fn limit(report: &mut Report) {
    let blamed: BTreeSet<TxnId> = report
        .violations
        .iter()
        .flat_map(|violation| violation.txns.iter().copied())
        .chain(report.anomalies.iter().flat_map(|anomaly| anomaly.edges.iter().flat_map(|e| [e.from, e.to])))
        .collect();
    let about: Time = report.violations.iter().find_map(|violation| violation.at).unwrap_or(0);
    let mut omitted = Vec::new();
    let mut note = |missing: usize, of: usize, what: &str| {
        if missing > 0 {
            omitted.push(format!("{missing} of {of} {what}, far from the failure or from the beginning"));
        }
    };
    let count = report.txns.len();
    keep_close(&mut report.txns, TXNS_MAX, about, |txn| txn.begun, |txn| blamed.contains(&txn.id));
    note(count - report.txns.len(), count, "transactions");
    let mut operations = (0, 0);
    for txn in report.txns.iter_mut().filter(|txn| !blamed.contains(&txn.id)) {
        operations.1 += txn.accesses.len();
        operations.0 += txn.accesses.len().saturating_sub(ACCESSES_MAX);
        txn.accesses.truncate(ACCESSES_MAX);
    }
    note(operations.0, operations.1, "operations of transactions");
    let count = report.steps.len();
    keep_close(&mut report.steps, STEPS_MAX, about, |step| step.at, |_| false);
    note(count - report.steps.len(), count, "steps of the interleaving");
    let count = report.frontier.len();
    keep_close(&mut report.frontier, FRONTIER_MAX, about, |point| point.at, |_| false);
    note(count - report.frontier.len(), count, "points of the durable and the published version");
    let count = report.faults.len();
    keep_close(&mut report.faults, FAULTS_MAX, about, |fault| fault.at, |fault| fault.crash);
    note(count - report.faults.len(), count, "faults");
    report.omitted.extend(omitted);
}

/// Keeps the `most` items whose times are closest to `about`, and those that matter, in order.
fn keep_close<T>(
    items: &mut Vec<T>,
    most: usize,
    about: Time,
    at: impl Fn(&T) -> Time,
    matters: impl Fn(&T) -> bool,
) {
    if items.len() <= most {
        return;
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&place| (!matters(&items[place]), at(&items[place]).abs_diff(about), place));
    let kept: BTreeSet<usize> = order.into_iter().take(most).collect();
    let mut place = 0;
    items.retain(|_| {
        place += 1;
        kept.contains(&(place - 1))
    });
}

#[cfg(test)]
mod tests {
    use stormproof_reports::{Report, Step, Txn, Violation};

    use super::{STEPS_MAX, TXNS_MAX, limit};

    #[test]
    fn what_is_close_to_the_failure_stays_and_what_is_left_out_is_counted() {
        let txn = |id: u32| Txn { id, begun: u64::from(id), ..Txn::default() };
        let step = |at| Step { at, ..Step::default() };
        let violation = Violation { txns: vec![3, 8_000], at: Some(9_000), ..Violation::default() };
        let mut report = Report {
            txns: (0..10_000).map(txn).collect(),
            steps: (0..100_000).map(step).collect(),
            violations: vec![violation],
            ..Report::default()
        };
        limit(&mut report);
        assert_eq!((report.txns.len(), report.steps.len()), (TXNS_MAX, STEPS_MAX));
        assert_eq!(report.txns[0].id, 3, "it is blamed");
        assert!(report.txns.iter().any(|txn| txn.id == 9_000) && report.txns[1].id > 5_000);
        assert!(report.txns.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!(report.omitted.len(), 2, "{:?}", report.omitted);
        assert!(report.omitted[0].starts_with("6000 of 10000 transactions"), "{:?}", report.omitted);
    }

    #[test]
    fn a_short_run_is_left_as_it_is() {
        let mut report = Report { txns: vec![Txn::default()], ..Report::default() };
        let before = report.clone();
        limit(&mut report);
        assert_eq!(report, before);
    }
}
