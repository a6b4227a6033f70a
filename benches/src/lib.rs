//! Benchmarks of the engine, and other engines side by side.
