//! Files in `histories/` in the formats of other systems: the verdict at every level must be what their
//! comments say.
//!
//! `violated: LEVELS by ANOMALY` names the weakest levels that are violated, `holds: LEVELS` the strongest
//! that hold; together they say something of every level, with `unknown: LEVELS` for the strongest that stay
//! open. `untimed` leaves out the levels that need real time.

use std::path::{Path, PathBuf};

use stormproof_oracle::formats::{Initial, read_file};
use stormproof_oracle::{
    CheckOptions, CheckReport, Conclusion, Level, Standing, VersionOrders, check_file, check_input,
};

#[derive(Debug, Default)]
struct Expected {
    holds: Vec<Level>,
    violated: Vec<Level>,
    unknown: Vec<Level>,
    anomalies: Vec<String>,
    untimed: bool,
}

impl Expected {
    fn of(text: &str) -> Self {
        let mut expected = Self::default();
        let comments = text.lines().filter_map(|line| line.strip_prefix([';', '#'])).map(str::trim);
        let levels = |names: &str| -> Vec<Level> {
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(|name| name.parse().expect("a level")).collect()
        };
        for comment in comments {
            if let Some(names) = comment.strip_prefix("holds:") {
                expected.holds.extend(levels(names));
            } else if let Some(rest) = comment.strip_prefix("violated:") {
                let (names, anomaly) = rest.split_once(" by ").expect("an anomaly");
                expected.violated.extend(levels(names));
                expected.anomalies.push(anomaly.trim().to_owned());
            } else if let Some(names) = comment.strip_prefix("unknown:") {
                expected.unknown.extend(levels(names));
            } else if comment == "untimed" {
                expected.untimed = true;
            }
        }
        expected
    }

    fn at(&self, level: Level) -> Option<Standing> {
        if self.violated.iter().any(|weaker| level.implies(*weaker)) {
            Some(Standing::Violated)
        } else if self.holds.iter().any(|stronger| stronger.implies(level)) {
            Some(Standing::Holds)
        } else if self.unknown.iter().any(|stronger| stronger.implies(level)) {
            Some(Standing::Unknown(String::new()))
        } else {
            None
        }
    }
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending != "script")).collect();
    paths.sort();
    paths
}

