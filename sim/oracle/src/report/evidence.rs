//! Transactions as their file has them: place, process, and operations.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use stormproof_workloads::history::{Op, Outcome, TxnIndex};

use crate::blackbox::Table;
use crate::formats::{Input, Notation};
use crate::view::show_in;

/// Maximum number of transactions that are shown of one anomaly.
const TXNS_MAX: usize = 16;
/// Maximum length of the operations of one transaction, in characters.
const LENGTH_MAX: usize = 400;

/// A transaction of an anomaly, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnEvidence {
    /// The process that ran it.
    pub process: String,
    /// The line of its last operation, from 1; 0 if the file has no lines.
    pub line: u32,
    /// The index of that operation.
    pub index: u32,
    /// How it ended: `ok`, `info` if that is unknown, `fail`.
    pub outcome: String,
    /// Its operations.
    pub ops: String,
}

impl TxnEvidence {
    /// Returns where it stands and what it did, in one line.
    pub fn sentence(&self) -> String {
        let line = if self.line > 0 { format!("line {}, ", self.line) } else { String::new() };
        format!("{line}index {}, process {}, {}: {}", self.index, self.process, self.outcome, self.ops)
    }
}

/// Returns the transactions that the anomalies of a table name.
pub(super) fn of(input: &Input, table: &Table) -> BTreeMap<TxnIndex, TxnEvidence> {
    let named = table.anomalies.iter().flat_map(|anomaly| anomaly.txns.iter().take(TXNS_MAX));
    let mut evidence = BTreeMap::new();
    for &txn in named {
        evidence.entry(txn).or_insert_with(|| transaction(input, txn));
    }
    evidence
}

fn transaction(input: &Input, txn: TxnIndex) -> TxnEvidence {
    let record = &input.history.txns[txn as usize];
    let origin = input.origins.get(txn as usize);
    let process = input.processes.get(record.session as usize).cloned();
    let outcome = match record.outcome {
        Outcome::Committed { .. } => "ok",
        Outcome::Unknown { .. } | Outcome::Running => "info",
        Outcome::Aborted { .. } => "fail",
    };
    let mut ops = String::new();
    for op in &record.ops {
        if ops.chars().count() > LENGTH_MAX {
            ops.push_str(" …");
            break;
        }
        if !ops.is_empty() {
            ops.push(' ');
        }
        operation(&mut ops, input.notation, op);
    }
    TxnEvidence {
        process: process.unwrap_or_else(|| record.session.to_string()),
        line: origin.map_or(0, |origin| origin.line),
        index: origin.map_or(txn, |origin| origin.index),
        outcome: outcome.to_owned(),
        ops: if input.notation == Notation::Edn { format!("[{ops}]") } else { ops },
    }
}

/// Appends an operation in the notation of its file.
fn operation(text: &mut String, notation: Notation, op: &Op) {
    let show = |bytes: &[u8]| show_in(notation, bytes);
    let seen = |value: &Option<Vec<u8>>| value.as_ref().map_or("nil".to_owned(), |value| show(value));
    let list = |elements: &[Vec<u8>]| {
        let texts: Vec<String> = elements.iter().map(|element| show(element)).collect();
        format!("[{}]", texts.join(" "))
    };
    let _ = match (notation, op) {
        (Notation::Edn, Op::Append { key, element }) => {
            write!(text, "[:append {} {}]", show(key), show(element))
        }
        (Notation::Edn, Op::Put { key, value }) => write!(text, "[:w {} {}]", show(key), show(value)),
        (Notation::Edn, Op::Get { key, read }) => write!(text, "[:r {} {}]", show(key), seen(&read.value)),
        (Notation::Edn, Op::List { key, elements, .. }) => {
            write!(text, "[:r {} {}]", show(key), list(elements))
        }
        (Notation::Text, Op::Put { key, value }) => write!(text, "w({},{})", show(key), show(value)),
        (Notation::Text, Op::Get { key, read }) => {
            let value = read.value.as_ref().map_or("0".to_owned(), |value| show(value));
            write!(text, "r({},{value})", show(key))
        }
        (_, Op::Get { key, read }) => write!(text, "get {} -> {};", show(key), seen(&read.value)),
        (_, Op::List { key, elements, .. }) => write!(text, "list {} -> {};", show(key), list(elements)),
        (_, Op::Put { key, value }) => write!(text, "put {} {};", show(key), show(value)),
        (_, Op::PutExpiring { key, value, .. }) => write!(text, "expire {} {};", show(key), show(value)),
        (_, Op::Delete { key }) => write!(text, "delete {};", show(key)),
        (_, Op::DeleteIf { key, .. }) => write!(text, "delete-if {};", show(key)),
        (_, Op::Cas { key, value, .. }) => write!(text, "cas {} {};", show(key), show(value)),
        (_, Op::Append { key, element }) => write!(text, "append {} {};", show(key), show(element)),
        (_, Op::Scan { range, entries, .. }) => {
            let end = range.end.as_ref().map_or(String::new(), |end| show(end));
            let entries: Vec<String> =
                entries.iter().map(|entry| format!("{}={}", show(&entry.key), show(&entry.value))).collect();
            write!(text, "scan {}..{end} -> {};", show(&range.start), entries.join(" "))
        }
        (_, Op::Failed { what, .. }) => write!(text, "{what} failed;"),
    };
}
