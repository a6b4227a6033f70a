//! The binary as users have it: exit codes, one JSON document, the same run in another process, mutants
//! found.

mod support;

use serde_json::Value;

use support::{json, stormproof};

/// Workloads that count and move: what a simple engine bug breaks first.
const COUNTERS: &[&str] = &["--workload", "hotspot", "--workload", "bank", "--workload", "write-skew"];

#[test]
fn a_seed_gives_the_same_run_in_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let document = || {
        let output = stormproof(folder.path(), &["run", "--seed", "7", "--json"]);
        let mut document = json(&output);
        document["wall_seconds"] = Value::Null;
        (output.status.code(), document)
    };
    let first = document();
    assert_eq!(first, document());
    assert!(first.1["digest"].as_str().is_some_and(|digest| digest.len() == 16));
}

#[test]
fn the_healthy_engine_holds_over_a_sweep_that_does_something() {
    let folder = tempfile::tempdir().unwrap();
    let output = stormproof(
        folder.path(),
        &[&["sweep", "--seeds", "0..60", "--jobs", "2", "--json"], COUNTERS].concat(),
    );
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document:#}");
    assert_eq!(document["seeds"], 60);
    assert!(document["stats"]["counts"]["crashes"].as_u64() > Some(0));
    assert!(document["stats"]["counts"]["recoveries"].as_u64() > Some(0));
    assert!(document["interleavings"].as_u64() > Some(30));
}

#[test]
fn a_sweep_finds_the_same_with_one_worker_and_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |jobs: &str| {
        let arguments =
            ["sweep", "--seeds", "0..30", "--json", "--jobs", jobs, "--mutant", "SkipReadValidation"];
        let document = json(&stormproof(folder.path(), &arguments));
        (document["failing_seeds"].clone(), document["interleavings"].clone(), document["stats"].clone())
    };
    assert_eq!(sweep("1"), sweep("2"));
}

#[test]
fn a_long_life_is_no_livelock() {
    let folder = tempfile::tempdir().unwrap();
    let size = ["--clients", "16", "--transactions", "600"];
    let start = ["run", "--seed", "1", "--workload", "hotspot", "--faults", "none", "--json"];
    let document = json(&stormproof(folder.path(), &[&start[..], &size].concat()));
    assert_eq!(document["verdict"], "held", "{document:#}");
    // Lives used to be cut here.
    assert!(document["lives"][0]["steps"].as_u64() > Some(400_000), "{document:#}");
}

#[test]
fn deliberate_bugs_are_found_and_reproduced_in_another_process() {
    for mutant in ["PublishBeforeInstall", "AckBeforeSync", "SkipReadValidation"] {
        let folder = tempfile::tempdir().unwrap();
        let start = ["sweep", "--seeds", "0..3000", "--fail-fast", "--json", "--mutant", mutant];
        let output = stormproof(folder.path(), &[&start, COUNTERS].concat());
        let document = json(&output);
        assert_eq!(output.status.code(), Some(1), "{mutant}: {document:#}");
        let failure = &document["failures"][0];
        let seed = failure["seeds"][0].as_u64().unwrap().to_string();
        let again = stormproof(
            folder.path(),
            &[&["run", "--seed", &seed, "--mutant", mutant, "--json"], COUNTERS].concat(),
        );
        assert_eq!(again.status.code(), Some(1), "{mutant}, seed {seed}");
        let healthy = stormproof(folder.path(), &[&["run", "--seed", &seed, "--json"], COUNTERS].concat());
        assert_eq!(healthy.status.code(), Some(0), "seed {seed} without {mutant}");
        let trace = failure["trace_file"].as_str().unwrap();
        let replayed = stormproof(folder.path(), &["replay", trace, "--json"]);
        let replayed = json(&replayed);
        assert_eq!(replayed["exact"], true, "{mutant}, seed {seed}");
        assert_eq!(replayed["same_failure"], true, "{mutant}, seed {seed}");
    }
}

#[test]
fn a_shrunk_trace_fails_in_the_same_way() {
    let folder = tempfile::tempdir().unwrap();
    let mutant = ["--mutant", "SkipReadValidation", "--workload", "write-skew"];
    let sweep = stormproof(
        folder.path(),
        &[&["sweep", "--seeds", "0..500", "--fail-fast", "--json"][..], &mutant].concat(),
    );
    let seed = json(&sweep)["failures"][0]["seeds"][0].as_u64().unwrap().to_string();
    let arguments = [&["shrink", "--seed", &seed, "--runs", "600", "--json"][..], &mutant].concat();
    let shrunk = json(&stormproof(folder.path(), &arguments));
    assert!(shrunk["after"]["operations"].as_u64() < shrunk["before"]["operations"].as_u64(), "{shrunk:#}");
    let trace = shrunk["trace_file"].as_str().unwrap();
    let replayed = json(&stormproof(folder.path(), &["replay", trace, "--json"]));
    assert_eq!(replayed["same_failure"], true, "{replayed:#}");
}

#[test]
fn wrong_use_is_told_apart_from_violations() {
    let folder = tempfile::tempdir().unwrap();
    let wrong: [&[&str]; 5] = [
        &["run", "--seed", "seven"],
        &["run", "--seed", "7", "--workload", "nonsense"],
        &["run", "--seed", "7", "--mutant", "Nonsense"],
        &["sweep", "--seeds", "9..3"],
        &["replay", "no-such-file.trace"],
    ];
    for arguments in wrong {
        let output = stormproof(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_list_is_one_json_document() {
    let folder = tempfile::tempdir().unwrap();
    let document = json(&stormproof(folder.path(), &["list", "--json"]));
    assert!(document["workloads"].as_array().is_some_and(|all| all.len() >= 3));
    assert!(document["invariants"].as_array().is_some_and(|all| all.len() > 12));
}
