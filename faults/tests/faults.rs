//! Every fault fires, is counted, does what it says, can be switched off, and repeats from its log.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use stormproof_env::{Disk, File, OpenMode, read_up_to_at, write_all_at};
use stormproof_faults::{
    CrashOdds, DiskOptions, Doubt, ExactFault, FaultKind, FaultPlan, FaultRule, Odds, SimDisk,
};

fn disk_with(faults: FaultPlan) -> SimDisk {
    SimDisk::new(DiskOptions { faults, ..DiskOptions::default() })
}

fn exact(name: &str, detail: u64) -> ExactFault {
    ExactFault { key: name.parse().unwrap(), detail }
}

/// A disk that meets one fault, and a synced file of 4 KiB of ones on it, opened. Its writes and syncs are
/// the first.
fn disk_and_file(fault: &str, detail: u64) -> (SimDisk, Arc<dyn Disk>, Box<dyn File>) {
    let files = BTreeMap::from([("wal-1.log".to_owned(), vec![1; 4096])]);
    let faults = FaultPlan::exactly([exact(fault, detail)]);
    let disk = SimDisk::load(&files, DiskOptions { faults, ..DiskOptions::default() });
    let mount = disk.mount();
    let file = mount.open("wal-1.log", OpenMode::ReadWrite).unwrap();
    (disk, mount, file)
}

fn content(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; file.len().unwrap() as usize];
    let read = read_up_to_at(file, 0, &mut bytes).unwrap();
    bytes.truncate(read);
    bytes
}

fn after_crash(disk: &SimDisk) -> Vec<u8> {
    disk.crash(&CrashOdds::lose_all(), 1);
    disk.files()["wal-1.log"].clone()
}

/// Calls everything, whatever it answers.
fn call_everything(disk: &dyn Disk) -> io::Result<()> {
    let _lock = disk.lock("LOCK");
    for name in ["wal-1.log", "checkpoint-1"] {
        let Ok(file) = disk.open(name, OpenMode::CreateNew) else { continue };
        for part in 0..4 {
            let _ = file.write_at(part * 1000, &[part as u8 + 1; 1000]);
            let _ = file.sync_data();
            let _ = file.read_at(0, &mut [0; 4000]);
        }
        let _ = file.set_len(5000);
        let _ = file.sync_all();
        let _ = file.len();
        let _ = disk.sync_dir();
        let _ = disk.open(name, OpenMode::Read).map(|file| file.read_at(100, &mut [0; 100]));
    }
    let _ = disk.rename("checkpoint-1", "checkpoint-2");
    let _ = disk.list();
    let _ = disk.remove("wal-1.log");
    disk.sync_dir()
}

#[test]
fn every_fault_fires_within_its_budget_is_counted_is_switched_off_and_repeats() {
    for kind in FaultKind::ALL {
        let rules = [FaultRule::new(kind, Odds::ALWAYS).at_most(2)];
        let plan = FaultPlan::random(1, rules);
        let disk = disk_with(plan.clone());
        let _ = call_everything(&*disk.mount());
        let fired = disk.fired();
        // There is one rename, one removal, and one listing in there.
        // A lock file is removed once.
        let once = matches!(
            kind,
            FaultKind::RenameFails | FaultKind::RemoveFails | FaultKind::ListFails | FaultKind::LockRemoved
        );
        let times = if once { 1 } else { 2 };
        assert_eq!(fired.len(), times, "{kind}: {fired:?}");
        assert_eq!(disk.statistics().faults[&kind], times as u64);
        assert!(disk.statistics().never_fired(&plan).is_empty());

        let keys: BTreeSet<_> = fired.iter().map(|fired| fired.fault.key.clone()).collect();
        let disabled = disk_with(FaultPlan { disabled: keys.clone(), ..plan.clone() });
        let _ = call_everything(&*disabled.mount());
        let still = disabled.fired();
        assert!(still.iter().all(|fired| !keys.contains(&fired.fault.key)), "{kind}: {still:?}");
        // Creations that succeed now bring writes that were not reached before: those may take the budget's
        // rest. So may later writes what an earlier one spared, as the lock file was gone already.
        let takes_the_rest =
            [FaultKind::NoSpace, FaultKind::OpenFails, FaultKind::DirectoryMoved, FaultKind::LockRemoved];
        if !takes_the_rest.contains(&kind) {
            assert!(still.is_empty(), "{kind}: {still:?}");
            assert_eq!(disabled.statistics().never_fired(&plan), [kind].into());
        }

        let replay = disk_with(FaultPlan::replaying(&fired));
        let _ = call_everything(&*replay.mount());
        assert_eq!(replay.fired(), fired, "{kind}");
        assert_eq!(replay.snapshot().digest(), disk.snapshot().digest(), "{kind}");
    }
}

