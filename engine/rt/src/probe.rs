//! Places at which a simulation looks in. All of them compile to nothing here.

/// A place between two steps of a protocol, at which a simulation may switch threads or crash.
#[inline(always)]
pub fn at(_label: &'static str) {}

/// Returns whether this is a simulation. What is promised must not depend on it: it chooses sizes and
/// defaults, by which small simulations reach what takes large databases otherwise, and keeps out what is not
/// simulated.
#[inline(always)]
pub const fn is_simulated() -> bool {
    false
}

/// Marks a rare situation that a campaign of simulations must have reached to count.
#[macro_export]
macro_rules! reached {
    ($name:literal) => {};
}

/// Whether the named deliberate bug is switched on: never, outside of simulations.
#[macro_export]
macro_rules! mutant {
    ($name:ident) => {
        false
    };
}
