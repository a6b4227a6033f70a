//! Settings at the edges of their ranges, which replace those of a plan: every value that the documentation
//! of a setting allows has to work.
//!
//! Left out is what a simulation could not pay for (65,536 generations of snapshots, a thousand threads that
//! recover), what refuses transactions by its nature (small limits of keys, writes and bytes), and the
//! longest times (a year between two turns of maintenance): simulated time leaps to the next of them.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::seed::Stream;

/// A setting at an end of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named after the setting and the end")]
pub enum Edge {
    SegmentBytesLeast,
    SegmentBytesMost,
    AllocateBytesMost,
    LogBufferBytesLeast,
    LogBufferBytesMost,
    CheckpointLogBytesLeast,
    CheckpointSegmentsLeast,
    CheckpointSegmentsMost,
    CheckpointIntervalLeast,
    IndexLeafLeast,
    CollectEveryMost,
    MaintenanceIntervalLeast,
    EndedRunsAgeLeast,
    EndedRunsAgeMost,
    LimitsMost,
}

impl Edge {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::SegmentBytesLeast,
        Self::SegmentBytesMost,
        Self::AllocateBytesMost,
        Self::LogBufferBytesLeast,
        Self::LogBufferBytesMost,
        Self::CheckpointLogBytesLeast,
        Self::CheckpointSegmentsLeast,
        Self::CheckpointSegmentsMost,
        Self::CheckpointIntervalLeast,
        Self::IndexLeafLeast,
        Self::CollectEveryMost,
        Self::MaintenanceIntervalLeast,
        Self::EndedRunsAgeLeast,
        Self::EndedRunsAgeMost,
        Self::LimitsMost,
    ];

    /// Draws no edge for most seeds, and one or two for some.
    pub(super) fn draw(stream: &mut Stream) -> Vec<Self> {
        let count = stream.weighted(&[(75, 0), (15, 1), (10, 2)]);
        (0..count).map(|_| Self::ALL[stream.random_range(0..Self::ALL.len())]).collect()
    }
}
