//! Keys, values, errors and conflicts: from the engine's types to those of histories, and back.

use stormproof_workloads::store::{
    Conflict, ConflictKind, Entry, Range, Result, StoreError, machine_key, stream_key,
};

use super::engine::{self, ConflictInfo, Error, IntoKey, Key, KeyRange, TypeTag, Value, Version};
use crate::store::calls::{Calls, OK};

/// Returns a range of plain keys in the shared namespace, as workloads have them; one without an end stops
/// where these do.
pub(in super::super) fn key_range(range: &Range) -> KeyRange {
    let start = range.start.as_slice().into_key();
    let end = match &range.end {
        Some(end) => Some(end.as_slice().into_key()),
        None => KeyRange::prefix("").end().cloned(),
    };
    match end {
        Some(end) => KeyRange::between(start, end),
        None => KeyRange::prefix(start.user_key()),
    }
}

/// Returns what is stored for the bytes of a workload.
pub(super) fn stored(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { Value::from(bytes) }
}

pub(in super::super) fn entry(found: engine::Entry) -> Result<Entry> {
    Ok(Entry {
        key: found.user_key().to_vec(),
        value: bytes(&found.to_value())?,
        version: found.version().map(Version::get),
    })
}

pub(in super::super) fn bytes(value: &Value) -> Result<Vec<u8>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        // What acts write.
        Value::I64(number) => Ok(number.to_string().into_bytes()),
        other => Err(StoreError::Refused(format!("a value is a {}, not bytes", other.type_name()))),
    }
}

/// Counts a call, and translates its answer.
pub(in super::super) fn counted<R>(
    calls: &Calls,
    function: &'static str,
    answer: engine::Result<R>,
) -> Result<R> {
    calls.add(function, outcome(&answer));
    answer.map_err(error)
}

/// Returns how a call ended, in a word.
pub(crate) fn outcome<R>(answer: &engine::Result<R>) -> &'static str {
    let Err(error) = answer else { return OK };
    match error {
        Error::Conflict(_) => "Conflict",
        Error::MaxRetriesExceeded { .. } => "MaxRetriesExceeded",
        Error::Timeout { .. } => "Timeout",
        Error::LimitExceeded { .. } => "LimitExceeded",
        Error::NotActive { .. } => "NotActive",
        Error::ReadOnly => "ReadOnly",
        Error::RunNotFound(_) => "RunNotFound",
        Error::RunExists(_) => "RunExists",
        Error::RunEnded(_) => "RunEnded",
        Error::Value(_) => "Value",
        Error::Invalid(_) => "Invalid",
        Error::InvalidTransition { .. } => "InvalidTransition",
        Error::BrokenChain { .. } => "BrokenChain",
        Error::Indeterminate { .. } => "Indeterminate",
        Error::Poisoned { .. } => "Poisoned",
        Error::Closed => "Closed",
        Error::DiskFull { .. } => "DiskFull",
        Error::Io { .. } => "Io",
        Error::Corruption { .. } => "Corruption",
        Error::Missing { .. } => "Missing",
        Error::Displaced { .. } => "Displaced",
        _ => "other",
    }
}

pub(in super::super) fn error(error: Error) -> StoreError {
    let text = error.to_string();
    match error {
        Error::LimitExceeded { what, limit, actual } => {
            StoreError::Limit { what: what.into(), limit: limit as u64, actual: actual as u64 }
        }
        Error::Timeout { limit } => {
            StoreError::TimedOut { micros: u64::try_from(limit.as_micros()).unwrap_or(u64::MAX) }
        }
        Error::Conflict(conflicts) | Error::MaxRetriesExceeded { conflicts, .. } => {
            StoreError::Conflict(conflicts.iter().map(conflict).collect())
        }
        Error::Indeterminate { .. } => StoreError::Indeterminate(text),
        Error::Poisoned { .. } | Error::Closed => StoreError::Closed(text),
        // Nothing happened, and it may work later.
        Error::DiskFull { .. } | Error::Io { .. } => StoreError::Full(text),
        _ => StoreError::Refused(text),
    }
}

fn conflict(info: &ConflictInfo) -> Conflict {
    let of = |kind, key: &Key, winner: &Version| Conflict::new(kind, recorded(key), Some(winner.get()));
    match info {
        ConflictInfo::ReadConflict { key, read, current } => {
            Conflict { seen: Some(read.get()), ..of(ConflictKind::Read, key, current) }
        }
        // Others wrote nothing: time did.
        ConflictInfo::Expired { key, current, .. } => {
            Conflict { seen: Some(current.get()), ..Conflict::new(ConflictKind::Read, recorded(key), None) }
        }
        ConflictInfo::WriteConflict { key, start, current } => {
            Conflict { seen: Some(start.get()), ..of(ConflictKind::Write, key, current) }
        }
        ConflictInfo::CasConflict { key, current, .. } => of(ConflictKind::Cas, key, current),
        ConflictInfo::RangeConflict { start, end, key, current } if is_plain(start) && is_plain(key) => {
            // The end of the namespace is no key.
            let last = KeyRange::prefix("");
            let end = end.as_ref().filter(|end| last.end() != Some(*end)).map(|end| end.user_key().to_vec());
            let range = Range { start: start.user_key().to_vec(), end };
            Conflict { range: Some(range), ..of(ConflictKind::Range, key, current) }
        }
        // Streams are kept entry by entry, and are lists in histories.
        ConflictInfo::RangeConflict { start, current, .. } => of(ConflictKind::Range, start, current),
        other => unreachable!("a kind of conflict that histories do not have: {other}"),
    }
}

/// Returns whether a key is one that workloads know by its name.
fn is_plain(key: &Key) -> bool {
    !matches!(key.tag(), Some(TypeTag::Event | TypeTag::State | TypeTag::Run))
}

/// Returns the key by which histories name what the engine stores under `key`.
fn recorded(key: &Key) -> Vec<u8> {
    let user = key.user_key();
    match key.tag() {
        // The stream's name, and the event's number behind it.
        Some(TypeTag::Event) => stream_key(&first_name(user)),
        // The kind, and the machine's name behind it.
        Some(TypeTag::State) => {
            machine_key(&first_name(&user[(MACHINES.len() + END.len()).min(user.len())..]))
        }
        _ => user.to_vec(),
    }
}

/// The kind of all machines.
pub(super) const MACHINES: &str = "machine";

/// Ends a name inside a key. Workloads have no names with zero bytes.
const END: &[u8] = &[0, 1];

fn first_name(bytes: &[u8]) -> String {
    let end = bytes.windows(END.len()).position(|window| window == END).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
