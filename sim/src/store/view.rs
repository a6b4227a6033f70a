//! Snapshots and backups of the whole store as transactions that only read: one source, compiled for the twin
//! and for the production engine.

use stormproof_workloads::act::{Act, RangeRead, Span, got, scanned};
use stormproof_workloads::history::Op;
use stormproof_workloads::store::{Committed, Entry, Expected, Range, Read, Result, StoreError, StoreTxn};

use super::acts::{all, spanned};
use super::adapter::{bytes, key_range};
use super::engine::{Database, Snapshot, Value, Version};
use super::visit::{visited, visits_by};
use crate::store::calls::Calls;

/// A snapshot that is read until it is committed, which does nothing.
pub(super) struct ViewTxn {
    pub(super) view: Snapshot,
    /// The database that it is of, if that is not the store. Behind the snapshot, which goes first.
    #[expect(dead_code, reason = "is open for as long as it is read, and closed after that")]
    pub(super) of: Option<Database>,
    pub(super) calls: Calls,
}

impl ViewTxn {
    fn read(&self, key: &[u8]) -> Result<Read> {
        self.calls.ok("Snapshot::get_versioned");
        let found = self.view.get_versioned(key);
        let value = found.value.as_ref().map(bytes).transpose()?;
        Ok(Read { value, version: found.version.map(Version::get) })
    }

    fn range(&self, key: &str, span: &Span, by: RangeRead) -> Result<Op> {
        let range = span.range(key);
        if matches!(span, Span::Prefix) {
            self.calls.ok("Snapshot::prefix");
            return Ok(scanned(&range, None, false, all(self.view.prefix(key))?));
        }
        self.calls.ok("Snapshot::range");
        let walked = self.view.range(spanned(key, span));
        let RangeRead::Visit { most, reverse } = by else {
            return Ok(scanned(&range, None, false, all(walked)?));
        };
        self.calls.ok(visits_by(most, reverse));
        Ok(scanned(&range, Some(most), reverse, visited(walked, most, reverse)?))
    }

    fn plain(&self, key: &str, value: Option<Value>) -> Result<Vec<Op>> {
        Ok(vec![got(key, value.as_ref().map(bytes).transpose()?, None)])
    }
}

impl StoreTxn for ViewTxn {
    fn start_version(&self) -> Option<u64> {
        self.calls.ok("Snapshot::version");
        Some(self.view.version().get())
    }

    fn get(&mut self, key: &[u8]) -> Result<Read> {
        self.read(key)
    }

    fn scan(&mut self, range: &Range, limit: Option<usize>, reverse: bool) -> Result<Vec<Entry>> {
        self.calls.ok("Snapshot::range");
        let found = self.view.range(key_range(range)).limit(limit.unwrap_or(usize::MAX));
        if reverse { all(found.rev()) } else { all(found) }
    }

    fn act(&mut self, key: &str, act: &Act) -> Result<Vec<Op>> {
        match act {
            Act::Get | Act::KvGet => {
                self.calls.ok("Snapshot::get");
                let found: Option<i64> =
                    self.view.get(key).map_err(|error| StoreError::Refused(error.to_string()))?;
                self.plain(key, found.map(Value::from))
            }
            Act::GetWith => {
                self.calls.ok("Snapshot::get_with");
                self.plain(key, self.view.get_with(key, |value| value.map(|value| value.to_value())))
            }
            Act::GetMany { other } => {
                self.calls.ok("Snapshot::get_many");
                let found: Vec<Option<i64>> = self
                    .view
                    .get_many([key, other.as_str()])
                    .map_err(|error| StoreError::Refused(error.to_string()))?;
                let ops = [key, other.as_str()].into_iter().zip(found);
                let ops = ops.map(|(key, found)| self.plain(key, found.map(Value::from)));
                Ok(ops.collect::<Result<Vec<_>>>()?.concat())
            }
            Act::Exists => {
                self.calls.ok("Snapshot::exists");
                self.calls.ok("Snapshot::value");
                let (exists, value) = (self.view.exists(key), self.view.value(key));
                if exists != value.is_some() {
                    return Err(StoreError::Refused(format!("whether {key} exists has two answers")));
                }
                self.plain(key, value)
            }
            Act::KvList => Ok(vec![self.range(key, &Span::Prefix, RangeRead::Scan)?]),
            Act::Range { span, by } => Ok(vec![self.range(key, span, *by)?]),
            act if act.writes() => refused(),
            _ => {
                let read = self.read(key.as_bytes())?;
                Ok(vec![got(key, read.value, read.version)])
            }
        }
    }

    fn put(&mut self, _key: &[u8], _value: &[u8]) -> Result<()> {
        refused()
    }

    fn delete(&mut self, _key: &[u8]) -> Result<()> {
        refused()
    }

    fn cas(&mut self, _key: &[u8], _expected: &Expected, _value: &[u8]) -> Result<()> {
        refused()
    }

    fn commit(self: Box<Self>) -> Result<Committed> {
        Ok(Committed::default())
    }

    fn abort(self: Box<Self>) {}
}

fn refused<T>() -> Result<T> {
    Err(StoreError::Refused("a view is read only".into()))
}
