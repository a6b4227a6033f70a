//! What power cuts leave, and what they must not.

use std::sync::Arc;

use stormproof_env::{Disk, OpenMode, write_all_at};
use stormproof_faults::{CrashOdds, CrashStyle, DeadHandle, DiskOptions, EntryPolicy, Odds, SimDisk};

fn put(disk: &Arc<dyn Disk>, name: &str, bytes: &[u8]) -> Box<dyn stormproof_env::File> {
    let file = disk.open(name, OpenMode::CreateNew).unwrap();
    write_all_at(&*file, 0, bytes).unwrap();
    file
}

#[test]
fn a_file_that_was_synced_without_its_directory_is_lost() {
    let disk = SimDisk::default();
    let mount = disk.mount();
    put(&mount, "wal-1.log", b"record").sync_all().unwrap();
    disk.crash(&CrashOdds::lose_all(), 1);
    assert!(disk.files().is_empty());
}

#[test]
fn a_file_that_was_synced_is_kept_where_file_syncs_log_the_entry() {
    let disk = SimDisk::new(DiskOptions { entries: EntryPolicy::FileSync, ..DiskOptions::default() });
    put(&disk.mount(), "wal-1.log", b"record").sync_data().unwrap();
    disk.crash(&CrashOdds::lose_all(), 1);
    assert_eq!(disk.files()["wal-1.log"], b"record");
}

#[test]
fn a_handle_of_an_earlier_life_is_dead_and_changes_nothing() {
    let disk = SimDisk::default();
    let mount = disk.mount();
    let file = put(&mount, "wal-1.log", b"record");
    let lock = mount.lock("lock").unwrap();
    file.sync_all().unwrap();
    mount.sync_dir().unwrap();
    disk.crash(&CrashOdds::lose_all(), 1);
    let before = disk.snapshot().digest();
    let operations = disk.operations();
    let dead = |error: std::io::Error| error.get_ref().is_some_and(|inner| inner.is::<DeadHandle>());
    assert!(dead(file.write_at(0, b"zombie").unwrap_err()));
    assert!(dead(file.read_at(0, &mut [0]).unwrap_err()));
    assert!(dead(file.sync_all().unwrap_err()));
    assert!(dead(file.len().unwrap_err()));
    assert!(dead(file.set_len(0).unwrap_err()));
    assert!(dead(mount.rename("wal-1.log", "gone").unwrap_err()));
    assert!(dead(mount.remove("wal-1.log").unwrap_err()));
    assert!(dead(mount.open("new", OpenMode::CreateNew).unwrap_err()));
    assert!(dead(mount.sync_dir().unwrap_err()));
    assert!(dead(mount.list().unwrap_err()));
    let locked = disk.mount().lock("lock").expect("the old life's lock is gone");
    drop((lock, file));
    assert!(disk.mount().lock("lock").is_err(), "dropping a dead lock must not free the new one");
    drop(locked);
    assert_eq!(disk.snapshot().digest(), before);
    assert_eq!(disk.operations(), operations + 2, "only the two locks counted");
}

#[test]
fn without_power_nothing_works_until_it_is_back() {
    let disk = SimDisk::default();
    disk.cut_power();
    assert!(disk.mount().list().is_err());
    disk.restore_power(&CrashOdds::lose_all(), 1);
    assert!(disk.mount().list().unwrap().is_empty());
}

#[test]
fn the_end_of_a_process_loses_nothing_and_makes_nothing_durable() {
    let disk = SimDisk::default();
    let mount = disk.mount();
    put(&mount, "wal-1.log", b"record");
    disk.end_process();
    assert!(mount.list().is_err());
    assert_eq!(disk.files()["wal-1.log"], b"record");
    disk.crash(&CrashOdds::lose_all(), 1);
    assert!(disk.files().is_empty());
}

/// Writes a synced base and unsynced changes of every sort, crashes, and hands the files over.
fn crashed(odds: &CrashOdds, seed: u64) -> (SimDisk, stormproof_faults::CrashReport) {
    let disk = SimDisk::default();
    let mount = disk.mount();
    let old = put(&mount, "wal-1.log", &[1; 3000]);
    old.sync_all().unwrap();
    put(&mount, "checkpoint-1", &[7; 6000]).sync_all().unwrap();
    mount.sync_dir().unwrap();
    write_all_at(&*old, 2500, &[2; 3000]).unwrap();
    write_all_at(&*old, 5000, &[3; 2000]).unwrap();
    put(&mount, "wal-2.log", &[4; 2000]);
    put(&mount, "checkpoint-2.tmp", &[5; 100]).sync_all().unwrap();
    mount.rename("checkpoint-2.tmp", "checkpoint-1").unwrap();
    let report = disk.crash(odds, seed);
    (disk, report)
}

