//! Arbitrary bytes as a history, in the format that the first byte names: all readers, and the black box.
#![no_main]

use stormproof_oracle::formats::{Format, read};
use stormproof_oracle::{CheckOptions, check_input};

const FORMATS: [Format; 6] =
    [Format::Edn, Format::Json, Format::Jsonl, Format::Dbcop, Format::Text, Format::Script];

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let Some((format, bytes)) = file.split_first() else { return };
    let Ok(input) = read(bytes, FORMATS[usize::from(*format) % FORMATS.len()]) else { return };
    let options = CheckOptions { search_steps_max: 2_000, memory_max: 16 << 20, ..CheckOptions::default() };
    let report = check_input(&input, &options);
    assert!(report.txns as usize <= bytes.len() && report.ops as usize <= bytes.len());
});