#[test]
fn drawing_for_one_rule_leaves_the_others_alone() {
    let fired = |rules: &[FaultRule]| -> Vec<_> {
        let disk = disk_with(FaultPlan::random(5, rules));
        let _ = call_everything(&*disk.mount());
        let fired = disk.fired().into_iter().filter(|fired| fired.fault.key.kind == FaultKind::Stall);
        fired.map(|fired| fired.fault).collect()
    };
    let stall = FaultRule::new(FaultKind::Stall, Odds::percent(20));
    let alone = fired(std::slice::from_ref(&stall));
    assert!(alone.len() > 2);
    assert_eq!(alone, fired(&[stall, FaultRule::new(FaultKind::LenFails, Odds::ALWAYS)]));
}

#[test]
fn a_budget_over_all_rules_holds() {
    let rules = FaultKind::ALL.map(|kind| FaultRule::new(kind, Odds::ALWAYS));
    let disk = disk_with(FaultPlan { budget: Some(3), ..FaultPlan::random(1, rules) });
    let _ = call_everything(&*disk.mount());
    assert!(disk.fired().len() <= 3);
}

#[test]
fn a_fault_that_finds_nothing_to_damage_costs_no_budget() {
    let disk = disk_with(FaultPlan {
        budget: Some(1),
        ..FaultPlan::random(1, [FaultRule::new(FaultKind::BitRot, Odds::ALWAYS).at_most(1)])
    });
    let mount = disk.mount();
    let file = mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
    let mut content = vec![0; 16 * 512];
    // What was not written, what was not synced, and what is all zeros does not decay.
    file.read_at(0, &mut content).unwrap();
    write_all_at(&*file, 0, &[7; 16 * 512]).unwrap();
    file.read_at(0, &mut content).unwrap();
    assert!(disk.fired().is_empty());
    file.sync_all().unwrap();
    file.read_at(0, &mut content).unwrap();
    assert_eq!(disk.fired().len(), 1);
    assert_ne!(content, [7; 16 * 512]);
}

#[test]
fn decay_leaves_holes_alone_and_meets_long_reads_more_often() {
    let met = |filled: usize, detail: u64| {
        let whole = [vec![7; filled * 512], vec![0; (16 - filled) * 512]].concat();
        let files = BTreeMap::from([("wal-1.log".to_owned(), whole.clone())]);
        let faults = FaultPlan::exactly([exact("bit-rot wal read 1", detail << 44)]);
        let disk = SimDisk::load(&files, DiskOptions { faults, ..DiskOptions::default() });
        content(&*disk.mount().open("wal-1.log", OpenMode::Read).unwrap()) != whole
    };
    let times = |filled| (0..64).filter(|detail| met(filled, *detail)).count();
    assert_eq!([times(0), times(1), times(8), times(16)], [0, 8, 64, 64]);
}

#[test]
fn a_rule_can_be_for_one_class_of_files_and_spare_the_beginning() {
    let rule = FaultRule::new(FaultKind::WriteFails, Odds::ALWAYS).on("checkpoint").after(2);
    let disk = disk_with(FaultPlan::random(1, [rule]));
    let _ = call_everything(&*disk.mount());
    let keys: Vec<_> = disk.fired().iter().map(|fired| fired.fault.key.to_string()).collect();
    assert_eq!(keys, ["write-fails checkpoint write 3", "write-fails checkpoint write 4"]);
}

