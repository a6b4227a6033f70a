//! Makes every disk operation a scheduling point and a possible crash point.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stormproof_faults::{Completion, Decision, DiskHook, Operation, OperationKind};
use stormproof_rt::sync::{Arc, Mutex};
use stormproof_rt_shuttle::{life, probe, time};
use stormproof_workloads::history::Recorder;

use super::watch::Onlooker;
use crate::digest::Digest;
use crate::plan::CrashAt;

/// Sees every operation of the disk.
#[derive(Debug)]
pub struct WorldHook {
    log: Mutex<Log>,
    recorder: Recorder,
    onlooker: Option<Arc<Onlooker>>,
}

#[derive(Debug, Default)]
struct Log {
    crash: Option<CrashAt>,
    /// The power goes out when the operation with this number, counted over all lives, has taken effect;
    /// before the first if it is 0.
    cut_after: Option<u64>,
    /// Whether an operation of this life, of any disk, has met a fault. Set before the operation is over.
    disturbed: bool,
    /// Operations that are stalled now.
    stalled: u64,
    /// How often progress was asked for while operations were stalled.
    looks_at_stalls: u64,
    operations: u64,
    syncs: u64,
    /// Log files that have grown since their last sync.
    grown: BTreeSet<String>,
    /// How far this life has written each log file.
    ends: BTreeMap<String, u64>,
    /// Syncs of log files that had grown.
    growths: u64,
    /// Promises of earlier lives.
    promises_before: u64,
    crashed_at: Option<String>,
    total: u64,
}

impl Log {
    /// Returns whether this is a sync of a log file that has grown since the last one.
    fn grows(&mut self, operation: &Operation) -> bool {
        let (file, end) = (operation.file.to_string(), operation.offset + operation.len);
        if operation.class != "wal" {
            return false;
        }
        match operation.kind {
            OperationKind::Write if self.ends.get(&file).is_none_or(|known| *known < end) => {
                self.ends.insert(file.clone(), end);
                self.grown.insert(file);
                false
            }
            kind if kind.is_sync() && self.grown.remove(&file) => {
                self.growths += 1;
                true
            }
            _ => false,
        }
    }
}

impl WorldHook {
    pub(super) fn new(recorder: Recorder, onlooker: Option<Arc<Onlooker>>) -> Self {
        Self { log: Mutex::new("world.hook", Log::default()), recorder, onlooker }
    }

    /// Begins a life, which ends at `crash`.
    pub fn begin_life(&self, crash: Option<CrashAt>) {
        let mut log = self.log.lock();
        log.crash = crash;
        log.cut_after = None;
        log.disturbed = false;
        // A life that ended during a stall never counted it down.
        log.stalled = 0;
        log.operations = 0;
        log.syncs = 0;
        log.grown.clear();
        log.ends.clear();
        log.growths = 0;
        log.promises_before = self.recorder.promises();
        log.crashed_at = None;
    }

    /// Ends the life that has just begun when the operation with this number has taken effect.
    pub fn cut_after(&self, operation: u64) {
        self.log.lock().cut_after = Some(operation);
    }

    /// Returns whether an operation of this life has met a fault, on any disk; one that is still under way
    /// counts.
    pub fn disturbed(&self) -> bool {
        self.log.lock().disturbed
    }

    /// Counts progress of the disk: a number that changes between two calls as long as an operation is
    /// stalled. A stall ends by itself, so a wait for it is no livelock, however much others do meanwhile.
    pub fn progress(&self) -> u64 {
        let mut log = self.log.lock();
        log.looks_at_stalls += u64::from(log.stalled > 0);
        log.looks_at_stalls
    }

    /// Stalls an operation.
    fn stall_any(&self, nanos: u64) {
        if !life::is_inside() {
            return;
        }
        // Noted before the wait: other tasks run meanwhile, and are excused by the fault.
        {
            let mut log = self.log.lock();
            log.disturbed = true;
            log.stalled += 1;
        }
        time::sleep(Duration::from_nanos(nanos.min(STALL_NANOS_MAX)));
        self.log.lock().stalled -= 1;
    }

    /// Returns how many operations this life has had.
    pub fn operations(&self) -> u64 {
        self.log.lock().operations
    }

    /// Returns how many syncs this life has had.
    pub fn syncs(&self) -> u64 {
        self.log.lock().syncs
    }

