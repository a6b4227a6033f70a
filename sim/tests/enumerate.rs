//! `stormproof enumerate`: every crash of a short plan, through the binary.

mod support;

use serde_json::Value;
use support::{json, stormproof};

/// A short plan on a strict engine: one client, so that there are few interleavings to think of.
const SHORT: &[&str] = &[
    "enumerate",
    "--seed",
    "3",
    "--workload",
    "bank",
    "--durability",
    "strict",
    "--clients",
    "1",
    "--transactions",
    "2",
    "--subsets",
    "2",
    "--states",
    "6",
];

fn enumerate(arguments: &[&str]) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let output = stormproof(folder.path(), &[SHORT, &["--json"], arguments].concat());
    (output.status.code(), json(&output))
}

#[test]
fn the_healthy_engine_survives_every_crash_and_says_how_many_there_were() {
    let (code, document) = enumerate(&[]);
    assert_eq!(code, Some(0), "{document:#}");
    let coverage = |name: &str| document["coverage"][name].as_u64().unwrap();
    assert_eq!(coverage("boundaries"), coverage("boundaries_total"));
    assert!(coverage("boundaries") > 20, "{document:#}");
    assert!(coverage("states") > coverage("boundaries"), "{document:#}");
    assert!(coverage("recoveries") > 0 && coverage("nested") > 10, "{document:#}");
    assert_eq!(coverage("runs"), coverage("states") + coverage("nested"));
}

#[test]
fn bugs_of_the_log_are_found_and_one_command_repeats_the_crash() {
    for mutant in ["DirectoryNotSynced", "AckBeforeSync", "TornTailNotCut"] {
        let (code, document) = enumerate(&["--mutant", mutant]);
        assert_eq!(code, Some(1), "{mutant}: {document:#}");
        let command = document["broken"][0]["reproduce"].as_str().unwrap();
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let folder = tempfile::tempdir().unwrap();
        let output = stormproof(folder.path(), &words);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{mutant}: {command}\n{text}");
        assert!(text.contains("VIOLATION"), "{text}");
    }
}

#[test]
fn a_plan_from_a_file_is_enumerated_too() {
    let folder = tempfile::tempdir().unwrap();
    let plan =
        ["run", "--seed", "3", "--workload", "bank", "--clients", "1", "--transactions", "1", "--plan"];
    let printed = stormproof(folder.path(), &plan);
    std::fs::write(folder.path().join("plan.json"), &printed.stdout).unwrap();
    let limits = ["--subsets", "1", "--states", "2", "--nested", "0", "--json"];
    let output =
        stormproof(folder.path(), &[&["enumerate", "--plan", "plan.json"], limits.as_slice()].concat());
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document:#}");
    assert_eq!(document["coverage"]["nested"], 0);
}

#[test]
fn what_is_no_plan_is_a_mistake_of_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "nothing").unwrap();
    for arguments in [["--plan", "notes.txt"], ["--at", "0:1:0"], ["--seed", "x"]] {
        let output = stormproof(folder.path(), &[&["enumerate"], arguments.as_slice()].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