#[test]
fn a_plan_survives_serialisation() {
    let plan = FaultPlan {
        budget: Some(2),
        rules: vec![FaultRule::new(FaultKind::BitRot, Odds::per_mille(5)).on("wal")],
        exact: vec![exact("no-space wal write 3", 9)],
        disabled: ["stall dir list 1".parse().unwrap()].into(),
        seed: 7,
    };
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<FaultPlan>(&text).unwrap(), plan);
    assert_eq!(serde_json::from_str::<FaultPlan>("{}").unwrap(), FaultPlan::none());
}

#[test]
fn after_a_sync_that_dropped_pages_the_next_one_succeeds_and_the_data_are_gone() {
    // Over the details: the cache shows the new or the old content, some or no pages were written.
    let (mut shows_new, mut shows_old, mut kept) = (0, 0, 0);
    for detail in 0..40 {
        let (disk, _mount, file) = disk_and_file("sync-drops-pages wal sync-data 1", detail);
        write_all_at(&*file, 0, &[2; 4096]).unwrap();
        file.sync_data().unwrap_err();
        file.sync_data().expect("the pages are marked clean");
        let cached = content(&*file);
        let durable = after_crash(&disk);
        assert!(durable == [1; 4096] || durable == [2; 4096], "one page, old or new");
        kept += u32::from(durable == [2; 4096]);
        if durable == [1; 4096] {
            shows_new += u32::from(cached == [2; 4096]);
            shows_old += u32::from(cached == [1; 4096]);
        }
    }
    assert!(shows_new > 0 && shows_old > 0 && kept > 0, "{shows_new} {shows_old} {kept}");
    assert!(shows_new + shows_old > kept);
}

#[test]
fn after_a_sync_that_kept_pages_dirty_the_next_one_writes_them() {
    let (disk, _mount, file) = disk_and_file("sync-keeps-pages wal sync-data 1", 0);
    write_all_at(&*file, 0, &[2; 4096]).unwrap();
    file.sync_data().unwrap_err();
    assert_eq!(disk.snapshot().durable_files()["wal-1.log"], [1; 4096]);
    file.sync_data().unwrap();
    assert_eq!(after_crash(&disk), [2; 4096]);
}

#[test]
fn a_sync_can_fail_after_it_made_everything_durable() {
    let (disk, _mount, file) = disk_and_file("sync-fails-durable wal sync-data 1", 0);
    write_all_at(&*file, 0, &[2; 4096]).unwrap();
    file.sync_data().unwrap_err();
    assert_eq!(after_crash(&disk), [2; 4096]);
}

#[test]
fn a_sync_that_lies_leaves_nothing_and_puts_the_outcome_in_doubt() {
    let (disk, _mount, file) = disk_and_file("sync-lies wal sync-data 1", 0);
    write_all_at(&*file, 0, &[2; 4096]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(content(&*file), [2; 4096]);
    assert_eq!(after_crash(&disk), [1; 4096]);
    let doubts = disk.doubts();
    assert_eq!(doubts, [Doubt::DeviceLied { kind: FaultKind::SyncLies, file: "wal-1.log".into() }]);
    assert!(doubts[0].excuses_silent_loss());
}

#[test]
fn a_directory_sync_that_fails_keeps_entries_pending_or_drops_them() {
    for (detail, survives) in [(0, false), (1, true)] {
        let disk = disk_with(FaultPlan::exactly([exact("dir-sync-fails dir sync-dir 1", detail)]));
        let mount = disk.mount();
        mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
        mount.sync_dir().unwrap_err();
        mount.sync_dir().unwrap();
        assert_eq!(mount.list().unwrap(), ["wal-1.log"]);
        disk.crash(&CrashOdds::lose_all(), 1);
        assert_eq!(disk.files().contains_key("wal-1.log"), survives);
    }
}

#[test]
fn a_failed_write_leaves_nothing_or_a_part_in_the_cache() {
    let mut parts = BTreeSet::new();
    for detail in 0..60 {
        let (_disk, _mount, file) = disk_and_file("write-fails wal write 1", detail * 37);
        file.write_at(0, &[2; 100]).unwrap_err();
        let content = content(&*file);
        let part = content.iter().take_while(|byte| **byte == 2).count();
        assert!(content[part..].iter().all(|byte| *byte == 1));
        parts.insert(part);
    }
    assert!(parts.contains(&0) && parts.len() > 5, "{parts:?}");
}

#[test]
fn a_short_write_writes_less_and_says_so() {
    let (_disk, _mount, file) = disk_and_file("short-write wal write 1", 41);
    let written = file.write_at(0, &[2; 100]).unwrap();
    assert_eq!(written, 42);
    assert_eq!(content(&*file)[..43], [[2; 42].as_slice(), &[1]].concat());
}

#[test]
fn a_short_read_reads_less_and_says_so() {
    let (_disk, _mount, file) = disk_and_file("short-read wal read 1", 41);
    let mut buffer = [0; 100];
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 42);
    assert_eq!(buffer[..43], [[1; 42].as_slice(), &[0]].concat());
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 100);
}

