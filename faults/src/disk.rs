//! The simulated disk as the simulator holds it: crashes, faults, snapshots. The store holds a
//! [mount](SimDisk::mount).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use stormproof_env::Disk;

use crate::crash::{CrashOdds, CrashReport, draw_survival};
use crate::device::{Device, Shared};
use crate::fault::FiredFault;
use crate::hook::DiskHook;
use crate::mount::Mount;
use crate::options::DiskOptions;
use crate::plan::FaultPlan;
use crate::recording::DiskRecording;
use crate::report::{DiskStatistics, Doubt, doubts};
use crate::snapshot::DiskSnapshot;
use crate::volume::Volume;

/// A simulated disk: one directory of files that loses, on a power cut, what real ones lose.
///
/// This is the simulator's end, to crash and inspect. The store's end is what [`SimDisk::mount`] returns: it
/// is bound to one *life*, and after a crash every call on it, its files and its locks fails and changes
/// nothing.
///
/// Clones are the same disk. When the last clone is dropped, so is the content, even if mounts are left:
/// killed tasks never drop theirs.
///
/// No lock is held while a [hook](DiskHook) runs.
#[derive(Clone)]
pub struct SimDisk {
    owner: Arc<Owner>,
}

/// Clears the disk when the last clone of the simulator's end is dropped.
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.with(Device::clear);
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new(DiskOptions::default())
    }
}

impl SimDisk {
    /// Creates an empty disk with the power on.
    pub fn new(options: DiskOptions) -> Self {
        Self::with_volume(Volume::default(), options)
    }

    /// Creates a disk that holds these files, durably.
    pub fn load(files: &BTreeMap<String, Vec<u8>>, options: DiskOptions) -> Self {
        let files = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        Self::with_volume(Volume::load(files), options)
    }

    /// Creates a disk in the state of a snapshot: unsynced changes are still unsynced; nothing is open.
    pub fn from_snapshot(snapshot: &DiskSnapshot, options: DiskOptions) -> Self {
        Self::with_volume(snapshot.volume().closed(), options)
    }

    fn with_volume(volume: Volume, options: DiskOptions) -> Self {
        let shared = Arc::new(Shared::new(Device::new(volume, options)));
        Self { owner: Arc::new(Owner { shared }) }
    }

    fn with<T>(&self, body: impl FnOnce(&mut Device) -> T) -> T {
        self.owner.shared.with(body)
    }

    /// Returns the disk as a store sees it in this life.
    pub fn mount(&self) -> Arc<dyn Disk> {
        Arc::new(Mount::new(Arc::clone(&self.owner.shared), self.life()))
    }

    /// Calls `hook` around every operation from now on.
    pub fn set_hook(&self, hook: Arc<dyn DiskHook>) {
        self.with(|device| device.hook = Some(hook));
    }

    /// Calls no hook from now on.
    pub fn clear_hook(&self) {
        let hook = self.with(|device| device.hook.take());
        drop(hook);
    }

    /// Cuts the power: handles and locks are dead at once, and nothing changes until
    /// [`Self::restore_power`] decides what survived.
    pub fn cut_power(&self) {
        self.with(|device| device.powered = false);
    }

    /// Returns whether the power is on.
    pub fn is_powered(&self) -> bool {
        self.with(|device| device.powered)
    }

    /// Restores the power and begins a new life: what was not synced has survived as `odds` and `seed` say.
    pub fn restore_power(&self, odds: &CrashOdds, seed: u64) -> CrashReport {
        self.with(|device| {
            let (survival, mut report) = draw_survival(&device.volume, odds, seed);
            report.life = device.life;
            report.after_operation = device.operations;
            device.volume = device.volume.after_power_cut(&survival);
            device.begin_life();
            device.statistics.count_crash(&report);
            device.crashes.push(report.clone());
            report
        })
    }

