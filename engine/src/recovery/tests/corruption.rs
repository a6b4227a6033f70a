//! Bytes that are not what was written.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stormproof_faults::{DiskOptions, SimDisk};

use super::support::{Content, Store, Storyline, recovered, sim_disk, small};
use crate::error::{Error, Result};
use crate::inspect::{inspect, verify};
use crate::recovery::{RecoveryOptions, Salvage};

type Files = BTreeMap<String, Vec<u8>>;

/// Creates a database with several segments and a checkpoint, and its content after each commit.
fn database(commits: i64) -> (Files, Vec<Content>) {
    let disk = sim_disk();
    let mut store = Store::open(disk.mount(), small()).unwrap();
    let mut story = Storyline::default();
    story.run(&mut store, 20, false).unwrap();
    store.checkpoint().unwrap();
    story.run(&mut store, commits, false).unwrap();
    disk.end_process();
    (disk.files(), story.states)
}

fn opened(files: &Files, options: impl Into<RecoveryOptions>) -> Result<Store> {
    recovered(&SimDisk::load(files, DiskOptions::default()), options)
}

fn last_segment(files: &Files) -> String {
    files.keys().rfind(|name| name.starts_with("wal-")).unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if rt::CHECKS > 1 { 4 } else { 300 }))]

    #[test]
    fn flipped_bits_are_noticed_or_harmless(
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        rt::check(move || {
            let (mut files, states) = database(12);
            let name = files.keys().nth(file.index(files.len())).unwrap().clone();
            let bytes = files.get_mut(&name).unwrap();
            if bytes.is_empty() {
                return;
            }
            let at = place.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            if let Ok(store) = opened(&files, small()) {
                // Rot in the very last record can't be distinguished from a torn tail.
                let last = states.len() - 1;
                let found = states.iter().rposition(|state| *state == store.content);
                assert!(found.is_some_and(|found| found + 1 >= last), "{name} at {at}: {found:?} of {last}");
            }
        });
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_pass(
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
        truncate in any::<bool>(),
    ) {
        rt::check(move || {
            let (mut files, states) = database(12);
            let name = files.keys().nth(file.index(files.len())).unwrap().clone();
            let last = name == last_segment(&files);
            let bytes = files.get_mut(&name).unwrap();
            let at = place.index(bytes.len() + 1);
            if truncate {
                bytes.truncate(at);
            }
            let end = (at + garbage.len()).min(bytes.len());
            bytes.splice(at..end, garbage.iter().copied());
            let disk = SimDisk::load(&files, DiskOptions::default());
            let _ = inspect(&*disk.mount()).unwrap();
            let verified = verify(&*disk.mount());
            let found = opened(&files, small());
            // Verification also reads what no open reads.
            assert!(verified.is_err() || found.is_ok(), "{name} at {at}: {verified:?}");
            if let Ok(store) = found {
                let found = states.iter().rposition(|state| *state == store.content);
                // What is gone from the end of the last segment, proof included, can't be missed.
                assert!(found.is_some_and(|found| last || found + 1 == states.len()), "{name} at {at}");
            }
            let salvage = RecoveryOptions { salvage: Salvage::DropDamaged, log: small() };
            let _ = opened(&files, salvage);
        });
    }
}

#[test]
fn damage_in_the_middle_is_reported_and_nothing_is_cut() {
    rt::check(|| {
        let (mut files, _) = database(3);
        let name = last_segment(&files);
        let shown = inspect(&*SimDisk::load(&files, DiskOptions::default()).mount()).unwrap();
        let replayed_from = shown.checkpoints[0].lsn.get() - shown.segments[0].first_lsn.get();
        let record = 4096 + replayed_from;
        files.get_mut(&name).unwrap()[usize::try_from(record).unwrap() + 20] ^= 1;
        let disk = SimDisk::load(&files, DiskOptions::default());
        let error = recovered(&disk, small()).unwrap_err();
        let Error::Corruption { file, offset, .. } = &error else { panic!("{error}") };
        assert_eq!((file, *offset), (&name, record));
        let mut after = disk.files();
        after.retain(|name, _| files.contains_key(name));
        assert_eq!(after, files);
    });
}

#[test]
fn a_salvage_says_what_it_drops_and_keeps_the_bytes() {
    rt::check(|| {
        let (mut files, states) = database(45);
        let segments: Vec<String> = files.keys().filter(|name| name.starts_with("wal-")).cloned().collect();
        let damaged = &segments[1];
        files.get_mut(damaged).unwrap()[4096 + 20] ^= 1;
        assert!(matches!(opened(&files, small()), Err(Error::Corruption { .. })));
        let disk = SimDisk::load(&files, DiskOptions::default());
        let salvage = RecoveryOptions { salvage: Salvage::DropDamaged, log: small() };
        let store = recovered(&disk, salvage).unwrap();
        assert!(states[20..states.len() - 1].contains(&store.content));
        let [what] = store.opened.report.salvaged.as_slice() else { panic!("{:?}", store.opened.report) };
        assert_eq!((&what.file, what.offset), (damaged, 4096));
        assert!(disk.files().contains_key(&format!("{damaged}.salvaged")));
        let again = recovered(&disk, small()).unwrap();
        assert_eq!(again.content, store.content);
        assert!(again.opened.report.salvaged.is_empty());
    });
}

