//! Every crash of a run: each boundary between two operations, and each legal state that a power cut leaves
//! there, as far as a stated reduction goes.
//!
//! What is enumerated at one boundary, per file with unsynced changes:
//! * the pieces (sectors of writes, truncations) if there are at most `subset_max`: every subset;
//! * else, of its changes, every subset if there are at most `subset_max`, or every prefix, all but one, and
//!   only one; and every prefix of the newest write by sectors;
//! * for each write with everything before it: torn after its first byte, in the middle, and before its last
//!   byte; only its second half;
//! * each of these with the length that belongs to what survived, with all growth (the rest shows zeros), and
//!   without any;
//! * with all growth and no data: noise and recycled content, too.
//!
//! Of the names: every subset of the pending changes in their order (or prefixes, all but one, only one, if
//! there are more than `subset_max`), and all of them in reverse order.
//!
//! Files and names are combined with each other in full if that gives at most `states_max` states; else one
//! of them varies while the others keep nothing, and again while the others keep everything. Equal images of
//! one boundary are given out once.
//!
//! Not covered: other orders of changes, tears at other bytes, combinations beyond the reduction. Random
//! crashes ([`crate::SimDisk::crash`]) reach those.
//!
//! The approach follows ALICE (Pillai et al., "All File Systems Are Not Created Equal", OSDI '14, §4) and
//! CrashMonkey (Mohan et al., OSDI '18): record, then construct the states that a crash may leave.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use crate::crash::whole;
use crate::recording::DiskRecording;
use crate::snapshot::DiskSnapshot;
use crate::volume::Volume;
use crate::volume::directory::EntryChange;
use crate::volume::inode::{ChangeKind, Inode, InodeId};
use crate::volume::pages::{SECTOR, cut};
use crate::volume::survival::{FileSurvival, Fill, Kept, KeptEntry, Survival};

/// How far an enumeration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumerationLimits {
    /// The number of pieces up to which every subset is tried: 2 to the power of it.
    pub subset_max: u32,
    /// The number of states at a boundary up to which files and names are combined in full.
    pub states_max: usize,
}

impl Default for EnumerationLimits {
    fn default() -> Self {
        Self { subset_max: 6, states_max: 2_000 }
    }
}

/// A state in which a power cut may leave the disk.
#[derive(Clone, Debug)]
pub struct CrashState {
    /// How many changing operations of the recording had taken effect.
    pub boundary: usize,
    /// The number of the last of them; 0 if there was none.
    pub after_operation: u64,
    /// The disk when the power is back: [`crate::SimDisk::from_snapshot`] makes one of it.
    pub disk: DiskSnapshot,
    /// What survived, for people.
    pub what: String,
}

/// Counts of an enumeration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnumerationSummary {
    /// Boundaries that were enumerated.
    pub boundaries: usize,
    /// States given out.
    pub states: usize,
    /// States left out, as they were equal to one of the same boundary.
    pub duplicates: usize,
    /// Boundaries at which files were not combined in full.
    pub boundaries_reduced: usize,
}

impl DiskRecording {
    /// Returns every state that a power cut may leave, boundary by boundary.
    pub fn crash_states(&self, limits: EnumerationLimits) -> CrashStates<'_> {
        CrashStates {
            recording: self,
            limits,
            next_boundary: 0,
            choices: Choices::default(),
            picks: VecDeque::new(),
            seen: BTreeSet::new(),
            summary: EnumerationSummary::default(),
        }
    }
}

/// Gives out the states of [`DiskRecording::crash_states`], built one by one.
#[derive(Debug)]
pub struct CrashStates<'a> {
    recording: &'a DiskRecording,
    limits: EnumerationLimits,
    next_boundary: usize,
    choices: Choices,
    /// What is left of this boundary: a choice for each dimension.
    picks: VecDeque<Vec<usize>>,
    seen: BTreeSet<u128>,
    summary: EnumerationSummary,
}

/// What may survive of each file, and of the names. In each, the first choice keeps nothing, the second
/// everything.
#[derive(Debug, Default)]
struct Choices {
    files: Vec<(InodeId, String, Vec<FileSurvival>)>,
    entries: Vec<Vec<KeptEntry>>,
}

