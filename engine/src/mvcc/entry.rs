//! One version of a key, free to keep.

use env::UnixMillis;

use super::page::EntryRef;
use crate::types::{RunNumber, TxnId, Version};
use crate::value::Value;
use crate::value_ref::ValueRef;

/// One version of a key, with its value decoded.
#[derive(Clone, Debug)]
pub(crate) struct VersionEntry {
    pub(crate) version: Version,
    /// `None` is a tombstone.
    pub(crate) value: Option<Value>,
    pub(crate) expires: Expires,
    /// The transaction that wrote it.
    pub(crate) txn: TxnId,
    /// The run that wrote it.
    pub(crate) run: RunNumber,
}

/// Expiry time; `u64::MAX` means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expires(u64);

impl Expires {
    #[inline]
    pub(crate) const fn at(self) -> Option<UnixMillis> {
        if self.0 == u64::MAX { None } else { Some(UnixMillis(self.0)) }
    }

    /// As it is stored.
    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    /// From what [`to_bits`](Self::to_bits) gave.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl From<Option<UnixMillis>> for Expires {
    #[inline]
    fn from(at: Option<UnixMillis>) -> Self {
        Self(at.map_or(u64::MAX, |at| at.0))
    }
}

impl<'a> EntryRef<'a> {
    /// Returns the value for a transaction that began at wall time `now`.
    #[inline]
    pub(crate) fn live(&self, now: UnixMillis) -> Option<ValueRef<'a>> {
        self.live_encoded(now).map(ValueRef::decode)
    }

    /// Returns the encoded value for a transaction that began at wall time `now`.
    #[inline]
    pub(crate) fn live_encoded(&self, now: UnixMillis) -> Option<&'a [u8]> {
        let value = self.value()?;
        if self.expires().at().is_some_and(|at| at <= now) {
            return None;
        }
        if rt::mutant!(NullIsTombstone) && ValueRef::decode(value) == ValueRef::Null {
            return None;
        }
        Some(value)
    }

    /// Returns the whole entry, free to keep.
    pub(crate) fn to_entry(self) -> VersionEntry {
        VersionEntry {
            version: self.version(),
            value: self.value().map(|value| ValueRef::decode(value).to_value()),
            expires: self.expires(),
            txn: self.txn(),
            run: self.run(),
        }
    }
}
