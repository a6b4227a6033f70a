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
    // Every round has a life after its last kill, and one that looks at what is left.
    assert!(figure("lives") > 12, "{document:#}");
    assert!(figure("unanswered") > 0, "no kill hit a commit: {document:#}");
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
