//! The disk behind its lock: one volume, its faults, and the record of what happened to it.
//!
//! INV-DEVICE-1: a call of an earlier life changes nothing.

mod effect;

pub(crate) use effect::Effect;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError};

use crate::crash::CrashReport;
use crate::fault::{FaultKind, FiredFault};
use crate::hook::DiskHook;
use crate::injector::Injector;
use crate::operation::{Operation, OperationKind, class_of};
use crate::options::{DiskOptions, EntryPolicy};
use crate::recording::DiskRecording;
use crate::report::DiskStatistics;
use crate::volume::Volume;
use crate::volume::inode::InodeId;
use stormproof_env::displacement;

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) volume: Volume,
    pub(crate) injector: Injector,
    pub(crate) hook: Option<Arc<dyn DiskHook>>,
    pub(crate) life: u64,
    pub(crate) powered: bool,
    pub(crate) operations: u64,
    /// The lock of the directory, while it is held.
    pub(crate) lock: Option<HeldLock>,
    /// The directory was moved away in this life.
    pub(crate) moved: bool,
    pub(crate) capacity: Option<u64>,
    pub(crate) entries: EntryPolicy,
    pub(crate) fired: Vec<FiredFault>,
    pub(crate) crashes: Vec<CrashReport>,
    pub(crate) statistics: DiskStatistics,
    pub(crate) recording: Option<DiskRecording>,
    /// Sectors that have decayed, also those that were written anew since: file, and the bytes after the
    /// sector.
    pub(crate) decayed: BTreeMap<(InodeId, u64), (String, u64)>,
}

/// The device behind its lock, which mounts and the simulator's end share.
#[derive(Debug)]
pub(crate) struct Shared {
    #[expect(
        clippy::disallowed_types,
        reason = "part of the simulated world, not of the program in it: it must not be a scheduling point, \
                  and is never held across one"
    )]
    device: std::sync::Mutex<Device>,
}

impl Shared {
    pub(crate) fn new(device: Device) -> Self {
        Self { device: device.into() }
    }

    /// Calls `body` with the device locked. `body` must not call code from outside of the disk.
    pub(crate) fn with<T>(&self, body: impl FnOnce(&mut Device) -> T) -> T {
        body(&mut self.device.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A lock that is held: like `flock`, it is the file's and not the name's, and it is the directory's too.
#[derive(Clone, Debug)]
pub(crate) struct HeldLock {
    pub(crate) name: Arc<str>,
    pub(crate) inode: InodeId,
    /// Of the operation that took it.
    pub(crate) number: u64,
}

/// A call, before it has a number.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) kind: OperationKind,
    pub(crate) file: Arc<str>,
    pub(crate) to: Option<Arc<str>>,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Device {
    pub(crate) fn new(volume: Volume, options: DiskOptions) -> Self {
        Self {
            volume,
            injector: Injector::new(options.faults),
            hook: None,
            life: 1,
            powered: true,
            operations: 0,
            lock: None,
            moved: false,
            capacity: options.capacity,
            entries: options.entries,
            fired: Vec::new(),
            crashes: Vec::new(),
            statistics: DiskStatistics::default(),
            recording: None,
            decayed: BTreeMap::new(),
        }
    }

    /// Closes everything and begins the next life.
    pub(crate) fn begin_life(&mut self) {
        self.life += 1;
        self.powered = true;
        self.lock = None;
        self.moved = false;
        self.recording = None;
    }

    /// Gives a call its number.
    pub(crate) fn begin(&mut self, request: Request) -> Operation {
        let directory = matches!(request.kind, OperationKind::List | OperationKind::SyncDir);
        let class = if directory { "dir" } else { class_of(&request.file) };
        self.operations += 1;
        *self.statistics.operations.entry(request.kind).or_default() += 1;
        Operation {
            number: self.operations,
            life: self.life,
            nth: self.injector.count(request.kind, class),
            kind: request.kind,
            file: request.file,
            to: request.to,
            class,
            offset: request.offset,
            len: request.len,
        }
    }

    /// Lets a call take effect; returns its answer, the faults that it met, and how long the answer is held
    /// back.
    pub(crate) fn effect<T>(
        &mut self,
        operation: &Operation,
        body: impl FnOnce(&mut Effect<'_>) -> io::Result<T>,
    ) -> (io::Result<T>, Vec<FiredFault>, u64) {
        let met = self.injector.meet(operation);
        let by = met.rule;
        let mut effect = Effect { device: self, operation, fault: met.fault, met: Vec::new() };
        let stall = met.stall.map_or(0, |stall| {
            // From a microsecond to four seconds, each order of magnitude alike.
            let nanos = 1_000 << (stall.detail % 23);
            effect.fired(stall, format!("{nanos} ns"));
            nanos
        });
        let result = if effect.fault_is(FaultKind::Interrupted).is_some() {
            effect.note("");
            Err(io::ErrorKind::Interrupted.into())
        } else {
            body(&mut effect)
        };
        let (unused, met) = (effect.fault.is_some(), effect.met);
        if let Some(rule) = by.filter(|_| unused) {
            self.injector.refund(rule);
        }
        if operation.kind.changes()
            && let Some(recording) = &mut self.recording
        {
            recording.push(operation, &self.volume);
        }
        (result, met, stall)
    }

    /// Checks that the directory is at its place, and its lock file in it.
    pub(crate) fn check_place(&self) -> io::Result<()> {
        if self.moved {
            return Err(displacement("the simulated directory", "it was renamed or removed"));
        }
        match &self.lock {
            Some(lock) if self.volume.lookup(&lock.name) != Some(lock.inode) => {
                Err(displacement(&lock.name, "it was removed"))
            }
            _ => Ok(()),
        }
    }

    /// Closes a handle.
    pub(crate) fn close(&mut self, id: InodeId) {
        let inode = self.volume.inode_mut(id);
        inode.handles -= 1;
        if inode.handles == 0 {
            self.volume.collect_one(id);
        }
    }

    /// Forgets everything: handles of killed lives are never dropped, and must not keep the content alive.
    pub(crate) fn clear(&mut self) {
        self.powered = false;
        self.volume = Volume::default();
        self.hook = None;
        self.recording = None;
        self.fired = Vec::new();
        self.crashes = Vec::new();
        self.lock = None;
    }
}
