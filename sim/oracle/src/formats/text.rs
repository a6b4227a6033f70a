//! One operation a line: `r(key,value,session,transaction)` or `w(…)`, as PolySI and Plume write it.
//!
//! Transaction −1 marks an operation of an aborted transaction, as in Plume. Nothing says when a transaction
//! ran.

use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Session};
use stormproof_workloads::store::Read;

use super::{FormatError, Input, Notation, Origin, untimed};
use crate::view::Map;

/// Maximum length of a line, in bytes; a longer one is damage.
const LINE_MAX: usize = 1 << 20;

struct Row {
    session: Session,
    ops: Vec<Op>,
    committed: bool,
    line: usize,
}

pub(super) fn read(text: &str) -> Result<Input, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut places: Map<(&str, &str), usize> = Map::default();
    let mut sessions: Map<&str, Session> = Map::default();
    let mut processes: Vec<String> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let [kind, key, value, session, txn] = fields(number, line, trimmed)?;
        let fresh = Session::try_from(sessions.len()).unwrap_or(Session::MAX);
        let session_id = *sessions.entry(session).or_insert(fresh);
        if session_id == fresh {
            processes.push(session.to_owned());
        }
        let row = |committed| Row { session: session_id, ops: Vec::new(), committed, line: number };
        // Aborted operations do not belong together: what one wrote, another may have overwritten.
        let place = if txn == "-1" {
            rows.push(row(false));
            rows.len() - 1
        } else {
            *places.entry((session, txn)).or_insert_with(|| {
                rows.push(row(true));
                rows.len() - 1
            })
        };
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        rows[place].ops.push(match kind {
            "w" => Op::Put { key, value },
            _ => Op::Get { key, read: Read { value: Some(value), version: None } },
        });
    }
    let line = |row: &Row| u32::try_from(row.line).unwrap_or(u32::MAX);
    let origins = (0..).zip(&rows).map(|(index, row)| Origin { line: line(row), index }).collect();
    let txns = rows.into_iter().enumerate();
    let txns = txns.map(|(index, row)| untimed(index, row.session, row.ops, row.committed)).collect();
    Ok(Input {
        history: History { lives: Vec::new(), txns },
        timed: false,
        notation: Notation::Text,
        origins,
        processes,
        left_out: Vec::new(),
    })
}

/// Returns kind, key, value, session and transaction of a line.
fn fields<'l>(number: usize, line: &str, trimmed: &'l str) -> Result<[&'l str; 5], FormatError> {
    let indent = line.len() - line.trim_start().len();
    let error = |at: usize, message: &str| FormatError::new(number, indent + at + 1, message);
    if line.len() > LINE_MAX {
        return Err(error(LINE_MAX, "this line is longer than an operation can be"));
    }
    let kind = trimmed.get(..1).filter(|kind| matches!(*kind, "r" | "w"));
    let inner = kind.and_then(|_| trimmed[1..].strip_prefix('('));
    let (kind, inner) =
        kind.zip(inner).ok_or_else(|| error(0, "expected r(key,value,session,transaction) or w(…)"))?;
    let inner = inner.strip_suffix(')').ok_or_else(|| error(trimmed.len() - 1, "expected a )"))?;
    let fields: Vec<&str> = inner.split(',').map(str::trim).collect();
    let [key, value, session, txn] = fields[..] else {
        let count = fields.len();
        let message = format!("expected four fields, key, value, session and transaction, and got {count}");
        return Err(error(2, &message));
    };
    Ok([kind, key, value, session, txn])
}

#[cfg(test)]
mod tests {
    use stormproof_workloads::history::Outcome;

    use super::read;

    #[test]
    fn operations_of_one_transaction_are_put_together_wherever_they_stand() {
        let input = read("w(1,1,0,0)\nr(1,0,1,1)\nr(2,0,0,0)\n").expect("reads");
        assert_eq!(input.history.txns.len(), 2);
        assert_eq!(input.history.txns[0].ops.len(), 2);
    }

    #[test]
    fn a_line_with_too_few_fields_is_named() {
        let error = read("w(1,1,0,0)\n  r(1,0,1)\n").expect_err("bad");
        assert_eq!((error.line, error.column), (2, 5));
    }

    #[test]
    fn transaction_minus_one_is_aborted() {
        let input = read("w(1,1,0,-1)\nw(1,2,0,-1)\nr(1,1,1,1)\n").expect("reads");
        let outcomes: Vec<_> = input.history.txns.iter().map(|txn| &txn.outcome).collect();
        assert!(matches!(
            outcomes[..],
            [Outcome::Aborted { .. }, Outcome::Aborted { .. }, Outcome::Committed { .. }]
        ));
    }
}
