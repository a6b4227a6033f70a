//! A builder of histories, for programs that check their own.

use std::fmt::Display;

use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Outcome, Session, Time, Txn, TxnIndex};
use stormproof_workloads::store::{Isolation, Read};

use crate::formats::{Input, Notation, Origin};
use crate::level::Level;
use crate::report::{CheckOptions, CheckReport, check_input};

/// Builds a history, call by call in real time: what is called later happened later.
///
/// ```
/// use stormproof_oracle::{HistoryBuilder, Level, Conclusion};
///
/// let mut history = HistoryBuilder::new();
/// let (alice, bob) = (history.begin("alice"), history.begin("bob"));
/// history.read(alice, "x", None::<u32>).write(alice, "y", 1).commit(alice);
/// history.read(bob, "y", None::<u32>).write(bob, "x", 1).commit(bob);
/// let input = history.build();
///
/// assert_eq!(Level::SnapshotIsolation.check(&input).conclusion(), Conclusion::Holds);
/// let report = Level::Serializable.check(&input);
/// assert_eq!(report.conclusion(), Conclusion::Violated);
/// assert_eq!(report.table.anomalies[0].name, "G2-item");
/// ```
#[derive(Clone, Debug, Default)]
pub struct HistoryBuilder {
    clock: Time,
    txns: Vec<Txn>,
    processes: Vec<String>,
}

/// A transaction of a [`HistoryBuilder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnHandle(TxnIndex);

impl HistoryBuilder {
    /// Creates a history without transactions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a transaction of a process. It is unanswered until it is committed or aborted.
    pub fn begin(&mut self, process: &str) -> TxnHandle {
        self.clock += 1;
        let known = self.processes.iter().position(|other| other == process);
        let session = known.unwrap_or_else(|| {
            self.processes.push(process.to_owned());
            self.processes.len() - 1
        });
        let index = TxnIndex::try_from(self.txns.len()).unwrap_or(TxnIndex::MAX);
        self.txns.push(Txn {
            index,
            session: Session::try_from(session).unwrap_or(Session::MAX),
            life: 0,
            begun: self.clock,
            start_version: None,
            isolation: Isolation::Serializable,
            ops: Vec::new(),
            outcome: Outcome::Unknown { invoked: self.clock },
        });
        TxnHandle(index)
    }

    /// Records that a register was read: a value, or nothing.
    pub fn read(&mut self, txn: TxnHandle, key: impl Display, value: Option<impl Display>) -> &mut Self {
        let value = value.map(|value| value.to_string().into_bytes());
        self.op(txn, Op::Get { key: bytes(key), read: Read { value, version: None } })
    }

    /// Records that a register was written.
    pub fn write(&mut self, txn: TxnHandle, key: impl Display, value: impl Display) -> &mut Self {
        self.op(txn, Op::Put { key: bytes(key), value: bytes(value) })
    }

    /// Records that a key was deleted.
    pub fn delete(&mut self, txn: TxnHandle, key: impl Display) -> &mut Self {
        self.op(txn, Op::Delete { key: bytes(key) })
    }

    /// Records that an element was appended to a list. Elements of a list must be unique to tell its order.
    pub fn append(&mut self, txn: TxnHandle, key: impl Display, element: impl Display) -> &mut Self {
        self.op(txn, Op::Append { key: bytes(key), element: bytes(element) })
    }

    /// Records that a list was read: all its elements, oldest first.
    pub fn list(
        &mut self,
        txn: TxnHandle,
        key: impl Display,
        elements: impl IntoIterator<Item = impl Display>,
    ) -> &mut Self {
        let elements = elements.into_iter().map(bytes).collect();
        self.op(txn, Op::List { key: bytes(key), elements, version: None })
    }

    fn op(&mut self, txn: TxnHandle, op: Op) -> &mut Self {
        self.txns[txn.0 as usize].ops.push(op);
        self
    }

    /// Records that a commit was acknowledged.
    pub fn commit(&mut self, txn: TxnHandle) {
        self.clock += 1;
        let acked = self.clock;
        let txn = &mut self.txns[txn.0 as usize];
        txn.outcome = Outcome::Committed { invoked: txn.begun, acked, version: None, durable: None };
    }

    /// Records that a transaction was aborted, by the store or by its client.
    pub fn abort(&mut self, txn: TxnHandle) {
        self.clock += 1;
        self.txns[txn.0 as usize].outcome = Outcome::Aborted { at: self.clock, conflicts: Vec::new() };
    }

    /// Builds the history, to be checked.
    pub fn build(self) -> Input {
        let origins = self.txns.iter().map(|txn| Origin { line: 0, index: txn.index }).collect();
        Input {
            history: History { lives: Vec::new(), txns: self.txns },
            timed: true,
            notation: Notation::Text,
            origins,
            processes: self.processes,
            left_out: Vec::new(),
        }
    }
}

impl Level {
    /// Checks a history at this level and at those that it implies.
    pub fn check(self, input: &Input) -> CheckReport {
        check_input(input, &CheckOptions::at(self))
    }
}

fn bytes(value: impl Display) -> Vec<u8> {
    value.to_string().into_bytes()
}
