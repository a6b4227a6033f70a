//! What is done to one key or one range, by the function of the store that is named.
//!
//! Job: steps that say *how*: a store may offer many functions that read or write one key, and each may have
//! bugs of its own. [`Act`] is plain data for plans; [`ByHand`] does it with the plain operations that every
//! store has, for stores that offer nothing else.
//! Not its job: drawing acts (`catalogue::step_mix`), and judging what they saw.
//!
//! * INV-ACT-1: what an act did to the store, and what it saw, is all in the operations that it returns.

use serde::{Deserialize, Serialize};

use crate::history::Op;
use crate::store::{Bytes, Entry, Expected, Key, Range, Read, Result, StoreError, StoreTxn, Version};

/// Something that is done to one key or to one range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Reads the value.
    Get,
    /// Reads the value in place.
    GetWith,
    /// Reads value and version.
    GetVersioned,
    /// Asks whether there is a value.
    Exists,
    /// Reads this key and another one.
    GetMany {
        /// The other one.
        other: String,
    },
    /// Writes.
    Put {
        /// What.
        value: i64,
    },
    /// Writes this key and another one.
    PutMany {
        /// The other one.
        other: String,
        /// What.
        value: i64,
    },
    /// Writes what the value is, plus this.
    Update {
        /// How much.
        by: i64,
    },
    /// Writes what the value is, plus this, unless it is larger than a limit or absent.
    FetchUpdate {
        /// How much.
        by: i64,
        /// The largest value that is changed.
        most: i64,
    },
    /// Adds to the value.
    Increment {
        /// How much.
        by: i64,
    },
    /// Reads, and writes if there is nothing.
    GetOrInsert {
        /// What.
        value: i64,
    },
    /// Reads and deletes.
    Take,
    /// Deletes.
    Delete,
    /// Deletes on a condition.
    DeleteIf {
        /// Which.
        wanted: Wanted,
    },
    /// Writes if there is nothing.
    Insert {
        /// What.
        value: i64,
    },
    /// Writes on the condition that the key is at a version.
    Cas {
        /// Which.
        wanted: Wanted,
        /// What.
        value: i64,
    },
    /// Writes on the condition that the key has a value.
    CompareAndSet {
        /// Which.
        expected: i64,
        /// What.
        value: i64,
    },
    /// Writes a value that expires.
    PutTtl {
        /// What.
        value: i64,
        /// When.
        ttl_ms: u64,
    },
    /// Reads the value through a store of one namespace.
    KvGet,
    /// Writes through it.
    KvPut {
        /// What.
        value: i64,
    },
    /// Deletes through it.
    KvDelete,
    /// Reads all keys that begin with the key through it.
    KvList,
    /// Reads a range that begins at the key, or ends there.
    Range {
        /// How the range is written.
        span: Span,
        /// The function that reads it.
        by: RangeRead,
    },
}

/// The version that a condition names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The one that the transaction has just read.
    Current,
    /// This one: most often a wrong one.
    Version(Version),
}

/// A range as it is written down, with a key as a bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// From the key up to and without another one.
    Until {
        /// The other one.
        end: String,
    },
    /// From the key up to and with another one.
    UpTo {
        /// The other one.
        last: String,
    },
    /// From the key on.
    From,
    /// Up to and without the key.
    To,
    /// All keys that begin with the key.
    Prefix,
    /// Everything.
    Full,
}

/// How a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeRead {
    /// All of it.
    Scan,
    /// All of it, backwards.
    ScanReverse,
    /// A part of it.
    ScanWith {
        /// The most entries.
        limit: usize,
        /// From the end.
        reverse: bool,
    },
    /// In place, until a number of them was read.
    Visit {
        /// How many.
        most: usize,
        /// From the end.
        reverse: bool,
    },
    /// Only how many there are.
    Len,
    /// Only the keys.
    List,
}

impl Act {
    /// The kinds of acts, by name.
    pub const KINDS: [&'static str; 28] = [
        "get",
        "get-with",
        "get-versioned",
        "exists",
        "get-many",
        "put",
        "put-many",
        "update",
        "fetch-update",
        "increment",
        "get-or-insert",
        "take",
        "delete",
        "delete-if",
        "insert",
        "cas",
        "compare-and-set",
        "put-ttl",
        "kv-get",
        "kv-put",
        "kv-delete",
        "kv-list",
        "scan",
        "scan-reverse",
        "scan-with",
        "visit",
        "len",
        "list",
    ];