impl CrashStates<'_> {
    /// Returns the counts so far.
    pub fn summary(&self) -> EnumerationSummary {
        self.summary
    }

    fn begin_boundary(&mut self, volume: &Volume) {
        let dirty = volume.inodes.iter().filter(|(_, inode)| !inode.dirty.is_empty());
        self.choices = Choices {
            files: dirty
                .map(|(id, inode)| (*id, inode.name.to_string(), file_choices(inode, self.limits)))
                .collect(),
            entries: entry_choices(&volume.directory.pending, self.limits),
        };
        let mut sizes: Vec<usize> = self.choices.files.iter().map(|(_, _, choices)| choices.len()).collect();
        sizes.push(self.choices.entries.len());
        let all = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        self.picks = if all.is_some_and(|all| all <= self.limits.states_max) {
            full_product(&sizes)
        } else {
            self.summary.boundaries_reduced += 1;
            one_varies(&sizes)
        };
        self.summary.boundaries += 1;
        self.seen.clear();
    }

    fn build(&self, volume: &Volume, picks: &[usize]) -> (Volume, String) {
        let mut survival = Survival::default();
        let mut what = Vec::new();
        for ((id, name, choices), pick) in self.choices.files.iter().zip(picks) {
            let choice = &choices[*pick];
            what.push(describe(name, volume.inode(*id), choice));
            survival.files.insert(*id, choice.clone());
        }
        let entries = &self.choices.entries[picks[picks.len() - 1]];
        if !volume.directory.pending.is_empty() {
            what.push(format!("{} of {} names", entries.len(), volume.directory.pending.len()));
        }
        survival.entries.clone_from(entries);
        (volume.after_power_cut(&survival), what.join("; "))
    }
}

impl Iterator for CrashStates<'_> {
    type Item = CrashState;

    fn next(&mut self) -> Option<CrashState> {
        loop {
            let Some(picks) = self.picks.pop_front() else {
                let volume = self.recording.volume(self.next_boundary)?;
                self.begin_boundary(volume);
                self.next_boundary += 1;
                continue;
            };
            let boundary = self.next_boundary - 1;
            let volume = self.recording.volume(boundary)?;
            let (after, what) = self.build(volume, &picks);
            if !self.seen.insert(after.durable_digest()) {
                self.summary.duplicates += 1;
                continue;
            }
            self.summary.states += 1;
            let after_operation = self.recording.operation(boundary).map_or(0, |last| last.number);
            return Some(CrashState { boundary, after_operation, disk: DiskSnapshot::new(after), what });
        }
    }
}

fn describe(name: &str, inode: &Inode, survival: &FileSurvival) -> String {
    let kept = survival.kept.iter().map(|kept| match inode.dirty[kept.change].what {
        ChangeKind::Write { .. } => format!("{}..{}", kept.range.start, kept.range.end),
        ChangeKind::SetLen { to, .. } => format!("cut to {to}"),
    });
    let kept: Vec<_> = kept.collect();
    let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
    let fill = match survival.fill {
        Fill::Zeros => "",
        Fill::Garbage(_) => ", noise in the rest",
        Fill::Stale => ", old content in the rest",
    };
    format!("{name}: {kept}, length {}{fill}", survival.len)
}

/// Returns what may survive of a file.
fn file_choices(inode: &Inode, limits: EnumerationLimits) -> Vec<FileSurvival> {
    let everything = whole(&inode.dirty);
    let all_growth = length(inode, &everything, Growth::All);
    let mut choices = vec![
        FileSurvival { kept: Vec::new(), len: inode.durable.len(), fill: Fill::Zeros },
        FileSurvival { kept: everything.clone(), len: all_growth, fill: Fill::Zeros },
    ];
    let hollow = length(inode, &[], Growth::All);
    if hollow > inode.durable.len() {
        for fill in [Fill::Garbage(hollow), Fill::Stale] {
            choices.push(FileSurvival { kept: Vec::new(), len: hollow, fill });
        }
    }
    for kept in subsets_of_changes(inode, &everything, limits).into_iter().chain(tears(&everything, inode)) {
        for growth in [Growth::OfKept, Growth::All, Growth::None] {
            let len = length(inode, &kept, growth);
            let same =
                |other: &FileSurvival| other.kept == kept && other.len == len && other.fill == Fill::Zeros;
            if !choices.iter().any(same) {
                choices.push(FileSurvival { kept: kept.clone(), len, fill: Fill::Zeros });
            }
        }
    }
    choices
}

fn subsets_of_changes(inode: &Inode, everything: &[Kept], limits: EnumerationLimits) -> Vec<Vec<Kept>> {
    let pieces: Vec<Kept> = everything
        .iter()
        .flat_map(|kept| match inode.dirty[kept.change].what {
            ChangeKind::Write { .. } => sectors(kept),
            ChangeKind::SetLen { .. } => vec![kept.clone()],
        })
        .collect();
    if pieces.len() <= limits.subset_max as usize {
        return subsets(&pieces, limits);
    }
    let mut sets = subsets(everything, limits);
    if let Some((newest, before)) = everything.split_last() {
        let parts = sectors(newest);
        for count in 1..parts.len() {
            sets.push([before, &parts[..count]].concat());
        }
    }
    sets
}