    /// Returns how many operations there were in all lives.
    pub fn total(&self) -> u64 {
        self.log.lock().total
    }

    /// Returns the operation at which this life was cut, if it was at one.
    pub fn crashed_at(&self) -> Option<String> {
        self.log.lock().crashed_at.clone()
    }

    fn is_crash(&self, operation: &Operation, is_after: bool, is_main: bool) -> bool {
        let mut log = self.log.lock();
        if !is_after {
            log.operations += 1;
            log.total += 1;
            log.syncs += u64::from(operation.kind.is_sync());
        }
        let growing = matches!(log.crash, Some(CrashAt::Growth { .. })) && !is_after && log.grows(operation);
        let hit = match &log.crash {
            Some(CrashAt::Disk { operation: nth, after }) => *after == is_after && *nth == log.operations,
            Some(CrashAt::Sync { nth, after }) => {
                *after == is_after && operation.kind.is_sync() && *nth == log.syncs
            }
            Some(CrashAt::Growth { nth }) => growing && *nth == log.growths,
            Some(CrashAt::Promise { nth }) => self.recorder.promises() - log.promises_before >= *nth,
            Some(CrashAt::Step(_) | CrashAt::Point(_)) | None => false,
        };
        let hit = hit
            || is_main
                && match log.cut_after {
                    Some(0) => !is_after,
                    Some(number) => is_after && operation.number == number,
                    None => false,
                };
        if hit {
            let word = if is_after { "after" } else { "before" };
            log.crashed_at = Some(format!("{word} {operation}"));
        }
        hit
    }

    fn before_any(&self, operation: &Operation, is_main: bool) -> Decision {
        if !life::is_inside() {
            return Decision::Proceed;
        }
        probe::point(operation.label());
        if let Some(onlooker) = &self.onlooker {
            onlooker.operation(operation);
        }
        if self.is_crash(operation, false, is_main) {
            probe::crash();
        }
        Decision::Proceed
    }

    fn after_any(&self, operation: &Operation, completion: &Completion, is_main: bool) {
        if !life::is_inside() {
            return;
        }
        self.log.lock().disturbed |= !completion.faults.is_empty();
        let mut digest = Digest::default();
        digest.number(operation.number);
        digest.number(operation.offset ^ operation.len.rotate_left(32));
        digest.number(completion.faults.len() as u64 + u64::from(completion.error.is_some()) * 2);
        probe::draw(operation.label(), digest.value().0);
        if self.is_crash(operation, true, is_main) {
            probe::crash();
        }
        probe::point(operation.label());
    }
}

/// The longest stall: far longer than any interval in which a plan asks for a sync, so longer stalls would
/// show nothing new.
const STALL_NANOS_MAX: u64 = 64_000_000;

impl DiskHook for WorldHook {
    fn before(&self, operation: &Operation) -> Decision {
        self.before_any(operation, true)
    }

    fn stall(&self, _operation: &Operation, nanos: u64) {
        self.stall_any(nanos);
    }

    fn after(&self, operation: &Operation, completion: &Completion) {
        self.after_any(operation, completion, true);
    }
}

/// The hook of the small databases beside the store, whose operations have numbers of their own.
#[derive(Debug)]
pub(super) struct SiblingHook(pub(super) Arc<WorldHook>);

impl DiskHook for SiblingHook {
    fn before(&self, operation: &Operation) -> Decision {
        self.0.before_any(operation, false)
    }

    fn stall(&self, _operation: &Operation, nanos: u64) {
        self.0.stall_any(nanos);
    }

    fn after(&self, operation: &Operation, completion: &Completion) {
        self.0.after_any(operation, completion, false);
    }
}

/// The hook of the disks of backups, which are slow: others commit while a backup is written.
#[derive(Debug)]
pub(super) struct BackupHook(pub(super) SiblingHook);

/// What an operation takes there: about as long as a client thinks.
const BACKUP_OPERATION: Duration = Duration::from_micros(100);

impl DiskHook for BackupHook {
    fn before(&self, operation: &Operation) -> Decision {
        if life::is_inside() {
            time::sleep(BACKUP_OPERATION);
        }
        self.0.before(operation)
    }

    fn stall(&self, operation: &Operation, nanos: u64) {
        self.0.stall(operation, nanos);
    }

    fn after(&self, operation: &Operation, completion: &Completion) {
        self.0.after(operation, completion);
    }
}
