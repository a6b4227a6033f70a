//! The production runtime: `parking_lot` locks, standard threads, the monotonic clock of the operating
//! system.
//!
//! The engine names locks, threads and time only as `rt::{sync, lockfree, thread, time, probe}`. This crate
//! is `rt` in applications; in simulations a crate with the same interface takes its place, on which every
//! operation is a scheduling point of a seeded scheduler. Hence the labels: every lock, atomic and thread is
//! created with a name, by which a simulation distinguishes operations. Here they cost nothing, and probes
//! compile to nothing.
//!
//! The two crates share no trait: their interface is the set of names and signatures that both export, and
//! code that compiles against one must compile against the other.

pub mod lockfree;
pub mod probe;
pub mod sync;
pub mod thread;
pub mod time;

/// How many times [`check`] runs its test.
pub const CHECKS: u32 = 1;

/// Runs a concurrent test: once here, over many interleavings on a simulating runtime.
///
/// The same unit test thus runs on real threads and under every scheduler that takes the place of this crate.
pub fn check(test: impl Fn() + Send + Sync + 'static) {
    test();
}