/// Returns every subset, or the families that stand for them.
fn subsets<T: Clone>(items: &[T], limits: EnumerationLimits) -> Vec<Vec<T>> {
    if items.len() <= limits.subset_max as usize {
        let chosen = |mask: u32| {
            let chosen = items.iter().enumerate().filter(move |(index, _)| mask >> index & 1 == 1);
            chosen.map(|(_, item)| item.clone()).collect()
        };
        return (0..1 << items.len()).map(chosen).collect();
    }
    let without = |gone: usize| [&items[..gone], &items[gone + 1..]].concat();
    let prefixes = (0..=items.len()).map(|count| items[..count].to_vec());
    let drop_one = (0..items.len()).map(without);
    let only_one = items.iter().map(|item| vec![item.clone()]);
    prefixes.chain(drop_one).chain(only_one).collect()
}

/// Returns each write torn within, everything before it whole.
fn tears(everything: &[Kept], inode: &Inode) -> Vec<Vec<Kept>> {
    let mut sets = Vec::new();
    for (index, kept) in everything.iter().enumerate() {
        let Range { start, end } = kept.range;
        if end - start < 2 || !matches!(inode.dirty[kept.change].what, ChangeKind::Write { .. }) {
            continue;
        }
        let middle = start + (end - start) / 2;
        let mut ranges = vec![start..start + 1, start..middle, start..end - 1, middle..end];
        ranges.dedup();
        for range in ranges {
            let torn = Kept { change: kept.change, range };
            sets.push([&everything[..index], &[torn]].concat());
        }
    }
    sets
}

fn sectors(kept: &Kept) -> Vec<Kept> {
    let Range { start, end } = kept.range;
    cut(start, end - start, SECTOR).map(|range| Kept { change: kept.change, range }).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Growth {
    None,
    OfKept,
    All,
}

/// Returns the length of a file of which these pieces survive.
fn length(inode: &Inode, kept: &[Kept], growth: Growth) -> u64 {
    let mut len = inode.durable.len();
    for (index, change) in inode.dirty.iter().enumerate() {
        let survivors = || kept.iter().filter(|kept| kept.change == index);
        match (&change.what, growth) {
            (ChangeKind::SetLen { from, to }, _) if to < from => {
                if survivors().next().is_some() {
                    len = *to;
                }
            }
            (_, Growth::None) | (ChangeKind::Write { grew: false, .. }, _) => {}
            (ChangeKind::SetLen { to, .. }, _) => len = len.max(*to),
            (ChangeKind::Write { offset, data, .. }, Growth::All) => len = len.max(offset + data.len()),
            (ChangeKind::Write { .. }, Growth::OfKept) => {
                len = survivors().map(|kept| kept.range.end).fold(len, u64::max);
            }
        }
    }
    len
}

/// Returns what may survive of the names.
fn entry_choices(pending: &[EntryChange], limits: EnumerationLimits) -> Vec<Vec<KeptEntry>> {
    let all: Vec<KeptEntry> = (0..pending.len()).map(|change| KeptEntry { change, half: false }).collect();
    if all.is_empty() {
        return vec![all];
    }
    let mut choices = vec![Vec::new(), all.clone()];
    let reversed: Vec<KeptEntry> = all.iter().rev().cloned().collect();
    for kept in subsets(&all, limits).into_iter().chain([reversed]) {
        if !choices.contains(&kept) {
            choices.push(kept);
        }
    }
    choices
}

fn full_product(sizes: &[usize]) -> VecDeque<Vec<usize>> {
    let mut product: VecDeque<Vec<usize>> = [Vec::new()].into();
    for size in sizes {
        product = product
            .iter()
            .flat_map(|picks| (0..*size).map(move |pick| [picks.as_slice(), &[pick]].concat()))
            .collect();
    }
    product
}

/// Returns the picks in which one dimension varies while the others keep nothing, or everything.
fn one_varies(sizes: &[usize]) -> VecDeque<Vec<usize>> {
    let mut all = VecDeque::new();
    for others in 0..2 {
        let rest: Vec<usize> = sizes.iter().map(|size| others.min(size - 1)).collect();
        for (dimension, size) in sizes.iter().enumerate() {
            for pick in 0..*size {
                let mut picks = rest.clone();
                picks[dimension] = pick;
                all.push_back(picks);
            }
        }
    }
    all
}
