//! Keys and values of the measured shape: 18 encoded key bytes inline, 100 value bytes.

use smallvec::SmallVec;

/// An encoded key, as the engine keeps it.
pub(crate) type Key = SmallVec<[u8; 24]>;

/// A shared value. The feature `arc-values` keeps count and bytes in one allocation instead.
#[cfg(not(feature = "arc-values"))]
pub(crate) type Bytes = bytes::Bytes;

/// A shared value, count and bytes in one allocation.
#[cfg(feature = "arc-values")]
pub(crate) type Bytes = rt::sync::Arc<[u8]>;

/// The version of a commit.
pub(crate) type Version = u64;

/// The `i`-th key in key order: two bytes of namespace and type, sixteen of user key.
pub(crate) fn key(i: u64) -> Key {
    let mut bytes = *b"\x00\x01agent-00\0\0\0\0\0\0\0\0";
    for (digit, byte) in bytes[10..].iter_mut().enumerate() {
        let nibble = (i >> (28 - 4 * digit)) & 15;
        *byte = b"0123456789abcdef"[nibble as usize];
    }
    Key::from_slice(&bytes)
}

/// The last eight bytes, for candidates that take integers only.
pub(crate) fn suffix(key: &Key) -> u64 {
    let (_, last) = key.split_at(key.len() - 8);
    last.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// A fresh value of 100 bytes, its own allocation, that carries `n`.
pub(crate) fn value(n: u64) -> Bytes {
    let mut bytes = vec![0x5a; 100];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    Bytes::from(bytes)
}

/// The number that a value carries.
pub(crate) fn number(value: &[u8]) -> u64 {
    value.iter().take(8).rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
