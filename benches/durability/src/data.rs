//! What is written: keys of 16 bytes, values of 100, without repetition in them unless it is asked for.

/// Bytes of key and value: what the application has to say.
pub(crate) const BYTES_PER_COMMIT: u64 = 116;

/// The key with this number.
pub(crate) fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key-000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A value that does not compress.
pub(crate) fn noise(number: u64) -> Vec<u8> {
    let mut word = number;
    let mut value = Vec::with_capacity(104);
    while value.len() < 100 {
        // SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
        word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    value.truncate(100);
    value
}

/// What an agent might store: a little JSON.
pub(crate) fn text(number: u64) -> Vec<u8> {
    let hash = noise(number);
    let status = ["queued", "running", "done", "failed"][usize::from(hash[0] % 4)];
    format!(
        "{{\"tool\":\"search\",\"step\":{number},\"status\":\"{status}\",\"cost\":{},\"note\":\"retry after {} ms\"}}",
        hash[1],
        u16::from(hash[2]) * 10
    )
    .into_bytes()
}

/// The median, and a percentile.
pub(crate) fn percentile(sorted: &[u64], percent: f64) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * percent / 100.0).round() as usize).copied().unwrap_or(0)
}
