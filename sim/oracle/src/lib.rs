//! Isolation and durability checkers that see recorded histories only.
//!
//! Job: given what clients saw ([`History`]) and what they were promised ([`Expectations`]), say whether the
//! promise was kept, and if not, which row of the contract broke, how, and by which transactions. Two
//! independent judges:
//!
//! - the *witness* replays the versions that the store reported (start and commit versions) and compares
//!   every read, scan, conflict and survivor of a crash with what must have been there: near linear, and
//!   exact;
//! - the *black box* trusts only values: it infers who read from whom and who overwrote whom, and looks for
//!   cycles.
//!
//! Not its job: running anything, or knowing any engine. Architecture invariant: this crate imports no
//! engine; an oracle must not inherit the bugs of what it judges.

mod blackbox;
mod blackbox_driver;
mod builder;
mod expectations;
pub mod formats;
mod graph;
mod level;
mod lives;
pub mod models;
mod report;
mod verdict;
mod view;
mod witness;

pub use blackbox::{ANOMALY_NAMES, Anomaly, CycleEdge, Dependency, Standing, Table, VersionOrders};
pub use builder::{HistoryBuilder, TxnHandle};
pub use expectations::{Durability, Expectations, Recency};
pub use level::{Level, UnknownLevel};
pub use report::{CheckOptions, CheckReport, Conclusion, TxnEvidence, check_file, check_input};
pub use verdict::{AnomalyClass, Invariant, Verdict, Violation};

use stormproof_workloads::History;

use verdict::Findings;

/// Judges a history by what its clients were promised.
pub fn check(history: &History, expectations: &Expectations) -> Verdict {
    let view = view::View::new(history);
    let mut findings = Findings::new(expectations.findings_max);
    view.report_internal(expectations.isolation, &mut findings);
    let explanation = witness::check(&view, expectations, &mut findings);
    if expectations.blackbox {
        blackbox_driver::judge_promised(&view, expectations, explanation.as_ref(), &mut findings);
    }
    findings.into_verdict(history)
}

/// Returns how a history stands to `level` and to all levels that it implies, or to all levels, by values
/// alone.
pub fn levels(history: &History, level: Option<Level>, search_steps_max: u64) -> Table {
    blackbox::judge(&view::View::new(history), level, &blackbox::Terms::plain(search_steps_max))
}

#[cfg(test)]
mod tests {
    use stormproof_workloads::history::{Op, Recorder};
    use stormproof_workloads::store::{Committed, Isolation, Read};

    use super::{AnomalyClass, Expectations, Invariant, check};

    fn add_one(recorder: &Recorder, session: u32, start: u64, seen: Option<&str>, left: &str, version: u64) {
        let called = recorder.tick();
        let txn = recorder.begin(session, 0, called, Some(start), Isolation::Serializable);
        let value = seen.map(|seen| seen.as_bytes().to_vec());
        let read = Read { version: Some(value.as_ref().map_or(0, |_| start)), value };
        recorder.op(txn, Op::Get { key: b"hotspot".to_vec(), read });
        recorder.op(txn, Op::Put { key: b"hotspot".to_vec(), value: left.as_bytes().to_vec() });
        recorder.commit(txn);
        recorder.committed(txn, &Committed { version: Some(version), durable: true });
    }

    #[test]
    fn a_counter_that_counts_holds() {
        let recorder = Recorder::new();
        recorder.opened(0);
        add_one(&recorder, 1, 0, None, "1", 1);
        add_one(&recorder, 2, 1, Some("1"), "2", 2);
        let verdict = check(&recorder.history().expect("adds up"), &Expectations::default());
        assert!(verdict.holds(), "{:#?}", verdict.violations);
    }

    #[test]
    fn a_lost_increment_is_a_lost_update_and_a_stale_snapshot() {
        let recorder = Recorder::new();
        recorder.opened(0);
        add_one(&recorder, 1, 0, None, "1", 1);
        add_one(&recorder, 2, 0, None, "1", 2);
        let verdict = check(&recorder.history().expect("adds up"), &Expectations::default());
        let found: Vec<_> = verdict.violations.iter().map(super::Violation::signature).collect();
        assert!(found.contains(&(Invariant::Conflicts, AnomalyClass::LostUpdate)), "{found:?}");
        assert!(found.contains(&(Invariant::RealTime, AnomalyClass::StaleSnapshot)), "{found:?}");
    }

    #[test]
    fn a_message_shows_versions_of_a_later_epoch_as_epoch_and_counter() {
        let recorder = Recorder::new();
        recorder.opened(0);
        let epoch = 2 << 40;
        add_one(&recorder, 1, 0, None, "1", epoch + 7);
        add_one(&recorder, 2, 0, None, "1", epoch + 8);
        let verdict = check(&recorder.history().expect("adds up"), &Expectations::default());
        let lost = verdict.violations.iter().find(|one| one.class == AnomalyClass::LostUpdate);
        let message = &lost.expect("a lost update").message;
        assert!(message.contains("version e3.7") && message.contains("version e3.8"), "{message}");
    }

    /// Two reads of one key with two answers, as of a store that has no snapshots.
    #[test]
    fn reads_have_to_repeat_where_a_snapshot_was_promised() {
        let recorder = Recorder::new();
        recorder.opened(0);
        let write = |value: &str| {
            let txn = recorder.begin(1, 0, recorder.tick(), None, Isolation::Snapshot);
            recorder.op(txn, Op::Put { key: b"x".to_vec(), value: value.into() });
            recorder.commit(txn);
            recorder.committed(txn, &Committed { version: None, durable: true });
        };
        write("1");
        let reader = recorder.begin(2, 0, recorder.tick(), None, Isolation::Snapshot);
        let read = |value: &str| {
            let read = Read { version: None, value: Some(value.into()) };
            recorder.op(reader, Op::Get { key: b"x".to_vec(), read });
        };
        read("1");
        write("2");
        read("2");
        recorder.commit(reader);
        recorder.committed(reader, &Committed { version: None, durable: true });
        let history = recorder.history().expect("adds up");
        let broken = |isolation| {
            let verdict = check(&history, &Expectations { isolation, ..Expectations::default() });
            verdict.violations.iter().any(|violation| violation.invariant == Invariant::Repeatable)
        };
        assert!(broken(Isolation::Snapshot));
        assert!(!broken(Isolation::ReadCommitted));
    }
}
