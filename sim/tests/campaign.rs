//! Campaigns as users run them: shards, comparisons, interruptions, and what a campaign says of itself.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json as value};

use support::{json, stormproof};

fn report(folder: &Path, files: &[&str]) -> Value {
    let mut document = json(&stormproof(folder, &[&["report", "--format", "json"], files].concat()));
    // How long it took, with how many workers, and by which command, is another matter.
    for field in ["seconds", "jobs", "command", "shard", "speed", "trace_file"] {
        blank(&mut document, field);
    }
    document
}

fn blank(document: &mut Value, field: &str) {
    match document {
        Value::Object(fields) => {
            if fields.contains_key(field) {
                fields.insert(field.to_owned(), value!(null));
            }
            fields.values_mut().for_each(|inner| blank(inner, field));
        }
        Value::Array(all) => all.iter_mut().for_each(|inner| blank(inner, field)),
        _ => {}
    }
}

#[test]
fn shards_merge_to_the_report_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |file: &str, more: &[&str]| {
        let start = ["sweep", "--seeds", "100..160", "--out", file, "--json", "--no-shrink"];
        let bug = ["--mutant", "SkipReadValidation", "--workload", "write-skew", "--workload", "bank"];
        let output = stormproof(folder.path(), &[&start[..], &bug, more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    };
    sweep("whole", &[]);
    let shards = ["one", "two", "three"];
    for (index, file) in shards.into_iter().enumerate() {
        sweep(file, &["--shard", &format!("{index}/3"), "--jobs", "1"]);
    }
    let whole = report(folder.path(), &["whole"]);
    assert!(whole.to_string().contains("serializable"), "{whole:#}");
    assert_eq!(report(folder.path(), &shards), whole);
    assert_eq!(report(folder.path(), &["three", "one", "two"]), whole, "in any order");
}

#[test]
fn two_processes_come_to_the_same_digests_and_a_wrong_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |more: &[&str]| {
        stormproof(folder.path(), &[&["sweep", "--seeds", "0..40", "--json", "--no-shrink"], more].concat())
    };
    let first = json(&sweep(&["--out", "first", "--twice"]));
    assert_eq!(first["stats"]["counts"]["compared"], 40, "{first:#}");
    let second = sweep(&["--against", "first", "--jobs", "1"]);
    assert_eq!(json(&second)["failed_runs_count"], 0);
    let text = std::fs::read_to_string(folder.path().join("first")).unwrap();
    let of_seed_7 = |line: &&str| line.starts_with("{\"seed\":{\"seed\":7,");
    let line = text.lines().find(of_seed_7).expect("seed 7 was run");
    let digest = serde_json::from_str::<Value>(line).unwrap()["seed"]["digest"].clone();
    let forged = text.replace(digest.as_str().unwrap(), "0123456789abcdef");
    std::fs::write(folder.path().join("forged"), forged).unwrap();
    let third = sweep(&["--against", "forged"]);
    assert_eq!(third.status.code(), Some(3));
    let document = json(&third);
    assert_eq!(document["failed_runs"][0]["seed"], 7, "{document:#}");
    assert!(document["failed_runs"][0]["why"].as_str().unwrap().contains("0123456789abcdef"));
    assert_eq!(sweep(&["--against", "no-such-file"]).status.code(), Some(2));
}

#[test]
fn each_kind_of_failure_comes_with_one_shrunk_trace() {
    let folder = tempfile::tempdir().unwrap();
    let bug = ["--mutant", "SkipReadValidation", "--workload", "write-skew"];
    let start = ["sweep", "--seeds", "0..40", "--json"];
    let document = json(&stormproof(folder.path(), &[&start[..], &bug].concat()));
    let failures = document["failures"].as_array().expect("failures are listed");
    let files: Vec<_> = failures.iter().filter_map(|failure| failure["shrunk_file"].as_str()).collect();
    let distinct = files.iter().collect::<BTreeSet<_>>().len();
    assert_eq!(distinct, files.len(), "each kind has a file of its own: {document:#}");
    let of_skew = |failure: &&Value| failure["class"] == "write-skew";
    let failure = failures.iter().find(of_skew).expect("the bug shows as write skew");
    assert_eq!(failure["invariant"], "serializable", "{document:#}");
    assert!(failure["count"].as_u64() > Some(1), "{document:#}");
    assert!(failure["shrunk_operations"].as_u64() < Some(40), "{document:#}");
    let shrunk = failure["shrunk_file"].as_str().expect("it was shrunk");
    let replayed = json(&stormproof(folder.path(), &["replay", shrunk, "--json"]));
    assert_eq!(replayed["same_failure"], true, "{replayed:#}");
}

#[test]
fn a_campaign_says_which_faults_never_fired_and_fails_when_nothing_happened() {
    let folder = tempfile::tempdir().unwrap();
    let few = json(&stormproof(folder.path(), &["sweep", "--seeds", "0..3", "--json"]));
    assert!(few["faults_never_fired"].as_array().is_some_and(|all| all.len() > 5), "{few:#}");
    let without = ["sweep", "--seeds", "0..3", "--json", "--faults", "crashes"];
    let without = json(&stormproof(folder.path(), &without));
    assert_eq!(without["faults_never_fired"], value!([]));
    // The second half of one seed.
    let none = ["sweep", "--seeds", "0..1", "--shard", "1/2", "--json"];
    let none = stormproof(folder.path(), &none);
    assert_eq!(none.status.code(), Some(3), "{:#}", json(&none));
    assert_eq!(json(&none)["proves_nothing"][0], "no seed was run");
    assert_eq!(json(&none)["verdict"], "failed");
}
