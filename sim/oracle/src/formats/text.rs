//! One operation a line: `r(key,value,session,transaction)` or `w(…)`.

use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Session};
use stormproof_workloads::store::Read;

use super::{FormatError, Input, untimed, zero_is_nothing};
use crate::view::Map;

pub(super) fn read(text: &str) -> Result<Input, FormatError> {
    let mut places: Map<(&str, &str), usize> = Map::default();
    let mut sessions: Map<&str, Session> = Map::default();
    let mut txns: Vec<(Session, Vec<Op>)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let error = |at: usize, message: &str| FormatError::new(number, indent + at + 1, message);
        let kind = trimmed.as_bytes()[0];
        let inner = trimmed
            .get(1..)
            .filter(|_| kind == b'r' || kind == b'w')
            .and_then(|rest| rest.strip_prefix('('))
            .ok_or_else(|| error(0, "expected r(key,value,session,transaction) or w(…)"))?;
        let inner = inner.strip_suffix(')').ok_or_else(|| error(trimmed.len() - 1, "expected a )"))?;
        let fields: Vec<&str> = inner.split(',').map(str::trim).collect();
        let [key, value, session, txn] = fields[..] else {
            let message = format!(
                "expected four fields, key, value, session and transaction, and got {}",
                fields.len()
            );
            return Err(error(2, &message));
        };
        let fresh = Session::try_from(sessions.len()).unwrap_or(Session::MAX);
        let session_id = *sessions.entry(session).or_insert(fresh);
        let place = *places.entry((session, txn)).or_insert_with(|| {
            txns.push((session_id, Vec::new()));
            txns.len() - 1
        });
        let (key, value) = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        txns[place].1.push(match kind {
            b'w' => Op::Put { key, value },
            _ => Op::Get { key, read: Read { value: Some(value), version: None } },
        });
    }
    let txns = txns.into_iter().enumerate();
    let mut txns: Vec<_> = txns.map(|(index, (session, ops))| untimed(index, session, ops, true)).collect();
    zero_is_nothing(&mut txns);
    Ok(Input { history: History { lives: Vec::new(), txns }, timed: false })
}

#[cfg(test)]
mod tests {
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
}
