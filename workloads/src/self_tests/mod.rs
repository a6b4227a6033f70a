//! Self-tests of workloads: on the reference store their invariants hold, on a broken one they fail.
//!
//! Clients run as tasks of shuttle, so that a seed decides how they interleave: before each call of the store
//! they yield. No real thread, no real time.

mod catalogue;
mod crashes;
mod flaws;
mod interleaved;
