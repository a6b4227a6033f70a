//! What the engine offers, part by part, in the form in which an application meets it.
//!
//! Not here: random operations (`model.rs`), threads (`src/concurrency.rs` and the stress tests), failing
//! disks (`failures.rs`, `errors.rs`), crashes (the simulator).

mod engine;
mod transactions;

use std::time::Duration;

use env::UnixMillis;
use rt::sync::Arc;
use stormproof::{Database, DatabaseBuilder, RunId};
use stormproof_faults::{ClockPlan, SimClock, SimEntropy};

/// A database in memory with a clock that stands still until a test moves it.
struct Fixture {
    db: Database,
    run: RunId,
    clock: Arc<SimClock>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(settings: impl FnOnce(DatabaseBuilder) -> DatabaseBuilder) -> Self {
        let clock = Arc::new(SimClock::new(ClockPlan::default()));
        let builder = Database::builder().clock(clock.clone()).entropy(Arc::new(SimEntropy::new(1)));
        // The sweeper comes when it is called.
        let db = settings(builder.maintenance_interval(Duration::from_secs(3600))).open().unwrap();
        let run = db.begin_run().unwrap();
        Self { db, run, clock }
    }

    fn set_clock(&self, to: u64) {
        self.clock.set(UnixMillis(to));
    }
}
