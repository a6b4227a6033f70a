//! Backups: whole or not there, at every crash.

use rt::sync::Arc;
use stormproof_faults::{
    CrashOdds, Decision, DiskHook, DiskOptions, FaultKind, FaultPlan, FaultRule, Odds, Operation, SimDisk,
};

use crate::{Database, DatabaseBuilder, Durability, Error, EventLog, RunId, StateMachine, Value, Version};

fn disk() -> SimDisk {
    SimDisk::new(DiskOptions::default())
}

fn on(disk: &SimDisk) -> DatabaseBuilder {
    Database::builder().disk(disk.mount()).allocate_bytes(4096).segment_bytes_max(1 << 10)
}

/// Keys, values and versions.
fn content_of(db: &Database) -> Vec<(Vec<u8>, Value, Option<Version>)> {
    let entries = db.snapshot().range(..).collect::<Vec<_>>();
    entries.into_iter().map(|entry| (entry.user_key().to_vec(), entry.to_value(), entry.version())).collect()
}

fn fill(db: &Database) -> RunId {
    let run = db.begin_run().unwrap();
    for number in 0..40_i64 {
        db.put(run, format!("key/{:02}", number % 30), number).unwrap();
    }
    run
}

#[test]
fn a_backup_has_all_that_a_database_has_and_goes_on_by_itself() {
    rt::check(|| {
        let (original, copy) = (disk(), disk());
        let db = on(&original).durability(Durability::Pipelined).open().unwrap();
        let run = fill(&db);
        let machine = StateMachine::builder("job")
            .initial("new".to_owned())
            .transition("new".to_owned(), "done".to_owned())
            .build()
            .unwrap();
        db.transaction(run, |txn| {
            EventLog::new("log").append(txn, "first")?;
            machine.create(txn, "a")?;
            txn.put_with_ttl("cache", 1_i64, std::time::Duration::from_secs(1_000))?;
            txn.delete("key/00")
        })
        .unwrap();
        let info = db.backup_to_disk(copy.mount()).unwrap();
        let content = content_of(&db);
        db.put(run, "later", 1_i64).unwrap();
        copy.crash(&CrashOdds::lose_all(), 1);
        let restored = on(&copy).open().unwrap();
        assert_eq!((restored.version(), content_of(&restored)), (info.version, content));
        let (ours, theirs) = (db.provenance("cache").unwrap(), restored.provenance("cache").unwrap());
        assert_eq!((ours, ours.expires_at.is_some()), (theirs, true));
        restored
            .transaction(run, |txn| {
                assert_eq!(EventLog::new("log").read(txn, ..)?.len(), 1);
                EventLog::new("log").append(txn, "second")?;
                EventLog::new("log").verify(txn)?;
                machine.transition(txn, "a", &"new".to_owned(), &"done".to_owned())
            })
            .unwrap();
        assert!(restored.version() > info.version, "versions go on");
        assert_eq!(db.get("later").unwrap(), Some(1_i64));
    });
}

#[test]
fn a_directory_that_holds_anything_is_refused() {
    rt::check(|| {
        let (original, other) = (disk(), disk());
        let db = on(&original).open().unwrap();
        other.mount().open("notes.txt", env::OpenMode::CreateNew).unwrap();
        for taken in [&original, &other] {
            let refused = db.backup_to_disk(taken.mount()).unwrap_err().to_string();
            assert!(refused.contains("not empty"), "{refused}");
        }
        assert_eq!(other.files().len(), 1);
    });
}

#[test]
fn a_backup_that_failed_leaves_nothing_and_can_be_made_again() {
    rt::check(|| {
        let (original, copy) = (disk(), disk());
        let db = on(&original).open().unwrap();
        fill(&db);
        copy.set_capacity(Some(300));
        assert!(matches!(db.backup_to_disk(copy.mount()), Err(Error::DiskFull { .. })));
        assert!(copy.files().keys().all(|name| name == "LOCK"), "{:?}", copy.files().keys());
        copy.set_capacity(None);
        for (kind, place) in [(FaultKind::SyncDropsPages, "temporary"), (FaultKind::DirSyncFails, "dir")] {
            let rule = FaultRule::new(kind, Odds::ALWAYS).on(place).at_most(1);
            copy.set_faults(FaultPlan::random(1, vec![rule]));
            db.backup_to_disk(copy.mount()).unwrap_err();
            copy.set_faults(FaultPlan::none());
        }
        let info = db.backup_to_disk(copy.mount()).unwrap();
        assert_eq!(on(&copy).open().unwrap().version(), info.version);
    });
}

