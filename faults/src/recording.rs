//! The states that a disk went through in one life: what [enumerations](crate::CrashStates) start from.

use crate::operation::Operation;
use crate::snapshot::DiskSnapshot;
use crate::volume::Volume;

/// One operation that changed something, and the disk right after it.
#[derive(Clone, Debug)]
struct Step {
    operation: Operation,
    volume: Volume,
}

/// The states that one life of a disk went through.
#[derive(Clone, Debug, Default)]
pub struct DiskRecording {
    start: Volume,
    steps: Vec<Step>,
}

impl DiskRecording {
    pub(crate) fn new(start: Volume) -> Self {
        Self { start, steps: Vec::new() }
    }

    pub(crate) fn push(&mut self, operation: &Operation, volume: &Volume) {
        self.steps.push(Step { operation: operation.clone(), volume: volume.clone() });
    }

    /// Returns the operations that changed something, oldest first.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().map(|step| &step.operation)
    }

    /// Returns the disk after the first `boundary` operations that changed something.
    pub fn snapshot(&self, boundary: usize) -> Option<DiskSnapshot> {
        self.volume(boundary).map(|volume| DiskSnapshot::new(volume.clone()))
    }

    /// Returns how many operations there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the operation that reached this boundary; `None` for the first one.
    pub(crate) fn operation(&self, boundary: usize) -> Option<&Operation> {
        boundary.checked_sub(1).and_then(|step| self.steps.get(step)).map(|step| &step.operation)
    }

    pub(crate) fn volume(&self, boundary: usize) -> Option<&Volume> {
        match boundary.checked_sub(1) {
            None => Some(&self.start),
            Some(step) => self.steps.get(step).map(|step| &step.volume),
        }
    }
}
