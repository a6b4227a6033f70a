//! One version of a key on its own: what a commit brings, what a journal and a history hold.

use rt::sync::Arc;

use super::entry::Expires;
use crate::key::Key;
use crate::types::{RunNumber, TxnId, Version};
use crate::value::Value;

/// Longest key that an index takes: its length must fit in three bytes.
pub(crate) const KEY_BYTES_MAX: usize = (1 << 24) - 1;

const TXN: usize = 8;
const RUN: usize = 16;
const EXPIRES: usize = 24;
const KEY_LENGTH: usize = 32;
const KIND: usize = 36;
const FINGERPRINT: usize = 37;
const HEADER: usize = 38;

const TOMBSTONE: u8 = 0;
const VALUE: u8 = 1;

/// One version of a key, in one piece of memory: the fields, the key, the encoded value. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Record(Arc<[u8]>);

/// Where a key belongs in a page: at an entry of its own key, or before the entry of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u16);

impl Place {
    /// At the entry of this number.
    pub(super) fn at(entry: usize) -> Self {
        Self((entry * 2 + 1) as u16)
    }

    /// Before the entry of this number, or after the last one.
    pub(super) fn before(entry: usize) -> Self {
        Self((entry * 2) as u16)
    }

    /// Returns the number of that entry, or of the next one.
    pub(super) const fn entry(self) -> usize {
        (self.0 / 2) as usize
    }

    /// Returns whether the page has an entry of the key.
    pub(super) const fn is_in_page(self) -> bool {
        self.0 % 2 == 1
    }

    /// Returns a number by whose order places are in the order of keys.
    pub(super) const fn order(self) -> u16 {
        self.0
    }

    /// The place with that number.
    pub(super) const fn of_order(order: u16) -> Self {
        Self(order)
    }
}

impl Record {
    /// Creates a record without a version, encoded in `buffer`, whose content goes. `encode` appends the
    /// value, if there is one.
    ///
    /// # Errors
    /// Those of `encode`.
    #[inline]
    pub(crate) fn encode<E>(
        buffer: &mut Vec<u8>,
        key: &[u8],
        txn: TxnId,
        run: RunNumber,
        expires: Expires,
        encode: Option<impl FnOnce(&mut Vec<u8>) -> Result<(), E>>,
    ) -> Result<Self, E> {
        debug_assert!(key.len() <= KEY_BYTES_MAX, "a transaction refuses longer keys");
        let mut header = [0; HEADER];
        header[TXN..TXN + 8].copy_from_slice(&txn.get().to_le_bytes());
        header[RUN..RUN + 8].copy_from_slice(&run.get().to_le_bytes());
        header[EXPIRES..EXPIRES + 8].copy_from_slice(&expires.to_bits().to_le_bytes());
        header[KEY_LENGTH..KEY_LENGTH + 4].copy_from_slice(&(key.len() as u32).to_le_bytes());
        header[KIND] = if encode.is_some() { VALUE } else { TOMBSTONE };
        header[FINGERPRINT] = fingerprint(key);
        buffer.clear();
        buffer.extend_from_slice(&header);
        buffer.extend_from_slice(key);
        encode.map_or(Ok(()), |encode| encode(buffer))?;
        Ok(Self(Arc::from(buffer.as_slice())))
    }

    /// Creates a record without a version, of a value that is encoded now.
    #[inline]
    pub(crate) fn of_value(
        buffer: &mut Vec<u8>,
        key: &Key,
        value: Option<&Value>,
        (txn, run): (TxnId, RunNumber),
        expires: Expires,
    ) -> Self {
        let encode = value.map(|value| |buffer: &mut Vec<u8>| value.encode_onto(buffer));
        Self::encode(buffer, key.as_bytes(), txn, run, expires, encode)
            .expect("values encode: their depth is limited when they are written")
    }

