//! A simulated disk that does what real ones do at their worst, with clocks and entropy to match.
//!
//! Its job: implement the traits of `stormproof-env` such that everything repeats by seed, and that a power
//! cut loses all that the contract of [`stormproof_env::Disk`] lets it lose.
//!
//! * [`SimDisk`] is the simulator's end of a disk; what it [mounts](SimDisk::mount) is the store's end. A
//!   [`DiskHook`] sees every operation before and after it takes effect.
//! * [`FaultPlan`] says which faults fire while the power is on, [`CrashOdds`] what survives when it goes
//!   out, [`CrashPoint`] where that is worth trying. A [`DiskRecording`] gives every crash of a run.
//! * [`SimClock`] and [`SimEntropy`] are wall time and random bits by plan.
//!
//! Not its job: threads and virtual time. Nothing here waits; a stall is only reported, for the simulator to
//! sleep.
//!
//! Invariants:
//! * Content is kept pristine; damage is an overlay that can be taken off ([`SimDisk::heal`]).
//! * Every fault has a name ([`FaultKey`]) by which a plan lists it or switches it off, and is counted.
//! * All randomness is ChaCha8 in streams by label: drawing more for one purpose leaves the others alone.
//! * No lock is held while code from outside runs.

mod odds;
mod streams;

mod fault;
mod hook;
mod operation;
mod options;
mod plan;

mod device;
mod injector;
mod recording;
mod volume;

mod crash;
mod crash_point;
mod disk;
mod enumerate;
mod mount;
mod report;
mod snapshot;

mod clock;
mod entropy;

pub use clock::{ClockJump, ClockPlan, SimClock};
pub use crash::{CrashOdds, CrashReport, CrashStyle};
pub use crash_point::{CrashPoint, CrashTrigger, Side};
pub use disk::SimDisk;
pub use entropy::SimEntropy;
pub use enumerate::{CrashState, CrashStates, EnumerationLimits, EnumerationSummary};
pub use fault::{ExactFault, FaultKey, FaultKind, FiredFault, NotAFault};
pub use hook::{Completion, Decision, DiskHook};
pub use mount::DeadHandle;
pub use odds::Odds;
pub use operation::{Operation, OperationKind, class_of};
pub use options::{DiskOptions, EntryPolicy};
pub use plan::{FaultPlan, FaultRule};
pub use recording::DiskRecording;
pub use report::{DiskStatistics, Doubt};
pub use snapshot::DiskSnapshot;
