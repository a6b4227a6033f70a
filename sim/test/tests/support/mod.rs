//! Runs simulations that are to fail, and returns what they say.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stormproof_test::{Options, Outcome, World, simulate};

/// Simulates what is to fail; returns the message.
pub(crate) fn failure_of<R: Outcome + 'static>(
    options: Options,
    body: impl Fn(World) -> R + Send + Sync + 'static,
) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| simulate(options, body)));
    let payload = failed.expect_err("the simulation was to fail");
    payload.downcast_ref::<String>().cloned().expect("a failure has words")
}
