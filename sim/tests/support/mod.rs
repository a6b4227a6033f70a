//! The binary, started as users start it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the binary in a folder.
pub(crate) fn stormproof(folder: &Path, arguments: &[&str]) -> Output {
    stormproof_with(folder, &[], arguments)
}

/// The same, with variables of the environment.
pub(crate) fn stormproof_with(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stormproof"))
        .args(arguments)
        .current_dir(folder)
        .envs(variables.iter().copied())
        .output()
        .expect("the binary starts")
}

/// Its standard output, which must be one JSON document.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("not one JSON document: {error}\n{}", String::from_utf8_lossy(&output.stdout))
    })
}
