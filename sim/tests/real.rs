//! Runs on real threads, a real disk and with real kills, over the binary.

mod support;

use serde_json::Value;

use support::{json, stormproof};

#[test]
fn rounds_on_a_real_disk_hold_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        stormproof(folder.path(), &["run", "--real", "real", "--rounds", "6", "--threads", "4", "--json"]);
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document:#}");
    assert_eq!(document["verdict"], "held");
    assert_eq!(document["figures"]["rounds"], 6);
    assert!(document["figures"]["commits"].as_u64() > Some(100), "{document:#}");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("real")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn processes_that_are_killed_lose_nothing_that_they_acked() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", "--kill", "--real", "real", "--rounds", "6", "--threads", "3", "--json"];
    let mix = ["--workload", "bank", "--workload", "list-append", "--workload", "register-mix"];
    let output = stormproof(folder.path(), &[&arguments[..], &mix].concat());
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document:#}");
    let figure = |name: &str| document["figures"][name].as_u64().unwrap_or(0);
    assert!(figure("kills") >= 6, "{document:#}");
    // Every round has a life after its last kill, and one that inspects what is left.
    assert!(figure("lives") > 12, "{document:#}");
    assert!(figure("unanswered") > 0, "no kill hit a commit: {document:#}");
}

/// Whether file systems can be mounted here; says so where not.
#[cfg(all(target_os = "linux", feature = "fuse"))]
fn can_mount() -> bool {
    let dir = tempfile::tempdir().unwrap();
    stormproof_fuse::MountedDisk::mount_if_possible(dir.path(), Default::default()).is_some()
}

#[cfg(all(target_os = "linux", feature = "fuse"))]
#[test]
fn processes_that_die_in_power_cuts_lose_nothing_that_they_synced() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["run", "--kill", "--power-cuts", "--real", "real", "--rounds", "8", "--threads", "3", "--json"];
    let mix = ["--workload", "bank", "--workload", "list-append", "--workload", "agent-mix"];
    let less = ["--transactions", "25"];
    let output = stormproof(folder.path(), &[&arguments[..], &mix, &less].concat());
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document:#}");
    assert_eq!(document["power_cuts"], true);
    let figure = |name: &str| document["figures"][name].as_u64().unwrap_or(0);
    assert!(figure("kills") >= 8, "{document:#}");
    assert!(figure("unanswered") > 0, "no cut hit a commit: {document:#}");
    // Nothing stays mounted.
    let left: Vec<_> = std::fs::read_dir(folder.path().join("real")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_plan_of_a_real_run_follows_from_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let round = || {
        let arguments =
            ["run", "--real", "real", "--rounds", "1", "--seed", "11", "--threads", "1", "--json"];
        let document =
            json(&stormproof(folder.path(), &[&arguments[..], &["--workload", "hotspot"]].concat()));
        let round = document["rounds"][0].clone();
        [round["store"].clone(), round["figures"]["transactions"].clone()]
    };
    let first = round();
    assert_ne!(first[0], Value::Null);
    assert_eq!(first, round());
}

#[test]
fn a_report_of_real_rounds_says_what_ran_and_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let real = ["run", "--real", "real", "--rounds", "3", "--threads", "2", "--workload", "hotspot"];
    let output = stormproof(folder.path(), &[&real[..], &["--report", "rounds.json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = std::fs::read_to_string(folder.path().join("rounds.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let campaign = document.get("campaign").unwrap_or(&document);
    assert_eq!(campaign["seeds"], 3, "{document:#}");
    assert_eq!(campaign["subject"], "stormproof", "{document:#}");
    assert_eq!(campaign["workloads"][0]["name"], "hotspot", "{document:#}");
    assert!(campaign["counts"]["commits"].as_u64() > Some(100), "{document:#}");
    assert!(campaign["failures"].as_array().is_some_and(Vec::is_empty), "{document:#}");
    // What only a single run has is refused before anything runs.
    let output = stormproof(folder.path(), &[&real[..], &["--report", "rounds.nonsense"]].concat());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).is_empty(), "{output:?}");
}

/// Fewer than five of a hundred attempts: a count, which other threads can move and the speed of the machine
/// can't.
#[test]
fn agents_on_keys_of_their_own_hardly_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let conflicts = |more: &[&str]| {
        let arguments = ["run", "--real", "real", "--rounds", "4", "--threads", "8", "--json"];
        let mix = ["--workload", "agent-mix", "--transactions", "200"];
        let document = json(&stormproof(folder.path(), &[&arguments[..], &mix, more].concat()));
        assert!(document["figures"]["commits"].as_u64() > Some(1_000), "{document:#}");
        document["conflicts_per_mille"].as_u64().expect("it is counted")
    };
    let rate = conflicts(&[]);
    assert!(rate < 50, "{rate} of 1,000 attempts conflict");
}

#[test]
fn wrong_use_of_real_runs_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let built_in = cfg!(feature = "stormproof-peers");
    let redb = if built_in { "no store is called" } else { "build stormproof with `--features redb`" };
    let wrong: [(&[&str], &str); 6] = [
        (&["run"], "--seed"),
        (&["run", "--store", "nonsense"], "no store is called `nonsense`"),
        (&["run", "--store", if built_in { "none" } else { "redb" }], redb),
        (&["run", "--real", "real", "--mutant", "SkipReadValidation"], "is for simulations"),
        (&["run", "--real", "real", "--workload", "nonsense"], "no workload is called"),
        (&["run", "--real", "real", "--for", "soon"], "is no time"),
    ];
    for (arguments, words) in wrong {
        let output = stormproof(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
