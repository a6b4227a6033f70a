//! A store that is a map, on a simulated disk.

use std::collections::BTreeMap;

use env::Disk;
use rt::sync::Arc;
use rt::sync::atomic::{AtomicU64, Ordering};
use stormproof_faults::{Decision, DiskHook, DiskOptions, Operation, SimDisk, SimEntropy};

use crate::checkpoint::{CheckpointInfo, CheckpointWriter};
use crate::encoding::decode_value;
use crate::error::{Error, Result};
use crate::mvcc::{Page, Record, StoredPage};
use crate::recovery::{Opened, RecoveryOptions, RecoverySink, open};
use crate::types::{RunNumber, TxnId, Version};
use crate::value::Value;
use crate::wal::{LogOptions, RecoveredWrite};

/// What a key holds: version, transaction, value.
pub(super) type Cell = (Version, TxnId, Option<Value>);
/// The whole content.
pub(super) type Content = BTreeMap<Vec<u8>, Cell>;

#[derive(Debug, Default)]
pub(super) struct MapSink(pub(super) Content);

impl MapSink {
    fn put(&mut self, write: &RecoveredWrite<'_>) -> Result<()> {
        let value = write
            .value
            .map(decode_value)
            .transpose()
            .map_err(|problem| Error::Invalid(problem.to_owned()))?;
        self.0.insert(write.key.to_vec(), (write.version, write.transaction, value));
        Ok(())
    }
}

impl RecoverySink for MapSink {
    fn load(&mut self, pages: Vec<StoredPage>) -> Result<()> {
        for entry in pages.iter().flat_map(StoredPage::entries) {
            assert!(self.0.last_key_value().is_none_or(|(last, _)| last.as_slice() < entry.key()));
            let entry = (entry.key().to_vec(), entry.to_entry());
            self.0.insert(entry.0, (entry.1.version, entry.1.txn, entry.1.value));
        }
        Ok(())
    }

    fn apply(&mut self, writes: &[RecoveredWrite<'_>]) -> Result<()> {
        writes.iter().try_for_each(|write| self.put(write))
    }
}

/// Small enough that segments rotate after some commits.
pub(super) fn small() -> LogOptions {
    LogOptions { segment_bytes_max: 600, allocate_bytes: 256, ..LogOptions::default() }
}

pub(super) fn sim_disk() -> SimDisk {
    SimDisk::new(DiskOptions::default())
}

/// An open store.
pub(super) struct Store {
    pub(super) opened: Opened,
    pub(super) content: Content,
    next_version: Version,
    next_txn: TxnId,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("report", &self.opened.report).finish_non_exhaustive()
    }
}

impl Store {
    pub(super) fn open(disk: Arc<dyn Disk>, options: impl Into<RecoveryOptions>) -> Result<Self> {
        let mut sink = MapSink::default();
        let opened = open(disk, options, &SimEntropy::new(7), &mut sink)?;
        let (next_version, next_txn) = (opened.first_version, opened.first_txn);
        Ok(Self { opened, content: sink.0, next_version, next_txn })
    }

    /// Commits a group of transactions, each with one write; as the commit leader does.
    pub(super) fn commit(&mut self, writes: &[(&str, Option<Value>)]) -> Result<Version> {
        let log = &self.opened.log;
        log.admit(writes.len() as u64)?;
        let (mut version, mut txn) = (self.next_version, self.next_txn);
        for (key, value) in writes {
            log.append(version, txn, RunNumber::new(3), |record| match value {
                Some(value) => record.put(key.as_bytes(), &value.encoded(), None),
                None => record.delete(key.as_bytes()),
            })?;
            (version, txn) = (version.next(), txn.next());
        }
        log.end_group()?;
        for (key, value) in writes {
            let cell = (self.next_version, self.next_txn, value.clone());
            self.content.insert(key.as_bytes().to_vec(), cell);
            (self.next_version, self.next_txn) = (self.next_version.next(), self.next_txn.next());
        }
        log.before_ack()?;
        Ok(Version::new(version.get() - 1))
    }

    pub(super) fn put(&mut self, key: &str, value: i64) -> Result<Version> {
        self.commit(&[(key, Some(Value::I64(value)))])
    }

    pub(super) fn last_version(&self) -> Version {
        Version::new(self.next_version.get() - 1)
    }

    pub(super) fn checkpoint(&self) -> Result<CheckpointInfo> {
        let log = &self.opened.log;
        let capture = log.capture()?;
        let version = self.content.values().map(|cell| cell.0).max().unwrap_or_default();
        let mut writer = CheckpointWriter::begin(log, capture, version.max(capture.version))?;
        let by = |txn| (txn, RunNumber::new(3));
        let record = |(key, (version, txn, value)): (&Vec<u8>, &Cell)| {
            let value = value.as_ref().map(Value::encoded);
            Record::new(&mut Vec::new(), key, value.as_deref(), *version, by(*txn), None.into())
        };
        let records: Vec<Record> = self.content.iter().map(record).collect();
        for page in records.chunks(3).map(Page::of) {
            writer.push(&page)?;
            writer.write_full_block()?;
        }
        writer.finish()
    }
}

/// Returns what a store with these options finds on the disk.
pub(super) fn recovered(disk: &SimDisk, options: impl Into<RecoveryOptions>) -> Result<Store> {
    let store = Store::open(disk.mount(), options)?;
    store.opened.log.close()?;
    Ok(store)
}

/// Contents after each commit, from the empty one on.
#[derive(Debug, Default)]
pub(super) struct Storyline {
    pub(super) states: Vec<Content>,
    /// How many commits were acked.
    pub(super) acked: usize,
    /// The highest version that was ever used.
    pub(super) highest: Version,
}

impl Storyline {
    /// Checks what was recovered: a prefix of the commits that has all that were acked. Later commits build
    /// on it.
    pub(super) fn judge(&mut self, what: &str, store: &Store) {
        let found = self.states.iter().rposition(|state| *state == store.content);
        let Some(found) = found else {
            panic!("{what}: {:?} is no prefix of {:?}", store.content, self.states.last());
        };
        assert!(found >= self.acked, "{what}: {} commits were acked, {found} are there", self.acked);
        assert!(store.opened.first_version > self.highest, "{what}: versions may be used again");
        self.states.truncate(found + 1);
        self.acked = found;
    }

    /// Commits `count` times, with a checkpoint now and then, until something fails.
    pub(super) fn run(&mut self, store: &mut Store, count: i64, checkpoints: bool) -> Result<()> {
        if self.states.is_empty() {
            self.states.push(Content::new());
        }
        for number in 0..count {
            let mut next = self.states.last().unwrap().clone();
            let version = store.next_version;
            let key = format!("key {}", number % 5);
            let value = (number % 4 != 3).then_some(Value::I64(number));
            next.insert(key.clone().into_bytes(), (version, store.next_txn, value.clone()));
            self.states.push(next);
            self.highest = version;
            store.commit(&[(&key, value)])?;
            self.acked = self.states.len() - 1;
            if checkpoints && number % 9 == 8 {
                store.checkpoint()?;
            }
        }
        Ok(())
    }
}

/// Cuts the power before one operation, by its number.
#[derive(Debug)]
pub(super) struct CutAt(AtomicU64);

impl CutAt {
    pub(super) fn after(operations: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new("test.cut", operations)))
    }
}

impl DiskHook for CutAt {
    fn before(&self, _operation: &Operation) -> Decision {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 { Decision::CutPower } else { Decision::Proceed }
    }
}
