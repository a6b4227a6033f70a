//! Places to crash at, named by the operation there, so that they stay meaningful when the code changes.

use std::fmt;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::odds::pick;
use crate::operation::{Operation, OperationKind};

/// Before or after an operation takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// It has not happened.
    Before,
    /// It has happened; the caller does not know yet.
    After,
}

/// A place for a power cut: before or after the n-th operation of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CrashPoint {
    /// Before or after.
    pub side: Side,
    /// Which call; `None` for any.
    #[serde(default)]
    pub operation: Option<OperationKind>,
    /// On which class of file, see [`crate::class_of`]; `None` for any.
    #[serde(default)]
    pub class: Option<String>,
    /// Its number among these in this life, counted from 1.
    pub nth: u64,
}

impl CrashPoint {
    /// Draws a place among the first `horizon` operations of a life, biased to where bugs are: half of them
    /// just before or after a sync, most of the rest at changes of names, lengths and data, some anywhere,
    /// and early ones more often than late ones, as recovery comes first.
    pub fn draw(rng: &mut impl Rng, horizon: u64) -> Self {
        use OperationKind as Op;
        const WEIGHTED: [(u32, Option<OperationKind>); 10] = [
            (25, Some(Op::SyncData)),
            (10, Some(Op::SyncAll)),
            (15, Some(Op::SyncDir)),
            (10, Some(Op::Rename)),
            (6, Some(Op::Remove)),
            (6, Some(Op::Create)),
            (6, Some(Op::SetLen)),
            (12, Some(Op::Write)),
            (2, Some(Op::Read)),
            (8, None),
        ];
        let operation = WEIGHTED[pick(rng, &WEIGHTED.map(|(weight, _)| weight))].1;
        // Rare calls come a few times in a life, so a far one would never be reached.
        let reach = match operation {
            None | Some(Op::Read) => horizon,
            Some(Op::Write) => horizon / 2,
            Some(Op::SyncData) => horizon / 3,
            Some(_) => horizon / 12,
        };
        // Log-uniform: 1, 2..3, 4..7, … are equally likely.
        let magnitude = rng.random_range(0..=reach.max(1).ilog2());
        let nth = rng.random_range(1u64 << magnitude..2u64 << magnitude).min(reach.max(1));
        let side = if rng.random_bool(0.5) { Side::Before } else { Side::After };
        Self { side, operation, class: None, nth }
    }

    fn matches(&self, operation: &Operation) -> bool {
        self.operation.is_none_or(|kind| kind == operation.kind)
            && self.class.as_ref().is_none_or(|class| class == operation.class)
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.side == Side::Before { "before" } else { "after" };
        let kind = self.operation.map_or("operation", OperationKind::name);
        write!(f, "{side} {kind} {}", self.nth)?;
        self.class.as_ref().map_or(Ok(()), |class| write!(f, " on {class}"))
    }
}

/// Watches for a crash point in one life.
#[derive(Clone, Debug)]
pub struct CrashTrigger {
    point: CrashPoint,
    seen: u64,
}

impl CrashTrigger {
    /// Starts counting, at the beginning of a life.
    pub fn new(point: CrashPoint) -> Self {
        Self { point, seen: 0 }
    }

    /// Returns whether the power goes out before this operation. To be called for every operation of the
    /// life, from [`crate::DiskHook::before`].
    pub fn before(&mut self, operation: &Operation) -> bool {
        if !self.point.matches(operation) {
            return false;
        }
        self.seen += 1;
        self.point.side == Side::Before && self.seen == self.point.nth
    }

    /// Returns whether the power goes out after this operation. To be called for every operation of the life,
    /// from [`crate::DiskHook::after`].
    pub fn after(&self, operation: &Operation) -> bool {
        // Operations of several threads overlap: those that began in between count, so this may fire on a
        // later operation that ended first. That is as good, and repeats exactly.
        self.point.side == Side::After && self.seen >= self.point.nth && self.point.matches(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::stream;

    #[test]
    fn half_of_the_points_are_at_syncs_and_none_is_out_of_reach() {
        let mut rng = stream(1, "test");
        let points: Vec<_> = (0..1000).map(|_| CrashPoint::draw(&mut rng, 100)).collect();
        let at_syncs =
            points.iter().filter(|point| point.operation.is_some_and(OperationKind::is_sync)).count();
        assert!((430..570).contains(&at_syncs), "{at_syncs}");
        assert!(points.iter().all(|point| (1..=100).contains(&point.nth)));
        assert!((0..100).all(|_| CrashPoint::draw(&mut rng, 0).nth == 1));
    }
}
