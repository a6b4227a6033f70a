//! Draws what survives, style by style.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand::{Rng as _, RngExt};
use rand_chacha::ChaCha8Rng;

use super::{CrashOdds, CrashReport, CrashStyle};
use crate::odds::pick;
use crate::streams::stream;
use crate::volume::Volume;
use crate::volume::directory::EntryChange;
use crate::volume::inode::{Change, ChangeKind, Inode};
use crate::volume::pages::{Data, PAGE, SECTOR, cut};
use crate::volume::survival::{FileSurvival, Fill, Kept, KeptEntry, Survival};

/// Draws what survives of `volume`.
pub(crate) fn draw_survival(volume: &Volume, odds: &CrashOdds, seed: u64) -> (Survival, CrashReport) {
    let mut rng = stream(seed, "crash");
    let style = CrashStyle::ALL[pick(&mut rng, &odds.styles)];
    let mut draw = Draw {
        grain: if odds.by_pages.draw(&mut rng) { PAGE } else { SECTOR },
        shuffle: style >= CrashStyle::Writes && odds.reordered.draw(&mut rng),
        last_operation: u64::MAX,
        report: CrashReport::new(style),
        odds,
        style,
        rng,
    };
    if style == CrashStyle::Prefix {
        draw.last_operation = draw.prefix_end(volume);
    }
    let mut survival = Survival::default();
    for (id, inode) in &volume.inodes {
        if !inode.dirty.is_empty() {
            survival.files.insert(*id, draw.file(inode));
        }
    }
    survival.entries = draw.entries(&volume.directory.pending);
    draw.report.files_torn.sort();
    draw.report.files_torn.dedup();
    (survival, draw.report)
}

struct Draw<'a> {
    odds: &'a CrashOdds,
    style: CrashStyle,
    rng: ChaCha8Rng,
    /// Unit of loss, in bytes.
    grain: u64,
    shuffle: bool,
    /// In the prefix style, the last operation that survives whole; the next one is under way.
    last_operation: u64,
    report: CrashReport,
}

