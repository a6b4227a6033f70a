//! `explore`: all interleavings of tiny plans, through the binary.

mod support;

use std::path::Path;

use serde_json::Value;

use support::{json, stormproof};

/// Writes the plan of two clients with one transaction each, in memory and without faults, with these bugs.
fn plan(folder: &Path, mutants: &[&str]) {
    let tiny = ["run", "--seed", "3", "--workload", "hotspot", "--clients", "2", "--transactions", "1"];
    let output = stormproof(folder, &[&tiny[..], &["--faults", "none", "--plan"]].concat());
    let mut plan = json(&output);
    plan["engine"]["storage"] = "memory".into();
    plan["mutants"] = mutants.into();
    std::fs::write(folder.join("tiny.plan"), plan.to_string()).unwrap();
}

fn explore(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = stormproof(folder, &[&["explore", "--plan", "tiny.plan", "--json"], more].concat());
    (output.status.code(), json(&output))
}

#[test]
fn every_interleaving_of_a_tiny_plan_is_run_once_and_holds() {
    let folder = tempfile::tempdir().unwrap();
    plan(folder.path(), &[]);
    let (code, document) = explore(folder.path(), &["--preemptions", "1"]);
    assert_eq!(code, Some(0), "{document:#}");
    assert_eq!(document["verdict"], "held");
    let covered = &document["covered"];
    assert_eq!(covered["complete"], true);
    let counts: Vec<u64> =
        covered["interleavings"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    assert_eq!(counts.len(), 2);
    assert!(counts[0] >= 1 && counts[1] > 20 * counts[0], "{counts:?}");
    assert_eq!(covered["distinct"].as_u64(), Some(counts[1]), "an interleaving was run twice, or left out");
    assert_eq!(covered["runs"].as_u64(), Some(counts.iter().sum()));
}

#[test]
fn a_lost_update_is_found_with_the_one_preemption_that_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    plan(folder.path(), &["SkipReadValidation", "SkipWriteValidation"]);
    let (code, document) = explore(folder.path(), &["--preemptions", "2"]);
    assert_eq!(code, Some(1), "{document:#}");
    assert_eq!(document["covered"]["interleavings"].as_array().map(Vec::len), Some(1), "{document:#}");
    let trace = document["trace_file"].as_str().unwrap();
    let replayed = json(&stormproof(folder.path(), &["replay", trace, "--json"]));
    assert_eq!(replayed["same_failure"], true, "{replayed:#}");
    // The trace is a plan, too.
    let again = stormproof(folder.path(), &["explore", "--plan", trace, "--preemptions", "1", "--json"]);
    assert_eq!(again.status.code(), Some(1), "{:#}", json(&again));
}

#[test]
fn what_was_not_finished_is_not_decided() {
    let folder = tempfile::tempdir().unwrap();
    plan(folder.path(), &[]);
    let (code, document) = explore(folder.path(), &["--preemptions", "3", "--runs", "25"]);
    assert_eq!(code, Some(4), "{document:#}");
    assert_eq!(document["covered"]["complete"], false);
    assert_eq!(document["covered"]["runs"], 25);
    for wrong in
        [&["explore", "--plan", "none.plan"][..], &["explore", "--plan", "tiny.plan", "--life", "99"]]
    {
        assert_eq!(stormproof(folder.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
}
