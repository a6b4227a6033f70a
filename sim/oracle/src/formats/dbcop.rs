//! dbcop's histories: sessions of transactions of reads and writes of numbered variables, as bincode 1 or
//! JSON.
//!
//! Bincode, little-endian, lengths and numbers in eight bytes: the parameters (id, nodes, variables,
//! transactions, events), three strings (info, start, end), then sessions × transactions × events, each event
//! {write: u8, variable: u64, value: u64, success: u8}, each transaction ending in {success: u8}. JSON has
//! the same fields by name. Nothing says when a transaction ran.

use serde::Deserialize;
use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Session};
use stormproof_workloads::store::Read;

use super::detect::is_binary;
use super::{FormatError, Input, Notation, untimed};

#[derive(Deserialize)]
struct File {
    #[serde(alias = "sessions")]
    data: Vec<Vec<Transaction>>,
}

#[derive(Deserialize)]
struct Transaction {
    events: Vec<Event>,
    #[serde(alias = "committed", default = "yes")]
    success: bool,
}

#[derive(Deserialize)]
struct Event {
    write: bool,
    variable: u64,
    #[serde(alias = "version")]
    value: u64,
    #[serde(default = "yes")]
    success: bool,
}

fn yes() -> bool {
    true
}

pub(super) fn read(bytes: &[u8]) -> Result<Input, FormatError> {
    // An id of 91 or 123 begins with the byte of a bracket; but only JSON is text.
    let sessions = match bytes.trim_ascii_start().first() {
        Some(b'{' | b'[') if !is_binary(bytes) => json(bytes)?,
        _ => Bincode { bytes, at: 0 }.file()?,
    };
    let processes = (0..sessions.len()).map(|session| session.to_string()).collect();
    let mut txns = Vec::new();
    for (session, list) in (0..).zip(sessions) {
        for txn in list {
            let ops = txn.events.iter().filter(|event| event.success).map(op).collect();
            txns.push(untimed(txns.len(), session as Session, ops, txn.success));
        }
    }
    Ok(Input {
        history: History { lives: Vec::new(), txns },
        timed: false,
        notation: Notation::Text,
        origins: Vec::new(),
        processes,
        left_out: Vec::new(),
    })
}

fn json(bytes: &[u8]) -> Result<Vec<Vec<Transaction>>, FormatError> {
    let error =
        |error: serde_json::Error| FormatError::new(error.line(), error.column().max(1), error.to_string());
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice(bytes).map_err(error);
    }
    serde_json::from_slice::<File>(bytes).map(|file| file.data).map_err(error)
}

fn op(event: &Event) -> Op {
    let (key, value) = (event.variable.to_string().into_bytes(), event.value.to_string().into_bytes());
    match event.write {
        true => Op::Put { key, value },
        false => Op::Get { key, read: Read { value: Some(value), version: None } },
    }
}

struct Bincode<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bincode<'_> {
    fn file(mut self) -> Result<Vec<Vec<Transaction>>, FormatError> {
        for _ in 0..5 {
            self.number()?;
        }
        for _ in 0..3 {
            let length = self.length(1)?;
            self.at += length;
        }
        let sessions = self.length(8)?;
        let mut data = Vec::with_capacity(sessions);
        for _ in 0..sessions {
            let txns = self.length(9)?;
            let mut session = Vec::with_capacity(txns);
            for _ in 0..txns {
                session.push(self.txn()?);
            }
            data.push(session);
        }
        if self.at != self.bytes.len() {
            return Err(self.error("there is more than the history"));
        }
        Ok(data)
    }

    fn txn(&mut self) -> Result<Transaction, FormatError> {
        let count = self.length(18)?;
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            events.push(Event {
                write: self.flag()?,
                variable: self.number()?,
                value: self.number()?,
                success: self.flag()?,
            });
        }
        Ok(Transaction { events, success: self.flag()? })
    }

    fn number(&mut self) -> Result<u64, FormatError> {
        let bytes = self.bytes.get(self.at..self.at + 8).and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| self.error("the file ends too early"))?;
        self.at += 8;
        Ok(u64::from_le_bytes(bytes))
    }

    fn flag(&mut self) -> Result<bool, FormatError> {
        match self.bytes.get(self.at) {
            Some(flag @ (0 | 1)) => {
                self.at += 1;
                Ok(*flag == 1)
            }
            Some(_) => Err(self.error("expected 0 or 1")),
            None => Err(self.error("the file ends too early")),
        }
    }

    /// Reads a number of items of at least `size` bytes: more than are left is an error, and allocates
    /// nothing.
    fn length(&mut self, size: usize) -> Result<usize, FormatError> {
        let number = self.number()?;
        let left = (self.bytes.len() - self.at) / size;
        usize::try_from(number)
            .ok()
            .filter(|number| *number <= left)
            .ok_or_else(|| self.error("this length is more than the file has"))
    }

    fn error(&self, message: &str) -> FormatError {
        FormatError::new(0, self.at + 1, message)
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    fn bincode() -> Vec<u8> {
        let mut bytes = Vec::new();
        let number = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
        for parameter in [7, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1] {
            number(&mut bytes, parameter);
        }
        bytes.push(1);
        number(&mut bytes, 4);
        number(&mut bytes, 9);
        bytes.extend([1, 1]);
        bytes
    }

    #[test]
    fn bincode_and_json_of_one_history_read_alike() {
        let json = br#"{"params":{"id":7},"info":"","start":"","end":"","data":[[{"events":[{"write":true,"variable":4,"value":9,"success":true}],"success":true}]]}"#;
        let (binary, text) = (read(&bincode()).expect("reads"), read(json).expect("reads"));
        assert_eq!(binary.history, text.history);
        assert_eq!(binary.history.txns[0].ops.len(), 1);
    }

    #[test]
    fn an_id_that_begins_with_the_byte_of_a_bracket_is_no_json() {
        for first in *b"[{" {
            let mut bytes = bincode();
            bytes[0] = first;
            assert_eq!(read(&bytes).expect("reads").history.txns.len(), 1);
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
        let whole = bincode();
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }
}
