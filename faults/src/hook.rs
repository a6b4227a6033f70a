//! The simulator's callbacks before and after every operation.

use std::fmt::Debug;
use std::io;

use crate::fault::FiredFault;
use crate::operation::Operation;

/// Sees every operation of a disk. No lock of the disk is held during the calls, so an implementation may
/// switch tasks, sleep, crash the disk, or never return, as a simulated power cut does.
pub trait DiskHook: Send + Sync + Debug {
    /// The operation is about to take effect.
    fn before(&self, operation: &Operation) -> Decision {
        let _ = operation;
        Decision::Proceed
    }

    /// The operation took effect, and the device holds its answer back for `nanos`, in virtual time. Called
    /// between [`Self::before`] and [`Self::after`], when a stall fired.
    fn stall(&self, operation: &Operation, nanos: u64) {
        let _ = (operation, nanos);
    }

    /// The operation took effect, and its caller will see the answer next.
    fn after(&self, operation: &Operation, completion: &Completion) {
        let _ = (operation, completion);
    }
}

/// What a hook wants of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Proceed,
    /// Fail with this error, without effect.
    Fail(io::ErrorKind),
    /// The power goes out now: the operation has no effect, and every handle is dead.
    CutPower,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The kind of error, if it failed.
    pub error: Option<io::ErrorKind>,
    /// The faults that it met.
    pub faults: Vec<FiredFault>,
}
