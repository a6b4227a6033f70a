//! Files that mean no good, in every format: an error with a place, or a verdict, and never a panic.

#[path = "support/clients.rs"]
mod clients;

use clients::{Kind, Shape, generate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use stormproof_oracle::formats::{Format, read};
use stormproof_oracle::{CheckOptions, check_input};
use stormproof_workloads::history::{Op, Recorder, write_jsonl};
use stormproof_workloads::store::{Committed, Isolation, Read};

fn edn(kind: Kind) -> Vec<u8> {
    let shape =
        Shape { kind, seed: 1, txns: 6, clients: 3, keys: 2, writes_per_key: 3, refused: 9, unanswered: 20 };
    let mut text = String::from("; made by hand\n");
    generate(shape, &mut |line| line.edn(&mut text));
    text.into_bytes()
}

fn jsonl() -> Vec<u8> {
    let recorder = Recorder::new();
    recorder.opened(0);
    for version in 1..4_u64 {
        let called = recorder.tick();
        let txn = recorder.begin(1, 0, called, Some(version - 1), Isolation::Serializable);
        let read = Read { value: (version > 1).then(|| vec![0]), version: Some(version - 1) };
        recorder.op(txn, Op::Get { key: b"k".to_vec(), read });
        recorder.op(txn, Op::Put { key: b"k".to_vec(), value: vec![0] });
        recorder.commit(txn);
        recorder.committed(txn, &Committed { version: Some(version), durable: true });
    }
    let mut bytes = Vec::new();
    write_jsonl(&mut bytes, &recorder.events()).expect("to memory");
    bytes
}

fn bincode() -> Vec<u8> {
    let numbers = [7, 1, 1, 1, 2, 0, 0, 0, 1, 1, 2];
    let mut bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
    for write in [1, 0] {
        bytes.push(write);
        bytes.extend([4_u64, 9].into_iter().flat_map(u64::to_le_bytes));
        bytes.push(1);
    }
    bytes.push(1);
    bytes
}

const JSON: &[u8] = br#"{"params":{"id":7},"info":"","data":[[{"events":[{"write":true,"variable":4,"value":9,"success":true}],"success":true}]]}"#;
const TEXT: &[u8] = b"# two sessions\nw(1,1,0,0)\nr(1,1,1,1)\nw(1,2,1,1)\n";
const SCRIPT: &[u8] =
    b"T1 begin @0\nT1 get x -> - @0\nT1 append l 1\nT1 scan a..c -> a=1@3\nT1 commit @1\ncrash\n";

fn good() -> Vec<(Format, Vec<u8>)> {
    vec![
        (Format::Edn, edn(Kind::Lists)),
        (Format::Edn, edn(Kind::Registers)),
        (Format::Jsonl, jsonl()),
        (Format::Dbcop, bincode()),
        (Format::Dbcop, JSON.to_vec()),
        (Format::Text, TEXT.to_vec()),
        (Format::Script, SCRIPT.to_vec()),
    ]
}

/// Reads and judges; says whether it was readable. Whatever a file holds, what is made of it stays small.
fn judge(format: Format, bytes: &[u8]) -> bool {
    match read(bytes, format) {
        Ok(input) => {
            let report =
                check_input(&input, &CheckOptions { search_steps_max: 2_000, ..CheckOptions::default() });
            assert!(report.txns as usize <= bytes.len() && report.ops as usize <= bytes.len());
            assert!(report.text().len() < 200_000 && report.svg().len() < 400_000);
            true
        }
        Err(error) => {
            assert!(!error.message.is_empty());
            assert!(error.message.len() < 1_000, "{format:?}: {} bytes of message", error.message.len());
            assert!(error.line > 0 || format == Format::Dbcop, "{format:?}: no place: {error}");
            assert!(error.column > 0, "{format:?}: no column: {error}");
            false
        }
    }
}

#[test]
fn the_files_that_are_damaged_below_are_good_ones() {
    for (format, bytes) in good() {
        assert!(judge(format, &bytes), "{format:?}: {}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_file_cut_off_anywhere_is_read_or_refused() {
    for (format, bytes) in good() {
        for cut in 0..bytes.len() {
            judge(format, &bytes[..cut]);
        }
    }
}

#[test]
fn a_file_with_bytes_changed_is_read_or_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut refused = 0;
    for (format, bytes) in good() {
        for _ in 0..2_000 {
            let mut bytes = bytes.clone();
            for _ in 0..=rng.next_u64() % 3 {
                let at = usize::try_from(rng.next_u64() % bytes.len() as u64).expect("small");
                let spare = b"0[{(\")]};:9#\\ -\n\xff";
                bytes[at] = match rng.next_u64() % 3 {
                    0 => spare[usize::try_from(rng.next_u64() % spare.len() as u64).expect("small")],
                    _ => bytes[at] ^ (1 << (rng.next_u64() % 8)),
                };
            }
            refused += u32::from(!judge(format, &bytes));
        }
    }
    assert!((1_000..13_000).contains(&refused), "{refused} of 14,000 were refused: a vacuous mix");
}

#[test]
fn a_good_file_read_as_another_format_is_refused_or_read() {
    for (_, bytes) in good() {
        for (_, format) in Format::NAMES {
            judge(format, &bytes);
        }
    }
}

#[test]
fn empty_files_deep_nesting_invalid_text_and_huge_numbers_do_no_harm() {
    let deep = |open: &str| open.repeat(200_000).into_bytes();
    let huge = "9".repeat(100_000);
    let hostile: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\n\n  \n".to_vec(),
        vec![0xff; 64],
        vec![0; 4_096],
        b"{:type :ok, :process 0, :value [[:r \xff nil]]}".to_vec(),
        deep("["),
        deep("{"),
        deep("#a "),
        deep("#_"),
        deep("{\"data\":"),
        deep("{\"event\":"),
        deep("("),
        format!("{{:type :ok, :process {huge}, :value [[:w {huge} {huge}]]}}").into_bytes(),
        format!("{{:type :invoke, :process 4294967295, :value [[:r {huge} nil]]}}").into_bytes(),
        format!("w({huge},{huge},{huge},{huge})").into_bytes(),
        format!("{{\"event\":\"opened\",\"life\":{huge},\"at\":0}}").into_bytes(),
        b"{\"event\":\"opened\",\"life\":4294967295,\"at\":18446744073709551615}".to_vec(),
        format!("T1 begin @{huge}").into_bytes(),
        b"T1 begin @18446744073709551615\nT1 put x 1\nT1 commit @18446744073709551615\n".to_vec(),
        // A length of 2^64 - 1 strings, sessions, transactions.
        [[0; 40].as_slice(), [0xff; 8].as_slice()].concat(),
        [[0; 64].as_slice(), [0xff; 8].as_slice()].concat(),
        [[0; 64].as_slice(), [1, 0, 0, 0, 0, 0, 0, 0].as_slice(), [0xff; 8].as_slice()].concat(),
    ];
    for bytes in hostile {
        for (_, format) in Format::NAMES {
            judge(format, &bytes);
        }
    }
}