    /// Creates a record from its parts.
    pub(crate) fn new(
        buffer: &mut Vec<u8>,
        key: &[u8],
        value: Option<&[u8]>,
        version: Version,
        (txn, run): (TxnId, RunNumber),
        expires: Expires,
    ) -> Self {
        let encode = value.map(|value| {
            |buffer: &mut Vec<u8>| {
                buffer.extend_from_slice(value);
                Ok::<(), std::convert::Infallible>(())
            }
        });
        match Self::encode(buffer, key, txn, run, expires, encode) {
            Ok(mut record) => {
                record.set_version(version);
                record
            }
            Err(never) => match never {},
        }
    }

    /// Returns the bytes of memory that it takes.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Gives it its version.
    ///
    /// # Panics
    /// When it is shared already.
    #[inline]
    pub(crate) fn set_version(&mut self, version: Version) {
        self.write(0, &version.get().to_le_bytes());
    }

    #[inline]
    fn write<const N: usize>(&mut self, at: usize, bytes: &[u8; N]) {
        let own = Arc::get_mut(&mut self.0).expect("a record is changed before it is shared");
        own[at..at + N].copy_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn version(&self) -> Version {
        Version::new(self.u64_at(0))
    }

    pub(crate) fn txn(&self) -> TxnId {
        TxnId::new(self.u64_at(TXN))
    }

    pub(crate) fn run(&self) -> RunNumber {
        RunNumber::new(self.u64_at(RUN))
    }

    #[inline]
    pub(crate) fn expires(&self) -> Expires {
        Expires::from_bits(self.u64_at(EXPIRES))
    }

    #[inline]
    pub(super) fn fingerprint(&self) -> u8 {
        self.0[FINGERPRINT]
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.0[HEADER..HEADER + self.key_bytes()]
    }

    /// Returns the encoded value; `None` is a tombstone.
    #[inline]
    pub(crate) fn value(&self) -> Option<&[u8]> {
        (self.0[KIND] == VALUE).then(|| &self.0[HEADER + self.key_bytes()..])
    }

    #[inline]
    fn key_bytes(&self) -> usize {
        u32::from_le_bytes(self.array(KEY_LENGTH)) as usize
    }

    #[inline]
    fn u64_at(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    #[inline]
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().expect("a slice of that length")
    }
}

/// Returns one byte that equal keys share and others mostly do not. Without a seed: a collision costs one
/// comparison.
#[inline]
pub(crate) fn fingerprint(key: &[u8]) -> u8 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = key.len() as u64;
    let (words, rest) = key.as_chunks::<8>();
    let mut mix = |word: u64| {
        let product = u128::from(hash ^ word) * u128::from(FACTOR);
        hash = (product as u64) ^ ((product >> 64) as u64);
    };
    for word in words {
        mix(u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        // With some bytes twice, where there are enough: a copy of a few bytes is a call.
        let last = key.last_chunk::<8>().copied().unwrap_or_else(|| padded(rest));
        mix(u64::from_le_bytes(last));
    }
    (hash >> 56) as u8 ^ hash as u8
}

/// Returns fewer than eight bytes with zeros behind them.
#[inline]
pub(super) fn padded(bytes: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    word
}

/// Calls `check` with the positions in `words` whose byte may be `fingerprint`, in rising order, until it
/// says yes.
#[inline]
pub(super) fn find_fingerprint(
    words: &[u64],
    fingerprint: u8,
    mut check: impl FnMut(usize) -> bool,
) -> Option<usize> {
    let pattern = LOW * u64::from(fingerprint);
    for (number, word) in words.iter().enumerate() {
        let mut hits = zero_bytes(word ^ pattern);
        while hits != 0 {
            let position = number * 8 + (hits.trailing_zeros() / 8) as usize;
            if check(position) {
                return Some(position);
            }
            hits &= hits - 1;
        }
    }
    None
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns the high bit of every byte that is zero, and of some others above one that is.
#[inline]
pub(super) const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Returns the pattern of a fingerprint, for [`zero_bytes`].
#[inline]
pub(super) const fn pattern(fingerprint: u8) -> u64 {
    LOW * fingerprint as u64
}
