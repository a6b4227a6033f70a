//! Places at which the simulation looks in.

use crate::life;
use crate::op::{Op, OpKind};

/// Returns whether this is a simulation: inside of a life it is. What is promised must not depend on it: it
/// chooses sizes and defaults, by which small simulations reach what takes large databases otherwise, and
/// keeps out what is not simulated.
pub fn is_simulated() -> bool {
    life::is_inside()
}

/// A place between two steps of a protocol, at which the simulation may switch threads or crash.
pub fn at(label: &'static str) {
    life::point(Op::new(OpKind::At, label, 0));
}

/// A step of the simulated world (a disk operation, say), at which the simulation may switch threads or
/// crash. Hold no lock other than those of [`crate::sync`] across it: the task may never come back.
pub fn point(label: &'static str) {
    life::point(Op::new(OpKind::Point, label, 0));
}

/// Notes a random draw of the simulated world, or something that happened in it. It goes into the digest of
/// the life; it is no scheduling point. Nothing happens outside of a life.
pub fn draw(label: &'static str, value: u64) {
    life::with_core(|core| core.draw(label, value));
}

/// Ends the life here and now, as a power cut does: no destructor runs, nothing that is under way is
/// finished.
///
/// # Panics
/// Outside of a life, where there is nothing to end.
pub fn crash() -> ! {
    life::crash()
}

/// Marks a rare situation that a campaign of simulations must have reached to count.
#[macro_export]
macro_rules! reached {
    ($name:literal) => {
        $crate::probe::mark($name)
    };
}

/// Counts a mark of [`reached!`](crate::reached).
pub fn mark(name: &'static str) {
    life::with_core(|core| core.mark(name));
}

/// Whether the named deliberate bug is switched on in this life.
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        $crate::mutants::active($crate::mutants::Mutant::$name)
    };
}
