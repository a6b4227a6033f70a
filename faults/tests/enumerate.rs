//! All crashes of a short run.

use std::collections::BTreeSet;

use stormproof_env::{OpenMode, write_all_at};
use stormproof_faults::{
    CrashOdds, CrashState, CrashStyle, DiskOptions, DiskRecording, EnumerationLimits, Odds, SimDisk,
};

/// Appends two records in one file: the second write is only synced at the very end.
fn recording() -> DiskRecording {
    let disk = SimDisk::default();
    disk.start_recording();
    let mount = disk.mount();
    let file = mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
    write_all_at(&*file, 0, &[1; 700]).unwrap();
    file.sync_data().unwrap();
    mount.sync_dir().unwrap();
    write_all_at(&*file, 700, &[2; 600]).unwrap();
    file.sync_data().unwrap();
    disk.take_recording().unwrap()
}

fn states(recording: &DiskRecording) -> Vec<CrashState> {
    recording.crash_states(EnumerationLimits::default()).collect()
}

#[test]
fn every_boundary_is_there_with_each_state_once() {
    let recording = recording();
    let states = states(&recording);
    let kinds: Vec<_> = recording.operations().map(|operation| operation.kind.name()).collect();
    assert_eq!(kinds, ["create", "write", "sync-data", "sync-dir", "write", "sync-data"]);
    let boundaries: BTreeSet<_> = states.iter().map(|state| state.boundary).collect();
    assert_eq!(boundaries, (0..=6).collect());
    let at = |boundary: usize| states.iter().filter(move |state| state.boundary == boundary);
    assert_eq!(at(0).count(), 1);
    assert_eq!(at(1).count(), 2, "the name is there or not");
    assert_eq!(at(4).count(), 1, "everything is durable");
    assert_eq!(at(6).count(), 1, "everything is durable");
    for boundary in 0..=6 {
        let digests: BTreeSet<_> = at(boundary).map(|state| state.disk.digest()).collect();
        assert_eq!(digests.len(), at(boundary).count());
    }
}

#[test]
fn what_was_synced_is_in_every_state_and_what_was_not_in_all_forms() {
    let recording = recording();
    let states = states(&recording);
    let fifth: Vec<_> = states
        .iter()
        .filter(|state| state.boundary == 5)
        .map(|state| state.disk.files()["wal-1.log"].clone())
        .collect();
    assert!(fifth.iter().all(|bytes| bytes[..700] == [1; 700]));
    let has = |bytes: &[&[u8]]| fifth.contains(&[[1; 700].as_slice(), &bytes.concat()].concat());
    assert!(has(&[]), "lost");
    assert!(has(&[&[2; 600]]), "kept");
    assert!(has(&[&[0; 600]]), "hollow");
    assert!(has(&[&[2; 1]]), "torn after a byte");
    assert!(has(&[&[2; 300], &[0; 300]]), "torn in the middle, with the full length");
    assert!(has(&[&[0; 324], &[2; 276]]), "only the second sector");
    let noise = fifth.iter().any(|bytes| bytes[700..].iter().any(|byte| ![0, 2].contains(byte)));
    assert!(noise);
}

#[test]
fn a_state_can_be_opened_and_is_durable() {
    for state in states(&recording()) {
        let disk = SimDisk::from_snapshot(&state.disk, DiskOptions::default());
        let before = disk.files();
        assert_eq!(before, state.disk.files());
        disk.crash(&CrashOdds::lose_all(), 1);
        assert_eq!(disk.files(), before, "{}", state.what);
    }
}

#[test]
fn random_crashes_at_sector_grain_leave_nothing_that_was_not_enumerated() {
    let recording = recording();
    let at_five: BTreeSet<_> = states(&recording)
        .iter()
        .filter(|state| state.boundary == 5)
        .map(|state| state.disk.digest())
        .collect();
    let odds = CrashOdds {
        torn: Odds::NEVER,
        by_pages: Odds::NEVER,
        fills: [1, 0, 0],
        ..CrashOdds::only(CrashStyle::Sectors)
    };
    let snapshot = recording.snapshot(5).unwrap();
    let mut found = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::from_snapshot(&snapshot, DiskOptions::default());
        disk.crash(&odds, seed);
        assert!(at_five.contains(&disk.snapshot().digest()), "seed {seed}: {:?}", disk.files());
        found.insert(disk.snapshot().digest());
    }
    assert!(found.len() > 3);
}

#[test]
fn many_changes_are_reduced_and_the_count_says_so() {
    let disk = SimDisk::default();
    disk.start_recording();
    let mount = disk.mount();
    for name in ["wal-1.log", "wal-2.log", "checkpoint-1"] {
        let file = mount.open(name, OpenMode::CreateNew).unwrap();
        for part in 0..10 {
            write_all_at(&*file, part * 1000, &[part as u8 + 1; 1000]).unwrap();
        }
    }
    let recording = disk.take_recording().unwrap();
    let mut states = recording.crash_states(EnumerationLimits::default());
    let count = states.by_ref().count();
    let summary = states.summary();
    assert_eq!(summary.states, count);
    assert_eq!(summary.boundaries, recording.len() + 1);
    assert!(summary.boundaries_reduced > 0 && summary.boundaries_reduced < summary.boundaries);
    assert!(summary.states < 2_000 * summary.boundaries, "{summary:?}");
}

#[test]
fn a_crash_ends_a_recording() {
    let disk = SimDisk::default();
    disk.start_recording();
    disk.crash(&CrashOdds::lose_all(), 1);
    assert!(disk.take_recording().is_none());
}
