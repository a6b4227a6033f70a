//! Isolation scripts: two or more transactions, step by step, and what each step must answer.
//!
//! One step a line, `#` begins a comment:
//! ```text
//! t1 begin                      every transaction begins where the script says so
//! t1 get x = 5                  or `= absent`
//! t1 scan acc/ = acc/1:5 acc/2  all keys of a prefix, with their values or without; `= nothing`
//! t1 put x 6
//! t1 delete x
//! t1 insert x 1 -> ok           these may fail at once: `-> conflict`
//! t1 swap x 5 6 -> ok           from value 5 to 6
//! t1 commit -> ok               or `-> conflict write x`
//! t1 abort
//! ```
//! A script runs under snapshot isolation and under serializable; where they differ, the answers stand side
//! by side: `-> ok | conflict read x`. A transaction named `setup` or `final` is one like any other.

use std::collections::BTreeMap;
use std::fmt::Write;

use stormproof_workloads::store::{
    Conflict, Entry, Expected, Isolation, Range, Result, Store, StoreError, StoreTxn, TxnOptions,
};

/// Runs a script on stores that `open` opens, once under each isolation.
///
/// # Errors
/// The line that failed, and how.
pub fn run(script: &str, open: impl Fn() -> Box<dyn Store>) -> std::result::Result<(), String> {
    for (column, isolation) in [Isolation::Snapshot, Isolation::Serializable].into_iter().enumerate() {
        let store = open();
        let mut transactions = BTreeMap::new();
        for (number, line) in (1..).zip(script.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let step =
                Step::parse(line, column).ok_or_else(|| format!("line {number}: not a step: {line}"))?;
            let answer = step.execute(&*store, isolation, &mut transactions);
            if answer != step.expected {
                let expected = step.expected;
                return Err(format!(
                    "line {number} under {isolation:?}: {line}\n  expected: {expected}\n  answered: {answer}"
                ));
            }
        }
    }
    Ok(())
}

struct Step<'a> {
    txn: &'a str,
    verb: &'a str,
    arguments: Vec<&'a str>,
    /// In words; a step without a wish must be `ok`.
    expected: String,
}

impl<'a> Step<'a> {
    fn parse(line: &'a str, column: usize) -> Option<Self> {
        let (action, wishes) = match (line.split_once(" -> "), line.split_once(" = ")) {
            (Some((action, wishes)), _) | (None, Some((action, wishes))) => (action, wishes),
            (None, None) => (line, "ok"),
        };
        let wishes: Vec<_> = wishes.split(" | ").collect();
        let expected = wishes.get(column).or(wishes.first())?.trim().to_owned();
        let mut words = action.split_whitespace();
        let (txn, verb) = (words.next()?, words.next()?);
        Some(Self { txn, verb, arguments: words.collect(), expected })
    }

    /// What the step answers, in the words of a wish.
    fn execute<'s>(
        &self,
        store: &'s dyn Store,
        isolation: Isolation,
        transactions: &mut BTreeMap<String, Box<dyn StoreTxn + 's>>,
    ) -> String {
        let answer = match self.verb {
            "begin" => store.begin(&TxnOptions { isolation, ..TxnOptions::default() }).map(|txn| {
                transactions.insert(self.txn.into(), txn);
                "ok".into()
            }),
            "commit" | "abort" => match transactions.remove(self.txn) {
                None => return format!("{} has not begun", self.txn),
                Some(txn) if self.verb == "commit" => txn.commit().map(|_| "ok".into()),
                Some(txn) => {
                    txn.abort();
                    Ok("ok".into())
                }
            },
            _ => match transactions.get_mut(self.txn) {
                None => return format!("{} has not begun", self.txn),
                Some(txn) => self.operate(&mut **txn),
            },
        };
        answer.unwrap_or_else(|error| self.failure(&error))
    }

    fn operate(&self, txn: &mut dyn StoreTxn) -> Result<String> {
        match (self.verb, self.arguments.as_slice()) {
            ("get", [key]) => {
                let read = txn.get(key.as_bytes())?;
                Ok(read.value.map_or_else(|| "absent".into(), |value| text(&value)))
            }
            ("scan", [prefix]) => {
                let entries = txn.scan(&Range::prefix(prefix.as_bytes()), None, false)?;
                Ok(self.entries(&entries))
            }
            ("put", [key, value]) => txn.put(key.as_bytes(), value.as_bytes()).map(|()| "ok".into()),
            ("delete", [key]) => txn.delete(key.as_bytes()).map(|()| "ok".into()),
            ("insert", [key, value]) => {
                txn.cas(key.as_bytes(), &Expected::Absent, value.as_bytes()).map(|()| "ok".into())
            }
            ("swap", [key, old, new]) => {
                let expected = Expected::Value(old.as_bytes().to_vec());
                txn.cas(key.as_bytes(), &expected, new.as_bytes()).map(|()| "ok".into())
            }
            _ => Ok(format!("no step is called {} {:?}", self.verb, self.arguments)),
        }
    }

    fn entries(&self, entries: &[Entry]) -> String {
        if entries.is_empty() {
            return "nothing".into();
        }
        let values = self.expected.contains(':');
        let mut answer = String::new();
        for entry in entries {
            let _ = write!(answer, "{}", text(&entry.key));
            if values {
                let _ = write!(answer, ":{}", text(&entry.value));
            }
            answer.push(' ');
        }
        answer.trim_end().into()
    }

    /// As much of a failure as the wish asks for.
    fn failure(&self, error: &StoreError) -> String {
        let StoreError::Conflict(conflicts) = error else { return error.to_string() };
        if self.expected == "conflict" {
            return "conflict".into();
        }
        let described = |conflict: &Conflict| {
            format!("{} {}", format!("{:?}", conflict.kind).to_lowercase(), text(&conflict.key))
        };
        let mut all: Vec<_> = conflicts.iter().map(described).collect();
        all.sort();
        all.dedup();
        format!("conflict {}", all.join(", "))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
