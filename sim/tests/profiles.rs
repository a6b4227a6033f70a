//! Options from elsewhere: profiles of `stormproof.toml` and variables, and which of them wins.

mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use support::{json, stormproof, stormproof_with};

const FILE: &str = "
    [profile.default]
    workload = ['bank']

    [profile.small]
    clients = 2
    sweep = { seeds = '0..4', jobs = 1 }

    [profile.wrong]
    sedes = '0..4'
";

fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    fs::write(folder.join("stormproof.toml"), FILE).unwrap();
    match variables {
        [] => stormproof(folder, arguments),
        _ => stormproof_with(folder, variables, arguments),
    }
}

#[test]
fn what_is_typed_wins_over_a_variable_and_that_over_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let options = |variables: &[(&str, &str)], more: &[&str]| {
        let document = json(&run(
            folder.path(),
            variables,
            &[&["sweep", "--profile", "small", "--json"], more].concat(),
        ));
        let options = &document["start"]["options"];
        (options["workload"].clone(), options["clients"].clone(), document["seeds"].clone())
    };
    let bank = || Value::from(vec!["bank"]);
    assert_eq!(options(&[], &[]), (bank(), 2.into(), 4.into()));
    assert_eq!(options(&[("STORMPROOF_CLIENTS", "3")], &[]), (bank(), 3.into(), 4.into()));
    let typed = ["--clients", "5", "--seeds", "0..2", "--workload", "hotspot"];
    assert_eq!(options(&[("STORMPROOF_CLIENTS", "3")], &typed), (vec!["hotspot"].into(), 5.into(), 2.into()));
    let chosen = [("STORMPROOF_PROFILE", "small")];
    let by_variable = json(&run(folder.path(), &chosen, &["run", "--seed", "1", "--plan"]));
    assert_eq!(by_variable["workload"]["clients"].as_array().map(Vec::len), Some(2), "{by_variable:#}");
}

#[test]
fn an_option_that_conflicts_with_a_typed_one_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    // A recording excludes the workload of the profile; that it is missing is another matter.
    let output = run(folder.path(), &[], &["run", "--seed", "1", "--recording", "none.jsonl"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no recording in none.jsonl"), "{said}");
}

#[test]
fn reproducing_commands_need_no_profile() {
    let folder = tempfile::tempdir().unwrap();
    let document = json(&run(folder.path(), &[], &["run", "--seed", "1", "--profile", "small", "--json"]));
    assert_eq!(document["reproduce"], "stormproof run --seed 1 --workload bank --clients 2");
}

#[test]
fn what_a_file_of_profiles_does_not_mean_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["sweep", "--profile", "smal"][..], &["no profile smal", "did you mean `small`?"][..]),
        (&["sweep", "--profile", "wrong"], &["no command has an option `sedes`", "did you mean `seeds`?"]),
        (&["sweep", "--config", "none.toml"], &["none.toml", "can't be read", "--config"]),
    ] {
        let output = run(folder.path(), &[], arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
    }
}
