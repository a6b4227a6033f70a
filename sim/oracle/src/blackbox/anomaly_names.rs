//! The names of anomalies, as Adya and Elle use them, and the levels that forbid them.

use crate::level::Level;
use crate::verdict::AnomalyClass;

impl AnomalyClass {
    /// Returns the name that Elle gives it, where it has one. Cycles have longer names
    /// ([`crate::Anomaly::name`]).
    pub fn elle(self) -> &'static str {
        match self {
            Self::GarbageRead => "garbage-read",
            Self::DuplicateElement => "duplicate-elements",
            Self::AbortedRead => "G1a",
            Self::IntermediateRead => "G1b",
            Self::InternalInconsistency | Self::NonRepeatableRead | Self::MalformedScan => "internal",
            Self::IncompatibleOrder => "incompatible-order",
            Self::DirtyUpdate => "dirty-update",
            Self::FutureRead => "future-read",
            Self::G0 => "G0",
            Self::G1c => "G1c",
            Self::GSingle
            | Self::LostUpdate
            | Self::FracturedRead
            | Self::StaleRead
            | Self::CausalReverse => "G-single",
            Self::GNonadjacent | Self::LongFork => "G-nonadjacent",
            Self::G2Item | Self::WriteSkew => "G2-item",
            Self::G2 | Self::Phantom => "G2",
            Self::CausalViolation => "causal-violation",
            Self::NoOrder => "no-order",
            _ => "other",
        }
    }

    /// Returns the weakest level that forbids it, for anomalies that are no cycle.
    pub(super) fn weakest_level(self) -> Level {
        match self {
            Self::NonRepeatableRead => Level::ReadAtomic,
            Self::AbortedRead | Self::IntermediateRead | Self::DirtyUpdate => Level::ReadCommitted,
            _ => Level::ReadUncommitted,
        }
    }
}

/// The names that `--anomalies` knows: those of cycles, also with `-process` and `-realtime` after them.
pub const NAMES: [&str; 15] = [
    "G0",
    "G1a",
    "G1b",
    "G1c",
    "G-single",
    "G-nonadjacent",
    "G2-item",
    "G2",
    "internal",
    "future-read",
    "garbage-read",
    "dirty-update",
    "duplicate-elements",
    "incompatible-order",
    "no-order",
];
