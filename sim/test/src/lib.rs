//! Simulates an application that embeds [`stormproof`], under `cargo test`.
//!
//! A test hands its own, unchanged functions a [`World`]: threads, locks, time, the disk and the power are
//! simulated there, and a seed decides every interleaving, power cut and fault. A failure is repeated by its
//! seed, made small, kept as a trace, and shown as a page.
//!
//! ```no_run
//! use stormproof::{Database, RunId};
//! use stormproof_test::{Result, World};
//!
//! fn book_seat(db: &Database, run: RunId, guest: &str) -> stormproof::Result<()> {
//!     db.transaction(run, |txn| {
//!         let free: u32 = txn.get("free")?.unwrap_or(3);
//!         if free > 0 {
//!             txn.put("free", free - 1)?;
//!             txn.put(format!("seat/{free}"), guest)?;
//!         }
//!         Ok(())
//!     })
//! }
//!
//! #[stormproof_test::simulation(seeds = 500)]
//! fn never_overbooked(world: World) -> Result {
//!     let db = world.open()?;
//!     world.clients(4, |client| book_seat(&db, client.run(&db)?, client.name()))?;
//!     let free: u32 = db.get("free")?.unwrap_or(3);
//!     assert_eq!(db.prefix("seat/").count() as u32, 3 - free, "seats and their count");
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! The function runs once per *life*: a life ends where the power goes out, and the next one begins on what
//! the disk kept. The last life is calm: no fault, no power cut. Panics and errors are failures.
//!
//! In the environment: `STORMPROOF_SEED=17` (this one), `STORMPROOF_SEEDS=0..10000`, `STORMPROOF_FOR=60s`,
//! `STORMPROOF_CHECK=1` (every seed twice), `STORMPROOF_COUNT=1` (how many fail), `STORMPROOF_JOBS=4`,
//! `STORMPROOF_SHRINK_FOR=10m` (20 seconds otherwise).
//!
//! Not its job: threads, locks and sleeps of `std`, which are not simulated. [`stormproof::runtime`] has
//! those that are; a test that leaves the simulation is ended with an error that says so.
//!
//! How to: the guide *Simulating your application* of the engine.

mod client;
mod environment;
mod failure;
mod historian;
mod options;
mod outcome;
mod recorded_keys;
mod regressions;
mod simulate;
mod watchdog;
mod world;

pub use client::{Client, ClientError, Todo};
pub use options::Options;
pub use outcome::{Outcome, Result};
pub use simulate::simulate;
pub use stormproof_test_macros::simulation;
pub use world::{Random, World};
