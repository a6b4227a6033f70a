//! Every script in `histories/` through one runner: the judges must say what it expects, level by level.

use std::path::{Path, PathBuf};

use stormproof_oracle::formats::script::{Expect, Script, parse};
use stormproof_oracle::{Level, Standing, Table, Verdict, check, levels};

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

/// What is wrong with the judgement on one script.
fn complaints(script: &Script) -> Vec<String> {
    let verdict = check(&script.history, &script.promises);
    let table = levels(&script.history, None, 1_000_000);
    script.expects.iter().filter_map(|(line, expect)| complaint(*line, expect, &verdict, &table)).collect()
}

fn complaint(line: usize, expect: &Expect, verdict: &Verdict, table: &Table) -> Option<String> {
    let met = match expect {
        Expect::WitnessHolds => verdict.holds(),
        Expect::Witness(invariant, class) => verdict.violations.iter().any(|violation| {
            violation.invariant.name() == invariant && violation.class.to_string() == *class
        }),
        Expect::Level(level) => table.standing(*level) == Some(&Standing::Holds),
        Expect::Violated(level, class) => {
            let violated = table.standing(*level) == Some(&Standing::Violated);
            let weaker_hold = Level::ALL
                .into_iter()
                .filter(|weaker| level != weaker && level.implies(*weaker))
                .all(|weaker| table.standing(weaker) == Some(&Standing::Holds));
            let named = table
                .anomalies
                .iter()
                .any(|anomaly| anomaly.level == *level && anomaly.class.to_string() == *class);
            violated
                && (named
                    || !weaker_hold && table.anomalies.iter().any(|one| one.class.to_string() == *class))
        }
    };
    let said = || format!("line {line}: {expect:?}; witness: {:#?}; levels: {table:#?}", verdict.violations);
    (!met).then(said)
}

#[test]
fn every_minimal_history_is_judged_as_its_script_says() {
    let mut wrong = Vec::new();
    let paths = scripts();
    assert!(paths.len() >= 16, "only {} scripts", paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("readable");
        let script = parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!script.expects.is_empty(), "{} expects nothing", path.display());
        for complaint in complaints(&script) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            wrong.push(format!("{name}, {complaint}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_script_that_expects_the_wrong_thing_fails() {
    let text = "T1 begin @0\nT1 put x 1\nT1 commit @1\nexpect witness conflicts lost-update";
    assert_eq!(complaints(&parse(text).expect("parses")).len(), 1);
}
