//! Acts by the engine's own functions: one source, compiled for the twin and for the production engine.
//!
//! Job: each act by the function that it names, in a transaction or by a single call, and the operations that
//! this was. Not its job: judging them.
//!
//! Values of acts are integers, so that every function can work on every key; histories have them as decimal
//! text.

use std::time::Duration;

use stormproof_workloads::act::{Act, RangeRead, Span, Wanted, fetch_updated, got, put, scanned, text};
use stormproof_workloads::history::Op;
use stormproof_workloads::store::{Bytes, Committed, Entry, Expected, Range, Result, Single, StoreError};

use super::adapter::{bytes, counted, entry, key_range};
use super::engine::{
    self, Database, Error, KeyRange, KvStore, Namespace, RunId, Transaction, Value, ValueRef, Version,
};
use super::visit::{visited, visits_by};
use crate::store::calls::Calls;

/// Does an act in a transaction.
pub(super) fn in_transaction(
    txn: &mut Transaction,
    calls: &Calls,
    key: &str,
    act: &Act,
    failed: &mut Option<Error>,
) -> Result<Vec<Op>> {
    InTransaction { txn, calls, failed }.act(key, act)
}

struct InTransaction<'t> {
    txn: &'t mut Transaction,
    calls: &'t Calls,
    /// The error of the call that failed.
    failed: &'t mut Option<Error>,
}

