//! From an application's transactions on the real engine to a simulation of them.

mod support;

use std::fs::File;
use std::path::Path;

use stormproof::{Database, EventLog, Recording};

use support::{json, stormproof};

/// An application: three agents with an inbox each, a shared counter and a log.
fn record(path: &Path, secret: Option<[u8; 16]>) {
    let mut recording = Recording::new(File::create(path).unwrap());
    if let Some(secret) = secret {
        recording = recording.hash_keys(secret);
    }
    let db = Database::builder().record(recording).open().unwrap();
    let runs: Vec<_> = (0..3).map(|_| db.begin_run().unwrap()).collect();
    for number in 0..60_u64 {
        let agent = number as usize % runs.len();
        db.transaction(runs[agent], |txn| {
            let inbox = format!("inbox/{agent}/");
            let waiting: Vec<_> = txn.prefix(&inbox)?.keys().collect();
            if let Some(oldest) = waiting.first().filter(|_| waiting.len() > 4) {
                txn.delete(oldest.clone())?;
            }
            txn.put(format!("{inbox}{number:03}"), "a message of some length")?;
            let count: u64 = txn.get("shared/count")?.unwrap_or(0);
            txn.put("shared/count", count + 1)?;
            EventLog::new("audit").append(txn, "sent")
        })
        .unwrap();
    }
    db.close().unwrap();
}

#[test]
fn what_an_application_did_is_played_again_in_simulations() {
    for secret in [None, Some([3; 16])] {
        let folder = tempfile::tempdir().unwrap();
        record(&folder.path().join("shapes.jsonl"), secret);
        let arguments = ["sweep", "--seeds", "0..40", "--recording", "shapes.jsonl", "--json"];
        let sweep = stormproof(folder.path(), &arguments);
        let document = json(&sweep);
        assert_eq!(sweep.status.code(), Some(0), "{document:#}");
        let counts = &document["stats"]["counts"];
        assert!(counts["commits"].as_u64() > Some(500), "{counts:#}");
        assert!(counts["crashes"].as_u64() > Some(10), "{counts:#}");
        // The shared counter is what they meet at.
        assert!(document["stats"]["conflicts"]["read"].as_u64() > Some(10), "{document:#}");
    }
}

#[test]
fn a_recording_finds_a_bug_of_the_engine_and_its_trace_replays_without_it() {
    let folder = tempfile::tempdir().unwrap();
    record(&folder.path().join("shapes.jsonl"), None);
    let bug = ["--recording", "shapes.jsonl", "--mutant", "PublishBeforeInstall", "--fail-fast", "--json"];
    let document = json(&stormproof(folder.path(), &[&["sweep", "--seeds", "0..500"][..], &bug].concat()));
    let trace = document["failures"][0]["trace_file"].as_str().unwrap_or_else(|| panic!("{document:#}"));
    std::fs::remove_file(folder.path().join("shapes.jsonl")).unwrap();
    let replayed = json(&stormproof(folder.path(), &["replay", trace, "--json"]));
    assert_eq!(replayed["same_failure"], true, "{replayed:#}");
}

#[test]
fn a_recording_is_played_on_real_threads_and_in_processes_that_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    record(&folder.path().join("shapes.jsonl"), Some([7; 16]));
    for how in [&["--threads", "3"][..], &["--kill"]] {
        let real = ["run", "--real", "real", "--rounds", "2", "--recording", "shapes.jsonl", "--json"];
        let run = stormproof(folder.path(), &[&real[..], how].concat());
        let document = json(&run);
        assert_eq!(run.status.code(), Some(0), "{document:#}");
        assert_eq!(document["rounds"][0]["workload"], "recording", "{document:#}");
        assert!(document["figures"]["commits"].as_u64() > Some(20), "{document:#}");
    }
}

#[test]
fn a_file_that_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no recording\n").unwrap();
    for (file, words) in
        [("notes.txt", "line 1 is no line of a recording"), ("missing.jsonl", "no recording in")]
    {
        let output = stormproof(folder.path(), &["sweep", "--seeds", "0..2", "--recording", file]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}
