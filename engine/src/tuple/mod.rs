//! Ordered keys: values as bytes whose order is that of the values.
//!
//! The encoding is the tuple layer of FoundationDB (its `design/tuple.md`), so other programs and languages
//! can read such keys. Written here and not taken from the crate `foundationdb-tuple`, with which the tests
//! compare it: there an element can't be packed on its own, so a trait for types of one's own would have to
//! be that crate's; and integers of 128 bits are missing.
//!
//! ```text
//! none 00 | bytes 01 … 00 | text 02 … 00 | nested tuple 05 … 00        a zero byte inside is 00 FF
//! integer 14 ± number of bytes, then these, big-endian; of negative ones the complement
//! longer integer 1D, or 0B for negative ones, then the number of bytes (complement), then these
//! f32 20 | f64 21, big-endian, negative ones complemented, the sign of others flipped
//! false 26 | true 27 | UUID 30 and its 16 bytes
//! ```
//!
//! * INV-TUPLE-1: the order of encoded tuples is that of the tuples, element by element; integers of all
//!   widths compare by their value.
//! * INV-TUPLE-2: no encoded element is a prefix of another, so the keys that begin with a tuple are those of
//!   longer ones.

mod integer;
mod parts;
mod reader;
mod writer;

pub use reader::{KeyError, KeyReader};
pub use writer::KeyWriter;

use crate::key::{Key, Namespace, TypeTag};
use crate::range::KeyRange;

/// What can be part of an ordered key: integers, text, bytes, booleans, floating-point numbers, UUIDs,
/// `Option`, and tuples of these.
///
/// A type of one's own delegates to one of them:
///
/// ```
/// # let db = stormproof::Database::open_in_memory()?;
/// # let run = db.begin_run()?;
/// use stormproof::{FromKeyPart, Key, KeyError, KeyPart, KeyReader, KeyWriter};
///
/// #[derive(Debug, PartialEq)]
/// struct UserId(u64);
///
/// impl KeyPart for UserId {
///     fn write_to(&self, writer: &mut KeyWriter) {
///         writer.part(&self.0);
///     }
/// }
///
/// impl FromKeyPart for UserId {
///     fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError> {
///         Ok(Self(reader.part()?))
///     }
/// }
///
/// let key = Key::tuple(&("post", UserId(7), -1_i64));
/// assert_eq!(key.to_tuple::<(String, UserId, i64)>()?, ("post".to_owned(), UserId(7), -1));
/// # Ok::<(), stormproof::Error>(())
/// ```
pub trait KeyPart {
    /// Writes the part after what was written before.
    fn write_to(&self, writer: &mut KeyWriter);
}

/// What can be read back from an ordered key.
pub trait FromKeyPart: Sized {
    /// Reads the next part.
    ///
    /// # Errors
    /// When it is something else.
    fn read_from(reader: &mut KeyReader<'_>) -> Result<Self, KeyError>;
}

impl Key {
    /// Returns the key of the shared namespace that a tuple stands for: keys are ordered as their tuples are.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::{Key, KeyRange};
    ///
    /// for number in [10_u64, 9, 200] {
    ///     db.put(run, Key::tuple(&("note", number)), true)?;
    /// }
    /// let notes = db.range(KeyRange::tuple(&("note",))).keys();
    /// let numbers = notes.map(|key| key.to_tuple()).collect::<Result<Vec<(String, u64)>, _>>()?;
    /// assert_eq!(numbers.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [9, 10, 200]);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn tuple<T: KeyPart + ?Sized>(tuple: &T) -> Self {
        Self::shared(TypeTag::Kv, &encoded(tuple))
    }

    /// Returns the tuple that a key stands for.
    ///
    /// # Errors
    /// When it stands for something else.
    pub fn to_tuple<T: FromKeyPart>(&self) -> Result<T, KeyError> {
        decode(self.user_key())
    }
}

impl Namespace {
    /// Returns the key of this namespace that a tuple stands for.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// let key = stormproof::Namespace::of_run(run).tuple(&("step", 3_u32));
    /// assert_eq!(key.to_tuple::<(String, u32)>()?, ("step".to_owned(), 3));
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn tuple<T: KeyPart + ?Sized>(&self, tuple: &T) -> Key {
        self.key(encoded(tuple))
    }
}

impl KeyRange {
    /// Returns the keys of the shared namespace whose tuples begin with the elements of this one.
    ///
    /// ```
    /// # let db = stormproof::Database::open_in_memory()?;
    /// # let run = db.begin_run()?;
    /// use stormproof::{Key, KeyRange};
    ///
    /// for (user, number) in [(1_u32, 1_u32), (1, 2), (2, 1)] {
    ///     db.put(run, Key::tuple(&(user, number)), true)?;
    /// }
    /// assert_eq!(db.range(KeyRange::tuple(&(1_u32,))).count(), 2);
    /// # Ok::<(), stormproof::Error>(())
    /// ```
    pub fn tuple<T: KeyPart + ?Sized>(tuple: &T) -> Self {
        Self::prefix(encoded(tuple))
    }
}

/// Returns the bytes of a tuple.
pub(crate) fn encoded<T: KeyPart + ?Sized>(tuple: &T) -> Vec<u8> {
    let mut writer = KeyWriter::new();
    writer.whole(tuple);
    writer.into_bytes()
}

/// Returns the tuple of these bytes.
pub(crate) fn decode<T: FromKeyPart>(bytes: &[u8]) -> Result<T, KeyError> {
    let mut reader = KeyReader::new(bytes);
    let tuple = reader.whole()?;
    reader.end()?;
    Ok(tuple)
}

#[cfg(test)]
mod tests;