    /// Its kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetWith => "get-with",
            Self::GetVersioned => "get-versioned",
            Self::Exists => "exists",
            Self::GetMany { .. } => "get-many",
            Self::Put { .. } => "put",
            Self::PutMany { .. } => "put-many",
            Self::Update { .. } => "update",
            Self::FetchUpdate { .. } => "fetch-update",
            Self::Increment { .. } => "increment",
            Self::GetOrInsert { .. } => "get-or-insert",
            Self::Take => "take",
            Self::Delete => "delete",
            Self::DeleteIf { .. } => "delete-if",
            Self::Insert { .. } => "insert",
            Self::Cas { .. } => "cas",
            Self::CompareAndSet { .. } => "compare-and-set",
            Self::PutTtl { .. } => "put-ttl",
            Self::KvGet => "kv-get",
            Self::KvPut { .. } => "kv-put",
            Self::KvDelete => "kv-delete",
            Self::KvList => "kv-list",
            Self::Range { by, .. } => match by {
                RangeRead::Scan => "scan",
                RangeRead::ScanReverse => "scan-reverse",
                RangeRead::ScanWith { .. } => "scan-with",
                RangeRead::Visit { .. } => "visit",
                RangeRead::Len => "len",
                RangeRead::List => "list",
            },
        }
    }

    /// Whether it can be done by a single call to the store, outside of a transaction.
    pub const fn is_single(&self) -> bool {
        !matches!(
            self,
            Self::Insert { .. }
                | Self::DeleteIf { .. }
                | Self::Cas { .. }
                | Self::CompareAndSet { .. }
                | Self::GetVersioned
                | Self::KvGet
                | Self::KvPut { .. }
                | Self::KvDelete
                | Self::KvList
        )
    }

    /// Whether it may write.
    pub const fn writes(&self) -> bool {
        !matches!(
            self,
            Self::Get
                | Self::GetWith
                | Self::GetVersioned
                | Self::Exists
                | Self::GetMany { .. }
                | Self::KvGet
                | Self::KvList
                | Self::Range { .. }
        )
    }
}

impl Act {
    /// The operations that it consists of, if they are known before it was answered.
    pub fn ops_before(&self, key: &str) -> Option<Vec<Op>> {
        match self {
            Self::Put { value } => Some(vec![put(key, *value)]),
            Self::PutMany { other, value } => Some(vec![put(key, *value), put(other, *value)]),
            Self::Delete => Some(vec![Op::Delete { key: key.into() }]),
            Self::PutTtl { value, ttl_ms } => {
                Some(vec![Op::PutExpiring { key: key.into(), value: text(*value), ttl_ms: *ttl_ms }])
            }
            _ => None,
        }
    }
}

impl Span {
    /// The range that it stands for, where `key` is the bound.
    pub fn range(&self, key: &str) -> Range {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let range = |start: Key, end: Option<Key>| Range { start, end };
        match self {
            Self::Until { end } => range(bytes(key), Some(bytes(end))),
            Self::UpTo { last } => range(bytes(key), Some(successor(last.as_bytes()))),
            Self::From => range(bytes(key), None),
            Self::To => range(Vec::new(), Some(bytes(key))),
            Self::Prefix => Range::prefix(key.as_bytes()),
            Self::Full => range(Vec::new(), None),
        }
    }
}

/// The first key behind `key`.
pub fn successor(key: &[u8]) -> Key {
    key.iter().copied().chain([0]).collect()
}

/// What acts write for a number: decimal text.
pub fn text(number: i64) -> Bytes {
    number.to_string().into_bytes()
}

/// The number that a value stands for; 0 if there is none, or if it stands for no number.
pub fn number(value: Option<&Bytes>) -> i64 {
    value.and_then(|value| crate::tx::parse(value)).unwrap_or(0)
}

/// The operation of a read.
pub fn got(key: &str, value: Option<Bytes>, version: Option<Version>) -> Op {
    Op::Get { key: key.into(), read: Read { value, version } }
}

/// The operation of a write.
pub fn put(key: &str, value: i64) -> Op {
    Op::Put { key: key.into(), value: text(value) }
}

/// The operation of a read of a whole range.
pub fn scanned(range: &Range, limit: Option<usize>, reverse: bool, entries: Vec<Entry>) -> Op {
    Op::Scan { range: range.clone(), limit, reverse, entries }
}

/// Does acts with plain operations.
pub struct ByHand<'t, T: ?Sized>(pub &'t mut T);

