//! The binary, started as users start it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the binary in a folder.
pub(crate) fn stormproof(folder: &Path, arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_stormproof");
    Command::new(binary).args(arguments).current_dir(folder).output().expect("the binary starts")
}

/// Its standard output, which must be one JSON document.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("not one JSON document: {error}\n{}", String::from_utf8_lossy(&output.stdout))
    })
}
