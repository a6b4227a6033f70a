//! Reports of real runs, through the binary: what stands in them is what happened.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;

use support::{json, stormproof};

/// A run that fails on this engine, whatever it draws: its seed and the flags that make it fail.
fn failing(folder: &Path, mutant: &str, workload: &str) -> (String, Vec<String>) {
    let flags = ["--mutant", mutant, "--workload", workload].map(str::to_owned).to_vec();
    let mut arguments = vec!["sweep", "--seeds", "0..2000", "--fail-fast", "--json"];
    arguments.extend(flags.iter().map(String::as_str));
    let found = json(&stormproof(folder, &arguments));
    (found["failures"][0]["seeds"][0].as_u64().expect("it is found").to_string(), flags)
}

/// The report of a run, as JSON.
fn document(folder: &Path, arguments: &[&str]) -> Value {
    let output = stormproof(folder, &[arguments, &["--report", "report.json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let text =
        fs::read_to_string(folder.join("report.json")).unwrap_or_else(|_| panic!("no report: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

fn all<'a>(document: &'a Value, name: &str) -> &'a [Value] {
    document[name].as_array().unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_failure_is_told_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (seed, flags) = failing(folder.path(), "SkipReadValidation", "write-skew");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let told = document(folder.path(), &[&["run", "--seed", &seed], flags.as_slice()].concat());
    assert_eq!((&told["kind"], &told["verdict"]), (&"run".into(), &"violated".into()));
    assert_eq!(
        told["reproduce"],
        format!("stormproof run --seed {seed} --workload write-skew --mutant SkipReadValidation")
    );
    assert!(told["summary"].as_str().unwrap().contains("Broken promise"), "{}", told["summary"]);

    let anomaly =
        all(&told, "anomalies").iter().find(|anomaly| all(anomaly, "edges").len() >= 2).expect("a cycle");
    let edges = all(anomaly, "edges");
    for (edge, next) in edges.iter().zip(edges.iter().cycle().skip(1)) {
        assert_eq!(edge["to"], next["from"], "{anomaly:#}");
        assert!(edge["explanation"].as_str().is_some_and(|why| why.contains("version")), "{edge}");
    }

    // A page lies beside the trace.
    let trace = folder.path().join(told["trace_file"].as_str().unwrap());
    let page = fs::read_to_string(trace.with_extension("html")).expect("a page beside the trace");
    assert!(page.contains("<!doctype html>") && page.contains("no serial order"));
}

#[test]
fn the_timeline_of_a_run_is_in_order_and_complete() {
    let folder = tempfile::tempdir().unwrap();
    // Among these seeds there is one with a power cut and a fault.
    let seeds = (0..40).map(|seed| seed.to_string());
    let told = seeds
        .map(|seed| {
            document(
                folder.path(),
                &["run", "--seed", &seed, "--workload", "bank", "--durability", "batched"],
            )
        })
        .find(|told| {
            let faults = all(told, "faults");
            faults.iter().any(|fault| fault["crash"] == true)
                && faults.iter().any(|fault| fault["crash"] == false)
        })
        .expect("a run with a power cut and a fault");

    let steps = all(&told, "steps");
    assert_eq!(steps.len() as u64, told["counts"]["steps"].as_u64().unwrap(), "every step is there");
    let times: Vec<u64> = steps.iter().map(|step| step["at"].as_u64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "steps stand in order");
    let preempted = steps.iter().filter(|step| step["preempted"] == true).count() as u64;
    // The last switch of each life may have been cut off.
    let lives = all(&told, "lives");
    assert!(preempted.abs_diff(told["counts"]["preemptions"].as_u64().unwrap()) <= lives.len() as u64);

    let lanes = all(&told, "lanes");
    for kind in ["client", "engine", "world"] {
        assert!(lanes.iter().any(|lane| lane["kind"] == kind), "no lane of the {kind}: {lanes:?}");
    }
    let used: Vec<&Value> = steps.iter().map(|step| &step["lane"]).collect();
    assert!((0..lanes.len()).all(|lane| used.contains(&&Value::from(lane))), "every lane has steps");

    assert!(
        lives.windows(2).all(|pair| pair[0]["ended"].as_u64() <= pair[1]["begun"].as_u64()),
        "{lives:#?}"
    );
    assert!(lives.iter().any(|life| !all(life, "recovery").is_empty()), "{lives:#?}");

    let txns = all(&told, "txns");
    assert_eq!(txns.len() as u64, told["counts"]["transactions"].as_u64().unwrap());
    for txn in txns {
        let [begun, ended] = ["begun", "ended"].map(|name| txn[name].as_u64().unwrap());
        assert!(begun < ended, "{txn:#}");
        let life = &lives[usize::try_from(txn["life"].as_u64().unwrap()).unwrap()];
        assert!(
            life["begun"].as_u64().unwrap() <= begun && ended <= life["ended"].as_u64().unwrap() + 1,
            "{txn:#}\n{life:#}"
        );
        assert!(
            all(txn, "accesses")
                .iter()
                .all(|access| (begun..=ended).contains(&access["at"].as_u64().unwrap()))
        );
    }
    let reads = txns.iter().flat_map(|txn| all(txn, "accesses")).filter(|access| access["kind"] == "read");
    assert!(
        reads.clone().any(|read| read["version"].is_u64() && read["from"].is_u64()),
        "reads know their writers"
    );

    let frontier = all(&told, "frontier");
    assert!(frontier.len() > 5, "{frontier:#?}");
    let [durable, published, at] =
        ["durable", "published", "at"].map(|of| move |point: &Value| point[of].as_u64().unwrap());
    let ends: Vec<u64> = lives.iter().map(|life| life["ended"].as_u64().unwrap()).collect();
    for pair in frontier.windows(2) {
        // The flusher may sync a commit just before it is published: then that comes next, unless the life
        // ends in between.
        let is_next =
            published(&pair[1]) == durable(&pair[0]) && durable(&pair[0]) == published(&pair[0]) + 1;
        let is_cut_off = ends.iter().any(|end| (at(&pair[0])..=at(&pair[1])).contains(end));
        assert!(durable(&pair[0]) <= published(&pair[0]) || is_next || is_cut_off, "{pair:#?}");
    }
    assert!(
        frontier.iter().any(|point| point["durable"].as_u64() < point["published"].as_u64()),
        "a batch is seen before it is durable"
    );
}

#[test]
fn every_format_of_a_run_is_what_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let (seed, flags) = failing(folder.path(), "SkipReadValidation", "write-skew");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let render = |file: &str| {
        let arguments = [&["report", &seed, "--out", file], flags.as_slice()].concat();
        let output = stormproof(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told, format!("written: {file} (it says: not held)\n"));
        fs::read_to_string(folder.path().join(file)).expect("a report")
    };
    assert!(render("a.txt").contains("✗ write-skew, seed"));
    assert!(render("a.md").contains("write\\-skew") || render("a.md").contains("write-skew"));
    assert!(render("a.xml").contains("<testsuite"));
    assert!(render("a.dot").starts_with("digraph anomalies {"));
    assert!(render("a.svg").contains("<svg"));
    assert!(render("a.html").contains("<!doctype html>"));

    let trace: Value = serde_json::from_str(&render("a.trace.json")).expect("JSON");
    let events = all(&trace, "traceEvents");
    for event in events {
        let phase = event["ph"].as_str().expect("a phase");
        assert!(["M", "X", "i", "C", "s", "f"].contains(&phase), "{event}");
        assert!(event["pid"].is_u64() && event["name"].is_string(), "{event}");
        assert!(phase == "M" || (event["ts"].is_u64() && event["tid"].is_u64()), "{event}");
        assert!(phase != "X" || event["dur"].is_u64(), "{event}");
        assert!(phase != "i" || event["s"].is_string(), "{event}");
    }
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    assert!(of("X") > 10 && of("C") > 3 && of("i") > 100);
    assert_eq!(of("s"), of("f"), "every arrow has two ends");
}

#[test]
fn a_trace_file_and_its_seed_give_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let (seed, flags) = failing(folder.path(), "SkipReadValidation", "write-skew");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let of_seed = document(folder.path(), &[&["run", "--seed", &seed], flags.as_slice()].concat());
    let trace = of_seed["trace_file"].as_str().unwrap();
    let of_trace = document(folder.path(), &["replay", trace]);
    for name in
        ["digest", "violations", "anomalies", "txns", "steps", "lives", "frontier", "faults", "checks"]
    {
        assert_eq!(of_seed[name], of_trace[name], "{name}");
    }
    let output = stormproof(folder.path(), &["report", trace, "--format", "json"]);
    assert_eq!(json(&output)["txns"], of_trace["txns"]);
    // And a report that was stored can be shown again.
    let output = stormproof(folder.path(), &["report", "report.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no serial order"));
}

#[test]
fn campaigns_are_rendered_with_their_curves() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = [
        "sweep",
        "--seeds",
        "0..40",
        "--workload",
        "bank",
        "--jobs",
        "2",
        "--out",
        "lines",
        "--report",
        "sweep.json",
    ];
    assert_eq!(stormproof(folder.path(), &sweep).status.code(), Some(0));
    let told: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("sweep.json")).unwrap()).unwrap();
    assert_eq!((&told["kind"], &told["seeds"]), (&"campaign".into(), &40.into()));
    let speed = all(&told, "speed");
    assert_eq!(speed.last().map(|point| &point["seeds"]), Some(&40.into()));
    // The lines that it wrote give the same.
    let again = json(&stormproof(folder.path(), &["report", "lines", "--format", "json"]));
    for name in ["seeds", "invariants", "marks", "faults", "conflicts", "speed"] {
        assert_eq!(again[name], told[name], "{name}");
    }
    let zoo = [
        "zoo",
        "--mutant",
        "PublishBeforeInstall",
        "--trials",
        "2",
        "--budget",
        "200",
        "--report",
        "zoo.html",
    ];
    stormproof(folder.path(), &zoo);
    let page = fs::read_to_string(folder.path().join("zoo.html")).expect("a page");
    assert!(page.contains("Trials that found their bug") && page.contains("PublishBeforeInstall"));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = stormproof(folder.path(), &["completions", shell]);
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(script.contains("replay") && script.contains("mutant"), "{shell}");
    }
    assert_eq!(stormproof(folder.path(), &["man", "pages"]).status.code(), Some(0));
    for page in ["stormproof.1", "stormproof-run.1", "stormproof-replay.1", "stormproof-shrink.1"] {
        assert!(
            fs::read_to_string(folder.path().join("pages").join(page)).is_ok_and(|text| text.contains(".TH")),
            "{page}"
        );
    }
}