impl InTransaction<'_> {
    fn ask<R>(
        &mut self,
        function: &'static str,
        question: impl FnOnce(&mut Transaction) -> engine::Result<R>,
    ) -> Result<R> {
        let answer = question(self.txn);
        *self.failed = answer.as_ref().err().cloned();
        counted(self.calls, function, answer)
    }

    fn act(&mut self, key: &str, act: &Act) -> Result<Vec<Op>> {
        match act {
            Act::Get => {
                let found: Option<Value> = self.ask("Transaction::get", |txn| txn.get(key))?;
                Ok(vec![got(key, plain(found)?, None)])
            }
            Act::GetWith => {
                let found = self.ask("Transaction::get_with", |txn| txn.get_with(key, owned))?;
                Ok(vec![got(key, plain(found)?, None)])
            }
            Act::GetVersioned => Ok(vec![self.versioned(key)?.0]),
            Act::Exists => self.exists(key),
            Act::GetMany { other } => {
                let keys = [key, other.as_str()];
                let found: Vec<Option<Value>> =
                    self.ask("Transaction::get_many", |txn| txn.get_many(keys))?;
                gots(keys, found)
            }
            Act::Put { value } => {
                self.ask("Transaction::put", |txn| txn.put(key, *value))?;
                Ok(vec![put(key, *value)])
            }
            Act::PutMany { other, value } => {
                let entries = [(key, *value), (other.as_str(), *value)];
                self.ask("Transaction::put_many", |txn| txn.put_many(entries))?;
                Ok(entries.map(|(key, value)| put(key, value)).into())
            }
            Act::Update { .. }
            | Act::FetchUpdate { .. }
            | Act::Increment { .. }
            | Act::GetOrInsert { .. }
            | Act::Take => self.change(key, act),
            Act::Delete => {
                self.ask("Transaction::delete", |txn| txn.delete(key))?;
                Ok(vec![Op::Delete { key: key.into() }])
            }
            Act::DeleteIf { wanted } => {
                let (mut ops, expected) = self.wanted(key, *wanted)?;
                self.ask("Transaction::delete_if", |txn| txn.delete_if(key, expected))?;
                ops.push(Op::DeleteIf { key: key.into(), expected: Expected::Version(expected.get()) });
                Ok(ops)
            }
            Act::Insert { value } => {
                self.ask("Transaction::insert", |txn| txn.insert(key, *value))?;
                Ok(vec![Op::Cas { key: key.into(), expected: Expected::Absent, value: text(*value) }])
            }
            Act::Cas { wanted, value } => {
                let (mut ops, expected) = self.wanted(key, *wanted)?;
                self.ask("Transaction::cas", |txn| txn.cas(key, expected, *value))?;
                let expected = Expected::Version(expected.get());
                ops.push(Op::Cas { key: key.into(), expected, value: text(*value) });
                Ok(ops)
            }
            Act::CompareAndSet { expected, value } => {
                self.ask("Transaction::compare_and_set", |txn| txn.compare_and_set(key, *expected, *value))?;
                let expected = Expected::Value(text(*expected));
                Ok(vec![Op::Cas { key: key.into(), expected, value: text(*value) }])
            }
            Act::PutTtl { value, ttl_ms } => {
                let ttl = Duration::from_millis(*ttl_ms);
                self.ask("Transaction::put_with_ttl", |txn| txn.put_with_ttl(key, *value, ttl))?;
                Ok(vec![Op::PutExpiring { key: key.into(), value: text(*value), ttl_ms: *ttl_ms }])
            }
            Act::KvGet => {
                let found: Option<Value> = self.ask("KvStore::get", |txn| kv().get(txn, key))?;
                Ok(vec![got(key, plain(found)?, None)])
            }
            Act::KvPut { value } => {
                self.ask("KvStore::put", |txn| kv().put(txn, key, *value))?;
                Ok(vec![put(key, *value)])
            }
            Act::KvDelete => {
                self.ask("KvStore::delete", |txn| kv().delete(txn, key))?;
                Ok(vec![Op::Delete { key: key.into() }])
            }
            Act::KvList => {
                let found = self.ask("KvStore::prefix", |txn| Ok(all(kv().prefix(txn, key)?)))??;
                Ok(vec![scanned(&Range::prefix(key.as_bytes()), None, false, found)])
            }
            Act::Range { span, by } => self.range(key, span, *by),
        }
    }

    fn versioned(&mut self, key: &str) -> Result<(Op, Option<Version>)> {
        let found = self.ask("Transaction::get_versioned", |txn| txn.get_versioned(key))?;
        let version = found.version;
        Ok((got(key, plain(found.value)?, version.map(Version::get)), version))
    }

    /// The version that is named, and the read that it took. An own write has no version yet.
    fn wanted(&mut self, key: &str, wanted: Wanted) -> Result<(Vec<Op>, Version)> {
        match wanted {
            Wanted::Version(version) => Ok((Vec::new(), Version::new(version))),
            Wanted::Current => {
                let (op, version) = self.versioned(key)?;
                Ok((vec![op], version.unwrap_or(Version::new(u64::MAX))))
            }
        }
    }

    /// That there is nothing is a read; what there is, is read.
    fn exists(&mut self, key: &str) -> Result<Vec<Op>> {
        if !self.ask("Transaction::exists", |txn| txn.exists(key))? {
            return Ok(vec![got(key, None, None)]);
        }
        let (op, _) = self.versioned(key)?;
        if matches!(&op, Op::Get { read, .. } if read.value.is_none()) {
            return Err(StoreError::Refused(format!("{key} exists, and can't be read")));
        }
        Ok(vec![op])
    }

    fn change(&mut self, key: &str, act: &Act) -> Result<Vec<Op>> {
        match act {
            Act::Update { by } => {
                let mut before = None;
                self.ask("Transaction::update", |txn| {
                    txn.update(key, |found: Option<i64>| {
                        before = found;
                        found.unwrap_or(0) + by
                    })
                })?;
                Ok(changed(key, before, Some(before.unwrap_or(0) + by)))
            }
            Act::FetchUpdate { by, most } => {
                let before = self.ask("Transaction::fetch_update", |txn| {
                    txn.fetch_update(key, |found: Option<i64>| fetch_changed(found, *by, *most))
                })?;
                Ok(changed(key, before, fetch_changed(before, *by, *most)))
            }
            Act::Increment { by } => {
                let sum = self.ask("Transaction::increment", |txn| txn.increment(key, *by))?;
                // That there was nothing, and that there was a zero, is the same to it.
                if sum == *by { Ok(vec![put(key, sum)]) } else { Ok(changed(key, Some(sum - by), Some(sum))) }
            }
            Act::GetOrInsert { value } => {
                let mut made = false;
                let found = self.ask("Transaction::get_or_insert_with", |txn| {
                    txn.get_or_insert_with(key, || {
                        made = true;
                        *value
                    })
                })?;
                Ok(inserted(key, found, made))
            }
            _ => {
                let found: Option<i64> = self.ask("Transaction::take", |txn| txn.take(key))?;
                Ok(taken(key, found))
            }
        }
    }

    fn range(&mut self, key: &str, span: &Span, by: RangeRead) -> Result<Vec<Op>> {
        let (range, wanted) = (span.range(key), spanned(key, span));
        match by {
            RangeRead::Scan if matches!(span, Span::Prefix) => {
                let found = self.ask("Transaction::prefix", |txn| Ok(all(txn.prefix(key)?)))??;
                Ok(vec![scanned(&range, None, false, found)])
            }
            RangeRead::Scan => {
                let found = self.ask("Transaction::range", |txn| Ok(all(txn.range(wanted)?)))??;
                Ok(vec![scanned(&range, None, false, found)])
            }
            RangeRead::ScanReverse => {
                let found = self.ask("Transaction::range", |txn| Ok(all(txn.range(wanted)?.rev())))??;
                Ok(vec![scanned(&range, None, true, found)])
            }
            RangeRead::ScanWith { limit, reverse } => {
                let found = self.ask("Range::limit", |txn| {
                    let found = txn.range(wanted)?.limit(limit);
                    Ok(if reverse { all(found.rev()) } else { all(found) })
                })??;
                Ok(vec![scanned(&range, Some(limit), reverse, found)])
            }
            RangeRead::Visit { most, reverse } => {
                let found = self
                    .ask(visits_by(most, reverse), |txn| Ok(visited(txn.range(wanted)?, most, reverse)))??;
                Ok(vec![scanned(&range, Some(most), reverse, found)])
            }
            RangeRead::Len => {
                let count = self.ask("Range::keys", |txn| Ok(txn.range(wanted.clone())?.keys().count()))?;
                self.same(&range, wanted, count, |found| found.len())
            }
            RangeRead::List => {
                let keys = self.ask("Range::keys", |txn| {
                    Ok(txn.prefix(key)?.keys().map(|key| key.user_key().to_vec()).collect::<Vec<Bytes>>())
                })?;
                self.same(&range, wanted, keys, |found| found.iter().map(|entry| entry.key.clone()).collect())
            }
        }
    }

    /// A read that tells less than entries: that there are none is a read, else entries are read after it.
    fn same<T: PartialEq + std::fmt::Debug + Default>(
        &mut self,
        range: &Range,
        wanted: KeyRange,
        told: T,
        of: impl Fn(&[Entry]) -> T,
    ) -> Result<Vec<Op>> {
        if told == T::default() {
            return Ok(vec![scanned(range, None, false, Vec::new())]);
        }
        let found = self.ask("Transaction::range", |txn| Ok(all(txn.range(wanted)?)))??;
        if of(&found) != told {
            return Err(StoreError::Refused(format!(
                "{told:?} was told of a range with {} entries",
                found.len()
            )));
        }
        Ok(vec![scanned(range, None, false, found)])
    }
}

