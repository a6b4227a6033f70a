//! Every crash of a run: each boundary between two operations, each legal state that a power cut leaves there.

use crate::operation::Operation;
use crate::snapshot::DiskSnapshot;
use crate::volume::Volume;

/// One operation that changed something, and the disk right after it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) volume: Volume,
}

/// The states that one life of a disk went through.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    steps: Vec<Step>,
}

impl Recording {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// The operations that changed something, oldest first.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().map(|step| &step.operation)
    }

    /// The disk after the how-many-th operation; counts from 0.
    pub fn snapshot(&self, step: usize) -> Option<DiskSnapshot> {
        self.steps.get(step).map(|step| DiskSnapshot::new(step.volume.clone()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}
