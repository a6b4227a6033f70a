//! Damaged and made-up files, with checksums made right again or not: what `tests/fuzz` runs without end,
//! here within bounds. A process of its own, as it watches what all of it allocates.

use cap::Cap;
use proptest::prelude::*;
use stormproof_tests::hostile;

/// Memory limit of the process, which an allocation beyond it ends: files of some kilobytes need a small
/// part.
#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, 256 << 20);

/// A program that applies this number of damages.
fn program() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<[u8; 4]>(), prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(head, bytes)| {
        let length = u8::try_from(bytes.len()).expect("short");
        [head.as_slice(), &[length], &bytes].concat()
    });
    prop::collection::vec(damage, 1..4).prop_map(|damages| damages.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn hostile_files_break_nothing_and_need_little_memory(program in program()) {
        hostile::check(&program);
    }
}
