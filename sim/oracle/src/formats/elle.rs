//! Transactions of Elle's list-append and rw-register workloads.
//!
//! The value of an operation is a list of `[:append k v]`, `[:w k v]` and `[:r k v]`. The order in the file
//! is real time. Operations of the nemesis and operations whose value is no transaction are left out and
//! counted. `:info` and an invocation without an end are unanswered commits. A key that is appended to is a
//! list; a key that is written is a register, whatever its values are.

use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Outcome, Session, Time, Txn, TxnIndex};
use stormproof_workloads::store::{Bytes, Isolation, Read};

use super::edn::Edn;
use super::jepsen::{Moment, Operation, operations};
use super::{FormatError, Input, LeftOut, Notation, Origin};
use crate::view::Map;

/// The uses of a key that distinguish lists from registers.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    appended: bool,
    written: bool,
    /// A read returned a sequence.
    listed: bool,
}

impl Uses {
    fn is_list(self) -> bool {
        self.appended || self.listed && !self.written
    }
}

pub(super) fn read(bytes: &[u8], is_json: bool) -> Result<Input, FormatError> {
    let mut builder = Builder { timed: true, ..Builder::default() };
    operations(bytes, is_json, &mut |operation| builder.operation(operation))?;
    builder.settle()?;
    let left_out = builder.left_out.into_iter().map(|(what, count)| LeftOut { what, count }).collect();
    Ok(Input {
        history: History { lives: Vec::new(), txns: builder.txns },
        timed: builder.timed,
        notation: Notation::Edn,
        origins: builder.origins,
        processes: builder.processes,
        left_out,
    })
}

#[derive(Default)]
struct Builder {
    timed: bool,
    clock: Time,
    txns: Vec<Txn>,
    origins: Vec<Origin>,
    /// By process: its session.
    sessions: Map<String, Session>,
    processes: Vec<String>,
    /// By session: the transaction that it runs.
    running: Map<Session, usize>,
    uses: Map<Bytes, Uses>,
    left_out: std::collections::BTreeMap<String, u64>,
}

impl Builder {
    fn operation(&mut self, operation: &Operation<'_>) -> Result<(), String> {
        if operation.by_nemesis() {
            self.leave_out("by the nemesis".to_owned());
            return Ok(());
        }
        let session = self.session(&operation.process);
        let running = self.running.get(&session).copied();
        let ends = running.is_some() && operation.moment != Moment::Invoke;
        let ops = match operation.value.items() {
            Some(ops) if is_transaction(operation.function, ops) => ops,
            _ if ends => &[],
            _ => {
                let function = operation.function.map_or("no :f".to_owned(), |name| format!(":f :{name}"));
                self.leave_out(format!("with {function}, which are no transactions"));
                return Ok(());
            }
        };
        self.clock += 1;
        let at = self.clock;
        let origin = Origin { line: operation.line, index: operation.index };
        if operation.moment == Moment::Invoke {
            let ops = self.ops(ops, false)?;
            let index = self.push(session, at, ops, Outcome::Unknown { invoked: at }, origin);
            self.running.insert(session, index);
            return Ok(());
        }
        let index = match self.running.remove(&session) {
            Some(index) => index,
            None => {
                // Without an invocation its begin is unknown, so real time decides nothing.
                self.timed = false;
                let ops = self.ops(ops, false)?;
                self.push(session, 0, ops, Outcome::Running, origin)
            }
        };
        if operation.moment == Moment::Ok {
            self.txns[index].ops = self.ops(ops, true)?;
        }
        let txn = &mut self.txns[index];
        let invoked = txn.begun;
        txn.outcome = match operation.moment {
            Moment::Ok => Outcome::Committed { invoked, acked: at, version: None, durable: None },
            Moment::Fail => Outcome::Aborted { at, conflicts: Vec::new() },
            Moment::Info | Moment::Invoke => Outcome::Unknown { invoked },
        };
        self.origins[index] = origin;
        Ok(())
    }

    fn session(&mut self, process: &str) -> Session {
        if let Some(session) = self.sessions.get(process) {
            return *session;
        }
        let session = Session::try_from(self.processes.len()).unwrap_or(Session::MAX);
        self.sessions.insert(process.to_owned(), session);
        self.processes.push(process.to_owned());
        session
    }

    fn leave_out(&mut self, what: String) {
        *self.left_out.entry(what).or_default() += 1;
    }

    fn push(
        &mut self,
        session: Session,
        begun: Time,
        ops: Vec<Op>,
        outcome: Outcome,
        origin: Origin,
    ) -> usize {
        let index = self.txns.len();
        self.origins.push(origin);
        self.txns.push(Txn {
            index: TxnIndex::try_from(index).unwrap_or(TxnIndex::MAX),
            session,
            life: 0,
            begun,
            start_version: None,
            isolation: Isolation::Serializable,
            ops,
            outcome,
        });
        index
    }

