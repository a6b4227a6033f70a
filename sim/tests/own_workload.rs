//! The example of a user's own workload: its binary has all commands, and finds the bug that it is made for.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Starts the example, which `cargo test` has built; a run of this test alone has not, so cargo is asked for
/// it then.
fn seats(folder: &Path, arguments: &[&str]) -> Output {
    let built = Path::new(env!("CARGO_BIN_EXE_stormproof")).with_file_name("examples").join("seats");
    let mut command = if built.exists() {
        Command::new(built)
    } else {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let mut cargo = Command::new(env!("CARGO"));
        // What instruments this test would have everything built anew.
        cargo.env_remove("RUSTFLAGS");
        cargo.args(["run", "--quiet", "--manifest-path", manifest, "--example", "seats", "--"]);
        cargo
    };
    command.args(arguments).current_dir(folder).output().expect("the example starts")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_example_holds_on_the_engine_in_simulation_and_on_real_threads() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = seats(
        folder.path(),
        &["sweep", "--seeds", "0..40", "--workload", "seats", "--isolation", "serializable", "--json"],
    );
    let document = json(&sweep);
    assert_eq!(sweep.status.code(), Some(0), "{document:#}");
    assert!(document["stats"]["counts"]["commits"].as_u64() > Some(100), "{document:#}");
    let real = ["run", "--real", "real", "--rounds", "2", "--isolation", "serializable", "--json"];
    let real = seats(folder.path(), &[&real[..], &["--workload", "seats"]].concat());
    assert_eq!(real.status.code(), Some(0), "{:#}", json(&real));
}

#[test]
fn the_example_holds_in_processes_that_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let kill = ["run", "--kill", "--real", "real", "--rounds", "3", "--isolation", "serializable", "--json"];
    let killed = seats(folder.path(), &[&kill[..], &["--workload", "seats"]].concat());
    let document = json(&killed);
    assert_eq!(killed.status.code(), Some(0), "{document:#}");
    assert!(document["figures"]["kills"].as_u64() > Some(0), "{document:#}");
}

#[test]
fn the_example_finds_an_engine_that_does_not_validate_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let bug = ["--workload", "seats", "--isolation", "serializable", "--mutant", "SkipRangeValidation"];
    let arguments = [&["sweep", "--seeds", "0..400", "--json"][..], &bug].concat();
    let document = json(&seats(folder.path(), &arguments));
    let failures = document["failures"].as_array().expect("failures");
    let own = |failure: &&Value| failure["class"] == "seats: no room is overbooked";
    assert!(failures.iter().any(|failure| own(&failure)), "{document:#}");
}
