//! The simulator as a binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    stormproof_sim::cli::main()
}