    /// Returns the operations of a transaction; reads only if they were `answered`.
    fn ops(&mut self, list: &[Edn<'_>], answered: bool) -> Result<Vec<Op>, String> {
        let mut ops = Vec::with_capacity(list.len());
        for op in list {
            let Some([function, key, rest @ ..]) = op.items() else {
                return Err("expected an operation like [:r key value]".to_owned());
            };
            let key = key.canonical().into_bytes();
            let value = rest.first().unwrap_or(&Edn::Nil);
            match function.name() {
                Some("append") => {
                    self.uses.entry_ref(key.as_slice()).or_default().appended = true;
                    ops.push(Op::Append { key, element: bytes(value) });
                }
                Some("w") => {
                    self.uses.entry_ref(key.as_slice()).or_default().written = true;
                    ops.push(Op::Put { key, value: bytes(value) });
                }
                Some("r") if answered => ops.push(self.answer(key, value)),
                Some("r") => {}
                _ => return Err("expected one of :append, :w and :r".to_owned()),
            }
        }
        Ok(ops)
    }

    /// Returns a read; whether of a list or a register is settled when the whole file was read.
    fn answer(&mut self, key: Bytes, value: &Edn<'_>) -> Op {
        match value {
            Edn::Sequence(items) => {
                self.uses.entry_ref(key.as_slice()).or_default().listed = true;
                Op::List { key, elements: items.iter().map(bytes).collect(), version: None }
            }
            Edn::Nil => Op::Get { key, read: Read::default() },
            value => Op::Get { key, read: Read { value: Some(bytes(value)), version: None } },
        }
    }

    /// Turns reads into reads of lists or of registers, by the uses of their keys.
    fn settle(&mut self) -> Result<(), FormatError> {
        for txn in &mut self.txns {
            let line = self.origins[txn.index as usize].line.max(1) as usize;
            for op in &mut txn.ops {
                let settled = match op {
                    Op::Get { key, read } if self.uses.get(key).is_some_and(|uses| uses.is_list()) => {
                        if read.value.is_some() {
                            let key = String::from_utf8_lossy(key);
                            let why = format!("{key} is appended to, so a read of it must return a list");
                            return Err(FormatError::new(line, 1, why));
                        }
                        Op::List { key: std::mem::take(key), elements: Vec::new(), version: None }
                    }
                    Op::List { key, elements, .. }
                        if !self.uses.get(key).is_some_and(|uses| uses.is_list()) =>
                    {
                        let mut text = elements.join(&b' ');
                        text.insert(0, b'[');
                        text.push(b']');
                        Op::Get { key: std::mem::take(key), read: Read { value: Some(text), version: None } }
                    }
                    _ => continue,
                };
                *op = settled;
            }
        }
        Ok(())
    }
}

/// Returns whether an operation is a transaction: by its name, or without that name by its shape.
fn is_transaction(function: Option<&str>, ops: &[Edn<'_>]) -> bool {
    let shaped = |op: &Edn<'_>| {
        let function = op.items().filter(|parts| parts.len() > 1).and_then(|parts| parts[0].name());
        matches!(function, Some("r" | "w" | "append"))
    };
    match function {
        None | Some("txn") => true,
        Some(_) => !ops.is_empty() && ops.iter().all(shaped),
    }
}

fn bytes(value: &Edn<'_>) -> Bytes {
    value.canonical().into_bytes()
}

#[cfg(test)]
mod tests {
    use stormproof_workloads::history::{Op, Outcome};

    use super::read;

    const HISTORY: &str = "; a comment first\n\
        {:type :info, :process :nemesis, :f :kill, :value \":append\"}\n\
        {:index 0, :type :invoke, :process 0, :f :txn, :value [[:append 1 1] [:r 1 nil]], :time 1}\n\
        {:type :invoke, :process 1, :f :txn, :value [[:append 1 2]]}\n\
        {:type :ok, :process 0, :f :txn, :value [[:append 1 1] [:r 1 [1]]]}\n\
        {:type :info, :process 1, :f :txn, :value [[:append 1 2]], :error [:timeout \"a ] b\"]}\n\
        #jepsen.history.Op{:type :invoke, :process 2, :f :txn, :value [[:r 1 nil]]}\n";

    #[test]
    fn comments_nemesis_and_unanswered_operations_are_read() {
        let input = read(HISTORY.as_bytes(), false).expect("reads");
        let txns = &input.history.txns;
        assert_eq!(txns.len(), 3);
        assert!(input.timed);
        assert!(matches!(txns[0].outcome, Outcome::Committed { .. }));
        assert_eq!(txns[0].ops.len(), 2);
        assert!(matches!(txns[1].outcome, Outcome::Unknown { .. }));
        assert!(txns[2].ops.is_empty());
        assert_eq!((input.origins[0].line, input.origins[1].line), (5, 6));
        assert_eq!((input.left_out.len(), input.left_out[0].count), (1, 1));
    }

    #[test]
    fn an_operation_without_its_type_is_named_with_line_and_column() {
        let error = read(b"{:type :ok, :process 0, :value []}\n {:process 1}", false).expect_err("bad");
        assert_eq!((error.line, error.column), (2, 2));
    }

    #[test]
    fn an_append_in_a_comment_or_in_an_error_makes_no_register_a_list() {
        let text = "; :append\n{:type :ok, :process 0, :value [[:r :x nil] [:w :y [1 2]] [:r :y [1 2]]]}";
        let input = read(text.as_bytes(), false).expect("reads");
        let ops = &input.history.txns[0].ops;
        assert!(matches!(&ops[0], Op::Get { read, .. } if read.value.is_none()), "{ops:?}");
        assert!(
            matches!(&ops[2], Op::Get { read, .. } if read.value.as_deref() == Some(b"[1 2]")),
            "{ops:?}"
        );
    }
}
