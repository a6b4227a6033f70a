//! Tests of log, recovery and checkpoint over a simulated disk.

mod support;

mod corruption;
mod crashes;
mod failures;
mod modes;
