//! Random choices that workloads share: skewed keys, sizes, bursts, think time.
//!
//! Everything draws from a stream that is handed in, and nothing else: the same stream gives the same
//! choices. Integer arithmetic where it decides, so that every machine decides alike; the one table in
//! floating point (zipf) uses only operations that IEEE 754 rounds exactly.

mod burst;
mod size;
mod zipf;

pub use burst::Burst;
pub use size::Sizes;
pub use zipf::Zipf;
