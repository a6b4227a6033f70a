//! Damaged and made-up files: opening reports an error or finds a prefix of what was committed. It never
//! panics, and never takes damaged content for good.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stormproof::Database;
use stormproof_faults::{DiskOptions, SimDisk};
use stormproof_tests::small::open;

const COMMITS: u64 = 12;

type Files = BTreeMap<String, Vec<u8>>;

/// A database of a dozen commits, with a checkpoint in the middle.
fn healthy() -> Files {
    let disk = SimDisk::default();
    let db = open(&disk).unwrap();
    let run = db.begin_run().unwrap();
    for n in 1..=COMMITS {
        db.transaction(run, |txn| {
            txn.put("last", n)?;
            txn.put(format!("own-{n}"), format!("value {n}").repeat(8))
        })
        .unwrap();
        if n == COMMITS / 2 {
            db.checkpoint().unwrap();
        }
    }
    db.close().unwrap();
    disk.files()
}

/// How many commits are there; an error if that is no prefix.
fn commits(db: &Database) -> Result<u64, TestCaseError> {
    let last: u64 = db.get("last").map_err(|error| TestCaseError::fail(error.to_string()))?.unwrap_or(0);
    prop_assert!(last <= COMMITS);
    for n in 1..=COMMITS {
        let own: Option<String> =
            db.get(format!("own-{n}")).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let expected = (n <= last).then(|| format!("value {n}").repeat(8));
        prop_assert_eq!(own, expected, "commit {}, when the last is {}", n, last);
    }
    Ok(last)
}

#[derive(Clone, Debug)]
enum Damage {
    Flip { at: usize, mask: u8 },
    Zero { at: usize, len: usize },
    Noise { at: usize, bytes: Vec<u8> },
    Cut { at: usize },
    Insert { at: usize, bytes: Vec<u8> },
    Copy { from: usize, to: usize, len: usize },
    Replace { bytes: Vec<u8> },
    Append { bytes: Vec<u8> },
    Remove,
    CopyOver { other: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20));
    let len = 1..600_usize;
    let bytes = prop::collection::vec(any::<u8>(), 1..300);
    prop_oneof![
        4 => (at.clone(), 1..=u8::MAX).prop_map(|(at, mask)| Damage::Flip { at, mask }),
        2 => (at.clone(), len.clone()).prop_map(|(at, len)| Damage::Zero { at, len }),
        2 => (at.clone(), bytes.clone()).prop_map(|(at, bytes)| Damage::Noise { at, bytes }),
        1 => at.clone().prop_map(|at| Damage::Cut { at }),
        1 => (at.clone(), bytes.clone()).prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
        2 => (at.clone(), at, len).prop_map(|(from, to, len)| Damage::Copy { from, to, len }),
        1 => bytes.clone().prop_map(|bytes| Damage::Replace { bytes }),
        1 => bytes.prop_map(|bytes| Damage::Append { bytes }),
        1 => Just(Damage::Remove),
        1 => any::<prop::sample::Index>().prop_map(|index| Damage::CopyOver { other: index.index(64) }),
    ]
}

fn apply(files: &mut Files, file: usize, damage: &Damage) {
    let names: Vec<String> = files.keys().cloned().collect();
    let Some(name) = names.get(file % names.len().max(1)) else { return };
    if let Damage::CopyOver { other } = damage {
        let content = files[&names[other % names.len()]].clone();
        files.insert(name.clone(), content);
        return;
    }
    let content = files.get_mut(name).expect("it was listed");
    let place = |at: usize| at % content.len().max(1);
    match damage {
        Damage::Flip { at, mask } if !content.is_empty() => {
            let at = place(*at);
            content[at] ^= mask;
        }
        Damage::Zero { at, len } => {
            let start = place(*at);
            let end = (start + len).min(content.len());
            content[start.min(end)..end].fill(0);
        }
        Damage::Noise { at, bytes } => {
            let at = place(*at);
            for (target, byte) in content.iter_mut().skip(at).zip(bytes) {
                *target = *byte;
            }
        }
        Damage::Cut { at } => {
            let at = place(*at);
            content.truncate(at);
        }
        Damage::Insert { at, bytes } => {
            let at = place(*at).min(content.len());
            content.splice(at..at, bytes.iter().copied());
        }
        Damage::Copy { from, to, len } => {
            let (from, to) = (place(*from), place(*to));
            let piece: Vec<u8> = content.iter().skip(from).take(*len).copied().collect();
            for (target, byte) in content.iter_mut().skip(to).zip(piece) {
                *target = byte;
            }
        }
        Damage::Replace { bytes } => content.clone_from(bytes),
        Damage::Append { bytes } => content.extend(bytes),
        Damage::Remove => {
            files.remove(name);
        }
        Damage::Flip { .. } | Damage::CopyOver { .. } => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_refused_or_give_a_prefix(
        damages in prop::collection::vec((any::<usize>(), damage()), 1..3),
    ) {
        let mut files = healthy();
        for (file, damage) in &damages {
            apply(&mut files, *file, damage);
        }
        let disk = SimDisk::load(&files, DiskOptions::default());
        if let Ok(db) = open(&disk) {
            let found = commits(&db)?;
            prop_assert!(found > 0, "opened as an empty database");
            // What takes a whole tail away can't be told from a tear; a flipped bit can, but in the last
            // record.
            let flips = damages.iter().all(|(_, damage)| matches!(damage, Damage::Flip { .. }));
            let lost = COMMITS - found;
            prop_assert!(!flips || lost <= damages.len() as u64, "{} commits vanished without a word", lost);
            // What was found once is what there is.
            db.close().unwrap();
            drop(db);
            let again = open(&disk).map_err(|error| TestCaseError::fail(format!("opened once: {error}")))?;
            prop_assert_eq!(commits(&again)?, found);
        }
    }

    #[test]
    fn made_up_files_are_refused(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 8),
    ) {
        let files: Files = healthy().into_keys().zip(contents).collect();
        let disk = SimDisk::load(&files, DiskOptions::default());
        prop_assert!(open(&disk).is_err(), "opened noise");
    }
}

#[test]
fn an_undamaged_database_opens_whole() {
    let disk = SimDisk::load(&healthy(), DiskOptions::default());
    assert_eq!(commits(&open(&disk).unwrap()).unwrap(), COMMITS);
}
