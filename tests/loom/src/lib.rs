//! The engine's lock-free modules from the engine's own source, compiled on loom: their unit tests, which run
//! once on real threads and over many seeds in simulations, run here under every interleaving with at most
//! two preemptions, weak memory included.
#![cfg(test)]

#[expect(dead_code, unreachable_pub, reason = "the engine uses the rest")]
#[path = "../../../engine/src/types.rs"]
mod types;

mod mvcc;

#[path = "../../../engine/src/store/snapshot_registry.rs"]
mod registry;