fn judged(path: &Path, level: Option<Level>) -> CheckReport {
    let options = CheckOptions { level, ..CheckOptions::default() };
    check_file(path, None, &Initial::Default, &options)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_file_has_the_verdict_that_it_says_at_every_level() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 15, "only {} files", cases.len());
    for path in cases {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let expected = Expected::of(&std::fs::read_to_string(&path).expect("readable"));
        let all = judged(&path, None);
        for level in Level::ALL {
            if expected.untimed && level.needs_time() {
                continue;
            }
            let wanted = expected.at(level);
            let one = judged(&path, Some(level));
            for report in [&all, &one] {
                let said = report.table.standing(level).cloned();
                let said = said.map(|said| match said {
                    Standing::Unknown(_) => Standing::Unknown(String::new()),
                    said => said,
                });
                if wanted.is_none() || said != wanted {
                    wrong.push(format!(
                        "{name}, {level}: expected {wanted:?}, got {said:?}\n{}",
                        report.text()
                    ));
                }
            }
        }
        for anomaly in &expected.anomalies {
            if !all.table.anomalies.iter().any(|found| found.name == *anomaly) {
                wrong.push(format!("{name}: no {anomaly}\n{}", all.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// By the content of a file that holds nothing that can be judged: what is said about it.
#[test]
fn a_file_that_judges_nothing_says_so_and_does_not_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: [(&str, &str, &str); 8] = [
        (
            "bank.edn",
            "{:type :ok, :process 0, :f :transfer, :value {:from 1, :to 2, :amount 3}}",
            "1 operations with :f :transfer",
        ),
        (
            "set.edn",
            "{:type :ok, :process 0, :f :add, :value 3}\n{:type :ok, :process 0, :f :read, :value #{3}}",
            ":f :add",
        ),
        ("register.edn", "{:type :ok, :process 0, :f :cas, :value [1 2]}", ":f :cas"),
        ("nemesis.edn", "{:type :info, :process :nemesis, :f :kill, :value nil}", "by the nemesis"),
        ("empty.edn", "; nothing\n", "no transaction"),
        ("empty.jsonl", "{\"event\":\"opened\",\"life\":0,\"at\":0}\n", "no transaction"),
        ("empty.script", "# nothing\n", "no transaction"),
        (
            "aborted.edn",
            "{:type :fail, :process 0, :f :txn, :value [[:append 1 1]]}",
            "none of 1 transactions committed",
        ),
    ];
    for (name, text, why) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        let report = judged(&path, None);
        assert_eq!(report.exit_code(), 2, "{name}");
        assert!(
            matches!(report.conclusion(), Conclusion::NothingJudged(said) if said.contains(why)),
            "{name}: {report:?}"
        );
    }
}

#[test]
fn a_transaction_of_another_name_is_judged_by_its_shape() {
    let text = "{:type :ok, :process 0, :f :transact, :value [[:r :x [1]]]}";
    let input = stormproof_oracle::formats::read(text.as_bytes(), stormproof_oracle::formats::Format::Edn)
        .expect("reads");
    assert_eq!(check_input(&input, &CheckOptions::default()).conclusion(), Conclusion::Violated);
}

#[test]
fn the_initial_value_is_what_the_user_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("initial.edn");
    std::fs::write(&path, "{:type :ok, :process 0, :f :txn, :value [[:r :x 0] [:r :y 7] [:w :x 1]]}")
        .expect("written");
    let judge = |initial: Initial| {
        check_file(&path, None, &initial, &CheckOptions::default()).expect("reads").conclusion()
    };
    assert_eq!(judge(Initial::Default), Conclusion::Violated);
    assert_eq!(judge(Initial::Value(b"0".to_vec())), Conclusion::Violated, "y is not 0");
    assert_eq!(judge(Initial::Any), Conclusion::Holds);
}

/// A garbage read violates read uncommitted; the aborted read beside it is of read committed.
#[test]
fn an_anomaly_that_was_asked_for_is_found_beside_those_of_weaker_levels() {
    let mut text = String::new();
    for key in 0..100 {
        text.push_str(&format!("{{:type :ok, :process 0, :f :txn, :value [[:r {key} [4]]]}}\n"));
    }
    text.push_str("{:type :fail, :process 1, :f :txn, :value [[:append :c 1]]}\n");
    text.push_str("{:type :ok, :process 2, :f :txn, :value [[:r :c [1]]]}\n");
    let input = stormproof_oracle::formats::read(text.as_bytes(), stormproof_oracle::formats::Format::Edn)
        .expect("reads");
    for (name, conclusion) in [
        ("garbage-read", Conclusion::Violated),
        ("G1a", Conclusion::Violated),
        ("G1", Conclusion::Violated),
        ("G1b", Conclusion::Holds),
    ] {
        let options = CheckOptions { anomalies: vec![name.to_owned()], ..CheckOptions::default() };
        assert_eq!(check_input(&input, &options).conclusion(), conclusion, "{name}");
    }
    let report = check_input(&input, &CheckOptions::default());
    assert_eq!(report.table.counts.get("garbage-read"), Some(&100), "{:?}", report.table.counts);
}

/// The file has no times, so only processes show the order of versions.
#[test]
fn keys_that_are_linearizable_are_sequential_too() {
    let text = "{:type :ok, :process 0, :f :txn, :value [[:w :x 1]]}\n\
        {:type :ok, :process 0, :f :txn, :value [[:w :x 2]]}\n\
        {:type :ok, :process 1, :f :txn, :value [[:r :x 2]]}\n\
        {:type :ok, :process 1, :f :txn, :value [[:r :x 1]]}\n";
    let input = stormproof_oracle::formats::read(text.as_bytes(), stormproof_oracle::formats::Format::Edn)
        .expect("reads");
    for (sequential, linearizable) in [(false, false), (true, false), (false, true)] {
        let options = CheckOptions {
            orders: VersionOrders { sequential, linearizable },
            ..CheckOptions::at(Level::Serializable)
        };
        let expected = if sequential || linearizable { Conclusion::Violated } else { Conclusion::Holds };
        assert_eq!(check_input(&input, &options).conclusion(), expected, "{sequential}, {linearizable}");
    }
}

#[test]
fn evidence_names_line_index_process_and_operations_as_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("skew.edn");
    let text = "; write skew\n\
        {:index 10, :type :invoke, :process :a, :f :txn, :value [[:r \"k\" nil] [:append :y 1]]}\n\
        {:index 11, :type :invoke, :process :b, :f :txn, :value [[:r :y nil] [:append \"k\" 1]]}\n\
        {:index 12, :type :ok, :process :a, :f :txn, :value [[:r \"k\" nil] [:append :y 1]]}\n\
        {:index 13, :type :ok, :process :b, :f :txn, :value [[:r :y nil] [:append \"k\" 1]]}\n";
    std::fs::write(&path, text).expect("written");
    let report = judged(&path, None);
    let said = report.text();
    for part in
        ["line 4, index 12, process :a, ok: [[:r \"k\" []] [:append :y 1]]", "G2-item", "not repeatable-read"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let page = report.html("skew");
    assert!(page.contains("<svg") && page.contains("process") && page.ends_with("</html>\n"), "{page}");
    assert!(read_file(&path, None).is_ok());
}