/// Does an act by a single call. `own` tells whether nothing but this client writes in the run.
pub(super) fn alone(
    database: &Database,
    calls: &Calls,
    (run, own): (RunId, bool),
    key: &str,
    act: &Act,
) -> Result<Single> {
    let before = database.version();
    calls.ok("Database::version");
    let ops = Alone { database, calls, run }.act(key, act)?;
    let wrote = ops.iter().any(|op| !matches!(op, Op::Get { .. } | Op::Scan { .. }));
    if !wrote {
        return Ok(Single { ops, committed: Some(Committed::default()) });
    }
    calls.ok("Database::provenance");
    let Some(newest) = database.provenance(key) else { return Ok(Single { ops, committed: None }) };
    if newest.version <= before {
        let (found, called) = (newest.version, before);
        let why = format!("{key} is at version {found}, though a write that was called at {called} is acked");
        return Err(StoreError::Refused(why));
    }
    let is_own = own && newest.run == Some(run);
    calls.ok("Database::durable_version");
    let durable = database.durable_version() >= newest.version;
    let committed = is_own.then(|| Committed { version: Some(newest.version.get()), durable });
    Ok(Single { ops, committed })
}

struct Alone<'t> {
    database: &'t Database,
    calls: &'t Calls,
    run: RunId,
}