#[test]
fn a_database_that_is_closed_for_writing_can_be_backed_up() {
    rt::check(|| {
        let (original, copy) = (disk(), disk());
        let db = on(&original).open().unwrap();
        let run = fill(&db);
        let rule = FaultRule::new(FaultKind::SyncDropsPages, Odds::ALWAYS).on("wal").at_most(1);
        original.set_faults(FaultPlan::random(1, vec![rule]));
        db.put(run, "key/00", -1_i64).unwrap_err();
        assert!(matches!(db.put(run, "key/00", -1_i64), Err(Error::Poisoned { .. })));
        let info = db.backup_to_disk(copy.mount()).unwrap();
        assert_eq!(info.version, db.version());
        assert_eq!(on(&copy).open().unwrap().get("key/01").unwrap(), Some(31_i64));
    });
}

/// Cuts the power after an operation.
#[derive(Debug)]
struct CutBehind(u64);

impl DiskHook for CutBehind {
    fn before(&self, operation: &Operation) -> Decision {
        if operation.number > self.0 { Decision::CutPower } else { Decision::Proceed }
    }
}

#[test]
fn a_backup_is_whole_or_does_not_open_wherever_the_power_goes_out() {
    rt::check(|| {
        let original = disk();
        let db = on(&original).open().unwrap();
        fill(&db);
        let content = content_of(&db);
        let step = if rt::probe::is_simulated() { 3 } else { 1 };
        let (mut refused, mut whole) = (0, 0);
        for cut in (0..).step_by(step) {
            let mut finished = true;
            for odds in [CrashOdds::lose_all(), CrashOdds::default()] {
                let copy = disk();
                copy.set_hook(Arc::new(CutBehind(cut)));
                let done = db.backup_to_disk(copy.mount());
                copy.clear_hook();
                copy.cut_power();
                copy.restore_power(&odds, cut);
                finished &= done.is_ok();
                let is_empty = copy.files().keys().all(|name| name == "LOCK");
                match on(&copy).open() {
                    Ok(restored) if restored.recovery_report().created => {
                        assert!(is_empty && done.is_err(), "cut at {cut}: opened as an empty database");
                    }
                    Ok(restored) => {
                        assert_eq!(content_of(&restored), content, "cut at {cut}");
                        whole += 1;
                    }
                    Err(error) => {
                        assert!(done.is_err(), "cut at {cut}: it was finished, and does not open: {error}");
                        assert!(error.to_string().contains("missing"), "cut at {cut}: {error}");
                        refused += 1;
                    }
                }
            }
            if finished {
                break;
            }
        }
        assert!(refused > 2 && whole > 0, "{refused} refused, {whole} whole");
        assert_eq!(content_of(&db), content, "the original is as it was");
    });
}

#[test]
fn compacting_gives_back_the_log_and_says_how_much() {
    rt::check(|| {
        let original = disk();
        let db = Database::builder().disk(original.mount()).open().unwrap();
        let run = db.begin_run().unwrap();
        for _ in 0..40 {
            db.put(run, "key", vec![0_u8; 2_000]).unwrap();
        }
        let of_files = || original.files().values().map(|bytes| bytes.len() as u64).sum::<u64>();
        assert_eq!(db.disk_size().unwrap().total(), of_files());
        let done = db.compact().unwrap();
        assert_eq!(done.after.total(), of_files());
        assert!(
            done.bytes_freed() > 0 && done.checkpoint.is_some_and(|written| written.segments_removed > 0)
        );
        db.put(run, "key", -1_i64).unwrap();
        let again = db.compact().unwrap();
        assert!(again.checkpoint.is_some());
        db.close().unwrap();
        let db = Database::builder().disk(original.mount()).open().unwrap();
        assert_eq!(db.get("key").unwrap(), Some(-1_i64));
    });
}