impl Draw<'_> {
    /// Draws a point between any two pending changes.
    fn prefix_end(&mut self, volume: &Volume) -> u64 {
        let changes = volume.inodes.values().flat_map(|inode| &inode.dirty).map(|change| change.operation);
        let entries = volume.directory.pending.iter().map(|change| change.operation);
        let mut operations: Vec<u64> = changes.chain(entries).chain([0]).collect();
        operations.sort_unstable();
        operations[self.rng.random_range(0..operations.len())]
    }

    fn file(&mut self, inode: &Inode) -> FileSurvival {
        let mut kept = match self.style {
            CrashStyle::LoseAll => {
                self.report.pieces_lost += inode.dirty.len() as u64;
                Vec::new()
            }
            CrashStyle::KeepAll => {
                self.report.pieces_kept += inode.dirty.len() as u64;
                whole(&inode.dirty)
            }
            CrashStyle::Prefix => self.prefix(inode),
            CrashStyle::Writes => self.pieces(inode, |range| vec![range]),
            CrashStyle::Fragments => {
                let grain = self.grain;
                self.pieces(inode, |range| cut(range.start, range.end - range.start, grain).collect())
            }
            CrashStyle::Sectors => self.sectors(inode),
        };
        if self.shuffle && kept.len() > 1 {
            kept.shuffle(&mut self.rng);
            self.report.reordered = true;
        }
        let len = self.len(inode, &kept);
        let hollow =
            len > inode.durable.len() && self.report.files_torn.iter().any(|file| **file == *inode.name);
        let fill = if hollow { self.fill() } else { Fill::Zeros };
        FileSurvival { kept, len, fill }
    }

    fn prefix(&mut self, inode: &Inode) -> Vec<Kept> {
        let done = inode.dirty.partition_point(|change| change.operation <= self.last_operation);
        let mut kept = whole(&inode.dirty[..done]);
        self.report.pieces_kept += done as u64;
        let lost = inode.dirty.len() - done;
        self.report.pieces_lost += lost as u64;
        if lost > 0 {
            self.report.files_torn.push(inode.name.to_string());
        }
        if let Some(Change { what: ChangeKind::Write { offset, data, .. }, .. }) = inode.dirty.get(done)
            && data.len() > 1
            && self.rng.random_bool(0.5)
        {
            let end = offset + self.rng.random_range(1..data.len());
            self.report.pieces_torn += 1;
            kept.push(Kept { change: done, range: *offset..end });
        }
        kept
    }

    /// Draws for each piece of each change whether it survives.
    fn pieces(&mut self, inode: &Inode, cut: impl Fn(Range<u64>) -> Vec<Range<u64>>) -> Vec<Kept> {
        let newest = inode.dirty.len() - 1;
        let mut kept = Vec::with_capacity(inode.dirty.len());
        for (index, change) in inode.dirty.iter().enumerate() {
            let Some(range) = change.range() else { continue };
            let pieces = if is_write(change) && !is_void(inode, index) { cut(range) } else { vec![range] };
            for range in pieces {
                if self.survives(change, &range, index == newest) {
                    kept.push(self.keep(inode, index, range));
                } else {
                    self.lose(inode, change);
                }
            }
        }
        kept
    }

    /// Draws for each unit the change after which it stands, among those that touched it.
    fn sectors(&mut self, inode: &Inode) -> Vec<Kept> {
        let newest = inode.dirty.len() - 1;
        let mut pieces: Vec<(u64, usize, Range<u64>)> = Vec::new();
        let mut kept = Vec::with_capacity(inode.dirty.len());
        for (index, change) in inode.dirty.iter().enumerate() {
            let Some(range) = change.range() else { continue };
            if !is_write(change) || is_void(inode, index) {
                if self.survives(change, &range, index == newest) {
                    kept.push(Kept { change: index, range });
                } else {
                    self.lose(inode, change);
                }
                continue;
            }
            let grain = self.grain;
            pieces.extend(
                cut(range.start, range.end - range.start, grain)
                    .map(|piece| (piece.start / grain, index, piece)),
            );
        }
        pieces.sort_unstable_by_key(|(unit, index, _)| (*unit, *index));
        for unit in pieces.chunk_by(|a, b| a.0 == b.0) {
            let moment = unit
                .iter()
                .rposition(|(_, index, range)| self.survives(&inode.dirty[*index], range, *index == newest));
            let done = moment.map_or(0, |moment| moment + 1);
            for (at, (_, index, range)) in unit.iter().enumerate() {
                if at + 1 == done {
                    let piece = self.keep(inode, *index, range.clone());
                    kept.push(piece);
                } else if at < done {
                    self.report.pieces_kept += 1;
                    kept.push(Kept { change: *index, range: range.clone() });
                } else {
                    self.lose(inode, &inode.dirty[*index]);
                }
            }
        }
        kept.sort_by_key(|kept| kept.change);
        kept
    }

    fn survives(&mut self, change: &Change, range: &Range<u64>, newest: bool) -> bool {
        let odds = match change.what {
            ChangeKind::SetLen { .. } => self.odds.truncation_survives,
            ChangeKind::Write { .. } if range.start < SECTOR => {
                self.odds.header_survives.unwrap_or(self.odds.write_survives)
            }
            ChangeKind::Write { .. } if newest => self.odds.tail_survives.unwrap_or(self.odds.write_survives),
            ChangeKind::Write { .. } => self.odds.write_survives,
        };
        odds.draw(&mut self.rng)
    }

    /// Keeps a piece, or tears it.
    fn keep(&mut self, inode: &Inode, change: usize, range: Range<u64>) -> Kept {
        self.report.pieces_kept += 1;
        let tearable = is_write(&inode.dirty[change]) && range.end - range.start > 1;
        if !tearable || !self.odds.torn.draw(&mut self.rng) {
            return Kept { change, range };
        }
        self.report.pieces_torn += 1;
        self.report.files_torn.push(inode.name.to_string());
        let at = self.rng.random_range(range.start + 1..range.end);
        // Mostly the front came, as controllers write upwards; but not always.
        let range = if self.rng.random_ratio(2, 3) { range.start..at } else { at..range.end };
        Kept { change, range }
    }

    fn lose(&mut self, inode: &Inode, change: &Change) {
        if is_write(change) {
            self.report.pieces_lost += 1;
            self.report.files_torn.push(inode.name.to_string());
        } else {
            self.report.truncations_lost += 1;
        }
    }

    /// Draws the length that is found: each growth survives or not, truncations as decided.
    fn len(&mut self, inode: &Inode, kept: &[Kept]) -> u64 {
        let mut len = inode.durable.len();
        for (index, change) in inode.dirty.iter().enumerate() {
            let (grows_to, in_part) = match &change.what {
                ChangeKind::Write { offset, data, grew: true, .. } => {
                    let end = offset + data.len();
                    let came = kept.iter().find(|kept| kept.change == index).map(|kept| kept.range.end);
                    (end, came.unwrap_or(end))
                }
                ChangeKind::Write { .. } => continue,
                ChangeKind::SetLen { from, to } if to < from => {
                    let truncated = match self.style {
                        CrashStyle::LoseAll => false,
                        CrashStyle::KeepAll => true,
                        CrashStyle::Prefix => change.operation <= self.last_operation,
                        _ => kept.iter().any(|kept| kept.change == index),
                    };
                    if truncated {
                        len = *to;
                    }
                    continue;
                }
                ChangeKind::SetLen { to, .. } => (*to, *to),
            };
            let grown = match self.style {
                CrashStyle::LoseAll => None,
                CrashStyle::KeepAll => Some(grows_to),
                CrashStyle::Prefix if change.operation <= self.last_operation => Some(grows_to),
                // The operation that was under way: its new length reached the medium with the data, before
                // them, or not at all.
                CrashStyle::Prefix => (kept.iter().any(|kept| kept.change == index)
                    && self.odds.growth_survives.draw(&mut self.rng))
                .then(|| if self.rng.random_bool(0.5) { in_part } else { grows_to }),
                _ => self.odds.growth_survives.draw(&mut self.rng).then_some(grows_to),
            };
            match grown {
                Some(to) => len = len.max(to),
                None => self.report.growths_lost += 1,
            }
        }
        len
    }

    fn fill(&mut self) -> Fill {
        self.report.hollow_tails += 1;
        match pick(&mut self.rng, &self.odds.fills) {
            0 => Fill::Zeros,
            fill => {
                self.report.dirty_tails += 1;
                if fill == 1 { Fill::Garbage(self.rng.next_u64()) } else { Fill::Stale }
            }
        }
    }

    fn entries(&mut self, pending: &[EntryChange]) -> Vec<KeptEntry> {
        let mut kept = Vec::new();
        for (change, entry) in pending.iter().enumerate() {
            let survives = match self.style {
                CrashStyle::LoseAll => false,
                CrashStyle::KeepAll => true,
                CrashStyle::Prefix => entry.operation <= self.last_operation,
                _ => self.odds.entry_survives.draw(&mut self.rng),
            };
            if survives {
                let half = self.style >= CrashStyle::Writes && self.odds.half_renamed.draw(&mut self.rng);
                kept.push(KeptEntry { change, half });
            }
        }
        self.report.entries_kept = kept.len() as u64;
        self.report.entries_lost = (pending.len() - kept.len()) as u64;
        if self.shuffle && kept.len() > 1 {
            kept.shuffle(&mut self.rng);
            self.report.reordered = true;
        }
        kept
    }
}

/// Returns all of these changes, whole.
pub(crate) fn whole(changes: &[Change]) -> Vec<Kept> {
    (changes.iter().enumerate())
        .filter_map(|(change, what)| what.range().map(|range| Kept { change, range }))
        .collect()
}

fn is_write(change: &Change) -> bool {
    matches!(change.what, ChangeKind::Write { .. })
}

/// Returns whether a change writes zeros over nothing, as preallocation does: then its pieces need no draws
/// of their own.
fn is_void(inode: &Inode, index: usize) -> bool {
    let Change { what: ChangeKind::Write { offset, data: Data::Zeros(len), .. }, .. } = &inode.dirty[index]
    else {
        return false;
    };
    let range = *offset..offset + len;
    let overlaps = |other: &Change| {
        other.range().is_some_and(|other| other.start < range.end && range.start < other.end)
    };
    inode.durable.is_hole(range.clone()) && !inode.dirty[..index].iter().any(overlaps)
}