#[test]
fn an_interrupted_call_has_no_effect_and_works_when_repeated() {
    let (_disk, _mount, file) = disk_and_file("interrupted wal write 1", 0);
    assert_eq!(file.write_at(0, &[2; 10]).unwrap_err().kind(), io::ErrorKind::Interrupted);
    assert_eq!(content(&*file), [1; 4096]);
    assert_eq!(file.write_at(0, &[2; 10]).unwrap(), 10);
}

#[test]
fn a_full_disk_takes_what_fits_and_works_again_when_there_is_room() {
    let disk = SimDisk::new(DiskOptions { capacity: Some(8192), ..DiskOptions::default() });
    let mount = disk.mount();
    let file = mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
    assert_eq!(file.write_at(0, &[1; 6000]).unwrap(), 6000);
    assert_eq!(file.write_at(6000, &[1; 6000]).unwrap(), 2192, "a short write up to the last page");
    assert_eq!(file.write_at(8192, &[1]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(0, &[2; 8192]).unwrap(), 8192, "what is there can be overwritten");
    assert_eq!(file.set_len(8193).unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.set_capacity(Some(12_288));
    assert_eq!(file.write_at(8192, &[1]).unwrap(), 1);
    disk.set_capacity(None);
    file.set_len(100_000).unwrap();
    assert_eq!(disk.used(), 102_400);
    drop(file);
    mount.remove("wal-1.log").unwrap();
    assert_eq!(disk.used(), 0, "removing frees");
}

#[test]
fn a_write_without_space_has_no_effect() {
    let (_disk, mount, file) = disk_and_file("no-space wal write 1", 0);
    assert_eq!(file.write_at(0, &[2; 10]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(content(&*file), [1; 4096]);
    assert_eq!(mount.list().unwrap(), ["wal-1.log"]);
}

#[test]
fn rot_flips_one_bit_for_good_until_the_sector_is_written_or_healed() {
    let detail = (100 << 16) | (3 << 40) | 5;
    let (disk, mount, file) = disk_and_file("bit-rot wal read 1", detail);
    let rotten = content(&*file);
    let flipped: Vec<_> = (0..4096).filter(|at| rotten[*at] != 1).collect();
    assert_eq!(flipped, [5 * 512 + 100]);
    assert_eq!(rotten[flipped[0]], 1 ^ 8);
    assert_eq!(content(&*mount.open("wal-1.log", OpenMode::Read).unwrap()), rotten);
    let doubt = Doubt::Decay { file: "wal-1.log".into(), sector: 5, behind: 4096 - 5 * 512 };
    assert_eq!(disk.doubts(), std::slice::from_ref(&doubt));
    disk.crash(&CrashOdds::lose_all(), 1);
    let file = disk.mount().open("wal-1.log", OpenMode::ReadWrite).unwrap();
    assert_eq!(content(&*file), rotten, "it outlives a crash");
    let rotten_digest = disk.snapshot().digest();
    let healed = SimDisk::from_snapshot(&disk.snapshot(), DiskOptions::default());
    healed.heal();
    assert_ne!(healed.snapshot().digest(), rotten_digest);
    assert_eq!(content(&*healed.mount().open("wal-1.log", OpenMode::Read).unwrap()), [1; 4096]);
    write_all_at(&*file, 5 * 512, &[1; 512]).unwrap();
    assert_eq!(content(&*file), [1; 4096], "the drive remaps what is written anew");
    disk.crash(&CrashOdds::default(), 2);
    assert!(disk.doubts().contains(&doubt), "what was read meanwhile was read damaged");
}

#[test]
fn rot_spares_what_is_not_synced() {
    let (disk, _mount, file) = disk_and_file("bit-rot wal read 1", 12345);
    write_all_at(&*file, 0, &[2; 4096]).unwrap();
    assert_eq!(content(&*file), [2; 4096]);
    assert!(disk.fired().is_empty(), "what did not happen is not counted");
}

#[test]
fn rot_beside_a_tear_is_beyond_judgement() {
    let (disk, _mount, file) = disk_and_file("bit-rot wal read 1", 0);
    content(&*file);
    write_all_at(&*file, 4096, &[2; 4096]).unwrap();
    let odds = CrashOdds { torn: Odds::ALWAYS, write_survives: Odds::ALWAYS, ..CrashOdds::default() };
    let odds = CrashOdds { styles: CrashOdds::only(stormproof_faults::CrashStyle::Writes).styles, ..odds };
    disk.crash(&odds, 1);
    assert!(disk.doubts().contains(&Doubt::DecayBesideTear { file: "wal-1.log".into() }));
}

#[test]
fn a_bad_sector_fails_reads_that_touch_it_until_it_is_written() {
    let (_disk, _mount, file) = disk_and_file("bad-sector wal read 1", 5);
    let mut buffer = [0; 4096];
    file.read_at(0, &mut buffer).unwrap_err();
    file.read_at(5 * 512 + 511, &mut [0]).unwrap_err();
    assert_eq!(file.read_at(0, &mut buffer[..5 * 512]).unwrap(), 5 * 512);
    assert_eq!(file.read_at(6 * 512, &mut buffer[..512]).unwrap(), 512);
    write_all_at(&*file, 5 * 512, &[9; 512]).unwrap();
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 4096);
}

#[test]
fn errors_that_pass_leave_things_as_they_were() {
    let (_disk, mount, file) = disk_and_file("read-fails wal read 1", 0);
    file.read_at(0, &mut [0]).unwrap_err();
    assert_eq!(content(&*file), [1; 4096]);
    drop(mount);

    let (_disk, mount, _file) = disk_and_file("open-fails wal open 2", 0);
    mount.open("wal-1.log", OpenMode::Read).unwrap_err();
    mount.open("wal-1.log", OpenMode::Read).unwrap();

    let (_disk, mount, _file) = disk_and_file("list-fails dir list 1", 0);
    mount.list().unwrap_err();
    assert_eq!(mount.list().unwrap(), ["wal-1.log"]);

    let (_disk, _mount, file) = disk_and_file("len-fails wal len 1", 0);
    file.len().unwrap_err();
    assert_eq!(file.len().unwrap(), 4096);

    let (_disk, _mount, file) = disk_and_file("set-len-fails wal set-len 1", 0);
    file.set_len(0).unwrap_err();
    assert_eq!(file.len().unwrap(), 4096);
}

#[test]
fn a_failed_rename_or_removal_took_effect_or_not() {
    for (detail, name) in [(0, "wal-2.log"), (1, "wal-1.log")] {
        let (_disk, mount, _file) = disk_and_file("rename-fails wal rename 1", detail);
        mount.rename("wal-1.log", "wal-2.log").unwrap_err();
        assert_eq!(mount.list().unwrap(), [name]);
    }
    for (detail, left) in [(0, 0), (1, 1)] {
        let (_disk, mount, _file) = disk_and_file("remove-fails wal remove 1", detail);
        mount.remove("wal-1.log").unwrap_err();
        assert_eq!(mount.list().unwrap().len(), left);
    }
}

#[test]
fn a_lost_write_reads_well_until_the_power_goes_out() {
    let (disk, _mount, file) = disk_and_file("lost-write wal write 2", 0);
    write_all_at(&*file, 0, &[2; 600]).unwrap();
    write_all_at(&*file, 100, &[3; 600]).unwrap();
    file.sync_all().unwrap();
    assert_eq!(content(&*file)[100..700], [3; 600]);
    let mut expected = vec![1; 4096];
    expected[..100].fill(2);
    // The lost write takes what it had overwritten in the cache with it.
    assert_eq!(after_crash(&disk)[700..], expected[700..]);
    assert_eq!(disk.files()["wal-1.log"][..100], [2; 100]);
    assert!(!disk.files()["wal-1.log"].contains(&3));
}

#[test]
fn a_misdirected_write_lands_elsewhere() {
    let (disk, _mount, file) = disk_and_file("misdirected-write wal write 1", 2);
    write_all_at(&*file, 512, &[3; 512]).unwrap();
    file.sync_all().unwrap();
    assert_eq!(content(&*file)[512..1024], [3; 512], "the cache does not know");
    let durable = after_crash(&disk);
    let mut expected = vec![1; 4096];
    expected[4 * 512..5 * 512].fill(3);
    assert_eq!(durable, expected);
}

#[test]
fn space_that_was_freed_shows_its_old_content_in_a_hollow_tail() {
    let odds = CrashOdds { fills: [0, 0, 1], write_survives: Odds::percent(10), ..CrashOdds::default() };
    let stale = (0..100).any(|seed| {
        let files = BTreeMap::from([("wal-1.log".to_owned(), vec![7; 8192])]);
        let disk = SimDisk::load(&files, DiskOptions::default());
        let mount = disk.mount();
        mount.remove("wal-1.log").unwrap();
        mount.sync_dir().unwrap();
        let file = mount.open("wal-2.log", OpenMode::CreateNew).unwrap();
        mount.sync_dir().unwrap();
        write_all_at(&*file, 0, &[2; 8192]).unwrap();
        disk.crash(&odds, seed);
        disk.files()["wal-2.log"].contains(&7)
    });
    assert!(stale);
}

#[test]
fn a_moved_directory_changes_no_entries_until_the_life_ends_and_open_files_go_on() {
    let (disk, mount, file) = disk_and_file("directory-moved wal write 1", 0);
    let lock = mount.lock("LOCK").unwrap();
    lock.check().unwrap();
    file.write_at(0, b"still ours").unwrap();
    file.sync_data().unwrap();
    for refused in [
        mount.open("wal-2.log", OpenMode::CreateNew).map(drop),
        mount.rename("wal-1.log", "wal-3.log"),
        mount.remove("wal-1.log"),
        lock.check(),
    ] {
        let error = refused.unwrap_err();
        assert!(stormproof_env::displaced(&error).is_some(), "{error}");
    }
    disk.end_process();
    let mount = disk.mount();
    mount.lock("LOCK").unwrap().check().unwrap();
    mount.rename("wal-1.log", "wal-3.log").unwrap();
    assert_eq!(&content(&*mount.open("wal-3.log", OpenMode::Read).unwrap())[..10], b"still ours");
}

#[test]
fn a_removed_lock_file_lets_no_second_opener_in() {
    let (_disk, mount, file) = disk_and_file("lock-removed wal write 1", 0);
    let lock = mount.lock("LOCK").unwrap();
    file.write_at(0, b"x").unwrap();
    assert_eq!(mount.lock("LOCK").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(stormproof_env::displaced(&lock.check().unwrap_err()).is_some());
    drop(lock);
    mount.lock("LOCK").unwrap().check().unwrap();
}
