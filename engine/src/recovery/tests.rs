//! Tests of log, recovery and checkpoint over a simulated disk.

mod support;

mod crashes;
