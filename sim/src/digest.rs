//! A running digest: one number that two runs share exactly if they did the same.
//!
//! Job: to be cheap (every draw, decision and event goes through it), the same on every machine, and
//! sensitive to order. Not its job: to withstand an adversary.
//!
//! Source: the multiply-and-rotate step of `FxHash`, with the finalizer of MurmurHash3 (Austin Appleby,
//! public domain) so that low bits depend on everything.

use std::fmt;
use std::hash::Hasher;

use serde::{Deserialize, Serialize};

/// A running digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0x5354_4f52_4d50_524f)
    }
}

impl Digest {
    /// Mixes in an integer.
    pub fn number(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Mixes in bytes and their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        let (quads, words) = words.as_chunks::<4>();
        if !quads.is_empty() {
            // Four lanes side by side: each step of one waits for a multiplication.
            let mut lanes = [*self; 4];
            for quad in quads {
                for (lane, word) in lanes.iter_mut().zip(quad) {
                    lane.number(u64::from_le_bytes(*word));
                }
            }
            lanes.iter().for_each(|lane| self.number(lane.0));
        }
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.number(u64::from_le_bytes(word));
        }
    }

    /// Mixes in text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Returns the digest so far; more may be mixed in afterwards.
    pub fn value(self) -> DigestValue {
        let mut value = self.0;
        value ^= value >> 33;
        value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
        value ^= value >> 33;
        value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        DigestValue(value ^ (value >> 33))
    }
}

/// Lets everything that implements [`Hash`](std::hash::Hash) be mixed in. Integers go in by their value, not
/// by their bytes: the same on every machine.
impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.value().0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    fn write_u8(&mut self, value: u8) {
        self.number(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.number(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.number(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.number(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.number(value as u64);
        self.number((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.number(value as u64);
    }

    fn write_i8(&mut self, value: i8) {
        self.number(i64::from(value) as u64);
    }

    fn write_i16(&mut self, value: i16) {
        self.number(i64::from(value) as u64);
    }

    fn write_i32(&mut self, value: i32) {
        self.number(i64::from(value) as u64);
    }

    fn write_i64(&mut self, value: i64) {
        self.number(value as u64);
    }

    fn write_i128(&mut self, value: i128) {
        self.write_u128(value as u128);
    }

    fn write_isize(&mut self, value: isize) {
        self.number(value as i64 as u64);
    }
}

/// The value of a digest. Printed, and stored in JSON, as sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DigestValue(pub u64);

impl DigestValue {
    /// Returns the digest of some text.
    pub fn of_text(text: &str) -> Self {
        let mut digest = Digest::default();
        digest.text(text);
        digest.value()
    }
}

impl fmt::Display for DigestValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<DigestValue> for String {
    fn from(value: DigestValue) -> Self {
        value.to_string()
    }
}

impl TryFrom<String> for DigestValue {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::{Digest, DigestValue};

    fn digest(numbers: &[u64]) -> DigestValue {
        let mut digest = Digest::default();
        for &number in numbers {
            digest.number(number);
        }
        digest.value()
    }

    #[test]
    fn order_and_length_count() {
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
        assert_ne!(digest(&[0]), digest(&[0, 0]));
        assert_ne!(digest(&[]), digest(&[0]));
        assert_ne!(DigestValue::of_text("a\0"), DigestValue::of_text("a"));
        let mut distinct: Vec<Vec<u8>> =
            (0..80).map(|at| [&[0; 80][..at], &[1], &[0; 79][at..]].concat()).collect();
        distinct.extend((0..80).map(|len| vec![0; len]));
        let mut digests: Vec<_> = distinct
            .iter()
            .map(|bytes| {
                let mut digest = Digest::default();
                digest.bytes(bytes);
                digest.value()
            })
            .collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 160, "every byte counts, and so does the length");
    }

    #[test]
    fn the_same_on_every_machine() {
        assert_eq!(DigestValue::of_text("stormproof").to_string(), "c5f7358be12ab918");
        let mut hashed = Digest::default();
        (7_u8, -1_i32, vec![1_u8, 2, 3], "text", Some(9_usize)).hash(&mut hashed);
        assert_eq!(hashed.value().to_string(), "801fe6d1b6008888");
        let text = serde_json::to_string(&digest(&[7])).unwrap();
        assert_eq!(serde_json::from_str::<DigestValue>(&text).unwrap(), digest(&[7]));
    }
}
