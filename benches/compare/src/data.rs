//! The keys and values that are worked on: keys of 16 bytes, values of 100 that begin with a number.

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// A key.
pub(crate) type Key = [u8; 16];

/// A value.
pub(crate) type Value = [u8; 100];

/// The key of a number, in the order of numbers.
pub(crate) fn key(number: u64) -> Key {
    let mut key = *b"key/............";
    let digits = format!("{number:012}");
    key[4..].copy_from_slice(digits.as_bytes());
    key
}

/// A value that holds a number.
pub(crate) fn value(number: u64) -> Value {
    let mut value = [b'v'; 100];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}

/// The number that a value holds.
pub(crate) fn number(value: &[u8]) -> u64 {
    value.first_chunk().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes))
}

/// The same random keys for every database, with their numbers.
pub(crate) fn picks(keys: u64, count: usize, seed: u64) -> Vec<(u64, Key)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let number = random.random_range(0..keys);
            (number, key(number))
        })
        .collect()
}

/// All numbers below `keys`, shuffled in the same way for every database.
pub(crate) fn shuffled(keys: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..keys).collect();
    numbers.shuffle(&mut ChaCha8Rng::seed_from_u64(7));
    numbers
}
