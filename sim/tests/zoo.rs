//! `stormproof zoo`, through the binary: it fails when a bug is not found, and goes on where it was stopped.

mod support;

use std::path::Path;

use serde_json::{Value, json as value};
use support::{json, stormproof};

/// A hunt in small: the engine without bugs has to hold a few seeds only.
fn hunt(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let start =
        ["zoo", "--workload", "write-skew", "--no-shrink", "--healthy", "3", "--json", "--trials", "2"];
    let output = stormproof(folder, &[&start[..], arguments].concat());
    let document = if output.stdout.is_empty() { Value::Null } else { json(&output) };
    (output.status.code(), document)
}

#[test]
fn a_hunt_fails_when_one_bug_is_not_found_in_every_search() {
    let folder = tempfile::tempdir().unwrap();
    let easy = ["--mutant", "SkipReadValidation"];
    let (code, document) = hunt(folder.path(), &[&easy[..], &["--budget", "200"]].concat());
    assert_eq!((code, document["missed"].as_u64()), (Some(0), Some(0)), "{document:#}");
    // Nothing ever expires in this workload.
    let hopeless = ["--mutant", "ExpiryNotLogged", "--budget", "3"];
    let (code, document) = hunt(folder.path(), &[&easy[..], &hopeless].concat());
    assert_eq!(code, Some(1), "{document:#}");
    let expiry = &document["mutants"][1];
    assert_eq!((&expiry["name"], &expiry["found_after"]), (&value!("ExpiryNotLogged"), &value!([])));
}

#[test]
fn a_hunt_goes_on_where_it_was_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let one = ["--budget", "200", "--out", "kept.jsonl", "--mutant", "SkipReadValidation"];
    let (code, first) = hunt(folder.path(), &one);
    assert_eq!(code, Some(0), "{first:#}");
    // Whatever the file says is taken for granted, so this was not searched again.
    let path = folder.path().join("kept.jsonl");
    let kept = std::fs::read_to_string(&path).unwrap();
    let searched = format!("\"seeds\":{},", first["mutants"][0]["seeds"]);
    std::fs::write(&path, kept.replace(&searched, "\"seeds\":987654321,")).unwrap();
    let (code, both) = hunt(folder.path(), &[&one[..], &["--mutant", "SkipWriteValidation"]].concat());
    assert_eq!(code, Some(0), "{both:#}");
    let names: Vec<_> = both["mutants"].as_array().unwrap().iter().map(|mutant| &mutant["name"]).collect();
    assert_eq!(names, ["SkipReadValidation", "SkipWriteValidation"]);
    assert_eq!(both["mutants"][0]["seeds"], 987_654_321);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    // Another hunt is another hunt.
    let other = ["--budget", "100", "--out", "kept.jsonl", "--mutant", "SkipReadValidation"];
    assert_eq!(hunt(folder.path(), &other).0, Some(2));
}
