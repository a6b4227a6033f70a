//! Benchmarks of the engine, and other engines side by side.
//!
//! `cargo bench -p stormproof-benches` measures each path of the engine with criterion; this library is what
//! its benches share. Other engines: `benches/compare`; candidates for the index: `benches/index`. How to
//! read all of it: `benches/README.md`.

use stormproof::{Database, Result, RunId};

/// Keys in a filled database.
pub const KEYS: u64 = 100_000;

/// How many keys are written in one transaction when a database is filled.
const STEP: u64 = 1_000;

/// The key of a number: 16 bytes, in the order of numbers.
pub fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key/............";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    key
}

/// A value of 100 bytes that begins with a number.
pub fn value(number: u64) -> [u8; 100] {
    let mut value = [b'v'; 100];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}

/// Writes the keys below `keys`, and begins a run to go on in.
///
/// # Errors
/// Whatever keeps a commit from happening.
pub fn fill(database: &Database, keys: u64) -> Result<RunId> {
    let run = database.begin_run()?;
    for first in (0..keys).step_by(usize::try_from(STEP).unwrap_or(usize::MAX)) {
        database.transaction(run, |txn| {
            (first..keys.min(first + STEP)).try_for_each(|number| txn.put(key(number), &value(number)))
        })?;
    }
    Ok(run)
}

/// Numbers below `keys` in an order that no prefetcher follows: each step adds a number that shares no factor
/// with it.
pub fn scattered(keys: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |step: u64| step.wrapping_mul(48_271) % keys)
}

#[cfg(test)]
mod tests {
    use super::{KEYS, fill, key, scattered, value};
    use stormproof::Database;

    #[test]
    fn keys_are_in_the_order_of_their_numbers() {
        assert_eq!(&key(1_234), b"key/000000001234");
        assert!(key(9) < key(10) && key(99_999) < key(100_000));
    }

    #[test]
    fn a_filled_database_has_every_key() {
        let database = Database::open_in_memory().expect("a database");
        let run = fill(&database, 2_500).expect("commits");
        let mut txn = database.begin_transaction(run).expect("a transaction");
        assert_eq!(txn.prefix("key/").expect("a range").count(), 2_500);
        assert_eq!(txn.get::<Vec<u8>>(key(2_499)).expect("a read"), Some(value(2_499).to_vec()));
    }

    #[test]
    fn scattered_numbers_visit_every_key_once_before_any_twice() {
        let mut seen: Vec<u64> = scattered(KEYS).take(usize::try_from(KEYS).expect("it fits")).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len() as u64, KEYS);
    }
}
