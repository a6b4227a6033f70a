//! Runs and campaigns as the plain data that `stormproof_reports` renders.

mod campaign;

pub use campaign::campaign;
