//! What a simulator sees of a disk, and what it can do from there.

use std::io;
#[expect(
    clippy::disallowed_types,
    reason = "the test stands for the simulated world, not for the program in it"
)]
use std::sync::Mutex;
use std::sync::{Arc, Weak};

use stormproof_env::{OpenMode, write_all_at};
use stormproof_faults::{
    Completion, CrashOdds, CrashPoint, CrashTrigger, Decision, DiskHook, DiskOptions, ExactFault, FaultPlan,
    Operation, OperationKind, Side, SimDisk,
};

#[expect(
    clippy::disallowed_types,
    reason = "the test stands for the simulated world, not for the program in it"
)]
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    fail: Option<(&'static str, Decision)>,
}

impl Log {
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

impl DiskHook for Log {
    fn before(&self, operation: &Operation) -> Decision {
        self.push(format!("before {}", operation.label()));
        match self.fail {
            Some((label, decision)) if label == operation.label() => decision,
            _ => Decision::Proceed,
        }
    }

    fn stall(&self, operation: &Operation, nanos: u64) {
        self.push(format!("stall {} {nanos}", operation.label()));
    }

    fn after(&self, operation: &Operation, completion: &Completion) {
        self.push(format!("after {operation} {:?}", completion.error));
    }
}

#[test]
fn a_hook_sees_every_operation_in_order_with_its_label_and_number() {
    let stall = ExactFault { key: "stall wal write 1".parse().unwrap(), detail: 3 };
    let faults = FaultPlan::exactly([stall]);
    let disk = SimDisk::new(DiskOptions { faults, ..DiskOptions::default() });
    let log = Arc::new(Log::default());
    disk.set_hook(log.clone());
    let mount = disk.mount();
    let file = mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
    write_all_at(&*file, 0, b"abc").unwrap();
    mount.rename("wal-1.log", "wal-2.log").unwrap();
    mount.sync_dir().unwrap();
    mount.open("missing", OpenMode::Read).unwrap_err();
    assert_eq!(
        log.lines(),
        [
            "before disk.create wal",
            "after #1 create wal-1.log None",
            "before disk.write wal",
            "stall disk.write wal 8000",
            "after #2 write wal-1.log [0..3] None",
            "before disk.rename wal",
            "after #3 rename wal-1.log -> wal-2.log None",
            "before disk.sync-dir",
            "after #4 sync-dir None",
            "before disk.open other",
            "after #5 open missing Some(NotFound)",
        ]
    );
    disk.clear_hook();
    mount.list().unwrap();
    assert_eq!(log.lines().len(), 11);
}

#[test]
fn a_hook_can_fail_an_operation_without_effect() {
    let disk = SimDisk::default();
    let fail = Some(("disk.create wal", Decision::Fail(io::ErrorKind::TimedOut)));
    disk.set_hook(Arc::new(Log { fail, ..Log::default() }));
    let error = disk.mount().open("wal-1.log", OpenMode::CreateNew).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(disk.files().is_empty());
}

#[test]
fn a_hook_can_cut_the_power_before_an_operation() {
    let disk = SimDisk::default();
    disk.set_hook(Arc::new(Log { fail: Some(("disk.sync-dir", Decision::CutPower)), ..Log::default() }));
    let mount = disk.mount();
    mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
    mount.sync_dir().unwrap_err();
    assert!(!disk.is_powered());
    disk.restore_power(&CrashOdds::lose_all(), 1);
    assert!(disk.files().is_empty(), "the sync did not happen");
}

/// Crashes the whole disk from within an operation, as a simulator does from another task.
#[derive(Debug)]
struct Crasher {
    disk: Weak<SimDisk>,
    side: Side,
}

impl Crasher {
    fn crash(&self, side: Side, operation: &Operation) {
        if side == self.side && operation.kind == OperationKind::Write {
            let disk = self.disk.upgrade().unwrap();
            disk.crash(&CrashOdds::keep_all(), 1);
        }
    }
}

impl DiskHook for Crasher {
    fn before(&self, operation: &Operation) -> Decision {
        self.crash(Side::Before, operation);
        Decision::Proceed
    }

    fn after(&self, operation: &Operation, _: &Completion) {
        self.crash(Side::After, operation);
    }
}

#[test]
fn an_operation_during_which_the_disk_crashed_fails_and_has_its_effect_only_if_it_came_first() {
    for (side, expected) in [(Side::Before, b"".as_slice()), (Side::After, b"abc")] {
        let disk = Arc::new(SimDisk::default());
        disk.set_hook(Arc::new(Crasher { disk: Arc::downgrade(&disk), side }));
        let file = disk.mount().open("wal-1.log", OpenMode::CreateNew).unwrap();
        file.write_at(0, b"abc").unwrap_err();
        assert_eq!(disk.life(), 2);
        assert_eq!(disk.files()["wal-1.log"], expected);
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "the test stands for the simulated world, not for the program in it"
)]
#[derive(Debug)]
struct Trigger(Mutex<CrashTrigger>);

impl DiskHook for Trigger {
    fn before(&self, operation: &Operation) -> Decision {
        if self.0.lock().unwrap().before(operation) { Decision::CutPower } else { Decision::Proceed }
    }
}

#[test]
fn a_crash_point_fires_at_the_operation_that_it_names() {
    let point = CrashPoint {
        side: Side::Before,
        operation: Some(OperationKind::SyncData),
        class: Some("wal".into()),
        nth: 2,
    };
    assert_eq!(point.to_string(), "before sync-data 2 on wal");
    let disk = SimDisk::default();
    disk.set_hook(Arc::new(Trigger(CrashTrigger::new(point).into())));
    let mount = disk.mount();
    let wal = mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
    let other = mount.open("checkpoint-1", OpenMode::CreateNew).unwrap();
    wal.sync_data().unwrap();
    other.sync_data().unwrap();
    other.sync_data().unwrap();
    wal.sync_data().unwrap_err();
    assert!(!disk.is_powered());
}

#[test]
fn the_content_goes_with_the_simulators_end_though_handles_leak() {
    let disk = SimDisk::default();
    let mount = disk.mount();
    let file = mount.open("wal-1.log", OpenMode::CreateNew).unwrap();
    let hook = Arc::new(Log::default());
    disk.set_hook(hook.clone());
    drop(disk);
    assert_eq!(Arc::strong_count(&hook), 1, "the hook is let go");
    file.write_at(0, b"x").unwrap_err();
    mount.list().unwrap_err();
}
