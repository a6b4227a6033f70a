//! Reads ordered keys.

use std::fmt;

use super::FromKeyPart;

pub(super) const NONE: u8 = 0x00;
pub(super) const BYTES: u8 = 0x01;
pub(super) const TEXT: u8 = 0x02;
pub(super) const NESTED: u8 = 0x05;
pub(super) const LONG_NEGATIVE: u8 = 0x0b;
pub(super) const ZERO: u8 = 0x14;
pub(super) const LONG_POSITIVE: u8 = 0x1d;
pub(super) const F32: u8 = 0x20;
pub(super) const F64: u8 = 0x21;
pub(super) const FALSE: u8 = 0x26;
pub(super) const TRUE: u8 = 0x27;
pub(super) const UUID: u8 = 0x30;
/// Follows a zero byte that is no end.
pub(super) const ESCAPE: u8 = 0xff;

/// A key that does not stand for the tuple that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Another type of part.
    Type {
        /// Where in the user key.
        at: usize,
        /// What was asked for.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// The right type, but too large or too small a number.
    Range {
        /// Where in the user key.
        at: usize,
        /// The type that does not hold it.
        target: &'static str,
    },
    /// More parts, or fewer, or no ordered key at all.
    Malformed {
        /// Where in the user key.
        at: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { at, expected, found } => write!(
                f,
                "the part at byte {at} of the key is {found}, not {expected}: read the key as the tuple that was written"
            ),
            Self::Range { at, target } => write!(
                f,
                "the integer at byte {at} of the key does not fit in {target}: use a type that holds it"
            ),
            Self::Malformed { at, problem } => {
                write!(f, "the key is {problem} at byte {at}: it was not written as this tuple")
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// Reads the parts of an ordered key.
///
/// ```
/// use stormproof::{FromKeyPart, Key, KeyError, KeyReader};
///
/// #[derive(Debug, PartialEq)]
/// struct Even(u64);
///
/// impl FromKeyPart for Even {
///     fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
///         Ok(Self(reader.part::<u64>()? & !1))
///     }
/// }
///
/// assert_eq!(Key::tuple(&(7_u64,)).to_tuple::<(Even,)>()?, (Even(6),));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Debug)]
pub struct KeyReader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> KeyReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// Reads a part, as an element of the tuple that is being read.
    ///
    /// # Errors
    /// When it is something else.
    pub fn part<T: FromKeyPart>(&mut self) -> Result<T, KeyError> {
        T::read_from(self)
    }

    pub(super) fn whole<T: FromKeyPart>(&mut self) -> Result<T, KeyError> {
        T::read_from(self)
    }

    /// Checks that nothing is left.
    pub(super) fn end(&self) -> Result<(), KeyError> {
        if self.at < self.bytes.len() { Err(self.malformed("longer than its tuple")) } else { Ok(()) }
    }

    pub(super) fn malformed(&self, problem: &'static str) -> KeyError {
        KeyError::Malformed { at: self.at, problem }
    }

    /// Reads the elements of a tuple.
    pub(super) fn tuple<T>(
        &mut self,
        elements: impl FnOnce(&mut Self) -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        let is_nested = self.depth > 0;
        if is_nested {
            self.expect(NESTED, "a tuple")?;
        }
        self.depth += 1;
        let read = elements(self)?;
        self.depth -= 1;
        if is_nested {
            self.expect(NONE, "the end of a tuple")?;
        }
        Ok(read)
    }

    /// Returns whether there is nothing where a part may be; moves past it then.
    pub(super) fn take_none(&mut self) -> bool {
        let rest = self.rest();
        let length = match (self.depth > 1, rest) {
            (false, [NONE, ..]) => 1,
            (true, [NONE, ESCAPE, ..]) => 2,
            _ => return false,
        };
        self.at += length;
        true
    }

    /// Returns the code of the next part.
    pub(super) fn code(&mut self) -> Result<u8, KeyError> {
        let Some((code, _)) = self.rest().split_first() else {
            return Err(self.malformed("shorter than its tuple"));
        };
        self.at += 1;
        Ok(*code)
    }

    pub(super) fn expect(&mut self, code: u8, expected: &'static str) -> Result<(), KeyError> {
        let found = self.code()?;
        if found == code { Ok(()) } else { Err(self.other(found, expected)) }
    }

    /// Returns the error for a part of another type, whose code was just read.
    pub(super) fn other(&self, code: u8, expected: &'static str) -> KeyError {
        KeyError::Type { at: self.at - 1, expected, found: name(code) }
    }

    /// Reads bytes of fixed length.
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let Some((bytes, _)) = self.rest().split_first_chunk::<N>() else {
            return Err(self.malformed("shorter than its tuple"));
        };
        self.at += N;
        Ok(*bytes)
    }

    /// Reads bytes whose length is known.
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], KeyError> {
        let Some(bytes) = self.rest().get(..length) else {
            return Err(self.malformed("shorter than its tuple"));
        };
        self.at += length;
        Ok(bytes)
    }

    /// Reads bytes up to their end.
    pub(super) fn varied(&mut self) -> Result<Vec<u8>, KeyError> {
        let mut bytes = Vec::new();
        loop {
            match self.rest() {
                [NONE, ESCAPE, ..] => {
                    bytes.push(0);
                    self.at += 2;
                }
                [NONE, ..] => {
                    self.at += 1;
                    return Ok(bytes);
                }
                [byte, ..] => {
                    bytes.push(*byte);
                    self.at += 1;
                }
                [] => return Err(self.malformed("shorter than its tuple")),
            }
        }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }
}

const fn name(code: u8) -> &'static str {
    match code {
        NONE => "none, or an end",
        BYTES => "bytes",
        TEXT => "text",
        NESTED => "a tuple",
        LONG_NEGATIVE..=LONG_POSITIVE => "an integer",
        F32 => "a floating-point number of 32 bits",
        F64 => "a floating-point number of 64 bits",
        FALSE | TRUE => "true or false",
        UUID => "a UUID",
        _ => "no part of an ordered key",
    }
}
