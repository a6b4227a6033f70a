//! Jepsen's operations, for Elle's list-append and rw-register workloads.
//!
//! Each operation is a map with `:type` (`:invoke`, `:ok`, `:fail`, `:info`), `:process` and `:value`, a list
//! of `[:append k v]`, `[:w k v]` and `[:r k v]`. Their order in the file is real time. A process that is no
//! number (the nemesis) is skipped, and so is every operation whose value is no transaction. `:info` and an
//! invocation without an end are unanswered commits. Any `:append` in the file makes all its reads reads of
//! lists.

use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Outcome, Session, Time, Txn, TxnIndex};
use stormproof_workloads::store::{Isolation, Read};

use super::edn::{Edn, Reader};
use super::{FormatError, Input};

pub(super) fn read(text: &str) -> Result<Input, FormatError> {
    let mut history = Builder { lists: text.contains(":append"), timed: true, ..Builder::default() };
    let mut reader = Reader::new(text);
    let inside = reader.enter_vector();
    while !reader.at_end(inside) {
        let (value, at) = reader.value()?;
        history.event(&value).map_err(|message| reader.error_at(at, message))?;
    }
    for (_, running) in history.running {
        history.txns[running].outcome = Outcome::Unknown { invoked: history.clock };
    }
    Ok(Input { history: History { lives: Vec::new(), txns: history.txns }, timed: history.timed })
}

#[derive(Default)]
struct Builder {
    lists: bool,
    timed: bool,
    clock: Time,
    txns: Vec<Txn>,
    /// By process: which transaction it runs.
    running: std::collections::BTreeMap<Session, usize>,
}

impl Builder {
    fn event(&mut self, event: &Edn<'_>) -> Result<(), String> {
        let Edn::Map(_) = event else { return Err("expected an operation, a map".to_owned()) };
        let kind = event.get("type").and_then(Edn::name).ok_or("this operation has no :type")?;
        let process = event.get("process").ok_or("this operation has no :process")?;
        let Edn::Atom(process) = process else { return Ok(()) };
        let Ok(process) = process.parse::<i64>() else { return Ok(()) };
        let Ok(session) = Session::try_from(process) else { return Ok(()) };
        let function = event.get("f").and_then(Edn::name);
        let value = match event.get("value") {
            Some(Edn::Sequence(ops)) if function.is_none_or(|function| function == "txn") => ops.as_slice(),
            _ if self.running.contains_key(&session) && kind != "invoke" => &[],
            _ => return Ok(()),
        };
        self.clock += 1;
        match kind {
            "invoke" => {
                let ops = self.ops(value, false)?;
                let (begun, invoked) = (self.clock, self.clock);
                let index = self.push(session, begun, ops, Outcome::Unknown { invoked });
                self.running.insert(session, index);
                Ok(())
            }
            "ok" => {
                let ops = self.ops(value, true)?;
                let acked = self.clock;
                let outcome = |invoked| Outcome::Committed { invoked, acked, version: None, durable: None };
                if let Some(index) = self.running.remove(&session) {
                    let txn = &mut self.txns[index];
                    txn.outcome = outcome(txn.begun);
                    txn.ops = ops;
                } else {
                    // Without invocations its begin is not known.
                    self.timed = false;
                    self.push(session, 0, ops, outcome(0));
                }
                Ok(())
            }
            "fail" | "info" => {
                let at = self.clock;
                let outcome = |invoked| match kind {
                    "fail" => Outcome::Aborted { at, conflicts: Vec::new() },
                    _ => Outcome::Unknown { invoked },
                };
                if let Some(index) = self.running.remove(&session) {
                    let txn = &mut self.txns[index];
                    txn.outcome = outcome(txn.begun);
                } else {
                    self.timed = false;
                    let ops = self.ops(value, false)?;
                    self.push(session, 0, ops, outcome(0));
                }
                Ok(())
            }
            other => Err(format!("there is no :type :{other}; expected :invoke, :ok, :fail or :info")),
        }
    }

    fn push(&mut self, session: Session, begun: Time, ops: Vec<Op>, outcome: Outcome) -> usize {
        let index = self.txns.len();
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

    /// The operations of a transaction; reads only if they were `answered`.
    fn ops(&self, list: &[Edn<'_>], answered: bool) -> Result<Vec<Op>, String> {
        let mut ops = Vec::with_capacity(list.len());
        for op in list {
            let Edn::Sequence(parts) = op else {
                return Err("expected an operation like [:r key value]".to_owned());
            };
            let [function, key, rest @ ..] = parts.as_slice() else {
                return Err("expected an operation like [:r key value]".to_owned());
            };
            let key = key.name().ok_or("a key must be a number, string or keyword")?.as_bytes().to_vec();
            let value = rest.first().unwrap_or(&Edn::Nil);
            match function.name() {
                Some("append") => ops.push(Op::Append { key, element: bytes(value)? }),
                Some("w") => ops.push(Op::Put { key, value: bytes(value)? }),
                Some("r") if answered => ops.push(self.answer(key, value)?),
                Some("r") => {}
                _ => return Err("expected one of :append, :w and :r".to_owned()),
            }
        }
        Ok(ops)
    }

    fn answer(&self, key: Vec<u8>, value: &Edn<'_>) -> Result<Op, String> {
        match value {
            Edn::Sequence(items) => {
                let elements = items.iter().map(bytes).collect::<Result<_, _>>()?;
                Ok(Op::List { key, elements, version: None })
            }
            Edn::Nil if self.lists => Ok(Op::List { key, elements: Vec::new(), version: None }),
            Edn::Nil => Ok(Op::Get { key, read: Read::default() }),
            value if self.lists => Err(format!("expected a list to be read, and got {value:?}")),
            value => Ok(Op::Get { key, read: Read { value: Some(bytes(value)?), version: None } }),
        }
    }
}

fn bytes(value: &Edn<'_>) -> Result<Vec<u8>, String> {
    value.name().map(|name| name.as_bytes().to_vec()).ok_or_else(|| "expected a plain value".to_owned())
}

#[cfg(test)]
mod tests {
    use stormproof_workloads::history::Outcome;

    use super::read;

    const HISTORY: &str = "; a comment first\n\
        {:type :info, :process :nemesis, :f :kill, :value nil}\n\
        {:index 0, :type :invoke, :process 0, :f :txn, :value [[:append 1 1] [:r 1 nil]], :time 1}\n\
        {:type :invoke, :process 1, :f :txn, :value [[:append 1 2]]}\n\
        {:type :ok, :process 0, :f :txn, :value [[:append 1 1] [:r 1 [1]]]}\n\
        {:type :info, :process 1, :f :txn, :value [[:append 1 2]], :error [:timeout \"a ] b\"]}\n\
        #jepsen.history.Op{:type :invoke, :process 2, :f :txn, :value [[:r 1 nil]]}\n";

    #[test]
    fn comments_nemesis_and_unanswered_operations_are_read() {
        let input = read(HISTORY).expect("reads");
        let txns = &input.history.txns;
        assert_eq!(txns.len(), 3);
        assert!(input.timed);
        assert!(matches!(txns[0].outcome, Outcome::Committed { .. }));
        assert_eq!(txns[0].ops.len(), 2);
        assert!(matches!(txns[1].outcome, Outcome::Unknown { .. }));
        assert!(txns[2].ops.is_empty());
    }

    #[test]
    fn an_operation_without_its_type_is_named_with_line_and_column() {
        let error = read("{:type :ok, :process 0, :value []}\n {:process 1}").expect_err("bad");
        assert_eq!((error.line, error.column), (2, 2));
    }
}
