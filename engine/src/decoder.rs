//! Decodes by hand what [`crate::encoding`] writes: integers of variable length, bytes and text.
//!
//! By hand, since reads and recovery spend their time here: several times as fast as decoding each entry into
//! an enum. Tests compare the two.

/// The largest number of one byte.
pub(crate) const SMALL_MAX: u8 = 250;

/// Returns the number that an unsigned one stands for: 0, -1, 1, -2, …
#[inline]
pub(crate) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// The bytes that are not decoded yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes that are not decoded yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    #[inline]
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// Decodes one byte below 251; or 251, 252, 253 and two, four, eight bytes.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let width = match self.byte()? {
            small @ ..=SMALL_MAX => return Some(u64::from(small)),
            251 => 2,
            252 => 4,
            253 => 8,
            _ => return None,
        };
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width as u64)?);
        Some(u64::from_le_bytes(bytes))
    }

    /// Decodes a number of eight or sixteen bytes after 253 or 254, or a smaller one as [`Self::varint`]
    /// does.
    pub(crate) fn large_varint(&mut self) -> Option<u128> {
        if self.0.first() != Some(&254) {
            return self.varint().map(u128::from);
        }
        let (number, rest) = self.0[1..].split_first_chunk()?;
        self.0 = rest;
        Some(u128::from_le_bytes(*number))
    }

    /// Decodes a signed number, short if it is near zero.
    #[inline]
    pub(crate) fn signed_varint(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.varint()?;
        self.take(length)
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}
