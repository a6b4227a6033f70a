//! Every way in which a disk fails, where it matters in the life of a database: the error that the caller
//! gets, what its message says to do, and that nothing acked is lost by it.

use stormproof::{Database, DatabaseBuilder, Error, Result};
use stormproof_faults::{CrashOdds, DiskOptions, FaultKind, FaultPlan, FaultRule, Odds, SimDisk};

/// What the application is at when the fault happens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Commit,
    Checkpoint,
    Open,
}

/// What the caller gets.
#[derive(Clone, Copy, Debug)]
enum Told {
    Nothing,
    DiskFull,
    /// An error of the operating system in this operation.
    Io(&'static str),
    Indeterminate,
    /// A failed sync of any file closes for writing.
    Poisoned,
    Corruption,
    /// The directory is not where it was.
    Displaced,
}

const CHECK: &str = "check the disk and the rights on it, then try again";
const FREE: &str = "free some, then try again";
const READ_BACK: &str = "read back what it wrote before you repeat it";
const REOPEN: &str = "check the disk, then reopen the database";
const PUT_BACK: &str = "close it, and put back what was there";
const SALVAGE: &str = "restore it from a copy, or open with salvage and lose what it reports";

/// Fault, class of files, phase, what comes of it, what to do.
type Case = (FaultKind, &'static str, Phase, Told, &'static str);

const CASES: [Case; 37] = [
    (FaultKind::NoSpace, "wal", Phase::Commit, Told::DiskFull, FREE),
    (FaultKind::WriteFails, "wal", Phase::Commit, Told::Io("write"), CHECK),
    (FaultKind::ShortWrite, "wal", Phase::Commit, Told::Nothing, ""),
    (FaultKind::Interrupted, "wal", Phase::Commit, Told::Nothing, ""),
    (FaultKind::Stall, "wal", Phase::Commit, Told::Nothing, ""),
    (FaultKind::SyncDropsPages, "wal", Phase::Commit, Told::Indeterminate, READ_BACK),
    (FaultKind::SyncKeepsPages, "wal", Phase::Commit, Told::Indeterminate, READ_BACK),
    (FaultKind::SyncFailsDurable, "wal", Phase::Commit, Told::Indeterminate, READ_BACK),
    (FaultKind::NoSpace, "temporary", Phase::Checkpoint, Told::DiskFull, FREE),
    (FaultKind::OpenFails, "temporary", Phase::Checkpoint, Told::Io("create"), CHECK),
    (FaultKind::WriteFails, "temporary", Phase::Checkpoint, Told::Io("write"), CHECK),
    (FaultKind::ShortWrite, "temporary", Phase::Checkpoint, Told::Nothing, ""),
    (FaultKind::Interrupted, "temporary", Phase::Checkpoint, Told::Nothing, ""),
    (FaultKind::SyncDropsPages, "temporary", Phase::Checkpoint, Told::Poisoned, REOPEN),
    (FaultKind::SyncKeepsPages, "temporary", Phase::Checkpoint, Told::Poisoned, REOPEN),
    (FaultKind::SyncFailsDurable, "temporary", Phase::Checkpoint, Told::Poisoned, REOPEN),
    (FaultKind::RenameFails, "temporary", Phase::Checkpoint, Told::Io("rename"), CHECK),
    (FaultKind::RemoveFails, "checkpoint", Phase::Checkpoint, Told::Io("remove"), CHECK),
    (FaultKind::DirSyncFails, "dir", Phase::Checkpoint, Told::Poisoned, REOPEN),
    (FaultKind::ListFails, "dir", Phase::Open, Told::Io("list the directory"), CHECK),
    (FaultKind::OpenFails, "wal", Phase::Open, Told::Io("open"), CHECK),
    (FaultKind::OpenFails, "checkpoint", Phase::Open, Told::Io("open"), CHECK),
    (FaultKind::LenFails, "wal", Phase::Open, Told::Io("read the length"), CHECK),
    (FaultKind::ReadFails, "wal", Phase::Open, Told::Io("read"), CHECK),
    (FaultKind::ReadFails, "checkpoint", Phase::Open, Told::Io("read"), CHECK),
    (FaultKind::ReadFails, "other", Phase::Open, Told::Io("read"), CHECK),
    (FaultKind::ShortRead, "wal", Phase::Open, Told::Nothing, ""),
    (FaultKind::Interrupted, "checkpoint", Phase::Open, Told::Nothing, ""),
    (FaultKind::SetLenFails, "wal", Phase::Open, Told::Io("truncate"), CHECK),
    // Tried again without space ahead.
    (FaultKind::NoSpace, "temporary", Phase::Open, Told::Nothing, ""),
    (FaultKind::BadSector, "wal", Phase::Open, Told::Io("read"), CHECK),
    (FaultKind::BitRot, "checkpoint", Phase::Open, Told::Corruption, SALVAGE),
    (FaultKind::BitRot, "other", Phase::Open, Told::Corruption, SALVAGE),
    (FaultKind::BadSector, "checkpoint", Phase::Open, Told::Io("read"), CHECK),
    (FaultKind::DirectoryMoved, "temporary", Phase::Checkpoint, Told::Poisoned, REOPEN),
    (FaultKind::DirectoryMoved, "temporary", Phase::Open, Told::Displaced, PUT_BACK),
    // Looked for before each write: the next one is refused.
    (FaultKind::LockRemoved, "wal", Phase::Commit, Told::Nothing, ""),
];

fn builder(disk: &SimDisk) -> DatabaseBuilder {
    Database::builder().disk(disk.mount()).allocate_bytes(4096).segment_bytes_max(16 << 10)
}

/// A database with a checkpoint, log after it, and everything acked.
fn prepare(disk: &SimDisk) -> Database {
    let db = builder(disk).open().unwrap();
    let run = db.begin_run().unwrap();
    for number in 0..40_i64 {
        db.put(run, format!("key {number}"), number).unwrap();
        if number == 20 {
            db.checkpoint().unwrap();
        }
    }
    db
}

fn expect_whole(db: &Database, case: &Case) {
    for number in 0..40_i64 {
        assert_eq!(db.get(format!("key {number}")).unwrap(), Some(number), "{case:?}");
    }
}

/// Meets the fault once.
fn meet(disk: &SimDisk, case: &Case) -> Result<()> {
    let (kind, class, phase, ..) = *case;
    let mut db = Some(prepare(disk));
    let run = db.as_ref().unwrap().begin_run().unwrap();
    if phase == Phase::Open {
        db = None;
        disk.crash(&CrashOdds::lose_all(), 1);
    }
    let rule = FaultRule::new(kind, Odds::ALWAYS).on(class).at_most(1);
    disk.set_faults(FaultPlan::random(1, [rule]));
    let outcome = match (phase, &db) {
        (Phase::Commit, Some(db)) => db.put(run, "while it fails", 1_i64),
        (Phase::Checkpoint, Some(db)) => db.checkpoint().map(drop),
        _ => builder(disk).open().map(drop),
    };
    assert_eq!(disk.fired().len(), 1, "{case:?}: the fault has to happen, and here is {outcome:?}");
    disk.set_faults(FaultPlan::none());
    if let Some(db) = &db {
        expect_whole(db, case);
    }
    outcome
}

#[test]
fn every_fault_has_its_error_which_says_what_to_do() {
    let mut wrong = Vec::new();
    for case in &CASES {
        let disk = SimDisk::new(DiskOptions::default());
        let (kind, _, _, told, advice) = *case;
        let outcome = meet(&disk, case);
        let as_told = match &outcome {
            Ok(()) => matches!(told, Told::Nothing),
            Err(Error::DiskFull { .. }) => matches!(told, Told::DiskFull),
            Err(Error::Io { operation, .. }) => matches!(told, Told::Io(expected) if expected == *operation),
            Err(Error::Indeterminate { .. }) => matches!(told, Told::Indeterminate),
            Err(Error::Poisoned { .. }) => matches!(told, Told::Poisoned),
            Err(Error::Corruption { .. }) => matches!(told, Told::Corruption),
            Err(Error::Displaced { .. }) => matches!(told, Told::Displaced),
            Err(_) => false,
        };
        let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        if !as_told || !message.ends_with(advice) {
            wrong.push(format!("{case:?}: {message}"));
        }
        if kind.is_decay() {
            disk.heal();
        }
        disk.crash(&CrashOdds::lose_all(), 1);
        let db = builder(&disk).open().unwrap();
        expect_whole(&db, case);
        let run = db.begin_run().unwrap();
        db.put(run, "afterwards", 1_i64).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A new kind of fault comes with a row.
#[test]
fn every_kind_of_fault_has_a_case() {
    for kind in FaultKind::ALL.into_iter().filter(|kind| !kind.is_lie()) {
        assert!(CASES.iter().any(|case| case.0 == kind), "{kind}");
    }
}

#[test]
fn a_log_that_is_closed_after_a_failed_sync_says_to_reopen() {
    let disk = SimDisk::new(DiskOptions::default());
    let case = &CASES[5];
    let db = prepare(&disk);
    let run = db.begin_run().unwrap();
    disk.set_faults(FaultPlan::random(1, [FaultRule::new(case.0, Odds::ALWAYS).on("wal").at_most(1)]));
    db.put(run, "lost", 1_i64).unwrap_err();
    let refused = db.put(run, "after", 1_i64).unwrap_err();
    assert!(matches!(refused, Error::Poisoned { .. }), "{refused}");
    assert!(refused.to_string().ends_with("check the disk, then reopen the database"), "{refused}");
}
