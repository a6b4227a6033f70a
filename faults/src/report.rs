//! The record of a disk: counts, and the outcomes that its faults have made impossible to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::crash::CrashReport;
use crate::fault::{FaultKind, FiredFault};
use crate::operation::OperationKind;
use crate::plan::FaultPlan;

/// Counts over all lives of a disk; those of many disks add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DiskStatistics {
    /// Operations that reached the device, by call.
    pub operations: BTreeMap<OperationKind, u64>,
    /// Bytes accepted by writes.
    pub bytes_written: u64,
    /// Faults that fired, by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Power cuts.
    pub crashes: u64,
    /// Unsynced pieces that survived power cuts.
    pub pieces_kept: u64,
    /// Unsynced pieces that power cuts lost.
    pub pieces_lost: u64,
    /// Pieces torn by power cuts.
    pub pieces_torn: u64,
    /// Truncations undone by power cuts.
    pub truncations_lost: u64,
    /// Files that had grown, and lost what they had grown by.
    pub growths_lost: u64,
    /// Files found longer than their data.
    pub hollow_tails: u64,
    /// Files found with noise or old content at their end.
    pub dirty_tails: u64,
    /// Creations, renames and removals undone by power cuts.
    pub entries_lost: u64,
    /// Power cuts that left changes in another order than they were made.
    pub reordered: u64,
}

impl DiskStatistics {
    /// Adds the counts of another disk.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.operations {
            *self.operations.entry(*kind).or_default() += count;
        }
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        self.bytes_written += other.bytes_written;
        self.crashes += other.crashes;
        self.pieces_kept += other.pieces_kept;
        self.pieces_lost += other.pieces_lost;
        self.pieces_torn += other.pieces_torn;
        self.truncations_lost += other.truncations_lost;
        self.growths_lost += other.growths_lost;
        self.hollow_tails += other.hollow_tails;
        self.dirty_tails += other.dirty_tails;
        self.entries_lost += other.entries_lost;
        self.reordered += other.reordered;
    }

    /// Returns the kinds that a plan enables and that never fired: such a campaign has not tested them.
    pub fn never_fired(&self, plan: &FaultPlan) -> BTreeSet<FaultKind> {
        let mut kinds = plan.enabled_kinds();
        kinds.retain(|kind| !self.faults.contains_key(kind));
        kinds
    }

    pub(crate) fn count_crash(&mut self, report: &CrashReport) {
        self.crashes += 1;
        self.pieces_kept += report.pieces_kept;
        self.pieces_lost += report.pieces_lost;
        self.pieces_torn += report.pieces_torn;
        self.truncations_lost += report.truncations_lost;
        self.growths_lost += report.growths_lost;
        self.hollow_tails += report.hollow_tails;
        self.dirty_tails += report.dirty_tails;
        self.entries_lost += report.entries_lost;
        self.reordered += u64::from(report.reordered);
    }
}

/// Why an outcome can't be held against a store: the contract promises nothing there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The device broke its word: what was acked may be gone, and a store can at best detect it.
    DeviceLied {
        /// How.
        kind: FaultKind,
        /// The file; empty for the directory.
        file: String,
    },
    /// Synced content is damaged: opening may fail, and acked data may be unreadable. It must be reported,
    /// and must not be served.
    Decay {
        /// The file.
        file: String,
        /// The sector.
        sector: u64,
        /// Bytes from the sector's beginning to the end of the file's content (zeros at the end not counted).
        /// If the last record reaches this far back, its damage can't be distinguished from a torn write.
        behind: u64,
    },
    /// A file has damage in what was synced and a power cut tore it, too: a store may take one for the other.
    DecayBesideTear {
        /// The file.
        file: String,
    },
}

impl Doubt {
    /// Returns whether it excuses the silent loss of acked data.
    pub fn excuses_silent_loss(&self) -> bool {
        !matches!(self, Self::Decay { .. })
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeviceLied { kind, file } => write!(f, "the device lied ({kind}) about \"{file}\""),
            Self::Decay { file, sector, behind } => {
                write!(
                    f,
                    "sector {sector} of \"{file}\" decayed, {behind} bytes before the end of its content"
                )
            }
            Self::DecayBesideTear { file } => {
                write!(f, "\"{file}\" decayed and was torn by a power cut: one can't be told from the other")
            }
        }
    }
}

/// Returns the doubts that faults and crashes leave together. `decayed` has for each damaged sector the file,
/// the sector, and the bytes after it.
pub(crate) fn doubts(
    fired: &[FiredFault],
    crashes: &[CrashReport],
    decayed: &[(String, u64, u64)],
) -> Vec<Doubt> {
    let mut doubts = BTreeSet::new();
    for fired in fired.iter().filter(|fired| fired.fault.key.kind.is_lie()) {
        doubts.insert(Doubt::DeviceLied { kind: fired.fault.key.kind, file: fired.file.clone() });
    }
    for (file, sector, behind) in decayed {
        doubts.insert(Doubt::Decay { file: file.clone(), sector: *sector, behind: *behind });
        if crashes.iter().any(|crash| crash.files_torn.contains(file)) {
            doubts.insert(Doubt::DecayBesideTear { file: file.clone() });
        }
    }
    doubts.into_iter().collect()
}
