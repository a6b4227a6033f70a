//! Small random histories, and the slow checker that tries every order.

pub(crate) mod brute;
pub(crate) mod generate;

use std::fmt::Write;

use stormproof_workloads::History;

/// A history, one transaction a line.
pub(crate) fn show(history: &History) -> String {
    let mut text = String::new();
    for txn in &history.txns {
        let _ = writeln!(
            text,
            "T{} session {} begun {}: {:?} -> {:?}",
            txn.index, txn.session, txn.begun, txn.ops, txn.outcome
        );
    }
    text
}
