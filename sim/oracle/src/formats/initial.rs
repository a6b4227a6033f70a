//! The state of registers before all transactions.

use std::str::FromStr;

use stormproof_workloads::history::{Op, Txn};
use stormproof_workloads::store::{Bytes, Expected, Key, Read};

use super::{Input, Notation};
use crate::view::Map;

/// The value that registers have before all transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Initial {
    /// As usual in the format: nothing, and in formats that number their values 0, if it is never written.
    #[default]
    Default,
    /// This value, as it is written in the file.
    Value(Bytes),
    /// The value that was read first of a register, if it is never written: one for each register.
    Any,
}

impl FromStr for Initial {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "any" { Self::Any } else { Self::Value(text.as_bytes().to_vec()) })
    }
}

impl Initial {
    /// Turns reads of the initial value into reads of nothing.
    pub(super) fn apply(&self, input: &mut Input) {
        let txns = &mut input.history.txns;
        match self {
            Self::Default if input.notation == Notation::Text => of_value(txns, b"0"),
            Self::Default => {}
            Self::Value(value) => of_value(txns, value),
            Self::Any => of_first(txns),
        }
    }
}

/// Returns what is ever written: everything, or only this value.
fn written(txns: &[Txn], only: Option<&[u8]>) -> Map<(Key, Bytes), ()> {
    let mut written = Map::default();
    for op in txns.iter().flat_map(|txn| &txn.ops) {
        if let Op::Put { key, value } | Op::PutExpiring { key, value, .. } | Op::Cas { key, value, .. } = op
            && only.is_none_or(|only| only == value)
        {
            written.insert((key.clone(), value.clone()), ());
        }
    }
    written
}

fn of_value(txns: &mut [Txn], value: &[u8]) {
    let writes = written(txns, Some(value));
    forget(txns, |key, seen| seen == value && !writes.contains_key(&(key.clone(), seen.clone())));
}

fn of_first(txns: &mut [Txn]) {
    let written = written(txns, None);
    let mut initial: Map<Key, Option<Bytes>> = Map::default();
    for op in txns.iter().flat_map(|txn| &txn.ops) {
        let Op::Get { key, read } = op else { continue };
        match &read.value {
            // A register that was read as nothing began with nothing.
            None => {
                initial.insert(key.clone(), None);
            }
            Some(value) if !written.contains_key(&(key.clone(), value.clone())) => {
                initial.entry(key.clone()).or_insert_with(|| Some(value.clone()));
            }
            Some(_) => {}
        }
    }
    forget(txns, |key, seen| initial.get(key).is_some_and(|value| value.as_ref() == Some(seen)));
}

/// Replaces initial values in reads and conditions by nothing.
fn forget(txns: &mut [Txn], is_initial: impl Fn(&Key, &Bytes) -> bool) {
    for op in txns.iter_mut().flat_map(|txn| &mut txn.ops) {
        match op {
            Op::Get { key, read } if read.value.as_ref().is_some_and(|value| is_initial(key, value)) => {
                *read = Read { value: None, version: read.version };
            }
            Op::Cas { key, expected: expected @ Expected::Value(_), .. } => {
                if let Expected::Value(value) = expected
                    && is_initial(key, value)
                {
                    *expected = Expected::Absent;
                }
            }
            _ => {}
        }
    }
}
