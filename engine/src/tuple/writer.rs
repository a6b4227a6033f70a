//! Writes ordered keys.

use super::KeyPart;
use super::reader::{ESCAPE, NESTED, NONE};

/// Writes the parts of an ordered key.
///
/// ```
/// use stormproof::{Key, KeyPart, KeyWriter};
///
/// struct Newest(u64);
///
/// impl KeyPart for Newest {
///     fn write_to(&self, writer: &mut KeyWriter) {
///         writer.part(&!self.0); // From the largest number to the smallest.
///     }
/// }
///
/// assert!(Key::tuple(&("log", Newest(10))) < Key::tuple(&("log", Newest(9))));
/// ```
#[derive(Debug)]
pub struct KeyWriter {
    bytes: Vec<u8>,
    /// How many tuples are open.
    depth: usize,
}

impl KeyWriter {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), depth: 0 }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes a part, as an element of the tuple that is being written.
    pub fn part<T: KeyPart + ?Sized>(&mut self, part: &T) {
        part.write_to(self);
    }

    /// Writes a whole key: a tuple by its elements, anything else as a single one.
    pub(super) fn whole<T: KeyPart + ?Sized>(&mut self, tuple: &T) {
        tuple.write_to(self);
    }

    /// Writes the elements of a tuple: the outermost one has no mark of its own.
    pub(super) fn tuple(&mut self, elements: impl FnOnce(&mut Self)) {
        if self.depth > 0 {
            self.bytes.push(NESTED);
        }
        self.depth += 1;
        elements(self);
        self.depth -= 1;
        if self.depth > 0 {
            self.bytes.push(NONE);
        }
    }

    pub(super) fn none(&mut self) {
        self.bytes.push(NONE);
        // Within a nested tuple, a zero byte alone is its end.
        if self.depth > 1 {
            self.bytes.push(ESCAPE);
        }
    }

    /// Writes bytes of fixed length.
    pub(super) fn fixed(&mut self, code: u8, bytes: &[u8]) {
        self.bytes.push(code);
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes what belongs to the part before.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes bytes of any length.
    pub(super) fn varied(&mut self, code: u8, bytes: &[u8]) {
        self.bytes.push(code);
        for &byte in bytes {
            self.bytes.push(byte);
            if byte == NONE {
                self.bytes.push(ESCAPE);
            }
        }
        self.bytes.push(NONE);
    }
}
