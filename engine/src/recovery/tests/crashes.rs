//! Power cuts.

use stormproof_faults::{CrashOdds, CrashStyle};

use super::support::{CutAt, Store, Storyline, recovered, sim_disk, small};
use crate::error::Error;
use crate::value::Value;

#[test]
fn what_was_acked_is_there_after_a_power_cut() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        for number in 0..40 {
            store.put(&format!("key {}", number % 7), number).unwrap();
        }
        store.commit(&[("key 1", None), ("new", Some(Value::Null))]).unwrap();
        disk.crash(&CrashOdds::lose_all(), 1);
        let after = Store::open(disk.mount(), small()).unwrap();
        assert_eq!(after.content, store.content);
        assert_eq!(after.opened.last_version, store.last_version());
        assert!(after.opened.report.segments > 2, "{:?}", after.opened.report);
        assert!(after.opened.first_version > store.last_version());
    });
}

#[test]
fn a_checkpoint_and_the_log_behind_it_are_the_content() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        let mut story = Storyline::default();
        story.run(&mut store, 30, true).unwrap();
        let info = store.checkpoint().unwrap();
        assert_eq!(info.entries, 5);
        story.run(&mut store, 3, false).unwrap();
        disk.crash(&CrashOdds::lose_all(), 1);
        let after = Store::open(disk.mount(), small()).unwrap();
        assert_eq!(after.content, store.content);
        assert_eq!(after.opened.report.checkpoint_version, Some(info.version));
        assert_eq!(after.opened.report.commits, 3);
        let segments = disk.files().keys().filter(|name| name.starts_with("wal-")).count();
        assert!(segments <= 3, "{segments} segments are left");
    });
}

/// Every place for a power cut, in a life of commits, rotations and checkpoints; then one in the recovery
/// from it; then a recovery that succeeds, and a second, which must find the same.
#[test]
fn a_power_cut_at_any_operation_leaves_a_prefix_with_all_that_was_acked() {
    rt::check(|| {
        let mut cuts = 0;
        let step = if rt::probe::is_simulated() { 9 } else { 1 };
        for at in (0..).step_by(step) {
            let seed = at * 31;
            let odds = if at % 3 == 0 { CrashOdds::lose_all() } else { CrashOdds::default() };
            let disk = sim_disk();
            let mut story = Storyline::default();
            story.states.push(super::support::Content::new());
            disk.set_hook(CutAt::after(at));
            let ended = Store::open(disk.mount(), small())
                .and_then(|mut store| story.run(&mut store, 22, true))
                .is_ok();
            if ended {
                break;
            }
            cuts += 1;
            disk.restore_power(&odds, seed);
            disk.set_hook(CutAt::after(at % 17));
            if let Ok(mut store) = Store::open(disk.mount(), small()) {
                story.judge(&format!("cut at {at}"), &store);
                // The hook may still cut this.
                let _ = story.run(&mut store, 3, false);
            }
            disk.cut_power();
            disk.restore_power(&odds, seed + 1);
            disk.clear_hook();
            let store = recovered(&disk, small()).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
            story.judge(&format!("recovery from cut at {at}"), &store);
            story.highest = crate::Version::new(store.opened.first_version.get() - 1);
            disk.crash(&odds, seed + 2);
            let again = recovered(&disk, small()).unwrap();
            assert_eq!(again.content, store.content, "cut at {at}");
            assert!(again.opened.first_version > store.opened.first_version);
        }
        assert!(cuts > 60 / step, "{cuts} cuts");
    });
}

#[test]
fn a_torn_tail_is_gone_for_good() {
    rt::check(|| {
        for seed in 0..if rt::probe::is_simulated() { 6 } else { 60 } {
            let disk = sim_disk();
            let mut story = Storyline::default();
            let mut store = Store::open(disk.mount(), small()).unwrap();
            story.run(&mut store, 2, false).unwrap();
            // Cut between the write and the sync of the third.
            disk.set_hook(CutAt::after(1));
            assert!(story.run(&mut store, 1, false).is_err());
            disk.restore_power(&CrashOdds::only(CrashStyle::Fragments), seed);
            disk.clear_hook();
            let mut store = Store::open(disk.mount(), small()).unwrap();
            story.judge("after the tear", &store);
            story.run(&mut store, 1, false).unwrap();
            disk.crash(&CrashOdds::keep_all(), seed);
            let store = recovered(&disk, small()).unwrap();
            story.judge("after the second crash", &store);
        }
    });
}

#[test]
fn a_half_created_database_is_created_again_and_never_opens_as_an_empty_one() {
    rt::check(|| {
        let disk = sim_disk();
        let store = Store::open(disk.mount(), small()).unwrap();
        drop(store);
        let mut files = disk.files();
        let manifest = files.remove("stormproof.manifest").unwrap();
        let half = stormproof_faults::SimDisk::load(&files, Default::default());
        assert!(recovered(&half, small()).unwrap().opened.report.created);

        let mut store = Store::open(disk.mount(), small());
        if matches!(store, Err(Error::Locked { .. })) {
            disk.end_process();
            store = Store::open(disk.mount(), small());
        }
        store.unwrap().put("key", 1).unwrap();
        disk.end_process();
        let mut files = disk.files();
        files.remove("stormproof.manifest");
        let lost = stormproof_faults::SimDisk::load(&files, Default::default());
        assert!(matches!(recovered(&lost, small()), Err(Error::Missing { .. })));
        files.retain(|name, _| !name.starts_with("wal-"));
        files.insert("stormproof.manifest".to_owned(), manifest);
        let lost = stormproof_faults::SimDisk::load(&files, Default::default());
        assert!(matches!(recovered(&lost, small()), Err(Error::Missing { .. })));
    });
}

#[test]
fn two_can_not_open_one_directory() {
    rt::check(|| {
        let disk = sim_disk();
        let store = Store::open(disk.mount(), small()).unwrap();
        assert!(matches!(Store::open(disk.mount(), small()), Err(Error::Locked { .. })));
        store.opened.log.close().unwrap();
        assert!(Store::open(disk.mount(), small()).is_ok());
    });
}
