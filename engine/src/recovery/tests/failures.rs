//! Disks that fail.

use stormproof_faults::{CrashOdds, FaultKind, FaultPlan, FaultRule, Odds};

use super::support::{Store, Storyline, recovered, sim_disk, small};
use crate::error::Error;
use crate::types::Version;
use crate::value::Value;

fn once(kind: FaultKind, class: &str) -> FaultPlan {
    FaultPlan::random(1, vec![FaultRule::new(kind, Odds::ALWAYS).on(class).at_most(1)])
}

#[test]
fn a_failed_sync_closes_for_writing_and_its_commit_is_not_known() {
    for kind in [FaultKind::SyncDropsPages, FaultKind::SyncKeepsPages, FaultKind::SyncFailsDurable] {
        rt::check(move || {
            let disk = sim_disk();
            let mut store = Store::open(disk.mount(), small()).unwrap();
            let mut story = Storyline::default();
            story.run(&mut store, 3, false).unwrap();
            disk.set_faults(once(kind, "wal"));
            let failed = story.run(&mut store, 1, false).unwrap_err();
            assert!(matches!(failed, Error::Indeterminate { .. }), "{failed}");
            let refused = store.put("other", 1).unwrap_err();
            assert!(matches!(refused, Error::Poisoned { .. }), "{refused}");
            assert!(matches!(store.checkpoint(), Err(Error::Poisoned { .. } | Error::Invalid(_))));
            assert_eq!(store.opened.log.durable_version(), Version::new(3));
            disk.crash(&CrashOdds::default(), 3);
            story.judge(kind.name(), &recovered(&disk, small()).unwrap());
        });
    }
}

#[test]
fn a_failed_write_leaves_nothing_and_the_next_commit_works() {
    for kind in [FaultKind::WriteFails, FaultKind::NoSpace] {
        rt::check(move || {
            for skip in 0..3 {
                let disk = sim_disk();
                let mut store = Store::open(disk.mount(), small()).unwrap();
                for number in 0..=skip {
                    store.put("before", number).unwrap();
                }
                disk.set_faults(once(kind, "wal"));
                let failed = store.put("refused", 1).unwrap_err();
                assert!(matches!(failed, Error::Io { .. } | Error::DiskFull { .. }), "{failed}");
                for number in 0..20 {
                    store.put("after", number).unwrap();
                }
                disk.crash(&CrashOdds::lose_all(), 3);
                let after = recovered(&disk, small()).unwrap();
                assert_eq!(after.content, store.content, "{kind:?} {skip}");
            }
        });
    }
}

#[test]
fn a_failed_write_whose_repair_fails_is_not_known_and_is_repaired_before_the_next() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        store.put("before", 1).unwrap();
        let rules = [FaultKind::WriteFails, FaultKind::SetLenFails]
            .map(|kind| FaultRule::new(kind, Odds::ALWAYS).on("wal").at_most(1));
        disk.set_faults(FaultPlan::random(1, rules));
        let failed = store.put("lost", 1).unwrap_err();
        assert!(matches!(failed, Error::Indeterminate { .. }), "{failed}");
        store.put("after", 1).unwrap();
        disk.crash(&CrashOdds::lose_all(), 3);
        assert_eq!(recovered(&disk, small()).unwrap().content, store.content);
    });
}

#[test]
fn short_and_interrupted_writes_are_gone_on_with() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        let rules = [FaultKind::ShortWrite, FaultKind::Interrupted, FaultKind::ShortRead]
            .map(|kind| FaultRule::new(kind, Odds::percent(40)));
        disk.set_faults(FaultPlan::random(1, rules));
        for number in 0..40 {
            store.put(&format!("key {number}"), number).unwrap();
        }
        store.checkpoint().unwrap();
        disk.crash(&CrashOdds::lose_all(), 3);
        assert_eq!(recovered(&disk, small()).unwrap().content, store.content);
        assert!(disk.fired().len() > 10);
    });
}