#[test]
fn the_same_seed_leaves_the_same_bytes_and_seeds_differ() {
    let digest = |seed| crashed(&CrashOdds::default(), seed).0.snapshot().digest();
    let digests: std::collections::BTreeSet<u128> = (0..200).map(digest).collect();
    assert_eq!(digest(7), digest(7));
    assert!(digests.len() > 80, "only {} different images", digests.len());
}

#[test]
fn what_was_synced_survives_every_style_of_crash() {
    for style in CrashStyle::ALL {
        for seed in 0..200 {
            let (disk, report) = crashed(&CrashOdds::only(style), seed);
            assert_eq!(report.style, style);
            let files = disk.files();
            assert_eq!(files["wal-1.log"][..2500], [1; 2500], "{style:?}, seed {seed}");
            let checkpoint = &files["checkpoint-1"];
            assert!(
                *checkpoint == [7; 6000] || *checkpoint == [5; 100],
                "a rename is atomic: {style:?}, seed {seed}"
            );
        }
    }
}

#[test]
fn every_rare_outcome_of_a_crash_is_reached() {
    let odds = CrashOdds { half_renamed: Odds::percent(20), ..CrashOdds::default() };
    let mut zeros = false;
    let mut half = false;
    let mut statistics = stormproof_faults::DiskStatistics::default();
    for seed in 0..500 {
        let (disk, _) = crashed(&odds, seed);
        let files = disk.files();
        let wal = &files["wal-1.log"];
        zeros |= wal.len() > 6000 && wal[5500..].iter().all(|byte| *byte == 0);
        half |= files.contains_key("checkpoint-2.tmp") && files["checkpoint-1"] == [5; 100];
        statistics.add(&disk.statistics());
    }
    assert!(zeros, "a file that grew without its data");
    assert!(half, "a file under both names");
    assert_eq!(statistics.crashes, 500);
    for count in [
        statistics.pieces_kept,
        statistics.pieces_lost,
        statistics.pieces_torn,
        statistics.growths_lost,
        statistics.hollow_tails,
        statistics.dirty_tails,
        statistics.entries_lost,
        statistics.reordered,
    ] {
        assert!(count > 0, "{statistics:?}");
    }
}

#[test]
fn a_lost_truncation_shows_the_old_content() {
    let outcome = |seed| {
        let disk = SimDisk::default();
        let mount = disk.mount();
        let file = put(&mount, "wal-1.log", &[1; 1000]);
        file.sync_all().unwrap();
        mount.sync_dir().unwrap();
        file.set_len(10).unwrap();
        let report = disk.crash(&CrashOdds::only(CrashStyle::Writes), seed);
        (report.truncations_lost, disk.files()["wal-1.log"].clone())
    };
    let outcomes: Vec<_> = (0..50).map(outcome).collect();
    assert!(outcomes.contains(&(1, vec![1; 1000])));
    assert!(outcomes.contains(&(0, vec![1; 10])));
    assert!(outcomes.iter().all(|(lost, bytes)| (bytes.len() == 1000) == (*lost == 1)));
}

#[test]
fn content_that_was_cut_off_before_a_sync_does_not_come_back_after_it() {
    let disk = SimDisk::default();
    let mount = disk.mount();
    let file = put(&mount, "wal-1.log", &[1; 9000]);
    file.sync_all().unwrap();
    mount.sync_dir().unwrap();
    file.set_len(100).unwrap();
    write_all_at(&*file, 8500, &[2; 10]).unwrap();
    file.sync_data().unwrap();
    disk.crash(&CrashOdds::lose_all(), 1);
    let expected = [[1; 100].as_slice(), &[0; 8400], &[2; 10]].concat();
    assert_eq!(disk.files()["wal-1.log"], expected);
}

#[test]
fn a_removal_that_was_not_synced_does_not_take_the_next_file_of_that_name_with_it() {
    for style in CrashStyle::ALL {
        for seed in 0..50 {
            let disk = SimDisk::new(DiskOptions { entries: EntryPolicy::FileSync, ..DiskOptions::default() });
            let mount = disk.mount();
            put(&mount, "wal-1.log", b"old").sync_all().unwrap();
            mount.remove("wal-1.log").unwrap();
            put(&mount, "wal-1.log", b"new").sync_all().unwrap();
            disk.crash(&CrashOdds::only(style), seed);
            assert_eq!(disk.files()["wal-1.log"], b"new", "{style:?}, seed {seed}");
        }
    }
}