#[test]
fn a_missing_segment_is_missed() {
    rt::check(|| {
        let (files, _) = database(45);
        let segments: Vec<&String> = files.keys().filter(|name| name.starts_with("wal-")).collect();
        for gone in &segments[..segments.len() - 1] {
            let mut files = files.clone();
            files.remove(*gone);
            let error = opened(&files, small()).unwrap_err();
            assert!(matches!(error, Error::Missing { .. } | Error::Corruption { .. }), "{gone}: {error}");
        }
        let mut files = files.clone();
        files.retain(|name, _| !name.starts_with("checkpoint-"));
        assert!(matches!(opened(&files, small()), Err(Error::Missing { .. })));
    });
}

#[test]
fn a_log_that_was_cut_short_and_lost_its_checkpoint_is_not_an_empty_database() {
    rt::check(|| {
        let (files, _) = database(3);
        for kept in [0, 64, 4096, 4097, 5000] {
            let mut files = files.clone();
            files.retain(|name, _| !name.starts_with("checkpoint-"));
            let first = files.keys().find(|name| name.starts_with("wal-")).unwrap().clone();
            let bytes = files.remove(&first).unwrap();
            files.retain(|name, _| !name.starts_with("wal-"));
            files.insert(first, bytes[..kept.min(bytes.len())].to_vec());
            let error = opened(&files, small()).unwrap_err();
            assert!(matches!(error, Error::Missing { .. } | Error::Corruption { .. }), "{kept}: {error}");
        }
    });
}

#[test]
fn a_verification_sees_rot_where_nothing_was_written() {
    rt::check(|| {
        let (files, _) = database(20);
        let verified = |files: &Files| verify(&*SimDisk::load(files, DiskOptions::default()).mount());
        assert!(verified(&files).is_ok());
        let first = files.keys().find(|name| name.starts_with("wal-")).unwrap();
        for at in [64, 100, 4095] {
            let mut files = files.clone();
            files.get_mut(first).unwrap()[at] ^= 1;
            let error = verified(&files).unwrap_err();
            assert!(
                matches!(&error, Error::Corruption { offset, .. } if *offset == at as u64),
                "{at}: {error}"
            );
            assert!(opened(&files, small()).is_ok());
        }
    });
}

#[test]
fn the_last_segment_of_an_epoch_that_was_opened_is_missed() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        store.put("key", 1).unwrap();
        disk.end_process();
        drop(recovered(&disk, small()).unwrap());
        let mut files = disk.files();
        files.remove(&last_segment(&files)).unwrap();
        let error = opened(&files, small()).unwrap_err();
        assert!(matches!(error, Error::Missing { .. }), "{error}");
    });
}

/// Gives a file a format version, with a checksum that matches, unlike that of a damaged file.
fn set_format(files: &mut Files, name: &str, version: u8) {
    let bytes = files.get_mut(name).unwrap();
    let end = if name.starts_with("wal-") { 60 } else { 52 };
    bytes[8] = version;
    let crc = crc32fast::hash(&bytes[..end]);
    bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_newer_format_is_named() {
    rt::check(|| {
        let (files, _) = database(3);
        for name in files.keys().filter(|name| !name.starts_with("LOCK")) {
            let mut files = files.clone();
            set_format(&mut files, name, 9);
            let error = opened(&files, small()).unwrap_err();
            let known = if name.starts_with("checkpoint-") { 2 } else { 1 };
            assert!(
                matches!(&error, Error::NewerFormat { found: 9, supported, file } if file == name && *supported == known),
                "{error}"
            );
        }
    });
}

#[test]
fn a_checkpoint_of_an_earlier_build_is_refused_with_what_to_do_and_no_salvage_takes_it_for_damage() {
    rt::check(|| {
        let (mut files, _) = database(3);
        let name = files.keys().find(|name| name.starts_with("checkpoint-")).unwrap().clone();
        set_format(&mut files, &name, 1);
        let salvage = RecoveryOptions { log: small(), salvage: Salvage::DropDamaged };
        for options in [small().into(), salvage] {
            let disk = SimDisk::load(&files, DiskOptions::default());
            let error = recovered(&disk, options).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "{name} has format version 1, and this library reads only 2: \
                     open it with the version that wrote it, and copy what is in it to a new database"
                )
            );
            assert_eq!(disk.files().get(&name), files.get(&name));
        }
    });
}

#[test]
fn files_of_another_database_are_refused() {
    rt::check(|| {
        let (files, _) = database(3);
        let mut stranger = files.clone();
        let manifest = stranger.get_mut("stormproof.manifest").unwrap();
        manifest[12] ^= 1;
        let end = manifest.len() - 4;
        let crc = crc32fast::hash(&manifest[..end]);
        manifest[end..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(opened(&stranger, small()), Err(Error::Corruption { .. })));
    });
}

#[test]
fn an_inspection_shows_every_file() {
    rt::check(|| {
        let (files, _) = database(20);
        let disk = SimDisk::load(&files, DiskOptions::default());
        let shown = inspect(&*disk.mount()).unwrap().to_string();
        for name in files.keys().filter(|name| name.starts_with("wal-") || name.starts_with("checkpoint-")) {
            assert!(shown.contains(name.as_str()), "{name} in {shown}");
        }
        assert!(!shown.contains("PROBLEM") && !shown.contains("DAMAGED"), "{shown}");
        let report = verify(&*disk.mount()).unwrap();
        assert_eq!(report.commits, 20);
    });
}
