//! The simulator as a binary; everything is in the library.

use std::process::ExitCode;

/// A fifth of a campaign's time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stormproof_sim::cli::main()
}
