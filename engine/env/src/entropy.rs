//! Random bits: identifiers, jitter of retries, seeds of hash functions.

use std::fmt::Debug;

/// A source of random bits.
pub trait Entropy: Send + Sync + Debug {
    /// Fills `bytes` with random bits.
    fn fill(&self, bytes: &mut [u8]);

    /// Returns a random integer, uniform over all of `u64`.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The entropy of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// When the operating system has no random bits to give, as no identifier would be safe then.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bits");
    }
}