impl<T: StoreTxn + ?Sized> ByHand<'_, T> {
    /// Does what [`StoreTxn::act`] promises.
    ///
    /// # Errors
    /// What the operations answered.
    pub fn act(&mut self, key: &str, act: &Act) -> Result<Vec<Op>> {
        match act {
            Act::Get | Act::GetWith | Act::GetVersioned | Act::Exists | Act::KvGet => {
                Ok(vec![self.get(key)?])
            }
            Act::GetMany { other } => Ok(vec![self.get(key)?, self.get(other)?]),
            Act::Put { value } | Act::KvPut { value } => Ok(vec![self.put(key, *value)?]),
            Act::PutMany { other, value } => Ok(vec![self.put(key, *value)?, self.put(other, *value)?]),
            Act::Update { by } | Act::Increment { by } => self.change(key, |value| Some(number(value) + by)),
            Act::FetchUpdate { by, most } => self.change(key, |value| fetch_updated(value, *by, *most)),
            Act::GetOrInsert { value } => self.change(key, |found| found.is_none().then_some(*value)),
            Act::Take => {
                let read = self.0.get(key.as_bytes())?;
                let mut ops = vec![got(key, read.value.clone(), read.version)];
                if read.value.is_some() {
                    ops.push(self.delete(key)?);
                }
                Ok(ops)
            }
            Act::Delete | Act::KvDelete => Ok(vec![self.delete(key)?]),
            Act::KvList => {
                let range = Range::prefix(key.as_bytes());
                let entries = self.0.scan(&range, None, false)?;
                Ok(vec![scanned(&range, None, false, entries)])
            }
            Act::DeleteIf { wanted } => {
                let (mut ops, expected) = self.wanted(key, *wanted)?;
                self.0.delete_if(key.as_bytes(), expected)?;
                ops.push(Op::DeleteIf { key: key.into(), expected: Expected::Version(expected) });
                Ok(ops)
            }
            Act::Insert { value } => self.cas(key, Expected::Absent, *value, Vec::new()),
            Act::Cas { wanted, value } => {
                let (ops, expected) = self.wanted(key, *wanted)?;
                self.cas(key, Expected::Version(expected), *value, ops)
            }
            Act::CompareAndSet { expected, value } => {
                self.cas(key, Expected::Value(text(*expected)), *value, Vec::new())
            }
            Act::PutTtl { value, ttl_ms } => {
                let ttl = std::time::Duration::from_millis(*ttl_ms);
                self.0.put_with_ttl(key.as_bytes(), &text(*value), ttl)?;
                Ok(vec![Op::PutExpiring { key: key.into(), value: text(*value), ttl_ms: *ttl_ms }])
            }
            Act::Range { span, by } => {
                let range = span.range(key);
                let (limit, reverse) = match by {
                    RangeRead::ScanWith { limit: most, reverse } | RangeRead::Visit { most, reverse } => {
                        (Some(*most), *reverse)
                    }
                    RangeRead::ScanReverse => (None, true),
                    RangeRead::Scan | RangeRead::Len | RangeRead::List => (None, false),
                };
                let entries = self.0.scan(&range, limit, reverse)?;
                Ok(vec![scanned(&range, limit, reverse, entries)])
            }
        }
    }

    fn get(&mut self, key: &str) -> Result<Op> {
        let read = self.0.get(key.as_bytes())?;
        Ok(got(key, read.value, read.version))
    }

    fn put(&mut self, key: &str, value: i64) -> Result<Op> {
        self.0.put(key.as_bytes(), &text(value))?;
        Ok(put(key, value))
    }

    fn delete(&mut self, key: &str) -> Result<Op> {
        self.0.delete(key.as_bytes())?;
        Ok(Op::Delete { key: key.into() })
    }

    fn change(&mut self, key: &str, change: impl FnOnce(Option<&Bytes>) -> Option<i64>) -> Result<Vec<Op>> {
        let read = self.0.get(key.as_bytes())?;
        let changed = change(read.value.as_ref());
        let mut ops = vec![got(key, read.value, read.version)];
        if let Some(value) = changed {
            ops.push(self.put(key, value)?);
        }
        Ok(ops)
    }

    fn cas(&mut self, key: &str, expected: Expected, value: i64, mut ops: Vec<Op>) -> Result<Vec<Op>> {
        self.0.cas(key.as_bytes(), &expected, &text(value))?;
        ops.push(Op::Cas { key: key.into(), expected, value: text(value) });
        Ok(ops)
    }

    /// The version that is named, and the read that it took.
    fn wanted(&mut self, key: &str, wanted: Wanted) -> Result<(Vec<Op>, Version)> {
        match wanted {
            Wanted::Version(version) => Ok((Vec::new(), version)),
            Wanted::Current => {
                let read = self.0.get(key.as_bytes())?;
                // Its own write has no version yet, and no condition on one can hold.
                let version = read.version.unwrap_or(Version::MAX);
                Ok((vec![got(key, read.value, read.version)], version))
            }
        }
    }
}

/// What [`Act::FetchUpdate`] writes.
pub fn fetch_updated(value: Option<&Bytes>, by: i64, most: i64) -> Option<i64> {
    let value = number(Some(value?));
    (value <= most).then_some(value.saturating_add(by))
}

/// The answer of a store that does not do acts by single calls.
pub(crate) fn no_single_calls<T>() -> Result<T> {
    Err(StoreError::Refused("this store has no operations outside of transactions".into()))
}
