//! Levels that keep more order than the one asked for.
//!
//! An order of sessions or of time rules out most orders of writes that no read reveals, so a stronger level
//! may be decided at once where a weaker one is a long search. Where it holds, so does the weaker one. An
//! order that explains another level is where the search begins: what it finds does not depend on the order
//! in which a file lists its transactions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::super::rule::Rule;
use super::{Answer, Judge, Quick};
use crate::level::Level;

/// Levels that keep the order of time or of sessions, the strongest first.
const ORDERED: [Level; 4] = [
    Level::StrictSerializable,
    Level::StrongSessionSerializable,
    Level::StrictSnapshotIsolation,
    Level::StrongSessionSnapshotIsolation,
];

/// The share of all steps that the search for an order of another level may take.
const SHARE: u64 = 8;

/// What is known of levels that keep more order than the one at hand.
#[derive(Default)]
pub(super) struct Stronger {
    /// By level: whether it was quickly found to hold.
    known: RefCell<BTreeMap<Level, bool>>,
    /// By transaction: its place in an order that explains a level.
    order: RefCell<Option<Vec<u32>>>,
}

impl Stronger {
    /// Records an order that explains the level at hand, by transaction.
    pub(super) fn explained(&self, places: Vec<u32>) {
        *self.order.borrow_mut() = Some(places);
    }

    /// Returns, by transaction, its place in the order that explained a level last.
    pub(super) fn order(&self) -> Option<Vec<u32>> {
        self.order.borrow().clone()
    }
}

impl Judge<'_, '_> {
    /// Returns whether a level that keeps more order quickly turns out to hold. Levels that are not stronger
    /// are tried as well, until one leaves an order to begin with.
    pub(super) fn stronger_holds(&self, level: Level) -> bool {
        let timed = self.problem.is_timed();
        for ordered in
            ORDERED.into_iter().filter(|other| *other != level && (timed || !Rule::of(*other).time))
        {
            if ordered.implies(level) {
                if self.holds_quickly(ordered) {
                    return true;
                }
            } else if self.stronger.order().is_none() {
                self.holds_quickly(ordered);
            }
        }
        false
    }

    /// Returns whether a level turns out to hold within a share of the steps.
    fn holds_quickly(&self, level: Level) -> bool {
        if let Some(&known) = self.stronger.known.borrow().get(&level) {
            return known;
        }
        let holds = match self.quick(level) {
            Quick::Decided(answer) => matches!(answer, Answer::Holds),
            Quick::Open { events, by_key, undecided } => {
                let steps = self.terms.steps_max / SHARE;
                self.finds(level, &by_key, &events, &undecided, steps)
            }
        };
        self.stronger.known.borrow_mut().insert(level, holds);
        holds
    }
}
