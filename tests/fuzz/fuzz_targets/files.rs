//! Arbitrary and mutated bytes as log, checkpoint and manifest.
#![no_main]

libfuzzer_sys::fuzz_target!(|program: &[u8]| stormproof_tests::hostile::check(program));
