//! Reads the whole content of a store, in the forms that its clients gave it, and records it as one more
//! client.
//!
//! Job: one read-only transaction that sees every key, and every list, stream and machine that the history
//! mentions: a key that clients never list could be lost unnoticed. Not its job: judging any of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stormproof_workloads::Notebook;
use stormproof_workloads::history::{Event, Life, Op, Recorder};
use stormproof_workloads::store::{
    Entry, Key, Range, Read, Result, Store, StoreError, StoreTxn, TxnOptions, machine_key, stream_key,
};

/// The session of the inspector, which reads the whole store after opening it and after the last client.
pub const INSPECTOR: u32 = u32::MAX;

/// Reads everything and records it: key by key, and lists, streams and machines as clients read them, by the
/// names in the history. Returns the whole state, if that worked.
pub fn inspect(
    recorder: &Recorder,
    store: &dyn Store,
    life: Life,
    names: &Names,
    notebook: &Notebook,
) -> Option<Vec<Entry>> {
    let options = TxnOptions { read_only: true, ..TxnOptions::default() };
    let called = recorder.tick();
    let mut txn = store.begin(&options).ok()?;
    let index = recorder.begin(INSPECTOR, life, called, txn.start_version(), options.isolation);
    let state = match read(&mut *txn, names, notebook) {
        Ok(seen) => {
            seen.ops.into_iter().for_each(|op| recorder.op(index, op));
            seen.state
        }
        Err(error) => {
            recorder.op(index, Op::Failed { what: "inspection".into(), error: error.to_string() });
            recorder.aborted(index, Vec::new());
            return None;
        }
    };
    recorder.commit(index);
    match txn.commit() {
        Ok(committed) => recorder.committed(index, &committed),
        Err(_) => recorder.unknown(index),
    }
    Some(state)
}

/// The names of what is not kept as a plain key: lists, streams and machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Lists under plain keys.
    lists: BTreeSet<Key>,
    streams: BTreeSet<String>,
    machines: BTreeSet<String>,
}

impl Names {
    /// Returns the names that a history mentions.
    pub fn of(events: &[Event]) -> Self {
        let mut names = Self::default();
        names.learn(events);
        names
    }

    /// Adds the names in more events.
    pub fn learn(&mut self, events: &[Event]) {
        let names = self;
        let (stream, machine) = (stream_key(""), machine_key(""));
        for event in events {
            let Event::Op { op, .. } = event else { continue };
            match op {
                Op::Append { key, .. } | Op::List { key, .. } => match name(key, &stream) {
                    Some(stream) => _ = names.streams.insert(stream),
                    None => _ = names.lists.insert(key.clone()),
                },
                Op::Get { key, .. } | Op::Put { key, .. } | Op::Cas { key, .. } => {
                    names.machines.extend(name(key, &machine));
                }
                _ => {}
            }
        }
    }
}

impl Names {
    /// Returns whether what is under this key is read as a list below. A store without streams of its own
    /// keeps them there too.
    fn is_list(&self, key: &Key) -> bool {
        let stream = || name(key, &stream_key("")).is_some_and(|stream| self.streams.contains(&stream));
        self.lists.contains(key) || stream()
    }
}

fn name(key: &[u8], prefix: &[u8]) -> Option<String> {
    key.strip_prefix(prefix).map(|name| String::from_utf8_lossy(name).into_owned())
}

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    /// As the history has it.
    ops: Vec<Op>,
    /// As one list, to be compared with another.
    state: Vec<Entry>,
}

/// Reads everything; the notebook knows the events that were truncated.
fn read(txn: &mut dyn StoreTxn, names: &Names, notebook: &Notebook) -> Result<Seen> {
    let mut seen = Seen::default();
    for entry in txn.scan(&Range { start: Vec::new(), end: None }, None, false)? {
        if !names.is_list(&entry.key) {
            let read = Read { value: Some(entry.value.clone()), version: entry.version };
            seen.ops.push(Op::Get { key: entry.key.clone(), read });
        }
        seen.state.push(entry);
    }
    for key in &names.lists {
        let (elements, version) = txn.list(key)?;
        seen.ops.push(Op::List { key: key.clone(), elements, version });
    }
    for stream in &names.streams {
        let key = stream_key(stream);
        let events = txn.events(stream)?;
        let elements = notebook.whole_stream(stream, &events).ok_or_else(|| {
            StoreError::Refused(format!("stream {stream} begins where no client has truncated it"))
        })?;
        seen.state.push(Entry { key: key.clone(), value: elements.join(&b'\n'), version: None });
        seen.ops.push(Op::List { key, elements, version: None });
    }
    for machine in &names.machines {
        let key = machine_key(machine);
        let read = txn.machine(machine)?;
        if let Some(value) = read.value.clone() {
            seen.state.push(Entry { key: key.clone(), value, version: read.version });
        }
        seen.ops.push(Op::Get { key, read });
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stormproof_rt::sync::Arc;
    use stormproof_workloads::Notebook;
    use stormproof_workloads::history::Op;
    use stormproof_workloads::memory_store::MemoryStore;
    use stormproof_workloads::store::{Store, TxnOptions};

    use super::{Names, read};

    /// A stream, a list and a machine of a store that keeps all three as values, and a plain key.
    #[test]
    fn what_is_kept_in_another_form_is_read_in_that_form_only() {
        let store = MemoryStore::with_clock(Arc::new(|| Duration::ZERO));
        let mut txn = store.begin(&TxnOptions::default()).unwrap();
        txn.append_event("log", b"one").unwrap();
        txn.append(b"list", b"two").unwrap();
        txn.create_machine("machine", "idle").unwrap();
        txn.put(b"plain", b"value").unwrap();
        txn.commit().unwrap();
        let names = Names {
            lists: [b"list".to_vec()].into(),
            streams: ["log".to_owned()].into(),
            machines: ["machine".to_owned()].into(),
        };
        let mut txn = store.begin(&TxnOptions::default()).unwrap();
        let seen = read(&mut *txn, &names, &Notebook::new()).unwrap();
        let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        let gets = seen.ops.iter().filter_map(|op| match op {
            Op::Get { key, .. } => Some(text(key)),
            _ => None,
        });
        assert_eq!(gets.collect::<Vec<_>>(), ["machine/machine", "plain", "machine/machine"]);
        let lists = seen.ops.iter().filter_map(|op| match op {
            Op::List { key, elements, .. } => Some((text(key), elements.len())),
            _ => None,
        });
        assert_eq!(lists.collect::<Vec<_>>(), [("list".to_owned(), 1), ("stream/log".to_owned(), 1)]);
    }
}
