//! The world outside of the engine, as three traits: [`Disk`], [`Clock`] and [`Entropy`].
//!
//! The engine reaches files, wall time and random bits only through these, so a simulation can replace all of
//! them. The standard implementations are [`StdDisk`], [`SystemClock`] and [`OsEntropy`]; simulated ones live
//! elsewhere.
//!
//! Not its job: threads, locks and monotonic time, which belong to `rt`. There is no lock in this crate.

mod clock;
mod disk;
mod entropy;
mod process;
mod std_disk;

pub use clock::{Clock, SystemClock, UnixMillis};
pub use disk::{
    Disk, DiskLock, Displaced, EntryKind, File, OpenMode, displaced, displacement, read_exact_at,
    read_up_to_at, write_all_at,
};
pub use entropy::{Entropy, OsEntropy};
pub use process::ProcessId;
pub use std_disk::StdDisk;