    /// Restores the power and begins a new life on exactly what `left` holds: a state that a recording of
    /// this life gave ([`crate::CrashState`]), in the place of one that is drawn.
    pub fn restore_power_to(&self, left: &DiskSnapshot) {
        self.with(|device| {
            device.volume = left.volume().closed();
            device.begin_life();
        });
    }

    /// Cuts the power and restores it: [`Self::cut_power`] and [`Self::restore_power`].
    pub fn crash(&self, odds: &CrashOdds, seed: u64) -> CrashReport {
        self.cut_power();
        self.restore_power(odds, seed)
    }

    /// Ends the process while the machine goes on: handles are dead and locks free, the cache stays, and what
    /// was not synced is still not durable.
    pub fn end_process(&self) {
        self.with(|device| {
            device.volume = device.volume.closed();
            device.begin_life();
        });
    }

    /// Returns which life the disk is in; counts from 1, each crash begins another.
    pub fn life(&self) -> u64 {
        self.with(|device| device.life)
    }

    /// Returns how many operations there were, over all lives.
    pub fn operations(&self) -> u64 {
        self.with(|device| device.operations)
    }

    /// Follows another plan from now on; counts of operations go on, budgets begin anew.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.with(|device| device.injector.replace(plan));
    }

    /// Returns the plan that is followed.
    pub fn faults(&self) -> FaultPlan {
        self.with(|device| device.injector.plan().clone())
    }

    /// Shrinks or grows the space, in bytes; content that is there stays.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.with(|device| device.capacity = capacity);
    }

    /// Bytes in use, in whole pages.
    pub fn used(&self) -> u64 {
        self.with(|device| device.volume.used())
    }

    /// Undoes decay: the content under it is pristine.
    pub fn heal(&self) {
        self.with(|device| {
            device.volume.heal();
            device.decayed.clear();
        });
    }

    /// Returns the faults that fired, oldest first, over all lives.
    pub fn fired(&self) -> Vec<FiredFault> {
        self.with(|device| device.fired.clone())
    }

    /// Returns what the power cuts did, oldest first.
    pub fn crashes(&self) -> Vec<CrashReport> {
        self.with(|device| device.crashes.clone())
    }

    /// Returns counts over all lives.
    pub fn statistics(&self) -> DiskStatistics {
        self.with(|device| device.statistics.clone())
    }

    /// Returns which outcomes the faults so far have put beyond judgement. A sector that is written anew is
    /// sound again, but what a store concluded from its damage stays in doubt: a recovery that took rot for a
    /// torn tail has cut it off.
    pub fn doubts(&self) -> Vec<Doubt> {
        self.with(|device| {
            let decayed: Vec<_> = (device.decayed.iter())
                .map(|((_, sector), (file, behind))| (file.clone(), *sector, *behind))
                .collect();
            doubts(&device.fired, &device.crashes, &decayed)
        })
    }

    /// Returns the state now, unsynced changes included; cheap.
    pub fn snapshot(&self) -> DiskSnapshot {
        self.with(|device| DiskSnapshot::new(device.volume.clone()))
    }

    /// Returns the content of every file as a store would read it, without damage.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.with(|device| device.volume.files())
    }

    /// Writes every file, as a store would read it, into a directory that exists, for inspection.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn dump(&self, dir: &Path) -> io::Result<()> {
        self.snapshot().dump(dir)
    }

    /// Records the state now and after every operation that changes something, until the life ends.
    pub fn start_recording(&self) {
        self.with(|device| device.recording = Some(DiskRecording::new(device.volume.clone())));
    }

    /// Ends the recording that [`Self::start_recording`] began; `None` if there is none, or a crash ended it.
    pub fn take_recording(&self) -> Option<DiskRecording> {
        self.with(|device| device.recording.take())
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (life, operations) = self.with(|device| (device.life, device.operations));
        f.debug_struct("SimDisk")
            .field("life", &life)
            .field("operations", &operations)
            .finish_non_exhaustive()
    }
}