impl Alone<'_> {
    fn ask<R>(
        &self,
        function: &'static str,
        question: impl FnOnce(&Database, RunId) -> engine::Result<R>,
    ) -> Result<R> {
        counted(self.calls, function, question(self.database, self.run))
    }

    fn act(&self, key: &str, act: &Act) -> Result<Vec<Op>> {
        match act {
            Act::Get => {
                let found: Option<Value> = self.ask("Database::get", |database, _| database.get(key))?;
                Ok(vec![got(key, plain(found)?, None)])
            }
            Act::GetWith => {
                let found =
                    self.ask("Database::get_with", |database, _| Ok(database.get_with(key, owned)))?;
                Ok(vec![got(key, plain(found)?, None)])
            }
            Act::Exists => {
                if !self.ask("Database::exists", |database, _| Ok(database.exists(key)))? {
                    return Ok(vec![got(key, None, None)]);
                }
                // By now it may be gone: nothing is known but that it was there.
                Ok(Vec::new())
            }
            Act::GetVersioned => {
                let read = |database: &Database| database.read(|view| view.get_versioned(key));
                let found = self.ask("Database::read", |database, _| Ok(read(database)))?;
                Ok(vec![got(key, plain(found.value)?, found.version.map(Version::get))])
            }
            Act::GetMany { other } => {
                let keys = [key, other.as_str()];
                let found: Vec<Option<Value>> =
                    self.ask("Database::get_many", |database, _| database.get_many(keys))?;
                gots(keys, found)
            }
            Act::Range { span, .. } => self.range(key, span),
            Act::Put { value } => {
                self.ask("Database::put", |database, run| database.put(run, key, *value))?;
                Ok(vec![put(key, *value)])
            }
            Act::PutMany { other, value } => {
                let entries = [(key, *value), (other.as_str(), *value)];
                self.ask("Database::put_many", |database, run| database.put_many(run, entries))?;
                Ok(entries.map(|(key, value)| put(key, value)).into())
            }
            Act::Delete => {
                self.ask("Database::delete", |database, run| database.delete(run, key))?;
                Ok(vec![Op::Delete { key: key.into() }])
            }
            Act::PutTtl { value, ttl_ms } => {
                let ttl = Duration::from_millis(*ttl_ms);
                self.ask("Database::put_with_ttl", |database, run| {
                    database.put_with_ttl(run, key, *value, ttl)
                })?;
                Ok(vec![Op::PutExpiring { key: key.into(), value: text(*value), ttl_ms: *ttl_ms }])
            }
            _ => self.change(key, act),
        }
    }

    fn change(&self, key: &str, act: &Act) -> Result<Vec<Op>> {
        match act {
            Act::Update { by } => {
                let mut before = None;
                self.ask("Database::update", |database, run| {
                    database.update(run, key, |found: Option<i64>| {
                        before = found;
                        found.unwrap_or(0) + by
                    })
                })?;
                Ok(changed(key, before, Some(before.unwrap_or(0) + by)))
            }
            Act::FetchUpdate { by, most } => {
                let before = self.ask("Database::fetch_update", |database, run| {
                    database.fetch_update(run, key, |found: Option<i64>| fetch_changed(found, *by, *most))
                })?;
                Ok(changed(key, before, fetch_changed(before, *by, *most)))
            }
            Act::Increment { by } => {
                let sum =
                    self.ask("Database::increment", |database, run| database.increment(run, key, *by))?;
                if sum == *by { Ok(vec![put(key, sum)]) } else { Ok(changed(key, Some(sum - by), Some(sum))) }
            }
            Act::GetOrInsert { value } => {
                let mut made = false;
                let found = self.ask("Database::get_or_insert_with", |database, run| {
                    // Of several attempts the last one counts.
                    database.get_or_insert_with(run, key, || {
                        made = true;
                        *value
                    })
                })?;
                Ok(inserted(key, found, made && found == *value))
            }
            Act::Take => {
                let found: Option<i64> =
                    self.ask("Database::take", |database, run| database.take(run, key))?;
                Ok(taken(key, found))
            }
            _ => Err(StoreError::Refused(format!("{} is no single call", act.kind()))),
        }
    }

    fn range(&self, key: &str, span: &Span) -> Result<Vec<Op>> {
        let range = span.range(key);
        let found = match span {
            Span::Prefix => self.ask("Database::prefix", |database, _| Ok(all(database.prefix(key))))??,
            Span::Full => {
                let read = |database: &Database| database.read(|view| all(view.range(spanned(key, span))));
                self.ask("Database::read", |database, _| Ok(read(database)))??
            }
            _ => self.ask("Database::range", |database, _| Ok(all(database.range(spanned(key, span)))))??,
        };
        Ok(vec![scanned(&range, None, false, found)])
    }
}

