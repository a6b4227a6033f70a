//! What a power cut takes from a mounted disk, seen through the operating system.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use stormproof_env::StdDisk;
use stormproof_faults::{CrashOdds, CrashStyle, DiskOptions};
use stormproof_fuse::MountedDisk;

/// Runs on a mounted disk, if one can be mounted here.
fn mounted(test: impl FnOnce(&MountedDisk, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    if let Some(mounted) = MountedDisk::mount_if_possible(dir.path(), DiskOptions::default()) {
        test(&mounted, dir.path());
    }
}

fn sync(directory: &Path) {
    File::open(directory).unwrap().sync_all().unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_not_synced_is_lost_and_what_was_is_not() {
    mounted(|disk, dir| {
        let mut synced = File::create(dir.join("synced")).unwrap();
        synced.write_all(b"durable").unwrap();
        synced.sync_all().unwrap();
        sync(dir);
        synced.write_all_at(b"changed", 0).unwrap();
        let mut nameless = File::create(dir.join("nameless")).unwrap();
        nameless.write_all(b"its directory was not synced").unwrap();
        nameless.sync_all().unwrap();
        disk.cut_power(&CrashOdds::lose_all(), 1);
        assert!(synced.read_at(&mut [0; 7], 0).is_err(), "what was open is dead");
        drop((synced, nameless));
        assert_eq!(names(dir), ["synced"]);
        assert_eq!(fs::read(dir.join("synced")).unwrap(), b"durable");
    });
}

#[test]
fn a_kill_without_a_power_cut_takes_nothing_back() {
    mounted(|disk, dir| {
        fs::write(dir.join("a"), b"written and not synced").unwrap();
        disk.cut_power(&CrashOdds::keep_all(), 1);
        assert_eq!(fs::read(dir.join("a")).unwrap(), b"written and not synced");
    });
}

#[test]
fn a_directory_whose_parent_was_not_synced_is_lost_with_all_that_was_synced_in_it() {
    mounted(|disk, dir| {
        for name in ["kept", "lost"] {
            let inner = dir.join(name).join("inner");
            fs::create_dir_all(&inner).unwrap();
            fs::write(inner.join("file"), b"x").unwrap();
            File::open(inner.join("file")).unwrap().sync_all().unwrap();
            sync(&inner);
            sync(&dir.join(name));
            if name == "kept" {
                sync(dir);
            }
        }
        assert_eq!(names(dir), ["kept", "lost"]);
        disk.cut_power(&CrashOdds::lose_all(), 1);
        assert_eq!(names(dir), ["kept"]);
        assert_eq!(fs::read(dir.join("kept/inner/file")).unwrap(), b"x");
    });
}

#[test]
fn directories_that_the_production_disk_creates_survive() {
    mounted(|disk, dir| {
        StdDisk::create(dir.join("a").join("b")).unwrap();
        disk.cut_power(&CrashOdds::lose_all(), 1);
        assert!(dir.join("a/b").is_dir());
    });
}

#[test]
fn a_rename_that_was_not_synced_is_undone_whole() {
    mounted(|disk, dir| {
        for (name, content) in [("current", "old"), ("next", "new")] {
            let mut file = File::create(dir.join(name)).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            file.sync_all().unwrap();
        }
        sync(dir);
        fs::rename(dir.join("next"), dir.join("current")).unwrap();
        assert_eq!(fs::read(dir.join("current")).unwrap(), b"new");
        disk.cut_power(&CrashOdds::only(CrashStyle::LoseAll), 1);
        assert_eq!(names(dir), ["current", "next"]);
        assert_eq!(fs::read(dir.join("current")).unwrap(), b"old");
    });
}

#[test]
fn files_that_are_open_and_removed_stay_readable() {
    mounted(|_, dir| {
        fs::write(dir.join("a"), b"still here").unwrap();
        let open = File::open(dir.join("a")).unwrap();
        fs::remove_file(dir.join("a")).unwrap();
        fs::write(dir.join("a"), b"another").unwrap();
        let mut bytes = [0; 10];
        open.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"still here");
        assert_eq!(fs::read(dir.join("a")).unwrap(), b"another");
    });
}

#[test]
fn what_is_left_can_be_looked_at_after_the_unmounting() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mounted) = MountedDisk::mount_if_possible(dir.path(), DiskOptions::default()) else { return };
    fs::create_dir(dir.path().join("inner")).unwrap();
    fs::write(dir.path().join("inner/file"), b"x").unwrap();
    mounted.unmount_and_dump(dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("inner/file")).unwrap(), b"x");
}
