//! Every script in `histories/` through one runner: the judges must say what it expects, level by level.

#[expect(dead_code, reason = "the generator of small histories is for other tests")]
mod support;

use std::path::{Path, PathBuf};

use stormproof_oracle::formats::script::{Expect, Script, parse};
use stormproof_oracle::{Level, Standing, Table, Verdict, check, levels};
use stormproof_workloads::History;
use stormproof_workloads::history::Op;
use stormproof_workloads::store::Expected;

/// The histories that every judge of isolation and crashes has to know, by the names under which people know
/// them.
const NAMED: [(&str, &str); 16] = [
    ("long fork", "long_fork"),
    ("write skew", "write_skew"),
    ("read-only anomaly", "read_only_anomaly"),
    ("fractured read", "fractured_read"),
    ("double insert", "double_insert"),
    ("ABA through delete", "aba_through_delete"),
    ("phantom pair", "phantom_pair"),
    ("scan contradicting get", "scan_contradicts_get"),
    ("un-acked seen whole", "unacked_seen_whole"),
    ("un-acked seen torn", "unacked_seen_torn"),
    ("un-acked that appears after recovery ended", "unacked_appears_late"),
    ("acked then lost", "acked_then_lost"),
    ("causal reverse", "causal_reverse"),
    ("a six-transaction G-nonadjacent cycle with no two adjacent rw edges", "g_nonadjacent"),
    ("prefix hole after a crash", "prefix_hole"),
    ("resurrected delete", "resurrected_delete"),
];

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "script")).collect();
    paths.sort();
    paths
}

fn script(path: &Path) -> Script {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
        Expect::Violated(level, class) if class == "violated" => {
            table.standing(*level) == Some(&Standing::Violated)
        }
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
        let script = script(&path);
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

#[test]
fn each_of_the_sixteen_named_histories_is_there_and_expects_something_of_every_level() {
    for (name, file) in NAMED {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("histories").join(file).with_extension("script");
        let script = script(&path);
        for level in Level::ALL {
            let about = script.expects.iter().filter(|(_, expect)| match expect {
                Expect::Level(stronger) => stronger.implies(level),
                Expect::Violated(weaker, _) => level.implies(*weaker),
                Expect::WitnessHolds | Expect::Witness(..) => false,
            });
            assert!(about.count() > 0, "{name}: {file}.script expects nothing of {level}");
        }
    }
}

/// Expectations were written by people; the checker that tries every order has the last word on them.
#[test]
fn brute_force_says_the_same_of_every_minimal_history_that_it_can_read() {
    let mut tried = 0;
    for path in scripts() {
        let script = script(&path);
        if !is_plain(&script.history) {
            continue;
        }
        tried += 1;
        for (line, expect) in &script.expects {
            let (level, holds) = match expect {
                Expect::Level(level) => (*level, true),
                Expect::Violated(level, _) => (*level, false),
                Expect::WitnessHolds | Expect::Witness(..) => continue,
            };
            let truth = support::brute::holds(&script.history, level);
            assert_eq!(truth, holds, "{}, line {line}: {level}", path.display());
        }
    }
    assert!(tried >= 30, "only {tried} scripts");
}

/// Whether it has only what brute force knows: no expiry, no limits, no conditions on versions, and no more
/// than eight transactions.
fn is_plain(history: &History) -> bool {
    history.txns.len() <= 8
        && history.txns.iter().flat_map(|txn| &txn.ops).all(|op| match op {
            Op::PutExpiring { .. } | Op::Failed { .. } => false,
            Op::Scan { limit, .. } => limit.is_none(),
            Op::Cas { expected, .. } | Op::DeleteIf { expected, .. } => {
                !matches!(expected, Expected::Version(_))
            }
            _ => true,
        })
}
