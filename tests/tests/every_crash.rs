//! Every crash of a short run on the simulated disk: at each boundary between two operations, in each state
//! that a power cut may leave there, the database opens, holds a prefix of the commits, and has all that was
//! acked.

use stormproof::{Database, RunId};
use stormproof_faults::{
    CrashOdds, CrashPoint, CrashTrigger, Decision, DiskHook, DiskOptions, EntryPolicy, EnumerationLimits,
    Operation, SimDisk,
};
use stormproof_tests::small::open;

/// The n-th commit: says that it is the last, and leaves something of its own.
fn commit(db: &Database, run: RunId, n: u64) {
    db.transaction(run, |txn| {
        txn.put("last", n)?;
        txn.put(format!("own-{n}"), n)
    })
    .unwrap();
}

/// How many commits there are; fails if they are not a prefix, or one is there in part.
fn commits(db: &Database, most: u64) -> u64 {
    let last: u64 = db.get("last").unwrap().unwrap_or(0);
    for n in 1..=most {
        let own: Option<u64> = db.get(format!("own-{n}")).unwrap();
        assert_eq!(own, (n <= last).then_some(n), "commit {n}, when the last is {last}");
    }
    last
}

/// Runs `body` on a new disk, and checks every crash. It returns for each commit the number of disk
/// operations at its ack.
fn check_every_crash(entries: EntryPolicy, body: impl Fn(&SimDisk) -> Vec<u64>) {
    let disk = SimDisk::new(DiskOptions { entries, ..DiskOptions::default() });
    disk.start_recording();
    let acks = body(&disk);
    let recording = disk.take_recording().expect("the life goes on");
    let limits = EnumerationLimits { subset_max: 6, states_max: 1_000 };
    let mut states = recording.crash_states(limits);
    for state in states.by_ref() {
        let context =
            format!("after operation {} ({}): {}", state.after_operation, state.boundary, state.what);
        let disk = SimDisk::from_snapshot(&state.disk, DiskOptions { entries, ..DiskOptions::default() });
        let db = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
        let acked = acks.iter().filter(|ack| **ack <= state.after_operation).count() as u64;
        let found = commits(&db, acks.len() as u64);
        assert!(found >= acked, "{context}: {acked} commits were acked, {found} are there");
        // What recovery served must stay, whatever happens next.
        disk.crash(&CrashOdds::lose_all(), 1);
        drop(db);
        let db = open(&disk).unwrap_or_else(|error| panic!("{context}, again: {error}"));
        assert_eq!(
            commits(&db, acks.len() as u64),
            found,
            "{context}: a second crash changed what was served"
        );
        db.close().unwrap();
    }
    let summary = states.summary();
    assert_eq!(summary.boundaries, recording.len() + 1);
    assert!(summary.states > summary.boundaries, "{summary:?}");
}

fn write_a_little(disk: &SimDisk) -> Vec<u64> {
    let db = open(disk).unwrap();
    let run = db.begin_run().unwrap();
    let acks = (1..=12).map(|n| {
        commit(&db, run, n);
        disk.operations()
    });
    let acks = acks.collect();
    db.close().unwrap();
    acks
}

#[test]
fn no_crash_of_a_new_database_loses_an_acked_commit() {
    check_every_crash(EntryPolicy::DirSyncOnly, write_a_little);
}

#[test]
fn no_crash_loses_an_acked_commit_where_file_syncs_log_the_entry() {
    check_every_crash(EntryPolicy::FileSync, write_a_little);
}

#[test]
fn no_crash_during_a_checkpoint_loses_an_acked_commit() {
    check_every_crash(EntryPolicy::DirSyncOnly, |disk| {
        let db = open(disk).unwrap();
        let run = db.begin_run().unwrap();
        let mut acks = Vec::new();
        for n in 1..=3 {
            commit(&db, run, n);
            acks.push(disk.operations());
        }
        db.checkpoint().unwrap();
        commit(&db, run, 4);
        acks.push(disk.operations());
        acks
    });
}

#[test]
fn no_crash_during_recovery_loses_an_acked_commit() {
    let disk = SimDisk::default();
    let before = write_a_little(&disk).len() as u64;
    disk.crash(&CrashOdds::keep_all(), 1);
    let files = disk.files();
    let disk = SimDisk::load(&files, DiskOptions::default());
    disk.start_recording();
    drop(open(&disk).unwrap());
    let recording = disk.take_recording().unwrap();
    for state in recording.crash_states(EnumerationLimits { subset_max: 6, states_max: 1_000 }) {
        let disk = SimDisk::from_snapshot(&state.disk, DiskOptions::default());
        let db = open(&disk).unwrap_or_else(|error| panic!("{}: {error}", state.what));
        assert_eq!(commits(&db, before), before, "{}", state.what);
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "the test stands for the simulated world, not for the program in it"
)]
#[derive(Debug)]
struct PowerCut(std::sync::Mutex<CrashTrigger>);

impl DiskHook for PowerCut {
    fn before(&self, operation: &Operation) -> Decision {
        if self.0.lock().unwrap().before(operation) { Decision::CutPower } else { Decision::Proceed }
    }
}

#[test]
fn random_crashes_over_many_lives_lose_no_acked_commit() {
    for seed in 0..40_u64 {
        let disk = SimDisk::default();
        let (mut acked, mut tried) = (0, 0);
        for life in 0..6 {
            let point = CrashPoint {
                side: stormproof_faults::Side::Before,
                operation: None,
                class: None,
                nth: 1 + (seed * 7 + life * 13) % 60,
            };
            disk.set_hook(std::sync::Arc::new(PowerCut(CrashTrigger::new(point).into())));
            // A cut during recovery makes opening fail; then the next life has to manage.
            if let Ok(db) = open(&disk) {
                let found = commits(&db, tried);
                assert!(found >= acked, "seed {seed}, life {life}: {acked} acked, {found} there");
                (acked, tried) = (found, found);
                if let Ok(run) = db.begin_run() {
                    for n in found + 1..found + 20 {
                        tried = n;
                        let done = db.transaction(run, |txn| {
                            txn.put("last", n)?;
                            txn.put(format!("own-{n}"), n)
                        });
                        if done.is_err() {
                            break;
                        }
                        acked = n;
                    }
                }
            }
            disk.clear_hook();
            disk.crash(&CrashOdds::default(), seed * 100 + life);
        }
        assert!(acked > 0, "seed {seed} never got to work");
    }
}