/// The namespace in which all acts are.
fn kv() -> KvStore {
    KvStore::new(Namespace::shared())
}

/// A range of the engine, as applications write it.
pub(super) fn spanned(key: &str, span: &Span) -> KeyRange {
    match span {
        Span::Until { end } => (key..end.as_str()).into(),
        Span::UpTo { last } => (key..=last.as_str()).into(),
        Span::From => (key..).into(),
        Span::To => (..key).into(),
        Span::Prefix => KeyRange::prefix(key),
        Span::Full => key_range(&Range { start: Vec::new(), end: None }),
    }
}

fn owned(value: Option<ValueRef<'_>>) -> Option<Value> {
    value.map(ValueRef::to_value)
}

fn plain(value: Option<Value>) -> Result<Option<Bytes>> {
    value.as_ref().map(bytes).transpose()
}

fn gots(keys: [&str; 2], found: Vec<Option<Value>>) -> Result<Vec<Op>> {
    if found.len() != keys.len() {
        return Err(StoreError::Refused(format!("{} answers to {} questions", found.len(), keys.len())));
    }
    keys.into_iter().zip(found).map(|(key, found)| Ok(got(key, plain(found)?, None))).collect()
}

fn changed(key: &str, before: Option<i64>, after: Option<i64>) -> Vec<Op> {
    let read = got(key, before.map(text), None);
    [read].into_iter().chain(after.map(|after| put(key, after))).collect()
}

fn fetch_changed(found: Option<i64>, by: i64, most: i64) -> Option<i64> {
    fetch_updated(found.map(text).as_ref(), by, most)
}

fn inserted(key: &str, found: i64, made: bool) -> Vec<Op> {
    if made { changed(key, None, Some(found)) } else { changed(key, Some(found), None) }
}

fn taken(key: &str, found: Option<i64>) -> Vec<Op> {
    let read = got(key, found.map(text), None);
    [read].into_iter().chain(found.map(|_| Op::Delete { key: key.into() })).collect()
}

/// All entries of an iterator.
pub(super) fn all(found: impl Iterator<Item = engine::Entry>) -> Result<Vec<Entry>> {
    found.map(entry).collect()
}
