//! Keys, values, errors and conflicts: from the engine's types to those of histories, and back.

use stormproof_workloads::store::{
    Conflict, ConflictKind, Entry, Range, Result, StoreError, machine_key, stream_key,
};

use super::engine::{self, ConflictInfo, Error, IntoKey, Key, KeyRange, TypeTag, Value, Version};

/// Returns a range of plain keys in the shared namespace, as workloads have them; one without an end stops
/// where these do.
pub(super) fn key_range(range: &Range) -> KeyRange {
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

pub(super) fn entry(found: engine::Entry) -> Result<Entry> {
    Ok(Entry {
        key: found.user_key().to_vec(),
        value: bytes(&found.to_value())?,
        version: found.version().map(Version::get),
    })
}

pub(super) fn bytes(value: &Value) -> Result<Vec<u8>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        other => Err(StoreError::Refused(format!("a value is a {}, not bytes", other.type_name()))),
    }
}

pub(super) fn error(error: Error) -> StoreError {
    let text = error.to_string();
    match error {
        Error::Conflict(conflicts) | Error::MaxRetriesExceeded { conflicts, .. } => {
            StoreError::Conflict(conflicts.iter().map(conflict).collect())
        }
        Error::Indeterminate { .. } => StoreError::Indeterminate(text),
        Error::Poisoned { .. } | Error::Closed => StoreError::Closed(text),
        // Nothing has changed, and a retry may succeed.
        Error::DiskFull { .. } | Error::Io { .. } => StoreError::Full(text),
        _ => StoreError::Refused(text),
    }
}

fn conflict(info: &ConflictInfo) -> Conflict {
    let (kind, key, winner): (_, &Key, _) = match info {
        ConflictInfo::ReadConflict { key, current, .. } => (ConflictKind::Read, key, current),
        ConflictInfo::WriteConflict { key, current, .. } => (ConflictKind::Write, key, current),
        ConflictInfo::CasConflict { key, current, .. } => (ConflictKind::Cas, key, current),
        ConflictInfo::RangeConflict { start, current, .. } => (ConflictKind::Range, start, current),
        other => unreachable!("a kind of conflict that histories do not have: {other}"),
    };
    Conflict { kind, key: recorded(key), winner: Some(winner.get()) }
}

/// Returns the key by which histories name what the engine stores under `key`.
fn recorded(key: &Key) -> Vec<u8> {
    let user = key.user_key();
    match key.tag() {
        // The stream's name, and the event's number after it.
        Some(TypeTag::Event) => stream_key(&first_name(user)),
        // The kind, and the machine's name after it.
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
