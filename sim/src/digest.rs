//! A running digest: one number that two runs share exactly if they did the same.
//!
//! Job: to be cheap (every draw, decision and event goes through it), the same on every machine, and sensitive to
//! order. Not its job: to withstand an adversary.
//!
//! Source: the multiply-and-rotate step of `FxHash`, with the finalizer of MurmurHash3 (Austin Appleby, public
//! domain) so that low bits depend on everything.

use std::fmt;

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
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(word));
        }
    }

    /// Mixes in text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// The digest so far; more may be mixed in afterwards.
    pub fn value(self) -> DigestValue {
        let mut value = self.0;
        value ^= value >> 33;
        value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
        value ^= value >> 33;
        value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        DigestValue(value ^ (value >> 33))
    }
}

/// What a digest came to. Shown, and stored in JSON, as sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DigestValue(pub u64);

impl DigestValue {
    /// The digest of some text.
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
    }

    #[test]
    fn the_same_on_every_machine() {
        assert_eq!(DigestValue::of_text("stormproof"), DigestValue::of_text("stormproof"));
        let text = serde_json::to_string(&digest(&[7])).unwrap();
        assert_eq!(serde_json::from_str::<DigestValue>(&text).unwrap(), digest(&[7]));
    }
}
