//! One observed value of a valid history is falsified: every checker that must notice does.
//!
//! A flipped value is no longer what the transaction saw, so a history made by a serial store is no longer
//! one, unless another order happens to explain the false value (then brute force says so too).
//!
//! `cargo test -p stormproof-oracle --test flipped_values -- --nocapture` prints the shares.

#[expect(dead_code, reason = "brute force and the generator of small histories are for another test")]
mod support;

use std::collections::BTreeMap;

use stormproof_oracle::{Expectations, Level, Standing, check, levels};
use stormproof_workloads::History;
use stormproof_workloads::history::{Op, Recorder};
use stormproof_workloads::store::{Committed, Entry, Isolation, Range, Read};
use support::generate::{Dice, Flip, flip};

/// What a serial store leaves, with versions: every flip of a value in it is a lie.
fn serial(seed: u64, txns: u64) -> History {
    let mut dice = Dice::new(seed);
    let recorder = Recorder::new();
    recorder.opened(0);
    let mut state: BTreeMap<Vec<u8>, (Vec<u8>, u64)> = BTreeMap::new();
    let mut lists: BTreeMap<Vec<u8>, (Vec<Vec<u8>>, u64)> = BTreeMap::new();
    for version in 1..=txns {
        let called = recorder.tick();
        let session = u32::try_from(dice.below(3)).expect("few");
        let txn = recorder.begin(session, 0, called, Some(version - 1), Isolation::Serializable);
        let name = b'0' + u8::try_from(dice.below(4)).expect("few");
        if dice.chance(30) {
            let key = vec![b'l', name];
            let list = lists.entry(key.clone()).or_default();
            let read = Op::List { key: key.clone(), elements: list.0.clone(), version: Some(list.1) };
            recorder.op(txn, read);
            let element = version.to_string().into_bytes();
            recorder.op(txn, Op::Append { key, element: element.clone() });
            list.0.push(element);
            list.1 = version;
        }
        let key = vec![b'k', name];
        let seen = state.get(&key);
        let read = Read {
            value: seen.map(|(value, _)| value.clone()),
            version: Some(seen.map_or(0, |(_, version)| *version)),
        };
        recorder.op(txn, Op::Get { key: key.clone(), read });
        if dice.chance(40) {
            let entries = state
                .iter()
                .map(|(key, (value, version))| Entry {
                    key: key.clone(),
                    value: value.clone(),
                    version: Some(*version),
                })
                .collect();
            recorder.op(txn, Op::Scan { range: Range::prefix(b"k"), limit: None, reverse: false, entries });
        }
        let value = version.to_string().into_bytes();
        recorder.op(txn, Op::Put { key: key.clone(), value: value.clone() });
        state.insert(key, (value, version));
        recorder.commit(txn);
        recorder.committed(txn, &Committed { version: Some(version), durable: true });
    }
    recorder.history().expect("adds up")
}

#[test]
fn a_flipped_value_is_noticed_by_every_checker_that_must_notice() {
    let mut noticed: BTreeMap<Flip, [u32; 2 + Level::ALL.len()]> = BTreeMap::new();
    let alone = Expectations { blackbox: false, ..Expectations::default() };
    for seed in 0..2_000 {
        let mut history = serial(seed, 12);
        let valid = check(&history, &Expectations::default());
        assert!(valid.holds() && valid.undecided.is_empty(), "seed {seed}: {valid:#?}");
        let honest = history.clone();
        let Some((kind, _)) = flip(&mut history, &mut Dice::new(seed)) else { continue };
        if history == honest {
            continue;
        }
        let counts = noticed.entry(kind).or_default();
        counts[0] += 1;
        counts[1] += u32::from(!check(&history, &alone).holds());
        let table = levels(&history, None, 1_000_000);
        for (count, (_, standing)) in counts[2..].iter_mut().zip(&table.levels) {
            *count += u32::from(*standing == Standing::Violated);
        }
    }
    for (kind, [flips, witness, levels @ ..]) in noticed {
        let share = |noticed: u32| format!("{:.1} %", 100.0 * f64::from(noticed) / f64::from(flips));
        println!("{kind:?}: {flips} flips; the witness noticed {}", share(witness));
        for (level, noticed) in Level::ALL.iter().zip(levels) {
            println!("  at {level}: {}", share(noticed));
        }
        assert!(flips > 20, "{kind:?}: only {flips}, a vacuous mix");
        assert_eq!(witness, flips, "{kind:?}: the witness missed some");
        assert_eq!(levels[Level::ALL.len() - 1], flips, "{kind:?}: the black box missed some");
    }
}
