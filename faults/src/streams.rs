//! Random streams: one per purpose, all from one seed.
//!
//! A stream is ChaCha8 keyed with the seed, on the stream number that its label hashes to. So drawing more
//! for one purpose leaves what the others draw alone. Labels in use: `fault/<rule>/<kind>/<class>` (one per
//! rule of a plan and class of file, two words per operation that its kind applies to), `dropped pages` (what
//! a failed sync wrote nevertheless), `crash` (what survives a power cut), `garbage` (noise where a file grew
//! without its data), `entropy` ([`crate::SimEntropy`]).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Returns the stream of `seed` that is called `label`.
pub(crate) fn stream(seed: u64, label: &str) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(fnv1a(label.as_bytes()));
    rng
}

/// Returns the FNV-1a hash, 64 bits: stable over versions and machines, which is all that is asked of it
/// here.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn streams_differ_by_label_and_by_seed_and_repeat_for_the_same() {
        let first = |seed, label| stream(seed, label).next_u64();
        assert_eq!(first(1, "crash"), first(1, "crash"));
        assert_ne!(first(1, "crash"), first(1, "entropy"));
        assert_ne!(first(1, "crash"), first(2, "crash"));
    }
}
