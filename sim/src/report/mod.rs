//! Runs and campaigns as the plain data that `stormproof_reports` renders.
//!
//! Job: put what the simulator knows into the reports' words. Not its job: rendering, and judging.
//! INV-REPORT-1: a report of a run is a function of the run: nothing in it depends on when it is asked for,
//! or how often.

mod anomaly;
mod campaign;
mod limit;
mod rounds;
mod run;
mod timeline;
mod trend;
mod writers;
mod zoo;

pub use campaign::campaign;
pub use rounds::{Rounds, rounds};
pub use run::{Origin, crash_words, report};
pub use timeline::conflict_kind;
pub use trend::trend;
pub use zoo::zoo;