#[test]
fn a_full_disk_refuses_commits_until_there_is_room() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        disk.set_capacity(Some(disk.used() + 8192));
        let big = Value::from(vec![7_u8; 700]);
        let mut refused = 0;
        for number in 0..60 {
            match store.commit(&[(&format!("key {number}"), Some(big.clone()))]) {
                Ok(_) => {}
                Err(Error::DiskFull { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(refused > 0);
        disk.set_capacity(None);
        store.put("at last", 1).unwrap();
        disk.crash(&CrashOdds::lose_all(), 3);
        assert_eq!(recovered(&disk, small()).unwrap().content, store.content);
    });
}

#[test]
fn a_segment_that_can_not_be_created_fails_commits_and_loses_none() {
    for kind in [FaultKind::RenameFails, FaultKind::OpenFails] {
        rt::check(move || {
            let disk = sim_disk();
            let mut store = Store::open(disk.mount(), small()).unwrap();
            disk.set_faults(FaultPlan::random(1, vec![FaultRule::new(kind, Odds::percent(50)).at_most(4)]));
            let mut refused = 0;
            for number in 0..60 {
                refused += u32::from(store.put(&format!("key {number}"), number).is_err());
            }
            assert!(refused > 0, "{kind:?}");
            disk.set_faults(FaultPlan::none());
            disk.crash(&CrashOdds::lose_all(), 3);
            assert_eq!(recovered(&disk, small()).unwrap().content, store.content, "{kind:?}");
        });
    }
}

#[test]
fn a_failed_sync_of_the_directory_closes_for_writing() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        disk.set_faults(once(FaultKind::DirSyncFails, "dir"));
        let mut story = Storyline::default();
        let failed = story.run(&mut store, 60, false).unwrap_err();
        assert!(matches!(failed, Error::Indeterminate { .. }), "{failed}");
        assert!(matches!(store.put("other", 1), Err(Error::Poisoned { .. })));
        disk.crash(&CrashOdds::lose_all(), 3);
        story.judge("after", &recovered(&disk, small()).unwrap());
    });
}

#[test]
fn a_read_error_in_recovery_cuts_nothing() {
    rt::check(|| {
        let disk = sim_disk();
        let mut store = Store::open(disk.mount(), small()).unwrap();
        for number in 0..30 {
            store.put(&format!("key {number}"), number).unwrap();
        }
        for skip in 0..12 {
            disk.crash(&CrashOdds::lose_all(), 3);
            let rule = FaultRule::new(FaultKind::ReadFails, Odds::ALWAYS).at_most(1).after(skip);
            disk.set_faults(FaultPlan::random(1, vec![rule]));
            match recovered(&disk, small()) {
                Ok(found) => assert_eq!(found.content, store.content),
                Err(error) => assert!(matches!(error, Error::Io { operation: "read", .. }), "{error}"),
            }
        }
        disk.set_faults(FaultPlan::none());
        disk.crash(&CrashOdds::lose_all(), 3);
        assert_eq!(recovered(&disk, small()).unwrap().content, store.content);
    });
}

#[test]
fn a_checkpoint_that_fails_leaves_the_old_one_and_its_log() {
    for kind in [FaultKind::WriteFails, FaultKind::NoSpace, FaultKind::RenameFails, FaultKind::RemoveFails] {
        rt::check(move || {
            let disk = sim_disk();
            let mut store = Store::open(disk.mount(), small()).unwrap();
            let mut story = Storyline::default();
            story.run(&mut store, 12, false).unwrap();
            store.checkpoint().unwrap();
            story.run(&mut store, 12, false).unwrap();
            disk.set_faults(FaultPlan::random(1, vec![FaultRule::new(kind, Odds::ALWAYS).at_most(1)]));
            assert!(store.checkpoint().is_err(), "{kind:?}");
            story.run(&mut store, 2, false).unwrap();
            disk.crash(&CrashOdds::default(), 3);
            let after = recovered(&disk, small()).unwrap();
            assert_eq!(after.content, store.content, "{kind:?}");
        });
    }
}
